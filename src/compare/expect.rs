//! Whether what was wrong is mended: only what was judged again, and held, is.

use std::fmt;
use std::str::FromStr;

use super::pairs::Pair;
use super::story::{Story, Told};
use super::verdict::state_of_server;
use crate::enrollment::Outcome;
use crate::event::Side;
use crate::rules::{Rule, by_id};

/// What a replay is to show.
#[derive(Clone, Copy, Debug)]
pub enum Expectation {
    /// The rule's finding is gone, and the rule was applied and held.
    Fixed(&'static Rule),
    /// Every device comes to that end.
    Outcome(Outcome),
}

impl FromStr for Expectation {
    type Err = String;

    /// `fixed:PROV-CS-003`, `outcome:enrolled`, or a rule's id alone.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, what) = text.split_once(':').unwrap_or(("fixed", text));
        match kind {
            "fixed" => by_id(what)
                .map(Self::Fixed)
                .ok_or_else(|| format!("there is no rule {what}; `enrollscope rules` lists them all")),
            "outcome" => {
                let all = [Outcome::Enrolled, Outcome::Failed, Outcome::Stalled, Outcome::InProgress];
                let found = all.into_iter().find(|outcome| outcome.word() == what);
                let words = || format!("{what} is no outcome: enrolled, failed, stalled or in-progress");
                found.map(Self::Outcome).ok_or_else(words)
            }
            _ => Err(format!("{text}: fixed:RULE or outcome:WORD is wanted, for instance outcome:enrolled")),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(rule) => write!(f, "fixed:{}", rule.id),
            Self::Outcome(outcome) => write!(f, "outcome:{}", outcome.word()),
        }
    }
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    Yes(String),
    /// With the reason.
    No(String),
}

impl Met {
    pub fn is_met(&self) -> bool {
        matches!(self, Self::Yes(_))
    }

    pub fn words(&self) -> &str {
        match self {
            Self::Yes(words) | Self::No(words) => words,
        }
    }
}

/// Holds the expectation against what was recorded and what came of it now.
pub fn met(expectation: &Expectation, pairs: &[Pair<'_>]) -> Met {
    match expectation {
        Expectation::Fixed(rule) => fixed(rule, pairs),
        Expectation::Outcome(wanted) => {
            let now = pairs.iter().filter_map(|pair| pair.second);
            let others: Vec<_> = now
                .clone()
                .filter(|story| story.enrollment.outcome != *wanted)
                .map(|story| format!("{}: {}", story.label(), story.enrollment.outcome.word()))
                .collect();
            match (now.count(), others.first()) {
                (0, _) => Met::No("nothing was replayed".to_owned()),
                (_, Some(other)) => {
                    Met::No(format!("{} ended otherwise, the first is {other}", others.len()))
                }
                (count, None) => Met::Yes(format!("{count} ended so")),
            }
        }
    }
}

/// Whether a recording has what is to be mended: without it, a replay can show nothing.
pub fn can_be_met(expectation: &Expectation, recorded: &[Story]) -> bool {
    match expectation {
        Expectation::Fixed(rule) => recorded
            .iter()
            .flat_map(|story| &story.exchanges)
            .any(|told| told.findings.iter().any(|f| f.rule.id == rule.id && f.side == Some(Side::Response))),
        Expectation::Outcome(_) => !recorded.is_empty(),
    }
}

fn fixed(rule: &'static Rule, pairs: &[Pair<'_>]) -> Met {
    let on = |told: &Told, side| told.findings.iter().any(|f| f.rule.id == rule.id && f.side == Some(side));
    let broke = |told: &Told| on(told, Side::Response);
    let (mut held, mut recorded) = (0, 0);
    for Pair { first, second } in pairs {
        let Some(first) = first else { continue };
        for told in first.exchanges.iter().filter(|told| broke(told)) {
            recorded += 1;
            let Some(second) = second else { return Met::No("it was not replayed".to_owned()) };
            let at = told.request.word();
            let again: Vec<_> = second.exchanges.iter().filter(|t| t.request == told.request).collect();
            if again.iter().any(|told| broke(told)) {
                return Met::No(format!("it is still there: {} at {at}", second.label()));
            }
            if again.is_empty() {
                return Met::No(format!("not reached: {} did not get to {at} again", second.label()));
            }
            if let Some(word) = state_of_server(told)
                && again.iter().any(|told| told.is_answered_well())
            {
                return Met::No(format!("not reproducible here: {word} depends on the server's state"));
            }
            // That a refusal is without fault says nothing of the answer that was wrong.
            let comparable = |now: &Told| now.response == told.response || now.is_answered_well();
            let judged = |now: &Told| now.passed.iter().any(|passed| passed.id == rule.id) && comparable(now);
            let faultless = |now: &Told| now.is_answered_well() && is_about_faults(rule);
            if !again.iter().any(|now| judged(now) || faultless(now)) {
                return Met::No(if again.iter().any(|now| comparable(now)) {
                    format!("not judged: the answer to {at} gives the rule nothing to look at")
                } else {
                    format!("not reached: {at} is declined now, so the answer that was wrong did not come")
                });
            }
            held += 1;
        }
    }
    let firsts = pairs.iter().filter_map(|pair| pair.first);
    let by_device = firsts.flat_map(|story| &story.exchanges).any(|told| on(told, Side::Request));
    match recorded {
        0 if by_device => {
            Met::No("not judged: it is about the device's message, which was made anew".to_owned())
        }
        0 => Met::No("the recording does not have it".to_owned()),
        _ => Met::Yes(format!("judged again and held, {held} of {recorded}")),
    }
}

/// It judges faults only: where there is none any more, there is nothing left that could be wrong with it.
fn is_about_faults(rule: &Rule) -> bool {
    matches!(rule.check, crate::rules::Check::Fault(_))
}
