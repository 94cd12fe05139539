//! Which part of the screen is whose. Used for drawing, for scrolling by pages, and to tell what the mouse is on.

use super::model::Model;
use super::page::header;
use super::rows::RowId;
use super::screen::{Focus, Screen};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    pub width: u16,
    pub height: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 80, height: 24 }
    }
}

/// A part of the screen, in cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

impl Area {
    pub(super) fn contains(self, x: u16, y: u16) -> bool {
        (self.x..self.x.saturating_add(self.width)).contains(&x)
            && (self.y..self.y.saturating_add(self.height)).contains(&y)
    }

    /// The first so many lines, and the others.
    fn top(self, height: u16) -> (Self, Self) {
        let height = height.min(self.height);
        let rest = Self { y: self.y + height, height: self.height - height, ..self };
        (Self { height, ..self }, rest)
    }

    /// The first so many columns, and the others.
    fn left(self, width: u16) -> (Self, Self) {
        let width = width.min(self.width);
        let rest = Self { x: self.x + width, width: self.width - width, ..self };
        (Self { width, ..self }, rest)
    }

    /// Without its first line.
    pub(super) fn below_title(self) -> Self {
        self.top(1).1
    }
}

/// The panes of a screen; those without room are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Panes {
    pub header: Area,
    /// Its first line holds the columns' titles.
    pub list: Area,
    /// Its first line holds the tabs or a title.
    pub sheet: Area,
    pub footer: Area,
    /// The sheet is beside the list: a rule stands between them.
    pub beside: bool,
}

/// From this width on, list and sheet stand side by side, unless there is height for both.
const WIDE: u16 = 120;
/// From this height on, they stand above each other with room for both.
const HIGH: u16 = 40;

pub(super) fn panes(model: &Model) -> Panes {
    let Size { width, height } = model.size;
    let all = Area { x: 0, y: 0, width, height };
    let lines = u16::try_from(header::lines(model).len()).unwrap_or(u16::MAX);
    let (header, rest) = all.top(lines.min(height / 2));
    let (body, footer) = rest.top(rest.height.saturating_sub(1));
    let panes = Panes { header, footer, ..Panes::default() };
    match model.ui.screen {
        Screen::Overview => overview(panes, body, model),
        Screen::Device => device(panes, body, model),
    }
}

/// Where a page over the screen is: all but the footer.
pub(super) fn over(model: &Model) -> Area {
    Area { x: 0, y: 0, width: model.size.width, height: panes(model).footer.y }
}

fn overview(panes: Panes, body: Area, model: &Model) -> Panes {
    if model.rows.is_empty() {
        return Panes { list: body, ..panes };
    }
    if model.size.height >= HIGH {
        let rows = u16::try_from(model.rows.len() + 1).unwrap_or(u16::MAX);
        let (list, sheet) = body.top(rows.clamp(body.height / 4, body.height * 3 / 5));
        return Panes { list, sheet, ..panes };
    }
    if model.size.width >= WIDE {
        let (list, rest) = body.left(body.width * 3 / 5);
        return Panes { list, sheet: rest.left(1).1, beside: true, ..panes };
    }
    Panes { list: body, ..panes }
}

fn device(panes: Panes, body: Area, model: &Model) -> Panes {
    if matches!(model.ui.opened, Some(RowId::Refused(_))) {
        return Panes { sheet: body, ..panes };
    }
    let rows = u16::try_from(model.listing.len() + 1).unwrap_or(u16::MAX);
    if model.size.width >= WIDE + 20 {
        let (list, rest) = body.left((body.width * 2 / 5).clamp(60, 84));
        return Panes { list, sheet: rest.left(1).1, beside: true, ..panes };
    }
    let list = match (model.ui.focus, model.size.height >= HIGH) {
        (_, true) => rows.min(body.height / 3),
        (Focus::List, false) => rows.min((body.height * 2 / 5).max(3)),
        // Reading needs the room; the exchange that is read stays in view.
        (Focus::Sheet, false) => 2,
    };
    let (list, sheet) = body.top(list);
    Panes { list, sheet, ..panes }
}
