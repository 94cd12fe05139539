//! The page that lies over the screen.

use super::{compared, explained, help, site};
use crate::dashboard::line::{Line, Page};
use crate::dashboard::model::Model;
use crate::dashboard::screen::Overlay;
use crate::dashboard::wish;

pub(in crate::dashboard) fn over(model: &Model, width: usize) -> Page {
    match model.ui.page() {
        Overlay::Site => site::page(model, width),
        Overlay::Explained => explained::page(&model.ui.explained, width),
        Overlay::Compared => wish::pair(model)
            .map(|(one, other)| compared::page(model, &one, &other, width))
            .unwrap_or_default(),
        Overlay::Told => told(&model.ui.told.1, width),
        Overlay::Help => help::page(model, width),
        Overlay::None | Overlay::Filter | Overlay::Search | Overlay::Save | Overlay::Replay => {
            Page::default()
        }
    }
}

/// Another command's words.
fn told(text: &str, width: usize) -> Page {
    let mut page = Page::default();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        for part in Line::plain(&line.replace('\t', "    ")).folded(width, indent + 2) {
            page.push(part);
        }
    }
    page
}
