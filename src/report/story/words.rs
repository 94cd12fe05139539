//! What both forms of a report say in the same words.

use super::Report;
use crate::compare::{Story, Told};
use crate::diagnosis::trouble;
use crate::report::clean;
use crate::rules::{Finding, VERSION};
use crate::xml::escape;

pub(super) fn about(report: &Report<'_>) -> String {
    let count = match report.stories.len() {
        1 => "1 enrollment".to_owned(),
        count => format!("{count} enrollments"),
    };
    let level = match report.level {
        "" => String::new(),
        level => format!(", redacted at the level {level}"),
    };
    format!("{count}{level}; enrollscope {}, rules {VERSION}", env!("CARGO_PKG_VERSION"))
}

pub(super) fn stage(story: &Story) -> String {
    story.enrollment.stage.map(|stage| format!(" at {}", stage.title())).unwrap_or_default()
}

pub(super) fn exchange(told: &Told) -> (String, String, String) {
    let request = &told.exchange.request;
    let answer = match told.status() {
        Some(status) => format!("{status} {}", told.response.word()),
        None => "none".to_owned(),
    };
    (
        request.at.to_string(),
        format!("{} {} ({})", request.method, request.target, told.request.word()),
        answer,
    )
}

pub(super) fn why(finding: &Finding) -> String {
    let source: Vec<_> = finding.rule.cites.iter().map(|cite| cite.text()).collect();
    format!("{} ({})", finding.rule.requirement, source.join("; "))
}

pub(super) fn remedy(finding: &Finding) -> String {
    format!("{} ({} has to act)", finding.rule.remedy, finding.subject.word())
}

/// What is wrong, with how many: the words and the stories, the most frequent first.
pub(super) fn troubles(stories: &[Story]) -> Vec<(String, Vec<&Story>)> {
    let mut found: Vec<(&'static str, String, Vec<&Story>)> = Vec::new();
    for story in stories {
        let Some((id, words)) = trouble(&story.enrollment) else { continue };
        match found.iter_mut().find(|(known, ..)| *known == id) {
            Some((.., group)) => group.push(story),
            None => found.push((id, words, vec![story])),
        }
    }
    found.sort_by_key(|(.., group)| std::cmp::Reverse(group.len()));
    found.into_iter().map(|(_, words, group)| (words, group)).collect()
}

pub(super) fn text(text: &str) -> String {
    escape(&clean(text))
}

/// Nothing in it is markup.
pub(in crate::report) fn mark(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
