//! Who a device is, how its enrollment stands, and what it said in which order.

use crate::dashboard::exchanges::Seen;
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::Model;
use crate::dashboard::rows::{Row, RowId};
use crate::dashboard::text::{clean, clock, exact, plural, span, wrap};
use crate::diagnosis::{next_step, told};
use crate::enrollment::{Enrollment, Link, Outcome, Stage};
use crate::event::Time;
use crate::rules::Level;

pub(crate) fn outcome_role(outcome: Outcome) -> Role {
    match outcome {
        Outcome::Enrolled => Role::Good,
        Outcome::Failed => Role::Error,
        Outcome::Stalled => Role::Warning,
        Outcome::InProgress => Role::Info,
    }
}

pub(crate) fn level_role(level: Level) -> Role {
    match level {
        Level::Error => Role::Error,
        Level::Warning => Role::Warning,
        Level::Info => Role::Info,
    }
}

/// A stage in one letter.
pub(crate) fn stage_letter(stage: Stage) -> &'static str {
    match stage {
        Stage::Terms => "T",
        Stage::Discovery => "D",
        Stage::SignIn => "I",
        Stage::Policy => "P",
        Stage::Certificate => "C",
        Stage::Configuration => "M",
        Stage::FirstSync => "S",
    }
}

/// A stage in at most seven letters.
pub(crate) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Terms => "terms",
        Stage::Discovery => "discov.",
        Stage::SignIn => "sign-in",
        Stage::Policy => "policy",
        Stage::Certificate => "certif.",
        Stage::Configuration => "MDM",
        Stage::FirstSync => "sync",
    }
}

/// What to call the one who enrolls.
pub(crate) fn who(enrollment: &Enrollment) -> String {
    let e = enrollment;
    let name = e.user.as_deref().or(e.device_name.as_deref()).or(e.device_id.as_deref());
    name.map(short).unwrap_or_else(|| {
        if e.address.is_empty() { "somebody".to_owned() } else { format!("somebody at {}", e.address) }
    })
}

/// Nobody has a longer name; a device may say anything, and the verdict is to stay in view.
fn short(name: &str) -> String {
    const LONGEST: usize = 200;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// Its name, else its id.
pub(crate) fn device(enrollment: &Enrollment) -> String {
    let e = enrollment;
    let name = e.device_name.as_deref().or(e.device_id.as_deref()).map(short).unwrap_or_default();
    if e.threads > 1 { format!("{name} {} devices?", e.threads).trim_start().to_owned() } else { name }
}

/// Verdict, owner and code.
fn verdict(enrollment: &Enrollment, now: Time) -> Line {
    let e = enrollment;
    let mut line = Line::new(outcome_role(e.outcome), &told(e, now));
    if let Some(owner) = e.owner {
        line.push(Role::Dim, " · ");
        line.push(Role::Strong, owner.word());
        line.push(Role::Dim, " has to act");
    }
    if let Some(code) = e.hresult {
        line.push(Role::Dim, " · the user sees ");
        line.push(Role::Strong, &format!("0x{code:08X}"));
    }
    line
}

/// The lines above the device screen.
pub(crate) fn identity(model: &Model) -> Vec<Line> {
    let room = usize::from(model.size.width).saturating_sub(2);
    let Some(row) = &model.opened else {
        return vec![Line::new(Role::Dim, " It is not remembered any more.")];
    };
    let lines = match row.id {
        RowId::Refused(id) => {
            let reason = model.refused.get(id).map(|group| group.reason.as_str());
            vec![Line::new(Role::Error, reason.unwrap_or("It is not remembered any more."))]
        }
        RowId::Strays => vec![Line::new(Role::Strong, "Exchanges outside any enrollment")],
        RowId::Device(_) | RowId::Attempt(_) => about(model, row),
    };
    let folded = lines.into_iter().flat_map(|line| line.folded(room, 0));
    folded.map(|line| Line(Line::plain(" ").0.into_iter().chain(line.0).collect())).collect()
}

fn about(model: &Model, row: &Row) -> Vec<Line> {
    let Some(e) = row.latest().and_then(|id| model.enrollment(id)) else { return Vec::new() };
    let mut line = Line::new(Role::Strong, &who(e));
    let mut add = |text: Option<&str>, before: &str| {
        if let Some(text) = text.filter(|t| !t.is_empty()) {
            line.push(Role::Dim, &format!(" · {before}"));
            line.push(Role::Plain, text);
        }
    };
    add(e.device_name.as_deref().filter(|_| e.user.is_some()), "");
    add(e.device_id.as_deref(), "id ");
    add(e.os_version.as_deref(), "Windows ");
    add(e.auth.map(|auth| auth.word()), "");
    add(Some(&e.address), "from ");
    add(Some(&e.host), "to ");
    let attempts = match row.attempts.len() {
        0 | 1 => String::new(),
        n => format!("{n} attempts"),
    };
    add(Some(&attempts), "");
    if e.threads > 1 {
        add(Some(&format!("{} devices or attempts that cannot be told apart yet", e.threads)), "");
    }
    let mut lines = vec![line, verdict(e, model.now)];
    if let (Some(others), Some(line)) = (model.others_like(e.id), lines.last_mut()) {
        line.push(Role::Dim, &format!(" · {} the same (w)", plural(others, "other")));
    }
    if let Some((cause, remedy)) = next_step(e) {
        let cause = cause.map(|cause| format!("{cause} ")).unwrap_or_default();
        lines.push(Line::new(Role::Dim, &cause).and(Role::Plain, &format!("→ {remedy}")));
    }
    if row.attempts.len() > 1 {
        for (index, attempt) in row.attempts.iter().rev().skip(1).take(2).enumerate() {
            lines.extend(
                model.enrollment(*attempt).map(|e| earlier(model, e, row.attempts.len() - 1 - index)),
            );
        }
    }
    lines
}

fn earlier(model: &Model, e: &Enrollment, number: usize) -> Line {
    Line::new(Role::Dim, &format!("attempt {number}, {}: ", clock(e.started, &model.zone.0, false)))
        .and(outcome_role(e.outcome), &e.verdict)
}

/// For the overview: how it stands, its exchanges, its findings.
pub(crate) fn timeline(model: &Model, row: &Row, width: usize) -> Page {
    let mut page = Page::default();
    let serials = model.exchanges_of(row);
    for id in row.attempts.iter().rev() {
        let Some(e) = model.enrollment(*id) else { continue };
        if row.attempts.len() > 1 {
            let number = row.attempts.iter().position(|a| a == id).unwrap_or(0) + 1;
            page.heading(&format!("Attempt {number}"));
        }
        for line in verdict(e, model.now).folded(width, 0) {
            page.push(line);
        }
        let began = clock(e.started, &model.zone.0, false);
        let took = span(e.ended.unwrap_or(e.latest).since(e.started));
        let mut line = Line::new(Role::Dim, &format!("began {began}, took {took}"));
        for (label, value) in [("from", &e.address), ("to", &e.host)] {
            if !value.is_empty() {
                line.push(Role::Dim, &format!(" · {label} "));
                line.push(Role::Plain, value);
            }
        }
        page.push(line.fitted(width, "…"));
        page.blank();
        for seen in model.exchanges.of(*id) {
            page.push(exchange(model, seen, Some(e.started)).fitted(width, "…"));
            findings(&mut page, seen, width);
        }
    }
    if let RowId::Strays = row.id {
        for seen in serials.iter().rev().take(100).filter_map(|serial| model.exchanges.get(*serial)) {
            page.push(exchange(model, seen, None).fitted(width, "…"));
            findings(&mut page, seen, width);
        }
    }
    page
}

/// `14:03:07.120 +1.25 s POST discover-request 200 31 ms`.
fn exchange(model: &Model, seen: &Seen, since: Option<Time>) -> Line {
    let mut line = Line::new(Role::Dim, &clock(seen.at, &model.zone.0, true));
    if let Some(since) = since {
        line.push(Role::Dim, &format!(" {:>9}", format!("+{}", exact(seen.at.since(since)))));
    }
    line.push(Role::Plain, &format!(" {:<5}{:<24}", seen.method, seen.kind().word()));
    let (role, status) = status(seen);
    line.push(role, &status);
    if let Some(millis) = seen.millis {
        line.push(Role::Dim, &format!(" {}", exact(millis)));
    }
    if let Some(link) = seen.link.filter(|link| *link != Link::Certain) {
        line.push(Role::Warning, &format!(" ({} match)", link.word()));
    }
    line
}

fn findings(page: &mut Page, seen: &Seen, width: usize) {
    for finding in &seen.findings {
        let text = format!("{} {}: {}", finding.rule.id, finding.rule.name, finding.found);
        for (index, part) in wrap(&text, width.saturating_sub(6)).iter().take(2).enumerate() {
            let mark = if index == 0 { "    » " } else { "      " };
            page.push(Line::new(Role::Dim, mark).and(level_role(finding.level), part).fitted(width, "…"));
        }
    }
}

pub(crate) fn status(seen: &Seen) -> (Role, String) {
    match seen.status {
        None => (Role::Error, "---".to_owned()),
        Some(status @ 0..400) => (Role::Plain, status.to_string()),
        Some(status) => (Role::Error, status.to_string()),
    }
}

/// A row in words, to be told to somebody.
pub(crate) fn sentence(model: &Model, row: &Row) -> String {
    if let RowId::Refused(id) = row.id {
        let Some(group) = model.refused.get(id) else { return String::new() };
        let count = plural(group.count, "time");
        let host = group.sni.as_deref().unwrap_or("no host name");
        let line = format!("{}, {count}, from {} for {host}", group.reason, group.address);
        return clean(&line).into_owned() + "\n";
    }
    let mut text = String::new();
    for e in row.attempts.iter().filter_map(|id| model.enrollment(*id)) {
        let device = device(e);
        let device = if device.is_empty() { device } else { format!(" on {device}") };
        let line = format!("{}{device}, {}: {}", who(e), e.started, verdict(e, model.now).text());
        text.push_str(&clean(&line));
        text.push('\n');
    }
    text
}
