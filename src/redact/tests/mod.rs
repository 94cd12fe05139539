//! Nothing secret is left, in any form, and everything that is judged stays as it was.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;

use super::*;
use crate::event::{Body, Exchange, Header, Request, Response};
use crate::xml::Document;

mod leaks;
mod masked;

const SECRET: &str = "Pl4nted-S3cret%Value~7q";

fn redactor() -> Redactor {
    Redactor::new(Level::Secrets, false, Key::new(&[7; 32]))
}

/// The four forms in which a secret must not be found.
fn appears(haystack: &[u8], secret: &str) -> bool {
    let url: String = secret
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                (b as char).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let forms = [
        secret.to_owned(),
        url,
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        secret.replace('&', "&amp;"),
    ];
    forms.iter().any(|form| {
        haystack
            .windows(form.len())
            .any(|w| w == form.trim_end_matches('=').as_bytes() || w == form.as_bytes())
    })
}
