//! What happened on the wire: exchanges, connections and the passing of time; the one currency of the crate.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Everything that the recorder writes and the engine judges.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Exchange(Arc<Exchange>),
    Connection(Arc<Connection>),
    /// How the delivery of an earlier exchange's answer ended.
    End(End),
    /// A tool's run began writing here: connection ids start anew.
    Session {
        at: Time,
    },
    /// `lost` exchanges are missing at this place; rules on sequence do not judge across it.
    Gap {
        at: Time,
        lost: u64,
    },
    /// The engine's only clock: live every five seconds, derived from record times when a capture is read.
    Tick(Time),
}

impl Event {
    /// When it happened: an exchange's time is its request's.
    pub fn at(&self) -> Time {
        match self {
            Self::Exchange(exchange) => exchange.request.at,
            Self::Connection(connection) => connection.at,
            Self::End(end) => end.at,
            Self::Session { at } | Self::Gap { at, .. } | Self::Tick(at) => *at,
        }
    }
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Milliseconds from `earlier` to this; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Reads RFC 3339 (any offset); finer parts than a millisecond are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => f.write_str("0000-01-01T00:00:00.000Z"),
        }
    }
}

/// Identifies an exchange everywhere: a UUID of version 7, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub Arc<str>);

/// Identifies a device-side connection within one run of the tool: `c1`, `c2`, …
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub Arc<str>);

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One HTTP request and its answer, as they crossed the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exchange {
    /// Position in the record, from 1; stamped by the recorder, 0 before.
    pub seq: u64,
    pub id: ExchangeId,
    /// The device-side connection; absent for single messages read from files.
    pub connection: Option<ConnectionId>,
    /// Where a trusted front end speaks for the device: what it says of it.
    pub front: Option<Box<Front>>,
    pub request: Request,
    /// Absent: no answer was sent (the device went away, or the exchange comes from a request file).
    pub response: Option<Response>,
    /// The leg to the server; absent when nothing was sent there.
    pub upstream: Option<Upstream>,
    pub timing: Timing,
    /// What redaction would destroy, computed before it; rules read it (`xml-signature: valid`, …).
    pub facts: BTreeMap<String, String>,
    /// What we changed, healed or could not keep; see [`Change`].
    pub changes: Vec<Change>,
    pub delivery: Delivery,
}

/// What a trusted front end (load balancer, ingress, tunnel) says of the device whose request it forwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Front {
    /// The device's address, without a port.
    pub address: Option<String>,
    /// Whether the device spoke TLS with it.
    pub secure: Option<bool>,
    /// The host that the device asked for.
    pub host: Option<String>,
    /// The device's certificates, DER, leaf first.
    pub client_certificate: Vec<Bytes>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// When its first byte arrived.
    pub at: Time,
    pub method: String,
    /// The request target exactly as sent (`/EnrollmentServer/Discovery.svc`, an absolute URL, `*`).
    pub target: String,
    pub version: Version,
    /// In the order, case and spelling of the wire; of HTTP/2 with a `host` in front that stands for `:authority`.
    pub headers: Vec<Header>,
    pub body: Body,
    /// What the server got, where it differs from what the device sent.
    pub sent: Option<Box<Sent>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// When its head arrived (or we made it).
    pub at: Time,
    pub status: u16,
    pub reason: String,
    pub version: Version,
    pub from: From,
    pub headers: Vec<Header>,
    pub body: Body,
    /// What the device got, where it differs from what the server sent.
    pub sent: Option<Box<Sent>>,
}

impl Response {
    /// It is ours because there is none of the server's, and not one that is ours to give.
    pub fn is_in_place(&self) -> bool {
        self.from == From::Enrollscope && self.status >= 400
    }
}

/// Who made a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum From {
    #[default]
    Upstream,
    /// We did: the upstream gave no usable answer, or the request was refused.
    Enrollscope,
}

/// The other text of a message that we changed: only what differs is present.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    pub target: Option<String>,
    pub headers: Option<Vec<Header>>,
    pub body: Option<Bytes>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    Http10,
    #[default]
    Http11,
    Http2,
}

/// A header field: the name as spelled on the wire, the value's bytes without surrounding blanks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    pub name: String,
    pub value: Bytes,
}

impl Header {
    pub fn new(name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// The value as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }
}

/// The first header of that name; names compare without case.
pub fn header<'a>(headers: &'a [Header], name: &str) -> Option<&'a Header> {
    headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))
}

/// Whether a character that came from the wire could steer a terminal, turn the reading direction, or hide: whoever
/// shows text spells such characters out.
pub fn steers(c: char) -> bool {
    c.is_control()
        // No characters at all: XML does not take some of them, and terminals disagree about their width.
        || matches!(c, '\u{FDD0}'..='\u{FDEF}') || u32::from(c) & 0xFFFE == 0xFFFE
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// A message body as it travelled, the transfer coding removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// What was kept of it: at most the inspection limit (1 MiB).
    pub bytes: Bytes,
    /// How many bytes crossed the wire (content-encoded, transfer coding removed).
    pub length: u64,
    pub framing: Framing,
    /// Content-Encoding of the wire; absent means identity.
    pub encoding: Option<String>,
    /// `bytes` hold the text after content-decoding, though `encoding` names one (redaction works on text).
    pub decoded: bool,
    pub trailers: Vec<Header>,
    /// The message ended before its framing said so.
    pub cut: bool,
    /// Why `bytes` are empty although `length` is not (`management-sync`, `redaction failed`, …).
    pub withheld: Option<String>,
}

impl Body {
    /// A complete body with Content-Length framing.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let framing = if bytes.is_empty() { Framing::None } else { Framing::Length };
        Self { length: bytes.len() as u64, framing, bytes, ..Self::default() }
    }

    /// Not all bytes were kept, so a reader must not take the end of `bytes` for the end of the message.
    pub fn is_partial(&self) -> bool {
        self.cut || (!self.decoded && (self.bytes.len() as u64) < self.length)
    }
}

/// How a message's end was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Content-Length.
    Length,
    Chunked,
    /// The connection's close.
    Close,
    /// HTTP/2 frames.
    H2,
    /// No body: none announced, or HEAD, 1xx, 204, 304.
    #[default]
    None,
}

/// How an answer's way to the device ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Not known (yet).
    #[default]
    Pending,
    Complete,
    /// We ended it early: the server's answer broke off.
    Cut,
    /// The device closed or reset the connection before it had all.
    Reset,
}

#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// `seq` of the exchange.
    pub of: u64,
    pub delivery: Delivery,
    /// Body bytes handed to the device's connection.
    pub sent: u64,
    pub at: Time,
}

/// Durations in microseconds; absent where a step did not take place (a reused connection) or was not seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timing {
    pub dns: Option<u64>,
    pub connect: Option<u64>,
    pub tls: Option<u64>,
    /// From the request's first byte to its last.
    pub send: Option<u64>,
    /// From the request's last byte to the response's head.
    pub wait: Option<u64>,
    /// From the response's head to its last byte.
    pub receive: Option<u64>,
}

impl Timing {
    /// The steps in their order, as people call them.
    pub fn steps(&self) -> [(&'static str, Option<u64>); 6] {
        [
            ("name", self.dns),
            ("connect", self.connect),
            ("TLS", self.tls),
            ("send", self.send),
            ("wait", self.wait),
            ("receive", self.receive),
        ]
    }
}

/// Something that passed through us otherwise than it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub side: Side,
    /// One of the committed deviations or an asked-for rewrite: `rewrite`, `header-order`, `header-blanks`,
    /// `folded-line`, `chunk-boundaries`, `version`, `100-continue`, `hop-by-hop`; `client-certificate`, the device's
    /// certificate handed on in a header, and `client-certificate-claim`, such a header of its own taken out; or
    /// `other-host`, a request for another name than its connection's, or `one-address`, the first request in a run
    /// whose device's address the server does not tell from another's.
    pub what: String,
    /// In words: where, from what, to what.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    Request,
    Response,
}

/// The connection on which an exchange's request went to the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upstream {
    /// The configured origin, `https://mdm.example:443`.
    pub origin: String,
    /// The peer's `ip:port`; absent when no connection came about.
    pub address: Option<String>,
    /// The connection had carried an earlier exchange.
    pub reused: bool,
    pub alpn: Option<String>,
    pub tls: Option<Tls>,
    /// The server's certificates as served, DER, leaf first.
    pub chain: Vec<Bytes>,
    /// False only with `--upstream-insecure` on a chain that would have been refused.
    pub verified: bool,
    /// The server asked for a client certificate in the handshake.
    pub asked_client_certificate: bool,
    /// What went wrong on this leg, in words.
    pub error: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.2`, `TLSv1.3`.
    pub version: String,
    /// The IANA name: `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
}

/// A device-side connection's beginning, failure or end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connection {
    pub id: ConnectionId,
    pub at: Time,
    pub event: ConnectionEvent,
    /// `ip:port` of the device: of the other end, or what a trusted front end says by the PROXY protocol.
    pub peer: String,
    /// `ip:port` of the front end that says so.
    pub via: Option<String>,
    /// The listener's URL: `https://0.0.0.0:443`.
    pub listener: String,
    /// The name the device asked for in its ClientHello.
    pub sni: Option<String>,
    /// The protocol that was agreed.
    pub alpn: Option<String>,
    /// What the ClientHello offered; absent on plain HTTP, or when none was read.
    pub offered: Option<Offered>,
    pub tls: Option<Tls>,
    /// The certificates that we served, DER, leaf first.
    pub chain: Vec<Bytes>,
    /// We asked the device for a certificate in the handshake.
    pub asked_client_certificate: bool,
    /// The device's certificates, DER, leaf first.
    pub client_certificate: Vec<Bytes>,
    /// TLS was forwarded untouched: there are no exchanges to see.
    pub passthrough: Option<Relay>,
    /// Why it failed or closed.
    pub reason: Option<Reason>,
}

/// A connection that passes through untouched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// Where it goes: the `ip:port` that was reached, or before that the name with its port.
    pub target: String,
    /// Bytes from the device, so far.
    pub up: u64,
    /// Bytes to the device, so far.
    pub down: u64,
}

impl Connection {
    /// The peer's address without its port.
    pub fn address(&self) -> &str {
        let host = self.peer.rsplit_once(':').map_or(self.peer.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConnectionEvent {
    /// Ready for HTTP: the TLS handshake (if any) is done. Of one that is passed through: its server is reached.
    #[default]
    Opened,
    /// Ended before HTTP was possible.
    Failed,
    Closed,
}

/// The ClientHello, as far as it says who can speak with whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// `TLSv1.0` … `TLSv1.3`; unknown ones as `0x7f17`.
    pub versions: Vec<String>,
    /// Cipher suite numbers, GREASE left out; at most 64.
    pub ciphers: Vec<u16>,
    pub alpn: Vec<String>,
}

/// Why a connection failed or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The device refused the handshake with this alert (`unknown_ca`, `bad_certificate`, …).
    Alert(String),
    /// The device closed without a word after it had seen our certificate.
    SilentAfterCertificate,
    /// The device closed or reset before the handshake got that far.
    ClosedInHandshake,
    /// We refused the handshake (no common version or cipher, unknown name, …), in words.
    Refused(String),
    /// We refused it because we are told to, in words.
    Unwanted(String),
    /// HTTP without TLS on a TLS listener; it was answered with a sentence.
    PlainHttp,
    /// The first bytes are neither TLS nor HTTP.
    Garbage,
    /// The head broke HTTP in a way that must not be passed on, in words.
    BadHead(String),
    /// Nothing came for so long, in words.
    Timeout(String),
    /// The device closed in the ordinary way.
    ClosedByDevice,
    /// The device reset the connection, or vanished.
    Reset,
    /// The server closed a connection that was passed through.
    ClosedByServer,
    /// We closed it: end of keep-alive, shutdown, or the server's answer had to end with it.
    ClosedByUs,
}

impl Reason {
    /// The device does not accept the certificate that it was shown, or most likely not (RFC 8446 6.2).
    pub fn is_distrust(&self) -> bool {
        match self {
            Self::Alert(alert) => matches!(
                alert.as_str(),
                "unknown_ca"
                    | "bad_certificate"
                    | "certificate_unknown"
                    | "unsupported_certificate"
                    | "certificate_revoked"
                    | "certificate_expired"
            ),
            Self::SilentAfterCertificate => true,
            Self::ClosedInHandshake
            | Self::Refused(_)
            | Self::Unwanted(_)
            | Self::PlainHttp
            | Self::Garbage
            | Self::BadHead(_)
            | Self::Timeout(_)
            | Self::ClosedByDevice
            | Self::Reset
            | Self::ClosedByServer
            | Self::ClosedByUs => false,
        }
    }
}

impl fmt::Display for Reason {
    /// As people read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(f, "the device sent the alert {alert}"),
            Self::SilentAfterCertificate => {
                f.write_str("the device closed without a word after our certificate")
            }
            Self::ClosedInHandshake => f.write_str("the device closed during the handshake"),
            Self::Refused(why) | Self::Unwanted(why) | Self::Timeout(why) => f.write_str(why),
            Self::PlainHttp => f.write_str("HTTP without TLS"),
            Self::Garbage => f.write_str("neither TLS nor HTTP"),
            Self::BadHead(why) => write!(f, "a head that must not be passed on: {why}"),
            Self::ClosedByDevice => f.write_str("closed by the device"),
            Self::Reset => f.write_str("reset by the device"),
            Self::ClosedByServer => f.write_str("closed by the server"),
            Self::ClosedByUs => f.write_str("closed by enrollscope"),
        }
    }
}
