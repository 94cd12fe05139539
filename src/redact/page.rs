//! The page that hands a token to the device, and whatever way it does so: a form, a text area, a script, a link.

use std::ops::Range;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use crate::message::{Page, value_span};
use crate::xml::Source;

/// Literals of a script that are shorter are names and events.
const SHORTEST_LITERAL: usize = 16;

/// Raw byte ranges of what such a page hands over: the token, and state of the server's.
pub(super) fn handed_over(text: &[u8]) -> Vec<Range<usize>> {
    if !Page::may_be_one(text) {
        return Vec::new();
    }
    let source = Source::of(text);
    let html = source.text();
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    let mut found = Vec::new();
    let mut open: Option<(bool, usize)> = None;
    for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
        let next = match token {
            Token::StartTag(tag) => {
                found.extend(values(html, &tag));
                match &**tag.name {
                    b"script" => Some((true, tag.span.end)),
                    b"textarea" => Some((false, tag.span.end)),
                    _ => None,
                }
            }
            Token::EndTag(tag) => {
                found.extend(open.take().into_iter().flat_map(|area| content(html, area, tag.span.start)));
                None
            }
            Token::String(_) | Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => continue,
        };
        open = next;
    }
    found.extend(open.into_iter().flat_map(|area| content(html, area, html.len())));
    found.into_iter().map(|span| source.raw_offset(span.start)..source.raw_offset(span.end)).collect()
}

/// A text area's text is the value; of a script, the literals may be.
fn content(html: &str, (is_script, start): (bool, usize), end: usize) -> Vec<Range<usize>> {
    if is_script {
        return literals(html, start..end);
    }
    std::iter::once(start..end.max(start)).collect()
}

/// Attributes that hold what is handed over: an input's value, data, what a handler has in quotes, and what an address
/// of the device's own has behind its `?` or `#`.
fn values(html: &str, tag: &StartTag<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let is_input = &**tag.name == b"input";
    let is_button = tag.attributes.get(b"type".as_slice()).is_some_and(|kind| {
        [&b"submit"[..], b"button", b"reset"].iter().any(|known| kind.value.eq_ignore_ascii_case(known))
    });
    let is_named = tag.attributes.contains_key(b"name".as_slice());
    for (name, attribute) in &tag.attributes {
        let name: &[u8] = name;
        let span = value_span(html, attribute.span.start..attribute.span.end);
        let value = html.get(span.clone()).unwrap_or_default();
        if name.starts_with(b"data-") || is_input && name == b"value" && (is_named || !is_button) {
            found.push(span);
        } else if name.starts_with(b"on") {
            found.extend(literals(html, span));
        } else if attribute.value.to_ascii_lowercase().windows(7).any(|part| part == b"ms-app:")
            && let Some(query) = value.find(['?', '#'])
        {
            found.push(span.start + query + 1..span.end);
        }
    }
    found
}

/// The long texts in a script's quotes.
fn literals(html: &str, span: Range<usize>) -> Vec<Range<usize>> {
    let script = html.get(span.clone()).unwrap_or_default().as_bytes();
    let mut found = Vec::new();
    let (mut open, mut escaped): (Option<(u8, usize)>, bool) = (None, false);
    for (at, byte) in script.iter().enumerate() {
        match (byte, open) {
            (b'"' | b'\'' | b'`', None) => open = Some((*byte, at + 1)),
            (b'\n', Some((b'"' | b'\'', _))) => open = None,
            (quote, Some((opened, start))) if *quote == opened && !escaped => {
                found.push(span.start + start..span.start + at);
                open = None;
            }
            _ => {}
        }
        escaped = *byte == b'\\' && !escaped;
    }
    found.extend(open.map(|(_, start)| span.start + start..span.end));
    found.retain(|literal| literal.len() >= SHORTEST_LITERAL);
    found
}
