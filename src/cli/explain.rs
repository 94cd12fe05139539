//! `explain`.

use std::path::PathBuf;

use clap::Args;

use super::args::Format;
use crate::diagnosis::{Platform, Whereabouts};

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Codes in any form, symbols, faults' subcodes, rule ids, words from the screen, or a text with such in it; without
    /// any, what comes on standard input (a log)
    #[arg(allow_negative_numbers = true)]
    pub text: Vec<String>,
    /// Only what is of this platform: windows, windows-8, windows-client, ios, macos, android
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    pub platform: Option<Platform>,
    /// Only what is met at this step: terms, discovery, sign-in, policy, certificate, configuration, first-sync, renewal,
    /// local (on the device alone), any
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    pub stage: Option<Whereabouts>,
    /// List what is known, one line each
    #[arg(long, conflicts_with = "text")]
    pub list: bool,
    /// A file with entries of your own, in the form of the built-in ones (TOML); they come first
    #[arg(long, value_name = "FILE")]
    pub knowledge: Option<PathBuf>,
    /// For people, or for programs
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

fn platform(word: &str) -> Result<Platform, String> {
    let words: Vec<_> = Platform::ALL.iter().map(|platform| platform.word()).collect();
    let found = Platform::ALL.iter().find(|platform| platform.word() == word);
    found.copied().ok_or_else(|| format!("one of {}", words.join(", ")))
}

fn stage(word: &str) -> Result<Whereabouts, String> {
    let words: Vec<_> = Whereabouts::ALL.iter().map(|stage| stage.word()).collect();
    let found = Whereabouts::ALL.iter().find(|stage| stage.word() == word);
    found.copied().ok_or_else(|| format!("one of {}", words.join(", ")))
}
