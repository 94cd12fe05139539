//! Replays of captures against servers broken and mended, and captures beside each other, with the real binary.
#![cfg(unix)]

use serde_json::Value;

use crate::binary::{Place, Ran, Running, committed};

/// Rules of every stage, one of each way in which an answer can be wrong.
const BROKEN: [&str; 10] = [
    "HTTP-001",
    "HTTP-004",
    "SOAP-001",
    "DISC-RSP-002",
    "DISC-RSP-004",
    "RSTR-002",
    "PROV-003",
    "PROV-CS-003",
    "PROV-CS-004",
    "PROV-DM-001",
];

/// A reference server, and the URL of it that its certificate is for.
pub fn server(place: &Place, name: &str, more: &[&str]) -> (Running, String) {
    let ca = format!("{name}-ca.pem");
    let args = ["server", "--listen", "127.0.0.1:0", "--ca-file", &ca];
    let running = place.listen(&[&args[..], more].concat(), 1);
    let url = format!("https://localhost:{}", running.addresses[0].port());
    (running, url)
}

/// What devices say to that server, by way of a proxy that records it.
pub fn recorded(place: &Place, url: &str, name: &str, users: &[&str], more: &[&str]) -> Vec<i32> {
    place.put_certificate();
    place.put("devices-ca.pem", crate::binary::authority().root_pem());
    let ca = format!("{name}-ca.pem");
    let capture = format!("{name}.jsonl");
    let proxy = place.start(
        &[
            &["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem", "--rewrite"][..],
            &["--upstream", url, "--upstream-ca", &ca, "--capture", &capture],
        ]
        .concat(),
        1,
    );
    let through = format!("https://localhost:{}", proxy.addresses[0].port());
    let ended = users
        .iter()
        .map(|user| {
            let args = ["enroll", "--server", &through, "--ca", "devices-ca.pem", "--user", user];
            place.run(&[&args[..], more].concat()).code
        })
        .collect();
    proxy.stop();
    ended
}

pub fn replay(place: &Place, capture: &str, url: &str, ca: &str, more: &[&str]) -> Ran {
    let args = ["replay", capture, "--to", url, "--ca", ca, "--password-env", "PW"];
    place.run_with(&[&args[..], more].concat(), &[("PW", "password")], b"")
}

#[test]
fn what_a_mended_server_has_mended_is_proved_and_what_is_broken_still_is_named() {
    let place = Place::new();
    let (_mended, mended) = server(&place, "mended", &[]);
    for rule in BROKEN {
        let (_broken, broken) = server(&place, "broken", &["--break", rule]);
        let name = "broken";
        let _ = std::fs::remove_file(place.path("broken.jsonl"));
        recorded(&place, &broken, name, &["ada@contoso.example"], &[]);
        let before = place.read("broken.jsonl");

        let ran = replay(&place, "broken.jsonl", &mended, "mended-ca.pem", &["--expect-fixed", rule]);
        assert_eq!(ran.code, 0, "{rule}: {}\n{}", ran.out, ran.err);
        assert!(
            ran.out.contains(&format!("fixed:{rule}  yes: judged again and held")),
            "{rule}: {}",
            ran.out
        );

        let more = ["--expect-fixed", rule, "--format", "json"];
        let ran = replay(&place, "broken.jsonl", &broken, "broken-ca.pem", &more);
        assert_eq!(ran.code, 1, "{rule}: {}\n{}", ran.out, ran.err);
        let document = ran.json();
        let expectation = &document["expectations"][0];
        assert_eq!(expectation["expectation"], format!("fixed:{rule}"));
        assert!(
            expectation["why"].as_str().unwrap().starts_with("it is still there"),
            "{rule}: {expectation}"
        );
        assert_eq!(document["summary"]["worse"], 0, "{rule}: {document:#}");
        assert_eq!(document["summary"]["better"], 0, "{rule}: {document:#}");
        assert_eq!(place.read("broken.jsonl"), before, "a capture that is replayed is only read");
    }
}

#[test]
fn a_server_that_got_worse_is_told_with_the_rule() {
    let place = Place::new();
    let (_good, good) = server(&place, "good", &[]);
    assert_eq!(recorded(&place, &good, "good", &["ada@contoso.example", "bo@contoso.example"], &[]), [0, 0]);
    let same = replay(&place, "good.jsonl", &good, "good-ca.pem", &["--fail-on", "difference"]);
    assert_eq!(same.code, 0, "{}\n{}", same.out, same.err);

    let (_bad, bad) = server(&place, "bad", &["--break", "PROV-CS-004"]);
    let more = ["--format", "json", "--capture", "again.jsonl"];
    let ran = replay(&place, "good.jsonl", &bad, "bad-ca.pem", &more);
    assert_eq!(ran.code, 1, "{}\n{}", ran.out, ran.err);
    let document = ran.json();
    let new: Vec<_> = document["findings"]["new"].as_array().unwrap().iter().map(|f| &f["rule"]).collect();
    assert_eq!(new, ["PROV-CS-004", "PROV-CS-004"]);
    assert_eq!(replay(&place, "good.jsonl", &bad, "bad-ca.pem", &["--fail-on", "never"]).code, 0);

    // What was said now is a capture like any other; the recorded ones and it can be held against each other.
    let judged = place.run(&["check", "again.jsonl", "--format", "json"]);
    assert_eq!(judged.code, 1);
    assert_eq!(judged.json()["enrollments"].as_array().unwrap().len(), 2);
    let diff = place.run(&["diff", "good.jsonl#e1", "again.jsonl#e1"]);
    assert_eq!(diff.code, 1, "{}", diff.out);
    assert!(
        diff.out.contains("the first difference that matters\n    worse     security-token-request"),
        "{}",
        diff.out
    );
    let junit = place.run(&["diff", "good.jsonl", "again.jsonl", "--format", "junit"]).out;
    assert!(junit.contains("<testsuites name=\"enrollscope\" tests=\"2\" failures=\"2\">"), "{junit}");
    let markdown = place.run(&["diff", "good.jsonl", "again.jsonl", "--format", "markdown"]).out;
    assert!(markdown.contains("**new: PROV-CS-004 "), "{markdown}");
    assert_eq!(place.run(&["diff", "good.jsonl", "good.jsonl", "--fail-on", "difference"]).code, 0);
    assert_eq!(place.names().iter().filter(|name| name.ends_with(".jsonl")).count(), 2);
}

#[test]
fn every_way_to_enroll_is_replayed_with_what_it_needs() {
    let place = Place::new();
    let (_federated, url) = server(&place, "federated", &["--auth", "federated"]);
    assert_eq!(recorded(&place, &url, "federated", &["ada@contoso.example"], &[]), [0]);
    let ran = replay(&place, "federated.jsonl", &url, "federated-ca.pem", &["--expect", "outcome:enrolled"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);

    let identity = ["--auth", "certificate", "--identity-file", "identity.pem"];
    let (_certificate, url) = server(&place, "certificate", &identity);
    let users = ["bo@contoso.example"];
    assert_eq!(recorded(&place, &url, "certificate", &users, &["--identity", "identity.pem"]), [0]);
    replay(&place, "certificate.jsonl", &url, "certificate-ca.pem", &[]).code_is_2_for("--certificate");
    let more = ["--certificate", "identity.pem", "--expect", "outcome:enrolled"];
    let ran = replay(&place, "certificate.jsonl", &url, "certificate-ca.pem", &more);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);

    // The renewal is done with what the replay itself obtained.
    let (_renewing, url) = server(&place, "renewal", &[]);
    assert_eq!(recorded(&place, &url, "renewal", &["cy@contoso.example"], &["--keep", "kept.pem"]), [0]);
    assert_eq!(recorded(&place, &url, "renewal", &["cy@contoso.example"], &["--renew", "kept.pem"]), [0]);
    let ran = replay(
        &place,
        "renewal.jsonl",
        &url,
        "renewal-ca.pem",
        &["--expect", "outcome:enrolled", "--copies", "3"],
    );
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("outcome:enrolled  yes: 6 ended so"), "{}", ran.out);
    let alone = replay(&place, "renewal.jsonl", &url, "renewal-ca.pem", &["--enrollment", "e2"]);
    alone.code_is_2_for("it renews a certificate that this replay did not obtain");

    let (_entra, url) = server(&place, "entra", &[]);
    let audience = ["--entra", "--audience", &url];
    assert_eq!(recorded(&place, &url, "entra", &["di@contoso.example"], &audience), [0]);
    replay(&place, "entra.jsonl", &url, "entra-ca.pem", &[]).code_is_2_for("--token-command");
}

#[test]
fn devices_of_a_replay_are_others_or_the_recorded_ones() {
    let place = Place::new();
    let (_server, url) = server(&place, "s", &[]);
    assert_eq!(recorded(&place, &url, "s", &["ada@contoso.example"], &[]), [0]);
    let devices = |capture: &str| -> Vec<String> {
        let document = place.run(&["check", capture, "--format", "json"]).json();
        let of = |e: &Value| e["device_id"].as_str().unwrap().to_owned();
        document["enrollments"].as_array().unwrap().iter().map(of).collect()
    };
    let recorded = devices("s.jsonl");
    let ran = replay(&place, "s.jsonl", &url, "s-ca.pem", &["--capture", "fresh.jsonl", "--copies", "2"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let fresh = devices("fresh.jsonl");
    assert!(
        fresh.len() == 2 && fresh[0] != fresh[1] && !fresh.contains(&recorded[0]),
        "{fresh:?} {recorded:?}"
    );
    assert!(fresh.iter().all(|id| id.len() == recorded[0].len()));
    assert!(!place.run(&["check", "fresh.jsonl"]).out.contains(" CSR-"), "their requests are in order");

    let more = ["--capture", "same.jsonl", "--identity", "recorded"];
    let ran = replay(&place, "s.jsonl", &url, "s-ca.pem", &more);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("which nobody here has"), "{}", ran.out);
    assert_eq!(devices("same.jsonl"), recorded);
}

#[test]
fn what_depends_on_the_servers_state_is_never_called_fixed() {
    let place = Place::new();
    let (_server, url) = server(&place, "s", &[]);
    let env = |args: &[&str]| place.run_with(args, &[("WRONG", "")], b"");
    place.put_certificate();
    place.put("devices-ca.pem", crate::binary::authority().root_pem());
    let tls = ["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem", "--rewrite"];
    let proxy = place.start(
        &[&tls[..], &["--upstream", &url, "--upstream-ca", "s-ca.pem", "--capture", "s.jsonl"]].concat(),
        1,
    );
    let through = format!("https://localhost:{}", proxy.addresses[0].port());
    let args = ["enroll", "--server", &through, "--ca", "devices-ca.pem", "--user", "wrong@contoso.example"];
    assert_eq!(env(&[&args[..], &["--password-env", "WRONG"]].concat()).code, 1);
    proxy.stop();
    let more = ["--expect-fixed", "FAULT-011", "--format", "json"];
    let ran = replay(&place, "s.jsonl", &url, "s-ca.pem", &more);
    assert_eq!(ran.code, 1, "{}\n{}", ran.out, ran.err);
    let document = ran.json();
    assert!(document["expectations"][0]["why"].as_str().unwrap().starts_with("not reproducible here"));
    assert_eq!(document["summary"]["better"], 0, "{document:#}");
}

#[test]
fn a_replay_that_cannot_be_says_why_and_sends_nothing() {
    let place = Place::new();
    let capture = committed("captures/golden/on-premise.jsonl");
    let capture = capture.to_str().unwrap();
    place.run(&["replay", capture]).refused_by_usage("--to");
    place.run(&["replay", capture, "--to", "mdm.example"]).refused("absolute URL");
    place.run(&["replay", capture, "--to", "https://mdm.example"]).refused("add --yes");
    let local = ["replay", capture, "--to", "https://localhost:9"];
    place.run(&[&local[..], &["--enrollment", "e9"]].concat()).refused("--enrollment e9");
    place.run(&[&local[..], &["--device", "nobody"]].concat()).refused("--device nobody");
    place.run(&[&local[..], &["--expect-fixed", "NO-1"]].concat()).refused("there is no rule NO-1");
    place.run(&[&local[..], &["--password-env", "NOT_SET"]].concat()).refused("NOT_SET");
    place.put("logins.txt", "one\n");
    place.run(&[&local[..], &["--logins", "logins.txt"]].concat()).refused("line 1");
    place.put("c.jsonl", "kept");
    place.run(&[&local[..], &["--capture", "c.jsonl"]].concat()).refused("is there already");
    place.run(&["replay", "missing.jsonl", "--to", "https://localhost:9"]).refused("missing.jsonl");
    place.run(&["diff", capture, &format!("{capture}#e7")]).refused("there is no enrollment e7");
    let noise = place.run(&["replay", "--explain-noise"]);
    assert!(noise.code == 0 && noise.out.contains("header:date"), "{noise:?}");

    // Nobody listens there: that is an outcome, and worse than what was recorded.
    let nobody = place.run(&local);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.out.contains("no answer"), "{}", nobody.out);
}

#[test]
fn a_server_that_sends_devices_elsewhere_is_not_followed() {
    let place = Place::new();
    let (_server, url) = server(&place, "s", &["--public-url", "https://mdm.contoso.example"]);
    let capture = committed("captures/golden/on-premise.jsonl");
    let ran = replay(&place, capture.to_str().unwrap(), &url, "s-ca.pem", &[]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("--allow-host mdm.contoso.example"), "{}", ran.out);
    let (_named, url) = server(
        &place,
        "n",
        &["--public-url", "https://mdm.contoso.example", "--host", "mdm.contoso.example"],
    );
    let address = url.replace("https://localhost", "127.0.0.1");
    let more = ["--connect", &address, "--expect", "outcome:enrolled"];
    let ran = replay(&place, capture.to_str().unwrap(), "https://mdm.contoso.example", "n-ca.pem", &more);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
}

impl Ran {
    fn code_is_2_for(&self, words: &str) {
        assert_eq!(self.code, 2, "{self:?}");
        assert!(self.err.contains(words) || self.out.contains(words), "{self:?}");
    }

    fn refused_by_usage(&self, words: &str) {
        assert_eq!(self.code, 2, "{self:?}");
        assert!(self.err.contains(words), "{self:?}");
    }
}

#[test]
fn that_a_request_is_declined_now_mends_nothing_in_the_answer_that_was_wrong() {
    use enrollscope::compare::{Expectation, Met, Pair, judged, met};
    use enrollscope::event::Side;
    use enrollscope::rules::{Change, Edit, Golden, Part, Profile, Step};
    use enrollscope::sim::golden;

    let expectation: Expectation = "fixed:HTTP-001".parse().unwrap();
    for (step, mended) in [(Step::Token, false), (Step::Policies, true)] {
        let (part, change) = (Part::Framing, Change::Set("chunked"));
        let edit = Edit::Message { step, side: Side::Response, part, at: "", change };
        let before = golden::with_edit(Golden::OnPremise, &edit).unwrap();
        let (before, after) =
            (judged(&before, Profile::Field), judged(&golden::of(Golden::Refused), Profile::Field));
        let now = met(&expectation, &[Pair { first: before.first(), second: after.first() }]);
        match (mended, now) {
            (true, Met::Yes(_)) => {}
            (false, Met::No(words)) => assert!(words.contains("declined now"), "{words}"),
            (_, other) => panic!("{step:?}: {other:?}"),
        }
    }
}
