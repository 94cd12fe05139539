//! An enrollment as a picture: who said what to whom, and how long it took. SVG without anything from elsewhere.

use std::fmt::Write as _;

use super::text;
use crate::compare::{Story, Told};
use crate::event::Time;

const WIDTH: u32 = 900;
const DEVICE: u32 = 170;
const SERVER: u32 = 730;
const STEP: u32 = 46;
/// More exchanges than these are not drawn; the table has them.
const MOST: usize = 60;

/// Arrows between the device and the server, one pair for each exchange.
pub(super) fn sequence(story: &Story) -> String {
    let shown = story.exchanges.iter().take(MOST);
    let height = 60 + STEP * u32::try_from(shown.len()).unwrap_or(0);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Who said what to whom\">\
         <text x=\"{DEVICE}\" y=\"18\" text-anchor=\"middle\" class=\"who\">device</text>\
         <text x=\"{SERVER}\" y=\"18\" text-anchor=\"middle\" class=\"who\">server</text>\
         <line x1=\"{DEVICE}\" y1=\"26\" x2=\"{DEVICE}\" y2=\"{height}\" class=\"life\"/>\
         <line x1=\"{SERVER}\" y1=\"26\" x2=\"{SERVER}\" y2=\"{height}\" class=\"life\"/>"
    );
    let began = story.enrollment.started;
    for (told, y) in shown.zip((52..).step_by(STEP as usize)) {
        arrows(&mut out, told, began, y);
    }
    out.push_str("</svg>");
    out
}

fn arrows(out: &mut String, told: &Told, began: Time, y: u32) {
    let (middle, back) = ((DEVICE + SERVER) / 2, y + 20);
    let after = told.exchange.request.at.since(began).max(0);
    let _ = write!(
        out,
        "<text x=\"8\" y=\"{y}\" class=\"time\">+{}.{:03} s</text>\
         <path d=\"M{DEVICE} {y}H{SERVER}m-8 -4l8 4l-8 4\" class=\"arrow\"/>\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        after / 1000,
        after % 1000,
        y - 5,
        text(told.request.word()),
    );
    let (class, words) = match told.status() {
        None => ("arrow bad", "no answer".to_owned()),
        Some(status) if told.is_answered_well() => ("arrow", format!("{status} {}", told.response.word())),
        Some(status) => ("arrow bad", format!("{status} {}", told.response.word())),
    };
    let _ = write!(
        out,
        "<path d=\"M{SERVER} {back}H{DEVICE}m8 -4l-8 4l8 4\" class=\"{class}\"/>\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" class=\"{class}\">{}</text>",
        back - 5,
        text(&words)
    );
}

/// Bars on one axis of time, one for each exchange: what it was waited for, and what came.
pub(super) fn waterfall(story: &Story) -> String {
    let shown = || story.exchanges.iter().take(MOST);
    let began = story.enrollment.started;
    let end = shown().map(|told| offset(told, began) + lasted(told)).max().unwrap_or(1).max(1);
    let rows = u32::try_from(shown().count()).unwrap_or(0);
    let height = 24 * rows + 24;
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"How long each exchange took\">"
    );
    let room = i64::from(WIDTH - 320);
    for (told, y) in shown().zip((0..).step_by(24)) {
        let (from, took) = (offset(told, began), lasted(told));
        let x = 200 + from * room / end;
        let wide = (took * room / end).max(2);
        let class = if told.is_answered_well() { "bar" } else { "bar bad" };
        let _ = write!(
            out,
            "<text x=\"8\" y=\"{}\">{}</text><rect x=\"{x}\" y=\"{}\" width=\"{wide}\" height=\"14\" class=\"{class}\"/>\
             <text x=\"{}\" y=\"{}\" class=\"time\">{took} ms</text>",
            y + 15,
            text(told.request.word()),
            y + 4,
            x + wide + 6,
            y + 15,
        );
    }
    let _ = write!(
        out,
        "<text x=\"200\" y=\"{y}\" class=\"time\">0</text><text x=\"{}\" y=\"{y}\" class=\"time\">{end} ms</text></svg>",
        200 + room,
        y = height - 6
    );
    out
}

/// Milliseconds from the enrollment's beginning; a clock that was set back does not draw to the left.
fn offset(told: &Told, began: Time) -> i64 {
    told.exchange.request.at.since(began).max(0)
}

/// Milliseconds: as measured, else from request to answer.
fn lasted(told: &Told) -> i64 {
    let steps = told.exchange.timing.steps();
    let measured = steps.iter().filter_map(|(_, time)| *time).fold(0, u64::saturating_add);
    if measured > 0 {
        return i64::try_from(measured.div_ceil(1000)).unwrap_or(i64::MAX / 4).min(i64::MAX / 4_000);
    }
    let response = told.exchange.response.as_ref();
    response.map_or(0, |response| response.at.since(told.exchange.request.at).clamp(0, i64::MAX / 4_000))
}
