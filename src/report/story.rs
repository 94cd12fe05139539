//! Enrollments for those who were not there: as a page, and as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::clean;
use crate::compare::{Story, Told};
use crate::diagnosis::reasons;
use crate::event::header;
use crate::message::{Content, read_response};
use crate::rules::{Finding, VERSION};
use crate::xml::escape;

/// Ids by which the other side finds the same requests in its logs, each with what it is called.
pub fn correlation(story: &Story) -> BTreeSet<(String, String)> {
    const HEADERS: &[&str] =
        &["client-request-id", "request-id", "x-ms-request-id", "x-request-id", "traceparent"];
    let mut ids = BTreeSet::new();
    for told in &story.exchanges {
        let request = &told.exchange.request;
        let mut add = |name: &str, value: &str| {
            if !value.trim().is_empty() {
                ids.insert((name.to_owned(), value.trim().to_owned()));
            }
        };
        for name in HEADERS {
            let answer = told.exchange.response.as_ref().and_then(|r| header(&r.headers, name));
            for found in [header(&request.headers, name), answer].into_iter().flatten() {
                add(name, &found.text());
            }
        }
        let Some(response) = &told.exchange.response else { continue };
        let read = read_response(response);
        if let Some(activity) = read.soap.as_ref().and_then(|soap| soap.activity_id.as_ref()) {
            add("ActivityId", &activity.value);
        }
        if let Content::Fault(fault) = &read.content
            && let Some(trace) = &fault.trace_id
        {
            add("TraceId", &trace.value);
        }
    }
    ids
}

/// One page without scripts or anything from elsewhere.
pub fn page(stories: &[Story], level: &str) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Enrollments</title><style>{STYLE}</style></head>\
         <body><h1>Enrollments</h1><p>{}</p>\n",
        escape(&about(stories, level))
    );
    for story in stories {
        let e = &story.enrollment;
        let _ = writeln!(
            out,
            "<section><h2>{}</h2><p class=\"{outcome}\"><b>{outcome}</b>{} — {}</p>",
            text(&story.label()),
            text(&stage(story)),
            text(&e.verdict),
            outcome = e.outcome.word(),
        );
        for reason in reasons(e) {
            let (cause, remedy) = reason.words();
            let _ = writeln!(out, "<p>{}<br>→ {}</p>", text(&cause), text(remedy));
        }
        out.push_str("<table><tr><th>Time</th><th>Request</th><th>Answer</th></tr>\n");
        for told in &story.exchanges {
            let (time, request, answer) = exchange(told);
            let _ = writeln!(
                out,
                "<tr><td>{time}</td><td>{}</td><td>{}</td></tr>",
                text(&request),
                text(&answer)
            );
        }
        out.push_str("</table>\n");
        for finding in findings(story) {
            let _ = writeln!(
                out,
                "<div class=\"{level}\"><h3>{level} {} {}</h3><dl><dt>at</dt><dd>{}</dd><dt>found</dt><dd>{}</dd>\
                 <dt>expected</dt><dd>{}</dd><dt>why</dt><dd>{}</dd><dt>so</dt><dd>{}</dd><dt>remedy</dt><dd>{}</dd></dl></div>",
                finding.rule.id,
                finding.rule.name,
                text(&finding.path),
                text(&finding.found),
                text(&finding.expected),
                text(&why(finding)),
                text(finding.rule.consequence),
                text(&remedy(finding)),
                level = finding.level.word(),
            );
        }
        let ids = correlation(story);
        if !ids.is_empty() {
            out.push_str("<h3>To be found in logs</h3><ul>");
            for (name, id) in ids {
                let _ = write!(out, "<li>{} <code>{}</code></li>", text(&name), text(&id));
            }
            out.push_str("</ul>\n");
        }
        out.push_str("</section>\n");
    }
    out.push_str("</body></html>\n");
    out
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2em .6em;border-bottom:1px solid #ddd}\
    section{margin-top:2em}dl{display:grid;grid-template-columns:6em 1fr;margin:0}dd{margin:0;overflow-wrap:anywhere}\
    div{border-left:4px solid #888;padding:.2em 1em;margin:1em 0}div.error{border-color:#c00}div.warning{border-color:#c80}\
    .failed b,.stalled b{color:#c00}.enrolled b{color:#080}h3{margin:.3em 0}";

pub fn markdown(stories: &[Story], level: &str) -> String {
    let mut out = format!("# Enrollments\n\n{}\n\n", about(stories, level));
    for story in stories {
        let e = &story.enrollment;
        let _ = writeln!(
            out,
            "## {}\n\n**{}**{}: {}\n",
            mark(&story.label()),
            e.outcome.word(),
            mark(&stage(story)),
            mark(&e.verdict)
        );
        for reason in reasons(e) {
            let (cause, remedy) = reason.words();
            let _ = writeln!(out, "- {}: {}", mark(&cause), mark(remedy));
        }
        out.push_str("\n| Time | Request | Answer |\n|---|---|---|\n");
        for told in &story.exchanges {
            let (time, request, answer) = exchange(told);
            let _ = writeln!(out, "| {time} | {} | {} |", mark(&request), mark(&answer));
        }
        out.push('\n');
        for finding in findings(story) {
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
        for (name, id) in correlation(story) {
            let _ = writeln!(out, "- {}: {}", mark(&name), mark(&id));
        }
        out.push('\n');
    }
    out
}

fn about(stories: &[Story], level: &str) -> String {
    let count =
        if stories.len() == 1 { "1 enrollment".to_owned() } else { format!("{} enrollments", stories.len()) };
    format!(
        "{count}, redacted at the level {level}; enrollscope {}, rules {VERSION}.",
        env!("CARGO_PKG_VERSION")
    )
}

fn stage(story: &Story) -> String {
    story.enrollment.stage.map(|stage| format!(" at {}", stage.title())).unwrap_or_default()
}

fn exchange(told: &Told) -> (String, String, String) {
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

fn findings(story: &Story) -> impl Iterator<Item = &Finding> {
    story.exchanges.iter().flat_map(|told| &told.findings)
}

fn why(finding: &Finding) -> String {
    let source: Vec<_> = finding.rule.cites.iter().map(|cite| cite.text()).collect();
    format!("{} ({})", finding.rule.requirement, source.join("; "))
}

fn remedy(finding: &Finding) -> String {
    format!("{} ({} has to act)", finding.rule.remedy, finding.subject.word())
}

fn text(text: &str) -> String {
    escape(&clean(text))
}

/// Nothing in it is markup.
pub(super) fn mark(text: &str) -> String {
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
