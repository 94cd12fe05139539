//! One file per subcommand: the wiring between the world and the pure modules.

mod admin;
mod certs;
mod check;
mod configure;
mod demo;
mod enroll;
mod fleet;
mod inputs;
mod kit;
mod live;
mod logging;
mod open;
mod output;
mod proxy;
mod reload;
mod repair;
mod rules;
mod server;
mod sites;
mod state;
mod transfer;

pub use certs::certs;
pub use check::check;
pub use configure::config_check;
pub use demo::demo;
pub use enroll::enroll;
pub use open::open;
pub use output::{Exit, Output};
pub use proxy::proxy;
pub use repair::repair;
pub use rules::{play, rules};
pub use server::server;
pub use transfer::{export, import};
