//! The certification request as Windows 11 writes it: rcgen's are DER throughout, and Windows' are not.

use super::key::{Key, KeyError, KeyKind};
use crate::message::certificate::Tlv;

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const EXTENSION_REQUEST: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x0E];
const EXTENDED_KEY_USAGE: &[u8] = &[0x06, 0x03, 0x55, 0x1D, 0x25];
const CLIENT_AUTH: &[u8] = &[0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const SERVER_AUTH: &[u8] = &[0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
/// 1.3.6.1.4.1.311.66.1.0: Windows' own, its value is the DeviceID and no DER.
const DEVICE_ID: &[u8] = &[0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x42, 0x01, 0x00];
/// sha256WithRSAEncryption with its NULL.
const SHA256_WITH_RSA: &[u8] =
    &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B, 0x05, 0x00];

const ECDSA_WITH_SHA256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
const ECDSA_WITH_SHA384: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03];

/// What is odd about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFlaw {
    /// Its attribute has two values.
    TwoValues,
    /// It asks for a server's certificate.
    ServerAuth,
    /// Its common name is longer than a common name may be.
    LongName,
    /// Its own extension names another device.
    OtherDevice,
    /// Its key is on an elliptic curve.
    EllipticKey,
    /// Its RSA key has the public exponent 3.
    SmallExponent,
    /// Its own extension is proper DER, which Windows' is not.
    DerExtension,
}

impl RequestFlaw {
    /// By the name that the rules' examples use.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "two-values" => Self::TwoValues,
            "server-auth" => Self::ServerAuth,
            "long-name" => Self::LongName,
            "other-device" => Self::OtherDevice,
            "elliptic-key" => Self::EllipticKey,
            "small-exponent" => Self::SmallExponent,
            _ => return None,
        })
    }
}

/// 1.3.6.1.4.1.311.13.1 (MS-WCCE 2.2.2.7.3).
const RENEWAL_CERTIFICATE: &[u8] = &[0x06, 0x09, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0D, 0x01];

/// A PKCS#10 for `key`, its subject `CN=CONTAINER!DEVICEID` with the NUL at its end that Windows leaves there; `renews`
/// is the certificate (DER) that it is to replace.
pub(super) fn request(
    container: &str,
    device_id: &str,
    key: &Key,
    renews: Option<&[u8]>,
    flaw: Option<RequestFlaw>,
) -> Result<Vec<u8>, KeyError> {
    let container = if flaw == Some(RequestFlaw::LongName) { &container.repeat(2) } else { container };
    let common_name = format!("{container}!{device_id}\0");
    let extension_id = match flaw {
        Some(RequestFlaw::OtherDevice) => "00000000000000000000000000000000",
        _ => device_id,
    };
    let subject =
        tlv(SEQUENCE, &[&tlv(SET, &[&tlv(SEQUENCE, &[COMMON_NAME, &tlv(0x0C, &[common_name.as_bytes()])])])]);
    let usages = match flaw {
        Some(RequestFlaw::ServerAuth) => tlv(SEQUENCE, &[SERVER_AUTH]),
        _ => tlv(SEQUENCE, &[CLIENT_AUTH]),
    };
    let own_value = match flaw {
        Some(RequestFlaw::DerExtension) => tlv(0x0C, &[extension_id.as_bytes()]),
        _ => [extension_id.as_bytes(), b"\0"].concat(),
    };
    let extensions = tlv(
        SEQUENCE,
        &[
            &tlv(SEQUENCE, &[EXTENDED_KEY_USAGE, &tlv(0x04, &[&usages])]),
            &tlv(SEQUENCE, &[DEVICE_ID, &tlv(0x04, &[&own_value])]),
        ],
    );
    let no_more = tlv(SEQUENCE, &[]);
    let values: &[&[u8]] = match flaw {
        Some(RequestFlaw::TwoValues) => &[&extensions, &no_more],
        _ => &[&extensions],
    };
    let mut attributes = tlv(SEQUENCE, &[EXTENSION_REQUEST, &tlv(SET, values)]);
    if let Some(certificate) = renews {
        attributes.extend(tlv(SEQUENCE, &[RENEWAL_CERTIFICATE, &tlv(SET, &[certificate])]));
    }
    let version = [0x02, 0x01, 0x00];
    let info = tlv(SEQUENCE, &[&version, &subject, &key.public(), &tlv(0xA0, &[&attributes])]);
    signed(&info, key)
}

/// The recorded request once more, for another key and signed by it with SHA-256 (or what the curve wants): subject and
/// attributes as they were, but for these names, each as long as the one that takes its place; `renews` is the
/// certificate (DER) that it names instead of the recorded one. `None` when the recorded one cannot be read.
pub(crate) fn like(
    recorded: &[u8],
    key: &Key,
    names: &[(String, String)],
    renews: Option<&[u8]>,
) -> Option<Result<Vec<u8>, KeyError>> {
    let mut input = recorded;
    let request = Tlv::expect(&mut input, SEQUENCE)?;
    let info = request.inner().next()?;
    let mut fields = info.inner();
    let (version, subject, _) = (fields.next()?, fields.next()?, fields.next()?);
    let mut attributes = Vec::new();
    for attribute in fields.filter(|t| t.tag == 0xA0).flat_map(|t| t.inner().collect::<Vec<_>>()) {
        let oid = attribute.inner().next()?.raw;
        match renews {
            Some(certificate) if oid == RENEWAL_CERTIFICATE => {
                attributes.extend(tlv(SEQUENCE, &[oid, &tlv(SET, &[certificate])]));
            }
            _ => attributes.extend(renamed(attribute.raw, names)),
        }
    }
    let subject = renamed(subject.raw, names);
    let info = tlv(SEQUENCE, &[version.raw, &subject, &key.public(), &tlv(0xA0, &[&attributes])]);
    Some(signed(&info, key))
}

/// Names of another length stay: around them lengths are written down.
fn renamed(der: &[u8], names: &[(String, String)]) -> Vec<u8> {
    let mut out = der.to_vec();
    for (old, new) in names.iter().filter(|(old, new)| old.len() == new.len() && !old.is_empty()) {
        let mut at = 0;
        while let Some(found) = out.get(at..).and_then(|rest| memchr::memmem::find(rest, old.as_bytes())) {
            at += found;
            if let Some(place) = out.get_mut(at..at + new.len()) {
                place.copy_from_slice(new.as_bytes());
            }
            at += new.len();
        }
    }
    out
}

fn signed(info: &[u8], key: &Key) -> Result<Vec<u8>, KeyError> {
    let signature = key.sign(info)?;
    let algorithm = tlv(
        SEQUENCE,
        &[match key.kind() {
            KeyKind::P256 => ECDSA_WITH_SHA256,
            KeyKind::P384 => ECDSA_WITH_SHA384,
            KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::Rsa4096 => SHA256_WITH_RSA,
        }],
    );
    Ok(tlv(SEQUENCE, &[info, &algorithm, &tlv(0x03, &[&[0], &signature])]))
}

/// One DER element with these parts as its content.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|b| *b == 0).collect();
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        // X.690 8.1.3.5: the long form says first how many bytes the length has; never more than eight.
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(&content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::certificate::{Csr, PublicKey};

    #[test]
    fn the_request_reads_like_one_of_windows() {
        let key = Key::from_pem(include_str!("../../captures/golden/keys/device.pem")).unwrap();
        let der =
            request("562A7F9A-6CD8-40B0-9E7E-0DBDD8", "B5B954E81FBCB94EB79BD08BE625F4EE", &key, None, None)
                .unwrap();
        let csr = Csr::read(&der).unwrap();
        let subject = "CN=562A7F9A-6CD8-40B0-9E7E-0DBDD8!B5B954E81FBCB94EB79BD08BE625F4EE\\0";
        assert_eq!(csr.subject.to_string(), subject);
        assert_eq!(csr.key, PublicKey::Rsa { bits: 2048, exponent: Some(65_537) });
        assert_eq!((csr.signature_valid, csr.trailing), (Some(true), 0));
        assert_eq!(csr.key_purposes(), ["1.3.6.1.5.5.7.3.2"]);
        assert_eq!(csr.device_id().as_deref(), Some("B5B954E81FBCB94EB79BD08BE625F4EE"));
    }

    #[test]
    fn a_recorded_request_is_made_anew_for_another_key_and_device() {
        let key = |name: &str| {
            let path = format!("{}/captures/golden/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
            Key::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let (old, new) = ("B5B954E81FBCB94EB79BD08BE625F4EE", "00B954E81FBCB94EB79BD08BE625F4FF");
        let renews = Some(&b"\x30\x03old"[..]);
        let recorded = request("562A7F9A", old, &key("device"), renews, None).unwrap();
        let names = [(old.to_owned(), new.to_owned()), ("562A7F9A".to_owned(), "longer name".to_owned())];
        let again = like(&recorded, &key("device-2"), &names, Some(b"\x30\x05newer")).unwrap().unwrap();
        assert_eq!(again, request("562A7F9A", new, &key("device-2"), Some(b"\x30\x05newer"), None).unwrap());
        let elliptic = Key::of_kind(KeyKind::P384).unwrap();
        let again = like(&recorded, &elliptic, &names, None).unwrap().unwrap();
        assert_eq!(Csr::read(&again).unwrap().signature_valid, Some(true));
        for length in 0..recorded.len() {
            let _ = like(&recorded[..length], &elliptic, &names, None);
        }
    }
}
