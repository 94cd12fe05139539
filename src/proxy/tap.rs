//! Copies bodies as they pass, up to a limit, and counts all of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};

use crate::event;
use crate::net::{Ended, Extent, Leg};

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
        self.complete = !matches!(self.extent, Extent::Length(length) if length != self.length);
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
        let end = self.end.as_ref()?;
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
    rest: Option<Incoming>,
    copy: Copy,
    device: Arc<Leg>,
    /// Where it goes, once that is known.
    server: Option<Arc<Leg>>,
}

impl Tapped {
    pub(super) fn new(body: Incoming, copy: Copy, device: Arc<Leg>) -> Self {
        let empty = matches!(copy.lock().extent, Extent::None | Extent::Length(0));
        Self { ahead: VecDeque::new(), rest: (!empty).then_some(body), copy, device, server: None }
    }

    pub(super) fn send_to(&mut self, server: &Arc<Leg>) {
        self.server = Some(Arc::clone(server));
        if self.rest.is_none() {
            self.send_trailers();
        }
    }

    /// The whole body, if it ends within the limit; else what was read waits to be sent on.
    pub(super) async fn gather(&mut self, limit: usize) -> Result<Option<Bytes>, hyper::Error> {
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

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        loop {
            match ready!(Pin::new(&mut *rest).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers go out as they were spelled, below.
                    let Ok(data) = frame.into_data() else { continue };
                    self.copy.lock().add(&data);
                    return Poll::Ready(Some(Ok(data)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.rest = None;
                    {
                        let mut copied = self.copy.lock();
                        let chunked = copied.extent == Extent::Chunked;
                        let end = if chunked { self.device.take_ended() } else { None };
                        copied.finish(end);
                    }
                    self.send_trailers();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn send_trailers(&self) {
        let copied = self.copy.lock();
        if let (Some(server), Some(end)) = (&self.server, &copied.end)
            && !end.raw_trailers.is_empty()
        {
            server.add_trailers(end.raw_trailers.clone());
        }
    }
}

impl Body for Tapped {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(data) = this.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        this.poll_rest(cx).map(|data| data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.rest.is_none()
    }
}
