//! What is read on the screen, as lines whose pieces say what they are.

mod causes;
mod compared;
mod decoded;
pub(super) mod device;
mod explained;
pub(super) mod findings;
pub(super) mod header;
mod help;
mod message;
mod over;
mod refused;
mod site;
pub(super) mod summary;
mod timeline;
mod xml;

use super::line::{Line, Page, Role};
use super::model::Model;
use super::rows::RowId;
use super::screen::{Screen, Tab};
use crate::event::Side;

pub(super) use over::over;

/// The page of the sheet, for so many columns.
pub(super) fn build(model: &Model, width: usize) -> Page {
    if model.ui.screen == Screen::Overview {
        return match model.selected_row() {
            Some(row) => match row.id {
                RowId::Refused(id) => refused::page(model, id, width),
                _ => device::timeline(model, row, width),
            },
            None => Page::default(),
        };
    }
    if let Some(RowId::Refused(id)) = model.ui.opened {
        return refused::page(model, id, width);
    }
    let Some(seen) = model.selected_exchange() else {
        let mut page = Page::default();
        page.push(Line::new(Role::Dim, "Only the newest 20,000 exchanges are kept here; its own are older."));
        return page;
    };
    let whole = model.whole(seen.serial);
    match (model.ui.tab, whole) {
        (Tab::Findings, _) => findings::page(&seen.findings, Some(model.ui.finding), width),
        (Tab::Causes, _) => match seen.enrollment.and_then(|id| model.enrollment(id)) {
            Some(enrollment) => causes::page(model, enrollment, width),
            None => message::absent(model, width),
        },
        (Tab::Time, _) => match &model.opened {
            Some(row) => timeline::page(model, row, width),
            None => message::absent(model, width),
        },
        (Tab::Summary, whole) => summary::page(model, seen, whole.as_deref(), width),
        (_, None) => message::absent(model, width),
        (Tab::Request, Some(exchange)) => message::page(&exchange, Side::Request, &model.ui, width),
        (Tab::Response, Some(exchange)) => message::page(&exchange, Side::Response, &model.ui, width),
        (Tab::Decoded, Some(exchange)) => decoded::page(&exchange, &model.ui, width),
    }
}

/// The message that is shown, as received rather than as laid out; none where no message is shown.
pub(super) fn message_text(model: &Model) -> Option<String> {
    let side = match model.ui.tab {
        Tab::Request => Side::Request,
        Tab::Response => Side::Response,
        Tab::Summary | Tab::Findings | Tab::Decoded | Tab::Causes | Tab::Time => return None,
    };
    Some(message::text(&*model.whole(model.selected_exchange()?.serial)?, side))
}
