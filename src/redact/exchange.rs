//! Redaction of a whole exchange: bodies, heads, targets, and the second texts where we changed something.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use memchr::memmem;

use super::find::{secrets, whole_values};
use super::forms::{forms, replace};
use super::mask::Key;
use super::token::wrapped;
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
    /// Nothing.
    None,
}

impl Level {
    /// As captures spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::None => "none",
        }
    }
}

/// Takes secrets out of exchanges.
#[derive(Clone, Debug)]
pub struct Redactor {
    level: Level,
    /// Keep bodies of which nobody knows what they hold, too.
    all_bodies: bool,
    key: Key,
}

/// A secret and its placeholder.
type Pair = (Vec<u8>, Vec<u8>);

/// Values beyond this number are not searched for in the rest of the exchange (they are masked where they stand).
const MAX_VALUES: usize = 32;
/// Base64 inside base64 is opened so many times.
const MAX_NESTING: usize = 3;

/// Headers whose values are secrets as a whole.
const SECRET_HEADERS: &[&str] = &[
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "X-Auth-Token",
    "X-Csrf-Token",
    "MDM-Signature",
    "WWW-Authenticate-Token",
];

/// Query parameters whose values are secrets.
const SECRET_PARAMETERS: &[&str] = &[
    "access_token",
    "id_token",
    "code",
    "token",
    "wresult",
    "password",
    "client_secret",
    "assertion",
    "sig",
    "ticket",
    "OpaqueBlob",
];

impl Redactor {
    pub fn new(level: Level, all_bodies: bool, key: Key) -> Self {
        Self { level, all_bodies, key }
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
            header.value = Bytes::from(self.userinfo(&header.value, 0, &mut known));
        }
        self.target(&mut exchange.request.target, &mut known);
        if let Some(sent) = exchange.request.sent.as_deref_mut() {
            self.sent(sent, &mut known);
        }
        if let Some(response) = exchange.response.as_mut() {
            self.body(&mut response.body, &mut known);
            self.heads(&mut response.headers, &mut known);
            self.heads(&mut response.body.trailers, &mut known);
            if let Some(sent) = response.sent.as_deref_mut() {
                self.sent(sent, &mut known);
            }
        }
        self.heads(&mut exchange.request.body.trailers, &mut known);
        self.sweep(exchange, &known);
    }

    /// One text by itself, for screens and tests: a message without its exchange.
    pub fn text(&self, text: &[u8]) -> Vec<u8> {
        let mut known = Vec::new();
        let masked = self.masked(text, &mut known, 0);
        let forms: Vec<Pair> = known.iter().flat_map(|(v, m)| forms(v, m)).collect();
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
            self.target(target, known);
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

    /// Masks the secrets of one text, and of the texts inside its base64 tokens.
    fn masked(&self, text: &[u8], known: &mut Vec<Pair>, nesting: usize) -> Vec<u8> {
        if let Some(utf16) = Utf16::of(text) {
            return utf16.write(&self.masked(utf16.text.as_bytes(), known, nesting));
        }
        let mut out = text.to_vec();
        for value in whole_values(text) {
            let masked = self.key.mask(value.as_bytes());
            learn(known, value.as_bytes(), &masked);
        }
        for span in secrets(text) {
            let Some(value) = text.get(span.clone()) else { continue };
            let masked = self.key.placeholder(value);
            learn(known, value, &masked);
            learn_inside(known, value, &masked);
            if let Some(target) = out.get_mut(span) {
                target.copy_from_slice(&masked);
            }
        }
        if nesting < MAX_NESTING {
            self.tokens(&mut out, known, nesting);
        }
        out
    }

    /// Opens every base64 token that holds a text, masks inside, and writes it back letter for letter.
    fn tokens(&self, text: &mut Vec<u8>, known: &mut Vec<Pair>, nesting: usize) {
        for span in base64_runs(text) {
            let Some(run) = text.get(span.clone()) else { continue };
            let Some(inner) = std::str::from_utf8(run).ok().and_then(decode_base64) else { continue };
            if !is_text(&inner) {
                continue; // Certificates, requests and signatures are no secrets.
            }
            let masked = self.masked(&inner, known, nesting + 1);
            if masked != inner
                && let Some(written) = write_base64(run, &masked)
            {
                text.splice(span, written);
            }
        }
    }

    fn heads(&self, headers: &mut [Header], known: &mut Vec<Pair>) {
        for header in headers {
            if SECRET_HEADERS.iter().any(|name| name.eq_ignore_ascii_case(&header.name)) {
                // The scheme and the cookies' names say what it is; the rest is the secret.
                let value = header.value.to_vec();
                let start = secret_start(&header.name, &value);
                let secret = value.get(start..).unwrap_or_default();
                let masked = self.key.placeholder(secret);
                learn(known, secret, &masked);
                header.value = Bytes::from([value.get(..start).unwrap_or_default(), &masked].concat());
            } else if header.value.contains(&b'=') {
                header.value = Bytes::from(self.query(&header.value, known));
            }
        }
    }

    fn target(&self, target: &mut String, known: &mut Vec<Pair>) {
        if let Some(scheme) = target.find("://") {
            let masked = self.userinfo(target.as_bytes(), scheme + 3, known);
            *target = String::from_utf8_lossy(&masked).into_owned();
        }
        if target.contains('=') {
            *target = String::from_utf8_lossy(&self.query(target.as_bytes(), known)).into_owned();
        }
    }

    /// The user and the password before the `@` of an authority that begins at `start`.
    fn userinfo(&self, text: &[u8], start: usize, known: &mut Vec<Pair>) -> Vec<u8> {
        let mut out = text.to_vec();
        let authority = text.get(start..).unwrap_or_default();
        let end = authority.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(authority.len());
        let Some(at) = authority.get(..end).and_then(|a| a.iter().rposition(|b| *b == b'@')) else {
            return out;
        };
        for part in authority.get(..at).unwrap_or_default().split(|b| *b == b':') {
            let masked = self.key.mask(part);
            learn(known, part, &masked);
            let from = part.as_ptr() as usize - text.as_ptr() as usize;
            if let Some(target) = out.get_mut(from..from + part.len()) {
                target.copy_from_slice(&masked);
            }
        }
        out
    }

    /// Values of secret parameters in a query (or a fragment, or a Location with one).
    fn query(&self, text: &[u8], known: &mut Vec<Pair>) -> Vec<u8> {
        let mut spans = Vec::new();
        let mut start = 0;
        for (at, byte) in text.iter().chain([&b'&']).enumerate() {
            if !matches!(byte, b'&' | b'?' | b'#' | b';' | b' ' | b'"' | b',') {
                continue;
            }
            let pair = text.get(start..at).unwrap_or_default();
            if let Some(equals) = pair.iter().position(|b| *b == b'=') {
                let name = String::from_utf8_lossy(pair.get(..equals).unwrap_or_default()).into_owned();
                let secret = SECRET_PARAMETERS.iter().any(|p| p.eq_ignore_ascii_case(&name));
                let value = start + equals + 1..at;
                if let Some(found) = text.get(value.clone()).filter(|_| secret) {
                    let masked = self.parameter(found, known);
                    spans.push((value, masked));
                }
            }
            start = at + 1;
        }
        let mut out = text.to_vec();
        for (span, masked) in spans.into_iter().rev() {
            out.splice(span, masked);
        }
        out
    }

    /// A parameter's value: the placeholder of what it says, written as it was.
    fn parameter(&self, raw: &[u8], known: &mut Vec<Pair>) -> Vec<u8> {
        if !raw.contains(&b'%') && !raw.contains(&b'+') {
            let masked = self.key.placeholder(raw);
            learn(known, raw, &masked);
            return masked;
        }
        let whole = [b"v=", raw].concat();
        let said =
            form_urlencoded::parse(&whole).next().map(|(_, value)| value.into_owned()).unwrap_or_default();
        let masked = self.key.placeholder(said.as_bytes());
        learn(known, said.as_bytes(), &masked);
        form_urlencoded::byte_serialize(&masked).collect::<String>().into_bytes()
    }

    /// Third layer: every secret that was found, wherever else it stands in the exchange, in any form.
    fn sweep(&self, exchange: &mut Exchange, known: &[Pair]) {
        let forms: Vec<Pair> = known.iter().take(MAX_VALUES).flat_map(|(v, m)| forms(v, m)).collect();
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

/// Remembers a secret, without its surrounding whitespace, for the sweep.
/// A token in base64 is the same secret as what is inside.
fn learn_inside(known: &mut Vec<Pair>, value: &[u8], masked: &[u8]) {
    if let Some((value, masked)) = wrapped(value, masked) {
        learn(known, &value, &masked);
        learn_inside(known, &value, &masked);
    }
}

fn learn(known: &mut Vec<Pair>, value: &[u8], masked: &[u8]) {
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
    let separator = if name.to_ascii_lowercase().contains("cookie") { b'=' } else { b' ' };
    value.iter().position(|b| *b == separator).map_or(0, |at| at + 1)
}

fn sweep_bytes(bytes: &mut Bytes, forms: &[Pair]) {
    if let Some(swept) = sweep(bytes, forms, 0) {
        *bytes = Bytes::from(swept);
    }
}

fn sweep_heads(headers: &mut [Header], forms: &[Pair]) {
    headers.iter_mut().for_each(|header| sweep_bytes(&mut header.value, forms));
}

fn sweep_text(text: &mut String, forms: &[Pair]) {
    if let Some(swept) = sweep(text.as_bytes(), forms, 0) {
        *text = String::from_utf8_lossy(&swept).into_owned();
    }
}

/// The text with every form replaced, also inside its base64 tokens; `None` when nothing was found.
fn sweep(text: &[u8], forms: &[Pair], nesting: usize) -> Option<Vec<u8>> {
    if let Some(utf16) = Utf16::of(text) {
        return sweep(utf16.text.as_bytes(), forms, nesting).map(|swept| utf16.write(&swept));
    }
    let mut out: Option<Vec<u8>> = None;
    for (value, placeholder) in forms {
        if let Some(replaced) = replace(out.as_deref().unwrap_or(text), value, placeholder) {
            out = Some(replaced);
        }
    }
    if nesting < MAX_NESTING {
        for span in base64_runs(out.as_deref().unwrap_or(text)) {
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

/// Runs of base64 letters (whitespace between them allowed) long enough to hold a message, last first, so that
/// replacing one does not move the others.
fn base64_runs(text: &[u8]) -> Vec<std::ops::Range<usize>> {
    const SHORTEST: usize = 64;
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| rest.len() >= SHORTEST) {
        let length = rest.iter().position(|b| !in_base64(*b)).unwrap_or(rest.len());
        let run = rest.get(..length).unwrap_or_default();
        let blanks = run.len() - run.trim_ascii_start().len();
        let run = run.trim_ascii();
        if run.len() >= SHORTEST {
            runs.push(at + blanks..at + blanks + run.len());
        }
        at += length + 1;
    }
    runs.reverse();
    runs
}

/// Base64's letters of both alphabets, and the blanks between them: by table, as every byte is asked for.
fn in_base64(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        loop {
            let letter = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
            #[expect(clippy::indexing_slicing, reason = "at compile time, and a byte is below 256")]
            {
                table[byte as usize] = letter || byte.is_ascii_whitespace();
            }
            if byte == u8::MAX {
                break table;
            }
            byte += 1;
        }
    };
    TABLE.get(byte as usize).copied().unwrap_or_default()
}

/// Mostly printable: a document, or base64 of one.
fn is_text(bytes: &[u8]) -> bool {
    let sample = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let odd = sample.iter().filter(|b| b.is_ascii_control() && !b.is_ascii_whitespace()).count();
    !sample.is_empty() && (odd == 0 || Utf16::of(bytes).is_some())
}

/// Base64 of the new bytes, laid out over the old run: the same whitespace at the same places.
pub(super) fn write_base64(run: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let url_safe = run.iter().any(|b| matches!(b, b'-' | b'_'));
    let encoded = STANDARD.encode(bytes).into_bytes();
    let mut letters = encoded.into_iter().map(|b| match b {
        b'+' if url_safe => b'-',
        b'/' if url_safe => b'_',
        other => other,
    });
    let mut out = Vec::with_capacity(run.len());
    for byte in run {
        if byte.is_ascii_whitespace() {
            out.push(*byte);
        } else if let Some(letter) = letters.next() {
            out.push(letter);
        }
    }
    // Unpadded runs stay unpadded; a text that grew goes on behind.
    let padded = run.contains(&b'=') || run.iter().filter(|b| !b.is_ascii_whitespace()).count() % 4 == 0;
    out.extend(letters.filter(|b| padded || *b != b'='));
    Some(out)
}

/// A UTF-16 text with a byte order mark.
struct Utf16 {
    text: String,
    little: bool,
}

impl Utf16 {
    fn of(bytes: &[u8]) -> Option<Self> {
        let little = match bytes {
            [0xFF, 0xFE, ..] => true,
            [0xFE, 0xFF, ..] => false,
            _ => return None,
        };
        let unit = if little { u16::from_le_bytes } else { u16::from_be_bytes };
        let units = bytes.get(2..)?.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
        let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        Some(Self { text, little })
    }

    fn write(&self, text: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(text);
        let unit = |u: u16| if self.little { u.to_le_bytes() } else { u.to_be_bytes() };
        let mark: [u8; 2] = if self.little { [0xFF, 0xFE] } else { [0xFE, 0xFF] };
        mark.into_iter().chain(text.encode_utf16().flat_map(unit)).collect()
    }
}
