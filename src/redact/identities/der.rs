//! Names inside certificates and requests: DER whose lengths stay as they are.

use std::ops::Range;

use crate::message::certificate::{Certificate, is_der, sha1_hex};

/// Deeper structures than any certificate has.
const MAX_DEPTH: usize = 24;

/// The DER with every text in it changed by `mask`, which keeps lengths; keys and signatures stay.
pub(super) fn masked(der: &[u8], mask: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut spans = Vec::new();
    texts(der, 0..der.len(), 0, &mut spans);
    let mut out = der.to_vec();
    for span in spans {
        let Some(old) = der.get(span.clone()) else { continue };
        let new = mask(old);
        if let Some(place) = out.get_mut(span).filter(|place| place.len() == new.len()) {
            place.copy_from_slice(&new);
        }
    }
    out
}

/// What a certificate is called before and after; `None` when it is none.
pub(super) fn thumbprints(before: &[u8], after: &[u8]) -> Option<(String, String)> {
    Certificate::read(before).map(|_| (sha1_hex(before), sha1_hex(after)))
}

/// The spans of texts: string types, names in extensions, and octets that are nothing but printable.
fn texts(der: &[u8], within: Range<usize>, depth: usize, found: &mut Vec<Range<usize>>) {
    let mut at = within.start;
    while at < within.end {
        let Some((tag, content)) = element(der, at, within.end) else { return };
        at = content.end;
        let bytes = der.get(content.clone()).unwrap_or_default();
        match tag {
            _ if tag & 0x20 != 0 && depth < MAX_DEPTH => texts(der, content, depth + 1, found),
            // UTF8String, NumericString, PrintableString, T61String, IA5String, VisibleString, BMPString.
            0x0C | 0x12 | 0x13 | 0x14 | 0x16 | 0x1A | 0x1E => found.push(content),
            // In a GeneralName: mail, DNS and address of a page; and an IP address (RFC 5280 4.2.1.6).
            0x81 | 0x82 | 0x86 | 0x87 => found.push(content),
            0x04 if depth < MAX_DEPTH && is_der(bytes) && bytes.len() > 2 => {
                texts(der, content, depth + 1, found)
            }
            0x04 if !bytes.is_empty()
                && bytes.iter().all(|b| b.is_ascii_graphic() || matches!(b, b' ' | 0)) =>
            {
                found.push(content);
            }
            _ => {}
        }
    }
}

/// Tag and content of the element at that place.
fn element(der: &[u8], at: usize, end: usize) -> Option<(u8, Range<usize>)> {
    let tag = *der.get(at)?;
    let first = *der.get(at + 1)?;
    let (start, length) = match first {
        0..=0x7F => (at + 2, usize::from(first)),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7F);
            let digits = der.get(at + 2..at + 2 + count)?;
            (at + 2 + count, digits.iter().fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit)))
        }
        _ => return None,
    };
    let content = start..start.checked_add(length)?;
    (content.end <= end).then_some((tag, content))
}
