//! Certificates, requests and what is signed: DER whose lengths stay as they are.

use core::net::IpAddr;
use std::ops::Range;

use crate::message::certificate::{Certificate, is_der, sha1_hex};

/// Deeper structures than any certificate has.
const MAX_DEPTH: usize = 24;

/// Shorter octets say nothing of anybody: flags, purposes.
const SHORTEST: usize = 8;
/// Nor do shorter numbers: versions, exponents, lengths.
const SHORTEST_NUMBER: usize = 4;
/// Attributes of distinguished names (X.520, PKCS #9, RFC 4519), and the name of a user (UPN) in another name.
const NAMING: &[&[u8]] = &[
    b"\x55\x04",
    b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x01",
    b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x02",
    b"\x09\x92\x26\x89\x93\xF2\x2C\x64",
    b"\x2B\x06\x01\x04\x01\x82\x37\x14\x02\x03",
];

/// What a text is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    Text,
    Name,
    Host,
}

/// What of the DER is to be changed, and how.
enum Part {
    Text,
    /// Whose it is: an attribute of a distinguished name, a mail address, a page.
    Name,
    Host,
    /// An IP address in octets (RFC 5280 4.2.1.6).
    Address,
    /// A signature, a digest, a point, an id.
    Octets,
    /// A modulus, a serial number, half of a signature: stays as long, and of the same sign.
    Number,
}

/// The DER with all in it changed that says whose it is: texts by `mask`, which keeps lengths and hears what
/// they are of; and numbers, keys, digests
/// and signatures by `noise`, equal for equal ones. Authorities publish what they issue, with key and serial number, and
/// a signature lets guesses at what was signed be tested.
pub(super) fn masked(
    der: &[u8],
    mask: &dyn Fn(&[u8], Meant) -> Vec<u8>,
    noise: &dyn Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let mut spans = Vec::new();
    parts(der, 0..der.len(), 0, &mut spans);
    let mut out = der.to_vec();
    for (span, part) in spans {
        let Some(old) = der.get(span.clone()) else { continue };
        let new = match part {
            Part::Text => mask(old, Meant::Text),
            Part::Name => mask(old, Meant::Name),
            Part::Host => mask(old, Meant::Host),
            Part::Address => address(old, mask).unwrap_or_else(|| noise(old)),
            Part::Octets => noise(old),
            Part::Number => number(old, noise(old)),
        };
        if let Some(place) = out.get_mut(span).filter(|place| place.len() == new.len()) {
            place.copy_from_slice(&new);
        }
    }
    out
}

/// DER of which nothing is changed: a key usage, say.
pub(super) fn is_anonymous(der: &[u8]) -> bool {
    let mut spans = Vec::new();
    parts(der, 0..der.len(), 0, &mut spans);
    is_der(der) && spans.is_empty()
}

/// What the same address is in texts.
fn address(octets: &[u8], mask: &dyn Fn(&[u8], Meant) -> Vec<u8>) -> Option<Vec<u8>> {
    let v4 = <[u8; 4]>::try_from(octets).ok().map(IpAddr::from);
    let address = v4.or_else(|| <[u8; 16]>::try_from(octets).ok().map(IpAddr::from))?;
    let masked = String::from_utf8(mask(address.to_string().as_bytes(), Meant::Text)).ok()?;
    match masked.parse().ok()? {
        IpAddr::V4(v4) => Some(v4.octets().to_vec()),
        IpAddr::V6(v6) => Some(v6.octets().to_vec()),
    }
    .filter(|masked| masked.len() == octets.len())
}

/// The noise with the number's first bits, which say sign and length, and its last: a modulus is odd.
fn number(old: &[u8], mut noise: Vec<u8>) -> Vec<u8> {
    if let ([first, .., last], [new_first, new_second, .., new_last]) = (old, noise.as_mut_slice()) {
        *new_first = *first;
        *new_second |= 0x80;
        *new_last = *new_last & !1 | last & 1;
    }
    noise
}

/// What a certificate is called before and after; `None` when it is none.
pub(super) fn thumbprints(before: &[u8], after: &[u8]) -> Option<(String, String)> {
    Certificate::read(before).map(|_| (sha1_hex(before), sha1_hex(after)))
}

/// The parts that are changed: string types, names in extensions, long numbers, and octets of every kind.
fn parts(der: &[u8], within: Range<usize>, depth: usize, found: &mut Vec<(Range<usize>, Part)>) {
    let (mut at, mut is_name) = (within.start, false);
    while at < within.end {
        let Some((tag, content)) = element(der, at, within.end) else { return };
        at = content.end;
        let bytes = der.get(content.clone()).unwrap_or_default();
        let nested = |from: usize| {
            let inner = bytes.get(from..).unwrap_or_default();
            depth < MAX_DEPTH && is_der(inner) && inner.len() > 2
        };
        let is_long = bytes.len() >= SHORTEST;
        let name =
            std::mem::replace(&mut is_name, tag == 0x06 && NAMING.iter().any(|oid| bytes.starts_with(oid)));
        let text = if name { Part::Name } else { Part::Text };
        match tag {
            _ if tag & 0x20 != 0 && depth < MAX_DEPTH => parts(der, content, depth + 1, found),
            // UTF8String, NumericString, PrintableString, T61String, IA5String, VisibleString, GeneralString,
            // UniversalString, BMPString.
            0x0C | 0x12 | 0x13 | 0x14 | 0x16 | 0x1A | 0x1B | 0x1C | 0x1E => found.push((content, text)),
            0x87 if matches!(bytes.len(), 4 | 16) => found.push((content, Part::Address)),
            // rfc822Name, dNSName, URI (RFC 5280 4.2.1.6).
            0x82 if is_printable(bytes) => found.push((content, Part::Host)),
            0x81 | 0x86 if is_printable(bytes) => found.push((content, Part::Name)),
            0x02 if bytes.len() >= SHORTEST_NUMBER => found.push((content, Part::Number)),
            // A key or a signature behind the count of unused bits; the next byte is the form of a point.
            0x03 if nested(1) => parts(der, content.start + 1..content.end, depth + 1, found),
            0x03 if is_long => found.push((content.start + 2..content.end, Part::Octets)),
            0x04 if nested(0) => parts(der, content, depth + 1, found),
            // Octets that are a text, and those of choices.
            0x04 | 0x80..=0x9E if is_printable(bytes) => found.push((content, Part::Text)),
            0x04 | 0x80..=0x9E if is_long => found.push((content, Part::Octets)),
            _ => {}
        }
    }
}

fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| b.is_ascii_graphic() || matches!(b, b' ' | 0))
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

#[cfg(test)]
mod tests {
    use x509_cert::certificate::Rfc5280;
    use x509_cert::der::{Decode as _, Encode as _};

    use super::*;
    use crate::redact::mask::Key;

    fn hidden(der: &[u8]) -> Vec<u8> {
        let key = Key::new(&[7; 32]);
        let noise = |octets: &[u8]| key.noise(octets);
        masked(der, &|text, _| text.iter().map(|b| if *b == b'7' { b'9' } else { *b }).collect(), &noise)
    }

    #[test]
    fn nothing_is_left_that_a_certificate_could_be_looked_up_by() {
        use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber};
        let addresses = ["192.0.2.7", "2001:db8::7"].map(|a| SanType::IpAddress(a.parse().unwrap()));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec!["anna.example".to_owned()]).unwrap();
        params.subject_alt_names.extend(addresses);
        params.serial_number = Some(SerialNumber::from_slice(&[0x4A; 16]));
        params.use_authority_key_identifier_extension = true;
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().to_vec();

        let new = hidden(&der);
        assert_eq!((new.len(), &new), (der.len(), &hidden(&der)));
        let [old, new] = [&der, &new]
            .map(|der| x509_cert::certificate::CertificateInner::<Rfc5280>::from_der(der).unwrap());
        assert_ne!(old.signature, new.signature);
        let [old, new] = [old, new].map(|certificate| certificate.tbs_certificate);
        assert_ne!(old.serial_number, new.serial_number);
        let (old_key, new_key) = (&old.subject_public_key_info, &new.subject_public_key_info);
        assert_eq!(old_key.algorithm, new_key.algorithm);
        assert_ne!(old_key.subject_public_key, new_key.subject_public_key);
        assert_eq!(old.validity, new.validity);
        for address in [&[192, 0, 2, 7][..], &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]] {
            assert!(memchr::memmem::find(&old.to_der().unwrap(), address).is_some());
            assert!(memchr::memmem::find(&new.to_der().unwrap(), address).is_none());
        }
        // One key, one identifier: of the subject (2.5.29.14), and of the authority (2.5.29.35).
        let id = |oid: &str| {
            let found = new.extensions.iter().flatten().find(|e| e.extn_id.to_string() == oid).unwrap();
            let octets = found.extn_value.as_bytes();
            octets[octets.len() - 20..].to_vec()
        };
        assert_eq!(id("2.5.29.14"), id("2.5.29.35"));
        assert!(memchr::memmem::find(&der, &id("2.5.29.14")).is_none());
    }

    #[test]
    fn numbers_stay_as_long_and_as_odd() {
        let modulus = [0, 0x91, 1, 2, 3, 4, 5, 6, 7, 0x0D];
        let new = number(&modulus, vec![0x55; 10]);
        assert_eq!(new, [0, 0xD5, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55]);
        assert_eq!(number(&[0x4A; 8], vec![0x31; 8]), [0x4A, 0xB1, 0x31, 0x31, 0x31, 0x31, 0x31, 0x30]);
    }
}
