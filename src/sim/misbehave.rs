//! `--break RULE`: the rule's own example, made on a live message by the side that sends it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use thiserror::Error;

use super::text::headers;
use crate::event::{Body, Exchange, Request, Response, Side};
use crate::message::{Characteristic, Kind, decode_base64};
use crate::rules::{Change, Edit, Part, Rule, Step, apply_to_message};
use crate::xml::Document;

#[derive(Debug, Error)]
pub enum MisbehaveError {
    #[error("{0} is the device's to break: use `enroll --break {0}`")]
    DeviceSide(&'static str),
    #[error("{0} is the server's to break: use `server --break {0}`")]
    ServerSide(&'static str),
    #[error("{0} is broken neither by a device's message nor by a server's: there is nothing to simulate")]
    Neither(&'static str),
}

/// The edit by which a server breaks the rule: its first example on an answer.
pub fn for_server(rule: &'static Rule) -> Result<Edit, MisbehaveError> {
    match (find(rule, by_server), find(rule, by_device)) {
        (Some(edit), _) => Ok(edit),
        (None, Some(_)) => Err(MisbehaveError::DeviceSide(rule.id)),
        (None, None) => Err(MisbehaveError::Neither(rule.id)),
    }
}

/// The edit by which a device breaks the rule: its first example on a request, or on the connection.
pub fn for_device(rule: &'static Rule) -> Result<Edit, MisbehaveError> {
    match (find(rule, by_device), find(rule, by_server)) {
        (Some(edit), _) => Ok(edit),
        (None, Some(_)) => Err(MisbehaveError::ServerSide(rule.id)),
        (None, None) => Err(MisbehaveError::Neither(rule.id)),
    }
}

fn find(rule: &'static Rule, fits: fn(&Edit) -> bool) -> Option<Edit> {
    rule.examples.iter().map(|example| example.edit).find(fits)
}

fn by_server(edit: &Edit) -> bool {
    match edit {
        Edit::Message { side, .. } => *side == Side::Response,
        Edit::Own(what) => *what == "error-page",
        Edit::Stop(_) | Edit::Drop(_) | Edit::Connection(_) => false,
    }
}

fn by_device(edit: &Edit) -> bool {
    match edit {
        Edit::Message { side, .. } => *side == Side::Request,
        Edit::Connection(what) => distrusts(what),
        Edit::Stop(_) => true,
        Edit::Drop(_) | Edit::Own(_) => false,
    }
}

/// The connection fails because the device does not trust the certificate: that can be played for real.
fn distrusts(what: &str) -> bool {
    matches!(what, "unknown_ca" | "bad_certificate" | "certificate_unknown")
}

/// The step that an edit of a message is for; things that befall one exchange befall Discover.
pub(super) fn step(edit: &Edit) -> Option<Step> {
    match edit {
        Edit::Message { step, .. } | Edit::Stop(step) | Edit::Drop(step) => Some(*step),
        Edit::Own(_) => Some(Step::Discover),
        Edit::Connection(_) => None,
    }
}

/// The step whose request this is.
pub(super) fn step_of(kind: Kind) -> Option<Step> {
    match kind {
        Kind::DiscoveryProbe => Some(Step::Probe),
        Kind::DiscoverRequest => Some(Step::Discover),
        Kind::GetPoliciesRequest => Some(Step::Policies),
        Kind::SecurityTokenRequest => Some(Step::Token),
        Kind::ManagementSync => Some(Step::Sync),
        Kind::DiscoverResponse
        | Kind::GetPoliciesResponse
        | Kind::SecurityTokenResponse
        | Kind::Fault
        | Kind::Other
        | Kind::None
        | Kind::NotHttp => None,
    }
}

/// The answer with the edit made; unchanged where its place is not there (a fault instead of the answer).
pub(super) fn edit_response(edit: &Edit, request: &Request, response: Response) -> Response {
    if let Edit::Own(_) = edit {
        return error_page(response);
    }
    let mut exchange = Exchange { request: request.clone(), response: Some(response), ..Exchange::default() };
    edit_exchange(edit, &mut exchange);
    exchange.response.unwrap_or_default()
}

/// False when the place is not there.
pub(super) fn edit_exchange(edit: &Edit, exchange: &mut Exchange) -> bool {
    let Edit::Message { side, part, at, change, .. } = *edit else { return false };
    match (part, change) {
        (Part::Provisioning, Change::Variant("wrapped")) => {
            exchange.response.as_mut().is_some_and(|response| wrap_certificate(response).is_some())
        }
        _ => apply_to_message(side, part, at, change, exchange),
    }
}

fn error_page(response: Response) -> Response {
    let text = "<html><body>Internal Server Error</body></html>";
    let kind = ("Content-Type", "text/html".to_owned());
    Response {
        status: 500,
        reason: "Internal Server Error".to_owned(),
        headers: headers([kind, ("Content-Length", text.len().to_string())]),
        body: Body::full(text),
        ..response
    }
}

/// Breaks the client certificate's base64 into lines of 64, as PEM files have them.
fn wrap_certificate(response: &mut Response) -> Option<()> {
    let text = response.body.bytes.clone();
    let envelope = Document::read(&text);
    let token = envelope.root()?.child("Body")?.descendant("BinarySecurityToken")?;
    let inner = decode_base64(&token.text())?;
    let document = Document::read(&inner);
    let my = Characteristic(document.root()?).child("CertificateStore")?.child("My")?;
    let parm = my.0.descendants().find(|e| {
        e.local() == "parm" && e.attribute("name").is_some_and(|a| a.value() == "EncodedCertificate")
    })?;
    let value = parm.attribute("value")?;
    let lines: Vec<_> =
        value.value().as_bytes().chunks(64).map(|l| String::from_utf8_lossy(l).into_owned()).collect();
    let span = value.span();
    let wrapped = [inner.get(..span.start)?, lines.join("&#10;").as_bytes(), inner.get(span.end..)?].concat();
    let span = token.content();
    let encoded = STANDARD.encode(wrapped);
    let body = Bytes::from([text.get(..span.start)?, encoded.as_bytes(), text.get(span.end..)?].concat());
    for header in response.headers.iter_mut().filter(|h| h.name.eq_ignore_ascii_case("Content-Length")) {
        header.value = Bytes::from(body.len().to_string());
    }
    response.body = Body { length: body.len() as u64, bytes: body, ..response.body.clone() };
    Some(())
}
