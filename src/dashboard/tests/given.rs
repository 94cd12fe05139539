//! What the tool says about itself in the tests.

use crate::capture::{Health, Recording};
use crate::dashboard::Status;
use crate::event::Time;
use crate::filter::Saved;

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
