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

use super::rescue::{Kind, Trouble};
use super::settings::{Limits, SiteSettings};
use super::tap::Tapped;
use crate::event::{Timing, Upstream};
use crate::net::{Leg, Origin, Role, Trust, Wire, chain, explain, facts};

/// More idle connections than one server site needs.
const MOST_IDLE: usize = 64;
/// Servers close idle connections after 60 to 120 seconds; a race with that is lost requests.
const LONGEST_IDLE: Duration = Duration::from_secs(50);
/// A connection whose last answer has just ended is given so long to be ready for the next request.
const SETTLING: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Pool {
    origin: Origin,
    address: Option<SocketAddr>,
    trust: Option<Trust>,
    limits: Limits,
    idle: Mutex<Vec<Idle>>,
    /// The server was seen to ask for a client certificate.
    asked: AtomicBool,
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

impl Pool {
    pub(super) fn new(site: &SiteSettings, limits: &Limits) -> Self {
        Self {
            origin: site.upstream.clone(),
            address: site.upstream_address,
            trust: site.trust.clone(),
            limits: limits.clone(),
            idle: Mutex::default(),
            asked: AtomicBool::new(false),
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

    /// A new connection, with how long each step took.
    pub(super) async fn connect(&self, noted: &mut Upstream, timing: &mut Timing) -> Result<Link, Trouble> {
        let began = Instant::now();
        let addresses = self.resolve().await?;
        timing.dns = self.address.is_none().then(|| micros(began));
        let began = Instant::now();
        let stream = dial(&addresses, self.limits.upstream_connect).await?;
        timing.connect = Some(micros(began));
        noted.address = stream.peer_addr().ok().map(|a| a.to_string());
        let _ = stream.set_nodelay(true);
        let Some(trust) = self.trust.as_ref().filter(|_| self.origin.secure) else {
            return self.speak(stream, noted.clone()).await;
        };
        let began = Instant::now();
        let (config, verdict) = trust.connection();
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
        self.speak(stream, noted.clone()).await
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
        let handshake = http1::handshake(TokioIo::new(wire)).await;
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
