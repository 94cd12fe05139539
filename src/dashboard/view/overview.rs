//! The table of devices, and beside or below it what the selected one did.

use super::paint::{Painter, cell};
use crate::dashboard::layout::{Area, Panes};
use crate::dashboard::line::{Line, Role};
use crate::dashboard::model::Model;
use crate::dashboard::page::device::{device, outcome_role, stage_letter, stage_name, who};
use crate::dashboard::rows::{Row, RowId};
use crate::dashboard::text::{self, fit, span, wrap};
use crate::dashboard::theme::Theme;
use crate::enrollment::{Enrollment, Flow, Outcome, Stage};
use crate::event::Time;

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model, panes: Panes) {
    if model.rows.is_empty() {
        return empty(painter, model, panes.list);
    }
    let columns = Columns::of(model, usize::from(panes.list.width));
    painter.line(panes.list.x, panes.list.y, panes.list.width, &columns.titles());
    let list = panes.list.below_title();
    let shown = model.rows.iter().enumerate().skip(model.ui.row_top);
    for ((index, row), y) in shown.zip(list.y..list.y.saturating_add(list.height)) {
        let line = columns.row(model, row, painter.theme);
        painter.line(list.x, y, list.width, &line);
        if index == model.ui.row_index {
            painter.style(list.x, y, list.width, painter.theme.selected(true));
        }
    }
    if panes.sheet.height == 0 {
        return;
    }
    if panes.beside {
        painter.divide(panes.sheet.x.saturating_sub(1), panes.sheet);
    }
    let title = match model.selected_row() {
        Some(row) => title(model, row),
        None => Line::default(),
    };
    painter.title(panes.sheet, title);
    sheet(painter, model, panes.sheet.below_title());
}

/// The page, from where it is scrolled to.
pub(super) fn sheet(painter: &mut Painter<'_>, model: &Model, area: Area) {
    painter.page(area, model, &model.sheet.page, model.ui.scroll);
}

fn title(model: &Model, row: &Row) -> Line {
    let line = Line::plain(" ");
    match (&row.id, row.latest().and_then(|id| model.enrollment(id))) {
        (RowId::Refused(_), _) => line.and(Role::Strong, "Refused handshakes"),
        (_, Some(e)) => {
            let device = device(e);
            let known = device != who(e) && !device.is_empty();
            let on = if known { format!(" on {device}") } else { String::new() };
            line.and(Role::Strong, &format!("{}{on}", who(e)))
        }
        _ => line.and(Role::Strong, "Exchanges outside any enrollment"),
    }
}

fn empty(painter: &mut Painter<'_>, model: &Model, area: Area) {
    let status = &model.status;
    let mut lines = Vec::new();
    if model.totals.hidden > 0 {
        lines.push("No device fits the filter. Esc clears it; / changes it.".to_owned());
    } else if status.live {
        let at = status.listeners.join(" or ");
        lines.push(format!("Waiting for devices at {at}"));
        lines.push(String::new());
        lines.push(
            "Point a device's enrollment at it: the host name that devices use must lead here, and they \
             must trust its certificate. Connections that end before HTTP are shown, too."
                .to_owned(),
        );
        lines.push("`enrollscope enroll` sends one simulated device.".to_owned());
    } else if model.ended {
        lines.push("There is no enrollment in this recording.".to_owned());
    } else {
        lines.push("Reading …".to_owned());
    }
    let room = usize::from(area.width).saturating_sub(8).min(76);
    let lines: Vec<_> = lines
        .iter()
        .flat_map(|text| wrap(text, room))
        .map(|text| Line::plain("    ").and(Role::Plain, &text))
        .collect();
    let top = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(0)) / 3;
    let area = Area { y: area.y + top, height: area.height.saturating_sub(top), ..area };
    painter.lines(area, &lines);
}

/// Rows that moved in so many milliseconds stand out.
const FRESH: i64 = 3_000;
/// So many within minutes are called a storm.
const STORM: u64 = 4;

/// When the first of the row's attempts began.
fn began(model: &Model, row: &Row) -> Time {
    row.attempts.first().and_then(|id| model.enrollment(*id)).map(|e| e.started).unwrap_or_default()
}

/// `+30 the same: `
fn alike(row: &Row) -> String {
    if row.alike > 0 { format!("+{} the same: ", row.alike) } else { String::new() }
}

/// ` x12`, and in a storm how often it comes: ` x12 4/min`.
fn often(count: u64, first: Time, last: Time) -> String {
    let minutes = last.since(first) / 60_000;
    let rate = count / u64::try_from(minutes.max(1)).unwrap_or(1);
    let storm = count >= STORM && rate > 0;
    if storm { format!(" x{count} {rate}/min") } else { format!(" x{count}") }
}

/// How wide each column is; 0: not shown.
struct Columns {
    who: usize,
    device: usize,
    /// The build of Windows.
    build: usize,
    /// How its user proves who they are.
    way: usize,
    /// Those of the ways that are taken here, in their order.
    stages: Vec<Stage>,
    /// Columns per stage: 1 for a mark, more for a mark and a name.
    stage: usize,
    since: usize,
    took: usize,
    exchanges: usize,
    findings: usize,
    code: usize,
    owner: usize,
    verdict: usize,
}

impl Columns {
    fn of(model: &Model, width: usize) -> Self {
        let enrollments = || model.enrollments.values().map(|tracked| &tracked.enrollment);
        let longest = |label: fn(&Enrollment) -> String| {
            let sizes = enrollments().rev().take(200).map(|e| text::width(&label(e)));
            sizes.max().unwrap_or(0)
        };
        let from = |at: usize, columns: usize| if width >= at { columns } else { 0 };
        // Room for ` x2` behind a name.
        let again = if model.rows.iter().any(|row| row.attempts.len() > 1) { 3 } else { 0 };
        let who = (longest(who) + again).clamp(10, if width >= 120 { 36 } else { 22 });
        let device =
            if width >= 100 { longest(device).clamp(6, if width >= 150 { 34 } else { 16 }) } else { 0 };
        let mut flows: Vec<_> = enrollments().rev().take(200).map(|e| e.flow).collect();
        if flows.is_empty() {
            flows.push(Flow::default());
        }
        let taken = |stage: &&Stage| flows.iter().any(|flow| flow.stages().contains(stage));
        let mut columns = Self {
            stages: Stage::ALL.iter().filter(taken).copied().collect(),
            who,
            device,
            build: from(210, 11),
            way: from(225, 11),
            stage: if width >= 150 { 8 } else { 1 },
            since: 6,
            took: from(130, 6),
            exchanges: from(110, 4),
            findings: from(70, 6),
            code: from(160, 10),
            owner: from(90, 11),
            verdict: 0,
        };
        columns.verdict = width.saturating_sub(columns.before_verdict());
        columns
    }

    fn strip(&self) -> usize {
        self.stage * self.stages.len()
    }

    fn before_verdict(&self) -> usize {
        let others = [
            self.device,
            self.build,
            self.way,
            self.took,
            self.exchanges,
            self.findings,
            self.code,
            self.owner,
        ];
        let gaps = others.iter().filter(|width| **width > 0).count();
        3 + self.who + 1 + self.strip() + 1 + self.since + 1 + others.iter().sum::<usize>() + gaps
    }

    fn titles(&self) -> Line {
        let mut line = Line::plain("   ");
        let mut title = |text: &str, room: usize| {
            if room > 0 {
                cell(&mut line, Role::Dim, text, room, "");
                line.push(Role::Plain, " ");
            }
        };
        title(if self.device > 0 { "user" } else { "user or device" }, self.who);
        title("device", self.device);
        title("build", self.build);
        title("way", self.way);
        let stages: String = if self.stage == 1 {
            self.stages.iter().map(|stage| stage_letter(*stage)).collect()
        } else {
            let names = self.stages.iter().map(|s| format!("{:<1$}", stage_name(*s), self.stage));
            names.collect()
        };
        title(&stages, self.strip());
        title("since", self.since);
        title("took", self.took);
        title("exch", self.exchanges);
        title("found", self.findings);
        title("code", self.code);
        title("owner", self.owner);
        line.and(Role::Dim, "verdict")
    }

    fn row(&self, model: &Model, row: &Row, theme: Theme) -> Line {
        match (&row.id, row.latest().and_then(|id| model.enrollments.get(&id))) {
            (RowId::Refused(id), _) => self.refused(model, row, *id, theme),
            (_, Some(tracked)) => self.device(model, row, &tracked.enrollment, tracked.since, theme),
            _ => self.strays(model, theme),
        }
    }

    fn device(&self, model: &Model, row: &Row, e: &Enrollment, since: Time, theme: Theme) -> Line {
        let dots = theme.dots();
        let (mark, role) = theme.outcome(e.outcome);
        let marked = row.number.is_none() && model.ui.marked.iter().any(|id| row.is(id))
            || model.ui.marked.contains(&row.id);
        let mut line = Line::new(Role::Strong, if marked { theme.marked() } else { " " });
        line.push(role, mark);
        line.push(Role::Plain, " ");
        let name = match row.number {
            Some(number) => format!("  attempt {number}"),
            None => who(e),
        };
        let attempts = match row.attempts.len() {
            2.. if row.number.is_none() => often(row.attempts.len() as u64, began(model, row), e.started),
            _ => String::new(),
        };
        let put = |line: &mut Line, role: Role, text: &str, room: usize| {
            if room > 0 {
                cell(line, role, text, room, dots);
                line.push(Role::Plain, " ");
            }
        };
        let name_role = match row.number {
            Some(_) => Role::Dim,
            // What moves catches the eye for a moment.
            None if model.status.live && model.now.since(e.latest) < FRESH => Role::Strong,
            None => Role::Plain,
        };
        let room = self.who.saturating_sub(text::width(&attempts));
        cell(&mut line, name_role, &name, room, dots);
        cell(&mut line, Role::Warning, &attempts, self.who - room, dots);
        line.push(Role::Plain, " ");
        let device = device(e);
        put(&mut line, Role::Plain, if device == name { "" } else { &device }, self.device);
        let build = e.os_version.as_deref().unwrap_or_default();
        put(&mut line, Role::Dim, build.strip_prefix("10.0.").unwrap_or(build), self.build);
        put(&mut line, Role::Dim, if e.auth.is_some() { e.flow.word() } else { "" }, self.way);
        for stage in &self.stages {
            let (mark, role) = theme.step(e.step(*stage));
            let mark = if e.flow.stages().contains(stage) { mark } else { "" };
            cell(&mut line, role, mark, self.stage, "");
        }
        line.push(Role::Plain, " ");
        let stands = model.now.since(since);
        let late = matches!(e.outcome, Outcome::Stalled);
        let right = |text: String, room: usize| format!("{text:>room$}");
        let role = if late { Role::Warning } else { Role::Plain };
        put(&mut line, role, &right(span(stands), self.since), self.since);
        let took = e.ended.unwrap_or(e.latest).since(e.started);
        put(&mut line, Role::Dim, &right(span(took), self.took), self.took);
        let exchanges: u64 =
            row.attempts.iter().filter_map(|id| model.enrollment(*id)).map(|e| e.exchanges).sum();
        put(&mut line, Role::Plain, &right(exchanges.to_string(), self.exchanges), self.exchanges);
        let count = |n: u64, letter: &str| if n > 0 { format!("{n}{letter}") } else { String::new() };
        let (errors, warnings) = (count(e.errors, "E"), count(e.warnings, "W"));
        if self.findings > 0 {
            let room = self.findings - 3;
            cell(&mut line, Role::Error, &errors, room, "");
            cell(&mut line, Role::Warning, &warnings, 3, "");
            line.push(Role::Plain, " ");
        }
        let code = e.hresult.map(|code| format!("0x{code:08X}")).unwrap_or_default();
        put(&mut line, Role::Strong, &code, self.code);
        put(&mut line, Role::Plain, e.owner.map_or("", |owner| owner.word()), self.owner);
        let role = match e.outcome {
            Outcome::Failed | Outcome::Stalled => outcome_role(e.outcome),
            Outcome::Enrolled | Outcome::InProgress => Role::Dim,
        };
        let alike = alike(row);
        line.push(Role::Strong, &alike);
        let verdict = fit(&e.verdict, self.verdict.saturating_sub(alike.len()), dots).into_owned();
        line.push(role, &verdict);
        line
    }

    fn refused(&self, model: &Model, row: &Row, id: u64, theme: Theme) -> Line {
        let Some(group) = model.refused.get(id) else { return Line::default() };
        let (mark, role) = theme.outcome(Outcome::Failed);
        let mut line = Line::plain(" ").and(role, mark).and(Role::Plain, " ");
        cell(&mut line, Role::Plain, &group.address, self.who, theme.dots());
        line.push(Role::Plain, " ");
        if self.device > 0 {
            cell(&mut line, Role::Dim, "refused", self.device, theme.dots());
            line.push(Role::Plain, " ");
        }
        let unknown: usize =
            [self.build, self.way].iter().filter(|room| **room > 0).map(|room| room + 1).sum();
        line.push(Role::Plain, &" ".repeat(unknown));
        cell(&mut line, Role::Dim, "TLS", self.strip(), "");
        line.push(Role::Plain, &format!(" {:>1$} ", span(model.now.since(group.last)), self.since));
        let times = often(group.count, group.first, group.last);
        let left = self.before_verdict().saturating_sub(line.width());
        cell(
            &mut line,
            Role::Error,
            &format!("{:>1$}", times.trim_start(), left.saturating_sub(1)),
            left,
            "",
        );
        let host = group.sni.as_ref().map(|sni| format!(", {sni}")).unwrap_or_default();
        line.and(Role::Strong, &alike(row)).and(Role::Error, &format!("{}{host}", group.reason))
    }

    fn strays(&self, model: &Model, theme: Theme) -> Line {
        let count = model.exchanges.strays().count() as u64;
        let text = text::plural(count, "exchange");
        Line::new(
            Role::Dim,
            &format!(" {} {text} outside any enrollment", theme.step(crate::enrollment::StepState::Ahead).0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_says_how_often_it_comes() {
        let cases = [
            (2, 0, " x2"),
            (3, 10, " x3"),
            (12, 30, " x12 12/min"),
            (12, 180, " x12 4/min"),
            // Over a day it is no storm.
            (12, 86_400, " x12"),
            // A clock that went back.
            (12, -50, " x12 12/min"),
        ];
        for (count, seconds, expected) in cases {
            let first = Time(1_700_000_000_000);
            assert_eq!(often(count, first, first.plus_millis(seconds * 1_000)), expected);
        }
    }
}
