//! A request or response: its head exactly as it came, its body laid out or as received.

use std::ops::Range;

use super::xml;
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::Model;
use crate::dashboard::screen::{Target, Ui};
use crate::dashboard::text::{bytes, clean, wrap};
use crate::event::{Body, Exchange, Header, Sent, Side, Version};
use crate::message::{Within, decode_content};
use crate::xml::Document;

/// Columns for line numbers.
const NUMBERS: usize = 5;
/// A page does not grow longer than this.
const MAX_LINES: usize = 20_000;
/// Bytes that are shown of a body that is no text.
const MAX_DUMP: usize = 4_096;

pub(super) fn page(exchange: &Exchange, side: Side, ui: &Ui, width: usize) -> Page {
    let mut page = Page::default();
    let target = ui.target.filter(|t| t.side == Some(side));
    let (body, headers, sent) = match (side, &exchange.response) {
        (Side::Request, _) => {
            let r = &exchange.request;
            let start = format!("{} {} {}", r.method, r.target, version(r.version));
            head(&mut page, &start, &r.headers, target, width);
            (&r.body, &r.headers, r.sent.as_deref())
        }
        (Side::Response, Some(r)) => {
            let start = format!("{} {} {}", version(r.version), r.status, r.reason);
            head(&mut page, &start, &r.headers, target, width);
            (&r.body, &r.headers, r.sent.as_deref())
        }
        (Side::Response, None) => {
            page.push(Line::new(Role::Error, "  No answer was sent."));
            return page;
        }
    };
    let target = target.filter(|t| t.within == Within::Body);
    show_body(&mut page, body, target, ui.raw, width);
    if let Some(sent) = sent {
        passed_on(&mut page, sent, headers, width);
    }
    if page.lines.len() > MAX_LINES {
        page.lines.truncate(MAX_LINES);
        page.push(Line::new(Role::Dim, "… and more than is shown here"));
    }
    page
}

/// Head and body for the clipboard: their own line breaks, and nothing else that steers.
pub(super) fn text(exchange: &Exchange, side: Side) -> String {
    let (start, headers, body) = match (side, &exchange.response) {
        (Side::Request, _) => {
            let r = &exchange.request;
            (format!("{} {} {}", r.method, r.target, version(r.version)), &r.headers, &r.body)
        }
        (Side::Response, Some(r)) => {
            (format!("{} {} {}", version(r.version), r.status, r.reason), &r.headers, &r.body)
        }
        (Side::Response, None) => return String::new(),
    };
    let mut text = format!("{}\n", clean(&start));
    for header in headers {
        text.push_str(&format!("{}: {}\n", clean(&header.name), clean(&header.text())));
    }
    text.push('\n');
    for line in String::from_utf8_lossy(&decode_content(body).bytes).lines() {
        let parts: Vec<_> = line.split('\t').map(clean).collect();
        text.push_str(&parts.join("\t"));
        text.push('\n');
    }
    text
}

fn version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2",
    }
}

fn head(page: &mut Page, start: &str, headers: &[Header], target: Option<Target>, width: usize) {
    let marked = target.filter(|t| t.within == Within::Head).map_or(0, |t| t.line as usize);
    let push = |page: &mut Page, line: Line, number: usize| {
        if number == marked {
            page.focus = Some(page.lines.len());
        }
        for part in line.folded(width, 4) {
            page.push(part);
        }
    };
    let role = |number: usize, usual: Role| if number == marked { Role::Mark } else { usual };
    push(page, Line::new(role(1, Role::Strong), start), 1);
    for (index, header) in headers.iter().enumerate() {
        let number = index + 2;
        let line = Line::new(role(number, Role::Tag), &header.name)
            .and(role(number, Role::Dim), ": ")
            .and(role(number, Role::Plain), &header.text());
        push(page, line, number);
    }
    page.blank();
}

fn show_body(page: &mut Page, body: &Body, target: Option<Target>, raw: bool, width: usize) {
    if let Some(why) = &body.withheld {
        let text = format!("{} were not kept: {why}", bytes(body.length));
        page.push(Line::new(Role::Dim, &text));
        return;
    }
    let decoded = decode_content(body);
    if let Some(trouble) = &decoded.trouble {
        page.push(Line::new(Role::Warning, trouble));
    }
    if decoded.bytes.is_empty() {
        page.push(Line::new(Role::Dim, "(no body)"));
        return;
    }
    let is_text = std::str::from_utf8(&decoded.bytes).is_ok() || decoded.bytes.starts_with(b"\xFF\xFE");
    let binary = !is_text && decoded.bytes.iter().take(64).any(|b| *b < 9);
    if binary {
        return dump(page, &decoded.bytes);
    }
    let document = Document::read(&decoded.bytes);
    let mark = target.map(|t| document.source().range_of(t.offset, t.length));
    if raw || document.root().is_none() {
        lines_of(page, document.source().text(), mark.as_ref(), width);
    } else {
        for (index, laid) in xml::lay_out(&document, mark.as_ref()).into_iter().enumerate() {
            let here = mark.as_ref().is_some_and(|m| touches(&laid.span, m));
            numbered(page, index + 1, laid.line, here, width);
        }
    }
    if body.is_partial() {
        let text = format!("the rest of {} was not kept or did not come", bytes(body.length));
        page.push(Line::new(Role::Warning, &text));
    }
}

/// An empty mark stands for the place itself.
pub(super) fn touches(span: &Range<usize>, mark: &Range<usize>) -> bool {
    span.start < mark.end.max(mark.start + 1) && mark.start < span.end
}

fn numbered(page: &mut Page, number: usize, line: Line, here: bool, width: usize) {
    let hang = line.0.first().map_or(0, |p| p.text.len() - p.text.trim_start().len()) + 2;
    for (index, part) in line.folded(width.saturating_sub(NUMBERS), hang).into_iter().enumerate() {
        let marked = part.0.iter().any(|piece| piece.role == Role::Mark);
        if here && page.focus.is_none() && (index == 0 || marked) {
            page.focus = Some(page.lines.len());
        }
        let number = if index == 0 { number.to_string() } else { String::new() };
        let mut whole = Line::new(if here { Role::Mark } else { Role::Dim }, &format!("{number:>4}"));
        whole.push(Role::Plain, " ");
        whole.0.extend(part.0);
        page.push(whole);
    }
}

/// The text as it came, with its own line numbers.
fn lines_of(page: &mut Page, text: &str, mark: Option<&Range<usize>>, width: usize) {
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let span = start..start + line.len();
        start = span.end;
        let here = mark.is_some_and(|m| touches(&span, m));
        let shown = line.strip_suffix('\n').map_or(line, |l| l.strip_suffix('\r').unwrap_or(l));
        let end = span.start + shown.len();
        let cut = |at: usize| at.clamp(span.start, end);
        let (from, to) = mark.map_or((end, end), |m| (cut(m.start), cut(m.end)));
        let mut pieces = Line::default();
        let parts = [(span.start..from, Role::Plain), (from..to, Role::Mark), (to..end, Role::Plain)];
        for (part, role) in parts {
            let text = text.get(part).unwrap_or_default();
            pieces.push(role, &text.replace('\t', "    "));
        }
        numbered(page, index + 1, pieces, here, width);
        if page.lines.len() > MAX_LINES {
            return;
        }
    }
}

fn dump(page: &mut Page, bytes: &[u8]) {
    page.push(Line::new(Role::Dim, &format!("{} bytes that are no text", bytes.len())));
    for (index, row) in bytes.get(..MAX_DUMP).unwrap_or(bytes).chunks(16).enumerate() {
        let hex: Vec<_> = row.iter().map(|b| format!("{b:02x}")).collect();
        let text: String =
            row.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
        let line = Line::new(Role::Dim, &format!("{:06x} ", index * 16));
        page.push(line.and(Role::Plain, &format!("{:<48} ", hex.join(" "))).and(Role::Dim, &text));
    }
}

/// What the other side got instead.
fn passed_on(page: &mut Page, sent: &Sent, received: &[Header], width: usize) {
    page.heading("Passed on with these differences");
    if let Some(target) = &sent.target {
        page.field("target", Role::Warning, target, width);
    }
    if let Some(headers) = &sent.headers {
        for header in headers.iter().filter(|h| !received.contains(h)) {
            let line = Line::new(Role::Good, "  + ").and(Role::Tag, &header.name);
            page.push(line.and(Role::Dim, ": ").and(Role::Plain, &header.text()).fitted(width, "…"));
        }
        for header in received.iter().filter(|h| !headers.contains(h)) {
            let line = Line::new(Role::Error, "  - ").and(Role::Tag, &header.name);
            page.push(line.and(Role::Dim, ": ").and(Role::Plain, &header.text()).fitted(width, "…"));
        }
    }
    if let Some(body) = &sent.body {
        page.field("body", Role::Warning, &format!("rewritten, {}", bytes(body.len() as u64)), width);
    }
}

/// The bodies are gone from memory.
pub(super) fn absent(model: &Model, width: usize) -> Page {
    let text = match &model.read_back {
        Some((of, Err(why))) if Some(*of) == model.ui.exchange => {
            format!("It could not be read again from the capture: {why}")
        }
        _ if model.selected_exchange().is_some_and(|seen| seen.place.is_some()) => "Reading it …".to_owned(),
        _ => "Its bodies are no longer in memory, and it was not recorded.".to_owned(),
    };
    let mut page = Page::default();
    for line in wrap(&text, width) {
        page.push(Line::new(Role::Dim, &line));
    }
    page
}
