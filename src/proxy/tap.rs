//! Copies bodies as they pass, up to a limit, and counts all of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};

use crate::event;
use crate::net::{Ended, Extent, Leg};

/// What was seen of one body.
#[derive(Debug)]
pub(super) struct Copied {
    kept: BytesMut,
    limit: usize,
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
    pub(super) fn new(extent: Extent, limit: usize) -> Self {
        Self {
            kept: BytesMut::new(),
            limit,
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
        let room = self.limit.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
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

    /// What the chunked coding lost on its way, if anything.
    pub(super) fn chunk_changes(&self) -> Option<String> {
        let end = self.end.as_ref()?;
        if end.extensions {
            return Some("chunk extensions were dropped".into());
        }
        (end.chunks != self.frames).then(|| format!("{} chunks came, {} were sent", end.chunks, self.frames))
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
    /// What was read before, or made by us.
    pub(super) ahead: VecDeque<Bytes>,
    pub(super) rest: Option<Incoming>,
    pub(super) copy: Copy,
    /// Where the body comes from, and where it goes.
    pub(super) device: Arc<Leg>,
    pub(super) server: Arc<Leg>,
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
        let Some(rest) = &mut this.rest else { return Poll::Ready(None) };
        loop {
            match ready!(Pin::new(&mut *rest).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers go out as they were spelled, below.
                    let Ok(data) = frame.into_data() else { continue };
                    this.copy.lock().add(&data);
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    this.rest = None;
                    let mut copied = this.copy.lock();
                    let end = if copied.extent == Extent::Chunked { this.device.take_ended() } else { None };
                    if let Some(end) = end.as_ref().filter(|end| !end.raw_trailers.is_empty()) {
                        this.server.add_trailers(end.raw_trailers.clone());
                    }
                    copied.finish(end);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty()
            && (self.rest.is_none() || matches!(self.copy.lock().extent, Extent::None | Extent::Length(0)))
    }
}
