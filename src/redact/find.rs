//! Where the secrets of a text stand: by its structure as far as it parses, and by names in its bytes where it does
//! not.

use std::ops::Range;

use memchr::memmem;

use super::SECRET_NAMES;
use crate::message::certificate::Certificate;
use crate::message::{Page, decode_base64};
use crate::xml::{Document, Element};

/// Raw byte ranges of secret values, in order, not overlapping.
pub(super) fn secrets(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = structural(text);
    found.extend(lexical(text));
    found.extend(inputs(text));
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

/// Text of secret elements, values of secret attributes, values beside a secret name, tokens in a security header.
fn structural(text: &[u8]) -> Vec<Range<usize>> {
    let document = Document::read(text);
    let source = document.source();
    let raw = |span: Range<usize>| source.raw_offset(span.start)..source.raw_offset(span.end);
    let mut found = Vec::new();
    for element in document.elements() {
        let named =
            ["name", "Name", "id"].iter().filter_map(|n| element.attribute(n)).any(|a| is_secret(&a.value()));
        if named {
            found.extend(element.attribute("value").map(|a| raw(a.span())));
            found.extend(
                element.children().filter(|c| c.local() == "Value").flat_map(|c| c.hidden_spans()).map(raw),
            );
        }
        if is_secret(element.local()) || is_token_in_header(&element) {
            found.extend(element.hidden_spans().into_iter().map(raw));
            // Nobody knows what else a secret's element says about it; how it is written is no secret.
            let telling = element.attributes().filter(|a| !is_description(a.name(), a.local()));
            found.extend(telling.map(|a| raw(a.span())));
        }
        found.extend(element.attributes().filter(|a| is_secret(a.local())).map(|a| raw(a.span())));
    }
    found
}

/// What the page that hands a token over has in its forms: the token, and state of the server's.
fn inputs(text: &[u8]) -> Vec<Range<usize>> {
    let page = if Page::may_be_one(text) { Page::read(text) } else { None };
    let Some(page) = page else { return Vec::new() };
    let values = page.forms.iter().flat_map(|form| &form.inputs).filter(|input| !input.name.is_empty());
    let places = values.filter_map(|input| Some(page.place(&input.value.as_ref()?.span)));
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    places.map(|place| at(place.offset)..at(place.offset.saturating_add(place.length))).collect()
}

/// Values that the text spells in pieces, put together: the rest of the exchange may have them in one.
pub(super) fn whole_values(text: &[u8]) -> Vec<String> {
    if memmem::find(text, b"&#").is_none() && memmem::find(text, b"<![CDATA[").is_none() {
        return Vec::new();
    }
    let document = Document::read(text);
    let secret = document.elements().filter(|e| is_secret(e.local()) || is_token_in_header(e));
    secret.map(|e| e.text().trim().to_owned()).filter(|value| !value.is_empty()).collect()
}

/// Attributes that say what a secret is, and not what it says.
fn is_description(name: &str, local: &str) -> bool {
    name.starts_with("xmlns")
        || ["Type", "Id", "EncodingType", "ValueType", "name", "type", "nil", "datatype"].contains(&local)
}

fn is_secret(name: &str) -> bool {
    SECRET_NAMES.iter().any(|secret| secret.eq_ignore_ascii_case(name.trim()))
}

/// A BinarySecurityToken anywhere but in the Body: the credential of a federated or Entra enrollment. A certificate is
/// no secret.
fn is_token_in_header(element: &Element<'_>) -> bool {
    if !element.local().eq_ignore_ascii_case("BinarySecurityToken") || is_certificate(&element.text()) {
        return false;
    }
    let mut here = element.parent();
    while let Some(above) = here {
        if ["Header", "Security", "UsernameToken"].iter().any(|n| above.local().eq_ignore_ascii_case(n)) {
            return true;
        }
        here = above.parent();
    }
    false
}

/// By name in the bytes: `<x:NAME …>value</`, `name="NAME" … value="value"`, `NAME="value"`, `NAME=value&`. A value
/// whose end is missing reaches to the end of the text.
fn lexical(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let lower = text.to_ascii_lowercase();
    for name in SECRET_NAMES {
        for at in memmem::find_iter(&lower, &name.to_ascii_lowercase()) {
            found.extend(value_at(text, at, name));
        }
    }
    // Entities are never resolved, and may hold anything.
    for at in memmem::find_iter(&lower, b"<!doctype") {
        let end =
            lower.get(at..).and_then(|rest| memmem::find(rest, b"]>").or_else(|| memmem::find(rest, b">")));
        found.extend(literals(text, at..end.map_or(text.len(), |end| at + end)));
    }
    // A token in a security header that does not parse: between the tags, before the Body begins.
    let body = memmem::find(&lower, b"body").unwrap_or(text.len());
    for at in memmem::find_iter(&lower, b"binarysecuritytoken").take_while(|at| *at < body) {
        let token = content_span(text, at, "BinarySecurityToken");
        let public = token.as_ref().and_then(|span| std::str::from_utf8(text.get(span.clone())?).ok());
        if !public.is_some_and(is_certificate) {
            found.extend(element_content(text, at, "BinarySecurityToken"));
        }
    }
    found
}

fn is_certificate(base64: &str) -> bool {
    decode_base64(base64).is_some_and(|der| Certificate::read(&der).is_some())
}

fn value_at(text: &[u8], at: usize, name: &str) -> Vec<Range<usize>> {
    let before = at.checked_sub(1).and_then(|i| text.get(i)).copied();
    if let Some(b'<' | b':') = before {
        return element_content(text, at, name);
    }
    beside(text, at, name).map(|span| without_markup(text, span)).unwrap_or_default()
}

/// The value that stands beside the name rather than inside an element of it.
fn beside(text: &[u8], at: usize, name: &str) -> Option<Range<usize>> {
    let end = at + name.len();
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
            let open = text.get(..at)?.iter().rposition(|b| *b == b'<').unwrap_or(0);
            let close = text.get(end..)?.iter().position(|b| *b == b'>').map_or(text.len(), |p| end + p);
            // The `>` may stand inside the value's quotes: the quotes decide.
            let value = find(text, b"value", open).filter(|v| *v < close)?;
            quoted(text, value + "value".len())
        }
        // NAME="value" as an attribute, NAME=value in a form.
        (_, Some(b'=')) => match text.get(end + 1) {
            Some(b'"' | b'\'') => quoted(text, end),
            _ => {
                let start = end + 1;
                let stop = |b: &u8| matches!(b, b'&' | b' ' | b'\r' | b'\n' | b'<' | b'"' | b';');
                let length = text.get(start..)?.iter().position(stop).unwrap_or(text.len() - start);
                Some(start..start + length)
            }
        },
        _ => None,
    }
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

/// What stands between `<…NAME…>` and `</…NAME`; to the end when that does not come.
fn element_content(text: &[u8], at: usize, name: &str) -> Vec<Range<usize>> {
    content_span(text, at, name).map(|span| without_markup(text, span)).unwrap_or_default()
}

fn content_span(text: &[u8], at: usize, name: &str) -> Option<Range<usize>> {
    // An end tag's name is no beginning.
    let open = text.get(..at)?.iter().rposition(|b| *b == b'<')?;
    let after = text.get(at + name.len()).copied();
    let is_name = matches!(after, None | Some(b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n'));
    let prefix = text.get(open + 1..at)?;
    if !is_name
        || prefix.first() == Some(&b'/')
        || prefix.iter().any(|b| b.is_ascii_whitespace() || *b == b'>')
    {
        return None;
    }
    let close = text.get(at..)?.iter().position(|b| *b == b'>').map(|p| at + p);
    let Some(close) = close else { return Some(at + name.len()..text.len()) };
    if text.get(close - 1) == Some(&b'/') {
        return None;
    }
    let start = close + 1;
    let mut from = start;
    while let Some(end) = find(text, name.as_bytes(), from) {
        let tag = text.get(..end)?.iter().rposition(|b| *b == b'<').filter(|t| *t >= start);
        if let Some(tag) = tag.filter(|t| text.get(t + 1) == Some(&b'/')) {
            return Some(start..tag);
        }
        from = end + 1;
    }
    Some(start..text.len())
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
