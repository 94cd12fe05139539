//! One file per subcommand: the wiring between the world and the pure modules.

mod certs;
mod check;
mod live;
mod logging;
mod output;
mod proxy;
mod repair;
mod rules;
mod state;

pub use certs::certs;
pub use check::check;
pub use output::{Exit, Output};
pub use proxy::proxy;
pub use repair::repair;
pub use rules::rules;
