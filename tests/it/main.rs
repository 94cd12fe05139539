//! One integration binary: linking once is faster, and helpers are plain modules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests"
)]

mod alerts;
mod architecture;
mod binary;
mod bundle;
mod catalogue;
mod causes;
mod certificates;
mod cli;
mod client_certificates;
mod conform;
mod correlation;
mod coverage;
mod differential;
mod doctor;
mod doctor_peers;
mod endings;
mod engine;
mod explain;
mod faults;
mod filter;
mod fronts;
mod hosts;
mod http2;
mod http2_peers;
mod identities;
mod kill;
mod messages;
mod metrics;
mod mutation;
mod plain_http;
mod processes;
mod proxy;
mod quirks;
mod redaction;
mod reload;
mod replay;
mod rewriting;
mod robustness;
mod scene;
mod schema;
mod screen;
mod secrets;
mod segments;
mod service;
mod serving;
mod sim;
mod suite;
mod transfer;
mod wire;
