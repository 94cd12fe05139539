//! The level `identities`: what is left of an exchange or a connection once nobody can tell from it who it is about.

use bytes::Bytes;

use super::exchange::{Level, Redactor};
use super::identities::{Scan, Thumbprints};
use crate::event::{Body, Connection, Exchange, Header, Reason, Sent, Upstream};
use crate::message::decode_content;

/// Says that identities were hidden: rules that they are needed for do not judge.
pub const HIDDEN_FACT: &str = "identities";

/// Headers by which servers find a request in their logs; ids in them stay.
const CORRELATING: &[&str] = &[
    "client-request-id",
    "request-id",
    "x-request-id",
    "x-correlation-id",
    "x-ms-request-id",
    "x-ms-correlation-request-id",
    "x-ms-activity-id",
    "activityid",
    "traceparent",
    "x-amzn-trace-id",
];

impl Redactor {
    /// Takes out who a connection is of; secrets are not in it.
    pub fn connection(&self, connection: &mut Connection) {
        if self.level != Level::Identities {
            return;
        }
        let thumbprints = Thumbprints::new();
        let scan = self.scan(&thumbprints);
        for place in [&mut connection.peer, &mut connection.listener] {
            *place = scan.said(place);
        }
        connection.via = connection.via.take().map(|via| scan.said(&via));
        connection.sni = connection.sni.take().map(|sni| scan.host(&sni));
        ders(&mut connection.chain, &scan);
        ders(&mut connection.client_certificate, &scan);
        connection.alpn = connection.alpn.take().map(|alpn| scan.said(&alpn));
        if let Some(offered) = &mut connection.offered {
            offered.alpn.iter_mut().for_each(|alpn| *alpn = scan.said(alpn));
        }
        if let Some(relay) = &mut connection.passthrough {
            relay.target = scan.host(&relay.target);
        }
        let words = match &mut connection.reason {
            Some(
                Reason::Refused(words)
                | Reason::Unwanted(words)
                | Reason::BadHead(words)
                | Reason::Timeout(words),
            ) => words,
            _ => return,
        };
        *words = scan.said(words);
    }

    /// After the secrets.
    pub(super) fn identities(&self, exchange: &mut Exchange) {
        let thumbprints = self.thumbprints(exchange);
        let scan = self.scan(&thumbprints);
        if let Some(front) = exchange.front.as_deref_mut() {
            front.address = front.address.take().map(|address| scan.said(&address));
            front.host = front.host.take().map(|host| scan.host(&host));
            ders(&mut front.client_certificate, &scan);
        }
        let request = &mut exchange.request;
        request.method = scan.said(&request.method);
        request.target = scan.said(&request.target);
        heads(&mut request.headers, &scan);
        body(&mut request.body, &scan);
        request.sent.iter_mut().for_each(|other| sent(other, &scan));
        if let Some(response) = exchange.response.as_mut() {
            response.reason = scan.said(&response.reason);
            heads(&mut response.headers, &scan);
            body(&mut response.body, &scan);
            response.sent.iter_mut().for_each(|other| sent(other, &scan));
        }
        if let Some(upstream) = exchange.upstream.as_mut() {
            self.upstream(upstream, &scan);
        }
        for change in &mut exchange.changes {
            change.detail = scan.said(&change.detail);
        }
        exchange.facts.insert(HIDDEN_FACT.to_owned(), "hidden".to_owned());
    }

    fn upstream(&self, upstream: &mut Upstream, scan: &Scan<'_>) {
        upstream.origin = scan.said(&upstream.origin);
        upstream.address = upstream.address.take().map(|address| scan.said(&address));
        upstream.error = upstream.error.take().map(|error| scan.said(&error));
        ders(&mut upstream.chain, scan);
    }

    fn scan<'a>(&'a self, thumbprints: &'a Thumbprints) -> Scan<'a> {
        Scan { key: &self.key, thumbprints, hidden: self.hidden.as_ref() }
    }

    /// What the certificates of an exchange will be called.
    fn thumbprints(&self, exchange: &Exchange) -> Thumbprints {
        let (none, mut found) = (Thumbprints::new(), Thumbprints::new());
        let scan = Scan { hidden: None, ..self.scan(&none) };
        let response = exchange.response.as_ref();
        let bodies = [Some(&exchange.request.body), response.map(|response| &response.body)];
        for body in bodies.into_iter().flatten() {
            scan.learn(&decode_content(body).bytes, &mut found, 0);
        }
        found
    }
}

impl Scan<'_> {
    fn said(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.text(text.as_bytes(), 0)).into_owned()
    }
}

fn ders(certificates: &mut [Bytes], scan: &Scan<'_>) {
    for der in certificates {
        *der = Bytes::from(scan.der(der));
    }
}

fn heads(headers: &mut [Header], scan: &Scan<'_>) {
    for header in headers {
        let named = |name: &&&str| header.name.eq_ignore_ascii_case(name);
        let is_id =
            header.value.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b'|' | b'.' | b'='));
        let value = match std::str::from_utf8(&header.value) {
            Ok(_) if is_id && CORRELATING.iter().find(named).is_some() => continue,
            _ => scan.header(&header.name, &header.value),
        };
        header.name = scan.said(&header.name);
        header.value = Bytes::from(value);
    }
}

/// The secrets' pass has decoded it.
fn body(body: &mut Body, scan: &Scan<'_>) {
    if !body.bytes.is_empty() {
        body.bytes = Bytes::from(scan.text(&body.bytes, 0));
    }
    heads(&mut body.trailers, scan);
}

fn sent(sent: &mut Sent, scan: &Scan<'_>) {
    sent.target = sent.target.take().map(|target| scan.said(&target));
    sent.headers.iter_mut().for_each(|headers| heads(headers, scan));
    sent.body = sent.body.take().map(|body| Bytes::from(scan.text(&body, 0)));
}
