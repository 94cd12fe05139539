//! The capture file: begun or continued, one write per record, cut back to the last whole one when a write breaks.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::rotation::{Rotating, Rotation};
use super::segments::{self, FIRST};
use super::tail::{self, Tail};
use crate::capture::{Header, Place, ReadError, Redaction, Session, VERSION, encode};
use crate::event::Time;

/// Why nothing can be recorded, or read, there.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("opening the capture `{}`", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("creating the capture `{}`; choose another place", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("`{}` is neither a file nor a directory; give one of them", path.display())]
    Special { path: PathBuf },
    #[error("`{}` is a directory; name a capture in it", path.display())]
    Directory { path: PathBuf },
    #[error("`{}` is left as it is; choose another place with --capture", path.display())]
    Foreign { path: PathBuf, source: ReadError },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: ReadError },
    #[error("another process is recording to `{}`; stop it or choose another place", path.display())]
    Busy { path: PathBuf },
    #[error("writing to `{}`; free some space or choose another place", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("there is no directory to record to; choose one with --capture")]
    Nowhere,
}

/// What a run writes of itself at the beginning.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The tool's version.
    pub tool: String,
    pub redaction: Redaction,
}

/// What a capture file needs of the disk; tests have one that fills up.
pub trait Medium: Send {
    /// Writes some of `bytes` at `offset` and says how many.
    ///
    /// # Errors
    /// The disk took none of them.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts what is after `size`.
    ///
    /// # Errors
    /// It is still there.
    fn cut(&mut self, size: u64) -> io::Result<()>;

    /// How long it is.
    ///
    /// # Errors
    /// It cannot be told.
    fn size(&self) -> io::Result<u64>;

    /// Waits until all is on the disk.
    ///
    /// # Errors
    /// It may not be.
    fn sync(&mut self) -> io::Result<()>;
}

impl Medium for File {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.seek(SeekFrom::Start(offset))?;
        Write::write(self, bytes)
    }

    fn cut(&mut self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn size(&self) -> io::Result<u64> {
        self.metadata().map(|m| m.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()?;
        // Writes to a deleted file succeed, and nobody will ever read them.
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&self.metadata()?) == 0 {
            let what = "the file was deleted; restart to record to a new one";
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        Ok(())
    }
}

/// A capture that is being written.
pub struct CaptureFile {
    medium: Box<dyn Medium>,
    path: PathBuf,
    /// After the last whole record.
    end: u64,
    /// There are bytes after `end` that are no whole record.
    torn: bool,
    unsynced: bool,
    last_seq: u64,
    /// Present when an existing capture is continued.
    session: Option<Session>,
    segment: u32,
    rotating: Rotating,
}

fn names_directory(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|last| std::path::is_separator(char::from(*last)))
}

impl CaptureFile {
    /// Begins a capture: in a directory under a name made of the time, else under the given name. If that is a
    /// capture, its tail is repaired and it is continued; anything else is an error, and left as it is.
    ///
    /// # Errors
    /// Nothing can be recorded there.
    pub fn open(path: &Path, origin: &Origin, now: Time) -> Result<Self, CaptureError> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Self::begin_in(path, origin, now),
            Ok(found) if found.is_file() => Self::proceed(path, origin, now),
            Ok(_) => Err(CaptureError::Special { path: path.to_owned() }),
            // `captures/` names a directory, be it there or not.
            Err(e) if e.kind() == io::ErrorKind::NotFound && names_directory(path) => {
                Self::open_first(&[path.to_owned()], origin, now)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Self::begin(path, origin, now),
            Err(source) => Err(CaptureError::Open { path: path.to_owned(), source }),
        }
    }

    /// Begins a capture in the first of these directories that lets us, and makes it if need be.
    ///
    /// # Errors
    /// None does.
    pub fn open_first(places: &[PathBuf], origin: &Origin, now: Time) -> Result<Self, CaptureError> {
        let mut refused = CaptureError::Nowhere;
        for path in places {
            let begun = match fs::create_dir_all(path) {
                Ok(()) => Self::begin_in(path, origin, now),
                Err(source) => Err(CaptureError::Create { path: path.clone(), source }),
            };
            match begun {
                Err(CaptureError::Create { path, source }) => {
                    refused = CaptureError::Create { path, source };
                }
                begun => return begun,
            }
        }
        Err(refused)
    }

    /// A capture on another medium, which is empty.
    ///
    /// # Errors
    /// The header cannot be written.
    pub fn on(
        medium: Box<dyn Medium>,
        path: &Path,
        origin: &Origin,
        now: Time,
    ) -> Result<Self, CaptureError> {
        Self::continuing(0, medium, path, origin, now)
    }

    /// Writes the header of a file whose first exchange comes after `last_seq`.
    fn continuing(
        last_seq: u64,
        medium: Box<dyn Medium>,
        path: &Path,
        origin: &Origin,
        now: Time,
    ) -> Result<Self, CaptureError> {
        let mut file = Self {
            medium,
            path: path.to_owned(),
            end: 0,
            torn: false,
            unsynced: false,
            last_seq,
            session: None,
            segment: FIRST,
            rotating: Rotating::new(origin, now),
        };
        let mut line = Vec::new();
        let Origin { tool, redaction } = origin.clone();
        let header = Header { version: VERSION, tool, started: now, redaction, after: last_seq };
        encode::header(&mut line, &header);
        match file.append(&line) {
            Ok(_) => {
                file.rotating.begun(file.end);
                Ok(file)
            }
            Err(source) => Err(CaptureError::Write { path: file.path, source }),
        }
    }

    fn begin_in(directory: &Path, origin: &Origin, now: Time) -> Result<Self, CaptureError> {
        let stem = now.to_string().split('.').next().unwrap_or_default().replace(':', "-") + "Z";
        let mut name = format!("{stem}.jsonl");
        for copy in 2.. {
            match Self::begin(&directory.join(&name), origin, now) {
                Err(CaptureError::Create { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                    name = format!("{stem}-{copy}.jsonl");
                }
                begun => return begun,
            }
        }
        Err(CaptureError::Nowhere)
    }

    fn begin(path: &Path, origin: &Origin, now: Time) -> Result<Self, CaptureError> {
        Self::begin_after(0, path, origin, now)
    }

    fn begin_after(last_seq: u64, path: &Path, origin: &Origin, now: Time) -> Result<Self, CaptureError> {
        let file = create(path)?;
        lock(&file, path)?;
        Self::continuing(last_seq, Box::new(file), path, origin, now).inspect_err(|_| {
            // An empty file would be in the way of the next try.
            let _ = fs::remove_file(path);
        })
    }

    fn proceed(path: &Path, origin: &Origin, now: Time) -> Result<Self, CaptureError> {
        let foreign = |source| CaptureError::Foreign { path: path.to_owned(), source };
        let write = |source| CaptureError::Write { path: path.to_owned(), source };
        let opened = private(&mut OpenOptions::new()).open(path);
        let mut file = opened.map_err(|source| CaptureError::Open { path: path.to_owned(), source })?;
        lock(&file, path)?;
        let Tail { seq, started, end, cut, newline } = tail::scan(&mut file).map_err(foreign)?;
        Medium::cut(&mut file, end).map_err(write)?;
        let Origin { tool, redaction } = origin.clone();
        let session = Session { at: now, tool, redaction, cut, same: false };
        let mut line = if newline { b"\n".to_vec() } else { Vec::new() };
        encode::session(&mut line, &session);
        let mut file = Self {
            medium: Box::new(file),
            path: path.to_owned(),
            end,
            torn: false,
            unsynced: false,
            last_seq: seq,
            session: Some(session),
            segment: FIRST,
            rotating: Rotating::new(origin, started),
        };
        file.append(&line).map_err(write)?;
        Ok(file)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes up to the end of the last whole record.
    pub fn size(&self) -> u64 {
        self.end
    }

    /// The last exchange's `seq` when it was opened; 0 for a new one.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// What was written at its opening, if an existing capture is continued.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Writes a record (or the header), in one piece.
    ///
    /// # Errors
    /// It is not in the file, and what had got into it is cut off again, or will be kept apart by a newline.
    pub fn append(&mut self, line: &[u8]) -> io::Result<Place> {
        if self.torn {
            self.torn = self.medium.cut(self.end).is_err();
        }
        let length = line.len() as u64;
        if !self.torn {
            let offset = self.end;
            self.write(offset, line)?;
            return Ok(Place { segment: self.segment, offset, length });
        }
        let torn_end = self.medium.size()?;
        self.write(torn_end, &[b"\n", line].concat())?;
        self.torn = false;
        Ok(Place { segment: self.segment, offset: torn_end + 1, length })
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.unsynced = true;
        let written = loop {
            match self.medium.write(offset, bytes) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let error = match written {
            Ok(n) if n == bytes.len() => {
                self.end = offset + bytes.len() as u64;
                return Ok(());
            }
            Ok(n) => {
                let short = format!("the disk took {n} of {} bytes", bytes.len());
                io::Error::new(io::ErrorKind::StorageFull, short)
            }
            Err(error) => error,
        };
        self.torn = self.medium.cut(self.end).is_err();
        Err(error)
    }

    /// Goes on in new files from time to time, as `rotation` says, and cleans up after earlier runs that did.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn rotating(mut self, rotation: Rotation) -> io::Result<Self> {
        let last = segments::finished(&self.path)?.last().map_or(0, |(number, _)| *number);
        self.segment = last.saturating_add(FIRST);
        self.rotating.begin(&self.path, rotation);
        Ok(self)
    }

    /// Goes on in a new file if it is time to. `seq` is that of the last exchange.
    ///
    /// # Errors
    /// It goes on in this one, and is tried again later.
    pub fn rotate_if_due(&mut self, seq: u64, now: Time) -> io::Result<()> {
        if self.torn || !self.rotating.is_due(self.end, now) {
            return Ok(());
        }
        self.sync()?;
        let mut finished = segments::numbered(&self.path, self.segment);
        // Never over another file.
        while finished.exists() || segments::packed(&finished).exists() {
            self.segment = self.segment.saturating_add(1);
            finished = segments::numbered(&self.path, self.segment);
        }
        fs::rename(&self.path, &finished)?;
        match Self::begin_after(seq, &self.path, self.rotating.origin(), now) {
            Ok(next) => {
                (self.medium, self.end, self.unsynced) = (next.medium, next.end, next.unsynced);
                self.segment = self.segment.saturating_add(1);
                self.rotating.begun(self.end);
                self.rotating.rotated(&self.path, now);
                Ok(())
            }
            Err(error) => {
                fs::rename(&finished, &self.path)?;
                Err(io::Error::other(error.to_string()))
            }
        }
    }

    /// Has the disk keep what was written; does nothing when nothing was.
    ///
    /// # Errors
    /// It may not have; to be tried again.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.medium.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }
}

/// Makes a new file that only its owner can read.
pub(super) fn create(path: &Path) -> Result<File, CaptureError> {
    let created = private(OpenOptions::new().create_new(true)).open(path);
    created.map_err(|source| CaptureError::Create { path: path.to_owned(), source })
}

/// Where captures go unless the user says: `captures/`, then the platform's place for a program's state. `variable`
/// gives the environment.
pub fn default_places(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let directory = |name| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let state = if cfg!(windows) {
        directory("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        directory("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        directory("XDG_STATE_HOME").or_else(|| directory("HOME").map(|home| home.join(".local/state")))
    };
    let captures = PathBuf::from("captures");
    let state = state.map(|state| state.join("enrollscope").join(&captures));
    std::iter::once(captures).chain(state).collect()
}

/// For the owner alone, since captures hold people's data; on Windows the directory's permissions are inherited.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    // FILE_SHARE_READ and _DELETE: others may look, and not write; and it can be given another name.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(options, 5);
    options
}

/// Two writers would overwrite each other's records. Where there are no locks (some network disks), there are none;
/// on Windows the share mode does it, and a lock would keep readers out.
fn lock(file: &File, path: &Path) -> Result<(), CaptureError> {
    if cfg!(unix) && matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
        return Err(CaptureError::Busy { path: path.to_owned() });
    }
    Ok(())
}
