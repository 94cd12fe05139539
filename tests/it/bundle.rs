//! Bundles: what is in them, what is not, and who can read them. With the real binary.
#![cfg(unix)]

use std::io::{Cursor, Read as _, Write as _};

use crate::binary::{Place, committed, text};

/// A fleet's capture.
fn fleet(place: &Place) -> String {
    let ran =
        place.run(&["demo", "--headless", "--devices", "12", "--seed", "1", "--capture", "fleet.jsonl"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    text(&place.read("fleet.jsonl"))
}

fn members(bytes: &[u8]) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|at| {
            let mut member = zip.by_index(at).unwrap();
            let mut text = String::new();
            member.read_to_string(&mut text).unwrap();
            (member.name().unwrap().into_owned(), text)
        })
        .collect()
}

#[test]
fn a_bundle_has_what_is_meant_and_nobodys_name() {
    let place = Place::new();
    let whole = fleet(&place);
    place.put("doctor.json", "{\"steps\":[]}");
    let args = ["bundle", "fleet.jsonl", "-o", "b.zip", "--filter", "PROV-CS-003", "--doctor", "doctor.json"];
    let ran = place.run(&args);
    assert_eq!((ran.code, ran.out.as_str()), (0, "b.zip: 1 enrollments, level identities\n"), "{ran:?}");
    assert!(
        ran.err.contains("in it: 1 enrollments, 4 exchanges") && ran.err.contains("hidden: secrets, and ")
    );
    let members = members(&place.read("b.zip"));
    let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["manifest.json", "capture.jsonl", "report.html", "report.md", "doctor.json"]);
    for word in ["farid", "contoso"] {
        assert!(whole.contains(word), "{word} was there");
        for (name, text) in &members {
            assert!(!text.contains(word), "{word} in {name}: {text}");
        }
    }
    assert!(members[2].1.contains("PROV-CS-003") && members[3].1.contains("PROV-CS-003"));
    // Its own, which folds and filters.
    assert_eq!(members[2].1.matches("<script").count(), 1);

    // Read like any capture: by its content, whatever it is called.
    let judged = place.run(&["check", "b.zip", "--format", "json"]);
    assert_eq!(judged.code, 1, "{judged:?}");
    let rules: Vec<_> = judged.json()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["rule"].as_str().unwrap().to_owned())
        .collect();
    assert!(rules.contains(&"PROV-CS-003".to_owned()), "{rules:?}");
    assert_eq!(place.run(&["diff", "b.zip", "b.zip", "--fail-on", "difference"]).code, 0);
    assert_eq!(place.run(&["suite", "add", "b.zip", "--expect", "fixed:PROV-CS-003", "--name", "x"]).code, 0);

    // Turned back here, and only here.
    let user = judged.json()["enrollments"][0]["user"].as_str().unwrap().to_owned();
    let back = place.run(&["bundle", "translate", "who", "is", &user]);
    assert_eq!((back.code, back.out.as_str()), (0, "who is farid@contoso.example\n"), "{user}");
    let elsewhere = Place::new();
    elsewhere.run(&["bundle", "translate", &user]).refused("where the bundle was made");

    place.run(&args).refused("is there already");
    place
        .run(&["bundle", "fleet.jsonl", "-o", "n.zip", "--filter", "nobody-at-all"])
        .refused("no enrollment is left");
    place.run(&["bundle", "fleet.jsonl", "-o", "n.zip", "--device", "nobody"]).refused("--device nobody");
    place.run(&["bundle", "fleet.jsonl", "-o", "n.zip", "--since", "soon"]).refused("--since soon");
    place.run(&["bundle"]).refused("a capture is wanted");
    let all = place.run(&["bundle", "fleet.jsonl", "-o", "all.zip", "--since", "2h"]);
    assert!(all.code == 0 && all.out.starts_with("all.zip: 12 enrollments"), "{all:?}");
    assert!(!place.names().contains(&"n.zip".to_owned()));
}

#[test]
fn an_encrypted_bundle_is_for_its_receiver_only() {
    use age::secrecy::ExposeSecret as _;
    let place = Place::new();
    let golden = committed("captures/golden/on-premise.jsonl");
    let (ours, theirs) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    place.put("key.pub", format!("# the vendor's\n{}\n", ours.to_public()));
    place.put("key.txt", format!("# created\n{}\n", ours.to_string().expose_secret()));
    place.put("other.txt", theirs.to_string().expose_secret());
    let args = ["bundle", golden.to_str().unwrap(), "-o", "b.age", "--to", "key.pub"];
    assert_eq!(place.run(&args).code, 0);
    place.run(&["check", "b.age"]).code_and_words(2, "bundle decrypt");
    place.run(&["export", "b.age"]).refused("bundle decrypt");
    place.run(&["bundle", "decrypt", "b.age", "--key", "other.txt", "-o", "b.zip"]).refused("b.age");
    assert_eq!(place.run(&["bundle", "decrypt", "b.age", "--key", "key.txt", "-o", "b.zip"]).code, 0);
    assert_eq!(place.run(&["check", "b.zip"]).code, 0);
    place
        .run(&["bundle", golden.to_str().unwrap(), "-o", "x", "--to", "age1nonsense"])
        .refused("--to age1nonsense");
    place
        .run(&["bundle", golden.to_str().unwrap(), "-o", "x", "--to", "other.txt"])
        .refused("no age public key");
}

#[test]
fn bundles_that_are_broken_or_meant_to_do_harm_are_refused() {
    let place = Place::new();
    let zip = |members: &[(&str, &[u8])]| {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let golden = std::fs::read(committed("captures/golden/on-premise.jsonl")).unwrap();
    let manifest: &[u8] = b"{\"enrollscope\":\"bundle\",\"version\":1}";
    let good = zip(&[("manifest.json", manifest), ("capture.jsonl", &golden), ("../../evil", b"x")]);
    place.put("good.zip", &good);
    assert_eq!(place.run(&["check", "good.zip"]).code, 0, "a strange member is not looked at");
    assert!(!place.path("../../evil").exists());
    for (name, bytes, words) in [
        ("cut.zip", good[..good.len() / 2].to_vec(), "cut short"),
        ("newer.zip", zip(&[("manifest.json", b"{\"enrollscope\":\"bundle\",\"version\":9}")]), "version 9"),
        ("empty.zip", zip(&[("manifest.json", manifest)]), "no capture in the bundle"),
        ("odd.zip", zip(&[("manifest.json", b"[]"), ("capture.jsonl", &golden)]), "does not say"),
        ("text.zip", zip(&[("manifest.json", b"no"), ("capture.jsonl", &golden)]), "no JSON"),
        ("other.zip", zip(&[("something", b"else")]), "neither a bundle"),
    ] {
        place.put(name, bytes);
        place.run(&["check", name]).code_and_words(2, words);
        let exported = place.run(&["export", name]);
        assert_eq!(exported.code, 2, "{name}: {exported:?}");
    }
}

#[test]
fn every_part_is_hidden_that_is_not_yet_and_what_is_lost_is_told() {
    let place = Place::new();
    let plain = std::fs::read(committed("captures/golden/on-premise.jsonl")).unwrap();
    place.put("plain.jsonl", &plain);
    assert_eq!(place.run(&["redact", "plain.jsonl", "-o", "hidden.jsonl"]).code, 0);
    let hidden = place.read("hidden.jsonl");
    place.put("both.jsonl", [&hidden[..], &plain].concat());
    let session = plain.split(|b| *b == b'\n').skip(1).collect::<Vec<_>>().join(&b'\n');
    let begins = r#"{"kind":"session","at":"2026-03-02T10:00:00.000Z","tool":"t","redaction":{"level":"none","key":null}}"#;
    place.put("resumed.jsonl", [&hidden[..], begins.as_bytes(), b"\n", &session].concat());
    for (index, parts) in [
        &["hidden.jsonl", "plain.jsonl"][..],
        &["plain.jsonl", "hidden.jsonl"],
        &["both.jsonl"],
        &["resumed.jsonl"],
    ]
    .into_iter()
    .enumerate()
    {
        let (bundle, redacted) = (format!("{index}.zip"), format!("{index}.jsonl"));
        for args in [
            [&["bundle"], parts, &["-o", &bundle]].concat(),
            [&["redact"], parts, &["-o", &redacted]].concat(),
        ] {
            let ran = place.run(&args);
            assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        }
        let mut texts = members(&place.read(&bundle));
        texts.push((redacted.clone(), String::from_utf8(place.read(&redacted)).unwrap()));
        for (name, text) in texts {
            assert!(!text.contains("anna@") && !text.contains("contoso"), "{parts:?}: {name}");
        }
    }

    let newer = String::from_utf8(plain.clone()).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    place.put("newer.jsonl", [&plain[..], newer.as_bytes()].concat());
    let checked = place.run(&["check", "newer.jsonl", "--format", "json"]).json();
    assert_eq!(
        (&checked["summary"]["exchanges"], &checked["summary"]["inputs"][0]["damaged"]),
        (&5.into(), &1.into())
    );
    for args in [&["bundle", "newer.jsonl", "-o", "n.zip"][..], &["redact", "newer.jsonl", "-o", "n.jsonl"]] {
        let ran = place.run(args);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.out.contains("not in it: 1 damaged places"), "{ran:?}");
    }
    place.run(&["import", "n.zip"]).refused("it is a bundle");
    place.run(&["export", "plain.jsonl", "-o", "n.jsonl"]).refused("is there already");
    let secret = place.run(&["bundle", "plain.jsonl", "-o", "x", "--to", "AGE-SECRET-KEY-1ABC"]);
    secret.refused("secret key");
    assert!(!secret.err.contains("1ABC"), "{secret:?}");
}

impl crate::binary::Ran {
    fn code_and_words(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(words) && !self.err.contains("panicked"), "{words}: {self:?}");
    }
}
