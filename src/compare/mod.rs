//! Two recordings side by side: which exchange answers to which, what differs in meaning, and whether it got better.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod expect;
mod lines;
mod names;
mod noise;
mod pairs;
mod story;
mod verdict;

pub use expect::{Expectation, Met, can_be_met, met};
pub use noise::{BUILT_IN, Noise, Pattern};
pub use pairs::{Comparison, Counts, Pair, Pairing, compare};
pub use story::{Stories, Story, Told, judged};
pub use verdict::{Compared, Difference, Found, Half, Verdict};
