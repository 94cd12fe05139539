//! Applies an example's edit: the same way to goldens, to recordings and to live answers.

use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::path::{Target, find};
use super::rule::{Change, Edit, Part, Step};
use crate::event::{
    Body, Change as Passage, Connection, ConnectionEvent, Event, Exchange, Framing, Front, Header, Reason,
    Side, Version,
};
use crate::message::{decode_base64, read_request};
use crate::xml::Document;

/// Applies the edit to a recording; `None` when the place is not there, or when only who made the messages can do it
/// (a variant of the request or the certificate).
pub fn apply(edit: &Edit, events: &[Event]) -> Option<Vec<Event>> {
    let mut edited = events.to_vec();
    match *edit {
        Edit::Message { step, side, part, at, change } => {
            let place = position(&edited, step)?;
            let Some(Event::Exchange(exchange)) = edited.get_mut(place) else { return None };
            let exchange = Arc::make_mut(exchange);
            apply_to_message(side, part, at, change, exchange).then_some(edited)
        }
        Edit::Several(edits) => edits.iter().try_fold(edited, |events, edit| apply(edit, &events)),
        Edit::Stop(step) => {
            edited.truncate(position(&edited, step)?);
            Some(edited)
        }
        Edit::Drop(step) => {
            edited.remove(position(&edited, step)?);
            Some(edited)
        }
        Edit::Connection("no-client-certificate") => {
            for event in &mut edited {
                if let Event::Connection(connection) = event {
                    Arc::make_mut(connection).client_certificate.clear();
                }
            }
            Some(edited)
        }
        Edit::Connection("not-asked") => {
            for event in &mut edited {
                match event {
                    Event::Connection(connection) => {
                        let connection = Arc::make_mut(connection);
                        connection.asked_client_certificate = false;
                        connection.client_certificate.clear();
                    }
                    Event::Exchange(exchange) => server_asks(Arc::make_mut(exchange)),
                    Event::End(_) | Event::Session { .. } | Event::Gap { .. } | Event::Tick(_) => {}
                }
            }
            Some(edited)
        }
        Edit::Connection("in-the-clear") => {
            for event in &mut edited {
                if let Event::Connection(connection) = event {
                    let Connection { id, at, event, peer, .. } = &**connection;
                    let (id, peer) = (id.clone(), peer.clone());
                    let listener = "http://0.0.0.0:80".to_owned();
                    let plain =
                        Connection { id, at: *at, event: *event, peer, listener, ..Connection::default() };
                    *connection = Arc::new(plain);
                }
            }
            Some(edited)
        }
        Edit::Connection("tls-in-front") => {
            let mut edited = apply(&Edit::Connection("in-the-clear"), &edited)?;
            for event in &mut edited {
                if let Event::Exchange(exchange) = event {
                    let front = Front { secure: Some(true), ..Front::default() };
                    Arc::make_mut(exchange).front = Some(Box::new(front));
                }
            }
            Some(edited)
        }
        Edit::Own("certificate-in-header") => {
            for event in &mut edited {
                if let Event::Exchange(exchange) = event {
                    let exchange = Arc::make_mut(exchange);
                    server_asks(exchange);
                    exchange.changes.push(Passage {
                        side: Side::Request,
                        what: "client-certificate".to_owned(),
                        detail: "the certificate was handed on as Client-Cert".to_owned(),
                    });
                }
            }
            Some(edited)
        }
        Edit::Connection("client-certificate") => {
            for event in &mut edited {
                if let Event::Connection(connection) = event {
                    let connection = Arc::make_mut(connection);
                    connection.client_certificate = connection.chain.iter().take(1).cloned().collect();
                }
            }
            Some(edited)
        }
        Edit::Connection(what) => {
            let opened = edited.iter().find_map(|event| match event {
                Event::Connection(c) if c.event == ConnectionEvent::Opened => Some(c),
                _ => None,
            })?;
            Some(vec![Event::Connection(Arc::new(edit_connection(what, opened)))])
        }
        Edit::Own(what) => {
            let place = position(&edited, Step::Discover)?;
            let Some(Event::Exchange(exchange)) = edited.get_mut(place) else { return None };
            own(what, Arc::make_mut(exchange)).then_some(edited)
        }
    }
}

/// It asks who we are in every handshake.
fn server_asks(exchange: &mut Exchange) {
    if let Some(upstream) = &mut exchange.upstream {
        upstream.asked_client_certificate = true;
    }
}

/// Only the connection remains: nothing of the enrollment is seen.
fn edit_connection(what: &str, opened: &Connection) -> Connection {
    match (what, what.strip_prefix("sni=")) {
        (_, Some(host)) => Connection { sni: Some(host.to_owned()), ..opened.clone() },
        // Twenty years on, no certificate of the golden is valid any more.
        ("late", _) => Connection { at: opened.at.plus_millis(20 * 366 * 86_400_000), ..opened.clone() },
        _ => Connection {
            event: ConnectionEvent::Failed,
            reason: Some(reason(what)),
            tls: None,
            alpn: None,
            ..opened.clone()
        },
    }
}

fn reason(what: &str) -> Reason {
    match what {
        "silent" => Reason::SilentAfterCertificate,
        "plain-http" => Reason::PlainHttp,
        "garbage" => Reason::Garbage,
        "refused" => Reason::Refused("no TLS version in common".to_owned()),
        alert => Reason::Alert(alert.to_owned()),
    }
}

/// Things that the tool itself does or meets.
fn own(what: &str, exchange: &mut Exchange) -> bool {
    match (what, exchange.upstream.as_mut(), exchange.response.as_mut()) {
        ("unverified", Some(upstream), _) => upstream.verified = false,
        ("newer-tls", Some(upstream), _) => match &mut upstream.tls {
            Some(tls) => "TLS_CHACHA20_POLY1305_SHA256".clone_into(&mut tls.cipher),
            None => return false,
        },
        ("unreachable", Some(upstream), Some(response)) => {
            upstream.error = Some("connection refused".to_owned());
            response.from = crate::event::From::Enrollscope;
            response.status = 502;
            response.body = Body::full("enrollscope: the server refused the connection");
        }
        ("rewritten", _, Some(_)) => exchange.changes.push(Passage {
            side: Side::Response,
            what: "rewrite".to_owned(),
            detail: "https://mdm.example became https://proxy.example".to_owned(),
        }),
        ("cut", _, Some(response)) => response.body.cut = true,
        ("compressed", _, Some(response)) => {
            response.headers.push(Header::new("Content-Encoding", "gzip"));
            response.body.encoding = Some("gzip".to_owned());
            response.body.decoded = true;
        }
        ("error-page", _, Some(response)) => {
            response.status = 500;
            response.body = Body::full("<html><body>Internal Server Error</body></html>");
        }
        ("long", _, Some(response)) => {
            let blanks = vec![b' '; crate::xml::MAX_TEXT];
            response.body = Body::full([&response.body.bytes, &blanks[..]].concat());
        }
        ("slow", _, Some(_)) => exchange.timing.wait = Some(45_000_000),
        ("joined", _, Some(response)) => {
            exchange.request.version = Version::Http10;
            reframe(&mut response.headers, &mut response.body, Change::Set("chunked"));
            exchange.changes.push(passage(Side::Response, "hop-by-hop"));
        }
        ("folded-line" | "100-continue" | "version" | "one-address", ..) => {
            exchange.changes.push(passage(Side::Request, what))
        }
        ("chunk-boundaries", ..) => exchange.changes.push(passage(Side::Response, what)),
        _ => return false,
    }
    true
}

fn passage(side: Side, what: &str) -> Passage {
    Passage { side, what: what.to_owned(), detail: format!("an example of {what}") }
}

/// Where the step's exchange stands.
fn position(events: &[Event], step: Step) -> Option<usize> {
    // Of several the last: where a device renews, it is the renewal that is meant.
    events.iter().rposition(|event| match event {
        Event::Exchange(e) => Step::of(&e.request, read_request(&e.request).kind) == Some(step),
        _ => false,
    })
}

/// Applies one change to one side of an exchange. False when the place is not there, or when it is not for an edit of
/// finished messages to make ([`Change::Variant`]).
pub fn apply_to_message(
    side: Side,
    part: Part,
    at: &'static str,
    change: Change,
    exchange: &mut Exchange,
) -> bool {
    if let (Part::Status, Change::Set(status)) = (part, change) {
        let Some(response) = exchange.response.as_mut() else { return false };
        return status.parse().map(|status| response.status = status).is_ok();
    }
    if let (Part::Target, Change::Set(target)) = (part, change) {
        target.clone_into(&mut exchange.request.target);
        return true;
    }
    let (headers, body) = match (side, exchange.response.as_mut()) {
        (Side::Request, _) => (&mut exchange.request.headers, &mut exchange.request.body),
        (Side::Response, Some(response)) => (&mut response.headers, &mut response.body),
        (Side::Response, None) => return false,
    };
    match part {
        Part::Header(name) => edit_header(headers, name, change),
        Part::Framing => reframe(headers, body, change),
        Part::Body => change_body(headers, body, |text| edit_xml(text, at, change)),
        Part::Provisioning => {
            change_body(headers, body, |text| inside_token(text, |inner| edit_xml(inner, at, change)))
        }
        Part::Csr => change_body(headers, body, |text| inside_token(text, |der| edit_der(der, change))),
        Part::Status | Part::Target | Part::Certificate => false,
    }
}

fn change_body(headers: &mut [Header], body: &mut Body, edit: impl Fn(&[u8]) -> Option<Vec<u8>>) -> bool {
    let Some(changed) = edit(&body.bytes) else { return false };
    if let Some(length) = headers.iter_mut().find(|h| h.name.eq_ignore_ascii_case("Content-Length")) {
        length.value = Bytes::from(changed.len().to_string());
    }
    body.length = changed.len() as u64;
    body.bytes = Bytes::from(changed);
    true
}

fn edit_header(headers: &mut Vec<Header>, name: &'static str, change: Change) -> bool {
    let found = headers.iter().position(|h| h.name.eq_ignore_ascii_case(name));
    match (change, found) {
        (Change::Set(value), Some(at)) => {
            if let Some(header) = headers.get_mut(at) {
                header.value = Bytes::from(value);
            }
        }
        (Change::Set(value), None) => headers.push(Header::new(name, value)),
        (Change::Delete, Some(at)) => drop(headers.remove(at)),
        (Change::Duplicate, Some(at)) => headers.extend(headers.get(at).cloned()),
        (Change::Rename(other), Some(at)) => {
            if let Some(header) = headers.get_mut(at) {
                other.clone_into(&mut header.name);
            }
        }
        _ => return false,
    }
    true
}

fn reframe(headers: &mut Vec<Header>, body: &mut Body, change: Change) -> bool {
    let Change::Set(framing) = change else { return false };
    headers.retain(|h| !h.name.eq_ignore_ascii_case("Content-Length"));
    match framing {
        "chunked" => {
            headers.push(Header::new("Transfer-Encoding", "chunked"));
            body.framing = Framing::Chunked;
        }
        "close" => body.framing = Framing::Close,
        _ => return false,
    }
    true
}

/// Decodes the BinarySecurityToken in the body (not the one in the header), edits it, encodes it again on one line.
fn inside_token(text: &[u8], edit: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let document = Document::read(text);
    let body = document.root()?.child("Body")?;
    let token = body.descendant("BinarySecurityToken")?;
    let changed = edit(&decode_base64(&token.text())?)?;
    splice(text, token.content(), STANDARD.encode(changed).as_bytes())
}

fn edit_der(der: &[u8], change: Change) -> Option<Vec<u8>> {
    match change {
        // The last byte is the signature's.
        Change::Corrupt => {
            let mut der = der.to_vec();
            *der.last_mut()? ^= 1;
            Some(der)
        }
        Change::Delete => Some(der.get(..der.len() / 2)?.to_vec()),
        Change::Insert(more) => Some([der, more.as_bytes()].concat()),
        _ => None,
    }
}

fn edit_xml(text: &[u8], at: &'static str, change: Change) -> Option<Vec<u8>> {
    let document = Document::read(text);
    if at.is_empty() {
        let root = document.root()?;
        return match change {
            // Without its end tag the document is not well-formed, and can still be read.
            Change::Corrupt => splice(text, root.content().end..root.span().end, b""),
            Change::Set(whole) => Some(whole.as_bytes().to_vec()),
            Change::Delete => Some(Vec::new()),
            Change::Rename(prefix) => splice(text, 0..0, prefix.as_bytes()),
            Change::Duplicate | Change::Insert(_) | Change::MoveBefore(_) | Change::Variant(_) => None,
        };
    }
    match find(&document, at)? {
        Target::Element(element) => match change {
            Change::Set(value) | Change::Insert(value) if element.content().is_empty() => {
                // `<a/>` becomes `<a>value</a>`.
                let start = text.get(element.start())?;
                let start = start.strip_suffix(b"/>").or_else(|| start.strip_suffix(b">"))?;
                let whole = [start, b">", value.as_bytes(), b"</", element.name().as_bytes(), b">"].concat();
                splice(text, element.span(), &whole)
            }
            Change::Set(value) => splice(text, element.content(), value.as_bytes()),
            Change::Insert(value) => {
                let end = element.content().end;
                splice(text, end..end, value.as_bytes())
            }
            Change::MoveBefore(sibling) => {
                let target = element.parent()?.child(sibling)?.span().start;
                let span = element.span();
                let moved = text.get(span.clone())?;
                let without = splice(text, span.clone(), b"")?;
                let target = if target > span.start { target - span.len() } else { target };
                splice(&without, target..target, moved)
            }
            Change::Delete => splice(text, element.span(), b""),
            Change::Duplicate => {
                let copy = text.get(element.span())?.to_vec();
                let end = element.span().end;
                splice(text, end..end, &copy)
            }
            Change::Rename(name) => {
                let prefix = element.name().strip_suffix(element.local())?;
                let new = format!("{prefix}{name}");
                let span = element.span();
                let mut copy = text.to_vec();
                let start = element.start().start + 1..element.start().start + 1 + element.name().len();
                if span.end > element.content().end {
                    let end = element.content().end + 2;
                    copy = splice(&copy, end..end + element.name().len(), new.as_bytes())?;
                }
                splice(&copy, start, new.as_bytes())
            }
            Change::Corrupt => {
                let content = element.content();
                let middle = content.start + (content.end - content.start) / 2;
                splice(text, middle..middle, b"!")
            }
            Change::Variant(_) => None,
        },
        Target::Attribute(element, name) => {
            let attribute = element.attribute(name);
            match (change, attribute) {
                (Change::Set(value), Some(attribute)) => splice(text, attribute.span(), value.as_bytes()),
                (Change::Set(value), None) => {
                    let at = element.start().start + 1 + element.name().len();
                    splice(text, at..at, format!(" {name}=\"{value}\"").as_bytes())
                }
                (Change::Delete, Some(attribute)) => {
                    let value = attribute.span();
                    // Back over the quote, `=` and the name, and the blank before it.
                    let before = text.get(..value.start)?;
                    let name_at = before.len().checked_sub(2 + attribute.name().len())?;
                    splice(text, name_at.checked_sub(1)?..value.end + 1, b"")
                }
                (Change::Corrupt, Some(attribute)) => {
                    let span = attribute.span();
                    let middle = span.start + (span.end - span.start) / 2;
                    splice(text, middle..middle, b"!")
                }
                _ => None,
            }
        }
    }
}

fn splice(text: &[u8], span: Range<usize>, with: &[u8]) -> Option<Vec<u8>> {
    Some([text.get(..span.start)?, with, text.get(span.end..)?].concat())
}
