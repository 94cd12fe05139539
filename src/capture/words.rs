//! The words that stand for enum values: one spelling for writing and reading.

use crate::event::{ConnectionEvent, Delivery, Framing, From, Reason, Side, Version};

/// Finds the value that `spell` writes as `word`.
fn value<T: Copy, const N: usize>(
    all: [T; N],
    spell: fn(T) -> &'static str,
    word: &str,
) -> Result<T, String> {
    all.into_iter().find(|v| spell(*v) == word).ok_or_else(|| {
        let known: Vec<_> = all.into_iter().map(spell).collect();
        format!("`{word}` is none of {}", known.join(", "))
    })
}

pub(super) fn version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
        Version::Http2 => "2",
    }
}

pub(super) fn to_version(word: &str) -> Result<Version, String> {
    value([Version::Http10, Version::Http11, Version::Http2], version, word)
}

pub(super) fn framing(framing: Framing) -> &'static str {
    match framing {
        Framing::Length => "length",
        Framing::Chunked => "chunked",
        Framing::Close => "close",
        Framing::H2 => "h2",
        Framing::None => "none",
    }
}

pub(super) fn to_framing(word: &str) -> Result<Framing, String> {
    value([Framing::Length, Framing::Chunked, Framing::Close, Framing::H2, Framing::None], framing, word)
}

pub(super) fn from(from: From) -> &'static str {
    match from {
        From::Upstream => "upstream",
        From::Enrollscope => "enrollscope",
    }
}

pub(super) fn to_from(word: &str) -> Result<From, String> {
    value([From::Upstream, From::Enrollscope], from, word)
}

pub(super) fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Pending => "pending",
        Delivery::Complete => "complete",
        Delivery::Cut => "cut",
        Delivery::Reset => "reset",
    }
}

pub(super) fn to_delivery(word: &str) -> Result<Delivery, String> {
    value([Delivery::Pending, Delivery::Complete, Delivery::Cut, Delivery::Reset], delivery, word)
}

pub(super) fn side(side: Side) -> &'static str {
    match side {
        Side::Request => "request",
        Side::Response => "response",
    }
}

pub(super) fn to_side(word: &str) -> Result<Side, String> {
    value([Side::Request, Side::Response], side, word)
}

pub(super) fn connection_event(event: ConnectionEvent) -> &'static str {
    match event {
        ConnectionEvent::Opened => "opened",
        ConnectionEvent::Failed => "failed",
        ConnectionEvent::Closed => "closed",
    }
}

pub(super) fn to_connection_event(word: &str) -> Result<ConnectionEvent, String> {
    value([ConnectionEvent::Opened, ConnectionEvent::Failed, ConnectionEvent::Closed], connection_event, word)
}

/// The word, and the detail that some reasons carry.
pub(super) fn reason(reason: &Reason) -> (&'static str, Option<&str>) {
    match reason {
        Reason::Alert(name) => ("alert", Some(name)),
        Reason::SilentAfterCertificate => ("silent-after-certificate", None),
        Reason::ClosedInHandshake => ("closed-in-handshake", None),
        Reason::Refused(why) => ("refused", Some(why)),
        Reason::Unwanted(why) => ("refused-as-configured", Some(why)),
        Reason::PlainHttp => ("plain-http", None),
        Reason::Garbage => ("garbage", None),
        Reason::BadHead(why) => ("bad-head", Some(why)),
        Reason::Timeout(of) => ("timeout", Some(of)),
        Reason::ClosedByDevice => ("closed-by-device", None),
        Reason::Reset => ("reset", None),
        Reason::ClosedByServer => ("closed-by-server", None),
        Reason::ClosedByUs => ("closed-by-us", None),
    }
}

pub(super) fn to_reason(word: &str, detail: String) -> Result<Reason, String> {
    Ok(match word {
        "alert" => Reason::Alert(detail),
        "silent-after-certificate" => Reason::SilentAfterCertificate,
        "closed-in-handshake" => Reason::ClosedInHandshake,
        "refused" => Reason::Refused(detail),
        "refused-as-configured" => Reason::Unwanted(detail),
        "plain-http" => Reason::PlainHttp,
        "garbage" => Reason::Garbage,
        "bad-head" => Reason::BadHead(detail),
        "timeout" => Reason::Timeout(detail),
        "closed-by-device" => Reason::ClosedByDevice,
        "reset" => Reason::Reset,
        "closed-by-server" => Reason::ClosedByServer,
        "closed-by-us" => Reason::ClosedByUs,
        _ => return Err(format!("`{word}` is no reason for a connection's end")),
    })
}
