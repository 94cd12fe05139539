//! A recorded request cast anew for another run: what has to be of this run is put into it, all else stays as it was.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::plan::{Identity, Names};
use super::splices::{Splices, find};
use crate::event::{Body, Framing, Header, Request, Time, Version, header};
use crate::message::{Content, TokenRequest, read_request};
use crate::sim::{Address, Device, Holder, KeyError, Proof, csr_like, sign_data, sign_message};
use crate::xml::Document;

/// Who acts in this run.
pub(super) struct Cast<'a> {
    pub(super) identity: Identity,
    pub(super) names: &'a Names,
    pub(super) device: &'a Device,
    /// The user is another one than the recorded.
    pub(super) other_user: bool,
    /// The device has a password in this run.
    pub(super) has_password: bool,
    /// Makes message ids differ.
    pub(super) seed: &'a [u8],
}

/// What cannot be sent as it was.
pub(super) type Notes = BTreeSet<String>;

/// Header fields that are this run's: who is spoken to, how long the body is, what proves who the user is.
const OWN_FIELDS: &[&str] = &["host", "content-length", "authorization"];

/// Fields that the device did not send, or that were for one connection.
const OTHERS_FIELDS: &[&str] = &[
    "transfer-encoding",
    "expect",
    "upgrade",
    "te",
    "trailer",
    "proxy-connection",
    "proxy-authorization",
    "keep-alive",
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-arr-clientcert",
    "client-cert",
    "client-cert-chain",
    "cookie",
];

/// `made` is what the simulated device would send for the same step: it knows where, with what token, and who.
pub(super) fn recast(
    recorded: &Request,
    made: Request,
    to: &Address,
    cast: &Cast<'_>,
    notes: &mut Notes,
) -> Result<Request, KeyError> {
    if let Some(why) = unusable(recorded, &made) {
        notes.insert(format!("{}: {why}", step_words(recorded)));
        return Ok(made);
    }
    if recorded.body.framing == Framing::Chunked {
        notes.insert("bodies that came in chunks are sent with Content-Length".to_owned());
    }
    if recorded.version == Version::Http2 {
        notes.insert("HTTP/2 requests are sent as HTTP/1.1".to_owned());
    }
    let body = if recorded.body.bytes.is_empty() {
        made.body.bytes.clone()
    } else {
        match text(recorded, &made, to, cast, notes)? {
            Some(text) => Bytes::from(text),
            None => made.body.bytes.clone(),
        }
    };
    let headers = headers(recorded, &made, body.len(), cast);
    Ok(Request { method: recorded.method.clone(), headers, body: Body::full(body), ..made })
}

/// Why the recorded request cannot be the model.
fn unusable(recorded: &Request, made: &Request) -> Option<String> {
    let missing = made.body.bytes.is_empty() != recorded.body.bytes.is_empty();
    match &recorded.body.withheld {
        Some(why) => Some(format!("the body was not recorded ({why}); a simulated device's is sent")),
        None if recorded.body.is_partial() => {
            Some("the body was recorded in part; a simulated device's is sent".to_owned())
        }
        None if missing || recorded.method != made.method => Some(
            "recorded without a body, or with one that is not used; a simulated device's is sent".to_owned(),
        ),
        None => None,
    }
}

fn step_words(recorded: &Request) -> String {
    read_request(recorded).kind.word().to_owned()
}

/// In the recorded order and spelling.
fn headers(recorded: &Request, made: &Request, length: usize, cast: &Cast<'_>) -> Vec<Header> {
    let own = |name: &str| -> Option<Bytes> {
        match name {
            "content-length" if length > 0 => Some(Bytes::from(length.to_string())),
            "content-length" => None,
            _ => header(&made.headers, name).map(|field| field.value.clone()),
        }
    };
    let is = |list: &[&str], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut out: Vec<Header> = Vec::with_capacity(recorded.headers.len() + 2);
    for field in recorded.headers.iter().filter(|field| !is(OTHERS_FIELDS, &field.name)) {
        if !is(OWN_FIELDS, &field.name) {
            let value = match std::str::from_utf8(&field.value) {
                Ok(value) => Bytes::from(cast.names.renamed(value)),
                Err(_) => field.value.clone(),
            };
            out.push(Header::new(field.name.clone(), value));
        } else if header(&out, &field.name).is_none()
            && let Some(value) = own(&field.name.to_ascii_lowercase())
        {
            out.push(Header::new(field.name.clone(), value));
        }
    }
    for name in ["Content-Length", "Host", "Authorization"] {
        if header(&out, name).is_none()
            && let Some(value) = own(&name.to_ascii_lowercase())
        {
            out.push(Header::new(name, value));
        }
    }
    out
}

/// The recorded body with this run's values; `None` where the made one has to do.
fn text(
    recorded: &Request,
    made: &Request,
    to: &Address,
    cast: &Cast<'_>,
    notes: &mut Notes,
) -> Result<Option<String>, KeyError> {
    let message = read_request(recorded);
    let (
        Some(document),
        Content::DiscoverRequest(_) | Content::GetPoliciesRequest(_) | Content::TokenRequest(_),
    ) = (&message.document, &message.content)
    else {
        notes.insert(format!("{}: a simulated device's body is sent", message.kind.word()));
        return Ok(None);
    };
    let made_document = Document::read(&made.body.bytes);
    if credential(document) != credential(&made_document) {
        let words = "another kind of credential than the recorded one: a simulated device's message is sent";
        notes.insert(format!("{}: {words}", message.kind.word()));
        return Ok(None);
    }
    let holder = match &cast.device.proof {
        Proof::Certificate(holder) => Some(holder),
        Proof::Password | Proof::Entra(_) | Proof::Renewal(_) => None,
    };
    // What signs knows one spelling only.
    if holder.is_some() && find(document, SECURITY).is_some_and(|s| s.name() != "wsse:Security") {
        let words = "its prefixes are not those of Windows: a simulated device's message is signed and sent";
        notes.insert(format!("{}: {words}", message.kind.word()));
        return Ok(None);
    }
    let mut splices = Splices { document, edits: Vec::new() };
    let with_made = |splices: &mut Splices<'_>, path: &[&str]| {
        if let (Some(place), Some(value)) = (find(document, path), find(&made_document, path)) {
            splices.set(&place, &value.text());
        }
    };
    let leads_there = find(document, TO)
        .and_then(|element| Address::parse(element.text().trim()))
        .is_some_and(|old| old.origin().eq_ignore_ascii_case(&to.origin()) && old.target == to.target);
    if !leads_there {
        with_made(&mut splices, TO);
    }
    if cast.identity == Identity::Fresh
        && let (Some(recorded), Some(own)) = (find(document, MESSAGE_ID), find(&made_document, MESSAGE_ID))
        && recorded.text().trim() != own.text().trim()
    {
        // Windows has its own built in; whoever numbers messages has a new number for each.
        splices.set(&recorded, &another_id(&recorded.text(), cast.seed));
    }
    if cast.other_user {
        with_made(&mut splices, EMAIL);
        with_made(&mut splices, &[SECURITY, &["UsernameToken", "Username"]].concat());
    }
    if cast.has_password {
        with_made(&mut splices, &[SECURITY, &["UsernameToken", "Password"]].concat());
    }
    with_made(&mut splices, &[SECURITY, &["BinarySecurityToken"]].concat());
    with_made(&mut splices, &[SECURITY, &["Timestamp", "Created"]].concat());
    with_made(&mut splices, &[SECURITY, &["Timestamp", "Expires"]].concat());
    if let Content::TokenRequest(token) = &message.content {
        token_request(token, &made_document, cast, &mut splices, made.at, notes)?;
    }
    let signature = find(document, &[SECURITY, &["Signature"]].concat());
    if let (Some(_), Some(signature)) = (holder, signature) {
        splices.edits.push((signature.span(), String::new()));
    }
    let text = cast.names.renamed(&splices.apply());
    match holder {
        Some(holder) => signed(&text, holder).map(Some),
        None => Ok(Some(text)),
    }
}

const TO: &[&str] = &["Envelope", "Header", "To"];
const MESSAGE_ID: &[&str] = &["Envelope", "Header", "MessageID"];
const SECURITY: &[&str] = &["Envelope", "Header", "Security"];
const EMAIL: &[&str] = &["Envelope", "Body", "Discover", "request", "EmailAddress"];
const TOKEN: &[&str] = &["Envelope", "Body", "RequestSecurityToken", "BinarySecurityToken"];

fn token_request(
    token: &TokenRequest,
    made: &Document,
    cast: &Cast<'_>,
    splices: &mut Splices<'_>,
    at: Time,
    notes: &mut Notes,
) -> Result<(), KeyError> {
    let document = splices.document;
    if cast.identity == Identity::Fresh
        && let (Some(place), Some(own)) = (find(document, TOKEN), find(made, TOKEN))
    {
        match certificate_request(token, cast, at) {
            Some(request) => splices.set(&place, &STANDARD.encode(request?)),
            None => {
                notes.insert(
                    "the request for a certificate cannot be read; a simulated device's is sent".to_owned(),
                );
                splices.set(&place, &own.text());
            }
        }
    }
    // From the terms of use of this run.
    let own_data = made
        .elements()
        .find(|e| {
            e.local() == "ContextItem" && e.attribute("Name").is_some_and(|n| n.value() == "EnrollmentData")
        })
        .and_then(|item| item.child("Value"));
    let recorded = token.items.iter().find(|item| item.name == "EnrollmentData");
    if let (Some(own), Some(item)) = (own_data, recorded)
        && let Some(place) = item.spot.element(document).and_then(|item| item.child("Value"))
    {
        splices.set(&place, &own.text());
    }
    Ok(())
}

/// The recorded one for the key of this run; `None` when it cannot be read.
fn certificate_request(token: &TokenRequest, cast: &Cast<'_>, at: Time) -> Option<Result<Vec<u8>, KeyError>> {
    let holder = match &cast.device.proof {
        Proof::Renewal(holder) => Some(holder),
        Proof::Password | Proof::Entra(_) | Proof::Certificate(_) => None,
    };
    let renews = holder.map(|holder| &*holder.certificate);
    let inner = match &token.signed {
        Some(signed) => signed.content.as_deref()?,
        None => token.der.as_deref()?,
    };
    let request = match csr_like(inner, &cast.device.key, &cast.names.0, renews)? {
        Ok(request) => request,
        Err(error) => return Some(Err(error)),
    };
    match (holder, &token.signed) {
        (Some(holder), Some(_)) => Some(sign_data(&request, holder, at, None)),
        _ => Some(Ok(request)),
    }
}

/// What kind of thing proves who the user is.
fn credential(document: &Document) -> Option<&str> {
    let security = find(document, SECURITY)?;
    let kinds = ["UsernameToken", "BinarySecurityToken"];
    kinds.into_iter().find(|kind| security.child(kind).is_some())
}

fn signed(text: &str, holder: &Holder) -> Result<String, KeyError> {
    let document = Document::read(text.as_bytes());
    let token = find(&document, &[SECURITY, &["BinarySecurityToken"]].concat());
    let id = token.and_then(|token| token.attribute("Id")).map(|id| id.value().into_owned());
    sign_message(text, id.as_deref().unwrap_or_default(), &holder.key)
}

/// `urn:uuid:` and digits of another run.
fn another_id(recorded: &str, seed: &[u8]) -> String {
    let text = recorded.trim();
    let digits = text.rfind(':').map_or(0, |colon| colon + 1);
    let (prefix, id) = text.split_at(digits);
    format!("{prefix}{}", super::plan::other_digits(id, 0, seed))
}
