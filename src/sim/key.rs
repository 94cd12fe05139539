//! Keys: of the authority, of servers, of simulated devices. RSA, but for a device that is to be odd.

use std::sync::Arc;

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PublicKeyData as _, RsaKeySize,
    SigningKey as _,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

use super::ca::pem_block;
use crate::message::certificate::PublicKey;

/// A key pair. RSA signs with PKCS#1 v1.5 and SHA-256: the same bytes give the same signature.
#[derive(Debug)]
pub struct Key(KeyPair);

const POOL: [&str; 8] = [
    include_str!("../../captures/golden/keys/device.pem"),
    include_str!("../../captures/golden/keys/device-2.pem"),
    include_str!("../../captures/golden/keys/device-3.pem"),
    include_str!("../../captures/golden/keys/device-4.pem"),
    include_str!("../../captures/golden/keys/device-5.pem"),
    include_str!("../../captures/golden/keys/device-6.pem"),
    include_str!("../../captures/golden/keys/device-7.pem"),
    include_str!("../../captures/golden/keys/device-8.pem"),
];

/// Keys that can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    #[default]
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
}

impl KeyKind {
    /// The kind of such a key, or the one that comes closest: weaker keys than RSA 2048 are not made any more.
    pub fn nearest(key: &PublicKey) -> Self {
        match key {
            PublicKey::Ec { .. } if key.bits() > 256 => Self::P384,
            PublicKey::Ec { .. } => Self::P256,
            PublicKey::Rsa { .. } if key.bits() > 3072 => Self::Rsa4096,
            PublicKey::Rsa { .. } if key.bits() > 2048 => Self::Rsa3072,
            PublicKey::Rsa { .. } | PublicKey::Other { .. } => Self::Rsa2048,
        }
    }

    /// As [`PublicKey::describe`] says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA 2048",
            Self::Rsa3072 => "RSA 3072",
            Self::Rsa4096 => "RSA 4096",
            Self::P256 => "EC 256",
            Self::P384 => "EC 384",
        }
    }
}

#[derive(Debug, Error)]
pub enum KeyError {
    #[error("no private key in this PEM text: it needs a -----BEGIN PRIVATE KEY----- block (PKCS#8)")]
    NoKey,
    #[error(
        "no certificate in this PEM text: it needs a -----BEGIN CERTIFICATE----- block, the device's own first"
    )]
    NoCertificate,
    #[error("the private key cannot be used, an RSA key in PKCS#8 is needed: {0}")]
    Unusable(rcgen::Error),
    #[error("no RSA key could be made: {0}")]
    NotMade(rcgen::Error),
}

impl Key {
    /// A new one of 2048 bits; it takes up to a second.
    pub fn generate() -> Result<Self, KeyError> {
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map(Self).map_err(KeyError::NotMade)
    }

    /// A new one of that kind.
    pub fn of_kind(kind: KeyKind) -> Result<Self, KeyError> {
        let rsa = |size| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size);
        let made = match kind {
            KeyKind::Rsa2048 => rsa(RsaKeySize::_2048),
            KeyKind::Rsa3072 => rsa(RsaKeySize::_3072),
            KeyKind::Rsa4096 => rsa(RsaKeySize::_4096),
            KeyKind::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyKind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        };
        made.map(Self).map_err(KeyError::NotMade)
    }

    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoKey)?;
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).map(Self).map_err(KeyError::Unusable)
    }

    /// The committed one on the curve P-256, which no Windows device enrolls with.
    pub(crate) fn elliptic() -> Result<Self, KeyError> {
        let pem = include_str!("../../captures/golden/keys/ec.pem");
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoKey)?;
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256);
        pair.map(Self).map_err(KeyError::Unusable)
    }

    /// The committed one with the public exponent 3.
    pub(super) fn with_exponent_3() -> Result<Self, KeyError> {
        Self::from_pem(include_str!("../../captures/golden/keys/exponent-3.pem"))
    }

    pub(super) fn kind(&self) -> KeyKind {
        if self.0.algorithm() == &PKCS_ECDSA_P256_SHA256 {
            KeyKind::P256
        } else if self.0.algorithm() == &PKCS_ECDSA_P384_SHA384 {
            KeyKind::P384
        } else {
            KeyKind::Rsa2048
        }
    }

    /// Keys for a fleet of devices: the committed test keys first, which cost nothing, then new ones.
    pub fn pool(count: usize) -> Result<Vec<Arc<Self>>, KeyError> {
        let committed = POOL.iter().map(|pem| Self::from_pem(pem));
        let made = std::iter::repeat_with(Self::generate);
        committed.chain(made).take(count).map(|key| key.map(Arc::new)).collect()
    }

    /// PKCS#8.
    pub(crate) fn to_pem(&self) -> String {
        pem_block("PRIVATE KEY", &self.0.serialize_der())
    }

    /// Its SubjectPublicKeyInfo, DER.
    pub fn public(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// For a TLS server.
    pub fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0.sign(bytes).map_err(KeyError::Unusable)
    }

    pub(super) fn pair(&self) -> &KeyPair {
        &self.0
    }
}
