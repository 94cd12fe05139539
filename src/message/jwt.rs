//! The claims of a JSON Web Token (RFC 7519), for reading only: nothing here says that a token is genuine.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A token's header and claims; its signature is neither kept nor checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Jwt {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
}

impl Jwt {
    /// `None` when it is no token of three parts with JSON objects in the first two.
    pub fn read(text: &str) -> Option<Self> {
        let [header, claims, _] = parts(text.trim())?;
        Some(Self { header: object(header)?, claims: object(claims)? })
    }

    /// A claim that is a text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a time, in milliseconds since 1970 (RFC 7519 2, NumericDate).
    pub fn time(&self, claim: &str) -> Option<crate::event::Time> {
        let seconds = self.claims.get(claim)?.as_i64()?;
        Some(crate::event::Time(seconds.saturating_mul(1000)))
    }

    /// The user's principal name: Entra's first and second token versions name the claim differently.
    pub fn user(&self) -> Option<&str> {
        ["upn", "preferred_username", "unique_name"].iter().find_map(|claim| self.text(claim))
    }
}

/// Its three parts, still encoded.
pub(crate) fn parts(text: &str) -> Option<[&str; 3]> {
    let mut parts = text.split('.');
    let found = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(found)
}

/// A part that is a JSON object.
pub(crate) fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_and_other_texts_are_none() {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!(
            "{}.{}.c2ln",
            encode("{\"alg\":\"RS256\"}"),
            encode("{\"aud\":\"urn:x\",\"exp\":1772442000,\"upn\":\"a@b.example\"}")
        );
        let jwt = Jwt::read(&token).unwrap();
        assert_eq!((jwt.text("aud"), jwt.user()), (Some("urn:x"), Some("a@b.example")));
        assert_eq!(jwt.time("exp").unwrap().to_string(), "2026-03-02T09:00:00.000Z");
        for other in ["", "a.b.c", "a.b", &format!("{token}.x"), &token.replace("c2ln", "")[1..]] {
            assert!(Jwt::read(other).is_none(), "{other}");
        }
    }
}
