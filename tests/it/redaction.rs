//! Redaction changes no verdict, and leaves no secret in anything that comes out.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use enrollscope::capture::{MessageFile, encode};
use enrollscope::event::{Body, Event, Exchange, Header, Side};
use enrollscope::redact::{Key, Level, Redactor};
use enrollscope::report::{self, Judged};
use enrollscope::rules::{self, Change, Edit, Golden, Part, Profile, Step};
use enrollscope::sim::golden;

use crate::catalogue::observe;
use crate::messages::data;

fn redactor() -> Redactor {
    Redactor::new(Level::Secrets, false, Key::new(&[1; 32]))
}

fn redacted(events: &[Event]) -> Vec<Event> {
    let mask = |event: &Event| match event {
        Event::Exchange(exchange) => {
            let mut copy = Exchange::clone(exchange);
            redactor().exchange(&mut copy);
            Event::Exchange(Arc::new(copy))
        }
        other => other.clone(),
    };
    events.iter().map(mask).collect()
}

/// Rule and place of every finding.
fn findings(events: Vec<Event>) -> Vec<String> {
    let seen = observe(events);
    let all = seen.iter().flat_map(|o| &o.findings);
    all.map(|f| format!("{} {:?} {} {:?} {:?}", f.rule.id, f.side, f.path, f.place, f.outer_offset)).collect()
}

/// Every sample there is: goldens, each rule's broken ones, published examples, the real enrollment, and cut ones.
fn samples() -> Vec<(String, Vec<Event>)> {
    let mut all = Vec::new();
    for golden in Golden::ALL {
        all.push((format!("{golden:?}"), golden::of(*golden)));
    }
    for rule in rules::all() {
        for example in rule.examples {
            if let Some(events) = golden::with_edit(example.golden, &example.edit) {
                all.push((rule.id.to_owned(), events));
            }
        }
    }
    for folder in ["examples", "real"] {
        for path in data(folder) {
            let exchange = MessageFile::read(&std::fs::read(&path).unwrap()).into_exchange();
            all.push((path.display().to_string(), vec![Event::Exchange(Arc::new(exchange))]));
        }
    }
    all
}

#[test]
fn findings_are_the_same_before_and_after() {
    for (name, events) in samples() {
        assert_eq!(findings(redacted(&events)), findings(events), "{name}");
    }
}

#[test]
fn redacting_twice_changes_no_verdict_either() {
    for golden in Golden::ALL {
        let events = golden::of(*golden);
        let twice = redacted(&redacted(&events));
        assert_eq!(findings(twice), findings(events), "{golden:?}");
    }
}

/// A secret that occurs nowhere else, one for each place.
fn planted(place: usize) -> &'static str {
    Box::leak(format!("Zq7vK{place}xW-9s3crEt{place}Qz").into_boxed_str())
}

fn forms(secret: &str) -> [String; 4] {
    let url: String = secret
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let base64 = |text: String| text.trim_end_matches('=').to_owned();
    [secret.to_owned(), url, base64(STANDARD.encode(secret)), base64(URL_SAFE.encode(secret))]
}

/// The golden with a secret in every place that may hold one.
fn with_secrets() -> (Vec<Event>, Vec<&'static str>) {
    let places: [(Side, Part, &str, Change); 7] = [
        (Side::Request, Part::Body, "…/Security/UsernameToken/Password", Change::Set(planted(1))),
        (Side::Request, Part::Header("Authorization"), "", Change::Set(planted(2))),
        (Side::Request, Part::Header("Cookie"), "", Change::Set(planted(3))),
        (Side::Response, Part::Header("Set-Cookie"), "", Change::Set(planted(4))),
        (
            Side::Response,
            Part::Provisioning,
            "…/characteristic[APPAUTH]/parm[AAUTHSECRET]/@value",
            Change::Set(planted(5)),
        ),
        (
            Side::Response,
            Part::Provisioning,
            "…/characteristic[APPAUTH]/parm[AAUTHDATA]/@value",
            Change::Set(planted(6)),
        ),
        // Again where nobody expects it.
        (Side::Request, Part::Body, "…/ContextItem[Locale]/Value", Change::Set(planted(1))),
    ];
    let mut events = golden::of(Golden::OnPremise);
    let mut hits = vec![0; places.len()];
    for event in &mut events {
        let Event::Exchange(exchange) = event else { continue };
        let exchange = Arc::make_mut(exchange);
        for (index, (side, part, at, change)) in places.iter().enumerate() {
            let hit = rules::apply_to_message(*side, *part, at, *change, exchange);
            hits[index] += usize::from(hit);
            if hit && index == 0 {
                let note = format!("user had {}", STANDARD.encode(planted(1)));
                exchange.request.headers.push(Header::new("X-Trace", note));
            }
        }
        exchange.request.target.push_str(&format!("?access_token={}", planted(7)));
    }
    assert!(hits.iter().all(|h| *h > 0), "{hits:?}");
    (events, (1..8).map(planted).collect())
}

/// Cuts and breaks a body in the ways that wires do.
fn broken(events: &[Event], keep: usize) -> Vec<Event> {
    let mut events = events.to_vec();
    for event in &mut events {
        let Event::Exchange(exchange) = event else { continue };
        let exchange = Arc::make_mut(exchange);
        let cut = |bytes: &mut Bytes| {
            let mut text = bytes.to_vec();
            match keep {
                0..8 => text.truncate(text.len() * keep / 8),
                8 => text = String::from_utf8_lossy(&text).replace("</wsse:Password>", "").into_bytes(),
                9 => text = String::from_utf8_lossy(&text).replace("</s:", "</x:").into_bytes(),
                _ => {
                    text =
                        String::from_utf8_lossy(&text).replace('>', "> ").replace("<s:", "< s:").into_bytes()
                }
            }
            *bytes = Bytes::from(text);
        };
        if keep < 8 {
            // Where the body ends before the secret, nobody can know what the header repeats.
            exchange.request.headers.retain(|h| h.name != "X-Trace");
        }
        cut(&mut exchange.request.body.bytes);
        if let Some(response) = exchange.response.as_mut() {
            cut(&mut response.body.bytes);
        }
    }
    events
}

#[test]
fn planted_secrets_appear_in_no_capture_and_no_report() {
    let (whole, secrets) = with_secrets();
    let before = golden::capture(&whole);
    for secret in &secrets {
        let inside = secret == &planted(5) || secret == &planted(6);
        assert!(inside || contains(&before, secret), "{secret} is planted");
    }
    for variant in 0..=11 {
        let events = if variant == 11 { whole.clone() } else { broken(&whole, variant) };
        let clean = redacted(&events);
        let mut out = golden::capture(&clean);
        // What stands inside base64 counts as well.
        for event in &clean {
            if let Event::Exchange(exchange) = event {
                encode::exchange(&mut out, exchange);
                let bodies = [Some(&exchange.request.body), exchange.response.as_ref().map(|r| &r.body)];
                for body in bodies.into_iter().flatten() {
                    let text = String::from_utf8_lossy(&body.bytes).into_owned();
                    for run in text
                        .split(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c))
                        .filter(|r| r.len() > 40)
                    {
                        let length = run.len() / 4 * 4;
                        out.extend(STANDARD.decode(&run[..length]).unwrap_or_default());
                    }
                }
            }
        }
        let mut judged = Judged::new(Profile::Strict);
        for seen in observe(clean) {
            out.extend(report::line(&seen).into_bytes());
            out.extend(report::line_json(&seen).into_bytes());
            judged.add(seen, None);
        }
        out.extend(report::json(&judged).to_string().into_bytes());
        out.extend(report::human(&judged, false).into_bytes());
        for secret in &secrets {
            for form in forms(secret) {
                assert!(!contains(&out, &form), "variant {variant}: {form} is still there");
            }
        }
    }
}

#[test]
fn the_tokens_of_every_flow_leave_no_trace() {
    let page = Edit::Message {
        step: Step::Password,
        side: Side::Response,
        part: Part::Body,
        at: "…/body/form",
        change: Change::Insert("<input name=\"state\" value=\"Vn8-St4te0fTheServer\"/>"),
    };
    let mut linked = Exchange::default();
    linked.request.headers.push(Header::new("Content-Type", "application/json"));
    let text = "{\"userDomain\":\"contoso.example\", \"EnrollmentData\" : \"Jk5-L1nked\\u0041Secret77\"}";
    linked.request.body = Body::full(text);
    for (events, marks) in [
        (
            golden::with_edit(Golden::Federated, &page).unwrap(),
            &["name=\"wresult\" value=\"", "name=\"state\" value=\"", "#base64binary\">"][..],
        ),
        (
            golden::of(Golden::Entra),
            &["\"Bearer ", "OpaqueBlob=", "Name=\"EnrollmentData\"><ac:Value>", "#base64binary\">"],
        ),
        (vec![Event::Exchange(Arc::new(linked))], &["\"EnrollmentData\" : \""]),
    ] {
        let written = |events: &[Event]| {
            String::from_utf8(golden::capture(events)).unwrap().replace("\\\"", "\"").replace("\\\\", "\\")
        };
        let (before, after) = (written(&events), written(&redacted(&events)));
        for mark in marks {
            let start = before.find(mark).unwrap_or_else(|| panic!("{mark} is there")) + mark.len();
            let value = before[start..].split(['"', '<', '&']).next().unwrap();
            // Of a JSON Web Token the signature is the secret.
            let secret = value.rsplit('.').next().unwrap();
            assert!(secret.len() > 15 && before.contains(secret), "{mark}: {secret}");
            for form in forms(secret) {
                assert!(!after.contains(&form), "{mark}: {form} is still there");
            }
        }
    }
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle.as_bytes())
}

#[test]
fn a_text_of_nothing_but_secrets_costs_its_length_and_not_its_square() {
    let patterns = [
        "<Password>",
        "<x:Password",
        ":Password",
        "Password=",
        "Password ",
        "<Password/>",
        "<a name=\"Password\">",
        "<a name=\"Password\"",
        "name=\"Password\" ",
        "\"Password\":\"",
        "<Password>Password",
        "<!DOCTYPE a ",
        "<BinarySecurityToken>",
        "<Security>",
        "<Security><x>",
        "<a name=\"Password\"><b>",
        "a.b-Password",
        "&amp;",
        "&amp;amp;",
        "<a b='&#65;&lt;Password&gt;='>",
        "&lt;!--",
        "x<!--",
        "x<![CDATA[",
        "x<?",
        "<![CDATA[x]]>",
        "eyJ",
        "eyJhbGciOiJIUzI1NiJ9.",
        "eyJhbGciOiJIUzI1NiJ9.a.b ",
        "eyA.",
        "ew0ew0ew0.",
        "a=%41%3D&",
        "http://a:b@c",
        "QUFB",
        "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB x ",
        "<form action='ms-app:'><textarea>",
        "<a href='ms-app:?x'><script>'",
        "P\0a\0s\0s\0w\0o\0r\0d\0=\0",
    ];
    let redactor = redactor();
    for pattern in patterns {
        let text = pattern.repeat((1 << 20) / pattern.len());
        let started = std::time::Instant::now();
        redactor.text(text.as_bytes());
        assert!(started.elapsed().as_secs() < 10, "{pattern}: {:?}", started.elapsed());
    }
}
