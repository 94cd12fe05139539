//! One exchange: from the device's head to the server and back, changing nothing that was not asked for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, header};

use super::certificate::{hand_on, removes_claims};
use super::connection::Session;
use super::deliver::{Held, Reply, Source, deliver};
use super::draft::{Draft, folded};
use super::forwarded::{self, Device, Forwarded};
use super::from_server::FromServer;
use super::inbound::{Inbound, in_words};
use super::plain;
use super::pool::{Carrier, Link};
use super::rescue::{self, Kind, Trouble};
use super::sites::{Site, asked_host, contradiction, site, two_hosts};
use super::tap::{Copy, Tapped, To};
use super::translate::Translation;
use super::trunk::{Sending, Trunk, passes};
use super::versions::{request_for_http1, request_for_http2};
use crate::event::{self, From, Sent, Side, Version};
use crate::net::{Arrived, Departing, Edit, Extent, Fate, Head, Start, now};

/// Answers one request, whatever becomes of it.
pub(super) async fn answer(session: &Arc<Session>, body: Incoming) -> Response<Held> {
    // The wire announces every message before hyper sees it; a stand-in for the impossible case refuses it.
    let arrived = session.leg().take_arrived().unwrap_or_else(Arrived::missing);
    let (draft, reply) = reply(session, arrived, Inbound::Http1(body)).await;
    deliver(session, draft, reply).await
}

/// The exchange so far, and what the device gets.
pub(super) async fn reply(session: &Arc<Session>, arrived: Arrived, body: Inbound) -> (Draft, Reply) {
    let mut draft = Draft::new(session, &arrived);
    let head = match arrived.head {
        Ok(head) => head,
        Err(refusal) => {
            if refusal.readable.is_none() {
                draft.forget();
            }
            return (draft, rescue::refuse(&refusal));
        }
    };
    if let Some(reply) = plain::answer(session, &head) {
        return (draft, reply);
    }
    let site = choose(session, &mut draft, &head);
    let reply = match &site {
        Err(trouble) => trouble.reply(None),
        Ok(site) => match forward(session, site, &mut draft, &head, body).await {
            Ok(reply) => reply,
            Err(trouble) => {
                if let Some(error) = trouble.upstream_error() {
                    let upstream = draft.exchange.upstream.get_or_insert_with(|| site.pool.unconnected());
                    upstream.error = Some(error);
                }
                tracing::warn!(exchange = %draft.exchange.id, "{trouble}");
                trouble.reply(Some(&site.settings.upstream))
            }
        },
    };
    (draft, reply)
}

/// Where the request goes; a name that contradicts the one in TLS is noted.
fn choose(session: &Session, draft: &mut Draft, head: &Head) -> Result<Arc<Site>, Trouble> {
    if head.is_connect() {
        return Err(Trouble::new(Kind::Method, "CONNECT asks for a tunnel, and there is none here".into()));
    }
    if let Some(detail) = two_hosts(head, session.is_secure()) {
        return Err(Trouble::new(Kind::Misdirected, detail));
    }
    let host = asked_host(head, session.is_secure());
    let site = site(session.sites(), host.as_deref(), session.sni())?;
    if let Some(detail) = contradiction(host.as_deref(), session.sni()) {
        draft.change(Side::Request, "other-host", detail);
    }
    Ok(site)
}

/// MS-MDE2 3.1: where every enrollment by a user begins.
fn begins_enrollment(head: &Head) -> bool {
    const PATH: &str = "/enrollmentserver/discovery.svc";
    matches!(&head.start, Start::Request { target, .. } if target.to_ascii_lowercase().contains(PATH))
}

async fn forward(
    session: &Arc<Session>,
    site: &Arc<Site>,
    draft: &mut Draft,
    head: &Head,
    body: Inbound,
) -> Result<Reply, Trouble> {
    let mut edits = without_upgrade(draft, head);
    edits.extend(hand_on(session, site, draft, head));
    if head.lists("expect", "100-continue") {
        draft.change(Side::Request, "100-continue", "100 Continue was answered by enrollscope");
    }
    edits.extend(forwarding(session, draft, head));
    if begins_enrollment(head)
        && let Some(detail) = session.hidden()
    {
        draft.change(Side::Request, "one-address", detail);
    }
    let form = removes_claims(session).then(|| site.settings.certificate_header.clone());
    let mut body = Tapped::new(body, draft.request.clone(), Arc::clone(session.leg()), form);
    let translation = Translation::of(session, site, head, draft.exchange.front.as_deref());
    let mut extent = head.extent;
    let mut sent_body = None;
    if let Some(translation) = &translation {
        let changed = translation.request(draft, head, &mut body).await?;
        extent = changed.extent(extent);
        edits.extend(changed.edits);
        sent_body = changed.body;
    }
    let carrier =
        if head.version == Version::Http2 { Some(carrier(session, site, draft).await?) } else { None };
    let link = match carrier {
        Some(Carrier::Trunk(trunk)) => {
            draft.exchange.request.sent = sent(head, &edits, sent_body);
            let request =
                request_for_http2(head, &head.edited_headers(&edits), site.settings.upstream.secure)?;
            let answered = send_on_trunk(session, site, draft, (trunk, request, body)).await?;
            return receive(draft, head, answered, translation.as_ref()).await;
        }
        Some(Carrier::Link(link)) => {
            edits.extend(request_for_http1(draft, head, extent));
            extent = extent.in_http1();
            Some(link)
        }
        None => None,
    };
    draft.exchange.request.sent = sent(head, &edits, sent_body);
    let mut outgoing =
        Outgoing { head: head.edited(&edits), extent, is_head: head.is_head(), body: Some(body) };
    let (link, response) = send(session, site, draft, &mut outgoing, link).await?;
    let answered = of_http1(site, link, response)?;
    receive(draft, head, answered, translation.as_ref()).await
}

/// What a request of HTTP/2 goes over: that, too, if the server will have it.
async fn carrier(session: &Session, site: &Arc<Site>, draft: &mut Draft) -> Result<Carrier, Trouble> {
    let berth = session.berth(site);
    loop {
        let Some(mut trunk) = berth.shared() else { break };
        if trunk.is_ready().await {
            return Ok(Carrier::Trunk(trunk));
        }
        berth.retire(&trunk);
    }
    if site.pool.protocols.are_http1()
        && let Some(link) = session.take_link(site).await
    {
        return Ok(Carrier::Link(link));
    }
    let mut noted = site.pool.unconnected();
    let outcome = site.pool.open_shared(&berth, &mut noted, &mut draft.exchange.timing).await;
    draft.exchange.upstream = Some(noted);
    outcome
}

/// Sends the request on a stream of its own; it goes out once.
async fn send_on_trunk<'s>(
    session: &Session,
    site: &'s Arc<Site>,
    draft: &mut Draft,
    (mut trunk, request, body): (Trunk, Request<()>, Tapped),
) -> Result<Answered<'s>, Trouble> {
    let is_head = request.method() == Method::HEAD;
    draft.exchange.upstream = Some(trunk.facts.clone());
    let patience = session.limits().upstream_answer;
    let sending = trunk.send(request, body, session.limits().stalled_write);
    let answer = match within(&draft.request, patience, sending).await {
        Some(Ok(answer)) => answer,
        Some(Err(error)) => {
            draft.reset = passes(&error);
            // Our own reset: the request's body gave the reason.
            let ours = error.is_reset() && !error.is_remote() && !error.is_library();
            return Err(if ours {
                broken_request()
            } else {
                Trouble::new(Kind::ClosedEarly, in_words(&error))
            });
        }
        None => {
            session.berth(site).retire(&trunk);
            return Err(Trouble::new(Kind::Timeout, format!("no answer came within {patience:?}")));
        }
    };
    let (parts, body) = answer.response.into_parts();
    let head = Head::of_http2_response(&parts, is_head, body.is_end_stream())
        .map_err(|refusal| Trouble::new(Kind::Garbage, format!("it has {}", refusal.what)))?;
    Ok(Answered {
        site,
        head,
        at: now(),
        body: Inbound::http2(body, patience).on(trunk.over()),
        carrier: Carrier::Trunk(trunk),
        interim: answer.interim,
        sending: answer.sending,
    })
}

/// The server is told of the device, if that was asked for.
fn forwarding(session: &Session, draft: &mut Draft, head: &Head) -> Vec<Edit> {
    let mode = session.forwarded();
    if mode == Forwarded::Off {
        return Vec::new();
    }
    let host = head.header("host").map(|host| host.text().into_owned());
    let Some(mut device) = Device::new(session.peer(), session.is_secure(), host) else { return Vec::new() };
    if let Some(front) = draft.exchange.front.as_deref() {
        device = device.behind(front, mode);
    }
    let Some((edits, detail)) = forwarded::edits(mode, head, &device) else { return Vec::new() };
    draft.change(Side::Request, "forwarded", detail);
    edits
}

/// What the other side gets, where it differs.
fn sent(head: &Head, edits: &[Edit], body: Option<Bytes>) -> Option<Box<Sent>> {
    let headers = (!edits.is_empty()).then(|| head.edited_headers(edits));
    (headers.is_some() || body.is_some()).then(|| Box::new(Sent { target: None, headers, body }))
}

/// A request on its way.
struct Outgoing {
    head: Bytes,
    extent: Extent,
    is_head: bool,
    body: Option<Tapped>,
}

/// We could not carry what an upgrade leads to, so the server must not be asked for one.
fn without_upgrade(draft: &mut Draft, head: &Head) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    if head.header("upgrade").is_none() {
        return edits;
    }
    for name in ["upgrade", "http2-settings"] {
        edits.extend(head.positions(name).map(|header| Edit::Remove { header }));
    }
    for header in head.positions("connection") {
        let value = head.headers.get(header).map(|h| h.text().into_owned()).unwrap_or_default();
        let drop = |token: &str| ["upgrade", "http2-settings"].contains(&token.to_ascii_lowercase().as_str());
        let kept: Vec<&str> = value.split(',').map(str::trim).filter(|token| !drop(token)).collect();
        edits.push(if kept.is_empty() {
            Edit::Remove { header }
        } else {
            Edit::Value { header, value: Bytes::from(kept.join(", ")) }
        });
    }
    draft.change(
        Side::Request,
        "hop-by-hop",
        "Upgrade was removed: enrollscope does not change protocols within a connection",
    );
    edits
}

/// Sends the request on a pooled connection, or on a new one; it goes out once.
async fn send(
    session: &Session,
    site: &Arc<Site>,
    draft: &mut Draft,
    outgoing: &mut Outgoing,
    mut first: Option<Link>,
) -> Result<(Link, Response<Incoming>), Trouble> {
    loop {
        let taken = match first.take() {
            Some(link) => Some(link),
            None => session.take_link(site).await,
        };
        let mut link = match taken {
            Some(link) => link,
            None => {
                let mut noted = site.pool.unconnected();
                let outcome = site.pool.link(&mut noted, &mut draft.exchange.timing).await;
                draft.exchange.upstream = Some(noted);
                outcome?
            }
        };
        draft.exchange.upstream = Some(link.facts.clone());
        link.leg.depart(Departing {
            head: outgoing.head.clone(),
            extent: outgoing.extent,
            is_head: outgoing.is_head,
        });
        let Some(mut body) = outgoing.body.take() else {
            return Err(Trouble::new(Kind::Internal, "a request's body was gone before it was sent".into()));
        };
        body.send_to(To::Http1 { leg: Arc::clone(&link.leg), chunked: outgoing.extent == Extent::Chunked });
        let request = stand_in(outgoing, body);
        let sending = link.sender.try_send_request(request);
        let patience = session.limits().upstream_answer;
        match within(&draft.request, patience, sending).await {
            Some(Ok(response)) => return Ok((link, response)),
            Some(Err(mut error)) => {
                // Only a message that comes back whole has certainly not been sent.
                if let Some(request) = error.take_message()
                    && link.facts.reused
                {
                    outgoing.body = Some(request.into_body());
                    continue;
                }
                return Err(why(&link, draft, error.error()));
            }
            None => {
                let waited = format!("no answer came within {patience:?}");
                return Err(Trouble::new(Kind::Timeout, waited));
            }
        }
    }
}

/// Waits for the answer's head as long as the request is on its way, and so long after its last byte.
async fn within<F: Future>(request: &Copy, patience: Duration, answer: F) -> Option<F::Output> {
    tokio::pin!(answer);
    loop {
        let deadline = request.lock().touched + patience;
        tokio::select! {
            answer = &mut answer => return Some(answer),
            () = tokio::time::sleep_until(deadline.into()) => {
                if request.lock().touched + patience <= deadline {
                    return None;
                }
            }
        }
    }
}

/// What hyper is told; the wire puts the exact head in its place.
fn stand_in(outgoing: &Outgoing, body: Tapped) -> Request<Tapped> {
    let mut request = Request::new(body);
    *request.method_mut() = if outgoing.is_head { Method::HEAD } else { Method::POST };
    match outgoing.extent {
        Extent::None | Extent::Close | Extent::Frames(_) => {}
        Extent::Length(length) => {
            request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        Extent::Chunked => {
            request.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
    request
}

/// Finds the cause behind hyper's error.
fn why(link: &Link, draft: &Draft, error: &hyper::Error) -> Trouble {
    let request = draft.request.lock();
    match link.leg.fate() {
        Some(Fate::BadHead(what)) => Trouble::new(Kind::Garbage, format!("it has {what}")),
        Some(Fate::Alert(alert)) => Trouble::new(Kind::Tls, format!("it sent the alert {alert}")),
        Some(Fate::Timeout(what)) => Trouble::new(Kind::Timeout, what),
        _ if !request.complete && error.is_user() => broken_request(),
        Some(Fate::Lost(what)) => {
            Trouble::new(Kind::ClosedEarly, format!("the connection broke before an answer came ({what})"))
        }
        Some(Fate::Closed) | None => {
            Trouble::new(Kind::ClosedEarly, "it closed the connection before it answered".into())
        }
    }
}

fn broken_request() -> Trouble {
    Trouble::new(
        Kind::Request,
        "the request's body broke off or is malformed, and could not be passed on".into(),
    )
}

/// The server's answer, and the connection that it comes on.
struct Answered<'s> {
    site: &'s Arc<Site>,
    carrier: Carrier,
    head: Head,
    at: event::Time,
    body: Inbound,
    /// Statuses of interim responses that came before.
    interim: Vec<u16>,
    /// The rest of the request, on an HTTP/2 stream.
    sending: Option<Sending>,
}

fn of_http1(site: &Arc<Site>, link: Link, response: Response<Incoming>) -> Result<Answered<'_>, Trouble> {
    let Some(Arrived { head, at, .. }) = link.leg.take_arrived() else {
        return Err(Trouble::new(Kind::Internal, "hyper announced an answer without a head".into()));
    };
    let head = head.map_err(|refusal| Trouble::new(Kind::Garbage, format!("it has {}", refusal.what)))?;
    let interim = link.leg.take_interim();
    let body = Inbound::Http1(response.into_body());
    Ok(Answered { site, carrier: Carrier::Link(link), head, at, body, interim, sending: None })
}

/// The server's head is here: what the device gets of it.
async fn receive(
    draft: &mut Draft,
    request: &Head,
    answered: Answered<'_>,
    translation: Option<&Translation>,
) -> Result<Reply, Trouble> {
    let Answered { site, mut carrier, head, at, body, interim, sending } = answered;
    let Start::Response { status, reason } = &head.start else {
        return Err(Trouble::new(Kind::Internal, "a request where an answer was expected".into()));
    };
    if *status == 101 {
        return Err(Trouble::new(Kind::Garbage, "it switches protocols, which nobody asked for".into()));
    }
    draft.mark_answered();
    for status in interim.into_iter().filter(|status| *status != 100) {
        let detail = format!("the interim response {status} was not passed on");
        draft.change(Side::Response, "100-continue", detail);
    }
    if head.folded {
        draft.exchange.changes.push(folded(Side::Response));
    }
    let (mut edits, mut extent) = for_old_device(draft, request, &head);
    if let Carrier::Link(link) = &mut carrier {
        link.pinned |= asks_for_connection_auth(*status, &head);
    }
    let reusable = head.keep_alive && request.keep_alive && head.extent != Extent::Close;
    let copied = draft.copied(head.extent);
    let mut server = FromServer::new(body, Arc::clone(site), carrier, copied, reusable);
    server.sending = sending;
    let mut sent_body = None;
    if let Some(translation) = translation {
        let changed = translation.response(draft, &head, &mut server).await;
        extent = changed.extent(extent);
        edits.extend(changed.edits);
        sent_body = changed.body;
    }
    let event = event::Response {
        at,
        status: *status,
        reason: reason.clone(),
        version: head.version,
        from: From::Upstream,
        headers: head.headers.clone(),
        sent: sent(&head, &edits, sent_body),
        ..event::Response::default()
    };
    let keep_alive = head.keep_alive && extent != Extent::Close;
    let source = Source::Server(Box::new(server));
    Ok(Reply { head: head.edited(&edits), extent, keep_alive, source, response: event })
}

/// HTTP/1.0 knows no chunks: such an answer ends with the connection.
fn for_old_device(draft: &mut Draft, request: &Head, head: &Head) -> (Vec<Edit>, Extent) {
    if request.version != Version::Http10 || head.extent != Extent::Chunked {
        return (Vec::new(), head.extent);
    }
    let mut edits: Vec<Edit> =
        head.positions("transfer-encoding").map(|header| Edit::Remove { header }).collect();
    edits.extend(head.positions("connection").map(|header| Edit::Remove { header }));
    edits.push(Edit::Append { name: "Connection".into(), value: "close".into() });
    draft.change(
        Side::Response,
        "hop-by-hop",
        "the server answered HTTP/1.0 with chunks; the device got them joined, ended by the close",
    );
    (edits, Extent::Close)
}

/// Negotiate and NTLM authenticate the connection, not the request (RFC 4559): it must stay with its device.
fn asks_for_connection_auth(status: u16, head: &Head) -> bool {
    let asks = |name: &str| {
        let mut values = head.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        values.any(|h| {
            let scheme = h.text().trim_start().to_ascii_lowercase();
            scheme.starts_with("negotiate") || scheme.starts_with("ntlm")
        })
    };
    (status == 401 && asks("www-authenticate")) || (status == 407 && asks("proxy-authenticate"))
}
