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

/// The end of a following record whose beginning is damaged may be in the stretch, too: the first checksum that is
/// right counts. A few are tried, since each costs reading the stretch.
fn record_length(stretch: &[u8]) -> Option<usize> {
    let checksums = stretch.windows(CHECKSUM.len()).enumerate().filter(|(_, w)| *w == CHECKSUM).take(4);
    let mut ends = checksums.map(|(at, _)| at + CHECKSUM.len() + "01234567\"}".len());
    ends.find(|end| stretch.get(..*end).is_some_and(|record| seal(record) == Seal::Intact))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "{\"kind\":\"a\",\"crc32\":\"";

    fn check(parts: &[&str], expected: &[usize]) {
        let record = format!("{A}{:08x}\"}}", crc32fast::hash(b"{\"kind\":\"a\""));
        let line = parts.concat().replace('A', &record);
        let found: Vec<_> = records(line.as_bytes()).iter().map(|r| r.start).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn whole_records_are_found_between_damage() {
        check(&["A"], &[0]);
        check(&["A", "A"], &[0, 31]);
        check(&["##", "A", "#"], &[2]);
        check(&["A", "##\"kind\":\"a\",\"crc32\":\"00000000\"}", "A"], &[0, 63]);
        check(&["A", "{\"kind\":\"", "A"], &[0, 40]);
        check(&["", "{\"kind\":\"a\",\"crc32\":\"0"], &[]);
        check(&[], &[]);
    }
}
