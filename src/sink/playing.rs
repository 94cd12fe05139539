//! Plays captures one after the other, and goes on with what is being recorded.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::file::CaptureError;
use super::progress::Progress;
use super::segments::{Input, Segments, finished, group, names_of, next_number, read, read_from};
use crate::capture::{Damage, Header, Place, Play, Played, Reader, Redaction};

/// Between two looks at a file that somebody writes to.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Looks for the next file.
const PATIENCE: u32 = 8;
/// Looks that are in vain because files move.
const MOST_MOVES: u32 = 1000;

/// The records of several captures as events, in their order.
pub struct Playing {
    play: Play<Input>,
    /// Files before the first that could be read.
    unread: VecDeque<Damage>,
    /// What comes next, and whether it is another capture.
    rest: VecDeque<(PathBuf, bool)>,
    /// The file that somebody writes to; those that come after it have its name.
    growing: Option<PathBuf>,
    /// What has been opened, by the names that it has or may have.
    files: Arc<Mutex<Vec<Vec<PathBuf>>>>,
    progress: Progress,
}

impl Playing {
    /// Each capture with its segments; the last file is followed if somebody writes to it.
    ///
    /// # Errors
    /// None of the files can be read.
    pub fn open(captures: &[Vec<PathBuf>]) -> Result<Self, CaptureError> {
        let last = captures.last().and_then(|files| files.last());
        Self::new(captures, last.filter(|last| is_written_to(last)).cloned())
    }

    fn new(captures: &[Vec<PathBuf>], growing: Option<PathBuf>) -> Result<Self, CaptureError> {
        let mut rest: VecDeque<_> = captures
            .iter()
            .flat_map(|files| files.iter().enumerate().map(|(at, file)| (file.clone(), at == 0)))
            .collect();
        let mut unread: VecDeque<(PathBuf, CaptureError)> = VecDeque::new();
        let progress = Progress::of(captures);
        while let Some((first, _)) = rest.pop_front() {
            match open(&first, growing.as_ref(), &progress) {
                Ok((reader, names)) => {
                    let unread = unread.iter().map(|(path, error)| damage(path, error)).collect();
                    let files = Arc::new(Mutex::new(vec![names]));
                    return Ok(Self { play: Play::new(reader), unread, rest, growing, files, progress });
                }
                Err(error) => unread.push_back((first, error)),
            }
        }
        Err(unread.pop_front().map_or(CaptureError::Nowhere, |(_, error)| error))
    }

    /// The same, up to where the captures end now.
    ///
    /// # Errors
    /// As of [`Playing::open`].
    pub fn ended(captures: &[Vec<PathBuf>]) -> Result<Self, CaptureError> {
        Self::new(captures, None)
    }

    pub fn header(&self) -> &Header {
        self.play.reader().header()
    }

    /// How what was played last was redacted.
    pub fn redaction(&self) -> &Redaction {
        self.play.redaction()
    }

    /// Where the places of what is played are.
    pub fn segments(&self) -> Segments {
        Segments::Played(Arc::clone(&self.files))
    }

    /// How far they are read.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn opened(&self, names: Vec<PathBuf>) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(names);
    }

    /// Somebody records to the last of the files.
    pub fn is_growing(&self) -> bool {
        self.growing.is_some()
    }

    /// Whoever wrote has gone on in another file, or has ended.
    fn next_of_growing(&mut self) -> Option<Reader<Input>> {
        let path = self.growing.clone()?;
        let (mut attempt, mut moves) = (1, 0);
        while attempt <= PATIENCE {
            let listed = finished(&path).ok()?;
            let mut files: Vec<_> = listed.iter().map(|(_, file)| file.clone()).collect();
            files.push(path.clone());
            let files = group(&files).pop()?;
            let headers: Vec<Option<Header>> =
                files.iter().map(|file| read(file).ok().map(|reader| reader.header().clone())).collect();
            // Files are renamed and packed meanwhile: what was listed under a name is not what was read under it.
            if moves < MOST_MOVES && finished(&path).ok()? != listed {
                moves += 1;
                continue;
            }
            attempt += 1;
            let own = headers.iter().position(|header| header.as_ref() == Some(self.header()));
            // Without its own file, which may be removed by now, as configured, it goes on with the first later one.
            let is_next = |header: &Header| own.is_some() || header.after > self.header().after;
            let from = own.map_or(0, |at| at + 1);
            let rest: Vec<_> = files.iter().zip(&headers).skip(from).collect();
            let at = rest.iter().position(|(_, header)| header.as_ref().is_some_and(is_next));
            let passed_over = rest.iter().take(at.unwrap_or(rest.len())).any(|(_, header)| header.is_none());
            // One that cannot be read now may be read soon.
            if attempt <= PATIENCE && passed_over {
                std::thread::sleep(LOOK_AGAIN);
                continue;
            }
            // The last one: nobody has gone on.
            let Some((next, Some(header))) = at.and_then(|at| rest.get(at)) else { break };
            match open(next, Some(&path), &self.progress) {
                // Another one may have taken its name.
                Ok((reader, names)) if reader.header() == header => {
                    self.opened(names);
                    return Some(reader);
                }
                Ok(_) => {}
                Err(_) => std::thread::sleep(LOOK_AGAIN),
            }
        }
        self.growing = None;
        None
    }
}

impl Iterator for Playing {
    type Item = io::Result<Played>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(damage) = self.unread.pop_front() {
                return Some(Ok(Played::Damage(damage)));
            }
            if let Some(played) = self.play.next() {
                return Some(played);
            }
            let Some((file, anew)) = self.rest.pop_front() else {
                let next = self.next_of_growing()?;
                self.play.go_on(next);
                continue;
            };
            let (reader, names) = match open(&file, self.growing.as_ref(), &self.progress) {
                Ok(opened) => opened,
                Err(error) => return Some(Ok(Played::Damage(damage(&file, &error)))),
            };
            self.opened(names);
            if anew {
                self.play.begin_anew(reader);
            } else {
                self.play.go_on(reader);
            }
        }
    }
}

fn damage(path: &Path, error: &CaptureError) -> Damage {
    Damage { place: Place::default(), what: format!("{}: {error}", path.display()) }
}

/// With it come the names that the file has or may have.
fn open(
    path: &Path,
    growing: Option<&PathBuf>,
    progress: &Progress,
) -> Result<(Reader<Input>, Vec<PathBuf>), CaptureError> {
    if growing.is_none_or(|growing| growing != path) {
        return Ok((read_from(path, |file| progress.counting(file))?, names_of(path, None)));
    }
    let (mut number, mut moves) = (next_number(path), 0);
    let file = loop {
        let file = File::open(path).map_err(|source| CaptureError::Open { path: path.to_owned(), source })?;
        // It is the one with this number only if it was not finished meanwhile.
        let now = next_number(path);
        if now == number || moves > MOST_MOVES {
            break file;
        }
        (number, moves) = (now, moves + 1);
    };
    let input: Input = Box::new(BufReader::with_capacity(1 << 16, progress.counting(Followed(file))));
    let reader = Reader::new(input).map_err(|source| CaptureError::Read { path: path.to_owned(), source })?;
    Ok((reader, names_of(path, Some(number))))
}

/// A file whose end is not its end as long as somebody writes to it.
struct Followed(File);

impl Read for Followed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Asked before the end is seen: what is written in between is read in the next turn.
            let written_to = is_held(&self.0);
            let count = self.0.read(buffer)?;
            if count > 0 || !written_to {
                return Ok(count);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

fn is_written_to(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| is_held(&file))
}

/// Somebody has locked it for writing, as those do who record (not on Windows, where nothing is followed).
fn is_held(file: &File) -> bool {
    let locked = file.try_lock_shared();
    if locked.is_ok() {
        let _ = file.unlock();
    }
    matches!(locked, Err(std::fs::TryLockError::WouldBlock))
}
