//! A suite of recorded enrollments, with the real binary.
#![cfg(unix)]

use crate::binary::Place;
use crate::replay::{recorded, server};

/// What was recorded at a server with that fault, in `NAME.jsonl`.
fn record(place: &Place, name: &str, rule: &str, users: &[&str]) {
    let (_broken, url) = server(place, name, &["--break", rule]);
    recorded(place, &url, name, users, &[]);
}

#[test]
fn a_suite_proves_a_mended_server_and_names_what_a_broken_one_breaks() {
    let place = Place::new();
    record(&place, "a", "PROV-CS-003", &["ada@contoso.example", "bo@contoso.example"]);
    record(&place, "b", "HTTP-001", &["cy@contoso.example"]);
    let add = |args: &[&str]| place.run(&[&["suite", "add"], args].concat());
    let added =
        add(&["a.jsonl", "--ticket", "CS 1/2", "--expect", "fixed:PROV-CS-003", "--enrollment", "e2"]);
    assert_eq!(added.out, "suite/CS-1-2: 1 enrollments, 4 exchanges\n", "{added:?}");
    let expect = ["--expect", "fixed:HTTP-001", "--expect", "outcome:enrolled"];
    assert_eq!(add(&[&["b.jsonl", "--name", "chunked"], &expect[..]].concat()).code, 0);
    let old = ["--name", "old", "--expires", "2020-01-31"];
    assert_eq!(add(&[&["b.jsonl"], &expect[..], &old].concat()).code, 0);
    add(&["a.jsonl", "--name", "chunked", "--expect", "fixed:PROV-CS-003"]).refused("is there already");
    add(&["a.jsonl", "--expect", "fixed:PROV-CS-003", "--enrollment", "e7"]).refused("--enrollment e7");
    let manifest = String::from_utf8(place.read("suite/CS-1-2/case.toml")).unwrap();
    assert!(manifest.contains("ticket = \"CS 1/2\"") && manifest.contains("fixed:PROV-CS-003"), "{manifest}");

    let (_mended, mended) = server(&place, "mended", &[]);
    let run = |url: &str, ca: &str, more: &[&str]| {
        let args = ["suite", "run", "--to", url, "--ca", ca, "--password-command", "echo password"];
        place.run(&[&args[..], more].concat())
    };
    let hooks = [
        "--before",
        "echo \"$ENROLLSCOPE_CASE $ENROLLSCOPE_USERS $ENROLLSCOPE_TICKET\" >> hooks.txt",
        "--after",
        "echo after >> hooks.txt",
    ];
    let ran = run(&mended, "mended-ca.pem", &[&hooks[..], &["--junit", "junit.xml"]].concat());
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("chunked  as expected: fixed:HTTP-001, outcome:enrolled"), "{}", ran.out);
    assert!(ran.out.contains("old  skipped: it expired on 2020-01-31"), "{}", ran.out);
    assert!(
        ran.out.ends_with("3 cases: 2 as expected, 0 not, 0 could not be replayed, 1 skipped\n"),
        "{}",
        ran.out
    );
    let heard = String::from_utf8(place.read("hooks.txt")).unwrap();
    assert_eq!(heard, "CS-1-2 bo@contoso.example CS 1/2\nafter\nchunked cy@contoso.example \nafter\n");
    let junit = String::from_utf8(place.read("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"6\" failures=\"0\"") && junit.contains("<skipped"), "{junit}");

    let (_broken, broken) = server(&place, "broken", &["--break", "HTTP-001"]);
    let ran = run(&broken, "broken-ca.pem", &[]);
    assert_eq!(ran.code, 1, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("fixed:HTTP-001  no: it is still there"), "{}", ran.out);
    let ran = run(&mended, "mended-ca.pem", &["--before", "false", "--only", "chunked"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.out.contains("chunked  could not be replayed: --before: `false` ends with"), "{}", ran.out);
    run(&mended, "mended-ca.pem", &["--only", "nothing"]).refused("--only nothing");
}

#[test]
fn a_case_loses_what_its_failure_does_not_need_and_fails_as_before() {
    let place = Place::new();
    let (_broken, url) = server(&place, "a", &["--break", "PROV-CS-003"]);
    recorded(&place, &url, "a", &["ada@contoso.example", "bo@contoso.example", "cy@contoso.example"], &[]);
    let args = ["suite", "add", "a.jsonl", "--name", "case", "--expect", "fixed:PROV-CS-003"];
    assert_eq!(place.run(&args).code, 0);
    let minimised = place.run(&["suite", "minimise", "suite/case"]);
    assert_eq!(minimised.code, 0, "{minimised:?}");
    let whole = String::from_utf8(place.read("suite/case/capture.jsonl")).unwrap();
    let small = String::from_utf8(place.read("suite/case/minimised.jsonl")).unwrap();
    assert!(small.len() * 2 < whole.len(), "{minimised:?}");
    let document = place.run(&["check", "suite/case/minimised.jsonl", "--format", "json"]).json();
    let rules: Vec<_> = document["findings"].as_array().unwrap().iter().map(|f| &f["rule"]).collect();
    assert!(rules.iter().any(|rule| *rule == "PROV-CS-003"), "{rules:?}");
    assert_eq!(document["enrollments"].as_array().unwrap().len(), 1);
    assert!(place.run(&["suite", "minimise", "suite/case"]).out.contains("nothing can go"));

    // What is left is still replayed, and still proves what it is to prove.
    let (_mended, mended) = server(&place, "mended", &[]);
    let args =
        ["suite", "run", "--to", &mended, "--ca", "mended-ca.pem", "--password-command", "echo password"];
    assert_eq!(place.run(&args).code, 0);
}

#[test]
fn a_manifest_that_is_wrong_is_named_and_the_other_cases_are_run() {
    let place = Place::new();
    record(&place, "a", "HTTP-001", &["ada@contoso.example"]);
    let add = ["suite", "add", "a.jsonl", "--expect", "fixed:HTTP-001", "--name"];
    assert_eq!(place.run(&[&add[..], &["good"]].concat()).code, 0);
    for (name, text) in [
        ("bad-1", "capture = \"../a.jsonl\"\nexpect = []\n"),
        ("bad-2", "capture = \"missing.jsonl\"\nexpect = []\n"),
        ("bad-3", "capture = \"c\"\nexpect = [\"fixed:NO-1\"]\n"),
        ("bad-4", "capture = \"c\"\nexpect = []\nexpires = \"soon\"\n"),
        ("bad-5", "capture = 7\n"),
    ] {
        place.put(&format!("suite/{name}/case.toml"), text);
    }
    let (_mended, mended) = server(&place, "mended", &[]);
    let args =
        ["suite", "run", "--to", &mended, "--ca", "mended-ca.pem", "--password-command", "echo password"];
    let ran = place.run(&args);
    assert_eq!(ran.code, 2, "{ran:?}");
    for words in
        ["beside it is wanted", "missing.jsonl", "there is no rule NO-1", "soon is no day", "case.toml"]
    {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    assert!(ran.out.contains("1 as expected, 0 not, 5 could not be replayed"), "{}", ran.out);
    place.run(&["suite", "run", "nowhere", "--to", &mended]).refused("nowhere");
}

#[test]
fn expectations_that_nothing_can_meet_are_refused_and_what_was_prepared_is_put_back() {
    let place = Place::new();
    let chunked = crate::binary::committed("captures/demo/chunked-answer.jsonl");
    let chunked = chunked.to_str().unwrap();
    let add =
        |name: &str, expect: &str| place.run(&["suite", "add", chunked, "--name", name, "--expect", expect]);
    add("a", "fixed:PROV-CS-004").refused("no answer that breaks this rule");
    assert!(!place.path("suite").exists());
    assert_eq!(add("b", "fixed:HTTP-001").code, 0);
    // Somebody has changed it since.
    let manifest = String::from_utf8(place.read("suite/b/case.toml")).unwrap();
    place.put("suite/b/case.toml", manifest.replace("HTTP-001", "PROV-CS-004"));
    place.run(&["suite", "minimise", "suite/b"]).refused("cannot be met");
    assert!(!place.read("suite/b/capture.jsonl").is_empty());
    place.put("suite/b/case.toml", manifest);

    let (_server, url) = server(&place, "s", &[]);
    let args = ["suite", "run", "--to", &url, "--ca", "s-ca.pem", "--password-command", "echo password"];
    let ran = place.run(&[&args[..], &["--before", "false", "--after", "echo after > after.txt"]].concat());
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(place.read("after.txt"), b"after\n");
}
