//! Who it is about, out of what a capture holds: users, devices, hosts, addresses. Nothing is kept because it looks
//! harmless: a word stays if it is on the committed list (`words.txt`), a number if it is short; all else becomes another
//! word of the same length and kind, the same for the same word everywhere, letters' case not counting.

mod der;
mod scan;
mod word;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use scan::Scan;

/// Thumbprints (SHA-1, upper case) of certificates that were changed, and what they are now.
pub(super) type Thumbprints = HashMap<String, String>;

/// What was hidden under which word, for whoever is to turn pseudonyms back. It holds the identities themselves.
#[derive(Clone, Debug, Default)]
pub struct Hidden(Arc<Mutex<BTreeMap<String, String>>>);

impl Hidden {
    pub(super) fn note(&self, pseudonym: &str, word: &str) {
        // A panic elsewhere leaves a map that is still a map.
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.entry(pseudonym.to_lowercase()).or_insert_with(|| word.to_owned());
    }

    /// Pseudonyms (lower case) and the words that they stand for.
    pub fn map(&self) -> BTreeMap<String, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
