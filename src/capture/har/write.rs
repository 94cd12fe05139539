//! Writes exchanges as a HAR file, and counts what has no place in one.

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::event::{Body, Event, Exchange, From, Header, Version, header};
use crate::message::decode_content;

/// Writes entry after entry.
pub struct Writer<W> {
    out: W,
    /// Entries so far.
    pub entries: u64,
    /// What has no place in a HAR file, in words, and how often it was met.
    pub lost: BTreeMap<&'static str, u64>,
}

impl<W: Write> Writer<W> {
    /// # Errors
    /// The output cannot be written.
    pub fn new(mut out: W, version: &str) -> io::Result<Self> {
        let creator = json!({ "name": "enrollscope", "version": version });
        write!(out, "{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"pages\":[],\"entries\":[")?;
        Ok(Self { out, entries: 0, lost: BTreeMap::new() })
    }

    /// # Errors
    /// The output cannot be written.
    pub fn add(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Exchange(exchange) => {
                let entry = self.entry(exchange);
                let comma = if self.entries == 0 { "\n" } else { ",\n" };
                self.entries += 1;
                write!(self.out, "{comma}{entry}")
            }
            Event::Connection(_) => {
                self.lose("facts of connections: TLS, certificates, handshakes that were refused");
                Ok(())
            }
            Event::End(_) => {
                self.lose("words on how an answer's delivery ended");
                Ok(())
            }
            Event::Gap { .. } => {
                self.lose("gaps, where exchanges are missing from the record");
                Ok(())
            }
            Event::Session { .. } | Event::Tick(_) => Ok(()),
        }
    }

    /// # Errors
    /// The output cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}}\n")?;
        Ok(self.out)
    }

    fn lose(&mut self, what: &'static str) {
        *self.lost.entry(what).or_default() += 1;
    }

    fn entry(&mut self, exchange: &Exchange) -> Value {
        let Exchange { request, response, timing, .. } = exchange;
        let sent = request.sent.is_some() || response.as_ref().is_some_and(|r| r.sent.is_some());
        if sent || !exchange.changes.is_empty() {
            self.lose("notes of what was changed on the way, and the changed text");
        }
        let headers = response.iter().flat_map(|response| &response.headers).chain(&request.headers);
        if headers.into_iter().any(|header| std::str::from_utf8(&header.value).is_err()) {
            self.lose("values of headers that are no UTF-8, which got U+FFFD");
        }
        if !request.body.trailers.is_empty() || response.as_ref().is_some_and(|r| !r.body.trailers.is_empty())
        {
            self.lose("trailers behind a body");
        }
        let millis = |micros: Option<u64>| micros.map_or(-1.0, |micros| micros as f64 / 1000.0);
        let least = |micros: Option<u64>| micros.unwrap_or(0) as f64 / 1000.0;
        let steps = [timing.dns, timing.connect, timing.send, timing.wait, timing.receive];
        let mut entry = json!({
            "startedDateTime": request.at.to_string(),
            "time": steps.iter().map(|step| least(*step)).sum::<f64>(),
            "request": self.request(exchange),
            "response": self.response(exchange),
            "cache": {},
            "timings": {
                "dns": millis(timing.dns), "connect": millis(timing.connect), "ssl": millis(timing.tls),
                "send": least(timing.send), "wait": least(timing.wait), "receive": least(timing.receive),
            },
            "_id": exchange.id.0.as_ref(),
        });
        if let Some(connection) = &exchange.connection {
            put(&mut entry, "connection", connection.0.as_ref());
        }
        entry
    }

    fn request(&mut self, exchange: &Exchange) -> Value {
        let request = &exchange.request;
        let mut value = json!({
            "method": request.method,
            "url": url(exchange),
            "httpVersion": version(request.version),
            "cookies": [],
            "headers": pairs(&request.headers),
            "queryString": query(&request.target),
            "headersSize": -1,
            "bodySize": request.body.length,
        });
        if request.body.length > 0 {
            let (text, encoding) = self.text(&request.body);
            let mut data = json!({ "mimeType": mime(&request.headers), "text": text.unwrap_or_default() });
            if let Some(encoding) = encoding {
                put(&mut data, "encoding", encoding);
            }
            put(&mut value, "postData", data);
        }
        value
    }

    fn response(&mut self, exchange: &Exchange) -> Value {
        let Some(response) = &exchange.response else {
            return json!({
                "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [],
                "content": { "size": 0, "mimeType": "" }, "redirectURL": "", "headersSize": -1, "bodySize": -1,
            });
        };
        if response.from == From::Enrollscope {
            self.lose("marks of answers that were enrollscope's own");
        }
        let (text, encoding) = self.text(&response.body);
        let size =
            if response.body.decoded { response.body.bytes.len() as u64 } else { response.body.length };
        let mut content = json!({ "size": size, "mimeType": mime(&response.headers) });
        if let Some(text) = text {
            put(&mut content, "text", text);
        }
        if let Some(encoding) = encoding {
            put(&mut content, "encoding", encoding);
        }
        let location = header(&response.headers, "location").map(|h| h.text().into_owned());
        json!({
            "status": response.status,
            "statusText": response.reason,
            "httpVersion": version(response.version),
            "cookies": [],
            "headers": pairs(&response.headers),
            "content": content,
            "redirectURL": location.unwrap_or_default(),
            "headersSize": -1,
            "bodySize": response.body.length,
        })
    }

    /// A body's text, and `base64` if it is that.
    fn text(&mut self, body: &Body) -> (Option<String>, Option<&'static str>) {
        if body.withheld.is_some() || body.is_partial() {
            self.lose("bodies that are not, or not in full, in the capture");
        }
        if body.bytes.is_empty() {
            return (None, None);
        }
        // HAR has texts after content-decoding.
        let decoded = decode_content(body);
        match std::str::from_utf8(&decoded.bytes) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (Some(STANDARD.encode(&decoded.bytes)), Some("base64")),
        }
    }
}

fn put(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value.into());
    }
}

/// An address as the device had it, as far as that is known.
fn url(exchange: &Exchange) -> String {
    let target = &exchange.request.target;
    if target.contains("://") && !target.starts_with('/') {
        return target.clone();
    }
    let origin = exchange.upstream.as_ref().map(|upstream| upstream.origin.as_str());
    let scheme = origin.and_then(|origin| origin.split_once("://")).map_or("https", |(scheme, _)| scheme);
    let host = header(&exchange.request.headers, "host").map(|h| h.text().trim().to_owned());
    let host = host.filter(|host| !host.is_empty());
    let authority =
        || origin.and_then(|o| o.split_once("://")).map_or("unknown.invalid", |(_, rest)| rest).to_owned();
    format!("{scheme}://{}{target}", host.unwrap_or_else(authority))
}

fn pairs(headers: &[Header]) -> Value {
    headers.iter().map(|h| json!({ "name": h.name, "value": h.text() })).collect()
}

fn query(target: &str) -> Value {
    let text = target.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(text.as_bytes())
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect()
}

fn mime(headers: &[Header]) -> String {
    header(headers, "content-type").map(|h| h.text().into_owned()).unwrap_or_default()
}

fn version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2",
    }
}
