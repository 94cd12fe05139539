//! What can be done with devices: save them, tell of them, have them enroll again, compare two.

use super::exchanges::Serial;
use super::model::Model;
use super::page::device::who;
use super::rows::{self, Row, RowId};
use super::screen::{Overlay, Screen};
use super::text::plural;
use super::update::Effect;

/// Something to be done with exchanges, outside of the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Markdown, for the clipboard.
    Ticket,
    /// The file to write to; its ending says what.
    Save(String),
    /// As on the command line, behind `replay CAPTURE`.
    Replay(String),
}

/// What is to be done something with: the marked rows, else the one that is selected or looked at.
pub(super) fn chosen(model: &Model) -> Vec<Row> {
    let marked: Vec<Row> = model.ui.marked.iter().filter_map(|id| rows::find(model, id)).collect();
    match model.ui.screen {
        Screen::Device => model.opened.iter().cloned().collect(),
        Screen::Overview if !marked.is_empty() => marked,
        Screen::Overview => model.selected_row().into_iter().cloned().collect(),
    }
}

fn serials(model: &Model) -> Vec<Serial> {
    let mut serials: Vec<_> = chosen(model).iter().flat_map(|row| model.exchanges_of(row)).collect();
    serials.sort_unstable();
    serials.dedup();
    serials
}

pub(super) fn ticket(model: &mut Model) -> Option<Effect> {
    let serials = serials(model);
    wished(model, Wish::Ticket, serials)
}

fn wished(model: &mut Model, wish: Wish, serials: Vec<Serial>) -> Option<Effect> {
    if serials.is_empty() {
        model.ui.notice = Some("there are no exchanges here to do that with".to_owned());
        return None;
    }
    Some(Effect::Do(wish, serials))
}

/// Begins the line that is asked for.
pub(super) fn ask(model: &mut Model, overlay: Overlay) {
    let serials = serials(model);
    if serials.is_empty() {
        model.ui.notice = Some("there are no exchanges here to do that with".to_owned());
        return;
    }
    // A name that did not do for them is there to be mended.
    let before = model.ui.unsaved.take().filter(|(of, _)| *of == serials).map(|(_, name)| name);
    // Rows come and go while the line is written.
    model.ui.asked = (chosen(model).len(), serials);
    model.ui.entry = match overlay {
        Overlay::Save => before.unwrap_or_else(|| name(model)).into(),
        _ => model.ui.replayed_to.clone().into(),
    };
    model.ui.overlay = overlay;
}

/// A name for the file: who, and when it began.
fn name(model: &Model) -> String {
    let chosen = chosen(model);
    let first = chosen.iter().find_map(|row| row.latest()).and_then(|id| model.enrollment(id));
    let who = match (chosen.len(), first) {
        (2.., _) => format!("{}-devices", chosen.len()),
        (_, Some(e)) => who(e).split('@').next().unwrap_or_default().to_owned(),
        (_, None) => "exchanges".to_owned(),
    };
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let who: String = who.chars().take(40).map(plain).collect();
    let at = first.map_or(model.now, |e| e.started);
    let time = jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_zoned(model.zone.0.clone()));
    let time = time.map(|at| at.strftime("%Y%m%d-%H%M").to_string()).unwrap_or_default();
    format!("{}-{time}.html", who.trim_start_matches(['.', '-']))
}

pub(super) fn save(model: &mut Model) -> Option<Effect> {
    let path = model.ui.entry.value().trim().to_owned();
    let (_, serials) = std::mem::take(&mut model.ui.asked);
    if path.is_empty() {
        return None;
    }
    model.ui.unsaved = Some((serials.clone(), path.clone()));
    wished(model, Wish::Save(path), serials)
}

pub(super) fn replay(model: &mut Model) -> Option<Effect> {
    let words = model.ui.entry.value().trim().to_owned();
    if words.is_empty() || words == TO.trim() {
        return None;
    }
    model.ui.replayed_to.clone_from(&words);
    let (_, serials) = std::mem::take(&mut model.ui.asked);
    wished(model, Wish::Replay(words), serials)
}

/// With what the line of a replay begins.
pub(super) const TO: &str = "--to https://";

/// Marks the selected row, or unmarks it.
pub(super) fn mark(model: &mut Model) {
    let Some(row) = model.selected_row().cloned() else { return };
    let (RowId::Device(_) | RowId::Attempt(_)) = row.id else {
        model.ui.notice = Some("only devices can be marked".to_owned());
        return;
    };
    let before = model.ui.marked.len();
    model.ui.marked.retain(|id| !row.is(id));
    if model.ui.marked.len() == before {
        model.ui.marked.push(row.id.clone());
    }
    model.ui.notice = match model.ui.marked.len() {
        0 => None,
        n => Some(format!("{} marked", plural(n as u64, "device"))),
    };
}

/// The two that are compared.
pub(super) fn pair(model: &Model) -> Option<(Row, Row)> {
    let marked: Vec<Row> = model.ui.marked.iter().filter_map(|id| rows::find(model, id)).collect();
    match &marked[..] {
        [one, other] => Some((one.clone(), other.clone())),
        [one] => {
            let other = model.selected_row().filter(|row| !row.is(&one.id) && !row.attempts.is_empty());
            other.map(|other| (one.clone(), other.clone()))
        }
        _ => None,
    }
}

pub(super) fn compare(model: &mut Model) {
    if pair(model).is_none() {
        model.ui.notice = Some("mark two devices first (m), or mark one and select another".to_owned());
        return;
    }
    model.ui.overlay = Overlay::Compared;
    model.ui.over_scroll = 0;
}

/// What is written, and before it what for.
pub(super) fn asked(model: &Model) -> Option<(String, &'static str)> {
    let many = model.ui.asked.0 as u64;
    let what = if many > 1 { format!(" {}", plural(many, "device")) } else { String::new() };
    let wide = model.size.width >= 120;
    match model.ui.overlay {
        Overlay::Save if wide => {
            Some((format!(" save{what} to "), "  .html .md .xml reports, .zip bundle, .jsonl capture, .har"))
        }
        Overlay::Save => Some((format!(" save{what} to "), "  .html .md .xml .zip .jsonl .har")),
        Overlay::Replay => Some((format!(" replay{what} "), "")),
        Overlay::Search => Some((" /".to_owned(), "")),
        _ => None,
    }
}
