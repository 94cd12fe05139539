//! TLS as devices speak it: what a server shows, with which versions, and whether it is believed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::event::Tls;
use crate::net;

/// What a server shows in a handshake.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub(super) tls: Option<Tls>,
    /// DER, as sent.
    pub(super) chain: Vec<Bytes>,
}

/// One handshake, and nothing after it.
///
/// # Errors
/// It does not come about within `patience`; a [`rustls::Error`] is inside where TLS is what failed.
pub(super) async fn handshake(
    address: SocketAddr,
    host: &str,
    config: Arc<ClientConfig>,
    patience: Duration,
) -> io::Result<Shown> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let shake = async {
        let stream = TcpStream::connect(address).await?;
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        let (_, state) = stream.get_ref();
        Ok(Shown { tls: net::facts(state), chain: net::chain(state.peer_certificates()) })
    };
    let late = || {
        let words = format!("no answer in the handshake within {:.0?}", patience);
        Err(io::Error::new(io::ErrorKind::TimedOut, words))
    };
    tokio::time::timeout(patience, shake).await.unwrap_or_else(|_| late())
}

/// For a look: whatever certificate there is, it is taken. `None` for versions that cannot be had.
pub(super) fn looking(versions: &[&'static SupportedProtocolVersion]) -> Option<Arc<ClientConfig>> {
    let provider = Arc::new(default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    Some(Arc::new(config))
}

/// Believes every certificate whose key the server has: nothing is sent to it, it is only looked at.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
