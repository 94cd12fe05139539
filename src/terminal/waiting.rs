//! What comes while the screen stands still.

use super::session::Update;
use crate::dashboard::weight;
use crate::event::Event;

/// So many events wait at most …
const MOST: usize = 4_096;
/// … and about so many bytes of exchanges; with more the screen goes on by itself.
const MOST_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
pub(super) struct Waiting {
    updates: Vec<Update>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn has_room(&self) -> bool {
        self.updates.len() < MOST && self.bytes < MOST_BYTES
    }

    pub(super) fn push(&mut self, update: Update) {
        if let Update::Seen(seen, _) = &update
            && let Event::Exchange(exchange) = &seen.event
        {
            self.bytes = self.bytes.saturating_add(weight(exchange));
        }
        self.updates.push(update);
    }

    pub(super) fn len(&self) -> usize {
        self.updates.len()
    }

    /// All of it, in the order in which it came.
    pub(super) fn take(&mut self) -> Vec<Update> {
        std::mem::take(self).updates
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::Engine;
    use crate::enrollment::Deadlines;
    use crate::event::{Body, Exchange};
    use crate::rules::Profile;

    /// How many exchanges with so many bytes wait.
    fn fill(bytes: usize) -> usize {
        let mut exchange = Exchange::default();
        exchange.request.body = Body::full(vec![b' '; bytes]);
        let mut engine = Engine::new(Profile::Field, Deadlines::default());
        let seen = engine.observe(Event::Exchange(Arc::new(exchange)));
        let mut waiting = Waiting::default();
        while waiting.has_room() {
            waiting.push(Update::Seen(Box::new(seen.clone()), None));
        }
        let count = waiting.len();
        assert_eq!((waiting.take().len(), waiting.len(), waiting.has_room()), (count, 0, true));
        count
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_in_bytes() {
        assert_eq!(fill(10), MOST);
        assert_eq!(fill(1 << 20), 32);
    }
}
