//! Which names say that what stands beside them is a secret: of elements, attributes, parms, form fields, members,
//! parameters and headers, in any case and with any signs between their words.

/// How the names of secrets end. What goes on after that is about a secret, and is none: `PasswordMinLength`.
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "challenge",
    "psk",
    "sharedkey",
    "keymaterial",
    "privatekey",
    "apikey",
    "accesskey",
    "wepkey",
    "networkkey",
    "productkey",
    "recoverykey",
    "assertion",
    "wresult",
    "aauthdata",
    "enrollmentdata",
    "nonce",
    "cookie",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "bearertoken",
    "sessiontoken",
    "pfxcertblob",
    "pxauthpw",
];

/// Names that are the endings of others which hold no secret, or a whole message.
const WHOLE: &[&str] = &["securitytoken"];

/// The last words of them all, as they are looked for in bytes.
pub(super) const LAST_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "challenge",
    "psk",
    "key",
    "material",
    "assertion",
    "wresult",
    "data",
    "nonce",
    "cookie",
    "token",
    "blob",
    "pw",
];

/// What the names of parameters end in, too: of OAuth 2.0, OpenID Connect, SAML, and of signed addresses.
const PARAMETER_ENDINGS: &[&str] = &[
    "token",
    "tokenhint",
    "samlresponse",
    "samlrequest",
    "verifier",
    "signature",
    "credential",
    "sessionid",
    "jwt",
];
const WHOLE_PARAMETERS: &[&str] = &["code", "sig", "ticket", "opaqueblob", "pwd", "logintoken", "key"];

/// What the names of secret headers have in them. No name that an enrollment needs has.
const HEADER_WORDS: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "assertion",
    "jwt",
    "oidc",
    "saml",
    "credential",
    "session",
    "cookie",
    "authorization",
    "apikey",
    "csrf",
    "xsrf",
    "nonce",
    "signature",
];
const HEADER_ENDINGS: &[&str] = &["key", "auth"];

pub(super) fn is_secret(name: &str) -> bool {
    let name = letters(name);
    WHOLE.contains(&name.as_str()) || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

pub(super) fn is_secret_parameter(name: &str) -> bool {
    let bare = letters(name);
    is_secret(name)
        || WHOLE_PARAMETERS.contains(&bare.as_str())
        || PARAMETER_ENDINGS.iter().any(|ending| bare.ends_with(ending))
}

pub(super) fn is_secret_header(name: &str) -> bool {
    let name = letters(name);
    // CORS speaks of credentials, and has none.
    !name.starts_with("accesscontrol")
        && (HEADER_WORDS.iter().any(|word| name.contains(word))
            || HEADER_ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// `client_secret`, `Client-Secret` and `clientSecret` are one name.
fn letters(name: &str) -> String {
    if name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return name.to_ascii_lowercase();
    }
    let mut letters = String::with_capacity(name.len());
    letters.extend(name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()));
    letters
}
