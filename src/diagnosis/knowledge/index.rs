//! Entries, found by what leads to them.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::BUILT_IN;
use super::entry::{Cause, Entry, parse};

/// Entries, found by their codes, their names, and the words that users see.
#[derive(Debug, Default)]
pub struct Knowledge {
    entries: Vec<Entry>,
    by_code: HashMap<u32, Vec<usize>>,
    /// Lower case.
    by_name: HashMap<String, Vec<usize>>,
    seen: Option<AhoCorasick>,
    /// Which entry each pattern of `seen` is of.
    seen_in: Vec<usize>,
}

impl Knowledge {
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// The built-in entries, and before them those of a file in the same form.
    ///
    /// # Errors
    /// What in the text is not as it should be, with its line.
    pub fn with(text: &str) -> Result<Self, String> {
        let mut entries = parse(text)?;
        entries.extend(Self::built_in().entries.iter().cloned());
        Ok(Self::of(entries))
    }

    pub(super) fn of(entries: Vec<Entry>) -> Self {
        let mut knowledge = Self::default();
        let (mut words, mut seen_in) = (Vec::new(), Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            for code in &entry.codes {
                knowledge.by_code.entry(code.0).or_default().push(index);
            }
            for name in &entry.names {
                knowledge.by_name.entry(name.to_lowercase()).or_default().push(index);
            }
            for said in &entry.says {
                words.push(said.trim_end_matches('.'));
                seen_in.push(index);
            }
        }
        knowledge.seen = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(words).ok();
        knowledge.seen_in = seen_in;
        knowledge.entries = entries;
        knowledge
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn by_code(&self, code: u32) -> impl Iterator<Item = &Entry> {
        self.at(self.by_code.get(&code))
    }

    /// By a symbol, a subcode or an error's type, in any case of letters.
    pub fn by_name(&self, name: &str) -> impl Iterator<Item = &Entry> {
        self.at(self.by_name.get(&name.to_lowercase()))
    }

    /// A cause by its id, with its entry.
    pub fn cause(&self, id: &str) -> Option<(&Entry, &Cause)> {
        let is = |cause: &&Cause| cause.id.as_deref() == Some(id);
        self.entries.iter().find_map(|entry| Some((entry, entry.causes.iter().find(is)?)))
    }

    pub fn by_id(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Places in a text at which it says what users see, with the entry.
    pub fn seen_in<'k>(&'k self, text: &str) -> impl Iterator<Item = (Range<usize>, &'k Entry)> {
        self.seen.iter().flat_map(move |seen| seen.find_iter(text)).filter_map(|found| {
            let entry = self.entries.get(*self.seen_in.get(found.pattern().as_usize())?)?;
            Some((found.range(), entry))
        })
    }

    fn at(&self, places: Option<&Vec<usize>>) -> impl Iterator<Item = &Entry> {
        places.into_iter().flatten().filter_map(|index| self.entries.get(*index))
    }
}
