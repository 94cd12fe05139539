//! Heads of HTTP/2 as this crate keeps all heads: pseudo headers in their places, and the same head spelled as HTTP/1.1.

use bytes::Bytes;
use hyper::http::{HeaderMap, request, response};

use super::head::{Extent, Head, MOST_HEADERS, Refusal, Span, Start, content_length, request_length};
use crate::event::{Header, Version};

impl Head {
    /// Reads a request's head; `ends` with it, if there is no body. What h2 has refused before never comes here.
    pub fn of_http2_request(parts: &request::Parts, ends: bool) -> Result<Self, Refusal> {
        let method = parts.method.as_str().to_owned();
        let authority = parts.uri.authority().map(|authority| authority.as_str());
        let path = parts.uri.path_and_query().map(|path| path.as_str());
        // A tunnel has an authority only (RFC 9113 8.5).
        let target = path.or(authority).unwrap_or_default().to_owned();
        let mut headers = fields(&parts.headers);
        let hosts: Vec<Header> =
            headers.iter().filter(|header| header.name == "host").take(2).cloned().collect();
        if let (Some(authority), []) = (authority, hosts.as_slice()) {
            headers.insert(0, Header::new("host", authority.to_owned()));
        }
        let refuse = |status, what: String| Refusal {
            status,
            what,
            readable: Some((method.clone(), target.clone())),
            version: Version::Http2,
            headers: headers.clone(),
        };
        if headers.len() > MOST_HEADERS {
            return Err(refuse(431, format!("more than {MOST_HEADERS} headers")));
        }
        if let Some(what) = contradiction(authority, &hosts) {
            return Err(refuse(400, what));
        }
        if path.is_some_and(|path| !path.starts_with('/') && path != "*") {
            return Err(refuse(400, format!("a :path that is no path: {target:?}")));
        }
        let length = request_length(&headers).map_err(|(status, what)| refuse(status, what))?;
        let extent = if ends { Extent::None } else { Extent::Frames(length) };
        Ok(Self::spelled(Start::Request { method, target }, headers, extent))
    }

    /// Reads a response's head; the answer to a HEAD request has no body, whatever its head says.
    pub fn of_http2_response(parts: &response::Parts, to_head: bool, ends: bool) -> Result<Self, Refusal> {
        let headers = fields(&parts.headers);
        let status = parts.status.as_u16();
        let length = content_length(&headers).map_err(|(_, what)| Refusal::of(502, what))?;
        let bodiless = to_head || ends || status == 204 || status == 304;
        let extent = if bodiless { Extent::None } else { Extent::Frames(length) };
        Ok(Self::spelled(Start::Response { status, reason: String::new() }, headers, extent))
    }

    fn spelled(start: Start, headers: Vec<Header>, extent: Extent) -> Self {
        let mut raw = match &start {
            Start::Request { method, target } => format!("{method} {target} HTTP/1.1\r\n"),
            Start::Response { status, reason } => format!("HTTP/1.1 {status} {reason}\r\n"),
        }
        .into_bytes();
        let mut spans = Vec::with_capacity(headers.len());
        for header in &headers {
            let begin = raw.len();
            raw.extend_from_slice(header.name.as_bytes());
            raw.extend_from_slice(b": ");
            let value = raw.len()..raw.len() + header.value.len();
            raw.extend_from_slice(&header.value);
            raw.extend_from_slice(b"\r\n");
            spans.push(Span { line: begin..raw.len(), value });
        }
        raw.extend_from_slice(b"\r\n");
        Self {
            start,
            version: Version::Http2,
            headers,
            extent,
            keep_alive: true,
            folded: false,
            raw: Bytes::from(raw),
            spans,
        }
    }
}

/// Header fields as h2 hands them over: equal names stand together, at the place of the first.
pub fn fields(map: &HeaderMap) -> Vec<Header> {
    map.iter()
        .map(|(name, value)| Header::new(name.as_str(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}

/// RFC 9113 8.3.1: whom the request is for must be told, and told once.
fn contradiction(authority: Option<&str>, hosts: &[Header]) -> Option<String> {
    let bad = |name: &str| name.is_empty() || name.contains(|c: char| " \t/?#@,\\".contains(c));
    match (authority, hosts) {
        (_, [_, _, ..]) => Some("more than one Host header".into()),
        (None, []) => Some("neither :authority nor Host".into()),
        (Some(authority), []) => {
            bad(authority).then(|| format!("an :authority that names no host: {authority:?}"))
        }
        (None, [host]) => {
            bad(&host.text()).then(|| format!("a Host header that names no host: {:?}", host.text()))
        }
        (Some(authority), [host]) => {
            let same = host.text().eq_ignore_ascii_case(authority) && !bad(authority);
            (!same).then(|| format!("an :authority, {authority:?}, and another Host, {:?}", host.text()))
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn read(uri: &str, headers: &[(&str, &str)], ends: bool) -> Result<Head, Refusal> {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Head::of_http2_request(&request.body(()).unwrap().into_parts().0, ends)
    }

    #[test]
    fn pseudo_headers_take_their_places_and_the_head_can_be_spelled_as_http1() {
        let head = read("https://Mdm.example:8443/a?b=%2f", &[("x-b", "1"), ("content-length", "3")], false);
        let head = head.unwrap();
        assert_eq!(head.start, Start::Request { method: "POST".into(), target: "/a?b=%2f".into() });
        assert_eq!((head.version, head.extent), (Version::Http2, Extent::Frames(Some(3))));
        let spelled =
            "POST /a?b=%2f HTTP/1.1\r\nhost: Mdm.example:8443\r\nx-b: 1\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(head.raw(), spelled.as_bytes());
        assert_eq!(read("https://a/", &[("host", "A")], true).unwrap().headers.len(), 1);
        assert_eq!(read("https://a/", &[], true).unwrap().extent, Extent::None);
    }

    #[test]
    fn requests_that_two_readers_could_read_differently_are_refused() {
        let check = |uri: &str, headers: &[(&str, &str)], words: &str| {
            let refusal = read(uri, headers, false).unwrap_err();
            assert!(refusal.what.contains(words) && refusal.readable.is_some(), "{}", refusal.what);
        };
        check("https://a@b/", &[], "names no host");
        check("https://a/", &[("host", "b")], "another Host");
        check("https://a/", &[("host", "a"), ("host", "a")], "more than one Host");
        check("/", &[], "neither :authority nor Host");
        check("/", &[("host", "a/b")], "names no host");
        check("https://a/", &[("content-length", "+3")], "no number");
    }
}
