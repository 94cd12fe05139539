//! Captures that are cut, overwritten and mixed up, plain and packed: what is whole is read and repaired, what is not
//! is told, and nothing is made up.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::captures::{events, origin};
use super::*;
use crate::capture::encode;
use crate::capture::samples::{START, exchange};
use crate::sink::{CaptureError, CaptureFile, read, repair};

const RECORDS: u64 = 8;

/// A capture, and where its lines are; the first is the header.
fn sample() -> (Vec<u8>, Vec<Range<usize>>) {
    static SAMPLE: LazyLock<(Vec<u8>, Vec<Range<usize>>)> = LazyLock::new(written);
    SAMPLE.clone()
}

fn written() -> (Vec<u8>, Vec<Range<usize>>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let mut file = CaptureFile::open(&path, &origin(), START).unwrap();
    for seq in 1..=RECORDS {
        let mut line = Vec::new();
        let mut exchange = exchange(seq);
        exchange.seq = seq;
        encode::exchange(&mut line, &exchange);
        file.append(&line).unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    let mut at = 0;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
        at += line.len();
        at - line.len()..at
    });
    let lines = lines.collect();
    (bytes, lines)
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

/// What can happen to a file.
#[derive(Clone, Debug)]
enum Harm {
    Cut,
    Overwritten(Vec<u8>),
    Inserted(Vec<u8>),
    Missing(usize),
    /// A stretch that is there twice, as after a sector was written to the wrong place.
    Twice(usize),
    Zeros(usize),
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..40);
    prop_oneof![
        Just(Harm::Cut),
        bytes().prop_map(Harm::Overwritten),
        bytes().prop_map(Harm::Inserted),
        Just(Harm::Inserted(b"\n".to_vec())),
        (1_usize..3000).prop_map(Harm::Missing),
        (1_usize..3000).prop_map(Harm::Twice),
        (1_usize..3000).prop_map(Harm::Zeros),
    ]
}

/// The harmed file, and what of the old one is not in it.
fn harmed(good: &[u8], at: usize, harm: &Harm) -> (Vec<u8>, Range<usize>) {
    let end = |length: usize| (at + length).min(good.len());
    let with = |instead: &[u8], until: usize| ([&good[..at], instead, &good[until..]].concat(), at..until);
    match harm {
        Harm::Cut => with(b"", good.len()),
        Harm::Overwritten(bytes) => with(bytes, end(bytes.len())),
        Harm::Inserted(bytes) => with(bytes, at),
        Harm::Missing(length) => with(b"", end(*length)),
        Harm::Twice(length) => with(&good[at..end(*length)], at),
        Harm::Zeros(length) => with(&vec![0; *length], end(*length)),
    }
}

/// What a file holds: the sound records' lines, and whether anything was told as damaged.
fn found(path: &Path) -> Result<(Vec<u64>, bool), CaptureError> {
    let (mut seqs, mut damaged) = (Vec::new(), false);
    for item in read(path)? {
        match item.unwrap() {
            Item::Record(recorded) if recorded.seal == Seal::Intact => {
                let read = match recorded.record {
                    Record::Exchange(read) => read,
                    // A header that is there twice.
                    Record::Session(_) => continue,
                    other => panic!("nobody wrote {other:?}"),
                };
                // It is one of those that were written, to the last byte.
                let mut original = exchange(read.seq);
                original.seq = read.seq;
                assert_eq!(*read, original);
                seqs.push(read.seq);
            }
            // An edit that still parses is marked.
            Item::Record(_) | Item::Damage(_) => damaged = true,
        }
    }
    Ok((seqs, damaged))
}

/// Reads and repairs a file; both find the same, and a repaired one has no damage left.
fn check(name: &str, bytes: &[u8]) -> Option<(Vec<u64>, bool)> {
    let dir = tempfile::tempdir().unwrap();
    let (path, output) = (dir.path().join(name), dir.path().join("r.jsonl"));
    fs::write(&path, bytes).unwrap();
    let seen = found(&path);
    let repaired = repair(&path, &output);
    assert_eq!(fs::read(&path).unwrap(), bytes, "the input is only read");
    let Ok((seqs, damaged)) = seen else {
        assert!(repaired.is_err() && !output.exists(), "{repaired:?}");
        return None;
    };
    let repaired = repaired.unwrap();
    assert_eq!(damaged, !repaired.lost.is_empty() || repaired.altered > 0, "{repaired:?}");
    let mut all_read = 0;
    for item in read(&output).unwrap() {
        assert!(matches!(item.unwrap(), Item::Record(_)), "the repaired capture is sound");
        all_read += 1;
    }
    assert_eq!(all_read, repaired.records);
    assert_eq!(found(&output).unwrap().0, seqs);
    // Whoever plays it gets no further either.
    events(&path);
    Some((seqs, damaged))
}

/// Those of the lines that no harm has touched; a newline that is gone glues two records, which are told apart again.
fn untouched(lines: &[Range<usize>], gone: &Range<usize>) -> BTreeSet<u64> {
    let whole = |line: &Range<usize>| line.end - 1 <= gone.start || gone.end <= line.start;
    (1..).zip(&lines[1..]).filter(|(_, line)| whole(line)).map(|(seq, _)| seq).collect()
}

proptest! {
    #[test]
    fn every_untouched_record_of_a_harmed_capture_is_read_and_repaired(at in 0.0..1.0, harm in any_harm()) {
        let (good, lines) = sample();
        let at = (good.len() as f64 * at) as usize;
        let (bytes, gone) = harmed(&good, at, &harm);
        let whole = untouched(&lines, &gone);
        match check("a.jsonl", &bytes) {
            Some((seqs, damaged)) => {
                let seqs: BTreeSet<_> = seqs.into_iter().collect();
                prop_assert!(seqs.is_superset(&whole), "{seqs:?} of {whole:?}");
                let lost = seqs.len() < RECORDS as usize;
                prop_assert!(damaged || !lost || is_whole_lines(&bytes, &good, &lines), "{seqs:?}, and not a word");
            }
            // Nothing is left that proves it to be a capture.
            None => prop_assert!(whole.is_empty() || gone.start < lines[0].end, "{whole:?}"),
        }
    }

    #[test]
    fn of_a_harmed_packed_capture_everything_before_the_harm_is_read(
        at in 0.0..1.0,
        harm in any_harm(),
        first in 0..RECORDS as usize,
        second in 0..RECORDS as usize,
    ) {
        // Several members, as of segments that were joined.
        let (good, lines) = sample();
        let cuts = [0, lines[first.min(second)].end, lines[first.max(second)].end, good.len()];
        let members: Vec<_> = cuts.windows(2).map(|cut| packed(&good[cut[0]..cut[1]])).collect();
        let whole: Vec<u8> = members.concat();
        let at = (whole.len() as f64 * at) as usize;
        let (bytes, _) = harmed(&whole, at, &harm);
        // Members that end before the harm are whole.
        let sound = members.iter().scan(0, |end, member| { *end += member.len(); Some(*end) }).filter(|end| *end <= at).count();
        let before = lines.iter().skip(1).filter(|line| line.end <= cuts[sound]).count() as u64;
        if let Some((seqs, _)) = check("a.jsonl.gz", &bytes) {
            let seqs: BTreeSet<_> = seqs.into_iter().collect();
            prop_assert!(seqs.is_superset(&(1..=before).collect()), "{seqs:?}, and {before} before the harm");
        } else {
            prop_assert_eq!(before, 0);
        }
    }

    #[test]
    fn garbage_behind_a_capture_is_told_and_costs_nothing(
        garbage in proptest::collection::vec(any::<u8>(), 1..200),
        gz in any::<bool>(),
    ) {
        let (good, _) = sample();
        let (name, good) = if gz { ("a.jsonl.gz", packed(&good)) } else { ("a.jsonl", good) };
        let (seqs, damaged) = check(name, &[&good, &garbage[..]].concat()).unwrap();
        prop_assert_eq!(seqs, (1..=RECORDS).collect::<Vec<_>>());
        prop_assert!(damaged || garbage.iter().all(u8::is_ascii_whitespace) || garbage.iter().all(|b| *b == 0));
    }
}

/// What is left are whole lines, one behind the other: a capture like any other.
fn is_whole_lines(bytes: &[u8], good: &[u8], lines: &[Range<usize>]) -> bool {
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\n').collect();
    let mut rest = &text[..];
    while !rest.is_empty() {
        let Some(more) = lines.iter().find_map(|line| rest.strip_prefix(&good[line.start..line.end - 1]))
        else {
            return false;
        };
        rest = more;
    }
    true
}

#[test]
fn headers_that_are_there_twice_newer_or_missing_are_told() {
    let (good, lines) = sample();
    let header = &good[lines[0].clone()];
    // Joined captures: the second header begins a session.
    let twice = [&good, header, &good[lines[1].clone()]].concat();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("twice.jsonl");
    fs::write(&path, &twice).unwrap();
    let records: Vec<_> = read(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(records.len() as u64, RECORDS + 2);
    assert!(matches!(&records[RECORDS as usize], Item::Record(r) if matches!(r.record, Record::Session(_))));
    let repaired = repair(&path, &dir.path().join("r.jsonl")).unwrap();
    assert_eq!((repaired.records, repaired.lost.len()), (RECORDS + 2, 0));

    let newer = String::from_utf8(good.clone()).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    for (bytes, expected) in [
        (newer.as_bytes(), "version 2"),
        (&b""[..], "empty"),
        (&packed(b"")[..], "empty"),
        (&packed(newer.as_bytes())[..], "version 2"),
        (&b"{}\n{}\n"[..], "not a capture"),
    ] {
        fs::write(&path, bytes).unwrap();
        let output = dir.path().join("none.jsonl");
        for error in [read(&path).map(drop).unwrap_err(), repair(&path, &output).map(drop).unwrap_err()] {
            let told = format!("{:#}", anyhow::Error::from(error));
            assert!(told.contains(expected), "{told}");
        }
        assert!(!output.exists());
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_header_that_has_run_into_a_record_is_damage() {
    let (good, lines) = sample();
    // From the middle of the header to the middle of the second record, so that what is left is JSON by chance.
    let from = good.windows(7).position(|at| at == b"secrets").unwrap() + 7;
    let until = lines[2].start + good[lines[2].clone()].windows(4).position(|at| at == b"2026").unwrap();
    let (seqs, damaged) = check("a.jsonl", &[&good[..from], &good[until..]].concat()).unwrap();
    assert_eq!((seqs, damaged), ((3..=RECORDS).collect(), true));
}
