//! The lines at the top: what is looked at, how recording goes, what must not be forgotten.

use crate::capture::Health;
use crate::dashboard::line::{Line, Role};
use crate::dashboard::model::Model;
use crate::dashboard::screen::{Overlay, Screen};
use crate::dashboard::status::Status;
use crate::dashboard::text::{bytes, grouped, plural, span, width, wrap};
use crate::dashboard::writing;

use super::device;

/// Alarms take at most so many lines.
const MAX_ALARMS: usize = 4;

pub(crate) fn lines(model: &Model) -> Vec<Line> {
    let width = usize::from(model.size.width);
    let mut lines = match model.ui.screen {
        Screen::Overview => vec![recording(model).whole_parts(width), totals(model).whole_parts(width)],
        Screen::Device => Vec::new(),
    };
    lines.insert(0, subject(&model.status, width));
    if model.ui.paused {
        let waiting = match model.waiting {
            0 => "nothing new so far".to_owned(),
            n => format!("{} in the meantime", plural(n as u64, "event")),
        };
        let line =
            Line::new(Role::Warning, " The screen stands still").and(Role::Dim, &format!(" · {waiting} · "));
        lines.push(line.and(Role::Strong, "p").and(Role::Dim, " goes on").whole_parts(width));
    }
    let alarms = model.status.alarms().join(" · ");
    if !alarms.is_empty() {
        let room = width.saturating_sub(3);
        let wrapped = wrap(&alarms, room);
        let more = wrapped.len().saturating_sub(MAX_ALARMS);
        for (index, text) in wrapped.iter().take(MAX_ALARMS).enumerate() {
            let mark = if index == 0 { " ! " } else { "   " };
            let tail = if more > 0 && index + 1 == MAX_ALARMS { " …" } else { "" };
            lines.push(Line::new(Role::Error, mark).and(Role::Error, text).and(Role::Error, tail));
        }
    }
    match model.ui.screen {
        Screen::Overview => lines.extend(filter(model)),
        Screen::Device => lines.extend(device::identity(model)),
    }
    lines
}

/// Where it would be cut, the tool's own name goes first: who looks at it knows that.
fn subject(status: &Status, width: usize) -> Line {
    let named = addressed(status, " enrollscope ");
    if named.width() <= width { named } else { addressed(status, " ").whole_parts(width) }
}

fn addressed(status: &Status, name: &str) -> Line {
    let mut line = Line::new(Role::Strong, name).and(Role::Info, &status.title);
    if !status.subject.is_empty() {
        let to = if status.live { " → " } else { " " };
        line.push(Role::Dim, to);
        line.push(Role::Plain, &status.subject);
    }
    if !status.listeners.is_empty() {
        line.push(Role::Dim, " · devices at ");
        line.push(Role::Plain, &status.listeners.join(", "));
    }
    line
}

fn recording(model: &Model) -> Line {
    let status = &model.status;
    let mut line = Line::plain(" ");
    match &status.recording {
        Some(recording) if recording.path.is_some() => {
            line.push(Role::Dim, "recording ");
            let role = if recording.health == Health::Good { Role::Good } else { Role::Error };
            line.push(role, recording.health.word());
            line.push(Role::Dim, &format!(" · {}", bytes(recording.size)));
            if recording.deferred > 0 {
                line.push(Role::Dim, &format!(" · {} judged late", grouped(recording.deferred)));
            }
        }
        Some(_) => line.push(Role::Warning, "not recording"),
        None if !model.ended => {
            line.push(Role::Dim, "reading …");
            if let Some(percent) = status.read.filter(|percent| *percent < 100) {
                line.push(Role::Info, &format!(" {percent} %"));
            }
        }
        None => line.push(Role::Dim, "a recording, read to its end"),
    }
    match status.redaction.as_str() {
        "" => {}
        "none" => {
            line.push(Role::Dim, " · ");
            line.push(Role::Error, "redaction off");
        }
        level => {
            line.push(Role::Dim, " · redaction ");
            line.push(Role::Plain, level);
        }
    }
    if model.recorded_late > 0 {
        line.push(Role::Dim, &format!(" · {} answered before on file", grouped(model.recorded_late)));
    }
    if model.damaged > 0 {
        line.push(Role::Dim, " · ");
        let text = format!("{} could not be read", plural(model.damaged, "damaged place"));
        line.push(Role::Warning, &text);
    }
    if status.live {
        if let Some(started) = status.started {
            line.push(Role::Dim, &format!(" · up {}", span(model.now.since(started))));
        }
        let (unit, marks) = if model.size.width < 120 { ("", 12) } else { (" exchanges", 30) };
        line.push(Role::Dim, &format!(" · {:.1}{unit}/s ", model.per_second()));
        line.push(Role::Info, &model.rate.line(marks));
    }
    if let Some(path) = status.recording.as_ref().and_then(|recording| recording.path.as_ref()) {
        line.push(Role::Dim, " · to ");
        line.push(Role::Plain, &path.display().to_string());
    }
    line
}

fn totals(model: &Model) -> Line {
    let totals = model.totals;
    let mut line = Line::plain(" ").and(Role::Strong, &plural(totals.devices, "device"));
    let mut count = |n: u64, role: Role, word: &str| {
        if n > 0 {
            line.push(Role::Dim, " · ");
            line.push(role, &format!("{} {word}", grouped(n)));
        }
    };
    // The most telling first: a narrow screen cuts the end off.
    count(totals.failed, Role::Error, "failed");
    count(totals.stalled, Role::Warning, "stuck");
    count(model.refused.total, Role::Error, "refused");
    count(model.missing, Role::Error, "missing, not judged");
    count(totals.in_progress, Role::Info, "in progress");
    count(totals.enrolled, Role::Good, "enrolled");
    count(model.exchanges.total(), Role::Plain, "exchanges");
    count(model.passed, Role::Plain, "passed through untouched");
    let times = |n: u64| if n == 1 { "time" } else { "times" };
    count(model.trusted, Role::Plain, &format!("{} the certificate was trusted", times(model.trusted)));
    count(model.distrusted, Role::Warning, &format!("{} not", times(model.distrusted)));
    line
}

/// What the list leaves out, and why; and below it what of the filter cannot be understood.
fn filter(model: &Model) -> Vec<Line> {
    let ui = &model.ui;
    let writing = ui.overlay == Overlay::Filter;
    let narrowed = [
        (ui.only_failed, "only failed"),
        (ui.only_stuck, "only unfinished, the longest in their step first"),
        (ui.one_of_each, "one of each trouble"),
    ];
    let narrowed: Vec<_> = narrowed.iter().filter(|(is, _)| *is).map(|(_, words)| *words).collect();
    if !writing && ui.filter.value().is_empty() && narrowed.is_empty() {
        return Vec::new();
    }
    let (mut line, mut caret) = (Line::plain(" "), 0);
    if !narrowed.is_empty() {
        line.push(Role::Warning, &narrowed.join(", "));
        line.push(Role::Dim, if writing || !ui.filter.value().is_empty() { " and " } else { "" });
    }
    if writing || !ui.filter.value().is_empty() {
        line.push(Role::Strong, "/");
        let before: String =
            ui.filter.value().chars().take(ui.misread.as_ref().map_or(0, |e| e.at)).collect();
        caret = line.width() + width(&before);
        line.push(Role::Strong, ui.filter.value());
    }
    if writing {
        line.push(Role::Mark, " ");
    }
    if model.totals.hidden > 0 || !ui.filter.value().is_empty() {
        let hidden = plural(model.totals.hidden, "row");
        line.push(Role::Dim, &format!("  {hidden} hidden"));
    }
    let offered = writing::offered(model);
    if writing && !offered.is_empty() {
        line.push(Role::Strong, "  Tab");
        line.push(Role::Dim, &format!(" {}", offered.join(" ")));
    }
    let misread = ui
        .misread
        .as_ref()
        .map(|error| Line::plain(&" ".repeat(caret)).and(Role::Error, &format!("^ {}", error.words)));
    std::iter::once(line).chain(misread).collect()
}
