//! Lines onto the buffer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::dashboard::layout::Area;
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::Model;
use crate::dashboard::search::Sought;
use crate::dashboard::text::width;
use crate::dashboard::theme::Theme;

pub(super) struct Painter<'b> {
    buffer: &'b mut Buffer,
    pub(super) theme: Theme,
}

impl<'b> Painter<'b> {
    pub(super) fn new(buffer: &'b mut Buffer, theme: Theme) -> Self {
        buffer.set_style(buffer.area, theme.ground());
        Self { buffer, theme }
    }

    /// One line, cut to the width.
    pub(super) fn line(&mut self, x: u16, y: u16, room: u16, line: &Line) {
        if self.buffer.area.contains((x, y).into()) {
            let fitted = self.theme.written(line).fitted(usize::from(room), self.theme.dots());
            self.buffer.set_line(x, y, &self.theme.line(&fitted), room);
        }
    }

    pub(super) fn lines(&mut self, area: Area, lines: &[Line]) {
        for (line, y) in lines.iter().zip(area.y..area.y.saturating_add(area.height)) {
            self.line(area.x, y, area.width, line);
        }
    }

    /// A page from its line `top` on, with what is searched for made visible.
    pub(super) fn page(&mut self, area: Area, model: &Model, page: &Page, top: usize) {
        let lines = page.lines.get(top..).unwrap_or_default();
        match Sought::of(model) {
            Some(sought) => {
                let room = lines.iter().take(usize::from(area.height));
                self.lines(area, &room.map(|line| sought.marked(line)).collect::<Vec<_>>());
            }
            None => self.lines(area, lines),
        }
    }

    /// A title, and a rule to the end of the line.
    pub(super) fn title(&mut self, area: Area, line: Line) {
        let left = usize::from(area.width).saturating_sub(line.width() + 1);
        let line = line.and(Role::Plain, " ").and(Role::Dim, &self.theme.rule().0.repeat(left));
        self.line(area.x, area.y, area.width, &line);
    }

    pub(super) fn style(&mut self, x: u16, y: u16, room: u16, style: Style) {
        self.buffer.set_style(Rect::new(x, y, room, 1), style);
    }

    /// The rule between two panes side by side.
    pub(super) fn divide(&mut self, x: u16, area: Area) {
        let rule = Line::new(Role::Dim, self.theme.rule().1);
        for y in area.y..area.y.saturating_add(area.height) {
            self.line(x, y, 1, &rule);
        }
    }

    pub(super) fn blank(&mut self, area: Area) {
        let blank = " ".repeat(usize::from(area.width));
        for y in area.y..area.y.saturating_add(area.height) {
            self.style(area.x, y, area.width, self.theme.ground());
            self.buffer.set_string(area.x, y, &blank, self.theme.ground());
        }
    }
}

/// Text padded or cut to exactly so many columns.
pub(super) fn cell(line: &mut Line, role: Role, text: &str, room: usize, dots: &str) {
    let text = crate::dashboard::text::clean(text);
    let fitted = crate::dashboard::text::fit(&text, room, dots);
    line.push(role, &fitted);
    line.push(Role::Plain, &" ".repeat(room.saturating_sub(width(&fitted))));
}
