//! One file per subcommand: the wiring between the world and the pure modules.

mod check;
mod open;
mod output;
mod repair;
mod rules;

pub use check::check;
pub use open::open;
pub use output::{Exit, Output};
pub use repair::repair;
pub use rules::rules;
