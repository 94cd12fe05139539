//! Damaged recordings: whatever arrives, nothing panics, findings stay bounded, and no whole secret stays.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use enrollscope::capture::{Item, Reader};
use enrollscope::compare::judged;
use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Event, Exchange, Header, Timing};
use enrollscope::message::decode_base64;
use enrollscope::redact::{Key, Level, Redactor};
use enrollscope::report::story::{Report, markdown, page};
use enrollscope::rules::{Golden, MAX_EVIDENCE, Profile};
use enrollscope::sim::golden;

use crate::correlation::Shuffle;

/// How often each exchange of each golden is damaged.
const ROUNDS: usize = 50;

const SECRET: &str = "Zq7vKpl4ntedxW9s3crEtQz";

/// Flips, cuts, repeats or splices in bytes of another place.
fn damage(bytes: &[u8], shuffle: &mut Shuffle) -> Vec<u8> {
    if bytes.is_empty() {
        return b"<".to_vec();
    }
    let mut damaged = bytes.to_vec();
    let (from, other) = (shuffle.below(bytes.len()), shuffle.below(bytes.len()));
    let to = (from + 1 + shuffle.below(200)).min(bytes.len());
    match shuffle.below(5) {
        0 => {
            (0..=shuffle.below(4)).for_each(|_| damaged[shuffle.below(bytes.len())] ^= 1 << shuffle.below(8))
        }
        1 => damaged.truncate(from),
        2 => drop(damaged.drain(from..to)),
        3 => drop(damaged.splice(other..other, bytes[from..to].repeat(1 + shuffle.below(50)))),
        _ => {
            let hostile: [&[u8]; 8] = [
                b"\0",
                b"\xff\xfe",
                b"<![CDATA[",
                b"<!--",
                b"&#x0;",
                b"]]>",
                b"\xF0\x9F",
                b"<a:b xmlns:a=''>",
            ];
            damaged.splice(from..from, hostile[shuffle.below(8)].to_vec());
        }
    }
    damaged
}

/// Something that is base64 in the text, decoded, damaged, encoded again.
fn damage_inside(text: &[u8], shuffle: &mut Shuffle) -> Option<Vec<u8>> {
    let is_inner = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    let runs: Vec<_> = text.split(|b| !is_inner(b)).filter(|run| run.len() > 100).collect();
    let run = *runs.get(shuffle.below(runs.len().max(1)))?;
    let inner = damage(&decode_base64(std::str::from_utf8(run).ok()?)?, shuffle);
    let start = run.as_ptr() as usize - text.as_ptr() as usize;
    let encoded = STANDARD.encode(inner);
    Some([&text[..start], encoded.as_bytes(), &text[start + run.len()..]].concat())
}

fn damage_exchange(exchange: &mut Exchange, shuffle: &mut Shuffle) {
    let request = shuffle.below(2) == 0;
    let (headers, body) = match exchange.response.as_mut() {
        Some(response) if !request => (&mut response.headers, &mut response.body),
        _ => (&mut exchange.request.headers, &mut exchange.request.body),
    };
    match shuffle.below(8) {
        0 => {
            let at = shuffle.below(headers.len().max(1));
            if let Some(header) = headers.get_mut(at) {
                header.value = damage(&header.value, shuffle).into();
                header.name = String::from_utf8_lossy(&damage(header.name.as_bytes(), shuffle)).into_owned();
            }
        }
        1 => headers.push(Header::new("Content-Encoding", ["gzip", "deflate", "br"][shuffle.below(3)])),
        2..5 => {
            if let Some(inside) = damage_inside(&body.bytes, shuffle) {
                body.bytes = inside.into();
            }
        }
        _ => body.bytes = damage(&body.bytes, shuffle).into(),
    }
    // Sometimes as long as it says, sometimes not.
    if shuffle.below(4) > 0 {
        body.length = body.bytes.len() as u64;
    }
    if shuffle.below(20) == 0 {
        exchange.request.target =
            String::from_utf8_lossy(&damage(exchange.request.target.as_bytes(), shuffle)).into_owned();
    }
}

/// The password's whole element, if it is whole.
fn whole(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.split("<wsse:Password").skip(1).any(|rest| {
        rest.split_once('>').is_some_and(|(tag, inner)| {
            !tag.contains('<') && inner.starts_with(&format!("{SECRET}</wsse:Password>"))
        })
    })
}

#[test]
fn damaged_recordings_are_judged_and_redacted_all_the_same() {
    let redactor = Redactor::new(Level::Secrets, false, Key::new(&[3; 32]));
    let mut shuffle = Shuffle(7);
    let (mut damaged, mut kept) = (0, 0);
    for golden in Golden::ALL {
        let mut engine = Engine::new(Profile::Strict, Deadlines::default());
        for event in golden::of(*golden) {
            if let Event::Exchange(exchange) = &event {
                let mut planted = Exchange::clone(exchange);
                let body = String::from_utf8_lossy(&planted.request.body.bytes)
                    .replace(">Placeholder-1</wsse:Password>", &format!(">{SECRET}</wsse:Password>"));
                planted.request.body.bytes = Bytes::from(body);
                for _ in 0..ROUNDS {
                    let mut copy = planted.clone();
                    damage_exchange(&mut copy, &mut shuffle);
                    let secret = whole(&copy.request.body.bytes);
                    redactor.exchange(&mut copy);
                    let left = String::from_utf8_lossy(&copy.request.body.bytes).contains(SECRET);
                    assert!(!(secret && left), "{golden:?}: {:?}", copy.request.body.bytes);
                    kept += usize::from(secret);
                    damaged += 1;
                    let seen = engine.clone().observe(Event::Exchange(Arc::new(copy)));
                    assert!(seen.findings.iter().all(|f| f.rule.id != "OWN-000"), "{golden:?}: a panic");
                    for finding in &seen.findings {
                        let same = seen.findings.iter().filter(|f| f.rule.id == finding.rule.id).count();
                        assert!(same <= 2 * MAX_EVIDENCE, "{golden:?}: {} of {}", same, finding.rule.id);
                    }
                }
            }
            engine.observe(event);
        }
    }
    assert!(damaged > 2000 && kept > 100, "{damaged} damaged, {kept} with a whole password");
}

#[test]
fn a_damaged_capture_is_read_as_far_as_it_can_be() {
    let mut shuffle = Shuffle(8);
    for golden in [Golden::OnPremise, Golden::Refused] {
        let capture = golden::capture(&golden::of(golden));
        for _ in 0..300 {
            let broken = damage(&capture, &mut shuffle);
            let Ok(reader) = Reader::new(broken.as_slice()) else { continue };
            let mut engine = Engine::new(Profile::Field, Deadlines::default());
            let mut records = 0;
            for item in reader.map_while(Result::ok) {
                let Item::Record(recorded) = item else { continue };
                records += 1;
                // Judging them all costs more than it tells.
                if let Some(event) = recorded.record.into_event().filter(|_| records % 7 == 0) {
                    let seen = engine.observe(event);
                    assert!(seen.findings.iter().all(|f| f.rule.id != "OWN-000"));
                }
            }
        }
    }
}

/// A capture and a recording of another tool may claim any time.
#[test]
fn absurd_times_break_no_report() {
    let most = Some(u64::MAX);
    let absurd = Timing { dns: most, connect: most, tls: most, send: most, wait: most, receive: most };
    let events: Vec<_> = golden::of(Golden::OnPremise)
        .into_iter()
        .map(|event| match event {
            Event::Exchange(exchange) => {
                let mut exchange = Arc::unwrap_or_clone(exchange);
                exchange.timing = absurd.clone();
                Event::Exchange(exchange.into())
            }
            other => other,
        })
        .collect();
    let stories = judged(&events, Profile::Field);
    let report = Report { stories: &stories, loose: &[], refused: &[], level: "", inputs: &[] };
    assert!(page(&report).contains("class=\"bar"));
    assert!(!markdown(&report).is_empty());
}
