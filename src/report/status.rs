//! The status page: how things stand, for somebody with a browser and without a terminal. No scripts, no bodies.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::human::clean;
use crate::capture::Recording;
use crate::diagnosis::{Arrival, Expected, arrivals, next_step, told};
use crate::engine::Observation;
use crate::enrollment::{Enrollment, EnrollmentId, Outcome, StepState};
use crate::event::{ConnectionEvent, Event, Time};
use crate::xml::escape;

/// Enrollments that are remembered for the page; beyond it the oldest go.
const MAX_ENROLLMENTS: usize = 1_000;
/// The same where devices are expected: as many as the engine remembers.
const MAX_EXPECTING: usize = 20_000;
/// Rows that the page shows.
const MAX_ROWS: usize = 200;
/// Names of one line.
const MAX_NAMES: usize = 20;

/// What the page is made of, kept up to date by what is observed.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    enrollments: BTreeMap<EnrollmentId, Enrollment>,
    exchanges: u64,
    refused: u64,
    lost: u64,
    now: Time,
    expecting: bool,
}

/// What the tool says about itself there.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The server's origin, or several.
    pub subject: String,
    pub listeners: Vec<String>,
    /// In words; shown first, and red.
    pub warnings: Vec<String>,
    pub recording: Option<Recording>,
    /// Devices that are to come.
    pub expected: Vec<Expected>,
}

impl Overview {
    /// `expecting`: devices will be looked for, be it long ago that they came.
    pub fn new(expecting: bool) -> Self {
        Self { expecting, ..Self::default() }
    }

    /// `3 devices expected: 1 enrolled, 0 arrived, 1 failed, 1 not seen (DESKTOP-3)`
    pub fn expected(&self, list: &[Expected]) -> String {
        let arrivals = arrivals(list, self.enrollments.values());
        let count = |wanted: Arrival| arrivals.iter().filter(|(arrival, _)| *arrival == wanted).count();
        let counts = Arrival::ALL.map(|arrival| format!("{} {}", count(arrival), arrival.word()));
        let unseen = list.iter().zip(&arrivals).filter(|(_, (arrival, _))| *arrival == Arrival::NotSeen);
        let names: Vec<&str> = unseen.map(|(expected, _)| expected.label()).collect();
        let names = match names.len() {
            0 => String::new(),
            all @ ..=MAX_NAMES => format!(" ({})", names.get(..all).unwrap_or_default().join(", ")),
            all => {
                let first = names.get(..MAX_NAMES).unwrap_or_default().join(", ");
                format!(" ({first} and {} more)", all - MAX_NAMES)
            }
        };
        clean(&format!("{} devices expected: {}{names}", list.len(), counts.join(", ")))
    }

    pub fn see(&mut self, seen: &Observation) {
        self.now = self.now.max(seen.event.at());
        match &seen.event {
            Event::Exchange(_) => self.exchanges += 1,
            Event::Connection(c) if c.event == ConnectionEvent::Failed => self.refused += 1,
            Event::Gap { lost, .. } => self.lost = self.lost.saturating_add(*lost),
            Event::Connection(_) | Event::End(_) | Event::Session { .. } | Event::Tick(_) => {}
        }
        for (gone, _) in &seen.gone {
            self.enrollments.remove(gone);
        }
        for enrollment in &seen.changed {
            self.enrollments.insert(enrollment.id, enrollment.clone());
        }
        let most = if self.expecting { MAX_EXPECTING } else { MAX_ENROLLMENTS };
        while self.enrollments.len() > most {
            self.enrollments.pop_first();
        }
    }

    /// The whole page, as HTML.
    pub fn html(&self, about: &About) -> String {
        let mut page = String::from(HEAD);
        let _ = write!(
            page,
            "<h1>enrollscope</h1><p>{} → {}</p>",
            escaped(&about.listeners.join(", ")),
            escaped(&about.subject)
        );
        for warning in about.alarms() {
            let _ = write!(page, "<p class=bad>{}</p>", escaped(&warning));
        }
        self.totals(&mut page, about);
        if !about.expected.is_empty() {
            let _ = write!(page, "<p>{}</p>", escape(&self.expected(&about.expected)));
        }
        page.push_str(
            "<table><tr><th>Device<th>Stages<th>Outcome<th>Since<th>What happened, and what to do next</tr>",
        );
        let latest = |e: &&Enrollment| std::cmp::Reverse(e.latest);
        let mut rows: Vec<&Enrollment> = self.enrollments.values().collect();
        rows.sort_by_key(latest);
        for enrollment in rows.iter().take(MAX_ROWS) {
            self.row(&mut page, enrollment);
        }
        page.push_str("</table>");
        if let Some(more) = rows.len().checked_sub(MAX_ROWS).filter(|more| *more > 0) {
            let _ = write!(page, "<p>{more} earlier ones are not shown.</p>");
        }
        let _ = write!(
            page,
            "<p class=dim>As of {}. This page comes anew every 10 seconds.</p></html>",
            self.now
        );
        page
    }

    fn totals(&self, page: &mut String, about: &About) {
        let count = |outcome| self.enrollments.values().filter(|e| e.outcome == outcome).count();
        let outcomes = [Outcome::Enrolled, Outcome::Failed, Outcome::Stalled, Outcome::InProgress];
        let totals = outcomes.map(|outcome| format!("<b>{}</b> {}", count(outcome), outcome.word()));
        let _ = write!(
            page,
            "<p>{} · <b>{}</b> exchanges · <b>{}</b> connections refused",
            totals.join(" · "),
            self.exchanges,
            self.refused
        );
        if let Some(recording) = &about.recording {
            let _ = write!(page, " · recording {}", recording.health.word());
        }
        page.push_str("</p>");
    }

    fn row(&self, page: &mut String, e: &Enrollment) {
        let unknown = format!("somebody at {}", e.address);
        let who = e.user.as_deref().or(e.device_id.as_deref()).unwrap_or(&unknown);
        let device =
            e.device_name.as_deref().map(|name| format!("<br>{}", escaped(name))).unwrap_or_default();
        let stages: Vec<String> = e
            .flow
            .stages()
            .iter()
            .map(|stage| {
                let (class, mark) = match e.step(*stage) {
                    StepState::Done => ("good", "✓"),
                    StepState::Now => ("now", "…"),
                    StepState::Failed => ("bad", "✗"),
                    StepState::Elsewhere | StepState::Ahead => ("dim", "·"),
                };
                format!("<span class={class} title=\"{}\">{mark}</span>", stage.title())
            })
            .collect();
        let class = match e.outcome {
            Outcome::Enrolled => "good",
            Outcome::Failed => "bad",
            Outcome::Stalled | Outcome::InProgress => "now",
        };
        let code = e.hresult.map(|code| format!(" The user sees 0x{code:08X}.")).unwrap_or_default();
        let owner = e.owner.map(|owner| format!(" <b>{} has to act.</b>", owner.word())).unwrap_or_default();
        let next = next_step(e).map(|(cause, remedy)| {
            let cause = cause.map(|cause| format!("{cause} ")).unwrap_or_default();
            format!("<br>{}→ {}", escaped(&cause), escaped(remedy))
        });
        let next = next.unwrap_or_default();
        let _ = write!(
            page,
            "<tr><td>{}{device}<td class=strip>{}<td class={class}>{}<td>{} min<td>{}{code}{owner}{next}</tr>",
            escaped(who),
            stages.join(" "),
            e.outcome.word(),
            self.now.since(e.latest).max(0) / 60_000,
            escaped(&told(e, self.now)),
        );
    }
}

impl About {
    fn alarms(&self) -> Vec<String> {
        let mut alarms = self.warnings.clone();
        if let Some(recording) = self.recording.as_ref().filter(|recording| recording.health.is_bad()) {
            let why = recording.last_error.as_deref().map(|e| format!(": {e}")).unwrap_or_default();
            alarms.push(format!("recording is {}{why}", recording.health.word()));
        }
        if let Some(lost) = self.recording.as_ref().map(|recording| recording.lost).filter(|lost| *lost > 0) {
            alarms.push(format!("{lost} exchanges are in no record"));
        }
        alarms
    }
}

/// Text that came from devices, made harmless.
fn escaped(text: &str) -> String {
    escape(&clean(text))
}

const HEAD: &str = "<!DOCTYPE html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
<meta http-equiv=refresh content=10><title>enrollscope</title><style>\
:root{color-scheme:light dark;font:15px/1.45 system-ui,sans-serif}body{margin:2em auto;max-width:75em;padding:0 1em}\
h1{font-size:1.3em;margin:0}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.35em .7em .35em 0;border-bottom:1px solid #8884}\
.strip{white-space:nowrap;font-family:monospace}.bad{color:#c33}.good{color:#293}.now{color:#b70}.dim{color:#888}\
</style>";
