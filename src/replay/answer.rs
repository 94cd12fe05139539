//! A recorded answer for a device that is there now: it relates to its request, leads back here, and brings a
//! certificate for its key. What was wrong with the answer stays wrong.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::splices::{Splices, find};
use crate::compare::{Story, Told};
use crate::event::{Body, Header, Request, Response, Time, header};
use crate::message::certificate::{Csr, sha1_hex};
use crate::message::{
    Content, Message, Provisioning, StoreCertificate, TokenRequest, decode_content, read_request,
    read_response,
};
use crate::sim::{Address, Authority, Issued};
use crate::xml::escape;

/// Who is answered, from what.
pub(super) struct Guest<'a> {
    pub(super) request: &'a Request,
    pub(super) message: &'a Message,
    pub(super) story: &'a Story,
    pub(super) told: &'a Told,
    /// Where the answer is to lead; absent: where it led.
    pub(super) own: Option<Address>,
    /// What issues directly, and by way of an authority in between.
    pub(super) authorities: (&'a Authority, &'a Authority),
    pub(super) now: Time,
}

/// Header fields that were for that connection or that host.
const LEFT_OUT: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "strict-transport-security",
    "alt-svc",
    "date",
    "set-cookie",
];

pub(super) fn answer(guest: &Guest<'_>, recorded: &Response) -> Response {
    let origins = if guest.own.is_some() { origins(guest.story) } else { BTreeSet::new() };
    let plain = if recorded.body.decoded {
        recorded.body.bytes.to_vec()
    } else {
        decode_content(&recorded.body).bytes.into_owned()
    };
    let body = match String::from_utf8(plain) {
        Ok(text) => Bytes::from(guest.body(&text, &origins, recorded)),
        Err(other) => Bytes::from(other.into_bytes()),
    };
    let kept = |field: &&Header| !LEFT_OUT.contains(&&*field.name.to_ascii_lowercase());
    let own = |field: &Header| match std::str::from_utf8(&field.value) {
        Ok(value) => Header::new(field.name.clone(), guest.handed_over(&guest.led_here(value, &origins))),
        Err(_) => field.clone(),
    };
    Response {
        at: guest.now,
        headers: recorded.headers.iter().filter(kept).map(own).collect(),
        body: Body { framing: recorded.body.framing, cut: recorded.body.cut, ..Body::full(body) },
        sent: None,
        ..recorded.clone()
    }
}

impl Guest<'_> {
    fn body(&self, text: &str, origins: &BTreeSet<String>, recorded: &Response) -> String {
        let message = read_response(&Response { body: Body::full(text.to_owned()), ..recorded.clone() });
        let Some(document) = &message.document else {
            return self.handed_over(&self.led_here(text, origins));
        };
        let mut splices = Splices { document, edits: Vec::new() };
        let asked = self.message.soap.as_ref().and_then(|soap| soap.message_id.as_ref());
        if let (Some(relates), Some(id)) = (find(document, &["Envelope", "Header", "RelatesTo"]), asked)
            && self.related(&relates.text())
        {
            splices.set(&relates, &id.value);
        }
        if let Content::TokenResponse(token) = &message.content
            && let (Some(wire), Some(provisioning)) = (&token.token, &token.provisioning)
            && let Some(place) = wire.spot.element(document)
        {
            let text = self.provisioning(provisioning, origins);
            splices.set(&place, &STANDARD.encode(text));
        }
        self.led_here(&splices.apply(), origins)
    }

    /// The recorded answer related to the recorded request.
    fn related(&self, relates: &str) -> bool {
        let asked = read_request(&self.told.exchange.request);
        let id = asked.soap.as_ref().and_then(|soap| soap.message_id.as_ref());
        id.is_some_and(|id| id.value == relates.trim())
    }

    /// Pages hand what they give to whoever asked for it: a sign-in page the token, the terms of use their data.
    fn handed_over(&self, text: &str) -> String {
        let callback = |request: &Request| match read_request(request).content {
            Content::SignInRequest(asked) => asked.appru,
            Content::TermsRequest(asked) => asked.redirect_uri,
            _ => None,
        };
        match (callback(&self.told.exchange.request), callback(self.request)) {
            (Some(old), Some(new)) if old != new && !old.is_empty() => text.replace(&old, &escape(&new)),
            _ => text.to_owned(),
        }
    }

    /// The document with this device's certificate and names in it.
    fn provisioning(&self, provisioning: &Provisioning, origins: &BTreeSet<String>) -> String {
        let document = &provisioning.document;
        let mut splices = Splices { document, edits: Vec::new() };
        if let Some((issued, client)) = self.issued(provisioning) {
            put_certificate(&mut splices, client, &issued.client);
            let (roots, between): (Vec<_>, Vec<_>) = provisioning
                .certificates
                .iter()
                .filter(|stored| !std::ptr::eq(*stored, client) && stored.certificate.is_some())
                .partition(|stored| stored.store.eq_ignore_ascii_case("Root"));
            // The first of each kind: what else there is stays trusted as it was.
            if let Some(root) = roots.first() {
                put_certificate(&mut splices, root, &issued.root);
            }
            if let (Some(between), Some(intermediate)) = (between.first(), &issued.intermediate) {
                put_certificate(&mut splices, between, intermediate);
            }
        }
        let text = self.led_here(&splices.apply(), origins);
        match (
            self.story.enrollment.device_id.as_deref(),
            self.token_request().and_then(TokenRequest::device_id),
        ) {
            (Some(old), Some(new)) if old.len() >= 8 => text.replace(old, &escape(new)),
            _ => text,
        }
    }

    fn token_request(&self) -> Option<&TokenRequest> {
        match &self.message.content {
            Content::TokenRequest(token) => Some(token),
            _ => None,
        }
    }

    /// A certificate for this device's key, and the recorded one whose place it takes: one that was right.
    fn issued<'p>(&self, provisioning: &'p Provisioning) -> Option<(Issued, &'p StoreCertificate)> {
        let client = provisioning.client_certificate()?;
        let recorded = client.certificate.as_ref()?;
        let asked = read_request(&self.told.exchange.request);
        let Content::TokenRequest(before) = &asked.content else { return None };
        if before.csr.as_ref().is_some_and(|csr| csr.key_hash != recorded.key_hash) {
            return None;
        }
        let token = self.token_request()?;
        let request = match &token.signed {
            Some(signed) => signed.content.as_deref()?,
            None => token.der.as_deref()?,
        };
        let (at, length) = Csr::read(request)?.spans.key;
        let key = request.get(at..at + length)?;
        let mut subject = recorded.subject.common_name().unwrap_or_default().to_owned();
        if let (Some(old), Some(new)) = (self.story.enrollment.device_id.as_deref(), token.device_id()) {
            subject = subject.replace(old, new);
        }
        let between = provisioning.certificates.iter().any(|stored| stored.store.eq_ignore_ascii_case("CA"));
        let authority = if between { self.authorities.1 } else { self.authorities.0 };
        Some((authority.issue(&subject, key, self.now, None).ok()?, client))
    }

    /// The text with the recorded server's origins replaced by our own.
    fn led_here(&self, text: &str, origins: &BTreeSet<String>) -> String {
        let Some(own) = &self.own else { return text.to_owned() };
        let own = own.origin();
        origins.iter().rev().fold(text.to_owned(), |text, origin| replace_origin(&text, origin, &own))
    }
}

fn put_certificate(splices: &mut Splices<'_>, stored: &StoreCertificate, der: &[u8]) {
    let document = splices.document;
    let was_right = stored
        .certificate
        .as_ref()
        .is_some_and(|certificate| certificate.thumbprint.eq_ignore_ascii_case(&stored.thumbprint.value));
    let attribute = |spot: &crate::message::Spot, name: &str| -> Option<std::ops::Range<usize>> {
        Some(spot.element(document)?.attribute(name)?.span())
    };
    let encoded = stored.encoded.as_ref().and_then(|field| attribute(&field.spot, "value"));
    splices.edits.extend(encoded.map(|span| (span, STANDARD.encode(der))));
    if was_right {
        let thumbprint = attribute(&stored.thumbprint.spot, "type");
        splices.edits.extend(thumbprint.map(|span| (span, sha1_hex(der))));
    }
}

/// Where the recorded devices were, and where its server's answers led them: `https://host:port`.
fn origins(story: &Story) -> BTreeSet<String> {
    let mut origins = BTreeSet::new();
    let mut add = |url: &str| {
        if let Some(address) = Address::parse(url) {
            origins.insert(address.origin());
            // As spelled, the usual port written out or not.
            origins.insert(format!(
                "{}://{}:{}",
                if address.secure { "https" } else { "http" },
                address.host,
                address.port
            ));
        }
    };
    for told in &story.exchanges {
        if let Some(host) = header(&told.exchange.request.headers, "Host") {
            add(&format!("https://{}/", host.text().trim()));
        }
        if let Some(upstream) = &told.exchange.upstream {
            add(&upstream.origin);
        }
        let Some(response) = &told.exchange.response else { continue };
        let read = read_response(response);
        if let Content::DiscoverResponse(found) = &read.content {
            let urls = [&found.policy_url, &found.enrollment_url, &found.authentication_url];
            urls.into_iter().flatten().for_each(|field| add(&field.value));
        }
        if let Some(application) = read.provisioning().and_then(Provisioning::application)
            && let Some(address) = application.parm("ADDR")
        {
            add(&address.value);
        }
    }
    origins
}

/// Not where the name goes on.
fn replace_origin(text: &str, origin: &str, own: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, found) in lower.match_indices(&origin.to_ascii_lowercase()) {
        let end = at + found.len();
        let goes_on = text.get(end..).and_then(|rest| rest.chars().next());
        if goes_on.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | ':')) {
            continue;
        }
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push_str(own);
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_replaced_where_it_ends() {
        let text = "https://a.example/x https://a.example:443/y https://a.example.org HTTPS://A.example, é";
        let replaced = replace_origin(text, "https://a.example", "https://localhost:1");
        assert_eq!(
            replaced,
            "https://localhost:1/x https://a.example:443/y https://a.example.org https://localhost:1, é"
        );
    }
}
