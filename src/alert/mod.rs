//! What people are told who are not looking: when, how often at most, and in which shape. Observations and the state of
//! recording go in, alerts come out; sending them is `commands/alerts.rs`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod card;
mod failures;
mod limit;
mod overdue;
mod recording;
mod shape;
#[cfg(test)]
mod tests;
mod told;
mod watch;

pub use failures::FailureRate;
pub use limit::{HOUR, MOST_AN_HOUR, SAME_AGAIN};
pub use shape::Shape;
pub use told::{About, Alert, Kind, State};
pub use watch::{Lasting, Settings, Watch};
