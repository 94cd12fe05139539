//! The classic failures, one recording each: the captures that the documentation and the dashboard are shown with.

use std::sync::Arc;

use super::golden::{SEED, of, on_premise, with_edit, wrong_password};
use crate::event::{Connection, ConnectionEvent, ConnectionId, Event, Reason, Time};
use crate::message::read_request;
use crate::rules::{Edit, Golden, Step, by_id};

/// Their names, and what happened.
pub fn all() -> Vec<(&'static str, Vec<Event>)> {
    vec![
        ("chunked-answer", stopped(broken("HTTP-001"), Step::Policies)),
        ("wrong-thumbprint", stopped(broken("PROV-CS-003"), Step::Sync)),
        ("provider-id-differs", stopped(broken("PROV-DM-001"), Step::Sync)),
        ("certificate-for-another-key", stopped(broken("PROV-CS-004"), Step::Sync)),
        ("certificate-distrusted", broken("TLS-001")),
        ("wrong-password", wrong_password()),
        ("device-cap-reached", of(Golden::Refused)),
        ("stops-after-discovery", stopped(on_premise(SEED), Step::Policies)),
    ]
}

/// The golden with the rule's first example made on it.
fn broken(rule: &str) -> Vec<Event> {
    let edit = by_id(rule).and_then(|rule| rule.examples.first()).map(|example| example.edit);
    let edit = edit.unwrap_or(Edit::Stop(Step::Probe));
    with_edit(Golden::OnPremise, &edit).unwrap_or_default()
}

/// The device goes away before that step: its open connections close, and nothing else follows.
fn stopped(mut events: Vec<Event>, before: Step) -> Vec<Event> {
    let at = events.iter().position(|event| {
        matches!(event, Event::Exchange(e) if Step::of(&e.request, read_request(&e.request).kind) == Some(before))
    });
    events.truncate(at.unwrap_or(events.len()));
    // A connection that would have been for that step only.
    while events.pop_if(|event| is(event, ConnectionEvent::Opened)).is_some() {}
    let last = events.last().map(Event::at).unwrap_or_default();
    let mut open: Vec<Arc<Connection>> = Vec::new();
    for event in &events {
        match event {
            Event::Connection(c) if c.event == ConnectionEvent::Opened => open.push(Arc::clone(c)),
            Event::Connection(c) => open.retain(|o| o.id != c.id),
            _ => {}
        }
    }
    events.extend(open.into_iter().map(|connection| {
        Event::Connection(Arc::new(Connection {
            id: connection.id.clone(),
            at: last.plus_millis(40),
            event: ConnectionEvent::Closed,
            peer: connection.peer.clone(),
            listener: connection.listener.clone(),
            reason: Some(Reason::ClosedByDevice),
            ..Connection::default()
        }))
    }));
    events.extend(later(last.plus_millis(360_000)));
    events
}

/// A health check from elsewhere: the record goes on, and shows that the device does not.
fn later(at: Time) -> [Event; 2] {
    let opened = Connection {
        id: ConnectionId("c9".into()),
        at,
        peer: "192.0.2.99:40404".to_owned(),
        listener: "http://0.0.0.0:80".to_owned(),
        ..Connection::default()
    };
    let closed = Connection {
        at: at.plus_millis(15),
        event: ConnectionEvent::Closed,
        reason: Some(Reason::ClosedByDevice),
        ..opened.clone()
    };
    [opened, closed].map(|connection| Event::Connection(Arc::new(connection)))
}

fn is(event: &Event, what: ConnectionEvent) -> bool {
    matches!(event, Event::Connection(connection) if connection.event == what)
}
