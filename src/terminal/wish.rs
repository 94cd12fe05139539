//! What is to be done with exchanges outside of the dashboard: who does it, with what, and what comes of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::session::read_back;
use crate::capture::Place;
use crate::dashboard::Wish;
use crate::event::{Connection, End, Event, Exchange};
use crate::sink::Segments;

/// What came of a wish.
#[derive(Debug)]
pub enum Granted {
    /// For the clipboard.
    Copy(String),
    /// In a line.
    Done(String),
    /// A title, and text to be read.
    Page(String, String),
}

/// Set when nobody waits for what was wished for any more.
pub type Cancelled = AtomicBool;

pub(super) type Granting = dyn Fn(Wish, Vec<Event>, &Cancelled) -> Result<Granted, String> + Send + Sync;

/// How wishes about exchanges are granted, on a thread of its own.
#[derive(Clone, Default)]
pub struct Grant(pub(super) Option<Arc<Granting>>);

impl Grant {
    pub fn new(
        grant: impl Fn(Wish, Vec<Event>, &Cancelled) -> Result<Granted, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(grant)))
    }
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Grant").field(&self.0.is_some()).finish()
    }
}

/// An exchange, and from where it can be had.
pub(super) struct Source {
    pub(super) connection: Option<Arc<Connection>>,
    pub(super) whole: Option<Arc<Exchange>>,
    pub(super) place: Option<Place>,
    pub(super) end: Option<End>,
}

/// What happened, as it would be in a capture of these exchanges only.
pub(super) fn events(sources: Vec<Source>, segments: Option<&Segments>) -> Result<Vec<Event>, String> {
    let (mut events, mut opened) = (Vec::new(), HashSet::new());
    for source in sources {
        let exchange = match (source.whole, source.place, segments) {
            (Some(exchange), ..) => exchange,
            (None, Some(place), Some(segments)) => read_back(segments, place)?,
            (None, ..) => return Err("its bodies are not in memory any more, and on no file".to_owned()),
        };
        let connection = source.connection.filter(|connection| opened.insert(connection.id.clone()));
        events.extend(connection.map(Event::Connection));
        events.push(Event::Exchange(exchange));
        events.extend(source.end.map(Event::End));
    }
    Ok(events)
}
