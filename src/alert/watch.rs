//! Watches what is observed, and says what of it is to be told.

use std::collections::HashSet;

use super::failures::{FailureRate, Failures};
use super::limit::Limit;
use super::overdue::Awaited;
use super::recording::Recorded;
use super::told::{About, Alert, Kind, State, advice};
use crate::capture::Recording;
use crate::diagnosis::{Expected, told, trouble};
use crate::engine::Observation;
use crate::enrollment::Enrollment;
use crate::event::{Event, Exchange, Time, Upstream};
use crate::message::certificate::Certificate;
use crate::rules::Level;

const DAY: i64 = 24 * 3_600_000;
/// With less left, a server's certificate is told of.
const SOON: i64 = 14 * DAY;
/// Certificates that were told of; they come from configured servers and from our own files, and are few.
const MOST_CERTIFICATES: usize = 1_000;

/// What is watched for, and from when on.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Absent: failures are not counted.
    pub failures: Option<FailureRate>,
    /// Devices that are to come; none are awaited if it is empty.
    pub expected: Vec<Expected>,
    /// How long they have, in milliseconds from the start; absent: as long as they like.
    pub overdue: Option<i64>,
}

/// A certificate that is served to devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasting {
    /// What people call it: its file.
    pub name: String,
    pub expires: Time,
    /// With less left it is told of, in milliseconds.
    pub soon: i64,
}

/// Owned by one thread; sees everything in its order.
#[derive(Debug)]
pub struct Watch {
    failures: Option<Failures>,
    causes: HashSet<&'static str>,
    awaited: Option<Awaited>,
    recorded: Recorded,
    /// Certificates that were told of, with the day of their end, and whether as expired.
    certificates: HashSet<(String, i64, bool)>,
    limit: Limit,
    now: Time,
}

impl Watch {
    pub fn new(settings: Settings) -> Self {
        let Settings { failures, expected, overdue } = settings;
        let awaited = overdue.filter(|_| !expected.is_empty());
        Self {
            failures: failures.map(Failures::new),
            causes: HashSet::new(),
            awaited: awaited.map(|patience| Awaited::new(expected, patience)),
            recorded: Recorded::default(),
            certificates: HashSet::new(),
            limit: Limit::default(),
            now: Time::default(),
        }
    }

    /// What is to be told because of what was observed.
    pub fn see(&mut self, seen: &Observation) -> Vec<Alert> {
        self.now = self.now.max(seen.event.at());
        let mut alerts = Vec::new();
        for e in &seen.changed {
            alerts.extend(self.new_cause(e));
        }
        if let Some(failures) = &mut self.failures {
            seen.gone.iter().for_each(|(gone, _)| failures.forget(*gone));
            seen.changed.iter().for_each(|e| failures.see(e, self.now));
            if !seen.changed.is_empty() || matches!(seen.event, Event::Tick(_)) {
                alerts.extend(failures.look(self.now));
            }
        }
        if let Some(awaited) = &mut self.awaited {
            awaited.see(seen, self.now);
            if awaited.is_over(self.now) {
                alerts.extend(awaited.alert(self.now));
                self.awaited = None;
            }
        }
        if let Event::Exchange(exchange) = &seen.event {
            self.chain(exchange, &mut alerts);
        }
        let mut told = self.admit(alerts);
        if matches!(seen.event, Event::Tick(_)) {
            told.extend(self.limit.tick(self.now));
        }
        told
    }

    /// The same of what no event tells, to be called at every tick: how recording stands, and what is served.
    pub fn look(&mut self, recording: &Recording, served: &[Lasting]) -> Vec<Alert> {
        let mut alerts = self.recorded.look(recording, self.now);
        for certificate in served {
            let Lasting { name, expires, soon } = certificate;
            let what = format!("The certificate {name} for devices");
            alerts.extend(self.certificate((name, &what), *expires, *soon, None));
        }
        self.admit(alerts)
    }

    fn admit(&mut self, alerts: Vec<Alert>) -> Vec<Alert> {
        alerts.into_iter().filter_map(|alert| self.limit.admit(alert, self.now)).collect()
    }

    fn new_cause(&mut self, e: &Enrollment) -> Option<Alert> {
        let (id, words) = trouble(e)?;
        if !self.causes.insert(id) {
            return None;
        }
        let who = e.user.as_deref().or(e.device_name.as_deref()).unwrap_or("Somebody");
        let text = format!("{who} ({}): {}.{}", e.id, told(e, self.now).trim_end_matches('.'), advice(e));
        let title = format!("New cause of trouble: {words}");
        let alert = Alert::new((Kind::NewCause, id), State::Once, Level::Warning, self.now, (&title, &text));
        Some(alert.about(About::of(e, id)))
    }

    /// The server's certificates, as each new connection to it shows them.
    fn chain(&mut self, exchange: &Exchange, alerts: &mut Vec<Alert>) {
        let Some(upstream) = exchange.upstream.as_ref().filter(|upstream| !upstream.reused) else { return };
        for (place, der) in upstream.chain.iter().enumerate() {
            let Some(certificate) = Certificate::read(der) else { continue };
            let Some(expires) = certificate.not_after else { continue };
            // Servers send expired cross-signatures along, and devices go another way: an issuer matters while it is
            // good, or when the chain does not hold.
            let harmless = place > 0 && upstream.verified && expires <= self.now;
            if harmless {
                continue;
            }
            let name = certificate.subject.common_name().unwrap_or("(without a name)").to_owned();
            alerts.extend(self.of_server(upstream, place, &name, &certificate.thumbprint, expires));
        }
    }

    fn of_server(
        &mut self,
        upstream: &Upstream,
        place: usize,
        name: &str,
        thumbprint: &str,
        expires: Time,
    ) -> Option<Alert> {
        let what = match place {
            0 => format!("The server's certificate ({name})"),
            _ => format!("The issuer {name} in the server's chain"),
        };
        let mut alert = self.certificate((thumbprint, &what), expires, SOON, Some(&upstream.origin))?;
        alert.about.certificate = Some((name.to_owned(), expires));
        let about = std::mem::take(&mut alert.about);
        Some(alert.about(about))
    }

    /// Once for each certificate and stage.
    fn certificate(
        &mut self,
        (key, what): (&str, &str),
        expires: Time,
        soon: i64,
        site: Option<&str>,
    ) -> Option<Alert> {
        let left = expires.since(self.now);
        if left >= soon || self.certificates.len() >= MOST_CERTIFICATES {
            return None;
        }
        let expired = left <= 0;
        if !self.certificates.insert((key.to_owned(), expires.0, expired)) {
            return None;
        }
        let day = expires.to_string();
        let day = day.get(..10).unwrap_or_default();
        let (severity, title, key) = match (expired, left / DAY) {
            (true, _) => (Level::Error, format!("{what} has expired on {day}"), format!("{key}/expired")),
            (_, 0) => (Level::Warning, format!("{what} expires within a day"), format!("{key}/soon")),
            (_, 1) => (Level::Warning, format!("{what} expires tomorrow"), format!("{key}/soon")),
            (_, days) => (Level::Warning, format!("{what} expires in {days} days"), format!("{key}/soon")),
        };
        let at = site.map(|site| format!(" It is what {site} shows.")).unwrap_or_default();
        let text = match expired {
            true => format!("Its last day was {day}: handshakes fail because of it. Renew it.{at}"),
            false => format!("Its last day is {day}. Renew it before.{at}"),
        };
        let alert = Alert::new((Kind::Certificate, &key), State::Once, severity, self.now, (&title, &text));
        let (site, certificate) = (site.map(str::to_owned), Some((what.to_owned(), expires)));
        Some(alert.about(About { site, certificate, ..About::default() }))
    }
}
