//! CMS SignedData (RFC 5652 5), in which a renewal carries its PKCS#10: read from DER, and verified over the signed
//! attributes as they came.

use super::asn1::{Name, SEQUENCE, SET, Tlv};
use super::csr::Csr;
use super::key::{Digest, Verified, digest, digest_of, hex};
use super::x509::Certificate;

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const RSA: &str = "1.2.840.113549.1.1.1";
/// More certificates or signers are not read.
const MOST: usize = 16;

#[derive(Clone, Debug)]
pub struct SignedData {
    /// eContentType, dotted: 1.2.840.113549.1.7.1 around a PKCS#10, 1.3.6.1.5.5.7.12.2 around a CMC request.
    pub content_type: String,
    /// Absent when it is detached.
    pub content: Option<Vec<u8>>,
    pub certificates: Vec<Certificate>,
    /// The first SignerInfo: only one makes a renewal.
    pub signer: Option<Signer>,
    pub signers: usize,
    /// The PKCS#10 inside.
    pub csr: Option<Csr>,
    /// Bytes after the ContentInfo.
    pub trailing: usize,
}

#[derive(Clone, Debug)]
pub struct Signer {
    pub issuer: Name,
    /// Upper-case hexadecimal.
    pub serial: String,
    /// Dotted.
    pub digest_algorithm: String,
    pub signature_algorithm: String,
    /// The place of its certificate in [`SignedData::certificates`].
    pub certificate: Option<usize>,
    pub state: SignerState,
}

/// What verifying the signature came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerState {
    Valid,
    /// The messageDigest attribute does not fit the content, or the key signed other attributes than these.
    ContentChanged,
    /// The signature was made by another key, or changed.
    OtherKey,
    /// Its certificate is not inside.
    NoCertificate,
    /// Detached, or an algorithm that is not understood.
    Unchecked,
}

impl SignerState {
    pub fn describe(self) -> &'static str {
        match self {
            Self::Valid => "the signature holds",
            Self::ContentChanged => "the content was changed after it was signed",
            Self::OtherKey => "the signature was made by another key",
            Self::NoCertificate => "the signer's certificate is not inside",
            Self::Unchecked => "the signature cannot be checked",
        }
    }
}

impl SignedData {
    /// Whether this looks like a ContentInfo with SignedData at all, in DER or in BER.
    pub fn is_one(bytes: &[u8]) -> bool {
        const OID: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
        bytes.first() == Some(&SEQUENCE)
            && bytes.get(..24.min(bytes.len())).is_some_and(|b| memchr::memmem::find(b, OID).is_some())
    }

    /// `None` when it is no SignedData, or is not DER (indefinite lengths are BER's).
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut input = bytes;
        let info = Tlv::expect(&mut input, SEQUENCE)?;
        let mut parts = info.inner();
        parts.next()?.oid().filter(|oid| oid == SIGNED_DATA)?;
        let data = parts.next().filter(|t| t.tag == 0xA0)?.inner().next().filter(|t| t.tag == SEQUENCE)?;
        let mut fields = data.inner().peekable();
        let _version = fields.next().filter(|t| t.tag == 0x02)?;
        let _digests = fields.next().filter(|t| t.tag == SET)?;
        let encapsulated = fields.next().filter(|t| t.tag == SEQUENCE)?;
        let mut inner = encapsulated.inner();
        let content_type = inner.next()?.oid()?;
        let content = inner.next().and_then(|t| t.inner().next()).filter(|t| t.tag == 0x04).map(|t| t.value);
        let certificates: Vec<_> = fields
            .next_if(|t| t.tag == 0xA0)
            .map(|set| set.inner().take(MOST).filter_map(|t| Certificate::read(t.raw)).collect())
            .unwrap_or_default();
        fields.next_if(|t| t.tag == 0xA1);
        let infos = fields.next().filter(|t| t.tag == SET)?;
        let signer = infos.inner().next().and_then(|t| Signer::read(&t, content, &certificates));
        Some(Self {
            csr: content.and_then(Csr::read),
            content_type,
            content: content.map(<[u8]>::to_vec),
            certificates,
            signer,
            signers: infos.inner().take(MOST).count(),
            trailing: input.len(),
        })
    }

    /// The certificate whose key signed, if it is inside.
    pub fn signing_certificate(&self) -> Option<&Certificate> {
        self.certificates.get(self.signer.as_ref()?.certificate?)
    }
}

impl Signer {
    fn read(info: &Tlv<'_>, content: Option<&[u8]>, certificates: &[Certificate]) -> Option<Self> {
        let mut fields = info.inner().peekable();
        let _version = fields.next().filter(|t| t.tag == 0x02)?;
        let identifier = fields.next().filter(|t| t.tag == SEQUENCE)?;
        let mut named = identifier.inner();
        let (issuer, serial) = (Name::read(&named.next()?), hex(named.next()?.value));
        let digest_algorithm = fields.next()?.inner().next()?.oid()?;
        let attributes = fields.next_if(|t| t.tag == 0xA0);
        let signature_algorithm = fields.next()?.inner().next()?.oid()?;
        let signature = fields.next().filter(|t| t.tag == 0x04)?.value;
        let certificate = certificates.iter().position(|c| c.serial == serial && c.issuer == issuer);
        let mut signer = Self {
            issuer,
            serial,
            digest_algorithm,
            signature_algorithm,
            certificate,
            state: SignerState::NoCertificate,
        };
        if let Some(certificate) = certificate.and_then(|at| certificates.get(at)) {
            let verified = signer.verify(certificate, attributes.as_ref(), content, signature);
            signer.state = verified.unwrap_or(SignerState::Unchecked);
        }
        Some(signer)
    }

    /// `None` when it cannot be told.
    fn verify(
        &self,
        certificate: &Certificate,
        attributes: Option<&Tlv<'_>>,
        content: Option<&[u8]>,
        signature: &[u8],
    ) -> Option<SignerState> {
        let (content, method) = (content?, digest_of(&self.digest_algorithm)?);
        let signed = match attributes {
            None => content.to_vec(),
            Some(attributes) => {
                // RFC 5652 11.2, over the octets of the content without their tag and length.
                if message_digest(attributes)? != digest(method, content) {
                    return Some(SignerState::ContentChanged);
                }
                // RFC 5652 5.4: signed under the tag SET OF, in the order in which they came.
                let mut signed = attributes.raw.to_vec();
                *signed.first_mut()? = SET;
                signed
            }
        };
        let algorithm = match (self.signature_algorithm.as_str(), method) {
            (RSA, Digest::Sha1) => "1.2.840.113549.1.1.5",
            (RSA, Digest::Sha256) => "1.2.840.113549.1.1.11",
            (RSA, Digest::Sha384) => "1.2.840.113549.1.1.12",
            (RSA, Digest::Sha512) => "1.2.840.113549.1.1.13",
            (other, _) => other,
        };
        Some(match certificate.verifies(algorithm, &signed, signature)? {
            Verified::Holds => SignerState::Valid,
            Verified::OtherMessage => SignerState::ContentChanged,
            Verified::OtherKey => SignerState::OtherKey,
        })
    }
}

fn message_digest<'a>(attributes: &Tlv<'a>) -> Option<&'a [u8]> {
    attributes.inner().find_map(|attribute| {
        let mut parts = attribute.inner();
        parts.next()?.oid().filter(|oid| oid == MESSAGE_DIGEST)?;
        parts.next()?.inner().next().filter(|t| t.tag == 0x04).map(|t| t.value)
    })
}
