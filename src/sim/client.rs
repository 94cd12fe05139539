//! The simulated device's HTTP over TLS: one connection at a time, kept while the server stays the same.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::signing::Holder;
use crate::event::{
    Body, ConnectionId, Exchange, ExchangeId, Framing, Header, Request, Response, Time, Timing, Upstream,
};
use crate::net::{self, Arrived, Departing, Extent, Head, Leg, Patience, Role, Start, Wire};

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
    #[error("{host} does not answer in order: {}", all_of(source.as_ref()))]
    Exchange { host: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{host} answers with more than {} MiB, and was not read further", MAX_BODY >> 20)]
    TooLong { host: String },
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
            Self::NoAuthority
            | Self::Trust(_)
            | Self::BadName(_)
            | Self::BadRequest(_)
            | Self::TooLong { .. } => None,
        }
    }
}

/// An error and what led to it: the outermost says little by itself.
fn all_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(inner) = next {
        let said = inner.to_string();
        if !words.contains(&said) {
            words.push_str(": ");
            words.push_str(&said);
        }
        next = inner.source();
    }
    words
}

fn certificate_error(error: &std::io::Error) -> Option<&CertificateError> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

/// How a device gets to its servers.
pub(crate) struct Client {
    connector: TlsConnector,
    /// Where every connection goes, whatever the URL's host is.
    connect: Option<SocketAddr>,
    patience: Duration,
    open: Option<Open>,
}

/// A connection that is kept while the server stays the same.
struct Open {
    server: Address,
    sender: SendRequest<Full<Bytes>>,
    leg: Arc<Leg>,
    facts: Upstream,
}

/// TLS or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Response,
    /// The connection that it came on.
    pub(crate) upstream: Upstream,
}

impl Client {
    pub(crate) fn new(
        trust: &Trust,
        holder: Option<&Holder>,
        connect: Option<SocketAddr>,
        patience: Duration,
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
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), connect, patience, open: None })
    }

    /// Every connection goes there, with this TLS, which offers nothing but HTTP/1.1 or no protocol at all.
    pub(crate) fn by(config: Arc<ClientConfig>, connect: SocketAddr, patience: Duration) -> Self {
        Self { connector: TlsConnector::from(config), connect: Some(connect), patience, open: None }
    }

    /// Sends the request to the server of `to`, its head exactly as its headers are spelled, and waits for the whole
    /// answer.
    pub(crate) async fn exchange(
        &mut self,
        to: &Address,
        request: &Request,
    ) -> Result<Answered, ClientError> {
        let patience = self.patience;
        tokio::time::timeout(patience, self.exchange_patiently(to, request)).await.unwrap_or_else(|_| {
            self.open = None;
            Err(ClientError::Timeout { host: to.host.clone(), seconds: patience.as_secs() })
        })
    }

    async fn exchange_patiently(&mut self, to: &Address, request: &Request) -> Result<Answered, ClientError> {
        // hyper is handed a stand-in with the same framing: the head that is sent is ours.
        let length = request.body.bytes.len().to_string();
        let stand_in = hyper::Request::builder()
            .method(request.method.as_str())
            .uri(&request.target)
            .header("content-length", length)
            .body(Full::new(request.body.bytes.clone()))?;
        let server = to.at("");
        let mut open = match self.kept(&server).await {
            Some(open) => open,
            None => self.connect(to, server).await?,
        };
        open.leg.depart(Departing {
            head: head(request),
            extent: Extent::Length(request.body.bytes.len() as u64),
            is_head: request.method == "HEAD",
        });
        let failed = |source| ClientError::Exchange { host: to.host.clone(), source };
        let answer = open.sender.send_request(stand_in).await.map_err(|e| failed(e.into()))?;
        let body = Limited::new(answer.into_body(), MAX_BODY).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ClientError::TooLong { host: to.host.clone() }
            } else {
                failed(error)
            }
        })?;
        let body = body.to_bytes();
        let Some(Arrived { head: Ok(head), at, .. }) = open.leg.take_arrived() else {
            return Err(failed("the answer has no head that can be read".into()));
        };
        let _ = open.leg.take_ended();
        let response = response(head, at, body);
        let upstream = open.facts.clone();
        open.facts.reused = true;
        self.open = Some(open);
        Ok(Answered { response, upstream })
    }

    /// Sends the request on a connection of its own, and goes away without waiting for the answer.
    pub(crate) async fn send_and_go(&mut self, to: &Address, request: &Request) -> Result<(), ClientError> {
        self.open = None;
        let failed =
            |source: std::io::Error| ClientError::Exchange { host: to.host.clone(), source: source.into() };
        let sending = async {
            let (mut stream, _) = self.stream(to).await?;
            stream.write_all(&head(request)).await.map_err(failed)?;
            stream.write_all(&request.body.bytes).await.map_err(failed)?;
            stream.flush().await.map_err(failed)
        };
        let late = |_| ClientError::Timeout { host: to.host.clone(), seconds: self.patience.as_secs() };
        tokio::time::timeout(self.patience, sending).await.map_err(late)?
    }

    /// The open connection, if it leads to this server and the server has not closed it.
    async fn kept(&mut self, server: &Address) -> Option<Open> {
        let mut open = self.open.take()?;
        (open.server == *server && open.sender.ready().await.is_ok()).then_some(open)
    }

    async fn connect(&self, to: &Address, server: Address) -> Result<Open, ClientError> {
        let (stream, facts) = self.stream(to).await?;
        let (sender, leg) = self.speak(to, stream).await?;
        Ok(Open { server, sender, leg, facts })
    }

    async fn stream(&self, to: &Address) -> Result<(Box<dyn Stream>, Upstream), ClientError> {
        let address = match self.connect {
            Some(address) => address,
            None => resolve(to).await?,
        };
        let stream = TcpStream::connect(address)
            .await
            .map_err(|source| ClientError::Connect { address: address.to_string(), source })?;
        // Small messages wait for nothing.
        let _ = stream.set_nodelay(true);
        let mut facts = Upstream {
            origin: format!("{}://{}:{}", if to.secure { "https" } else { "http" }, to.host, to.port),
            address: Some(address.to_string()),
            verified: true,
            ..Upstream::default()
        };
        if !to.secure {
            return Ok((Box::new(stream), facts));
        }
        let name =
            ServerName::try_from(to.host.clone()).map_err(|_| ClientError::BadName(to.host.clone()))?;
        let stream = self
            .connector
            .connect(name, stream)
            .await
            .map_err(|source| ClientError::Handshake { host: to.host.clone(), source })?;
        let (_, state) = stream.get_ref();
        facts.alpn = state.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned());
        facts.tls = net::facts(state);
        facts.chain = net::chain(state.peer_certificates());
        Ok((Box::new(stream), facts))
    }

    async fn speak<S>(
        &self,
        to: &Address,
        stream: S,
    ) -> Result<(SendRequest<Full<Bytes>>, Arc<Leg>), ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let leg = Arc::new(Leg::default());
        let patience = Patience { idle: self.patience, head: self.patience, write: self.patience };
        let wire = Wire::new(stream, Role::Responses, patience, Arc::clone(&leg));
        let (sender, connection) = http1::handshake(TokioIo::new(wire))
            .await
            .map_err(|e| ClientError::Exchange { host: to.host.clone(), source: e.into() })?;
        // It ends with the connection; what went wrong is told to the sender.
        tokio::spawn(connection);
        Ok((sender, leg))
    }
}

/// What was said, as it is recorded and judged; `wait` is how long the answer took.
pub(crate) fn said(
    seq: u64,
    connection: &str,
    to: &Address,
    request: Request,
    wait: Duration,
    came: Result<&Answered, &dyn fmt::Display>,
) -> Exchange {
    let (response, upstream) = match came {
        Ok(Answered { response, upstream }) => (Some(response.clone()), upstream.clone()),
        Err(error) => {
            let error = Some(error.to_string());
            (None, Upstream { origin: to.origin(), error, ..Upstream::default() })
        }
    };
    Exchange {
        seq,
        id: ExchangeId(uuid::Uuid::now_v7().to_string().into()),
        connection: Some(ConnectionId(connection.into())),
        request,
        response,
        upstream: Some(upstream),
        timing: Timing { wait: u64::try_from(wait.as_micros()).ok(), ..Timing::default() },
        ..Exchange::default()
    }
}

async fn resolve(to: &Address) -> Result<SocketAddr, ClientError> {
    let failed = |source| ClientError::Resolve { host: to.host.clone(), source };
    let mut found = tokio::net::lookup_host((to.host.as_str(), to.port)).await.map_err(failed)?;
    found.next().ok_or_else(|| failed(std::io::Error::other("it has no address")))
}

fn head(request: &Request) -> Bytes {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    // What would be read as another field or another head is not sent.
    let is_one_field = |header: &&Header| {
        let name = hyper::header::HeaderName::from_bytes(header.name.as_bytes());
        name.is_ok() && hyper::header::HeaderValue::from_bytes(&header.value).is_ok()
    };
    for header in request.headers.iter().filter(is_one_field) {
        head.extend_from_slice(header.name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(&header.value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

fn response(head: Head, at: Time, body: Bytes) -> Response {
    let (status, reason) = match head.start {
        Start::Response { status, reason } => (status, reason),
        Start::Request { .. } => (0, String::new()),
    };
    let encoding = crate::event::header(&head.headers, "Content-Encoding").map(|h| h.text().into_owned());
    let framing = if head.extent == Extent::Length(0) { Framing::None } else { head.extent.into() };
    Response {
        at,
        status,
        reason,
        version: head.version,
        headers: head.headers,
        body: Body { framing, encoding, ..Body::full(body) },
        ..Response::default()
    }
}
