//! The catalogue as Markdown: `rules ID` on the screen, and the committed RULES.md.

use std::fmt::Write as _;

use super::rule::{Change, Edit, Example, Part, Rule};
use super::{CATALOGUE, all};

/// The whole catalogue.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Rules\n\nGenerated from `src/rules`; `UPDATE=1 cargo test` writes it anew. Severities are those of the \
         profiles `field` (what stops real devices) and `strict` (the letter of the specification).\n",
    );
    let _ = writeln!(out, "\n{} rules in {} groups.", all().count(), CATALOGUE.len());
    for group in CATALOGUE {
        let _ = writeln!(out, "\n## {}", group.title);
        for rule in group.rules {
            let _ = write!(out, "\n{}", section(rule));
        }
    }
    out
}

/// One rule.
pub fn section(rule: &Rule) -> String {
    let severity = match (rule.severity.field.word(), rule.severity.strict.word()) {
        (field, strict) if field == strict => field.to_owned(),
        (field, strict) => format!("{field} (strict: {strict})"),
    };
    let mut out = format!(
        "### {} `{}`\n\n{}\n\n- {severity}; {} has to act; applies to {}; since {}\n",
        rule.id,
        rule.name,
        rule.requirement,
        rule.subject.word(),
        rule.check.applies_to(),
        rule.since
    );
    for cite in rule.cites {
        let _ = writeln!(out, "- {}: {}", cite.text(), cite.quote);
    }
    let _ = writeln!(out, "- If not: {}", rule.consequence);
    if let Some(code) = rule.hresult {
        let _ = writeln!(out, "- The user sees: `0x{code:08X}`");
    }
    let _ = writeln!(out, "- Remedy: {}", rule.remedy);
    if !rule.needs.is_empty() {
        let _ = writeln!(out, "- Not judged where one of these failed: {}", rule.needs.join(", "));
    }
    for example in rule.examples {
        let _ = writeln!(out, "- For example: {}", describe(example));
    }
    out
}

/// The edit in words.
pub fn describe(example: &Example) -> String {
    describe_edit(&example.edit)
}

fn describe_edit(edit: &Edit) -> String {
    match *edit {
        Edit::Several(edits) => edits.iter().map(describe_edit).collect::<Vec<_>>().join("; and "),
        Edit::Stop(step) => format!("the device stops before {step:?}"),
        Edit::Drop(step) => format!("{step:?} is not seen"),
        Edit::Connection("client-certificate") => "the device shows a client certificate".to_owned(),
        Edit::Connection(what) => format!("a connection that ends with `{what}`"),
        Edit::Own(what) => format!("`{what}` on our own leg"),
        Edit::Message { step, side, part, at, change } => {
            let part = match part {
                Part::Body => "body".to_owned(),
                Part::Header(name) => format!("header {name}"),
                Part::Target => "target".to_owned(),
                Part::Status => "status".to_owned(),
                Part::Framing => "framing".to_owned(),
                Part::Provisioning => "provisioning document".to_owned(),
                Part::Csr => "certificate request".to_owned(),
                Part::Certificate => "issued certificate".to_owned(),
            };
            let change = match change {
                Change::Set(value) if value.chars().count() > 60 => "set otherwise".to_owned(),
                Change::Set(value) => format!("set to `{}`", value.replace('\n', "\\n")),
                Change::Delete => "left out".to_owned(),
                Change::Duplicate => "given twice".to_owned(),
                Change::Insert(xml) => format!("gets `{xml}`"),
                Change::MoveBefore(sibling) => format!("moved before `{sibling}`"),
                Change::Rename(name) => format!("renamed to `{name}`"),
                Change::Corrupt => "corrupted".to_owned(),
                Change::Variant(name) => format!("made as `{name}`"),
            };
            let at = if at.is_empty() { String::new() } else { format!(" `{at}`") };
            format!("{step:?} {}: {part}{at} {change}", format!("{side:?}").to_lowercase())
        }
    }
}
