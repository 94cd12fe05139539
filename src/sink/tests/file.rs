//! Captures begun, continued and refused on a real file system, and broken writes on one that is not.

use std::fs;
use std::path::PathBuf;

use super::captures::{items, origin, records, told};
use super::*;
use crate::capture::samples::{START, exchange};
use crate::capture::{Place, encode};
use crate::sink::{CaptureError, CaptureFile, default_places, read};

fn line(seq: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut exchange = exchange(seq);
    exchange.seq = seq;
    encode::exchange(&mut out, &exchange);
    out
}

fn sample(path: &Path, last: u64) {
    let mut file = CaptureFile::open(path, &origin(), START).unwrap();
    for seq in 1..=last {
        file.append(&line(seq)).unwrap();
    }
}

#[test]
fn a_directory_gets_a_file_named_by_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..3)
        .map(|_| {
            let file = CaptureFile::open(dir.path(), &origin(), START).unwrap();
            file.path().file_name().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    let expected =
        ["2026-11-20T21-16-29Z.jsonl", "2026-11-20T21-16-29Z-2.jsonl", "2026-11-20T21-16-29Z-3.jsonl"];
    assert_eq!(names, expected);
}

#[test]
fn a_name_with_a_separator_at_its_end_is_a_directory_to_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = PathBuf::from(format!("{}/new/", dir.path().display()));
    let file = CaptureFile::open(&path, &origin(), START).unwrap();
    assert_eq!(file.path().parent().unwrap(), dir.path().join("new"));
}

#[cfg(unix)]
#[test]
fn a_capture_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    sample(&path, 1);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_capture_that_was_cut_anywhere_is_continued() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    sample(&path, 2);
    let whole = fs::read(&path).unwrap();
    let header = whole.iter().position(|b| *b == b'\n').unwrap();
    for cut in header..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let before = records(&whole[..cut]).len();
        let mut file = CaptureFile::open(&path, &origin(), START).unwrap();
        assert_eq!(file.last_seq(), before as u64, "cut at {cut}");
        let Place { offset, length, .. } = file.append(&line(before as u64 + 1)).unwrap();
        let lost = file.session().unwrap().cut;
        drop(file);

        let bytes = fs::read(&path).unwrap();
        assert_eq!(&bytes[offset as usize..][..length as usize], line(before as u64 + 1), "cut at {cut}");
        let mut expected: Vec<_> = (1..=before).map(|n| format!("exchange {n}")).collect();
        expected.push(format!("session, cut {lost}"));
        expected.push(format!("exchange {}", before + 1));
        assert_eq!(told(&bytes), expected, "cut at {cut}");
        // Nothing but whole records is left: what was cut off was the unfinished one, all of it.
        assert_eq!(items(&bytes).len(), expected.len(), "cut at {cut}");
        let kept: usize = header + 1 + (1..=before).map(|n| line(n as u64).len()).sum::<usize>();
        assert_eq!(lost as usize, cut.saturating_sub(kept), "cut at {cut}");
    }
}

#[test]
fn numbers_go_on_after_the_largest_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    sample(&path, 12);
    let text = fs::read_to_string(&path).unwrap();
    // Edited by a person, damaged by chance: what is readable counts, what is not does not.
    let text = text.replace("{\"kind\":\"exchange\",\"seq\":12,", "{ \"kind\": \"exchange\", \"seq\": 40,");
    let text = text.replace("{\"kind\":\"exchange\",\"seq\":5,", "{\"kind\":\"exchange\",\"seq\":555555,,");
    fs::write(&path, text).unwrap();
    assert_eq!(CaptureFile::open(&path, &origin(), START).unwrap().last_seq(), 40);
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let cases: [(&[u8], &str); 5] = [
        (b"", "empty"),
        (b"dear diary\n", "not a capture"),
        (b"{\"log\":{}}", "not a capture"),
        (b"\x00\x01\x02", "not a capture"),
        (b"{\"enrollscope\":\"capture\",\"version\":2}\n{\"a\":", "version 2"),
    ];
    for (bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        let Err(error) = CaptureFile::open(&path, &origin(), START) else { panic!("{expected}") };
        assert!(error.to_string().contains("left as it is"), "{error}");
        let CaptureError::Foreign { source, .. } = error else { panic!("{error}") };
        assert!(source.to_string().contains(expected), "{source}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn places_where_no_file_can_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let missing = CaptureFile::open(&dir.path().join("no/such/a.jsonl"), &origin(), START);
    assert!(matches!(missing, Err(CaptureError::Create { .. })));
    assert!(matches!(read(dir.path()), Err(CaptureError::Directory { .. })));
    assert!(matches!(read(&dir.path().join("none")), Err(CaptureError::Open { .. })));
    if Path::new("/dev/full").exists() {
        let full = CaptureFile::open(Path::new("/dev/full"), &origin(), START);
        assert!(matches!(full, Err(CaptureError::Special { .. })));
    }
}

#[cfg(unix)]
#[test]
fn two_do_not_record_to_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let first = CaptureFile::open(&path, &origin(), START).unwrap();
    assert!(matches!(CaptureFile::open(&path, &origin(), START), Err(CaptureError::Busy { .. })));
    drop(first);
    assert!(CaptureFile::open(&path, &origin(), START).is_ok());
}

#[test]
fn the_first_place_that_lets_us_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let places = [file.join("captures"), dir.path().join("state/captures")];
    let begun = CaptureFile::open_first(&places, &origin(), START).unwrap();
    assert!(begun.path().starts_with(&places[1]), "{}", begun.path().display());
    assert!(matches!(
        CaptureFile::open_first(&places[..1], &origin(), START),
        Err(CaptureError::Create { .. })
    ));
    assert!(matches!(CaptureFile::open_first(&[], &origin(), START), Err(CaptureError::Nowhere)));
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn captures_go_to_the_working_directory_or_to_the_state() {
    let check = |set: &[(&str, &str)], expected: &[&str]| {
        let variable = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).into());
        assert_eq!(default_places(variable), expected.iter().map(PathBuf::from).collect::<Vec<_>>());
    };
    check(&[], &["captures"]);
    check(&[("HOME", "/h")], &["captures", "/h/.local/state/enrollscope/captures"]);
    check(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], &["captures", "/s/enrollscope/captures"]);
    check(&[("HOME", "/h"), ("XDG_STATE_HOME", "")], &["captures", "/h/.local/state/enrollscope/captures"]);
}

#[test]
fn a_broken_write_is_cut_back_to_the_last_whole_record() {
    let disk = Disk::of(usize::MAX);
    let mut file = CaptureFile::on(Box::new(disk.clone()), Path::new("disk"), &origin(), START).unwrap();
    file.append(&line(1)).unwrap();
    let whole = disk.bytes();
    for room in 0..line(2).len() {
        disk.resize(whole.len() + room);
        file.append(&line(2)).unwrap_err();
        assert_eq!(disk.bytes(), whole, "{room}");
    }
    disk.resize(usize::MAX);
    file.append(&line(2)).unwrap();
    assert_eq!(disk.bytes(), [whole, line(2)].concat());
}

#[test]
fn what_cannot_be_cut_back_is_kept_apart_by_a_newline() {
    for room in 1..line(2).len() {
        let disk = Disk::of(usize::MAX);
        let mut file = CaptureFile::on(Box::new(disk.clone()), Path::new("disk"), &origin(), START).unwrap();
        file.append(&line(1)).unwrap();
        disk.0.lock().unwrap().cannot_cut = true;
        disk.resize(disk.bytes().len() + room);
        file.append(&line(2)).unwrap_err();
        file.append(&line(2)).unwrap_err();
        disk.resize(usize::MAX);
        let Place { offset, length, .. } = file.append(&line(2)).unwrap();
        file.append(&line(3)).unwrap();
        let bytes = disk.bytes();
        assert_eq!(&bytes[offset as usize..][..length as usize], line(2), "{room}");
        let mut told = told(&bytes);
        // A record of which only the newline was missing is there twice.
        told.dedup();
        assert_eq!(told, ["exchange 1", "exchange 2", "exchange 3"], "{room}");
    }
}

#[test]
fn a_disk_without_room_for_a_header_is_said_at_once() {
    let disk = Disk::of(10);
    let error = CaptureFile::on(Box::new(disk), Path::new("disk"), &origin(), START).err().unwrap();
    assert!(error.to_string().contains("free some space"), "{error}");
}
