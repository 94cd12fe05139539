//! What codes and rules mean: from the knowledge base and the catalogue.

use crate::dashboard::line::{Line, Page, Role};
use crate::diagnosis::{Entry, Explanation, Knowledge, explain};
use crate::rules::Rule;

pub(super) fn page(text: &str, width: usize) -> Page {
    let mut page = Page::default();
    for explanation in explain(text, Knowledge::built_in()) {
        if let Some(rule) = explanation.rule {
            about_rule(&mut page, rule, width);
        }
        for entry in &explanation.entries {
            about(&mut page, explanation.code, entry, width);
        }
        if !explanation.is_known() {
            unknown(&mut page, &explanation, width);
        }
    }
    page
}

fn about_rule(page: &mut Page, rule: &Rule, width: usize) {
    page.heading(&format!("{} {}", rule.id, rule.name));
    page.field("wanted", Role::Plain, rule.requirement, width);
    page.field("so", Role::Plain, rule.consequence, width);
    page.field("remedy", Role::Strong, rule.remedy, width);
    page.field("who acts", Role::Plain, rule.subject.word(), width);
    for (index, cite) in rule.cites.iter().enumerate() {
        let label = if index == 0 { "source" } else { "" };
        page.field(label, Role::Dim, &format!("{}: {}", cite.text(), cite.quote), width);
    }
}

fn about(page: &mut Page, code: Option<u32>, entry: &Entry, width: usize) {
    let code = code.map(|code| format!("0x{code:08X} ")).unwrap_or_default();
    page.heading(&format!("{code}{}", entry.name()));
    page.field("meaning", Role::Plain, &entry.meaning, width);
    for said in &entry.says {
        page.field("on screen", Role::Plain, &format!("“{said}”"), width);
    }
    page.field("on wire", Role::Plain, &entry.wire, width);
    page.field("who acts", Role::Plain, entry.owner.word(), width);
    for cause in &entry.causes {
        page.field("cause", Role::Plain, &cause.cause, width);
        page.field("", Role::Strong, &format!("→ {}", cause.remedy), width);
        for (product, words) in cause.products.all() {
            page.field("", Role::Plain, &format!("{product}: {words}"), width);
        }
    }
    if let Some(differs) = &entry.differs {
        page.field("tables", Role::Dim, differs, width);
    }
    page.field("source", Role::Dim, &entry.sources.join("; "), width);
}

/// Taken apart, as far as that tells anything.
fn unknown(page: &mut Page, explanation: &Explanation<'_>, width: usize) {
    page.push(Line::new(Role::Strong, &explanation.input));
    match explanation.parts() {
        Some(parts) => {
            let says = parts.says.unwrap_or_else(|| "nothing is known of it".into());
            page.field(
                "from",
                Role::Plain,
                parts.component.unwrap_or("a component that is not known"),
                width,
            );
            page.field("says", Role::Plain, &says, width);
        }
        None => page.field("", Role::Plain, "nothing is known of it", width),
    }
}
