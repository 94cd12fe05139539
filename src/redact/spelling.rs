//! Values as a reader of XML understands them: references resolved, the pieces of data sections joined, comments and
//! instructions left out. Such a value is a text of its own, which may hold a document or base64 that its bytes do not
//! show.

use std::ops::Range;

use memchr::{memchr, memchr2, memchr3, memmem};

use super::edits::Edit;

/// An attribute's value or a run of character data that says something else than it is written.
#[derive(Debug)]
pub(super) struct Spelled {
    pub(super) plain: Vec<u8>,
    pieces: Vec<Piece>,
}

/// Some bytes of the text, and what they are of the plain value: the same bytes, or fewer if they are a reference.
#[derive(Debug)]
struct Piece {
    raw: Range<usize>,
    plain: Range<usize>,
}

/// Every such value that may hold more than a word, in the order of the text; those that are written as they are read
/// are left out.
pub(super) fn spelled(text: &[u8]) -> Vec<Spelled> {
    let mut values = all_spelled(text);
    values.retain(|value| may_hold_more(&value.plain));
    values
}

/// The same of every value.
pub(super) fn all_spelled(text: &[u8]) -> Vec<Spelled> {
    let mut reader = Reader { text, found: Vec::new(), parts: Vec::new(), differs: false };
    if memchr(b'&', text).is_some() || ["<!", "<?"].iter().any(|m| memmem::find(text, m.as_bytes()).is_some())
    {
        reader.content();
    }
    reader.found
}

impl Spelled {
    /// The replacements that make the text say `plain` instead; `None` when that has another length. All that was
    /// understood as the value is among them, changed or not.
    pub(super) fn write(&self, text: &[u8], plain: &[u8]) -> Option<Vec<Edit>> {
        if plain.len() != self.plain.len() {
            return None;
        }
        let edit = |piece: &Piece| {
            let (raw, new) = (text.get(piece.raw.clone())?, plain.get(piece.plain.clone())?);
            let is_reference = piece.raw.len() != piece.plain.len();
            let same = self.plain.get(piece.plain.clone()) == Some(new);
            let with = match (is_reference, same) {
                (true, true) => raw.to_vec(),
                (true, false) => reference_to(raw, new),
                (false, _) => new.to_vec(),
            };
            Some((piece.raw.clone(), with))
        };
        self.pieces.iter().map(edit).collect()
    }

    /// The bytes that hold the value, markup left out.
    pub(super) fn spans(&self) -> impl Iterator<Item = Range<usize>> {
        self.pieces.iter().map(|piece| piece.raw.clone())
    }
}

/// A reference to a character, of the same length; to some other where that one's number is too long.
fn reference_to(raw: &[u8], character: &[u8]) -> Vec<u8> {
    let code = std::str::from_utf8(character).ok().and_then(|c| c.chars().next()).map_or(0x58, u32::from);
    let is_hex = matches!(raw, [_, b'#', b'x' | b'X', ..]);
    let digits = raw.len().saturating_sub(if is_hex { 4 } else { 3 });
    let write = |code: u32| {
        if is_hex { format!("&#x{code:0digits$X};") } else { format!("&#{code:0digits$};") }.into_bytes()
    };
    let written = write(code);
    if written.len() == raw.len() { written } else { write(0x41 + code % 26) }
}

struct Reader<'t> {
    text: &'t [u8],
    found: Vec<Spelled>,
    /// The value that is being read: bytes, with the character if they refer to one.
    parts: Vec<(Range<usize>, Option<char>)>,
    differs: bool,
}

impl Reader<'_> {
    /// Character data and what interrupts it. A mark whose end is missing goes on to the end of the text.
    fn content(&mut self) {
        let mut at = 0;
        while at < self.text.len() {
            at = self.characters(at, self.text.len());
            let rest = self.text.get(at..).unwrap_or_default();
            let end = |mark: &str, from: usize| {
                let found = rest.get(from..).and_then(|r| memmem::find(r, mark.as_bytes()));
                found.map_or(self.text.len(), |offset| at + from + offset)
            };
            at = match rest {
                [] => break,
                [b'<', b'!', b'-', b'-', ..] => {
                    self.differs = true;
                    end("-->", 4) + 3
                }
                [b'<', b'?', ..] => {
                    self.differs = true;
                    end("?>", 2) + 2
                }
                [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => {
                    let close = end("]]>", 9);
                    self.differs = true;
                    self.parts.push((at + 9..close, None));
                    close + 3
                }
                [_, next, ..] if next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'_') => {
                    self.flush();
                    self.tag(at + 1)
                }
                _ => {
                    self.parts.push((at..at + 1, None));
                    at + 1
                }
            };
        }
        self.flush();
    }

    /// A tag's quoted values; behind its `>`.
    fn tag(&mut self, mut at: usize) -> usize {
        while let Some(offset) = memchr3(b'>', b'"', b'\'', self.text.get(at..).unwrap_or_default()) {
            let sign = self.text.get(at + offset).copied().unwrap_or_default();
            at += offset + 1;
            if sign == b'>' {
                return at;
            }
            let length = self.text.get(at..).and_then(|rest| memchr(sign, rest));
            let end = length.map_or(self.text.len(), |length| at + length);
            while at < end {
                at = self.characters(at, end);
                if at < end {
                    // A `<` inside of quotes is one.
                    self.parts.push((at..at + 1, None));
                    at += 1;
                }
            }
            self.flush();
            at = end + 1;
        }
        self.text.len()
    }

    /// Characters and references, up to a `<`.
    fn characters(&mut self, mut at: usize, end: usize) -> usize {
        while at < end {
            let rest = self.text.get(at..end).unwrap_or_default();
            let length = memchr2(b'<', b'&', rest).unwrap_or(rest.len());
            if length > 0 {
                self.parts.push((at..at + length, None));
                at += length;
            }
            let Some(b'&') = self.text.get(at).filter(|_| at < end) else { break };
            let resolved = self.text.get(at..end).and_then(resolve);
            let length = resolved.map_or(1, |(length, _)| length);
            self.differs |= resolved.is_some();
            self.parts.push((at..at + length, resolved.map(|(_, character)| character)));
            at += length;
        }
        at
    }

    fn flush(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        if !std::mem::take(&mut self.differs) {
            return;
        }
        let (mut plain, mut pieces) = (Vec::new(), Vec::with_capacity(parts.len()));
        for (raw, character) in parts {
            let start = plain.len();
            match character {
                Some(character) => plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                None => plain.extend_from_slice(self.text.get(raw.clone()).unwrap_or_default()),
            }
            pieces.push(Piece { raw, plain: start..plain.len() });
        }
        self.found.push(Spelled { plain, pieces });
    }
}

/// Whether a value can hold markup, members, parameters, base64 or a token: most are words.
fn may_hold_more(plain: &[u8]) -> bool {
    const SHORTEST: usize = 16;
    const SHORTEST_TOKEN: usize = 64;
    let has_signs = || plain.iter().any(|b| matches!(b, b'<' | b'=' | b'"'));
    plain.len() >= SHORTEST && (plain.len() >= SHORTEST_TOKEN || has_signs())
}

/// The reference at the beginning: its length and its character.
fn resolve(text: &[u8]) -> Option<(usize, char)> {
    let length = text.iter().take(12).position(|b| *b == b';')? + 1;
    let name = std::str::from_utf8(text.get(1..length - 1)?).ok()?;
    let character = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
        None => quick_xml::escape::resolve_xml_entity(name)?.chars().next()?,
    };
    Some((length, character))
}
