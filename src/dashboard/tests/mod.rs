//! The dashboard over a fixed fleet: what it shows, and what keys do.

mod fleet;
mod given;
mod keys;
mod views;

use crossterm::event::{Event as Terminal, KeyCode, KeyEvent, KeyModifiers};

use fleet::Fleet;
use given::{filtered, live, recorded};

use super::update::update;
use super::{Effect, Model, Size, Status};
use crate::engine::Engine;
use crate::enrollment::{Deadlines, EnrollmentId};
use crate::{event, rules::Profile};

/// The fleet, judged and taken in.
fn model(status: Status) -> Model {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    let mut model = Model::new(status, jiff::tz::TimeZone::UTC);
    let mut latest = event::Time::default();
    for event in Fleet::of_all_fates().events {
        latest = latest.max(event.at());
        model.apply(engine.observe(event), None);
    }
    model.tick(latest.plus_millis(1_000));
    model.ended = !model.status.live;
    model.refresh();
    model
}

/// Keys by name, or characters one by one: `j j Enter / a n n`.
fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys.split_whitespace() {
        let (name, modifiers) = match name.strip_prefix("C-") {
            Some(rest) => (rest, KeyModifiers::CONTROL),
            None => (name, KeyModifiers::NONE),
        };
        let code = match name {
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "Tab" => KeyCode::Tab,
            "BackTab" => KeyCode::BackTab,
            "Down" => KeyCode::Down,
            "Up" => KeyCode::Up,
            "Left" => KeyCode::Left,
            "Right" => KeyCode::Right,
            "PageDown" => KeyCode::PageDown,
            "End" => KeyCode::End,
            "Home" => KeyCode::Home,
            "Backspace" => KeyCode::Backspace,
            "Space" => KeyCode::Char(' '),
            one => KeyCode::Char(one.chars().next().unwrap()),
        };
        effects.extend(update(model, &Terminal::Key(KeyEvent::new(code, modifiers))));
    }
    effects
}

fn resize(model: &mut Model, width: u16, height: u16) {
    model.size = Size { width, height };
    model.refresh();
}
