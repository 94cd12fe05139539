//! A server's answer as it comes in: read piece by piece, or gathered when it has to be read before it is sent on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::inbound::{Broken, Inbound};
use super::pool::Carrier;
use super::sites::Site;
use super::tap::Copied;
use super::trunk::Sending;
use crate::net::{Ended, Extent};

#[derive(Debug)]
pub(super) struct FromServer {
    /// Pieces that were read before the answer was sent on, or that replace them.
    ahead: VecDeque<Bytes>,
    body: Option<Inbound>,
    /// The body broke off while it was gathered; told when the pieces before it are used up.
    failed: Option<Broken>,
    finished: bool,
    /// Where the carrier belongs.
    pub(super) site: Arc<Site>,
    pub(super) carrier: Carrier,
    /// A request that is still on its way while its answer comes.
    pub(super) sending: Option<Sending>,
    pub(super) copied: Copied,
    /// The connection can carry another exchange.
    pub(super) reusable: bool,
}

impl FromServer {
    pub(super) fn new(
        body: Inbound,
        site: Arc<Site>,
        carrier: Carrier,
        copied: Copied,
        reusable: bool,
    ) -> Self {
        Self {
            ahead: VecDeque::new(),
            body: Some(body),
            failed: None,
            finished: false,
            site,
            carrier,
            sending: None,
            copied,
            reusable,
        }
    }

    /// The next piece to send on.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(data) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(data)));
        }
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        self.poll_body(cx)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let data = ready!(body.poll_data(cx));
        if let Some(Ok(data)) = &data {
            self.copied.add(data);
        }
        Poll::Ready(data)
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

    /// Nothing more is read; yields what the end brought.
    pub(super) fn finish(&mut self) -> Option<&Ended> {
        self.end();
        self.copied.end.as_ref()
    }

    /// Its end is still to come, in a frame, whatever its head says.
    pub(super) fn ends_with_frame(&self) -> bool {
        matches!(self.copied.extent, Extent::Frames(_)) && self.body.is_some()
    }

    fn end(&mut self) {
        if self.finished {
            return;
        }
        self.finished = true;
        let body = self.body.take();
        let trails = matches!(self.copied.extent, Extent::Chunked | Extent::Frames(_));
        let end = body.filter(|_| trails).and_then(|mut body| body.take_ended(self.carrier.leg()));
        self.copied.finish(end);
    }
}
