//! Lines to records. Members may be missing (a person may have written the line); unknown ones are passed over.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use super::encode::CHECKSUM;
use super::record::{Closed, Header, Record, Redaction, Session};
use super::{VERSION, words};
use crate::event::{
    Body, Change, Connection, ConnectionEvent, ConnectionId, Delivery, End, Exchange, ExchangeId, Framing,
    From, Front, Header as Field, Offered, Relay, Request, Response, Sent, Side, Time, Timing, Tls, Upstream,
    Version,
};

/// What a record's checksum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    Intact,
    /// Wrong or missing: the line was edited, or something damaged it without breaking its JSON.
    Altered,
}

/// Checks a line against its checksum.
pub fn seal(line: &[u8]) -> Seal {
    let line = line.trim_ascii_end();
    let tail = CHECKSUM.len() + 8 + 2;
    let Some((sealed, rest)) = line.len().checked_sub(tail).and_then(|at| line.split_at_checked(at)) else {
        return Seal::Altered;
    };
    let sum = rest.strip_prefix(CHECKSUM).and_then(|r| r.strip_suffix(b"\"}"));
    let sum = sum.and_then(|s| std::str::from_utf8(s).ok()).and_then(|s| u32::from_str_radix(s, 16).ok());
    if sum == Some(crc32fast::hash(sealed)) { Seal::Intact } else { Seal::Altered }
}

/// Reads one line (with or without its newline).
///
/// # Errors
/// What is wrong with it, in words: it is not JSON, or not a record.
pub fn record(line: &[u8]) -> Result<Record, String> {
    let line = line.trim_ascii();
    let kind = kind(line)?;
    Ok(match kind.as_str() {
        "exchange" => Record::Exchange(Box::new(parse::<WireExchange>(line)?.into())),
        "end" => Record::End(parse::<WireEnd>(line)?.into()),
        "connection" => Record::Connection(Box::new(parse::<WireConnection>(line)?.try_into()?)),
        "session" => Record::Session(parse::<WireSession>(line)?.into()),
        "gap" => parse::<WireGap>(line).map(|gap| Record::Gap { at: gap.at, lost: gap.lost })?,
        "closed" => Record::Closed(parse::<WireClosed>(line)?.into()),
        "" => joined(line)?,
        _ => Record::Other(kind),
    })
}

/// Reads the first line of a capture and says how long the header is (what follows on its line after a lost newline
/// is another matter); none when it is something else.
pub(super) fn header(line: &[u8]) -> Option<(Header, usize)> {
    let mut values = serde_json::Deserializer::from_slice(line).into_iter::<WireHeader>();
    let wire = values.next()?.ok()?;
    let header = Header {
        version: wire.version,
        tool: wire.tool,
        started: wire.started,
        redaction: wire.redaction.into(),
        after: wire.after,
    };
    // A header has no checksum: what ends in one is a header that has run into a damaged record.
    let alone = wire.crc32.is_none();
    (wire.enrollscope == "capture" && wire.version > 0 && alone).then(|| (header, values.byte_offset()))
}

/// A header among the records: someone joined two captures.
fn joined(line: &[u8]) -> Result<Record, String> {
    let (header, _) = header(line).ok_or("no record: it has no `kind`")?;
    let Header { version, started: at, tool, redaction, after } = header;
    if version > VERSION {
        return Err(format!("a capture of version {version} begins here: use a newer enrollscope"));
    }
    Ok(Record::Session(Session { at, tool, redaction, cut: 0, same: after > 0 }))
}

/// Our own lines begin with their kind, which spares reading them twice.
fn kind(line: &[u8]) -> Result<String, String> {
    for known in ["exchange", "end", "connection", "session", "gap", "closed"] {
        let rest = line.strip_prefix(b"{\"kind\":\"").and_then(|r| r.strip_prefix(known.as_bytes()));
        if rest.is_some_and(|r| r.starts_with(b"\"")) {
            return Ok(known.to_owned());
        }
    }
    #[derive(Deserialize)]
    struct Kind {
        #[serde(default)]
        kind: String,
    }
    Ok(parse::<Kind>(line)?.kind)
}

fn parse<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|e| e.to_string())
}

#[derive(Deserialize)]
struct WireHeader {
    enrollscope: String,
    version: u64,
    #[serde(default)]
    tool: String,
    #[serde(default, deserialize_with = "time")]
    started: Time,
    #[serde(default)]
    redaction: WireRedaction,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    crc32: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireRedaction {
    level: String,
    key: Option<String>,
}

#[derive(Deserialize)]
struct WireExchange {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    id: String,
    connection: Option<String>,
    front: Option<WireFront>,
    request: WireRequest,
    response: Option<WireResponse>,
    upstream: Option<WireUpstream>,
    #[serde(default)]
    timing: WireTiming,
    #[serde(default)]
    facts: BTreeMap<String, String>,
    #[serde(default)]
    changes: Vec<WireChange>,
    #[serde(default, deserialize_with = "delivery")]
    delivery: Delivery,
}

#[derive(Deserialize)]
struct WireFront {
    address: Option<String>,
    scheme: Option<String>,
    host: Option<String>,
    #[serde(default)]
    client_certificate: Vec<Base64>,
}

#[derive(Deserialize)]
struct WireRequest {
    #[serde(default, deserialize_with = "time")]
    at: Time,
    method: String,
    target: String,
    #[serde(default, deserialize_with = "version")]
    version: Version,
    #[serde(default)]
    headers: Vec<WireField>,
    #[serde(default)]
    body: WireBody,
    sent: Option<WireSent>,
}

#[derive(Deserialize)]
struct WireResponse {
    #[serde(default, deserialize_with = "time")]
    at: Time,
    status: u16,
    #[serde(default)]
    reason: String,
    #[serde(default, deserialize_with = "version")]
    version: Version,
    #[serde(default, deserialize_with = "from")]
    from: From,
    #[serde(default)]
    headers: Vec<WireField>,
    #[serde(default)]
    body: WireBody,
    sent: Option<WireSent>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireBody {
    text: Option<String>,
    base64: Option<Base64>,
    length: Option<u64>,
    #[serde(deserialize_with = "framing")]
    framing: Option<Framing>,
    encoding: Option<String>,
    decoded: bool,
    trailers: Vec<WireField>,
    cut: bool,
    withheld: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireSent {
    target: Option<String>,
    headers: Option<Vec<WireField>>,
    body: Option<WireBody>,
}

#[derive(Deserialize)]
struct WireField(String, WireValue);

#[derive(Deserialize)]
#[serde(untagged)]
enum WireValue {
    Text(String),
    Bytes { base64: Base64 },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireUpstream {
    origin: String,
    address: Option<String>,
    reused: bool,
    alpn: Option<String>,
    tls: Option<WireTls>,
    chain: Vec<Base64>,
    verified: bool,
    asked_client_certificate: bool,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireTls {
    version: String,
    cipher: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireTiming {
    dns: Option<u64>,
    connect: Option<u64>,
    tls: Option<u64>,
    send: Option<u64>,
    wait: Option<u64>,
    receive: Option<u64>,
}

#[derive(Deserialize)]
struct WireChange {
    #[serde(deserialize_with = "side")]
    side: Side,
    what: String,
    #[serde(default)]
    detail: String,
}

#[derive(Deserialize)]
struct WireEnd {
    of: u64,
    #[serde(deserialize_with = "delivery")]
    delivery: Delivery,
    #[serde(default)]
    sent: u64,
    #[serde(default, deserialize_with = "time")]
    at: Time,
}

#[derive(Deserialize)]
struct WireConnection {
    id: String,
    #[serde(default, deserialize_with = "time")]
    at: Time,
    #[serde(deserialize_with = "connection_event")]
    event: ConnectionEvent,
    #[serde(default)]
    peer: String,
    via: Option<String>,
    #[serde(default)]
    listener: String,
    sni: Option<String>,
    alpn: Option<String>,
    offered: Option<WireOffered>,
    tls: Option<WireTls>,
    #[serde(default)]
    chain: Vec<Base64>,
    #[serde(default)]
    asked_client_certificate: bool,
    #[serde(default)]
    client_certificate: Vec<Base64>,
    passthrough: Option<WireRelay>,
    reason: Option<String>,
    #[serde(default)]
    detail: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireRelay {
    target: String,
    up: u64,
    down: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireOffered {
    versions: Vec<String>,
    ciphers: Vec<u16>,
    alpn: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireSession {
    #[serde(deserialize_with = "time")]
    at: Time,
    tool: String,
    redaction: WireRedaction,
    cut: u64,
    same: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireGap {
    #[serde(deserialize_with = "time")]
    at: Time,
    lost: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireClosed {
    #[serde(deserialize_with = "time")]
    at: Time,
    recorded: u64,
    lost: u64,
    late: u64,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Base64(Bytes);

impl TryFrom<String> for Base64 {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(|bytes| Self(bytes.into()))
    }
}

fn word<'de, D: Deserializer<'de>, T>(d: D, read: impl Fn(&str) -> Result<T, String>) -> Result<T, D::Error> {
    let word = String::deserialize(d)?;
    read(&word).map_err(serde::de::Error::custom)
}

fn time<'de, D: Deserializer<'de>>(d: D) -> Result<Time, D::Error> {
    word(d, |text| Time::parse(text).ok_or_else(|| format!("`{text}` is no RFC 3339 time")))
}

fn version<'de, D: Deserializer<'de>>(d: D) -> Result<Version, D::Error> {
    word(d, words::to_version)
}

fn framing<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Framing>, D::Error> {
    word(d, words::to_framing).map(Some)
}

fn from<'de, D: Deserializer<'de>>(d: D) -> Result<From, D::Error> {
    word(d, words::to_from)
}

fn delivery<'de, D: Deserializer<'de>>(d: D) -> Result<Delivery, D::Error> {
    word(d, words::to_delivery)
}

fn side<'de, D: Deserializer<'de>>(d: D) -> Result<Side, D::Error> {
    word(d, words::to_side)
}

fn connection_event<'de, D: Deserializer<'de>>(d: D) -> Result<ConnectionEvent, D::Error> {
    word(d, words::to_connection_event)
}

impl std::convert::From<WireRedaction> for Redaction {
    fn from(wire: WireRedaction) -> Self {
        Self { level: wire.level, key: wire.key }
    }
}

impl std::convert::From<WireExchange> for Exchange {
    fn from(wire: WireExchange) -> Self {
        Self {
            seq: wire.seq,
            id: ExchangeId(wire.id.into()),
            connection: wire.connection.map(|id| ConnectionId(id.into())),
            front: wire.front.map(|front| Box::new(front.into())),
            request: wire.request.into(),
            response: wire.response.map(Into::into),
            upstream: wire.upstream.map(Into::into),
            timing: wire.timing.into(),
            facts: wire.facts,
            changes: wire.changes.into_iter().map(Into::into).collect(),
            delivery: wire.delivery,
        }
    }
}

impl std::convert::From<WireFront> for Front {
    fn from(wire: WireFront) -> Self {
        Self {
            address: wire.address,
            secure: wire.scheme.map(|scheme| scheme == "https"),
            host: wire.host,
            client_certificate: certificates(wire.client_certificate),
        }
    }
}

impl std::convert::From<WireRequest> for Request {
    fn from(wire: WireRequest) -> Self {
        Self {
            at: wire.at,
            method: wire.method,
            target: wire.target,
            version: wire.version,
            headers: fields(wire.headers),
            body: wire.body.into(),
            sent: wire.sent.map(|sent| Box::new(sent.into())),
        }
    }
}

impl std::convert::From<WireResponse> for Response {
    fn from(wire: WireResponse) -> Self {
        Self {
            at: wire.at,
            status: wire.status,
            reason: wire.reason,
            version: wire.version,
            from: wire.from,
            headers: fields(wire.headers),
            body: wire.body.into(),
            sent: wire.sent.map(|sent| Box::new(sent.into())),
        }
    }
}

impl WireBody {
    fn bytes(text: Option<String>, base64: Option<Base64>) -> Bytes {
        match (text, base64) {
            (Some(text), _) => text.into(),
            (None, Some(Base64(bytes))) => bytes,
            (None, None) => Bytes::new(),
        }
    }
}

impl std::convert::From<WireBody> for Body {
    fn from(wire: WireBody) -> Self {
        // A line that a person wrote may say no more than the text.
        let plain = Self::full(WireBody::bytes(wire.text, wire.base64));
        Self {
            length: wire.length.unwrap_or(plain.length),
            framing: wire.framing.unwrap_or(plain.framing),
            bytes: plain.bytes,
            encoding: wire.encoding,
            decoded: wire.decoded,
            trailers: fields(wire.trailers),
            cut: wire.cut,
            withheld: wire.withheld,
        }
    }
}

impl std::convert::From<WireSent> for Sent {
    fn from(wire: WireSent) -> Self {
        Self {
            target: wire.target,
            headers: wire.headers.map(fields),
            body: wire.body.map(|body| WireBody::bytes(body.text, body.base64)),
        }
    }
}

fn fields(wire: Vec<WireField>) -> Vec<Field> {
    let field = |WireField(name, value)| match value {
        WireValue::Text(value) => Field::new(name, value),
        WireValue::Bytes { base64: Base64(value) } => Field::new(name, value),
    };
    wire.into_iter().map(field).collect()
}

impl std::convert::From<WireUpstream> for Upstream {
    fn from(wire: WireUpstream) -> Self {
        Self {
            origin: wire.origin,
            address: wire.address,
            reused: wire.reused,
            alpn: wire.alpn,
            tls: wire.tls.map(Into::into),
            chain: certificates(wire.chain),
            verified: wire.verified,
            asked_client_certificate: wire.asked_client_certificate,
            error: wire.error,
        }
    }
}

fn certificates(wire: Vec<Base64>) -> Vec<Bytes> {
    wire.into_iter().map(|Base64(der)| der).collect()
}

impl std::convert::From<WireTls> for Tls {
    fn from(wire: WireTls) -> Self {
        Self { version: wire.version, cipher: wire.cipher }
    }
}

impl std::convert::From<WireTiming> for Timing {
    fn from(wire: WireTiming) -> Self {
        let WireTiming { dns, connect, tls, send, wait, receive } = wire;
        Self { dns, connect, tls, send, wait, receive }
    }
}

impl std::convert::From<WireChange> for Change {
    fn from(wire: WireChange) -> Self {
        Self { side: wire.side, what: wire.what, detail: wire.detail }
    }
}

impl std::convert::From<WireEnd> for End {
    fn from(wire: WireEnd) -> Self {
        Self { of: wire.of, delivery: wire.delivery, sent: wire.sent, at: wire.at }
    }
}

impl TryFrom<WireConnection> for Connection {
    type Error = String;

    fn try_from(wire: WireConnection) -> Result<Self, String> {
        let detail = wire.detail;
        Ok(Self {
            id: ConnectionId(wire.id.into()),
            at: wire.at,
            event: wire.event,
            peer: wire.peer,
            via: wire.via,
            listener: wire.listener,
            sni: wire.sni,
            alpn: wire.alpn,
            offered: wire.offered.map(|o| Offered { versions: o.versions, ciphers: o.ciphers, alpn: o.alpn }),
            tls: wire.tls.map(Into::into),
            chain: certificates(wire.chain),
            asked_client_certificate: wire.asked_client_certificate,
            client_certificate: certificates(wire.client_certificate),
            passthrough: wire.passthrough.map(|r| Relay { target: r.target, up: r.up, down: r.down }),
            reason: wire.reason.map(|word| words::to_reason(&word, detail)).transpose()?,
        })
    }
}

impl std::convert::From<WireSession> for Session {
    fn from(wire: WireSession) -> Self {
        Self {
            at: wire.at,
            tool: wire.tool,
            redaction: wire.redaction.into(),
            cut: wire.cut,
            same: wire.same,
        }
    }
}

impl std::convert::From<WireClosed> for Closed {
    fn from(wire: WireClosed) -> Self {
        Self { at: wire.at, recorded: wire.recorded, lost: wire.lost, late: wire.late }
    }
}
