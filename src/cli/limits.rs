//! What bounds the proxy: times, sizes and counts.

use std::time::Duration;

use clap::Args;

use super::values::{duration, patience, size};

/// How long and how much. Durations are written 250ms, 30s, 5m; sizes 64KiB, 1MiB.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitsArgs {
    /// Connections of devices at once; more are turned away
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// From a request's last byte to the head of the server's answer (attestation alone takes 100 s)
    #[arg(long, value_name = "DUR", default_value = "180s", value_parser = patience)]
    pub answer_timeout: Duration,
    /// To connect to the server
    #[arg(long, value_name = "DUR", default_value = "15s", value_parser = patience)]
    pub connect_timeout: Duration,
    /// For a TLS handshake, on either side
    #[arg(long, value_name = "DUR", default_value = "30s", value_parser = patience)]
    pub handshake_timeout: Duration,
    /// A device that sends nothing between requests, or within a body
    #[arg(long, value_name = "DUR", default_value = "120s", value_parser = patience)]
    pub idle_timeout: Duration,
    /// A head, from its first byte to its last
    #[arg(long, value_name = "DUR", default_value = "30s", value_parser = patience)]
    pub head_timeout: Duration,
    /// A reader that takes nothing
    #[arg(long, value_name = "DUR", default_value = "60s", value_parser = patience)]
    pub write_timeout: Duration,
    /// How long an answer's last bytes wait for their record
    #[arg(long, value_name = "DUR", default_value = "250ms", value_parser = duration)]
    pub hold_back: Duration,
    /// How much of a body is kept and judged; all of it passes
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = size)]
    pub max_body: usize,
    /// How much all bodies that are on their way may take in memory; what is beyond passes, and is not kept
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub body_memory: usize,
    /// Open exchanges get so long to end when enrollscope is stopped
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = duration)]
    pub stop_timeout: Duration,
}
