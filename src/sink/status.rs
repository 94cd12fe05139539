//! The recorder's state: kept by the writer, read by those who show it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::journal::JournalCounts;
use crate::capture::{Health, Recording};

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
