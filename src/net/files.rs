//! A certificate with its key as files hold it, PEM or PFX: read as bytes, told apart by content, then understood.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use p12_keystore::KeyStore;
use p12_keystore::error::Error as PfxError;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

use super::pem::{Identity, PemError, identity_in, read};

/// The environment variable of a PFX file's password, unless another is named.
pub const PASSWORD_VARIABLE: &str = "ENROLLSCOPE_TLS_PFX_PASSWORD";

/// Where a certificate with its chain and its key are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateFiles {
    Pem {
        certificate: PathBuf,
        key: PathBuf,
    },
    Pfx {
        file: PathBuf,
        /// The environment variable that holds its password.
        variable: String,
    },
}

#[derive(Debug, Error)]
pub enum CertificateError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error("the password of {file} is wrong: it is taken from the environment variable {variable}, {state}")]
    Password { file: PathBuf, variable: String, state: &'static str },
    #[error(
        "{file} is no PFX (PKCS#12) file that can be read: {words}; export the certificate anew, with its key"
    )]
    Pfx { file: PathBuf, words: String },
    #[error("there is no private key with a certificate in {0}: export it with its key")]
    NoKey(PathBuf),
    #[error("the key in {file} cannot be used: {source}")]
    BadKey { file: PathBuf, source: rustls::Error },
}

/// What the files hold at one time; wiped from memory when it is dropped.
pub struct Contents {
    first: Zeroizing<Vec<u8>>,
    /// The key's file, beside a PEM certificate.
    second: Zeroizing<Vec<u8>>,
}

impl CertificateFiles {
    pub fn read(&self) -> Result<Contents, CertificateError> {
        let (first, second) = match self {
            Self::Pem { certificate, key } => (read(certificate)?, read(key)?),
            Self::Pfx { file, .. } => (read(file)?, Zeroizing::default()),
        };
        Ok(Contents { first, second })
    }

    pub fn identity(&self, contents: &Contents) -> Result<Identity, CertificateError> {
        match self {
            Self::Pem { certificate, key } => {
                Ok(identity_in((certificate, &contents.first), (key, &contents.second))?)
            }
            Self::Pfx { file, variable } => {
                let password = std::env::var(variable).ok().map(Zeroizing::new);
                pfx(file, variable, &contents.first, password.as_ref().map(|p| p.as_str()))
            }
        }
    }

    /// How people know it.
    pub fn name(&self) -> String {
        match self {
            Self::Pem { certificate, .. } => certificate.display().to_string(),
            Self::Pfx { file, .. } => file.display().to_string(),
        }
    }
}

impl Contents {
    /// Equal for equal contents.
    pub fn digest(&self) -> Vec<u8> {
        let parts = [digest(&SHA256, &self.first), digest(&SHA256, &self.second)];
        parts.iter().flat_map(|part| part.as_ref().to_vec()).collect()
    }
}

/// Windows and OpenSSL write no password as an empty one.
fn pfx(
    file: &Path,
    variable: &str,
    bytes: &[u8],
    password: Option<&str>,
) -> Result<Identity, CertificateError> {
    let store = KeyStore::from_pkcs12(bytes, password.unwrap_or_default()).map_err(|error| match error {
        PfxError::MacError(_) | PfxError::Pkcs5Error(_) | PfxError::UnpadError => {
            let state =
                if password.is_some() { "which is set to something else" } else { "which is not set" };
            CertificateError::Password { file: file.into(), variable: variable.into(), state }
        }
        other => CertificateError::Pfx { file: file.into(), words: other.to_string() },
    })?;
    let (_, found) = store.private_key_chain().ok_or_else(|| CertificateError::NoKey(file.into()))?;
    let chain = found.chain().iter().map(|c| CertificateDer::from(c.as_der().to_vec())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(found.key().to_vec()));
    Identity::new(chain, key).map_err(|source| CertificateError::BadKey { file: file.into(), source })
}

#[cfg(test)]
mod tests {
    use p12_keystore::{Certificate, EncryptionAlgorithm, KeyStoreEntry, MacAlgorithm, PrivateKeyChain};
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn store(with_key: bool) -> KeyStore {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["mdm.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let certificate = Certificate::from_der(leaf.der()).unwrap();
        let mut store = KeyStore::new();
        let entry = if with_key {
            let chain = PrivateKeyChain::new(key.serialize_der(), [1], [certificate]);
            KeyStoreEntry::PrivateKeyChain(chain)
        } else {
            KeyStoreEntry::Certificate(certificate)
        };
        store.add_entry("mdm", entry);
        store
    }

    #[test]
    fn pfx_files_of_both_generations_are_read_and_a_wrong_password_is_told() {
        let kinds = [
            (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256),
            (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1),
            (EncryptionAlgorithm::PbeWithShaAnd40BitRc4Cbc, MacAlgorithm::HmacSha1),
        ];
        let file = Path::new("mdm.pfx");
        for (encryption, mac) in kinds {
            for password in ["correct horse", ""] {
                let store = store(true);
                let writer = store.writer(password).encryption_algorithm(encryption).mac_algorithm(mac);
                let bytes = writer.encryption_iterations(100).mac_iterations(100).write().unwrap();
                let given = Some(password).filter(|p| !p.is_empty());
                let found = pfx(file, "PW", &bytes, given).unwrap();
                assert_eq!(found.names, ["mdm.example"], "{encryption:?}");
                let said = pfx(file, "PW", &bytes, Some("battery")).unwrap_err().to_string();
                assert!(said.contains("password of mdm.pfx is wrong") && said.contains("PW"), "{said}");
                assert!(!said.contains("battery"), "{said}");
            }
        }
    }

    #[test]
    fn what_is_no_pfx_or_has_no_key_is_told() {
        let check = |bytes: &[u8], words: &str| {
            let said = pfx(Path::new("mdm.pfx"), "PW", bytes, None).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        };
        check(b"-----BEGIN CERTIFICATE-----", "no PFX");
        check(b"", "no PFX");
        check(&store(false).writer("").encryption_iterations(100).write().unwrap(), "no private key");
    }
}
