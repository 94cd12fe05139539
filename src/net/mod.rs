//! Bytes on sockets: TLS with its facts, certificates, HTTP/2 frames, and HTTP/1 heads exactly as they crossed the wire.

mod admin;
mod ca;
mod certificate_header;
mod client_auth;
mod clock;
mod files;
mod framer;
mod frames;
mod front;
mod h2_head;
mod head;
mod hello;
mod keeper;
mod leg;
mod name;
mod origin;
mod pem;
mod replay;
mod tls;
mod trust;
mod webhook;
mod wire;

pub use admin::{Pages as AdminPages, Token as AdminToken, watch_port};
pub use ca::{CaError, LocalCa, write_secret};
pub use certificate_header::CertificateHeader;
pub use clock::{now, stopped};
pub use files::{CertificateError, CertificateFiles, Contents, PASSWORD_VARIABLE};
pub use framer::{BadChunks, Ended, Framer};
pub use frames::{Frames, Streams};
pub use front::{Fronts, Preface, UNTRUSTED_PREFACE, read_preface};
pub use h2_head::fields;
pub use head::{Edit, Extent, Head, LONGEST_HEAD, Refusal, Start};
pub use hello::{Greeting, read_greeting};
pub use keeper::{Keeper, KeeperError, Planned};
pub use leg::{Arrived, Departing, Fate, Leg};
pub use name::{HostPattern, HostPatternError, plain};
pub use origin::{Origin, OriginError};
pub use pem::{Identity, PemError, load_certificates, load_identity, to_pem};
pub use replay::{Replayed, Written};
pub use tls::{
    ALPN, Certificate, HTTP2, Served, Sessions, alert, alert_name, chain, draw_ahead, facts, no_certificate,
    refusal_reason, with_http2,
};
pub use trust::{Trust, TrustError, Verdict, explain};
pub use webhook::{PostError, Webhook, WebhookError};
pub use wire::{Patience, Role, Wire};
