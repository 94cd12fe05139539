//! Session archives, as Fiddler saves them: of each session a request, an answer and a file of facts, here taken as bytes.

mod facts;
mod session;

#[cfg(test)]
mod tests;

pub use session::{Conversation, Piece, Session};

/// What a file of an archive is of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Request,
    Response,
    Facts,
    /// Messages of a WebSocket, or of gRPC.
    Messages,
}

/// The session and the part by the name of a file: `raw/12_c.txt`. `None` if it is not of a session. A name is nothing
/// but this: no path is made of it.
pub fn part(name: &[u8]) -> Option<(u64, Part)> {
    let name = std::str::from_utf8(name).ok()?;
    let file = name.strip_prefix("raw/").or_else(|| name.strip_prefix("raw\\"))?;
    let (number, kind) = file.split_once('_')?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = match kind {
        "c.txt" => Part::Request,
        "s.txt" => Part::Response,
        "m.xml" => Part::Facts,
        "w.txt" | "g.txt" => Part::Messages,
        _ => return None,
    };
    Some((number.parse().ok()?, part))
}

/// Whether a file begins as zip archives do.
pub fn is_one(start: &[u8]) -> bool {
    // The second one is of an archive that is empty.
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}
