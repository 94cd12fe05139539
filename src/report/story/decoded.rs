//! Certificates, settings, device and policy as the messages have them, in tables.

use std::fmt::Write as _;

use super::text;
use crate::compare::Story;
use crate::message::certificate::{Certificate, algorithm_name};
use crate::message::{Content, read_request, read_response};

/// As the rows of a definition list.
pub(super) fn facts(story: &Story) -> String {
    let e = &story.enrollment;
    let mut out = String::new();
    let mut row = |name: &str, value: &str| {
        if !value.trim().is_empty() {
            let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", text(name), text(value));
        }
    };
    row("user", e.user.as_deref().unwrap_or_default());
    row("device", e.device_name.as_deref().unwrap_or_default());
    row("DeviceID", e.device_id.as_deref().unwrap_or_default());
    row("Windows", e.os_version.as_deref().unwrap_or_default());
    row("way", e.flow.word());
    row("address", &e.address);
    row("host", &e.host);
    row("began", &e.started.to_string());
    for (name, value) in &e.signs.traits {
        row(name, value);
    }
    for told in &story.exchanges {
        if let Content::TokenRequest(token) = read_request(&told.exchange.request).content {
            for item in &token.items {
                row(&item.name, item.value.as_ref().map_or("", |value| &value.value));
            }
            if let Some(csr) = &token.csr {
                row("asked for", &format!("{}, {}", csr.subject, csr.key.words()));
            }
        }
        let Some(response) = &told.exchange.response else { continue };
        let message = read_response(response);
        if let Content::DiscoverResponse(found) = &message.content {
            let fields = [
                ("AuthPolicy", &found.auth_policy),
                ("EnrollmentVersion", &found.version),
                ("policy service", &found.policy_url),
                ("enrollment service", &found.enrollment_url),
                ("sign-in page", &found.authentication_url),
            ];
            for (name, field) in fields {
                row(name, field.as_ref().map_or("", |field| &field.value));
            }
        }
        if let Some(document) = message.provisioning() {
            for stored in &document.certificates {
                let shown =
                    stored.certificate.as_ref().map_or("an unreadable certificate".to_owned(), certificate);
                row(&format!("{}/{}", stored.store, stored.location), &shown);
            }
        }
    }
    out
}

/// What the server's policies ask for, as such rows; empty where none was sent.
pub(super) fn policy(story: &Story) -> String {
    let mut out = String::new();
    for response in story.exchanges.iter().filter_map(|told| told.exchange.response.as_ref()) {
        if let Content::GetPoliciesResponse(policy) = read_response(response).content {
            for (name, value) in policy.told() {
                let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", text(&name), text(&value));
            }
        }
    }
    out
}

fn certificate(certificate: &Certificate) -> String {
    let date = |time: Option<crate::event::Time>| {
        time.map_or_else(|| "?".to_owned(), |time| time.to_string().chars().take(10).collect())
    };
    format!(
        "{}, issued by {}, {} to {}, {}, {}, thumbprint {}",
        certificate.subject,
        certificate.issuer,
        date(certificate.not_before),
        date(certificate.not_after),
        certificate.key.words(),
        algorithm_name(&certificate.signature_algorithm),
        certificate.thumbprint
    )
}
