//! Enrollments for those who were not there: as a page that needs nothing else, and as Markdown.

mod correlation;
mod decoded;
mod drawing;
mod excerpt;
mod page;
mod ticket;
mod words;

use crate::compare::{Story, Told};
use crate::report::judged::Refused;

pub use correlation::correlation;
pub use page::page;
pub use ticket::markdown;
pub(super) use words::mark;
use words::{about, exchange, remedy, stage, text, troubles, why};

/// What a report is about.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub stories: &'a [Story],
    /// Exchanges that belong to no enrollment.
    pub loose: &'a [Told],
    /// Why connections came to nothing before HTTP, and how many did.
    pub refused: &'a [Refused],
    /// How the recordings are redacted: `secrets`, `identities`, `none`; empty when that is not known.
    pub level: &'a str,
    /// Where it was read from.
    pub inputs: &'a [String],
}
