//! A preflight: the way of a device to its server, step by step and without one, as far as it leads. What servers
//! answer is judged by the engine; here is only what comes before there is an answer (names, connections, TLS).

mod chain;
mod names;
mod order;
mod private;
mod reachable;
mod run;
mod services;
mod target;
mod tls;
mod user;
mod visit;

pub use names::NamesError;
pub use run::{Login, Means, Progress, examine};
pub use target::{Target, TargetError};
