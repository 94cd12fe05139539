//! Enrollments with all their exchanges and what was found in them, out of the observations of a recording.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::capture::{Ticker, recorded_at};
use crate::engine::{Engine, Observation};
use crate::enrollment::{Deadlines, Enrollment, EnrollmentId};
use crate::event::{Event, Exchange, ExchangeId};
use crate::message::Kind;
use crate::rules::{Finding, Profile, Rule};

/// One enrollment as it was recorded and judged.
#[derive(Clone, Debug)]
pub struct Story {
    pub enrollment: Enrollment,
    /// In their order.
    pub exchanges: Vec<Told>,
}

/// One exchange and its judgement.
#[derive(Clone, Debug)]
pub struct Told {
    pub exchange: Arc<Exchange>,
    pub request: Kind,
    /// [`Kind::None`] where there was no answer.
    pub response: Kind,
    pub findings: Vec<Finding>,
    /// Rules that were applied and held.
    pub passed: Vec<&'static Rule>,
}

impl Told {
    /// It was answered, and neither by a fault nor by a status that is an error.
    pub fn is_answered_well(&self) -> bool {
        self.response != Kind::Fault
            && self.exchange.response.as_ref().is_some_and(|r| r.status < 400 && !r.is_in_place())
    }

    pub fn status(&self) -> Option<u16> {
        self.exchange.response.as_ref().map(|response| response.status)
    }
}

impl Story {
    /// The message of that kind that the device sent last.
    pub fn last_of(&self, kind: Kind) -> Option<&Told> {
        self.exchanges.iter().rev().find(|told| told.request == kind)
    }

    /// How people call it: the user, else the device, and the enrollment's id.
    pub fn label(&self) -> String {
        let Enrollment { user, device_name, device_id, id, .. } = &self.enrollment;
        let who = user.as_ref().or(device_name.as_ref()).or(device_id.as_ref());
        who.map_or_else(|| id.to_string(), |who| format!("{who} ({id})"))
    }
}

/// The enrollments of these events, judged as a capture of them would be.
pub fn judged(events: &[Event], profile: Profile) -> Vec<Story> {
    let mut engine = Engine::new(profile, Deadlines::default());
    let (mut stories, mut ticker) = (Stories::default(), Ticker::default());
    for event in events {
        for tick in ticker.due(recorded_at(event)) {
            stories.add(engine.observe(Event::Tick(tick)));
        }
        stories.add(engine.observe(event.clone()));
    }
    stories.finish()
}

/// Collects observations, of which exchanges may still go over to another enrollment.
#[derive(Debug, Default)]
pub struct Stories {
    told: Vec<(Option<EnrollmentId>, Told)>,
    by_id: HashMap<ExchangeId, usize>,
    enrollments: BTreeMap<EnrollmentId, Enrollment>,
    bytes: u64,
    /// The highest number of an enrollment so far.
    last: u64,
}

impl Stories {
    /// The highest number that an enrollment had, be it gone into another since.
    pub fn last(&self) -> u64 {
        self.last
    }

    pub fn add(&mut self, seen: Observation) {
        if let Event::Exchange(exchange) = &seen.event {
            let answer = exchange.response.as_ref().map_or(0, |r| r.body.bytes.len());
            self.bytes += (exchange.request.body.bytes.len() + answer) as u64;
            self.by_id.insert(exchange.id.clone(), self.told.len());
            let told = Told {
                exchange: Arc::clone(exchange),
                request: seen.request.unwrap_or(Kind::None),
                response: seen.response.unwrap_or(Kind::None),
                findings: seen.findings,
                passed: seen.passed,
            };
            self.told.push((seen.enrollment, told));
        }
        for (exchange, enrollment, _) in seen.moved {
            if let Some((place, _)) = self.by_id.get(&exchange).and_then(|at| self.told.get_mut(*at)) {
                *place = Some(enrollment);
            }
        }
        for (gone, into) in seen.gone {
            self.enrollments.remove(&gone);
            for (place, _) in self.told.iter_mut().filter(|(place, _)| *place == Some(gone)) {
                *place = Some(into);
            }
        }
        self.last = seen.changed.iter().map(|changed| changed.id.0).fold(self.last, u64::max);
        self.enrollments.extend(seen.changed.into_iter().map(|changed| (changed.id, changed)));
    }

    /// Bytes of the bodies that are held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The enrollments in the order of their first exchange; exchanges that belong to none are left out.
    pub fn finish(self) -> Vec<Story> {
        self.finish_all().0
    }

    /// The same, and with them the exchanges that belong to none.
    pub fn finish_all(self) -> (Vec<Story>, Vec<Told>) {
        let mut exchanges: BTreeMap<EnrollmentId, Vec<Told>> = BTreeMap::new();
        for (enrollment, told) in self.told {
            exchanges.entry(enrollment.unwrap_or(EnrollmentId(0))).or_default().push(told);
        }
        let stories: Vec<_> = self
            .enrollments
            .into_iter()
            .filter_map(|(id, enrollment)| Some(Story { enrollment, exchanges: exchanges.remove(&id)? }))
            .collect();
        (stories, exchanges.remove(&EnrollmentId(0)).unwrap_or_default())
    }
}
