//! Counts and durations for a monitoring system, in the OpenMetrics text format that Prometheus reads.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::capture::{Health, Recording};
use crate::engine::Observation;
use crate::enrollment::{EnrollmentId, Outcome};
use crate::event::{Connection, ConnectionEvent, Event, Exchange, From, Reason};
use crate::message::Kind;
use crate::rules::VERSION;

/// Enrollments whose outcome is remembered, to tell when it changes; as many as the engine remembers.
const MAX_ENROLLMENTS: usize = 20_000;

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// What has been seen so far, counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    exchanges: Family<Labels<2>, Counter>,
    answers: Family<Labels<1>, Histogram>,
    findings: Family<Labels<2>, Counter>,
    enrollments: Family<Labels<1>, Counter>,
    in_progress: Gauge,
    connections: Counter,
    open: Gauge,
    refused: Family<Labels<1>, Counter>,
    gaps: Counter,
    recorded: Counter,
    lost: Counter,
    late: Counter,
    size: Gauge,
    healthy: Gauge,
    outcomes: BTreeMap<EnrollmentId, Outcome>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(env!("CARGO_PKG_VERSION"))
    }
}

impl Metrics {
    pub fn new(version: &'static str) -> Self {
        // From 1 ms to 131 s: attestation alone takes 100.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 18));
        let mut metrics = Self {
            registry: Registry::with_prefix("enrollscope"),
            exchanges: Family::default(),
            answers: Family::new_with_constructor(histogram),
            findings: Family::default(),
            enrollments: Family::default(),
            in_progress: Gauge::default(),
            connections: Counter::default(),
            open: Gauge::default(),
            refused: Family::default(),
            gaps: Counter::default(),
            recorded: Counter::default(),
            lost: Counter::default(),
            late: Counter::default(),
            size: Gauge::default(),
            healthy: Gauge::default(),
            outcomes: BTreeMap::new(),
        };
        metrics.register(version);
        metrics
    }

    fn register(&mut self, version: &'static str) {
        let registry = &mut self.registry;
        let build = Info::new(vec![("version", version), ("rules", VERSION)]);
        registry.register("build", "Which enrollscope this is, and which rules it has", build);
        registry.register(
            "exchanges",
            "Requests, by what they are and how they were answered",
            self.exchanges.clone(),
        );
        registry.register_with_unit(
            "answer",
            "From a request's last byte to the head of its answer",
            Unit::Seconds,
            self.answers.clone(),
        );
        registry.register("findings", "Broken rules, by rule and severity", self.findings.clone());
        registry.register("enrollments", "Enrollments that came to this outcome", self.enrollments.clone());
        registry.register(
            "enrollments_in_progress",
            "Enrollments without an end so far",
            self.in_progress.clone(),
        );
        registry.register(
            "connections",
            "Connections of devices that came as far as HTTP",
            self.connections.clone(),
        );
        registry.register("connections_open", "Those of them that are open", self.open.clone());
        registry.register(
            "connections_refused",
            "Connections that ended before HTTP, by why",
            self.refused.clone(),
        );
        registry.register("gaps", "Exchanges that could not be judged", self.gaps.clone());
        registry.register("recorded", "Exchanges in the capture", self.recorded.clone());
        registry.register("lost", "Exchanges that are in no record", self.lost.clone());
        registry.register("late", "Answers that went out before their record was on file", self.late.clone());
        registry.register_with_unit("capture", "The capture's size", Unit::Bytes, self.size.clone());
        registry.register(
            "recording_healthy",
            "1 when recording goes well or is off, else 0",
            self.healthy.clone(),
        );
    }

    /// Counts what was observed.
    pub fn see(&mut self, seen: &Observation) {
        match &seen.event {
            Event::Exchange(exchange) => self.exchange(exchange, seen.request.unwrap_or(Kind::None)),
            Event::Connection(connection) => self.connection(connection),
            Event::Gap { lost, .. } => drop(self.gaps.inc_by(*lost)),
            Event::End(_) | Event::Session { .. } | Event::Tick(_) => {}
        }
        for finding in &seen.findings {
            let labels = [("rule", finding.rule.id), ("severity", finding.level.word())];
            self.findings.get_or_create(&labels).inc();
        }
        for enrollment in &seen.changed {
            let before = self.outcomes.insert(enrollment.id, enrollment.outcome);
            if before != Some(enrollment.outcome) {
                self.enrollments.get_or_create(&[("outcome", enrollment.outcome.word())]).inc();
            }
        }
        for (gone, _) in &seen.gone {
            self.outcomes.remove(gone);
        }
        while self.outcomes.len() > MAX_ENROLLMENTS {
            self.outcomes.pop_first();
        }
    }

    fn exchange(&self, exchange: &Exchange, request: Kind) {
        let answer = match &exchange.response {
            None => "none",
            Some(response) if response.from == From::Enrollscope => "enrollscope",
            Some(response) => match response.status {
                ..200 => "1xx",
                200..300 => "2xx",
                300..400 => "3xx",
                400..500 => "4xx",
                500.. => "5xx",
            },
        };
        self.exchanges.get_or_create(&[("request", request.word()), ("answer", answer)]).inc();
        if let Some(wait) = exchange.timing.wait {
            self.answers.get_or_create(&[("request", request.word())]).observe(seconds(wait));
        }
    }

    fn connection(&self, connection: &Connection) {
        match connection.event {
            ConnectionEvent::Opened => {
                self.connections.inc();
                self.open.inc();
            }
            ConnectionEvent::Closed => drop(self.open.dec()),
            ConnectionEvent::Failed => {
                let why = connection.reason.as_ref().map_or("unknown", why);
                self.refused.get_or_create(&[("reason", why)]).inc();
            }
        }
    }

    /// The text that a scrape gets; what recording says of itself goes in as it is now.
    pub fn text(&self, recording: Option<&Recording>) -> String {
        let in_progress = self.outcomes.values().filter(|outcome| **outcome == Outcome::InProgress).count();
        self.in_progress.set(i64::try_from(in_progress).unwrap_or(i64::MAX));
        let off = Recording::default();
        let recording = recording.unwrap_or(&off);
        for (counter, count) in
            [(&self.recorded, recording.recorded), (&self.lost, recording.lost), (&self.late, recording.late)]
        {
            counter.inner().store(count, Ordering::Relaxed);
        }
        self.size.set(i64::try_from(recording.size).unwrap_or(i64::MAX));
        self.healthy.set(i64::from(matches!(recording.health, Health::Good | Health::Off)));
        let mut text = String::new();
        // Writing to a String never fails.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Microseconds, in the unit of monitoring.
#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 microseconds")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn why(reason: &Reason) -> &'static str {
    match reason {
        Reason::Alert(alert) if alert == "unknown_ca" || alert == "bad_certificate" => {
            "certificate-distrusted"
        }
        Reason::Alert(_) => "alert",
        Reason::SilentAfterCertificate => "silent-after-certificate",
        Reason::ClosedInHandshake => "closed-in-handshake",
        Reason::Refused(_) => "refused",
        Reason::Unwanted(_) => "refused-as-configured",
        Reason::PlainHttp => "plain-http",
        Reason::Garbage => "garbage",
        Reason::BadHead(_) => "bad-head",
        Reason::Timeout(_) => "timeout",
        Reason::ClosedByServer => "closed-by-server",
        Reason::ClosedByDevice => "closed-by-device",
        Reason::Reset => "reset",
        Reason::ClosedByUs => "closed-by-enrollscope",
    }
}
