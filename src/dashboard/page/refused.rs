//! Connections that ended before HTTP: what is known of them, and what to do.

use super::findings;
use crate::dashboard::line::{Page, Role};
use crate::dashboard::model::Model;
use crate::dashboard::text::{clock, grouped};
use crate::diagnosis::refusals;
use crate::message::certificate::Certificate;

pub(super) fn page(model: &Model, id: u64, width: usize) -> Page {
    let mut page = Page::default();
    let Some(group) = model.refused.get(id) else { return page };
    let connection = &group.connection;
    page.heading("What happened");
    let mut field = |label: &str, value: &str| {
        if !value.is_empty() {
            page.field(label, Role::Plain, value, width);
        }
    };
    field("reason", &group.reason);
    field("times", &grouped(group.count));
    field("first", &clock(group.first, &model.zone.0, false));
    field("latest", &clock(group.last, &model.zone.0, false));
    field("from", &group.address);
    field("host name", group.sni.as_deref().unwrap_or("none was sent"));
    field("listener", &connection.listener);
    if let Some(offered) = &connection.offered {
        field("offered", &offered.versions.join(", "));
        field("ALPN", &offered.alpn.join(", "));
    }
    for (index, der) in connection.chain.iter().enumerate() {
        let label = if index == 0 { "we served" } else { "" };
        let text =
            Certificate::read(der).map_or_else(|| "an unreadable certificate".to_owned(), |c| c.describe());
        field(label, &text);
    }
    let causes = refusals(connection);
    if !causes.is_empty() {
        page.heading("Causes");
    }
    for (entry, cause, certainty) in causes {
        page.field(certainty.word(), Role::Plain, &cause.cause, width);
        page.field(
            "",
            Role::Strong,
            &format!("→ {} ({} has to act)", cause.remedy, entry.owner.word()),
            width,
        );
    }
    page.heading("Findings");
    let found = findings::page(&group.findings, None, width);
    page.lines.extend(found.lines);
    page
}
