//! The way from the writer to the engine: in file order, bounded, and nothing skipped. When the engine falls behind,
//! the queue says where in the file the events are, and the engine's side reads them back.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Take};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::journal::weight;
use super::segments::Segments;
use crate::capture::{Header, Item, Place, Reader, Ticker, VERSION, recorded_at};
use crate::event::{Event, Time};

/// Events that wait for the engine in memory: at most so many bytes.
pub const FEED_BUDGET: u64 = 8 << 20;

/// Tells the time; tests have their own.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// What the engine is given next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Event {
        event: Event,
        /// Where its record is, for those who want to read it again; absent when it is not on file (yet).
        place: Option<Place>,
    },
    /// Nothing came for as long as was asked for, or a second.
    Idle,
    /// The writer has ended, and all that it gave was received.
    Closed,
}

/// A live tick waits this long, so that what was recorded before it comes before it, as in the file.
const LAG: i64 = 1_000;

/// One thread's queue, the other's too: held for moments only.
#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    late: AtomicU64,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    bytes: u64,
    /// One of the two ends is gone.
    closed: bool,
}

enum Entry {
    Event {
        event: Event,
        place: Option<Place>,
        weight: u64,
    },
    /// Records that follow each other in the file.
    Stretch {
        place: Place,
        exchanges: u64,
    },
    Gap {
        at: Time,
        lost: u64,
    },
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves the queue as sound as it was: every change to it is one step.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, mut queue: MutexGuard<'_, Queue>, entry: Entry) {
        if !queue.closed {
            queue.entries.push_back(entry);
        }
        drop(queue);
        self.arrived.notify_one();
    }
}

/// The writer's end.
pub(super) struct Feeder {
    shared: Arc<Shared>,
    budget: u64,
}

/// The engine's end.
pub struct Feed {
    shared: Arc<Shared>,
    file: Option<Segments>,
    clock: Clock,
    ticker: Ticker,
    stretch: Option<Stretch>,
    /// Ticks that are due, then the event that they were due before.
    ready: VecDeque<Next>,
}

/// `file` is where stretches are read back from.
pub(super) fn feed(budget: u64, file: Option<Segments>, clock: Clock) -> (Feeder, Feed) {
    let shared = Arc::<Shared>::default();
    let feeder = Feeder { shared: Arc::clone(&shared), budget };
    let feed = Feed { shared, file, clock, ticker: Ticker::default(), stretch: None, ready: VecDeque::new() };
    (feeder, feed)
}

impl Feeder {
    /// Queues an event if there is room for it, else gives it back.
    pub(super) fn offer(&self, event: Event, place: Option<Place>) -> Result<(), Event> {
        let weight = match &event {
            Event::Exchange(exchange) => weight(exchange),
            Event::Connection(_)
            | Event::End(_)
            | Event::Session { .. }
            | Event::Gap { .. }
            | Event::Tick(_) => 1024,
        };
        let mut queue = self.shared.lock();
        // One that is larger than all the room must pass some time.
        if queue.bytes + weight > self.budget && queue.bytes > 0 {
            return Err(event);
        }
        if !queue.closed {
            queue.bytes += weight;
        }
        self.shared.push(queue, Entry::Event { event, place, weight });
        Ok(())
    }

    /// Queues the place of a record instead. Neighbours become one entry, so this takes no room that counts.
    pub(super) fn refer(&self, place: Place, exchanges: u64) {
        self.shared.late.fetch_add(exchanges, Ordering::Relaxed);
        let mut queue = self.shared.lock();
        if let Some(Entry::Stretch { place: last, exchanges: so_far }) = queue.entries.back_mut()
            && (last.segment, last.offset + last.length) == (place.segment, place.offset)
        {
            last.length += place.length;
            *so_far += exchanges;
            return;
        }
        self.shared.push(queue, Entry::Stretch { place, exchanges });
    }

    /// Queues the word that exchanges are missing.
    pub(super) fn gap(&self, at: Time, lost: u64) {
        let mut queue = self.shared.lock();
        if let Some(Entry::Gap { lost: so_far, .. }) = queue.entries.back_mut() {
            *so_far = so_far.saturating_add(lost);
            return;
        }
        self.shared.push(queue, Entry::Gap { at, lost });
    }

    /// Exchanges whose judgement had to wait for being read back.
    pub(super) fn late(&self) -> u64 {
        self.shared.late.load(Ordering::Relaxed)
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_one();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // Nobody takes them any more: the writer must not pile them up.
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.entries.clear();
    }
}

impl Feed {
    /// The next event in file order, ticks included. Waits at most `timeout`, and at most a second.
    pub fn recv(&mut self, timeout: Duration) -> Next {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return next;
            }
            if let Some(stretch) = &mut self.stretch {
                match stretch.next() {
                    Some((event, place)) => self.ripen(event, place),
                    None => self.stretch = None,
                }
                continue;
            }
            match self.pop(timeout.min(Duration::from_secs(1))) {
                Ok(Some(entry)) => self.take(entry),
                Ok(None) => return Next::Closed,
                Err(Empty) => {
                    self.tick((self.clock)().plus_millis(-LAG));
                    if self.ready.is_empty() {
                        return Next::Idle;
                    }
                }
            }
        }
    }

    /// The next entry, or nothing when there will be none.
    fn pop(&self, timeout: Duration) -> Result<Option<Entry>, Empty> {
        let waiting = |queue: &mut Queue| queue.entries.is_empty() && !queue.closed;
        let waited = self.shared.arrived.wait_timeout_while(self.shared.lock(), timeout, waiting);
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match queue.entries.pop_front() {
            Some(entry) => {
                if let Entry::Event { weight, .. } = &entry {
                    queue.bytes -= weight;
                }
                Ok(Some(entry))
            }
            None if queue.closed => Ok(None),
            None => Err(Empty),
        }
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Event { event, place, .. } => self.ripen(event, place),
            Entry::Gap { at, lost } => self.ripen(Event::Gap { at, lost }, None),
            Entry::Stretch { place, exchanges } => {
                let now = (self.clock)();
                match self.file.as_ref().map(|file| Stretch::open(file, place, exchanges, now)) {
                    Some(Ok(stretch)) => self.stretch = Some(stretch),
                    Some(Err(error)) => {
                        tracing::warn!(%error, exchanges, "reading back from the capture for judgement");
                        self.ripen(Event::Gap { at: now, lost: exchanges }, None);
                    }
                    None => self.ripen(Event::Gap { at: now, lost: exchanges }, None),
                }
            }
        }
    }

    fn ripen(&mut self, event: Event, place: Option<Place>) {
        self.tick(recorded_at(&event));
        self.ready.push_back(Next::Event { event, place });
    }

    fn tick(&mut self, at: Time) {
        let ticks = self.ticker.due(at).into_iter();
        self.ready.extend(ticks.map(|tick| Next::Event { event: Event::Tick(tick), place: None }));
    }
}

/// Nothing came in time.
struct Empty;

/// A part of the file that is read back.
struct Stretch {
    reader: Reader<BufReader<Take<Box<dyn Read + Send>>>>,
    segment: u32,
    /// Exchanges that must still come.
    exchanges: u64,
    at: Time,
}

impl Stretch {
    fn open(file: &Segments, place: Place, exchanges: u64, at: Time) -> io::Result<Self> {
        let input = file.read_from(place)?;
        let header = Header { version: VERSION, ..Header::default() };
        let reader = Reader::resume(BufReader::new(input.take(place.length)), header, place.offset);
        Ok(Self { reader, segment: place.segment, exchanges, at })
    }
}

impl Iterator for Stretch {
    type Item = (Event, Option<Place>);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(Ok(item)) = self.reader.next() {
            let Item::Record(recorded) = item else {
                continue;
            };
            if let Some(event) = recorded.record.into_event() {
                if let Event::Exchange(_) = event {
                    self.exchanges = self.exchanges.saturating_sub(1);
                }
                self.at = recorded_at(&event);
                return Some((event, Some(Place { segment: self.segment, ..recorded.place })));
            }
        }
        // Someone changed the file under us: what is missing is said.
        let lost = std::mem::take(&mut self.exchanges);
        (lost > 0).then_some((Event::Gap { at: self.at, lost }, None))
    }
}
