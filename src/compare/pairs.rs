//! Which enrollment answers to which, and which of their exchanges.

use super::names::Names;
use super::noise::Pattern;
use super::story::{Story, Told};
use super::verdict::{self, Compared, Terms, Verdict};
use crate::enrollment::{Enrollment, Outcome};
use crate::message::Kind;

/// All that was compared.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    pub pairings: Vec<Pairing>,
}

/// One enrollment beside its counterpart.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// Who it is about.
    pub label: String,
    pub first: Option<Enrollment>,
    pub second: Option<Enrollment>,
    /// In the order of the first; what only the second has comes where it happened.
    pub exchanges: Vec<Compared>,
    /// How it ended for the second's device, in its own words; only replays know.
    pub ended: Option<String>,
    /// What could not be as it was.
    pub notes: Vec<String>,
}

/// How many exchanges there are of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub same: usize,
    pub different: usize,
    pub better: usize,
    pub worse: usize,
}

impl Comparison {
    pub fn exchanges(&self) -> impl Iterator<Item = &Compared> {
        self.pairings.iter().flat_map(|pairing| &pairing.exchanges)
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for exchange in self.exchanges() {
            match exchange.verdict {
                Verdict::Same => counts.same += 1,
                Verdict::Different => counts.different += 1,
                Verdict::Better => counts.better += 1,
                Verdict::Worse => counts.worse += 1,
            }
        }
        counts
    }

    /// Some exchange, or how an enrollment ended.
    pub fn is_worse(&self) -> bool {
        self.pairings.iter().any(|pairing| pairing.verdict() == Verdict::Worse)
    }

    pub fn is_different(&self) -> bool {
        self.pairings.iter().any(|pairing| pairing.verdict() != Verdict::Same)
    }
}

impl Pairing {
    /// Of the whole: the worst of it; better where something is better and nothing worse.
    pub fn verdict(&self) -> Verdict {
        let outcome = match (&self.first, &self.second) {
            (Some(first), Some(second)) => match (first.outcome, second.outcome) {
                (one, other) if one == other => Verdict::Same,
                (Outcome::Enrolled, _) => Verdict::Worse,
                (_, Outcome::Enrolled) => Verdict::Same,
                _ => Verdict::Different,
            },
            _ => Verdict::Different,
        };
        self.exchanges.iter().map(|exchange| exchange.verdict).fold(outcome, Verdict::max)
    }

    /// The first exchange that tells the two apart for a reason, else the first that differs.
    pub fn first_that_matters(&self) -> Option<&Compared> {
        let weighty = |c: &&Compared| matches!(c.verdict, Verdict::Worse | Verdict::Better) || c.unreproduced;
        let different = |c: &&Compared| c.verdict != Verdict::Same;
        self.exchanges.iter().find(weighty).or_else(|| self.exchanges.iter().find(different))
    }
}

/// Two enrollments that answer to each other; absent where a side has none.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'s> {
    pub first: Option<&'s Story>,
    pub second: Option<&'s Story>,
}

/// `answers_only` leaves out the requests, which a replay makes anew.
pub fn compare(pairs: &[Pair<'_>], answers_only: bool, further: &[Pattern]) -> Comparison {
    let pairing = |Pair { first, second }: &Pair<'_>| {
        let names = |story: &Option<&Story>| story.map(Names::of).unwrap_or_default();
        let (one, other) = (names(first), names(second));
        let terms = Terms { answers_only, further, names: (&one, &other) };
        Pairing {
            label: first.or(*second).map(Story::label).unwrap_or_default(),
            first: first.map(|story| story.enrollment.clone()),
            second: second.map(|story| story.enrollment.clone()),
            exchanges: exchanges(told(*first), told(*second), terms),
            ended: None,
            notes: Vec::new(),
        }
    };
    Comparison { pairings: pairs.iter().map(pairing).collect() }
}

fn told(story: Option<&Story>) -> &[Told] {
    story.map(|story| story.exchanges.as_slice()).unwrap_or_default()
}

/// Exchanges are grouped by what the device asks for, and answer to each other in the order of their groups.
fn exchanges(first: &[Told], second: &[Told], terms: Terms<'_>) -> Vec<Compared> {
    let mut kinds: Vec<Kind> = Vec::new();
    for told in first.iter().chain(second) {
        if !kinds.contains(&told.request) {
            kinds.push(told.request);
        }
    }
    let position = |kind: &Kind| {
        let of = |all: &[Told]| all.iter().position(|told| told.request == *kind);
        of(first).or_else(|| of(second)).unwrap_or(usize::MAX)
    };
    kinds.sort_by_key(position);
    fn of(all: &[Told], kind: Kind) -> Vec<&Told> {
        all.iter().filter(|told| told.request == kind).collect()
    }
    let mut compared: Vec<Compared> =
        kinds.into_iter().flat_map(|kind| group(&of(first, kind), &of(second, kind), terms)).collect();
    // What the server's state has let through proves nothing of what comes after it.
    if let Some(at) = compared.iter().position(|exchange| exchange.unreproduced) {
        for further in
            compared.iter_mut().skip(at).filter(|e| e.first.is_none() && e.verdict == Verdict::Better)
        {
            further.verdict = Verdict::Different;
        }
    }
    compared
}

/// What is repeated ends with what came of it: the last ones answer to each other, and the others from the start on.
fn group(first: &[&Told], second: &[&Told], terms: Terms<'_>) -> Vec<Compared> {
    let mut compared = Vec::new();
    let (last, other_last) = (first.last(), second.last());
    let (firsts, seconds) = (
        first.get(..first.len().saturating_sub(1)).unwrap_or_default(),
        second.get(..second.len().saturating_sub(1)).unwrap_or_default(),
    );
    if let (Some(last), Some(other)) = (last, other_last) {
        for at in 0..firsts.len().max(seconds.len()) {
            compared.push(match (firsts.get(at), seconds.get(at)) {
                (Some(one), Some(other)) => verdict::both(one, other, terms),
                (Some(one), None) => verdict::only_first(one, true, terms),
                (None, Some(other)) => verdict::only_second(other, true, terms),
                (None, None) => continue,
            });
        }
        compared.push(verdict::both(last, other, terms));
    } else {
        compared.extend(first.iter().map(|told| verdict::only_first(told, false, terms)));
        compared.extend(second.iter().map(|told| verdict::only_second(told, false, terms)));
    }
    compared
}
