//! The catalogue on a terminal: all rules in a list, or one of them whole.

use std::fmt::Write as _;

use super::Play;
use super::diff::Mark;
use super::show::examples;
use super::words::{self, severity, who};
use crate::diagnosis::edits;
use crate::report::page::{PAGE, indented, labelled};
use crate::report::paint::Paint;
use crate::rules::{Force, Rule, Stage, all, in_stage};

/// From this width on a rule is one row of columns.
const WIDE: usize = 140;

/// All rules by stage. Without a width (a pipe) each is one line, however long.
pub fn list(width: Option<usize>, colour: bool) -> String {
    let paint = Paint(colour);
    let longest = |text: fn(&Rule) -> &str| all().map(|rule| text(rule).len()).max().unwrap_or_default();
    let (id, name) = (longest(|rule| rule.id), longest(|rule| rule.name));
    let mut out = String::new();
    for stage in Stage::ALL {
        let rules: Vec<&Rule> = in_stage(*stage).flat_map(|group| group.rules).collect();
        let _ = writeln!(out, "{} ({})", paint.strong(stage.title()), rules.len());
        for rule in rules {
            let level = rule.severity.field;
            let level = format!("{}{}", paint.level(level), " ".repeat("warning".len() - level.word().len()));
            match width {
                Some(width) if width < WIDE => {
                    let _ = writeln!(out, "  {level} {:<id$} {}", rule.id, paint.strong(rule.name));
                    indented(&mut out, 10, width, rule.requirement);
                }
                Some(width) => {
                    let _ = write!(out, "  {level} {:<id$} {:<name$}", rule.id, rule.name);
                    let column = 2 + 7 + 1 + id + 1 + name + 1;
                    let mut rest = String::new();
                    indented(&mut rest, column, width, rule.requirement);
                    out.push_str(rest.get(column - 1..).unwrap_or_default());
                }
                None => {
                    let _ =
                        writeln!(out, "  {level} {:<id$} {:<name$} {}", rule.id, rule.name, rule.requirement);
                }
            }
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{} rules; `enrollscope rules ID` shows one with an example", all().count());
    out
}

/// One rule with its first example as a diff.
pub fn one(rule: &'static Rule, play: Play<'_>, width: Option<usize>, colour: bool) -> String {
    let (paint, width) = (Paint(colour), width.unwrap_or(PAGE).min(PAGE));
    let mut out = String::new();
    let _ = writeln!(out, "{} {}", paint.strong(rule.id), paint.strong(rule.name));
    let place = rule.group().map(|g| format!("{}, {}", g.stage.title(), g.title)).unwrap_or_default();
    let level = severity(rule).replacen(rule.severity.field.word(), &paint.level(rule.severity.field), 1);
    let _ = writeln!(out, "{level} · {place} · since {}\n", rule.since);
    indented(&mut out, 0, width, rule.requirement);
    out.push('\n');
    let mut field = |label: &str, text: &str| labelled(&mut out, label, width, text);
    field("otherwise", rule.consequence);
    if let Some(code) = rule.hresult {
        field("", &format!("The user sees 0x{code:08X}{}.", words::code(code)));
    }
    field("who acts", &format!("{}.", who(rule.subject)));
    field("remedy", rule.remedy);
    for (index, cite) in rule.cites.iter().enumerate() {
        let quote = match cite.force {
            Force::Observed => cite.quote.to_owned(),
            Force::Must => format!("“{}”", cite.quote),
            Force::Should => format!("(not a MUST) “{}”", cite.quote),
        };
        field(if index == 0 { "source" } else { "" }, &format!("{}: {quote}", cite.text()));
    }
    field("looked at", rule.check.applies_to());
    if !rule.needs.is_empty() {
        field("", &format!("not where {} failed", rule.needs.join(" or ")));
    }
    for (index, (example, shown)) in examples(rule, play).enumerate() {
        let _ = writeln!(out, "{}", if index == 0 { "\nexample" } else { "\nor" });
        indented(&mut out, 2, width, &shown.sentence(example));
        for (place, lines) in &shown.hunks {
            let _ = writeln!(out, "  {}", paint.put("36", &format!("@@ {place} @@")));
            for line in lines {
                let text = format!("{}{}", line.sign(), line.text);
                let text = match line.mark {
                    Mark::Same => text,
                    Mark::Gone => paint.put("31", &text),
                    Mark::New => paint.put("32", &text),
                };
                let _ = writeln!(out, "  {text}");
            }
        }
    }
    out
}

/// At most three rules whose id or name is like this, the likeliest first.
pub fn near(wanted: &str) -> Vec<&'static Rule> {
    let wanted = wanted.to_lowercase();
    let distance = |rule: &Rule| {
        let id = rule.id.to_lowercase();
        let close = edits(&wanted, &id).min(edits(&wanted, rule.name));
        let part = wanted.len() > 2 && (id.contains(&wanted) || rule.name.contains(&wanted));
        if part { close.min(1) } else { close }
    };
    let mut found: Vec<_> =
        all().map(|rule| (distance(rule), rule)).filter(|(far, _)| *far <= 2 + wanted.len() / 8).collect();
    found.sort_by_key(|(far, _)| *far);
    found.into_iter().map(|(_, rule)| rule).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Level, by_id};

    #[test]
    fn no_line_is_wider_than_the_screen() {
        for width in [80, 120, 160, 220] {
            let list = list(Some(width), false);
            let wide: Vec<&str> = list.lines().filter(|line| line.chars().count() > width).collect();
            assert_eq!(wide, Vec::<&str>::new(), "{width}");
        }
    }

    #[test]
    fn in_a_pipe_a_rule_is_a_line() {
        let list = list(None, false);
        for rule in all() {
            assert!(
                list.lines().any(|line| line.contains(rule.id) && line.ends_with(rule.requirement)),
                "{}",
                rule.id
            );
        }
    }

    #[test]
    fn columns_stand_below_each_other() {
        let list = list(None, false);
        let columns: std::collections::BTreeSet<_> = all()
            .filter_map(|rule| {
                list.lines()
                    .find(|line| line.ends_with(rule.requirement) && line.contains(rule.id))
                    .map(|l| l.len() - rule.requirement.len())
            })
            .collect();
        assert_eq!(columns.len(), 1, "{columns:?}");
    }

    #[test]
    fn a_mistyped_id_or_name_finds_its_neighbours() {
        let ids = |wanted| near(wanted).iter().map(|rule| rule.id).collect::<Vec<_>>();
        assert_eq!(ids("PROV-CS-03").first(), Some(&"PROV-CS-003"));
        assert_eq!(ids("thumbprint-of-other-certificate"), ["PROV-CS-003"]);
        assert_eq!(ids("nothing-like-it-at-all"), Vec::<&str>::new());
    }

    #[test]
    fn colour_marks_what_came_and_went_and_nothing_else_changes() {
        let rule = by_id("DISC-RSP-002").unwrap();
        let play = |_: &crate::rules::Example| None;
        let plain = one(rule, &play, Some(80), false);
        let coloured = one(rule, &play, Some(80), true);
        assert!(coloured.contains('\u{1b}') && !plain.contains('\u{1b}'));
        let stripped = coloured
            .split('\u{1b}')
            .enumerate()
            .map(|(i, part)| if i == 0 { part } else { part.split_once('m').unwrap().1 });
        assert_eq!(stripped.collect::<String>(), plain);
        assert_eq!(Level::Error, rule.severity.field);
    }
}
