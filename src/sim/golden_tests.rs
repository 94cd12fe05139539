//! What the goldens promise to the rules' tests.

use std::fs;
use std::path::Path;

use super::*;
use crate::rules::all;
use crate::sim::classics;

/// The committed file holds exactly these events. `UPDATE=1` writes it anew.
fn check(path: &str, events: &[Event]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(path);
    let made = capture(events);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
        return;
    }
    let committed = fs::read(&path).unwrap_or_default();
    assert!(committed == made, "{} is not what is made now: run with UPDATE=1", path.display());
}

#[test]
fn the_committed_goldens_are_what_is_made_now() {
    for golden in Golden::ALL {
        check(&format!("golden/{}.jsonl", golden.word()), &of(*golden));
    }
}

#[test]
fn the_committed_classics_are_what_is_made_now() {
    for (name, events) in classics::all() {
        check(&format!("demo/{name}.jsonl"), &events);
    }
}

#[test]
fn a_committed_golden_reads_back_as_its_events() {
    let events = on_premise(SEED);
    let bytes = capture(&events);
    let reader = crate::capture::Reader::new(bytes.as_slice()).unwrap();
    let read: Vec<_> = reader
        .filter_map(|item| match item.unwrap() {
            crate::capture::Item::Record(recorded) => recorded.record.into_event(),
            crate::capture::Item::Damage(damage) => panic!("{damage:?}"),
        })
        .collect();
    assert!(read == events);
}

#[test]
fn every_example_of_every_rule_changes_its_golden() {
    let mut missed = Vec::new();
    for rule in all() {
        for (index, example) in rule.examples.iter().enumerate() {
            let edited = with_edit(example.golden, &example.edit);
            if edited.is_none_or(|events| events == of(example.golden)) {
                missed.push(format!("{} example {index}: {:?}", rule.id, example.edit));
            }
        }
    }
    assert_eq!(missed, Vec::<String>::new());
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_seed_others() {
    assert_eq!(on_premise(7), on_premise(7));
    assert_ne!(on_premise(7), on_premise(8));
}
