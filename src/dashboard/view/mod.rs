//! Draws the model: one file per pane.

mod device;
mod over;
mod overview;
mod paint;

use ratatui::Frame;

use super::layout::panes;
use super::line::{Line, Role};
use super::model::Model;
use super::page::header;
use super::screen::{Overlay, Screen};
use super::theme::Theme;
use super::update::footer;
use super::wish;
use paint::Painter;

/// The smallest screen that shows anything worth it.
const SMALLEST: (u16, u16) = (40, 10);

/// The whole screen. The model must be up to date.
pub fn draw(frame: &mut Frame<'_>, model: &Model, theme: Theme) {
    let area = frame.area();
    let mut painter = Painter::new(frame.buffer_mut(), theme);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!("at least {} x {} cells, please", SMALLEST.0, SMALLEST.1);
        painter.line(0, 0, area.width, &Line::plain(&text));
        return;
    }
    let panes = panes(model);
    painter.lines(panes.header, &header::lines(model));
    match model.ui.screen {
        Screen::Overview => overview::draw(&mut painter, model, panes),
        Screen::Device => device::draw(&mut painter, model, panes),
    }
    over::draw(&mut painter, model);
    if let Some((label, hint)) = wish::asked(model) {
        let room = usize::from(area.width).saturating_sub(super::text::width(&label) + 1);
        let line =
            Line::new(Role::Strong, &label).and(Role::Plain, written(model, room)).and(Role::Mark, " ");
        let hint = if line.width() + hint.len() <= usize::from(area.width) { hint } else { "" };
        painter.line(panes.footer.x, panes.footer.y, panes.footer.width, &line.and(Role::Dim, hint));
        return;
    }
    let mut line = Line::plain(" ");
    let working = if model.working { "working …" } else { "" };
    let notice = model.ui.notice.as_deref().unwrap_or(working);
    let room = usize::from(area.width).saturating_sub(super::text::width(notice) + 3);
    for (label, short) in footer(model) {
        let next = Line::new(Role::Strong, label).and(Role::Dim, &format!(" {short}  "));
        if line.width() + next.width() > room + 1 {
            break;
        }
        line.0.extend(next.0);
    }
    if !notice.is_empty() {
        line.push(Role::Plain, &" ".repeat((room + 1).saturating_sub(line.width())));
        line.push(Role::Warning, notice);
    }
    painter.line(panes.footer.x, panes.footer.y, panes.footer.width, &line);
}

/// The end of the line that is written, as far as there is room for it.
fn written(model: &Model, room: usize) -> &str {
    let line = if model.ui.overlay == Overlay::Search { &model.ui.search } else { &model.ui.entry };
    let text = line.value();
    let mut starts = text.char_indices().map(|(at, _)| at);
    let fits = |at: &usize| text.get(*at..).is_some_and(|rest| super::text::width(rest) <= room);
    starts.find(fits).and_then(|at| text.get(at..)).unwrap_or_default()
}
