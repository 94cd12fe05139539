//! The configuration file: the flags' own names, in TOML, and a table for each public host.

mod file;
mod hosts;

pub use file::{Config, ConfigError, schema};
pub use hosts::{Host, HostError, HostMode, InspectedHost};
