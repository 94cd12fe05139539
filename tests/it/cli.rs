//! The command line's contracts, held by the real binary: what goes in, what comes out, how it ends.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::binary::{Place, Ran, append, committed};

const GOLDEN: &str = "captures/golden/on-premise.jsonl";

fn check(name: &str, more: &[&str]) -> Ran {
    let path = committed(name);
    Place::new().run(&[&["check", path.to_str().unwrap()], more].concat())
}

fn rules(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap()).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn each_committed_capture_has_its_findings_and_its_exit_code() {
    for (name, expected, code) in [
        ("captures/golden/on-premise.jsonl", &[][..], 0),
        ("captures/golden/refused.jsonl", &["FAULT-011"], 0),
        ("captures/demo/certificate-distrusted.jsonl", &["TLS-001"], 1),
        ("captures/demo/certificate-for-another-key.jsonl", &["PROV-CS-004"], 1),
        ("captures/demo/chunked-answer.jsonl", &["HTTP-001"], 1),
        ("captures/demo/device-cap-reached.jsonl", &["FAULT-011"], 0),
        ("captures/demo/provider-id-differs.jsonl", &["PROV-DM-001"], 1),
        ("captures/demo/stops-after-discovery.jsonl", &[], 0),
        ("captures/demo/wrong-password.jsonl", &["FAULT-011"], 0),
        ("captures/demo/wrong-thumbprint.jsonl", &["PROV-CS-003"], 1),
    ] {
        let ran = check(name, &["--format", "json"]);
        assert_eq!((rules(&ran.json()), ran.code), (expected.to_vec(), code), "{name}");
        let human = check(name, &[]);
        assert_eq!((human.code, human.err.as_str()), (code, ""), "{name}");
        assert!(expected.iter().all(|rule| human.out.contains(rule)), "{name}: {}", human.out);
    }
}

#[test]
fn the_json_report_has_every_documented_member_and_null_for_what_is_absent() {
    let all = ["golden", "demo"].map(|folder| committed(&format!("captures/{folder}")));
    let [golden, demo] = all.each_ref().map(|path| path.to_str().unwrap());
    let ran = Place::new().run(&["check", golden, demo, "--format", "json"]);
    assert_eq!(ran.code, 1);
    let document = ran.json();
    assert_eq!(
        keys(&document),
        [
            "tool",
            "version",
            "schema",
            "rules_version",
            "profile",
            "summary",
            "enrollments",
            "troubles",
            "refused",
            "common",
            "expected",
            "exchanges",
            "findings"
        ]
    );
    let summary = &document["summary"];
    let counts = ["inputs", "exchanges", "connections", "enrollments", "errors", "warnings", "infos"];
    assert_eq!(keys(summary), counts);
    // A capture that cannot be read says why; others have null.
    let input = ["path", "records", "damaged", "late", "error"];
    assert!(summary["inputs"].as_array().unwrap().iter().all(|i| keys(i) == input), "{summary}");
    for (list, members) in [
        (
            "enrollments",
            &[
                "id",
                "user",
                "device_id",
                "device_name",
                "auth",
                "flow",
                "stage",
                "outcome",
                "verdict",
                "owner",
                "hresult",
                "started",
                "ended",
                "exchanges",
                "causes",
                "device",
            ][..],
        ),
        ("exchanges", &["id", "seq", "enrollment", "link", "started", "source", "request", "response"]),
        (
            "findings",
            &[
                "id",
                "rule",
                "name",
                "severity",
                "subject",
                "exchange",
                "connection",
                "enrollment",
                "side",
                "in",
                "path",
                "line",
                "column",
                "offset",
                "length",
                "outer_offset",
                "expected",
                "found",
                "citation",
                "consequence",
                "remedy",
                "hresult",
            ],
        ),
    ] {
        let entries = document[list].as_array().unwrap();
        assert!(!entries.is_empty());
        let mut ids = BTreeSet::new();
        for entry in entries {
            assert_eq!(keys(entry), members, "{list}");
            assert!(ids.insert(entry["id"].as_str().unwrap()), "{list}: {} twice", entry["id"]);
        }
        if list != "findings" {
            assert_eq!(document["summary"][list], entries.len(), "{list}");
        }
    }
    for exchange in document["exchanges"].as_array().unwrap() {
        assert_eq!(keys(&exchange["request"]), ["message", "method", "target"]);
        assert_eq!(keys(&exchange["response"]), ["message", "status", "from"]);
    }
    assert_eq!(document["findings"][0]["outer_offset"], Value::Null);
    // Two captures of the same device are two enrollments.
    let golden = check(GOLDEN, &["--format", "json"]).json();
    assert_eq!(golden["summary"]["enrollments"], 1);
    assert!(document["summary"]["enrollments"].as_u64().unwrap() > 5, "{summary}");
}

#[test]
fn findings_come_by_exchange_then_rule_then_place() {
    let document = check("tests/data/examples", &["--format", "json", "--profile", "strict"]).json();
    assert_eq!(document["profile"], "strict");
    let exchanges = document["exchanges"].as_array().unwrap();
    let place = |f: &Value| {
        let seq = exchanges.iter().position(|e| e["id"] == f["exchange"]).unwrap_or(usize::MAX);
        (seq, f["rule"].as_str().unwrap().to_owned(), f["offset"].as_u64().unwrap_or_default())
    };
    let found: Vec<_> = document["findings"].as_array().unwrap().iter().map(place).collect();
    assert!(found.len() > 10, "{found:?}");
    assert!(found.is_sorted(), "{found:?}");
}

#[test]
fn the_exit_code_follows_fail_on_profile_and_allow() {
    let thumbprint = "captures/demo/wrong-thumbprint.jsonl";
    let real = "tests/data/real/getpolicies-resp.asprinted.txt";
    for (input, flags, code) in [
        (thumbprint, &["--fail-on", "never"][..], 0),
        (thumbprint, &["--fail-on", "warning"], 1),
        (thumbprint, &["--allow", "PROV-CS-003"], 0),
        (thumbprint, &["--allow", "thumbprint-of-another-certificate"], 0),
        (thumbprint, &["--allow", "TLS-001"], 1),
        (real, &[], 0),
        (real, &["--fail-on", "warning"], 1),
        (real, &["--fail-on", "warning", "--allow", "POL-RSP-001"], 0),
        (real, &["--profile", "strict"], 1),
        (GOLDEN, &["--fail-on", "warning", "--profile", "strict"], 0),
        (thumbprint, &["--profile", "lenient"], 2),
        (thumbprint, &["--fail-on", "info"], 2),
        (thumbprint, &["--allow", "NO-SUCH-1"], 2),
    ] {
        let ran = check(input, flags);
        assert_eq!(ran.code, code, "{input} {flags:?}: {ran:?}");
    }
    assert!(check(thumbprint, &["--allow", "NO-SUCH-1"]).err.contains("no such rule"));
}

#[test]
fn the_standard_input_is_judged_like_a_file() {
    let place = Place::new();
    let bytes = std::fs::read(committed("captures/demo/wrong-thumbprint.jsonl")).unwrap();
    let ran = place.run_with(&["check", "-", "--format", "json"], &[], &bytes);
    assert_eq!((ran.code, rules(&ran.json())), (1, vec!["PROV-CS-003"]));
    let bytes = std::fs::read(committed("tests/data/real/discover-req.xml")).unwrap();
    let ran = place.run_with(&["check", "-", "--format", "json"], &[], &bytes);
    let document = ran.json();
    assert_eq!((ran.code, &document["exchanges"][0]["request"]["message"]), (0, &"discover-request".into()));
    assert_eq!(document["exchanges"][0]["response"], Value::Null);
    place.run_with(&["check", "-"], &[], b"").refused("empty");
}

#[test]
fn message_files_are_told_by_their_content() {
    for (name, request, response) in [
        ("probe-req.http", "discovery-probe", Value::Null),
        ("discover-req.http", "discover-request", Value::Null),
        ("discover-req.xml", "discover-request", Value::Null),
        ("discover-resp.asprinted.txt", "none", "discover-response".into()),
        ("rst-req.xml", "security-token-request", Value::Null),
        ("rstrc-resp.asprinted.txt", "none", "security-token-response".into()),
    ] {
        let document = check(&format!("tests/data/real/{name}"), &["--format", "json"]).json();
        let exchange = &document["exchanges"][0];
        assert_eq!(exchange["request"]["message"], request, "{name}");
        assert_eq!(exchange["response"]["message"], response, "{name}");
        assert_eq!(exchange["started"], Value::Null, "{name}");
    }
}

#[test]
fn a_request_file_and_its_answer_are_one_exchange() {
    let place = Place::new();
    let real = |name: &str| std::fs::read(committed(&format!("tests/data/real/{name}"))).unwrap();
    let request = place.put("pair/d.req.http", real("discover-req.http"));
    let response = place.put("pair/d.resp.http", real("discover-resp.asprinted.txt"));
    let [pair, request, response] =
        [&place.path("pair"), &request, &response].map(|path| path.to_str().unwrap().to_owned());
    for inputs in [vec![&pair], vec![&request], vec![&request, &response], vec![&response, &request]] {
        let inputs: Vec<_> = inputs.into_iter().map(String::as_str).collect();
        let document = place.run(&[&["check", "--format", "json"], &inputs[..]].concat()).json();
        assert_eq!(document["summary"]["exchanges"], 1, "{inputs:?}");
        let exchange = &document["exchanges"][0];
        assert_eq!(exchange["request"]["message"], "discover-request");
        assert_eq!(exchange["response"]["message"], "discover-response");
    }
}

#[test]
fn what_cannot_be_read_does_not_keep_the_others_from_being_judged() {
    let place = Place::new();
    place.put("empty.jsonl", "");
    let newer = std::fs::read_to_string(committed(GOLDEN)).unwrap().replace("\"version\":1", "\"version\":9");
    place.put("newer.jsonl", newer);
    place.put("other.json", "{\"blog\":{}}\n");
    place.put("other.har", "{\"log\":{}}\n");
    place.put("junk.bin", [0x7F, b'E', b'L', b'F', 0, 1, 2, 0xFF]);
    place.put("notes.txt", "call the customer\n");
    std::fs::create_dir(place.path("nothing")).unwrap();
    let damaged = std::fs::read_to_string(committed(GOLDEN)).unwrap().lines().next().unwrap().to_owned();
    place.put("damaged.jsonl", damaged + "\n{\"kind\":\"exchange\",\n{]\n");
    let good = committed("captures/demo/wrong-thumbprint.jsonl");
    for (name, words) in [
        ("damaged.jsonl", "nothing of it can be read"),
        ("empty.jsonl", "empty"),
        ("newer.jsonl", "version 9"),
        ("other.json", "not a capture"),
        ("other.har", "no HAR file"),
        ("junk.bin", "neither a capture"),
        ("notes.txt", "neither a capture"),
        ("missing.jsonl", "No such file"),
        ("nothing", "there is no .jsonl"),
    ] {
        let ran = place.run(&["check", name, good.to_str().unwrap(), "--format", "json"]);
        ran.refused(words);
        assert!(ran.err.contains(name), "{}", ran.err);
        let document = ran.json();
        assert_eq!(rules(&document), ["PROV-CS-003"], "{name}");
        assert_eq!(document["summary"]["inputs"][0]["path"], name);
        assert!(document["summary"]["inputs"][0]["error"].as_str().unwrap().contains(words));
        assert_eq!(document["summary"]["inputs"][1]["error"], Value::Null);
    }
}

#[test]
fn a_directory_with_a_broken_file_is_judged_all_the_same() {
    let place = Place::new();
    place.put("d/a.jsonl", "");
    place.put("d/b.jsonl", std::fs::read(committed("captures/demo/wrong-thumbprint.jsonl")).unwrap());
    place.put("d/c.xml", std::fs::read(committed("tests/data/real/discover-req.xml")).unwrap());
    place.put("d/notes.txt", "call the customer\n");
    let ran = place.run(&["check", "d", "--format", "json"]);
    ran.refused("a.jsonl");
    assert_eq!(rules(&ran.json()), ["PROV-CS-003"]);
    assert_eq!(ran.json()["summary"]["exchanges"], 5);
}

#[test]
fn a_damaged_capture_is_read_around_the_damage() {
    let place = Place::new();
    let path = place.put("c.jsonl", std::fs::read(committed(GOLDEN)).unwrap());
    append(&path, "{\"kind\":\"exchange\",\"seq\":");
    let ran = place.run(&["check", "c.jsonl", "--format", "json"]);
    assert_eq!((ran.code, &ran.json()["summary"]["inputs"][0]["damaged"]), (0, &1.into()));
    assert!(place.run(&["check", "c.jsonl"]).out.contains("1 damaged"));
}

#[test]
fn rules_are_listed_and_shown_one_by_one() {
    let place = Place::new();
    let ran = place.run(&["rules", "--format", "json"]);
    let document = ran.json();
    let all = document["rules"].as_array().unwrap();
    assert!(all.len() > 80);
    let ids: BTreeSet<_> = all.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), all.len());
    for rule in all {
        for member in [
            "id",
            "name",
            "severity",
            "subject",
            "requirement",
            "cites",
            "consequence",
            "remedy",
            "examples",
            "since",
        ] {
            assert!(!rule[member].is_null(), "{}: {member}", rule["id"]);
        }
        assert_eq!(keys(&rule["severity"]), ["field", "strict"]);
    }
    let human = place.run(&["rules"]);
    assert!(human.code == 0 && ids.iter().all(|id| human.out.contains(id)));
    let stages: Vec<_> =
        human.out.lines().filter(|line| line.ends_with(')') && !line.starts_with(' ')).collect();
    assert!(stages.len() == 10 && stages[0].starts_with("Connection ("), "{stages:?}");
    for name in ["PROV-CS-003", "thumbprint-of-another-certificate"] {
        let ran = place.run(&["rules", name]);
        assert!(ran.code == 0 && ran.out.contains("PROV-CS-003"), "{ran:?}");
        let ran = place.run(&["rules", name, "--format", "json"]).json();
        assert_eq!(ran["rules"][0]["id"], "PROV-CS-003");
        assert_eq!(ran["rules"][0]["stage"], "configuration");
    }
}

#[test]
fn a_rule_is_shown_with_its_example_as_a_diff() {
    let place = Place::new();
    let plain = place.run(&["rules", "POL-RSP-007"]).out;
    let gone = "  -  <minimalKeyLength>2048</minimalKeyLength>\n";
    let new = "  +  <minimalKeyLength>1024</minimalKeyLength>\n";
    assert!(plain.contains(&format!("{gone}{new}")), "{plain}");
    assert!(plain.contains("0x80180027 MENROLL_E_CERTPOLICY_PRIVATEKEYCREATION_FAILED"), "{plain}");
    assert!(!plain.contains('\u{1b}'));
    let coloured = place.run(&["rules", "POL-RSP-007", "--color", "always"]).out;
    assert!(
        coloured.contains("\u{1b}[31m-  <minimalKeyLength>2048</minimalKeyLength>\u{1b}[0m"),
        "{coloured}"
    );
    assert!(
        coloured.contains("\u{1b}[32m+  <minimalKeyLength>1024</minimalKeyLength>\u{1b}[0m"),
        "{coloured}"
    );
}

#[test]
fn an_unknown_rule_is_refused_with_those_that_are_like_it() {
    let place = Place::new();
    place.run(&["rules", "NO-SUCH-1"]).refused("there is no rule NO-SUCH-1");
    place.run(&["rules", "PROV-CS-03"]).refused("is it PROV-CS-003 (thumbprint-of-another-certificate)");
    place.run(&["rules", "thumbprint-of-other-certificate"]).refused("is it PROV-CS-003");
}

#[test]
fn repair_copies_what_is_sound_and_tells_what_is_lost() {
    let place = Place::new();
    let sound = std::fs::read(committed(GOLDEN)).unwrap();
    let path = place.put("c.jsonl", &sound);
    let ran = place.run(&["repair", "c.jsonl"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(place.read("c.repaired.jsonl"), sound);
    append(&path, "{\"kind\":\"exchange\",\"seq\":");
    let ran = place.run(&["repair", "c.jsonl", "--output", "new.jsonl"]);
    assert!(ran.code == 1 && ran.out.contains("lost: "), "{ran:?}");
    assert_eq!(place.read("new.jsonl"), sound);
    assert_eq!(place.run(&["check", "new.jsonl"]).code, 0);

    place.run(&["repair", "c.jsonl", "--output", "new.jsonl"]).refused("new.jsonl");
    assert_eq!(place.read("new.jsonl"), sound);
    place.put("empty", "");
    place.run(&["repair", "empty"]).refused("empty");
    place.run(&["repair", "missing"]).refused("missing");
    assert!(!place.path("empty.repaired.jsonl").exists());
}

#[test]
fn the_local_authority_is_made_shown_and_taken_away() {
    let place = Place::new();
    place.run(&["certs", "show"]).refused("there is no authority");
    place.run(&["certs", "make"]).refused("--host");
    let made = place.run(&["certs", "make", "--host", "enterpriseenrollment.contoso.example"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.out.contains("enterpriseenrollment.contoso.example") && made.out.contains("thumbprint"));
    // What there is stays: devices trust it already.
    assert_eq!(place.run(&["certs", "make", "--host", "enterpriseenrollment.contoso.example"]).out, made.out);
    assert_eq!(place.run(&["certs", "show"]).out, made.out);
    let pem = place.run(&["certs", "export"]).out;
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && !pem.contains("PRIVATE"), "{pem}");
    let thumbprint = made.out.lines().find_map(|l| l.trim().strip_prefix("thumbprint")).unwrap();
    let thumbprint = thumbprint.trim().split(' ').next().unwrap();
    for command in ["install", "remove", "kit"] {
        let ran = place.run(&["certs", command]);
        assert!(ran.code == 0 && ran.out.contains("certutil") && ran.out.contains(thumbprint), "{ran:?}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let keys = std::fs::read_dir(place.path("certs")).unwrap().map(|e| e.unwrap().path());
        for key in keys.filter(|path| path.extension().is_some_and(|e| e == "key")) {
            assert_eq!(key.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", key.display());
        }
    }
    assert_eq!(place.run(&["certs", "remove", "--delete"]).code, 0);
    place.run(&["certs", "export"]).refused("there is no authority");
    assert_eq!(std::fs::read_dir(place.path("certs")).unwrap().count(), 0);
}

#[test]
fn a_configuration_file_is_checked_and_followed() {
    let place = Place::new();
    let schema = place.run(&["config", "schema"]);
    assert!(schema.code == 0 && schema.out.contains("# upstream-ca = "));
    place.put("good.toml", format!("{}\n[check]\nfail-on = 'never'\n", schema.out.replace("[check]", "#")));
    let good = place.run(&["config", "check", "good.toml"]);
    assert_eq!(good.code, 0, "{good:?}");
    place.put("bad.toml", "[proxy]\nupstraem = 'https://mdm.example'\n");
    place.run(&["config", "check", "bad.toml"]).refused("upstraem");
    place.run(&["config", "check", "missing.toml"]).refused("missing.toml");
    for (text, words) in [
        (
            "[proxy]\nroute = ['a.b=http://x']\n[proxy.hosts.'A.b']\nmode = 'refuse'\n",
            "a.b is configured twice",
        ),
        ("[proxy]\nupstream = 'mdm.example'\n", "is no origin"),
        ("[proxy.hosts.'a.b']\nupstraem = 'http://x'\n", "unknown field `upstraem`"),
    ] {
        place.put("bad.toml", text);
        place.run(&["config", "check", "bad.toml"]).refused(words);
    }

    let bad = committed("captures/demo/wrong-thumbprint.jsonl");
    let check = ["--config", "good.toml", "check", bad.to_str().unwrap()];
    assert_eq!(place.run(&check).code, 0);
    // Flag before variable before file.
    assert_eq!(place.run(&[&check[..], &["--fail-on", "error"]].concat()).code, 1);
    assert_eq!(place.run_with(&check, &[("ENROLLSCOPE_FAIL_ON", "error")], b"").code, 1);
}

#[test]
fn help_completions_and_the_manual_come_from_the_same_definitions() {
    let place = Place::new();
    for (args, words) in [
        (&["--version"][..], "(rules "),
        (&["--help"], "Commands:"),
        (&["man"], ".TH enrollscope"),
        (&["completions", "bash"], "enrollscope"),
        (&["completions", "powershell"], "enrollscope"),
        (&["proxy", "--help"], "--upstream"),
    ] {
        let ran = place.run(args);
        assert!(ran.code == 0 && ran.out.contains(words), "{args:?}: {ran:?}");
    }
    for args in [&["--bogus"][..], &["bogus"], &["check"], &["check", "x", "--bogus"], &["completions", "x"]]
    {
        place.run(args).refused("");
    }
}

#[test]
fn colour_is_for_those_who_ask() {
    let colours =
        |flags: &[&str]| check("captures/demo/wrong-thumbprint.jsonl", flags).out.contains('\u{1b}');
    assert!(!colours(&[]));
    assert!(colours(&["--color", "always"]));
    assert!(!colours(&["--color", "never"]));
}

#[test]
fn a_filter_leaves_out_what_it_does_not_fit() {
    let place = Place::new();
    let demo = committed("captures/demo").display().to_string();
    let check = |filter: &str| place.run(&["check", &demo, "--filter", filter, "--format", "json"]);
    let all = place.run(&["check", &demo, "--format", "json"]).json();
    let count = |told: &Value, what: &str| told[what].as_array().unwrap().len();
    let cap = check("~b DeviceCapReached").json();
    assert_eq!(count(&cap, "enrollments"), 1);
    assert_eq!(cap["enrollments"][0]["hresult"], "0x80180013");
    assert!(count(&cap, "exchanges") < count(&all, "exchanges"));
    // Findings are of exchanges that are there.
    let ids: Vec<_> = cap["exchanges"].as_array().unwrap().iter().map(|x| x["id"].clone()).collect();
    let findings = cap["findings"].as_array().unwrap();
    assert!(!findings.is_empty() && findings.iter().all(|finding| ids.contains(&finding["exchange"])));
    let rule = check("rule:PROV-CS-003 outcome:failed");
    assert!(rule.code == 1 && count(&rule.json(), "enrollments") == 1, "{rule:?}");
    let nobody = check("user:nobody");
    assert!(nobody.code == 0 && count(&nobody.json(), "enrollments") == 0, "{nobody:?}");
    for (filter, words) in [("stag:policy", "stage?"), ("(a", "not closed"), ("age<10", "10m")] {
        let ran = check(filter);
        assert!(ran.code == 2 && ran.err.contains(words) && ran.err.contains('^'), "{ran:?}");
    }
}

#[test]
fn saved_filters_are_used_by_their_names() {
    let place = Place::new();
    let demo = committed("captures/demo").display().to_string();
    let config = "[filters]\ncap = '~b DeviceCapReached'\nothers = 'outcome:failed !@cap'\n";
    let config = format!("{config}[check]\nfilter = '@cap'\n");
    place.put("f.toml", config);
    let base = ["check", demo.as_str(), "--format", "json", "--config", "f.toml"];
    let check = |more: &[&str]| place.run(&[&base, more].concat());
    let enrollments = |ran: &Ran| ran.json()["enrollments"].as_array().unwrap().clone();
    let cap = enrollments(&check(&["--filter", "@cap & outcome:failed"]));
    assert!(cap.len() == 1 && cap[0]["hresult"] == "0x80180013", "{cap:?}");
    assert_eq!(enrollments(&check(&[])), cap, "the file's own filter may use one, too");
    let others = enrollments(&check(&["--filter", "@others"]));
    assert!(!others.is_empty() && !others.contains(&cap[0]), "{others:?}");
    let wrong = check(&["--filter", "user:x @cup"]);
    assert_eq!(wrong.code, 2);
    let told =
        "error: --filter: there is no @cup (@cap?); there are @cap, @others\n  user:x @cup\n         ^\n";
    assert!(wrong.err.contains(told), "{}", wrong.err);
    let bundle =
        |filter| place.run(&["bundle", &demo, "-o", "b.zip", "--config", "f.toml", "--filter", filter]);
    let nobody = bundle("@cap @others");
    assert!(nobody.code == 2 && nobody.err.contains("no enrollment is left"), "{nobody:?}");
    assert_eq!(bundle("@cap").code, 0);
    let alone = place.run(&["bundle", &demo, "-o", "c.zip", "--filter", "@cap"]);
    assert!(alone.code == 2 && alone.err.contains("no filter is saved"), "{alone:?}");
    assert_eq!(place.run(&["config", "check", "f.toml"]).code, 0);
    place.put("f.toml", "[filters]\nmonday = 'age<12'\n");
    let wrong = place.run(&["config", "check", "f.toml"]);
    let told = "f.toml: [filters] monday: a time is wanted here: 90s, 10m, 2h, 3d\n  age<12\n      ^\n";
    assert!(wrong.code == 2 && wrong.err.contains(told), "{wrong:?}");
}

#[test]
fn a_report_tells_the_policy_in_words() {
    let golden = committed("captures/golden/full-policy.jsonl").display().to_string();
    let page = Place::new().run(&["check", &golden, "--format", "html", "--fail-on", "never"]).out;
    assert_eq!(page.matches("<summary>The enrollment policy</summary>").count(), 1, "{page}");
    for told in [
        "<dt>hash</dt><dd>SHA-256 (2.16.840.1.101.3.4.2.1, reference ",
        "<dt>key algorithm</dt><dd>RSA (1.2.840.113549.1.1.1, reference ",
        "<dt>key flags</dt><dd>archive the key, exportable key, client version 5 or later",
        "<dt>validity</dt><dd>365 days (31536000 s)</dd>",
        "Renewal.svc (anonymous, renewals)</dd>",
        "= SHA-256 (hash: szOID_NIST_sha256)</dd>",
    ] {
        assert!(page.contains(told), "{told}\n{page}");
    }
}

#[test]
fn reports_stand_by_themselves_and_hold_no_secret() {
    let place = Place::new();
    let demo = committed("captures/demo").display().to_string();
    let report = |input: &str, format: &str| place.run(&["check", input, "--format", format]);
    let html = report(&demo, "html");
    assert_eq!(html.code, 1, "{}", html.err);
    let page = &html.out;
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("default-src 'none'"), "{page}");
    assert_eq!(page.matches("<details class=\"device\"").count(), 7);
    assert_eq!(page.matches("<svg ").count(), 14);
    for words in ["<mark>", "Connections that came to nothing", "PROV-CS-003", "0x80180013 on the screen"] {
        assert!(page.contains(words), "{words}");
    }
    // Nothing is fetched, and the only links are its own.
    assert!(!page.contains("src=") && page.matches("href=").count() == page.matches("href=\"#d").count());
    let markdown = report(&demo, "markdown").out;
    assert!(
        markdown.contains("## anna@contoso.example (e1)") && markdown.contains("### error PROV-CS-004"),
        "{markdown}"
    );
    let junit = report(&demo, "junit").out;
    assert!(junit.contains("failures=\"8\"") && junit.contains("type=\"stalled\""), "{junit}");
    // A message as it came from the wire: nobody has taken the password out.
    let token = committed("tests/data/real/getpolicies-req.xml");
    let raw = std::fs::read_to_string(token).unwrap();
    let (before, rest) = raw.split_once("<wsse:Username>").unwrap();
    let hostile = format!("{before}<wsse:Username>&lt;script&gt;alert(1)&lt;/script&gt;\u{1b}[2J{rest}");
    let hostile = hostile.replace(">demo</wsse:Password>", ">hunter2-secret</wsse:Password>");
    assert!(hostile.contains("hunter2-secret"));
    place.put("m.xml", hostile.replace("mustUnderstand=\"1\"", "mustUnderstand=\"x\""));
    for format in ["html", "markdown"] {
        let said = report("m.xml", format).out;
        assert!(said.contains("Outside any enrollment") || said.contains("get-policies-request"), "{said}");
        assert!(
            !said.contains("hunter2-secret") && !said.contains("<script>alert") && !said.contains('\u{1b}'),
            "{said}"
        );
    }
}
