//! The reference server on a socket: HTTPS with its own certificate, or plain HTTP behind something that ends TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::ext::ReasonPhrase;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::ca::{Authority, CaError};
use super::key::{Key, KeyError};
use super::misbehave::TlsFlaw;
use super::server::Server;
use crate::event::{Body, Framing, Header, Request, Response, Time, Version};

/// More than any enrollment request has.
const MAX_BODY: usize = 4 << 20;

/// How long a handshake or a request's head may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long open requests may take once the server is to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

#[derive(Debug, Error)]
pub enum ListenError {
    #[error("the reference server's TLS key: {0}")]
    Key(#[from] KeyError),
    #[error("the reference server's TLS certificate: {0}")]
    Certificate(#[from] CaError),
    #[error("the reference server's TLS certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// What hears of every exchange of a live server.
type Seen = dyn Fn(SocketAddr, &Request, &Response) + Send + Sync;

/// An answer that may take its time.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// What stands behind a socket.
pub trait Answers: Send + Sync {
    /// The answer to any request of that peer.
    fn answer<'a>(&'a self, peer: SocketAddr, request: &'a Request, now: Time) -> Answering<'a>;

    /// Issues the certificates.
    fn authority(&self) -> &Authority;
}

impl Answers for Server {
    fn answer<'a>(&'a self, _: SocketAddr, request: &'a Request, now: Time) -> Answering<'a> {
        Box::pin(std::future::ready(Self::answer(self, request, now)))
    }

    fn authority(&self) -> &Authority {
        Self::authority(self)
    }
}

/// A server on a socket.
pub struct Live {
    server: Box<dyn Answers>,
    /// What is wrong with its TLS.
    flaw: Option<TlsFlaw>,
    tls: Option<Arc<ServerConfig>>,
    clock: fn() -> Time,
    seen: Box<Seen>,
}

impl Live {
    /// Plain HTTP. `seen` hears of every exchange as it is answered.
    pub fn new(
        server: Server,
        clock: fn() -> Time,
        seen: impl Fn(SocketAddr, &Request, &Response) + Send + Sync + 'static,
    ) -> Self {
        let flaw = server.settings().misbehave.as_ref().and_then(TlsFlaw::of);
        Self { flaw, ..Self::answering(server, clock, seen) }
    }

    /// The same with other answers.
    pub fn answering(
        server: impl Answers + 'static,
        clock: fn() -> Time,
        seen: impl Fn(SocketAddr, &Request, &Response) + Send + Sync + 'static,
    ) -> Self {
        Self { server: Box::new(server), flaw: None, tls: None, clock, seen: Box::new(seen) }
    }

    /// HTTPS with a certificate for these names (IP addresses, too) that the server's authority issues.
    pub fn with_tls(mut self, names: &[String], key: &Key) -> Result<Self, ListenError> {
        let now = (self.clock)();
        let elsewhere = ["elsewhere.example".to_owned()];
        let (names, from) = match self.flaw {
            None => (names, now),
            Some(TlsFlaw::OtherName) => (&elsewhere[..], now),
            // Server certificates are made for a year.
            Some(TlsFlaw::Expired) => (names, now.plus_millis(-400 * 86_400_000)),
        };
        let authority = self.server.authority();
        let leaf = authority.server_certificate(names, key, from)?;
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.root().to_vec()))?;
        // Asked for, so that a renewal shows its certificate; devices without one are let in.
        let devices = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(devices)
            .with_single_cert(authority.chain(&leaf), key.private())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        self.tls = Some(Arc::new(config));
        Ok(self)
    }
}

/// Answers until `stop` is ready; then what is open may end.
pub async fn serve(live: Arc<Live>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(connection(Arc::clone(&live), stream, peer, graceful.watcher()));
                }
                // Out of descriptors, or a peer that was gone already: others still come.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
    let _ = tokio::time::timeout(LAST_ANSWERS, graceful.shutdown()).await;
}

async fn connection(live: Arc<Live>, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
    match live.tls.clone() {
        None => exchanges(live, stream, peer, watcher).await,
        Some(tls) => {
            let handshake = TlsAcceptor::from(tls).accept(stream);
            // A handshake that fails is the device's decision: it says why, and the server has nothing to add.
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, handshake).await {
                exchanges(live, stream, peer, watcher).await;
            }
        }
    }
}

async fn exchanges<S>(live: Arc<Live>, stream: S, peer: SocketAddr, watcher: Watcher)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(Arc::clone(&live), peer, request));
    let connection = http1::Builder::new()
        .title_case_headers(true)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    // It ends when the device goes away, in whatever way.
    let _ = watcher.watch(connection).await;
}

/// A body that does not arrive whole ends the connection: there is nobody to answer.
async fn answer(
    live: Arc<Live>,
    peer: SocketAddr,
    incoming: hyper::Request<Incoming>,
) -> Result<hyper::Response<Parts>, Box<dyn std::error::Error + Send + Sync>> {
    let at = (live.clock)();
    let (head, body) = incoming.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| Header::new(name.as_str(), Bytes::copy_from_slice(value.as_bytes())))
        .collect();
    let request = Request {
        at,
        method: head.method.to_string(),
        target: head.uri.to_string(),
        version: if head.version == hyper::Version::HTTP_10 { Version::Http10 } else { Version::Http11 },
        headers,
        body: Body::full(body),
        ..Request::default()
    };
    let response = live.server.answer(peer, &request, (live.clock)()).await;
    (live.seen)(peer, &request, &response);
    Ok(outgoing(&response)?)
}

fn outgoing(response: &Response) -> Result<hyper::Response<Parts>, hyper::http::Error> {
    let mut out = hyper::Response::builder().status(response.status);
    // Its framing is hyper's to write; the length only for a body that has one.
    let framed = ["transfer-encoding", "content-length"];
    for header in &response.headers {
        if !framed.contains(&header.name.to_ascii_lowercase().as_str()) {
            out = out.header(&header.name, header.value.as_ref());
        }
    }
    if let Ok(reason) = ReasonPhrase::try_from(response.reason.as_bytes()) {
        out = out.extension(reason);
    }
    let bytes = response.body.bytes.clone();
    out.body(match response.body.framing {
        // In two chunks, as servers that stream do.
        Framing::Chunked => {
            let half = bytes.len() / 2;
            Parts { announced: None, left: vec![bytes.slice(half..), bytes.slice(..half)], flushed: false }
        }
        Framing::Length | Framing::Close | Framing::H2 | Framing::None => {
            let announced = Some(bytes.len() as u64);
            let sent = if response.body.cut { bytes.slice(..bytes.len() / 2) } else { bytes };
            Parts { announced, left: vec![sent], flushed: false }
        }
    })
}

/// A body in parts, the last one first. hyper sends chunks when no length is announced, and ends the connection when
/// less comes than was announced.
struct Parts {
    announced: Option<u64>,
    left: Vec<Bytes>,
    flushed: bool,
}

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // Before it ends, what was given must be on the wire: hyper drops a buffered half when a body ends too early.
        if self.left.is_empty() && !std::mem::replace(&mut self.flushed, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.left.pop().map(|part| Ok(Frame::data(part))))
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
