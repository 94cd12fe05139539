//! The steps of a preflight, for people, programs and build servers.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::human::clean;
use super::junit::{Case, Outcome, Suite, document};
use super::page::{PAGE, indented};
use super::paint::Paint;

/// One thing that was looked at, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Stable: `tls`, `discovery`, …
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    pub status: Status,
    /// What was seen, or why it was not looked at.
    pub detail: String,
    /// What to change, and who.
    pub remedy: Option<String>,
    /// The code that the user of a device sees because of it.
    pub hresult: Option<u32>,
    /// The rules that an answer broke.
    pub rules: Vec<&'static str>,
    pub ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pass,
    /// Devices get on with it, or some of them.
    Warn,
    Fail,
    Skip,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Pass, Self::Warn, Self::Fail, Self::Skip];

    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }

    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Pass => "32",
            Self::Warn => "33",
            Self::Fail => "31",
            Self::Skip => "2",
        }
    }
}

const TITLE: usize = 22;
/// Where details begin: two blanks, the status, two blanks, the title.
const INDENT: usize = 8 + TITLE;

/// One step, as soon as it has ended.
pub fn line(step: &Step, width: Option<usize>, colour: bool) -> String {
    let width = width.unwrap_or(PAGE).min(PAGE);
    let mut lines = String::new();
    let time = if step.ms == 0 { String::new() } else { format!(" ({} ms)", step.ms) };
    indented(&mut lines, INDENT, width, &format!("{}{time}", clean(&step.detail)));
    let mut out = format!(
        "  {}  {:<TITLE$}{}",
        Paint(colour).put(step.status.colour(), step.status.word()),
        step.title,
        lines.get(INDENT..).unwrap_or_default()
    );
    if let Some(remedy) = &step.remedy {
        indented(&mut out, INDENT, width, &format!("→ {}", clean(remedy)));
    }
    out
}

/// The last line: how many of each, and where a device would end.
pub fn summary(steps: &[Step], colour: bool) -> String {
    let counts: Vec<String> = Status::ALL
        .iter()
        .filter_map(|status| {
            let count = steps.iter().filter(|step| step.status == *status).count();
            (count > 0).then(|| format!("{count} {}", status.word()))
        })
        .collect();
    let mut out = format!("\n{}", counts.join(", "));
    match steps.iter().find(|step| step.status == Status::Fail) {
        Some(first) => {
            let code = first.hresult.map(|c| format!("; its user sees 0x{c:08X}")).unwrap_or_default();
            let words = format!(": a device gets no further than `{}`{code}", first.title);
            let _ = writeln!(out, "{}", Paint(colour).strong(&words));
        }
        None => {
            let _ = writeln!(out, ": nothing here would stop a device");
        }
    }
    out
}

pub fn json(target: &str, steps: &[Step]) -> Value {
    let steps: Vec<_> = steps
        .iter()
        .map(|step| {
            json!({
                "id": step.id,
                "title": step.title,
                "status": step.status.word(),
                "detail": step.detail,
                "remedy": step.remedy,
                "hresult": step.hresult.map(|code| format!("0x{code:08X}")),
                "rules": step.rules,
                "ms": step.ms,
            })
        })
        .collect();
    json!({ "target": target, "steps": steps })
}

pub fn junit(target: &str, steps: &[Step]) -> String {
    let case = |step: &Step| Case {
        name: step.id.to_owned(),
        outcome: match step.status {
            Status::Pass | Status::Warn => Outcome::Passed,
            Status::Skip => Outcome::Skipped(step.detail.clone()),
            Status::Fail => {
                let remedy = step.remedy.as_ref().map(|remedy| format!("\n{remedy}")).unwrap_or_default();
                Outcome::Failed { kind: "fail", words: format!("{}{remedy}", step.detail) }
            }
        },
        ms: Some(step.ms),
    };
    document(&[Suite { name: format!("doctor {target}"), cases: steps.iter().map(case).collect() }])
}
