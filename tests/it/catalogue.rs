//! What must hold for every rule, now and for the next one.

use std::collections::BTreeSet;

use enrollscope::commands::play;
use enrollscope::engine::{Engine, Observation};
use enrollscope::enrollment::Deadlines;
use enrollscope::event::Event;
use enrollscope::report::catalogue;
use enrollscope::rules::{self, Edit, Force, Golden, Level, Profile};
use enrollscope::sim::golden;

pub(crate) fn observe(events: Vec<Event>) -> Vec<Observation> {
    let mut engine = Engine::new(Profile::Strict, Deadlines::default());
    events.into_iter().map(|event| engine.observe(event)).collect()
}

fn failing(seen: &[Observation]) -> BTreeSet<&'static str> {
    seen.iter().flat_map(|o| &o.findings).map(|f| f.rule.id).collect()
}

/// What a golden is allowed to break: the declined enrollment is declined.
fn expected(golden: Golden) -> BTreeSet<&'static str> {
    match golden {
        Golden::Refused | Golden::Denied => BTreeSet::from(["FAULT-011"]),
        Golden::OnPremise
        | Golden::FullPolicy
        | Golden::DeviceContext
        | Golden::Federated
        | Golden::Attestation
        | Golden::Entra
        | Golden::Certificate
        | Golden::Renewal => BTreeSet::new(),
    }
}

#[test]
fn the_goldens_pass_every_rule_and_every_rule_passes_somewhere() {
    let mut passed = BTreeSet::new();
    for golden in Golden::ALL {
        let seen = observe(golden::of(*golden));
        assert_eq!(failing(&seen), expected(*golden), "{golden:?}");
        passed.extend(seen.iter().flat_map(|o| &o.passed).map(|rule| rule.id));
    }
    let silent: Vec<_> = rules::all().map(|r| r.id).filter(|id| !passed.contains(id)).collect();
    assert_eq!(silent, Vec::<&str>::new(), "these only skip, which proves nothing");
}

#[test]
fn every_rule_fails_on_its_examples_and_no_other_does() {
    let mut wrong = Vec::new();
    for rule in rules::all() {
        assert!(!rule.examples.is_empty(), "{} has no example", rule.id);
        for example in rule.examples {
            assert!(example.also.len() <= 2, "{}: at most two others may fail, too", rule.id);
            let Some(edited) = golden::with_edit(example.golden, &example.edit) else {
                wrong.push(format!("{}: {:?} hits nothing", rule.id, example.edit));
                continue;
            };
            let mut wanted: BTreeSet<_> = example.also.iter().copied().chain([rule.id]).collect();
            wanted.extend(expected(example.golden));
            let found = failing(&observe(edited));
            if found != wanted {
                wrong.push(format!("{}: {found:?}, not {wanted:?} for {:?}", rule.id, example.edit));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn metadata_is_complete_and_consistent() {
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    let known: BTreeSet<_> = rules::all().map(|r| r.id).collect();
    for rule in rules::all() {
        assert!(ids.insert(rule.id) && names.insert(rule.name), "{} or {} is used twice", rule.id, rule.name);
        let kebab = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
        assert!(rule.name.bytes().all(kebab), "{}: {}", rule.id, rule.name);
        for text in [rule.requirement, rule.consequence, rule.remedy] {
            assert!(
                text.ends_with('.') && text.len() < 200 && !text.contains(". "),
                "{}: one sentence: {text}",
                rule.id
            );
        }
        assert!(!rule.cites.is_empty() && rule.cites.iter().all(|c| !c.quote.is_empty()), "{}", rule.id);
        if rule.severity.strict == Level::Error {
            assert!(
                rule.cites.iter().any(|c| c.force != Force::Should),
                "{}: an error rests on more",
                rule.id
            );
        }
        if rule.severity.field == Level::Error {
            let rests = rule.hresult.is_some()
                || rule.cites.iter().any(|c| c.force == Force::Observed)
                || rule.cites.iter().any(|c| c.force == Force::Must);
            assert!(rests, "{}: an error under `field` rests on observed behaviour or a code", rule.id);
        }
        for other in rule.needs.iter().chain(rule.examples.iter().flat_map(|e| e.also)) {
            assert!(known.contains(other), "{}: {other} does not exist", rule.id);
        }
    }
    assert!(known.len() >= 60);
}

/// Once published, an id stays: captures, baselines and people's notes name it.
#[test]
fn published_ids_stay() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rule-ids.txt");
    let known: BTreeSet<_> = rules::all().map(|r| r.id).collect();
    if std::env::var_os("UPDATE").is_some() {
        let old = std::fs::read_to_string(path).unwrap_or_default();
        let all: BTreeSet<&str> = old.lines().chain(known.iter().copied()).collect();
        std::fs::write(path, all.into_iter().map(|id| format!("{id}\n")).collect::<String>()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    let published: BTreeSet<_> = published.lines().collect();
    assert!(published.is_subset(&known), "gone: {:?}", published.difference(&known));
    assert!(known.is_subset(&published), "new ids join the list: UPDATE=1 cargo test");
}

#[test]
fn rules_md_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules/RULES.md");
    let wanted = catalogue::markdown(&play);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap_or_default() == wanted, "stale: UPDATE=1 cargo test");
}

/// What is not a message has nothing to compare; of the others the place that breaks the rule is seen.
#[test]
fn every_rule_shows_what_its_example_changes() {
    let text = include_str!("../../src/rules/RULES.md");
    for rule in rules::all() {
        let section = text.split("\n#### ").find(|section| section.starts_with(&format!("{} `", rule.id)));
        let section = section.unwrap_or_else(|| panic!("{} is not in RULES.md", rule.id));
        let changed = ["```diff\n@@ ", "` becomes `", "` is added", "the body is missing"];
        let shown = changed.iter().any(|words| section.contains(words));
        let message = matches!(rule.examples[0].edit, Edit::Message { .. } | Edit::Several(_));
        assert_eq!(shown, message, "{}: {section}", rule.id);
    }
}
