//! Filters that have names, for lines that use them: `@monday & user:anna`.

use std::collections::BTreeMap;

use super::parse::{FilterError, Parser};
use crate::diagnosis::edits;

/// Filters by their names, each good by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved(BTreeMap<String, String>);

/// Which filter is wrong, and what is wrong with it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    #[error("{0:?} is no name for a filter: it has letters, digits, - and _")]
    Name(String),
    #[error("{name}: {source}")]
    Filter { name: String, source: FilterError },
}

impl Saved {
    pub fn new(filters: BTreeMap<String, String>) -> Result<Self, SavedError> {
        if let Some(name) = filters.keys().find(|name| name.is_empty() || !name.chars().all(is_of_name)) {
            return Err(SavedError::Name(name.clone()));
        }
        // First each line for what is wrong in itself, as if all others were good: else a mistake would be told of
        // whoever uses it.
        let good = Self(filters.keys().map(|name| (name.clone(), "good".to_owned())).collect());
        let saved = Self(filters);
        for others in [&good, &saved] {
            for (name, text) in saved.iter() {
                let wrong = |source| SavedError::Filter { name: name.to_owned(), source };
                Parser::new(text, others, vec![name]).all_of_it().map_err(wrong)?;
            }
        }
        Ok(saved)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and filters, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The names that begin so, as they are used: `@monday`.
    pub fn beginning(&self, start: &str) -> Vec<String> {
        let names = self.0.keys().filter(|name| name.starts_with(start));
        names.map(|name| format!("@{name}")).collect()
    }

    pub(super) fn get_key_value(&self, name: &str) -> Option<(&str, &str)> {
        self.0.get_key_value(name).map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// What is said of a name that no filter has.
    pub(super) fn unknown(&self, name: &str) -> String {
        if self.is_empty() {
            return format!("there is no @{name}: no filter is saved ([filters] in the configuration file)");
        }
        let near = self.0.keys().min_by_key(|known| edits(known, name));
        let near = near.filter(|near| edits(near, name) < name.chars().count().min(3));
        let near = near.map(|near| format!(" (@{near}?)")).unwrap_or_default();
        format!("there is no @{name}{near}; there are {}", self.beginning("").join(", "))
    }
}

/// Whether names of saved filters have such a character in them.
pub fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;

    fn saved(filters: &[(&str, &str)]) -> Result<Saved, SavedError> {
        Saved::new(filters.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn a_name_stands_for_its_filter_in_brackets() {
        let saved = saved(&[("cap", "rule:F | ~b Cap"), ("w-1_ä", "@cap & ~h x"), ("x", "y")]).unwrap();
        for (line, meant) in [
            ("@cap", "rule:F | ~b Cap"),
            ("@cap & user:anna", "(rule:F | ~b Cap) & user:anna"),
            ("~u z !@cap", "~u z & !(rule:F | ~b Cap)"),
            ("(@w-1_ä)|@cap", "((rule:F | ~b Cap) & ~h x) | (rule:F | ~b Cap)"),
            ("@x@x", "@x@x"),
            // What people paste is words, and what is in quotation marks.
            ("@contoso.com anna@cap", "\"@contoso.com\" \"anna@cap\""),
            ("\"@cap\" user:@cap", "\"@cap\" user:\"@cap\""),
        ] {
            assert_eq!(Filter::read(line, &saved), Filter::read(meant, &saved), "{line}");
            assert!(Filter::read(line, &saved).is_ok(), "{line}");
        }
        assert_eq!(saved.beginning("c"), ["@cap"]);
    }

    #[test]
    fn an_unknown_name_is_told_with_its_place_and_the_names_that_there_are() {
        let some = saved(&[("cap", "a"), ("monday", "b")]).unwrap();
        for (line, saved, at, words) in [
            ("ä & @mondy", &some, 4, "there is no @mondy (@monday?); there are @cap, @monday"),
            ("@", &some, 0, "there is no @; there are @cap, @monday"),
            ("a !@x", &some, 3, "there is no @x; there are"),
            ("@cap", &Saved::default(), 0, "no filter is saved"),
        ] {
            let error = Filter::read(line, saved).unwrap_err();
            assert!(error.at == at && error.words.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_of_the_filter_that_is() {
        for (filters, words) in [
            (&[("a", "@b"), ("b", "user:")][..], "b: what is user to be?\n  user:\n       ^"),
            (&[("a", "x & @c")], "a: there is no @c; there are @a\n  x & @c\n      ^"),
            (&[("a", "@a")], "a: @a stands for itself: @a, @a\n  @a\n  ^"),
            (
                &[("a", "x"), ("b", "x @c"), ("c", "!@b")],
                "b: @b stands for itself: @b, @c, @b\n  x @c\n    ^",
            ),
            (&[("a", " ")], "a: a condition is wanted here"),
            (&[("a b", "x")], "\"a b\" is no name"),
            (&[("", "x")], "\"\" is no name"),
        ] {
            let error = saved(filters).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }

    #[test]
    fn filters_that_grow_out_of_each_other_have_an_end() {
        let name = |n: usize| format!("f{n}");
        let doubling = |n: usize| (name(n), format!("@{0} @{0}", name(n + 1)));
        let mut filters: BTreeMap<_, _> = (0..20).map(doubling).collect();
        filters.insert(name(20), "x".to_owned());
        let error = Saved::new(filters).unwrap_err().to_string();
        assert!(error.contains("conditions"), "{error}");
        let mut filters: BTreeMap<_, _> = (0..40).map(|n| (name(n), format!("@{}", name(n + 1)))).collect();
        filters.insert(name(40), "x".to_owned());
        let error = Saved::new(filters).unwrap_err().to_string();
        assert!(error.contains("too many brackets"), "{error}");
    }
}
