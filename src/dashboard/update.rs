//! What keys, the mouse and the world do to the model, and what they want done.

use crossterm::event::{Event as Terminal, KeyEvent, KeyEventKind};

use super::exchanges::Serial;
use super::folds;
use super::keys::{self, Action, BINDINGS, Context};
use super::layout::{Size, over, panes};
use super::model::Model;
use super::mouse::moused;
use super::page::{self, findings};
use super::rows::{self, Row, RowId};
use super::screen::{Focus, Overlay, Screen, Tab};
use super::search;
use super::sheet::exchange_index;
use super::wish::{self, Wish};
use super::writing;
use crate::capture::Place;
use crate::enrollment::{Cause, Outcome};

/// What the terminal is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Quit,
    /// Read the exchange's record again; the answer goes to `Model::read_back`.
    ReadBody(Serial, Place),
    /// Put this on the clipboard.
    Copy(String),
    Suspend,
    /// Do something with these exchanges.
    Do(Wish, Vec<Serial>),
}

/// Applies a key, a mouse event or a change of size. The model is up to date before and after.
pub fn update(model: &mut Model, input: &Terminal) -> Vec<Effect> {
    model.refresh();
    let mut effects = Vec::new();
    match input {
        // Windows reports releases, too.
        Terminal::Key(key) if key.kind == KeyEventKind::Press => {
            model.ui.notice = None;
            pressed(model, *key, &mut effects);
        }
        // Pasted text is no keys: outside of a line that is written it means nothing.
        Terminal::Paste(text) if model.ui.overlay.is_written() => writing::paste(model, text),
        Terminal::Mouse(mouse) => moused(model, *mouse),
        Terminal::Resize(width, height) => model.size = Size { width: *width, height: *height },
        _ => {}
    }
    model.refresh();
    effects.extend(wanted_body(model));
    effects
}

fn pressed(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    if model.ui.overlay.is_written() {
        return effects.extend(writing::key(model, key));
    }
    let Some(action) = keys::action(key, keys::context(model)) else { return };
    match action {
        Action::Quit => effects.push(Effect::Quit),
        Action::Suspend if model.status.live => {
            model.ui.notice = Some("suspending would stop the traffic; q quits".to_owned());
        }
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Copy => effects.extend(copy(model)),
        Action::Ticket => effects.extend(wish::ticket(model)),
        action => act(model, action),
    }
}

pub(super) fn act(model: &mut Model, action: Action) {
    let page = |area: super::layout::Area| isize::from(area.below_title().height.max(2).cast_signed()) - 1;
    let panes = panes(model);
    match (action, keys::context(model)) {
        (Action::Back, Context::Sheet | Context::Over) if !model.ui.search.value().is_empty() => {
            model.ui.search.reset();
        }
        (Action::Back | Action::Open, Context::Over) => model.ui.overlay = Overlay::None,
        (Action::Help, _) => turn_to(model, Overlay::Help),
        (Action::Site, _) => turn_to(model, Overlay::Site),
        (Action::Explain, Context::Over) => model.ui.overlay = Overlay::None,
        (Action::Explain, _) => explain(model),
        (Action::Up, _) => step(model, -1),
        (Action::Down, _) => step(model, 1),
        (Action::PageUp, Context::Overview | Context::Exchanges) => step(model, -page(panes.list)),
        (Action::PageDown, Context::Overview | Context::Exchanges) => step(model, page(panes.list)),
        (Action::PageUp, Context::Over) => step(model, -page(over(model))),
        (Action::PageDown, Context::Over) => step(model, page(over(model))),
        (Action::PageUp, _) => step(model, -page(panes.sheet)),
        (Action::PageDown, _) => step(model, page(panes.sheet)),
        (Action::Top, _) => step(model, isize::MIN / 2),
        (Action::Bottom, _) => step(model, isize::MAX / 2),
        (Action::Open, context) => open(model, context),
        (Action::Back, context) => back(model, context),
        (Action::NextTab, _) => show_tab(model, model.ui.tab.step(1)),
        (Action::PreviousTab, _) => show_tab(model, model.ui.tab.step(-1)),
        (Action::Tab(n), _) => show_tab(model, Tab::ALL.get(n).copied().unwrap_or_default()),
        (Action::NextExchange, _) => step_exchange(model, 1),
        (Action::PreviousExchange, _) => step_exchange(model, -1),
        (Action::Expand, _) => expand(model, true),
        (Action::Collapse, _) => expand(model, false),
        (Action::NextFinding, context) if context == Context::Over || search::is_on(model) => {
            search::step(model, 1);
        }
        (Action::PreviousFinding, context) if context == Context::Over || search::is_on(model) => {
            search::step(model, -1);
        }
        (Action::NextFinding, context) => next_finding(model, context, 1),
        (Action::PreviousFinding, context) => next_finding(model, context, -1),
        (Action::Filter, Context::Overview) => model.ui.overlay = Overlay::Filter,
        (Action::Filter, context) => search::begin(model, context),
        (Action::Mark, _) => wish::mark(model),
        (Action::Compare, _) => wish::compare(model),
        (Action::Save, _) => wish::ask(model, Overlay::Save),
        (Action::Replay, _) => wish::ask(model, Overlay::Replay),
        (Action::Pause, _) => model.ui.paused = !model.ui.paused,
        (Action::OnlyFailed, _) => {
            (model.ui.only_failed, model.ui.only_stuck) = (!model.ui.only_failed, false);
        }
        (Action::OnlyStuck, _) => {
            (model.ui.only_stuck, model.ui.only_failed) = (!model.ui.only_stuck, false);
        }
        (Action::OneOfEach, _) => model.ui.one_of_each = !model.ui.one_of_each,
        (Action::Follow, _) => {
            model.ui.follow = !model.ui.follow;
            let word = if model.ui.follow { "following the newest device" } else { "staying on this device" };
            model.ui.notice = Some(word.to_owned());
        }
        (Action::Sort, _) => {
            model.ui.sort = model.ui.sort.next();
            model.ui.notice = Some(model.ui.sort.title().to_owned());
        }
        (Action::FoldAll, _) => folds::all(model, true),
        (Action::UnfoldAll, _) => folds::all(model, false),
        (Action::Raw, _) => {
            model.ui.raw = !model.ui.raw;
            let what = if model.ui.raw { "as received" } else { "laid out" };
            model.ui.notice = Some(format!("bodies {what}"));
        }
        (Action::Copy | Action::Ticket | Action::Suspend | Action::Quit, _) => {}
    }
}

/// Opens the page over the screen, or closes it.
fn turn_to(model: &mut Model, overlay: Overlay) {
    model.ui.overlay = if model.ui.overlay == overlay { Overlay::None } else { overlay };
    model.ui.over_scroll = 0;
    model.ui.search.reset();
}

/// What the finding or the row is about.
fn explain(model: &mut Model) {
    let finding = model
        .selected_exchange()
        .filter(|_| model.ui.screen == Screen::Device && model.ui.tab == Tab::Findings)
        .and_then(|seen| seen.findings.get(model.ui.finding));
    let text = match (finding, model.ui.screen) {
        (Some(finding), _) => told(finding.hresult, Some(finding.rule.id)),
        (None, Screen::Overview) => model.selected_row().map(|row| of_row(model, row)).unwrap_or_default(),
        (None, Screen::Device) => model.opened.as_ref().map(|row| of_row(model, row)).unwrap_or_default(),
    };
    if text.is_empty() {
        model.ui.notice = Some("there is no code and no rule here to explain".to_owned());
        return;
    }
    model.ui.explained = text;
    turn_to(model, Overlay::Explained);
}

fn told(code: Option<u32>, rule: Option<&str>) -> String {
    let code = code.map(|code| format!("0x{code:08X}"));
    let words: Vec<&str> = code.as_deref().into_iter().chain(rule).collect();
    words.join(" ")
}

/// The code that the device's user sees, and the rule that was broken.
fn of_row(model: &Model, row: &Row) -> String {
    if let RowId::Refused(id) = row.id {
        let finding = model.refused.get(id).and_then(|group| group.findings.first());
        return told(finding.and_then(|f| f.hresult), finding.map(|f| f.rule.id));
    }
    let Some(enrollment) = row.latest().and_then(|id| model.enrollment(id)) else { return String::new() };
    let rule = match &enrollment.cause {
        Cause::Finding { rule, .. } => Some(rule.id),
        _ => None,
    };
    told(enrollment.hresult, rule)
}

/// Moves what the keys move here: the selection, the page, the help.
pub(super) fn step(model: &mut Model, by: isize) {
    match keys::context(model) {
        Context::Over => model.ui.over_scroll = model.ui.over_scroll.saturating_add_signed(by),
        Context::Overview => {
            let last = model.rows.len().saturating_sub(1);
            let at = model.ui.row_index.saturating_add_signed(by).min(last);
            select(model, at);
        }
        Context::Exchanges => step_exchange(model, by),
        Context::Sheet if model.ui.tab == Tab::Findings && by.abs() == 1 => {
            let count = model.findings_here();
            let next = model.ui.finding.saturating_add_signed(by);
            if next < count && next != model.ui.finding {
                model.ui.finding = next;
            } else {
                model.ui.scroll = model.ui.scroll.saturating_add_signed(by);
            }
        }
        Context::Sheet if by.abs() == 1 && folds::step(model, by) => {}
        Context::Sheet => model.ui.scroll = model.ui.scroll.saturating_add_signed(by),
    }
}

pub(super) fn select(model: &mut Model, at: usize) {
    model.ui.chosen = true;
    model.ui.follow = false;
    model.ui.row = model.rows.get(at).map(|row| row.id.clone());
    model.ui.row_index = rows::index_of(model);
}

fn step_exchange(model: &mut Model, by: isize) {
    let last = model.listing.len().saturating_sub(1);
    let at = exchange_index(model).saturating_add_signed(by).min(last);
    if let Some(serial) = model.listing.get(at).copied()
        && model.ui.exchange != Some(serial)
    {
        turn(model, Some(serial));
    }
}

/// Another exchange is looked at.
pub(super) fn turn(model: &mut Model, exchange: Option<Serial>) {
    model.ui.exchange = exchange;
    model.ui.finding = 0;
    model.ui.target = None;
    model.ui.node = None;
    model.ui.folded.clear();
}

pub(super) fn open(model: &mut Model, context: Context) {
    match context {
        Context::Overview => {
            let Some(row) = model.selected_row().map(|row| row.id.clone()) else { return };
            model.ui.chosen = true;
            model.ui.follow = false;
            model.ui.focus = if matches!(row, RowId::Refused(_)) { Focus::Sheet } else { Focus::List };
            model.ui.opened = Some(row);
            model.ui.screen = Screen::Device;
            model.ui.tab = Tab::Summary;
            turn(model, None);
            model.refresh();
            // What went wrong last is what one wants to see first.
            let all = model.listing.iter().filter_map(|serial| model.exchanges.get(*serial));
            model.ui.exchange = all.max_by_key(|seen| seen.trouble()).map(|seen| seen.serial);
            if model.selected_exchange().is_some_and(|seen| !seen.findings.is_empty()) {
                model.ui.tab = Tab::Findings;
            }
        }
        Context::Exchanges => model.ui.focus = Focus::Sheet,
        Context::Sheet if model.ui.tab == Tab::Findings => {
            let finding = model.selected_exchange().and_then(|seen| seen.findings.get(model.ui.finding));
            if let Some((tab, target)) = finding.and_then(findings::target) {
                model.ui.tab = tab;
                model.ui.target = Some(target);
            } else {
                model.ui.notice = Some("this finding is about no place in a message".to_owned());
            }
        }
        Context::Sheet => {
            let node = model.ui.node.clone().filter(|_| model.ui.tab == Tab::Decoded);
            node.into_iter().for_each(|node| folds::toggle(model, node));
        }
        Context::Over => {}
    }
}

fn back(model: &mut Model, context: Context) {
    match context {
        Context::Overview if !model.ui.filter.value().is_empty() => model.ui.filter.reset(),
        Context::Overview if model.ui.only_failed || model.ui.only_stuck || model.ui.one_of_each => {
            (model.ui.only_failed, model.ui.only_stuck, model.ui.one_of_each) = (false, false, false);
        }
        Context::Overview if !model.ui.marked.is_empty() => {
            model.ui.marked.clear();
            model.ui.notice = Some("nothing is marked any more".to_owned());
        }
        Context::Overview => {}
        // From a finding's place back to the findings.
        Context::Sheet if model.ui.target.is_some() => {
            model.ui.target = None;
            model.ui.tab = Tab::Findings;
        }
        Context::Sheet if !model.listing.is_empty() => model.ui.focus = Focus::List,
        Context::Sheet | Context::Exchanges => {
            model.ui.search.reset();
            model.ui.screen = Screen::Overview;
            model.ui.focus = Focus::List;
            model.ui.opened = None;
            model.ui.exchange = None;
        }
        Context::Over => {}
    }
}

pub(super) fn show_tab(model: &mut Model, tab: Tab) {
    model.ui.tab = tab;
    model.ui.target = None;
}

fn expand(model: &mut Model, open: bool) {
    let Some(row) = model.selected_row().cloned() else { return };
    if open && row.attempts.len() > 1 {
        model.ui.expanded.extend(row.attempts.first());
        return;
    }
    if let Some(device) = row.latest().filter(|_| !open).and_then(|id| rows::find(model, &RowId::Device(id)))
    {
        for id in &device.attempts {
            model.ui.expanded.remove(id);
        }
        // From one of the attempts up to the device.
        model.ui.row = Some(device.id);
    }
}

fn next_finding(model: &mut Model, context: Context, by: isize) {
    if context == Context::Overview {
        let count = model.rows.len();
        let at = |step: usize| {
            let step = by * (step.cast_signed() + 1);
            let all = count.cast_signed().max(1);
            (model.ui.row_index.cast_signed() + step).rem_euclid(all).cast_unsigned()
        };
        let found = (0..count).map(at).find(|at| model.rows.get(*at).is_some_and(|row| troubled(model, row)));
        match found {
            Some(at) => select(model, at),
            None => model.ui.notice = Some("no device has a finding".to_owned()),
        }
        return;
    }
    let all: Vec<(Serial, usize)> = model
        .listing
        .iter()
        .filter_map(|serial| model.exchanges.get(*serial))
        .flat_map(|seen| (0..seen.findings.len()).map(|index| (seen.serial, index)))
        .collect();
    let here = (model.ui.exchange.unwrap_or_default(), model.ui.finding);
    let on_it = model.ui.tab == Tab::Findings && model.ui.target.is_none();
    let next = if by > 0 {
        all.iter().find(|at| if on_it { **at > here } else { **at >= here }).or(all.first())
    } else {
        all.iter().rev().find(|at| **at < here).or(all.last())
    };
    let Some((serial, finding)) = next.copied() else {
        model.ui.notice = Some("there are no findings here".to_owned());
        return;
    };
    show_tab(model, Tab::Findings);
    model.ui.exchange = Some(serial);
    model.ui.finding = finding;
}

fn troubled(model: &Model, row: &Row) -> bool {
    if let RowId::Refused(_) = row.id {
        return true;
    }
    let latest = row.latest().and_then(|id| model.enrollment(id));
    latest
        .is_some_and(|e| e.errors + e.warnings > 0 || matches!(e.outcome, Outcome::Failed | Outcome::Stalled))
}

/// The selected exchange's bodies, if they are not here and can be read again.
fn wanted_body(model: &Model) -> Option<Effect> {
    let seen = model.selected_exchange().filter(|_| model.ui.screen == Screen::Device)?;
    let tried = model.read_back.as_ref().is_some_and(|(serial, _)| *serial == seen.serial);
    if seen.whole.is_some() || tried {
        return None;
    }
    Some(Effect::ReadBody(seen.serial, seen.place?))
}

fn copy(model: &mut Model) -> Option<Effect> {
    let text = match keys::context(model) {
        _ if search::is_on(model) && model.ui.found.is_some() => search::line(model),
        Context::Overview => model.selected_row().map(|row| page::device::sentence(model, row)),
        Context::Exchanges => model.selected_exchange().map(page::summary::sentence),
        Context::Sheet if model.ui.tab == Tab::Findings => model
            .selected_exchange()
            .and_then(|seen| seen.findings.get(model.ui.finding))
            .map(|finding| findings::page(std::slice::from_ref(finding), None, 100).text()),
        Context::Sheet => page::message_text(model).or_else(|| Some(model.sheet.page.text())),
        Context::Over => Some(model.over.page.text()),
    };
    let text = text.filter(|text| !text.trim().is_empty())?;
    model.ui.notice =
        Some(format!("copied {}", super::text::plural(text.chars().count() as u64, "character")));
    Some(Effect::Copy(text))
}

/// The footer's words here: label and meaning.
pub(super) fn footer(model: &Model) -> Vec<(&'static str, &'static str)> {
    match model.ui.overlay {
        Overlay::Filter | Overlay::Search => return vec![("Enter", "keep"), ("Esc", "clear")],
        Overlay::Save | Overlay::Replay => return vec![("Enter", "go"), ("Esc", "leave it")],
        Overlay::None | Overlay::Help | Overlay::Site | Overlay::Explained => {}
        Overlay::Compared | Overlay::Told => {}
    }
    let context = keys::context(model);
    let here = BINDINGS.iter().filter(|b| b.contexts.contains(&context) && !b.short.is_empty());
    here.filter(|b| !(context == Context::Overview && b.action == Action::Back))
        .map(|b| (b.label, b.short))
        .collect()
}
