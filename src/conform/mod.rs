//! Is a server fit for the devices that there are? Every shape of device, with every way to sign in, behaves and
//! misbehaves once; what the server makes of it is judged by the engine.

mod cases;
mod evaluate;
mod run;

pub use run::{Means, Proofs, RunError, count, run};
