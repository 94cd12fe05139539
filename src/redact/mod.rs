//! Secrets out, shape kept: once, before anything is recorded or judged. Three layers: the structure of messages that
//! can be parsed, a lexical pass by name over what cannot, and a search for every value so found in the rest of the
//! exchange. If in doubt a text is withheld, never passed on raw.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod edits;
mod exchange;
mod find;
mod forms;
mod identities;
mod mask;
mod names;
mod page;
mod query;
mod spelling;
#[cfg(test)]
mod tests;
mod token;
mod who;
mod wrapping;

pub use exchange::{Level, Redactor};
pub use identities::Hidden;
pub use mask::Key;
pub use who::HIDDEN_FACT;
