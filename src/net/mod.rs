//! Bytes on sockets: TLS with its facts, certificates, and HTTP/1 heads exactly as they crossed the wire.

mod admin;
mod ca;
mod clock;
mod framer;
mod front;
mod head;
mod hello;
mod leg;
mod origin;
mod pem;
mod replay;
mod tls;
mod trust;
mod wire;

pub use admin::{Pages as AdminPages, Token as AdminToken, watch_port};
pub use ca::{CaError, LocalCa, write_secret};
pub use clock::now;
pub use framer::{BadChunks, Ended, Framer};
pub use front::{Fronts, Preface, read_preface};
pub use head::{Edit, Extent, Head, Refusal, Start};
pub use hello::{Greeting, read_greeting};
pub use leg::{Arrived, Departing, Fate, Leg};
pub use origin::{Origin, OriginError};
pub use pem::{Identity, PemError, load_certificates, load_identity, to_pem};
pub use replay::{Replayed, Written};
pub use tls::{Served, alert_name, chain, facts, refusal_reason};
pub use trust::{Trust, TrustError, Verdict, explain};
pub use wire::{Patience, Role, Wire};
