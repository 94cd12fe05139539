//! `check` for build servers: each enrollment, and each message and connection outside of one, is a test.

use super::human::plural;
use super::judged::{Found, Judged};
use super::junit::{Case, Outcome, Suite, document};
use crate::enrollment;
use crate::rules::Level;

/// One suite; what broke a rule with severity error fails, and what failed or got stuck.
pub fn junit(judged: &Judged) -> String {
    let errors = |of: &dyn Fn(&Found) -> bool| -> Vec<String> {
        let wrong = judged.findings.iter().filter(|f| f.finding.level == Level::Error && of(f));
        wrong.map(told).collect()
    };
    let mut cases = Vec::new();
    for input in judged.inputs.iter().filter(|input| input.error.is_some()) {
        let words = input.error.clone().unwrap_or_default();
        cases.push(Case {
            name: input.path.clone(),
            outcome: Outcome::Failed { kind: "unreadable", words },
            ms: None,
        });
    }
    for e in judged.enrollments.values() {
        let own = |found: &Found| judged.exchange_of(found).is_some_and(|seen| seen.enrollment == Some(e.id));
        let errors = errors(&own);
        let failed = matches!(e.outcome, enrollment::Outcome::Failed | enrollment::Outcome::Stalled);
        let who = e.user.as_deref().or(e.device_name.as_deref()).or(e.device_id.as_deref());
        cases.push(case(
            format!("{} {}", e.id, who.unwrap_or("somebody")),
            if failed { Some((e.outcome.word(), e.verdict.clone())) } else { None },
            errors,
            e.ended.map(|ended| ended.since(e.started)),
        ));
    }
    for (at, seen) in judged.exchanges.iter().enumerate().filter(|(_, seen)| seen.enrollment.is_none()) {
        let name = seen.source.clone().unwrap_or_else(|| format!("#{} {}", seen.seq, seen.target));
        cases.push(case(name, None, errors(&|found| found.exchange == Some(at)), None));
    }
    let refused = errors(&|found| found.connection.is_some());
    if judged.connections > 0 {
        cases.push(case(
            plural(usize::try_from(judged.connections).unwrap_or(usize::MAX), "connection"),
            None,
            refused,
            None,
        ));
    }
    document(&[Suite { name: format!("check ({})", judged.profile.word()), cases }])
}

fn case(
    name: String,
    failed: Option<(&'static str, String)>,
    errors: Vec<String>,
    millis: Option<i64>,
) -> Case {
    let kind = failed.as_ref().map_or("error", |(kind, _)| kind);
    let words: Vec<String> = failed.into_iter().map(|(_, words)| words).chain(errors).collect();
    let outcome =
        if words.is_empty() { Outcome::Passed } else { Outcome::Failed { kind, words: words.join("\n") } };
    Case { name, outcome, ms: millis.and_then(|millis| u64::try_from(millis).ok()) }
}

fn told(found: &Found) -> String {
    let f = &found.finding;
    format!("{} {}: {} instead of {}; {}", f.rule.id, f.rule.name, f.found, f.expected, f.rule.remedy)
}
