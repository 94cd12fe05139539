//! What was judged, for people and for programs.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod catalogue;
pub mod comparison;
pub mod conformity;
pub mod explained;
mod human;
mod json;
mod judged;
mod junit;
mod lines;
mod page;
mod paint;
pub mod preflight;
mod status;
pub mod story;
mod suite;

pub use human::{clean, human};
pub use json::json;
pub use judged::{Input, Judged, Refused, Seen};
pub use lines::{line, line_json};
pub use status::{About, Overview};
pub use suite::junit;
