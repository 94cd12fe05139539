//! Error codes as Windows shows them: what they are called, and what they mean in a few words.

use super::knowledge::{Knowledge, Platform};
use crate::message::authority_error;

/// The symbol and the meaning, as a clause, of a code that a device shows, or that the authority behind the server
/// gives; HTTP statuses in HRESULT form (facility 0x19) are taken apart.
pub fn hresult(code: u32) -> Option<(String, String)> {
    let status = code & 0xFFFF;
    match (code >> 16, status) {
        (0x8019, 200) => return Some(("HTTP 200".to_owned(), "an answer that cannot be used".to_owned())),
        (0x8019, 201..=599) => {
            return Some((format!("HTTP {status}"), format!("the HTTP status {status}")));
        }
        _ => {}
    }
    let mut known = Knowledge::built_in().by_code(code).filter(|entry| entry.platform == Platform::Windows);
    if let Some(entry) = known.next() {
        return Some((entry.name().to_owned(), entry.clause().to_owned()));
    }
    authority_error(code).map(|(symbol, meaning)| (symbol, meaning.to_owned()))
}
