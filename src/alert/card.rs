//! An alert as an Adaptive Card for Microsoft Teams.

use serde_json::{Value, json};

use super::shape::mark;
use super::told::{Alert, State};
use crate::rules::Level;

/// Runs of rich text only: unlike text blocks and facts, they know no Markdown, and nothing in them is a link.
pub(super) fn card(alert: &Alert, capture: Option<&str>) -> Value {
    let colour = match (alert.state, alert.severity) {
        (State::Over, _) => "Good",
        (_, Level::Error) => "Attention",
        (_, Level::Warning) => "Warning",
        (_, Level::Info) => "Default",
    };
    let title = format!("{}: {}", mark(alert), alert.title);
    let mut body = vec![
        json!({ "type": "RichTextBlock", "inlines": [
            { "type": "TextRun", "text": literal(&title), "size": "Large", "weight": "Bolder", "color": colour },
        ]}),
        json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": literal(&alert.text) }] }),
    ];
    body.extend(alert.facts(capture).iter().map(|(name, value)| {
        json!({ "type": "RichTextBlock", "spacing": "Small", "inlines": [
            { "type": "TextRun", "text": format!("{name}: "), "weight": "Bolder" },
            { "type": "TextRun", "text": literal(value) },
        ]})
    }));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "fallbackText": "An alert of enrollscope",
                "body": body,
            },
        }],
    })
}

/// Dates in double braces would be put into the reader's time, and be somebody else's words.
fn literal(text: &str) -> String {
    text.replace("{{", "{ {")
}
