//! Findings with everything they teach, and the way from one to its place in the message.

use super::device::level_role;
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::screen::{Tab, Target};
use crate::event::Side;
use crate::message::Within;
use crate::rules::Finding;

/// `selected` is the one that Enter goes from; none where they are only listed.
pub(crate) fn page(findings: &[Finding], selected: Option<usize>, width: usize) -> Page {
    let mut page = Page::default();
    if findings.is_empty() {
        page.push(Line::new(Role::Good, "  No findings."));
    }
    for (index, finding) in findings.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        let here = selected == Some(index);
        if here {
            page.focus = Some(page.lines.len());
        }
        let rule = finding.rule;
        let mark = if here { "> " } else { "  " };
        page.push(
            Line::new(if here { Role::Strong } else { Role::Plain }, mark)
                .and(level_role(finding.level), finding.level.word())
                .and(Role::Plain, " ")
                .and(Role::Strong, rule.id)
                .and(Role::Plain, " ")
                .and(Role::Strong, rule.name),
        );
        page.field("at", Role::Plain, &place(finding), width);
        page.field("found", level_role(finding.level), &finding.found, width);
        page.field("expected", Role::Good, &finding.expected, width);
        page.field("why", Role::Plain, rule.requirement, width);
        let basis = rule.basis().word();
        let code =
            finding.hresult.map(|c| format!(" The user sees 0x{c:08X} ({basis}).")).unwrap_or_default();
        page.field("so", Role::Plain, &format!("{}{code}", rule.consequence), width);
        let remedy = format!("{} ({} has to act)", rule.remedy, finding.subject.word());
        page.field("remedy", Role::Strong, &remedy, width);
        for (index, cite) in rule.cites.iter().enumerate() {
            let label = if index == 0 { "source" } else { "" };
            page.field(label, Role::Dim, &format!("{}: {}", cite.text(), cite.quote), width);
        }
    }
    page
}

fn place(finding: &Finding) -> String {
    let side = match finding.side {
        Some(Side::Request) => "request ",
        Some(Side::Response) => "response ",
        None => "",
    };
    let place = match (finding.within, finding.place) {
        (Within::Connection, _) | (_, None) => String::new(),
        (Within::Head, Some(p)) => format!(", line {}", p.line),
        (Within::Csr | Within::Certificate, Some(p)) => format!(", byte {}", p.offset),
        (_, Some(p)) => format!(", line {}, column {} (byte {})", p.line, p.column, p.offset),
    };
    let path = if finding.path.is_empty() { String::new() } else { format!(": {}", finding.path) };
    format!("{side}{}{path}{place}", finding.within.word())
}

/// Where the finding's place is shown; none for what is in no message.
pub(crate) fn target(finding: &Finding) -> Option<(Tab, Target)> {
    let tab = match (finding.within, finding.side?) {
        (Within::Connection, _) => return None,
        (Within::Provisioning | Within::Csr | Within::Certificate | Within::Credential, _) => Tab::Decoded,
        (Within::Body | Within::Head, Side::Request) => Tab::Request,
        (Within::Body | Within::Head, Side::Response) => Tab::Response,
    };
    let place = finding.place.unwrap_or_default();
    let target = Target {
        side: finding.side,
        within: finding.within,
        offset: place.offset,
        length: place.length,
        line: place.line,
        outer: finding.outer_offset,
    };
    Some((tab, target))
}
