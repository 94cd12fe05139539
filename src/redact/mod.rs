//! Secrets out, shape kept: once, before anything is recorded or judged. Three layers: the structure of messages that
//! can be parsed, a lexical pass by name over what cannot, and a search for every value so found in the rest of the
//! exchange. If in doubt a text is withheld, never passed on raw.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod exchange;
mod find;
mod forms;
mod mask;
#[cfg(test)]
mod tests;
mod token;

pub use exchange::{Level, Redactor};
pub use mask::Key;

/// Names (of elements, attributes, form fields and `parm`s, in any case) whose values are secrets.
pub(crate) const SECRET_NAMES: &[&str] = &[
    "Password",
    "wresult",
    "AAUTHSECRET",
    "AAUTHDATA",
    "Nonce",
    "EnrollmentData",
    "SecurityToken",
    "client_secret",
];
