//! What build servers read: suites of tests that passed, failed or were skipped, in JUnit's XML.

use std::fmt::Write as _;

use crate::event::steers;
use crate::xml::escape;

/// Tests with one name in common.
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) cases: Vec<Case>,
}

pub(super) struct Case {
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// How long it took, where that was measured.
    pub(super) ms: Option<u64>,
}

pub(super) enum Outcome {
    Passed,
    /// The first line of the words is the message.
    Failed {
        kind: &'static str,
        words: String,
    },
    Skipped(String),
}

pub(super) fn document(suites: &[Suite]) -> String {
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"enrollscope\" tests=\"{}\" failures=\"{}\">\n{}</testsuites>\n",
        cases().count(),
        failures(cases()),
        suites.iter().map(suite).collect::<String>()
    )
}

fn failures<'a>(cases: impl Iterator<Item = &'a Case>) -> usize {
    cases.filter(|case| matches!(case.outcome, Outcome::Failed { .. })).count()
}

fn suite(suite: &Suite) -> String {
    let class = plain(&suite.name);
    let skipped = suite.cases.iter().filter(|case| matches!(case.outcome, Outcome::Skipped(_))).count();
    let mut out = format!(
        "  <testsuite name=\"{class}\" tests=\"{}\" failures=\"{}\" skipped=\"{skipped}\">\n",
        suite.cases.len(),
        failures(suite.cases.iter())
    );
    for case in &suite.cases {
        let time = case.ms.map(|ms| format!(" time=\"{}.{:03}\"", ms / 1000, ms % 1000)).unwrap_or_default();
        let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{}\"{time}", plain(&case.name));
        let _ = match &case.outcome {
            Outcome::Passed => writeln!(out, "/>"),
            Outcome::Skipped(why) => {
                writeln!(out, "><skipped message=\"{}\"/></testcase>", plain(why))
            }
            Outcome::Failed { kind, words } => {
                let message = plain(words.lines().next().unwrap_or_default());
                writeln!(
                    out,
                    ">\n      <failure type=\"{kind}\" message=\"{message}\">{}</failure>\n    </testcase>",
                    plain(words)
                )
            }
        };
    }
    out.push_str("  </testsuite>\n");
    out
}

/// XML 1.0 has no place for most control characters.
fn plain(text: &str) -> String {
    let shown = |c: char| if steers(c) && !matches!(c, '\n' | '\t') { '\u{FFFD}' } else { c };
    escape(&text.chars().map(shown).collect::<String>())
}
