//! Markdown for an issue tracker: what is wrong, and with each enrollment that did not end well what was said.

use std::fmt::Write as _;

use super::{Report, about, correlation, exchange, mark, remedy, stage, troubles, why};
use crate::compare::Story;
use crate::diagnosis::{common, on_device, reasons};
use crate::rules::{Finding, Level};

pub fn markdown(report: &Report<'_>) -> String {
    let mut out = format!("# Enrollments\n\n{}.\n\n", about(report));
    let troubles = troubles(report.stories);
    if !troubles.is_empty() {
        out.push_str("| | What is wrong |\n|---:|---|\n");
        for (words, stories) in &troubles {
            let _ = writeln!(out, "| {} | {} |", stories.len(), mark(words));
        }
        out.push('\n');
    }
    for shared in common(report.stories.iter().map(|story| &story.enrollment)) {
        let _ = writeln!(out, "- in common: {}", mark(&shared.words()));
    }
    for (cause, certainty, count) in report.refused {
        let words = format!("{count} connections: {}: {} → {}", certainty.word(), cause.cause, cause.remedy);
        let _ = writeln!(out, "- {}", mark(&words));
    }
    for story in report.stories {
        one(&mut out, story);
    }
    for told in report.loose.iter().filter(|told| told.findings.iter().any(|f| f.level > Level::Info)) {
        let (time, request, answer) = exchange(told);
        let _ = writeln!(out, "\n## {time} {}, {}\n", mark(&request), mark(&answer));
        told.findings.iter().filter(|f| f.level > Level::Info).for_each(|found| finding(&mut out, found));
    }
    out
}

fn one(out: &mut String, story: &Story) {
    let e = &story.enrollment;
    let _ = writeln!(
        out,
        "\n## {}\n\n**{}**{}: {}\n",
        mark(&story.label()),
        e.outcome.word(),
        mark(&stage(story)),
        mark(&e.verdict)
    );
    if let Some(device) = on_device(e) {
        let _ = writeln!(out, "- on the device: {}", mark(&device.words()));
    }
    for reason in reasons(e) {
        let (cause, remedy) = reason.words();
        let _ = writeln!(out, "- {} → {}", mark(&cause), mark(remedy));
    }
    out.push_str("\n| Time | Request | Answer |\n|---|---|---|\n");
    for told in &story.exchanges {
        let (time, request, answer) = exchange(told);
        let _ = writeln!(out, "| {time} | {} | {} |", mark(&request), mark(&answer));
    }
    out.push('\n');
    let findings = story.exchanges.iter().flat_map(|told| &told.findings);
    for found in findings.filter(|finding| finding.level > Level::Info) {
        finding(out, found);
    }
    for (name, id) in correlation(story) {
        let _ = writeln!(out, "- {}: {}", mark(&name), mark(&id));
    }
}

fn finding(out: &mut String, finding: &Finding) {
    let _ = writeln!(
        out,
        "### {} {} {}\n\n- at: {}\n- found: {}\n- expected: {}\n- why: {}\n- so: {}\n- remedy: {}\n",
        finding.level.word(),
        finding.rule.id,
        finding.rule.name,
        mark(&finding.path),
        mark(&finding.found),
        mark(&finding.expected),
        mark(&why(finding)),
        mark(finding.rule.consequence),
        mark(&remedy(finding)),
    );
}
