//! The smallest part of a recording in which a failure is still seen.

use std::collections::{HashMap, HashSet};

use crate::compare::{Expectation, Story, judged};
use crate::event::{Event, Side};
use crate::message::{Kind, read_request};
use crate::rules::Profile;

/// The events without what the failure does not need: one exchange after the other is left out as long as the same rules
/// fail and the same outcomes are seen. Of each device the last message of every step before the failure stays, since it
/// is what a replay sends. `events` are numbered anew.
pub fn minimised(events: &[Event], expectations: &[Expectation]) -> Vec<Event> {
    let mut kept: Vec<Event> = renumbered(events.to_vec());
    let wanted = Seen::of(&judged(&kept, Profile::Field), expectations);
    let mut at = kept.len();
    while at > 0 {
        at -= 1;
        if !matches!(kept.get(at), Some(Event::Exchange(_))) {
            continue;
        }
        let mut fewer = kept.clone();
        let removed = fewer.remove(at);
        fewer = renumbered(fewer);
        let stories = judged(&fewer, Profile::Field);
        if Seen::of(&stories, expectations) == wanted && !is_last_step(&removed, &fewer) {
            kept = fewer;
            at = at.min(kept.len());
        }
    }
    kept
}

/// What must stay as it is: which rules fail, and how the enrollments with such failures end.
#[derive(PartialEq, Eq)]
struct Seen(Vec<(String, bool)>);

impl Seen {
    fn of(stories: &[Story], expectations: &[Expectation]) -> Self {
        let told = |expectation: &Expectation| {
            let seen = match expectation {
                Expectation::Fixed(rule) => stories.iter().flat_map(|story| &story.exchanges).any(|told| {
                    told.findings.iter().any(|f| f.rule.id == rule.id && f.side == Some(Side::Response))
                }),
                // What is expected did not come in the recording: somebody must still fail.
                Expectation::Outcome(outcome) => {
                    stories.iter().any(|story| story.enrollment.outcome != *outcome)
                }
            };
            (expectation.to_string(), seen)
        };
        Self(expectations.iter().map(told).collect())
    }
}

/// It is a step of the protocol, and no other message of its kind and device is left.
fn is_last_step(removed: &Event, left: &[Event]) -> bool {
    let Event::Exchange(removed) = removed else { return false };
    let kind = read_request(&removed.request).kind;
    let is_step =
        matches!(kind, Kind::DiscoverRequest | Kind::GetPoliciesRequest | Kind::SecurityTokenRequest);
    let connection = removed.connection.as_ref();
    let later = |event: &Event| match event {
        Event::Exchange(other) => {
            other.request.at >= removed.request.at && other.connection.as_ref() == connection
        }
        _ => false,
    };
    let same = |event: &Event| match event {
        Event::Exchange(other) => {
            other.connection.as_ref() == connection && read_request(&other.request).kind == kind
        }
        _ => false,
    };
    // What came after the failure is needed by nobody.
    is_step && left.iter().any(later) && !left.iter().any(same)
}

/// The events with their exchanges numbered without gaps, and without what spoke of those that are not there.
pub fn renumbered(events: Vec<Event>) -> Vec<Event> {
    let connections: HashSet<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Exchange(exchange) => exchange.connection.clone(),
            _ => None,
        })
        .collect();
    // Numbers of one capture may be those of another one that follows it.
    let (mut numbers, mut last) = (HashMap::new(), 0);
    let renumber = |event: Event| match event {
        Event::Exchange(exchange) => {
            let mut exchange = std::sync::Arc::unwrap_or_clone(exchange);
            last += 1;
            numbers.insert(exchange.seq, last);
            exchange.seq = last;
            Some(Event::Exchange(exchange.into()))
        }
        Event::End(mut end) => {
            end.of = numbers.get(&end.of).copied()?;
            Some(Event::End(end))
        }
        Event::Connection(connection) => {
            connections.contains(&connection.id).then_some(Event::Connection(connection))
        }
        Event::Session { .. } => {
            numbers.clear();
            Some(event)
        }
        Event::Gap { .. } | Event::Tick(_) => None,
    };
    events.into_iter().filter_map(renumber).collect()
}
