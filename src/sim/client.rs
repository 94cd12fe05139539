//! The simulated device's HTTP over TLS: one connection at a time, kept while the server stays the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::signing::Holder;
use crate::event::{Body, Framing, Header, Request, Response, Time};

/// More than any enrollment answer has.
const MAX_BODY: usize = 4 << 20;

/// Whose server certificates a device accepts.
#[derive(Clone, Debug)]
pub enum Trust {
    /// What the operating system trusts.
    System,
    /// These authorities only.
    Authorities(Vec<CertificateDer<'static>>),
    /// Nobody: every handshake ends with the alert `unknown_ca`.
    Nobody,
}

impl Trust {
    /// The certificates in a PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, ClientError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(Self::Authorities(found)),
            _ => Err(ClientError::NoAuthority),
        }
    }
}

#[derive(Debug, Error)]
pub enum ClientError {
    #[error("no certificate in this PEM text: it needs a -----BEGIN CERTIFICATE----- block")]
    NoAuthority,
    #[error("this trust or client certificate cannot be used: {0}")]
    Trust(rustls::Error),
    #[error("cannot resolve {host}: {source}")]
    Resolve { host: String, source: std::io::Error },
    #[error("cannot connect to {address}: {source}")]
    Connect { address: String, source: std::io::Error },
    #[error("{0} is no name that a certificate could have")]
    BadName(String),
    #[error("TLS with {host}: {source}")]
    Handshake { host: String, source: std::io::Error },
    #[error("{host} ends the exchange: {source}")]
    Exchange { host: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{host} does not answer within {seconds} s")]
    Timeout { host: String, seconds: u64 },
    #[error("the request cannot be sent: {0}")]
    BadRequest(#[from] hyper::http::Error),
}

impl ClientError {
    /// The code that Windows shows.
    pub fn hresult(&self) -> Option<u32> {
        match self {
            Self::Resolve { .. } => Some(0x8007_2EE7),
            Self::Connect { .. } => Some(0x8007_2EFD),
            Self::Timeout { .. } => Some(0x8007_2EE2),
            Self::Exchange { .. } => Some(0x8007_2EFE),
            Self::Handshake { source, .. } => Some(match certificate_error(source) {
                Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => 0x8018_000D,
                Some(_) => 0x8018_0012,
                None => 0x8007_2F7D,
            }),
            Self::NoAuthority | Self::Trust(_) | Self::BadName(_) | Self::BadRequest(_) => None,
        }
    }
}

fn certificate_error(error: &std::io::Error) -> Option<&CertificateError> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

/// How a device gets to its servers.
pub(super) struct Client {
    connector: TlsConnector,
    /// Where every connection goes, whatever the URL's host is.
    connect: Option<SocketAddr>,
    patience: Duration,
    clock: fn() -> Time,
    open: Option<(Address, SendRequest<Full<Bytes>>)>,
}

impl Client {
    pub(super) fn new(
        trust: &Trust,
        holder: Option<&Holder>,
        connect: Option<SocketAddr>,
        patience: Duration,
        clock: fn() -> Time,
    ) -> Result<Self, ClientError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(ClientError::Trust)?;
        let verified = match trust {
            Trust::System => builder.with_platform_verifier().map_err(ClientError::Trust)?,
            Trust::Authorities(authorities) => {
                let mut roots = RootCertStore::empty();
                for authority in authorities {
                    roots.add(authority.clone()).map_err(ClientError::Trust)?;
                }
                builder.with_root_certificates(roots)
            }
            Trust::Nobody => builder.with_root_certificates(RootCertStore::empty()),
        };
        let mut config = match holder {
            Some(holder) => {
                let chain = vec![CertificateDer::from(holder.certificate.to_vec())];
                verified.with_client_auth_cert(chain, holder.key.private()).map_err(ClientError::Trust)?
            }
            None => verified.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), connect, patience, clock, open: None })
    }

    /// Sends the request to the server of `to`, and waits for the whole answer.
    pub(super) async fn exchange(
        &mut self,
        to: &Address,
        request: &Request,
    ) -> Result<Response, ClientError> {
        let patience = self.patience;
        tokio::time::timeout(patience, self.exchange_patiently(to, request)).await.unwrap_or_else(|_| {
            self.open = None;
            Err(ClientError::Timeout { host: to.host.clone(), seconds: patience.as_secs() })
        })
    }

    async fn exchange_patiently(&mut self, to: &Address, request: &Request) -> Result<Response, ClientError> {
        let mut outgoing = hyper::Request::builder().method(request.method.as_str()).uri(&request.target);
        for header in &request.headers {
            outgoing = outgoing.header(&header.name, header.value.as_ref());
        }
        let outgoing = outgoing.body(Full::new(request.body.bytes.clone()))?;
        let server = to.at("");
        let mut sender = match self.kept(&server).await {
            Some(sender) => sender,
            None => self.connect(to).await?,
        };
        let failed = |source| ClientError::Exchange { host: to.host.clone(), source };
        let answer = sender.send_request(outgoing).await.map_err(|e| failed(e.into()))?;
        let at = (self.clock)();
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(failed)?.to_bytes();
        self.open = Some((server, sender));
        let headers: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| Header::new(name.as_str(), Bytes::copy_from_slice(value.as_bytes())))
            .collect();
        let framing = framing(&headers, &body);
        let encoding = head.headers.get("content-encoding").and_then(|v| v.to_str().ok()).map(str::to_owned);
        Ok(Response {
            at,
            status: head.status.as_u16(),
            reason: head.status.canonical_reason().unwrap_or_default().to_owned(),
            headers,
            body: Body { framing, encoding, ..Body::full(body) },
            ..Response::default()
        })
    }

    /// The open connection, if it leads to this server and the server has not closed it.
    async fn kept(&mut self, server: &Address) -> Option<SendRequest<Full<Bytes>>> {
        let (held, mut sender) = self.open.take()?;
        (held == *server && sender.ready().await.is_ok()).then_some(sender)
    }

    async fn connect(&self, to: &Address) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let address = match self.connect {
            Some(address) => address,
            None => resolve(to).await?,
        };
        let stream = TcpStream::connect(address)
            .await
            .map_err(|source| ClientError::Connect { address: address.to_string(), source })?;
        // Small messages wait for nothing.
        let _ = stream.set_nodelay(true);
        if !to.secure {
            return handshake(&to.host, stream).await;
        }
        let name =
            ServerName::try_from(to.host.clone()).map_err(|_| ClientError::BadName(to.host.clone()))?;
        let stream = self
            .connector
            .connect(name, stream)
            .await
            .map_err(|source| ClientError::Handshake { host: to.host.clone(), source })?;
        handshake(&to.host, stream).await
    }
}

async fn resolve(to: &Address) -> Result<SocketAddr, ClientError> {
    let failed = |source| ClientError::Resolve { host: to.host.clone(), source };
    let mut found = tokio::net::lookup_host((to.host.as_str(), to.port)).await.map_err(failed)?;
    found.next().ok_or_else(|| failed(std::io::Error::other("it has no address")))
}

async fn handshake<S>(host: &str, stream: S) -> Result<SendRequest<Full<Bytes>>, ClientError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| ClientError::Exchange { host: host.to_owned(), source: e.into() })?;
    // It ends with the connection; what went wrong is told to the sender.
    tokio::spawn(connection);
    Ok(sender)
}

fn framing(headers: &[Header], body: &[u8]) -> Framing {
    let has = |name| crate::event::header(headers, name);
    match (has("Transfer-Encoding"), has("Content-Length")) {
        (Some(_), _) => Framing::Chunked,
        (None, Some(_)) if body.is_empty() => Framing::None,
        (None, Some(_)) => Framing::Length,
        (None, None) => Framing::Close,
    }
}
