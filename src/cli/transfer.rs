//! Captures in and out of other formats.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{Bodies, Redact};

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The recording: HAR 1.2, as browsers, Fiddler and mitmproxy write it, a flow file of mitmproxy (since 11.0), or an
    /// archive of Fiddler (SAZ, without a password); it is only read
    pub input: PathBuf,
    /// The new capture (default: NAME.jsonl beside it)
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What is taken out before it is written
    #[arg(long, value_name = "LEVEL", default_value = "secrets")]
    pub redact: Redact,
    /// Which bodies are kept
    #[arg(long, value_name = "WHICH", default_value = "enrollment")]
    pub record_bodies: Bodies,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The captures, with their segments, packed or not; directories of them, or - for standard input
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = "har")]
    pub format: ForeignFormat,
    /// The new file, which only its owner can read (default: standard output)
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ForeignFormat {
    /// HTTP Archive 1.2
    Har,
}
