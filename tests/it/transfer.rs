//! Captures as HAR files and back, and the recordings of other tools.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write as _};

use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::binary::{Place, Ran, committed};

/// Rule, place and value of every finding that needs no connection to be seen.
fn findings(ran: &Ran) -> BTreeSet<String> {
    let json = ran.json();
    let told = |finding: &Value| {
        format!("{} {} {} {}", finding["rule"], finding["path"], finding["line"], finding["found"])
    };
    json["findings"].as_array().unwrap().iter().map(told).collect()
}

#[test]
fn a_capture_is_judged_the_same_as_a_har_file_and_as_a_capture_made_of_that() {
    let place = Place::new();
    let mut compared = 0;
    for entry in fs::read_dir(committed("captures/demo")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "jsonl") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let path = path.to_str().unwrap();
        let (har, back) = (format!("{name}.har"), format!("{name}.jsonl"));
        let exported = place.run(&["export", path, "--output", &har]);
        assert_eq!(exported.code, 1, "connections have no place in it: {exported:?}");
        assert!(exported.out.contains("not in it: facts of connections"), "{exported:?}");
        let imported = place.run(&["import", &har]);
        assert!(imported.out.starts_with(&back), "{imported:?}");
        let judge = |input: &str| place.run(&["check", "--format", "json", input]);
        let (before, har, back) = (judge(path), judge(&har), judge(&back));
        assert_eq!(har.json()["summary"]["exchanges"], before.json()["summary"]["exchanges"]);
        assert_eq!(findings(&har), findings(&back), "{name}");
        // What is told of a connection, or of a body that was withheld, needs what a HAR file has no place for.
        let lost: Vec<_> = findings(&before).difference(&findings(&har)).cloned().collect();
        let other = lost
            .iter()
            .filter(|f| !["\"TLS-", "\"OWN-", "\"HTTP-"].iter().any(|family| f.starts_with(family)));
        assert_eq!(other.count(), 0, "{name}: {lost:?}");
        compared += findings(&har).len();
    }
    assert!(compared > 5);
}

#[test]
fn secrets_of_others_recordings_are_taken_out() {
    let place = Place::new();
    let token = "Y29ycmVjdC1ob3JzZS03";
    let har = format!(
        r#"{{"log":{{"entries":[{{"startedDateTime":"2026-11-20T08:00:00Z","request":{{"method":"POST",
           "url":"https://mdm.example/EnrollmentServer/Policy.svc","headers":[{{"name":"Authorization","value":"Bearer {token}"}}],
           "postData":{{"text":"<a><Password>{token}</Password></a>"}}}},
           "response":{{"status":500,"content":{{"text":"{token}"}}}}}}]}}}}"#
    );
    place.put("x.har", format!("\u{FEFF}{har}"));
    for args in
        [&["check", "x.har"][..], &["import", "x.har", "--record-bodies", "all"], &["export", "x.jsonl"]]
    {
        let ran = place.run(args);
        assert!(ran.code < 2 && !ran.out.contains(token) && !ran.err.contains(token), "{ran:?}");
    }
    assert!(!String::from_utf8(place.read("x.jsonl")).unwrap().contains(token));
    // What is there already is left as it is.
    let before = place.read("x.jsonl");
    place.run(&["import", "x.har"]).refused("is there already");
    assert_eq!(place.read("x.jsonl"), before);
    // Half a file makes no capture.
    place.put("half.har", &har.as_bytes()[..har.len() - 4]);
    place.run(&["import", "half.har"]).refused("no HAR file, or a broken one");
    assert!(!place.path("half.jsonl").exists());
}

#[test]
fn captures_come_on_standard_input_too() {
    let place = Place::new();
    let golden = fs::read(committed("captures/golden/on-premise.jsonl")).unwrap();
    let as_file = place.run(&["export", committed("captures/golden/on-premise.jsonl").to_str().unwrap()]);
    let piped = place.run_with(&["export", "-"], &[], &golden);
    assert_eq!((piped.code, &piped.out), (as_file.code, &as_file.out));
    assert_eq!(place.run_with(&["check", "-"], &[], &golden).code, 0);
    let named = committed("captures/golden/on-premise.jsonl");
    let diff =
        place.run_with(&["diff", "-", named.to_str().unwrap(), "--fail-on", "difference"], &[], &golden);
    assert_eq!(diff.code, 0, "{diff:?}");
    place.run_with(&["export", "-"], &[], b"").refused("empty");
}

#[test]
fn a_flow_file_is_judged_the_same_as_the_capture_made_of_it() {
    let place = Place::new();
    let flow = committed("tests/data/foreign/mitmproxy-21.flow");
    place.put("x.flow", fs::read(&flow).unwrap());
    let imported = place.run(&["import", "x.flow"]);
    assert_eq!(imported.code, 1, "{imported:?}");
    assert!(imported.out.starts_with("x.jsonl: 6 exchanges\n"), "{imported:?}");
    assert!(imported.out.contains("not in it: flows of TCP, which are no HTTP (1)"), "{imported:?}");
    let told = place.run(&["check", "x.flow"]);
    assert!(told.err.contains("note: x.flow: not judged: flows of TCP, which are no HTTP (1)"), "{told:?}");
    let judge = |input: &str| place.run(&["check", "--format", "json", input]).json();
    let (flows, capture) = (judge("x.flow"), judge("x.jsonl"));
    assert_eq!(flows["findings"], capture["findings"]);
    assert_eq!(flows["summary"]["exchanges"], 6);
    assert_eq!(place.read("x.flow"), fs::read(&flow).unwrap());
    // Older and broken ones are refused, and leave nothing behind.
    place.put("cut.flow", &fs::read(&flow).unwrap()[..5000]);
    for command in [&["import", "cut.flow"][..], &["check", "cut.flow"]] {
        place.run(command).refused("it ends in the middle of a flow");
    }
    place.put("other", "neither");
    place.run(&["import", "other"]).refused("neither a HAR file, nor a flow file of mitmproxy");
    assert!(!place.path("cut.jsonl").exists() && !place.path("other.jsonl").exists());
}

/// The exchanges of a capture as Fiddler saves them.
fn saz(capture: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut file = |name: String, text: String| {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let message = |first: String, message: &Value| {
        let fields = message["headers"].as_array().unwrap().iter();
        let fields = fields.map(|field| format!("{}: {}\r\n", text(&field[0]), text(&field[1])));
        let body = text(&message["body"]["text"]);
        let chunked = message["body"]["framing"] == "chunked";
        let body = if chunked { format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()) } else { body };
        format!("{first}\r\n{}\r\n{body}", fields.collect::<String>())
    };
    let records = capture.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    for record in records.filter(|record| record["kind"] == "exchange") {
        let (number, request, response) = (&record["seq"], &record["request"], &record["response"]);
        let host = request["headers"].as_array().unwrap().iter().find(|field| field[0] == "Host").unwrap();
        let first = format!(
            "{} https://{}{} HTTP/1.1",
            text(&request["method"]),
            text(&host[1]),
            text(&request["target"])
        );
        file(format!("raw/{number}_c.txt"), message(first, request));
        if !response.is_null() {
            let first = format!("HTTP/1.1 {} {}", response["status"], text(&response["reason"]));
            file(format!("raw/{number}_s.txt"), message(first, response));
        }
        let timers = format!(
            "<SessionTimers ClientBeginRequest={} ServerBeginResponse={} />",
            request["at"], response["at"]
        );
        let port = text(&record["connection"]).replace('c', "5");
        let flags = format!(
            r#"<SessionFlags><SessionFlag N="x-clientIP" V="192.0.2.7" /><SessionFlag N="x-clientport" V="{port}" /></SessionFlags>"#
        );
        file(format!("raw/{number}_m.xml"), format!("<Session>{timers}{flags}</Session>"));
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_archive_of_fiddler_is_judged_as_the_capture_that_it_is_of() {
    let place = Place::new();
    for name in ["chunked-answer", "wrong-password", "wrong-thumbprint"] {
        let path = committed(&format!("captures/demo/{name}.jsonl"));
        let file = saz(&fs::read_to_string(&path).unwrap());
        let (archive, back) = (format!("{name}.saz"), format!("{name}.jsonl"));
        place.put(&archive, &file);
        let imported = place.run(&["import", &archive]);
        assert_eq!(imported.code, 0, "{imported:?}");
        let judge = |input: &str| place.run(&["check", "--format", "json", input]);
        let (before, archived, back) = (judge(path.to_str().unwrap()), judge(&archive), judge(&back));
        assert_eq!(archived.json()["summary"]["exchanges"], before.json()["summary"]["exchanges"]);
        assert_eq!(archived.json()["findings"], back.json()["findings"], "{name}");
        let told = |ran: &Ran| {
            let facts = ["\"TLS-", "\"OWN-", "\"HTTP-"];
            let all = findings(ran).into_iter();
            all.filter(|f| !facts.iter().any(|family| f.starts_with(family))).collect::<Vec<_>>()
        };
        assert_eq!(told(&archived), told(&before), "{name}");
        assert_eq!(place.read(&archive), file);
    }
    place.put("other.zip", b"PK\x03\x04 and nothing more");
    for command in [&["import", "other.zip"][..], &["check", "other.zip"]] {
        place.run(command).refused("the zip file is broken");
    }
    assert!(!place.path("other.jsonl").exists());
}
