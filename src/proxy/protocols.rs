//! What a site's server is known to speak, as far as its handshakes have told.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::net::HTTP2;

/// A server that was upgraded is found out so soon.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Protocols {
    /// HTTP/2 is allowed, and can be agreed.
    allowed: bool,
    known: AtomicU8,
    probed: Mutex<Option<Instant>>,
}

const UNKNOWN: u8 = 0;
const HTTP1_ONLY: u8 = 1;
const HTTP2_TOO: u8 = 2;

impl Protocols {
    pub(super) fn new(allowed: bool) -> Self {
        Self { allowed, known: AtomicU8::new(UNKNOWN), probed: Mutex::default() }
    }

    /// The server may be asked for HTTP/2.
    pub(super) fn may_be_http2(&self) -> bool {
        self.allowed
    }

    /// The server chose HTTP/2 when it was offered last.
    pub(super) fn are_http2(&self) -> bool {
        self.allowed && self.known.load(Ordering::Relaxed) == HTTP2_TOO
    }

    /// The server did not choose HTTP/2 when it was offered last, or is not to be asked.
    pub(super) fn are_http1(&self) -> bool {
        !self.allowed || self.known.load(Ordering::Relaxed) == HTTP1_ONLY
    }

    /// What a server chose that had been offered HTTP/2.
    pub(super) fn learn(&self, chosen: Option<&[u8]>) {
        let known = if chosen == Some(HTTP2) { HTTP2_TOO } else { HTTP1_ONLY };
        self.known.store(known, Ordering::Relaxed);
    }

    pub(super) fn learn_from(&self, before: &Self) {
        self.known.store(before.known.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whoever is told so probes, and nobody else for a while.
    pub(super) fn is_due(&self) -> bool {
        if !self.allowed || self.are_http2() {
            return false;
        }
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = probed.is_none_or(|probed| probed.elapsed() >= LOOK_AGAIN);
        if due {
            *probed = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_handshake_counts_and_what_is_not_known_is_looked_at_once() {
        let protocols = Protocols::new(true);
        assert!(!protocols.are_http2() && !protocols.are_http1());
        assert!(protocols.is_due() && !protocols.is_due());
        protocols.learn(Some(HTTP2));
        assert!(protocols.are_http2() && !protocols.is_due());
        protocols.learn(None);
        assert!(protocols.are_http1() && !protocols.are_http2());
        let (off, http2) = (Protocols::new(false), Protocols::new(true));
        http2.learn(Some(HTTP2));
        off.learn_from(&http2);
        assert!(off.are_http1() && !off.are_http2() && !off.is_due() && !off.may_be_http2());
    }
}
