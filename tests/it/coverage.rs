//! Every fact that was gathered is a rule, is held by a test of ours, or says why it is not checked.

use std::collections::BTreeSet;

use enrollscope::rules;

/// How many facts the catalogues hold: none gets lost.
const FACTS: usize = 602;

#[test]
fn every_fact_is_a_rule_or_ours_or_says_why_not() {
    let table = include_str!("../../src/rules/coverage.tsv");
    let (mut facts, mut unchecked) = (BTreeSet::new(), 0);
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').collect();
        assert!(facts.insert(columns[0]), "{} is there twice", columns[0]);
        match columns[1..] {
            ["rule", ids] => {
                assert!(!ids.is_empty(), "{line}");
                let unknown: Vec<_> = ids.split(' ').filter(|id| rules::by_id(id).is_none()).collect();
                assert!(unknown.is_empty(), "{}: no such rules: {unknown:?}", columns[0]);
            }
            ["ours", test] => assert!(is_test(test), "{}: no such test: {test}", columns[0]),
            ["unchecked", reason] => {
                assert!(
                    reason.len() > 20 && reason.ends_with('.'),
                    "{}: a whole sentence: {reason}",
                    columns[0]
                );
                unchecked += 1;
            }
            _ => panic!("{line}: FACT, rule|ours|unchecked, and what"),
        }
    }
    assert_eq!(facts.len(), FACTS);
    assert!(unchecked * 6 <= FACTS, "{unchecked} of {FACTS} are not checked");
}

/// `tests/it/redaction.rs::name` or `src/…/tests.rs::name`.
fn is_test(named: &str) -> bool {
    let Some((file, name)) = named.split_once("::") else { return false };
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {name}(")))
}
