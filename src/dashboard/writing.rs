//! Lines that are written: the filter, what to look for, a file's name, where to replay to.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

use super::keys::Action;
use super::model::Model;
use super::screen::{Overlay, Ui};
use super::update::{Effect, act};
use super::{search, wish};

pub(super) fn key(model: &mut Model, key: KeyEvent) -> Option<Effect> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match key.code {
        KeyCode::Enter => return entered(model),
        KeyCode::Esc => {
            left(model);
            return None;
        }
        KeyCode::Char('c') if control => return Some(Effect::Quit),
        KeyCode::Char('u') if control => InputRequest::DeleteLine,
        KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
        KeyCode::Char('a') if control => InputRequest::GoToStart,
        KeyCode::Char('e') if control => InputRequest::GoToEnd,
        KeyCode::Char(c) if !control => InputRequest::InsertChar(c),
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
    if model.ui.overlay == Overlay::Search {
        model.refresh();
        search::show_first(model);
    }
    None
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
