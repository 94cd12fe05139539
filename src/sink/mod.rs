//! Where events and observations go: the journal that the proxy writes to, the capture file behind it, lines for pipes.

mod feed;
mod file;
mod ids;
mod journal;
mod mask;
mod recorder;
mod repair;
mod status;
mod tail;
mod writer;

#[cfg(test)]
mod tests;

pub use feed::{Clock, FEED_BUDGET, Feed, Next};
pub use file::{CaptureError, CaptureFile, Medium, Origin, default_places, read, read_at};
pub use journal::{Entry, Filed, Journal, JournalCounts, QUEUE_BUDGET};
pub use mask::Mask;
pub use repair::{Repaired, repair, repaired_name};
pub use status::Status;
pub use writer::{Setup, Writer};
