//! Owns the screen: reads keys, takes in observations, draws at most thirty times a second, and leaves the terminal as
//! it was, whatever happens.

mod session;
mod waiting;
mod wish;

pub use session::{Ended, Options, Update, available, follow, play, run, stop_on_signals, theme};
pub use wish::{Cancelled, Grant, Granted};
