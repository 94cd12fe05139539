//! A single message in a file: XML, or raw HTTP that starts with a request or a status line.

use bytes::Bytes;

use crate::event::{Body, Exchange, Framing, From, Header, Request, Response, Side, Version, header};
use crate::message::read_body;

/// Headers beyond this number are not read.
const MAX_HEADERS: usize = 512;

/// One side of an exchange, told by its content.
#[derive(Clone, Debug)]
pub enum MessageFile {
    Request(Request),
    Response(Response),
}

impl MessageFile {
    /// Whether the bytes begin like a message: with a request or status line, with markup, or with a byte order mark.
    pub fn is_one(bytes: &[u8]) -> bool {
        let marks: [&[u8]; 4] = [b"<", b"\xEF\xBB\xBF", b"\xFE\xFF", b"\xFF\xFE"];
        let text = bytes.trim_ascii_start();
        marks.iter().any(|mark| text.starts_with(mark)) || head_of(bytes).is_some()
    }

    /// Never fails: what is neither HTTP nor XML is a request of an unknown kind.
    pub fn read(bytes: &[u8]) -> Self {
        match head_of(bytes) {
            Some(head) => Self::of(head, Broken::AsItIs),
            None => Self::bare(bytes),
        }
    }

    /// A message with a head, as another tool keeps it; `None` for everything else.
    pub(super) fn http(bytes: &[u8]) -> Option<Self> {
        head_of(bytes).map(|head| Self::of(head, Broken::Cut))
    }

    fn of(head: Head<'_>, broken: Broken) -> Self {
        let Head { first, headers, body } = head;
        let body = body_of(&headers, body, broken);
        match first.strip_prefix("HTTP/") {
            Some(status_line) => Self::Response(response(status_line, headers, body)),
            None => Self::Request(request(&first, headers, body)),
        }
    }

    /// A body without a head: its content says who sends such a thing.
    fn bare(bytes: &[u8]) -> Self {
        let body = Body::full(Bytes::copy_from_slice(bytes));
        match read_body(&body, &[], Side::Request).kind.side() {
            Some(Side::Response) => Self::Response(Response { body, ..Response::default() }),
            Some(Side::Request) | None => {
                let method = if bytes.is_empty() { "" } else { "POST" };
                Self::Request(Request { method: method.to_owned(), body, ..Request::default() })
            }
        }
    }

    /// The exchange that this message is a part of.
    pub fn into_exchange(self) -> Exchange {
        match self {
            Self::Request(request) => Exchange { request, ..Exchange::default() },
            Self::Response(response) => Exchange { response: Some(response), ..Exchange::default() },
        }
    }
}

struct Head<'a> {
    first: String,
    headers: Vec<Header>,
    body: &'a [u8],
}

/// Splits off a head; `None` when the text does not start with a request or status line. Line ends may be bare LF, as
/// editors leave them.
fn head_of(bytes: &[u8]) -> Option<Head<'_>> {
    let mut rest = bytes;
    let first = String::from_utf8_lossy(line(&mut rest)?).into_owned();
    let mut words = first.split(' ');
    let (method, last) = (words.next()?, first.rsplit(' ').next()?);
    let is_status = first.starts_with("HTTP/") && words.next().is_some_and(|s| s.len() == 3);
    let is_request =
        last.starts_with("HTTP/") && !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
    if !is_status && !is_request {
        return None;
    }
    let headers = fields(&mut rest);
    Some(Head { first, headers, body: rest })
}

/// Takes fields up to an empty line.
fn fields(rest: &mut &[u8]) -> Vec<Header> {
    let mut headers = Vec::new();
    while let Some(text) = line(rest).filter(|text| !text.is_empty()) {
        let (name, value) = match text.iter().position(|b| *b == b':') {
            Some(colon) => text.split_at(colon),
            None => (text, Default::default()),
        };
        if headers.len() < MAX_HEADERS {
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
            headers.push(Header::new(String::from_utf8_lossy(name).trim(), Bytes::copy_from_slice(value)));
        }
    }
    headers
}

/// Takes one line, without its end; `None` at the end of the text.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let (text, after) = match rest.iter().position(|b| *b == b'\n') {
        Some(end) => (rest.get(..end)?, rest.get(end + 1..)?),
        None => (*rest, Default::default()),
    };
    *rest = after;
    Some(text.strip_suffix(b"\r").unwrap_or(text))
}

fn request(first: &str, headers: Vec<Header>, body: Body) -> Request {
    let mut words = first.split(' ').filter(|word| !word.is_empty());
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    Request { method, target, version: version(first), body, headers, ..Request::default() }
}

fn response(status_line: &str, headers: Vec<Header>, body: Body) -> Response {
    let mut words = status_line.splitn(3, ' ');
    let version = version(words.next().unwrap_or_default());
    let status = words.next().and_then(|s| s.parse().ok()).unwrap_or_default();
    Response {
        status,
        reason: words.next().unwrap_or_default().to_owned(),
        version,
        from: From::Upstream,
        body,
        headers,
        ..Response::default()
    }
}

fn version(text: &str) -> Version {
    match text.rsplit('/').next() {
        Some("1.0") => Version::Http10,
        Some("2" | "2.0") => Version::Http2,
        _ => Version::Http11,
    }
}

/// What a chunked body is taken for whose chunks are not as they should be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// People edit message files, and their chunks' sizes are wrong then: all that is there is the body.
    AsItIs,
    /// It was so on the wire, and ended there.
    Cut,
}

/// The rest of the file. Its length is not compared with Content-Length: people edit such files.
fn body_of(headers: &[Header], bytes: &[u8], broken: Broken) -> Body {
    let chunked = header(headers, "Transfer-Encoding")
        .is_some_and(|h| h.text().to_ascii_lowercase().contains("chunked"));
    let unchunked = chunked.then(|| unchunk(bytes)).flatten();
    let mut body = match unchunked.filter(|unchunked| unchunked.whole || broken == Broken::Cut) {
        Some(Unchunked { bytes, trailers, whole }) => Body { trailers, cut: !whole, ..Body::full(bytes) },
        None => Body::full(bytes.to_vec()),
    };
    if chunked {
        body.framing = Framing::Chunked;
    }
    body.encoding = header(headers, "Content-Encoding").map(|h| h.text().into_owned());
    body
}

struct Unchunked {
    bytes: Vec<u8>,
    trailers: Vec<Header>,
    /// It came to its end.
    whole: bool,
}

/// Undoes the chunked transfer coding (RFC 9112 7.1); `None` when the bytes are not so coded after all.
fn unchunk(bytes: &[u8]) -> Option<Unchunked> {
    let mut rest = bytes;
    let mut unchunked = Unchunked { bytes: Vec::new(), trailers: Vec::new(), whole: false };
    let mut begun = false;
    loop {
        let Some(size) = line(&mut rest).and_then(size_of) else { return begun.then_some(unchunked) };
        begun = true;
        if size == 0 {
            unchunked.trailers = fields(&mut rest);
            unchunked.whole = true;
            return Some(unchunked);
        }
        let Some(data) = rest.get(..size) else {
            unchunked.bytes.extend_from_slice(rest);
            return Some(unchunked);
        };
        unchunked.bytes.extend_from_slice(data);
        rest = rest.get(size..)?;
        line(&mut rest);
    }
}

fn size_of(line: &[u8]) -> Option<usize> {
    let size = std::str::from_utf8(line).ok()?.split(';').next()?.trim();
    usize::from_str_radix(size, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_is_told_by_the_first_line_or_the_content() {
        let request = MessageFile::read(b"POST /x HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n<a/>");
        let MessageFile::Request(request) = request else { panic!() };
        assert_eq!(
            (request.method.as_str(), request.target.as_str(), request.headers.len()),
            ("POST", "/x", 2)
        );
        assert_eq!(&request.body.bytes[..], b"<a/>");

        let response = MessageFile::read(b"HTTP/1.1 200 OK\nContent-Type: text/xml\n\n<a/>");
        let MessageFile::Response(response) = response else { panic!() };
        assert_eq!((response.status, response.reason.as_str(), response.headers.len()), (200, "OK", 1));

        let bare = "<Envelope><Body><DiscoverResponse/></Body></Envelope>";
        assert!(matches!(MessageFile::read(bare.as_bytes()), MessageFile::Response(_)));
        assert!(matches!(MessageFile::read(b"anything"), MessageFile::Request(_)));
        assert!(matches!(MessageFile::read(b""), MessageFile::Request(_)));
    }

    #[test]
    fn a_chunked_file_is_put_together() {
        let text =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<a/\r\n1;x=y\r\n>\r\n0\r\n\r\n";
        let MessageFile::Response(response) = MessageFile::read(text) else { panic!() };
        assert_eq!((&response.body.bytes[..], response.body.framing), (&b"<a/>"[..], Framing::Chunked));
    }
}
