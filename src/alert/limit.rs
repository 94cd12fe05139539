//! How often the same is told, and how much in an hour.

use std::collections::{BTreeMap, VecDeque};

use super::told::{About, Alert, Kind, State, plural};
use crate::event::Time;
use crate::rules::Level;

/// The same alert is told once in so many milliseconds.
pub const SAME_AGAIN: i64 = 15 * 60_000;
/// All alerts are bounded within so many milliseconds …
pub const HOUR: i64 = 3_600_000;
/// … to so many.
pub const MOST_AN_HOUR: usize = 20;

/// What has been told.
#[derive(Debug, Default)]
pub(super) struct Limit {
    number: u64,
    told: BTreeMap<(Kind, String), Told>,
    /// When alerts were sent, within the hour.
    sent: VecDeque<Time>,
    /// Those that were not, by kind.
    held_back: BTreeMap<Kind, u64>,
}

#[derive(Debug, Default)]
struct Told {
    /// Absent if it never was.
    at: Option<Time>,
    /// Whoever was told believes that it lasts.
    lasts: bool,
    /// Came since, and may be told later.
    waiting: Option<Alert>,
    times: u64,
}

impl Told {
    fn is_fresh(&self, now: Time) -> bool {
        self.at.is_some_and(|at| now.since(at) < SAME_AGAIN)
    }
}

impl Limit {
    /// The alert if it is to be told now.
    pub(super) fn admit(&mut self, alert: Alert, now: Time) -> Option<Alert> {
        self.forget(now);
        let told = self.told.entry((alert.kind, alert.key.clone())).or_default();
        if alert.state == State::Over {
            // What was begun meanwhile is over, too; and who has not heard of the beginning needs no end.
            told.waiting = None;
            told.times = 0;
            let lasted = std::mem::take(&mut told.lasts);
            return lasted.then(|| self.send(alert, now));
        }
        if told.is_fresh(now) {
            told.times += 1;
            told.waiting = Some(alert);
            return None;
        }
        self.tell(alert, now)
    }

    /// What has waited long enough, and what was held back.
    pub(super) fn tick(&mut self, now: Time) -> Vec<Alert> {
        self.forget(now);
        let ripe = |told: &Told| told.waiting.is_some() && !told.is_fresh(now);
        let keys: Vec<_> =
            self.told.iter().filter(|(_, told)| ripe(told)).map(|(key, _)| key.clone()).collect();
        let mut alerts = Vec::new();
        for key in keys {
            let waiting = self.told.get_mut(&key).and_then(|told| told.waiting.take());
            alerts.extend(waiting.and_then(|alert| self.tell(Alert { at: now, ..alert }, now)));
        }
        if !self.held_back.is_empty() && self.has_room() {
            let alert = self.held(now);
            alerts.push(self.send(alert, now));
        }
        // Nothing is known of it that is needed.
        self.told.retain(|_, told| told.lasts || told.waiting.is_some() || told.is_fresh(now));
        alerts
    }

    fn forget(&mut self, now: Time) {
        while self.sent.front().is_some_and(|at| now.since(*at) >= HOUR) {
            self.sent.pop_front();
        }
    }

    fn has_room(&self) -> bool {
        self.sent.len() < MOST_AN_HOUR
    }

    fn tell(&mut self, alert: Alert, now: Time) -> Option<Alert> {
        let room = self.has_room();
        let told = self.told.entry((alert.kind, alert.key.clone())).or_default();
        if room {
            let repeated = std::mem::take(&mut told.times);
            (told.at, told.lasts) = (Some(now), alert.state == State::Raised);
            return Some(self.send(Alert { repeated, ..alert }, now));
        }
        if alert.state == State::Raised {
            // It lasts: there will be room while it does.
            told.waiting = Some(alert);
        } else {
            *self.held_back.entry(alert.kind).or_default() += 1;
        }
        None
    }

    fn send(&mut self, alert: Alert, now: Time) -> Alert {
        self.number += 1;
        self.sent.push_back(now);
        Alert { number: self.number, ..alert }
    }

    fn held(&mut self, now: Time) -> Alert {
        let held = std::mem::take(&mut self.held_back);
        let all: u64 = held.values().sum();
        let kinds: Vec<String> =
            held.iter().map(|(kind, count)| format!("{count} {}", kind.word())).collect();
        let title = format!(
            "{} held back",
            if all == 1 {
                "1 more alert was".to_owned()
            } else {
                format!("{} were", plural(all, "more alert"))
            }
        );
        let text = format!(
            "No more than {MOST_AN_HOUR} are sent in an hour. By kind: {}. The dashboard and the status page show what they were \
             about.",
            kinds.join(", ")
        );
        let about = About { counts: vec![("held-back", all)], ..About::default() };
        Alert::new((Kind::HeldBack, ""), State::Once, Level::Warning, now, (&title, &text)).about(about)
    }
}
