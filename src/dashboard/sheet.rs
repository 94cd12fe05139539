//! The page that is read: built when what it shows changed, kept while it is scrolled.

use std::collections::BTreeSet;

use super::layout::{over, panes};
use super::line::Page;
use super::model::Model;
use super::page;
use super::rows::{self, RowId};
use super::screen::{Overlay, Screen, Tab, Target};

#[derive(Debug, Default)]
pub struct Sheet {
    pub page: Page,
    key: Option<Key>,
}

/// Everything that a page depends on.
#[derive(Debug, PartialEq)]
struct Key {
    revision: u64,
    /// Ages on it change with the clock.
    seconds: i64,
    screen: Screen,
    row: Option<RowId>,
    exchange: Option<u64>,
    tab: Tab,
    finding: usize,
    target: Option<Target>,
    raw: bool,
    node: Option<String>,
    folded: BTreeSet<String>,
    width: u16,
    bodies: (bool, bool),
}

/// The page over the screen. What it tells of the site is no older than a second.
#[derive(Debug, Default)]
pub struct Over {
    pub page: Page,
    key: Option<(Overlay, String, u16, i64, bool)>,
}

fn refresh_over(model: &mut Model) {
    let area = over(model);
    let ui = &model.ui;
    if !ui.page().is_page() {
        model.over = Over::default();
        return;
    }
    let key = (ui.page(), ui.explained.clone(), area.width, model.now.0 / 1000, model.ended);
    if model.over.key.as_ref() != Some(&key) {
        let page = page::over(model, usize::from(area.width));
        model.over = Over { page, key: Some(key) };
    }
    let room = usize::from(area.below_title().height);
    model.ui.over_scroll = model.ui.over_scroll.min(model.over.page.lines.len().saturating_sub(room));
}

pub(super) fn refresh(model: &mut Model) {
    list(model);
    refresh_over(model);
    let area = panes(model).sheet;
    let ui = &model.ui;
    let overview = ui.screen == Screen::Overview;
    let row = if overview { &ui.row } else { &ui.opened };
    let whole = ui.exchange.is_some_and(|serial| model.whole(serial).is_some());
    let fixed = !overview && !matches!(row, Some(RowId::Refused(_)));
    let key = Key {
        // A body that was laid out stays; only its summary and findings can change.
        revision: if fixed && !matches!(ui.tab, Tab::Summary | Tab::Findings | Tab::Causes | Tab::Time) {
            0
        } else {
            model.revision
        },
        seconds: if fixed { 0 } else { model.now.0 / 1000 },
        screen: ui.screen,
        row: row.clone(),
        exchange: if overview { None } else { ui.exchange },
        tab: ui.tab,
        finding: ui.finding,
        target: ui.target,
        raw: ui.raw,
        node: ui.node.clone(),
        folded: ui.folded.clone(),
        width: area.width,
        bodies: (whole, model.read_back.is_some()),
    };
    if model.sheet.key.as_ref() != Some(&key) {
        let same_place = model.sheet.key.as_ref().is_some_and(|old| {
            let place = |k: &Key| (k.screen, k.row.clone(), k.exchange, k.tab, k.finding, k.target, k.raw);
            place(old) == place(&key)
        });
        let page =
            if area.height == 0 { Page::default() } else { page::build(model, usize::from(area.width)) };
        if !same_place {
            model.ui.scroll = 0;
        }
        if let Some(focus) = page.focus.filter(|_| !same_place) {
            model.ui.scroll = focus.saturating_sub(usize::from(area.height) / 4);
        }
        model.sheet = Sheet { page, key: Some(key) };
    }
    let room = usize::from(panes(model).sheet.below_title().height);
    model.ui.scroll = model.ui.scroll.min(model.sheet.page.lines.len().saturating_sub(room));
    let panes = panes(model);
    let list = usize::from(panes.list.below_title().height);
    model.ui.row_top = in_view(model.ui.row_top, model.ui.row_index, model.rows.len(), list);
    let at = exchange_index(model);
    model.ui.exchange_top = in_view(model.ui.exchange_top, at, model.listing.len(), list);
}

/// The exchanges of the device that is looked at.
fn list(model: &mut Model) {
    let Some(wanted) = model.ui.opened.clone() else {
        (model.opened, model.listed) = (None, None);
        model.listing.clear();
        return;
    };
    if model.listed != Some((model.revision, wanted.clone())) {
        model.opened = rows::find(model, &wanted);
        model.listing = model.opened.as_ref().map(|row| model.exchanges_of(row)).unwrap_or_default();
        model.listed = Some((model.revision, wanted));
    }
    let known = model.ui.exchange.is_some_and(|serial| model.listing.contains(&serial));
    if !known {
        model.ui.exchange = model.listing.last().copied();
    }
}

pub(super) fn exchange_index(model: &Model) -> usize {
    model.listing.iter().position(|serial| Some(*serial) == model.ui.exchange).unwrap_or(0)
}

/// The first line to show so that the selected one is in view.
fn in_view(top: usize, selected: usize, count: usize, room: usize) -> usize {
    let room = room.max(1);
    top.min(selected).max((selected + 1).saturating_sub(room)).min(count.saturating_sub(room))
}
