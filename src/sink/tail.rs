//! Finds out where an existing capture is to be continued.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};

use crate::capture::{Lines, ReadError, Reader, Record, Seal, decode, seal};
use crate::event::Time;

/// How a capture ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The largest `seq` in it, or in the segment before.
    pub(super) seq: u64,
    /// When it was begun.
    pub(super) started: Time,
    /// Where to write on.
    pub(super) end: u64,
    /// Bytes of an unfinished record after `end`.
    pub(super) cut: u64,
    /// The last record is whole, and only its newline is missing.
    pub(super) newline: bool,
}

/// Reads the file once, fast: records that we wrote are not parsed.
pub(super) fn scan(file: &mut File) -> Result<Tail, ReadError> {
    file.rewind()?;
    let header = Reader::new(BufReader::new(&mut *file))?.header().clone();
    file.rewind()?;
    let tail = lines(BufReader::with_capacity(1 << 18, file))?;
    Ok(Tail { seq: tail.seq.max(header.after), started: header.started, ..tail })
}

fn lines(input: impl BufRead) -> std::io::Result<Tail> {
    let mut lines = Lines::new(input, 0);
    let mut buffer = Vec::new();
    let mut tail = Tail::default();
    while let Some(line) = lines.read(&mut buffer)? {
        let end = line.place.offset + line.place.length;
        let seq = seq(&buffer);
        tail.seq = tail.seq.max(seq.unwrap_or(0));
        if line.whole {
            tail.end = end;
        } else if seq.is_some() || line.place.offset == 0 {
            tail.end = end;
            tail.newline = true;
        } else {
            tail.cut = line.place.length;
        }
    }
    Ok(tail)
}

/// The line's `seq`, 0 for a record that has none; nothing when it is no record.
fn seq(line: &[u8]) -> Option<u64> {
    if seal(line) == Seal::Intact {
        let digits = line.strip_prefix(b"{\"kind\":\"exchange\",\"seq\":").unwrap_or_default();
        let digits = digits.split(|b| !b.is_ascii_digit()).next().unwrap_or_default();
        return Some(std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(0));
    }
    match decode(line) {
        Ok(Record::Exchange(exchange)) => Some(exchange.seq),
        Ok(_) => Some(0),
        Err(_) => None,
    }
}
