//! Plays a capture to the engine: its records as events, with the ticks and the gaps that they imply.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::decode::Seal;
use super::reader::{Item, Reader, Recorded};
use super::record::{Closed, Damage, Place, Record, Redaction};
use super::ticker::{Ticker, recorded_at};
use crate::event::{Event, Time};

/// What comes next in a capture that is played.
#[derive(Clone, Debug, PartialEq)]
pub enum Played {
    Event {
        event: Event,
        /// Where its record is; absent for ticks and for gaps that no record tells of.
        place: Option<Place>,
        seal: Seal,
    },
    Damage(Damage),
    /// A run ended in order; its counts.
    Closed(Closed),
}

/// Turns records into events, in the order of the file.
#[derive(Debug)]
pub struct Play<R> {
    reader: Reader<R>,
    /// Which file of the capture is played.
    segment: u32,
    ticker: Ticker,
    /// The last exchange's position, once there was one.
    seq: Option<u64>,
    /// Of the run that is played.
    redaction: Redaction,
    ready: VecDeque<Played>,
}

impl<R: BufRead> Play<R> {
    pub fn new(reader: Reader<R>) -> Self {
        let redaction = reader.header().redaction.clone();
        Self { reader, segment: 0, ticker: Ticker::default(), seq: None, redaction, ready: VecDeque::new() }
    }

    /// Goes on with the next file of the capture.
    pub fn go_on(&mut self, reader: Reader<R>) {
        self.redaction = reader.header().redaction.clone();
        self.reader = reader;
        self.segment += 1;
    }

    /// Goes on with the first file of another capture.
    pub fn begin_anew(&mut self, reader: Reader<R>) {
        self.go_on(reader);
        self.seq = None;
    }

    pub fn reader(&self) -> &Reader<R> {
        &self.reader
    }

    /// How what was played last was redacted: each run, and each of several captures, says so for itself.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    fn take(&mut self, recorded: Recorded) {
        let Recorded { record, place, seal } = recorded;
        if let Record::Closed(closed) = record {
            // No event, but time has passed until then.
            self.tick(closed.at);
            self.ready.push_back(Played::Closed(closed));
            return;
        }
        if let Record::Session(session) = &record {
            self.redaction = session.redaction.clone();
        }
        let Some(event) = record.into_event() else {
            return;
        };
        let at = recorded_at(&event);
        self.tick(at);
        if let Event::Exchange(exchange) = &event {
            let missing = self.seq.map_or(0, |last| exchange.seq.saturating_sub(last.saturating_add(1)));
            if missing > 0 {
                self.imply(Event::Gap { at, lost: missing });
            }
            self.seq = Some(exchange.seq);
        }
        let place = Some(Place { segment: self.segment, ..place });
        self.ready.push_back(Played::Event { event, place, seal });
    }

    fn tick(&mut self, at: Time) {
        for tick in self.ticker.due(at) {
            self.imply(Event::Tick(tick));
        }
    }

    fn imply(&mut self, event: Event) {
        self.ready.push_back(Played::Event { event, place: None, seal: Seal::Intact });
    }
}

impl<R: BufRead> Iterator for Play<R> {
    type Item = io::Result<Played>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(played) = self.ready.pop_front() {
                return Some(Ok(played));
            }
            match self.reader.next()? {
                Ok(Item::Record(recorded)) => self.take(recorded),
                Ok(Item::Damage(mut damage)) => {
                    damage.place.segment = self.segment;
                    return Some(Ok(Played::Damage(damage)));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
