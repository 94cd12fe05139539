//! Two devices side by side: who they are, how it went, and stage by stage what was said.

use super::device::{device, outcome_role, status, who};
use crate::dashboard::exchanges::Seen;
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::Model;
use crate::dashboard::rows::Row;
use crate::dashboard::text::{clean, clock, exact, fit, span, width as columns, wrap};
use crate::diagnosis::told;
use crate::enrollment::{Enrollment, Stage, StepState, stage_of};
use crate::rules::Level;

/// The columns of what is compared.
const LABEL: usize = 13;

/// The latest attempts of two rows.
pub(super) fn page(model: &Model, one: &Row, other: &Row, width: usize) -> Page {
    let side = |row: &Row| row.latest().and_then(|id| model.enrollment(id)).map(|e| Side::of(model, e));
    let (Some(one), Some(other)) = (side(one), side(other)) else { return Page::default() };
    let mut table = Table { page: Page::default(), room: width.saturating_sub(LABEL + 4) / 2 };
    for (label, value) in FACTS {
        table.row(label, &value(&one), &value(&other));
    }
    let verdicts = [&one, &other].map(|side| told(side.e, model.now));
    table.pair("verdict", [outcome_role(one.e.outcome), outcome_role(other.e.outcome)], &verdicts);
    for stage in Stage::ALL {
        if [&one, &other].iter().any(|side| side.takes(*stage)) {
            table.page.heading(stage.title());
            for (label, value) in STAGE {
                table.row(label, &value(&one, *stage), &value(&other, *stage));
            }
        }
    }
    let (left, right) = (one.rules(None), other.rules(None));
    table.page.heading("Findings that only one of them has");
    let only = |mine: &[String], theirs: &[String]| {
        let own: Vec<_> = mine.iter().filter(|rule| !theirs.contains(rule)).cloned().collect();
        if own.is_empty() { "none".to_owned() } else { own.join(", ") }
    };
    table.pair("", [Role::Plain; 2], &[only(&left, &right), only(&right, &left)]);
    table.page
}

struct Side<'m> {
    model: &'m Model,
    e: &'m Enrollment,
    seen: Vec<&'m Seen>,
}

/// What is told of a side, and its label.
type Fact = (&'static str, fn(&Side<'_>) -> String);

const FACTS: &[Fact] = &[
    ("", |s| who(s.e)),
    ("device", |s| device(s.e)),
    ("Windows", |s| s.e.os_version.clone().unwrap_or_default()),
    ("way", |s| s.e.flow.word().to_owned()),
    ("from", |s| s.e.address.clone()),
    ("to", |s| s.e.host.clone()),
    ("device's TLS", |s| s.device_tls()),
    ("server's TLS", |s| s.server_tls()),
    ("began", |s| clock(s.e.started, &s.model.zone.0, false)),
    ("took", |s| span(s.e.ended.unwrap_or(s.e.latest).since(s.e.started))),
    ("outcome", |s| s.e.outcome.word().to_owned()),
    ("code", |s| s.e.hresult.map(|code| format!("0x{code:08X}")).unwrap_or_default()),
    ("owner", |s| s.e.owner.map_or("", |owner| owner.word()).to_owned()),
];

type StageFact = (&'static str, fn(&Side<'_>, Stage) -> String);

const STAGE: &[StageFact] = &[
    ("stands", |s, stage| s.stands(stage)),
    ("exchanges", |s, stage| s.exchanges(stage)),
    ("server took", |s, stage| s.took(stage)),
    ("findings", |s, stage| s.rules(Some(stage)).join(", ")),
];

impl<'m> Side<'m> {
    fn of(model: &'m Model, e: &'m Enrollment) -> Self {
        Self { model, e, seen: model.exchanges.of(e.id).collect() }
    }

    fn takes(&self, stage: Stage) -> bool {
        self.e.flow.stages().contains(&stage) || self.of_stage(stage).next().is_some()
    }

    fn of_stage(&self, stage: Stage) -> impl Iterator<Item = &'m Seen> {
        self.seen.iter().copied().filter(move |seen| is_of(seen, stage))
    }

    fn stands(&self, stage: Stage) -> String {
        let word = match self.e.step(stage) {
            _ if !self.takes(stage) => "not on this way",
            StepState::Ahead => "not reached",
            StepState::Now => "now",
            StepState::Done => "done",
            StepState::Failed => "failed",
            StepState::Elsewhere => "elsewhere",
        };
        word.to_owned()
    }

    fn exchanges(&self, stage: Stage) -> String {
        let all: Vec<_> = self.of_stage(stage).map(|seen| status(seen).1).collect();
        if all.is_empty() { String::new() } else { format!("{}: {}", all.len(), all.join(" ")) }
    }

    fn took(&self, stage: Stage) -> String {
        let longest = self.of_stage(stage).filter_map(|seen| seen.millis).max();
        longest.map(exact).unwrap_or_default()
    }

    /// What of more than a remark was found, once each.
    fn rules(&self, stage: Option<Stage>) -> Vec<String> {
        let seen = self.seen.iter().filter(|seen| stage.is_none_or(|stage| is_of(seen, stage)));
        let findings = seen.flat_map(|seen| &seen.findings);
        let mut rules: Vec<_> =
            findings.filter(|f| f.level > Level::Info).map(|f| f.rule.id.to_owned()).collect();
        rules.sort();
        rules.dedup();
        rules
    }

    fn device_tls(&self) -> String {
        let connection = self.seen.iter().find_map(|seen| seen.connection.as_deref());
        let tls = connection.and_then(|c| c.tls.as_ref());
        tls.map(|tls| format!("{} {}", tls.version, tls.cipher)).unwrap_or_default()
    }

    fn server_tls(&self) -> String {
        let upstream = self.seen.iter().find_map(|seen| seen.whole.as_ref()?.upstream.as_ref()?.tls.as_ref());
        upstream.map(|tls| format!("{} {}", tls.version, tls.cipher)).unwrap_or_default()
    }
}

/// Faults belong to what was asked.
fn is_of(seen: &Seen, stage: Stage) -> bool {
    stage_of(seen.request).or(stage_of(seen.response)) == Some(stage)
}

struct Table {
    page: Page,
    /// Columns for each side.
    room: usize,
}

impl Table {
    /// What is the same is dim; nothing is said of what neither has.
    fn row(&mut self, label: &str, one: &str, other: &str) {
        if one.is_empty() && other.is_empty() {
            return;
        }
        let role = if one == other { Role::Dim } else { Role::Plain };
        self.pair(label, [role; 2], &[one.to_owned(), other.to_owned()]);
    }

    fn pair(&mut self, label: &str, roles: [Role; 2], sides: &[String; 2]) {
        let [left, right] = sides.each_ref().map(|text| {
            let text = if text.is_empty() { "-" } else { text };
            wrap(&clean(text), self.room)
        });
        for index in 0..left.len().max(right.len()) {
            let part = |lines: &[String]| lines.get(index).cloned().unwrap_or_default();
            let label = if index == 0 { label } else { "" };
            let start = fit(&part(&left), self.room, "").into_owned();
            let gap = " ".repeat(self.room.saturating_sub(columns(&start)) + 1);
            let mark = if roles[0] == Role::Dim || label.is_empty() { " " } else { "»" };
            let line = Line::new(Role::Warning, mark).and(Role::Dim, &format!(" {label:<LABEL$}"));
            self.page.push(line.and(roles[0], &start).and(Role::Plain, &gap).and(roles[1], &part(&right)));
        }
    }
}
