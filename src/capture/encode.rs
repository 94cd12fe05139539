//! Records to lines: written straight into a buffer, since it runs once per exchange on a busy proxy.

use std::fmt::Display;
use std::io::Write;

use aws_lc_rs::digest::{SHA256, digest};
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::record::{Closed, Header, Record, Redaction, Session};
use super::{VERSION, words};
use crate::event::{
    Body, Change, Connection, End, Exchange, Front, Header as Field, Request, Response, Sent, Time, Timing,
    Tls, Upstream,
};

/// The member that ends every record, as it starts: the checksum covers what is before it.
pub(super) const CHECKSUM: &[u8] = b",\"crc32\":\"";

/// The first line. It has no checksum, so that a person can write one.
pub fn header(out: &mut Vec<u8>, header: &Header) {
    out.push(b'{');
    let mut object = Object { out, first: true };
    object.text("enrollscope", "capture");
    object.number("version", VERSION);
    object.text("tool", &header.tool);
    object.time("started", header.started);
    object.object("redaction", |o| redaction(o, &header.redaction));
    if header.after > 0 {
        object.number("after", header.after);
    }
    out.extend_from_slice(b"}\n");
}

pub fn exchange(out: &mut Vec<u8>, exchange: &Exchange) {
    line(out, "exchange", |o| {
        o.number("seq", exchange.seq);
        o.text("id", &exchange.id.0);
        o.optional_text("connection", exchange.connection.as_ref().map(|c| &*c.0));
        if let Some(front) = exchange.front.as_deref() {
            o.object("front", |o| self::front(o, front));
        }
        o.object("request", |o| request(o, &exchange.request));
        o.optional_object("response", exchange.response.as_ref(), response);
        o.optional_object("upstream", exchange.upstream.as_ref(), upstream);
        o.object("timing", |o| timing(o, &exchange.timing));
        o.object("facts", |o| {
            for (name, value) in &exchange.facts {
                o.text(name, value);
            }
        });
        o.list("changes", &exchange.changes, |out, c| Object::write(out, |o| change(o, c)));
        o.text("delivery", words::delivery(exchange.delivery));
    });
}

fn front(o: &mut Object<'_>, front: &Front) {
    o.optional_text("address", front.address.as_deref());
    o.optional_text("scheme", front.secure.map(|secure| if secure { "https" } else { "http" }));
    o.optional_text("host", front.host.as_deref());
    o.list("client_certificate", &front.client_certificate, |out, der| base64(out, der));
}

pub fn end(out: &mut Vec<u8>, end: &End) {
    line(out, "end", |o| {
        o.number("of", end.of);
        o.text("delivery", words::delivery(end.delivery));
        o.number("sent", end.sent);
        o.time("at", end.at);
    });
}

pub fn connection(out: &mut Vec<u8>, connection: &Connection) {
    line(out, "connection", |o| {
        o.text("id", &connection.id.0);
        o.time("at", connection.at);
        o.text("event", words::connection_event(connection.event));
        o.text("peer", &connection.peer);
        if connection.via.is_some() {
            o.optional_text("via", connection.via.as_deref());
        }
        o.text("listener", &connection.listener);
        o.optional_text("sni", connection.sni.as_deref());
        o.optional_text("alpn", connection.alpn.as_deref());
        o.optional_object("offered", connection.offered.as_ref(), |o, offered| {
            o.list("versions", &offered.versions, |out, v| text(out, v));
            o.list("ciphers", &offered.ciphers, display);
            o.list("alpn", &offered.alpn, |out, v| text(out, v));
        });
        o.optional_object("tls", connection.tls.as_ref(), tls);
        o.list("chain", &connection.chain, |out, der| base64(out, der));
        o.flag_if("asked_client_certificate", connection.asked_client_certificate);
        o.list("client_certificate", &connection.client_certificate, |out, der| base64(out, der));
        if let Some(relay) = &connection.passthrough {
            o.optional_object("passthrough", Some(relay), |o, relay| {
                o.text("target", &relay.target);
                o.number("up", relay.up);
                o.number("down", relay.down);
            });
        }
        let reason = connection.reason.as_ref().map(words::reason);
        o.optional_text("reason", reason.map(|(word, _)| word));
        if let Some((_, Some(detail))) = reason {
            o.text("detail", detail);
        }
    });
}

pub fn session(out: &mut Vec<u8>, session: &Session) {
    line(out, "session", |o| {
        o.time("at", session.at);
        o.text("tool", &session.tool);
        o.object("redaction", |o| redaction(o, &session.redaction));
        if session.cut > 0 {
            o.number("cut", session.cut);
        }
        o.flag_if("same", session.same);
    });
}

pub fn gap(out: &mut Vec<u8>, at: Time, lost: u64) {
    line(out, "gap", |o| {
        o.time("at", at);
        o.number("lost", lost);
    });
}

pub fn closed(out: &mut Vec<u8>, closed: &Closed) {
    line(out, "closed", |o| {
        o.time("at", closed.at);
        o.number("recorded", closed.recorded);
        o.number("lost", closed.lost);
        o.number("late", closed.late);
    });
}

/// Any record; one of a kind that this build does not know gives nothing.
pub fn record(out: &mut Vec<u8>, record: &Record) {
    match record {
        Record::Exchange(record) => exchange(out, record),
        Record::End(record) => end(out, record),
        Record::Connection(record) => connection(out, record),
        Record::Session(record) => session(out, record),
        Record::Gap { at, lost } => gap(out, *at, *lost),
        Record::Closed(record) => closed(out, record),
        Record::Other(_) => {}
    }
}

/// One line: `kind` first, the members, the checksum last.
fn line(out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut Object<'_>)) {
    let start = out.len();
    out.push(b'{');
    let mut object = Object { out, first: true };
    object.text("kind", kind);
    members(&mut object);
    seal(out, start);
}

/// Ends the line that began at `start` with the checksum over it.
pub(super) fn seal(out: &mut Vec<u8>, start: usize) {
    let sum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(CHECKSUM);
    hex(out, &sum.to_be_bytes());
    out.extend_from_slice(b"\"}\n");
}

fn redaction(o: &mut Object<'_>, redaction: &Redaction) {
    o.text("level", &redaction.level);
    o.optional_text("key", redaction.key.as_deref());
}

fn request(o: &mut Object<'_>, request: &Request) {
    o.time("at", request.at);
    o.text("method", &request.method);
    o.text("target", &request.target);
    o.text("version", words::version(request.version));
    fields(o, "headers", &request.headers);
    o.object("body", |o| body(o, &request.body));
    if let Some(other) = &request.sent {
        o.object("sent", |o| sent(o, other));
    }
}

fn response(o: &mut Object<'_>, response: &Response) {
    o.time("at", response.at);
    o.number("status", u64::from(response.status));
    o.text("reason", &response.reason);
    o.text("version", words::version(response.version));
    o.text("from", words::from(response.from));
    fields(o, "headers", &response.headers);
    o.object("body", |o| body(o, &response.body));
    if let Some(other) = &response.sent {
        o.object("sent", |o| sent(o, other));
    }
}

fn body(o: &mut Object<'_>, body: &Body) {
    bytes(o, &body.bytes);
    o.number("length", body.length);
    o.number("kept", body.bytes.len() as u64);
    // Over the bytes as stored: a hash of what was masked would let a reader test guesses.
    o.name("sha256");
    o.out.push(b'"');
    hex(o.out, digest(&SHA256, &body.bytes).as_ref());
    o.out.push(b'"');
    o.text("framing", words::framing(body.framing));
    o.optional_text("encoding", body.encoding.as_deref());
    o.flag_if("decoded", body.decoded);
    fields(o, "trailers", &body.trailers);
    o.flag_if("cut", body.cut);
    if let Some(why) = &body.withheld {
        o.text("withheld", why);
    }
}

fn sent(o: &mut Object<'_>, sent: &Sent) {
    if let Some(target) = &sent.target {
        o.text("target", target);
    }
    if let Some(headers) = &sent.headers {
        fields(o, "headers", headers);
    }
    if let Some(body) = &sent.body {
        o.object("body", |o| bytes(o, body));
    }
}

/// `text` when it is UTF-8, which people can read and search; else `base64`.
fn bytes(o: &mut Object<'_>, bytes: &Bytes) {
    match std::str::from_utf8(bytes) {
        Ok(text) => o.text("text", text),
        Err(_) => {
            o.name("base64");
            base64(o.out, bytes);
        }
    }
}

fn fields(o: &mut Object<'_>, name: &str, fields: &[Field]) {
    o.list(name, fields, |out, field| {
        out.push(b'[');
        text(out, &field.name);
        out.push(b',');
        match std::str::from_utf8(&field.value) {
            Ok(value) => text(out, value),
            Err(_) => Object::write(out, |o| {
                o.name("base64");
                base64(o.out, &field.value);
            }),
        }
        out.push(b']');
    });
}

fn upstream(o: &mut Object<'_>, upstream: &Upstream) {
    o.text("origin", &upstream.origin);
    o.optional_text("address", upstream.address.as_deref());
    o.flag("reused", upstream.reused);
    o.optional_text("alpn", upstream.alpn.as_deref());
    o.optional_object("tls", upstream.tls.as_ref(), tls);
    o.list("chain", &upstream.chain, |out, der| base64(out, der));
    o.flag("verified", upstream.verified);
    o.flag_if("asked_client_certificate", upstream.asked_client_certificate);
    o.optional_text("error", upstream.error.as_deref());
}

fn tls(o: &mut Object<'_>, tls: &Tls) {
    o.text("version", &tls.version);
    o.text("cipher", &tls.cipher);
}

fn timing(o: &mut Object<'_>, timing: &Timing) {
    let Timing { dns, connect, tls, send, wait, receive } = timing;
    let steps = [
        ("dns", dns),
        ("connect", connect),
        ("tls", tls),
        ("send", send),
        ("wait", wait),
        ("receive", receive),
    ];
    for (name, micros) in steps {
        if let Some(micros) = micros {
            o.number(name, *micros);
        }
    }
}

fn change(o: &mut Object<'_>, change: &Change) {
    o.text("side", words::side(change.side));
    o.text("what", &change.what);
    o.text("detail", &change.detail);
}

/// A JSON object being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Object<'_> {
    fn write(out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
        out.push(b'{');
        members(&mut Object { out, first: true });
        out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        text(self.out, name);
        self.out.push(b':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        text(self.out, value);
    }

    fn optional_text(&mut self, name: &str, value: Option<&str>) {
        self.name(name);
        match value {
            Some(value) => text(self.out, value),
            None => self.out.extend_from_slice(b"null"),
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        display(self.out, &value);
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        display(self.out, &value);
    }

    /// The ordinary case is told by absence.
    fn flag_if(&mut self, name: &str, value: bool) {
        if value {
            self.flag(name, true);
        }
    }

    fn time(&mut self, name: &str, at: Time) {
        self.name(name);
        self.out.push(b'"');
        display(self.out, &at);
        self.out.push(b'"');
    }

    fn object(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        Object::write(self.out, members);
    }

    fn optional_object<T>(
        &mut self,
        name: &str,
        value: Option<&T>,
        members: impl FnOnce(&mut Object<'_>, &T),
    ) {
        match value {
            Some(value) => self.object(name, |o| members(o, value)),
            None => self.optional_text(name, None),
        }
    }

    fn list<T>(&mut self, name: &str, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
        self.name(name);
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write(self.out, item);
        }
        self.out.push(b']');
    }
}

#[expect(clippy::expect_used, reason = "memory takes every write, and a str is always valid JSON text")]
fn text(out: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(out, value).expect("a string is written to memory");
}

#[expect(clippy::expect_used, reason = "memory takes every write")]
fn display<T: Display>(out: &mut Vec<u8>, value: &T) {
    write!(out, "{value}").expect("a value is written to memory");
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    display(out, &Base64Display::new(bytes, &STANDARD));
    out.push(b'"');
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    for byte in bytes {
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}
