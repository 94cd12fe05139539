//! What can be changed in a healthy enrollment without a finding is known, place by place: tests/data/uncaught.txt.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enrollscope::engine::{Engine, Observation};
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Event, Exchange, Side};
use enrollscope::message::{Kind, SignatureState, decode_base64, read_request, read_response};
use enrollscope::redact::{Key, Level, Redactor};
use enrollscope::rules::{Golden, Profile};
use enrollscope::sim::golden;
use enrollscope::xml::{Attribute, Document, Element};

use crate::schema::body;

/// A text with its change at a place, and what kind of change that is.
struct Mutation {
    what: &'static str,
    text: String,
}

/// Every change of this element itself, not of what is in it.
fn of_element(text: &str, element: &Element<'_>) -> Vec<Mutation> {
    let (span, content, name) = (element.span(), element.content(), element.name());
    let whole = &text[span.clone()];
    let inner = &text[content.clone()];
    let leaf = element.children().next().is_none();
    let mut made = Vec::new();
    let mut add =
        |what, span: Range<usize>, with: &str| made.push(Mutation { what, text: splice(text, span, with) });

    add("delete", span.clone(), "");
    add("duplicate", span.clone(), &whole.repeat(2));
    let siblings = element.parent().into_iter().flat_map(|p| p.children().collect::<Vec<_>>());
    if let Some(next) = siblings.skip_while(|e| e.id() != element.id()).nth(1) {
        let (other, between) = (&text[next.span()], &text[span.end..next.span().start]);
        if other != whole {
            add("swap", span.start..next.span().end, &format!("{other}{between}{whole}"));
        }
    }
    let attributes = &text[element.start().start + 1 + name.len()..element.start().end];
    let attributes = attributes.trim_end_matches('>').trim_end_matches('/');
    add("rename", span.clone(), &format!("<{name}X{attributes}>{inner}</{name}X>"));
    let local = element.local();
    let moved = format!("<q:{local}{attributes} xmlns:q=\"urn:other\">{inner}</q:{local}>");
    add("re-namespace", span.clone(), &moved);
    if !inner.trim().is_empty() {
        add("empty", content.clone(), "");
    }
    if leaf && let Some((at, with)) = corrupted(text, element.text_span()) {
        add("corrupt", at, with);
    }
    made
}

fn of_attribute(text: &str, element: &Element<'_>, attribute: &Attribute<'_>) -> Vec<Mutation> {
    let (name, value) = (attribute.name(), attribute.span());
    let whole = value.start - 2 - name.len()..value.end + 1;
    let written = &text[whole.clone()];
    let mut made = Vec::new();
    let mut add =
        |what, span: Range<usize>, with: &str| made.push(Mutation { what, text: splice(text, span, with) });

    add("delete", whole.clone(), "");
    add("duplicate", whole.clone(), &format!("{written} {written}"));
    if let Some(next) = element.attributes().find(|a| a.span().start > value.end) {
        let other = &text[next.span().start - 2 - next.name().len()..next.span().end + 1];
        add("swap", whole.start..next.span().end + 1, &format!("{other} {written}"));
    }
    add("rename", whole.clone(), &written.replacen(name, &format!("{name}X"), 1));
    let local = attribute.local();
    let moved = format!("xmlns:q=\"urn:other\" {}", written.replacen(name, &format!("q:{local}"), 1));
    add("re-namespace", whole.clone(), &moved);
    if !value.is_empty() {
        add("empty", value.clone(), "");
    }
    if let Some((at, with)) = corrupted(text, value) {
        add("corrupt", at, with);
    }
    made
}

/// Another character in the middle.
fn corrupted(text: &str, span: Range<usize>) -> Option<(Range<usize>, &'static str)> {
    let (at, old) = text.get(span.clone())?.char_indices().nth(span.len() / 2)?;
    let at = span.start + at;
    Some((at..at + old.len_utf8(), if old == '!' { "?" } else { "!" }))
}

fn splice(text: &str, span: Range<usize>, with: &str) -> String {
    [&text[..span.start], with, &text[span.end..]].concat()
}

/// Where the element is, by names that are the same on every run.
fn path(element: &Element<'_>) -> String {
    let named =
        ["type", "name", "Name"].iter().find_map(|a| element.attribute(a)).map(|a| a.value().into_owned());
    let step = match named {
        // A certificate's place in a store is its thumbprint.
        Some(name) if name.len() == 40 => format!("{}[THUMBPRINT]", element.local()),
        Some(name) => format!("{}[{name}]", element.local()),
        None => element.local().to_owned(),
    };
    match element.parent() {
        Some(parent) => format!("{}/{step}", path(&parent)),
        None => step,
    }
}

/// Every mutation of a text with its path.
fn mutations(text: &str) -> Vec<(String, Mutation)> {
    let document = Document::read(text.as_bytes());
    let mut made = Vec::new();
    for element in document.elements() {
        let path = path(&element);
        made.extend(of_element(text, &element).into_iter().map(|m| (path.clone(), m)));
        for attribute in element.attributes() {
            let path = format!("{path}/@{}", attribute.name());
            made.extend(of_attribute(text, &element, &attribute).into_iter().map(|m| (path.clone(), m)));
        }
    }
    made
}

/// The text of one message, or the document in its token; and how it gets back there.
struct Part {
    name: String,
    side: Side,
    text: String,
    token: Option<Range<usize>>,
}

fn parts(exchange: &Exchange) -> Vec<Part> {
    let mut parts = Vec::new();
    for side in [Side::Request, Side::Response] {
        let message = match side {
            Side::Request => read_request(&exchange.request),
            Side::Response => read_response(exchange.response.as_ref().unwrap()),
        };
        let Some(document) = message.document.as_ref().filter(|_| message.soap.is_some()) else { continue };
        let text = String::from_utf8(body(&mut exchange.clone(), side).bytes.to_vec()).unwrap();
        if message.kind == Kind::SecurityTokenResponse {
            let token =
                document.root().unwrap().child("Body").unwrap().descendant("BinarySecurityToken").unwrap();
            let inner = String::from_utf8(decode_base64(&token.text()).unwrap()).unwrap();
            let name = "provisioning-document".to_owned();
            parts.push(Part { name, side, text: inner, token: Some(token.content()) });
        }
        parts.push(Part { name: message.kind.word().to_owned(), side, text, token: None });
    }
    parts
}

impl Part {
    fn with(&self, exchange: &Exchange, text: &str) -> Exchange {
        let mut exchange = exchange.clone();
        let body = body(&mut exchange, self.side);
        let whole = match &self.token {
            Some(token) => {
                splice(std::str::from_utf8(&body.bytes).unwrap(), token.clone(), &STANDARD.encode(text))
            }
            None => text.to_owned(),
        };
        *body = enrollscope::event::Body::full(whole);
        if exchange.facts.remove(SignatureState::FACT).is_some() {
            // Whether a signature holds was found out of the healthy message.
            Redactor::new(Level::None, false, Key::new(&[0; 32])).exchange(&mut exchange);
        }
        exchange
    }
}

fn failing(seen: &Observation) -> BTreeSet<&'static str> {
    seen.findings.iter().map(|f| f.rule.id).collect()
}

/// No message means anything else by the order of attributes, or of context items that are not signed: no rule may.
fn is_harmless(text: &str, path: &str, what: &str) -> bool {
    let last = path.rsplit('/').next().unwrap();
    let signed = || text.contains("SignedInfo");
    what == "swap" && (last.starts_with('@') || last.starts_with("ContextItem[") && !signed())
}

#[test]
fn what_can_be_changed_without_a_finding_is_known() {
    let mut uncaught: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut judged = BTreeSet::new();
    let mut wrong = Vec::new();
    for golden in Golden::ALL {
        let events = golden::of(*golden);
        let mut engine = Engine::new(Profile::Strict, Deadlines::default());
        for (index, event) in events.iter().enumerate() {
            let before = engine.clone();
            let healthy = failing(&engine.observe(event.clone()));
            let Event::Exchange(exchange) = event else { continue };
            for part in parts(exchange) {
                for (path, mutation) in mutations(&part.text) {
                    // Where two goldens say the very same, one is enough.
                    if !judged.insert((part.name.clone(), mutation.text.clone())) {
                        continue;
                    }
                    let mut engine = before.clone();
                    let changed = Event::Exchange(Arc::new(part.with(exchange, &mutation.text)));
                    let later = events[index + 1..].iter().cloned();
                    // What is not found at once may be found by what comes after.
                    let caught = [changed].into_iter().chain(later).any(|event| {
                        failing(&engine.observe(event)).difference(&healthy).any(|id| *id != "FAULT-011")
                    });
                    let count = counts.entry(mutation.what).or_default();
                    count.0 += 1;
                    count.1 += usize::from(!caught);
                    match (is_harmless(&part.text, &path, mutation.what), caught) {
                        (true, true) => wrong.push(format!("{} {path} {}", part.name, mutation.what)),
                        (true, false) | (false, true) => {}
                        (false, false) => {
                            uncaught.entry((part.name.clone(), path)).or_default().insert(mutation.what);
                        }
                    }
                }
            }
        }
    }
    for (what, (made, silent)) in &counts {
        println!("{what}: {made} made, {silent} without a finding");
    }
    assert_eq!(wrong, Vec::<String>::new(), "found, and harmless");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/uncaught.txt");
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    let mut table: String =
        committed.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    for ((part, path), whats) in &uncaught {
        let whats: Vec<_> = whats.iter().copied().collect();
        table += &format!("{part}\t{path}\t{}\n", whats.join(" "));
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, &table).unwrap();
        return;
    }
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (committed.lines().collect(), table.lines().collect());
    let (gone, come) = (old.difference(&new).collect::<Vec<_>>(), new.difference(&old).collect::<Vec<_>>());
    assert!(
        committed == table,
        "no longer so: {gone:#?}\nnew: {come:#?}\nlook why, then UPDATE=1 cargo test"
    );
}
