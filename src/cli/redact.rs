//! Captures with less in them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct RedactArgs {
    /// The captures, with their segments, packed or not; directories of them, or - for standard input. They are only read
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// The new capture, which only its owner can read
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// What is taken out
    #[arg(long, value_name = "LEVEL", default_value = "identities")]
    pub level: RedactTo,
    /// Under a key that nobody keeps: what is hidden in it has nothing in common with any other capture
    #[arg(long)]
    pub new_key: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RedactTo {
    /// Passwords, tokens, keys and cookies
    Secrets,
    /// These, and who it is about: users, devices, hosts and addresses become pseudonyms
    Identities,
}
