//! When a capture goes on in a new file, and how much of the old ones is kept.

use std::time::Duration;

use clap::Args;

use super::values::{patience, size};

/// Finished files are packed: `NAME.0001.jsonl.gz`, `NAME.0002.jsonl.gz`, … The default of the type is none of it.
#[derive(Clone, Debug, Default, Args)]
pub struct RotationArgs {
    /// Go on in a new file after so many bytes; finished ones are numbered and packed
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    pub rotate_size: Option<usize>,
    /// Go on in a new file after so long
    #[arg(long, value_name = "DUR", value_parser = patience)]
    pub rotate_every: Option<Duration>,
    /// Keep so many finished files, and remove older ones (by default all are kept)
    #[arg(long, value_name = "N")]
    pub keep_files: Option<usize>,
    /// Keep finished files of so many bytes in all, and remove older ones (by default all are kept)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub keep_bytes: Option<usize>,
}
