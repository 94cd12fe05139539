//! What became of another tool's recording: how much of it came in, and what did not.

use std::collections::BTreeMap;

use crate::event::{Exchange, ExchangeId};

/// What became of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Exchanges that were handed on.
    pub exchanges: u64,
    /// What is missing, in words, and how often.
    pub lost: BTreeMap<&'static str, u64>,
}

impl Imported {
    pub(super) fn lose(&mut self, what: &'static str) {
        *self.lost.entry(what).or_default() += 1;
    }

    /// Gives the next number, and an id where the recording has none.
    pub(super) fn number(&mut self, exchange: &mut Exchange) {
        self.exchanges += 1;
        exchange.seq = self.exchanges;
        if exchange.id.0.is_empty() {
            exchange.id = ExchangeId(format!("h{}", exchange.seq).into());
        }
    }
}
