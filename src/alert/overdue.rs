//! Devices that were expected, and have not enrolled in time.

use std::collections::BTreeMap;

use super::told::{About, Alert, Kind, State, plural, span};
use crate::diagnosis::{Arrival, Expected, arrivals};
use crate::engine::Observation;
use crate::enrollment::{Enrollment, EnrollmentId};
use crate::event::Time;
use crate::rules::Level;

/// Names in a text.
const MOST_NAMES: usize = 10;
/// As many as the engine remembers.
const MOST: usize = 20_000;

/// The list, until its time is over.
#[derive(Debug)]
pub(super) struct Awaited {
    list: Vec<Expected>,
    /// From the first event, in milliseconds.
    patience: i64,
    began: Option<Time>,
    enrollments: BTreeMap<EnrollmentId, Enrollment>,
}

impl Awaited {
    pub(super) fn new(list: Vec<Expected>, patience: i64) -> Self {
        Self { list, patience, began: None, enrollments: BTreeMap::new() }
    }

    pub(super) fn see(&mut self, seen: &Observation, now: Time) {
        self.began.get_or_insert(now);
        for (gone, _) in &seen.gone {
            self.enrollments.remove(gone);
        }
        for e in &seen.changed {
            self.enrollments.insert(e.id, e.clone());
        }
        while self.enrollments.len() > MOST {
            self.enrollments.pop_first();
        }
    }

    pub(super) fn is_over(&self, now: Time) -> bool {
        self.began.is_some_and(|began| now.since(began) >= self.patience)
    }

    /// Who is missing; nothing if all have enrolled.
    pub(super) fn alert(&self, now: Time) -> Option<Alert> {
        let found = arrivals(&self.list, self.enrollments.values());
        let count = |wanted: Arrival| found.iter().filter(|(arrival, _)| *arrival == wanted).count() as u64;
        let enrolled = count(Arrival::Enrolled);
        let all = self.list.len() as u64;
        let missing = all - enrolled;
        if missing == 0 {
            return None;
        }
        let groups = [Arrival::NotSeen, Arrival::Failed, Arrival::Arrived].map(|group| {
            let names = self.list.iter().zip(&found).filter(|(_, (arrival, _))| *arrival == group);
            let names: Vec<&str> = names.map(|(expected, _)| expected.label()).collect();
            let told = names.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", ");
            match names.len() {
                0 => String::new(),
                n @ ..=MOST_NAMES => format!(" {n} {}: {told}.", group.word()),
                n => format!(" {n} {}: {told} and {} more.", group.word(), n - MOST_NAMES),
            }
        });
        let title = format!("{missing} of {} not enrolled in time", plural(all, "expected device"));
        let text =
            format!("{} after the start {enrolled} of them have.{}", span(self.patience), groups.concat());
        let about = About {
            counts: vec![
                ("expected", all),
                ("enrolled", enrolled),
                ("arrived", count(Arrival::Arrived)),
                ("failed", count(Arrival::Failed)),
                ("not-seen", count(Arrival::NotSeen)),
            ],
            enrollments: found
                .iter()
                .filter(|(arrival, _)| *arrival != Arrival::Enrolled)
                .filter_map(|(_, id)| *id)
                .collect(),
            ..About::default()
        };
        let alert = Alert::new((Kind::Overdue, ""), State::Once, Level::Warning, now, (&title, &text));
        Some(alert.about(about))
    }
}
