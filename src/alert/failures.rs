//! How many of the enrollments that ended of late ended badly.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::told::{About, Alert, Kind, MOST_NAMED, State, plural, span};
use crate::diagnosis::trouble;
use crate::enrollment::{Enrollment, EnrollmentId, Outcome};
use crate::event::Time;
use crate::rules::Level;

/// When there are too many failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureRate {
    /// So many of a hundred, 1 to 100.
    pub percent: u64,
    /// With fewer ends nothing is said.
    pub least: u64,
    /// Within so many milliseconds.
    pub window: i64,
}

impl Default for FailureRate {
    fn default() -> Self {
        Self { percent: 50, least: 5, window: 30 * 60_000 }
    }
}

/// Ends that are remembered, whatever the window; as many enrollments as the engine does.
const MOST: usize = 20_000;

/// The enrollments that ended within the window.
#[derive(Debug)]
pub(super) struct Failures {
    rate: FailureRate,
    ends: HashMap<EnrollmentId, End>,
    in_order: BTreeSet<(Time, EnrollmentId)>,
    bad: u64,
    raised: bool,
}

#[derive(Debug)]
struct End {
    at: Time,
    outcome: Outcome,
    /// The cause in one sentence, where there is one.
    trouble: Option<String>,
    site: String,
}

impl End {
    fn is_bad(&self) -> bool {
        self.outcome != Outcome::Enrolled
    }
}

impl Failures {
    pub(super) fn new(rate: FailureRate) -> Self {
        Self { rate, ends: HashMap::new(), in_order: BTreeSet::new(), bad: 0, raised: false }
    }

    /// An enrollment as it stands now. Who goes on after a bad end has not ended.
    pub(super) fn see(&mut self, e: &Enrollment, now: Time) {
        let known = self.ends.get(&e.id);
        if known.map(|end| end.outcome) == Some(e.outcome) {
            return;
        }
        self.forget(e.id);
        if e.outcome == Outcome::InProgress {
            return;
        }
        let trouble = trouble(e).map(|(_, words)| words);
        let end = End { at: now, outcome: e.outcome, trouble, site: e.host.clone() };
        self.bad += u64::from(end.is_bad());
        self.in_order.insert((now, e.id));
        self.ends.insert(e.id, end);
        while let Some((_, oldest)) = self.in_order.first().copied().filter(|_| self.ends.len() > MOST) {
            self.forget(oldest);
        }
    }

    /// It became part of another one, or is counted anew.
    pub(super) fn forget(&mut self, id: EnrollmentId) {
        if let Some(end) = self.ends.remove(&id) {
            self.in_order.remove(&(end.at, id));
            self.bad -= u64::from(end.is_bad());
        }
    }

    /// Whether there are too many now, or no longer.
    pub(super) fn look(&mut self, now: Time) -> Option<Alert> {
        while let Some((at, oldest)) = self.in_order.first().copied()
            && now.since(at) >= self.rate.window
        {
            self.forget(oldest);
        }
        let all = self.ends.len() as u64;
        let too_many = self.bad * 100 >= self.rate.percent * all;
        match (self.raised, all >= self.rate.least) {
            (false, true) if too_many => {
                self.raised = true;
                Some(self.alert(now))
            }
            (true, true) if !too_many => {
                self.raised = false;
                Some(self.over("Enrollments go well again", now))
            }
            // With few ends the rate says nothing; without one, nobody is there for whom it could be bad.
            (true, false) if all == 0 => {
                self.raised = false;
                Some(self.over("No more failures", now))
            }
            _ => None,
        }
    }

    fn alert(&self, now: Time) -> Alert {
        let all = self.ends.len() as u64;
        let title = format!("{} of {all} enrollments failed or are stuck", self.bad);
        let mut troubles: BTreeMap<&str, u64> = BTreeMap::new();
        let mut sites: BTreeSet<&str> = BTreeSet::new();
        for end in self.ends.values().filter(|end| end.is_bad()) {
            *troubles.entry(end.trouble.as_deref().unwrap_or("no cause is known")).or_default() += 1;
            sites.insert(&end.site);
        }
        let most = troubles.into_iter().max_by_key(|(_, count)| *count);
        let most = most.map(|(words, count)| format!(" Most often ({count}): {words}.")).unwrap_or_default();
        let text = format!("{}{most}", self.sentence());
        let about = About {
            counts: self.counts(),
            // The latest ones.
            enrollments: self
                .in_order
                .iter()
                .rev()
                .filter(|(_, id)| self.ends.get(id).is_some_and(End::is_bad))
                .take(MOST_NAMED)
                .map(|(_, id)| *id)
                .collect(),
            site: sites.first().filter(|site| sites.len() == 1 && !site.is_empty()).map(|s| (*s).to_owned()),
            ..About::default()
        };
        Alert::new((Kind::FailureRate, ""), State::Raised, Level::Error, now, (&title, &text)).about(about)
    }

    fn over(&self, title: &str, now: Time) -> Alert {
        let about = About { counts: self.counts(), ..About::default() };
        let text = self.sentence();
        Alert::new((Kind::FailureRate, ""), State::Over, Level::Info, now, (title, &text)).about(about)
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.ends.values().filter(|end| end.outcome == outcome).count() as u64
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        [Outcome::Enrolled, Outcome::Failed, Outcome::Stalled]
            .map(|outcome| (outcome.word(), self.count(outcome)))
            .to_vec()
    }

    /// `Within 30 min 6 enrollments ended: 2 enrolled, 3 failed, 1 stuck.`
    fn sentence(&self) -> String {
        let count = |outcome| self.count(outcome);
        format!(
            "Within {} {} ended: {} enrolled, {} failed, {} got stuck.",
            span(self.rate.window),
            plural(self.ends.len() as u64, "enrollment"),
            count(Outcome::Enrolled),
            count(Outcome::Failed),
            count(Outcome::Stalled)
        )
    }
}
