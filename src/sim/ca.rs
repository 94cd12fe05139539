//! The simulation's authority: issues the certificates of devices and of TLS servers, and flawed ones when asked to.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use der::Decode as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose,
    PublicKeyData, SerialNumber, SignatureAlgorithm,
};
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use time::OffsetDateTime;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::key::Key;
use crate::event::Time;

const DAY: i64 = 86_400_000;

/// Clocks differ: certificates begin this long before they are issued.
const BACKDATED: i64 = 600_000;

/// A root with its key.
#[derive(Debug)]
pub struct Authority {
    name: String,
    key: Key,
    from: Time,
    root: Bytes,
    /// Devices' certificates are issued by an authority below the root.
    intermediate: bool,
}

#[derive(Debug, Error)]
pub enum CaError {
    #[error("no certificate could be made for {subject}: {source}")]
    NotIssued { subject: String, source: rcgen::Error },
    #[error("a certificate for {subject} was asked for a key that is neither RSA nor EC P-256 or P-384")]
    OtherKey { subject: String },
    #[error("{name} is no name for a server's certificate: {source}")]
    BadName { name: String, source: rcgen::Error },
}

/// What is wrong with a device's certificate, or with the root that it gets beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is for another key than the request's.
    OtherKey,
    Expired,
    NotYetValid,
    /// It may be used by servers only.
    NoClientAuth,
    /// What is sent as a root is a certificate issued by the root.
    LeafInRoot,
    /// The root that is sent is another authority's.
    OtherAuthority,
    /// It ends in a month.
    ShortLived,
    /// It names MD5 as its hash, and its signature does not hold.
    WeakHash,
}

impl Flaw {
    /// By the name that the rules' examples use.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "other-key" => Self::OtherKey,
            "expired" => Self::Expired,
            "not-yet-valid" => Self::NotYetValid,
            "no-client-auth" => Self::NoClientAuth,
            "leaf-in-root" => Self::LeafInRoot,
            "other-authority" => Self::OtherAuthority,
            "short-lived" => Self::ShortLived,
            "weak-hash" => Self::WeakHash,
            _ => return None,
        })
    }
}

/// A device's certificate, the root that it is told to trust, and who issued it when that is not the root. DER.
#[derive(Clone, Debug)]
pub struct Issued {
    pub client: Bytes,
    pub root: Bytes,
    pub intermediate: Option<Bytes>,
}

impl Authority {
    /// A self-signed root, valid for ten years from `from`. The same arguments give the same bytes.
    pub fn new(name: &str, key: Key, from: Time) -> Result<Self, CaError> {
        let root = root_params(name, from)
            .self_signed(key.pair())
            .map_err(|source| CaError::NotIssued { subject: name.to_owned(), source })?;
        let root = Bytes::copy_from_slice(root.der());
        Ok(Self { name: name.to_owned(), key, from, root, intermediate: false })
    }

    /// The same, but issuing through an authority between the root and the devices. Its key is the root's own.
    #[must_use]
    pub(crate) fn through_intermediate(self) -> Self {
        Self { intermediate: true, ..self }
    }

    /// The root's certificate, DER.
    pub fn root(&self) -> &Bytes {
        &self.root
    }

    /// The root's certificate as PEM.
    pub fn root_pem(&self) -> String {
        pem(&self.root)
    }

    /// A device's certificate for the key in `public` (a SubjectPublicKeyInfo, DER), with `subject` as its common name.
    pub fn issue(
        &self,
        subject: &str,
        public: &[u8],
        now: Time,
        flaw: Option<Flaw>,
    ) -> Result<Issued, CaError> {
        let asked = Public::read(public).ok_or_else(|| CaError::OtherKey { subject: subject.to_owned() })?;
        let from = now.plus_millis(match flaw {
            Some(Flaw::Expired) => -400 * DAY,
            Some(Flaw::NotYetValid) => 2 * DAY,
            _ => -BACKDATED,
        });
        let days = if flaw == Some(Flaw::ShortLived) { 30 } else { 365 };
        let mut params = params(subject, from, days);
        params.serial_number = Some(serial(&[public, &now.0.to_be_bytes()]));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match flaw {
            Some(Flaw::NoClientAuth) => ExtendedKeyUsagePurpose::ServerAuth,
            _ => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let below = self.intermediate.then(|| format!("{} Intermediate", self.name));
        let intermediate = match &below {
            Some(name) => Some(self.sign(&root_params(name, self.from), self.key.pair())?),
            None => None,
        };
        let issuer = below.as_ref().unwrap_or(&self.name);
        let client = match flaw {
            // Any other key will do: the authority's own is at hand.
            Some(Flaw::OtherKey) => self.sign_as(issuer, &params, self.key.pair())?,
            Some(Flaw::WeakHash) => weaken(&self.sign_as(issuer, &params, &asked)?),
            _ => self.sign_as(issuer, &params, &asked)?,
        };
        let root = match flaw {
            Some(Flaw::LeafInRoot) => {
                self.sign(&root_params(&format!("{} Intermediate", self.name), self.from), self.key.pair())?
            }
            Some(Flaw::OtherAuthority) => {
                let name = format!("Not {}", self.name);
                root_params(&name, self.from)
                    .self_signed(self.key.pair())
                    .map(|c| Bytes::copy_from_slice(c.der()))
                    .map_err(|source| CaError::NotIssued { subject: name, source })?
            }
            _ => self.root.clone(),
        };
        Ok(Issued { client, root, intermediate })
    }

    /// A TLS server's certificate for these names (IP addresses, too), valid for a year. DER.
    pub fn server_certificate(&self, names: &[String], key: &Key, now: Time) -> Result<Bytes, CaError> {
        let subject = names.first().map_or("localhost", String::as_str);
        let alternatives = CertificateParams::new(names)
            .map_err(|source| CaError::BadName { name: names.join(", "), source })?
            .subject_alt_names;
        let mut params = params(subject, now.plus_millis(-BACKDATED), 365);
        params.serial_number = Some(serial(&[&key.public(), &now.0.to_be_bytes()]));
        params.subject_alt_names = alternatives;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params, key.pair())
    }

    /// What a TLS server presents: its certificate, then the root.
    pub fn chain(&self, certificate: &Bytes) -> Vec<CertificateDer<'static>> {
        [certificate, &self.root].map(|der| CertificateDer::from(der.to_vec())).to_vec()
    }

    fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> Result<Bytes, CaError> {
        self.sign_as(&self.name, params, key)
    }

    fn sign_as(
        &self,
        name: &str,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Bytes, CaError> {
        let issuer = Issuer::new(root_params(name, self.from), self.key.pair());
        params.signed_by(key, &issuer).map(|c| Bytes::copy_from_slice(c.der())).map_err(|source| {
            let subject = params.distinguished_name.iter().map(|(_, value)| format!("{value:?}")).collect();
            CaError::NotIssued { subject, source }
        })
    }
}

/// sha256WithRSAEncryption becomes md5WithRSAEncryption, which is as long, wherever it is named.
fn weaken(certificate: &[u8]) -> Bytes {
    const SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B];
    let mut weak = certificate.to_vec();
    for at in 0..weak.len() {
        if weak.get(at..).is_some_and(|rest| rest.starts_with(SHA256))
            && let Some(last) = weak.get_mut(at + SHA256.len() - 1)
        {
            *last = 0x04;
        }
    }
    weak.into()
}

/// A certificate as PEM.
pub fn pem(der: &[u8]) -> String {
    pem_block("CERTIFICATE", der)
}

/// RFC 7468.
pub(super) fn pem_block(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn params(subject: &str, from: Time, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.not_before = civil(from);
    params.not_after = civil(from.plus_millis(days * DAY));
    params.use_authority_key_identifier_extension = true;
    params
}

fn root_params(name: &str, from: Time) -> CertificateParams {
    let mut params = params(name, from, 3650);
    params.use_authority_key_identifier_extension = false;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Sixteen bytes that are the same for the same input, and a positive number (RFC 5280 4.1.2.2).
fn serial(of: &[&[u8]]) -> SerialNumber {
    let hash = digest(&SHA256, &of.concat());
    let mut bytes: Vec<u8> = hash.as_ref().iter().copied().take(16).collect();
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x3F | 0x40;
    }
    SerialNumber::from_slice(&bytes)
}

fn civil(at: Time) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A requester's public key.
struct Public {
    bits: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
}

impl Public {
    fn read(info: &[u8]) -> Option<Self> {
        let info = SubjectPublicKeyInfoRef::from_der(info).ok()?;
        let curve = info.algorithm.parameters_oid().ok().map(|oid| oid.to_string());
        let algorithm = match (info.algorithm.oid.to_string().as_str(), curve.as_deref()) {
            ("1.2.840.113549.1.1.1", _) => &rcgen::PKCS_RSA_SHA256,
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => &rcgen::PKCS_ECDSA_P256_SHA256,
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => &rcgen::PKCS_ECDSA_P384_SHA384,
            _ => return None,
        };
        Some(Self { bits: info.subject_public_key.raw_bytes().to_vec(), algorithm })
    }
}

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}
