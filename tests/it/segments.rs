//! Captures in several files, packed and not, judged as one.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::binary::{Place, Ran, committed};

const WHOLE: &str = "captures/demo/wrong-thumbprint.jsonl";

fn packed(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// The demo's capture, cut into three files.
fn cut(place: &Place) {
    let text = std::fs::read_to_string(committed(WHOLE)).unwrap();
    let (header, records) = text.split_once('\n').unwrap();
    let records: Vec<_> = records.lines().collect();
    for (at, lines) in records.chunks(records.len().div_ceil(3)).enumerate() {
        let mut header: Value = serde_json::from_str(header).unwrap();
        if at > 0 {
            header["after"] = 1.into();
        }
        let text = format!("{header}\n{}\n", lines.join("\n"));
        match at {
            0 => place.put("c/a.0001.jsonl.gz", packed(&text)),
            1 => place.put("c/a.0002.jsonl", text),
            _ => place.put("c/a.jsonl", text),
        };
    }
}

/// What is judged, without where it was read.
fn judged(ran: &Ran) -> Value {
    let mut json = ran.json();
    json["summary"]["inputs"] = Value::Null;
    json
}

#[test]
fn segments_are_judged_as_the_capture_that_they_are() {
    let place = Place::new();
    std::fs::create_dir(place.path("c")).unwrap();
    cut(&place);
    let whole = committed(WHOLE);
    let check = |inputs: &[&str]| place.run(&[&["check", "--format", "json"], inputs].concat());
    let expected = judged(&check(&[whole.to_str().unwrap()]));
    assert_ne!(expected["summary"]["errors"], 0);
    assert_eq!(judged(&check(&["c"])), expected);
    assert_eq!(judged(&check(&["c/a.jsonl", "c/a.0002.jsonl", "c/a.0001.jsonl.gz"])), expected);
    let stdin = |bytes: &[u8]| place.run_with(&["check", "--format", "json", "-"], &[], bytes);
    assert_eq!(judged(&stdin(&packed(&std::fs::read_to_string(&whole).unwrap()))), expected);
    // As `cat` puts them together.
    let unpacked = std::fs::read_to_string(place.path("c/a.0002.jsonl")).unwrap()
        + &std::fs::read_to_string(place.path("c/a.jsonl")).unwrap();
    let joined = [place.read("c/a.0001.jsonl.gz"), packed(&unpacked)].concat();
    assert_eq!(judged(&stdin(&joined)), expected);
}

#[test]
fn one_segment_that_cannot_be_read_does_not_keep_the_others_from_being_judged() {
    let place = Place::new();
    std::fs::create_dir(place.path("c")).unwrap();
    cut(&place);
    place.put("c/a.0002.jsonl", "no capture");
    let ran = place.run(&["check", "--format", "json", "c"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("a.0002.jsonl"), "{}", ran.err);
    assert_eq!(ran.json()["summary"]["inputs"].as_array().unwrap().len(), 3);
}

#[test]
fn what_unpacks_to_far_more_than_it_is_ends_in_a_word() {
    let place = Place::new();
    let bomb = {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(b"{\"enrollscope\":\"capture\",\"version\":1}\n").unwrap();
        let blank = vec![b'x'; 1 << 20];
        (0..200).for_each(|_| packer.write_all(&blank).unwrap());
        packer.finish().unwrap()
    };
    place.put("bomb.jsonl.gz", bomb);
    let ran = place.run(&["check", "bomb.jsonl.gz"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("nothing of it can be read"), "{}", ran.err);
}
