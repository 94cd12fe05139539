//! Captures: events ⇄ JSON lines, version 1. Pure: bytes in, bytes out; `captures/README.md` documents every field.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod decode;
pub mod encode;
pub mod flows;
pub mod har;
mod imported;
mod message_file;
mod migrate;
mod play;
mod reader;
mod record;
mod recording;
mod rewrite;
mod salvage;
pub mod saz;
mod ticker;
mod url;
mod words;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use decode::{Seal, record as decode, seal};
pub use imported::Imported;
pub use message_file::MessageFile;
pub use play::{Play, Played};
pub use reader::{Item, Line, Lines, ReadError, Reader, Recorded};
pub use record::{Closed, Damage, Header, Place, Record, Redaction, Session};
pub use recording::{Health, Recording};
pub use rewrite::rewrite;
pub use ticker::{TICK, Ticker, recorded_at};

/// The version that this build writes, and the newest that it reads.
pub const VERSION: u64 = 1;

/// The longest line that is written or read. Two messages of an exchange, each with both texts, fit in it even if
/// every byte of every body must be escaped.
pub const LONGEST_LINE: u64 = 64 << 20;
