//! One device's connection: its first bytes, its handshake, its exchanges, and how it ended.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use super::draft::Ending;
use super::forward;
use super::forwarded::{Forwarded, Hidden};
use super::h2_device;
use super::pool::{Berth, Carrier, Link};
use super::relay::{Unanswered, pass_through};
use super::rescue;
use super::settings::{Limits, PlainHttp, Settings};
use super::sites::{HTTPS, Site, Sites, Target, Way};
use super::tap::{Copied, Memory};
use crate::event::{Connection, ConnectionEvent, ConnectionId, Delivery, Front, Header, Reason};
use crate::net::{
    Extent, Fate, Fronts, Greeting, Leg, Preface, Replayed, Role, Served, Streams, UNTRUSTED_PREFACE, Wire,
    alert, chain, facts, no_certificate, now, plain, read_greeting, read_preface, refusal_reason, stopped,
    with_http2,
};
use crate::sink::Journal;

/// What all connections share that began under one configuration.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) sites: Sites,
    /// Certificates for listeners with TLS.
    pub(super) served: Option<Served>,
    pub(super) plain_http: PlainHttp,
    pub(super) limits: Limits,
    /// Whose word is taken for the device's.
    pub(super) fronts: Fronts,
    pub(super) forwarded: Forwarded,
    pub(super) run: Arc<Run>,
}

/// What outlasts every configuration.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) journal: Journal,
    /// Where we can be reached.
    pub(super) listening: Vec<SocketAddr>,
    /// Connections at once.
    pub(super) most: usize,
    pub(super) memory: Arc<Memory>,
    /// Connections so far, by which they are numbered.
    pub(super) accepted: AtomicU64,
    pub(super) hidden: Hidden,
}

impl Shared {
    pub(super) fn new(settings: Settings, sites: Sites, run: Arc<Run>) -> Self {
        let Settings { served, plain_http, limits, fronts, forwarded, .. } = settings;
        Self { sites, served, plain_http, limits, fronts, forwarded, run }
    }
}

/// One device's connection, while it lives.
#[derive(Debug)]
pub(super) struct Session {
    shared: Arc<Shared>,
    id: ConnectionId,
    /// `ip:port` of the device, or of the front end that speaks for it.
    peer: String,
    /// The other end is a trusted front end, which forwards requests of devices.
    is_front: bool,
    leg: Arc<Leg>,
    secure: bool,
    /// The name that TLS was asked for.
    sni: Option<String>,
    /// What the device showed in TLS, leaf first.
    client_certificate: Vec<Bytes>,
    /// The streams of an HTTP/2 connection.
    streams: Arc<Streams>,
    /// Answers whose last bytes wait to be flushed.
    endings: Mutex<Vec<Ending>>,
    /// The servers' connections that this device has authenticated (Negotiate, NTLM); nobody else may use them.
    pinned: Mutex<Vec<(Arc<Site>, Link)>>,
    /// This device's connections to servers over HTTP/2.
    berths: Mutex<Vec<(Arc<Site>, Arc<Berth>)>>,
}

impl Session {
    pub(super) fn new(shared: &Arc<Shared>, event: &Connection) -> Self {
        Self {
            shared: Arc::clone(shared),
            id: event.id.clone(),
            peer: event.peer.clone(),
            is_front: is_trusted(&shared.fronts, &event.peer),
            leg: Arc::default(),
            secure: event.tls.is_some(),
            sni: event.sni.clone(),
            client_certificate: event.client_certificate.clone(),
            streams: Arc::default(),
            endings: Mutex::default(),
            pinned: Mutex::default(),
            berths: Mutex::default(),
        }
    }

    pub(super) fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    pub(super) fn id(&self) -> &ConnectionId {
        &self.id
    }

    pub(super) fn leg(&self) -> &Arc<Leg> {
        &self.leg
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.shared.run.journal
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(super) fn sites(&self) -> &Sites {
        &self.shared.sites
    }

    /// The other end is a trusted front end, which forwards requests of devices.
    pub(super) fn is_front(&self) -> bool {
        self.is_front
    }

    /// What a trusted front end says of the device.
    pub(super) fn front(&self, headers: &[Header]) -> Option<Front> {
        if self.is_front { self.shared.fronts.told(headers) } else { None }
    }

    /// A copy of a body that is about to pass.
    pub(super) fn copied(&self, extent: Extent) -> Copied {
        Copied::new(extent, self.shared.limits.kept_body, &self.shared.run.memory)
    }

    pub(super) fn forwarded(&self) -> Forwarded {
        self.shared.forwarded
    }

    /// What the server does not learn of this device's address, told once in a run.
    pub(super) fn hidden(&self) -> Option<String> {
        let shown = self.is_front || self.shared.forwarded != Forwarded::Off;
        let address = self.peer.parse::<SocketAddr>().ok().filter(|_| !shown)?;
        self.shared.run.hidden.by_one_address(address.ip().to_canonical())
    }

    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// The device speaks TLS with us.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// What is done besides forwarding, if the device speaks without TLS.
    pub(super) fn plain_http(&self) -> Option<&PlainHttp> {
        (!self.secure).then_some(&self.shared.plain_http)
    }

    /// The name that TLS was asked for.
    pub(super) fn sni(&self) -> Option<&str> {
        self.sni.as_deref()
    }

    /// The certificates that the device showed in TLS, leaf first.
    pub(super) fn client_certificate(&self) -> &[Bytes] {
        &self.client_certificate
    }

    /// Where this device's HTTP/2 connection to the site's server is.
    pub(super) fn berth(&self, site: &Arc<Site>) -> Arc<Berth> {
        let mut berths = lock(&self.berths);
        if let Some((_, berth)) = berths.iter().find(|(other, _)| Arc::ptr_eq(other, site)) {
            return Arc::clone(berth);
        }
        let berth = Arc::<Berth>::default();
        berths.push((Arc::clone(site), Arc::clone(&berth)));
        berth
    }

    /// A connection to the site's server that lives already.
    pub(super) async fn take_link(&self, site: &Arc<Site>) -> Option<Link> {
        let pinned = {
            let mut pinned = lock(&self.pinned);
            let at = pinned.iter().position(|(other, _)| Arc::ptr_eq(other, site));
            at.map(|at| pinned.swap_remove(at).1)
        };
        if let Some(link) = pinned
            && let Some(link) = link.revive().await
        {
            return Some(link);
        }
        site.pool.reuse().await
    }

    pub(super) fn give_back(&self, site: &Arc<Site>, carrier: Carrier) {
        let Carrier::Link(link) = carrier else {
            // It is shared already.
            return;
        };
        if link.pinned {
            lock(&self.pinned).push((Arc::clone(site), link));
        } else {
            site.pool.give_back(link);
        }
    }

    pub(super) fn add_ending(&self, ending: Ending) {
        lock(&self.endings).push(ending);
    }

    /// Tells how deliveries ended: well, once everything is flushed; else when the connection has ended.
    fn settle(&self, outcome: Option<Delivery>) {
        let delivery = match outcome {
            None if self.leg.is_flushed() => Delivery::Complete,
            None => return,
            Some(delivery) => delivery,
        };
        for ending in lock(&self.endings).drain(..) {
            self.journal().end(ending.of, delivery, ending.sent, now());
        }
    }

    /// Tells which streams' answers have gone out; with `over`, what became of all others, too.
    pub(super) fn settle_streams(&self, over: bool) {
        lock(&self.endings).retain(|ending| {
            let ended = ending.stream.is_some_and(|stream| self.streams.has_ended(stream));
            if ended || over {
                let delivery = if ended { Delivery::Complete } else { Delivery::Reset };
                self.journal().end(ending.of.clone(), delivery, ending.sent, now());
            }
            !ended && !over
        });
    }

    /// Why the connection is over.
    pub(super) fn reason(&self) -> Reason {
        match self.leg.fate() {
            Some(Fate::Closed) => Reason::ClosedByDevice,
            Some(Fate::Alert(alert)) => Reason::Alert(alert),
            Some(Fate::Lost(_)) => Reason::Reset,
            Some(Fate::BadHead(what)) => Reason::BadHead(what),
            Some(Fate::Timeout(what)) => Reason::Timeout(what),
            None => Reason::ClosedByUs,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic between a push and a pop leaves what was there.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: TcpStream,
    /// TLS is expected.
    pub(super) secure: bool,
    /// What is known before the first byte.
    pub(super) event: Connection,
    pub(super) stop: watch::Receiver<bool>,
}

impl Accepted {
    pub(super) async fn serve(self) {
        let _ = self.stream.set_nodelay(true);
        let Self { shared, mut stream, secure, mut event, mut stop } = self;
        let served = shared.served.as_ref().filter(|_| secure);
        let introduced = tokio::select! {
            introduced = introduce(&shared, &mut event, &mut stream) => introduced,
            () = stopped(&mut stop) => Err(Reason::ClosedByUs),
        };
        let begun = match (introduced, served) {
            (Err(reason), _) => Err(reason),
            (Ok(first), None) if first.is_empty() => return converse(&shared, stream, event, stop).await,
            (Ok(first), None) => {
                return converse(&shared, Replayed::new(first, stream), event, stop).await;
            }
            (Ok(first), Some(served)) => {
                let patience = shared.limits.handshake;
                let device = Unanswered { first, stream };
                tokio::select! {
                    begun = timeout(patience, begin(&shared, &mut event, device, served)) => begun.unwrap_or_else(|_| {
                        Err(Reason::Timeout(format!("the TLS handshake was not done after {patience:?}")))
                    }),
                    () = stopped(&mut stop) => Err(Reason::ClosedByUs),
                }
            }
        };
        match begun {
            Ok(Begun::Secured(stream)) if event.alpn.as_deref() == Some("h2") => {
                h2_device::converse(&shared, *stream, event, stop).await;
            }
            Ok(Begun::Secured(stream)) => converse(&shared, *stream, event, stop).await,
            Ok(Begun::Through(device, target)) => pass_through(&shared, device, &target, event, stop).await,
            Err(reason) => {
                tracing::info!(connection = %event.id, peer = %event.peer, ?reason, "handshake failed");
                let failed = ConnectionEvent::Failed;
                shared.run.journal.connection(Connection {
                    at: now(),
                    event: failed,
                    reason: Some(reason),
                    ..event
                });
            }
        }
    }
}

type Secured = tokio_rustls::server::TlsStream<Replayed<TcpStream>>;

/// A connection on which TLS has begun.
enum Begun {
    Secured(Box<Secured>),
    /// Its TLS is not for us.
    Through(Unanswered, Target),
}

fn is_trusted(fronts: &Fronts, peer: &str) -> bool {
    peer.parse::<SocketAddr>().is_ok_and(|peer| fronts.trusts(peer.ip()))
}

/// Takes a trusted front end's word (PROXY protocol) for whom it connects; yields what was read of the device's own.
async fn introduce(
    shared: &Shared,
    event: &mut Connection,
    stream: &mut TcpStream,
) -> Result<Vec<u8>, Reason> {
    let mut first = Vec::new();
    if !is_trusted(&shared.fronts, &event.peer) {
        return Ok(first);
    }
    let patience = shared.limits.device_idle;
    loop {
        match read_preface(&first) {
            Preface::None => return Ok(first),
            Preface::Proxy { source, length } => {
                first.drain(..length);
                if let Some(source) = source {
                    event.via = Some(std::mem::replace(&mut event.peer, source.to_string()));
                }
                return Ok(first);
            }
            Preface::Broken(why) => return Err(Reason::BadHead(why)),
            Preface::More => {}
        }
        match timeout(patience, stream.read_buf(&mut first)).await {
            // Whoever reads next sees the end, too.
            Ok(Ok(0) | Err(_)) => return Ok(first),
            Ok(Ok(_)) => {}
            Err(_) => return Err(Reason::Timeout(format!("nothing came for {patience:?}"))),
        }
    }
}

/// Reads whom the device asks for, and does with it what is configured for the name.
async fn begin(
    shared: &Shared,
    event: &mut Connection,
    device: Unanswered,
    served: &Served,
) -> Result<Begun, Reason> {
    let Unanswered { mut first, mut stream } = device;
    let greeting = loop {
        if let Some(greeting) = read_greeting(&first) {
            break greeting;
        }
        match stream.read_buf(&mut first).await {
            Ok(0) | Err(_) => return Err(Reason::ClosedInHandshake),
            Ok(_) => {}
        }
    };
    if !matches!(greeting, Greeting::Hello { .. }) && read_preface(&first) != Preface::None {
        return Err(Reason::BadHead(UNTRUSTED_PREFACE.to_owned()));
    }
    match greeting {
        Greeting::Hello { sni, offered } => {
            event.sni = sni;
            event.offered = Some(offered);
        }
        Greeting::PlainHttp => {
            // The words may take their time; that it happened is told at once.
            tokio::spawn(async move { say_goodbye(stream, &rescue::plain_http_on_tls()).await });
            return Err(Reason::PlainHttp);
        }
        Greeting::Garbage => return Err(Reason::Garbage),
    }
    let device = Unanswered { first, stream };
    let sni = event.sni.as_deref();
    match (shared.sites.find(sni), sni) {
        (Some(Way::Passthrough(address)), Some(sni)) => {
            let by_name = || Target::Name(plain(sni), HTTPS);
            Ok(Begun::Through(device, address.map_or_else(by_name, Target::Address)))
        }
        (Some(Way::Refuse), Some(sni)) => {
            let why = Reason::Unwanted(format!("{} is configured to be refused", plain(sni)));
            Err(refuse(device.stream, why))
        }
        (way, _) => {
            let site = way.and_then(|way| match way {
                Way::Inspect(site) => Some(site),
                Way::Passthrough(_) | Way::Refuse => None,
            });
            // Only for a device that could use the answer does anybody go and look.
            let wanted = event.offered.as_ref().is_some_and(|offered| offered.alpn.iter().any(|p| p == "h2"));
            let http2 = site.as_ref().is_some_and(|site| wanted && site.speaks_http2());
            let stream = shake_hands(event, device, served, site.as_deref(), http2).await;
            stream.map(|stream| Begun::Secured(Box::new(stream)))
        }
    }
}

/// Tells the device that there is nobody of that name here.
fn refuse(stream: TcpStream, why: Reason) -> Reason {
    tokio::spawn(async move { say_goodbye(stream, &alert(AlertDescription::UnrecognisedName)).await });
    why
}

async fn shake_hands(
    event: &mut Connection,
    device: Unanswered,
    served: &Served,
    site: Option<&Site>,
    http2: bool,
) -> Result<Secured, Reason> {
    let Unanswered { first, stream } = device;
    event.chain = served.chain(event.sni.as_deref());
    if event.chain.is_empty() {
        return Err(refuse(stream, no_certificate()));
    }
    let leaf = event.chain.first().map_or(usize::MAX, |leaf| leaf.len());
    let config = match site {
        Some(site) => {
            event.asked_client_certificate = site.asks();
            served.handshake(&site.sessions, event.asked_client_certificate)
        }
        None => Arc::clone(&served.config),
    };
    let replayed = Replayed::new(first, stream);
    let written = replayed.written();
    let config = if http2 { with_http2(&config) } else { config };
    match TlsAcceptor::from(config).accept(replayed).await {
        Ok(stream) => {
            let (_, session) = stream.get_ref();
            event.tls = facts(session);
            event.client_certificate = chain(session.peer_certificates());
            event.alpn = session.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned());
            Ok(stream)
        }
        // A certificate can only have gone out if at least as many bytes did.
        Err(error) => {
            let showed = written.count() > leaf as u64;
            Err(refusal_reason(&error, event.offered.as_ref(), showed))
        }
    }
}

/// Answers a connection that is not worth a session, and lets the answer arrive before the close.
async fn say_goodbye(mut stream: TcpStream, words: &[u8]) {
    const PATIENCE: Duration = Duration::from_secs(1);
    if stream.write_all(words).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = [0; 4096];
    let drain = async { while matches!(stream.read(&mut rest).await, Ok(count) if count > 0) {} };
    let _ = timeout(PATIENCE, drain).await;
}

async fn converse<S>(shared: &Arc<Shared>, stream: S, event: Connection, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let opened = ConnectionEvent::Opened;
    shared.run.journal.connection(Connection { at: now(), event: opened, ..event.clone() });
    let session = Arc::new(Session::new(shared, &event));
    let wire = Wire::new(stream, Role::Requests, shared.limits.device(), Arc::clone(session.leg()));
    let service = {
        let session = Arc::clone(&session);
        service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let session = Arc::clone(&session);
            async move { Ok::<_, Infallible>(forward::answer(&session, request.into_body()).await) }
        })
    };
    // When it has ended it is dropped, and with it whatever was still open: those exchanges come before the close.
    let outcome = {
        let connection = http1::Builder::new()
            .auto_date_header(false)
            // Of a connection's memory that nobody counts the most; heads here are the wire's stand-ins.
            .max_buf_size(64 << 10)
            // The wire keeps the time, and tells why.
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(wire), service);
        let mut connection = pin!(connection);
        let mut stopping = false;
        loop {
            let turn = std::future::poll_fn(|cx: &mut Context<'_>| {
                let outcome: Poll<hyper::Result<()>> = connection.as_mut().poll(cx);
                session.settle(None);
                outcome
            });
            tokio::select! {
                outcome = turn => break outcome,
                () = stopped(&mut stop), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    };
    session.settle(Some(if outcome.is_ok() { Delivery::Complete } else { Delivery::Reset }));
    let (closed, reason) = (ConnectionEvent::Closed, Some(session.reason()));
    shared.run.journal.connection(Connection { at: now(), event: closed, reason, ..event });
}
