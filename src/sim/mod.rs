//! The simulation: a reference enrollment server, simulated devices, their authority, and how they misbehave. The
//! goldens that the rules are tested with are made here, and so is what `server`, `enroll` and `demo` run.

mod address;
mod answers;
mod browser;
mod ca;
pub mod classics;
mod client;
mod course;
mod csr;
mod device;
mod enroll;
mod entra;
pub mod golden;
mod judge;
mod key;
mod listen;
mod misbehave;
mod pages;
mod policies;
mod server;
mod shape;
mod signing;
mod stand_ins;
mod text;

pub use address::Address;
pub use ca::{Authority, CaError, Flaw, Issued, pem};
pub(crate) use client::{Answered, Client, said};
pub use client::{ClientError, Trust};
pub(crate) use course::{Course, Planned};
pub use csr::RequestFlaw;
pub(crate) use csr::like as csr_like;
pub use device::{Device, Gained, Profile, Proof};
pub use enroll::{Enrollment, Options, Outcome, Pace, StepReport, enroll};
pub use entra::entra_token;
pub use judge::{GivesUp, Provision};
pub use key::{Key, KeyError, KeyKind};
pub use listen::{Answering, Answers, ListenError, Live, serve};
pub use misbehave::MisbehaveError;
pub(crate) use misbehave::edit_request;
pub(crate) use pages::sign_in_page;
pub use server::{Accounts, Server, Settings};
pub use shape::Shape;
pub use signing::{Holder, RenewalFlaw};
pub(crate) use signing::{sign_data, sign_message};
pub(crate) use stand_ins::{fault_answer, probe_answer, sync_answer};
