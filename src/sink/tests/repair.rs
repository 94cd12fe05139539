//! Damaged captures made sound beside themselves.

use std::fs;

use super::captures::{items, origin, told};
use super::*;
use crate::capture::encode;
use crate::capture::samples::{START, exchange};
use crate::sink::{CaptureError, CaptureFile, repair, repaired_name};

fn sample(path: &Path) -> Vec<u8> {
    let mut file = CaptureFile::open(path, &origin(), START).unwrap();
    for seq in 1..5 {
        let mut line = Vec::new();
        let mut exchange = exchange(seq);
        exchange.seq = seq;
        encode::exchange(&mut line, &exchange);
        file.append(&line).unwrap();
    }
    fs::read(path).unwrap()
}

/// Damages the sample and checks what a repair keeps of it.
fn check(damage: impl FnOnce(String) -> String, kept: &[&str], lost: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let damaged = damage(String::from_utf8(sample(&path)).unwrap());
    fs::write(&path, &damaged).unwrap();
    let output = repaired_name(&path);
    assert_eq!(output, dir.path().join("a.repaired.jsonl"));
    let repaired = repair(&path, &output).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged, "the input is only read");

    let bytes = fs::read(&output).unwrap();
    assert_eq!(told(&bytes), kept);
    assert!(items(&bytes).iter().all(|i| matches!(i, Item::Record(_))), "the output is sound");
    assert_eq!(repaired.records, items(&bytes).len() as u64);
    let taken = repaired.lost.iter().map(|d| &damaged[d.place.offset as usize..][..d.place.length as usize]);
    assert_eq!(taken.collect::<Vec<_>>(), lost);
    String::from_utf8(bytes).unwrap()
}

const ALL: &[&str] = &["exchange 1", "exchange 2", "exchange 3", "exchange 4"];

#[test]
fn a_sound_capture_stays_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let sound = sample(&dir.path().join("a.jsonl"));
    assert_eq!(check(|text| text, ALL, &[]).as_bytes(), sound);
}

#[test]
fn what_is_readable_is_kept_and_what_is_not_is_listed() {
    check(|text| text + "{\"kind\":\"exch", ALL, &["{\"kind\":\"exch"]);
    check(|text| text.replacen("\n", "\nnoise\n\n", 2), ALL, &["noise\n", "noise\n"]);
    check(|text| text.replace("}\n{\"kind\"", "}##{\"kind\""), ALL, &["##", "##", "##", "##"]);
    let header = "{\"enrollscope\":\"capture\",\"version\":1,";
    let cut_off = |text: String| "{\"enr##\n".to_owned() + text.split_once('\n').unwrap().1;
    let bytes = check(cut_off, ALL, &["{\"enr##\n"]);
    assert!(bytes.starts_with(header), "{bytes}");
}

#[test]
fn an_altered_line_and_what_is_unknown_are_copied_as_they_are() {
    let edit = |text: String| text.replace("\"seq\":3,", "\"seq\":3,\"later\":[1, 2],");
    let bytes = check(edit, &["exchange 1", "exchange 2", "exchange 4"], &[]);
    assert!(bytes.contains("\"later\":[1, 2],"), "{bytes}");
}

#[test]
fn nothing_is_overwritten_and_nothing_else_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    sample(&path);
    assert!(matches!(repair(&path, &path), Err(CaptureError::Create { .. })));
    let other = dir.path().join("other");
    fs::write(&other, "dear diary\n").unwrap();
    let output = dir.path().join("output");
    assert!(matches!(repair(&other, &output), Err(CaptureError::Read { .. })));
    assert!(!output.exists());
}
