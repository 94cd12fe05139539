//! A comparison for build servers: each enrollment and each expectation is a test.

use std::fmt::Write as _;

use super::{Aside, Compared, words};
use crate::compare::{Pairing, Verdict};
use crate::event::steers;
use crate::xml::escape;

/// One document with a suite for each of these; enrollments that got worse fail, with `differences` those that differ
/// in anything.
pub fn junit(all: &[Compared], differences: bool) -> String {
    let suites: Vec<_> = all.iter().map(|compared| suite(compared, differences)).collect();
    let (tests, failures) = suites.iter().fold((0, 0), |sum, (_, t, f)| (sum.0 + t, sum.1 + f));
    let body: String = suites.into_iter().map(|(text, ..)| text).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"enrollscope\" tests=\"{tests}\" failures=\"{failures}\">\n{body}</testsuites>\n"
    )
}

fn suite(compared: &Compared, differences: bool) -> (String, usize, usize) {
    let mut cases = String::new();
    let (mut tests, mut failures) = (0, 0);
    let class = plain(&compared.title);
    let mut case = |name: &str, failure: Option<(&str, String)>| {
        tests += 1;
        let _ = write!(cases, "    <testcase classname=\"{class}\" name=\"{}\"", plain(name));
        match failure {
            None => cases.push_str("/>\n"),
            Some((kind, words)) => {
                failures += 1;
                let message = plain(words.lines().next().unwrap_or_default());
                let _ = writeln!(
                    cases,
                    ">\n      <failure type=\"{kind}\" message=\"{message}\">{}</failure>\n    </testcase>",
                    plain(&words)
                );
            }
        }
    };
    match &compared.aside {
        Some(Aside::Failed(why)) => case("replay", Some(("error", why.clone()))),
        Some(Aside::Skipped(_)) | None => {}
    }
    for pairing in &compared.comparison.pairings {
        let verdict = pairing.verdict();
        let fails = verdict == Verdict::Worse || differences && verdict != Verdict::Same;
        case(words::title(pairing), fails.then(|| (verdict.word(), failure(pairing))));
    }
    for (expectation, met) in &compared.expectations {
        case(&expectation.to_string(), (!met.is_met()).then(|| ("expectation", met.words().to_owned())));
    }
    let skipped = match &compared.aside {
        Some(Aside::Skipped(why)) => {
            tests += 1;
            let _ = writeln!(
                cases,
                "    <testcase classname=\"{class}\" name=\"replay\"><skipped message=\"{}\"/></testcase>",
                plain(why)
            );
            1
        }
        Some(Aside::Failed(_)) | None => 0,
    };
    let text = format!(
        "  <testsuite name=\"{class}\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\">\n{cases}  </testsuite>\n"
    );
    (text, tests, failures)
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

/// XML 1.0 has no place for most control characters.
fn plain(text: &str) -> String {
    let shown = |c: char| if steers(c) && !matches!(c, '\n' | '\t') { '\u{FFFD}' } else { c };
    escape(&text.chars().map(shown).collect::<String>())
}
