//! `doctor`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::patience;
use crate::net::HostPattern;

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A domain (contoso.com), a user of it (anna@contoso.com), or a server (https://mdm.contoso.com, or the whole URL of
    /// its discovery service)
    pub target: String,
    /// The user to go on with: sign-in and policy, too. The password comes from the environment
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// The environment variable that holds the password
    #[arg(long, value_name = "VARIABLE", default_value = "ENROLLSCOPE_PASSWORD", requires = "user")]
    pub password_env: String,
    /// What a sign-in page handed over, in a file, instead of a password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub token_file: Option<PathBuf>,
    /// Let the password or token go to this host, too; *.NAME is every name below. By default it goes to the target's own
    /// host, to names below the domain, and to this machine
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<HostPattern>,
    /// Really enroll a device; asks first
    #[arg(long, requires = "user")]
    pub enroll: bool,
    /// Do not ask
    #[arg(long, requires = "enroll")]
    pub yes: bool,
    /// The name server to ask, instead of this machine's (port 53 if none is given)
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = name_server)]
    pub dns: Option<SocketAddr>,
    /// The enrollment name has to be an alias of this one
    #[arg(long, value_name = "NAME")]
    pub expect_cname: Option<String>,
    /// Connect here, whatever the names resolve to
    #[arg(long, value_name = "ADDR:PORT")]
    pub connect: Option<SocketAddr>,
    /// Trust these authorities, too (PEM)
    #[arg(long, value_name = "PEM")]
    pub ca: Option<PathBuf>,
    /// Go to private addresses, too, where the server's answers lead there
    #[arg(long)]
    pub follow_private: bool,
    /// How long each name, connection and answer is waited for
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = patience)]
    pub timeout: Duration,
    /// Record what was said in a new capture; the probes in it are refused as they should be, which `check` tells, too
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// For people, for programs, or for build servers
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: StepsFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StepsFormat {
    Human,
    Json,
    Junit,
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let alone = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    text.parse().or_else(|_| alone()).map_err(|_| "an address, with or without a port, is wanted".to_owned())
}
