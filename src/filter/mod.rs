//! What people look for among enrollments, in one line: `stage:certificate & outcome:failed`, `user:anna`, `status>=400`,
//! `rule:CSR-004`, `~b DeviceCapReached`, `age<10m`, `@monday` for a saved one. The same in the dashboard, in `check` and
//! in `bundle`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod field;
mod matching;
mod parse;
mod saved;

pub use field::FIELDS;
pub use matching::{Said, Sought, Text};
pub use parse::FilterError;
pub use saved::{Saved, SavedError, is_of_name};

use parse::Node;

use crate::event::Exchange;

/// A line that was understood. The empty one fits everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter(Option<Node>);

impl Filter {
    /// Whether it leaves anything out.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What it looks for in messages' text, and whether this exchange has it: for those who do not keep the messages.
    pub fn marks(&self, exchange: &Exchange) -> Box<[bool]> {
        let mut wanted = Vec::new();
        self.0.iter().for_each(|node| node.within(&mut wanted));
        wanted.into_iter().map(|(part, text)| matching::within(exchange, part, text)).collect()
    }

    /// Whether a text fits that is of no enrollment: words have to occur in it, and of fields it has none.
    pub fn fits_words(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.0.as_ref().is_none_or(|node| node.is_in(&text))
    }

    pub fn fits(&self, sought: &impl Sought) -> bool {
        self.0.as_ref().is_none_or(|node| matching::fits(node, sought))
    }
}
