//! Values put into a message's text, all else of it as it was.

use std::ops::Range;

use crate::xml::{Document, Element, escape};

/// The element at that path of local names; names match in any case where they do not exactly.
pub(super) fn find<'d>(document: &'d Document, path: &[&str]) -> Option<Element<'d>> {
    let (first, rest) = path.split_first()?;
    let root = document.root().filter(|root| root.local().eq_ignore_ascii_case(first))?;
    rest.iter().try_fold(root, |element, name| element.child_any_case(name))
}

/// Replacements in a document's text.
pub(super) struct Splices<'d> {
    pub(super) document: &'d Document,
    pub(super) edits: Vec<(Range<usize>, String)>,
}

impl Splices<'_> {
    /// Gives the element this text, and nothing else.
    pub(super) fn set(&mut self, element: &Element<'_>, value: &str) {
        let value = escape(value);
        let text = self.document.source().text();
        let start = element.start();
        let tag = text.get(start.clone()).unwrap_or_default();
        match tag.strip_suffix("/>") {
            Some(open) => {
                let name = element.name();
                self.edits.push((start, format!("{}>{value}</{name}>", open.trim_end())));
            }
            None => self.edits.push((element.content(), value)),
        }
    }

    pub(super) fn apply(mut self) -> String {
        self.edits.sort_by_key(|(span, _)| span.start);
        let text = self.document.source().text();
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for (span, with) in self.edits.iter().filter(|(span, _)| span.start <= span.end) {
            // Broken documents may have elements in each other that do not look so.
            if span.start < copied {
                continue;
            }
            out.push_str(text.get(copied..span.start).unwrap_or_default());
            out.push_str(with);
            copied = span.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        out
    }
}
