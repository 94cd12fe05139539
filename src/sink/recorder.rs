//! What the writer thread does with each entry: mask, number, write or hold, answer, feed. It is told the time.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::feed::Feeder;
use super::file::CaptureFile;
use super::ids::Recent;
use super::journal::{END_WEIGHT, Entry, Filed, connection_weight, weight};
use super::mask::Mask;
use super::status::Status;
use crate::capture::{Closed, LONGEST_LINE, Place, encode};
use crate::event::{Delivery, End, Event, Exchange, Time};

/// Answers on their way: for more than these the end of delivery is not told.
const OPEN_EXCHANGES: usize = 65_536;

/// Ends that came before their exchange; most belong to exchanges that were lost, and never come.
const EARLY_ENDS: usize = 1_024;

/// Between two tries on a disk that refuses, and between two syncs; milliseconds.
const SECOND: i64 = 1_000;

pub(super) struct Recorder {
    file: Option<CaptureFile>,
    mask: Mask,
    feeder: Feeder,
    status: Arc<Status>,
    seq: u64,
    open: Recent<u64>,
    early: Recent<End>,
    /// Records that wait for room on the disk, oldest first.
    held: VecDeque<Held>,
    tried: Time,
    synced: Time,
}

/// A record, and what is to be done once it is on file.
struct Held {
    line: Vec<u8>,
    /// Absent once the engine has it, and for what is no event.
    event: Option<Event>,
    /// Whether it is an exchange: these are what is counted.
    exchanges: u64,
    filed: Option<oneshot::Sender<Filed>>,
    /// Its share of the queue.
    weight: u64,
}

impl Held {
    fn event(line: Vec<u8>, event: Event, weight: u64) -> Self {
        Self { line, event: Some(event), exchanges: 0, filed: None, weight }
    }
}

impl Recorder {
    pub(super) fn new(
        file: Option<CaptureFile>,
        mask: Mask,
        feeder: Feeder,
        status: Arc<Status>,
        now: Time,
    ) -> Self {
        let mut recorder = Self {
            seq: file.as_ref().map_or(0, CaptureFile::last_seq),
            file,
            mask,
            feeder,
            status,
            open: Recent::new(OPEN_EXCHANGES),
            early: Recent::new(EARLY_ENDS),
            held: VecDeque::new(),
            tried: now,
            synced: now,
        };
        if let Some(session) = recorder.file.as_ref().and_then(CaptureFile::session) {
            let at = session.at;
            recorder.feed(Event::Session { at }, None, 0, now);
        }
        recorder.measure();
        recorder
    }

    pub(super) fn accept(&mut self, entry: Entry, now: Time) {
        match entry {
            Entry::Exchange { exchange, filed } => self.exchange(*exchange, filed, now),
            Entry::Connection(mut connection) => {
                let weight = connection_weight(&connection);
                self.mask.connection(&mut connection);
                let mut line = Vec::new();
                encode::connection(&mut line, &connection);
                self.store(Held::event(line, Event::Connection(Arc::new(*connection)), weight), now);
            }
            Entry::End { of, delivery, sent, at } => {
                let end = End { of: 0, delivery, sent, at };
                match self.open.take(&of) {
                    Some(seq) => self.end(End { of: seq, ..end }, END_WEIGHT, now),
                    None => {
                        self.release(END_WEIGHT);
                        self.early.insert(of, end);
                    }
                }
            }
            Entry::Gap { lost } => self.gap(lost, now),
        }
    }

    /// What time brings: another try on a disk that refused, and a sync.
    pub(super) fn turn(&mut self, now: Time) {
        // A clock that was set back must not stop either: any difference counts.
        if !self.held.is_empty() && now.since(self.tried).abs() >= SECOND {
            self.retry(now);
        }
        if self.held.is_empty() {
            self.rotate(now);
        }
        if now.since(self.synced).abs() >= SECOND {
            self.synced = now;
            self.sync();
        }
    }

    /// Goes on in a new file when it is time to.
    fn rotate(&mut self, now: Time) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.rotate_if_due(self.seq, now)
        {
            self.status.failed(&error);
            tracing::warn!(%error, path = %file.path().display(), "the capture does not go on in a new file");
        }
    }

    /// The queue is empty: losses that nothing followed are told, unless more may come as long as the disk refuses.
    pub(super) fn idle(&mut self, now: Time) {
        if self.held.is_empty() {
            self.tell_losses(now);
        }
    }

    fn tell_losses(&mut self, now: Time) {
        let lost = self.status.journal().untold.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.gap(lost, now);
        }
    }

    /// Writes what can be written, and the word that the run ended in order.
    pub(super) fn close(mut self, now: Time) {
        self.tell_losses(now);
        self.retry(now);
        let held: Vec<_> = self.held.drain(..).collect();
        let lost = held.iter().map(|h| h.exchanges).sum();
        let unjudged = held.iter().filter(|h| h.event.is_some()).map(|h| h.exchanges).sum();
        for held in held {
            self.answer(held.filed, Filed::Lost);
            self.release(held.weight);
        }
        if lost > 0 {
            tracing::warn!(lost, "the disk took no more: these exchanges are in no record");
            self.status.journal().lost.fetch_add(lost, Ordering::Relaxed);
        }
        if unjudged > 0 {
            self.feeder.gap(now, unjudged);
        }
        self.measure();
        let mut line = Vec::new();
        let recording = self.status.read();
        if lost > 0 {
            encode::gap(&mut line, now, lost);
        }
        let Some(file) = &mut self.file else {
            return;
        };
        let counts =
            Closed { at: now, recorded: recording.recorded, lost: recording.lost, late: recording.late };
        encode::closed(&mut line, &counts);
        if let Err(error) = file.append(&line).and_then(|_| file.sync()) {
            self.status.failed(&error);
            tracing::warn!(%error, path = %file.path().display(), "ending the capture");
        }
        self.measure();
    }

    fn exchange(&mut self, mut exchange: Exchange, filed: oneshot::Sender<Filed>, now: Time) {
        let weight = weight(&exchange);
        self.mask.exchange(&mut exchange);
        self.seq += 1;
        exchange.seq = self.seq;
        let line = self.line(&mut exchange);
        let id = exchange.id.clone();
        let event = Event::Exchange(Arc::new(exchange));
        self.store(Held { line, event: Some(event), exchanges: 1, filed: Some(filed), weight }, now);
        match self.early.take(&id) {
            Some(end) => self.end(End { of: self.seq, ..end }, 0, now),
            None => self.open.insert(id, self.seq),
        }
    }

    /// Without a capture nothing needs encoding.
    fn line(&self, exchange: &mut Exchange) -> Vec<u8> {
        let mut line = Vec::new();
        if self.file.is_none() {
            return line;
        }
        encode::exchange(&mut line, exchange);
        if line.len() as u64 > LONGEST_LINE {
            // No reader would take it. It keeps its heads.
            let bodies = exchange.response.iter_mut().map(|r| (&mut r.body, &mut r.sent));
            for (body, sent) in bodies.chain([(&mut exchange.request.body, &mut exchange.request.sent)]) {
                body.bytes = bytes::Bytes::new();
                body.withheld = Some("too long for the record".to_owned());
                *sent = None;
            }
            line.clear();
            encode::exchange(&mut line, exchange);
        }
        line
    }

    fn end(&mut self, end: End, weight: u64, now: Time) {
        // What is still on its way would be no end.
        if end.delivery == Delivery::Pending {
            self.release(weight);
            return;
        }
        let mut line = Vec::new();
        encode::end(&mut line, &end);
        self.store(Held::event(line, Event::End(end), weight), now);
    }

    fn gap(&mut self, lost: u64, now: Time) {
        tracing::warn!(lost, "exchanges found no room in the queue: they are in no record");
        let mut line = Vec::new();
        encode::gap(&mut line, now, lost);
        self.store(Held::event(line, Event::Gap { at: now, lost }, 0), now);
    }

    /// Writes the record if nothing waits before it, and has it wait otherwise.
    fn store(&mut self, mut record: Held, now: Time) {
        let Some(file) = &mut self.file else {
            self.answer(record.filed.take(), Filed::Unrecorded);
            self.release(record.weight);
            if let Some(event) = record.event.take() {
                self.feed(event, None, record.exchanges, now);
            }
            return;
        };
        if self.held.is_empty() {
            match file.append(&record.line) {
                Ok(place) => return self.settle(record, place, now),
                Err(error) => self.refused(&error, now),
            }
        }
        // The engine need not wait for the disk, as long as the order stays that of the file.
        let in_order = self.held.iter().all(|h| h.event.is_none());
        if in_order && let Some(event) = record.event.take() {
            record.event = self.feeder.offer(event, None).err();
        }
        self.held.push_back(record);
        self.measure();
    }

    /// It is on file: the proxy hears of it first, since a device waits for that.
    fn settle(&mut self, record: Held, place: Place, now: Time) {
        self.answer(record.filed, Filed::Written);
        self.release(record.weight);
        self.status.recorded.fetch_add(record.exchanges, Ordering::Relaxed);
        if let Some(event) = record.event {
            self.feed(event, Some(place), record.exchanges, now);
        }
        self.measure();
    }

    fn feed(&mut self, event: Event, place: Option<Place>, exchanges: u64, now: Time) {
        if self.feeder.offer(event, place).is_ok() {
            return;
        }
        match place {
            Some(place) => self.feeder.refer(place, exchanges),
            None if exchanges > 0 => self.feeder.gap(now, exchanges),
            // The beginning or the end of a connection, unrecorded: a rule can do without.
            None => {}
        }
    }

    fn retry(&mut self, now: Time) {
        while let (Some(file), Some(record)) = (&mut self.file, self.held.pop_front()) {
            match file.append(&record.line) {
                Ok(place) => self.settle(record, place, now),
                Err(error) => {
                    self.held.push_front(record);
                    self.refused(&error, now);
                    return;
                }
            }
        }
        self.measure();
    }

    fn refused(&mut self, error: &io::Error, now: Time) {
        self.tried = now;
        self.status.failed(error);
        let lost = self.status.read().lost;
        tracing::warn!(%error, waiting = self.held.len(), lost, "the capture cannot be written; trying again");
    }

    fn sync(&mut self) {
        let synced = self.file.as_mut().map_or(Ok(()), CaptureFile::sync);
        self.status.doubtful.store(synced.is_err(), Ordering::Relaxed);
        if let Err(error) = synced {
            self.status.failed(&error);
            tracing::warn!(%error, "the disk may not keep what was recorded last");
        }
    }

    /// The proxy may have gone on without waiting.
    fn answer(&self, filed: Option<oneshot::Sender<Filed>>, outcome: Filed) {
        if let Some(filed) = filed {
            let _ = filed.send(outcome);
        }
    }

    /// Gives room back to the queue.
    fn release(&self, weight: u64) {
        self.status.journal().queued.fetch_sub(weight, Ordering::Relaxed);
    }

    fn measure(&self) {
        self.status.waiting.store(self.held.len() as u64, Ordering::Relaxed);
        self.status.deferred.store(self.feeder.late(), Ordering::Relaxed);
        self.status.size.store(self.file.as_ref().map_or(0, CaptureFile::size), Ordering::Relaxed);
    }
}
