//! Reads HTTP/1 heads exactly as they crossed the wire, and refuses those that two readers could read differently.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::front::{Preface, UNTRUSTED_PREFACE, read_preface};
use crate::event::{Framing, Header, Version, header};

/// No real device or server comes near; beyond it a head is an attack or a loop.
pub const LONGEST_HEAD: usize = 64 << 10;
pub(super) const MOST_HEADERS: usize = 256;

/// A message's head: its meaning, and the bytes that carry it.
#[derive(Clone, Debug)]
pub struct Head {
    pub start: Start,
    pub version: Version,
    pub headers: Vec<Header>,
    pub extent: Extent,
    /// The connection may carry another message after this one, as far as this side is concerned.
    pub keep_alive: bool,
    /// Header lines that were folded over several lines, and were joined.
    pub folded: bool,
    /// What is passed on: the bytes as they came, folded lines joined.
    pub(super) raw: Bytes,
    pub(super) spans: Vec<Span>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Request { method: String, target: String },
    Response { status: u16, reason: String },
}

/// How far the body goes that follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    None,
    Length(u64),
    Chunked,
    Close,
    /// HTTP/2 frames to the end of the stream; of so many bytes, if its head says so.
    Frames(Option<u64>),
}

impl Extent {
    /// The same body in HTTP/1.1.
    pub fn in_http1(self) -> Self {
        match self {
            Self::Frames(Some(length)) => Self::Length(length),
            Self::Frames(None) => Self::Chunked,
            Self::None | Self::Length(_) | Self::Chunked | Self::Close => self,
        }
    }
}

impl From<Extent> for Framing {
    fn from(extent: Extent) -> Self {
        match extent {
            Extent::None => Self::None,
            Extent::Length(_) => Self::Length,
            Extent::Chunked => Self::Chunked,
            Extent::Close => Self::Close,
            Extent::Frames(_) => Self::H2,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Span {
    /// The whole line with its line end.
    pub(super) line: Range<usize>,
    pub(super) value: Range<usize>,
}

/// A head that is not passed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The status that tells the sender.
    pub status: u16,
    /// What is wrong with it, in words that follow "the request has".
    pub what: String,
    /// As much of the request as could be read: method, target and the header lines.
    pub readable: Option<(String, String)>,
    pub version: Version,
    pub headers: Vec<Header>,
}

/// A change to a head on its way out; everything else stays byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Value { header: usize, value: Bytes },
    Remove { header: usize },
    Append { name: Cow<'static, str>, value: String },
}

impl Head {
    /// Reads a request's head; `bytes` end with the empty line.
    pub fn request(bytes: &[u8]) -> Result<Self, Refusal> {
        read_request(bytes).map_err(|(status, what)| refusal(bytes, status, what))
    }

    /// Reads a response's head; the answer to a HEAD request has no body, whatever its head says.
    pub fn response(bytes: &[u8], to_head: bool) -> Result<Self, Refusal> {
        read_response(bytes, to_head).map_err(|(status, what)| refusal(bytes, status, what))
    }

    pub fn header(&self, name: &str) -> Option<&Header> {
        header(&self.headers, name)
    }

    /// Positions of the headers of that name.
    pub fn positions<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.headers
            .iter()
            .enumerate()
            .filter(move |(_, h)| h.name.eq_ignore_ascii_case(name))
            .map(|(i, _)| i)
    }

    /// The token stands in one of the header's comma-separated lists.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let mut values = self.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        values.any(|h| h.text().split(',').any(|t| t.trim().eq_ignore_ascii_case(token)))
    }

    /// A 1xx response, which another one follows; 101 ends HTTP and is none.
    pub(super) fn is_interim(&self) -> bool {
        matches!(self.start, Start::Response { status: 100 | 102..=199, .. })
    }

    pub fn is_head(&self) -> bool {
        matches!(&self.start, Start::Request { method, .. } if method == "HEAD")
    }

    /// A request for a tunnel.
    pub fn is_connect(&self) -> bool {
        matches!(&self.start, Start::Request { method, .. } if method == "CONNECT")
    }

    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The bytes of this head with the edits applied.
    pub fn edited(&self, edits: &[Edit]) -> Bytes {
        if edits.is_empty() {
            return self.raw.clone();
        }
        let mut out = self.raw.to_vec();
        // The empty line comes back after what is appended.
        out.truncate(out.len() - empty_line(&self.raw));
        let mut sorted: Vec<&Edit> = edits.iter().collect();
        // From the back, so that the spans before stay true.
        sorted.sort_by_key(|edit| match edit {
            Edit::Append { .. } => 0,
            Edit::Value { header, .. } | Edit::Remove { header } => usize::MAX - header,
        });
        let mut appended = Vec::new();
        for edit in sorted {
            match edit {
                Edit::Append { name, value } => {
                    appended.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
                }
                Edit::Value { header, value } => {
                    if let Some(span) = self.spans.get(*header) {
                        out.splice(span.value.clone(), value.iter().copied());
                    }
                }
                Edit::Remove { header } => {
                    if let Some(span) = self.spans.get(*header) {
                        out.drain(span.line.clone());
                    }
                }
            }
        }
        out.extend_from_slice(&appended);
        out.extend_from_slice(b"\r\n");
        Bytes::from(out)
    }

    /// The header fields after the edits.
    pub fn edited_headers(&self, edits: &[Edit]) -> Vec<Header> {
        let mut out: Vec<Option<Header>> = self.headers.iter().cloned().map(Some).collect();
        for edit in edits {
            match edit {
                Edit::Value { header, value } => {
                    if let Some(Some(h)) = out.get_mut(*header) {
                        h.value = value.clone();
                    }
                }
                Edit::Remove { header } => {
                    if let Some(h) = out.get_mut(*header) {
                        *h = None;
                    }
                }
                Edit::Append { name, value } => out.push(Some(Header::new(name.clone(), value.clone()))),
            }
        }
        out.into_iter().flatten().collect()
    }
}

/// Where the head that starts at the buffer's beginning ends, its empty line included. Line ends without CR count:
/// they are refused later, but they must not hide an end.
pub(super) fn find_end(buffer: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    let mut rest =
        buffer.get(from..)?.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| from + i);
    rest.find_map(|at| match buffer.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

type Reading<T> = Result<T, (u16, String)>;

fn no<T>(status: u16, what: impl Into<String>) -> Reading<T> {
    Err((status, what.into()))
}

fn read_request(bytes: &[u8]) -> Reading<Head> {
    check_line_ends(bytes)?;
    let (raw, folded) = unfold(bytes)?;
    let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(&raw) {
        Ok(httparse::Status::Complete(length)) if length == raw.len() => {}
        Ok(_) => return no(400, "a head that does not end where it should"),
        Err(error) => return malformed(&raw, error),
    }
    let method = parsed.method.unwrap_or_default().to_owned();
    let target = parsed.path.unwrap_or_default().to_owned();
    let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let (headers, spans) = collect(&raw, parsed.headers);
    check_host(&headers, version)?;
    let extent = request_extent(&headers, version)?;
    let keep_alive = keeps_alive(&headers, version);
    let start = Start::Request { method, target };
    Ok(Head { start, version, headers, extent, keep_alive, folded, raw, spans })
}

fn read_response(bytes: &[u8], to_head: bool) -> Reading<Head> {
    let (raw, folded) = unfold(bytes)?;
    let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Response::new(&mut fields);
    match parsed.parse(&raw) {
        Ok(httparse::Status::Complete(length)) if length == raw.len() => {}
        Ok(_) => return no(502, "a head that does not end where it should"),
        Err(error) => return malformed(&raw, error),
    }
    let status = parsed.code.unwrap_or_default();
    let reason = parsed.reason.unwrap_or_default().to_owned();
    let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let (headers, spans) = collect(&raw, parsed.headers);
    let bodiless = to_head || status < 200 || status == 204 || status == 304;
    let extent = response_extent(&headers, version)?;
    let extent = if bodiless { Extent::None } else { extent };
    let keep_alive = keeps_alive(&headers, version) && extent != Extent::Close;
    let start = Start::Response { status, reason };
    Ok(Head { start, version, headers, extent, keep_alive, folded, raw, spans })
}

/// RFC 9112 2.2: a bare CR must not be taken for a line end, nor passed on; a bare LF is one for some and none for others.
fn check_line_ends(bytes: &[u8]) -> Reading<()> {
    let mut before = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match (before, byte) {
            (b'\r', b'\n') => {}
            (b'\r', _) => return no(400, format!("a bare CR at byte {at} of its head")),
            (_, b'\n') => return no(400, format!("a bare LF at byte {at} of its head")),
            _ => {}
        }
        before = *byte;
    }
    Ok(())
}

/// RFC 9112 5.2: joins lines that begin with a blank to the line before; framing must not hide in them.
fn unfold(bytes: &[u8]) -> Reading<(Bytes, bool)> {
    let mut out = bytes.to_vec();
    let mut folded = false;
    let starts: Vec<usize> =
        out.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    for (line, start) in starts.iter().enumerate() {
        if !matches!(out.get(*start), Some(b' ' | b'\t')) {
            continue;
        }
        if line == 0 {
            return no(400, "a blank before its first header");
        }
        folded = true;
        for byte in out.iter_mut().take(*start).skip(start.saturating_sub(2)) {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }
    Ok((Bytes::from(out), folded))
}

fn malformed<T>(raw: &[u8], error: httparse::Error) -> Reading<T> {
    if read_preface(raw) != Preface::None {
        return no(400, UNTRUSTED_PREFACE);
    }
    if raw.contains(&0) {
        return no(400, "a NUL byte in its head");
    }
    if let Some(name) = blank_before_colon(raw) {
        return no(400, format!("a blank between the header name {name:?} and its colon"));
    }
    match error {
        httparse::Error::TooManyHeaders => no(431, format!("more than {MOST_HEADERS} headers")),
        httparse::Error::Version => no(505, "an HTTP version other than 1.0 and 1.1"),
        httparse::Error::HeaderName => no(400, "a header name with characters that names must not have"),
        httparse::Error::HeaderValue => no(400, "a header value with control characters"),
        httparse::Error::Status => no(400, "a status line that cannot be read"),
        httparse::Error::Token | httparse::Error::NewLine => no(400, "a first line that cannot be read"),
    }
}

fn blank_before_colon(raw: &[u8]) -> Option<String> {
    raw.split(|b| *b == b'\n').skip(1).find_map(|line| {
        let colon = line.iter().position(|b| *b == b':')?;
        let name = line.get(..colon)?;
        let trimmed = name.trim_ascii_end();
        (trimmed.len() < name.len() && !trimmed.is_empty())
            .then(|| String::from_utf8_lossy(trimmed).into_owned())
    })
}

fn collect(raw: &[u8], parsed: &[httparse::Header<'_>]) -> (Vec<Header>, Vec<Span>) {
    let mut headers = Vec::with_capacity(parsed.len());
    let mut spans = Vec::with_capacity(parsed.len());
    for field in parsed {
        let name = offset(raw, field.name.as_bytes());
        // An empty value may point anywhere; it stands behind the colon.
        let value =
            if field.value.is_empty() { name.end + 1..name.end + 1 } else { offset(raw, field.value) };
        let after = raw.get(value.end..).unwrap_or_default();
        let end = after.iter().position(|b| *b == b'\n').map_or(raw.len(), |at| value.end + at + 1);
        headers.push(Header::new(field.name, field.value.to_vec()));
        spans.push(Span { line: name.start..end, value });
    }
    (headers, spans)
}

/// Where a part lies in the whole that it was sliced from.
fn offset(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len());
    start..(start + part.len()).min(whole.len())
}

fn empty_line(raw: &[u8]) -> usize {
    if raw.ends_with(b"\r\n") { 2 } else { 1 }
}

/// RFC 9112 3.2: exactly one Host in HTTP/1.1, at most one in 1.0.
fn check_host(headers: &[Header], version: Version) -> Reading<()> {
    let mut hosts = headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host"));
    let first = hosts.next();
    if hosts.next().is_some() {
        return no(400, "more than one Host header");
    }
    match first {
        None if version == Version::Http11 => no(400, "no Host header"),
        Some(host) if host.value.iter().any(|b| b" \t/?#@,\\".contains(b)) => {
            no(400, format!("a Host header that names no host: {:?}", host.text()))
        }
        _ => Ok(()),
    }
}

fn request_extent(headers: &[Header], version: Version) -> Reading<Extent> {
    let codings = codings(headers);
    let length = request_length(headers)?;
    let Some(last) = codings.last() else {
        return Ok(length.map_or(Extent::None, Extent::Length));
    };
    if version == Version::Http10 {
        return no(400, "Transfer-Encoding in an HTTP/1.0 message");
    }
    if length.is_some() {
        return no(400, "both Content-Length and Transfer-Encoding");
    }
    if last != "chunked" {
        return no(400, format!("a Transfer-Encoding that does not end with chunked: {last:?}"));
    }
    if codings.iter().filter(|c| *c == "chunked").count() > 1 {
        return no(400, "chunked more than once in Transfer-Encoding");
    }
    Ok(Extent::Chunked)
}

fn response_extent(headers: &[Header], version: Version) -> Reading<Extent> {
    let codings = codings(headers);
    let length = content_length(headers)?;
    let Some(last) = codings.last() else {
        return Ok(length.map_or(Extent::Close, Extent::Length));
    };
    if version == Version::Http10 {
        return no(502, "Transfer-Encoding in an HTTP/1.0 message");
    }
    if length.is_some() {
        return no(502, "both Content-Length and Transfer-Encoding");
    }
    if codings.iter().filter(|c| *c == "chunked").count() > 1 {
        return no(502, "chunked more than once in Transfer-Encoding");
    }
    // RFC 9112 6.3: a coding other than chunked at the end leaves the close as the only end.
    Ok(if last == "chunked" { Extent::Chunked } else { Extent::Close })
}

/// Transfer-Encoding's members, lower case; a header without a member counts as one that is no coding.
fn codings(headers: &[Header]) -> Vec<String> {
    let values = headers.iter().filter(|h| h.name.eq_ignore_ascii_case("transfer-encoding"));
    values
        .flat_map(|h| h.text().split(',').map(|c| c.trim().to_ascii_lowercase()).collect::<Vec<_>>())
        .collect()
}

/// RFC 9110 8.6: a list of lengths must not be forwarded, equal as they may be: some servers read a part of it, some none.
/// Of an answer it goes to one device only, which takes it as it would without us.
pub(super) fn request_length(headers: &[Header]) -> Reading<Option<u64>> {
    let length = content_length(headers)?;
    let mut values = headers.iter().filter(|h| h.name.eq_ignore_ascii_case("content-length"));
    if values.any(|h| h.value.contains(&b',')) {
        return no(400, "a list of lengths in one Content-Length");
    }
    Ok(length)
}

/// RFC 9112 6.3: equal repetitions are one length, anything else cannot be trusted.
pub(super) fn content_length(headers: &[Header]) -> Reading<Option<u64>> {
    let mut found: Option<u64> = None;
    for value in headers.iter().filter(|h| h.name.eq_ignore_ascii_case("content-length")) {
        for member in value.text().split(',') {
            let member = member.trim();
            // `parse` alone would take `+5`.
            let digits = !member.is_empty() && member.bytes().all(|b| b.is_ascii_digit());
            let Some(length) = digits.then(|| member.parse().ok()).flatten() else {
                return no(400, format!("a Content-Length that is no number: {member:?}"));
            };
            if found.is_some_and(|f| f != length) {
                return no(400, "several Content-Lengths that differ");
            }
            found = Some(length);
        }
    }
    Ok(found)
}

fn keeps_alive(headers: &[Header], version: Version) -> bool {
    let says = |token: &str| {
        let mut values = headers.iter().filter(|h| h.name.eq_ignore_ascii_case("connection"));
        values.any(|h| h.text().split(',').any(|t| t.trim().eq_ignore_ascii_case(token)))
    };
    match version {
        Version::Http10 => says("keep-alive") && !says("close"),
        Version::Http11 | Version::Http2 => !says("close"),
    }
}

/// Reads as much of a bad head as people need to recognise the request.
fn refusal(bytes: &[u8], status: u16, what: String) -> Refusal {
    let mut lines = bytes.split(|b| *b == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = first.split_ascii_whitespace();
    let readable = match (words.next(), words.next(), words.next()) {
        (Some(method), Some(target), Some(version))
            if version.starts_with("HTTP/") && method.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Some((method.to_owned(), target.to_owned()))
        }
        _ => None,
    };
    let version = if first.trim_end().ends_with("HTTP/1.0") { Version::Http10 } else { Version::Http11 };
    let headers = lines.take(MOST_HEADERS).filter_map(|line| {
        let colon = line.iter().position(|b| *b == b':')?;
        let (name, value) = line.split_at(colon);
        Some(Header::new(String::from_utf8_lossy(name), value.get(1..)?.trim_ascii().to_vec()))
    });
    Refusal { status, what, readable, version, headers: headers.collect() }
}

impl Refusal {
    /// A head that went past the limit before it ended.
    pub(super) fn too_long(bytes: &[u8]) -> Self {
        refusal(bytes, 431, format!("a head of more than {} KiB", LONGEST_HEAD >> 10))
    }

    pub(super) fn of(status: u16, what: impl Into<String>) -> Self {
        refusal(b"", status, what.into())
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
