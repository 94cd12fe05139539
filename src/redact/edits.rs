//! Replacements in one text that never overlap: what one look has masked, no later look masks again, as that would
//! make equal secrets different.

use std::ops::Range;

/// A span of a text, and what takes its place.
pub(super) type Edit = (Range<usize>, Vec<u8>);

/// In the order of the text.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<Edit>);

impl Edits {
    /// Adds replacements that do not overlap one another, as far as nothing is replaced there yet.
    pub(super) fn add(&mut self, new: Vec<Edit>) {
        let mut added = Vec::with_capacity(new.len());
        for (span, with) in new {
            let from = self.0.partition_point(|(known, _)| known.end <= span.start);
            let known = self.0.get(from..).unwrap_or_default();
            let mut overlapping = known.iter().take_while(|(k, _)| k.start < span.end).peekable();
            if overlapping.peek().is_none() {
                added.push((span, with));
                continue;
            }
            // Cut to what is left; only what keeps its length can be cut.
            if with.len() != span.len() {
                continue;
            }
            let mut start = span.start;
            let ends = overlapping.map(|(k, _)| k.clone()).chain(std::iter::once(span.end..span.end));
            for taken in ends {
                let part = start..taken.start.max(start);
                if let Some(with) =
                    with.get(part.start - span.start..part.end - span.start).filter(|w| !w.is_empty())
                {
                    added.push((part, with.to_vec()));
                }
                start = taken.end.min(span.end);
            }
        }
        self.0.append(&mut added);
        self.0.sort_by_key(|(span, _)| (span.start, span.end));
    }

    /// What is between the replacements, in a text of that length.
    pub(super) fn gaps(&self, length: usize) -> Vec<Range<usize>> {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut start = 0;
        for (span, _) in &self.0 {
            gaps.push(start..span.start.max(start));
            start = span.end;
        }
        gaps.push(start..length.max(start));
        gaps
    }

    pub(super) fn apply(self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut copied = 0;
        for (span, with) in self.0 {
            out.extend_from_slice(text.get(copied..span.start).unwrap_or_default());
            out.extend_from_slice(&with);
            copied = span.end;
        }
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        out
    }
}
