//! The engine over whole recordings: outcomes, verdicts, deliveries, what it refuses to invent.

use std::sync::Arc;

use enrollscope::capture::{Ticker, recorded_at};
use enrollscope::engine::Engine;
use enrollscope::enrollment::{Deadlines, Enrollment, Outcome, Stage};
use enrollscope::event::{Change, Delivery, End, Event, Exchange, Front, Sent, Side};
use enrollscope::rules::{Golden, Profile};
use enrollscope::sim::{classics, golden};

fn last(events: Vec<Event>) -> Enrollment {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    // Time passes as it does when a capture is read.
    let mut ticker = Ticker::default();
    for event in events {
        for tick in ticker.due(recorded_at(&event)) {
            engine.observe(Event::Tick(tick));
        }
        engine.observe(event);
    }
    engine.enrollments().last().unwrap().clone()
}

#[test]
fn a_golden_enrollment_ends_enrolled_after_its_first_sync() {
    let enrollment = last(golden::of(Golden::OnPremise));
    assert_eq!((enrollment.outcome, enrollment.stage), (Outcome::Enrolled, Some(Stage::FirstSync)));
    assert_eq!((enrollment.exchanges, enrollment.errors, enrollment.warnings), (5, 0, 0));
    assert_eq!(enrollment.user.as_deref(), Some("anna@contoso.example"));
}

#[test]
fn classic_failures_have_their_outcome_owner_and_code() {
    let expected = [
        ("chunked-answer", Outcome::Failed, "HTTP-001", None),
        ("wrong-thumbprint", Outcome::Failed, "PROV-CS-003", Some(0x8018_0024)),
        ("provider-id-differs", Outcome::Failed, "PROV-DM-001", Some(0x8018_0020)),
        ("certificate-for-another-key", Outcome::Failed, "PROV-CS-004", Some(0x8018_0024)),
        ("wrong-password", Outcome::Failed, "Authentication", Some(0x8018_0002)),
        ("device-cap-reached", Outcome::Failed, "DeviceCapReached", Some(0x8018_0013)),
        ("stops-after-discovery", Outcome::Stalled, "no policy request", None),
    ];
    for (name, events) in classics::all() {
        let Some((_, outcome, word, code)) = expected.iter().find(|(known, ..)| *known == name) else {
            assert_eq!(name, "certificate-distrusted");
            continue;
        };
        let enrollment = last(events);
        assert_eq!((enrollment.outcome, enrollment.hresult), (*outcome, *code), "{name}: {enrollment:?}");
        assert!(enrollment.verdict.contains(word), "{name}: {}", enrollment.verdict);
        assert!(enrollment.verdict.chars().count() <= 160 && enrollment.owner.is_some(), "{name}");
    }
}

#[test]
fn a_probe_that_nothing_follows_is_told() {
    let is_exchange = |event: &Event| matches!(event, Event::Exchange(_));
    let mut events = golden::of(Golden::OnPremise);
    let second = events.iter().enumerate().filter(|(_, e)| is_exchange(e)).nth(1).unwrap().0;
    events.truncate(second);
    let late = recorded_at(events.last().unwrap()).plus_millis(3 * 60_000);
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    events.into_iter().chain([Event::Tick(late)]).for_each(|event| drop(engine.observe(event)));
    let enrollment = engine.enrollments().last().unwrap();
    assert_eq!((enrollment.outcome, enrollment.stage), (Outcome::Stalled, Some(Stage::Discovery)));
    assert!(enrollment.verdict.contains("no Discover after the probe"), "{}", enrollment.verdict);
}

#[test]
fn a_token_response_that_did_not_arrive_enrolls_nobody() {
    let mut events = golden::of(Golden::OnPremise);
    let token = events
        .iter()
        .rposition(|e| matches!(e, Event::Exchange(x) if x.request.target.contains("Enrollment.svc")));
    events.truncate(token.unwrap() + 1);
    let Some(Event::Exchange(exchange)) = events.last() else { panic!() };
    let (seq, at) = (exchange.seq, exchange.request.at);
    assert_eq!(last(events.clone()).outcome, Outcome::Enrolled);
    events.push(Event::End(End { of: seq, delivery: Delivery::Reset, sent: 100, at: at.plus_millis(100) }));
    assert_eq!(last(events.clone()).outcome, Outcome::InProgress);
    events.push(Event::Tick(at.plus_millis(61_000)));
    assert_eq!(last(events).outcome, Outcome::Failed);
}

#[test]
fn a_rewritten_answer_leads_the_device_where_it_says() {
    let mut events = golden::of(Golden::OnPremise);
    let swap = |text: &[u8]| {
        String::from_utf8_lossy(text).replace("mdm.contoso.example", "proxy.example").into_bytes()
    };
    for event in &mut events {
        let Event::Exchange(exchange) = event else { continue };
        let exchange = Arc::make_mut(exchange);
        if exchange.request.target.contains("Discovery") && exchange.request.method == "POST" {
            let response = exchange.response.as_mut().unwrap();
            let body = swap(&response.body.bytes).into();
            response.sent = Some(Box::new(Sent { body: Some(body), ..Sent::default() }));
        } else if exchange.request.method == "POST" {
            exchange.request.body.bytes = swap(&exchange.request.body.bytes).into();
            for header in exchange.request.headers.iter_mut().filter(|h| h.name == "Host") {
                header.value = "proxy.example".into();
            }
        }
    }
    let mut engine = Engine::new(Profile::Strict, Deadlines::default());
    let found: Vec<_> =
        events.into_iter().flat_map(|e| engine.observe(e).findings).map(|f| f.rule.id).collect();
    assert_eq!(found, Vec::<&str>::new());
}

#[test]
fn the_same_events_give_the_same_observations() {
    let run = || {
        let mut engine = Engine::new(Profile::Field, Deadlines::default());
        let all = classics::all().into_iter().flat_map(|(_, events)| events);
        all.map(|e| format!("{:?}", engine.observe(e))).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn refused_terms_of_use_end_the_enrollment() {
    for (query, words, owner) in [
        ("IsAccepted=false", "did not accept", "identity"),
        ("error=access_denied&error_description=declined", "did not accept", "identity"),
        ("error=unauthorized_client&error_description=unknown+tenant", "unknown tenant", "server"),
    ] {
        let mut events = golden::of(Golden::Entra);
        let first = events.iter().position(|event| matches!(event, Event::Exchange(_))).unwrap();
        events.truncate(first + 1);
        let Some(Event::Exchange(exchange)) = events.last_mut() else { panic!() };
        let response = Arc::make_mut(exchange).response.as_mut().unwrap();
        let location = response.headers.iter_mut().find(|h| h.name == "Location").unwrap();
        location.value = format!("ms-appx-web://Microsoft.AAD.BrokerPlugin?{query}").into();
        let enrollment = last(events);
        assert_eq!(enrollment.outcome, Outcome::Failed, "{query}");
        assert!(enrollment.verdict.contains(words), "{}", enrollment.verdict);
        assert_eq!(enrollment.owner.map(|owner| owner.word()), Some(owner));
    }
}

/// How often each rule of that name fails in the recording.
fn told(events: Vec<Event>, id: &str) -> usize {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    let seen = events.into_iter().flat_map(|event| engine.observe(event).findings);
    seen.filter(|finding| finding.rule.id == id).count()
}

fn on_every_exchange(golden: Golden, change: impl Fn(&mut Exchange)) -> Vec<Event> {
    let mut events = golden::of(golden);
    for event in &mut events {
        if let Event::Exchange(exchange) = event {
            change(Arc::make_mut(exchange));
        }
    }
    events
}

#[test]
fn what_we_do_all_the_time_is_told_once_an_enrollment() {
    let words = ["version", "chunk-boundaries", "folded-line", "100-continue"];
    let changed = |golden| {
        on_every_exchange(golden, |exchange| {
            exchange.changes.extend(words.map(|what| Change {
                side: Side::Request,
                what: what.to_owned(),
                detail: "an example".to_owned(),
            }));
        })
    };
    for rule in ["OWN-006", "OWN-008", "OWN-009", "OWN-010"] {
        for (golden, times) in [(Golden::OnPremise, 1), (Golden::Federated, 1), (Golden::Renewal, 2)] {
            assert_eq!(told(changed(golden), rule), times, "{rule} in {golden:?}");
        }
    }
}

#[test]
fn behind_a_front_end_that_ends_tls_nothing_is_said_of_the_devices() {
    let behind = |secure: Option<bool>| {
        let mut events = on_every_exchange(Golden::OnPremise, |exchange| {
            exchange.front = Some(Box::new(Front { secure, ..Front::default() }));
            // With this cipher the server healed nothing that the device would have met.
            let tls = exchange.upstream.as_mut().and_then(|upstream| upstream.tls.as_mut());
            "TLS_CHACHA20_POLY1305_SHA256".clone_into(&mut tls.unwrap().cipher);
        });
        for event in &mut events {
            if let Event::Connection(connection) = event {
                let connection = Arc::make_mut(connection);
                connection.listener = "http://10.0.0.5:8080".to_owned();
                connection.tls = None;
            }
        }
        events
    };
    for (secure, times) in [(Some(true), 1), (None, 1), (Some(false), 0)] {
        assert_eq!(told(behind(secure), "TLS-013"), times, "{secure:?}");
        for rule in ["DISC-GET-004", "OWN-005"] {
            assert_eq!(told(behind(secure), rule), 0, "{rule}, {secure:?}");
        }
    }
    // The PROXY protocol before plain HTTP names the device, and leaves it open who ended its TLS.
    let mut introduced = behind(None);
    for event in &mut introduced {
        match event {
            Event::Connection(connection) => {
                Arc::make_mut(connection).via = Some("10.0.0.2:4711".to_owned());
            }
            Event::Exchange(exchange) => Arc::make_mut(exchange).front = None,
            _ => {}
        }
    }
    assert_eq!((told(introduced.clone(), "TLS-013"), told(introduced, "DISC-GET-004")), (1, 0));
    assert_eq!(told(golden::of(Golden::OnPremise), "TLS-013"), 0);
}
