//! The configuration file: the flags' own names, in TOML, a table for each public host, and filters under names.

mod file;
mod hosts;
mod line;

pub use file::{ConfigError, schema};
pub use hosts::{Host, HostError, HostMode, InspectedHost};
pub use line::{Configured, Line, Reading};
