//! What a server is fit for: the matrix, a grade with its reasons, and what is new since another run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

use super::human::clean;
use super::junit::{Case, Outcome, Suite, document};
use super::page::{PAGE, indented};
use super::paint::Paint;
use super::preflight::Status;
use super::story::mark;
use crate::rules::Finding;

/// One shape of device, one way to sign in, one way to behave.
#[derive(Clone, Debug)]
pub struct Cell {
    /// `password/healthy/windows-10`, the same in every run.
    pub id: String,
    pub shape: &'static str,
    pub auth: &'static str,
    pub case: &'static str,
    pub status: Status,
    pub expected: &'static str,
    pub found: String,
    pub remedy: Option<String>,
    /// The code that the device's user sees.
    pub hresult: Option<u32>,
    /// What the server's answers broke, worst first; of each rule the first.
    pub findings: Vec<Finding>,
    pub ms: u64,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Conformity {
    pub server: String,
    pub seed: u64,
    pub cells: Vec<Cell>,
    /// What an earlier run had, where this one is held against it.
    pub baseline: Option<Baseline>,
}

/// What an earlier run found: cells, each with the rules that were broken.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Which server, and with which devices.
    pub server: String,
    pub seed: u64,
    known: BTreeSet<(String, String)>,
}

/// As much of [`json`] as is held against another run.
#[derive(Deserialize)]
#[serde(expecting = "what `conform --format json` wrote")]
struct Told {
    server: String,
    seed: u64,
    cells: Vec<ToldCell>,
}

#[derive(Deserialize)]
#[serde(expecting = "a cell of the matrix")]
struct ToldCell {
    id: String,
    status: String,
    findings: Vec<ToldFinding>,
}

#[derive(Deserialize)]
#[serde(expecting = "a finding")]
struct ToldFinding {
    rule: String,
}

/// How a cell that went wrong without breaking a rule is told from one that did not.
const OUTCOME: &str = "outcome";

impl Baseline {
    /// Reads what [`json`] wrote.
    ///
    /// # Errors
    /// In words, what is not there.
    pub fn read(text: &str) -> Result<Self, String> {
        let told: Told = serde_json::from_str(text)
            .map_err(|error| format!("{error}; give what `conform --format json` wrote"))?;
        let mut known = BTreeSet::new();
        for cell in told.cells {
            if cell.status == Status::Fail.word() {
                known.insert((cell.id.clone(), OUTCOME.to_owned()));
            }
            known.extend(cell.findings.into_iter().map(|finding| (cell.id.clone(), finding.rule)));
        }
        Ok(Self { server: told.server, seed: told.seed, known })
    }
}

impl Cell {
    /// The rules that it broke, and whether it came out wrong.
    fn told(&self) -> impl Iterator<Item = &str> {
        let wrong = (self.status == Status::Fail).then_some(OUTCOME);
        self.findings.iter().map(|finding| finding.rule.id).chain(wrong)
    }
}

impl Conformity {
    /// Cell and rule of what the earlier run did not have; nothing where there is none.
    pub fn new_ones(&self) -> Vec<(&Cell, &str)> {
        let Some(Baseline { known, .. }) = &self.baseline else { return Vec::new() };
        let all = self.cells.iter().flat_map(|cell| cell.told().map(move |told| (cell, told)));
        all.filter(|(cell, told)| !known.contains(&(cell.id.clone(), (*told).to_owned()))).collect()
    }

    fn count(&self, status: Status) -> usize {
        self.cells.iter().filter(|cell| cell.status == status).count()
    }

    /// A to F, and why it is no better.
    pub fn grade(&self) -> (char, Vec<String>) {
        let of = |healthy: bool, status: Status| -> Vec<&Cell> {
            self.cells.iter().filter(|c| (c.case == HEALTHY) == healthy && c.status == status).collect()
        };
        let (broken, bad, meh) = (
            of(true, Status::Fail),
            of(false, Status::Fail),
            [of(true, Status::Warn), of(false, Status::Warn)].concat(),
        );
        let healthy = self.cells.iter().filter(|cell| cell.case == HEALTHY).count();
        let judged = self.cells.len() - self.count(Status::Skip);
        let (grade, cells) = match (judged, broken.as_slice(), bad.as_slice(), meh.as_slice()) {
            (0, ..) => ('-', Vec::new()),
            (_, [_, ..], ..) if broken.len() == healthy => ('F', broken),
            (_, [_, ..], ..) => ('D', broken),
            (_, [], [_, ..], _) => ('C', bad),
            (_, [], [], [_, ..]) => ('B', meh),
            (_, [], [], []) => ('A', Vec::new()),
        };
        (grade, reasons(&cells))
    }
}

const HEALTHY: &str = "healthy";

fn reasons(cells: &[&Cell]) -> Vec<String> {
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for cell in cells {
        let words = match cell.findings.first() {
            Some(finding) => format!("{}: {} {}", cell.case, finding.rule.id, finding.rule.name),
            None => format!("{}: {}", cell.case, cell.found),
        };
        match reasons.iter_mut().find(|(known, _)| *known == words) {
            Some((_, count)) => *count += 1,
            None => reasons.push((words, 1)),
        }
    }
    reasons.into_iter().map(|(words, count)| format!("{words} ({})", cells_of(count))).collect()
}

fn cells_of(count: usize) -> String {
    if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") }
}

fn sign(status: Status) -> &'static str {
    match status {
        Status::Pass => "✔",
        Status::Warn => "▲",
        Status::Fail => "✖",
        Status::Skip => "–",
    }
}

/// Way to sign in and case, then the cells by shape.
type Row<'a> = ((&'static str, &'static str), BTreeMap<&'static str, &'a Cell>);

impl Conformity {
    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        for cell in &self.cells {
            let key = (cell.auth, cell.case);
            match rows.iter_mut().find(|(known, _)| *known == key) {
                Some((_, cells)) => _ = cells.insert(cell.shape, cell),
                None => rows.push((key, BTreeMap::from([(cell.shape, cell)]))),
            }
        }
        rows
    }

    fn shapes(&self) -> Vec<&'static str> {
        let mut shapes = Vec::new();
        for cell in &self.cells {
            if !shapes.contains(&cell.shape) {
                shapes.push(cell.shape);
            }
        }
        shapes
    }

    /// Those that are no pass, alike ones together.
    fn problems(&self) -> Vec<(&Cell, Vec<&Cell>)> {
        let mut groups: Vec<(&Cell, Vec<&Cell>)> = Vec::new();
        let alike = |a: &Cell, b: &Cell| {
            (a.auth, a.case, a.status) == (b.auth, b.case, b.status)
                && a.told().eq(b.told())
                && (!a.findings.is_empty() || a.found == b.found)
        };
        for cell in self.cells.iter().filter(|cell| cell.status != Status::Pass) {
            match groups.iter_mut().find(|(first, _)| alike(first, cell)) {
                Some((_, group)) => group.push(cell),
                None => groups.push((cell, vec![cell])),
            }
        }
        groups
    }
}

const CASE: usize = 32;

/// The matrix, what went wrong, the grade.
pub fn human(all: &Conformity, width: Option<usize>, colour: bool) -> String {
    let (paint, width) = (Paint(colour), width.unwrap_or(PAGE).min(PAGE));
    let shapes = all.shapes();
    let mut out = format!("{} · seed {} · {}\n\n", clean(&all.server), all.seed, cells_of(all.cells.len()));
    for (number, shape) in (1..).zip(&shapes) {
        let _ = writeln!(out, "  {number} {shape}");
    }
    let heads: String = (1..=shapes.len()).map(|number| format!("  {number}")).collect();
    let _ = writeln!(out, "\n  {:CASE$}{heads}", "");
    for ((auth, case), cells) in all.rows() {
        let _ = write!(out, "  {:CASE$}", format!("{auth}: {case}"));
        for shape in &shapes {
            let signed = cells
                .get(shape)
                .map_or_else(|| " ".to_owned(), |cell| paint.put(cell.status.colour(), sign(cell.status)));
            let _ = write!(out, "  {signed}");
        }
        out.push('\n');
    }
    for (first, group) in all.problems() {
        let shapes: Vec<_> = group.iter().map(|cell| cell.shape).collect();
        let shapes = if shapes.len() == all.shapes().len() { "all".to_owned() } else { shapes.join(", ") };
        let word = paint.put(first.status.colour(), first.status.word());
        let _ = writeln!(out, "\n  {word}  {}: {} ({shapes})", first.auth, first.case);
        let code = first.hresult.map(|code| format!(" (0x{code:08X})")).unwrap_or_default();
        indented(&mut out, 8, width, &format!("found: {}{code}", clean(&first.found)));
        indented(&mut out, 8, width, &format!("expected: {}", first.expected));
        for finding in &first.findings {
            let (rule, name, level) = (finding.rule.id, finding.rule.name, finding.level.word());
            let words = format!("{level} {rule} {name}: {} instead of {}", finding.found, finding.expected);
            indented(&mut out, 8, width, &clean(&words));
        }
        if let Some(remedy) = &first.remedy {
            indented(&mut out, 8, width, &format!("→ {}", clean(remedy)));
        }
    }
    let counts: Vec<String> = Status::ALL
        .iter()
        .filter(|status| all.count(**status) > 0)
        .map(|status| format!("{} {}", all.count(*status), status.word()))
        .collect();
    let (grade, reasons) = all.grade();
    let _ = writeln!(out, "\n{}: {}", counts.join(", "), paint.strong(&format!("grade {grade}")));
    for reason in reasons {
        let _ = writeln!(out, "  {}", clean(&reason));
    }
    if all.baseline.is_some() {
        let new = all.new_ones();
        let _ = writeln!(
            out,
            "{} since the baseline",
            match new.len() {
                0 => "nothing new".to_owned(),
                count => format!("{count} new"),
            }
        );
        for (cell, told) in new {
            let _ = writeln!(out, "  {} {told}", cell.id);
        }
    }
    out
}

pub fn json(all: &Conformity) -> Value {
    let cells: Vec<_> = all
        .cells
        .iter()
        .map(|cell| {
            let findings: Vec<_> = cell
                .findings
                .iter()
                .map(|f| {
                    json!({
                        "rule": f.rule.id, "name": f.rule.name, "severity": f.level.word(),
                        "path": f.path, "expected": f.expected, "found": f.found, "remedy": f.rule.remedy,
                    })
                })
                .collect();
            json!({
                "id": cell.id, "auth": cell.auth, "case": cell.case, "shape": cell.shape,
                "status": cell.status.word(), "expected": cell.expected, "found": cell.found,
                "remedy": cell.remedy, "hresult": cell.hresult.map(|code| format!("0x{code:08X}")),
                "findings": findings, "ms": cell.ms,
            })
        })
        .collect();
    let (grade, reasons) = all.grade();
    let new = all.baseline.is_some().then(|| {
        all.new_ones().iter().map(|(cell, told)| json!({ "cell": cell.id, "what": told })).collect::<Vec<_>>()
    });
    json!({
        "server": all.server, "seed": all.seed, "grade": grade.to_string(), "reasons": reasons,
        "cells": cells, "new": new,
    })
}

/// With a baseline only what is new fails.
pub fn junit(all: &Conformity) -> String {
    let new: BTreeSet<&str> = all.new_ones().iter().map(|(cell, _)| cell.id.as_str()).collect();
    let case = |cell: &Cell| Case {
        name: cell.id.clone(),
        outcome: match (cell.status, &all.baseline) {
            (Status::Skip, _) => Outcome::Skipped(cell.found.clone()),
            (Status::Fail, None) => Outcome::Failed { kind: "fail", words: failure(cell) },
            (_, Some(_)) if new.contains(cell.id.as_str()) => {
                Outcome::Failed { kind: "new", words: failure(cell) }
            }
            _ => Outcome::Passed,
        },
        ms: Some(cell.ms),
    };
    document(&[Suite {
        name: format!("conform {}", all.server),
        cases: all.cells.iter().map(case).collect(),
    }])
}

fn failure(cell: &Cell) -> String {
    let mut out = format!("{} instead of {}\n", cell.found, cell.expected);
    for finding in &cell.findings {
        let (rule, name) = (finding.rule.id, finding.rule.name);
        let _ = writeln!(out, "{rule} {name}: {} instead of {}", finding.found, finding.expected);
    }
    out.push_str(cell.remedy.as_deref().unwrap_or_default());
    out.trim_end().to_owned()
}

pub fn markdown(all: &Conformity) -> String {
    let shapes = all.shapes();
    let (grade, reasons) = all.grade();
    let mut out = format!("# {}: grade {grade}\n\n", mark(&all.server));
    for reason in reasons {
        let _ = writeln!(out, "- {}", mark(&reason));
    }
    let _ = write!(out, "\n| | {} |\n|---|{}\n", shapes.join(" | "), "---|".repeat(shapes.len()));
    for ((auth, case), cells) in all.rows() {
        let signs: Vec<_> =
            shapes.iter().map(|shape| cells.get(shape).map_or("", |cell| sign(cell.status))).collect();
        let _ = writeln!(out, "| {auth}: {case} | {} |", signs.join(" | "));
    }
    for (first, group) in all.problems() {
        let shapes: Vec<_> = group.iter().map(|cell| cell.shape).collect();
        let _ = write!(
            out,
            "\n## {} {}: {}\n\n{}\n\n- found: {}\n- expected: {}\n",
            sign(first.status),
            first.auth,
            first.case,
            shapes.join(", "),
            mark(&first.found),
            first.expected
        );
        for finding in &first.findings {
            let (rule, name) = (finding.rule.id, finding.rule.name);
            let words = format!("{rule} {name}: {} instead of {}", finding.found, finding.expected);
            let _ = writeln!(out, "- {}", mark(&words));
        }
        if let Some(remedy) = &first.remedy {
            let _ = writeln!(out, "\n{}", mark(remedy));
        }
    }
    out
}
