//! Two exchanges: what differs, and whether that is better or worse.

use std::collections::BTreeMap;

use super::lines;
use super::names::Names;
use super::noise::{Pattern, is_noise};
use super::story::Told;
use crate::event::{Side, Time};
use crate::message::{Content, Kind, read_response};
use crate::rules::{Finding, Level, Rule, Subject};

/// What became of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    Same,
    Different,
    Better,
    Worse,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Better => "better",
            Self::Worse => "worse",
        }
    }
}

/// One exchange of the first recording beside its counterpart.
#[derive(Clone, Debug)]
pub struct Compared {
    pub request: Kind,
    pub verdict: Verdict,
    /// In words, where there is more to say than what differs.
    pub note: Option<String>,
    /// The first failed by what the server knew then, and the second did not.
    pub unreproduced: bool,
    pub first: Option<Half>,
    pub second: Option<Half>,
    /// What differs, noise left out.
    pub differences: Vec<Difference>,
    /// How many differences are noise.
    pub noise: usize,
    pub gone: Vec<Found>,
    pub new: Vec<Found>,
}

/// One of the two exchanges, in a line.
#[derive(Clone, Debug)]
pub struct Half {
    pub id: String,
    pub seq: u64,
    pub started: Time,
    pub response: Kind,
    /// Absent when there was no answer.
    pub status: Option<u16>,
}

/// A place with other values; absent where a side does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub side: Side,
    pub place: String,
    pub first: Option<String>,
    pub second: Option<String>,
}

/// A finding that one side has.
#[derive(Clone, Debug)]
pub struct Found {
    pub rule: &'static Rule,
    pub level: Level,
    pub found: String,
    pub path: String,
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'t> {
    /// Only answers count: the requests of a replay are made for it.
    pub(super) answers_only: bool,
    pub(super) further: &'t [Pattern],
    pub(super) names: (&'t Names, &'t Names),
}

impl Terms<'_> {
    /// In a replay nobody is in between, so that what was found of this tool says nothing either.
    fn counts(self, finding: &Finding) -> bool {
        !self.answers_only || finding.side == Some(Side::Response) && finding.subject != Subject::Enrollscope
    }

    fn sides(self) -> &'static [Side] {
        if self.answers_only { &[Side::Response] } else { &[Side::Request, Side::Response] }
    }
}

pub(super) fn both(first: &Told, second: &Told, terms: Terms<'_>) -> Compared {
    let (gone, new) = findings(first, second, terms);
    let (differences, noise) = differences(first, second, terms);
    let state = state_of_server(first);
    let (verdict, note) = match (first.is_answered_well(), second.is_answered_well()) {
        (true, false) => (Verdict::Worse, None),
        (false, true) => match state {
            Some(word) => {
                let words = format!("not reproducible here: {word} depends on the server's state");
                (Verdict::Different, Some(words))
            }
            None => (by_findings(&gone, &new).max(Verdict::Better), None),
        },
        (true, true) | (false, false) => match by_findings(&gone, &new) {
            Verdict::Same if !differences.is_empty() => (Verdict::Different, None),
            verdict => (verdict, None),
        },
    };
    let unreproduced = note.is_some();
    Compared {
        verdict,
        note,
        unreproduced,
        differences,
        noise,
        gone,
        new,
        ..blank(Some(first), Some(second))
    }
}

/// The second recording has nothing that answers to it.
pub(super) fn only_first(first: &Told, repeated: bool, terms: Terms<'_>) -> Compared {
    let gone = first.findings.iter().filter(|f| terms.counts(f)).map(Found::of).collect();
    let (verdict, note) = if repeated {
        (Verdict::Same, "a repetition that was not needed")
    } else if !first.is_answered_well() || !is_step(first.request) {
        (Verdict::Different, "not in the second")
    } else {
        (Verdict::Worse, "not reached any more")
    };
    let gone = if repeated { Vec::new() } else { gone };
    Compared { verdict, note: Some(note.to_owned()), gone, ..blank(Some(first), None) }
}

/// The first recording did not get that far.
pub(super) fn only_second(second: &Told, repeated: bool, terms: Terms<'_>) -> Compared {
    let new: Vec<_> = second.findings.iter().filter(|f| terms.counts(f)).map(Found::of).collect();
    let (verdict, note) = match by_findings(&[], &new) {
        Verdict::Worse => (Verdict::Worse, "new"),
        _ if repeated => (Verdict::Different, "a repetition"),
        _ if second.is_answered_well() && is_step(second.request) => (Verdict::Better, "further than before"),
        _ => (Verdict::Different, "not in the first"),
    };
    Compared { verdict, note: Some(note.to_owned()), new, ..blank(None, Some(second)) }
}

fn blank(first: Option<&Told>, second: Option<&Told>) -> Compared {
    let line = |told: &Told| Half {
        id: told.exchange.id.to_string(),
        seq: told.exchange.seq,
        started: told.exchange.request.at,
        response: told.response,
        status: told.status(),
    };
    Compared {
        request: first.or(second).map_or(Kind::None, |told| told.request),
        verdict: Verdict::Same,
        note: None,
        unreproduced: false,
        first: first.map(line),
        second: second.map(line),
        differences: Vec::new(),
        noise: 0,
        gone: Vec::new(),
        new: Vec::new(),
    }
}

/// Whether devices cannot do without such an exchange: pages are skipped by those who have what they give.
fn is_step(kind: Kind) -> bool {
    matches!(kind, Kind::DiscoverRequest | Kind::GetPoliciesRequest | Kind::SecurityTokenRequest)
}

/// The worst that is new against the worst that is gone; what is only info counts for nothing.
fn by_findings(gone: &[Found], new: &[Found]) -> Verdict {
    let worst = |found: &[Found]| found.iter().map(|f| f.level).filter(|level| *level > Level::Info).max();
    match (worst(gone), worst(new)) {
        (None, None) if gone.is_empty() && new.is_empty() => Verdict::Same,
        (None, None) => Verdict::Different,
        (gone, new) if gone > new => Verdict::Better,
        _ => Verdict::Worse,
    }
}

/// The fault's word, where it speaks of what the server knows of users and devices, and not of the message.
pub(super) fn state_of_server(told: &Told) -> Option<&'static str> {
    const STATES: &[&str] = &[
        "Authentication",
        "Authorization",
        "DeviceCapReached",
        "InMaintenance",
        "InvalidEnrollmentData",
        "NotEligibleToRenew",
        "UserLicense",
    ];
    let message = read_response(told.exchange.response.as_ref()?);
    let Content::Fault(fault) = &message.content else { return None };
    let word = fault.word()?;
    STATES.iter().copied().find(|state| state.eq_ignore_ascii_case(word))
}

/// By rule: how often a rule fails in a message is no measure of anything.
fn findings(first: &Told, second: &Told, terms: Terms<'_>) -> (Vec<Found>, Vec<Found>) {
    let of = |told: &Told| -> BTreeMap<(&'static str, Option<Side>), Found> {
        let counted = told.findings.iter().filter(|f| terms.counts(f)).rev();
        counted.map(|finding| ((finding.rule.id, finding.side), Found::of(finding))).collect()
    };
    let (one, other) = (of(first), of(second));
    let only = |one: &BTreeMap<(&str, Option<Side>), Found>,
                other: &BTreeMap<(&str, Option<Side>), Found>| {
        one.iter().filter(|(key, _)| !other.contains_key(*key)).map(|(_, found)| found.clone()).collect()
    };
    (only(&one, &other), only(&other, &one))
}

impl Found {
    fn of(finding: &Finding) -> Self {
        Self {
            rule: finding.rule,
            level: finding.level,
            found: finding.found.clone(),
            path: finding.path.clone(),
        }
    }
}

/// What differs, and how much of it is noise.
fn differences(first: &Told, second: &Told, terms: Terms<'_>) -> (Vec<Difference>, usize) {
    let (mut told, mut noise) = (Vec::new(), 0);
    for side in terms.sides() {
        if *side == Side::Response && first.response != second.response {
            told.extend(another_answer(first, second));
            continue;
        }
        let mut one = lines::of(&first.exchange, *side, terms.names.0);
        let mut other = lines::of(&second.exchange, *side, terms.names.1);
        let places: Vec<_> =
            one.keys().chain(other.keys().filter(|p| !one.contains_key(*p))).cloned().collect();
        for place in places {
            let (first, second) = (one.remove(&place), other.remove(&place));
            // An element that is not there has no attributes either.
            let of_missing = first.is_some() != second.is_some()
                && place.rsplit_once("/@").is_some_and(|(element, _)| {
                    told.last().is_some_and(|last: &Difference| {
                        last.place == element && last.first.is_some() != last.second.is_some()
                    })
                });
            if first == second || of_missing {
                continue;
            }
            if is_noise(&place, terms.further) {
                noise += 1;
            } else {
                told.push(Difference { side: *side, place, first, second });
            }
        }
    }
    (told, noise)
}

/// Two answers of different kinds have nothing to compare but what they are.
fn another_answer(first: &Told, second: &Told) -> Vec<Difference> {
    let difference = |place: &str, first: Option<String>, second: Option<String>| Difference {
        side: Side::Response,
        place: place.to_owned(),
        first,
        second,
    };
    let status = |told: &Told| told.status().map(|status| status.to_string());
    let mut differences = Vec::new();
    if status(first) != status(second) {
        differences.push(difference("status", status(first), status(second)));
    }
    differences.push(difference("message", Some(answer(first)), Some(answer(second))));
    differences
}

/// Its kind; of a fault what it says.
fn answer(told: &Told) -> String {
    let message = told.exchange.response.as_ref().map(read_response);
    match message.map(|message| message.content) {
        Some(Content::Fault(fault)) => {
            let reason = fault.reason.as_ref().map_or("", |reason| reason.value.as_str());
            format!("fault {}: {reason}", fault.word().unwrap_or_default())
        }
        Some(_) => told.response.word().to_owned(),
        None => "no answer".to_owned(),
    }
}
