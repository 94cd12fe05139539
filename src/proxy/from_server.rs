//! A server's answer as it comes in: read piece by piece, or gathered when it has to be read before it is sent on.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Incoming};

use super::pool::Link;
use super::sites::Site;
use super::tap::Copied;
use crate::net::Extent;

#[derive(Debug)]
pub(super) struct FromServer {
    /// Pieces that were read before the answer was sent on, or that replace them.
    ahead: VecDeque<Bytes>,
    body: Option<Incoming>,
    /// The body broke off while it was gathered; told when the pieces before it are used up.
    failed: Option<hyper::Error>,
    /// Trailer fields as they were spelled.
    trailers: Vec<u8>,
    finished: bool,
    /// Where the link belongs.
    pub(super) site: Arc<Site>,
    pub(super) link: Link,
    pub(super) copied: Copied,
    /// The connection can carry another exchange.
    pub(super) reusable: bool,
}

impl FromServer {
    pub(super) fn new(body: Incoming, site: Arc<Site>, link: Link, copied: Copied, reusable: bool) -> Self {
        Self {
            ahead: VecDeque::new(),
            body: Some(body),
            failed: None,
            trailers: Vec::new(),
            finished: false,
            site,
            link,
            copied,
            reusable,
        }
    }

    /// The next piece to send on.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        if let Some(data) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(data)));
        }
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        self.poll_body(cx)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers go out as they were spelled, when the body has ended.
                    let Ok(data) = frame.into_data() else { continue };
                    self.copied.add(&data);
                    return Poll::Ready(Some(Ok(data)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    /// The whole body, if it ends within the limit; else what was read waits to be sent on.
    pub(super) async fn gather(&mut self, limit: usize) -> Option<Bytes> {
        let mut whole = Vec::new();
        loop {
            match std::future::poll_fn(|cx| self.poll_body(cx)).await {
                Some(Ok(data)) => {
                    whole.extend_from_slice(&data);
                    self.ahead.push_back(data);
                    if whole.len() > limit {
                        return None;
                    }
                }
                Some(Err(error)) => {
                    self.body = None;
                    self.failed = Some(error);
                    return None;
                }
                None => {
                    self.end();
                    return Some(Bytes::from(whole));
                }
            }
        }
    }

    /// Other bytes are sent in place of those gathered.
    pub(super) fn replace(&mut self, body: Bytes) {
        self.ahead = VecDeque::from([body]);
    }

    /// Nothing more is read; yields the trailers.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.end();
        std::mem::take(&mut self.trailers)
    }

    fn end(&mut self) {
        if self.finished {
            return;
        }
        self.finished = true;
        self.body = None;
        let end = if self.copied.extent == Extent::Chunked { self.link.leg.take_ended() } else { None };
        self.trailers = end.as_ref().map(|end| end.raw_trailers.clone()).unwrap_or_default();
        self.copied.finish(end);
    }
}
