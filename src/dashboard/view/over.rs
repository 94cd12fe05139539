//! A page over the screen: the help, what is wrong with the site, what codes and rules mean.

use super::paint::Painter;
use crate::dashboard::layout::over;
use crate::dashboard::line::{Line, Role};
use crate::dashboard::model::Model;
use crate::dashboard::screen::Overlay;

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model) {
    let (title, leaving) = match model.ui.page() {
        Overlay::Help => ("Help", "Esc or ? leaves it"),
        Overlay::Site => ("What is wrong", "Esc or w leaves it"),
        Overlay::Explained => ("Explained", "Esc or x leaves it"),
        Overlay::Compared => ("Side by side", "Esc leaves it"),
        Overlay::Told => (model.ui.told.0.as_str(), "Esc leaves it, y copies it"),
        Overlay::None | Overlay::Filter | Overlay::Search | Overlay::Save | Overlay::Replay => return,
    };
    let area = over(model);
    painter.blank(area);
    painter
        .title(area, Line::new(Role::Strong, &format!(" {title}")).and(Role::Dim, &format!("  {leaving}")));
    painter.page(area.below_title(), model, &model.over.page, model.ui.over_scroll);
}
