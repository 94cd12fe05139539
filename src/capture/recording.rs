//! How recording goes, for those who show it: the screen, the summary at exit.

use std::path::PathBuf;

/// One reading of the recorder's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// Absent with `--no-capture`.
    pub path: Option<PathBuf>,
    pub health: Health,
    /// Exchanges in the file, of this session.
    pub recorded: u64,
    /// Exchanges that are in no record.
    pub lost: u64,
    /// Exchanges whose answer went out before their record was on file.
    pub late: u64,
    /// Exchanges that were judged late, since the engine had fallen behind.
    pub deferred: u64,
    /// Records that wait for room on the disk.
    pub waiting: u64,
    /// Bytes on their way to the file.
    pub queued: u64,
    /// Bytes in the file.
    pub size: u64,
    /// Writes and syncs that the disk refused.
    pub failures: u64,
    /// What it said last.
    pub last_error: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing is recorded: the user said so.
    #[default]
    Off,
    Good,
    /// The disk takes nothing at the moment; records wait.
    Waiting,
    /// Records are written, and the disk may not keep them: `last_error` says why.
    Doubtful,
    /// All is well now, and something was lost before.
    Lossy,
}

impl Health {
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Good => "good",
            Self::Waiting => "waiting for the disk",
            Self::Doubtful => "doubtful",
            Self::Lossy => "lossy",
        }
    }

    pub fn is_bad(self) -> bool {
        matches!(self, Self::Waiting | Self::Doubtful | Self::Lossy)
    }
}
