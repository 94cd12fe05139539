//! Placeholders of tokens that have a structure: JSON Web Tokens keep their shape and the claims that are no secrets,
//! base64 stays base64 of a placeholder, so that equal tokens stay equal however they are wrapped.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem;

use super::mask::Key;
use super::wrapping::write_base64;
use crate::message::{decode_base64, jwt};

/// Claims that say for whom, by whom and for how long a token is good, and whose it is: without its signature and its
/// nonces it is good for nothing.
const KEPT_CLAIMS: &[&str] = &[
    "aud",
    "iss",
    "exp",
    "nbf",
    "iat",
    "tid",
    "ver",
    "appid",
    "azp",
    "scp",
    "idtyp",
    "upn",
    "unique_name",
    "preferred_username",
    "deviceid",
];

/// Base64 of texts shorter than this is no wrapping, but a word.
const SHORTEST: usize = 24;
/// Wrappings are opened so many times.
const MAX_WRAPS: usize = 3;

impl Key {
    /// The placeholder of a credential, of the same length: see [`Key::mask`] for texts without a structure.
    pub(super) fn placeholder(&self, secret: &[u8]) -> Vec<u8> {
        // A token that is written otherwise than ours would be (padded, with blanks) keeps no structure.
        Some(self.unwrapped(secret, 0))
            .filter(|m| m.len() == secret.len())
            .unwrap_or_else(|| self.mask(secret))
    }

    fn unwrapped(&self, secret: &[u8], wraps: usize) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(secret) else { return self.mask(secret) };
        let inner = text.trim_ascii();
        if let Some(masked) = self.jwt(inner) {
            let start = text.len() - text.trim_ascii_start().len();
            let end = start + inner.len();
            let around = |range: Range<usize>| text.get(range).unwrap_or_default().as_bytes();
            return [around(0..start), masked.as_bytes(), around(end..text.len())].concat();
        }
        let wrapped = (inner.len() >= SHORTEST && wraps < MAX_WRAPS).then(|| decode_base64(inner)).flatten();
        match wrapped.filter(|bytes| is_printable(bytes)) {
            Some(bytes) => {
                let masked = self.unwrapped(&bytes, wraps + 1);
                write_base64(secret, &masked).unwrap_or_else(|| self.mask(secret))
            }
            None => self.mask(secret),
        }
    }

    /// `None` when it is no JSON Web Token.
    fn jwt(&self, text: &str) -> Option<String> {
        let Some([header, claims, signature]) = jwt::parts(text) else { return self.jwe(text) };
        jwt::object(header)?;
        jwt::object(claims)?;
        let claims = self.claims(URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?);
        let signature = self.mask(signature.as_bytes());
        Some(format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), String::from_utf8_lossy(&signature)))
    }

    /// A token of five parts is encrypted (RFC 7516): its header says how, and nothing else can be read.
    fn jwe(&self, text: &str) -> Option<String> {
        let (header, rest) = text.split_once('.').filter(|(_, rest)| rest.matches('.').count() == 3)?;
        jwt::object(header)?;
        Some(format!("{header}.{}", String::from_utf8_lossy(&self.mask(rest.as_bytes()))))
    }

    /// The JSON object with the values of all claims masked but those that are kept, and of the same length.
    fn claims(&self, mut json: Vec<u8>) -> Vec<u8> {
        for span in secret_values(&json) {
            let Some(value) = json.get(span.clone()) else { continue };
            // What stands behind a backslash must stay, or the text is no JSON any more.
            let masked = if value.contains(&b'\\') { vec![b'x'; value.len()] } else { self.mask(value) };
            if let Some(target) = json.get_mut(span) {
                target.copy_from_slice(&masked);
            }
        }
        json
    }
}

/// The contents of every string, at any depth, in the members that are not kept. The text is known to be an object.
fn secret_values(json: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut depth, mut at, mut kept, mut is_key) = (0_usize, 0, false, false);
    while let Some(byte) = json.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = string_end(json, at + 1);
                let text = at + 1..end;
                if depth == 1 && is_key {
                    let name = json.get(text).unwrap_or_default();
                    kept = KEPT_CLAIMS.iter().any(|claim| claim.as_bytes() == name);
                } else if !kept {
                    found.push(text);
                }
                at = end;
            }
            _ => {}
        }
        is_key = match byte {
            b'{' | b',' => depth == 1,
            b':' => false,
            _ => is_key,
        };
        at += 1;
    }
    found
}

/// Where the string ends that begins at `from`: at its closing quote.
fn string_end(json: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// Everything that has the shape of a JSON Web Token: a first part that begins as a JSON object does in base64, and
/// two or four more, with dots between. What stands before the first part in one word is no part of it.
pub(super) fn web_tokens(text: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for mark in ["ey", "ew"] {
        let (mut done, mut tries) = (0, 0);
        for start in memmem::find_iter(text, mark) {
            if start < done {
                continue;
            }
            let end = part_end(text, start);
            if text.get(end) != Some(&b'.') {
                // No part of this word is followed by another.
                (done, tries) = (end, 0);
                continue;
            }
            if let Some(end) = begins_token(text, start..end).then(|| token_end(text, end)).flatten() {
                found.push(start..end);
                (done, tries) = (end, 0);
                continue;
            }
            tries += 1;
            if tries == MAX_TRIES {
                (done, tries) = (end, 0);
            }
        }
    }
    found
}

/// So many beginnings are tried in one word.
const MAX_TRIES: usize = 8;

/// `{"` is enough; a brace with a blank behind it is there in words, too.
fn begins_token(text: &[u8], part: Range<usize>) -> bool {
    const SHORTEST_HEADER: usize = 10;
    let Some(header) = text.get(part).filter(|header| header.len() >= SHORTEST_HEADER) else { return false };
    match header {
        [b'e', b'y', b'J', ..] => true,
        [b'e', b'y', b'A', ..] | [b'e', b'w', b'o' | b'k' | b'0', ..] => {
            std::str::from_utf8(header).is_ok_and(|header| jwt::object(header).is_some())
        }
        _ => false,
    }
}

/// Where the token ends whose first part ends at `dot`; `None` when no third part follows.
fn token_end(text: &[u8], dot: usize) -> Option<usize> {
    let next = |dot: usize| (text.get(dot) == Some(&b'.')).then(|| part_end(text, dot + 1));
    let third = next(next(dot)?)?;
    let fifth = next(third).filter(|end| *end > third + 1).and_then(next);
    Some(fifth.unwrap_or(third))
}

/// Where the letters of base64 for URLs end.
fn part_end(text: &[u8], start: usize) -> usize {
    let letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=');
    let length = text.get(start..).unwrap_or_default().iter().take_while(|b| letter(b)).count();
    start + length
}

fn is_printable(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace())
    })
}

/// What a base64 credential holds, with its placeholder: a server's error page may have it without the wrapping.
pub(super) fn wrapped(secret: &[u8], masked: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let inner = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?.trim_ascii();
        (text.len() >= SHORTEST).then(|| decode_base64(text)).flatten().filter(|bytes| is_printable(bytes))
    };
    let (secret, masked) = (inner(secret)?, inner(masked)?);
    (secret.len() == masked.len()).then_some((secret, masked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Jwt;
    use base64::engine::general_purpose::STANDARD;

    fn key() -> Key {
        Key::new(&[7; 32])
    }

    fn token() -> String {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        format!(
            "{}.{}.{}",
            part(r#"{"typ":"JWT","alg":"RS256"}"#),
            part(
                r#"{ "aud": "urn:x", "oid":"0a1b2c3d","nested":{"aud":"inner"},"list":["one","t\"wo"],"exp":5,"upn":"a@b.example"}"#
            ),
            "c2lnbmF0dXJlLXNpZ25hdHVyZQ"
        )
    }

    #[test]
    fn a_token_keeps_its_shape_and_loses_what_it_is_good_for() {
        let masked = String::from_utf8(key().placeholder(token().as_bytes())).unwrap();
        assert_eq!(masked.len(), token().len());
        let jwt = Jwt::read(&masked).unwrap();
        assert_eq!((jwt.text("aud"), jwt.text("upn")), (Some("urn:x"), Some("a@b.example")));
        assert_eq!(jwt.claims["exp"], 5);
        assert!(jwt.text("oid").is_some_and(|oid| oid != "0a1b2c3d" && oid.len() == 8));
        assert_ne!(jwt.claims["nested"]["aud"], "inner");
        assert_ne!(jwt.claims["list"][0], "one");
        assert!(!masked.ends_with("c2lnbmF0dXJlLXNpZ25hdHVyZQ"));
    }

    #[test]
    fn a_wrapped_token_is_the_wrapped_placeholder() {
        for secret in [token(), "an opaque token of a sign-in page".to_owned()] {
            let plain = key().placeholder(secret.as_bytes());
            assert_ne!(plain, secret.as_bytes());
            let wrapped = key().placeholder(STANDARD.encode(&secret).as_bytes());
            assert_eq!(wrapped, STANDARD.encode(&plain).into_bytes());
        }
    }
}
