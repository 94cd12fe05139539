//! The format as a whole: what is written is read again, and damage costs no more than what it touches.

use std::collections::BTreeSet;
use std::io::Read;

use proptest::prelude::*;
use serde_json::Value;

use super::samples::{
    START, any_connection, any_end, any_exchange, exchange, full_connection, full_exchange,
};
use super::*;
use crate::event::{Delivery, End, Event, Time};

fn line(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    encode::record(&mut out, record);
    out
}

fn first_line() -> Header {
    Header {
        version: VERSION,
        tool: "0.1.0".to_owned(),
        started: START,
        redaction: Redaction { level: "secrets".to_owned(), key: Some("k1".to_owned()) },
        after: 0,
    }
}

/// One of each kind.
fn records() -> Vec<Record> {
    let at = START.plus_millis(60);
    vec![
        Record::Connection(Box::new(full_connection())),
        Record::Exchange(Box::new(full_exchange())),
        Record::End(End { of: 7, delivery: Delivery::Complete, sent: 400, at }),
        Record::Session(Session {
            at,
            tool: "0.1.0".to_owned(),
            redaction: Redaction { level: "none".to_owned(), key: None },
            cut: 12,
            same: false,
        }),
        Record::Gap { at, lost: 3 },
        Record::Exchange(Box::default()),
        Record::Closed(Closed { at, recorded: 1, lost: 2, late: 3 }),
    ]
}

fn capture(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::header(&mut out, &first_line());
    for record in records {
        encode::record(&mut out, record);
    }
    out
}

fn read(bytes: &[u8]) -> Vec<Item> {
    Reader::new(bytes).unwrap().map(Result::unwrap).collect()
}

fn recorded(items: &[Item]) -> Vec<&Recorded> {
    items.iter().filter_map(|i| if let Item::Record(r) = i { Some(r) } else { None }).collect()
}

/// Where each line of `bytes` begins, and its length with the newline.
fn places(bytes: &[u8]) -> Vec<Place> {
    let mut lines = Lines::new(bytes, 0);
    let mut buffer = Vec::new();
    std::iter::from_fn(|| lines.read(&mut buffer).unwrap().map(|line| line.place)).collect()
}

#[test]
fn every_kind_of_record_comes_back_as_it_was() {
    let records = records();
    let bytes = capture(&records);
    let reader = Reader::new(&*bytes).unwrap();
    assert_eq!(reader.header(), &first_line());
    let items: Vec<_> = reader.map(Result::unwrap).collect();
    let expected: Vec<_> = records
        .into_iter()
        .zip(places(&bytes).into_iter().skip(1))
        .map(|(record, place)| Item::Record(Recorded { record, place, seal: Seal::Intact }))
        .collect();
    assert_eq!(items, expected);
}

proptest! {
    #[test]
    fn any_exchange_comes_back_as_it_was(exchange in any_exchange()) {
        let record = Record::Exchange(Box::new(exchange));
        let line = line(&record);
        prop_assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        prop_assert_eq!(seal(&line), Seal::Intact);
        prop_assert_eq!(decode(&line), Ok(record));
    }

    #[test]
    fn any_connection_comes_back_as_it_was(connection in any_connection(), end in any_end()) {
        for record in [Record::Connection(Box::new(connection)), Record::End(end)] {
            prop_assert_eq!(decode(&line(&record)), Ok(record));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
        let mut text = capture(&records()[..1]);
        text.extend_from_slice(&bytes);
        prop_assert_eq!(recorded(&read(&text)).first().map(|r| r.seal), Some(Seal::Intact));
    }

    #[test]
    fn damage_costs_no_more_than_the_records_that_it_touches(
        at in 0.0..1.0,
        noise in proptest::collection::vec(any::<u8>(), 1..30),
        instead in any::<bool>(),
    ) {
        let good = capture(&(1..6).map(|n| Record::Exchange(Box::new(exchange(n)))).collect::<Vec<_>>());
        let at = (good.len() as f64 * at) as usize;
        let until = if instead { (at + noise.len()).min(good.len()) } else { at };
        let mut bytes = good.clone();
        bytes.splice(at..until, noise.iter().copied());
        let items = read(&bytes);
        let found: BTreeSet<_> = recorded(&items).iter().map(|r| line(&r.record)).collect();
        for place in places(&good).into_iter().skip(1) {
            let (start, end) = (place.offset as usize, (place.offset + place.length) as usize);
            // A line whose newline alone is gone is salvaged.
            let whole = end - 1 <= at || until <= start;
            prop_assert!(!whole || found.contains(&good[start..end]), "line at {}, damage at {}", start, at);
        }
    }
}

#[test]
fn a_capture_cut_anywhere_is_read_up_to_the_cut() {
    let good = capture(&records());
    let places = places(&good);
    let all = read(&good);
    for cut in places[0].length as usize..good.len() {
        let items = read(&good[..cut]);
        // A record is whole without its newline.
        let whole = places[1..].iter().take_while(|p| (p.offset + p.length - 1) as usize <= cut).count();
        let got = recorded(&items);
        assert_eq!(got.len(), whole, "cut at {cut}");
        for (got, expected) in got.iter().zip(recorded(&all)) {
            assert_eq!(got.record, expected.record, "cut at {cut}");
        }
        let lost: u64 = items.iter().map(|i| if let Item::Damage(d) = i { d.place.length } else { 0 }).sum();
        let read: u64 = places[..=whole].iter().map(|p| p.length).sum();
        assert_eq!(lost, (cut as u64).saturating_sub(read), "cut at {cut}");
    }
}

#[test]
fn a_damaged_header_is_damage_and_not_the_end() {
    let good = capture(&records());
    let header = places(&good)[0].length as usize;
    for at in 0..header {
        let mut bytes = good.clone();
        bytes[at] = b'\xff';
        let items = read(&bytes);
        assert_eq!(recorded(&items).len(), records().len(), "overwritten at {at}");
    }
}

#[test]
fn what_is_no_capture_is_refused_in_words() {
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let error = Reader::new(bytes).expect_err("it is no capture").to_string();
        assert!(error.contains(expected), "{error}");
    }
    check(b"", "empty");
    check(b"\n", "not a capture");
    check(b"{\"enrollsc", "not a capture");
    check(b"{\"log\":{\"version\":\"1.2\"}}", "not a capture");
    check(b"\x00\xff\x1f\x8b", "not a capture");
    check(b"<xml/>\n<xml/>\n", "not a capture");
    // Without a checksum nothing proves that these lines are ours.
    check(b"{\"kind\":\"gap\",\"at\":\"2026-11-20T21:16:29Z\",\"lost\":1}\n", "not a capture");
    check(
        b"{\"enrollscope\":\"capture\",\"version\":2}\n",
        "version 2, and this build reads up to version 1",
    );
}

#[test]
fn an_edited_line_is_read_and_marked() {
    let good = String::from_utf8(capture(&records())).unwrap();
    let edits: [(&str, String); 3] = [
        ("a value", good.replace("/EnrollmentServer/", "/Other/")),
        (
            "no checksum",
            good.lines().fold(String::new(), |all, l| {
                all + l.split(",\"crc32\"").next().unwrap()
                    + if l.contains("crc32") { "}\r\n" } else { "\r\n" }
            }),
        ),
        ("spaces", good.replace("\"seq\":7", "\"seq\" : 7")),
    ];
    for (edit, text) in edits {
        let items = read(text.as_bytes());
        let all = recorded(&items);
        assert_eq!(all.len(), records().len(), "{edit}");
        assert_eq!(all[1].seal, Seal::Altered, "{edit}");
    }
}

#[test]
fn a_person_may_write_the_shortest_of_lines() {
    let text = "\u{feff}{\"enrollscope\":\"capture\",\"version\":1}\r\n\r\n\
        {\"kind\":\"exchange\",\"request\":{\"method\":\"GET\",\"target\":\"/\"},\
         \"response\":{\"status\":200,\"body\":{\"text\":\"<a/>\"}}}\r\n";
    let items = read(text.as_bytes());
    let [Item::Record(Recorded { record: Record::Exchange(exchange), .. })] = &*items else {
        panic!("{items:?}");
    };
    assert_eq!(exchange.response.as_ref().unwrap().body, crate::event::Body::full("<a/>"));
}

#[test]
fn a_line_without_end_is_stepped_over() {
    let records = records();
    let good = capture(&records[..1]);
    let tail = line(&records[1]);
    let long = std::io::repeat(b'x').take(LONGEST_LINE + 70_000);
    let input = good.chain(long).chain(&b"\n"[..]).chain(&*tail);
    let items: Vec<_> = Reader::new(std::io::BufReader::new(input)).unwrap().map(Result::unwrap).collect();
    assert_eq!(recorded(&items).len(), 2);
    let Item::Damage(damage) = &items[1] else { panic!("{items:?}") };
    assert_eq!(damage.place.length, LONGEST_LINE + 70_001);
    assert!(damage.what.contains("longer than"), "{}", damage.what);
}

#[test]
fn joined_captures_are_one_with_a_session_between() {
    let mut bytes = capture(&records()[..2]);
    bytes.extend(capture(&records()[..2]));
    let items = read(&bytes);
    let Record::Session(session) = &recorded(&items)[2].record else { panic!("{items:?}") };
    assert_eq!((session.at, &*session.tool), (START, "0.1.0"));
}

#[test]
fn unknown_members_survive_rewriting() {
    let text = String::from_utf8(line(&records()[1])).unwrap();
    let text =
        text.replace("\"seq\":7", "\"seq\":7,\"new\":{\"a\":1}").replace("\"kept\"", "\"odd\":[1],\"kept\"");
    let out = rewrite(text.as_bytes(), |record| {
        let Record::Exchange(exchange) = record else { panic!("{record:?}") };
        exchange.request.body.bytes = "masked".into();
    });
    let out = String::from_utf8(out.unwrap()).unwrap();
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["new"]["a"], 1);
    assert_eq!(value["request"]["body"]["odd"][0], 1);
    assert_eq!(value["request"]["body"]["text"], "masked");
    // It was edited by hand before, and nothing may wash that off.
    assert_eq!(seal(out.as_bytes()), Seal::Altered);

    let sealed = rewrite(&line(&records()[1]), |_| {}).unwrap();
    assert_eq!(sealed, line(&records()[1]));
    let other = b"{\"kind\":\"later\",\"a\":1}\n";
    assert_eq!(rewrite(other, |_| {}).unwrap(), other);
}

#[test]
fn what_redaction_takes_out_does_not_come_back_by_rewriting() {
    let text = "{\"kind\":\"exchange\",\"request\":{\"method\":\"GET\",\"target\":\"/\",\
                \"body\":{\"text\":\"secret\",\"base64\":\"c2VjcmV0\"},\"sent\":{\"body\":{\"text\":\"secret\"}}}}";
    let out = rewrite(text.as_bytes(), |record| {
        let Record::Exchange(exchange) = record else { panic!("{record:?}") };
        exchange.request.body.bytes = "masked".into();
        exchange.request.sent = None;
    });
    let out = String::from_utf8(out.unwrap()).unwrap();
    assert!(!out.contains("secret") && !out.contains("c2VjcmV0"), "{out}");
}

fn play(bytes: &[u8]) -> Vec<Event> {
    let event = |played| if let Played::Event { event, .. } = played { Some(event) } else { None };
    Play::new(Reader::new(bytes).unwrap()).filter_map(|p| event(p.unwrap())).collect()
}

#[test]
fn time_passes_and_what_is_missing_shows_when_a_capture_is_played() {
    let numbered = |n: u64, seq| {
        let mut exchange = exchange(n);
        exchange.seq = seq;
        Record::Exchange(Box::new(exchange))
    };
    let closed = Closed { at: START.plus_millis(16_000), ..Closed::default() };
    let bytes = capture(&[numbered(0, 1), numbered(1, 2), numbered(8, 5), Record::Closed(closed)]);
    let told: Vec<_> = play(&bytes)
        .into_iter()
        .map(|event| match event {
            Event::Exchange(exchange) => format!("exchange {}", exchange.seq),
            Event::Gap { lost, .. } => format!("gap {lost}"),
            Event::Tick(Time(at)) => format!("tick {}", (at - START.0) / 1_000),
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(
        told,
        ["exchange 1", "tick 1", "exchange 2", "tick 6", "gap 2", "exchange 5", "tick 11", "tick 16"]
    );
}

const README: &str = include_str!("../../captures/README.md");

/// The name of every member in `value`, but for those of `facts`, which are names of facts.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                found.insert(name.clone());
                if name != "facts" {
                    names(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_readme_names_every_member_and_every_kind() {
    let mut found = BTreeSet::new();
    for line in capture(&records()).split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let value = serde_json::from_slice(line).unwrap();
        names(&value, &mut found);
        found.extend(value.get("kind").map(|kind| kind.as_str().unwrap().to_owned()));
    }
    assert!(found.len() > 70, "the samples fill every member: {found:?}");
    for name in found {
        assert!(README.contains(&format!("`{name}`")), "captures/README.md does not explain `{name}`");
    }
}

#[test]
fn the_readme_shows_a_record_that_is_one() {
    let text = README.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    let line = [serde_json::to_vec(&value).unwrap(), b"\n".to_vec()].concat();
    assert_eq!(seal(&line), Seal::Intact);
    let mut again = Vec::new();
    encode::record(&mut again, &decode(&line).unwrap());
    assert_eq!(again, line, "and is what the encoder would write");
}
