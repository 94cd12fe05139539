//! Recordings come alive: the devices of a capture enroll again at another server, and its server answers devices that
//! are there now.

mod answer;
mod minimise;
mod plan;
mod recast;
mod run;
mod serve;
mod splices;

pub use minimise::{minimised, renumbered};
pub use plan::{Identity, Plan};
pub use run::{Job, Login, Means, Pace, Replayed, keys, run};
pub use serve::{OnMiss, Recorded, ServeError, Serving};
