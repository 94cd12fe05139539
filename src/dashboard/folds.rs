//! A decoded document's parts: which one keys act on, and which are folded.

use super::layout::panes;
use super::model::Model;
use super::screen::Tab;

/// To the next part that is in view, or the one before; false where there is none: then the page is scrolled.
pub(super) fn step(model: &mut Model, by: isize) -> bool {
    let top = model.ui.scroll;
    let room = usize::from(panes(model).sheet.below_title().height);
    let nodes = &model.sheet.page.nodes;
    let in_view = |line: usize| (top..top + room).contains(&line);
    let here = nodes.iter().position(|(line, node)| Some(node) == model.ui.node.as_ref() && in_view(*line));
    let next = match (here, by > 0) {
        (Some(here), true) => nodes.get(here + 1),
        (Some(here), false) => here.checked_sub(1).and_then(|before| nodes.get(before)),
        (None, true) => nodes.iter().find(|(line, _)| in_view(*line)),
        (None, false) => nodes.iter().rev().find(|(line, _)| in_view(*line)),
    };
    match next.filter(|(line, _)| in_view(*line)) {
        Some((_, node)) => {
            model.ui.node = Some(node.clone());
            true
        }
        None => false,
    }
}

pub(super) fn toggle(model: &mut Model, node: String) {
    if !model.ui.folded.remove(&node) {
        model.ui.folded.insert(node);
    }
}

/// Folds all parts but the whole, or unfolds all.
pub(super) fn all(model: &mut Model, fold: bool) {
    if model.ui.tab != Tab::Decoded || model.sheet.page.nodes.is_empty() {
        model.ui.notice = Some("there is nothing to fold here".to_owned());
        return;
    }
    model.ui.folded.clear();
    if fold {
        let nodes = model.sheet.page.nodes.iter().map(|(_, node)| node.clone());
        model.ui.folded.extend(nodes.filter(|node| node.contains('/')));
    }
}

/// A line of the page was clicked.
pub(super) fn clicked(model: &mut Model, line: usize) {
    let node = model.sheet.page.nodes.iter().find(|(at, _)| *at == line).map(|(_, node)| node.clone());
    if let Some(node) = node {
        model.ui.node = Some(node.clone());
        toggle(model, node);
    }
}
