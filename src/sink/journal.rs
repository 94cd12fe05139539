//! The handle through which the proxy hands over what happened, and learns when an exchange is on file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use crate::event::{Connection, Delivery, Exchange, ExchangeId, Time};

/// What waits for the writer, or with it for room on the disk: at most so many bytes. Beyond it exchanges are lost, and
/// counted.
pub const QUEUE_BUDGET: u64 = 64 << 20;

/// One thing that happened, on its way to the writer thread.
#[derive(Debug)]
pub enum Entry {
    Exchange {
        exchange: Box<Exchange>,
        filed: oneshot::Sender<Filed>,
    },
    Connection(Box<Connection>),
    /// The proxy knows ids only; the writer knows the `seq` behind each.
    End {
        of: ExchangeId,
        delivery: Delivery,
        sent: u64,
        at: Time,
    },
    /// So many exchanges found no room in the queue here.
    Gap {
        lost: u64,
    },
}

/// What became of an exchange that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// Its record is in the file (written, not yet necessarily synced to the disk).
    Written,
    /// Nothing is recorded (`--no-capture`); it was passed on to the engine all the same.
    Unrecorded,
    /// The disk or the queue had no room for it.
    Lost,
}

/// The proxy's end of the queue to the writer thread. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct Journal {
    sender: Sender<Entry>,
    counts: Arc<JournalCounts>,
    budget: u64,
}

/// Counted where the proxy and the writer meet; the screen shows them.
#[derive(Debug, Default)]
pub struct JournalCounts {
    /// Bytes handed over and not yet written.
    pub queued: AtomicU64,
    /// Exchanges that found no room in the queue, or that the disk never took.
    pub lost: AtomicU64,
    /// Exchanges whose answer went out before their record was on file; counted by the proxy, which knows.
    pub late: AtomicU64,
    /// The part of `lost` that no [`Entry::Gap`] tells of yet.
    pub(super) untold: AtomicU64,
}

impl Journal {
    pub fn new() -> (Self, Receiver<Entry>) {
        Self::with_budget(QUEUE_BUDGET)
    }

    pub(super) fn with_budget(budget: u64) -> (Self, Receiver<Entry>) {
        let (sender, receiver) = channel();
        (Self { sender, counts: Arc::default(), budget }, receiver)
    }

    pub fn counts(&self) -> &Arc<JournalCounts> {
        &self.counts
    }

    /// Hands an exchange over. The receiver resolves once it is filed or lost; when it closes without a word, the
    /// writer is gone.
    pub fn exchange(&self, exchange: Exchange) -> oneshot::Receiver<Filed> {
        let (filed, outcome) = oneshot::channel();
        let weight = weight(&exchange);
        if !self.reserve(weight) {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            self.counts.untold.fetch_add(1, Ordering::Relaxed);
            let _ = filed.send(Filed::Lost);
            return outcome;
        }
        if self.counts.untold.load(Ordering::Relaxed) > 0 {
            let lost = self.counts.untold.swap(0, Ordering::Relaxed);
            let _ = self.sender.send(Entry::Gap { lost });
        }
        // A closed queue drops `filed`, which the receiver notices.
        if self.sender.send(Entry::Exchange { exchange: Box::new(exchange), filed }).is_err() {
            self.counts.queued.fetch_sub(weight, Ordering::Relaxed);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    pub fn connection(&self, connection: Connection) {
        if self.reserve(connection_weight(&connection)) {
            let _ = self.sender.send(Entry::Connection(Box::new(connection)));
        }
    }

    pub fn end(&self, of: ExchangeId, delivery: Delivery, sent: u64, at: Time) {
        if self.reserve(END_WEIGHT) {
            let _ = self.sender.send(Entry::End { of, delivery, sent, at });
        }
    }

    /// Takes room in the queue; the writer gives it back.
    fn reserve(&self, weight: u64) -> bool {
        let room = self.counts.queued.fetch_add(weight, Ordering::Relaxed) + weight <= self.budget;
        if !room {
            self.counts.queued.fetch_sub(weight, Ordering::Relaxed);
        }
        room
    }
}

/// What the word on an answer's end costs the queue.
pub(super) const END_WEIGHT: u64 = 128;

pub(super) fn connection_weight(connection: &Connection) -> u64 {
    let certificates = connection.chain.iter().chain(&connection.client_certificate);
    1024 + certificates.map(|der| der.len() as u64).sum::<u64>()
}

/// What an exchange costs the queue, in bytes: bodies, heads and a flat share for the rest.
pub(super) fn weight(exchange: &Exchange) -> u64 {
    let heads = exchange.request.headers.iter().chain(exchange.response.iter().flat_map(|r| &r.headers));
    let heads: usize = heads.map(|h| h.name.len() + h.value.len()).sum();
    let bodies =
        exchange.request.body.bytes.len() + exchange.response.as_ref().map_or(0, |r| r.body.bytes.len());
    (heads + bodies + 1024) as u64
}
