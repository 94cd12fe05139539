//! The stream between a socket and hyper. Heads are read here, kept exactly, and hyper gets a plain stand-in with the
//! same framing; on the way out hyper's stand-in is replaced by the exact head. Bodies pass through untouched.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::clock::now;
use super::framer::{BadChunks, Framer};
use super::front::UNTRUSTED_PREFACE;
use super::head::{Extent, Head, LONGEST_HEAD, Refusal, find_end};
use super::leg::{Arrived, Fate, Leg};
use super::tls::alert_name;
use crate::event::Version;

/// How long a silent peer is borne.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between messages, and between two reads of a body.
    pub idle: Duration,
    /// From a head's first byte to its last.
    pub head: Duration,
    /// Without taking a byte of what we send.
    pub write: Duration,
}

/// What is read on a connection; the other kind is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A device's connection: requests come in.
    Requests,
    /// A server's connection: responses come in.
    Responses,
}

#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    role: Role,
    patience: Patience,
    leg: Arc<Leg>,
    /// Read, and not yet understood or handed on.
    input: BytesMut,
    /// How much of `input` was searched for a head's end.
    searched: usize,
    head_began: Option<(crate::event::Time, Instant)>,
    /// The stand-in that hyper has not taken yet.
    stand_in: BytesMut,
    reading: Reading,
    /// Exact bytes that the transport has not taken yet.
    output: BytesMut,
    /// Hyper's head so far.
    replaced: BytesMut,
    writing: Option<Framer>,
    read_timer: Timer,
    write_timer: Timer,
    linger: Timer,
    /// Our side is shut down.
    lingering: bool,
}

#[derive(Debug)]
enum Reading {
    Head,
    Body(Framer),
    /// Nothing that comes is looked at any more.
    Refused,
}

/// One bite of a socket read; bodies are read straight into hyper's buffer.
const HEAD_READ: usize = 8 << 10;
const BODY_READ: usize = 64 << 10;
/// How long a refused peer may take to read why.
const LINGER: Duration = Duration::from_secs(1);
/// So much of a body may travel in the same write as its head.
const JOINED: usize = 16 << 10;

impl<S> Wire<S> {
    pub fn new(stream: S, role: Role, patience: Patience, leg: Arc<Leg>) -> Self {
        Self {
            stream,
            role,
            patience,
            leg,
            input: BytesMut::new(),
            searched: 0,
            head_began: None,
            stand_in: BytesMut::new(),
            reading: Reading::Head,
            output: BytesMut::new(),
            replaced: BytesMut::new(),
            writing: None,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
            linger: Timer::default(),
            lingering: false,
        }
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Reads until a head is complete and its stand-in is ready. False: the peer is done, or has waited too long.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            self.skip_empty_lines();
            if let Some(refusal) = self.hopeless() {
                self.refuse(refusal)?;
                return Poll::Ready(Ok(true));
            }
            if let Some(end) = find_end(&self.input, self.searched).filter(|end| *end <= LONGEST_HEAD) {
                let bytes = self.input.split_to(end);
                self.searched = 0;
                if self.take_head(&bytes)? {
                    return Poll::Ready(Ok(true));
                }
                continue;
            }
            self.searched = self.input.len();
            if self.input.len() >= LONGEST_HEAD {
                self.refuse(Refusal::too_long(&self.input))?;
                return Poll::Ready(Ok(true));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                if self.input.is_empty() {
                    self.leg.meet(Fate::Closed);
                } else {
                    self.leg.meet(Fate::BadHead("the connection was closed in the middle of a head".into()));
                }
                return Poll::Ready(Ok(false));
            }
        }
    }

    /// RFC 9112 2.2: empty lines before a request line are ignored.
    fn skip_empty_lines(&mut self) {
        while self.role == Role::Requests && self.input.starts_with(b"\r\n") {
            self.input.advance(2);
            self.searched = 0;
        }
        if self.input.is_empty() {
            self.head_began = None;
        }
    }

    /// The very first bytes tell that no head will ever come of it.
    fn hopeless(&self) -> Option<Refusal> {
        // The PROXY protocol's version 2 begins with two empty lines, which are gone by now.
        const SIGNED: &[u8] = b"\0\r\nQUIT\n";
        let lone_cr = self.role == Role::Requests && self.input.as_ref() == b"\r";
        match (self.role, self.input.as_ref()) {
            (_, []) => None,
            (_, [0x16, 0x03, ..]) => Some(Refusal::of(400, "TLS where plain HTTP was expected")),
            (Role::Requests, start) if start.starts_with(SIGNED) => Some(Refusal::of(400, UNTRUSTED_PREFACE)),
            (Role::Requests, start) if SIGNED.starts_with(start) => None,
            (Role::Requests, [first, ..]) if !first.is_ascii_graphic() && !lone_cr => {
                Some(Refusal::of(400, "bytes that are not HTTP"))
            }
            (Role::Responses, start) => {
                let same = start.len().min(5);
                (start.get(..same) != b"HTTP/".get(..same))
                    .then(|| Refusal::of(502, "bytes that are not an HTTP response"))
            }
            _ => None,
        }
    }

    fn take_head(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let to_head = self.role == Role::Responses && self.leg.take_expected();
        let head = match self.role {
            Role::Requests => Head::request(bytes),
            Role::Responses => Head::response(bytes, to_head),
        };
        let head = match head {
            Ok(head) => head,
            Err(refusal) => return self.refuse(refusal).map(|()| true),
        };
        if head.is_interim() {
            // The request's own answer is still to come.
            self.leg.pass_over(&head, to_head);
            self.head_began = None;
            return Ok(false);
        }
        self.write_stand_in(&head);
        let framer = Framer::new(head.extent);
        self.reading = if framer.is_done() { Reading::Head } else { Reading::Body(framer) };
        self.arrive(Ok(head));
        Ok(true)
    }

    fn arrive(&mut self, head: Result<Head, Refusal>) {
        let (at, first_byte) = self.head_began.take().unwrap_or_else(|| (now(), Instant::now()));
        self.read_timer.stop();
        self.leg.arrive(Arrived { head, at, first_byte: first_byte.into_std() });
    }

    /// A request is answered by the proxy, so hyper gets a harmless one; a response makes hyper's client give up.
    fn refuse(&mut self, refusal: Refusal) -> io::Result<()> {
        self.leg.meet(Fate::BadHead(refusal.what.clone()));
        self.reading = Reading::Refused;
        self.input.clear();
        if self.role == Role::Responses {
            return Err(io::Error::new(io::ErrorKind::InvalidData, refusal.what));
        }
        self.stand_in.extend_from_slice(b"POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        self.arrive(Err(refusal));
        Ok(())
    }

    fn write_stand_in(&mut self, head: &Head) {
        let version = if head.version == Version::Http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut text = match self.role {
            Role::Requests => {
                // Only HEAD changes how an answer is framed.
                let method = if head.is_head() { "HEAD" } else { "POST" };
                format!("{method} / {version}\r\n")
            }
            Role::Responses => "HTTP/1.1 200 OK\r\n".to_owned(),
        };
        match head.extent {
            Extent::None => text.push_str("content-length: 0\r\n"),
            Extent::Length(length) => text.push_str(&format!("content-length: {length}\r\n")),
            // HTTP/2 does not come this way.
            Extent::Frames(_) => {}
            Extent::Chunked => text.push_str("transfer-encoding: chunked\r\n"),
            Extent::Close => {}
        }
        text.push_str(if head.keep_alive { "connection: keep-alive\r\n" } else { "connection: close\r\n" });
        if self.role == Role::Requests && head.lists("expect", "100-continue") {
            text.push_str("expect: 100-continue\r\n");
        }
        text.push_str("\r\n");
        self.stand_in.extend_from_slice(text.as_bytes());
    }

    /// One read into `input`; an idle connection that is silent for too long counts as closed.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bite = [0; HEAD_READ];
        let mut bite = ReadBuf::new(&mut bite);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut bite);
        match read {
            Poll::Ready(Ok(())) => {
                let bytes = bite.filled();
                if !bytes.is_empty() && self.head_began.is_none() {
                    self.head_began = Some((now(), Instant::now()));
                    self.read_timer.stop();
                }
                self.input.extend_from_slice(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            // Many peers close without TLS's goodbye.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(0)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.lost(error))),
            Poll::Pending if self.role == Role::Responses => Poll::Pending,
            Poll::Pending if !self.input.is_empty() => {
                ready!(self.read_timer.poll(cx, self.patience.head));
                Poll::Ready(Err(self
                    .leg
                    .time_out(format!("a request's head was not complete after {:?}", self.patience.head))))
            }
            Poll::Pending if self.leg.is_waiting() => {
                ready!(self.read_timer.poll(cx, self.patience.idle));
                self.leg.meet(Fate::Timeout(format!("idle for {:?}", self.patience.idle)));
                // Not an error: this is how keep-alive ends.
                Poll::Ready(Ok(0))
            }
            Poll::Pending => {
                self.read_timer.stop();
                Poll::Pending
            }
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Reading::Body(framer) = &mut self.reading else { return Poll::Ready(Ok(())) };
        if !self.input.is_empty() {
            let offered = self.input.len().min(buf.remaining());
            let slice = self.input.get(..offered).unwrap_or_default();
            let taken = framer.advance(slice).map_err(|bad| bad_chunks(&self.leg, bad))?;
            buf.put_slice(slice.get(..taken).unwrap_or_default());
            self.input.advance(taken);
            self.end_of_body();
            return Poll::Ready(Ok(()));
        }
        let room = buf.remaining().min(framer.limit()).min(BODY_READ);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        match Pin::new(&mut self.stream).poll_read(cx, &mut part) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                // Many servers end a close-delimited answer without TLS's goodbye.
                if error.kind() == io::ErrorKind::UnexpectedEof && matches!(framer, Framer::Close) {
                    return Poll::Ready(Ok(()));
                }
                return Poll::Ready(Err(self.lost(error)));
            }
            Poll::Pending => {
                ready!(self.read_timer.poll(cx, self.patience.idle));
                let what = format!("nothing more of a body came for {:?}", self.patience.idle);
                return Poll::Ready(Err(self.leg.time_out(what)));
            }
        }
        self.read_timer.stop();
        let read = part.filled();
        let count = read.len();
        if count == 0 {
            self.leg.meet(Fate::Lost("closed in the middle of a body".into()));
            return Poll::Ready(Ok(()));
        }
        let taken = framer.advance(read).map_err(|bad| bad_chunks(&self.leg, bad))?;
        if let Some(next) = read.get(taken..).filter(|next| !next.is_empty()) {
            // The next message has begun within this read.
            self.input.extend_from_slice(next);
            self.head_began = Some((now(), Instant::now()));
        }
        buf.advance(taken);
        self.end_of_body();
        Poll::Ready(Ok(()))
    }

    fn end_of_body(&mut self) {
        let Reading::Body(framer) = &mut self.reading else { return };
        if let Some(ended) = framer.take_ended() {
            self.leg.end_body(ended);
        }
        if framer.is_done() {
            self.reading = Reading::Head;
            if !self.input.is_empty() {
                self.head_began.get_or_insert_with(|| (now(), Instant::now()));
            }
        }
    }

    /// The peer has sent, or is sending, what nobody will look at.
    fn has_unread(&self) -> bool {
        let in_message = !matches!(self.reading, Reading::Head) || !self.input.is_empty();
        // Who was waited for in vain is not waited for once more.
        self.role == Role::Requests && in_message && !matches!(self.leg.fate(), Some(Fate::Timeout(_)))
    }

    fn lost(&self, error: io::Error) -> io::Error {
        self.leg.meet(fate_of(&error));
        error
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.stand_in.is_empty() {
                let count = this.stand_in.len().min(buf.remaining());
                buf.put_slice(&this.stand_in.split_to(count));
                return Poll::Ready(Ok(()));
            }
            match this.reading {
                Reading::Head => {
                    if !ready!(this.poll_head(cx))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Reading::Body(_) => return this.poll_body(cx, buf),
                // Hyper is busy with the answer, and closes after it.
                Reading::Refused => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Takes hyper's head up to its end; then the exact one stands in `output`.
    fn replace_head(&mut self, buf: &[u8]) -> io::Result<usize> {
        let before = self.replaced.len();
        self.replaced.extend_from_slice(buf);
        let Some(end) = find_end(&self.replaced, before) else { return Ok(buf.len()) };
        let taken = end - before;
        self.replaced.truncate(end);
        let replaced = self.replaced.split();
        if replaced.starts_with(b"HTTP/1.1 100 ") {
            self.output.extend_from_slice(&replaced);
            return Ok(taken);
        }
        let Some(departing) = self.leg.take_departing() else {
            return Err(io::Error::other("a head was written that nobody asked for"));
        };
        self.output.extend_from_slice(&departing.head);
        let mut framer = Framer::new(departing.extent);
        // What stands ready of the body travels with its head.
        let rest = buf.get(taken..).unwrap_or_default();
        let rest = rest.get(..rest.len().min(JOINED)).unwrap_or_default();
        let joined = self.measure(&mut framer, rest)?;
        self.output.extend_from_slice(rest.get(..joined).unwrap_or_default());
        self.writing = Some(framer).filter(|framer| !framer.is_done());
        Ok(taken + joined)
    }

    /// How many of these bytes, written by hyper, belong to the message before something has to be put in.
    fn measure(&self, framer: &mut Framer, bytes: &[u8]) -> io::Result<usize> {
        let measured =
            if self.leg.has_trailers() { framer.advance_to_trailers(bytes) } else { framer.advance(bytes) };
        let _ = framer.take_ended();
        measured.map_err(io::Error::other)
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.output);
            let count = ready!(self.write_timer.patiently(cx, self.patience.write, &self.leg, written))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.leg.count_written(count);
            self.output.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.leg.set_flushed(false);
        ready!(this.poll_output(cx))?;
        let Some(framer) = &this.writing else {
            let taken = this.replace_head(buf)?;
            // Pending is fine here: the next write or flush goes on with it.
            if let Poll::Ready(Err(error)) = this.poll_output(cx) {
                return Poll::Ready(Err(error));
            }
            return Poll::Ready(Ok(taken));
        };
        if framer.is_before_trailers()
            && let Some(trailers) = this.leg.take_trailers()
        {
            this.output.extend_from_slice(&trailers);
            ready!(this.poll_output(cx))?;
        }
        let Some(framer) = &this.writing else { return Poll::Ready(Ok(0)) };
        let whole = this.measure(&mut framer.clone(), buf)?;
        let slice = buf.get(..whole).unwrap_or_default();
        let written = Pin::new(&mut this.stream).poll_write(cx, slice);
        let count = ready!(this.write_timer.patiently(cx, this.patience.write, &this.leg, written))?;
        this.leg.count_written(count);
        if let Some(mut framer) = this.writing.take() {
            this.measure(&mut framer, slice.get(..count).unwrap_or_default())?;
            this.writing = Some(framer).filter(|framer| !framer.is_done());
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_output(cx))?;
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        ready!(this.write_timer.patiently(cx, this.patience.write, &this.leg, flushed))?;
        this.leg.set_flushed(true);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.lingering {
            ready!(this.poll_output(cx))?;
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.lingering = true;
        }
        // Closing on unread bytes makes TCP reset the connection, and the answer that says why would be lost.
        while this.has_unread() {
            let mut bite = [0; HEAD_READ];
            let mut bite = ReadBuf::new(&mut bite);
            match Pin::new(&mut this.stream).poll_read(cx, &mut bite) {
                Poll::Ready(Ok(())) if !bite.filled().is_empty() => {}
                Poll::Ready(_) => break,
                Poll::Pending => {
                    ready!(this.linger.poll(cx, LINGER));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn bad_chunks(leg: &Leg, bad: BadChunks) -> io::Error {
    leg.meet(Fate::BadHead(bad.to_string()));
    io::Error::new(io::ErrorKind::InvalidData, bad)
}

/// Tells a TLS alert from a plain loss.
pub(super) fn fate_of(error: &io::Error) -> Fate {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::AlertReceived(alert)) => Fate::Alert(alert_name(*alert)),
        _ => Fate::Lost(error.to_string()),
    }
}

/// A deadline that is set by the first wait after a stop.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Timer {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<()> {
        let deadline = Instant::now() + patience;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.running {
            sleep.as_mut().reset(deadline);
            self.running = true;
        }
        sleep.as_mut().poll(cx)
    }

    pub(super) fn stop(&mut self) {
        self.running = false;
    }

    /// Gives up on a peer that takes nothing for too long.
    pub(super) fn patiently<T>(
        &mut self,
        cx: &mut Context<'_>,
        patience: Duration,
        leg: &Leg,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(Ok(done)) => {
                self.stop();
                Poll::Ready(Ok(done))
            }
            Poll::Ready(Err(error)) => {
                leg.meet(fate_of(&error));
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                ready!(self.poll(cx, patience));
                Poll::Ready(Err(leg.time_out(format!("nothing that we sent was taken for {patience:?}"))))
            }
        }
    }
}
