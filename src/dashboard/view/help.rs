//! The help over the screen.

use super::paint::Painter;
use crate::dashboard::layout::{Area, panes};
use crate::dashboard::line::{Line, Role};
use crate::dashboard::model::Model;
use crate::dashboard::page::help;

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model) {
    let size = model.size;
    let area = Area { x: 0, y: 0, width: size.width, height: panes(model).footer.y };
    painter.blank(area);
    let page = help::page(model);
    painter.title(area, Line::new(Role::Strong, " Help").and(Role::Dim, "  Esc or ? leaves it"));
    let room = usize::from(area.below_title().height);
    let top = model.ui.help_scroll.min(page.lines.len().saturating_sub(room));
    painter.lines(area.below_title(), page.lines.get(top..).unwrap_or_default());
}
