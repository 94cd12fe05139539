//! Tokens as Entra issues them, by a key of the simulation's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::key::{Key, KeyError};
use super::text::uuid;
use crate::event::Time;

const HOUR: i64 = 3_600_000;

/// A JSON Web Token of an hour's life for the enrollment server `audience`; `device` tells one of the user's devices
/// from another.
pub fn entra_token(
    (user, device): (&str, &str),
    audience: &str,
    now: Time,
    key: &Key,
) -> Result<String, KeyError> {
    let tenant = uuid(&[b"tenant", user.rsplit('@').next().unwrap_or_default().as_bytes()]);
    let seconds = |at: Time| at.0.div_euclid(1000);
    let header = serde_json::json!({ "typ": "JWT", "alg": "RS256", "kid": "simulation" });
    let claims = serde_json::json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": seconds(now),
        "nbf": seconds(now),
        "exp": seconds(now.plus_millis(HOUR)),
        "appid": "29d9ed98-a469-4536-ade2-f981bc1d605e",
        "deviceid": uuid(&[b"device", device.as_bytes()]).to_string(),
        "oid": uuid(&[b"object", user.as_bytes()]).to_string(),
        "scp": "mdm_delegation",
        "tid": tenant.to_string(),
        "upn": user,
        "ver": "1.0",
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}
