//! The one place where events are redacted before anything sees them; if that breaks, nothing raw goes through.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use crate::event::{Body, Connection, Exchange, Header, Reason, Sent};

/// What takes the secrets out, once per event.
pub struct Mask {
    pub exchange: Box<dyn FnMut(&mut Exchange) + Send>,
    pub connection: Box<dyn FnMut(&mut Connection) + Send>,
}

impl Mask {
    /// Leaves everything as it is: level `none`.
    pub fn none() -> Self {
        Self { exchange: Box::new(|_| {}), connection: Box::new(|_| {}) }
    }

    pub(super) fn exchange(&mut self, exchange: &mut Exchange) {
        if catch_unwind(AssertUnwindSafe(|| (self.exchange)(exchange))).is_err() {
            tracing::error!(id = %exchange.id, "redaction broke: bodies and header values are withheld");
            withhold(exchange);
        }
    }

    pub(super) fn connection(&mut self, connection: &mut Connection) {
        if catch_unwind(AssertUnwindSafe(|| (self.connection)(connection))).is_err() {
            tracing::error!(id = %connection.id, "redaction broke: names and addresses are withheld");
            withhold_connection(connection);
        }
    }
}

/// Headers that say how a message travels, and nothing of who sent it.
const HARMLESS: &[&str] =
    &["connection", "content-encoding", "content-length", "content-type", "date", "transfer-encoding"];

/// Takes out everything in which a secret can be.
fn withhold(exchange: &mut Exchange) {
    let request = &mut exchange.request;
    if let Some(query) = request.target.find('?') {
        request.target.truncate(query);
    }
    message(&mut request.headers, &mut request.body, &mut request.sent);
    if let Some(response) = &mut exchange.response {
        response.reason.clear();
        message(&mut response.headers, &mut response.body, &mut response.sent);
    }
    exchange.front = None;
    if let Some(upstream) = &mut exchange.upstream {
        upstream.origin.clear();
        upstream.address = None;
        upstream.chain.clear();
        upstream.error = None;
    }
    exchange.facts.clear();
    exchange.changes.iter_mut().for_each(|change| change.detail.clear());
}

/// What is left says when, and by which protocols.
fn withhold_connection(connection: &mut Connection) {
    connection.peer.clear();
    connection.via = None;
    connection.listener.clear();
    connection.sni = None;
    connection.chain.clear();
    connection.client_certificate.clear();
    if let Some(relay) = &mut connection.passthrough {
        relay.target.clear();
    }
    if let Some(
        Reason::Alert(why)
        | Reason::Refused(why)
        | Reason::Unwanted(why)
        | Reason::BadHead(why)
        | Reason::Timeout(why),
    ) = &mut connection.reason
    {
        why.clear();
    }
}

fn message(headers: &mut [Header], body: &mut Body, sent: &mut Option<Box<Sent>>) {
    for header in headers.iter_mut().chain(&mut body.trailers) {
        if !HARMLESS.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
            header.value = Bytes::new();
        }
    }
    body.bytes = Bytes::new();
    body.decoded = false;
    body.withheld = Some("redaction failed".to_owned());
    *sent = None;
}
