//! The little of ASN.1 that certificates and requests need: tag, length, value; names; extensions; times.

use std::fmt;

use der::asn1::ObjectIdentifier;
use der::{Decode as _, Header, Reader as _, SliceReader};

use crate::event::Time;

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One element: its tag byte, its content, and all its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    pub(crate) raw: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// Takes the first element off `input`. DER lengths only: `None` for indefinite ones and for what is cut short.
    pub(super) fn take(input: &mut &'a [u8]) -> Option<Self> {
        let tag = *input.first()?;
        let mut reader = SliceReader::new(input).ok()?;
        let header = Header::decode(&mut reader).ok()?;
        let value = reader.read_slice(header.length).ok()?;
        let length = usize::try_from(u32::from(reader.position())).ok()?;
        let (raw, rest) = input.split_at_checked(length)?;
        *input = rest;
        Some(Self { tag, value, raw })
    }

    pub(crate) fn expect(input: &mut &'a [u8], tag: u8) -> Option<Self> {
        Self::take(input).filter(|t| t.tag == tag)
    }

    /// The elements inside; stops at the first that cannot be read.
    pub(crate) fn inner(&self) -> impl Iterator<Item = Tlv<'a>> {
        let mut rest = self.value;
        std::iter::from_fn(move || Tlv::take(&mut rest))
    }

    /// An object identifier in dotted form.
    pub(super) fn oid(&self) -> Option<String> {
        (self.tag == 0x06)
            .then(|| ObjectIdentifier::from_bytes(self.value).ok().map(|oid| oid.to_string()))?
    }

    /// A BIT STRING's content without its count of unused bits.
    pub(super) fn bits(&self) -> Option<&'a [u8]> {
        (self.tag == 0x03).then(|| self.value.get(1..))?
    }

    /// UTCTime or GeneralizedTime (RFC 5280 4.1.2.5), seconds and `Z` as required there.
    pub(super) fn time(&self) -> Option<Time> {
        let text = std::str::from_utf8(self.value).ok()?.strip_suffix('Z')?;
        let (year, rest) = match self.tag {
            0x17 => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: i16 = year.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            0x18 => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
        let civil =
            jiff::civil::DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Time(zoned.timestamp().as_millisecond()))
    }
}

/// One element, and nothing behind it.
pub fn is_der(mut bytes: &[u8]) -> bool {
    Tlv::take(&mut bytes).is_some() && bytes.is_empty()
}

/// A distinguished name: attribute types (dotted) and values in the order of the encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(pub Vec<(String, String)>);

impl Name {
    pub(super) fn read(name: &Tlv<'_>) -> Self {
        let mut parts = Vec::new();
        for attribute in name.inner().flat_map(|set| set.inner().collect::<Vec<_>>()) {
            let mut inner = attribute.inner();
            if let (Some(oid), Some(value)) = (inner.next().and_then(|t| t.oid()), inner.next()) {
                parts.push((oid, text_of(&value)));
            }
        }
        Self(parts)
    }

    /// The last common name.
    pub fn common_name(&self) -> Option<&str> {
        self.0.iter().rev().find(|(oid, _)| oid == "2.5.4.3").map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Name {
    /// `CN=…, O=…` in the order of the encoding; characters that cannot be shown are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (oid, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            let label = match oid.as_str() {
                "2.5.4.3" => "CN",
                "2.5.4.6" => "C",
                "2.5.4.7" => "L",
                "2.5.4.8" => "ST",
                "2.5.4.10" => "O",
                "2.5.4.11" => "OU",
                "0.9.2342.19200300.100.1.25" => "DC",
                "0.9.2342.19200300.100.1.1" => "UID",
                "1.2.840.113549.1.9.1" => "E",
                other => other,
            };
            write!(f, "{label}=")?;
            for character in value.chars() {
                match character {
                    '\0' => f.write_str("\\0")?,
                    c if c.is_control() => write!(f, "{}", c.escape_unicode())?,
                    c => write!(f, "{c}")?,
                }
            }
        }
        Ok(())
    }
}

/// BMPString is UTF-16; the others are read as UTF-8 (of which ASCII is a part), bad bytes as U+FFFD.
fn text_of(value: &Tlv<'_>) -> String {
    if value.tag == 0x1E {
        let units =
            value.value.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(u16::from_be_bytes));
        return char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    }
    String::from_utf8_lossy(value.value).into_owned()
}

/// An extension, its value not looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub oid: String,
    pub critical: bool,
    pub value: Vec<u8>,
}

impl Extension {
    /// From a SEQUENCE OF Extension.
    pub(super) fn read_all(sequence: &Tlv<'_>) -> Vec<Self> {
        let mut found = Vec::new();
        for extension in sequence.inner() {
            let mut inner = extension.inner();
            let Some(oid) = inner.next().and_then(|t| t.oid()) else { continue };
            let mut critical = false;
            for part in inner {
                match part.tag {
                    0x01 => critical = part.value.first().is_some_and(|b| *b != 0),
                    0x04 => {
                        found.push(Self { oid, critical, value: part.value.to_vec() });
                        break;
                    }
                    _ => {}
                }
            }
        }
        found
    }
}

/// The object identifiers of an extended key usage (RFC 5280 4.2.1.12).
pub(super) fn key_purposes(extensions: &[Extension]) -> Vec<String> {
    let value =
        extensions.iter().find(|e| e.oid == "2.5.29.37").map(|e| e.value.as_slice()).unwrap_or_default();
    let mut input = value;
    Tlv::take(&mut input)
        .map(|sequence| sequence.inner().filter_map(|t| t.oid()).collect())
        .unwrap_or_default()
}
