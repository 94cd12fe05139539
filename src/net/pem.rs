//! Certificates and keys from PEM files; the only caller of `rustls_pemfile`, which is archived.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use der::Decode;
use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Validity;
use zeroize::{Zeroize, Zeroizing};

use crate::event::Time;

/// A certificate chain with its key, and the names that it is for.
#[derive(Clone)]
pub struct Identity {
    pub certified: Arc<CertifiedKey>,
    /// DNS names of the leaf, lower case; `*.example` stands for one label.
    pub names: Vec<String>,
    /// When the leaf does; absent if that cannot be read.
    pub expires: Option<Time>,
}

impl fmt::Debug for Identity {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("names", &self.names).finish_non_exhaustive()
    }
}

#[derive(Debug, Error)]
pub enum PemError {
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} is not valid PEM: {source}")]
    Malformed { path: PathBuf, source: std::io::Error },
    #[error(
        "no certificate in {0}: it needs a -----BEGIN CERTIFICATE----- block (convert DER with `openssl x509 -inform der`)"
    )]
    NoCertificate(PathBuf),
    #[error(
        "the private key in {0} is encrypted: decrypt it with `openssl pkey -in {0} -out plain.key` and give that file"
    )]
    EncryptedKey(PathBuf),
    #[error("no private key in {0}: it needs a -----BEGIN PRIVATE KEY----- block (PKCS#8, PKCS#1 or SEC1)")]
    NoKey(PathBuf),
    #[error(
        "the key in {key} does not belong to the first certificate in {certificate}: the leaf must come first, its issuers after it"
    )]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the key in {path} cannot be used: {source}")]
    BadKey { path: PathBuf, source: rustls::Error },
}

/// All certificates of a file, in its order; none is an error.
pub fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    certificates_in(path, &read(path)?)
}

fn certificates_in(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = rustls_pemfile::certs(&mut &*text).collect();
    let found = found.map_err(|source| PemError::Malformed { path: path.into(), source })?;
    if found.is_empty() { Err(PemError::NoCertificate(path.into())) } else { Ok(found) }
}

/// All certificates in a text; none when it is not PEM.
pub(super) fn readable_certificates(text: &[u8]) -> Vec<CertificateDer<'static>> {
    rustls_pemfile::certs(&mut &*text).filter_map(Result::ok).collect()
}

/// A server's chain and key, checked to belong together.
pub fn load_identity(certificate: &Path, key: &Path) -> Result<Identity, PemError> {
    identity_in((certificate, &read(certificate)?), (key, &read(key)?))
}

/// The same from what the files hold.
pub(super) fn identity_in(
    (certificate, certificate_text): (&Path, &[u8]),
    (key, key_text): (&Path, &[u8]),
) -> Result<Identity, PemError> {
    let chain = certificates_in(certificate, certificate_text)?;
    let private = key_in(key, key_text)?;
    Identity::new(chain, private).map_err(|source| match source {
        rustls::Error::InconsistentKeys(_) => {
            PemError::Mismatch { certificate: certificate.into(), key: key.into() }
        }
        source => PemError::BadKey { path: key.into(), source },
    })
}

impl Identity {
    /// Fails when the key cannot be used or does not belong to the first certificate.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        mut key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        let leaf = chain.first().and_then(|leaf| x509_cert::Certificate::from_der(leaf).ok());
        let names = leaf.as_ref().map(dns_names).unwrap_or_default();
        let expires = leaf.as_ref().map(|leaf| expires(&leaf.tbs_certificate.validity));
        let signing = any_supported_type(&key);
        // The signing key has its own copy, which is wiped by who made it.
        key.zeroize();
        let certified = CertifiedKey::new(chain, signing?);
        match certified.keys_match() {
            // A key whose public half cannot be told may still be the right one.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { certified: Arc::new(certified), names, expires })
    }
}

pub(super) fn expires(validity: &Validity) -> Time {
    let seconds = validity.not_after.to_unix_duration().as_secs();
    Time(i64::try_from(seconds).unwrap_or(i64::MAX / 1000).saturating_mul(1000))
}

/// RFC 7468: base64 in lines of 64 between the label's two lines.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for (at, character) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out.push_str(&format!("\n-----END {label}-----\n"));
    out
}

pub(super) fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    key_in(path, &read(path)?)
}

fn key_in(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    match rustls_pemfile::private_key(&mut &*text) {
        Ok(Some(key)) => Ok(key),
        // The older form's header lines are no base64.
        Ok(None) | Err(_) if is_encrypted(text) => Err(PemError::EncryptedKey(path.into())),
        Ok(None) => Err(PemError::NoKey(path.into())),
        Err(source) => Err(PemError::Malformed { path: path.into(), source }),
    }
}

/// PKCS#8's label, and OpenSSL's older `Proc-Type: 4,ENCRYPTED` inside a PKCS#1 block.
fn is_encrypted(text: &[u8]) -> bool {
    let has = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"4,ENCRYPTED")
}

/// A file that may hold a key. A pipe would keep whoever opens it waiting, for ever perhaps.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PemError> {
    std::fs::metadata(path)
        .and_then(|found| if found.is_file() { Ok(()) } else { Err(std::io::Error::other("it is no file")) })
        .and_then(|()| std::fs::read(path))
        .map(Zeroizing::new)
        .map_err(|source| PemError::Unreadable { path: path.into(), source })
}

fn dns_names(leaf: &x509_cert::Certificate) -> Vec<String> {
    let Ok(Some((_, SubjectAltName(names)))) = leaf.tbs_certificate.get::<SubjectAltName>() else {
        return Vec::new();
    };
    let dns = names.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    struct Files {
        dir: tempfile::TempDir,
    }

    impl Files {
        fn put(&self, name: &str, text: &str) -> PathBuf {
            let path = self.dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    #[test]
    fn every_way_to_give_the_wrong_file_has_its_own_words() {
        let files = Files { dir: tempfile::tempdir().unwrap() };
        let key = KeyPair::generate().unwrap();
        let other = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["mdm.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let certificate = files.put("leaf.pem", &to_pem("CERTIFICATE", leaf.der()));
        let private = files.put("leaf.key", &to_pem("PRIVATE KEY", &key.serialize_der()));
        let stranger = files.put("other.key", &to_pem("PRIVATE KEY", &other.serialize_der()));
        let encrypted = files.put("enc.key", &to_pem("ENCRYPTED PRIVATE KEY", b"secret"));
        let headers = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00";
        let older = to_pem("RSA PRIVATE KEY", b"secret").replace("-----BEGIN RSA PRIVATE KEY-----", headers);
        let older = files.put("older.key", &older);

        let good = load_identity(&certificate, &private).unwrap();
        assert_eq!(good.names, ["mdm.example"]);

        let check = |certificate: &Path, key: &Path, words: &str| {
            let said = load_identity(certificate, key).expect_err(words).to_string();
            assert!(said.contains(words), "{said}");
        };
        check(&certificate, &stranger, "does not belong");
        check(&certificate, &encrypted, "openssl pkey");
        check(&certificate, &older, "openssl pkey");
        check(&certificate, &certificate, "no private key");
        check(&private, &private, "no certificate");
        check(&files.dir.path().join("absent"), &private, "cannot read");
    }
}
