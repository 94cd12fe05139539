//! RULES.md: every rule with its reason, its source, its remedy and its example as a diff.

use std::fmt::Write as _;

use super::Play;
use super::show::{Shown, examples};
use super::words::{self, severity, who};
use crate::rules::{Cite, Force, Group, Level, Rule, Spec, Stage, all, in_stage};

/// What became of every fact that was gathered: the rows of `unchecked` are the ones that no rule holds.
const COVERAGE: &str = include_str!("../../rules/coverage.tsv");

const HEAD: &str = "\
# Rules

Every rule by which enrollscope judges an enrollment: what is required, what happens otherwise, where that is written,
who has to act and how, and an example of a message that breaks it. `enrollscope rules ID` shows one of them.

How severe a finding is depends on the profile. Under `field`, the default, an **error** stops real devices, a
**warning** is a breach that devices are known to live with, or one that fails later or elsewhere, and an **info** is
worth knowing. Under `strict` a breach of a specification's letter is an error, too; where that differs, both are given.

Examples are changes of recordings that break no rule (they are in `captures/golden`; where none is named, it is
`on-premise`): `-` is what the recording has, `+` is what breaks the rule. Long values are shortened with `…`, a line
break inside a value is shown as `↵`, and what a base64 token holds is told in its place. `enrollscope server --break ID`
or `enrollscope enroll --break ID` plays an example on the wire.

This file is generated from the rules themselves: `UPDATE=1 cargo test` writes it anew.
";

/// The whole catalogue.
pub fn markdown(play: Play<'_>) -> String {
    let mut out = HEAD.to_owned();
    contents(&mut out);
    for stage in Stage::ALL {
        let _ = writeln!(out, "\n## {}\n\n{}", stage.title(), stage.text());
        let alone = in_stage(*stage).count() == 1;
        for group in in_stage(*stage) {
            if !alone {
                let _ = writeln!(out, "\n### {}", heading(group));
            }
            for rule in group.rules {
                section(&mut out, rule, play);
            }
        }
    }
    unchecked(&mut out);
    out
}

/// With the stage's name: several stages have a request and an answer.
fn heading(group: &Group) -> String {
    format!("{}: {}", group.stage.title(), group.title)
}

fn contents(out: &mut String) {
    let _ = writeln!(out, "\n| Stage | Rules | Errors | Warnings | Infos |\n|---|--:|--:|--:|--:|");
    for stage in Stage::ALL {
        let rules: Vec<&Rule> = in_stage(*stage).flat_map(|group| group.rules).collect();
        row(out, &format!("**[{}](#{})**", stage.title(), anchor(stage.title())), &rules);
        for group in in_stage(*stage).filter(|group| group.rules.len() < rules.len()) {
            let link = format!("· [{}](#{})", group.title, anchor(&heading(group)));
            row(out, &link, &group.rules.iter().collect::<Vec<_>>());
        }
    }
    row(out, "**All**", &all().collect::<Vec<_>>());
    let _ = writeln!(out, "\nAt the end: [what is not checked](#{}), and why.", anchor(UNCHECKED));
}

/// The numbers are those of the profile `field`.
fn row(out: &mut String, name: &str, rules: &[&Rule]) {
    let count = |level| rules.iter().filter(|rule| rule.severity.field == level).count();
    let (errors, warnings, infos) = (count(Level::Error), count(Level::Warning), count(Level::Info));
    let _ = writeln!(out, "| {name} | {} | {errors} | {warnings} | {infos} |", rules.len());
}

/// As GitHub makes them of headings.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn section(out: &mut String, rule: &'static Rule, play: Play<'_>) {
    let _ = writeln!(out, "\n#### {} `{}` ({})", rule.id, rule.name, severity(rule));
    let _ = writeln!(out, "\n**{}**", escape(rule.requirement));
    let _ = write!(out, "\nOtherwise: {}", escape(rule.consequence));
    if let Some(code) = rule.hresult {
        let _ = write!(out, " The user sees `0x{code:08X}`{}.", words::code(code));
    }
    let _ = writeln!(out, "\n");
    for cite in rule.cites {
        let _ = writeln!(out, "- Source: {}", source(cite));
    }
    let _ = writeln!(out, "- Who acts: {}.", who(rule.subject));
    let _ = writeln!(out, "- What to do: {}", escape(rule.remedy));
    let _ = write!(out, "- Looked at: {}; since {}", rule.check.applies_to(), rule.since);
    if !rule.needs.is_empty() {
        let _ = write!(out, "; not where {} failed", rule.needs.join(" or "));
    }
    let _ = writeln!(out, ".");
    for (index, (example, shown)) in examples(rule, play).enumerate() {
        let label = if index == 0 { "Example" } else { "Or" };
        let _ = writeln!(out, "\n{label}: {}", escape(&shown.sentence(example)));
        if !shown.hunks.is_empty() {
            diff(out, &shown);
        }
    }
}

fn diff(out: &mut String, shown: &Shown) {
    let _ = writeln!(out, "\n```diff");
    for (place, lines) in &shown.hunks {
        let _ = writeln!(out, "@@ {place} @@");
        for line in lines {
            let _ = writeln!(out, "{}{}", line.sign(), line.text);
        }
    }
    let _ = writeln!(out, "```");
}

fn source(cite: &Cite) -> String {
    let name = match (cite.spec, cite.section) {
        (Spec::MsDocs, page) => format!("{}, “{}”", cite.spec.name(), escape(page)),
        (Spec::Field, _) => "seen in the field".to_owned(),
        _ => escape(&cite.text()),
    };
    let strength = match cite.force {
        Force::Must => "",
        Force::Should => ", which is no MUST",
        // No quotation: what was seen, or what a page says, in our words.
        Force::Observed => return format!("{name}: {}", escape(cite.quote)),
    };
    if cite.quote.contains(['<', '>', '|', '*', '_', '[', '=', '#']) {
        format!("{name}{strength}: `{}`", cite.quote)
    } else {
        format!("{name}{strength}: “{}”", cite.quote)
    }
}

/// Marks of Markdown and HTML in a text stand for themselves, but for code.
fn escape(text: &str) -> String {
    let mut out = String::new();
    let mut code = false;
    for c in text.chars() {
        match c {
            '`' => {
                code = !code;
                out.push(c);
            }
            c if code => out.push(c),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '*' | '|' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

const UNCHECKED: &str = "What is not checked";

fn unchecked(out: &mut String) {
    let rows: Vec<_> = COVERAGE
        .lines()
        .filter_map(|line| {
            let (fact, rest) = line.split_once('\t')?;
            Some((fact, rest.strip_prefix("unchecked\t")?))
        })
        .collect();
    let _ = writeln!(
        out,
        "\n## {UNCHECKED}\n\nThe specifications and Microsoft's pages state more than messages can show. These {} facts, \
         by the ids under which they were collected, are no rules:\n\n| Fact | Why not |\n|---|---|",
        rows.len()
    );
    for (fact, why) in rows {
        let _ = writeln!(out, "| {fact} | {} |", escape(why));
    }
}
