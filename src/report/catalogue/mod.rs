//! The catalogue for people: the list of rules, one rule, and the committed RULES.md, each with its example as a diff.

mod diff;
mod list;
mod markdown;
mod pretty;
mod show;
mod words;

use crate::event::Event;
use crate::rules::Example;

pub use list::{list, near, one};
pub use markdown::markdown;
pub use words::describe;
pub(super) use words::who;

/// Plays an example: its golden's events, and those with the edit made. Goldens are made by the simulation, of which
/// this module knows nothing.
pub type Play<'p> = &'p dyn Fn(&Example) -> Option<(Vec<Event>, Vec<Event>)>;
