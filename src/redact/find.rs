//! Where the secrets of a text stand: by its structure as far as it parses, and by names in its bytes where it does
//! not.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use super::names::{LAST_WORDS, is_secret};
use super::page::handed_over;
use super::token::web_tokens;
use crate::message::certificate::Certificate;
use crate::message::decode_base64;
use crate::xml::{Document, Element};

/// Raw byte ranges of secret values, in order, not overlapping.
pub(super) fn secrets(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = structural(text);
    found.extend(lexical(text));
    found.extend(handed_over(text));
    found.extend(web_tokens(text));
    found.retain(|span| !span.is_empty());
    found.sort_by_key(|span| (span.start, span.end));
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for span in found {
        match joined.last_mut() {
            // The same text found by both layers, or one within the other.
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}

/// Text of secret elements, values of secret attributes, values beside a secret name, all that is unknown in a security
/// header.
fn structural(text: &[u8]) -> Vec<Range<usize>> {
    // Most headers and parameters: nothing in them is an element.
    if memchr::memchr(b'<', text).is_none() {
        return Vec::new();
    }
    let document = Document::read(text);
    let source = document.source();
    let raw = |span: Range<usize>| source.raw_offset(span.start)..source.raw_offset(span.end);
    let mut found = Vec::new();
    // All text before it is found already.
    let mut covered = 0;
    for element in document.elements() {
        let is_named = element.attributes().any(|a| is_naming(a.local()) && is_secret(&a.value()));
        let is_secret_element = is_secret(element.local()) || is_unknown_in_header(&element);
        if (is_named || is_secret_element) && element.span().end > covered {
            found.extend(element.hidden_spans().into_iter().map(raw));
            covered = element.span().end;
        }
        if element.local().eq_ignore_ascii_case("Security") {
            found.extend(own_spans(&element).into_iter().map(raw));
        }
        let telling = element.attributes().filter(|a| {
            let says = if is_named { is_value(a.local()) } else { is_secret_element };
            // Nobody knows what else a secret's element says about it; how it is written is no secret.
            is_secret(a.local()) || says && !is_description(a.name(), a.local())
        });
        found.extend(telling.map(|a| raw(a.span())));
    }
    found
}

/// Values that the text spells in pieces, put together: the rest of the exchange may have them in one.
pub(super) fn whole_values(text: &[u8]) -> Vec<String> {
    if memmem::find(text, b"&#").is_none() && memmem::find(text, b"<![CDATA[").is_none() {
        return Vec::new();
    }
    let document = Document::read(text);
    let secret = document.elements().filter(|e| is_secret(e.local()) || is_unknown_in_header(e));
    secret.map(|e| e.text().trim().to_owned()).filter(|value| !value.is_empty()).collect()
}

/// Attributes that say what a secret is, and not what it says.
fn is_description(name: &str, local: &str) -> bool {
    name.starts_with("xmlns")
        || ["Type", "Id", "EncodingType", "ValueType", "name", "type", "nil", "datatype"].contains(&local)
}

/// Attributes that say what the value is that stands beside them, or below.
fn is_naming(local: &str) -> bool {
    ["name", "id", "type"].iter().any(|n| n.eq_ignore_ascii_case(local))
}

fn is_value(local: &str) -> bool {
    ["value", "content"].iter().any(|n| n.eq_ignore_ascii_case(local))
}

/// What stands in a security header is a secret, but for what is known to be none: times, signatures, certificates,
/// and the user's name. So is a token in any other header, and one that no reader can put together.
fn is_unknown_in_header(element: &Element<'_>) -> bool {
    let is =
        |element: &Element<'_>, names: &[&str]| names.iter().any(|n| element.local().eq_ignore_ascii_case(n));
    if is(element, &["BinarySecurityToken"]) {
        let in_header =
            || ancestors(element).any(|above| is(&above, &["Header", "Security", "UsernameToken"]));
        return element.children().next().is_some() || in_header() && !is_certificate(&element.text());
    }
    match element.parent() {
        Some(parent) if is(&parent, &["Security"]) => {
            !is(element, &["Timestamp", "Signature", "UsernameToken", "SecurityTokenReference"])
        }
        Some(parent) if is(&parent, &["UsernameToken"]) => !is(element, &["Username", "Created"]),
        _ => false,
    }
}

/// What stands in an element, but in none below it.
fn own_spans(element: &Element<'_>) -> Vec<Range<usize>> {
    let mut children = element.children().map(|child| child.span()).peekable();
    let mut spans = element.hidden_spans();
    spans.retain(|span| {
        while children.next_if(|child| child.end <= span.start).is_some() {}
        children.peek().is_none_or(|child| span.end <= child.start)
    });
    spans
}

fn ancestors<'d>(element: &Element<'d>) -> impl Iterator<Item = Element<'d>> + use<'d> {
    std::iter::successors(element.parent(), Element::parent)
}

/// By name in the bytes: `<x:NAME …>value</`, `name="NAME" … value="value"`, `NAME="value"`, `NAME=value&`. A value
/// whose end is missing reaches to the end of the text.
fn lexical(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let places = Places::of(text);
    for (word, places) in LAST_WORDS.iter().zip(&places.0) {
        let mut pass = Pass::new(text);
        for at in places {
            found.extend(pass.value_at(*at, word.len()));
        }
    }
    // Entities are never resolved, and may hold anything.
    for (number, at) in places.marks(DOCTYPE).iter().enumerate() {
        let at = *at;
        if number == MAX_DOCTYPES {
            found.push(at + "<!doctype".len()..text.len());
            break;
        }
        let end =
            text.get(at..).and_then(|rest| memmem::find(rest, b"]>").or_else(|| memmem::find(rest, b">")));
        found.extend(literals(text, at..end.map_or(text.len(), |end| at + end)));
    }
    // A token in a security header that does not parse: between the tags, before the Body begins.
    let body = places.marks(BODY).first().copied().unwrap_or(text.len());
    let mut pass = Pass::new(text);
    for at in places.marks(TOKEN).iter().copied().take_while(|at| *at < body) {
        pass.reach(at);
        let Some(token) = pass.content(at..at + "BinarySecurityToken".len()) else { continue };
        let public = text.get(token.clone()).and_then(|t| std::str::from_utf8(t).ok());
        if !public.is_some_and(is_certificate) {
            found.extend(without_markup(text, token));
        }
    }
    found
}

/// Looked for beside the names of secrets.
const MARKS: [&str; 3] = ["<!doctype", "body", "binarysecuritytoken"];
const DOCTYPE: usize = 0;
const BODY: usize = 1;
const TOKEN: usize = 2;

/// Where each of [`LAST_WORDS`], then of [`MARKS`], stands, letters' case not counting: one walk for all of them.
struct Places(Vec<Vec<usize>>);

impl Places {
    fn of(text: &[u8]) -> Self {
        static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
            let words = LAST_WORDS.iter().chain(&MARKS);
            AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
        });
        let mut places = vec![Vec::new(); LAST_WORDS.len() + MARKS.len()];
        // So few words are always built.
        for found in WORDS.iter().flat_map(|words| words.find_overlapping_iter(text)) {
            if let Some(places) = places.get_mut(found.pattern().as_usize()) {
                places.push(found.start());
            }
        }
        Self(places)
    }

    fn marks(&self, mark: usize) -> &[usize] {
        self.0.get(LAST_WORDS.len() + mark).map_or(&[], Vec::as_slice)
    }
}

/// No document has more than one; behind so many all is secret.
const MAX_DOCTYPES: usize = 8;

fn is_certificate(base64: &str) -> bool {
    decode_base64(base64).is_some_and(|der| Certificate::read(&der).is_some())
}

/// A walk over the places of one word, in their order. What it remembers keeps it linear, however often the word is
/// there and whatever is missing around it.
struct Pass<'t> {
    text: &'t [u8],
    /// How far it has looked; before that, where the last name begins, the last `<`, and the last blank or `>`.
    seen: usize,
    word: usize,
    open: Option<usize>,
    stop: Option<usize>,
    /// The next `>` from there on; the text's length when there is none.
    close: usize,
    /// The next `value` behind the last tag that was looked at, and the one told last.
    value: usize,
    told: Option<usize>,
    /// Where the last element's content, and the last bare value, ended.
    element: usize,
    bare: usize,
}

impl<'t> Pass<'t> {
    fn new(text: &'t [u8]) -> Self {
        let (open, stop, told) = (None, None, None);
        Self { text, seen: 0, word: 0, open, stop, close: 0, value: 0, told, element: 0, bare: 0 }
    }

    /// Goes on to the next place.
    fn reach(&mut self, at: usize) {
        // Backwards, as each is near as a rule, and no further than the last look.
        let (from, new) = (self.seen, self.text.get(self.seen..at).unwrap_or_default());
        let stops = |b: &u8| *b == b'>' || b.is_ascii_whitespace();
        self.word = new.iter().rposition(|b| !is_name_byte(*b)).map_or(self.word, |place| from + place + 1);
        self.open = memchr::memrchr(b'<', new).map(|place| from + place).or(self.open);
        self.stop = new.iter().rposition(stops).map(|place| from + place).or(self.stop);
        self.seen = at;
        if self.close < at || at == 0 {
            let rest = self.text.get(at..).unwrap_or_default();
            self.close = memchr::memchr(b'>', rest).map_or(self.text.len(), |p| at + p);
        }
    }

    /// The secret that is told by the name that ends with the word of that length.
    fn value_at(&mut self, at: usize, length: usize) -> Vec<Range<usize>> {
        self.reach(at);
        let name = self.word..at + length;
        let text = self.text;
        let ends = text.get(name.end).is_none_or(|b| !is_name_byte(*b));
        if !ends
            || name.len() > LONGEST_NAME
            || !text.get(name.clone()).is_some_and(|n| is_secret(&String::from_utf8_lossy(n)))
        {
            return Vec::new();
        }
        let before = name.start.checked_sub(1).and_then(|i| text.get(i)).copied();
        let span = match before {
            Some(b'<' | b':') => self.content(name),
            _ => self.beside(name),
        };
        span.map(|span| without_markup(text, span)).unwrap_or_default()
    }

    /// The value that stands beside the name rather than inside an element of it.
    fn beside(&mut self, name: Range<usize>) -> Option<Range<usize>> {
        let text = self.text;
        let (at, end) = (name.start, name.end);
        let before = at.checked_sub(1).and_then(|i| text.get(i)).copied();
        let after = text.get(end).copied();
        match (before, after) {
            // "NAME": "value" in JSON.
            (Some(b'"'), Some(b'"')) if is_member(text.get(end + 1..)?) => {
                let colon = end + 1 + text.get(end + 1..)?.iter().position(|b| *b == b':')?;
                let open = colon + 1 + text.get(colon + 1..)?.iter().position(|b| *b == b'"')?;
                let inner = text.get(open + 1..)?;
                let mut escaped = false;
                let close = inner.iter().position(|b| {
                    let closes = *b == b'"' && !escaped;
                    escaped = *b == b'\\' && !escaped;
                    closes
                });
                Some(open + 1..open + 1 + close.unwrap_or(inner.len()))
            }
            // name="NAME": the value is in the same tag.
            (Some(b'"' | b'\''), Some(b'"' | b'\'')) => {
                let open = self.open.unwrap_or(0);
                if self.value < open || self.value == 0 {
                    self.value = find(text, b"value", open).unwrap_or(text.len());
                }
                // The `>` may stand inside the value's quotes: the quotes decide.
                if self.value >= self.close {
                    return self.below();
                }
                let value = Some(self.value).filter(|v| self.told != Some(*v))?;
                self.told = Some(value);
                quoted(text, value + "value".len())
            }
            // NAME="value" as an attribute, NAME=value in a form.
            (_, Some(b'=')) => match text.get(end + 1) {
                Some(b'"' | b'\'') => quoted(text, end),
                // Within another's value it ends where that ends.
                _ if at < self.bare => None,
                _ => {
                    let start = end + 1;
                    let stop = |b: &u8| matches!(b, b'&' | b' ' | b'\r' | b'\n' | b'<' | b'"' | b';');
                    let length = text.get(start..)?.iter().position(stop).unwrap_or(text.len() - start);
                    self.bare = start + length;
                    Some(start..start + length)
                }
            },
            _ => None,
        }
    }

    /// The text in or below the element whose tag has the name but no value.
    fn below(&mut self) -> Option<Range<usize>> {
        let start =
            Some(self.close + 1).filter(|start| *start > self.element && *start <= self.text.len())?;
        if self.text.get(self.close - 1) == Some(&b'/') {
            return None;
        }
        let end = self.text.get(start..).and_then(|rest| memmem::find(rest, b"</"));
        self.element = end.map_or(self.text.len(), |end| start + end);
        Some(start..self.element)
    }

    /// What stands between `<…NAME…>` and `</…NAME`; to the end when that does not come. What begins inside of
    /// another's content ends where that ends, and is left out.
    fn content(&mut self, name: Range<usize>) -> Option<Range<usize>> {
        let text = self.text;
        let after = text.get(name.end).copied();
        let is_name = matches!(after, None | Some(b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n'));
        // An end tag's name is no beginning.
        let open = self.open.filter(|open| self.stop.is_none_or(|stop| stop < *open))?;
        if !is_name || text.get(open + 1) == Some(&b'/') || self.close < self.element {
            return None;
        }
        if self.close == text.len() {
            let start = name.end.max(self.element);
            self.element = text.len();
            return Some(start..text.len());
        }
        if text.get(self.close - 1) == Some(&b'/') {
            return None;
        }
        let start = self.close + 1;
        let (mut from, mut tag) = (start, None);
        let mut span = start..text.len();
        let what = text.get(name)?;
        while let Some(end) = find(text, what, from) {
            tag = text.get(from..end).and_then(|part| memchr::memrchr(b'<', part)).map(|p| from + p).or(tag);
            if let Some(tag) = tag.filter(|t| text.get(t + 1) == Some(&b'/')) {
                span.end = tag;
                break;
            }
            from = end + 1;
        }
        self.element = span.end;
        Some(span)
    }
}

/// Names that are longer are no names.
const LONGEST_NAME: usize = 256;

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// What follows a member's name in JSON: a colon, and a text.
fn is_member(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    rest.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"\""))
}

/// The quoted text behind `=`, which follows at `from`.
fn quoted(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let equals =
        rest.iter().position(|b| !b.is_ascii_whitespace()).filter(|p| rest.get(*p) == Some(&b'='))?;
    let quote_at = equals + 1 + rest.get(equals + 1..)?.iter().position(|b| !b.is_ascii_whitespace())?;
    let quote = *rest.get(quote_at).filter(|q| matches!(q, b'"' | b'\''))?;
    let start = from + quote_at + 1;
    let length = text.get(start..)?.iter().position(|b| *b == quote).unwrap_or(text.len() - start);
    Some(start..start + length)
}

/// The parts of a text that are no markup: tags and references stay, so that the text parses as before.
fn without_markup(text: &[u8], span: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (span.start, span.start);
    while at < span.end {
        let skip = markup(text.get(at..span.end).unwrap_or_default());
        if skip > 0 {
            parts.push(start..at);
            start = at + skip;
        }
        at += skip.max(1);
    }
    parts.push(start.min(span.end)..span.end);
    parts.iter().map(|part| trimmed(text, part)).collect()
}

/// What stands in quotes.
fn literals(text: &[u8], span: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(u8, usize)> = None;
    for at in span.clone() {
        match (text.get(at).copied(), open) {
            (Some(quote @ (b'"' | b'\'')), None) => open = Some((quote, at + 1)),
            (Some(quote), Some((opened, start))) if quote == opened => {
                found.push(start..at);
                open = None;
            }
            _ => {}
        }
    }
    found.extend(open.map(|(_, start)| start..span.end));
    found
}

/// How many bytes of markup stand at the beginning.
fn markup(text: &[u8]) -> usize {
    match text {
        [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => 9,
        // A comment's text is not kept: people write things there.
        [b'<', b'!', b'-', b'-', ..] => 4,
        [b'<', next, ..] if next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?' | b'_') => {
            let end =
                text.iter().skip(1).position(|b| matches!(b, b'>' | b'<')).map_or(text.len(), |p| p + 1);
            if text.get(end) == Some(&b'>') { end + 1 } else { end }
        }
        [b'&', rest @ ..] => {
            // Numbers are masked as numbers; names say nothing that matters.
            let name = rest.iter().take(11).position(|b| !b.is_ascii_alphanumeric());
            name.filter(|end| *end > 0 && rest.get(*end) == Some(&b';')).map_or(0, |end| end + 2)
        }
        _ => 0,
    }
}

fn trimmed(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let inner = text.get(span.clone()).unwrap_or_default();
    let start = span.start + (inner.len() - inner.trim_ascii_start().len());
    start..start + inner.trim_ascii().len()
}

/// The next place of `what`, letters' case not counting.
fn find(text: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let (lower, upper) = (what.first()?.to_ascii_lowercase(), what.first()?.to_ascii_uppercase());
    let mut at = 0;
    loop {
        at += rest.get(at..)?.iter().position(|b| *b == lower || *b == upper)?;
        if rest.get(at..at + what.len())?.eq_ignore_ascii_case(what) {
            return Some(from + at);
        }
        at += 1;
    }
}
