//! Small text that both sides of the simulation write.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use crate::event::Header;

pub(super) const SOAP_TYPE: &str = "application/soap+xml; charset=utf-8";
pub(super) const SYNC_TYPE: &str = "application/vnd.syncml.dm+xml";

pub(super) fn headers<const N: usize>(headers: [(&str, String); N]) -> Vec<Header> {
    headers.into_iter().map(|(name, value)| Header::new(name, value)).collect()
}

/// Bytes that look random and are the same for the same parts.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, &parts.concat()).as_ref());
    out
}

/// Upper-case hexadecimal digits of such bytes.
pub(super) fn hex(parts: &[&[u8]]) -> String {
    hash(parts).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

/// A UUID of such bytes.
pub(super) fn uuid(parts: &[&[u8]]) -> uuid::Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash(parts).split_at(16).0);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
