//! Lines that are written: the filter, what to look for, a file's name, where to replay to.

use std::ops::Range;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

use super::keys::Action;
use super::model::Model;
use super::screen::{Overlay, Ui};
use super::update::{Effect, act};
use super::{search, wish};
use crate::filter::is_of_name;

pub(super) fn key(model: &mut Model, key: KeyEvent) -> Option<Effect> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if model.ui.overlay == Overlay::Filter && matches!(key.code, KeyCode::Tab | KeyCode::BackTab) {
        complete(model, if key.code == KeyCode::Tab { 1 } else { -1 });
        return None;
    }
    model.ui.completed = None;
    let request = match key.code {
        KeyCode::Enter => return entered(model),
        KeyCode::Esc => {
            left(model);
            return None;
        }
        KeyCode::Char('c') if control => {
            left(model);
            return None;
        }
        KeyCode::Char('u') if control => InputRequest::DeleteLine,
        KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
        KeyCode::Char('a') if control => InputRequest::GoToStart,
        KeyCode::Char('e') if control => InputRequest::GoToEnd,
        KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
            InputRequest::InsertChar(c)
        }
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        KeyCode::Down if model.ui.overlay == Overlay::Filter => {
            act(model, Action::Down);
            return None;
        }
        KeyCode::Up if model.ui.overlay == Overlay::Filter => {
            act(model, Action::Up);
            return None;
        }
        _ => return None,
    };
    line(&mut model.ui).handle(request);
    written(model);
    None
}

/// Pasted text as one line, as much of it as makes sense.
pub(super) fn paste(model: &mut Model, text: &str) {
    const LONGEST: usize = 2_000;
    let text = text.trim().chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c });
    for c in text {
        line(&mut model.ui).handle(InputRequest::InsertChar(c));
    }
    model.ui.completed = None;
    written(model);
}

fn written(model: &mut Model) {
    if model.ui.overlay == Overlay::Search {
        model.refresh();
        search::show_first(model);
    }
}

/// What is written.
pub(super) fn line(ui: &mut Ui) -> &mut Input {
    match ui.overlay {
        Overlay::Filter => &mut ui.filter,
        Overlay::Search => &mut ui.search,
        _ => &mut ui.entry,
    }
}

fn entered(model: &mut Model) -> Option<Effect> {
    let written = model.ui.overlay;
    model.ui.overlay = if written == Overlay::Search { model.ui.under } else { Overlay::None };
    match written {
        Overlay::Filter => model.ui.chosen = true,
        Overlay::Search => search::told(model),
        Overlay::Save => return wish::save(model),
        Overlay::Replay => return wish::replay(model),
        _ => {}
    }
    None
}

fn left(model: &mut Model) {
    let written = model.ui.overlay;
    if matches!(written, Overlay::Filter | Overlay::Search) {
        line(&mut model.ui).reset();
    }
    model.ui.overlay = if written == Overlay::Search { model.ui.under } else { Overlay::None };
}

/// The saved filters that Tab goes through, as they are used: those that begin like the name at the cursor.
pub(super) fn offered(model: &Model) -> Vec<String> {
    model.status.filters.beginning(&start(&model.ui))
}

fn start(ui: &Ui) -> String {
    let begun = || {
        let at = begun(&ui.filter)?.start + 1;
        Some(ui.filter.value().chars().take(ui.filter.cursor()).skip(at).collect())
    };
    ui.completed.clone().or_else(begun).unwrap_or_default()
}

/// The name at the cursor with the `@` before it, in characters.
fn begun(line: &Input) -> Option<Range<usize>> {
    let chars: Vec<char> = line.value().chars().collect();
    let (before, after) = chars.split_at_checked(line.cursor())?;
    let at = before.iter().rposition(|c| !is_of_name(*c)).filter(|at| before.get(*at) == Some(&'@'))?;
    let is_first = at.checked_sub(1).and_then(|at| before.get(at)).is_none_or(|c| parts(*c));
    let end = before.len() + after.iter().take_while(|c| is_of_name(**c)).count();
    is_first.then_some(at..end)
}

/// Conditions end at such characters.
fn parts(c: char) -> bool {
    c.is_whitespace() || matches!(c, '&' | '|' | '!' | '(' | ')')
}

/// Puts the next saved filter's name in place of the one at the cursor, or the one before.
fn complete(model: &mut Model, by: isize) {
    let offered = offered(model);
    let start = start(&model.ui);
    let line = &mut model.ui.filter;
    let place = begun(line).unwrap_or(line.cursor()..line.cursor());
    let chars: Vec<char> = line.value().chars().collect();
    let text = |range: Range<usize>| chars.get(range).unwrap_or_default().iter().collect::<String>();
    let (before, there, after) = (text(0..place.start), text(place.clone()), text(place.end..chars.len()));
    let next = match offered.iter().position(|name| *name == there) {
        Some(at) => at.cast_signed() + by,
        None => by.min(0),
    };
    let Some(name) = offered.get(next.rem_euclid(offered.len().max(1).cast_signed()).cast_unsigned()) else {
        return;
    };
    // It stands by itself.
    let gap = |c: Option<char>| if c.is_none_or(parts) { "" } else { " " };
    let written = format!("{before}{}{name}", gap(before.chars().next_back()));
    let cursor = written.chars().count();
    *line = Input::new(format!("{written}{}{after}", gap(after.chars().next()))).with_cursor(cursor);
    model.ui.completed = Some(start);
}
