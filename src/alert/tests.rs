//! How often the same is told, how recording's troubles begin and end, and what receivers are sent.

use insta::assert_snapshot;

use super::limit::Limit;
use super::recording::Recorded;
use super::told::{About, Alert, Kind, State};
use super::{HOUR, MOST_AN_HOUR, SAME_AGAIN, Shape};
use crate::capture::{Health, Recording};
use crate::enrollment::EnrollmentId;
use crate::event::Time;
use crate::rules::{Level, Subject};

const MINUTE: i64 = 60_000;

fn alert(kind: Kind, key: &str, state: State) -> Alert {
    Alert::new((kind, key), state, Level::Error, Time(0), ("title", "text"))
}

fn raised() -> Alert {
    alert(Kind::Recording, "lost", State::Raised)
}

fn over() -> Alert {
    alert(Kind::Recording, "lost", State::Over)
}

#[test]
fn the_same_is_told_once_and_then_with_how_often_it_came() {
    let mut limit = Limit::default();
    let first = limit.admit(raised(), Time(0)).unwrap();
    assert_eq!((first.number, first.repeated), (1, 0));
    for minute in 1..15 {
        assert_eq!(limit.admit(raised(), Time(minute * MINUTE)), None);
        assert_eq!(limit.tick(Time(minute * MINUTE)), []);
    }
    // Another one is another matter.
    let other = alert(Kind::Recording, "late", State::Raised);
    assert_eq!(limit.admit(other, Time(MINUTE)).unwrap().number, 2);
    let later = limit.tick(Time(SAME_AGAIN));
    let [later] = &later[..] else { panic!("{later:?}") };
    assert_eq!((later.number, later.repeated, later.at), (3, 14, Time(SAME_AGAIN)));
    assert_eq!(limit.tick(Time(2 * SAME_AGAIN)), []);
    assert_eq!(limit.admit(raised(), Time(3 * SAME_AGAIN)).unwrap().repeated, 0);
}

#[test]
fn an_end_is_told_to_whom_the_beginning_was_told() {
    let mut limit = Limit::default();
    assert_eq!(limit.admit(over(), Time(0)), None);
    limit.admit(raised(), Time(0)).unwrap();
    assert_eq!(limit.admit(over(), Time(1)).unwrap().state, State::Over);
    // It begins again and ends again before it could be told: nobody needs to know.
    assert_eq!(limit.admit(raised(), Time(2)), None);
    assert_eq!(limit.admit(over(), Time(3)), None);
    assert_eq!(limit.tick(Time(SAME_AGAIN)), []);
    // It begins again and lasts.
    limit.admit(raised(), Time(SAME_AGAIN)).unwrap();
    limit.admit(over(), Time(SAME_AGAIN + 1)).unwrap();
    assert_eq!(limit.admit(raised(), Time(SAME_AGAIN + 2)), None);
    assert_eq!(limit.tick(Time(2 * SAME_AGAIN)).len(), 1);
    assert!(limit.admit(over(), Time(2 * SAME_AGAIN + 1)).is_some());
}

#[test]
fn an_hour_has_so_many_and_one_says_how_many_there_were_more() {
    let mut limit = Limit::default();
    let cause = |at: usize| alert(Kind::NewCause, &at.to_string(), State::Once);
    for at in 0..MOST_AN_HOUR {
        assert!(limit.admit(cause(at), Time(at as i64)).is_some(), "{at}");
    }
    for at in MOST_AN_HOUR..MOST_AN_HOUR + 7 {
        assert_eq!(limit.admit(cause(at), Time(100)), None);
    }
    // What lasts waits for room.
    assert_eq!(limit.admit(raised(), Time(101)), None);
    assert_eq!(limit.tick(Time(HOUR - 1)), []);
    let told = limit.tick(Time(HOUR + 1));
    let [lasting, held] = &told[..] else { panic!("{told:?}") };
    assert_eq!(lasting.key, "lost");
    assert_eq!((held.kind, held.title.as_str()), (Kind::HeldBack, "7 more alerts were held back"));
    assert!(held.text.contains("By kind: 7 new-cause."), "{}", held.text);
    assert_eq!(held.about.counts, [("held-back", 7)]);
    assert_eq!(limit.tick(Time(HOUR + 2)), []);
}

/// `raised writing`, `over lost`, …
fn look(recorded: &mut Recorded, recording: &Recording, minute: i64) -> Vec<String> {
    let alerts = recorded.look(recording, Time(minute * MINUTE));
    alerts.iter().map(|a| format!("{} {}: {}", a.state.word(), a.key, a.title)).collect()
}

#[test]
fn troubles_of_recording_begin_and_end() {
    let mut recorded = Recorded::default();
    let mut recording = Recording { health: Health::Good, recorded: 9, ..Recording::default() };
    assert!(look(&mut recorded, &recording, 0).is_empty());
    recording = Recording {
        health: Health::Waiting,
        waiting: 3,
        last_error: Some("No space left on device".to_owned()),
        ..recording
    };
    let alerts = recorded.look(&recording, Time(MINUTE));
    let [full] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!(full.title, "The capture cannot be written");
    assert_eq!(
        full.text,
        "3 records wait for room; beyond the queue they are lost. The disk said last: No space left on device. Traffic goes on."
    );
    assert!(look(&mut recorded, &recording, 2).is_empty());
    recording.lost = 1;
    assert_eq!(look(&mut recorded, &recording, 3), ["raised lost: 1 exchange is in no record"]);
    (recording.health, recording.waiting) = (Health::Lossy, 0);
    assert_eq!(look(&mut recorded, &recording, 4), ["over writing: The capture is written again"]);
    recording.lost = 5;
    assert_eq!(look(&mut recorded, &recording, 5), ["raised lost: 5 exchanges are in no record"]);
    recording.late = 2;
    assert_eq!(look(&mut recorded, &recording, 6), ["raised late: 2 exchanges were recorded late"]);
    assert_eq!(look(&mut recorded, &recording, 10), ["over lost: No more exchanges are lost"]);
    assert_eq!(look(&mut recorded, &recording, 11), ["over late: Exchanges are recorded in time again"]);
    assert!(look(&mut recorded, &recording, 99).is_empty());
    recording.health = Health::Doubtful;
    assert_eq!(
        look(&mut recorded, &recording, 100),
        ["raised writing: The disk may not keep what is recorded"]
    );
}

#[test]
fn receivers_are_known_by_their_hosts() {
    for (host, shape) in [
        ("hooks.slack.com", Shape::Slack),
        ("contoso.webhook.office.com", Shape::Teams),
        ("prod-1.westeurope.logic.azure.com.", Shape::Teams),
        ("Default1.environment.api.PowerPlatform.com", Shape::Teams),
        ("alerts.example", Shape::Json),
        ("evilhooks.slack.com.example", Shape::Json),
        ("notwebhook.office.com", Shape::Json),
        ("127.0.0.1", Shape::Json),
    ] {
        assert_eq!(Shape::of_host(host), shape, "{host}");
    }
}

/// Whatever a device says of itself: links, mentions, Markdown, dates, control characters, right-to-left marks.
fn hostile() -> Alert {
    let about = About {
        counts: vec![("failed", 3)],
        cause: Some("cap-reached".to_owned()),
        owner: Some(Subject::Server),
        hresult: Some(0x8018_0013),
        enrollments: vec![EnrollmentId(7)],
        user: Some("<!channel> <https://evil.example|anna> & [b](https://evil.example) *x* {{DATE(2026-01-01T00:00:00Z)}}".to_owned()),
        device: Some("PC\u{1b}[31m\u{202e}\n\u{0}".to_owned()),
        site: Some("enroll.contoso.example".to_owned()),
        certificate: None,
    };
    let title = "New cause of trouble: <@U1> **bold** `code`";
    let text = "_Anna_ <!here> \u{2066}said\r\n# this & that";
    let alert = Alert::new(
        (Kind::NewCause, "a<b"),
        State::Once,
        Level::Warning,
        Time(1_700_000_000_000),
        (title, text),
    );
    Alert { number: 4, repeated: 2, ..alert.about(about) }
}

#[test]
fn what_is_sent_is_what_its_receiver_reads() {
    for (name, shape) in [("json", Shape::Json), ("teams", Shape::Teams), ("slack", Shape::Slack)] {
        let mut sent = shape.of(&hostile(), Some("c\u{202e}.jsonl"));
        if let Some(version) = sent.get_mut("version") {
            *version = "1.2.3".into();
        }
        let sent = format!("{sent:#}");
        assert!(!sent.contains(['\u{202e}', '\u{2066}', '\u{1b}']), "{sent}");
        assert_snapshot!(name, sent);
    }
}

#[test]
fn nothing_in_a_chat_is_a_link_or_a_mention() {
    let slack = Shape::Slack.of(&hostile(), None).to_string();
    assert!(
        !slack.contains(['<', '>'])
            && !slack.contains("\"mrkdwn\":true")
            && !slack.contains("\"type\":\"mrkdwn\"")
    );
    // Of the card's elements only these two show texts as they are.
    let teams = Shape::Teams.of(&hostile(), None);
    let body = teams["attachments"][0]["content"]["body"].as_array().unwrap();
    assert!(body.iter().all(|element| element["type"] == "RichTextBlock"));
    assert!(!teams.to_string().contains("{{"));
}

#[test]
fn long_texts_are_cut() {
    let long = "\u{1}".repeat(100_000);
    let alert = Alert::new((Kind::Test, &long), State::Once, Level::Info, Time(0), (&long, &long));
    assert_eq!((alert.title.chars().count(), alert.text.chars().count()), (140, 1_200));
    let sent = Shape::Slack.of(&alert, Some(&long)).to_string();
    assert!(sent.len() < 10_000, "{}", sent.len());
}

#[test]
fn no_name_is_too_long_for_slack_once_it_is_escaped() {
    let about = About { user: Some("<".repeat(5_000)), ..About::default() };
    let text = "<&>".repeat(2_000);
    let alert =
        Alert::new((Kind::NewCause, ""), State::Once, Level::Error, Time(0), (&text, &text)).about(about);
    let sent = Shape::Slack.of(&alert, None);
    let blocks = sent["blocks"].as_array().unwrap();
    for block in blocks {
        let texts = block["fields"].as_array().cloned().unwrap_or_else(|| vec![block["text"].clone()]);
        for text in texts {
            let text = text["text"].as_str().unwrap();
            assert!(text.chars().count() < 2_000, "{}", text.len());
            // No escape is torn.
            assert!(
                text.split('&')
                    .skip(1)
                    .all(|rest| ["amp;", "lt;", "gt;"].iter().any(|e| rest.starts_with(e)))
            );
        }
    }
}
