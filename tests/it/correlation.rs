//! Many devices behind one address, their messages in a shuffled order: whose is whose, and what cannot be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use enrollscope::engine::Engine;
use enrollscope::enrollment::{Deadlines, EnrollmentId, Link};
use enrollscope::event::{
    Body, Connection, ConnectionId, Event, Exchange, ExchangeId, Framing, Header, Time, Version,
};
use enrollscope::message::{Content, Kind, read_request};
use enrollscope::rules::{Golden, Profile};
use enrollscope::sim::golden;

/// A linear congruential generator: shuffles must be the same on every run.
pub(crate) struct Shuffle(pub(crate) u64);

impl Shuffle {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// One device's events, in its own order.
struct Member {
    events: Vec<Event>,
    device_id: String,
}

/// How a crowd's messages travel.
#[derive(Clone, Copy)]
enum Connections {
    /// As the device opened them.
    Own,
    /// Each exchange on one of its own.
    OneEach,
}

fn swap(text: &Bytes, user: &str) -> Bytes {
    let text = std::str::from_utf8(text).map(|t| t.replace("anna@contoso.example", user));
    text.map_or_else(|_| Bytes::new(), Bytes::from)
}

/// The device of that number, for that user, on that way.
fn member(golden: Golden, number: usize, user: &str) -> Member {
    let mut events = golden::of_another(golden, 1000 + number as u64);
    for event in &mut events {
        let Event::Exchange(exchange) = event else { continue };
        let exchange = Arc::make_mut(exchange);
        exchange.request.target = exchange.request.target.replace("anna%40contoso.example", user);
        exchange.request.target = exchange.request.target.replace("anna@contoso.example", user);
        for body in [Some(&mut exchange.request.body), exchange.response.as_mut().map(|r| &mut r.body)] {
            let Some(body) = body else { continue };
            *body = Body { withheld: body.withheld.clone(), ..Body::full(swap(&body.bytes, user)) };
        }
    }
    let device_id = exchanges(&events).find_map(|e| match read_request(&e.request).content {
        Content::TokenRequest(token) => token.device_id().map(str::to_owned),
        _ => None,
    });
    Member { device_id: device_id.unwrap(), events }
}

fn exchanges(events: &[Event]) -> impl Iterator<Item = &Arc<Exchange>> {
    events.iter().filter_map(|event| match event {
        Event::Exchange(exchange) => Some(exchange),
        _ => None,
    })
}

/// What became of an exchange.
struct Placed {
    member: usize,
    kind: Kind,
    enrollment: EnrollmentId,
    link: Link,
}

struct Seen {
    engine: Engine,
    placed: BTreeMap<ExchangeId, Placed>,
}

/// Interleaves the members' events at random, each member's own order kept, 20 milliseconds apart.
fn play(members: &[Member], connections: Connections, seed: u64) -> Seen {
    let mut shuffle = Shuffle(seed);
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    let mut placed: BTreeMap<ExchangeId, Placed> = BTreeMap::new();
    let mut left: Vec<_> =
        members.iter().map(|m| m.events.iter().collect::<std::collections::VecDeque<_>>()).collect();
    let (mut clock, mut seq) = (Time(1_772_442_000_000), 0);
    while left.iter().any(|events| !events.is_empty()) {
        let member = shuffle.below(members.len());
        let Some(event) = left[member].pop_front() else { continue };
        clock = clock.plus_millis(20);
        let name = |id: &ConnectionId| ConnectionId(format!("{member}-{id}").into());
        match event {
            Event::Connection(connection) => {
                let connection =
                    Connection { id: name(&connection.id), at: clock, ..Connection::clone(connection) };
                if let Connections::Own = connections {
                    engine.observe(Event::Connection(Arc::new(connection)));
                }
            }
            Event::Exchange(exchange) => {
                seq += 1;
                let mut exchange = Exchange::clone(exchange);
                let (id, connection) = (exchange.id.clone(), exchange.connection.take());
                exchange.connection = connection.map(|c| match connections {
                    Connections::Own => name(&c),
                    Connections::OneEach => {
                        let id = ConnectionId(format!("x{seq}").into());
                        let peer = "192.0.2.10:50000".to_owned();
                        let opened = Connection { id: id.clone(), at: clock, peer, ..Connection::default() };
                        engine.observe(Event::Connection(Arc::new(opened)));
                        id
                    }
                });
                (exchange.seq, exchange.request.at) = (seq, clock);
                if let Some(response) = &mut exchange.response {
                    response.at = clock;
                }
                let kind = read_request(&exchange.request).kind;
                let seen = engine.observe(Event::Exchange(Arc::new(exchange)));
                for (id, enrollment, link) in &seen.moved {
                    let moved = placed.get_mut(id).unwrap();
                    (moved.enrollment, moved.link) = (*enrollment, *link);
                }
                if let (Some(enrollment), Some(link)) = (seen.enrollment, seen.link) {
                    placed.insert(id, Placed { member, kind, enrollment, link });
                }
            }
            Event::End(_) | Event::Session { .. } | Event::Gap { .. } | Event::Tick(_) => {}
        }
    }
    Seen { engine, placed }
}

impl Seen {
    /// Each token request is in its own device's enrollment; nothing that is said to be certain is another's, and
    /// hardly anything that is said to be likely.
    fn check(&self, members: &[Member]) {
        let mut rows = BTreeSet::new();
        let owner: BTreeMap<_, _> =
            members.iter().enumerate().map(|(n, m)| (m.device_id.as_str(), n)).collect();
        let owner_of = |id: EnrollmentId| {
            let row = self.engine.enrollments().find(|e| e.id == id)?;
            owner.get(row.device_id.as_deref()?).copied()
        };
        let mut wrong = Vec::new();
        let mut likely = (0, 0);
        for (id, placed) in &self.placed {
            let Placed { member, kind, enrollment, link } = placed;
            let whose = owner_of(*enrollment);
            if *kind == Kind::SecurityTokenRequest {
                rows.insert(*enrollment);
                assert_eq!(whose, Some(*member), "{id}: a token request names its device");
            }
            let strange = whose.is_some_and(|whose| whose != *member);
            match link {
                Link::Certain if strange => wrong.push(format!("{kind:?} {id} of {member} is {whose:?}'s")),
                Link::Likely => likely = (likely.0 + usize::from(strange), likely.1 + 1),
                Link::Certain | Link::Ambiguous => {}
            }
        }
        assert_eq!(wrong, Vec::<String>::new(), "said to be certain");
        // What is repeated by one of many that look the same may be taken for another's: that is why it is not certain.
        let repeats = self.placed.keys().any(|id| id.0.ends_with("-late"));
        assert!(
            repeats || likely.0 <= likely.1 / 50,
            "of the likely ones {} of {} are wrong",
            likely.0,
            likely.1
        );
        assert!(rows.len() >= owner.len(), "each device has an enrollment");
    }

    fn links(&self, kind: Kind) -> BTreeSet<Link> {
        self.placed.values().filter(|p| p.kind == kind).map(|p| p.link).collect()
    }
}

fn user(number: usize) -> String {
    format!("user{number}@contoso.example")
}

#[test]
fn fifty_federated_devices_of_one_user_are_exact_from_the_token_on() {
    let members: Vec<_> = (0..50).map(|n| member(Golden::Federated, n, &user(1))).collect();
    for seed in 1..4 {
        let seen = play(&members, Connections::OneEach, seed);
        seen.check(&members);
        // Byte for byte the same from fifty devices: which is whose is not guessed.
        for kind in [Kind::DiscoveryProbe, Kind::DiscoverRequest, Kind::AuthPage] {
            assert!(seen.links(kind).contains(&Link::Ambiguous), "{kind:?}");
        }
    }
}

#[test]
fn fifty_federated_devices_of_fifty_users_are_told_apart() {
    let members: Vec<_> = (0..50).map(|n| member(Golden::Federated, n, &user(n))).collect();
    for seed in 1..4 {
        for connections in [Connections::Own, Connections::OneEach] {
            play(&members, connections, seed).check(&members);
        }
    }
}

#[test]
fn ways_of_all_kinds_side_by_side_are_told_apart() {
    const WAYS: [Golden; 6] = [
        Golden::OnPremise,
        Golden::Entra,
        Golden::Federated,
        Golden::Certificate,
        Golden::DeviceContext,
        Golden::Attestation,
    ];
    for users in [1, 5, 30] {
        let members: Vec<_> = (0..30).map(|n| member(WAYS[n % 6], n, &user(n % users))).collect();
        for seed in 1..4 {
            for connections in [Connections::Own, Connections::OneEach] {
                play(&members, connections, seed).check(&members);
            }
        }
    }
}

/// The same exchanges once more, as others: on other connections, with other ids.
fn again(events: &[Event], word: &str) -> Vec<Event> {
    let other = |id: &ConnectionId| ConnectionId(format!("{id}{word}").into());
    let mut copies = events.to_vec();
    for event in &mut copies {
        match event {
            Event::Exchange(exchange) => {
                let exchange = Arc::make_mut(exchange);
                exchange.id = ExchangeId(format!("{}{word}", exchange.id).into());
                exchange.connection = exchange.connection.as_ref().map(other);
            }
            Event::Connection(connection) => {
                let connection = Arc::make_mut(connection);
                connection.id = other(&connection.id);
            }
            Event::End(_) | Event::Session { .. } | Event::Gap { .. } | Event::Tick(_) => {}
        }
    }
    copies
}

/// Every other exchange over HTTP/2, as a device sends it that speaks both: that changes nothing.
#[test]
fn an_enrollment_over_both_versions_is_the_same_one() {
    for golden in [Golden::OnPremise, Golden::Federated, Golden::Entra, Golden::Renewal] {
        let mixed = |n: usize| {
            let mut member = member(golden, n, &user(n));
            for (at, event) in member.events.iter_mut().enumerate() {
                let Event::Exchange(exchange) = event else { continue };
                let exchange = Arc::make_mut(exchange);
                if at.is_multiple_of(2) {
                    continue;
                }
                exchange.request.version = Version::Http2;
                let lower = |header: &mut Header| header.name = header.name.to_ascii_lowercase();
                exchange.request.headers.iter_mut().for_each(lower);
                exchange.request.body.framing = Framing::H2;
                if let Some(response) = &mut exchange.response {
                    response.version = Version::Http2;
                    response.reason = String::new();
                    response.headers.iter_mut().for_each(lower);
                    response.body.framing = Framing::H2;
                }
            }
            member
        };
        let rows = |members: &[Member]| {
            let seen = play(members, Connections::OneEach, 1);
            seen.check(members);
            let placed = seen.placed.into_iter();
            placed.map(|(id, placed)| (id, placed.enrollment, placed.link)).collect::<Vec<_>>()
        };
        for many in [1, 10] {
            let plain: Vec<_> = (0..many).map(|n| member(golden, n, &user(n))).collect();
            let mixed: Vec<_> = (0..many).map(mixed).collect();
            assert_eq!(rows(&mixed), rows(&plain), "{golden:?}");
        }
    }
}

fn place_of(events: &[Event], kind: Kind) -> usize {
    let is = |event: &Event| matches!(event, Event::Exchange(e) if read_request(&e.request).kind == kind);
    events.iter().position(is).unwrap()
}

#[test]
fn renewals_among_first_enrollments_are_their_devices() {
    let way = |n: usize| if n.is_multiple_of(2) { Golden::Renewal } else { Golden::OnPremise };
    for users in [1, 20] {
        let members: Vec<_> = (0..20).map(|n| member(way(n), n, &user(n % users))).collect();
        for seed in 1..4 {
            for connections in [Connections::Own, Connections::OneEach] {
                play(&members, connections, seed).check(&members);
            }
        }
    }
}

#[test]
fn devices_that_begin_anew_are_the_same_devices() {
    for golden in [Golden::OnPremise, Golden::Federated, Golden::Entra] {
        let restarted = |n: usize, users: usize| {
            let mut member = member(golden, n, &user(n % users));
            // Every other one is switched off: before its policy request, or right after it.
            if n.is_multiple_of(2) {
                let policy = place_of(&member.events, Kind::GetPoliciesRequest);
                let mut first = again(&member.events[..policy + n % 4 / 2], "-first");
                first.append(&mut member.events);
                member.events = first;
            }
            member
        };
        for users in [1, 24] {
            let members: Vec<_> = (0..24).map(|n| restarted(n, users)).collect();
            for seed in 1..3 {
                for connections in [Connections::Own, Connections::OneEach] {
                    play(&members, connections, seed).check(&members);
                }
            }
        }
    }
}

/// A device repeats its request where an answer is late: both are recorded when they end, in any order.
#[test]
fn answers_that_come_late_on_another_connection_mix_nobody_up() {
    for golden in [Golden::OnPremise, Golden::Federated, Golden::Entra] {
        let late = |n: usize, users: usize| {
            let mut member = member(golden, n, &user(n % users));
            for kind in [Kind::DiscoverRequest, Kind::GetPoliciesRequest, Kind::SecurityTokenRequest] {
                let place = place_of(&member.events, kind);
                let copy = again(&member.events[place..=place], "-late");
                let later = (place + 1 + n % 5).min(member.events.len());
                member.events.splice(later..later, copy);
            }
            member
        };
        for users in [1, 24] {
            let members: Vec<_> = (0..24).map(|n| late(n, users)).collect();
            for seed in 1..3 {
                for connections in [Connections::Own, Connections::OneEach] {
                    play(&members, connections, seed).check(&members);
                }
            }
        }
    }
}

#[test]
fn fifty_users_on_premise_are_attached_and_not_ambiguous() {
    let members: Vec<_> = (0..50).map(|n| member(Golden::OnPremise, n, &user(n))).collect();
    for seed in 1..4 {
        let seen = play(&members, Connections::OneEach, seed);
        seen.check(&members);
        for kind in [Kind::GetPoliciesRequest, Kind::SecurityTokenRequest] {
            assert!(!seen.links(kind).contains(&Link::Ambiguous), "{kind:?}");
        }
    }
}
