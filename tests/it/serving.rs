//! The server of a capture, served to devices that are there now, with the real binary.
#![cfg(unix)]

use std::collections::BTreeSet;

use serde_json::Value;

use crate::binary::{Place, Running, committed};
use crate::replay::{recorded, server};

fn served(place: &Place, name: &str, more: &[&str]) -> (Running, String) {
    let (capture, ca) = (format!("{name}.jsonl"), format!("{name}-served-ca.pem"));
    let args = ["serve", &capture, "--listen", "127.0.0.1:0", "--ca-file", &ca];
    let running = place.listen(&[&args[..], more].concat(), 1);
    let url = format!("https://localhost:{}", running.addresses[0].port());
    (running, url)
}

fn enroll(place: &Place, url: &str, name: &str, user: &str, more: &[&str]) -> i32 {
    let ca = format!("{name}-served-ca.pem");
    let args = ["enroll", "--server", url, "--ca", &ca, "--user", user];
    let ran = place.run(&[&args[..], more].concat());
    assert!(ran.code < 2, "{ran:?}");
    ran.code
}

/// What is found in a capture, by rule; what enrollscope says of itself aside, and that a certificate renewed within the
/// second in which it was issued is valid for no longer.
fn found(place: &Place, capture: &str) -> BTreeSet<String> {
    let document = place.run(&["check", capture, "--format", "json"]).json();
    let counts = |f: &&Value| f["subject"] != "enrollscope" && f["rule"] != "RENEW-007";
    let findings = document["findings"].as_array().unwrap().iter().filter(counts);
    findings.map(|f| f["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn devices_enroll_at_a_recording_in_every_way_and_nothing_new_is_found() {
    let place = Place::new();
    for (name, auth) in [("plain", "on-premise"), ("pages", "federated")] {
        let (_real, url) = server(&place, name, &["--auth", auth]);
        assert_eq!(recorded(&place, &url, name, &["ada@contoso.example"], &["--keep", "kept.pem"]), [0]);
        assert_eq!(recorded(&place, &url, name, &["ada@contoso.example"], &["--renew", "kept.pem"]), [0]);
        assert_eq!(
            recorded(&place, &url, name, &["ada@contoso.example"], &["--entra", "--audience", &url]),
            [0]
        );
    }
    for name in ["plain", "pages"] {
        let (running, url) = served(&place, name, &[]);
        // By way of the proxy, so that what the recorded server says is recorded again.
        let again = format!("{name}-again");
        std::fs::copy(place.path(&format!("{name}-served-ca.pem")), place.path(&format!("{again}-ca.pem")))
            .unwrap();
        let users = ["ada@contoso.example", "new@contoso.example"];
        assert_eq!(recorded(&place, &url, &again, &users, &["--keep", "again.pem"]), [0, 0], "{name}");
        let renewing = ["--renew", "again.pem"];
        assert_eq!(recorded(&place, &url, &again, &users[..1], &renewing), [0], "{name}");
        assert_eq!(recorded(&place, &url, &again, &users[..1], &["--entra"]), [0], "{name}");
        let (before, after) =
            (found(&place, &format!("{name}.jsonl")), found(&place, &format!("{again}.jsonl")));
        assert!(after.is_subset(&before), "{name}: {before:?} {after:?}");
        drop(running);
    }
}

#[test]
fn what_was_wrong_stays_wrong_and_the_choice_of_enrollments_is_told() {
    let place = Place::new();
    let (_broken, url) = server(&place, "c", &["--break", "PROV-CS-004"]);
    recorded(&place, &url, "c", &["bad@contoso.example"], &[]);
    let (_good, url) = server(&place, "c", &[]);
    recorded(&place, &url, "c", &["good@contoso.example"], &[]);
    let (running, url) = served(&place, "c", &[]);
    assert_eq!(enroll(&place, &url, "c", "bad@contoso.example", &[]), 1);
    assert_eq!(enroll(&place, &url, "c", "GOOD@contoso.example", &[]), 0);
    assert_eq!(enroll(&place, &url, "c", "other@contoso.example", &[]), 0);
    let (out, _) = running.stop();
    for words in [
        "bad@contoso.example is served from bad@contoso.example (e1) (the same user)",
        "good@contoso.example is served from good@contoso.example (e2) (the same user)",
        "other@contoso.example is served from good@contoso.example (e2) (the first that enrolled)",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let (_one, url) = served(&place, "c", &["--enrollment", "e1"]);
    assert_eq!(enroll(&place, &url, "c", "good@contoso.example", &[]), 1);
    // The recorded bytes are for another key.
    let (_bytes, url) = served(&place, "c", &["--as-recorded", "--enrollment", "e2"]);
    assert_eq!(enroll(&place, &url, "c", "good@contoso.example", &[]), 1);
    place.run(&["serve", "c.jsonl", "--enrollment", "e9"]).refused("--enrollment e9");
    place.run(&["serve", "missing.jsonl"]).refused("missing.jsonl");
}

#[test]
fn what_the_recording_does_not_have_is_a_fault_or_asked_for() {
    let place = Place::new();
    let short = std::fs::read_to_string(committed("captures/demo/stops-after-discovery.jsonl")).unwrap();
    place.put("short.jsonl", short);
    let (running, url) = served(&place, "short", &[]);
    assert_eq!(enroll(&place, &url, "short", "ada@contoso.example", &[]), 1);
    let (out, _) = running.stop();
    assert!(out.contains("get-policies-request 500"), "{out}");

    let (_real, real) = server(&place, "real", &["--public-url", "https://localhost:1"]);
    let upstream = ["--on-miss", "upstream", "--upstream", &real, "--upstream-ca", "real-ca.pem"];
    let (running, url) = served(&place, "short", &[&upstream[..], &["--capture", "asked.jsonl"]].concat());
    assert_eq!(enroll(&place, &url, "short", "ada@contoso.example", &[]), 0);
    running.stop();
    let document = place.run(&["check", "asked.jsonl", "--format", "json"]).json();
    let asked: Vec<_> =
        document["exchanges"].as_array().unwrap().iter().map(|e| &e["request"]["message"]).collect();
    assert_eq!(asked, ["get-policies-request", "security-token-request"]);
    assert!(!String::from_utf8_lossy(&place.read("asked.jsonl")).contains(">password<"));
}
