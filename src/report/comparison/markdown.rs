//! A comparison for issue trackers.

use std::fmt::Write as _;

use super::{Compared, words};
use crate::compare::{Compared as Exchange, Pairing, Verdict};
use crate::report::clean;
use crate::report::story::mark as text;

/// So many differences of an exchange are shown.
const SHOWN: usize = 20;

pub fn markdown(compared: &Compared) -> String {
    let mut out = format!("# {}\n\n{}\n\n", text(&compared.title), words::counts(&compared.comparison));
    if !compared.expectations.is_empty() {
        out.push_str("| Expected | Met | Why |\n|---|---|---|\n");
        for (expectation, met) in &compared.expectations {
            let yes = if met.is_met() { "yes" } else { "**no**" };
            let _ = writeln!(out, "| {} | {yes} | {} |", code(&expectation.to_string()), text(met.words()));
        }
        out.push('\n');
    }
    for pairing in &compared.comparison.pairings {
        one(&mut out, pairing, compared);
    }
    out
}

fn one(out: &mut String, pairing: &Pairing, compared: &Compared) {
    let _ = writeln!(out, "## {}: {}\n", text(words::title(pairing)), pairing.verdict().word());
    for (side, enrollment) in [(&compared.sides.0, &pairing.first), (&compared.sides.1, &pairing.second)] {
        let told = enrollment.as_ref().map_or_else(|| "not there".to_owned(), words::outcome);
        let _ = writeln!(out, "- {}: {}", text(side), text(&told));
    }
    if let Some(ended) = &pairing.ended {
        let _ = writeln!(out, "- device: {}", text(ended));
    }
    for note in &pairing.notes {
        let _ = writeln!(out, "- note: {}", text(note));
    }
    out.push_str("\n| Exchange | Verdict | Findings |\n|---|---|---|\n");
    for exchange in &pairing.exchanges {
        let gone = exchange.gone.iter().map(|found| format!("gone: {}", words::rule(found)));
        let new = exchange.new.iter().map(|found| format!("**new: {}**", words::rule(found)));
        let findings: Vec<_> = exchange.note.iter().map(|note| text(note)).chain(gone).chain(new).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            text(&words::exchange(exchange)),
            exchange.verdict.word(),
            findings.join("; ")
        );
    }
    out.push('\n');
    for exchange in
        pairing.exchanges.iter().filter(|e| e.verdict != Verdict::Same && !e.differences.is_empty())
    {
        differences(out, exchange);
    }
}

fn differences(out: &mut String, exchange: &Exchange) {
    let _ = writeln!(out, "{}\n\n```diff", text(&words::exchange(exchange)));
    for difference in exchange.differences.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}", fenced(&words::place(difference)));
        for (sign, value) in [("-", &difference.first), ("+", &difference.second)] {
            if let Some(value) = value {
                let _ = writeln!(out, "{sign} {}", fenced(value));
            }
        }
    }
    out.push_str("```\n");
    let more = exchange.differences.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "\nand {more} more");
    }
    out.push('\n');
}

fn code(text: &str) -> String {
    format!("`{}`", clean(text).replace(['`', '|'], "'"))
}

/// Nothing in it ends the block.
fn fenced(text: &str) -> String {
    clean(text).replace("```", "'''")
}
