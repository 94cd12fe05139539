//! Why an enrollment stands where it stands: what is known of such an end, ranked by what else was noticed. Causes that
//! look the same from between device and server are named together.

use super::knowledge::{Cause, Entry, Knowledge};
use super::scene::Scene;
use crate::enrollment::{self, Enrollment, Outcome};
use crate::event::ExchangeId;
use crate::rules::Rule;

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Others look the same.
    Possible,
    /// What was noticed speaks for it.
    Likely,
    /// What was seen is it.
    Certain,
}

impl Certainty {
    pub fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// One cause that explains the end.
#[derive(Clone, Debug)]
pub struct Reason {
    pub entry: &'static Entry,
    pub cause: &'static Cause,
    pub certainty: Certainty,
    /// Rules that were broken and speak for it, with their exchanges; or the exchange in which it ended alone.
    pub evidence: Vec<(Option<&'static str>, ExchangeId)>,
}

impl Reason {
    /// `likely: the cause`, and what helps.
    pub fn words(&self) -> (String, &'static str) {
        (format!("{}: {}", self.certainty.word(), lowered(&self.cause.cause)), &self.cause.remedy)
    }
}

/// The first word of a sentence, if it is no name, as it stands in the middle of one.
fn lowered(sentence: &str) -> String {
    const COMMON: &[&str] =
        &["The", "A", "An", "No", "Something", "Wrong", "Another", "It", "Too", "Several", "That"];
    match sentence.split_once(' ') {
        Some((first, rest)) if COMMON.contains(&first) => format!("{} {rest}", first.to_lowercase()),
        _ => sentence.to_owned(),
    }
}

fn is_in_trouble(e: &Enrollment) -> bool {
    matches!(e.outcome, Outcome::Failed | Outcome::Stalled) || e.signs.unsynced
}

/// The rule that explains the end better than what is known of ends like it.
fn headline_rule(enrollment: &Enrollment, first: Option<&Reason>) -> Option<&'static Rule> {
    let enrollment::Cause::Finding { rule, .. } = &enrollment.cause else { return None };
    let vague = first.is_none_or(|reason| reason.certainty < Certainty::Certain);
    (vague && enrollment.outcome != Outcome::Enrolled).then_some(rule)
}

/// What to do next, and why, where the verdict does not say it.
pub fn next_step(enrollment: &Enrollment) -> Option<(Option<String>, &'static str)> {
    let reasons = reasons(enrollment);
    let first = reasons.first();
    if let Some(rule) = headline_rule(enrollment, first) {
        return Some((None, rule.remedy));
    }
    let first = first?;
    let (cause, remedy) = first.words();
    Some(((first.certainty < Certainty::Certain).then_some(cause), remedy))
}

/// What is wrong, in one id and one sentence: what enrollments of one trouble have in common.
pub fn trouble(enrollment: &Enrollment) -> Option<(&'static str, String)> {
    if !is_in_trouble(enrollment) {
        return None;
    }
    let reasons = reasons(enrollment);
    let first = reasons.first();
    if let Some(rule) = headline_rule(enrollment, first) {
        return Some((rule.id, format!("{}: {}", rule.id, rule.name.replace('-', " "))));
    }
    let first = first?;
    let sentence = first.cause.cause.trim_end_matches('.');
    let words = match first.certainty {
        Certainty::Certain => sentence.to_owned(),
        doubt => format!("{sentence} ({})", doubt.word()),
    };
    Some((first.cause.id.as_deref()?, words))
}

/// So many are named.
const MOST: usize = 4;

/// The causes of a failure or a stall, the likeliest first; none while all goes well.
pub fn reasons(enrollment: &Enrollment) -> Vec<Reason> {
    if !is_in_trouble(enrollment) {
        return Vec::new();
    }
    let scene = Scene::of(enrollment);
    let mut found: Vec<Reason> = Vec::new();
    for (id, certainty, rules) in scene.causes() {
        let Some((entry, cause)) = Knowledge::built_in().cause(id) else { continue };
        let speaks = |rule: &&'static str| Some((Some(*rule), enrollment.signs.broke(rule)?.clone()));
        let mut evidence: Vec<_> = rules.iter().filter_map(speaks).collect();
        if evidence.is_empty() {
            evidence.push((None, enrollment.signs.last.clone()));
        }
        match found.iter_mut().find(|known| std::ptr::eq(known.cause, cause)) {
            Some(known) => known.certainty = known.certainty.max(certainty),
            None => found.push(Reason { entry, cause, certainty, evidence }),
        }
    }
    // Of equal ones the order of the patterns stays.
    found.sort_by_key(|reason| std::cmp::Reverse(reason.certainty));
    found.truncate(MOST);
    found
}
