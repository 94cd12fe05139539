//! What secrets are wrapped in: runs of base64 letters, and UTF-16 with or without a byte order mark.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::edits::Edit;
use crate::message::decode_base64;

/// Shorter runs hold no message, and shorter words of a run are words.
const SHORTEST: usize = 64;
const SHORTEST_WORD: usize = 40;

/// Opens every base64 token of a text that holds a text, and writes it back letter for letter where `mask` changes it.
pub(super) fn opened(
    text: &[u8],
    gaps: &[Range<usize>],
    mask: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Vec<Edit> {
    let mut edits = Vec::new();
    for gap in gaps {
        for run in base64_runs(text.get(gap.clone()).unwrap_or_default()) {
            let span = gap.start + run.start..gap.start + run.end;
            for (part, inner) in texts(text.get(span.clone()).unwrap_or_default()) {
                let part = span.start + part.start..span.start + part.end;
                let written = mask(&inner).and_then(|masked| write_base64(text.get(part.clone())?, &masked));
                edits.extend(written.map(|written| (part, written)));
            }
        }
    }
    edits
}

/// The texts that a run holds: as a whole, or without the words before and behind, or word for word.
fn texts(run: &[u8]) -> Vec<(Range<usize>, Vec<u8>)> {
    let decoded =
        |span: &Range<usize>| std::str::from_utf8(run.get(span.clone())?).ok().and_then(decode_base64);
    let open = |span: Range<usize>| decoded(&span).filter(|inner| is_text(inner)).map(|inner| (span, inner));
    let whole = decoded(&(0..run.len()));
    if let Some(inner) = whole.as_ref().filter(|inner| is_text(inner)) {
        return vec![(0..run.len(), inner.clone())];
    }
    // Certificates, requests and signatures are no secrets.
    if matches!(whole.as_deref(), Some([0x30, 0x80..=0x84, ..])) {
        return Vec::new();
    }
    let words: Vec<_> = run
        .split(u8::is_ascii_whitespace)
        .filter(|word| word.len() >= SHORTEST_WORD)
        .map(|word| word.as_ptr() as usize - run.as_ptr() as usize)
        .zip(run.split(u8::is_ascii_whitespace).filter(|word| word.len() >= SHORTEST_WORD))
        .map(|(start, word)| start..start + word.len())
        .collect();
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return Vec::new() };
    // The last line of a token may be as short as a word, and so may the last word behind it be.
    let from_first = [first.start..run.len(), first.start..next_word(run, last.end), first.start..last.end];
    for span in from_first.into_iter().filter(|span| *span != (0..run.len())) {
        if let Some(found) = open(span) {
            return vec![found];
        }
    }
    words.into_iter().filter_map(open).collect()
}

/// Where the next word behind `from` ends.
fn next_word(run: &[u8], from: usize) -> usize {
    let rest = run.get(from..).unwrap_or_default();
    let start = rest.len() - rest.trim_ascii_start().len();
    let word = rest.get(start..).unwrap_or_default();
    from + start + word.iter().position(u8::is_ascii_whitespace).unwrap_or(word.len())
}

/// Runs of base64 letters (whitespace between them allowed) long enough to hold a message. Padding ends a run, and
/// hyphens that belong to a comment are no letters.
pub(super) fn base64_runs(text: &[u8]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| rest.len() >= SHORTEST) {
        // No run that is long enough goes on over a sign among the next so many: most bytes need no look.
        let next = rest.get(..SHORTEST).unwrap_or_default();
        if let Some(sign) = next.iter().rposition(|b| !in_base64(*b) && *b != b'=') {
            at += sign + 1;
            continue;
        }
        let letters = rest.iter().position(|b| !in_base64(*b)).unwrap_or(rest.len());
        let padding = rest.iter().skip(letters).take_while(|b| **b == b'=').count();
        let run = rest.get(..letters + padding).unwrap_or_default();
        let closes_comment = rest.get(run.len()) == Some(&b'>');
        let blanks = run.len() - run.trim_ascii_start().len();
        let run = run.trim_ascii();
        let hyphens = run.iter().take_while(|b| **b == b'-').count();
        let end = if closes_comment { run.strip_suffix(b"--").unwrap_or(run) } else { run };
        let run = end.get(hyphens..).unwrap_or_default();
        if run.len() >= SHORTEST {
            let start = at + blanks + hyphens;
            runs.push(start..start + run.len());
        }
        at += (letters + padding).max(1);
    }
    runs
}

/// Base64's letters of both alphabets, and the blanks between them: by table, as every byte is asked for.
fn in_base64(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        loop {
            let letter = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
            #[expect(clippy::indexing_slicing, reason = "at compile time, and a byte is below 256")]
            {
                table[byte as usize] = letter || byte.is_ascii_whitespace();
            }
            if byte == u8::MAX {
                break table;
            }
            byte += 1;
        }
    };
    TABLE.get(byte as usize).copied().unwrap_or_default()
}

/// Mostly printable: a document, or base64 of one.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let sample = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let odd = sample.iter().filter(|b| b.is_ascii_control() && !b.is_ascii_whitespace()).count();
    !sample.is_empty() && (odd == 0 || Utf16::is_one(bytes))
}

/// Base64 of the new bytes, laid out over the old run: the same whitespace at the same places.
pub(super) fn write_base64(run: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let url_safe = run.iter().any(|b| matches!(b, b'-' | b'_'));
    let encoded = if url_safe { URL_SAFE.encode(bytes) } else { STANDARD.encode(bytes) };
    let mut letters = encoded.as_bytes();
    let mut out = Vec::with_capacity(run.len());
    let is_blank = u8::is_ascii_whitespace;
    for part in run.chunk_by(|one, next| is_blank(one) == is_blank(next)) {
        if part.first().is_some_and(is_blank) {
            out.extend_from_slice(part);
        } else {
            let (new, rest) = letters.split_at(part.len().min(letters.len()));
            out.extend_from_slice(new);
            letters = rest;
        }
    }
    // Unpadded runs stay unpadded; a text that grew goes on behind.
    let padded = run.contains(&b'=') || run.iter().filter(|b| !b.is_ascii_whitespace()).count() % 4 == 0;
    out.extend(letters.iter().filter(|b| padded || **b != b'='));
    Some(out)
}

/// A UTF-16 text.
pub(super) struct Utf16<'t> {
    pub(super) text: String,
    little: bool,
    mark: &'t [u8],
    /// Half a character.
    rest: &'t [u8],
}

impl<'t> Utf16<'t> {
    pub(super) fn of(bytes: &'t [u8]) -> Option<Self> {
        let (little, mark) = Self::order(bytes)?;
        let (mark, body) = bytes.split_at_checked(mark)?;
        let unit = if little { u16::from_le_bytes } else { u16::from_be_bytes };
        let pairs = body.chunks_exact(2);
        let rest = pairs.remainder();
        let units = pairs.filter_map(|pair| pair.try_into().ok().map(unit));
        let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        Some(Self { text, little, mark, rest })
    }

    fn is_one(bytes: &[u8]) -> bool {
        Self::order(bytes).is_some()
    }

    /// Whether the low byte comes first, and how long the byte order mark is. Without one, markup and ASCII tell: every
    /// other byte is zero.
    fn order(bytes: &[u8]) -> Option<(bool, usize)> {
        match bytes {
            [0xFF, 0xFE, ..] => return Some((true, 2)),
            [0xFE, 0xFF, ..] => return Some((false, 2)),
            _ => {}
        }
        let sample = bytes.get(..bytes.len().min(256)).filter(|sample| sample.len() >= 8)?;
        let zeros = |from: usize| sample.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
        let (even, odd, most) = (zeros(0), zeros(1), sample.len() * 3 / 8);
        match (even, odd) {
            (0, odd) if odd >= most => Some((true, 0)),
            (even, 0) if even >= most => Some((false, 0)),
            _ => None,
        }
    }

    pub(super) fn write(&self, text: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(text);
        let unit = |u: u16| if self.little { u.to_le_bytes() } else { u.to_be_bytes() };
        let units = text.encode_utf16().flat_map(unit);
        self.mark.iter().copied().chain(units).chain(self.rest.iter().copied()).collect()
    }
}
