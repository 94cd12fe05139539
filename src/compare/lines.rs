//! A message as lines of place and value: what it means, whatever its prefixes, blanks, order and encodings are.

use std::collections::BTreeMap;

use super::names::Names;
use crate::event::{Body, Exchange, Header, Side};
use crate::message::certificate::{Certificate, Csr, algorithm_name};
use crate::message::{Content, Message, read_answer, read_request};
use crate::xml::{Document, Element};

/// More lines than any enrollment message has; what comes after them is not compared.
const MAX_LINES: usize = 20_000;

/// A value longer than this is compared in full, and shown no longer, in characters.
const MAX_TEXT: usize = 4096;

/// The lines of one side of an exchange by their places.
pub(super) type Lines = BTreeMap<String, String>;

pub(super) fn of(exchange: &Exchange, side: Side, names: &Names) -> Lines {
    let request = read_request(&exchange.request);
    let mut writer = Writer { names, lines: Lines::new() };
    match (side, &exchange.response) {
        (Side::Request, _) => {
            writer.put("method", &exchange.request.method);
            writer.put("target", &exchange.request.target);
            writer.headers(&exchange.request.headers);
            writer.message(&request, &exchange.request.body);
        }
        (Side::Response, Some(response)) => {
            writer.put("status", &response.status.to_string());
            writer.headers(&response.headers);
            writer.message(&read_answer(&request, response), &response.body);
        }
        (Side::Response, None) => {}
    }
    writer.lines
}

struct Writer<'n> {
    names: &'n Names,
    lines: Lines,
}

impl Writer<'_> {
    /// A place that is there already is numbered.
    fn put(&mut self, place: &str, value: &str) {
        if self.lines.len() >= MAX_LINES {
            return;
        }
        let mut unique = place.to_owned();
        let mut number = 1;
        while self.lines.contains_key(&unique) {
            number += 1;
            unique = format!("{place}[{number}]");
        }
        let value: String = self.names.replaced(value.trim()).chars().take(MAX_TEXT).collect();
        self.lines.insert(unique, value);
    }

    fn headers(&mut self, headers: &[Header]) {
        for header in headers {
            self.put(&format!("header:{}", header.name.to_ascii_lowercase()), &header.text());
        }
    }

    fn message(&mut self, message: &Message, body: &Body) {
        if let Some(why) = &body.withheld {
            self.put("body", &format!("not recorded ({why})"));
        } else if let Some(root) = message.document.as_ref().and_then(Document::root) {
            self.element(&root, root.local().to_owned(), "");
            self.nested(message);
        } else if !body.bytes.is_empty() {
            self.put("body", &String::from_utf8_lossy(&body.bytes));
        }
    }

    fn element(&mut self, element: &Element<'_>, place: String, outer: &str) {
        let namespace = element.namespace().uri();
        if namespace != outer {
            self.put(&format!("{place}/namespace"), namespace);
        }
        for attribute in element.attributes() {
            let (name, prefixed) = (attribute.local(), attribute.name());
            let declares = prefixed == "xmlns" || prefixed.starts_with("xmlns:");
            if !declares && !is_key(element, name) {
                self.put(&format!("{place}/@{name}"), &attribute.value());
            }
        }
        let text = element.text();
        let mut children = element.children().peekable();
        if children.peek().is_none() || !text.trim().is_empty() {
            match element.local() {
                // What is in it is told instead.
                "BinarySecurityToken" if !is_credential(element) => {}
                "parm" => {
                    let value = element.attribute("value").map(|a| a.value().into_owned());
                    self.parm(&place, element, value.as_deref().unwrap_or_default());
                }
                _ => self.put(&place, &text),
            }
        }
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for child in children {
            let step = step(&child);
            let count = counted.entry(step.clone()).or_default();
            *count += 1;
            let number = if *count > 1 { format!("[{count}]") } else { String::new() };
            self.element(&child, format!("{place}/{step}{number}"), namespace);
        }
    }

    fn parm(&mut self, place: &str, parm: &Element<'_>, value: &str) {
        let certificate = (name_of(parm) == "EncodedCertificate")
            .then(|| crate::message::decode_base64(value))
            .flatten()
            .and_then(|der| Certificate::read(&der));
        match certificate {
            Some(certificate) => self.certificate(place, &certificate),
            None => self.put(place, value),
        }
    }

    /// What base64 hides.
    fn nested(&mut self, message: &Message) {
        if let Some(root) = message.provisioning().and_then(|p| p.root())
            && matches!(message.content, Content::TokenResponse(_))
        {
            self.element(&root, format!("token/{}", root.local()), "");
        }
        if let Content::TokenRequest(token) = &message.content
            && let Some(csr) = &token.csr
        {
            self.csr(csr);
        }
    }

    fn certificate(&mut self, place: &str, certificate: &Certificate) {
        let day = |at: Option<crate::event::Time>| at.map(|at| at.to_string()).unwrap_or_default();
        self.put(&format!("{place}/certificate/issuer"), &certificate.issuer.to_string());
        self.put(&format!("{place}/certificate/subject"), &certificate.subject.to_string());
        self.put(&format!("{place}/certificate/serial"), &certificate.serial);
        self.put(&format!("{place}/certificate/from"), &day(certificate.not_before));
        self.put(&format!("{place}/certificate/until"), &day(certificate.not_after));
        let days = certificate.days().map(|days| days.to_string()).unwrap_or_default();
        self.put(&format!("{place}/certificate/days"), &days);
        self.put(&format!("{place}/certificate/key"), &certificate.key.describe());
        self.put(&format!("{place}/certificate/key hash"), &certificate.key_hash);
        let algorithm = algorithm_name(&certificate.signature_algorithm).to_owned();
        self.put(&format!("{place}/certificate/signature"), &algorithm);
        self.put(&format!("{place}/certificate/purposes"), &certificate.key_purposes().join(" "));
    }

    fn csr(&mut self, csr: &Csr) {
        self.put("csr/subject", &csr.subject.to_string());
        self.put("csr/key", &csr.key.describe());
        self.put("csr/key hash", &csr.key_hash);
        self.put("csr/signature", algorithm_name(&csr.signature_algorithm));
        let extensions: Vec<_> = csr.extensions.iter().map(|e| e.oid.as_str()).collect();
        self.put("csr/extensions", &extensions.join(" "));
    }
}

/// The element's name; of a provisioning document's elements with what tells them apart.
fn step(element: &Element<'_>) -> String {
    let key = match element.local() {
        "parm" => name_of(element),
        // Certificates are called by their thumbprints, and are issued anew each time.
        "characteristic" => match element.attribute("type").map(|a| a.value().into_owned()) {
            Some(kind) if is_thumbprint(&kind) => "thumbprint".to_owned(),
            // Named as the server likes, and told by PROVIDER-ID.
            Some(_) if is_under(element, "Provider") => "provider".to_owned(),
            kind => kind.unwrap_or_default(),
        },
        local => return local.to_owned(),
    };
    format!("{}[{}]", element.local(), key.trim().replace('/', "\u{2215}"))
}

fn is_under(element: &Element<'_>, kind: &str) -> bool {
    let parent = element.parent().and_then(|parent| parent.attribute("type"));
    parent.is_some_and(|parent| parent.value().trim() == kind)
}

fn name_of(parm: &Element<'_>) -> String {
    parm.attribute("name").map(|a| a.value().trim().to_owned()).unwrap_or_default()
}

/// The attribute is in the step already, or told as the element's value.
fn is_key(element: &Element<'_>, attribute: &str) -> bool {
    matches!((element.local(), attribute), ("parm", "name" | "value") | ("characteristic", "type"))
}

fn is_thumbprint(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_credential(token: &Element<'_>) -> bool {
    token.parent().is_some_and(|parent| parent.local() == "Security")
}
