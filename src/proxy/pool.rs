//! Connections to the server: opened with every fact noted, shared between devices, checked before they are used again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::protocols::Protocols;
use super::rescue::{Kind, Trouble};
use super::settings::{Limits, SiteSettings};
use super::tap::Tapped;
use super::trunk::Trunk;
use crate::event::{Timing, Upstream};
use crate::net::{ALPN, HTTP2, Leg, Origin, Role, Trust, Wire, chain, explain, facts};

/// More idle connections than one server site needs.
const MOST_IDLE: usize = 64;
/// Servers close idle connections after 60 to 120 seconds; a race with that is lost requests.
const LONGEST_IDLE: Duration = Duration::from_secs(50);
/// A connection whose last answer has just ended is given so long to be ready for the next request.
const SETTLING: Duration = Duration::from_millis(50);
/// What is read ahead of an answer, and waits for the device to take it.
const MOST_BUFFERED: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Pool {
    origin: Origin,
    address: Option<SocketAddr>,
    trust: Option<Trust>,
    limits: Limits,
    idle: Mutex<Vec<Idle>>,
    /// The server was seen to ask for a client certificate.
    asked: AtomicBool,
    /// What the server was seen to speak.
    pub(super) protocols: Protocols,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Instant,
}

/// One connection to the server.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) sender: SendRequest<Tapped>,
    pub(super) leg: Arc<Leg>,
    pub(super) facts: Upstream,
    /// Authentication is bound to the connection: it belongs to one device.
    pub(super) pinned: bool,
}

/// What an exchange goes over.
#[derive(Debug)]
pub(super) enum Carrier {
    /// HTTP/1, for this exchange alone.
    Link(Link),
    /// HTTP/2, with others.
    Trunk(Trunk),
}

impl Carrier {
    pub(super) fn leg(&self) -> Option<&Leg> {
        match self {
            Self::Link(link) => Some(&link.leg),
            Self::Trunk(_) => None,
        }
    }
}

/// Where a device's connection to the server over HTTP/2 lies, which its exchanges share, and nobody else's: a device
/// that reads nothing, or ends nothing, uses up the room of its own connection only.
#[derive(Debug, Default)]
pub(super) struct Berth {
    trunk: Mutex<Option<Trunk>>,
    /// Held while a trunk is opened; when that failed last, and why.
    opening: tokio::sync::Mutex<Option<(Instant, Trouble)>>,
}

impl Berth {
    fn trunk(&self) -> MutexGuard<'_, Option<Trunk>> {
        // Nothing panics between taking and putting.
        self.trunk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if it is alive.
    pub(super) fn shared(&self) -> Option<Trunk> {
        let mut trunk = self.trunk();
        let alive = trunk.take_if(|trunk| !trunk.is_usable(LONGEST_IDLE)).is_none();
        trunk.as_mut().filter(|_| alive).map(Trunk::share)
    }

    /// It has not answered: others shall not wait on it, too.
    pub(super) fn retire(&self, trunk: &Trunk) {
        self.trunk().take_if(|shared| shared.is(trunk));
    }
}

impl Pool {
    pub(super) fn new(site: &SiteSettings, limits: &Limits) -> Self {
        Self {
            origin: site.upstream.clone(),
            address: site.upstream_address,
            trust: site.trust.clone(),
            limits: limits.clone(),
            idle: Mutex::default(),
            asked: AtomicBool::new(false),
            protocols: Protocols::new(site.http2 && site.upstream.secure),
        }
    }

    /// What an earlier pool has learnt, if its server is the same.
    pub(super) fn learn_from(&self, before: &Self) {
        if (&self.origin, self.address) == (&before.origin, before.address) {
            self.asked.fetch_or(before.was_asked(), Ordering::Relaxed);
            self.protocols.learn_from(&before.protocols);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        // A panic between push and pop leaves a list that is still a list.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the upstream before there is a connection.
    pub(super) fn unconnected(&self) -> Upstream {
        Upstream { origin: self.origin.explicit(), verified: true, ..Upstream::default() }
    }

    /// In some handshake.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// A connection that was used before and still lives.
    pub(super) async fn reuse(&self) -> Option<Link> {
        loop {
            let Idle { link, since } = self.idle().pop()?;
            if since.elapsed() < LONGEST_IDLE
                && let Some(link) = link.revive().await
            {
                return Some(link);
            }
        }
    }

    pub(super) fn give_back(&self, link: Link) {
        let mut idle = self.idle();
        if idle.len() < MOST_IDLE && !link.sender.is_closed() {
            idle.push(Idle { link, since: Instant::now() });
        }
    }

    pub(super) fn clear(&self) {
        self.idle().clear();
    }

    /// A trunk, or a link if that is what the server chooses; of several who want one at once, one opens it.
    pub(super) async fn open_shared(
        &self,
        berth: &Berth,
        noted: &mut Upstream,
        timing: &mut Timing,
    ) -> Result<Carrier, Trouble> {
        if self.protocols.are_http1() {
            return self.connect(true, noted, timing).await;
        }
        let asked = Instant::now();
        let mut failed = berth.opening.lock().await;
        if let Some(trunk) = berth.shared() {
            return Ok(Carrier::Trunk(trunk));
        }
        // Whoever waited for an attempt that failed does not wait for another one.
        if let Some((_, trouble)) = failed.as_ref().filter(|(when, _)| *when >= asked) {
            return Err(trouble.clone());
        }
        if self.protocols.are_http1() {
            drop(failed);
            return self.connect(true, noted, timing).await;
        }
        let carrier = self.connect(true, noted, timing).await;
        match &carrier {
            Ok(Carrier::Trunk(trunk)) => *berth.trunk() = Some(trunk.clone()),
            Ok(Carrier::Link(_)) => {}
            Err(trouble) => *failed = Some((Instant::now(), trouble.clone())),
        }
        carrier
    }

    /// A handshake for nothing but what is agreed in it.
    pub(super) async fn probe(&self) {
        let outcome = self.dial_and_secure(true, &mut Upstream::default(), &mut Timing::default()).await;
        match outcome {
            Ok(_) => tracing::debug!(upstream = %self.origin, http2 = self.protocols.are_http2(), "probed"),
            Err(trouble) => tracing::debug!(upstream = %self.origin, "could not be probed: {trouble}"),
        }
    }

    /// A new connection over HTTP/1.1.
    pub(super) async fn link(&self, noted: &mut Upstream, timing: &mut Timing) -> Result<Link, Trouble> {
        match self.connect(false, noted, timing).await? {
            Carrier::Link(link) => Ok(link),
            Carrier::Trunk(_) => {
                Err(Trouble::new(Kind::Garbage, "it chose HTTP/2, which it was not offered".into()))
            }
        }
    }

    /// A new connection.
    async fn connect(
        &self,
        http2: bool,
        noted: &mut Upstream,
        timing: &mut Timing,
    ) -> Result<Carrier, Trouble> {
        match self.dial_and_secure(http2, noted, timing).await? {
            Opened::Plain(stream) => self.speak(stream, noted.clone()).await.map(Carrier::Link),
            Opened::Secured(stream) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
                let trunk = Trunk::open(*stream, noted.clone(), self.limits.handshake).await;
                trunk.map(Carrier::Trunk)
            }
            Opened::Secured(stream) => self.speak(*stream, noted.clone()).await.map(Carrier::Link),
        }
    }

    /// A new connection on which nothing was said yet, with how long each step took.
    async fn dial_and_secure(
        &self,
        http2: bool,
        noted: &mut Upstream,
        timing: &mut Timing,
    ) -> Result<Opened, Trouble> {
        let began = Instant::now();
        let addresses = self.resolve().await?;
        timing.dns = self.address.is_none().then(|| micros(began));
        let began = Instant::now();
        let stream = dial(&addresses, self.limits.upstream_connect).await?;
        timing.connect = Some(micros(began));
        noted.address = stream.peer_addr().ok().map(|a| a.to_string());
        let _ = stream.set_nodelay(true);
        let Some(trust) = self.trust.as_ref().filter(|_| self.origin.secure) else {
            return Ok(Opened::Plain(stream));
        };
        let http2 = http2 && self.protocols.may_be_http2();
        let began = Instant::now();
        let (mut config, verdict) = trust.connection();
        if http2 {
            Arc::make_mut(&mut config).alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        }
        let name = ServerName::try_from(self.origin.host.clone())
            .map_err(|_| Trouble::new(Kind::Tls, format!("{:?} is no name to verify", self.origin.host)))?;
        let handshake = timeout(self.limits.handshake, TlsConnector::from(config).connect(name, stream));
        let handshake = handshake.await;
        noted.asked_client_certificate = verdict.asked_client_certificate();
        self.asked.fetch_or(noted.asked_client_certificate, Ordering::Relaxed);
        let stream = match handshake {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                noted.verified = false;
                return Err(Trouble::new(Kind::Tls, explain(&error, &self.origin.host)));
            }
            Err(_) => {
                let waited = format!("the TLS handshake was not done after {:?}", self.limits.handshake);
                return Err(Trouble::new(Kind::Tls, waited));
            }
        };
        timing.tls = Some(micros(began));
        let (_, session) = stream.get_ref();
        noted.tls = facts(session);
        noted.alpn = session.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned());
        noted.chain = chain(session.peer_certificates());
        noted.verified = verdict.is_verified();
        if http2 {
            self.protocols.learn(session.alpn_protocol());
        }
        Ok(Opened::Secured(Box::new(stream)))
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Trouble> {
        if let Some(address) = self.address {
            return Ok(vec![address]);
        }
        let found = tokio::net::lookup_host((self.origin.host.as_str(), self.origin.port)).await;
        let found: Vec<SocketAddr> =
            found.map_err(|error| Trouble::new(Kind::Dns, error.to_string()))?.collect();
        if found.is_empty() {
            return Err(Trouble::new(Kind::Dns, "the name has no address".into()));
        }
        Ok(found)
    }

    async fn speak<S>(&self, stream: S, facts: Upstream) -> Result<Link, Trouble>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let leg = Arc::new(Leg::default());
        let wire = Wire::new(stream, Role::Responses, self.limits.server(), Arc::clone(&leg));
        // Of its own accord hyper would take 400 kB.
        let handshake = http1::Builder::new().max_buf_size(MOST_BUFFERED).handshake(TokioIo::new(wire)).await;
        let (sender, connection) =
            handshake.map_err(|error| Trouble::new(Kind::ClosedEarly, error.to_string()))?;
        tokio::spawn(async move {
            // Its end is seen by whoever uses the sender.
            if let Err(error) = connection.await {
                tracing::debug!("upstream connection ended: {error}");
            }
        });
        Ok(Link { sender, leg, facts, pinned: false })
    }
}

enum Opened {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Link {
    /// Notices what has happened to the connection while nobody looked.
    pub(super) async fn revive(mut self) -> Option<Self> {
        // The runtime looks at its sockets between two turns; then the connection's own task sees a close.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        if self.sender.is_closed() || !matches!(timeout(SETTLING, self.sender.ready()).await, Ok(Ok(()))) {
            return None;
        }
        self.facts.reused = true;
        Some(self)
    }
}

/// Tries one address after the other.
pub(super) async fn dial(addresses: &[SocketAddr], patience: Duration) -> Result<TcpStream, Trouble> {
    let mut said = Vec::new();
    let mut kind = Kind::Connect;
    for address in addresses {
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => said.push(format!("{address}: {error}")),
            Err(_) => {
                kind = Kind::ConnectTimeout;
                said.push(format!("{address}: no answer within {patience:?}"));
            }
        }
    }
    Err(Trouble::new(kind, said.join("; ")))
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
