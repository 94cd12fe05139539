//! Captures for weeks: when a capture goes on in a new file, and what becomes of the old ones.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::file::{Origin, create};
use super::segments::{finished, packed};
use crate::event::Time;

/// When a capture goes on in a new file, and how much of the old ones is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of a file, more or less: records are not cut.
    pub size: Option<u64>,
    /// Milliseconds from a file's beginning.
    pub every: Option<i64>,
    /// Finished files that are kept; absent keeps all.
    pub keep: Option<usize>,
    /// Bytes of all finished files, packed, that are kept; absent keeps all.
    pub keep_bytes: Option<u64>,
}

/// After a failure, milliseconds.
const TRY_AGAIN: i64 = 60_000;

/// Where a capture stands between two files.
pub(super) struct Rotating {
    origin: Origin,
    rotation: Rotation,
    /// When the file was begun.
    started: Time,
    tried: Option<Time>,
    /// Its bytes that are no record.
    empty: u64,
    packing: Option<(PathBuf, JoinHandle<()>)>,
    /// There is more to pack than it knew of.
    more: bool,
}

impl Rotating {
    pub(super) fn new(origin: &Origin, started: Time) -> Self {
        let (origin, rotation) = (origin.clone(), Rotation::default());
        Self { origin, rotation, started, tried: None, empty: 0, packing: None, more: false }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Follows `rotation` from now on, and cleans up after earlier runs.
    pub(super) fn begin(&mut self, path: &Path, rotation: Rotation) {
        self.rotation = rotation;
        self.tidy(path);
    }

    /// A file has begun, with so many bytes that are no record.
    pub(super) fn begun(&mut self, empty: u64) {
        self.empty = empty;
    }

    /// Whether it is time for another file after `size` bytes; says so once, then not for a while.
    pub(super) fn is_due(&mut self, size: u64, now: Time) -> bool {
        let Rotation { size: most, every, .. } = self.rotation;
        let due = most.is_some_and(|most| size >= most)
            || every.is_some_and(|every| now.since(self.started) >= every);
        // A clock that was set back is no reason to wait.
        let tried = self.tried.is_some_and(|tried| (0..TRY_AGAIN).contains(&now.since(tried)));
        let due = due && size > self.empty && !tried;
        if due {
            self.tried = Some(now);
        }
        due
    }

    /// There is another file from now on; what is finished can be packed.
    pub(super) fn rotated(&mut self, path: &Path, now: Time) {
        (self.started, self.tried) = (now, None);
        self.tidy(path);
    }

    /// In the background: nobody who records waits for it.
    fn tidy(&mut self, path: &Path) {
        if self.packing.as_ref().is_some_and(|(_, packing)| !packing.is_finished()) {
            self.more = true;
            return;
        }
        self.more = false;
        let (path, rotation) = (path.to_owned(), self.rotation);
        let place = path.clone();
        let work = move || clean_up(&place, rotation);
        match std::thread::Builder::new().name("packer".to_owned()).spawn(work) {
            Ok(packing) => self.packing = Some((path, packing)),
            Err(error) => tracing::warn!(%error, "finished files of the capture are not packed"),
        }
    }
}

impl Drop for Rotating {
    /// Packing goes on to its end: half of it would have to be done again.
    fn drop(&mut self) {
        let Some((path, packing)) = self.packing.take() else { return };
        let _ = packing.join();
        if self.more {
            clean_up(&path, self.rotation);
        }
    }
}

fn clean_up(path: &Path, rotation: Rotation) {
    if let Err(error) = tidy(path, rotation) {
        tracing::warn!(%error, path = %path.display(), "packing finished files of the capture");
    }
}

/// Packs what is finished, and removes what is not to be kept; the file that is written to is not touched.
fn tidy(path: &Path, rotation: Rotation) -> io::Result<()> {
    for (_, file) in finished(path)? {
        if file.extension().is_none_or(|extension| extension != "gz") {
            pack(&file)?;
        }
    }
    let (mut count, mut bytes) = (0, 0);
    for (_, file) in finished(path)?.into_iter().rev() {
        count += 1;
        bytes += fs::metadata(&file)?.len();
        if rotation.keep.is_some_and(|keep| count > keep)
            || rotation.keep_bytes.is_some_and(|keep| bytes > keep)
        {
            tracing::info!(file = %file.display(), "removed, as configured");
            fs::remove_file(&file)?;
        }
    }
    Ok(())
}

/// Whenever the machine goes down, one of the two files is whole.
fn pack(file: &Path) -> io::Result<()> {
    let done = packed(file);
    if !done.exists() {
        let part = done.with_extension("part");
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let out = create(&part).map_err(|error| io::Error::other(error.to_string()))?;
        let mut packer = GzEncoder::new(BufWriter::new(out), Compression::default());
        io::copy(&mut BufReader::new(File::open(file)?), &mut packer)?;
        packer.finish()?.into_inner()?.sync_all()?;
        fs::rename(&part, &done)?;
    }
    fs::remove_file(file)
}
