//! The place of a finding in its message, with a few lines around it.

use std::ops::Range;

use super::text;
use crate::compare::Told;
use crate::event::Side;
use crate::message::{Within, decode_content, read_response};
use crate::rules::Finding;
use crate::xml::{Document, Source};

/// Of a message that is one line, so much is shown on each side of the place, in bytes.
const AROUND: usize = 220;
/// A longer place is cut, in bytes.
const LONGEST: usize = 600;

/// As HTML, the place marked; nothing where the finding is about no place, or its message is not there.
pub(super) fn excerpt(told: &Told, finding: &Finding) -> Option<String> {
    let place = finding.place.filter(|place| place.length > 0)?;
    let exchange = &told.exchange;
    let response = exchange.response.as_ref();
    match (finding.within, finding.side?) {
        (Within::Body, Side::Request) => {
            let bytes = decode_content(&exchange.request.body).bytes;
            Some(marked(Document::read(&bytes).source(), place.offset, place.length))
        }
        (Within::Body, Side::Response) => {
            let bytes = decode_content(&response?.body).bytes;
            Some(marked(Document::read(&bytes).source(), place.offset, place.length))
        }
        (Within::Provisioning, Side::Response) => {
            let message = read_response(response?);
            Some(marked(message.provisioning()?.document.source(), place.offset, place.length))
        }
        _ => None,
    }
}

fn marked(source: &Source, offset: u64, length: u64) -> String {
    let whole = source.text();
    let range = source.range_of(offset, length);
    let end = boundary(whole, range.end.min(range.start + LONGEST));
    let (from, to) = (
        boundary(whole, range.start.saturating_sub(AROUND)),
        boundary(whole, (end + AROUND).min(whole.len())),
    );
    let part = |range: Range<usize>| text_lines(whole.get(range).unwrap_or_default());
    let before = if from > 0 { "…" } else { "" };
    let after = if to < whole.len() { "…" } else { "" };
    format!(
        "<pre>{before}{}<mark>{}</mark>{}{after}</pre>",
        part(from..range.start),
        part(range.start..end),
        part(end..to)
    )
}

/// Its own line breaks, and nothing else that steers.
fn text_lines(part: &str) -> String {
    part.split('\n').map(text).collect::<Vec<_>>().join("\n")
}

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
