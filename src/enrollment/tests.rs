//! Correlation, pure: who sent what, when nothing in the messages says it.

use std::collections::BTreeMap;

use super::*;
use crate::event::{ConnectionId, ExchangeId, Time};
use crate::message::{AuthPolicy, Kind};

const STEPS: [Kind; 4] =
    [Kind::DiscoveryProbe, Kind::DiscoverRequest, Kind::GetPoliciesRequest, Kind::SecurityTokenRequest];

/// One device's exchanges in their order.
#[derive(Clone)]
struct Device {
    user: String,
    id: String,
    /// A connection for all its exchanges, or one each.
    own_connection: bool,
}

/// A linear congruential generator: shuffles must be the same on every run.
struct Shuffle(u64);

impl Shuffle {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

struct Played {
    correlator: Correlator,
    /// Exchange → device that really sent it, and where it is now.
    truth: BTreeMap<String, (usize, EnrollmentId, Link)>,
}

/// Interleaves the devices' exchanges at random, each device's own order kept.
fn play(devices: &[Device], seed: u64) -> Played {
    let mut shuffle = Shuffle(seed);
    let mut at = vec![0; devices.len()];
    let mut played = Played { correlator: Correlator::default(), truth: BTreeMap::new() };
    let mut clock = 1_800_000_000_000;
    let mut connection = 0;
    while at.iter().any(|step| *step < STEPS.len()) {
        let device = shuffle.next(devices.len());
        let Some(kind) = STEPS.get(at[device]).copied() else { continue };
        let who = &devices[device];
        connection += 1;
        let name = if who.own_connection { format!("own{device}") } else { format!("c{connection}") };
        let traits = Traits {
            id: ExchangeId(format!("{device}-{}", at[device]).into()),
            at: Time(clock),
            kind: Some(kind),
            connection: Some(ConnectionId(name.into())),
            address: "192.0.2.1".to_owned(),
            host: "mdm.example".to_owned(),
            user: (kind != Kind::DiscoveryProbe).then(|| who.user.clone()),
            device_id: (kind == Kind::SecurityTokenRequest).then(|| who.id.clone()),
            ..Traits::default()
        };
        at[device] += 1;
        clock += 50;
        played.see(&traits, device);
    }
    played
}

impl Played {
    fn see(&mut self, traits: &Traits, device: usize) -> Placement {
        let placement = self.correlator.place(traits).unwrap();
        let kind = traits.kind.unwrap();
        let ending = Ending {
            response: Some(match kind {
                Kind::DiscoverRequest => Kind::DiscoverResponse,
                Kind::GetPoliciesRequest => Kind::GetPoliciesResponse,
                Kind::SecurityTokenRequest => Kind::SecurityTokenResponse,
                _ => Kind::None,
            }),
            status: Some(200),
            unanswered: false,
            posted: kind != Kind::DiscoveryProbe,
            ours: None,
            flow: None,
            token: None,
            auth: (kind == Kind::DiscoverRequest).then_some(AuthPolicy::OnPremise),
            fault: None,
            provisioned: kind == Kind::SecurityTokenRequest,
            issued: None,
            findings: &[],
            noticed: Noticed::default(),
        };
        self.correlator.finish(&placement, &ending, traits.at, &Deadlines::default());
        for (id, to, link) in &placement.moved {
            if let Some(known) = self.truth.get_mut(id.0.as_ref()) {
                (known.1, known.2) = (*to, *link);
            }
        }
        self.truth.insert(traits.id.0.to_string(), (device, placement.enrollment, placement.link));
        placement
    }

    /// Every row's device, by its token request; and how many exchanges each row has.
    fn check(&self, devices: &[Device], rows_exact: bool) {
        let mut per_row: BTreeMap<EnrollmentId, Vec<(usize, Link)>> = BTreeMap::new();
        for (device, row, link) in self.truth.values() {
            per_row.entry(*row).or_default().push((*device, *link));
        }
        for (index, device) in devices.iter().enumerate() {
            let (_, row, _) = self.truth[&format!("{index}-3")];
            let enrollment = self.correlator.enrollment(row).unwrap();
            assert_eq!(enrollment.device_id.as_deref(), Some(device.id.as_str()));
            assert_eq!(enrollment.user.as_deref(), Some(device.user.as_str()));
            assert_eq!(enrollment.outcome, Outcome::Enrolled, "{enrollment:?}");
            assert_eq!(enrollment.exchanges, per_row[&row].len() as u64, "{}", enrollment.id);
            let strangers = per_row[&row].iter().filter(|(other, _)| *other != index);
            // What is said to be certain or likely must be true; only the ambiguous may be another's.
            let wrong: Vec<_> = strangers.filter(|(_, link)| rows_exact || *link == Link::Certain).collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", enrollment.id);
        }
        let total: u64 = self.correlator.enrollments().map(|e| e.exchanges).sum();
        assert_eq!(total, self.truth.len() as u64, "every exchange is counted once");
    }
}

fn devices(users: usize, each: usize, own_connection: bool) -> Vec<Device> {
    let device = |n: usize| Device {
        user: format!("user{}@contoso.example", n % users),
        id: format!("{n:032X}"),
        own_connection,
    };
    (0..users * each).map(device).collect()
}

#[test]
fn five_hundred_users_behind_one_address_are_told_apart() {
    for seed in 1..4 {
        let devices = devices(500, 1, false);
        let played = play(&devices, seed);
        played.check(&devices, false);
        // All but the probes, which say nothing of their user, are where they belong.
        for (id, (device, row, _)) in played.truth.iter().filter(|(id, _)| !id.ends_with("-0")) {
            assert_eq!(*row, played.truth[&format!("{device}-3")].1, "{id}");
        }
        assert_eq!(played.correlator.enrollments().count(), 500);
    }
}

#[test]
fn connections_tell_two_devices_of_one_user_apart() {
    let devices = devices(20, 2, true);
    for seed in 1..4 {
        play(&devices, seed).check(&devices, true);
    }
}

#[test]
fn two_devices_of_one_user_on_changing_connections_are_exact_from_the_token_request_on() {
    let devices = devices(20, 2, false);
    for seed in 1..6 {
        let played = play(&devices, seed);
        played.check(&devices, false);
        let mut rows: Vec<_> = (0..40).map(|n| played.truth[&format!("{n}-3")].1).collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 40, "one row a device");
        assert_eq!(played.correlator.enrollments().count(), 40, "and no others");
    }
}

fn traits(id: &str, kind: Kind, at: i64, user: Option<&str>) -> Traits {
    Traits {
        id: ExchangeId(id.into()),
        at: Time(at),
        kind: Some(kind),
        address: "192.0.2.1".to_owned(),
        host: "mdm.example".to_owned(),
        user: user.map(str::to_owned),
        ..Traits::default()
    }
}

#[test]
fn a_user_is_known_by_domain_name_and_by_address() {
    for (one, other, same) in [
        ("anna@contoso.example", "ANNA@Contoso.example", true),
        ("CONTOSO\\anna", "anna@contoso.example", true),
        ("anna", "anna@contoso.example", true),
        ("anna@contoso.example", "anna@fabrikam.example", false),
        ("CONTOSO\\ben", "anna@contoso.example", false),
    ] {
        assert_eq!(row::same_user(one, other), same, "{one} {other}");
    }
}

#[test]
fn a_typed_user_name_that_differs_is_attached_where_nothing_can_be_mixed_up() {
    let mut played = Played { correlator: Correlator::default(), truth: BTreeMap::new() };
    let first = played.see(&traits("a", Kind::DiscoverRequest, 1000, Some("demo@contoso.example")), 0);
    let second = played.see(&traits("b", Kind::GetPoliciesRequest, 2000, Some("demio")), 0);
    assert_eq!((second.enrollment, second.link), (first.enrollment, Link::Likely));

    let mut played = Played { correlator: Correlator::default(), truth: BTreeMap::new() };
    played.see(&traits("a", Kind::DiscoverRequest, 1000, Some("demo@contoso.example")), 0);
    played.see(&traits("b", Kind::DiscoverRequest, 1500, Some("anna@contoso.example")), 1);
    let third = played.see(&traits("c", Kind::GetPoliciesRequest, 2000, Some("demio")), 0);
    assert_eq!(played.correlator.enrollment(third.enrollment).unwrap().exchanges, 1, "never invented");
}

#[test]
fn a_credential_of_another_kind_is_another_device_and_terms_of_use_are_a_beginning() {
    let mut played = Played { correlator: Correlator::default(), truth: BTreeMap::new() };
    let anna = played.see(&traits("a", Kind::DiscoverRequest, 1000, Some("anna@contoso.example")), 0);
    let answer = crate::dialogue::Answer { auth_policy: Some(AuthPolicy::OnPremise), ..Default::default() };
    played.correlator.dialogue(&anna).unwrap().answer = Some(answer.into());
    let asks =
        |id: &str, auth| Traits { auth: Some(auth), ..traits(id, Kind::GetPoliciesRequest, 2000, None) };
    let stranger = played.see(&asks("b", AuthPolicy::Certificate), 1);
    assert_ne!(stranger.enrollment, anna.enrollment);
    let own = played.see(&asks("e", AuthPolicy::OnPremise), 0);
    assert_eq!((own.enrollment, own.link), (anna.enrollment, Link::Likely));
    // It was declined, and could come again: as itself only.
    played.correlator.rows.get_mut(&anna.enrollment).unwrap().threads[0].answered_badly = true;
    let terms = played.see(&traits("c", Kind::TermsOfUse, 2500, Some("ben@contoso.example")), 2);
    assert!(![anna.enrollment, stranger.enrollment].contains(&terms.enrollment));
}

/// A renewal has no probe, and takes the only one that waits: another device's, who goes on alone.
#[test]
fn who_loses_its_probe_to_another_keeps_the_rest() {
    let mut played = Played { correlator: Correlator::default(), truth: BTreeMap::new() };
    let by = |connection: &str, traits: Traits| Traits {
        connection: Some(ConnectionId(connection.into())),
        ..traits
    };
    played.see(&by("c1", traits("a", Kind::DiscoveryProbe, 1000, None)), 0);
    let other = by("c2", traits("b", Kind::DiscoverRequest, 1500, Some("omar@contoso.example")));
    let other = played.see(&other, 1);
    assert_eq!(other.link, Link::Ambiguous);
    let own = by("c1", traits("c", Kind::DiscoverRequest, 2000, Some("ben@contoso.example")));
    let own = played.see(&own, 0);
    assert_ne!(own.enrollment, other.enrollment);
    let next = by("c1", traits("d", Kind::GetPoliciesRequest, 2500, Some("ben@contoso.example")));
    assert_eq!(played.see(&next, 0).enrollment, own.enrollment);
}

/// Windows sends the token request again when the answer was lost: the same bytes, often on another connection.
#[test]
fn a_repeated_token_request_is_one_attempt() {
    let mut correlator = Correlator::default();
    let asks = |id: &str, at: i64| Traits {
        device_id: Some("D1".to_owned()),
        key_hash: Some("K1".to_owned()),
        ..traits(id, Kind::SecurityTokenRequest, at, Some("anna@contoso.example"))
    };
    let first = correlator.place(&asks("a", 0)).unwrap();
    let second = correlator.place(&asks("b", 5_000)).unwrap();
    assert_eq!(first.enrollment, second.enrollment);
    assert_eq!(correlator.enrollments().count(), 1);
    assert_eq!(correlator.enrollment(first.enrollment).unwrap().token_requests, 2);
}

#[test]
fn silence_stalls_and_a_missing_answer_fails() {
    let mut correlator = Correlator::default();
    let deadlines = Deadlines::default();
    let placement =
        correlator.place(&traits("a", Kind::DiscoverRequest, 0, Some("anna@contoso.example"))).unwrap();
    let none = Ending {
        response: None,
        status: None,
        unanswered: true,
        posted: true,
        ours: None,
        flow: None,
        token: None,
        auth: None,
        fault: None,
        provisioned: false,
        issued: None,
        findings: &[],
        noticed: Noticed::default(),
    };
    correlator.finish(&placement, &none, Time(0), &deadlines);
    let outcome = |correlator: &Correlator| correlator.enrollment(placement.enrollment).unwrap().outcome;
    assert_eq!(outcome(&correlator), Outcome::InProgress);
    assert_eq!(correlator.tick(Time(60_000), &deadlines), [placement.enrollment]);
    assert_eq!(outcome(&correlator), Outcome::Failed, "no retry within a minute");

    let again =
        correlator.place(&traits("b", Kind::DiscoverRequest, 61_000, Some("anna@contoso.example"))).unwrap();
    assert_eq!(again.enrollment, placement.enrollment, "a retry is the same enrollment");
    let good =
        Ending { response: Some(Kind::DiscoverResponse), status: Some(200), unanswered: false, ..none };
    correlator.finish(&again, &good, Time(61_000), &deadlines);
    assert_eq!(outcome(&correlator), Outcome::InProgress);
    correlator.tick(Time(61_000 + deadlines.discovery), &deadlines);
    assert_eq!(outcome(&correlator), Outcome::Stalled);
    correlator.tick(Time(25 * 3_600_000), &deadlines);
    assert_eq!(correlator.enrollments().count(), 0, "after a day it is forgotten");
}

#[test]
fn thousands_of_attempts_at_one_address_cost_no_more_each() {
    // Each GetPolicies on a connection of its own, as if a device had begun anew: hostile, or a broken load balancer.
    let mut correlator = Correlator::default();
    for n in 0..5_000 {
        let mut one = traits(&n.to_string(), Kind::GetPoliciesRequest, 0, Some("anna"));
        one.connection = Some(ConnectionId(format!("c{n}").into()));
        correlator.place(&one);
    }
    let listed = correlator.open_at.values().map(Vec::len).max();
    assert!(listed <= Some(1024), "{listed:?} rows are looked at for each exchange");
}

#[test]
fn an_enrollment_begins_with_its_own_first_exchange() {
    let mut correlator = Correlator::default();
    let probe = |id: &str, at| Traits {
        connection: Some(ConnectionId(id.into())),
        ..traits(id, Kind::DiscoveryProbe, at, None)
    };
    // Two probes share a row until they are claimed; the later one was recorded first.
    correlator.place(&probe("p2", 500));
    correlator.place(&probe("p1", 100));
    let started = |correlator: &Correlator| correlator.enrollments().map(|e| e.started.0).collect::<Vec<_>>();
    assert_eq!(started(&correlator), [100]);
    let mut first = traits("d1", Kind::DiscoverRequest, 900, Some("anna"));
    first.connection = Some(ConnectionId("p1".into()));
    correlator.place(&first);
    assert_eq!(started(&correlator), [500, 100], "the probe took its time along");
}

#[test]
fn what_was_said_before_a_device_began_anew_is_not_kept() {
    let mut correlator = Correlator::default();
    let mut ids = Vec::new();
    for attempt in 0..2_i64 {
        let mut ask = |kind, at| {
            let mut one = traits(&format!("{attempt}-{at}"), kind, attempt * 10_000 + at, Some("anna"));
            one.connection = Some(ConnectionId(format!("c{attempt}").into()));
            one.device_id = (kind == Kind::SecurityTokenRequest).then(|| "d1".to_owned());
            correlator.place(&one).unwrap()
        };
        ask(Kind::DiscoverRequest, 1);
        let placement = ask(Kind::SecurityTokenRequest, 2);
        let dialogue = correlator.dialogue(&placement).unwrap();
        dialogue.offer = Some(crate::dialogue::Offer::default());
        dialogue.issued.get_or_insert_with(|| crate::dialogue::IssuedFact {
            thumbprint: "T".to_owned(),
            key_hash: String::new(),
            not_after: None,
        });
        ids.push(placement);
    }
    assert_ne!(ids[0].enrollment, ids[1].enrollment);
    assert_eq!(correlator.dialogue(&ids[0]), Some(&mut crate::dialogue::Dialogue::default()));
    assert!(correlator.dialogue(&ids[1]).is_some_and(|d| d.issued.is_some() && d.offer.is_some()));
}

#[test]
fn no_more_rows_are_remembered_than_there_may_be_however_they_come_about() {
    let mut correlator = Correlator::default();
    let mut clock = 0;
    // Two attempts of one user cannot be told apart until each names its device: each then takes a row of its own.
    for pair in 0..11_000 {
        for (kind, device) in [
            (Kind::DiscoverRequest, None),
            (Kind::DiscoverRequest, None),
            (Kind::GetPoliciesRequest, None),
            (Kind::GetPoliciesRequest, None),
            (Kind::SecurityTokenRequest, Some("one")),
            (Kind::SecurityTokenRequest, Some("other")),
        ] {
            clock += 1;
            let mut one = traits(&clock.to_string(), kind, clock, Some("anna"));
            one.device_id = device.map(|device| format!("{device}{pair}"));
            correlator.place(&one);
        }
    }
    assert_eq!(correlator.rows.len(), ways::MAX_ROWS);
    assert!(correlator.by_device.len() <= ways::MAX_ROWS);
}
