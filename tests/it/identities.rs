//! The level `identities`: nobody is in it, and rules that cannot judge without say nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enrollscope::event::{Connection, Event, Exchange};
use enrollscope::redact::{Key, Level, Redactor};
use enrollscope::rules::{self, Golden, NEED_IDENTITIES};
use enrollscope::sim::golden;

use crate::catalogue::observe;

fn hidden(events: &[Event]) -> Vec<Event> {
    at(Level::Identities, events)
}

fn at(level: Level, events: &[Event]) -> Vec<Event> {
    let redactor = Redactor::new(level, false, Key::new(&[1; 32]));
    let hide = |event: &Event| match event {
        Event::Exchange(exchange) => {
            let mut copy = Exchange::clone(exchange);
            redactor.exchange(&mut copy);
            Event::Exchange(Arc::new(copy))
        }
        Event::Connection(connection) => {
            let mut copy = Connection::clone(connection);
            redactor.connection(&mut copy);
            Event::Connection(Arc::new(copy))
        }
        other => other.clone(),
    };
    events.iter().map(hide).collect()
}

/// How often each rule fails.
fn findings(events: Vec<Event>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for finding in observe(events).iter().flat_map(|o| &o.findings) {
        *counts.entry(finding.rule.id).or_default() += 1;
    }
    counts
}

#[test]
fn rules_judge_the_same_or_say_nothing_by_the_committed_list() {
    let mut differing: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut samples: Vec<_> = Golden::ALL.iter().map(|g| (format!("{g:?}"), golden::of(*g))).collect();
    for rule in rules::all() {
        for example in rule.examples {
            let events = golden::with_edit(example.golden, &example.edit);
            samples.extend(events.map(|events| (rule.id.to_owned(), events)));
        }
    }
    let mut invented = Vec::new();
    for (name, events) in &samples {
        let (before, after) = (findings(events.clone()), findings(hidden(events)));
        for id in before.keys().chain(after.keys()) {
            let (before, after) = (before.get(id), after.get(id));
            if before == after {
                continue;
            }
            differing.entry(id).or_default().insert(name.clone());
            if after > before || !NEED_IDENTITIES.contains(id) {
                invented.push(format!("{name}: {id} {before:?} {after:?}"));
            }
        }
    }
    assert!(invented.is_empty(), "{}", invented.join("\n"));
    let stale: Vec<_> = NEED_IDENTITIES.iter().filter(|id| !differing.contains_key(*id)).collect();
    assert!(stale.is_empty(), "these judge as before, and need not be on the list: {stale:?}");
}

/// One for each place, of no words that anybody knows.
fn planted(place: usize) -> String {
    format!(
        "qzvok{}wurm",
        ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv", "wx"][place % 12]
    ) + &"y".repeat(1 + place / 12)
}

/// The value in every form that somebody might look for.
fn forms(value: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let hex = |upper: bool| -> Vec<u8> {
        let digit = |b: u8| if upper { format!("{b:02X}") } else { format!("{b:02x}") };
        value.bytes().map(digit).collect::<String>().into_bytes()
    };
    let mut forms = vec![value.as_bytes().to_vec(), hex(true), hex(false)];
    forms.push(value.encode_utf16().flat_map(u16::to_le_bytes).collect());
    for before in ["", "x", "xy"] {
        // What stands around it decides its first and its last letters.
        let encoded = STANDARD.encode(format!("{before}{value}"));
        forms.push(encoded.as_bytes()[4..encoded.len() - 4].to_vec());
    }
    forms
}

#[test]
fn whoever_is_planted_anywhere_is_nowhere() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use enrollscope::event::{Body, Header, Reason, Upstream};

    let mut count = 0;
    let mut name = || {
        count += 1;
        planted(count - 1)
    };
    let mut exchange = match golden::of(Golden::OnPremise)
        .into_iter()
        .rev()
        .find(|e| matches!(e, Event::Exchange(x) if x.request.target.contains("Enrollment.svc")))
    {
        Some(Event::Exchange(exchange)) => Exchange::clone(&exchange),
        _ => panic!(),
    };
    let (mut subject, inner) = (String::new(), name());
    let key = enrollscope::sim::Key::from_pem(&crate::binary::golden_key("device")).unwrap();
    let chain = {
        let name = name();
        let issued = crate::binary::authority()
            .server_certificate(
                &[format!("{name}.example"), format!("{name}.{inner}.test")],
                &key,
                exchange.request.at,
            )
            .unwrap();
        subject.push_str(&name);
        issued
    };
    let request = &mut exchange.request;
    request.target = format!(
        "/EnrollmentServer/{}/Enrollment.svc?login_hint={}%40{}.example&{}={}#{}",
        name(),
        name(),
        name(),
        name(),
        name(),
        name()
    );
    request.method = name();
    for header in ["Host", "X-Forwarded-For", "Referer", "User-Agent", "X-Owner", "From", "Via", "Forwarded"]
    {
        request.headers.push(Header::new(header, format!("{} for {};{}", name(), name(), name())));
    }
    let unknown = format!("X-{}", name());
    request.headers.push(Header::new(unknown, "1"));
    let claims =
        format!("{{\"upn\":\"{}@{}.example\",\"{}\":[\"{}\"],\"exp\":1}}", name(), name(), name(), name());
    let jwt =
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{\"alg\":\"RS256\"}"), URL_SAFE_NO_PAD.encode(claims));
    let text = String::from_utf8(request.body.bytes.to_vec()).unwrap();
    let (before, after) = text.split_once("</ac:AdditionalContext>").unwrap();
    let items = format!(
        "<ac:ContextItem Name=\"{}\"><ac:Value>{}</ac:Value></ac:ContextItem>\
         <ac:ContextItem Name=\"DeviceName\"><ac:Value>POLICY-{}</ac:Value></ac:ContextItem>\
         <!-- {} --><{}>{}</{}><x a=\"{}\">{}&#45;{}<![CDATA[{}]]></x><y>{}</y><z>{}</z>",
        name(),
        name(),
        name(),
        name(),
        inner,
        name(),
        inner,
        name(),
        name(),
        name(),
        name(),
        STANDARD.encode(format!(
            "a text of some length that somebody has put into base64: {} {}\n",
            name(),
            name()
        )),
        jwt,
    );
    request.body = Body::full(format!("{before}{items}</ac:AdditionalContext>{after}"));
    let response = exchange.response.as_mut().unwrap();
    response.reason = format!("OK {}", name());
    response.headers.push(Header::new("Location", format!("https://{}.example/{}", name(), name())));
    response
        .headers
        .push(Header::new("Set-Cookie", format!("{}={}; Domain={}.example", "session", name(), name())));
    response.body = Body::full(format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><s:Fault><s:Reason><s:Text>The user \
         {}\\{} ({}@{}.example) of {}.example at 203.0.113.77 is unknown; ask {}</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>",
        name(),
        name(),
        name(),
        name(),
        name(),
        name()
    ));
    exchange.upstream = Some(Upstream {
        origin: format!("https://{}.example:443", name()),
        address: Some("203.0.113.77:443".to_owned()),
        error: Some(format!("no route to {}", name())),
        chain: vec![chain.clone()],
        ..Upstream::default()
    });
    let connection = Connection {
        peer: "203.0.113.77:50000".to_owned(),
        sni: Some(format!("{}.example", name())),
        listener: format!("https://{}.example:443", name()),
        chain: vec![chain.clone()],
        client_certificate: vec![chain],
        reason: Some(Reason::Refused(format!("no certificate for {}", name()))),
        ..Connection::default()
    };
    let events = [Event::Exchange(Arc::new(exchange)), Event::Connection(Arc::new(connection))];
    let names: Vec<_> = (0..count).map(planted).chain(["203.0.113.77".to_owned(), subject]).collect();
    assert!(count > 60);
    let all = leaks(&at(Level::None, &events), &names);
    assert!(names.iter().all(|name| all.contains(name)), "some were not planted at all: {all:?}");
    assert!(leaks(&at(Level::Secrets, &events), &names).len() > 40, "secrets are another level");
    assert_eq!(leaks(&hidden(&events), &names), Vec::<String>::new());
}

/// The names that are in what would be written down.
fn leaks(events: &[Event], names: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events {
        match event {
            Event::Exchange(exchange) => enrollscope::capture::encode::exchange(&mut lines, exchange),
            Event::Connection(connection) => enrollscope::capture::encode::connection(&mut lines, connection),
            _ => {}
        }
    }
    // Base64 in the capture, and base64 in that.
    let opened: Vec<Vec<u8>> = lines
        .split(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'=')))
        .filter(|run| run.len() > 40)
        .filter_map(|run| enrollscope::message::decode_base64(std::str::from_utf8(run).ok()?))
        .collect();
    let lower: Vec<_> = std::iter::once(lines).chain(opened).map(|text| text.to_ascii_lowercase()).collect();
    let is_there = |name: &&String| {
        let forms = forms(name);
        let is_in = |form: &Vec<u8>| {
            let form = form.to_ascii_lowercase();
            lower.iter().any(|text| memchr::memmem::find(text, &form).is_some())
        };
        forms.iter().any(is_in)
    };
    names.iter().filter(is_there).cloned().collect()
}

#[test]
#[cfg(unix)]
fn captures_are_redacted_further_and_never_back() {
    let place = crate::binary::Place::new();
    let golden = std::fs::read(crate::binary::committed("captures/golden/on-premise.jsonl")).unwrap();
    place.put("c.jsonl", &golden);
    let redact = |args: &[&str]| place.run(&[&["redact"], args].concat());
    let ran = redact(&["c.jsonl", "-o", "who.jsonl"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "who.jsonl: 5 exchanges, level identities\n"), "{ran:?}");
    assert_eq!(place.read("c.jsonl"), golden);
    let text = String::from_utf8(place.read("who.jsonl")).unwrap();
    assert!(!text.contains("anna") && !text.contains("contoso"), "{text}");
    assert!(text.starts_with("{\"enrollscope\":\"capture\"") && text.contains("\"level\":\"identities\""));
    let (before, after) = (
        place.run(&["check", "c.jsonl", "--format", "json"]).json(),
        place.run(&["check", "who.jsonl", "--format", "json"]).json(),
    );
    assert_eq!(before["enrollments"][0]["outcome"], "enrolled");
    assert_eq!(after["enrollments"][0]["outcome"], "enrolled");
    assert_eq!(before["findings"].as_array().unwrap().len(), after["findings"].as_array().unwrap().len());

    redact(&["c.jsonl", "-o", "who.jsonl"]).refused("is there already");
    redact(&["who.jsonl", "-o", "back.jsonl", "--level", "secrets"]).refused("cannot be brought back");
    redact(&["who.jsonl", "-o", "again.jsonl"]).refused("--new-key");
    assert_eq!(redact(&["who.jsonl", "-o", "again.jsonl", "--new-key"]).code, 0);
    let users = |capture: &str| {
        place.run(&["check", capture, "--format", "json"]).json()["enrollments"][0]["user"].clone()
    };
    assert_ne!(users("who.jsonl"), users("again.jsonl"), "two captures that have nothing in common");
    assert_eq!(redact(&["c.jsonl", "-o", "same.jsonl"]).code, 0);
    assert_eq!(users("who.jsonl"), users("same.jsonl"), "one key");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(place.path("who.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Nothing of a text is as it was but what stands between words.
#[test]
fn where_names_stand_no_word_is_harmless_however_it_is_written() {
    use enrollscope::event::Header;
    let golden = golden::of(Golden::OnPremise);
    let exchange = golden.iter().find_map(|event| match event {
        Event::Exchange(exchange) if !exchange.request.body.bytes.is_empty() => Some(exchange),
        _ => None,
    });
    let hidden_header = |name: &str, value: &str| {
        let mut copy = Exchange::clone(exchange.unwrap());
        copy.request.headers = vec![Header::new(name, value.to_owned())];
        let Event::Exchange(copy) = &hidden(&[Event::Exchange(Arc::new(copy))])[0] else { panic!() };
        copy.request.headers[0].text().into_owned()
    };
    for (name, value, gone) in [
        ("Host", "page.field.example", &["page", "field"][..]),
        ("X-Forwarded-Host", "long-page.example:443", &["long", "page"]),
        ("X-User", "page", &["page"]),
        ("X-MS-Client-Principal-Name", "will long", &["will", "long"]),
        ("From", "Will Page <will@long.example>", &["will", "page", "long"]),
        ("X-Any", "https://page.long.example/users/will/home", &["page", "long", "will"]),
        ("X-Any", "C:\\Users\\Will\\Desktop", &["will"]),
        ("X-Any", "user=will&login_hint=page&device=long", &["will", "page", "long"]),
        (
            "X-Any",
            r#"{"upn":"will","displayName":"Will Page","deviceName" : "LONG"}"#,
            &["will", "page", "long"],
        ),
        ("X-Any", "login_hint=%77%69%6C%6c", &["%77%69%6c%6c"]),
        ("X-Any", "a=%5A%71abixv&b=%255Aqabixv", &["%5a%71", "abixv", "%255a"]),
        ("X-Any", "S-1-5-21-3623811015-3361044348-30300820-1013", &["3623811015", "30300820", "1013"]),
        ("X-Any", "call +49 170 5551234", &["5551234", "170"]),
        ("X-Any", "ip-10-1-2-3 and 10-11-12-13", &["10-1-2-3", "10-11-12-13"]),
        ("X-Any", "47118151", &["47118151"]),
    ] {
        let now = hidden_header(name, value);
        assert_eq!(now.len(), value.len(), "{now}");
        for word in gone {
            assert!(!now.to_lowercase().contains(word), "{name}: {value} became {now}");
        }
    }
    // What says nothing of anybody.
    for (name, value) in [
        ("User-Agent", "ENROLLClient"),
        ("Content-Type", "application/soap+xml; charset=utf-8"),
        ("X-Any", "S-1-5-18"),
        ("Date", "Sat, 28 Nov 2026 09:00:00 GMT"),
        ("Host", "EnterpriseEnrollment.example.com"),
    ] {
        assert_eq!(hidden_header(name, value), value);
    }
    // References in XML, in the middle of a word and in the place of a sign.
    let mut copy = Exchange::clone(exchange.unwrap());
    copy.request.body.bytes =
        "<a><EmailAddress>&#119;ill&#x40;page.example</EmailAddress><b>&#x7a;qabix</b></a>".into();
    let Event::Exchange(copy) = &hidden(&[Event::Exchange(Arc::new(copy))])[0] else { panic!() };
    let text = String::from_utf8_lossy(&copy.request.body.bytes).into_owned();
    for word in ["ill&#x40;", "page", "#119;", "qabix", "#x7a;"] {
        assert!(!text.contains(word), "{text}");
    }
}
