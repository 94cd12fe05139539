//! How far captures are read, for those who wait.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of files, packed as they are; whoever reads them adds to it.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    read: Arc<AtomicU64>,
    all: u64,
}

impl Progress {
    /// Of these files, as long as they are now.
    pub(super) fn of(captures: &[Vec<PathBuf>]) -> Self {
        let sizes = captures.iter().flatten().filter_map(|file| std::fs::metadata(file).ok());
        Self { read: Arc::default(), all: sizes.map(|file| file.len()).sum() }
    }

    /// In percent; what is being recorded may grow, and is never more than all of it.
    pub fn percent(&self) -> u8 {
        let read = self.read.load(Ordering::Relaxed).min(self.all);
        let percent = u128::from(read) * 100 / u128::from(self.all.max(1));
        u8::try_from(percent).unwrap_or(100)
    }

    /// How many bytes there are to read, as far as is known.
    pub fn all(&self) -> u64 {
        self.all
    }

    /// The file, counted as it is read.
    pub(super) fn counting<R: Read>(&self, input: R) -> Counted<R> {
        Counted { input, read: Arc::clone(&self.read) }
    }
}

/// An input whose bytes are counted.
pub(super) struct Counted<R> {
    input: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
