//! Recordings beside each other, and come alive.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::{duration, profile};
use crate::compare::{Expectation, Pattern};
use crate::net::{HostPattern, Origin};
use crate::rules::Profile;

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The captures, with their segments, packed or not; directories of them, or - for standard input. They are only read
    #[arg(required_unless_present = "explain_noise", value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    #[command(flatten)]
    pub target: TargetArgs,
    /// Only these enrollments, by the ids that `check` gives (e3)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub enrollment: Vec<String>,
    /// Only the enrollments of these devices, by their name or DeviceID
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub device: Vec<String>,
    #[command(flatten)]
    pub logins: LoginArgs,
    /// So many copies of each device, at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub copies: u16,
    /// These rules must be broken in the recording, and hold now
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub expect_fixed: Vec<String>,
    /// What must come of it: fixed:RULE, or outcome:enrolled (failed, stalled, in-progress) for every device
    #[arg(long, value_name = "EXPECTATION")]
    pub expect: Vec<Expectation>,
    #[command(flatten)]
    pub comparing: ComparingArgs,
    /// Record what is said now, as a new capture
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
}

/// Where a replay goes, and how.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The server's origin, or the whole URL of its discovery service
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// Connect there, whatever the URLs' hosts are
    #[arg(long, value_name = "ADDR:PORT")]
    pub connect: Option<SocketAddr>,
    /// Trust these authorities only (PEM)
    #[arg(long, value_name = "PEM")]
    pub ca: Option<PathBuf>,
    /// The server may send devices there, too (*.contoso.com is all below contoso.com)
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<HostPattern>,
    /// Do not ask before a server that is not on this machine
    #[arg(long)]
    pub yes: bool,
    /// Whose device the server sees
    #[arg(long, value_name = "WHOSE", default_value = "fresh")]
    pub identity: ReplayIdentity,
    /// When messages are sent: at-once, recorded, or so many times faster than recorded (10x)
    #[arg(long, value_name = "PACE", default_value = "at-once")]
    pub pace: ReplayPace,
    /// So many devices enroll at the same time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: u16,
    /// How long a device waits for an answer
    #[arg(long, value_name = "DUR", default_value = "180s", value_parser = duration)]
    pub timeout: Duration,
}

/// What replayed devices have to show.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Everybody enrolls as this user
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// The variable that holds everybody's password
    #[arg(long, value_name = "VARIABLE")]
    pub password_env: Option<String>,
    /// A command that prints the password; ENROLLSCOPE_USER has the user
    #[arg(long, value_name = "COMMAND", conflicts_with = "password_env")]
    pub password_command: Option<String>,
    /// Users and passwords: lines of RECORDED-USER PASSWORD, or RECORDED-USER USER PASSWORD
    #[arg(long, value_name = "FILE")]
    pub logins: Option<PathBuf>,
    /// The token that the sign-in page or Entra would give
    #[arg(long, value_name = "FILE", conflicts_with = "token_command")]
    pub token_file: Option<PathBuf>,
    /// A command that prints such a token; ENROLLSCOPE_USER has the user
    #[arg(long, value_name = "COMMAND")]
    pub token_command: Option<String>,
    /// A certificate to enroll with, or to renew, and its key (PEM)
    #[arg(long, value_name = "PEM")]
    pub certificate: Option<PathBuf>,
}

/// How two recordings are held against each other.
#[derive(Debug, Args)]
pub struct ComparingArgs {
    /// Differences at this place do not count: header:NAME, or the end of a path (NextUpdateHours)
    #[arg(long, value_name = "PLACE")]
    pub ignore: Vec<Pattern>,
    /// List what never counts, and why
    #[arg(long)]
    pub explain_noise: bool,
    /// Which exit 1 is for
    #[arg(long, value_name = "WHAT", default_value = "worse")]
    pub fail_on: FailOnDifference,
    #[arg(long, value_name = "PROFILE", default_value = "field", value_parser = profile)]
    pub profile: Profile,
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: ComparisonFormat,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A capture, or one enrollment of it: CAPTURE#e12
    #[arg(required_unless_present = "explain_noise", value_name = "A")]
    pub first: Option<PathBuf>,
    /// Another one
    #[arg(required_unless_present = "explain_noise", value_name = "B")]
    pub second: Option<PathBuf>,
    #[command(flatten)]
    pub comparing: ComparingArgs,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The captures, with their segments, packed or not; directories of them, or - for standard input. They are only read
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Where to listen (port 0: any free one)
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Serve everybody from this enrollment (e3); by default the same user's, else the first that enrolled
    #[arg(long, value_name = "ID")]
    pub enrollment: Option<String>,
    /// The recorded bytes, with nothing of this run in them: devices will notice
    #[arg(long)]
    pub as_recorded: bool,
    /// The origin that answers lead to; by default the one that a device asks
    #[arg(long, value_name = "URL")]
    pub public_url: Option<Origin>,
    /// Host names for the certificate, besides localhost
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// Write the throw-away authority, which devices have to trust, to this file (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// What to do where the recording has no answer
    #[arg(long, value_name = "WHAT", default_value = "fault")]
    pub on_miss: MissAction,
    /// The real server, for --on-miss upstream
    #[arg(long, value_name = "URL", required_if_eq("on_miss", "upstream"))]
    pub upstream: Option<Origin>,
    /// Trust these authorities only for the real server (PEM)
    #[arg(long, value_name = "PEM")]
    pub upstream_ca: Option<PathBuf>,
    /// Record what the real server says as a new capture
    #[arg(long, value_name = "FILE", required_if_eq("on_miss", "upstream"))]
    pub capture: Option<PathBuf>,
    /// Write each listening URL to this file, too
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MissAction {
    /// A SOAP fault that says so
    Fault,
    /// Ask a real server, and record what it says
    Upstream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayIdentity {
    /// A device of its own: other ids, another key
    Fresh,
    /// The recorded one, its bytes as they were where that can be
    Recorded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOnDifference {
    /// Something got worse, or is not as expected
    Worse,
    /// Something differs at all
    Difference,
    /// Nothing but what is expected and did not come
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ComparisonFormat {
    Human,
    Json,
    Junit,
    Markdown,
}

/// When a replay sends its messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReplayPace {
    AtOnce,
    /// As recorded, so many times faster.
    Times(f64),
}

impl FromStr for ReplayPace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let times = text.strip_suffix('x').and_then(|times| times.parse::<f64>().ok());
        match (text, times) {
            ("at-once", _) => Ok(Self::AtOnce),
            ("recorded", _) => Ok(Self::Times(1.0)),
            (_, Some(times)) if (0.001..=1e6).contains(&times) => Ok(Self::Times(times)),
            _ => Err("at-once, recorded, or a number with an x, for instance 10x or 0.5x"),
        }
    }
}
