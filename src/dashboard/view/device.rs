//! One device: its exchanges, and the tabs of the selected one.

use super::overview::sheet;
use super::paint::{Painter, cell};
use crate::dashboard::exchanges::Seen;
use crate::dashboard::layout::Panes;
use crate::dashboard::line::{Line, Role};
use crate::dashboard::model::Model;
use crate::dashboard::page::device;
use crate::dashboard::rows::RowId;
use crate::dashboard::screen::{Focus, Tab};
use crate::dashboard::text::{clock, exact};
use crate::enrollment::Link;
use crate::event::{From, Time};
use crate::rules::Level;

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model, panes: Panes) {
    list(painter, model, panes);
    if panes.beside {
        painter.divide(panes.sheet.x.saturating_sub(1), panes.sheet);
    }
    if matches!(model.ui.opened, Some(RowId::Refused(_))) {
        painter.title(panes.sheet, Line::new(Role::Strong, " Refused handshakes"));
    } else {
        painter.title(panes.sheet, tabs(model, usize::from(panes.sheet.width)));
    }
    sheet(painter, model, panes.sheet.below_title());
}

fn tabs(model: &Model, width: usize) -> Line {
    let focused = model.ui.focus == Focus::Sheet;
    let mut line = Line::default();
    for tab in Tab::ALL {
        let role = match (*tab == model.ui.tab, focused) {
            (true, true) => Role::Mark,
            (true, false) => Role::Strong,
            (false, _) => Role::Dim,
        };
        line.push(role, &tab.label(model.findings_here()));
    }
    let lines = model.sheet.page.lines.len();
    let at = format!(" {}/{lines}", (model.ui.scroll + 1).min(lines));
    if lines > 1 && line.width() + at.len() <= width {
        line.push(Role::Dim, &at);
    }
    line
}

fn list(painter: &mut Painter<'_>, model: &Model, panes: Panes) {
    if panes.list.height == 0 {
        return;
    }
    let titles = format!(
        "   {:<12} {:>9} {:<5} {:<24} {:<4} {:>8}  found",
        "time", "offset", "", "message", "", "took"
    );
    painter.line(panes.list.x, panes.list.y, panes.list.width, &Line::new(Role::Dim, &titles));
    let area = panes.list.below_title();
    let began = |seen: &Seen| seen.enrollment.and_then(|id| model.enrollment(id)).map(|e| e.started);
    let shown = model.listing.iter().skip(model.ui.exchange_top);
    for (serial, y) in shown.zip(area.y..area.y.saturating_add(area.height)) {
        let Some(seen) = model.exchanges.get(*serial) else { continue };
        painter.line(area.x, y, area.width, &row(model, seen, began(seen), painter.theme.dots()));
        if model.ui.exchange == Some(*serial) {
            let style = painter.theme.selected(model.ui.focus == Focus::List);
            painter.style(area.x, y, area.width, style);
        }
    }
}

fn row(model: &Model, seen: &Seen, began: Option<Time>, dots: &str) -> Line {
    let attempts = model.opened.as_ref().map_or(0, |row| row.attempts.len());
    let number =
        model.opened.as_ref().and_then(|row| row.attempts.iter().position(|a| Some(*a) == seen.enrollment));
    let mut line = match number.filter(|_| attempts > 1) {
        Some(number) => Line::new(Role::Dim, &format!("{:>2} ", number + 1)),
        None => Line::plain("   "),
    };
    line.push(Role::Dim, &clock(seen.at, &model.zone.0, true));
    let offset = began.map(|began| format!("+{}", exact(seen.at.since(began)))).unwrap_or_default();
    line.push(Role::Dim, &format!(" {offset:>9} "));
    cell(&mut line, Role::Plain, &seen.method, 5, dots);
    line.push(Role::Plain, " ");
    cell(&mut line, Role::Plain, seen.kind().word(), 24, dots);
    line.push(Role::Plain, " ");
    let (role, status) = device::status(seen);
    cell(&mut line, role, &status, 4, dots);
    let took = seen.millis.map(exact).unwrap_or_default();
    line.push(Role::Dim, &format!(" {took:>8}  "));
    for (level, letter) in [(Level::Error, "E"), (Level::Warning, "W"), (Level::Info, "i")] {
        let count = seen.count(level);
        if count > 0 {
            line.push(device::level_role(level), &format!("{count}{letter} "));
        }
    }
    if seen.from == From::Enrollscope {
        line.push(Role::Warning, "by us ");
    }
    if let Some(link) = seen.link.filter(|link| *link != Link::Certain) {
        line.push(Role::Dim, link.word());
    }
    line
}
