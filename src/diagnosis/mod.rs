//! From findings, faults, status and silence to one sentence with an owner and the code that the user sees; and what is
//! known of codes and errors.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod apart;
mod common;
mod expected;
mod explain;
mod hresult;
mod knowledge;
mod near;
mod on_device;
mod reasons;
mod refusal;
mod scene;
#[cfg(test)]
mod tests;
mod verdict;

pub use apart::Parts;
pub use common::{Common, common, common_of};
pub use expected::{Arrival, Expected, UNSEEN, arrivals, read_expected};
pub use explain::{Explanation, explain};
pub use hresult::hresult;
pub use knowledge::{Cause, Entry, Knowledge, Platform, Whereabouts};
pub use near::edits;
pub use on_device::{OnDevice, on_device};
pub use reasons::{Certainty, Reason, next_step, reasons, trouble};
pub use refusal::refusals;
pub use verdict::{judge, told};
