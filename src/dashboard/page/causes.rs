//! Why an enrollment stands where it stands, with what helps, and what is known of the code that the user sees.

use super::device::{level_role, outcome_role};
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::Model;
use crate::diagnosis::{Certainty, Knowledge, Reason, on_device, reasons, told};
use crate::enrollment::{Cause, Enrollment, Outcome};
use crate::event::ExchangeId;
use crate::rules::Level;

pub(super) fn page(model: &Model, enrollment: &Enrollment, width: usize) -> Page {
    let mut page = Page::default();
    for line in Line::new(outcome_role(enrollment.outcome), &told(enrollment, model.now)).folded(width, 2) {
        page.push(line);
    }
    let reasons = reasons(enrollment);
    if let Cause::Finding { rule, .. } = &enrollment.cause
        && enrollment.outcome != Outcome::Enrolled
    {
        page.blank();
        page.push(
            Line::new(level_role(Level::Error), rule.id).and(Role::Plain, " ").and(Role::Strong, rule.name),
        );
        page.field("so", Role::Plain, rule.consequence, width);
        page.field("remedy", Role::Strong, rule.remedy, width);
    }
    if let Some(device) = on_device(enrollment) {
        page.field("on device", Role::Plain, &device.words(), width);
    }
    for reason in &reasons {
        page.blank();
        cause(&mut page, model, reason, width);
    }
    let explained = matches!(enrollment.cause, Cause::Finding { .. });
    if reasons.is_empty()
        && !explained
        && matches!(enrollment.outcome, Outcome::Enrolled | Outcome::InProgress)
    {
        page.push(Line::new(Role::Dim, "Nothing to explain so far."));
    }
    if let Some(code) = enrollment.hresult {
        for entry in Knowledge::built_in().by_code(code) {
            page.heading(&format!("0x{code:08X} {}", entry.name()));
            page.field("meaning", Role::Plain, &entry.meaning, width);
            page.field("on wire", Role::Plain, &entry.wire, width);
            let told = |cause: &&_| reasons.iter().any(|reason| std::ptr::eq(reason.cause, *cause));
            for cause in entry.causes.iter().filter(|cause| !told(cause)) {
                page.field("cause", Role::Plain, &cause.cause, width);
                page.field("", Role::Dim, &cause.remedy, width);
            }
        }
    }
    page
}

fn cause(page: &mut Page, model: &Model, reason: &Reason, width: usize) {
    let role = if reason.certainty == Certainty::Possible { Role::Plain } else { Role::Strong };
    let head = Line::new(Role::Dim, &format!("{}: ", reason.certainty.word())).and(role, &reason.cause.cause);
    for line in head.folded(width, 2) {
        page.push(line);
    }
    page.field("remedy", Role::Strong, &reason.cause.remedy, width);
    for (product, words) in reason.cause.products.all() {
        page.field("", Role::Plain, &format!("{product}: {words}"), width);
    }
    page.field("who acts", Role::Plain, reason.entry.owner.word(), width);
    let told: Vec<_> = reason.evidence.iter().map(|(rule, id)| evidence(model, *rule, id)).collect();
    page.field("told by", Role::Dim, &told.join(", "), width);
}

/// `DISC-REQ-007 in #12`
fn evidence(model: &Model, rule: Option<&str>, id: &ExchangeId) -> String {
    let number = model.exchanges.by_id(id);
    let number = number.map_or_else(|| "an earlier exchange".to_owned(), |seen| format!("#{}", seen.seq));
    rule.map_or_else(|| number.clone(), |rule| format!("{rule} in {number}"))
}
