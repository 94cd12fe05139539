//! The exchanges that were seen: summaries of the newest, bodies of the very newest.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::capture::Place;
use crate::enrollment::{EnrollmentId, Link};
use crate::event::{Connection, Delivery, End, Exchange, ExchangeId, From, Time, Timing, header};
use crate::message::Kind;
use crate::rules::{Finding, Level};

/// Summaries beyond this number go, oldest first.
pub(super) const MAX_EXCHANGES: usize = 20_000;
/// Whole exchanges beyond so many bytes are forgotten, oldest first, and read again from the capture when wanted.
pub(super) const MAX_BODIES: usize = 32 << 20;

/// Names an exchange here: counted from 0, never reused.
pub type Serial = u64;

/// An exchange in a line, and what was found in it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub serial: Serial,
    pub seq: u64,
    pub id: ExchangeId,
    pub enrollment: Option<EnrollmentId>,
    pub link: Option<Link>,
    pub at: Time,
    pub method: String,
    pub target: String,
    pub host: String,
    pub request: Kind,
    pub response: Kind,
    /// Absent when no answer was sent.
    pub status: Option<u16>,
    pub from: From,
    /// From the request's first byte to the answer's head.
    pub millis: Option<i64>,
    pub timing: Timing,
    pub delivery: Delivery,
    /// How its delivery ended, once that is known.
    pub end: Option<End>,
    pub findings: Vec<Finding>,
    /// The device's connection as it was opened.
    pub connection: Option<Arc<Connection>>,
    /// Where its record can be read again.
    pub place: Option<Place>,
    /// All of it, as long as there is room.
    pub whole: Option<Arc<Exchange>>,
    weight: usize,
}

impl Seen {
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|f| f.level == level).count()
    }

    /// How bad it went: 2 when it stops an enrollment, 1 when something is to be warned of.
    pub(super) fn trouble(&self) -> u8 {
        let refused = self.request != Kind::Other && self.status.is_none_or(|status| status >= 400);
        match () {
            () if refused || self.response == Kind::Fault || self.count(Level::Error) > 0 => 2,
            () if self.count(Level::Warning) > 0 => 1,
            () => 0,
        }
    }

    /// What to call it: the more telling of its two messages.
    pub fn kind(&self) -> Kind {
        match (self.request, self.response) {
            (Kind::None | Kind::Other | Kind::NotHttp, response) if response != Kind::None => response,
            (request, _) => request,
        }
    }
}

/// All that is remembered of them.
#[derive(Debug, Default)]
pub struct Exchanges {
    kept: VecDeque<Seen>,
    /// Serial of the first that is kept.
    first: Serial,
    by_id: HashMap<ExchangeId, Serial>,
    by_enrollment: HashMap<EnrollmentId, BTreeSet<Serial>>,
    strays: BTreeSet<Serial>,
    /// Those with `whole`, oldest first, and what they weigh.
    bodies: VecDeque<Serial>,
    body_bytes: usize,
}

/// What an observation says about an exchange.
pub struct New {
    pub exchange: Arc<Exchange>,
    pub request: Kind,
    pub response: Kind,
    pub enrollment: Option<EnrollmentId>,
    pub link: Option<Link>,
    pub findings: Vec<Finding>,
    pub connection: Option<Arc<Connection>>,
    pub place: Option<Place>,
}

impl Exchanges {
    pub fn push(&mut self, new: New) -> Serial {
        let serial = self.first + self.kept.len() as u64;
        let exchange = new.exchange;
        let answer = exchange.response.as_ref();
        let weight = weight(&exchange);
        let mut findings = new.findings;
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        self.by_id.insert(exchange.id.clone(), serial);
        self.members(new.enrollment).insert(serial);
        self.bodies.push_back(serial);
        self.body_bytes += weight;
        self.kept.push_back(Seen {
            serial,
            seq: exchange.seq,
            id: exchange.id.clone(),
            enrollment: new.enrollment,
            link: new.link,
            at: exchange.request.at,
            method: exchange.request.method.clone(),
            target: exchange.request.target.clone(),
            host: header(&exchange.request.headers, "Host")
                .map(|h| h.text().into_owned())
                .unwrap_or_default(),
            request: new.request,
            response: new.response,
            status: answer.map(|r| r.status),
            from: answer.map_or(From::Upstream, |r| r.from),
            millis: answer.map(|r| r.at.since(exchange.request.at)),
            timing: exchange.timing.clone(),
            delivery: exchange.delivery,
            end: None,
            findings,
            connection: new.connection,
            place: new.place,
            whole: Some(exchange),
            weight,
        });
        self.trim();
        serial
    }

    fn trim(&mut self) {
        while self.body_bytes > MAX_BODIES && self.bodies.len() > 1 {
            if let Some(oldest) = self.bodies.pop_front()
                && let Some(seen) = self.get_mut(oldest)
            {
                seen.whole = None;
                let weight = seen.weight;
                self.body_bytes = self.body_bytes.saturating_sub(weight);
            }
        }
        while self.kept.len() > MAX_EXCHANGES {
            let Some(gone) = self.kept.pop_front() else { break };
            self.first += 1;
            if self.by_id.get(&gone.id) == Some(&gone.serial) {
                self.by_id.remove(&gone.id);
            }
            let members = self.members(gone.enrollment);
            members.remove(&gone.serial);
            if members.is_empty()
                && let Some(id) = gone.enrollment
            {
                self.by_enrollment.remove(&id);
            }
            if self.bodies.front() == Some(&gone.serial) {
                self.bodies.pop_front();
                self.body_bytes = self.body_bytes.saturating_sub(gone.weight);
            }
        }
    }

    fn members(&mut self, enrollment: Option<EnrollmentId>) -> &mut BTreeSet<Serial> {
        match enrollment {
            Some(id) => self.by_enrollment.entry(id).or_default(),
            None => &mut self.strays,
        }
    }

    pub fn get(&self, serial: Serial) -> Option<&Seen> {
        self.kept.get(usize::try_from(serial.checked_sub(self.first)?).ok()?)
    }

    fn get_mut(&mut self, serial: Serial) -> Option<&mut Seen> {
        self.kept.get_mut(usize::try_from(serial.checked_sub(self.first)?).ok()?)
    }

    /// By its id, while it is remembered.
    pub fn by_id(&self, id: &ExchangeId) -> Option<&Seen> {
        self.get(*self.by_id.get(id)?)
    }

    /// It belongs to another enrollment now.
    pub fn assign(&mut self, id: &ExchangeId, to: EnrollmentId, link: Link) {
        let Some(serial) = self.by_id.get(id).copied() else { return };
        let Some(seen) = self.get_mut(serial) else { return };
        seen.link = Some(link);
        let before = seen.enrollment.replace(to);
        self.members(before).remove(&serial);
        self.members(Some(to)).insert(serial);
    }

    /// All of an enrollment's go to another.
    pub fn merge(&mut self, gone: EnrollmentId, into: EnrollmentId) {
        let moved = self.by_enrollment.remove(&gone).unwrap_or_default();
        for serial in &moved {
            if let Some(seen) = self.get_mut(*serial) {
                seen.enrollment = Some(into);
            }
        }
        self.members(Some(into)).extend(moved);
    }

    /// How the delivery of an exchange ended.
    pub fn ended(&mut self, end: &End) {
        if let Some(seen) = self.kept.iter_mut().rev().find(|seen| seen.seq == end.of) {
            seen.delivery = end.delivery;
            seen.end = Some(end.clone());
        }
    }

    /// In the order of their requests.
    pub fn of(&self, enrollment: EnrollmentId) -> impl DoubleEndedIterator<Item = &Seen> {
        let serials = self.by_enrollment.get(&enrollment);
        serials.into_iter().flatten().filter_map(|serial| self.get(*serial))
    }

    /// Those that belong to no enrollment.
    pub fn strays(&self) -> impl DoubleEndedIterator<Item = &Seen> {
        self.strays.iter().filter_map(|serial| self.get(*serial))
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Seen> {
        self.kept.iter()
    }

    /// How many there ever were.
    pub fn total(&self) -> u64 {
        self.first + self.kept.len() as u64
    }
}

/// What an exchange takes in memory, about, in bytes.
pub fn weight(exchange: &Exchange) -> usize {
    let sent = |sent: &Option<Box<crate::event::Sent>>| {
        sent.as_ref().and_then(|s| s.body.as_ref()).map_or(0, |body| body.len())
    };
    let request = exchange.request.body.bytes.len() + sent(&exchange.request.sent);
    let response = exchange.response.as_ref().map_or(0, |r| r.body.bytes.len() + sent(&r.sent));
    2_048 + request + response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Body;

    fn new(n: u64, size: usize) -> New {
        let mut exchange = Exchange { seq: n, id: ExchangeId(format!("x{n}").into()), ..Exchange::default() };
        exchange.request.body = Body::full(vec![b'x'; size]);
        New {
            exchange: Arc::new(exchange),
            request: Kind::Other,
            response: Kind::None,
            enrollment: Some(EnrollmentId(n % 3)),
            link: Some(Link::Certain),
            findings: Vec::new(),
            connection: None,
            place: None,
        }
    }

    #[test]
    fn the_oldest_go_and_what_is_kept_can_be_found() {
        let mut exchanges = Exchanges::default();
        let count = MAX_EXCHANGES as u64 + 10;
        for n in 0..count {
            exchanges.push(new(n, 1));
        }
        assert_eq!((exchanges.total(), exchanges.iter().count()), (count, MAX_EXCHANGES));
        assert!(exchanges.get(9).is_none());
        assert_eq!(exchanges.get(10).unwrap().seq, 10);
        assert_eq!((0..3).map(|e| exchanges.of(EnrollmentId(e)).count()).sum::<usize>(), MAX_EXCHANGES);
        assert!(exchanges.body_bytes <= MAX_BODIES);
    }

    #[test]
    fn bodies_stay_within_their_budget() {
        let mut exchanges = Exchanges::default();
        for n in 0..40 {
            exchanges.push(new(n, 1 << 20));
        }
        assert!(exchanges.body_bytes <= MAX_BODIES);
        assert!(exchanges.get(0).unwrap().whole.is_none());
        assert!(exchanges.get(39).unwrap().whole.is_some());
    }

    #[test]
    fn exchanges_move_and_enrollments_merge() {
        let mut exchanges = Exchanges::default();
        for n in 0..6 {
            exchanges.push(new(n, 1));
        }
        exchanges.assign(&ExchangeId("x0".into()), EnrollmentId(1), Link::Likely);
        exchanges.merge(EnrollmentId(1), EnrollmentId(2));
        let of = |id| exchanges.of(EnrollmentId(id)).map(|s| s.seq).collect::<Vec<_>>();
        assert_eq!((of(0), of(1), of(2)), (vec![3], vec![], vec![0, 1, 2, 4, 5]));
        assert_eq!(exchanges.get(0).unwrap().link, Some(Link::Likely));
    }
}
