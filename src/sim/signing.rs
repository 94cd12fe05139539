//! What devices sign: messages of certificate authentication (MS-MDE2 3.3.4.1.1.1.2), and the request inside a renewal.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use der::{Decode as _, Encode as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::ca::{Authority, pem};
use super::csr::{SEQUENCE, SET, tlv};
use super::key::{Key, KeyError};
use super::text::hash;
use crate::event::Time;
use crate::message::names;
use crate::xml::{Canonical, Document, Form};

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Holder {
    /// DER.
    pub certificate: Bytes,
    pub key: Arc<Key>,
}

impl Holder {
    /// From a certificate and its key, one after the other in whatever order.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let certificate =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoCertificate)?;
        Ok(Self { certificate: Bytes::copy_from_slice(&certificate), key: Arc::new(Key::from_pem(pem)?) })
    }

    pub fn to_pem(&self) -> String {
        format!("{}{}", pem(&self.certificate), self.key.to_pem())
    }
}

/// The message with a signature over all of it at the end of its wsse:Security; `token` is the id of the token there.
pub(crate) fn sign_message(text: &str, token: &str, key: &Key) -> Result<String, KeyError> {
    let digest = Canonical::document(&Document::read(text.as_bytes()), None, Form::Inclusive);
    let digest = STANDARD.encode(hash(&[&digest.unwrap_or_default()]));
    let info = format!(
        "<SignedInfo><CanonicalizationMethod Algorithm=\"{c14n}\"></CanonicalizationMethod>\
         <SignatureMethod Algorithm=\"{method}\"></SignatureMethod><Reference URI=\"\"><Transforms>\
         <Transform Algorithm=\"{enveloped}\"></Transform></Transforms>\
         <DigestMethod Algorithm=\"{sha256}\"></DigestMethod><DigestValue>{digest}</DigestValue></Reference>\
         </SignedInfo>",
        c14n = names::EXCLUSIVE_C14N,
        method = names::XML_RSA_SHA256,
        enveloped = names::ENVELOPED_SIGNATURE,
        sha256 = names::XML_SHA256,
    );
    // SignedInfo uses no prefix, so that its canonical form is itself, with the namespace that it is in.
    let signed = info.replacen("<SignedInfo>", &format!("<SignedInfo xmlns=\"{}\">", names::DSIG), 1);
    let value = STANDARD.encode(key.sign(signed.as_bytes())?);
    let signature = format!(
        "<Signature xmlns=\"{dsig}\">{info}<SignatureValue>{value}</SignatureValue><KeyInfo>\
         <wsse:SecurityTokenReference><wsse:Reference URI=\"#{token}\" ValueType=\"{reference}\"/>\
         </wsse:SecurityTokenReference></KeyInfo></Signature></wsse:Security>",
        dsig = names::DSIG,
        reference = names::X509_REFERENCE,
    );
    Ok(text.replacen("</wsse:Security>", &signature, 1))
}

const DATA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
const SIGNED_DATA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
const CONTENT_TYPE: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x04];
const SIGNING_TIME: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x05];
const SHA256: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// rsaEncryption with its NULL.
const RSA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
const OCTETS: u8 = 0x04;
const ONE: [u8; 3] = [0x02, 0x01, 0x01];

/// What is wrong with a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalFlaw {
    /// The request does not name the certificate that it is to replace.
    NoRenewalAttribute,
    /// The content calls itself something else.
    OtherContent,
    /// The content is not what was signed.
    ChangedContent,
    /// The signer's certificate is not inside.
    NoCertificate,
    /// Somebody else signs, with a certificate of their own.
    OtherHolder,
}

impl RenewalFlaw {
    /// By the name that the rules' examples use.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "no-renewal-attribute" => Self::NoRenewalAttribute,
            "other-content" => Self::OtherContent,
            "changed-content" => Self::ChangedContent,
            "no-certificate" => Self::NoCertificate,
            "other-holder" => Self::OtherHolder,
            _ => return None,
        })
    }
}

/// CMS SignedData (RFC 5652) around `content`, by the holder of a certificate.
pub(crate) fn sign_data(
    content: &[u8],
    holder: &Holder,
    at: Time,
    flaw: Option<RenewalFlaw>,
) -> Result<Vec<u8>, KeyError> {
    let stranger = match flaw {
        Some(RenewalFlaw::OtherHolder) => Some(somebody_else(at)?),
        _ => None,
    };
    let holder = stranger.as_ref().unwrap_or(holder);
    let certificate = x509_cert::Certificate::from_der(&holder.certificate).map_err(|_| KeyError::NoKey)?;
    let named = |part: der::Result<Vec<u8>>| part.map_err(|_| KeyError::NoKey);
    let issuer = named(certificate.tbs_certificate.issuer.to_der())?;
    let serial = named(certificate.tbs_certificate.serial_number.to_der())?;
    let digested = if flaw == Some(RenewalFlaw::ChangedContent) { b"another content" } else { content };
    let content_type = if flaw == Some(RenewalFlaw::OtherContent) { SIGNED_DATA } else { DATA };
    let attribute = |name: &[u8], value: &[u8]| tlv(SEQUENCE, &[name, &tlv(SET, &[value])]);
    // The order of DER: by their encodings.
    let mut attributes = [
        attribute(CONTENT_TYPE, content_type),
        attribute(SIGNING_TIME, &tlv(0x17, &[utc_time(at).as_bytes()])),
        attribute(MESSAGE_DIGEST, &tlv(OCTETS, &[&hash(&[digested])])),
    ];
    attributes.sort();
    let attributes = attributes.concat();
    let signature = holder.key.sign(&tlv(SET, &[&attributes]))?;
    let digest = tlv(SEQUENCE, &[SHA256]);
    let certificates: &[u8] =
        if flaw == Some(RenewalFlaw::NoCertificate) { &[] } else { &holder.certificate };
    let signer = tlv(
        SEQUENCE,
        &[
            &ONE,
            &tlv(SEQUENCE, &[&issuer, &serial]),
            &digest,
            &tlv(0xA0, &[&attributes]),
            &tlv(SEQUENCE, &[RSA]),
            &tlv(OCTETS, &[&signature]),
        ],
    );
    let data = tlv(
        SEQUENCE,
        &[
            &ONE,
            &tlv(SET, &[&digest]),
            &tlv(SEQUENCE, &[content_type, &tlv(0xA0, &[&tlv(OCTETS, &[content])])]),
            &tlv(0xA0, &[certificates]),
            &tlv(SET, &[&signer]),
        ],
    );
    Ok(tlv(SEQUENCE, &[SIGNED_DATA, &tlv(0xA0, &[&data])]))
}

fn somebody_else(at: Time) -> Result<Holder, KeyError> {
    let key = || Key::from_pem(include_str!("../../captures/golden/keys/device-8.pem"));
    let own = Authority::new("Somebody else", key()?, at.plus_millis(-3_600_000));
    let certificate = own.map_err(|_| KeyError::NoKey)?.root().clone();
    Ok(Holder { certificate, key: Arc::new(key()?) })
}

/// `260302090000Z`, for the years until 2049.
fn utc_time(at: Time) -> String {
    let digits: String = at.to_string().chars().filter(char::is_ascii_digit).collect();
    format!("{}Z", digits.get(2..14).unwrap_or("700101000000"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::certificate::{SignedData, SignerState};

    #[test]
    fn signed_data_is_read_and_a_changed_byte_is_told_from_another_key() {
        let key = |name: &str| {
            let path = format!("{}/captures/golden/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
            Key::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let at = Time(1_772_442_000_000);
        let authority = Authority::new("Root", key("root"), at).unwrap();
        let issued = authority.issue("device", &key("device").public(), at, None).unwrap();
        let holder = |name| Holder { certificate: issued.client.clone(), key: Arc::new(key(name)) };
        let state = |der: &[u8]| SignedData::read(der).unwrap().signer.unwrap().state;

        let der = sign_data(b"content", &holder("device"), at, None).unwrap();
        assert!(SignedData::is_one(&der));
        assert_eq!(state(&der), SignerState::Valid);
        assert_eq!(SignedData::read(&der).unwrap().content.unwrap(), b"content");
        let place = der.windows(7).position(|w| w == b"content").unwrap();
        let mut changed = der.clone();
        changed[place] ^= 1;
        assert_eq!(state(&changed), SignerState::ContentChanged);
        assert_eq!(
            state(&sign_data(b"content", &holder("device-2"), at, None).unwrap()),
            SignerState::OtherKey
        );
        for length in 0..der.len() {
            assert!(SignedData::read(&der[..length]).is_none_or(|read| read.signer.is_none()), "{length}");
        }
    }
}
