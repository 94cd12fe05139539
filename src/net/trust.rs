//! The TLS that we speak with the server: whom to trust, and in plain words why a handshake came to nothing.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use thiserror::Error;

use super::client_auth::Shown;
use super::pem::{Identity, PemError, load_certificates};

/// Which servers are believed.
#[derive(Clone, Debug)]
pub struct Trust {
    system: Arc<Verifier>,
    extra: Arc<[CertificateDer<'static>]>,
    insecure: bool,
    config: ClientConfig,
    /// Who we are, for servers that ask.
    identity: Option<Arc<CertifiedKey>>,
}

#[derive(Debug, Error)]
pub enum TrustError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error("the certificates that are trusted cannot be loaded: {0}")]
    Store(Error),
}

/// What a handshake with a server told of it.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Whether its certificate holds; the connection goes on in spite of it with `--upstream-insecure`.
    verified: Arc<OnceLock<bool>>,
    asked: Arc<AtomicBool>,
}

impl Verdict {
    /// The chain holds, or would have held.
    pub fn is_verified(&self) -> bool {
        self.verified.get().copied().unwrap_or(false)
    }

    /// It asked who we are.
    pub fn asked_client_certificate(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Trust {
    /// The operating system's trust, and besides it the certificates of a PEM file.
    pub fn new(extra: Option<PathBuf>, insecure: bool) -> Result<Self, TrustError> {
        let extra = extra.map(|path| load_certificates(&path)).transpose()?.unwrap_or_default();
        Self::with_certificates(extra, insecure)
    }

    pub fn with_certificates(
        extra: Vec<CertificateDer<'static>>,
        insecure: bool,
    ) -> Result<Self, TrustError> {
        let provider = Arc::new(default_provider());
        let system = Verifier::new_with_extra_roots(extra.clone(), Arc::clone(&provider));
        let system = Arc::new(system.map_err(TrustError::Store)?);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Store)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&system) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        // A resumed session shows no certificates, and they are evidence.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { system, extra: extra.into(), insecure, config, identity: None })
    }

    /// Shows this certificate to servers that ask for one.
    #[must_use]
    pub fn with_identity(self, identity: &Identity) -> Self {
        Self { identity: Some(Arc::clone(&identity.certified)), ..self }
    }

    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// A configuration for one connection, and where its verdict will be found.
    pub fn connection(&self) -> (Arc<ClientConfig>, Verdict) {
        let verdict = Verdict::default();
        let judge = Judge { trust: self.clone_parts(), verdict: verdict.clone() };
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::new(judge));
        let asked = Arc::clone(&verdict.asked);
        config.client_auth_cert_resolver = Arc::new(Shown { identity: self.identity.clone(), asked });
        (Arc::new(config), verdict)
    }

    fn clone_parts(&self) -> Parts {
        Parts { system: Arc::clone(&self.system), extra: Arc::clone(&self.extra), insecure: self.insecure }
    }
}

#[derive(Debug)]
struct Parts {
    system: Arc<Verifier>,
    extra: Arc<[CertificateDer<'static>]>,
    insecure: bool,
}

#[derive(Debug)]
struct Judge {
    trust: Parts,
    verdict: Verdict,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = self.trust.system.verify_server_cert(leaf, issuers, name, ocsp, now);
        // A self-signed server certificate that was given as trusted is no authority, but it is the very one.
        let found = found.or_else(|error| {
            if !self.trust.extra.iter().any(|given| given == leaf) {
                return Err(error);
            }
            rustls::client::verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
            Ok(ServerCertVerified::assertion())
        });
        let _ = self.verdict.verified.set(found.is_ok());
        if self.trust.insecure { Ok(ServerCertVerified::assertion()) } else { found }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.system.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.system.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.system.supported_verify_schemes()
    }
}

/// What went wrong in a handshake with a server, and what to do about it.
pub fn explain(error: &io::Error, host: &str) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return format!(
            "it closed the connection during the TLS handshake ({error}); servers that speak only TLS 1.1, CBC cipher \
             suites or RSA key exchange do that to us"
        );
    };
    match tls {
        Error::InvalidCertificate(certificate) => explain_certificate(certificate, host),
        Error::AlertReceived(
            alert @ (AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::ProtocolVersion),
        ) => format!(
            "it refused the TLS handshake with {}: likely it allows only CBC cipher suites, RSA key exchange or TLS below \
             1.2, which enrollscope does not speak; allow an ECDHE suite with GCM there",
            super::tls::alert_name(*alert)
        ),
        Error::AlertReceived(alert) => {
            format!("it refused the TLS handshake with the alert {}", super::tls::alert_name(*alert))
        }
        Error::PeerIncompatible(why) => format!(
            "no common TLS version or cipher suite ({why:?}): likely it allows only CBC cipher suites, RSA key exchange \
             or TLS below 1.2; allow an ECDHE suite with GCM there"
        ),
        Error::InvalidMessage(_) => {
            "it answered with something that is not TLS; if it speaks plain HTTP, use http:// in --upstream"
                .into()
        }
        other => other.to_string(),
    }
}

fn explain_certificate(error: &CertificateError, host: &str) -> String {
    match error {
        CertificateError::UnknownIssuer => "its certificate comes from an authority that this machine does not trust; give \
             that authority with --upstream-ca FILE (the server may also have failed to send its intermediates)"
            .into(),
        CertificateError::BadSignature => {
            "its certificate claims an authority that is trusted here under the same name but with another key; give the \
             authority's present certificate with --upstream-ca FILE"
                .into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is not for {host}; use the name that it is for in --upstream, with --upstream-connect for the address")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it, or check this machine's clock".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; check this machine's clock and the server's".into()
        }
        CertificateError::Revoked => "its certificate has been revoked".into(),
        other => format!("its certificate is refused: {other}"),
    }
}
