//! An exchange while it happens: filled step by step, and filed exactly once, however it ends.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::certificate::claim_removed;
use super::connection::Session;
use super::tap::{Copied, Copy};
use crate::event::{Body, Change, Delivery, Exchange, ExchangeId, Request, Side};
use crate::net::{Arrived, Extent, Head, Refusal, Start, now};
use crate::sink::Filed;

#[derive(Debug)]
pub(super) struct Draft {
    session: Arc<Session>,
    pub(super) exchange: Exchange,
    pub(super) request: Copy,
    began: Instant,
    /// When the answer's head was there.
    answered: Option<Instant>,
    filed: bool,
    closed: bool,
    /// Body bytes that the device's connection took.
    pub(super) sent: u64,
    /// There is no answer but this code of HTTP/2.
    pub(super) reset: Option<h2::Reason>,
}

/// An exchange that is on file, and whose answer's last bytes are on their way.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) of: ExchangeId,
    pub(super) sent: u64,
    /// The HTTP/2 stream that they are on.
    pub(super) stream: Option<u32>,
}

impl Draft {
    pub(super) fn new(session: &Arc<Session>, arrived: &Arrived) -> Self {
        let extent = arrived.head.as_ref().map_or(Extent::None, |head| head.extent);
        let request = match &arrived.head {
            Ok(head) => of_head(head),
            Err(refusal) => of_refusal(refusal),
        };
        let mut exchange = Exchange {
            id: ExchangeId(uuid::Uuid::now_v7().to_string().into()),
            connection: Some(session.id().clone()),
            front: session.front(&request.headers).map(Box::new),
            request: Request { at: arrived.at, ..request },
            ..Exchange::default()
        };
        if arrived.head.as_ref().is_ok_and(|head| head.folded) {
            exchange.changes.push(folded(Side::Request));
        }
        Self {
            session: Arc::clone(session),
            exchange,
            request: Copy::new(session.copied(extent)),
            began: arrived.first_byte,
            answered: None,
            filed: false,
            closed: false,
            sent: 0,
            reset: None,
        }
    }

    pub(super) fn change(&mut self, side: Side, what: &str, detail: impl Into<String>) {
        self.exchange.changes.push(Change { side, what: what.into(), detail: detail.into() });
    }

    pub(super) fn copied(&self, extent: Extent) -> Copied {
        self.session.copied(extent)
    }

    pub(super) fn kept_body(&self) -> usize {
        self.session.limits().kept_body
    }

    /// The answer's head is there; what has been spent since the request's end is the wait.
    pub(super) fn mark_answered(&mut self) {
        self.answered = Some(Instant::now());
    }

    /// Hands the exchange over to be recorded, with as much of the answer's body as there is.
    pub(super) fn file(&mut self, response_body: Option<Body>) -> oneshot::Receiver<Filed> {
        self.filed = true;
        let mut exchange = self.exchange.clone();
        {
            let request = self.request.lock();
            let answered = self.answered.unwrap_or_else(Instant::now);
            let sent = request.touched.min(answered);
            exchange.timing.send = Some(micros(self.began, sent));
            exchange.timing.wait = self.answered.map(|answered| micros(sent, answered));
            exchange.timing.receive = self.answered.map(|answered| micros(answered, Instant::now()));
            exchange.request.body = request.body(&exchange.request.headers);
            if let Some(detail) = request.chunk_changes() {
                let what = "chunk-boundaries".to_owned();
                exchange.changes.push(Change { side: Side::Request, what, detail });
            }
            exchange.changes.extend(request.removed.iter().map(|name| claim_removed(name)));
            exchange.changes.extend(request.not_kept(Side::Request));
        }
        if let (Some(response), Some(body)) = (&mut exchange.response, response_body) {
            response.body = body;
        }
        self.session.journal().exchange(exchange)
    }

    /// The answer's last bytes are given to the connection; once they are flushed, its end is told.
    pub(super) fn deliver(mut self, stream: Option<u32>) {
        self.closed = true;
        self.session.add_ending(Ending { of: self.exchange.id.clone(), sent: self.sent, stream });
    }

    /// The answer broke off on our side.
    pub(super) fn cut(mut self) {
        self.close(Delivery::Cut);
    }

    fn close(&mut self, delivery: Delivery) {
        self.closed = true;
        self.session.journal().end(self.exchange.id.clone(), delivery, self.sent, now());
    }

    /// A head that nobody could read gives no exchange; the connection's own events tell of it.
    pub(super) fn forget(&mut self) {
        self.filed = true;
        self.closed = true;
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.filed && self.closed
    }
}

impl Drop for Draft {
    /// The device went away: before the answer, or in the middle of it.
    fn drop(&mut self) {
        if !self.filed {
            // Whatever was seen is evidence; nobody waits for it.
            drop(self.file(None));
        }
        if !self.closed {
            self.close(Delivery::Reset);
        }
        self.session.leg().answered();
    }
}

pub(super) fn folded(side: Side) -> Change {
    let detail = "a header that was folded over several lines was joined into one".to_owned();
    Change { side, what: "folded-line".into(), detail }
}

fn of_head(head: &Head) -> Request {
    let (method, target) = match &head.start {
        Start::Request { method, target } => (method.clone(), target.clone()),
        Start::Response { .. } => (String::new(), String::new()),
    };
    Request { method, target, version: head.version, headers: head.headers.clone(), ..Request::default() }
}

fn of_refusal(refusal: &Refusal) -> Request {
    let (method, target) = refusal.readable.clone().unwrap_or_default();
    Request {
        method,
        target,
        version: refusal.version,
        headers: refusal.headers.clone(),
        ..Request::default()
    }
}

fn micros(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
}
