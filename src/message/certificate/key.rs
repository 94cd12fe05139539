//! Public keys, digests and signatures, by aws-lc-rs.

use aws_lc_rs::{digest, signature};
use num_bigint::BigUint;

use super::asn1::Tlv;

/// A SubjectPublicKeyInfo, as far as it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    Rsa {
        bits: usize,
        /// Absent when it is longer than four bytes.
        exponent: Option<u32>,
    },
    Ec {
        curve: String,
        bits: usize,
    },
    Other {
        algorithm: String,
    },
}

impl PublicKey {
    /// From the whole SubjectPublicKeyInfo; with it the key's own bytes, as signatures are verified with.
    pub(super) fn read(info: &Tlv<'_>) -> Option<(Self, Vec<u8>)> {
        let mut inner = info.inner();
        let (algorithm, key) = (inner.next()?, inner.next()?.bits()?);
        let mut parts = algorithm.inner();
        let oid = parts.next()?.oid()?;
        let parsed = match oid.as_str() {
            "1.2.840.113549.1.1.1" => {
                let mut input = key;
                let pair = Tlv::take(&mut input)?;
                let mut numbers = pair.inner();
                let modulus = numbers.next()?.value;
                let exponent = numbers.next().map(|t| t.value).unwrap_or_default();
                let significant = modulus.iter().skip_while(|b| **b == 0);
                let first = modulus.iter().find(|b| **b != 0).map_or(0, |b| 8 - b.leading_zeros() as usize);
                Self::Rsa {
                    bits: significant.count().saturating_sub(1) * 8 + first,
                    exponent: small_number(exponent),
                }
            }
            "1.2.840.10045.2.1" => {
                let curve = parts.next().and_then(|t| t.oid()).unwrap_or_default();
                Self::Ec { curve, bits: key.len().saturating_sub(1) / 2 * 8 }
            }
            _ => Self::Other { algorithm: oid },
        };
        Some((parsed, key.to_vec()))
    }

    /// `RSA 2048`
    pub fn words(&self) -> String {
        match self {
            Self::Rsa { bits, .. } => format!("RSA {bits}"),
            Self::Ec { bits, .. } => format!("EC {bits}"),
            Self::Other { algorithm } => algorithm.clone(),
        }
    }

    /// Its size in bits; 0 when the algorithm is not understood.
    pub fn bits(&self) -> usize {
        match self {
            Self::Rsa { bits, .. } | Self::Ec { bits, .. } => *bits,
            Self::Other { .. } => 0,
        }
    }

    /// `RSA 2048`, `EC 256`, or the algorithm's object identifier.
    pub fn describe(&self) -> String {
        match self {
            Self::Rsa { bits, .. } => format!("RSA {bits}"),
            Self::Ec { bits, .. } => format!("EC {bits}"),
            Self::Other { algorithm } => algorithm.clone(),
        }
    }
}

/// A positive INTEGER's content of at most four significant bytes.
fn small_number(bytes: &[u8]) -> Option<u32> {
    let significant: Vec<u8> = bytes.iter().copied().skip_while(|b| *b == 0).collect();
    let small = (1..=4).contains(&significant.len());
    small.then(|| significant.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// The hash inside a signature algorithm, or named by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Digest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

/// The hash that an object identifier stands for, be it a hash or a signature algorithm (both occur in policies).
pub fn digest_of(oid: &str) -> Option<Digest> {
    Some(match oid {
        "1.3.14.3.2.26" | "1.3.14.3.2.29" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => Digest::Sha1,
        "2.16.840.1.101.3.4.2.1" | "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => Digest::Sha256,
        "2.16.840.1.101.3.4.2.2" | "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Digest::Sha384,
        "2.16.840.1.101.3.4.2.3" | "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Digest::Sha512,
        _ => return None,
    })
}

/// A signature algorithm in words; the dotted form when it is not known.
pub fn algorithm_name(oid: &str) -> &str {
    match oid {
        "1.3.14.3.2.29" => "sha1WithRSA (OIW)",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        other => other,
    }
}

/// Whether `key` (the bit string's content) made `signed` over `message`; `None` for algorithms not understood.
pub fn verify(
    key: &PublicKey,
    bytes: &[u8],
    algorithm: &str,
    message: &[u8],
    signed: &[u8],
) -> Option<Verified> {
    let digest = digest_of(algorithm);
    let with: &dyn signature::VerificationAlgorithm = match (key, digest) {
        (PublicKey::Rsa { .. }, Some(Digest::Sha1)) => {
            &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY
        }
        (PublicKey::Rsa { .. }, Some(Digest::Sha256)) => {
            &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        (PublicKey::Rsa { .. }, Some(Digest::Sha384)) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (PublicKey::Rsa { .. }, Some(Digest::Sha512)) => {
            &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        (PublicKey::Ec { bits: 256, .. }, Some(Digest::Sha256)) => &signature::ECDSA_P256_SHA256_ASN1,
        (PublicKey::Ec { bits: 384, .. }, Some(Digest::Sha256)) => &signature::ECDSA_P384_SHA256_ASN1,
        (PublicKey::Ec { bits: 384, .. }, Some(Digest::Sha384)) => &signature::ECDSA_P384_SHA384_ASN1,
        _ => return None,
    };
    Some(match signature::UnparsedPublicKey::new(with, bytes).verify(message, signed) {
        Ok(()) => Verified::Holds,
        Err(_) if made_signature(key, bytes, signed) => Verified::OtherMessage,
        Err(_) => Verified::OtherKey,
    })
}

/// What a signature came to that was verified with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    Holds,
    /// The key made it, over something else: what is signed was changed.
    OtherMessage,
    /// Another key made it, or it was changed itself.
    OtherKey,
}

/// Whether `key` made this RSA signature, whatever it was made over: opened with the key it is a padded hash
/// (RFC 8017 9.2), which no other key's is.
fn made_signature(key: &PublicKey, bytes: &[u8], signed: &[u8]) -> bool {
    let PublicKey::Rsa { bits: 512..=8192, exponent: Some(exponent) } = key else { return false };
    let mut input = bytes;
    let modulus = Tlv::take(&mut input).and_then(|pair| pair.inner().next());
    let Some(modulus) = modulus.filter(|_| signed.len() <= 1024) else { return false };
    let modulus = BigUint::from_bytes_be(modulus.value);
    let opened = BigUint::from_bytes_be(signed).modpow(&BigUint::from(*exponent), &modulus).to_bytes_be();
    // The leading zero byte is none in a number.
    let Some(padding) = opened.strip_prefix(&[1]) else { return false };
    let length = padding.iter().take_while(|b| **b == 0xFF).count();
    length >= 8 && padding.get(length) == Some(&0)
}

/// Upper-case hexadecimal, as Windows writes thumbprints.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The hash of `bytes`.
pub fn digest(digest: Digest, bytes: &[u8]) -> Vec<u8> {
    let algorithm = match digest {
        Digest::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Digest::Sha256 => &digest::SHA256,
        Digest::Sha384 => &digest::SHA384,
        Digest::Sha512 => &digest::SHA512,
    };
    digest::digest(algorithm, bytes).as_ref().to_vec()
}

pub fn sha1_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref())
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}
