//! A message as lines, one element each, with what is inside base64 told below it. Works on tags and text, not on a
//! tree: examples are broken on purpose.

use crate::event::{Header, Request, Response, Time};
use crate::message::certificate::{Certificate, Csr, PublicKey, SignedData, algorithm_name};
use crate::message::{Jwt, decode_base64};

/// Tags longer than this have one attribute a line.
const LONGEST_TAG: usize = 100;
/// Shorter texts are not looked into.
const SHORTEST_TOKEN: usize = 64;
/// Tags of HTML that nothing closes.
const VOID: &[&str] = &["input", "meta", "link", "br", "img", "!doctype"];

/// Between a token and what it holds.
const TOLD: &str = "(in base64:)";

/// A message: its first line and headers, and its body.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sheet {
    pub head: Vec<String>,
    pub body: Vec<String>,
}

impl Sheet {
    /// The body without tokens that are told: some of them have another signature each time.
    pub(super) fn told(&self) -> Vec<String> {
        let next = self.body.iter().skip(1).map(|line| line.trim_start()).chain([""]);
        self.body.iter().zip(next).filter(|(_, next)| *next != TOLD).map(|(line, _)| line.clone()).collect()
    }
}

pub(super) fn request(request: &Request) -> Sheet {
    let first = format!("{} {}", request.method, request.target);
    Sheet { head: head(first, &request.headers), body: body(&request.body.bytes) }
}

pub(super) fn response(response: &Response) -> Sheet {
    let first = format!("status {}", response.status);
    Sheet { head: head(first, &response.headers), body: body(&response.body.bytes) }
}

fn head(first: String, headers: &[Header]) -> Vec<String> {
    let headers = headers.iter().map(|header| format!("{}: {}", header.name, header.text()));
    [first].into_iter().chain(headers).collect()
}

fn body(bytes: &[u8]) -> Vec<String> {
    pretty(&String::from_utf8_lossy(bytes))
}

/// What a text is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece<'t> {
    Open(&'t str),
    Close(&'t str),
    /// `<a/>`, a comment, an instruction.
    Single(&'t str),
    Text(&'t str),
}

fn pretty(text: &str) -> Vec<String> {
    let pieces = pieces(text);
    let mut out = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        at += 1;
        match (*piece, pieces.get(at), pieces.get(at + 1)) {
            // An element with nothing but text in it is one line.
            (Piece::Open(open), Some(Piece::Text(inner)), Some(Piece::Close(close))) => {
                element(&mut out, depth, open, inner, close);
                at += 2;
            }
            (Piece::Open(open), Some(Piece::Close(close)), _) => {
                element(&mut out, depth, open, "", close);
                at += 1;
            }
            (Piece::Open(open), ..) => {
                tag(&mut out, depth, open, "");
                depth += 1;
            }
            (Piece::Close(close), ..) => {
                depth = depth.saturating_sub(1);
                push(&mut out, depth, close);
            }
            (Piece::Single(single), ..) => tag(&mut out, depth, single, ""),
            (Piece::Text(text), ..) if text.trim().is_empty() => {}
            (Piece::Text(text), ..) => push(&mut out, depth, &visible(text)),
        }
    }
    out
}

fn push(out: &mut Vec<String>, depth: usize, text: &str) {
    out.push(format!("{}{text}", "  ".repeat(depth)));
}

/// Line breaks and tabs in a value are part of it.
fn visible(text: &str) -> String {
    text.replace("\r\n", "↵").replace(['\n', '\r'], "↵").replace('\t', "→")
}

fn element(out: &mut Vec<String>, depth: usize, open: &str, inner: &str, close: &str) {
    let told = inside(inner);
    if told.is_empty() && split(open).is_none() && !is_token(inner) {
        tag(out, depth, open, &format!("{}{close}", visible(inner)));
        return;
    }
    tag(out, depth, open, "");
    if !inner.is_empty() {
        push(out, depth + 1, &visible(inner));
    }
    if !told.is_empty() {
        push(out, depth + 1, TOLD);
    }
    for line in told {
        push(out, depth + 1, &line);
    }
    push(out, depth, close);
}

/// A tag, and what follows it on its line.
fn tag(out: &mut Vec<String>, depth: usize, tag: &str, behind: &str) {
    match split(tag) {
        Some((name, attributes)) => {
            push(out, depth, name);
            for attribute in attributes {
                push(out, depth + 2, &visible(attribute));
            }
        }
        None => push(out, depth, &format!("{}{behind}", visible(tag))),
    }
    for value in attributes(tag).iter().filter_map(|part| part.split_once('"')?.1.split('"').next()) {
        for line in inside(value) {
            push(out, depth + 1, &line);
        }
    }
}

/// A tag that is too long for one line.
fn split(tag: &str) -> Option<(&str, Vec<&str>)> {
    let parts = attributes(tag);
    let (name, attributes) = parts.split_first()?;
    (tag.len() > LONGEST_TAG && attributes.len() > 1).then(|| (*name, attributes.to_vec()))
}

/// The name and each attribute; the last part has the bracket.
fn attributes(tag: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in tag.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_whitespace() => {
                parts.extend(tag.get(start..at).filter(|part| !part.is_empty()));
                start = at + c.len_utf8();
            }
            None => {}
        }
    }
    parts.extend(tag.get(start..).filter(|part| !part.is_empty()));
    parts
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut out, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let start = rest.find('<').unwrap_or(rest.len());
        let (before, markup) = rest.split_at(start);
        out.extend((!before.is_empty()).then_some(Piece::Text(before)));
        let length = length(markup);
        let (this, behind) = markup.split_at(length);
        let name = this.trim_start_matches('<').split([' ', '>', '/']).next().unwrap_or_default();
        if this.starts_with("</") {
            out.push(Piece::Close(this));
        } else if this.ends_with("/>")
            || this.starts_with("<!--")
            || this.starts_with("<?")
            || VOID.contains(&name.to_lowercase().as_str())
        {
            out.push(Piece::Single(this));
        } else if this.ends_with('>') {
            out.push(Piece::Open(this));
        } else if !this.is_empty() {
            out.push(Piece::Text(this));
        }
        rest = behind;
    }
    out
}

/// Of the markup at the start of the text; all of it when nothing ends it.
fn length(markup: &str) -> usize {
    for (start, end) in [("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>")] {
        if markup.starts_with(start) {
            return markup.find(end).map_or(markup.len(), |at| at + end.len());
        }
    }
    let mut quote = None;
    for (at, c) in markup.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '>' => return at + 1,
            None => {}
        }
    }
    // A quote that nothing closes.
    markup.find('>').map_or(markup.len(), |at| at + 1)
}

/// Long enough for base64 that holds something, and made of its letters.
fn is_token(value: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"+/=-_ \r\n".contains(&b);
    value.len() >= SHORTEST_TOKEN && value.bytes().all(letter)
}

/// What a value in base64 says: a document, or a certificate, a request, a token in a few facts.
fn inside(value: &str) -> Vec<String> {
    if !is_token(value) {
        return Vec::new();
    }
    let Some(bytes) = decode_base64(value) else { return Vec::new() };
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    if text.trim_start_matches('\u{FEFF}').trim_start().starts_with('<') {
        return pretty(text);
    }
    if let Some(certificate) = Certificate::read(&bytes) {
        return of_certificate("certificate", &certificate);
    }
    if let Some(signed) = SignedData::is_one(&bytes).then(|| SignedData::read(&bytes)).flatten() {
        return of_signed(&signed);
    }
    if let Some(csr) = Csr::read(&bytes) {
        return of_request(&csr);
    }
    Jwt::read(text).map(|jwt| of_jwt(&jwt)).unwrap_or_default()
}

fn of_certificate(what: &str, certificate: &Certificate) -> Vec<String> {
    let day = |time: Option<Time>| {
        let time = time.map(|time| time.to_string());
        time.as_deref().and_then(|time| time.split('T').next()).unwrap_or("no date").to_owned()
    };
    vec![
        format!("({what} of {}, issued by {})", certificate.subject, certificate.issuer),
        format!("({what}: {} to {})", day(certificate.not_before), day(certificate.not_after)),
        format!(
            "({what}: key {} with the SHA-256 {}…, signed with {})",
            certificate.key.describe(),
            certificate.key_hash.get(..16).unwrap_or_default(),
            algorithm_name(&certificate.signature_algorithm)
        ),
        format!("({what}: for {}; SHA-1 {})", purposes(&certificate.key_purposes()), certificate.thumbprint),
    ]
}

fn of_request(csr: &Csr) -> Vec<String> {
    let signature = match csr.signature_valid {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "cannot be checked",
    };
    let exponent = match csr.key {
        PublicKey::Rsa { exponent: Some(exponent), .. } => format!(" with the exponent {exponent}"),
        PublicKey::Rsa { .. } | PublicKey::Ec { .. } | PublicKey::Other { .. } => String::new(),
    };
    let mut out = vec![
        format!("(request for {})", csr.subject),
        format!(
            "(request: key {}{exponent}, signed with {}, which {signature})",
            csr.key.describe(),
            algorithm_name(&csr.signature_algorithm)
        ),
        format!("(request: for {})", purposes(&csr.key_purposes())),
    ];
    if let Some(id) = csr.device_id() {
        out.push(format!("(request: DeviceID {id})"));
    }
    for attribute in &csr.attributes {
        let values = attribute.values.map_or("no set".to_owned(), |values| values.to_string());
        out.push(format!("(request: attribute {}, values: {values})", attribute.oid));
    }
    if csr.trailing > 0 {
        out.push(format!("(request: bytes after its end: {})", csr.trailing));
    }
    out
}

fn of_signed(signed: &SignedData) -> Vec<String> {
    let mut out = vec![format!(
        "(signed data of type {}, certificates inside: {})",
        signed.content_type,
        signed.certificates.len()
    )];
    if let Some(signer) = &signed.signer {
        out.push(format!("(signer: certificate {} of {})", signer.serial, signer.issuer));
        out.push(format!("(signer: {})", signer.state.describe()));
    }
    out.extend(signed.csr.iter().flat_map(of_request));
    out.extend(
        signed
            .csr
            .iter()
            .filter_map(|csr| csr.renews.as_ref())
            .map(|old| format!("(request: renews {})", old.serial)),
    );
    out
}

fn of_jwt(jwt: &Jwt) -> Vec<String> {
    let line = |(name, value): (&String, &serde_json::Value)| format!("({name}: {value})");
    jwt.header.iter().chain(&jwt.claims).map(line).collect()
}

fn purposes(oids: &[String]) -> String {
    let name = |oid: &String| match oid.as_str() {
        "1.3.6.1.5.5.7.3.1" => "server authentication".to_owned(),
        "1.3.6.1.5.5.7.3.2" => "client authentication".to_owned(),
        other => other.to_owned(),
    };
    match oids {
        [] => "any purpose".to_owned(),
        oids => oids.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &str) {
        assert_eq!(pretty(text).join("\n"), wanted);
    }

    #[test]
    fn each_element_is_a_line() {
        check("<a><b>1</b><c x='2'/><d></d></a>", "<a>\n  <b>1</b>\n  <c x='2'/>\n  <d></d>\n</a>");
    }

    #[test]
    fn line_breaks_in_a_value_are_seen() {
        check("<a>\n <b>\n1\t</b>\n</a>", "<a>\n  <b>↵1→</b>\n</a>");
    }

    #[test]
    fn long_tags_have_an_attribute_a_line() {
        let long = "x".repeat(90);
        check(
            &format!("<a p=\"{long}\" q=\"<>\"><b/></a>"),
            &format!("<a\n    p=\"{long}\"\n    q=\"<>\">\n  <b/>\n</a>"),
        );
        check(
            &format!("<a p=\"{long}\" q=\"2\">text</a>"),
            &format!("<a\n    p=\"{long}\"\n    q=\"2\">\n  text\n</a>"),
        );
    }

    #[test]
    fn what_is_broken_is_shown_as_it_is() {
        check("<a><b>1 & 2</a>", "<a>\n  <b>1 & 2</a>");
        check("<a><!-- x", "<a>\n  <!-- x");
        check("no markup", "no markup");
        check("<a x=\"1>2</a>", "<a x=\"1>2</a>");
    }

    #[test]
    fn a_document_in_base64_is_told_below_it() {
        use base64::Engine as _;
        let inner = format!("<p><q>{}</q></p>", "1".repeat(60));
        let value = base64::engine::general_purpose::STANDARD.encode(&inner);
        let ones = "1".repeat(60);
        check(
            &format!("<t>{value}</t>"),
            &format!("<t>\n  {value}\n  (in base64:)\n  <p>\n    <q>{ones}</q>\n  </p>\n</t>"),
        );
    }
}
