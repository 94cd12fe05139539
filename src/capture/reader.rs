//! Reads a capture line by line: what does not parse is reported and stepped over, and never held in memory whole.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read as _};
use std::ops::Range;

use super::decode::{self, Seal};
use super::record::{Damage, Header, Place, Record};
use super::{LONGEST_LINE, VERSION, migrate, salvage};

/// Why a file is not read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the file is empty: nothing was recorded in it")]
    Empty,
    #[error("not a capture: its first line is no enrollscope header")]
    NotACapture,
    #[error(
        "a capture of version {version}, and this build reads up to version {VERSION}: use a newer enrollscope"
    )]
    Newer { version: u64 },
    #[error("reading")]
    Io(#[from] io::Error),
}

/// What the next stretch of a capture holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Record(Recorded),
    Damage(Damage),
}

/// A record, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub record: Record,
    pub place: Place,
    pub seal: Seal,
}

/// Reads a capture from its first line to its last.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    header_place: Option<Place>,
    buffer: Vec<u8>,
    ready: VecDeque<Item>,
    /// The packing is broken, or what follows is of a newer version: there is no more.
    broken: bool,
}

/// A header that does not parse is looked past this far for a record that proves the file to be a capture.
const LINES_WITHOUT_HEADER: usize = 16;

impl<R: BufRead> Reader<R> {
    /// Reads the header. A damaged one is damage like any other if sound records follow.
    ///
    /// # Errors
    /// The input is empty, something else than a capture, of a newer version, or cannot be read.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut buffer = Vec::new();
        let mut lines = Lines::new(input, 0);
        let first = lines.read(&mut buffer)?.ok_or(ReadError::Empty)?;
        // Editors put a byte order mark before the first line.
        let text = buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&buffer);
        let found = decode::header(text);
        let mark = buffer.len() - text.len();
        let header_place = found.as_ref().map(|(_, length)| Place {
            offset: mark as u64,
            length: *length as u64,
            segment: 0,
        });
        let read = found.as_ref().map_or(0, |(_, length)| mark + length);
        let header = found.map_or_else(Header::default, |(header, _)| header);
        let mut reader =
            Self { lines, header, header_place, buffer: Vec::new(), ready: VecDeque::new(), broken: false };
        match buffer.get(read..) {
            Some(rest) if first.fits => reader.damaged(read as u64, rest, "the header's line is damaged"),
            _ => reader.sift(&first, &[]),
        }
        if header_place.is_none() {
            reader.header.version = VERSION;
            reader.look_for_records()?;
        }
        if reader.header.version > VERSION {
            return Err(ReadError::Newer { version: reader.header.version });
        }
        Ok(reader)
    }

    /// Reads on in the middle of a capture whose header is known; `offset` is where `input` stands.
    pub fn resume(input: R, header: Header, offset: u64) -> Self {
        let lines = Lines::new(input, offset);
        Self { lines, header, header_place: None, buffer: Vec::new(), ready: VecDeque::new(), broken: false }
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the header is; absent when it is damaged.
    pub fn header_place(&self) -> Option<Place> {
        self.header_place
    }

    fn look_for_records(&mut self) -> Result<(), ReadError> {
        for _ in 0..LINES_WITHOUT_HEADER {
            let sound = |item: &Item| matches!(item, Item::Record(r) if r.seal == Seal::Intact);
            if self.ready.iter().any(sound) {
                return Ok(());
            }
            if !self.read_line()? {
                break;
            }
        }
        Err(ReadError::NotACapture)
    }

    /// Reads one line into `ready`; false at the end.
    fn read_line(&mut self) -> io::Result<bool> {
        if self.broken {
            return Ok(false);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let line = self.lines.read(&mut buffer);
        if let Err(error) = &line
            && is_broken_packing(error)
        {
            self.broken = true;
            let place = Place { offset: self.lines.offset, ..Place::default() };
            let what = "the packed file is damaged; what follows cannot be unpacked".to_owned();
            self.ready.push_back(Item::Damage(Damage { place, what }));
            return Ok(true);
        }
        if let Ok(Some(line)) = &line {
            self.sift(line, &buffer);
        }
        self.buffer = buffer;
        line.map(|line| line.is_some())
    }

    fn sift(&mut self, line: &Line, bytes: &[u8]) {
        if !line.fits {
            let what = format!("a line longer than {} MiB", LONGEST_LINE >> 20);
            self.ready.push_back(Item::Damage(Damage { place: line.place, what }));
            return;
        }
        if bytes.trim_ascii().is_empty() {
            return;
        }
        let seal = decode::seal(bytes);
        match decode::record(&migrate::line(self.header.version, bytes)) {
            Ok(record) => self.ready.push_back(Item::Record(Recorded { record, place: line.place, seal })),
            Err(_) if !line.whole => {
                self.damaged(line.place.offset, bytes, "an unfinished record at the end")
            }
            Err(what) => {
                // Nobody knows what the records of a newer version mean.
                self.broken = decode::header(bytes).is_some_and(|(header, _)| header.version > VERSION);
                self.damaged(line.place.offset, bytes, &what);
            }
        }
    }

    /// Puts the sound records of a damaged stretch into `ready`, and the damage between them.
    fn damaged(&mut self, offset: u64, bytes: &[u8], what: &str) {
        let mut read = 0;
        for found in salvage::records(bytes) {
            let line = bytes.get(found.clone()).unwrap_or_default();
            let Ok(record) = decode::record(&migrate::line(self.header.version, line)) else {
                continue;
            };
            self.damage(offset, read..found.start, bytes, what);
            let place = Place { offset: offset + found.start as u64, length: found.len() as u64, segment: 0 };
            self.ready.push_back(Item::Record(Recorded { record, place, seal: Seal::Intact }));
            read = found.end;
        }
        self.damage(offset, read..bytes.len(), bytes, what);
    }

    fn damage(&mut self, offset: u64, stretch: Range<usize>, bytes: &[u8], what: &str) {
        let place = Place { offset: offset + stretch.start as u64, length: stretch.len() as u64, segment: 0 };
        // Blanks and newlines hold nothing that could be lost.
        if !bytes.get(stretch).unwrap_or_default().trim_ascii().is_empty() {
            self.ready.push_back(Item::Damage(Damage { place, what: what.to_owned() }));
        }
    }
}

/// What unpackers say of input that is cut off or changed; files and pipes themselves do not say it.
fn is_broken_packing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    )
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            match self.read_line() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Cuts an input into lines and knows where each is.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    offset: u64,
}

/// A line that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub place: Place,
    /// It ends with a newline.
    pub whole: bool,
    /// It is short enough to be read; else the buffer is empty.
    pub fits: bool,
}

impl<R: BufRead> Lines<R> {
    /// `offset` is where `input` stands.
    pub fn new(input: R, offset: u64) -> Self {
        Self { input, offset }
    }

    /// Reads the next line into `buffer`, its newline included; none at the end.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Line>> {
        buffer.clear();
        // One long line must not hold its room for ever.
        buffer.shrink_to(1 << 20);
        let mut length = self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', buffer)? as u64;
        if length == 0 {
            return Ok(None);
        }
        let mut whole = buffer.ends_with(b"\n");
        let fits = whole || length < LONGEST_LINE;
        if !fits {
            // Stepped over in pieces: the line may be all that is left of a disk.
            while !whole {
                buffer.clear();
                let more = self.input.by_ref().take(1 << 16).read_until(b'\n', buffer)?;
                if more == 0 {
                    break;
                }
                length += more as u64;
                whole = buffer.ends_with(b"\n");
            }
            buffer.clear();
        }
        let place = Place { offset: self.offset, length, segment: 0 };
        self.offset += length;
        Ok(Some(Line { place, whole, fits }))
    }
}
