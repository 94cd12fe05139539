//! How recording goes, for those who show it: the screen, metrics, the summary at exit.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::journal::JournalCounts;

/// Kept by the writer, read by anyone at any time.
#[derive(Debug, Default)]
pub struct Status {
    journal: Arc<JournalCounts>,
    path: Option<PathBuf>,
    pub(super) recorded: AtomicU64,
    pub(super) deferred: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) size: AtomicU64,
    pub(super) doubtful: AtomicBool,
    failures: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// One reading of it.
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

impl Status {
    pub(super) fn new(journal: Arc<JournalCounts>, path: Option<&Path>) -> Self {
        Self { journal, path: path.map(Path::to_owned), ..Self::default() }
    }

    pub fn read(&self) -> Recording {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (waiting, lost) = (get(&self.waiting), get(&self.journal.lost));
        let health = match &self.path {
            None => Health::Off,
            Some(_) if waiting > 0 => Health::Waiting,
            Some(_) if self.doubtful.load(Ordering::Relaxed) => Health::Doubtful,
            Some(_) if lost > 0 => Health::Lossy,
            Some(_) => Health::Good,
        };
        Recording {
            path: self.path.clone(),
            health,
            recorded: get(&self.recorded),
            lost,
            late: get(&self.journal.late),
            deferred: get(&self.deferred),
            waiting,
            queued: get(&self.journal.queued),
            size: get(&self.size),
            failures: get(&self.failures),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(super) fn journal(&self) -> &JournalCounts {
        &self.journal
    }

    pub(super) fn failed(&self, error: &std::io::Error) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }
}
