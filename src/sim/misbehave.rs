//! `--break RULE`: the rule's own example, made on a live message by the side that sends it.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use thiserror::Error;

use super::csr::RequestFlaw;
use super::signing::RenewalFlaw;
use super::text::headers;
use crate::event::{Body, Exchange, Header, Request, Response, Side};
use crate::message::{Characteristic, decode_base64};
use crate::rules::{Change, Edit, Example, Part, Rule, Step, apply_to_message};
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

/// The example by which a server breaks the rule: the first one on an answer, or on the server's own certificate.
pub(super) fn for_server(rule: &'static Rule) -> Result<&'static Example, MisbehaveError> {
    match (find(rule, by_server), find(rule, by_device)) {
        (Some(example), _) => Ok(example),
        (None, Some(_)) => Err(MisbehaveError::DeviceSide(rule.id)),
        (None, None) => Err(MisbehaveError::Neither(rule.id)),
    }
}

/// The example by which a device breaks the rule: the first one on a request, or on the connection.
pub(super) fn for_device(rule: &'static Rule) -> Result<&'static Example, MisbehaveError> {
    match (find(rule, by_device), find(rule, by_server)) {
        (Some(example), _) => Ok(example),
        (None, Some(_)) => Err(MisbehaveError::ServerSide(rule.id)),
        (None, None) => Err(MisbehaveError::Neither(rule.id)),
    }
}

fn find(rule: &'static Rule, fits: fn(&Edit) -> bool) -> Option<&'static Example> {
    rule.examples.iter().find(|example| fits(&example.edit))
}

fn by_server(edit: &Edit) -> bool {
    match edit {
        Edit::Message { side, .. } => *side == Side::Response,
        Edit::Several(edits) => edits.iter().all(by_server),
        Edit::Own(what) => ["error-page", "compressed", "cut"].contains(what),
        Edit::Connection(what) => TlsFlaw::named(what).is_some(),
        Edit::Stop(_) | Edit::Drop(_) => false,
    }
}

fn by_device(edit: &Edit) -> bool {
    match edit {
        Edit::Message { side, .. } => *side == Side::Request,
        Edit::Several(edits) => edits.iter().all(by_device),
        Edit::Connection(what) => distrusts(what),
        Edit::Stop(_) => true,
        Edit::Drop(_) | Edit::Own(_) => false,
    }
}

/// The connection fails because the device does not trust the certificate: that can be played for real.
fn distrusts(what: &str) -> bool {
    matches!(what, "unknown_ca" | "bad_certificate" | "certificate_unknown")
}

/// What is wrong with the server's own certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsFlaw {
    Expired,
    OtherName,
}

impl TlsFlaw {
    fn named(what: &str) -> Option<Self> {
        match what {
            "certificate_expired" | "late" => Some(Self::Expired),
            name if name.starts_with("sni=") => Some(Self::OtherName),
            _ => None,
        }
    }

    pub(super) fn of(edit: &Edit) -> Option<Self> {
        match edit {
            Edit::Connection(what) => Self::named(what),
            Edit::Message { .. } | Edit::Several(_) | Edit::Stop(_) | Edit::Drop(_) | Edit::Own(_) => None,
        }
    }
}

/// The step that an edit of a message is for; things that befall one exchange befall Discover.
pub(super) fn step(edit: &Edit) -> Option<Step> {
    match edit {
        Edit::Message { step, .. } | Edit::Stop(step) | Edit::Drop(step) => Some(*step),
        Edit::Several(edits) => edits.first().and_then(step),
        Edit::Own(_) => Some(Step::Discover),
        Edit::Connection(_) => None,
    }
}

/// A renewal that its device makes so from the start.
pub(super) fn renewal_flaw(edit: &Edit) -> Option<RenewalFlaw> {
    match edit {
        Edit::Message { part: Part::Csr, change: Change::Variant(name), .. } => RenewalFlaw::named(name),
        _ => None,
    }
}

/// A certificate request that its device makes odd from the start.
pub(super) fn request_flaw(edit: &Edit) -> Option<RequestFlaw> {
    match edit {
        Edit::Message { part: Part::Csr, change: Change::Variant(name), .. } => RequestFlaw::named(name),
        _ => None,
    }
}

/// The answer with the edit made; unchanged where its place is not there (a fault instead of the answer).
pub(super) fn edit_response(edit: &Edit, request: &Request, response: Response) -> Response {
    match edit {
        Edit::Own("error-page") => return error_page(response),
        Edit::Own("compressed") => return compressed(response),
        Edit::Own("cut") => return Response { body: Body { cut: true, ..response.body }, ..response },
        _ => {}
    }
    let mut exchange = Exchange { request: request.clone(), response: Some(response), ..Exchange::default() };
    edit_exchange(edit, &mut exchange);
    exchange.response.unwrap_or_default()
}

/// The request with the edit made.
pub(crate) fn edit_request(edit: &Edit, request: Request) -> Request {
    let mut exchange = Exchange { request, ..Exchange::default() };
    edit_exchange(edit, &mut exchange);
    exchange.request
}

/// False when the place is not there.
pub(super) fn edit_exchange(edit: &Edit, exchange: &mut Exchange) -> bool {
    let (side, part, at, change) = match *edit {
        Edit::Message { side, part, at, change, .. } => (side, part, at, change),
        Edit::Several(edits) => return edits.iter().all(|edit| edit_exchange(edit, exchange)),
        Edit::Stop(_) | Edit::Drop(_) | Edit::Connection(_) | Edit::Own(_) => return false,
    };
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

fn compressed(response: Response) -> Response {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(&response.body.bytes);
    let bytes = encoder.finish().unwrap_or_default();
    let mut headers = response.headers.clone();
    set_length(&mut headers, bytes.len());
    headers.push(Header::new("Content-Encoding", "gzip"));
    let body = Body { encoding: Some("gzip".to_owned()), ..Body::full(bytes) };
    Response { headers, body, ..response }
}

fn set_length(headers: &mut [Header], length: usize) {
    for header in headers.iter_mut().filter(|h| h.name.eq_ignore_ascii_case("Content-Length")) {
        header.value = Bytes::from(length.to_string());
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
    set_length(&mut response.headers, body.len());
    response.body = Body { length: body.len() as u64, bytes: body, ..response.body.clone() };
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::Event;
    use crate::message::read_request;
    use crate::rules::{Golden, all};
    use crate::sim::{Server, Settings, golden};

    /// The golden's requests, answered by a server with these settings.
    fn answers(golden: Golden, settings: Settings) -> Vec<(Option<Step>, Response)> {
        let server = Server::new(Settings { seed: golden::SEED, ..settings }, golden::authority().unwrap());
        let events = golden::of(golden);
        let requests = events.iter().filter_map(|event| match event {
            Event::Exchange(exchange) => Some(exchange.request.clone()),
            _ => None,
        });
        let answer = |mut request: Request| {
            let step = Step::of(&request, read_request(&request).kind);
            if step == Some(Step::Password) {
                // What users type is never recorded.
                request.body = Body::full("user=anna%40contoso.example&password=any");
            }
            (step, server.answer(&request, request.at))
        };
        requests.map(answer).collect()
    }

    #[test]
    fn whatever_a_server_can_break_is_broken_in_its_answers() {
        let settings = || Settings::new("https://mdm.contoso.example");
        let like = |golden| Settings { misbehave: None, ..settings().suiting(golden) };
        let healthy: BTreeMap<_, _> = Golden::ALL.iter().map(|g| (g.word(), answers(*g, like(*g)))).collect();
        for rule in all() {
            let Ok(example) = for_server(rule) else { continue };
            if TlsFlaw::of(&example.edit).is_some() {
                continue;
            }
            let base = &healthy[example.golden.word()];
            let broken = answers(example.golden, settings().breaking(rule).unwrap());
            let last = broken.iter().rposition(|(at, _)| *at == step(&example.edit));
            for (index, ((at, answer), (_, good))) in broken.iter().zip(base).enumerate() {
                // A first enrollment is spared by who breaks renewals.
                let spared = example.golden == Golden::Renewal && Some(index) != last;
                let meant = *at == step(&example.edit) && !spared;
                assert_eq!(answer != good, meant, "{} at {at:?}", rule.id);
            }
        }
    }

    #[test]
    fn whoever_cannot_break_a_rule_names_who_can() {
        for rule in all() {
            // Edits of both sides' messages are nobody's alone.
            let own = rule.examples.iter().all(|e| {
                matches!(e.edit, Edit::Own(_) | Edit::Drop(_) | Edit::Connection(_) | Edit::Several(_))
            });
            match (for_server(rule), for_device(rule)) {
                (Ok(_), Err(error)) => assert!(matches!(error, MisbehaveError::ServerSide(_)), "{error}"),
                (Err(error), Ok(_)) => assert!(matches!(error, MisbehaveError::DeviceSide(_)), "{error}"),
                (Ok(_), Ok(_)) => {}
                (Err(_), Err(_)) => assert!(own, "{} can be broken by nobody", rule.id),
            }
        }
    }
}
