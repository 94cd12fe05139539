//! From findings, faults, status and silence to one sentence with an owner and the code that the user sees.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod hresult;
mod verdict;

pub use hresult::hresult;
pub use verdict::judge;
