//! Flows as events: what mitmproxy has of an exchange, in our words.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::netstring::Value;
use super::read::{Flow, Message};
use crate::capture::Imported;
use crate::event::{
    Body, Connection, ConnectionId, Delivery, Event, Exchange, ExchangeId, Framing, Header, Request,
    Response, Time, Timing, Tls, Upstream, Version, header,
};

/// What came so far, and which connections.
#[derive(Default)]
pub(super) struct Conversation {
    pub(super) imported: Imported,
    /// mitmproxy's ids, and ours.
    devices: HashMap<String, ConnectionId>,
    servers: HashSet<String>,
}

impl Conversation {
    pub(super) fn flow(&mut self, flow: &Flow, each: &mut impl FnMut(Event)) {
        let kind = flow.part("type").and_then(|kind| kind.text()).unwrap_or_default();
        let lost = match kind.as_str() {
            "http" => return self.http(flow, each),
            "tcp" => "flows of TCP, which are no HTTP",
            "udp" => "flows of UDP, which are no HTTP",
            "dns" => "flows of DNS, which are no HTTP",
            _ => "flows of a kind that is not known",
        };
        self.imported.lose(lost);
    }

    fn http(&mut self, flow: &Flow, each: &mut impl FnMut(Event)) {
        let unreadable = "HTTP flows whose request or answer cannot be read";
        let Some(message) = &flow.request else { return self.imported.lose(unreadable) };
        let Some(request) = self.request(message) else { return self.imported.lose(unreadable) };
        let mut response = match &flow.response {
            None => None,
            Some(message) => match self.response(message) {
                Some(response) => Some(response),
                None => return self.imported.lose(unreadable),
            },
        };
        if flow.websocket {
            self.imported.lose("messages of WebSockets: the request that opened one is there");
        }
        let server = flow.part("server_conn");
        let (mut upstream, mut timing) = (upstream(message), timing(flow));
        if let Some(server) = &server {
            self.server(server, &mut upstream, &mut timing);
        }
        let mut delivery = Delivery::Pending;
        if let Some(words) = flow.part("error").and_then(|error| error.get("msg")?.text()) {
            // mitmproxy's own words.
            if words.starts_with("Client disconnected") {
                delivery = Delivery::Reset;
            } else {
                upstream.error = Some(words);
            }
            if let Some(response) = response.as_mut().filter(|r| r.body.withheld.is_some()) {
                response.body.cut = true;
            }
        }
        let reached = response.is_some() || upstream.address.is_some() || upstream.error.is_some();
        let connection = flow.part("client_conn").and_then(|device| self.device(&device, request.at, each));
        let mut exchange = Exchange {
            connection,
            request,
            response,
            upstream: reached.then_some(upstream),
            timing,
            delivery,
            ..Exchange::default()
        };
        exchange.id = ExchangeId(format!("f{}", self.imported.exchanges + 1).into());
        self.imported.number(&mut exchange);
        each(Event::Exchange(Arc::new(exchange)));
    }

    fn request(&mut self, message: &Message) -> Option<Request> {
        let text = |key| message.part(key).and_then(|value| value.text());
        let (method, path, version) = (text("method")?, text("path")?, self.version(message));
        let authority = text("authority").filter(|authority| !authority.is_empty());
        let mut headers = fields(&message.part("headers")?)?;
        let host = authority
            .clone()
            .or_else(|| Some(host(&text("scheme")?, &text("host")?, &message.part("port")?)));
        if header(&headers, "host").is_none()
            && let Some(host) = host.filter(|_| version == Version::Http2)
        {
            headers.insert(0, Header::new("host", host));
        }
        let target = if method == "CONNECT" { authority.unwrap_or(path) } else { path };
        let body = self.body(message, &headers, version, Framing::None);
        Some(Request { at: at(message)?, method, target, version, headers, body, sent: None })
    }

    fn response(&mut self, message: &Message) -> Option<Response> {
        let Some(Value::Int(status)) = message.part("status_code") else { return None };
        let headers = fields(&message.part("headers")?)?;
        let version = self.version(message);
        let body = self.body(message, &headers, version, Framing::Close);
        Some(Response {
            at: at(message)?,
            status: u16::try_from(status).ok()?,
            reason: message.part("reason").and_then(|reason| reason.text()).unwrap_or_default(),
            version,
            headers,
            body,
            ..Response::default()
        })
    }

    fn version(&mut self, message: &Message) -> Version {
        match message.part("http_version").and_then(|version| version.text()).as_deref() {
            Some("HTTP/1.0") => Version::Http10,
            Some("HTTP/2.0" | "HTTP/2") => Version::Http2,
            Some("HTTP/3") => {
                self.imported.lose("marks of HTTP/3: the message is told as one of HTTP/2");
                Version::Http2
            }
            _ => Version::Http11,
        }
    }

    /// As it was on the wire, without the transfer coding. `open` is the framing of one whose end nothing in the head
    /// tells.
    fn body(&mut self, message: &Message, headers: &[Header], version: Version, open: Framing) -> Body {
        let told = |name| header(headers, name).map(|h| h.text().trim().to_ascii_lowercase());
        let encoding = told("content-encoding").filter(|e| !e.is_empty() && e != "identity");
        let announced = told("content-length").and_then(|length| length.parse().ok());
        let trailers = message.part("trailers").and_then(|trailers| fields(&trailers)).unwrap_or_default();
        let bytes = Bytes::copy_from_slice(message.content.as_deref().unwrap_or_default());
        let missing = message.content.is_none();
        let length = if missing { announced.unwrap_or(0) } else { message.length };
        let framing = match (length, version, told("transfer-encoding"), announced) {
            (0, ..) if !missing => Framing::None,
            (_, Version::Http2, ..) => Framing::H2,
            (_, _, Some(coding), _) if coding.contains("chunked") => Framing::Chunked,
            (_, _, _, Some(_)) => Framing::Length,
            _ => open,
        };
        if missing {
            self.imported.lose("bodies that the file does not have");
        } else if (bytes.len() as u64) < length {
            self.imported.lose("what bodies have behind their first MiB");
        }
        let withheld = missing.then(|| "not in the imported file".to_owned());
        Body { bytes, length, framing, encoding, trailers, withheld, ..Body::default() }
    }

    /// The device's connection, which is handed on when it is new.
    fn device(&mut self, device: &Value<'_>, at: Time, each: &mut impl FnMut(Event)) -> Option<ConnectionId> {
        let peer = device.get("peername").and_then(address)?;
        let theirs = device.get("id")?.text()?;
        if let Some(id) = self.devices.get(&theirs) {
            return Some(id.clone());
        }
        let id = ConnectionId(format!("c{}", self.devices.len() + 1).into());
        self.devices.insert(theirs, id.clone());
        let text = |key: &str| device.get(key).and_then(Value::text).filter(|text| !text.is_empty());
        let secure = device.get("tls") == Some(&Value::Bool(true));
        let scheme = if secure { "https" } else { "http" };
        let listener = device.get("sockname").and_then(address);
        let connection = Connection {
            id: id.clone(),
            at: device.get("timestamp_start").and_then(time).filter(|begun| *begun <= at).unwrap_or(at),
            peer,
            listener: listener.map(|listener| format!("{scheme}://{listener}")).unwrap_or_default(),
            sni: text("sni"),
            alpn: text("alpn"),
            tls: tls(device),
            chain: device.get("mitmcert").and_then(certificate).into_iter().collect(),
            client_certificate: certificates(device),
            ..Connection::default()
        };
        if text("error").is_some() {
            self.imported.lose("words on how a device's connection failed");
        }
        each(Event::Connection(Arc::new(connection)));
        Some(id)
    }

    fn server(&mut self, server: &Value<'_>, upstream: &mut Upstream, timing: &mut Timing) {
        let reached = server.get("timestamp_tcp_setup").and_then(Value::number);
        let reused = server.get("id").and_then(Value::text).is_some_and(|id| !self.servers.insert(id));
        upstream.address = server.get("peername").and_then(address);
        upstream.reused = reused && reached.is_some();
        upstream.alpn = server.get("alpn").and_then(Value::text).filter(|alpn| !alpn.is_empty());
        upstream.tls = tls(server);
        upstream.chain = certificates(server);
        upstream.error = server.get("error").and_then(Value::text);
        if !upstream.reused {
            timing.connect = span(server.get("timestamp_start").and_then(Value::number), reached);
            let secured = server.get("timestamp_tls_setup").and_then(Value::number);
            timing.tls = span(reached, secured.filter(|_| upstream.tls.is_some()));
        }
    }
}

/// As far as the request tells: where it goes to.
fn upstream(request: &Message) -> Upstream {
    let text = |key| request.part(key).and_then(|value| value.text()).unwrap_or_default();
    let (scheme, host) = (text("scheme"), text("host"));
    let port = request.part("port").and_then(|port| port.number()).unwrap_or_default();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    // Whether the certificate was looked at is not in the file.
    Upstream { origin: format!("{scheme}://{host}:{port}"), verified: true, ..Upstream::default() }
}

/// The authority that stands for a port of a scheme.
fn host(scheme: &str, host: &str, port: &Value<'_>) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match (scheme, port) {
        ("https", Value::Int(443)) | ("http", Value::Int(80)) => host,
        (_, Value::Int(port)) => format!("{host}:{port}"),
        _ => host,
    }
}

fn timing(flow: &Flow) -> Timing {
    let seconds = |message: &Option<Message>, key| message.as_ref()?.part(key)?.number();
    let begun = seconds(&flow.request, "timestamp_start");
    let sent = seconds(&flow.request, "timestamp_end");
    let answered = seconds(&flow.response, "timestamp_start");
    let ended = seconds(&flow.response, "timestamp_end");
    Timing {
        send: span(begun, sent),
        wait: span(sent, answered),
        receive: span(answered, ended),
        ..Timing::default()
    }
}

/// Microseconds from one time to another.
fn span(from: Option<f64>, to: Option<f64>) -> Option<u64> {
    let span = to? - from?;
    (span.is_finite() && span >= 0.0).then(|| (span * 1_000_000.0).round() as u64)
}

fn at(message: &Message) -> Option<Time> {
    message.part("timestamp_start").as_ref().and_then(time)
}

/// Seconds since 1970.
fn time(value: &Value<'_>) -> Option<Time> {
    let seconds = value.number().filter(|seconds| seconds.is_finite())?;
    Some(Time((seconds * 1000.0).floor() as i64))
}

/// `None` if a field is no pair.
fn fields(value: &Value<'_>) -> Option<Vec<Header>> {
    let pair = |field: &Value<'_>| match field.list() {
        [name, value] => Some(Header::new(name.text()?, Bytes::copy_from_slice(value.bytes()?.trim_ascii()))),
        _ => None,
    };
    value.list().iter().map(pair).collect()
}

/// A list of host and port; IPv6 has more behind them. Port 0 stands for connections that there was none of, as in flows
/// that were made of a HAR file.
fn address(value: &Value<'_>) -> Option<String> {
    let [host, Value::Int(port @ 1..), ..] = value.list() else { return None };
    let host = host.text().filter(|host| !host.is_empty())?;
    Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

fn tls(connection: &Value<'_>) -> Option<Tls> {
    let version = connection.get("tls_version").and_then(Value::text)?;
    // OpenSSL's name for it.
    let version = if version == "TLSv1" { "TLSv1.0".to_owned() } else { version };
    let cipher = connection.get("cipher").and_then(Value::text).unwrap_or_default();
    (connection.get("tls") == Some(&Value::Bool(true))).then_some(Tls { version, cipher })
}

fn certificates(connection: &Value<'_>) -> Vec<Bytes> {
    let list = connection.get("certificate_list").map(Value::list).unwrap_or_default();
    list.iter().filter_map(certificate).collect()
}

/// PEM to DER.
fn certificate(pem: &Value<'_>) -> Option<Bytes> {
    let text = pem.text()?;
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (base64, _) = rest.split_once("-----END")?;
    let base64: String = base64.split_ascii_whitespace().collect();
    STANDARD.decode(base64).ok().map(Bytes::from)
}
