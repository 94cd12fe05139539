//! How far a device came, how its enrollment ended, and which exchanges belong to it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod correlate;
mod ending;
mod row;
mod signs;
mod state;
#[cfg(test)]
mod tests;
mod ways;

pub use correlate::{Correlator, Link, Placement, Traits};
pub use ending::Ending;
pub use signs::{Noticed, Signs};
pub use state::{Cause, Deadlines, Enrollment, EnrollmentId, Flow, Outcome, Stage, StepState, stage_of};
