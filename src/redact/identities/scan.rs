//! Texts word by word, with what is around a word deciding how it is meant.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::der::{self, Meant};
use super::word::{address, is_harmless, pseudonym};
use super::{Hidden, Thumbprints};
use crate::message::certificate::is_der;
use crate::message::decode_base64;
use crate::redact::edits::{Edit, Edits};
use crate::redact::exchange::MAX_NESTING;
use crate::redact::mask::Key;
use crate::redact::spelling::{all_spelled, spelled};
use crate::redact::token::web_tokens;
use crate::redact::wrapping::{Utf16, base64_runs, is_text, write_base64};
use crate::xml::Document;

/// Leftmost first, so that what has a form is seen before its words are. Bytes above ASCII belong to words.
static FORMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let forms = [
        r"(?P<sid>\bS-1-\d+(?:-\d+){2,})",
        r"(?P<date>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)",
        r"(?P<reference>&#?\w{1,10};|%[0-9A-Fa-f]{2})",
        r"(?P<namespace>(?:https?://)?(?:schemas\.microsoft\.com|schemas\.xmlsoap\.org|www\.w3\.org|docs\.oasis-open\.org|schemas\.datacontract\.org|Microsoft\.AAD\.BrokerPlugin)\b)",
        r"(?P<guid>[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b)",
        r"(?P<mac>(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b)",
        r"(?P<number>0x[0-9A-Fa-f]{1,16}\b)",
        r"(?P<oid>(?:1\.3\.6\.1|1\.2\.840|2\.16\.840|2\.5|1\.3\.14|1\.3\.132)(?:\.\d+)+)",
        r"(?P<v4>\d{1,3}(?:\.\d{1,3}){3}\b)",
        r"(?P<dashed>\b(?:ip-)?\d{1,3}(?:-\d{1,3}){3}\b)",
        r"(?P<phone>\+\d[\d ()/-]{6,20}\d\b)",
        r"(?P<home>(?i:[/\\]users[/\\])[^/\\?#\s\x22'<>&]+)",
        r"(?P<v6>(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}\b)",
        r"(?P<mail>[\w.+'\x80-\xff-]+(?:@|%40))",
        r"(?P<account>[\w.\x80-\xff-]+(?:\\|%5C)[\w.\x80-\xff-]+)",
        r"(?P<der>M[A-Za-z0-9+/]{10,}(?:={2})?|[A-Za-z0-9+/]{4,}={2})",
        r"(?P<word>[A-Za-z0-9\x80-\xff]+)",
    ];
    // One that is always built.
    Regex::new(&format!("(?-u)(?:{})", forms.join("|"))).ok()
});

/// Ids that Windows has built in: the same from every device.
const EVERYBODYS: &[&str] = &[
    "748132ec-a575-4329-b01b-6171a9cf8478",
    "72048b64-0f19-448f-8c2e-b4c661860aa0",
    "0d5a1441-5891-453b-becf-a2e5f6ea3749",
    "cc1ccc1f-2fba-4bcf-b063-ffc0cac77917",
    "29801c2f-f26b-46ad-984b-afaefb545ff8",
];

/// What is never the name of somebody's host: the rest of a host's labels are.
const LABELS: &[&str] = &[
    "com",
    "org",
    "net",
    "www",
    "localhost",
    "example",
    "test",
    "enterpriseenrollment",
    "enterpriseregistration",
    "microsoft",
    "microsoftonline",
    "windows",
    "login",
    "manage",
    "onmicrosoft",
    "immersivecontrolpanel",
];

/// Members, parameters and headers whose value is a name, by a part of what they are called.
static NAMING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let key = r"user|upn|login_?hint|mail|display_?name|given_?name|family_?name|device_?name|computer|host_?name|owner|account|principal|employee|phone|customer|tenant";
    // A member of JSON, a parameter of a query or of a form.
    let text = format!(
        r#"(?-u)(?i)(?P<key>[A-Za-z0-9_.-]*(?:{key})[A-Za-z0-9_.-]*|\b(?:name|device|from)\b)[\x22']?\s*[=:]\s*(?:[\x22'](?P<quoted>[^\x22'\r\n]*)|(?P<plain>[^\x22'&\r\n<>;,}}\s][^&\r\n<>;,}}]*))"#
    );
    Regex::new(&text).ok()
});

/// Whether what is called so has a name for its value.
fn is_naming(key: &str) -> bool {
    let found = NAMING
        .as_ref()
        .and_then(|naming| naming.find(format!("{key}=1").as_bytes()).map(|found| found.start()));
    found == Some(0)
}

/// Headers that have such a word in their name, and tell of programs.
const NOT_NAMING: &[&str] = &["user-agent", "x-ms-useragent"];

/// Elements, context items and parms whose text is a name, whatever words it is made of.
const NAMES: &[&str] = &[
    "username",
    "emailaddress",
    "devicename",
    "deviceid",
    "hwdevid",
    "mac",
    "imei",
    "upn",
    "aauthname",
    "entdevicename",
    "entdmid",
    "serialnumber",
    "userdomain",
    "tenantid",
    "friendlyname",
];

/// Elements whose numbers say how something is to be made, however long they are.
const NUMBERS: &[&str] = &[
    "privatekeyflags",
    "subjectnameflags",
    "enrollmentflags",
    "generalflags",
    "keyspec",
    "validityperiodseconds",
    "renewalperiodseconds",
    "nextupdatehours",
    "errorcode",
];

/// Elements with ids that servers write into their logs: they are what the other side searches for.
const CORRELATING: &[&str] = &["activityid", "traceid"];

/// Takes identities out of texts; each result is as long as what it was.
pub(in crate::redact) struct Scan<'a> {
    pub(in crate::redact) key: &'a Key,
    pub(in crate::redact) thumbprints: &'a Thumbprints,
    pub(in crate::redact) hidden: Option<&'a Hidden>,
}

impl Scan<'_> {
    /// A body, or a text inside of one.
    pub(in crate::redact) fn text(&self, text: &[u8], nesting: usize) -> Vec<u8> {
        if let Some(utf16) = Utf16::of(text) {
            return utf16.write(&self.text(utf16.text.as_bytes(), nesting));
        }
        let contexts = Contexts::of(text);
        let mut edits = Edits::default();
        if nesting < MAX_NESTING {
            edits.add(self.tokens(text, nesting));
            // Before base64 is looked for: what is written in pieces is no base64 piece by piece.
            edits.add(self.spelled(text, &contexts, nesting));
            edits.add(self.escaped(text, &contexts, nesting));
            let left = edits.gaps(text.len());
            edits.add(self.opened(text, &left, nesting));
        }
        let left = edits.gaps(text.len());
        edits.add(self.words(text, &left, &contexts));
        edits.apply(text)
    }

    /// A text that is a host, or begins with one: `name:port`.
    pub(in crate::redact) fn host(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.text(format!("https://{text}").as_bytes(), MAX_NESTING))
            .strip_prefix("https://")
            .unwrap_or_default()
            .to_owned()
    }

    /// What a header says; of a name or a host, by what the header is called.
    pub(in crate::redact) fn header(&self, name: &str, value: &[u8]) -> Vec<u8> {
        let lower = name.to_ascii_lowercase();
        let Ok(text) = std::str::from_utf8(value) else { return self.text(value, 0) };
        if lower.contains("host") || lower == ":authority" {
            return self.host(text).into_bytes();
        }
        if !NOT_NAMING.contains(&lower.as_str()) && is_naming(&lower) {
            self.name(value)
        } else {
            self.text(value, 0)
        }
    }

    /// A text that is a name: its words are no protocol's, and its numbers are somebody's.
    fn name(&self, text: &[u8]) -> Vec<u8> {
        let whole = std::iter::once(0..text.len());
        let contexts = Contexts { names: whole.clone().collect(), kept: Vec::new() };
        let mut edits = Edits::default();
        edits.add(self.words(text, &whole.collect::<Vec<_>>(), &contexts));
        edits.apply(text)
    }

    /// A certificate, or a request for one.
    pub(in crate::redact) fn der(&self, bytes: &[u8]) -> Vec<u8> {
        let text = |text: &[u8], meant: Meant| match (meant, std::str::from_utf8(text)) {
            (Meant::Name, _) => self.name(text),
            (Meant::Host, Ok(host)) => self.host(host).into_bytes(),
            (Meant::Text | Meant::Host, _) => self.text(text, MAX_NESTING),
        };
        der::masked(bytes, &text, &|octets| self.key.noise(octets))
    }

    /// Learns what the certificates in a text will be called once they are changed.
    pub(in crate::redact) fn learn(&self, text: &[u8], thumbprints: &mut Thumbprints, nesting: usize) {
        if let Some(utf16) = Utf16::of(text) {
            return self.learn(utf16.text.as_bytes(), thumbprints, nesting);
        }
        if nesting < MAX_NESTING {
            spelled(text).iter().for_each(|value| self.learn(&value.plain, thumbprints, nesting + 1));
        }
        for run in base64_runs(text) {
            let Some(inner) =
                text.get(run).and_then(|run| std::str::from_utf8(run).ok()).and_then(decode_base64)
            else {
                continue;
            };
            if is_text(&inner) && nesting < MAX_NESTING {
                self.learn(&inner, thumbprints, nesting + 1);
            } else {
                thumbprints.extend(der::thumbprints(&inner, &self.der(&inner)));
            }
        }
    }

    /// JSON Web Tokens: their headers say how they are made, their claims are texts.
    fn tokens(&self, text: &[u8], nesting: usize) -> Vec<Edit> {
        let token = |span: Range<usize>| {
            let token = std::str::from_utf8(text.get(span.clone())?).ok()?;
            let (header, rest) = token.split_once('.')?;
            let (claims, signature) = rest.split_once('.')?;
            let json = decode_base64(claims).filter(|json| is_text(json))?;
            let masked = write_base64(claims.as_bytes(), &self.text(&json, nesting + 1))?;
            let signature = self.put(signature, false);
            Some((span, [header.as_bytes(), b".", &masked, b".", signature.as_bytes()].concat()))
        };
        web_tokens(text).into_iter().filter_map(token).collect()
    }

    /// Texts and certificates in base64.
    fn opened(&self, text: &[u8], left: &[Range<usize>], nesting: usize) -> Vec<Edit> {
        let runs = left.iter().flat_map(|gap| {
            let inner = text.get(gap.clone()).unwrap_or_default();
            base64_runs(inner).into_iter().map(|run| gap.start + run.start..gap.start + run.end)
        });
        let open = |span: Range<usize>| {
            let run = text.get(span.clone())?;
            let inner = decode_base64(std::str::from_utf8(run).ok()?)?;
            let masked = if is_text(&inner) {
                self.text(&inner, nesting + 1)
            } else if inner.first() == Some(&0x30) {
                self.der(&inner)
            } else {
                return None;
            };
            Some((span, write_base64(run, &masked)?))
        };
        runs.filter_map(open).collect()
    }

    /// Values that are written otherwise than they read.
    fn spelled(&self, text: &[u8], contexts: &Contexts, nesting: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        for value in all_spelled(text) {
            let Some(span) = value.spans().next() else { continue };
            if contexts.is_kept(&span) {
                continue;
            }
            let masked = self.inner(&value.plain, contexts.is_name(&span), nesting);
            edits.extend(value.write(text, &masked).into_iter().flatten());
        }
        edits
    }

    /// Letters and digits behind percent signs, which nobody has to write so; each stays behind one.
    fn escaped(&self, text: &[u8], contexts: &Contexts, nesting: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        for run in escaped_runs(text) {
            let raw = text.get(run.clone()).unwrap_or_default();
            let plain: Vec<u8> = unescaped(raw).map(|(byte, _)| byte).collect();
            let masked = self.inner(&plain, contexts.is_name(&run), nesting);
            if contexts.is_kept(&run) || masked.len() != plain.len() {
                continue;
            }
            let mut out = Vec::with_capacity(raw.len());
            for ((_, is_escaped), byte) in unescaped(raw).zip(masked) {
                if is_escaped { out.extend(format!("%{byte:02X}").into_bytes()) } else { out.push(byte) }
            }
            edits.push((run, out));
        }
        edits
    }

    /// A text inside of a text.
    fn inner(&self, plain: &[u8], is_name: bool, nesting: usize) -> Vec<u8> {
        if is_name && std::str::from_utf8(plain).is_ok() {
            self.name(plain)
        } else {
            self.text(plain, nesting + 1)
        }
    }

    /// Where nothing is replaced yet, with names that may be of any words, and with what is kept.
    fn words(&self, text: &[u8], left: &[Range<usize>], contexts: &Contexts) -> Vec<Edit> {
        let Some(forms) = &*FORMS else { return vec![(0..text.len(), vec![b'x'; text.len()])] };
        let mut edits: Vec<Edit> = Vec::new();
        let mut in_host = 0;
        for found in forms.captures_iter(text) {
            let Some(whole) = found.get(0) else { continue };
            let span = whole.range();
            if contexts.is_kept(&span) || !is_within(left, &span) {
                continue;
            }
            let before = text.get(..span.start).unwrap_or_default();
            let of_host = |sign: &&[u8]| before.ends_with(sign);
            if [&b"://"[..], b"@", b"%40", b"%3A%2F%2F", b"%3a%2f%2f"].iter().any(of_host) {
                let rest = text.get(span.start..).unwrap_or_default();
                let letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-') || *b >= 0x80;
                in_host = span.start + rest.iter().position(|b| !letter(b)).unwrap_or(rest.len());
            }
            let place = Place { is_name: contexts.is_name(&span), is_host: span.start < in_host };
            let said = String::from_utf8_lossy(whole.as_bytes());
            let new = self.replaced(&found, &said, place);
            if let Some(new) = new.filter(|new| new.len() == span.len()) {
                edits.push((span, new.into_bytes()));
            }
        }
        edits
    }

    /// What takes the place of something found; `None` where it stays.
    fn replaced(&self, found: &Captures<'_>, said: &str, place: Place) -> Option<String> {
        let is = |name: &str| found.name(name).is_some();
        if is("date") || is("reference") || is("namespace") || is("number") || is("oid") {
            return None;
        }
        if is("guid") {
            let everybodys = EVERYBODYS.iter().any(|id| id.eq_ignore_ascii_case(said));
            return (!everybodys).then(|| self.put(said, true));
        }
        if is("mac") {
            return Some(self.put(said, true));
        }
        if is("sid") || is("dashed") || is("phone") {
            // What says the kind stays: `S-1-5-21`, `ip`.
            let kept =
                if is("sid") { said.match_indices('-').nth(3).map_or(said.len(), |(at, _)| at) } else { 0 };
            let (kind, rest) = said.split_at_checked(kept)?;
            return Some(format!("{kind}{}", self.each(rest, |word| word == "ip")));
        }
        if is("home") {
            let start = said.get(1..)?.find(['/', '\\'])? + 2;
            let (place, name) = said.split_at_checked(start)?;
            return Some(format!("{place}{}", self.all_words(name)));
        }
        if is("v4") {
            let numbers = said.split('.').all(|octet| octet.parse::<u8>().is_ok());
            // Versions look like addresses (one is in names of the protocol); those that everybody has say nothing.
            let everybodys = said.starts_with("127.") || ["0.0.0.0", "5.0.0.0"].contains(&said);
            return (numbers && !everybodys).then(|| {
                let new = address(self.key, said);
                self.note(&new, said);
                new
            });
        }
        if is("v6") {
            return Some(said.split(':').map(|group| self.group(group)).collect::<Vec<_>>().join(":"));
        }
        if is("mail") {
            let end = said.len() - if said.ends_with('@') { 1 } else { 3 };
            let (local, sign) = said.split_at_checked(end)?;
            return Some(format!("{}{sign}", self.all_words(local)));
        }
        if is("account") {
            // `My\User` is a place, `CONTOSO\anna` is somebody.
            let harmless = said.split(['\\', '%']).all(|part| is_harmless(part.trim_start_matches("5C")));
            return (!harmless).then(|| {
                let sign = if said.contains('\\') { "\\" } else { "%5C" };
                said.split(sign).map(|part| self.all_words(part)).collect::<Vec<_>>().join(sign)
            });
        }
        if is("der") {
            let inner = decode_base64(said).filter(|inner| is_der(inner));
            let written = inner.and_then(|inner| write_base64(said.as_bytes(), &self.der(&inner)));
            return match written {
                Some(written) => String::from_utf8(written).ok(),
                None => Some(self.each(said, is_harmless)),
            };
        }
        let stays = match place {
            // A label of a host is a name, however short.
            Place { is_host: true, .. } => {
                LABELS.iter().any(|label| label.eq_ignore_ascii_case(said))
                    || said.bytes().all(|b| b.is_ascii_digit())
            }
            Place { is_name: true, .. } => false,
            Place { .. } => is_harmless(said),
        };
        (!stays).then(|| self.put(said, false))
    }

    /// Of a name each word, whatever it is.
    fn all_words(&self, name: &str) -> String {
        self.each(name, |_| false)
    }

    /// Each word but those that stay.
    fn each(&self, text: &str, stays: impl Fn(&str) -> bool) -> String {
        let is_word = |c: char| c.is_alphanumeric();
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let word = is_word(first);
            let end = rest.find(|c: char| is_word(c) != word).unwrap_or(rest.len());
            let (part, behind) = rest.split_at(end);
            out.push_str(&if word && !stays(part) { self.put(part, false) } else { part.to_owned() });
            rest = behind;
        }
        out
    }

    /// Of an IPv6 address.
    fn group(&self, group: &str) -> String {
        if group.is_empty() { String::new() } else { self.put(group, true) }
    }

    fn put(&self, word: &str, as_hex: bool) -> String {
        let known = self.thumbprints.get(&word.to_ascii_uppercase());
        let new = match known {
            Some(new) if word.bytes().any(|b| b.is_ascii_lowercase()) => new.to_ascii_lowercase(),
            Some(new) => new.clone(),
            None => pseudonym(self.key, word, as_hex),
        };
        self.note(&new, word);
        new
    }

    fn note(&self, pseudonym: &str, word: &str) {
        if let Some(hidden) = self.hidden {
            hidden.note(pseudonym, word);
        }
    }
}

#[derive(Clone, Copy)]
struct Place {
    is_name: bool,
    is_host: bool,
}

/// Where names stand that may be made of any words, and what is kept: ids that are to be found in logs.
#[derive(Default)]
struct Contexts {
    names: Vec<Range<usize>>,
    kept: Vec<Range<usize>>,
}

impl Contexts {
    fn is_name(&self, span: &Range<usize>) -> bool {
        is_within(&self.names, span)
    }

    fn is_kept(&self, span: &Range<usize>) -> bool {
        is_within(&self.kept, span)
    }

    fn of(text: &[u8]) -> Self {
        let mut contexts = Self::default();
        if memchr::memchr(b'<', text).is_none() {
            let naming = NAMING.iter().flat_map(|naming| naming.captures_iter(text));
            contexts.names = naming
                .filter_map(|found| Some(found.name("quoted").or(found.name("plain"))?.range()))
                .collect();
            return contexts;
        }
        let document = Document::read(text);
        let source = document.source();
        let raw = |span: Range<usize>| source.raw_offset(span.start)..source.raw_offset(span.end);
        let is = |list: &[&str], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
        for element in document.elements() {
            let attribute = |name: &str| element.attributes().find(|a| a.local().eq_ignore_ascii_case(name));
            let named = attribute("name").is_some_and(|name| is(NAMES, name.value().trim()));
            let spans = element.hidden_spans().into_iter().map(raw);
            if is(CORRELATING, element.local()) {
                contexts.kept.extend(spans);
                contexts.kept.extend(attribute("CorrelationId").map(|a| raw(a.span())));
            } else if is(NUMBERS, element.local()) || is_anonymous_der(&element.text()) {
                contexts.kept.extend(spans);
            } else if is(NAMES, element.local()) || named && element.local() == "ContextItem" {
                contexts.names.extend(spans);
            }
            let is_input = element.local().eq_ignore_ascii_case("input")
                && attribute("name").is_some_and(|name| is_naming(name.value().trim()));
            if named || is_input {
                contexts.names.extend(attribute("value").map(|a| raw(a.span())));
            }
        }
        contexts
    }
}

fn is_within(spans: &[Range<usize>], span: &Range<usize>) -> bool {
    spans.iter().any(|s| s.start <= span.start && span.end <= s.end)
}

/// Stretches in which a letter or a digit is behind a percent sign.
fn escaped_runs(text: &[u8]) -> Vec<Range<usize>> {
    static RUNS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?-u)[A-Za-z0-9._~+%@-]*%[0-9A-Fa-f]{2}[A-Za-z0-9._~+%@-]*").ok());
    if memchr::memchr(b'%', text).is_none() {
        return Vec::new();
    }
    let tells = |run: &[u8]| {
        unescaped(run).any(|(byte, is)| is && (byte.is_ascii_alphanumeric() || byte >= 0x80 || byte == b'%'))
    };
    let runs = RUNS.iter().flat_map(|runs| runs.find_iter(text));
    runs.filter(|run| tells(run.as_bytes())).map(|run| run.range()).collect()
}

/// Each byte, and whether it was behind a percent sign.
fn unescaped(run: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *run.get(at)?;
        let digits =
            run.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|d| std::str::from_utf8(d).ok());
        match digits
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u8::from_str_radix(d, 16).ok())
        {
            Some(byte) => {
                at += 3;
                Some((byte, true))
            }
            None => {
                at += 1;
                Some((byte, false))
            }
        }
    })
}

/// Short base64 of DER without a text in it: a key usage, say.
fn is_anonymous_der(text: &str) -> bool {
    let text = text.trim();
    let inner = (4..64).contains(&text.len()).then(|| decode_base64(text)).flatten();
    inner.is_some_and(|inner| der::is_anonymous(&inner))
}
