//! `conform`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::patience;
use crate::net::{HostPattern, Origin};

#[derive(Debug, Args)]
pub struct ConformArgs {
    /// The origin, or the discovery service's URL
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// Who enrolls; %n in it becomes the device's number, for servers that bound the devices of a user
    #[arg(long, value_name = "USER", default_value = "conform-%n@contoso.example")]
    pub user: String,
    /// The environment variable that holds the password; without it, only a server on this machine is tried with one
    #[arg(long, value_name = "VARIABLE", default_value = "ENROLLSCOPE_PASSWORD")]
    pub password_env: String,
    /// With tokens as Entra ID issues them, made up here, too: for servers that take any
    #[arg(long)]
    pub entra: bool,
    /// For whom the made-up tokens are; by default --server's origin
    #[arg(long, value_name = "URL", requires = "entra")]
    pub audience: Option<Origin>,
    /// With this Entra ID token, too: a JWT in a file
    #[arg(long, value_name = "FILE", conflicts_with = "entra")]
    pub token_file: Option<PathBuf>,
    /// With this certificate and its key, too: PEM
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Let devices go to this host, too; *.NAME is every name below. By default they stay with the server's own host and
    /// this machine
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<HostPattern>,
    /// Only cells with this in their id (`healthy`, `password/`, `windows-10`); may be given several times
    #[arg(long, value_name = "PART")]
    pub only: Vec<String>,
    /// Decides the devices' ids: the same seed, the same devices
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What an earlier run wrote with --format json: only what is new since then counts
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Trust these authorities only (PEM)
    #[arg(long, value_name = "PEM")]
    pub ca: Option<PathBuf>,
    /// Connect here, whatever the names resolve to
    #[arg(long, value_name = "ADDR:PORT")]
    pub connect: Option<SocketAddr>,
    /// How long a device waits for an answer
    #[arg(long, value_name = "DUR", default_value = "30s", value_parser = patience)]
    pub timeout: Duration,
    /// Do not ask before a server that is not on this machine
    #[arg(long)]
    pub yes: bool,
    /// For people, for programs, for build servers, or for issue trackers
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: ConformFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConformFormat {
    Human,
    Json,
    Junit,
    Markdown,
}
