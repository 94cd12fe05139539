//! Where events and observations go: the journal that the proxy writes to, the capture file behind it, lines for pipes.

mod journal;

pub use journal::{Entry, Filed, Journal, JournalCounts, QUEUE_BUDGET};
