//! Reads a HAR file: one entry at a time, so that its size does not matter.

use std::fmt;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::capture::{Imported, url};
use crate::event::{
    Body, ConnectionId, Exchange, ExchangeId, Framing, Header, Request, Response, Time, Timing, Upstream,
    Version, header,
};

/// Hands each entry on, in the order of the file, numbered from 1.
///
/// # Errors
/// It is no HAR file, or ends early; what was handed on until then is good.
pub fn read(input: impl Read, mut each: impl FnMut(Exchange)) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let mut seen = false;
    let mut json = serde_json::Deserializer::from_reader(input);
    let file = Object {
        key: "log",
        inner: Object {
            key: "entries",
            inner: Entries { imported: &mut imported, each: &mut each, seen: &mut seen },
        },
    };
    file.deserialize(&mut json).map_err(|error| format!("no HAR file, or a broken one: {error}"))?;
    if !seen {
        return Err("no HAR file: it has no log with entries".to_owned());
    }
    Ok(imported)
}

/// An object of which one member matters.
struct Object<S> {
    key: &'static str,
    inner: S,
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for Object<S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> Visitor<'de> for Object<S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {:?}", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut inner = Some(self.inner);
        while let Some(key) = map.next_key::<String>()? {
            match inner.take_if(|_| key == self.key) {
                Some(inner) => map.next_value_seed(inner)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Entries<'a, F> {
    imported: &'a mut Imported,
    each: &'a mut F,
    seen: &'a mut bool,
}

impl<'de, F: FnMut(Exchange)> DeserializeSeed<'de> for Entries<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Exchange)> Visitor<'de> for Entries<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        *self.seen = true;
        while let Some(entry) = entries.next_element::<Entry>()? {
            if let Some(mut exchange) = entry.exchange(self.imported) {
                self.imported.number(&mut exchange);
                (self.each)(exchange);
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Entry {
    started_date_time: String,
    request: HarRequest,
    response: HarResponse,
    connection: Option<String>,
    timings: Timings,
    /// Ours: the exchange's id.
    #[serde(rename = "_id")]
    id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    http_version: String,
    headers: Vec<Pair>,
    post_data: Option<PostData>,
    body_size: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HarResponse {
    status: i64,
    status_text: String,
    http_version: String,
    headers: Vec<Pair>,
    content: Content,
    body_size: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PostData {
    text: Option<String>,
    /// No member of HAR's, and written by several.
    encoding: Option<String>,
    params: Vec<Pair>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    size: Option<f64>,
    text: Option<String>,
    encoding: Option<String>,
}

/// Milliseconds; -1 where a step did not take place.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Timings {
    dns: Option<f64>,
    connect: Option<f64>,
    ssl: Option<f64>,
    send: Option<f64>,
    wait: Option<f64>,
    receive: Option<f64>,
}

impl Entry {
    fn exchange(self, imported: &mut Imported) -> Option<Exchange> {
        let Some((origin, host, target)) = url::parts(&self.request.url) else {
            imported.lose("entries that are no HTTP: their address begins with neither http:// nor https://");
            return None;
        };
        let Some(at) = Time::parse(&self.started_date_time) else {
            imported.lose("entries without a time at which they began");
            return None;
        };
        let timing = self.timings.timing();
        let mut headers = fields(self.request.headers);
        if header(&headers, "host").is_none() {
            headers.insert(0, Header::new("Host", host));
        }
        let sent = self.request.post_data.and_then(PostData::bytes);
        let body = body(sent, self.request.body_size, None, &headers, &self.request.http_version, imported);
        let request = Request {
            at,
            method: self.request.method,
            target,
            version: version(&self.request.http_version),
            headers,
            body,
            sent: None,
        };
        // TLS is in the time of connecting there.
        let before = [timing.dns, timing.connect, timing.send, timing.wait];
        let arrived = before.into_iter().flatten().fold(0, u64::saturating_add);
        let arrived = at.plus_millis(i64::try_from(arrived / 1000).unwrap_or(0));
        let response = self.response.response(arrived, imported);
        let upstream = response.as_ref().map(|_| Upstream { origin, verified: true, ..Upstream::default() });
        let connection = self.connection.filter(|id| !id.is_empty());
        Some(Exchange {
            id: ExchangeId(self.id.unwrap_or_default().into()),
            connection: connection.map(|id| ConnectionId(id.into())),
            request,
            response,
            upstream,
            timing,
            ..Exchange::default()
        })
    }
}

impl HarResponse {
    fn response(self, at: Time, imported: &mut Imported) -> Option<Response> {
        // Browsers write 0 where there was none.
        let status = u16::try_from(self.status).ok().filter(|status| (100..=999).contains(status))?;
        let headers = fields(self.headers);
        let content = self.content;
        let bytes = content.text.map(|text| unpacked(text, content.encoding.as_deref()));
        let body = body(bytes, self.body_size, content.size, &headers, &self.http_version, imported);
        let version = version(&self.http_version);
        Some(Response { at, status, reason: self.status_text, version, headers, body, ..Response::default() })
    }
}

impl PostData {
    fn bytes(self) -> Option<Bytes> {
        match self.text {
            Some(text) => Some(unpacked(text, self.encoding.as_deref())),
            None if self.params.is_empty() => None,
            None => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(self.params.iter().map(|pair| (&pair.name, &pair.value)));
                Some(form.finish().into())
            }
        }
    }
}

fn unpacked(text: String, encoding: Option<&str>) -> Bytes {
    let decoded =
        encoding.is_some_and(|e| e.eq_ignore_ascii_case("base64")).then(|| STANDARD.decode(text.trim()).ok());
    decoded.flatten().map_or_else(|| text.into(), Bytes::from)
}

/// HAR has texts after content-decoding, and lengths of the wire.
fn body(
    bytes: Option<Bytes>,
    wire: Option<f64>,
    size: Option<f64>,
    headers: &[Header],
    version: &str,
    imported: &mut Imported,
) -> Body {
    let encoding = header(headers, "content-encoding").map(|h| h.text().trim().to_ascii_lowercase());
    let encoding = encoding.filter(|e| !e.is_empty() && e != "identity");
    let known = |number: Option<f64>| number.filter(|n| *n > 0.0).map(|n| n as u64);
    let bytes = bytes.unwrap_or_default();
    let decoded = encoding.is_some() && !bytes.is_empty();
    let length = if decoded { known(wire) } else { None }.unwrap_or(bytes.len() as u64);
    let missing = if bytes.is_empty() { known(wire).or(known(size)) } else { None };
    if missing.is_some() {
        imported.lose("bodies that the file has no text of");
    }
    let chunked = header(headers, "transfer-encoding")
        .is_some_and(|h| h.text().to_ascii_lowercase().contains("chunked"));
    let framing = match (bytes.is_empty() && missing.is_none(), self::version(version), chunked) {
        (true, ..) => Framing::None,
        (_, Version::Http2, _) => Framing::H2,
        (_, _, true) => Framing::Chunked,
        _ => Framing::Length,
    };
    let withheld = missing.map(|_| "not in the imported file".to_owned());
    Body { bytes, length: missing.unwrap_or(length), framing, encoding, decoded, withheld, ..Body::default() }
}

impl Timings {
    fn timing(&self) -> Timing {
        let micros = |millis: Option<f64>| {
            millis.filter(|ms| ms.is_finite() && *ms >= 0.0).map(|ms| (ms * 1000.0).round() as u64)
        };
        Timing {
            dns: micros(self.dns),
            connect: micros(self.connect),
            tls: micros(self.ssl),
            send: micros(self.send),
            wait: micros(self.wait),
            receive: micros(self.receive),
        }
    }
}

/// Without the fields that stand for HTTP/2's first line.
fn fields(pairs: Vec<Pair>) -> Vec<Header> {
    pairs
        .into_iter()
        .filter(|pair| !pair.name.starts_with(':'))
        .map(|pair| Header::new(pair.name, pair.value))
        .collect()
}

fn version(text: &str) -> Version {
    match text.to_ascii_lowercase().trim_start_matches("http/") {
        "1.0" => Version::Http10,
        "2" | "2.0" | "h2" => Version::Http2,
        _ => Version::Http11,
    }
}
