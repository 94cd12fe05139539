//! What happens again and again is told at once, and then together: a storm must not fill the disk with its log.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// So long is kept quiet after a line.
const QUIET: Duration = Duration::from_secs(10);

/// One kind of trouble.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    quiet_until: Option<Instant>,
    /// What happened since, and how often.
    last: String,
    count: u64,
}

impl Repeated {
    /// It happens, in these words; they are to be told now, or wait.
    pub(super) fn happens(&mut self, now: Instant, words: String) -> Option<String> {
        if self.count == 0 && self.quiet_until.is_none_or(|until| until <= now) {
            self.quiet_until = Some(now + QUIET);
            return Some(words);
        }
        self.last = words;
        self.count += 1;
        None
    }

    /// Ends when something has waited long enough; yields what is to be told.
    pub(super) async fn due(&mut self) -> String {
        match self.quiet_until.filter(|_| self.count > 0) {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
        self.take(Instant::now())
    }

    fn take(&mut self, now: Instant) -> String {
        self.quiet_until = Some(now + QUIET);
        let (words, count) = (std::mem::take(&mut self.last), std::mem::take(&mut self.count));
        if count == 1 { words } else { format!("{words} (one of {count} within {QUIET:?})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_rest_together() {
        let (mut repeated, start) = (Repeated::default(), Instant::now());
        assert_eq!(repeated.happens(start, "one".into()).as_deref(), Some("one"));
        assert_eq!(repeated.happens(start, "two".into()), None);
        // Late, but before anybody told of the second.
        assert_eq!(repeated.happens(start + QUIET, "three".into()), None);
        let told = repeated.take(start + QUIET);
        assert_eq!(told, "three (one of 2 within 10s)");
        assert_eq!(repeated.happens(start + QUIET, "four".into()), None);
        assert_eq!(repeated.take(start + QUIET * 2), "four");
        assert_eq!(repeated.happens(start + QUIET * 3, "five".into()).as_deref(), Some("five"));
    }
}
