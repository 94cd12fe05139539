//! What is known of exchanges by id, for the most recent ones: memory must not grow with their number.

use std::collections::{HashMap, VecDeque};

use crate::event::ExchangeId;

/// A map that forgets its oldest entries.
pub(super) struct Recent<V> {
    known: HashMap<ExchangeId, V>,
    /// In the order of arrival; taken ones stay until those before them are taken.
    order: VecDeque<ExchangeId>,
    most: usize,
}

impl<V> Recent<V> {
    pub(super) fn new(most: usize) -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), most }
    }

    pub(super) fn insert(&mut self, id: ExchangeId, value: V) {
        self.order.push_back(id.clone());
        self.known.insert(id, value);
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    pub(super) fn take(&mut self, id: &ExchangeId) -> Option<V> {
        let taken = self.known.remove(id);
        while self.order.front().is_some_and(|oldest| !self.known.contains_key(oldest)) {
            self.order.pop_front();
        }
        taken
    }
}
