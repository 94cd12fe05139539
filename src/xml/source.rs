//! Raw bytes as text, with the way back: every offset in the text maps to a raw byte, a line and a column.

/// A text and where its bytes came from.
#[derive(Clone, Debug)]
pub struct Source {
    text: String,
    map: Map,
}

/// A place in the raw bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Bytes from the start of the raw text, from 0.
    pub offset: u64,
    pub length: u64,
}

/// How text offsets become raw offsets.
#[derive(Clone, Debug)]
enum Map {
    /// UTF-8: the same, after a byte order mark of so many bytes.
    Shift(usize),
    /// UTF-16: two raw bytes a code unit, after the byte order mark.
    Utf16,
    /// UTF-8 with invalid sequences: from each text offset on, raw = text + delta. Sorted by text offset.
    Patched { bom: usize, patches: Vec<(usize, isize)> },
}

/// What decoding had to put up with.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// Text offsets of U+FFFD that stand for invalid bytes; at most a handful are kept.
    pub(super) invalid: Vec<usize>,
}

impl Source {
    /// Decodes UTF-8 (with or without a byte order mark) or UTF-16 (with one). Invalid sequences become U+FFFD.
    pub(super) fn decode(raw: &[u8]) -> (Self, Trouble) {
        match raw {
            [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest, 3),
            [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
            [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
            _ => utf8(raw, 0),
        }
    }

    /// Any text, XML or not.
    pub fn of(raw: &[u8]) -> Self {
        Self::decode(raw).0
    }

    /// The decoded text; spans index into it.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn has_byte_order_mark(&self) -> bool {
        !matches!(self.map, Map::Shift(0) | Map::Patched { bom: 0, .. })
    }

    /// The raw byte at which the text's byte `at` begins.
    pub fn raw_offset(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        match &self.map {
            Map::Shift(bom) => at + bom,
            Map::Utf16 => 2 + 2 * self.before(at).encode_utf16().count(),
            Map::Patched { bom, patches } => {
                let known = patches.partition_point(|(from, _)| *from <= at);
                let delta = known.checked_sub(1).and_then(|i| patches.get(i)).map_or(0, |(_, delta)| *delta);
                bom + at.saturating_add_signed(delta)
            }
        }
    }

    /// Where a place in the raw bytes is in the text.
    pub fn range_of(&self, offset: u64, length: u64) -> std::ops::Range<usize> {
        let find = |raw: u64| {
            let raw = usize::try_from(raw).unwrap_or(usize::MAX);
            let (mut low, mut high) = (0, self.text().len());
            while low < high {
                let middle = usize::midpoint(low, high);
                if self.raw_offset(middle) < raw { low = middle + 1 } else { high = middle }
            }
            let mut at = low;
            while !self.text().is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        find(offset)..find(offset.saturating_add(length))
    }

    /// Where a span of the text lies in the raw bytes.
    pub fn place(&self, span: std::ops::Range<usize>) -> Place {
        let before = self.before(span.start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let offset = self.raw_offset(span.start);
        Place {
            line: count(before.bytes().filter(|b| *b == b'\n').count()) + 1,
            column: count(before.get(line_start..).unwrap_or_default().chars().count()) + 1,
            offset: offset as u64,
            length: self.raw_offset(span.end.max(span.start)).saturating_sub(offset) as u64,
        }
    }

    /// The text up to `at`, moved back to a character's start if need be.
    fn before(&self, at: usize) -> &str {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        self.text.get(..at).unwrap_or_default()
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn utf8(raw: &[u8], bom: usize) -> (Source, Trouble) {
    let mut trouble = Trouble::default();
    // Nearly every text is sound, and to see that is cheap.
    if let Ok(text) = std::str::from_utf8(raw) {
        return (Source { text: text.to_owned(), map: Map::Shift(bom) }, trouble);
    }
    let text = String::from_utf8_lossy(raw).into_owned();
    // The lossy text holds U+FFFD (three bytes) for each invalid sequence: walk both to learn the shifts.
    let mut patches = Vec::new();
    let (mut at, mut delta) = (0_usize, 0_isize);
    for chunk in raw.utf8_chunks() {
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            trouble.invalid.push(at);
            at += '\u{FFFD}'.len_utf8();
            delta += chunk.invalid().len().cast_signed() - '\u{FFFD}'.len_utf8().cast_signed();
            patches.push((at, delta));
        }
    }
    (Source { text, map: Map::Patched { bom, patches } }, trouble)
}

fn utf16(raw: &[u8], unit: fn([u8; 2]) -> u16) -> (Source, Trouble) {
    let mut trouble = Trouble::default();
    let mut text = String::with_capacity(raw.len() / 2);
    let units = raw.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
    for decoded in char::decode_utf16(units) {
        if decoded.is_err() {
            trouble.invalid.push(text.len());
        }
        text.push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    if raw.len() % 2 == 1 {
        trouble.invalid.push(text.len());
    }
    (Source { text, map: Map::Utf16 }, trouble)
}
