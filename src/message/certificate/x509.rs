//! X.509 certificates (RFC 5280), as far as enrollment rules look into them.

use super::asn1::{Extension, Name, SEQUENCE, Tlv, key_purposes};
use super::key::{PublicKey, Verified, hex, sha1_hex, sha256_hex, verify};
use crate::event::Time;

#[derive(Clone, Debug)]
pub struct Certificate {
    pub serial: String,
    pub issuer: Name,
    pub subject: Name,
    pub not_before: Option<Time>,
    pub not_after: Option<Time>,
    pub key: PublicKey,
    /// SHA-256 of the SubjectPublicKeyInfo, upper-case hexadecimal.
    pub key_hash: String,
    pub signature_algorithm: String,
    pub extensions: Vec<Extension>,
    /// SHA-1 of the whole certificate, upper-case hexadecimal: what Windows calls its thumbprint.
    pub thumbprint: String,
    key_bytes: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Certificate {
    /// `None` when it is no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut input = der;
        let certificate = Tlv::expect(&mut input, SEQUENCE)?;
        let mut parts = certificate.inner();
        let (signed, algorithm, signature) = (parts.next()?, parts.next()?, parts.next()?.bits()?);
        let mut fields = signed.inner().peekable();
        fields.next_if(|t| t.tag == 0xA0);
        let serial = fields.next().filter(|t| t.tag == 0x02)?;
        let _algorithm = fields.next()?;
        let issuer = fields.next()?;
        let mut validity = fields.next()?.value;
        let subject = fields.next()?;
        let key_info = fields.next()?;
        let (key, key_bytes) = PublicKey::read(&key_info)?;
        let extensions = fields.find(|t| t.tag == 0xA3).and_then(|t| t.inner().next());
        Some(Self {
            serial: hex(serial.value),
            issuer: Name::read(&issuer),
            subject: Name::read(&subject),
            not_before: Tlv::take(&mut validity).and_then(|t| t.time()),
            not_after: Tlv::take(&mut validity).and_then(|t| t.time()),
            key,
            key_hash: sha256_hex(key_info.raw),
            signature_algorithm: algorithm.inner().next()?.oid()?,
            extensions: extensions.map(|e| Extension::read_all(&e)).unwrap_or_default(),
            thumbprint: sha1_hex(certificate.raw),
            key_bytes,
            signed: signed.raw.to_vec(),
            signature: signature.to_vec(),
        })
    }

    /// Whether that issuer's key signed this certificate; `None` when the algorithm is not understood.
    pub fn is_signed_by(&self, issuer: &Self) -> Option<bool> {
        issuer
            .verifies(&self.signature_algorithm, &self.signed, &self.signature)
            .map(|verified| verified == Verified::Holds)
    }

    /// Whether this certificate's key made `signature` over `message`, by a signature algorithm's object identifier;
    /// `None` when that is not understood.
    pub fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> Option<Verified> {
        verify(&self.key, &self.key_bytes, algorithm, message, signature)
    }

    /// Extended key usages, dotted; empty when there is no such extension.
    pub fn key_purposes(&self) -> Vec<String> {
        key_purposes(&self.extensions)
    }

    /// basicConstraints says that this is an authority (RFC 5280 4.2.1.9).
    pub fn is_authority(&self) -> bool {
        let constraints = self.extensions.iter().find(|e| e.oid == "2.5.29.19");
        let mut input = constraints.map(|e| e.value.as_slice()).unwrap_or_default();
        Tlv::take(&mut input)
            .is_some_and(|s| s.inner().any(|t| t.tag == 0x01 && t.value.first() == Some(&0xFF)))
    }

    /// Whether keyUsage, if there is one, allows digitalSignature (RFC 5280 4.2.1.3).
    pub fn may_sign(&self) -> bool {
        self.may(0x80)
    }

    /// Whether keyUsage, if there is one, allows keyCertSign (RFC 5280 4.2.1.3).
    pub fn may_issue(&self) -> bool {
        self.may(0x04)
    }

    fn may(&self, usage_bit: u8) -> bool {
        let usage = self.extensions.iter().find(|e| e.oid == "2.5.29.15");
        let mut input = usage.map(|e| e.value.as_slice()).unwrap_or_default();
        let mut bits = || Tlv::take(&mut input).and_then(|t| t.bits()?.first().copied());
        usage.is_none() || bits().is_some_and(|bits| bits & usage_bit != 0)
    }

    /// Whole days from its beginning to its end.
    pub fn days(&self) -> Option<i64> {
        Some(self.not_after?.since(self.not_before?) / 86_400_000)
    }

    /// Whose it is, who issued it, until when it is valid, and its key, in a line.
    pub fn describe(&self) -> String {
        let until = self.not_after.map(|time| time.to_string()).unwrap_or_default();
        format!(
            "{}, by {}, until {}, {}",
            self.subject,
            self.issuer.common_name().unwrap_or("an unnamed authority"),
            until.split('T').next().unwrap_or_default(),
            self.key.describe()
        )
    }

    /// DNS names of the subjectAltName (RFC 5280 4.2.1.6).
    pub fn dns_names(&self) -> Vec<String> {
        let names = self.extensions.iter().find(|e| e.oid == "2.5.29.17");
        let mut input = names.map(|e| e.value.as_slice()).unwrap_or_default();
        let Some(sequence) = Tlv::take(&mut input) else { return Vec::new() };
        let dns = sequence.inner().filter(|t| t.tag == 0x82);
        dns.map(|t| String::from_utf8_lossy(t.value).into_owned()).collect()
    }
}
