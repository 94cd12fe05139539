//! Collects observations into one document, with every exchange where it finally belongs.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::diagnosis::{Cause, Certainty, Common, Expected, common_of, refusals, told, trouble};
use crate::engine::Observation;
use crate::enrollment::{Enrollment, EnrollmentId, Link};
use crate::event::{Event, ExchangeId, From, Time};
use crate::filter::{Filter, Said, Sought, Text};
use crate::message::Kind;
use crate::rules::{Finding, Level, Profile};

/// What fewer than so many have in common is chance.
const FEW: usize = 3;

/// Everything that `check` says.
#[derive(Debug, Default)]
pub struct Judged {
    pub profile: Profile,
    pub inputs: Vec<Input>,
    pub exchanges: Vec<Seen>,
    pub connections: u64,
    pub enrollments: BTreeMap<EnrollmentId, Enrollment>,
    pub findings: Vec<Found>,
    /// Why connections came to nothing before HTTP, and how many did.
    pub refused: Vec<Refused>,
    /// Devices that were to come, if a list was given.
    pub expected: Option<Vec<Expected>>,
    /// Which enrollments are told of.
    pub filter: Filter,
    /// Exchanges of the present conversation by the ids that its engine knows.
    by_id: HashMap<ExchangeId, usize>,
    /// Every id of the document.
    taken: HashSet<ExchangeId>,
    /// How many enrollments earlier conversations had.
    before: u64,
    last: u64,
    /// The time of what was observed last, in the present conversation.
    now: Time,
}

/// Why connections came to nothing before HTTP, how sure that is, and how many did.
pub type Refused = (&'static Cause, Certainty, u64);

/// One file that was read, or could not be.
#[derive(Debug, Default)]
pub struct Input {
    pub path: String,
    pub records: u64,
    pub damaged: u64,
    /// Exchanges whose answers went out before they were on file, as far as the capture says.
    pub late: u64,
    /// Why nothing of it could be read.
    pub error: Option<String>,
}

/// An exchange, in a line.
#[derive(Debug)]
pub struct Seen {
    pub id: ExchangeId,
    pub seq: u64,
    pub enrollment: Option<EnrollmentId>,
    pub link: Option<Link>,
    pub started: Time,
    pub request: Kind,
    pub method: String,
    pub target: String,
    /// Absent when there was no answer.
    pub response: Option<(Kind, u16, From)>,
    /// The file that it was read from, when it is a message by itself.
    pub source: Option<String>,
    /// What the filter looks for in its text.
    marks: Box<[bool]>,
}

/// A finding and what it belongs to.
#[derive(Debug)]
pub struct Found {
    pub finding: Finding,
    /// Index into the exchanges; absent for connections.
    pub exchange: Option<usize>,
    /// The connection that it is about, when it is not about an exchange: when, who, and the name asked for.
    pub connection: Option<String>,
}

impl Judged {
    pub fn new(profile: Profile) -> Self {
        Self { profile, ..Self::default() }
    }

    /// What is added from here on comes from an engine of its own, which numbers its enrollments from one again.
    pub fn begin(&mut self) {
        self.conclude();
        self.before = self.last;
        self.by_id.clear();
        self.now = Time::default();
    }

    /// `source` names the message file that the exchange was read from.
    pub fn add(&mut self, seen: Observation, source: Option<&str>) {
        self.now = self.now.max(seen.event.at());
        let before = self.before;
        let own = |id: EnrollmentId| EnrollmentId(before + id.0);
        let (mut index, mut connected) = (None, None);
        match &seen.event {
            Event::Exchange(exchange) => {
                index = Some(self.exchanges.len());
                self.by_id.insert(exchange.id.clone(), self.exchanges.len());
                let id = self.unique(&exchange.id, exchange.seq);
                self.exchanges.push(Seen {
                    id,
                    seq: exchange.seq,
                    enrollment: seen.enrollment.map(own),
                    link: seen.link,
                    started: exchange.request.at,
                    request: seen.request.unwrap_or(Kind::None),
                    method: exchange.request.method.clone(),
                    target: exchange.request.target.clone(),
                    response: exchange
                        .response
                        .as_ref()
                        .map(|r| (seen.response.unwrap_or(Kind::None), r.status, r.from)),
                    source: source.map(str::to_owned),
                    marks: self.filter.marks(exchange),
                });
            }
            Event::Connection(connection) => {
                let name = connection.sni.as_ref().map(|sni| format!(" for {sni}")).unwrap_or_default();
                connected = Some(format!("{} {}{name}", connection.at, connection.peer));
                self.connections += u64::from(connection.event != crate::event::ConnectionEvent::Closed);
                if let Some((_, cause, certainty)) = refusals(connection).into_iter().next() {
                    match self.refused.iter_mut().find(|(known, ..)| std::ptr::eq(*known, cause)) {
                        Some((.., count)) => *count += 1,
                        None => self.refused.push((cause, certainty, 1)),
                    }
                }
            }
            Event::End(_) | Event::Session { .. } | Event::Gap { .. } | Event::Tick(_) => {}
        }
        for (id, enrollment, link) in seen.moved {
            if let Some(exchange) = self.by_id.get(&id).and_then(|at| self.exchanges.get_mut(*at)) {
                (exchange.enrollment, exchange.link) = (Some(own(enrollment)), Some(link));
            }
        }
        for (gone, into) in seen.gone.into_iter().map(|(gone, into)| (own(gone), own(into))) {
            self.enrollments.remove(&gone);
            for exchange in self.exchanges.iter_mut().filter(|e| e.enrollment == Some(gone)) {
                exchange.enrollment = Some(into);
            }
        }
        for mut enrollment in seen.changed {
            enrollment.id = own(enrollment.id);
            self.last = self.last.max(enrollment.id.0);
            self.enrollments.insert(enrollment.id, enrollment);
        }
        self.findings.extend(seen.findings.into_iter().map(|finding| Found {
            finding,
            exchange: index,
            connection: connected.clone(),
        }));
    }

    /// What is wrong, and with which enrollments: the most frequent trouble first.
    pub(super) fn troubles(&self) -> Vec<(&'static str, String, Vec<EnrollmentId>)> {
        let mut found: Vec<(&'static str, String, Vec<EnrollmentId>)> = Vec::new();
        for enrollment in self.enrollments.values() {
            let Some((id, words)) = trouble(enrollment) else { continue };
            match found.iter_mut().find(|(known, ..)| *known == id) {
                Some((.., ids)) => ids.push(enrollment.id),
                None => found.push((id, words, vec![enrollment.id])),
            }
        }
        found.sort_by_key(|(.., ids)| std::cmp::Reverse(ids.len()));
        found
    }

    /// What these enrollments have in common that the others have not; nothing where they are too few to tell.
    pub(super) fn shared_by(&self, ids: &[EnrollmentId]) -> Vec<Common> {
        if ids.len() < FEW {
            return Vec::new();
        }
        common_of(self.enrollments.values(), |e| ids.binary_search(&e.id).is_ok())
    }

    /// A message from a file has no id, and the same capture may be given twice.
    fn unique(&mut self, id: &ExchangeId, seq: u64) -> ExchangeId {
        let mut unique = if id.0.is_empty() { ExchangeId(format!("x{seq}").into()) } else { id.clone() };
        let mut copy = 1;
        while !self.taken.insert(unique.clone()) {
            copy += 1;
            unique = ExchangeId(format!("{id}.{copy}").into());
        }
        unique
    }

    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|f| f.finding.level == level).count()
    }

    pub fn exchange_of(&self, found: &Found) -> Option<&Seen> {
        found.exchange.and_then(|at| self.exchanges.get(at))
    }

    /// What the filter does not fit, and what belongs to it, is left out.
    fn sift(&mut self) {
        if self.filter.is_empty() {
            return;
        }
        let mut findings: HashMap<usize, Vec<Finding>> = HashMap::new();
        for found in &self.findings {
            if let Some(at) = found.exchange {
                findings.entry(at).or_default().push(found.finding.clone());
            }
        }
        let mut own: HashMap<EnrollmentId, Vec<(&Seen, &[Finding])>> = HashMap::new();
        for (at, seen) in self.exchanges.iter().enumerate() {
            let of_it = findings.get(&at).map_or(&[][..], Vec::as_slice);
            own.entry(seen.enrollment.unwrap_or(EnrollmentId(0))).or_default().push((seen, of_it));
        }
        let fits = |enrollment: &Enrollment| {
            let said = own.get(&enrollment.id).map_or(&[][..], Vec::as_slice);
            self.filter.fits(&Candidate { enrollment, said, now: self.now })
        };
        let left: HashSet<EnrollmentId> =
            self.enrollments.values().filter(|e| fits(e)).map(|e| e.id).collect();
        self.enrollments.retain(|id, _| left.contains(id));
        let mut places = HashMap::new();
        let mut at = 0;
        self.exchanges.retain(|seen| {
            let keeps = seen.enrollment.is_some_and(|id| left.contains(&id));
            if keeps {
                places.insert(at, places.len());
            }
            at += 1;
            keeps
        });
        self.findings.retain_mut(|found| match found.exchange.and_then(|at| places.get(&at)) {
            Some(place) => {
                found.exchange = Some(*place);
                true
            }
            None => false,
        });
        self.refused.clear();
    }

    /// The conversation has ended: who is stuck has been for so long.
    fn conclude(&mut self) {
        let after = EnrollmentId(self.before + 1);
        for enrollment in self.enrollments.range_mut(after..).map(|(_, enrollment)| enrollment) {
            enrollment.verdict = told(enrollment, self.now);
        }
    }

    /// In the document's order: exchange, rule, place.
    pub fn sort(&mut self) {
        self.conclude();
        self.sift();
        let key = |found: &Found| {
            let seq = found.exchange.unwrap_or(usize::MAX);
            (seq, found.finding.rule.id, found.finding.place.map_or(0, |p| p.offset))
        };
        self.findings.sort_by_key(key);
    }

    /// The exchange ids of an enrollment, in their order.
    pub fn exchanges_of(&self, id: EnrollmentId) -> impl Iterator<Item = &Seen> {
        self.exchanges.iter().filter(move |e| e.enrollment == Some(id))
    }
}

/// An enrollment with its exchanges, to be looked for.
struct Candidate<'j> {
    enrollment: &'j Enrollment,
    said: &'j [(&'j Seen, &'j [Finding])],
    now: Time,
}

impl Sought for Candidate<'_> {
    fn enrollment(&self) -> &Enrollment {
        self.enrollment
    }

    fn now(&self) -> Time {
        self.now
    }

    fn each(&self, enough: &mut dyn FnMut(Said<'_>) -> bool) {
        for (seen, findings) in self.said {
            let (response, status) =
                seen.response.map_or((Kind::None, None), |(kind, status, _)| (kind, Some(status)));
            let kinds = [seen.request.word(), response.word()];
            if enough(Said { findings, status, kinds, text: Text::Marked(&seen.marks) }) {
                return;
            }
        }
    }
}
