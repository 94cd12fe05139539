//! Two recordings side by side, for people, programs, build servers and issue trackers.

mod human;
mod json;
mod junit;
mod markdown;
mod words;

pub use human::{case, human, noise};
pub use json::json;
pub use junit::junit;
pub use markdown::markdown;

use crate::compare::{Comparison, Expectation, Met};

/// All that there is to say.
#[derive(Clone, Debug)]
pub struct Compared {
    /// `replay`, `diff`, or the name of a case.
    pub title: String,
    /// What the two sides are called: `recorded` and `now`, or the names of two captures.
    pub sides: (String, String),
    pub comparison: Comparison,
    pub expectations: Vec<(Expectation, Met)>,
    /// Why there is nothing to compare.
    pub aside: Option<Aside>,
}

/// Why a case was not replayed, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It was not meant to be.
    Skipped(String),
    /// It could not be.
    Failed(String),
}

impl Compared {
    /// Every expectation is met.
    pub fn is_as_expected(&self) -> bool {
        self.expectations.iter().all(|(_, met)| met.is_met())
    }
}
