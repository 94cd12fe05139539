//! Between HTTP/2 and HTTP/1.1: what a head loses and gains on its way from one to the other.

use bytes::Bytes;
use hyper::http::{Request, Uri, uri};
use hyper::{Method, Version as Wire};

use super::draft::Draft;
use super::inbound::to_map;
use super::rescue::{Kind, Trouble};
use crate::event::{Header, Response, Sent, Side, Version};
use crate::net::{Edit, Extent, Head, Start};

/// RFC 9113 8.2.2: they speak of an HTTP/1 connection.
const OF_THE_CONNECTION: &[&str] =
    &["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"];

fn is_of_the_connection(header: &Header) -> bool {
    OF_THE_CONNECTION.iter().any(|name| header.name.eq_ignore_ascii_case(name))
}

/// A request of HTTP/2 for a server that speaks HTTP/1.1 only.
pub(super) fn request_for_http1(draft: &mut Draft, head: &Head, extent: Extent) -> Vec<Edit> {
    draft.change(Side::Request, "version", "the request came as HTTP/2 and went to the server as HTTP/1.1");
    let mut edits = Vec::new();
    // RFC 9113 8.2.3: cookies may come in crumbs, and HTTP/1.1 wants them in one.
    let crumbs: Vec<usize> = head.positions("cookie").collect();
    if let [first, rest @ ..] = crumbs.as_slice()
        && !rest.is_empty()
    {
        let values = crumbs.iter().filter_map(|at| head.headers.get(*at)).map(|header| header.value.as_ref());
        let whole = values.collect::<Vec<&[u8]>>().join(&b"; "[..]);
        edits.push(Edit::Value { header: *first, value: Bytes::from(whole) });
        edits.extend(rest.iter().map(|header| Edit::Remove { header: *header }));
        draft.change(Side::Request, "hop-by-hop", format!("{} Cookie fields were joined", crumbs.len()));
    }
    let method = match &head.start {
        Start::Request { method, .. } => method.as_str(),
        Start::Response { .. } => "",
    };
    match extent {
        Extent::Frames(None) => {
            edits.push(Edit::Append { name: "transfer-encoding".into(), value: "chunked".into() });
        }
        // RFC 9110 8.6: without it some servers wait for a body, others refuse.
        Extent::None
            if ["POST", "PUT", "PATCH"].contains(&method) && head.header("content-length").is_none() =>
        {
            edits.push(Edit::Append { name: "content-length".into(), value: "0".into() });
        }
        Extent::None | Extent::Length(_) | Extent::Chunked | Extent::Close | Extent::Frames(Some(_)) => {}
    }
    edits
}

/// A request as h2 sends it.
pub(super) fn request_for_http2(
    head: &Head,
    headers: &[Header],
    secure: bool,
) -> Result<Request<()>, Trouble> {
    let unfit =
        |what: &str| Trouble::new(Kind::Internal, format!("a request that HTTP/2 cannot carry: {what}"));
    let Start::Request { method, target } = &head.start else { return Err(unfit("no request")) };
    let host = crate::event::header(headers, "host").map(|host| host.text().into_owned()).unwrap_or_default();
    let uri: Uri = uri::Builder::new()
        .scheme(if secure { "https" } else { "http" })
        .authority(host.as_str())
        .path_and_query(target.as_str())
        .build()
        .map_err(|_| unfit(target))?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| unfit(method))?;
    *request.uri_mut() = uri;
    *request.version_mut() = Wire::HTTP_2;
    *request.headers_mut() = to_map(headers.iter().filter(|h| !h.name.eq_ignore_ascii_case("host")));
    Ok(request)
}

/// An answer for a device that speaks HTTP/2, whatever it came as.
pub(super) fn response_for_http2(draft: &mut Draft, response: &mut Response, made: bool) {
    let headers = match response.sent.as_deref() {
        Some(Sent { headers: Some(headers), .. }) => headers,
        Some(Sent { headers: None, .. }) | None => &response.headers,
    };
    let (dropped, kept): (Vec<Header>, Vec<Header>) = headers.iter().cloned().partition(is_of_the_connection);
    if made {
        response.version = Version::Http2;
        response.reason = String::new();
        response.headers = kept;
        return;
    }
    if response.version != Version::Http2 {
        let detail = "the server's answer came as HTTP/1.1 and went to the device as HTTP/2";
        draft.change(Side::Response, "version", detail);
    }
    if !dropped.is_empty() {
        let names: Vec<&str> = dropped.iter().map(|header| header.name.as_str()).collect();
        let detail = format!("HTTP/2 has no {}: it was left out", names.join(", "));
        draft.change(Side::Response, "hop-by-hop", detail);
        response.sent.get_or_insert_default().headers = Some(kept);
    }
}
