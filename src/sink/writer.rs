//! The writer thread: the one that records, and the only feeder of the engine.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::feed::{Clock, FEED_BUDGET, Feed, feed};
use super::file::CaptureFile;
use super::journal::{Entry, Journal};
use super::mask::Mask;
use super::recorder::Recorder;
use super::segments::Segments;
use super::status::Status;
use crate::capture::Recording;

/// A running writer. It ends by itself when the last [`Journal`] is gone.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<()>,
    status: Arc<Status>,
}

/// What a writer works with.
pub struct Setup {
    /// Absent with `--no-capture`: events then go to the engine only.
    pub file: Option<CaptureFile>,
    pub mask: Mask,
    pub clock: Clock,
    /// Bytes of events that may wait for the engine in memory; [`FEED_BUDGET`].
    pub feed_budget: u64,
}

impl Setup {
    pub fn new(file: Option<CaptureFile>, mask: Mask, clock: Clock) -> Self {
        Self { file, mask, clock, feed_budget: FEED_BUDGET }
    }
}

impl Writer {
    /// Starts the thread. `receiver` is the other end of `journal`, which is read for its counts only.
    ///
    /// # Errors
    /// The capture cannot be read back, or there is no room for another thread.
    pub fn start(setup: Setup, journal: &Journal, receiver: Receiver<Entry>) -> io::Result<(Self, Feed)> {
        let Setup { file, mask, clock, feed_budget } = setup;
        let path = file.as_ref().map(CaptureFile::path);
        let read_back = path.map(|path| Segments::Growing(path.to_owned()));
        let status = Arc::new(Status::new(Arc::clone(journal.counts()), path));
        let (feeder, feed) = feed(feed_budget, read_back, Arc::clone(&clock));
        let recorder = Recorder::new(file, mask, feeder, Arc::clone(&status), clock());
        let thread = thread::Builder::new().name("writer".to_owned());
        let thread = thread.spawn(move || run(recorder, &receiver, &clock))?;
        Ok((Self { thread, status }, feed))
    }

    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Waits until everything is on file, and tells how it went. Every [`Journal`] must be gone, or this waits forever.
    pub fn finish(self) -> Recording {
        if self.thread.join().is_err() {
            tracing::error!("the writer thread broke: what came after is in no record");
        }
        self.status.read()
    }
}

fn run(mut recorder: Recorder, receiver: &Receiver<Entry>, clock: &Clock) {
    loop {
        match receiver.recv_timeout(Duration::from_secs(1)) {
            Ok(entry) => recorder.accept(entry, clock()),
            Err(RecvTimeoutError::Timeout) => recorder.idle(clock()),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        recorder.turn(clock());
    }
    recorder.close(clock());
}
