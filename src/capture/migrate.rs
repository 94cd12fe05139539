//! Lines of older versions, brought to the present one step by step.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Turns a record of one version into one of the next.
type Step = fn(&mut Map<String, Value>);

/// The first step leads from version 1 to 2, and so on: with version 1 the newest, there is none.
const STEPS: &[Step] = &[];

/// A line as the present version would have it. What does not parse is left for the reader to say so.
pub(super) fn line(version: u64, line: &[u8]) -> Cow<'_, [u8]> {
    steps(STEPS, version, line)
}

fn steps<'a>(all: &[Step], version: u64, line: &'a [u8]) -> Cow<'a, [u8]> {
    let done = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
    let due = all.get(done..).unwrap_or_default();
    if due.is_empty() {
        return Cow::Borrowed(line);
    }
    let Ok(mut members) = serde_json::from_slice::<Map<String, Value>>(line) else {
        return Cow::Borrowed(line);
    };
    for step in due {
        step(&mut members);
    }
    serde_json::to_vec(&members).map_or(Cow::Borrowed(line), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &[Step] = &[
        |members| drop(members.insert("two".to_owned(), Value::from(2))),
        |members| drop(members.insert("three".to_owned(), Value::from(3))),
    ];

    fn check(version: u64, before: &str, after: &str) {
        assert_eq!(steps(CHAIN, version, before.as_bytes()), after.as_bytes(), "{version}");
    }

    #[test]
    fn a_line_takes_the_steps_that_it_has_not_taken() {
        check(1, r#"{"a":1}"#, r#"{"a":1,"two":2,"three":3}"#);
        check(2, r#"{"a":1}"#, r#"{"a":1,"three":3}"#);
        check(3, r#"{"a":1}"#, r#"{"a":1}"#);
        check(1, "{", "{");
    }

    #[test]
    fn there_is_a_step_from_each_older_version() {
        assert_eq!(STEPS.len() as u64 + 1, crate::capture::VERSION);
    }
}
