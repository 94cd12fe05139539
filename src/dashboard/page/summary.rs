//! An exchange at a glance: times, both connections, who answered, how it was framed, what was changed.

use crate::dashboard::exchanges::Seen;
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::Model;
use crate::dashboard::text::{bytes, clock, exact, grouped, micros};
use crate::event::{Body, Delivery, Exchange, Framing, From, Timing, Version};
use crate::message::certificate::Certificate;

use super::device;

pub(super) fn page(model: &Model, seen: &Seen, whole: Option<&Exchange>, width: usize) -> Page {
    let mut page = Page::default();
    page.heading("Exchange");
    let number = if seen.seq > 0 { format!("#{}", seen.seq) } else { "not recorded".to_owned() };
    page.field("number", Role::Plain, &number, width);
    page.field("id", Role::Dim, &seen.id.0, width);
    page.field("request", Role::Strong, &format!("{} {}", seen.method, seen.target), width);
    let message = format!("{} → {}", seen.request.word(), seen.response.word());
    page.field("message", Role::Plain, &message, width);
    let (role, status) = device::status(seen);
    let reason = whole.and_then(|w| w.response.as_ref()).map(|r| r.reason.as_str()).unwrap_or_default();
    let answer = match (seen.status, seen.from) {
        (None, _) => "no answer was sent".to_owned(),
        (Some(_), From::Upstream) => format!("{status} {reason} by the server"),
        (Some(400..), From::Enrollscope) => {
            format!("{status} {reason} by enrollscope, in the server's place")
        }
        (Some(_), From::Enrollscope) => format!("{status} {reason} by enrollscope"),
    };
    page.field("answer", role, &answer, width);
    page.field("delivery", Role::Plain, delivery(seen.delivery), width);
    if let Some(link) = seen.link {
        let text = format!(
            "{} (a {} match)",
            seen.enrollment.map(|e| e.to_string()).unwrap_or_default(),
            link.word()
        );
        page.field("enrollment", Role::Plain, &text, width);
    }

    page.heading("Time");
    page.field("began", Role::Plain, &clock(seen.at, &model.zone.0, true), width);
    if let Some(millis) = seen.millis {
        page.field("answered", Role::Plain, &format!("after {}", exact(millis)), width);
    }
    let Some(exchange) = whole else { return page };
    timing(&mut page, exchange, width);
    device_side(&mut page, seen, width);
    server_side(&mut page, exchange, width);

    page.heading("Bodies");
    page.field("request", Role::Plain, &body(&exchange.request.body, exchange.request.version), width);
    if let Some(response) = &exchange.response {
        page.field("response", Role::Plain, &body(&response.body, response.version), width);
    }
    page.heading("Changed on the way");
    if exchange.changes.is_empty() {
        page.push(Line::new(Role::Dim, "  nothing"));
    }
    for change in &exchange.changes {
        page.field(&change.what, Role::Plain, &change.detail, width);
    }
    page
}

fn timing(page: &mut Page, exchange: &Exchange, width: usize) {
    let parts = steps(&exchange.timing);
    if !parts.is_empty() {
        page.field("steps", Role::Plain, &parts, width);
    }
}

/// `connect 1.2 ms, TLS 5.3 ms`; empty where nothing was measured.
pub(super) fn steps(timing: &Timing) -> String {
    let parts = timing.steps().map(|(name, time)| time.map(|time| format!("{name} {}", micros(time))));
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn device_side(page: &mut Page, seen: &Seen, width: usize) {
    page.heading("Device side");
    let Some(connection) = &seen.connection else {
        page.push(Line::new(Role::Dim, "  not known"));
        return;
    };
    page.field("from", Role::Plain, &connection.peer, width);
    page.field("listener", Role::Plain, &connection.listener, width);
    page.field("host name", Role::Plain, connection.sni.as_deref().unwrap_or("none was sent"), width);
    let tls = connection.tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher));
    page.field("TLS", Role::Plain, tls.as_deref().unwrap_or("none"), width);
    if let Some(alpn) = &connection.alpn {
        page.field("ALPN", Role::Plain, alpn, width);
    }
    chain(page, "we served", &connection.chain, width);
    match (&connection.client_certificate[..], connection.asked_client_certificate) {
        ([], true) => {
            page.field("device's", Role::Plain, "no certificate, though it was asked for one", width)
        }
        (shown, _) => chain(page, "device's", shown, width),
    }
}

fn server_side(page: &mut Page, exchange: &Exchange, width: usize) {
    page.heading("Server side");
    let Some(upstream) = &exchange.upstream else {
        page.push(Line::new(Role::Dim, "  nothing was sent there"));
        return;
    };
    page.field("server", Role::Plain, &upstream.origin, width);
    let address = upstream.address.as_deref().unwrap_or("no connection came about");
    let reused = if upstream.reused { " (connection used before)" } else { "" };
    page.field("address", Role::Plain, &format!("{address}{reused}"), width);
    let tls = upstream.tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher));
    page.field("TLS", Role::Plain, tls.as_deref().unwrap_or("none"), width);
    if upstream.tls.is_some() && !upstream.verified {
        page.field("", Role::Error, "the certificate was not verified", width);
    }
    if let Some(alpn) = &upstream.alpn {
        page.field("ALPN", Role::Plain, alpn, width);
    }
    chain(page, "it served", &upstream.chain, width);
    if upstream.asked_client_certificate {
        page.field("", Role::Plain, "it asked for a client certificate", width);
    }
    if let Some(error) = &upstream.error {
        page.field("trouble", Role::Error, error, width);
    }
}

fn chain(page: &mut Page, label: &str, chain: &[bytes::Bytes], width: usize) {
    for (index, der) in chain.iter().enumerate() {
        let text =
            Certificate::read(der).map_or_else(|| "an unreadable certificate".to_owned(), |c| c.describe());
        page.field(if index == 0 { label } else { "" }, Role::Plain, &text, width);
    }
}

fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Pending => "not known",
        Delivery::Complete => "complete",
        Delivery::Cut => "cut: the server's answer broke off",
        Delivery::Reset => "the device left before it had all",
    }
}

fn body(body: &Body, version: Version) -> String {
    let framing = match body.framing {
        Framing::Length => "Content-Length",
        Framing::Chunked => "chunked",
        Framing::Close => "ended by the close",
        Framing::H2 => "HTTP/2 frames",
        Framing::None => "no body",
    };
    let version = match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2",
    };
    let mut text = format!("{version}, {framing}");
    if body.framing != Framing::None || body.length > 0 {
        text.push_str(&format!(", {} ({} bytes)", bytes(body.length), grouped(body.length)));
    }
    text.extend(body.encoding.iter().map(|encoding| format!(", {encoding}")));
    if body.cut {
        text.push_str(", broke off early");
    }
    text.extend(body.withheld.iter().map(|why| format!(", not kept: {why}")));
    text
}

/// An exchange in words, to be told to somebody.
pub(crate) fn sentence(seen: &Seen) -> String {
    let status = seen.status.map_or_else(|| "no answer".to_owned(), |s| s.to_string());
    format!("{} {} {} ({}) {status}\n", seen.at, seen.method, seen.target, seen.kind().word())
}
