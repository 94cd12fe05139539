//! The dashboard, pure: observations and keys in, cells and effects out. `terminal` owns the screen and the clock.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod exchanges;
mod folds;
mod keys;
mod layout;
mod line;
mod model;
mod mouse;
mod page;
mod rate;
mod refused;
mod rows;
mod screen;
mod search;
mod sheet;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod update;
mod view;
mod wish;
mod writing;

pub use exchanges::{Serial, weight};
pub use layout::Size;
pub use model::Model;
pub use status::Status;
pub use text::clean;
pub use theme::{Colours, Theme};
pub use update::{Effect, update};
pub use view::draw;
pub use wish::Wish;
