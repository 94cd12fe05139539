//! What a line of a capture says.

use std::sync::Arc;

use crate::event::{Connection, End, Event, Exchange, Time};

/// The first line: whose file it is, and how it was redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The version of the format that the file was begun in.
    pub version: u64,
    /// The version of the tool that began it; empty when the header is damaged.
    pub tool: String,
    pub started: Time,
    pub redaction: Redaction,
    /// The last exchange's `seq` in the segment before, of which this one is the continuation; 0 for a first one.
    pub after: u64,
}

/// How the records were redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// `secrets`, `identities` or `none`; empty when not known.
    pub level: String,
    /// Names the key of the placeholders, and is not the key: equal ids mean that placeholders can be compared.
    pub key: Option<String>,
}

/// Any line but the first.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Exchange(Box<Exchange>),
    End(End),
    Connection(Box<Connection>),
    Session(Session),
    /// `lost` exchanges are missing at this place.
    Gap {
        at: Time,
        lost: u64,
    },
    Closed(Closed),
    /// A kind that this build does not know: nothing to judge, and kept when the file is rewritten.
    Other(String),
}

/// Another run of the tool began to write here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub at: Time,
    pub tool: String,
    pub redaction: Redaction,
    /// Bytes of an unfinished last record that were cut off before this one was written.
    pub cut: u64,
    /// No other run: the next segment of the same capture was joined to it here.
    pub same: bool,
}

/// The run ended in order: nothing is missing after this but what `lost` counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    pub at: Time,
    /// Exchanges recorded, lost, and released before they were on file, in this session.
    pub recorded: u64,
    pub lost: u64,
    pub late: u64,
}

impl Record {
    /// The event that it stands for; what only concerns the file has none.
    pub fn into_event(self) -> Option<Event> {
        match self {
            Self::Exchange(exchange) => Some(Event::Exchange(Arc::new(*exchange))),
            Self::End(end) => Some(Event::End(end)),
            Self::Connection(connection) => Some(Event::Connection(Arc::new(*connection))),
            Self::Session(session) => (!session.same).then_some(Event::Session { at: session.at }),
            Self::Gap { at, lost } => Some(Event::Gap { at, lost }),
            Self::Closed(_) | Self::Other(_) => None,
        }
    }
}

/// Where a line is in its capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which of the capture's files, where it has several.
    pub segment: u32,
    /// In the file, unpacked.
    pub offset: u64,
    /// In bytes, the newline included.
    pub length: u64,
}

/// A stretch of a capture that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub place: Place,
    /// What is wrong with it, in words.
    pub what: String,
}
