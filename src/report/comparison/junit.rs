//! A comparison for build servers: each enrollment and each expectation is a test.

use std::fmt::Write as _;

use super::{Aside, Compared, words};
use crate::compare::{Pairing, Verdict};
use crate::report::junit::{Case, Outcome, Suite, document};

/// One document with a suite for each of these; enrollments that got worse fail, with `differences` those that differ
/// in anything.
pub fn junit(all: &[Compared], differences: bool) -> String {
    document(&all.iter().map(|compared| suite(compared, differences)).collect::<Vec<_>>())
}

fn suite(compared: &Compared, differences: bool) -> Suite {
    let case = |name: &str, outcome| Case { name: name.to_owned(), outcome, ms: None };
    let mut cases = Vec::new();
    if let Some(Aside::Failed(why)) = &compared.aside {
        cases.push(case("replay", Outcome::Failed { kind: "error", words: why.clone() }));
    }
    for pairing in &compared.comparison.pairings {
        let verdict = pairing.verdict();
        let fails = verdict == Verdict::Worse || differences && verdict != Verdict::Same;
        let failed = || Outcome::Failed { kind: verdict.word(), words: failure(pairing) };
        cases.push(case(words::title(pairing), if fails { failed() } else { Outcome::Passed }));
    }
    for (expectation, met) in &compared.expectations {
        let failed = || Outcome::Failed { kind: "expectation", words: met.words().to_owned() };
        cases.push(case(&expectation.to_string(), if met.is_met() { Outcome::Passed } else { failed() }));
    }
    if let Some(Aside::Skipped(why)) = &compared.aside {
        cases.push(case("replay", Outcome::Skipped(why.clone())));
    }
    Suite { name: compared.title.clone(), cases }
}

fn failure(pairing: &Pairing) -> String {
    let mut out = String::new();
    if let Some(matters) = pairing.first_that_matters() {
        let _ = writeln!(out, "{} is {}", words::exchange(matters), matters.verdict.word());
        for found in &matters.new {
            let _ = writeln!(out, "new: {}: found {}", words::rule(found), found.found);
        }
    }
    for enrollment in [&pairing.first, &pairing.second].into_iter().flatten() {
        let _ = writeln!(out, "{}", words::outcome(enrollment));
    }
    if let Some(ended) = &pairing.ended {
        let _ = writeln!(out, "{ended}");
    }
    out.trim_end().to_owned()
}
