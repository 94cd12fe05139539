//! Redaction of a whole exchange: bodies, heads, targets, and the second texts where we changed something.

use bytes::Bytes;
use memchr::memmem;

use super::edits::{Edit, Edits};
use super::find::{secrets, whole_values};
use super::forms::{Form, forms};
use super::identities::Hidden;
use super::mask::Key;
use super::names::is_secret_header;
use super::query::is_query;
use super::spelling::spelled;
use super::token::wrapped;
use super::wrapping::{Utf16, base64_runs, is_text, opened, write_base64};
use crate::event::{Body, Exchange, Header};
use crate::message::{
    Credential, Kind, SignatureState, decode_base64, decode_content, kind_of, read_request,
};
use crate::xml::Document;

/// What is taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Passwords, tokens, nonces, cookies and authorization headers.
    #[default]
    Secrets,
    /// These, and all that says who it is about: users, devices, hosts, addresses.
    Identities,
    /// Nothing.
    None,
}

impl Level {
    /// As captures spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Identities => "identities",
            Self::None => "none",
        }
    }
}

/// Takes secrets out of exchanges.
#[derive(Clone, Debug)]
pub struct Redactor {
    pub(super) level: Level,
    /// Keep bodies of which nobody knows what they hold, too.
    all_bodies: bool,
    pub(super) key: Key,
    /// Where it is noted what was hidden under which pseudonym.
    pub(super) hidden: Option<Hidden>,
}

/// A secret and its placeholder.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// Values beyond this number are not searched for in the rest of the exchange (they are masked where they stand).
const MAX_VALUES: usize = 64;
/// Texts inside of texts (in base64, in escapes, in parameters) are opened so many times.
pub(super) const MAX_NESTING: usize = 5;

impl Redactor {
    pub fn new(level: Level, all_bodies: bool, key: Key) -> Self {
        Self { level, all_bodies, key, hidden: None }
    }

    /// The same, noting what is hidden under which pseudonym.
    #[must_use]
    pub fn noting(self, hidden: Hidden) -> Self {
        Self { hidden: Some(hidden), ..self }
    }

    pub fn level(&self) -> Level {
        self.level
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Takes the secrets out of an exchange, in place.
    pub fn exchange(&self, exchange: &mut Exchange) {
        if !self.all_bodies {
            withhold(exchange);
        }
        if self.level == Level::None {
            return;
        }
        note_signature(exchange);
        let mut known: Vec<Pair> = Vec::new();
        self.body(&mut exchange.request.body, &mut known);
        self.heads(&mut exchange.request.headers, &mut known);
        for header in exchange.request.headers.iter_mut().filter(|h| h.name.eq_ignore_ascii_case("Host")) {
            let mut edits = Edits::default();
            edits.add(self.user(&header.value, 0, &mut known));
            header.value = Bytes::from(edits.apply(&header.value));
        }
        self.phrase(&mut exchange.request.target, &mut known);
        if let Some(sent) = exchange.request.sent.as_deref_mut() {
            self.sent(sent, &mut known);
        }
        if let Some(response) = exchange.response.as_mut() {
            self.body(&mut response.body, &mut known);
            self.phrase(&mut response.reason, &mut known);
            self.heads(&mut response.headers, &mut known);
            self.heads(&mut response.body.trailers, &mut known);
            if let Some(sent) = response.sent.as_deref_mut() {
                self.sent(sent, &mut known);
            }
        }
        self.heads(&mut exchange.request.body.trailers, &mut known);
        if known.len() >= MAX_VALUES {
            withhold_all(exchange);
        }
        self.sweep(exchange, &known);
        if self.level == Level::Identities {
            self.identities(exchange);
        }
    }

    /// One text by itself, for screens and tests: a message without its exchange.
    pub fn text(&self, text: &[u8]) -> Vec<u8> {
        let mut known = Vec::new();
        let masked = self.masked(text, &mut known, 0);
        let forms: Vec<Form> = known.iter().flat_map(|(v, m)| forms(v, m)).collect();
        sweep(&masked, &forms, 0).unwrap_or(masked)
    }

    fn sent(&self, sent: &mut crate::event::Sent, known: &mut Vec<Pair>) {
        if let Some(body) = &sent.body {
            sent.body = Some(Bytes::from(self.masked(body, known, 0)));
        }
        if let Some(headers) = &mut sent.headers {
            self.heads(headers, known);
        }
        if let Some(target) = &mut sent.target {
            self.phrase(target, known);
        }
    }

    /// Content-coded bodies are kept as the text that they decode to; what cannot be decoded cannot be redacted.
    fn body(&self, body: &mut Body, known: &mut Vec<Pair>) {
        if body.bytes.is_empty() {
            return;
        }
        let decoded = decode_content(body);
        let coded = body
            .encoding
            .as_deref()
            .is_some_and(|e| !e.trim().is_empty() && !e.eq_ignore_ascii_case("identity"));
        if coded && !body.decoded && decoded.trouble.is_some() {
            body.withheld = decoded.trouble;
            body.bytes = Bytes::new();
            return;
        }
        let masked = self.masked(&decoded.bytes, known, 0);
        body.decoded = body.decoded || coded;
        body.bytes = Bytes::from(masked);
    }

    /// Masks the secrets of one text, and of the texts inside it.
    pub(super) fn masked(&self, text: &[u8], known: &mut Vec<Pair>, nesting: usize) -> Vec<u8> {
        if let Some(utf16) = Utf16::of(text) {
            return utf16.write(&self.masked(utf16.text.as_bytes(), known, nesting));
        }
        let mut edits = Edits::default();
        if is_query(text) {
            edits.add(self.parameters(text, known, nesting));
        }
        self.rest(text, edits, known, nesting)
    }

    /// A text of one line, which may be an address: a header's value, a target.
    fn line(&self, text: &[u8], known: &mut Vec<Pair>) -> Vec<u8> {
        let mut edits = Edits::default();
        edits.add(self.users(text, known));
        edits.add(self.parameters(text, known, 0));
        self.rest(text, edits, known, 0)
    }

    /// What is not replaced yet: secrets by their names and shapes, then the texts inside.
    fn rest(&self, text: &[u8], mut edits: Edits, known: &mut Vec<Pair>, nesting: usize) -> Vec<u8> {
        for value in whole_values(text) {
            let masked = self.key.mask(value.as_bytes());
            learn(known, value.as_bytes(), &masked);
        }
        let found = secrets(text).into_iter().filter_map(|span| {
            let value = text.get(span.clone())?;
            Some((span, self.secret(value, known)))
        });
        edits.add(found.collect());
        if nesting < MAX_NESTING {
            edits.add(self.values(text, known, nesting));
            let gaps = edits.gaps(text.len());
            edits.add(opened(text, &gaps, &mut |inner| {
                Some(self.masked(inner, known, nesting + 1)).filter(|masked| masked != inner)
            }));
        }
        edits.apply(text)
    }

    /// The placeholder of a secret that is remembered for the sweep.
    pub(super) fn secret(&self, value: &[u8], known: &mut Vec<Pair>) -> Vec<u8> {
        let masked = self.key.placeholder(value);
        learn(known, value, &masked);
        learn_inside(known, value, &masked);
        masked
    }

    /// Values that are written otherwise than they read, as texts of their own.
    fn values(&self, text: &[u8], known: &mut Vec<Pair>, nesting: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        for value in spelled(text) {
            let masked = self.masked(&value.plain, known, nesting + 1);
            if masked == value.plain {
                continue;
            }
            match value.write(text, &masked) {
                Some(written) => edits.extend(written),
                None => edits.extend(value.spans().filter_map(|span| {
                    let masked = self.key.mask(text.get(span.clone())?);
                    Some((span, masked))
                })),
            }
        }
        edits
    }

    fn heads(&self, headers: &mut [Header], known: &mut Vec<Pair>) {
        for header in headers {
            let value = if is_secret_header(&header.name) {
                // The scheme and the cookie's name say what it is; the rest is the secret.
                let (kept, secret) = header.value.split_at(secret_start(&header.name, &header.value));
                [kept, &self.secret(secret, known)].concat()
            } else {
                self.line(&header.value, known)
            };
            if *value != *header.value {
                header.value = Bytes::from(value);
            }
        }
    }

    fn phrase(&self, text: &mut String, known: &mut Vec<Pair>) {
        let masked = self.line(text.as_bytes(), known);
        if masked != text.as_bytes() {
            *text = String::from_utf8_lossy(&masked).into_owned();
        }
    }

    /// Third layer: every secret that was found, wherever else it stands in the exchange, in any form.
    fn sweep(&self, exchange: &mut Exchange, known: &[Pair]) {
        let forms: Vec<Form> = known.iter().take(MAX_VALUES).flat_map(|(v, m)| forms(v, m)).collect();
        if forms.is_empty() {
            return;
        }
        let request = &mut exchange.request;
        sweep_bytes(&mut request.body.bytes, &forms);
        sweep_heads(&mut request.headers, &forms);
        sweep_heads(&mut request.body.trailers, &forms);
        sweep_text(&mut request.target, &forms);
        let mut sents: Vec<_> = request.sent.as_deref_mut().into_iter().collect();
        if let Some(response) = exchange.response.as_mut() {
            sweep_bytes(&mut response.body.bytes, &forms);
            sweep_heads(&mut response.headers, &forms);
            sweep_heads(&mut response.body.trailers, &forms);
            sweep_text(&mut response.reason, &forms);
            sents.extend(response.sent.as_deref_mut());
        }
        for sent in sents {
            sent.body.iter_mut().for_each(|body| sweep_bytes(body, &forms));
            sent.headers.iter_mut().for_each(|headers| sweep_heads(headers, &forms));
            sent.target.iter_mut().for_each(|target| sweep_text(target, &forms));
        }
        exchange.changes.iter_mut().for_each(|change| sweep_text(&mut change.detail, &forms));
        exchange.facts.values_mut().for_each(|fact| sweep_text(fact, &forms));
        if let Some(error) = exchange.upstream.as_mut().and_then(|u| u.error.as_mut()) {
            sweep_text(error, &forms);
        }
    }
}

/// Whether a message is as it was signed cannot be told any more once its secrets are out: the fact takes its place.
fn note_signature(exchange: &mut Exchange) {
    let noted = exchange.facts.contains_key(SignatureState::FACT);
    if noted || memmem::find(&exchange.request.body.bytes, b"SignatureValue").is_none() {
        return;
    }
    let message = read_request(&exchange.request);
    if let Some(Credential::Certificate(signed)) = message.soap.as_ref().map(|soap| &soap.credential)
        && let Some(signature) = &signed.signature
    {
        let state = signature.state.word().to_owned();
        exchange.facts.insert(SignatureState::FACT.to_owned(), state);
    }
}

/// With more secrets than are searched for, one of them may stand anywhere in plain sight.
fn withhold_all(exchange: &mut Exchange) {
    let drop_body = |body: &mut Body, sent: Option<&mut crate::event::Sent>| {
        if !body.bytes.is_empty() {
            body.withheld = Some("more secrets than can be searched for".to_owned());
            body.bytes = Bytes::new();
        }
        if let Some(body) = sent.and_then(|sent| sent.body.as_mut()) {
            *body = Bytes::new();
        }
    };
    drop_body(&mut exchange.request.body, exchange.request.sent.as_deref_mut());
    if let Some(response) = exchange.response.as_mut() {
        drop_body(&mut response.body, response.sent.as_deref_mut());
    }
}

/// Bodies of management sessions, of sign-in forms and of unknown kinds: they carry keys and passwords that no
/// redactor knows, so head and length must do.
fn withhold(exchange: &mut Exchange) {
    let request = kind_of(&exchange.request.body, &exchange.request.headers);
    let response = exchange.response.as_ref().map(|r| kind_of(&r.body, &r.headers));
    let why = |kind: Kind| match kind {
        Kind::ManagementSync => Some("management-sync"),
        Kind::Other => Some("not an enrollment message"),
        _ => None,
    };
    let sync = request == Kind::ManagementSync;
    let drop_body = |body: &mut Body, kind: Kind| {
        let why = if sync { Some("management-sync") } else { why(kind) };
        if let Some(why) = why.filter(|_| !body.bytes.is_empty()) {
            body.withheld = Some(why.to_owned());
            body.bytes = Bytes::new();
        }
    };
    drop_body(&mut exchange.request.body, request);
    // What we answered ourselves holds no secret, and says what went wrong.
    if let (Some(response), Some(kind)) = (exchange.response.as_mut(), response)
        && response.from == crate::event::From::Upstream
    {
        drop_body(&mut response.body, kind);
        if let Some(body) = response.sent.as_deref_mut().and_then(|s| s.body.as_mut())
            && response.body.withheld.is_some()
        {
            *body = Bytes::new();
        }
    }
    if exchange.request.body.withheld.is_some()
        && let Some(sent) = exchange.request.sent.as_deref_mut()
    {
        sent.body = None;
    }
}

/// A token in base64 is the same secret as what is inside.
fn learn_inside(known: &mut Vec<Pair>, value: &[u8], masked: &[u8]) {
    if let Some((value, masked)) = wrapped(value, masked) {
        learn(known, &value, &masked);
        learn_inside(known, &value, &masked);
    }
}

/// Remembers a secret, without its surrounding whitespace, for the sweep.
pub(super) fn learn(known: &mut Vec<Pair>, value: &[u8], masked: &[u8]) {
    let start = value.len() - value.trim_ascii_start().len();
    let end = start + value.trim_ascii().len();
    let (Some(value), Some(masked)) = (value.get(start..end), masked.get(start..end)) else { return };
    if known.len() < MAX_VALUES && value != masked && !known.iter().any(|(v, _)| v == value) {
        known.push((value.to_vec(), masked.to_vec()));
        // What the parser makes of it: references resolved.
        let resolved = resolved(value);
        if resolved != value {
            let placeholder = resolved.iter().zip(masked.iter().cycle()).map(|(_, m)| *m).collect();
            known.push((resolved, placeholder));
        }
    }
}

/// A value as XML reads it.
fn resolved(value: &[u8]) -> Vec<u8> {
    if !value.contains(&b'&') {
        return value.to_vec();
    }
    let wrapped = [b"<v>", value, b"</v>"].concat();
    let document = Document::read(&wrapped);
    document.root().map(|root| root.text().into_owned().into_bytes()).unwrap_or_default()
}

/// `Bearer xyz` keeps its scheme, `name=value` its name.
fn secret_start(name: &str, value: &[u8]) -> usize {
    const SCHEMES: &[&str] = &[
        "Basic",
        "Bearer",
        "Digest",
        "DPoP",
        "HOBA",
        "Hawk",
        "Kerberos",
        "NTLM",
        "Negotiate",
        "OAuth",
        "Token",
    ];
    let is_cookie = name.to_ascii_lowercase().contains("cookie");
    let sign = if is_cookie { b'=' } else { b' ' };
    let Some(at) = value.iter().position(|b| *b == sign) else { return 0 };
    let before = value.get(..at).unwrap_or_default();
    let says_what_it_is = if is_cookie {
        !before.iter().any(|b| matches!(b, b';' | b' '))
    } else {
        SCHEMES.iter().any(|scheme| scheme.as_bytes().eq_ignore_ascii_case(before))
    };
    if says_what_it_is { at + 1 } else { 0 }
}

fn sweep_bytes(bytes: &mut Bytes, forms: &[Form]) {
    if let Some(swept) = sweep(bytes, forms, 0) {
        *bytes = Bytes::from(swept);
    }
}

fn sweep_heads(headers: &mut [Header], forms: &[Form]) {
    headers.iter_mut().for_each(|header| sweep_bytes(&mut header.value, forms));
}

fn sweep_text(text: &mut String, forms: &[Form]) {
    if let Some(swept) = sweep(text.as_bytes(), forms, 0) {
        *text = String::from_utf8_lossy(&swept).into_owned();
    }
}

/// The text with every form replaced, also inside its base64 tokens; `None` when nothing was found.
fn sweep(text: &[u8], forms: &[Form], nesting: usize) -> Option<Vec<u8>> {
    if let Some(utf16) = Utf16::of(text) {
        return sweep(utf16.text.as_bytes(), forms, nesting).map(|swept| utf16.write(&swept));
    }
    let mut out: Option<Vec<u8>> = None;
    for form in forms {
        if let Some(replaced) = form.replace(out.as_deref().unwrap_or(text)) {
            out = Some(replaced);
        }
    }
    if nesting < MAX_NESTING {
        // Last first, so that replacing one does not move the others.
        for span in base64_runs(out.as_deref().unwrap_or(text)).into_iter().rev() {
            let run = out.as_deref().unwrap_or(text).get(span.clone())?.to_vec();
            let Some(inner) = std::str::from_utf8(&run).ok().and_then(decode_base64).filter(|i| is_text(i))
            else {
                continue;
            };
            if let Some(written) =
                sweep(&inner, forms, nesting + 1).and_then(|swept| write_base64(&run, &swept))
            {
                out.get_or_insert_with(|| text.to_vec()).splice(span, written);
            }
        }
    }
    out
}
