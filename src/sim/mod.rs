//! The simulation: a reference enrollment server, simulated devices, their authority, and how they misbehave. The
//! goldens that the rules are tested with are made here, and so is what `server`, `enroll` and `demo` run.

mod address;
mod answers;
mod ca;
pub mod classics;
mod client;
mod csr;
mod device;
mod enroll;
pub mod golden;
mod judge;
mod key;
mod listen;
mod misbehave;
mod server;
mod text;

pub use address::Address;
pub use ca::{Authority, CaError, Flaw, Issued, pem};
pub use client::{ClientError, Trust};
pub use csr::RequestFlaw;
pub use device::{Device, Profile};
pub use enroll::{Enrollment, Options, Outcome, Pace, StepReport, enroll};
pub use judge::{GivesUp, Provision};
pub use key::{Key, KeyError};
pub use listen::{ListenError, Live, serve};
pub use misbehave::MisbehaveError;
pub use server::{Accounts, Server, Settings};
