//! Where events and observations go: the journal that the proxy writes to, the capture file behind it, lines for pipes.

mod archive;
mod feed;
mod file;
mod ids;
mod journal;
mod mask;
mod playing;
mod progress;
mod recorder;
mod repair;
mod rotation;
mod segments;
mod status;
mod tail;
mod writer;

#[cfg(test)]
mod tests;

pub use archive::{ArchiveError, archive};
pub use feed::{Clock, FEED_BUDGET, Feed, Next};
pub use file::{CaptureError, CaptureFile, Medium, Origin, default_places};
pub use journal::{Entry, Filed, Journal, JournalCounts, QUEUE_BUDGET};
pub use mask::Mask;
pub use playing::Playing;
pub use progress::Progress;
pub use repair::{Repaired, repair, repaired_name};
pub use rotation::Rotation;
pub use segments::{Input, Segments, group, is_capture_name, read, read_at, unpacked};
pub use status::Status;
pub use writer::{Setup, Writer};
