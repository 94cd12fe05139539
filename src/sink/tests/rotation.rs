//! Captures that go on in new files: written, packed, kept, and read as one.

use std::path::PathBuf;
use std::slice;
use std::time::Duration;

use super::captures::origin;
use super::recorder::{Bench, Plan};
use super::*;
use crate::capture::samples::{START, exchange};
use crate::sink::{CaptureFile, Filed, Next, Playing, Rotation, Segments, group, read_at, repair};

/// A bench that records to `c.jsonl` there, in files of three exchanges or so.
fn rotating(directory: &Path, rotation: Rotation) -> Bench {
    let file = CaptureFile::open(&directory.join("c.jsonl"), &origin(), START).unwrap();
    let file = file.rotating(rotation).unwrap();
    Bench::new(Some(file), Plan { feed: 3_000, ..Plan::default() })
}

/// One exchange, and what the writer does between two.
fn record(bench: &mut Bench, n: u64) {
    assert_eq!(bench.send(exchange(n)).try_recv(), Ok(Filed::Written));
    bench.pass(10);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn seqs(files: &[PathBuf]) -> Vec<String> {
    let playing = Playing::open(&group(files)).unwrap();
    let seq = |played: Played| match played {
        Played::Event { event: Event::Exchange(exchange), .. } => Some(exchange.seq.to_string()),
        Played::Event { event: Event::Gap { lost, .. }, .. } => Some(format!("gap {lost}")),
        Played::Event { .. } | Played::Closed(_) => None,
        Played::Damage(damage) => Some(damage.what),
    };
    playing.filter_map(|played| seq(played.unwrap())).collect()
}

#[test]
fn a_capture_goes_on_in_new_files_and_is_read_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let rotation = Rotation { size: Some(1_700), ..Rotation::default() };
    let segments = Segments::Growing(dir.path().join("c.jsonl"));
    let mut bench = rotating(dir.path(), rotation);
    let mut read = 0;
    for n in 0..20 {
        record(&mut bench, n);
    }
    while let Next::Event { event, place } = bench.feed.recv(Duration::ZERO) {
        if let Some(place) = place {
            // Wherever the record is by now, packed or not.
            assert_eq!(read_at(&segments, place).unwrap().into_event(), Some(event));
            read += 1;
        }
    }
    assert_eq!(read, 20);
    bench.close();
    // A later run goes on with the numbers.
    let mut bench = rotating(dir.path(), rotation);
    record(&mut bench, 20);
    bench.close();
    let found = files(dir.path());
    assert!(found.len() > 3, "{found:?}");
    assert!(
        found.iter().rev().skip(1).all(|file| file.to_string_lossy().ends_with(".jsonl.gz")),
        "{found:?}"
    );
    let expected: Vec<_> = (1..=21).map(|seq: u64| seq.to_string()).collect();
    assert_eq!(seqs(&found), expected);
    // A file that is missing is a gap; so is not one that was not asked for.
    assert_eq!(seqs(&[&found[..1], &found[2..]].concat())[3..4], ["gap 3"]);
    assert_eq!(seqs(&found[1..]), expected[3..]);
}

#[test]
fn what_is_kept_is_the_newest_and_always_the_open_one() {
    for (rotation, expected) in [
        (
            Rotation { keep: Some(2), ..Rotation::default() },
            &["c.0005.jsonl.gz", "c.0006.jsonl.gz", "c.jsonl"][..],
        ),
        (Rotation { keep_bytes: Some(0), ..Rotation::default() }, &["c.jsonl"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = rotating(dir.path(), Rotation { size: Some(1_700), ..rotation });
        for n in 0..19 {
            record(&mut bench, n);
        }
        bench.close();
        // Whatever the packer had not come to, the next run does.
        rotating(dir.path(), Rotation { size: Some(1 << 30), ..rotation }).close();
        let names: Vec<_> = files(dir.path())
            .iter()
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn time_makes_new_files_too_but_no_empty_ones() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = rotating(dir.path(), Rotation { every: Some(60_000), ..Rotation::default() });
    bench.pass(3_600_000);
    bench.pass(3_600_000);
    assert_eq!(files(dir.path()).len(), 1);
    record(&mut bench, 0);
    record(&mut bench, 1);
    bench.close();
    let found = files(dir.path());
    assert_eq!(found.len(), 2);
    assert_eq!(seqs(&found), ["1", "2"]);
}

#[test]
fn a_capture_is_followed_beside_a_file_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("c.0001.jsonl"), "what is left of another run").unwrap();
    let mut bench = rotating(dir.path(), Rotation { size: Some(1_700), ..Rotation::default() });
    record(&mut bench, 0);
    let playing = Playing::open(&[vec![dir.path().join("c.jsonl")]]).unwrap();
    let seen = std::thread::spawn(move || {
        let seq = |played: io::Result<Played>| match played.unwrap() {
            Played::Event { event: Event::Exchange(exchange), .. } => Some(exchange.seq),
            Played::Event { .. } | Played::Closed(_) | Played::Damage(_) => None,
        };
        playing.filter_map(seq).collect::<Vec<_>>()
    });
    for n in 1..9 {
        record(&mut bench, n);
    }
    bench.close();
    assert_eq!(seen.join().unwrap(), (1..=9).collect::<Vec<_>>());
}

#[test]
fn a_capture_is_followed_while_it_is_recorded_from_file_to_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = rotating(dir.path(), Rotation { size: Some(1_700), ..Rotation::default() });
    record(&mut bench, 0);
    let path = dir.path().join("c.jsonl");
    let playing = Playing::open(&[vec![path]]).unwrap();
    assert!(playing.is_growing());
    let segments = playing.segments();
    let seen = std::thread::spawn(move || {
        let place = |played: io::Result<Played>| match played.unwrap() {
            Played::Event { event: Event::Exchange(exchange), place, .. } => {
                Some((exchange.seq, place.unwrap()))
            }
            Played::Event { .. } | Played::Closed(_) | Played::Damage(_) => None,
        };
        playing.filter_map(place).collect::<Vec<_>>()
    });
    for n in 1..9 {
        record(&mut bench, n);
    }
    bench.close();
    let seen = seen.join().unwrap();
    assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    // All have other names by now than those under which they were read.
    for (seq, place) in seen {
        let Record::Exchange(exchange) = read_at(&segments, place).unwrap() else {
            panic!("no exchange {seq}")
        };
        assert_eq!(exchange.seq, seq);
    }
}

#[test]
fn a_packed_file_that_breaks_off_is_read_up_to_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = rotating(dir.path(), Rotation { size: Some(30_000), ..Rotation::default() });
    for n in 0..60 {
        record(&mut bench, n);
    }
    bench.close();
    let packed = files(dir.path()).remove(0);
    let bytes = std::fs::read(&packed).unwrap();
    std::fs::write(&packed, &bytes[..bytes.len() / 2]).unwrap();
    let mut found = seqs(slice::from_ref(&packed));
    assert!(found.pop().unwrap().contains("cannot be unpacked"));
    assert!(found.len() > 1, "{found:?}");
    let repaired = repair(&packed, &dir.path().join("r.jsonl")).unwrap();
    assert_eq!((repaired.records, repaired.lost.len()), (found.len() as u64, 1));
}

#[test]
fn how_far_captures_are_read_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = rotating(dir.path(), Rotation { size: Some(1_700), ..Rotation::default() });
    (0..20).for_each(|n| record(&mut bench, n));
    drop(bench);
    let mut playing = Playing::ended(&group(&files(dir.path()))).unwrap();
    let progress = playing.progress();
    let begun = progress.percent();
    assert!(begun < 50, "{begun}");
    let seen: Vec<_> = playing.by_ref().map(|_| progress.percent()).collect();
    assert!(seen.is_sorted() && seen.last() == Some(&100), "{seen:?}");
}
