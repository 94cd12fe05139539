//! One device's connection: its first bytes, its handshake, its exchanges, and how it ended.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use super::draft::Ending;
use super::forward;
use super::listen::stopped;
use super::pool::{Link, Pool};
use super::rescue;
use super::settings::{Limits, Settings};
use crate::event::{Connection, ConnectionEvent, ConnectionId, Delivery, Reason};
use crate::net::{
    Fate, Greeting, Leg, Origin, Replayed, Role, Served, Wire, facts, now, read_greeting, refusal_reason,
};
use crate::sink::Journal;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) journal: Journal,
    pub(super) pool: Pool,
    /// Connections so far: they are numbered through the whole run.
    pub(super) accepted: AtomicU64,
}

/// One device's connection, while it lives.
#[derive(Debug)]
pub(super) struct Session {
    shared: Arc<Shared>,
    id: ConnectionId,
    leg: Arc<Leg>,
    secure: bool,
    /// Answers whose last bytes wait to be flushed.
    endings: Mutex<Vec<Ending>>,
    /// The server's connection that this device has authenticated (Negotiate, NTLM); nobody else may use it.
    pinned: Mutex<Option<Link>>,
}

impl Session {
    pub(super) fn id(&self) -> &ConnectionId {
        &self.id
    }

    pub(super) fn leg(&self) -> &Arc<Leg> {
        &self.leg
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.settings.limits
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The device speaks TLS with us.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    pub(super) fn upstream(&self) -> &Origin {
        &self.shared.settings.upstream
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// A connection to the server that lives already.
    pub(super) async fn take_link(&self) -> Option<Link> {
        let pinned = lock(&self.pinned).take();
        if let Some(link) = pinned
            && let Some(link) = link.revive().await
        {
            return Some(link);
        }
        self.pool().reuse().await
    }

    pub(super) fn return_link(&self, link: Link) {
        if link.pinned {
            *lock(&self.pinned) = Some(link);
        } else {
            self.pool().give_back(link);
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
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic between a push and a pop leaves what was there.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: TcpStream,
    pub(super) served: Option<Served>,
    /// What is known before the first byte.
    pub(super) event: Connection,
    pub(super) stop: watch::Receiver<bool>,
}

impl Accepted {
    pub(super) async fn serve(self) {
        let _ = self.stream.set_nodelay(true);
        let Self { shared, stream, served, mut event, mut stop } = self;
        let Some(served) = served else {
            return converse(&shared, stream, event, stop).await;
        };
        let patience = shared.settings.limits.handshake;
        let outcome = tokio::select! {
            outcome = timeout(patience, shake_hands(&mut event, stream, &served)) => outcome.unwrap_or_else(|_| {
                Err(Reason::Timeout(format!("the TLS handshake was not done after {patience:?}")))
            }),
            () = stopped(&mut stop) => Err(Reason::ClosedByUs),
        };
        match outcome {
            Ok(stream) => converse(&shared, stream, event, stop).await,
            Err(reason) => {
                tracing::info!(connection = %event.id, peer = %event.peer, ?reason, "handshake failed");
                let failed = ConnectionEvent::Failed;
                shared.journal.connection(Connection {
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

async fn shake_hands(
    event: &mut Connection,
    mut stream: TcpStream,
    served: &Served,
) -> Result<Secured, Reason> {
    let mut first = Vec::new();
    let greeting = loop {
        if let Some(greeting) = read_greeting(&first) {
            break greeting;
        }
        match stream.read_buf(&mut first).await {
            Ok(0) | Err(_) => return Err(Reason::ClosedInHandshake),
            Ok(_) => {}
        }
    };
    match greeting {
        Greeting::Hello { sni, offered } => {
            event.chain = served.chain(sni.as_deref());
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
    let leaf = event.chain.first().map_or(usize::MAX, |leaf| leaf.len());
    let replayed = Replayed::new(first, stream);
    let written = replayed.written();
    match TlsAcceptor::from(Arc::clone(&served.config)).accept(replayed).await {
        Ok(stream) => {
            let (_, session) = stream.get_ref();
            event.tls = facts(session);
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
    shared.journal.connection(Connection { at: now(), event: opened, ..event.clone() });
    let leg = Arc::new(Leg::default());
    let session = Arc::new(Session {
        shared: Arc::clone(shared),
        id: event.id.clone(),
        leg: Arc::clone(&leg),
        secure: event.tls.is_some(),
        endings: Mutex::default(),
        pinned: Mutex::default(),
    });
    let wire = Wire::new(stream, Role::Requests, shared.settings.limits.device(), Arc::clone(&leg));
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
    let reason = match leg.fate() {
        Some(Fate::Closed) => Reason::ClosedByDevice,
        Some(Fate::Alert(alert)) => Reason::Alert(alert),
        Some(Fate::Lost(_)) => Reason::Reset,
        Some(Fate::BadHead(what)) => Reason::BadHead(what),
        Some(Fate::Timeout(what)) => Reason::Timeout(what),
        None => Reason::ClosedByUs,
    };
    let closed = ConnectionEvent::Closed;
    shared.journal.connection(Connection { at: now(), event: closed, reason: Some(reason), ..event });
}
