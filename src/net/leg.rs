//! What a connection's stream and the proxy tell each other: heads that arrived, heads to send, how things ended.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::clock::now;
use super::framer::Ended;
use super::head::{Extent, Head, Refusal, Start};
use crate::event::Time;

/// A head that was read.
#[derive(Debug)]
pub struct Arrived {
    pub head: Result<Head, Refusal>,
    /// When its first byte came.
    pub at: Time,
    pub first_byte: Instant,
}

impl Arrived {
    /// For a message that nobody has announced.
    pub fn missing() -> Self {
        Self { head: Err(Refusal::of(500, "no head that was noted")), at: now(), first_byte: Instant::now() }
    }
}

/// A head that is to be written in place of hyper's.
#[derive(Debug)]
pub struct Departing {
    pub head: Bytes,
    pub extent: Extent,
    /// The request's method is HEAD: its answer has no body.
    pub is_head: bool,
}

/// Why a connection ended, as far as its stream has seen it; the first cause stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The peer ended its side in the ordinary way.
    Closed,
    /// The peer sent this fatal TLS alert.
    Alert(String),
    /// An I/O error: reset, broken pipe, closed without TLS's goodbye.
    Lost(String),
    BadHead(String),
    Timeout(String),
}

/// One connection's shared notes. Each lock is held for a push or a pop.
#[derive(Debug, Default)]
pub struct Leg {
    notes: Mutex<Notes>,
    /// Messages that were read and not yet answered.
    open: AtomicUsize,
    /// Everything that was written has reached the transport.
    flushed: AtomicBool,
    written: AtomicU64,
}

#[derive(Debug, Default)]
struct Notes {
    arrived: VecDeque<Arrived>,
    departing: VecDeque<Departing>,
    /// Per request written: whether its answer comes without a body.
    expected: VecDeque<bool>,
    ended: VecDeque<Ended>,
    trailers: VecDeque<Vec<u8>>,
    /// Statuses of interim responses that came before the answer.
    interim: Vec<u16>,
    fate: Option<Fate>,
}

impl Leg {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        // A panic elsewhere leaves queues that are still queues.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head behind the message that hyper has just announced.
    pub fn take_arrived(&self) -> Option<Arrived> {
        self.notes().arrived.pop_front()
    }

    /// The chunked body that was read last has ended with this.
    pub fn take_ended(&self) -> Option<Ended> {
        self.notes().ended.pop_front()
    }

    /// Statuses of the interim responses that came since this was last asked.
    pub fn take_interim(&self) -> Vec<u16> {
        std::mem::take(&mut self.notes().interim)
    }

    /// The head that replaces the next one that hyper writes.
    pub fn depart(&self, departing: Departing) {
        let mut notes = self.notes();
        notes.expected.push_back(departing.is_head);
        notes.departing.push_back(departing);
    }

    /// Trailer fields (lines with their ends) to put at the end of the chunked body that is being written.
    pub fn add_trailers(&self, raw: Vec<u8>) {
        self.notes().trailers.push_back(raw);
    }

    /// A request came that no head announced.
    pub fn open(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// The answer to one message that was read is over.
    pub fn answered(&self) {
        let _ = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| open.checked_sub(1));
    }

    pub fn is_flushed(&self) -> bool {
        self.flushed.load(Ordering::Acquire)
    }

    /// Bytes that the transport has taken so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// The peer was waited for in vain.
    pub(super) fn time_out(&self, what: String) -> io::Error {
        self.meet(Fate::Timeout(what.clone()));
        io::Error::new(io::ErrorKind::TimedOut, what)
    }

    pub fn fate(&self) -> Option<Fate> {
        self.notes().fate.clone()
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    pub(super) fn arrive(&self, arrived: Arrived) {
        self.open();
        self.notes().arrived.push_back(arrived);
    }

    pub(super) fn end_body(&self, ended: Ended) {
        self.notes().ended.push_back(ended);
    }

    pub(super) fn take_departing(&self) -> Option<Departing> {
        self.notes().departing.pop_front()
    }

    pub(super) fn take_expected(&self) -> bool {
        self.notes().expected.pop_front().unwrap_or(false)
    }

    /// An interim response came; the answer to the same request is still expected.
    pub(super) fn pass_over(&self, interim: &Head, is_head: bool) {
        let mut notes = self.notes();
        notes.expected.push_front(is_head);
        if let Start::Response { status, .. } = interim.start {
            notes.interim.push(status);
        }
    }

    pub(super) fn take_trailers(&self) -> Option<Vec<u8>> {
        self.notes().trailers.pop_front()
    }

    pub(super) fn has_trailers(&self) -> bool {
        !self.notes().trailers.is_empty()
    }

    pub(super) fn meet(&self, fate: Fate) {
        self.notes().fate.get_or_insert(fate);
    }

    pub(super) fn set_flushed(&self, flushed: bool) {
        self.flushed.store(flushed, Ordering::Release);
    }

    pub(super) fn count_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
