//! The data files are whole, and hold what was published.

use std::collections::BTreeSet;

use super::*;
use crate::rules;

#[test]
fn every_file_is_read_and_every_word_in_it_means_something() {
    for (name, text) in FILES {
        let entries = entry::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!entries.is_empty(), "{name}");
    }
    let mut ids = BTreeSet::new();
    for entry in Knowledge::built_in().entries() {
        let about = &entry.id;
        assert!(ids.insert(about.clone()), "{about} is there twice");
        assert!(about.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{about}");
        assert!(!entry.codes.is_empty() || !entry.names.is_empty(), "{about}: nothing leads to it");
        assert!(!entry.sources.is_empty() && entry.meaning.ends_with('.'), "{about}");
        for rule in &entry.rules {
            assert!(rules::by_id(rule).is_some(), "{about}: there is no rule {rule}");
        }
        for cause in &entry.causes {
            assert!(cause.cause.ends_with('.') && cause.remedy.ends_with(['.', '?']), "{about}: {cause:?}");
            if let Some(id) = &cause.id {
                assert!(ids.insert(format!("{id} (cause)")), "{about}: {id} is there twice");
            }
        }
    }
}

#[test]
fn a_code_of_enrollment_has_causes_and_one_entry() {
    let knowledge = Knowledge::built_in();
    for entry in knowledge.entries().iter().filter(|entry| entry.platform == Platform::Windows) {
        assert!(!entry.causes.is_empty() || entry.id == "suspended", "{}: no cause", entry.id);
        for code in &entry.codes {
            let windows = |entry: &&Entry| entry.platform == Platform::Windows;
            assert_eq!(knowledge.by_code(code.0).filter(windows).count(), 1, "0x{:08X}", code.0);
        }
    }
}

/// The list is of what was published: documents of Microsoft on enrollment errors of all platforms, mdmregistration.h,
/// and reports from the field.
#[test]
fn every_published_code_and_name_is_known() {
    let knowledge = Knowledge::built_in();
    let missing: Vec<_> = include_str!("../../../tests/data/known-errors.txt")
        .lines()
        .filter(|line| match line.strip_prefix("0x") {
            Some(digits) => knowledge.by_code(u32::from_str_radix(digits, 16).unwrap()).next().is_none(),
            None => knowledge.by_name(line).next().is_none(),
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn entries_of_users_come_first_and_a_slip_in_them_is_told_with_its_place() {
    let own = r#"
[[entry]]
id = "our-limit"
codes = ["0x80180013"]
names = ["OurLimit"]
platform = "windows"
stage = "certificate"
raised_by = "server"
meaning = "Ask the help desk."
wire = "As ever."
owner = "identity"
sources = ["intranet"]
"#;
    let knowledge = Knowledge::with(own).unwrap();
    let ids: Vec<_> = knowledge.by_code(0x8018_0013).map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["our-limit", "device-cap"]);
    for (from, to, words) in [
        ("\"windows\"", "\"dos\"", "line 6"),
        ("0x80180013", "80180013", "no code"),
        ("\"identity\"", "\"somebody\"", "nobody is called"),
        ("wire =", "wires =", "unknown field"),
        ("[[entry]]", "[entry", "line 2"),
    ] {
        let error = Knowledge::with(&own.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}
