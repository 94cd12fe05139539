//! What the tool says about itself in the tests, and a crowd.

use super::model;
use crate::capture::{Health, Recording};
use crate::dashboard::{Model, Status};
use crate::engine::Engine;
use crate::enrollment::{Deadlines, EnrollmentId};
use crate::event::{Event, Time};
use crate::filter::Saved;
use crate::rules::Profile;

pub(super) fn recorded() -> Status {
    Status {
        title: "open".to_owned(),
        subject: "captures/fleet.jsonl".to_owned(),
        redaction: "secrets".to_owned(),
        ..Status::default()
    }
}

/// With saved filters.
pub(super) fn filtered() -> Status {
    let filters =
        [("anna", "user:anna"), ("cap", "rule:FAULT-011 | ~b DeviceCapReached"), ("capped", "@cap !@anna")];
    let filters = filters.map(|(name, filter)| (name.to_owned(), filter.to_owned()));
    Status { filters: Saved::new(filters.into()).unwrap(), ..recorded() }
}

pub(super) fn live() -> Status {
    Status {
        title: "proxy".to_owned(),
        subject: "https://mdm.contoso.example".to_owned(),
        listeners: vec!["https://0.0.0.0:443".to_owned()],
        recording: Some(Recording {
            path: Some("captures/2023-01-29.jsonl".into()),
            health: Health::Good,
            size: 1_234_567,
            ..Recording::default()
        }),
        redaction: "secrets".to_owned(),
        started: Time::parse("2023-01-29T12:00:00Z"),
        live: true,
        ..Status::default()
    }
}

pub(super) fn alarmed() -> Status {
    let mut status = live();
    status.redaction = "none".to_owned();
    status.warnings = vec![
        "the server's certificate is not verified".to_owned(),
        "bodies of everything are recorded".to_owned(),
        "redaction is off: the capture holds passwords".to_owned(),
    ];
    status.recording = Some(Recording {
        path: Some("captures/2023-01-29.jsonl".into()),
        health: Health::Waiting,
        last_error: Some("No space left on device".to_owned()),
        size: 35_000_000,
        lost: 3,
        late: 12,
        waiting: 40,
        deferred: 7,
        ..Recording::default()
    });
    status
}

/// The fleet's devices again and again, under other names: one in ten fails, some of them are stuck.
pub(super) fn crowd() -> Model {
    let mut model = model(live());
    let templates: Vec<_> = model.enrollments.values().map(|tracked| tracked.enrollment.clone()).collect();
    let of = |user: &str| templates.iter().find(|e| e.user.as_deref() == Some(user)).unwrap();
    let tick = Event::Tick(model.now);
    let mut seen = Engine::new(Profile::Field, Deadlines::default()).observe(tick);
    for number in 100..394_u64 {
        let user = match number % 10 {
            0 => "bert",
            1 if number % 3 == 0 => "dora",
            _ => "anna",
        };
        let mut e = of(&format!("{user}@contoso.example")).clone();
        e.id = EnrollmentId(number);
        e.user = Some(format!("user{number}@contoso.example"));
        e.device_id = e.device_id.map(|_| format!("{number:032X}"));
        e.device_name = e.device_name.map(|_| format!("LAPTOP-{number}"));
        let before = -i64::try_from(number * 1_700).unwrap();
        (e.started, e.latest) = (e.started.plus_millis(before), e.latest.plus_millis(before));
        seen.changed.push(e);
    }
    model.apply(seen, None);
    model.refresh();
    model
}
