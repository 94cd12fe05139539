//! What is sent to a vendor.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::FilterArgs;
use super::redact::RedactTo;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BundleCommand {
    #[command(subcommand)]
    pub other: Option<BundleOther>,
    #[command(flatten)]
    pub make: BundleArgs,
}

#[derive(Debug, Args)]
pub struct BundleArgs {
    /// The captures, with their segments, packed or not; directories of them, or - for standard input. They are only read
    #[arg(value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// The new bundle, a zip file (default: bundle.zip)
    #[arg(long, short, value_name = "FILE", default_value = "bundle.zip")]
    pub output: PathBuf,
    /// Only these enrollments, by the ids that `check` gives (e3)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub enrollment: Vec<String>,
    /// Only the enrollments of these devices, by their name or DeviceID
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub device: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Only enrollments that began since: a time (2026-11-28T09:00Z), or so long before the capture's end (2h)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// What is taken out
    #[arg(long, value_name = "LEVEL", default_value = "identities")]
    pub level: RedactTo,
    /// A preflight's result, which is put in as it is (JSON)
    #[arg(long, value_name = "FILE")]
    pub doctor: Option<PathBuf>,
    /// Encrypt to this receiver: an age public key (age1…), or a file with one
    #[arg(long, value_name = "KEY")]
    pub to: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum BundleOther {
    /// Turn pseudonyms back, with what this machine remembers of its bundles: words, or a text on standard input
    Translate {
        /// Words or sentences with pseudonyms in them
        text: Vec<String>,
    },
    /// Decrypt a bundle that was encrypted to you
    Decrypt {
        bundle: PathBuf,
        /// The file with your age secret key (AGE-SECRET-KEY-1…)
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The decrypted bundle
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}
