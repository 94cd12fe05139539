//! The stream between a socket and h2: it keeps the time, and reads the heads of frames as they pass.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::leg::{Fate, Leg};
use super::wire::{Patience, Timer, fate_of};

/// What is known of a connection's streams by their numbers. Each lock is held for an insertion or a look.
#[derive(Debug, Default)]
pub struct Streams(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    /// Handed over by h2; the newest, as many as can matter.
    accepted: BTreeSet<u32>,
    /// Their END_STREAM has been written.
    written: Vec<u32>,
    /// And has reached the transport.
    ended: BTreeSet<u32>,
}

/// More than can be open at once.
const MOST_NOTED: usize = 1024;

impl Streams {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        // A panic elsewhere leaves sets that are still sets.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream's request was handed over.
    pub fn accept(&self, stream: u32) {
        let mut notes = self.notes();
        notes.accepted.insert(stream);
        if notes.accepted.len() > MOST_NOTED {
            notes.accepted.pop_first();
        }
    }

    /// All of the stream's answer has reached the transport.
    pub fn has_ended(&self, stream: u32) -> bool {
        self.notes().ended.contains(&stream)
    }

    fn is_accepted(&self, stream: u32) -> bool {
        let notes = self.notes();
        // Those before the oldest noted one have been accepted once.
        notes.accepted.contains(&stream)
            || (notes.accepted.len() == MOST_NOTED
                && notes.accepted.first().is_some_and(|first| stream < *first))
    }

    fn flushed(&self) {
        let mut notes = self.notes();
        let written = std::mem::take(&mut notes.written);
        notes.ended.extend(written);
        while notes.ended.len() > MOST_NOTED {
            notes.ended.pop_first();
        }
    }
}

#[derive(Debug)]
pub struct Frames<S> {
    stream: S,
    patience: Patience,
    leg: Arc<Leg>,
    streams: Arc<Streams>,
    incoming: Walk,
    outgoing: Walk,
    /// A request's header block has begun, and not ended.
    in_head: bool,
    idle_timer: Timer,
    head_timer: Timer,
    write_timer: Timer,
}

impl<S> Frames<S> {
    /// For a device's connection: its preface comes first.
    pub fn new(stream: S, patience: Patience, leg: Arc<Leg>, streams: Arc<Streams>) -> Self {
        const PREFACE: usize = 24;
        Self {
            stream,
            patience,
            leg,
            streams,
            incoming: Walk { skip: PREFACE, ..Walk::default() },
            outgoing: Walk::default(),
            in_head: false,
            idle_timer: Timer::default(),
            head_timer: Timer::default(),
            write_timer: Timer::default(),
        }
    }

    fn see_incoming(&mut self, bytes: &[u8]) {
        let in_head = &mut self.in_head;
        self.incoming.over(bytes, |frame| match frame.kind {
            HEADERS | CONTINUATION => *in_head = frame.flags & END_HEADERS == 0,
            _ => {}
        });
        // A header block that is spread over frames, or a frame of it over reads, must not take for ever.
        if !self.in_head && !self.incoming.is_within(HEADERS) {
            self.head_timer.stop();
        }
    }

    /// What h2 answers itself tells of requests that it does not hand over.
    fn see_outgoing(&mut self, bytes: &[u8]) {
        let (leg, streams) = (&self.leg, &self.streams);
        self.outgoing.over(bytes, |frame| {
            let refused = matches!(frame.kind, HEADERS | RST_STREAM) && !streams.is_accepted(frame.stream);
            if refused {
                leg.meet(Fate::BadHead(match frame.kind {
                    HEADERS => {
                        format!("the head of stream {} was too long, and was refused with 431", frame.stream)
                    }
                    _ => format!("stream {} broke the rules of HTTP/2, and was reset", frame.stream),
                }));
            }
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                streams.notes().written.push(frame.stream);
            }
        });
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Frames<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let read = buf.filled().get(before..).unwrap_or_default();
                if read.is_empty() {
                    this.leg.meet(Fate::Closed);
                }
                this.see_incoming(read);
                Poll::Ready(Ok(()))
            }
            // Many peers close without TLS's goodbye.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                this.leg.meet(if this.leg.is_waiting() {
                    Fate::Closed
                } else {
                    Fate::Lost("closed in the middle of an exchange".into())
                });
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                this.leg.meet(fate_of(&error));
                Poll::Ready(Err(error))
            }
            Poll::Pending if this.in_head || this.incoming.is_within(HEADERS) => {
                ready!(this.head_timer.poll(cx, this.patience.head));
                Poll::Ready(Err(this
                    .leg
                    .time_out(format!("a request's head was not complete after {:?}", this.patience.head))))
            }
            // Pings and settings do not keep a connection.
            Poll::Pending if this.leg.is_waiting() => {
                ready!(this.idle_timer.poll(cx, this.patience.idle));
                this.leg.meet(Fate::Timeout(format!("idle for {:?}", this.patience.idle)));
                // Not an error: this is how a connection that is not needed ends.
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                this.idle_timer.stop();
                Poll::Pending
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        let count = ready!(this.write_timer.patiently(cx, this.patience.write, &this.leg, written))?;
        this.leg.count_written(count);
        this.see_outgoing(buf.get(..count).unwrap_or_default());
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        ready!(this.write_timer.patiently(cx, this.patience.write, &this.leg, flushed))?;
        this.streams.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame's head (RFC 9113 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameHead {
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Where one direction stands between frames.
#[derive(Debug, Default)]
struct Walk {
    head: Vec<u8>,
    /// So much is left of the frame that `kind` tells of.
    skip: usize,
    kind: Option<u8>,
}

impl Walk {
    /// Steps over bytes as they pass; tells each frame when it is over, for only then it has been sent.
    fn over(&mut self, mut bytes: &[u8], mut see: impl FnMut(FrameHead)) {
        const HEAD: usize = 9;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.skip > 0 {
                return;
            }
            if let &[_, _, _, kind, flags, a, b, c, d] = self.head.as_slice() {
                let stream = u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff;
                self.head.clear();
                self.kind = None;
                see(FrameHead { kind, flags, stream });
            }
            if bytes.is_empty() {
                return;
            }
            let taken = (HEAD - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(bytes.get(..taken).unwrap_or_default());
            bytes = bytes.get(taken..).unwrap_or_default();
            if let &[a, b, c, kind, ..] = self.head.as_slice()
                && self.head.len() == HEAD
            {
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.kind = Some(kind);
            }
        }
    }

    /// In the middle of a frame of that kind.
    fn is_within(&self, kind: u8) -> bool {
        self.kind == Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_when_they_are_over_however_they_are_cut() {
        let bytes = [
            &[0, 0, 3, HEADERS, END_HEADERS, 0, 0, 0, 5, 1, 2, 3][..],
            &[0, 0, 0, DATA, END_STREAM, 0x80, 0, 0, 5],
            &[0, 0, 4, RST_STREAM, 0, 0, 0, 1, 7, 0, 0, 0, 8],
        ]
        .concat();
        let expected = [(HEADERS, END_HEADERS, 5), (DATA, END_STREAM, 5), (RST_STREAM, 0, 263)]
            .map(|(kind, flags, stream)| FrameHead { kind, flags, stream });
        for size in 1..=bytes.len() {
            let (mut walk, mut seen) = (Walk::default(), Vec::new());
            for part in bytes.chunks(size) {
                walk.over(part, |frame| seen.push(frame));
            }
            assert_eq!(seen, expected, "in pieces of {size}");
        }
        let mut walk = Walk::default();
        walk.over(&bytes[..10], |frame| panic!("too early: {frame:?}"));
        assert!(walk.is_within(HEADERS));
    }
}
