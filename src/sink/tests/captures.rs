//! Captures read whole, for comparing.

use super::*;

pub(super) fn origin() -> Origin {
    let redaction = Redaction { level: "secrets".to_owned(), key: Some("k1".to_owned()) };
    Origin { tool: "0.1.0".to_owned(), redaction }
}

pub(super) fn items(bytes: &[u8]) -> Vec<Item> {
    Reader::new(bytes).unwrap().map(Result::unwrap).collect()
}

/// The records that are sound.
pub(super) fn records(bytes: &[u8]) -> Vec<Record> {
    let sound = |item| match item {
        Item::Record(recorded) if recorded.seal == Seal::Intact => Some(recorded.record),
        Item::Record(_) | Item::Damage(_) => None,
    };
    items(bytes).into_iter().filter_map(sound).collect()
}

/// Each record in a word or two.
pub(super) fn told(bytes: &[u8]) -> Vec<String> {
    records(bytes).iter().map(tell).collect()
}

pub(super) fn tell(record: &Record) -> String {
    match record {
        Record::Exchange(exchange) => format!("exchange {}", exchange.seq),
        Record::End(end) => format!("end of {}", end.of),
        Record::Connection(connection) => format!("connection {}", connection.id),
        Record::Session(session) => format!("session, cut {}", session.cut),
        Record::Gap { lost, .. } => format!("gap {lost}"),
        Record::Closed(closed) => format!("closed, {} recorded, {} lost", closed.recorded, closed.lost),
        Record::Other(kind) => kind.clone(),
    }
}

/// What the engine is given when the capture is played.
pub(super) fn events(path: &Path) -> Vec<Event> {
    let event = |played| if let Played::Event { event, .. } = played { Some(event) } else { None };
    Play::new(crate::sink::read(path).unwrap()).filter_map(|p| event(p.unwrap())).collect()
}
