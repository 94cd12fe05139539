//! Whole records inside a line that does not parse: a lost newline glues two of them together.

use std::ops::Range;

use super::decode::{Seal, seal};
use super::encode::CHECKSUM;

/// How our records begin. Inside of JSON text the quotes would be escaped, so it stands at beginnings only.
const BEGINNING: &[u8] = b"{\"kind\":\"";

/// Where in `line` whole records are, checksums right, in order and apart.
pub(super) fn records(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = next(line, 0);
    while let Some(start) = from {
        from = next(line, start + BEGINNING.len());
        let stretch = line.get(start..from.unwrap_or(line.len())).unwrap_or_default();
        if let Some(length) = record_length(stretch) {
            found.push(start..start + length);
        }
    }
    found
}

fn next(line: &[u8], from: usize) -> Option<usize> {
    let rest = line.get(from..)?;
    rest.windows(BEGINNING.len()).position(|w| w == BEGINNING).map(|at| from + at)
}

fn record_length(stretch: &[u8]) -> Option<usize> {
    let checksum = stretch.windows(CHECKSUM.len()).rposition(|w| w == CHECKSUM)?;
    let length = checksum + CHECKSUM.len() + "01234567\"}".len();
    let record = stretch.get(..length)?;
    (seal(record) == Seal::Intact).then_some(length)
}
