//! What each side calls its own: devices, users and servers have other names in another run, and mean the same.

use super::story::Story;
use crate::event::header;
use crate::message::{Content, read_request};

/// Shorter names turn up by chance, in bytes.
const SHORTEST: usize = 4;

/// The names of one side, and what they stand for; longest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<(String, &'static str)>);

impl Names {
    pub(super) fn of(story: &Story) -> Self {
        let mut names = Self::default();
        let enrollment = &story.enrollment;
        names.add(enrollment.device_id.as_deref(), "{device id}");
        names.add(enrollment.user.as_deref(), "{user}");
        for told in &story.exchanges {
            let request = &told.exchange.request;
            let host = header(&request.headers, "Host").map(|h| h.text().trim().to_owned());
            names.add(host.as_deref(), "{server}");
            let origin = told.exchange.upstream.as_ref().and_then(|u| u.origin.split_once("://"));
            names.add(origin.map(|(_, authority)| authority), "{server}");
            for name in [host.as_deref(), origin.map(|(_, authority)| authority)].into_iter().flatten() {
                names.add(name.rsplit_once(':').map(|(name, _)| name), "{server}");
            }
            let read = read_request(request);
            let message_id = read.soap.as_ref().and_then(|soap| soap.message_id.as_ref());
            names.add(message_id.map(|id| id.value.as_str()), "{message id}");
            match &read.content {
                Content::TokenRequest(token) => {
                    names.add(token.item("HWDevID").map(|f| f.value.as_str()), "{hardware id}");
                    names.add(token.device_id(), "{device id}");
                    let macs = token.items.iter().filter(|item| item.name == "MAC");
                    for mac in macs.filter_map(|item| item.value.as_ref()) {
                        names.add(Some(&mac.value), "{MAC}");
                    }
                }
                Content::DiscoverRequest(discover) => {
                    names.add(discover.email.as_ref().map(|f| f.value.as_str()), "{user}");
                }
                _ => {}
            }
        }
        names.0.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        names
    }

    fn add(&mut self, name: Option<&str>, stands_for: &'static str) {
        let Some(name) = name.filter(|name| name.len() >= SHORTEST) else { return };
        if !self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            self.0.push((name.to_owned(), stands_for));
        }
    }

    /// The text with every name replaced by what it stands for, in any case of its letters.
    pub(super) fn replaced(&self, text: &str) -> String {
        let replaced =
            self.0.iter().fold(text.to_owned(), |text, (name, stands_for)| replace(&text, name, stands_for));
        without_port(&replaced)
    }
}

/// The port belongs to the name.
fn without_port(text: &str) -> String {
    let mut parts = text.split("{server}:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(if rest.len() < part.len() { "{server}" } else { "{server}:" });
        out.push_str(rest);
    }
    out
}

fn replace(text: &str, name: &str, with: &str) -> String {
    // Only ASCII letters change their case here, so that positions in both are the same.
    let (lower, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, found) in lower.match_indices(&name) {
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push_str(with);
        from = at + found.len();
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_in_any_case_and_the_longest_first() {
        let mut names = Names::default();
        names.add(Some("mdm.example:8443"), "{server}");
        names.add(Some("mdm.example"), "{server}");
        names.add(Some("a"), "{user}");
        assert_eq!(names.0.len(), 2, "one letter is no name");
        names.0.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        assert_eq!(
            names.replaced("https://MDM.example:8443/a mdm.EXAMPLE é"),
            "https://{server}/a {server} é"
        );
    }
}
