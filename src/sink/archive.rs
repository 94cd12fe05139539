//! Session archives of Fiddler: zip files, of which no more is unpacked than is used, and nothing is written.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::capture::Imported;
use crate::capture::saz::{self, Conversation, Part, Piece, Session};
use crate::event::Event;

/// So much of a file is unpacked, in bytes: a head, and what is kept of a body, with its chunks.
const MOST: u64 = (1 << 20) + (1 << 18);

/// The list of files may be so long, in bytes: 50,000 sessions, whose list takes a hundred MiB in memory.
const LONGEST_LIST: u64 = 16 << 20;

/// What is unpacked of an archive is at most so many times as long as it.
const LARGEST_RATIO: u64 = 200;

/// And may be so long in any case.
const UNPACKED_ANYHOW: u64 = 256 << 20;

/// Why an archive is not read.
#[derive(Debug, Error)]
pub enum ArchiveError {
    #[error("could not read the archive: {0}")]
    Io(#[from] io::Error),
    #[error("the zip file is broken: {0}")]
    Broken(String),
    #[error("the archive is protected by a password; open it in Fiddler, and save it without one")]
    Encrypted,
    #[error("a zip file, and neither a bundle nor an archive of Fiddler: there is no raw/N_c.txt in it")]
    NoSessions,
    #[error("the archive lists more files than are read; save fewer sessions into one (up to 50,000)")]
    TooMany,
    #[error(
        "the archive unpacks to more than {LARGEST_RATIO} times its size: it is made to fill memory or disk"
    )]
    Bomb,
}

/// Hands on each session's exchange, in the order of their numbers, and before it its connection if it is new.
///
/// # Errors
/// It is no such archive, or one that cannot be read; what was handed on until then is good.
pub fn archive(mut file: impl Read + Seek, mut each: impl FnMut(Event)) -> Result<Imported, ArchiveError> {
    let size = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let room = Rc::new(Cell::new(LONGEST_LIST));
    let metered = Metered { inner: BufReader::new(file), room: Rc::clone(&room) };
    let opened = ZipArchive::new(metered);
    if room.replace(u64::MAX) == 0 {
        return Err(ArchiveError::TooMany);
    }
    let archive = opened.map_err(broken)?;
    let mut conversation = Conversation::default();
    let sessions = listed(&archive, &mut conversation);
    if sessions.is_empty() {
        return Err(ArchiveError::NoSessions);
    }
    let left = size.saturating_mul(LARGEST_RATIO).max(UNPACKED_ANYHOW);
    let mut unpacking = Unpacking { archive, left };
    for files in sessions.values() {
        let piece = |part| files.iter().find(|(known, _)| *known == part).map(|(_, index)| *index);
        let (request, response) =
            (unpacking.piece(piece(Part::Request))?, unpacking.piece(piece(Part::Response))?);
        let facts = unpacking.piece(piece(Part::Facts))?;
        match (request, response) {
            (Ok(request), Ok(response)) => {
                let messages = piece(Part::Messages).is_some();
                let facts = facts.ok().flatten();
                conversation.session(Session { request, response, facts, messages }, &mut each);
            }
            _ => conversation.lose("sessions with a file that cannot be unpacked"),
        }
    }
    Ok(conversation.finish())
}

/// The files of each session.
type Sessions = BTreeMap<u64, Vec<(Part, usize)>>;

fn listed<R: Read + Seek>(archive: &ZipArchive<R>, conversation: &mut Conversation) -> Sessions {
    let mut sessions = Sessions::new();
    for (index, name) in archive.file_names_raw().enumerate() {
        let Some((number, part)) = saz::part(name) else { continue };
        let files = sessions.entry(number).or_default();
        if files.iter().any(|(known, _)| *known == part) && part != Part::Messages {
            conversation.lose("files of sessions that are there twice");
        } else {
            files.push((part, index));
        }
    }
    sessions
}

struct Unpacking<R> {
    archive: ZipArchive<R>,
    /// So many bytes may come yet.
    left: u64,
}

/// A file that cannot be unpacked.
struct Unreadable;

impl<R: Read + Seek> Unpacking<R> {
    fn piece(&mut self, index: Option<usize>) -> Result<Result<Option<Piece>, Unreadable>, ArchiveError> {
        let Some(index) = index else { return Ok(Ok(None)) };
        match self.archive.by_index_raw(index) {
            Ok(file) if file.encrypted() => return Err(ArchiveError::Encrypted),
            Ok(_) => {}
            Err(_) => return Ok(Err(Unreadable)),
        }
        let Ok(file) = self.archive.by_index(index) else { return Ok(Err(Unreadable)) };
        let mut bytes = Vec::new();
        // The sizes in the list are what somebody says.
        let read = file.take(MOST + 1).read_to_end(&mut bytes);
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(ArchiveError::Bomb)?;
        if read.is_err() {
            return Ok(Err(Unreadable));
        }
        let more = bytes.len() as u64 > MOST;
        bytes.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
        Ok(Ok(Some(Piece { bytes, more })))
    }
}

fn broken(error: ZipError) -> ArchiveError {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => ArchiveError::Io(error),
        ZipError::Io(_) => ArchiveError::Broken("it ends early".to_owned()),
        // Nobody knows the crate's word for it: the list of files, which is at the end.
        ZipError::InvalidArchive(what) if what.contains("EOCD") => {
            ArchiveError::Broken("its list of files is not there, as in one that was cut off".to_owned())
        }
        other => ArchiveError::Broken(other.to_string()),
    }
}

/// Reads on only while there is room.
struct Metered<R> {
    inner: R,
    room: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.room.get()).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 && !buffer.is_empty() {
            return Err(io::Error::other("the list of files is too long"));
        }
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        let read = self.inner.read(buffer)?;
        self.room.set(self.room.get().saturating_sub(read as u64));
        Ok(read)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
