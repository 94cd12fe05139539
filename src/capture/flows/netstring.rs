//! Typed netstrings, `LENGTH:DATA` and a letter for the type: from a stream, or as values of what was read.

use std::io::BufRead;

/// Larger numbers have no place in front of a netstring.
const MOST_DIGITS: usize = 12;

/// Lists in lists: flows nest three deep.
const DEEPEST: u32 = 16;

/// Longer keys belong to nothing that is known.
const LONGEST_KEY: u64 = 256;

/// A stream of netstrings. The type comes last, so it is by their keys that containers are told from the rest.
pub(super) struct Stream<R> {
    input: R,
    /// Bytes that were taken.
    pub(super) at: u64,
}

impl<R: BufRead> Stream<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, at: 0 }
    }

    /// Where the next netstring's data end; `None` at the end of the stream.
    pub(super) fn begin(&mut self) -> Result<Option<u64>, String> {
        match self.peek()? {
            Some(_) => self.length(u64::MAX).map(Some),
            None => Ok(None),
        }
    }

    /// The next key of a dictionary that ends at `end`, and where the value's data end.
    pub(super) fn member(&mut self, end: u64) -> Result<Option<(String, u64)>, String> {
        if self.at == end {
            return Ok(None);
        }
        let until = self.length(end)?;
        if until - self.at > LONGEST_KEY {
            return Err(self.wrong("a key of a dictionary is too long"));
        }
        let key = String::from_utf8_lossy(&self.data(until, LONGEST_KEY)?).into_owned();
        match self.tag()? {
            b',' | b';' => Ok(Some((key, self.length(end)?))),
            _ => Err(self.wrong("a key of a dictionary is no text")),
        }
    }

    /// The data up to there, of which at most `most` bytes are kept.
    pub(super) fn data(&mut self, until: u64, most: u64) -> Result<Vec<u8>, String> {
        let mut kept = Vec::new();
        while self.at < until {
            let left = usize::try_from(until - self.at).unwrap_or(usize::MAX);
            let available = self.available()?;
            let taken = available.get(..left).unwrap_or(available);
            let room = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(kept.len());
            kept.extend_from_slice(taken.get(..room).unwrap_or(taken));
            let taken = taken.len();
            self.consume(taken);
        }
        Ok(kept)
    }

    /// The letter behind the data.
    pub(super) fn tag(&mut self) -> Result<u8, String> {
        let tag = self.peek()?.ok_or_else(|| self.ended())?;
        self.consume(1);
        Ok(tag)
    }

    /// Takes the letter of a dictionary.
    pub(super) fn end_of_dictionary(&mut self) -> Result<(), String> {
        match self.tag()? {
            b'}' => Ok(()),
            _ => Err(self.wrong("a dictionary should end here")),
        }
    }

    pub(super) fn wrong(&self, what: &str) -> String {
        format!("{what} (at byte {})", self.at)
    }

    fn ended(&self) -> String {
        self.wrong("it ends in the middle of a flow")
    }

    /// Takes a length and its colon; says where the data end, which with their letter fit in what is around them.
    fn length(&mut self, end: u64) -> Result<u64, String> {
        let (mut length, mut digits) = (0_u64, 0);
        loop {
            match self.peek()?.ok_or_else(|| self.ended())? {
                digit @ b'0'..=b'9' if digits < MOST_DIGITS => {
                    length = length * 10 + u64::from(digit - b'0');
                    digits += 1;
                }
                b':' if digits > 0 => break,
                _ => return Err(self.wrong("there should be the length of a netstring")),
            }
            self.consume(1);
        }
        self.consume(1);
        let until = self.at.saturating_add(length);
        if until < end { Ok(until) } else { Err(self.wrong("a netstring is longer than what is around it")) }
    }

    fn peek(&mut self) -> Result<Option<u8>, String> {
        match self.input.fill_buf() {
            Ok(bytes) => Ok(bytes.first().copied()),
            Err(error) => Err(format!("it could not be read on: {error} (at byte {})", self.at)),
        }
    }

    fn available(&mut self) -> Result<&[u8], String> {
        if self.peek()?.is_none() {
            return Err(self.ended());
        }
        // It is there already.
        self.input.fill_buf().map_err(|error| error.to_string())
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.at += count as u64;
    }
}

/// A netstring's meaning. Bytes and text are one: old Pythons did not tell them apart, and nothing here needs to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a [u8]),
    List(Vec<Value<'a>>),
    Dictionary(Vec<(&'a [u8], Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Of data and letter; `None` if they do not go together.
    pub(super) fn of(data: &'a [u8], tag: u8) -> Option<Self> {
        Self::at_depth(data, tag, 0)
    }

    fn at_depth(mut data: &'a [u8], tag: u8, depth: u32) -> Option<Self> {
        if depth > DEEPEST {
            return None;
        }
        let number = || std::str::from_utf8(data).ok();
        match tag {
            b',' | b';' => Some(Self::Text(data)),
            b'~' => data.is_empty().then_some(Self::Null),
            b'!' => matches!(data, b"true" | b"false").then(|| Self::Bool(data == b"true")),
            b'#' => number()?.parse().ok().map(Self::Int),
            b'^' => number()?.parse().ok().map(Self::Float),
            b']' => {
                let mut items = Vec::new();
                while !data.is_empty() {
                    items.push(Self::next(&mut data, depth)?);
                }
                Some(Self::List(items))
            }
            b'}' => {
                let mut members = Vec::new();
                while !data.is_empty() {
                    let Self::Text(key) = Self::next(&mut data, depth)? else { return None };
                    members.push((key, Self::next(&mut data, depth)?));
                }
                Some(Self::Dictionary(members))
            }
            _ => None,
        }
    }

    fn next(rest: &mut &'a [u8], depth: u32) -> Option<Self> {
        let colon = rest.iter().take(MOST_DIGITS + 1).position(|byte| *byte == b':')?;
        let digits = rest.get(..colon)?;
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let end = (colon + 1).checked_add(length)?;
        let (data, tag) = (rest.get(colon + 1..end)?, *rest.get(end)?);
        *rest = rest.get(end + 1..)?;
        Self::at_depth(data, tag, depth + 1)
    }

    /// A dictionary's member.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dictionary(members) = self else { return None };
        members.iter().find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        if let Self::Text(bytes) = self { Some(bytes) } else { None }
    }

    pub(super) fn text(&self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Dictionary(_) => None,
        }
    }

    pub(super) fn list(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }
}
