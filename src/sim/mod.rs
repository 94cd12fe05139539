//! The simulation: a reference enrollment server, simulated devices, their authority, and how they misbehave. The
//! goldens that the rules are tested with are made here, and so is what `server`, `enroll` and `demo` run.

mod address;
mod answers;
mod ca;
pub mod classics;
mod csr;
mod device;
pub mod golden;
mod key;
pub mod misbehave;
mod server;
mod text;

pub use address::Address;
pub use ca::{Authority, CaError, Flaw, Issued, pem};
pub use device::{Device, Profile};
pub use key::{Key, KeyError};
pub use server::{Accounts, Server, Settings, step_name};
