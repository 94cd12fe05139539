//! A server team's regression suite of recorded enrollments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::replay::{ComparisonFormat, LoginArgs, TargetArgs};
use crate::compare::{Expectation, Pattern};

#[derive(Debug, Subcommand)]
pub enum SuiteCommand {
    /// Put a part of a capture into the suite, with what a replay of it must show
    Add(SuiteAddArgs),
    /// Replay every case against a server
    Run(Box<SuiteRunArgs>),
    /// Drop from a case what its failure does not need, as far as the rules can tell
    Minimise(SuiteMinimiseArgs),
}

#[derive(Debug, Args)]
pub struct SuiteAddArgs {
    /// The captures, with their segments, packed or not; they are only read
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// The suite's directory; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = "suite")]
    pub dir: PathBuf,
    /// The case's name (default: the ticket, else the capture's name)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Only these enrollments, by the ids that `check` gives (e3)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub enrollment: Vec<String>,
    /// Only the enrollments of these devices, by their name or DeviceID
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub device: Vec<String>,
    /// What a replay must show: fixed:RULE, or outcome:enrolled (failed, stalled, in-progress)
    #[arg(long, value_name = "EXPECTATION", required = true)]
    pub expect: Vec<Expectation>,
    /// Where the failure was reported
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
    /// From this day on it is not replayed any more (2027-03-31): the customer's data is to go
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub expires: Option<jiff::civil::Date>,
}

#[derive(Debug, Args)]
pub struct SuiteRunArgs {
    /// The suite's directory
    #[arg(value_name = "DIR", default_value = "suite")]
    pub dir: PathBuf,
    /// Only these cases
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub logins: LoginArgs,
    /// Run before each case; ENROLLSCOPE_CASE, ENROLLSCOPE_TICKET, ENROLLSCOPE_USERS and ENROLLSCOPE_TO tell which
    #[arg(long, value_name = "COMMAND")]
    pub before: Option<String>,
    /// Run after each case, however it ended
    #[arg(long, value_name = "COMMAND")]
    pub after: Option<String>,
    /// Differences at this place do not count: header:NAME, or the end of a path (NextUpdateHours)
    #[arg(long, value_name = "PLACE")]
    pub ignore: Vec<Pattern>,
    /// Write the results to this file, too, as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: ComparisonFormat,
}

#[derive(Debug, Args)]
pub struct SuiteMinimiseArgs {
    /// A case: its directory
    #[arg(value_name = "CASE")]
    pub case: PathBuf,
}

fn day(text: &str) -> Result<jiff::civil::Date, String> {
    text.parse().map_err(|_| "a day like 2027-03-31".to_owned())
}
