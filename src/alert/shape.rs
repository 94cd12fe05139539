//! The forms in which an alert is sent: as it is, or as a chat shows it.

use serde_json::{Value, json};

use super::card::card;
use super::told::{Alert, State};
use crate::rules::Level;

/// What the receiver reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The alert's own fields.
    Json,
    /// A message with an Adaptive Card, as workflows of Microsoft Teams take it.
    Teams,
    /// A text with blocks.
    Slack,
}

/// Hosts, and all below them, whose receivers are known.
const HOSTS: &[(&str, Shape)] = &[
    ("hooks.slack.com", Shape::Slack),
    ("hooks.slack-gov.com", Shape::Slack),
    ("webhook.office.com", Shape::Teams),
    ("logic.azure.com", Shape::Teams),
    ("powerplatform.com", Shape::Teams),
];

impl Shape {
    /// What a receiver at this host reads.
    pub fn of_host(host: &str) -> Self {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let below =
            |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        HOSTS.iter().find(|(known, _)| below(known)).map_or(Self::Json, |(_, shape)| *shape)
    }

    /// What is sent. `capture` is the capture's file name.
    pub fn of(self, alert: &Alert, capture: Option<&str>) -> Value {
        match self {
            Self::Json => alert.json(capture),
            Self::Teams => card(alert, capture),
            Self::Slack => slack(alert, capture),
        }
    }
}

/// How bad it is, at a glance and without colours.
pub(super) fn mark(alert: &Alert) -> &'static str {
    match (alert.state, alert.severity) {
        (State::Over, _) => "OK",
        (_, Level::Error) => "ERROR",
        (_, Level::Warning) => "WARNING",
        (_, Level::Info) => "INFO",
    }
}

/// Plain text everywhere, so that nothing is a link, a mention or an emoji because of what a device says.
fn slack(alert: &Alert, capture: Option<&str>) -> Value {
    let plain = |text: &str| json!({ "type": "plain_text", "text": escaped(text), "emoji": false });
    let title = format!("{}: {}", mark(alert), alert.title);
    let facts = alert.facts(capture);
    let fields: Vec<_> =
        facts.iter().take(10).map(|(name, value)| plain(&format!("{name}: {value}"))).collect();
    json!({
        "text": escaped(&format!("{title}. {}", alert.text)),
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": [
            // A headline has at most 150 characters, which escaping may exceed.
            { "type": "section", "text": plain(&title) },
            { "type": "section", "text": plain(&alert.text) },
            { "type": "section", "fields": fields },
        ],
    })
}

/// Slack's control characters; there are no others. A section takes 3,000 characters and a field 2,000, as they are
/// written: with one more, nothing arrives at all.
fn escaped(text: &str) -> String {
    const LONGEST: usize = 1_900;
    let (mut out, mut length) = (String::with_capacity(text.len()), 0);
    for c in text.chars() {
        let start = out.len();
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
        length += if c.is_ascii() { out.len() - start } else { 1 };
        if length > LONGEST {
            out.truncate(start);
            out.push('…');
            break;
        }
    }
    out
}
