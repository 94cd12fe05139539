//! A page over the screen: the help, what is wrong with the site, what codes and rules mean.

use super::paint::Painter;
use crate::dashboard::layout::over;
use crate::dashboard::line::{Line, Role};
use crate::dashboard::model::Model;
use crate::dashboard::screen::Overlay;

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model) {
    let (title, key) = match model.ui.overlay {
        Overlay::Help => (" Help", "?"),
        Overlay::Site => (" What is wrong", "w"),
        Overlay::Explained => (" Explained", "x"),
        Overlay::None | Overlay::Filter => return,
    };
    let area = over(model);
    painter.blank(area);
    painter.title(area, Line::new(Role::Strong, title).and(Role::Dim, &format!("  Esc or {key} leaves it")));
    let lines = model.over.page.lines.get(model.ui.over_scroll..).unwrap_or_default();
    painter.lines(area.below_title(), lines);
}
