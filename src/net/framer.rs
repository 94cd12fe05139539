//! Finds where an HTTP/1 message ends, over slices of whatever size the socket gives; never copies a body.

use thiserror::Error;

use super::head::Extent;
use crate::event::Header;

/// More than any trailer section that means well.
const LONGEST_TRAILERS: usize = 16 << 10;
/// The size line of one chunk, its extensions included.
const LONGEST_SIZE_LINE: usize = 4 << 10;

/// How far a message's body has been read or written.
#[derive(Clone, Debug)]
pub enum Framer {
    Length(u64),
    Chunked(Chunks),
    Close,
    Done,
}

/// The state within a chunked body.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    place: Place,
    /// Chunks that carried data.
    count: u64,
    extensions: bool,
    size_line: usize,
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Size {
        value: u64,
        digits: u8,
    },
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data(u64),
    DataCr,
    DataLf,
    /// In the trailer section; its bytes are kept until it ends with an empty line.
    Trailers,
}

impl Default for Place {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

/// What is known about a chunked body once it has ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    pub chunks: u64,
    pub extensions: bool,
    pub trailers: Vec<Header>,
    /// The trailer fields as they came, each with its line end; without the empty line.
    pub raw_trailers: Vec<u8>,
}

impl Ended {
    /// Takes these trailer fields out, also as they are spelled; yields their names.
    pub fn remove(&mut self, is_unwanted: impl Fn(&str) -> bool) -> Vec<String> {
        let (unwanted, kept): (Vec<_>, _) =
            std::mem::take(&mut self.trailers).into_iter().partition(|h| is_unwanted(&h.name));
        self.trailers = kept;
        let mut within = false;
        let mut raw = Vec::new();
        for line in self.raw_trailers.split_inclusive(|b| *b == b'\n') {
            // A line that begins with a blank may go on with the one before, or be a field by itself.
            let goes_on = within && line.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
            within = goes_on || field(line).is_some_and(|field| is_unwanted(&field.name));
            if !within {
                raw.extend_from_slice(line);
            }
        }
        self.raw_trailers = raw;
        unwanted.into_iter().map(|header| header.name).collect()
    }
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadChunks {
    #[error("a chunk size that is not hexadecimal")]
    Size,
    #[error("a chunk size beyond 2^60")]
    Huge,
    #[error("a chunk size line longer than {LONGEST_SIZE_LINE} bytes")]
    LongSizeLine,
    #[error("a line end in the chunked coding that is not CR LF")]
    LineEnd,
    #[error("trailers longer than {LONGEST_TRAILERS} bytes")]
    LongTrailers,
}

impl Framer {
    pub fn new(extent: Extent) -> Self {
        match extent {
            Extent::None | Extent::Length(0) => Self::Done,
            Extent::Length(length) | Extent::Frames(Some(length)) => Self::Length(length),
            Extent::Chunked | Extent::Frames(None) => Self::Chunked(Chunks::default()),
            Extent::Close => Self::Close,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// How many bytes may be read without running into the next message; the chunked coding cannot tell.
    pub fn limit(&self) -> usize {
        match self {
            Self::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            Self::Chunked(_) | Self::Close => usize::MAX,
            Self::Done => 0,
        }
    }

    /// Moves over `bytes`; yields how many of them belong to this message.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<usize, BadChunks> {
        self.walk(bytes, false)
    }

    /// Like [`Framer::advance`], but stops where the trailer section of a chunked body begins.
    pub fn advance_to_trailers(&mut self, bytes: &[u8]) -> Result<usize, BadChunks> {
        self.walk(bytes, true)
    }

    /// The last chunk's line is over, and nothing of the trailer section has been seen.
    pub fn is_before_trailers(&self) -> bool {
        matches!(self, Self::Chunked(c) if matches!(c.place, Place::Trailers) && c.trailers.is_empty())
    }

    fn walk(&mut self, bytes: &[u8], pause: bool) -> Result<usize, BadChunks> {
        match self {
            Self::Length(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::Done;
                }
                Ok(taken)
            }
            Self::Chunked(chunks) => chunks.walk(bytes, pause),
            Self::Close => Ok(bytes.len()),
            Self::Done => Ok(0),
        }
    }

    /// Takes what a chunked body ended with; afterwards this message is done.
    pub fn take_ended(&mut self) -> Option<Ended> {
        let Self::Chunked(chunks) = self else { return None };
        if !chunks.is_over() {
            return None;
        }
        let ended = chunks.ended();
        *self = Self::Done;
        Some(ended)
    }
}

impl Chunks {
    fn is_over(&self) -> bool {
        matches!(self.place, Place::Trailers)
            && (self.trailers == b"\r\n" || self.trailers.ends_with(b"\r\n\r\n"))
    }

    fn walk(&mut self, bytes: &[u8], pause: bool) -> Result<usize, BadChunks> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.is_over() || (pause && matches!(self.place, Place::Trailers) && self.trailers.is_empty())
            {
                break;
            }
            at += self.step(byte, bytes.len() - at)?;
        }
        Ok(at)
    }

    /// Takes one byte, or as many of the `left` ones as are chunk data.
    fn step(&mut self, byte: u8, left: usize) -> Result<usize, BadChunks> {
        match self.place {
            Place::Data(size) => {
                let taken = left.min(usize::try_from(size).unwrap_or(usize::MAX));
                let rest = size - taken as u64;
                self.place = if rest == 0 { Place::DataCr } else { Place::Data(rest) };
                return Ok(taken);
            }
            Place::Size { value, digits } => self.size(byte, value, digits)?,
            Place::Extension { size } => {
                self.size_line += 1;
                if self.size_line > LONGEST_SIZE_LINE {
                    return Err(BadChunks::LongSizeLine);
                }
                match byte {
                    b'\r' => self.place = Place::SizeLf { size },
                    b'\n' => return Err(BadChunks::LineEnd),
                    b' ' | b'\t' => {}
                    _ => self.extensions = true,
                }
            }
            Place::SizeLf { size } => {
                expect_byte(byte, b'\n')?;
                self.size_line = 0;
                if size == 0 {
                    self.place = Place::Trailers;
                } else {
                    self.count += 1;
                    self.place = Place::Data(size);
                }
            }
            Place::DataCr => {
                expect_byte(byte, b'\r')?;
                self.place = Place::DataLf;
            }
            Place::DataLf => {
                expect_byte(byte, b'\n')?;
                self.place = Place::default();
            }
            Place::Trailers => {
                // A line end that one side does not take for one is how a request is smuggled.
                let after_cr = self.trailers.last() == Some(&b'\r');
                if after_cr != (byte == b'\n') {
                    return Err(BadChunks::LineEnd);
                }
                if self.trailers.len() >= LONGEST_TRAILERS {
                    return Err(BadChunks::LongTrailers);
                }
                self.trailers.push(byte);
            }
        }
        Ok(1)
    }

    fn size(&mut self, byte: u8, value: u64, digits: u8) -> Result<(), BadChunks> {
        let digit = char::from(byte).to_digit(16);
        self.place = match (digit, byte) {
            (Some(_), _) if digits >= 15 => return Err(BadChunks::Huge),
            (Some(digit), _) => Place::Size { value: value * 16 + u64::from(digit), digits: digits + 1 },
            (None, _) if digits == 0 => return Err(BadChunks::Size),
            (None, b'\r') => Place::SizeLf { size: value },
            (None, b';' | b' ' | b'\t') => {
                self.extensions |= byte == b';';
                Place::Extension { size: value }
            }
            (None, b'\n') => return Err(BadChunks::LineEnd),
            (None, _) => return Err(BadChunks::Size),
        };
        Ok(())
    }

    fn ended(&mut self) -> Ended {
        let mut raw = std::mem::take(&mut self.trailers);
        raw.truncate(raw.len().saturating_sub(2));
        let trailers = raw.split(|b| *b == b'\n').filter_map(field).collect();
        Ended { chunks: self.count, extensions: self.extensions, trailers, raw_trailers: raw }
    }
}

fn field(line: &[u8]) -> Option<Header> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = line.split_at(colon);
    let value = value.get(1..)?.trim_ascii();
    Some(Header::new(String::from_utf8_lossy(name).trim(), value.to_vec()))
}

fn expect_byte(byte: u8, wanted: u8) -> Result<(), BadChunks> {
    if byte == wanted { Ok(()) } else { Err(BadChunks::LineEnd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks the text in steps of every size; the end must be found at the same place each time.
    fn check(text: &[u8], expected: Result<(usize, u64, bool, &str), BadChunks>) {
        for step in 1..=text.len() {
            let mut framer = Framer::new(Extent::Chunked);
            let mut at = 0;
            let mut outcome = None;
            while at < text.len() && outcome.is_none() {
                let slice = &text[at..text.len().min(at + step)];
                match framer.advance(slice) {
                    Ok(taken) => at += taken,
                    Err(bad) => outcome = Some(Err(bad)),
                }
                if let Some(ended) = framer.take_ended() {
                    let trailers = String::from_utf8(ended.raw_trailers).unwrap();
                    outcome = Some(Ok((at, ended.chunks, ended.extensions, trailers)));
                }
            }
            let expected = expected.map(|(at, chunks, ext, trailers)| (at, chunks, ext, trailers.to_owned()));
            assert_eq!(outcome, Some(expected), "in steps of {step}: {:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn the_end_of_a_chunked_body_is_found_whatever_the_reads() {
        check(b"0\r\n\r\nGET", Ok((5, 0, false, "")));
        check(b"5\r\nhello\r\n0\r\n\r\nGET", Ok((15, 1, false, "")));
        check(b"A;x=\"y\"\r\n0123456789\r\n00\r\n\r\n", Ok((27, 1, true, "")));
        check(b"1\r\na\r\n2\r\nbc\r\n0\r\nX-Sum: 7\r\n\r\n", Ok((28, 2, false, "X-Sum: 7\r\n")));
        check(b"g\r\n", Err(BadChunks::Size));
        check(b"\r\n", Err(BadChunks::Size));
        check(b"1\nab", Err(BadChunks::LineEnd));
        check(b"1\r\nabc", Err(BadChunks::LineEnd));
        check(b"0\r\nX: y\n\r\n", Err(BadChunks::LineEnd));
        check(b"1111111111111111\r\n", Err(BadChunks::Huge));
    }

    #[test]
    fn a_length_takes_no_more_than_its_own() {
        let mut framer = Framer::new(Extent::Length(5));
        assert_eq!(framer.advance(b"abc"), Ok(3));
        assert_eq!(framer.limit(), 2);
        assert_eq!(framer.advance(b"defg"), Ok(2));
        assert!(framer.is_done());
        assert_eq!(framer.advance(b"x"), Ok(0));
    }

    #[test]
    fn trailer_fields_are_taken_out_with_the_lines_that_they_go_on_for() {
        let text = b"0\r\nA: 1\r\nbad: 2\r\n\tmore\r\n last\r\nB: 3\r\nno field\r\n BAD : 4\r\n\r\n";
        let mut framer = Framer::new(Extent::Chunked);
        assert_eq!(framer.advance(text), Ok(text.len()));
        let mut ended = framer.take_ended().unwrap();
        assert_eq!(ended.remove(|name| name.eq_ignore_ascii_case("bad")), ["bad", "BAD"]);
        assert_eq!(String::from_utf8_lossy(&ended.raw_trailers), "A: 1\r\nB: 3\r\nno field\r\n");
        assert_eq!(ended.trailers.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    }

    #[test]
    fn trailers_can_be_put_in_before_the_empty_line() {
        let mut framer = Framer::new(Extent::Chunked);
        assert_eq!(framer.advance_to_trailers(b"1\r\na\r\n0\r\n\r\n"), Ok(9));
        assert!(framer.is_before_trailers());
        assert_eq!(framer.advance(b"\r\n"), Ok(2));
        assert!(framer.take_ended().is_some());
    }
}
