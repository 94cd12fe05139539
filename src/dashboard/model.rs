//! What the dashboard knows, fed by observations; and where the user is in it. No colours, no clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::exchanges::{Exchanges, New, Seen, Serial};
use super::layout::Size;
use super::rate::Rate;
use super::refused::RefusedConnections;
use super::rows::{self, Row, RowId, Totals};
use super::screen::{Overlay, Ui};
use super::sheet::{Over, Sheet};
use super::status::Status;
use super::wish::TO;
use crate::capture::Place;
use crate::diagnosis::{Expected, trouble};
use crate::engine::Observation;
use crate::enrollment::{Enrollment, EnrollmentId};
use crate::event::{Connection, ConnectionEvent, ConnectionId, Event, Exchange, Reason, Time};
use crate::message::Kind;

/// Enrollments beyond this number go, oldest first, as in the engine.
const MAX_ENROLLMENTS: usize = 20_000;
/// Connections whose facts wait for their exchanges.
const MAX_CONNECTIONS: usize = 20_000;
/// The time over which the rate is told, in milliseconds.
const RATE_OVER: i64 = 10_000;

/// An enrollment, and since when it stands where it stands.
#[derive(Clone, Debug)]
pub struct Tracked {
    pub enrollment: Enrollment,
    /// When its present stage was reached, or when it ended.
    pub since: Time,
    /// What is wrong with it: an id that all with the same trouble share, and words.
    pub trouble: Option<(&'static str, String)>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub status: Status,
    /// Live: the wall clock. For a recording: its latest time.
    pub now: Time,
    pub enrollments: BTreeMap<EnrollmentId, Tracked>,
    pub exchanges: Exchanges,
    pub(super) rate: Rate,
    pub refused: RefusedConnections,
    /// Handshakes in which devices took our certificate, and in which they did not.
    pub trusted: u64,
    pub distrusted: u64,
    /// Connections whose TLS was passed through untouched.
    pub passed: u64,
    connections: HashMap<ConnectionId, Arc<Connection>>,
    connection_order: VecDeque<ConnectionId>,
    /// Devices that were to come, if a list was given.
    pub expected: Vec<Expected>,
    /// Exchanges that are known to be missing: they were never judged.
    pub missing: u64,
    /// Places of the capture that could not be read.
    pub damaged: u64,
    /// Exchanges that a capture says were answered before they were on file.
    pub recorded_late: u64,
    /// Something that was asked for is being done.
    pub working: bool,
    /// What waits while the screen stands still.
    pub waiting: usize,
    /// The source has ended: nothing more will come.
    pub ended: bool,
    /// An exchange that was read back from the capture, or why it could not be.
    pub read_back: Option<(Serial, Result<Arc<Exchange>, String>)>,
    /// Counts changes of what is known.
    pub(super) revision: u64,
    pub ui: Ui,
    pub size: Size,
    pub rows: Vec<Row>,
    pub totals: Totals,
    /// The exchanges of the device that is looked at.
    pub listing: Vec<Serial>,
    /// That device.
    pub opened: Option<Row>,
    /// What the listing was made of.
    pub(super) listed: Option<(u64, RowId)>,
    /// What the pane below or beside shows.
    pub sheet: Sheet,
    /// The page over the screen.
    pub over: Over,
    pub(super) zone: Zone,
}

/// Where the reader is, for times of day.
#[derive(Debug, Clone)]
pub(super) struct Zone(pub(super) jiff::tz::TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }
}

impl Model {
    /// `zone` is where the reader is.
    pub fn new(status: Status, zone: jiff::tz::TimeZone) -> Self {
        let ui = Ui { follow: status.live, replayed_to: TO.to_owned(), ..Ui::default() };
        Self { status, ui, zone: Zone(zone), ..Self::default() }
    }

    /// Takes in one observation; `place` is where the exchange's record can be read again.
    pub fn apply(&mut self, seen: Observation, place: Option<Place>) {
        self.revision += 1;
        if !self.status.live {
            self.now = self.now.max(crate::capture::recorded_at(&seen.event));
        }
        match &seen.event {
            Event::Exchange(exchange) => {
                let connection =
                    exchange.connection.as_ref().and_then(|id| self.connections.get(id)).cloned();
                self.rate.count(exchange.request.at);
                self.exchanges.push(New {
                    exchange: Arc::clone(exchange),
                    request: seen.request.unwrap_or(Kind::None),
                    response: seen.response.unwrap_or(Kind::None),
                    enrollment: seen.enrollment,
                    link: seen.link,
                    findings: seen.findings,
                    connection,
                    place,
                });
            }
            Event::Connection(connection) => match connection.event {
                ConnectionEvent::Opened if connection.passthrough.is_some() => self.passed += 1,
                ConnectionEvent::Opened => {
                    self.trusted += u64::from(connection.tls.is_some());
                    self.opened(connection);
                }
                ConnectionEvent::Failed => {
                    let distrusts = connection.reason.as_ref().is_some_and(Reason::is_distrust);
                    self.distrusted += u64::from(distrusts);
                    self.refused.push(connection, seen.findings);
                }
                ConnectionEvent::Closed => {
                    self.connections.remove(&connection.id);
                }
            },
            Event::Session { .. } => {
                self.connections.clear();
                self.connection_order.clear();
            }
            Event::Gap { lost, .. } => self.missing = self.missing.saturating_add(*lost),
            Event::End(end) => self.exchanges.ended(end),
            Event::Tick(_) => {}
        }
        for (id, to, link) in &seen.moved {
            self.exchanges.assign(id, *to, *link);
        }
        for (gone, into) in &seen.gone {
            self.enrollments.remove(gone);
            self.exchanges.merge(*gone, *into);
            self.ui.merged(*gone, *into);
        }
        for enrollment in seen.changed {
            self.track(enrollment);
        }
    }

    fn opened(&mut self, connection: &Arc<Connection>) {
        if self.connections.insert(connection.id.clone(), Arc::clone(connection)).is_none() {
            self.connection_order.push_back(connection.id.clone());
        }
        while self.connection_order.len() > MAX_CONNECTIONS {
            if let Some(oldest) = self.connection_order.pop_front() {
                self.connections.remove(&oldest);
            }
        }
    }

    fn track(&mut self, enrollment: Enrollment) {
        let stands = |e: &Enrollment| (e.stage, e.ended);
        let before = self.enrollments.get(&enrollment.id);
        let since = match before {
            Some(before) if stands(&before.enrollment) == stands(&enrollment) => before.since,
            _ => enrollment.ended.unwrap_or(enrollment.latest),
        };
        let trouble = trouble(&enrollment);
        self.enrollments.insert(enrollment.id, Tracked { enrollment, since, trouble });
        while self.enrollments.len() > MAX_ENROLLMENTS {
            self.enrollments.pop_first();
        }
    }

    /// Says something until the next key.
    pub fn notify(&mut self, text: String) {
        self.ui.notice = Some(text);
    }

    /// Lays a page over the screen: what came of something that was asked for.
    pub fn tell(&mut self, title: &str, text: String) {
        self.ui.told = (title.to_owned(), text);
        self.ui.overlay = Overlay::Told;
        self.ui.over_scroll = 0;
        self.ui.notice = None;
        self.over = Over::default();
    }

    /// Time went on by itself.
    pub fn tick(&mut self, now: Time) {
        if self.status.live && !self.ui.paused {
            self.now = self.now.max(now);
            self.rate.advance(self.now);
        }
    }

    /// Brings what is shown up to date with what is known. Costs nothing when nothing changed.
    pub fn refresh(&mut self) {
        rows::refresh(self);
        super::sheet::refresh(self);
    }

    pub fn enrollment(&self, id: EnrollmentId) -> Option<&Enrollment> {
        self.enrollments.get(&id).map(|tracked| &tracked.enrollment)
    }

    /// How many others have the same trouble; none where there is none.
    pub(super) fn others_like(&self, id: EnrollmentId) -> Option<u64> {
        let (trouble, _) = self.enrollments.get(&id)?.trouble.as_ref()?;
        let same = |tracked: &&Tracked| tracked.trouble.as_ref().is_some_and(|(other, _)| other == trouble);
        let others = self.enrollments.values().filter(same).count().saturating_sub(1) as u64;
        (others > 0).then_some(others)
    }

    /// The row that is selected in the overview.
    pub fn selected_row(&self) -> Option<&Row> {
        let wanted = self.ui.row.as_ref()?;
        self.rows.iter().find(|row| row.is(wanted))
    }

    /// The exchange that the device screen is about.
    pub fn selected_exchange(&self) -> Option<&Seen> {
        self.exchanges.get(self.ui.exchange?)
    }

    /// How many findings the selected exchange has.
    pub(super) fn findings_here(&self) -> usize {
        self.selected_exchange().map_or(0, |seen| seen.findings.len())
    }

    /// The exchange with its bodies: as kept, or as read back.
    pub fn whole(&self, serial: Serial) -> Option<Arc<Exchange>> {
        if let Some(whole) = self.exchanges.get(serial).and_then(|seen| seen.whole.clone()) {
            return Some(whole);
        }
        match &self.read_back {
            Some((of, Ok(exchange))) if *of == serial => Some(Arc::clone(exchange)),
            _ => None,
        }
    }

    /// Exchanges a second, over the last ten.
    pub fn per_second(&self) -> f64 {
        let recent = self.exchanges.iter().rev().take_while(|seen| self.now.since(seen.at) < RATE_OVER);
        f64::from(u32::try_from(recent.count()).unwrap_or(u32::MAX)) * 1000.0 / 10_000.0
    }

    /// The exchanges of a row, in their order.
    pub fn exchanges_of(&self, row: &Row) -> Vec<Serial> {
        let mut serials: Vec<Serial> = match &row.id {
            RowId::Refused(_) => Vec::new(),
            RowId::Strays => self.exchanges.strays().map(|seen| seen.serial).collect(),
            RowId::Device(_) | RowId::Attempt(_) => {
                row.attempts.iter().flat_map(|id| self.exchanges.of(*id)).map(|seen| seen.serial).collect()
            }
        };
        serials.sort_unstable();
        serials
    }
}
