//! Copies bodies as they pass, up to a limit, and counts all of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};

use super::inbound::{Broken, Inbound, to_map};
use crate::event;
use crate::net::{CertificateHeader, Ended, Extent, Leg};

/// The memory that copies may take together, in bytes.
#[derive(Debug)]
pub(super) struct Memory(AtomicUsize);

impl Memory {
    pub(super) fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// As much of that as there is.
    fn take(&self, wanted: usize) -> usize {
        let take = |left: usize| Some(left - wanted.min(left));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_or(0, |left| wanted.min(left))
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What was seen of one body.
#[derive(Debug)]
pub(super) struct Copied {
    kept: BytesMut,
    limit: usize,
    memory: Arc<Memory>,
    /// There was no memory for all that would have been kept.
    pub(super) starved: bool,
    pub(super) length: u64,
    /// Pieces that were passed on.
    pub(super) frames: u64,
    pub(super) extent: Extent,
    /// How its chunked coding ended.
    pub(super) end: Option<Ended>,
    /// Trailer fields that were not passed on.
    pub(super) removed: Vec<String>,
    pub(super) complete: bool,
    /// When the last piece came.
    pub(super) touched: Instant,
}

impl Copied {
    pub(super) fn new(extent: Extent, limit: usize, memory: &Arc<Memory>) -> Self {
        Self {
            kept: BytesMut::new(),
            limit,
            memory: Arc::clone(memory),
            starved: false,
            length: 0,
            frames: 0,
            extent,
            end: None,
            removed: Vec::new(),
            complete: matches!(extent, Extent::None | Extent::Length(0)),
            touched: Instant::now(),
        }
    }

    pub(super) fn add(&mut self, data: &Bytes) {
        self.length += data.len() as u64;
        self.frames += 1;
        self.touched = Instant::now();
        // Behind a gap nothing is kept: what is judged must be what was sent.
        let room = if self.starved { 0 } else { self.limit.saturating_sub(self.kept.len()) };
        let wanted = room.min(data.len());
        let granted = self.memory.take(wanted);
        self.starved |= granted < wanted;
        self.kept.extend_from_slice(data.get(..granted).unwrap_or_default());
        if self.extent == Extent::Length(self.length) {
            self.complete = true;
        }
    }

    /// The end that the framing itself tells.
    pub(super) fn finish(&mut self, end: Option<Ended>) {
        self.complete = !matches!(
            self.extent,
            Extent::Length(length) | Extent::Frames(Some(length)) if length != self.length
        );
        self.end = end;
        self.touched = Instant::now();
    }

    /// The body for the record; the headers tell its encoding.
    pub(super) fn body(&self, headers: &[event::Header]) -> event::Body {
        let encoding = event::header(headers, "content-encoding").map(|h| h.text().trim().to_owned());
        event::Body {
            bytes: Bytes::copy_from_slice(&self.kept),
            length: self.length,
            framing: self.extent.into(),
            encoding: encoding.filter(|e| !e.is_empty() && !e.eq_ignore_ascii_case("identity")),
            trailers: self.end.as_ref().map(|end| end.trailers.clone()).unwrap_or_default(),
            cut: !self.complete,
            ..event::Body::default()
        }
    }

    /// That a part of it passed without being kept, although it would have been.
    pub(super) fn not_kept(&self, side: event::Side) -> Option<event::Change> {
        let kept = self.kept.len();
        let detail = format!(
            "{kept} bytes were kept, and the rest passed: bodies on their way took all --body-memory"
        );
        self.starved.then(|| event::Change { side, what: "not-kept".to_owned(), detail })
    }

    /// What the chunked coding lost on its way, if anything.
    pub(super) fn chunk_changes(&self) -> Option<String> {
        // HTTP/2 has no chunks to lose.
        let end = self.end.as_ref().filter(|_| self.extent == Extent::Chunked)?;
        if end.extensions {
            return Some("chunk extensions were dropped".into());
        }
        (end.chunks != self.frames).then(|| format!("{} chunks came, {} were sent", end.chunks, self.frames))
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.memory.give_back(self.kept.len());
    }
}

/// A request's copy, written by the sending side and read when the exchange is filed.
#[derive(Clone, Debug)]
pub(super) struct Copy(Arc<Mutex<Copied>>);

impl Copy {
    pub(super) fn new(copied: Copied) -> Self {
        Self(Arc::new(Mutex::new(copied)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Copied> {
        // A panic while copying leaves a shorter copy, no worse.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device's request body on its way to the server.
#[derive(Debug)]
pub(super) struct Tapped {
    /// What was read before it was sent on, or replaces that.
    ahead: VecDeque<Bytes>,
    rest: Option<Inbound>,
    copy: Copy,
    device: Arc<Leg>,
    /// In this form the server is told of certificates: a device's own trailers are not passed on in it.
    form: Option<CertificateHeader>,
    /// What goes out behind the body.
    trailers: Ended,
    /// Where it goes, once that is known.
    to: To,
}

/// The connection that a body is sent on.
#[derive(Debug)]
pub(super) enum To {
    Unknown,
    /// Trailers are put in by its stream, if it is chunked.
    Http1 {
        leg: Arc<Leg>,
        chunked: bool,
    },
    /// Trailers are a frame.
    Http2,
}

impl Tapped {
    pub(super) fn new(body: Inbound, copy: Copy, device: Arc<Leg>, form: Option<CertificateHeader>) -> Self {
        let empty = matches!(copy.lock().extent, Extent::None | Extent::Length(0));
        let rest = (!empty).then_some(body);
        Self { ahead: VecDeque::new(), rest, copy, device, form, trailers: Ended::default(), to: To::Unknown }
    }

    /// There is no body, and nothing has been read of it.
    pub(super) fn is_empty(&self) -> bool {
        self.ahead.is_empty() && self.rest.is_none()
    }

    /// They have come already.
    pub(super) fn has_trailers(&self) -> bool {
        !self.trailers.trailers.is_empty()
    }

    pub(super) fn send_to(&mut self, to: To) {
        self.to = to;
        if self.rest.is_none() {
            self.send_trailers();
        }
    }

    /// The whole body, if it ends within the limit; else what was read waits to be sent on.
    pub(super) async fn gather(&mut self, limit: usize) -> Result<Option<Bytes>, Broken> {
        let mut whole = Vec::new();
        loop {
            match std::future::poll_fn(|cx| self.poll_rest(cx)).await {
                Some(Ok(data)) => {
                    whole.extend_from_slice(&data);
                    self.ahead.push_back(data);
                    if whole.len() > limit {
                        return Ok(None);
                    }
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(Some(Bytes::from(whole))),
            }
        }
    }

    /// Other bytes are sent in place of those gathered.
    pub(super) fn replace(&mut self, body: Bytes) {
        self.ahead = VecDeque::from([body]);
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        match ready!(rest.poll_data(cx)) {
            Some(Ok(data)) => {
                self.copy.lock().add(&data);
                Poll::Ready(Some(Ok(data)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                {
                    let mut copied = self.copy.lock();
                    let trails = matches!(copied.extent, Extent::Chunked | Extent::Frames(_));
                    let end = if trails { rest.take_ended(Some(&self.device)) } else { None };
                    self.trailers = end.clone().unwrap_or_default();
                    if let Some(form) = &self.form {
                        copied.removed = self.trailers.remove(|name| form.is_claim(name));
                    }
                    copied.finish(end);
                }
                self.rest = None;
                self.send_trailers();
                Poll::Ready(None)
            }
        }
    }

    fn send_trailers(&self) {
        if let To::Http1 { leg, chunked: true } = &self.to
            && !self.trailers.raw_trailers.is_empty()
        {
            leg.add_trailers(self.trailers.raw_trailers.clone());
        }
    }

    /// The last frame towards HTTP/2, if there are trailers.
    fn take_trailers(&mut self) -> Option<Frame<Bytes>> {
        if !matches!(self.to, To::Http2) {
            return None;
        }
        self.to = To::Unknown;
        self.has_trailers().then(|| Frame::trailers(to_map(&self.trailers.trailers)))
    }
}

impl Body for Tapped {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        if let Some(data) = this.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match ready!(this.poll_rest(cx)) {
            Some(data) => Poll::Ready(Some(data.map(Frame::data))),
            None => Poll::Ready(this.take_trailers().map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty() && !matches!(self.to, To::Http2)
    }
}
