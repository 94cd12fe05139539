//! What the mouse does: select, open, scroll, turn to a tab.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::folds;
use super::keys::{self, Context};
use super::layout::panes;
use super::model::Model;
use super::screen::{Focus, Overlay, Screen, Tab};
use super::update::{open, select, show_tab, step, turn};

pub(super) fn moused(model: &mut Model, mouse: MouseEvent) {
    if model.ui.overlay.is_written() && model.ui.overlay != Overlay::Filter {
        return;
    }
    let panes = panes(model);
    let (x, y) = (mouse.column, mouse.row);
    let over_list = panes.list.contains(x, y);
    let by = match mouse.kind {
        MouseEventKind::ScrollUp => -3,
        MouseEventKind::ScrollDown => 3,
        MouseEventKind::Down(MouseButton::Left) if keys::context(model) != Context::Over => {
            return clicked(model, over_list, x, y);
        }
        _ => return,
    };
    match (keys::context(model), over_list) {
        (Context::Over, _) | (_, true) => step(model, by),
        (_, false) if panes.sheet.contains(x, y) => {
            model.ui.scroll = model.ui.scroll.saturating_add_signed(by);
        }
        _ => {}
    }
}

fn clicked(model: &mut Model, over_list: bool, x: u16, y: u16) {
    let panes = panes(model);
    if !over_list {
        if model.ui.screen == Screen::Device && panes.sheet.contains(x, y) {
            model.ui.focus = Focus::Sheet;
            let tab = tab_at(model, x - panes.sheet.x).filter(|_| y == panes.sheet.y);
            tab.into_iter().for_each(|tab| show_tab(model, tab));
            let line = usize::from(y).checked_sub(usize::from(panes.sheet.y) + 1);
            line.into_iter().for_each(|line| folds::clicked(model, model.ui.scroll + line));
        }
        return;
    }
    let list = panes.list.below_title();
    let Some(line) = y.checked_sub(list.y) else { return };
    match model.ui.screen {
        Screen::Overview => {
            let at = model.ui.row_top + usize::from(line);
            if at < model.rows.len() {
                if at == model.ui.row_index {
                    return open(model, Context::Overview);
                }
                select(model, at);
            }
        }
        Screen::Device => {
            model.ui.focus = Focus::List;
            let at = model.ui.exchange_top + usize::from(line);
            if let Some(serial) = model.listing.get(at).copied() {
                turn(model, Some(serial));
            }
        }
    }
}

/// The tab whose name is so many columns into the line of tabs.
fn tab_at(model: &Model, x: u16) -> Option<Tab> {
    if model.listing.is_empty() {
        return None;
    }
    let mut end = 0;
    Tab::ALL.iter().copied().find(|tab| {
        end += tab.label(model.findings_here()).len();
        usize::from(x) < end
    })
}
