//! How busy it was lately: exchanges by stretches of time, and a line drawn of them.

use std::collections::VecDeque;

use crate::event::Time;

/// One mark of the line, in milliseconds.
const STRETCH: i64 = 10_000;
/// So many marks are remembered: five minutes.
const STRETCHES: usize = 30;
/// From low to high.
const MARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Exchanges of the last five minutes, counted by the time of their requests.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// Oldest first; the last is the one that `latest` says.
    counts: VecDeque<u32>,
    /// Which stretch the last count is of, counted from the epoch.
    latest: i64,
}

impl Rate {
    pub(super) fn count(&mut self, at: Time) {
        self.advance(at);
        let back = usize::try_from(self.latest - at.0.div_euclid(STRETCH)).unwrap_or(usize::MAX);
        let last = self.counts.len().checked_sub(1).and_then(|last| last.checked_sub(back));
        if let Some(count) = last.and_then(|at| self.counts.get_mut(at)) {
            *count = count.saturating_add(1);
        }
    }

    /// Time went on to `now`; it never goes back.
    pub(super) fn advance(&mut self, now: Time) {
        let stretch = now.0.div_euclid(STRETCH);
        let known = if self.latest == 0 { stretch - 1 } else { self.latest };
        let on = usize::try_from(stretch - known).unwrap_or(0);
        if on > 0 {
            self.counts.extend(std::iter::repeat_n(0, on.min(STRETCHES)));
            self.counts.drain(..self.counts.len().saturating_sub(STRETCHES));
            self.latest = stretch;
        }
    }

    /// The last so many stretches, oldest first, against the busiest of them; empty when nothing came in any.
    pub(super) fn line(&self, marks: usize) -> String {
        let shown: Vec<_> = self.counts.iter().skip(self.counts.len().saturating_sub(marks)).collect();
        let most = shown.iter().map(|count| **count).max().unwrap_or(0);
        if most == 0 {
            return String::new();
        }
        let top = MARKS.len() as u64 - 1;
        let mark = |count: u32| {
            let height = (u64::from(count) * top).div_ceil(u64::from(most));
            usize::try_from(height).ok().and_then(|height| MARKS.get(height)).copied().unwrap_or('█')
        };
        shown.into_iter().map(|count| mark(*count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exchanges at these seconds, seen at the last of `now`.
    fn check(seconds: &[i64], now: i64, expected: &str) {
        let start = 1_700_000_000_000;
        let mut rate = Rate::default();
        rate.advance(Time(start));
        for second in seconds {
            rate.count(Time(start + second * 1_000));
        }
        rate.advance(Time(start + now * 1_000));
        assert_eq!(rate.line(5), expected, "{seconds:?} at {now}");
    }

    #[test]
    fn the_line_is_high_where_it_was_busy() {
        check(&[], 0, "");
        // Nothing is told of the time before.
        check(&[1], 0, "█");
        check(&[1, 2, 3, 4, 11, 12], 11, "█▅");
        check(&[1, 2, 3, 4, 11, 12], 45, "█▅▁▁▁");
        // It has left the line, and then the memory.
        check(&[1], 60, "");
        check(&[1], 1_000_000, "");
        // What comes late is counted where it belongs; what is from before everything is not.
        check(&[20, 1, 2, -900], 20, "█▁▅");
    }
}
