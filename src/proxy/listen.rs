//! The listeners: bound at once or not at all, accepting until told to stop.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::connection::{Accepted, Shared};
use super::pool::{Pool, addresses};
use super::settings::{ListenerSettings, Settings};
use crate::event::{Connection, ConnectionId};
use crate::net::Served;
use crate::sink::Journal;

#[derive(Debug, Error)]
pub enum ProxyError {
    #[error("there is nothing to listen on: give --listen or --listen-http")]
    NoListener,
    #[error("cannot listen on {address}: {hint}")]
    Bind { address: SocketAddr, hint: String, source: io::Error },
    #[error(
        "the upstream {upstream} leads back to our own listener {listener}: name the enrollment server itself, or its \
         address with --upstream-connect"
    )]
    Loop { upstream: String, listener: String },
}

/// Listeners that are bound, and not yet accepting.
#[derive(Debug)]
pub struct Proxy {
    listeners: Vec<Listener>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    served: Option<Served>,
}

impl Listener {
    fn url(&self) -> String {
        let scheme = if self.served.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

impl Proxy {
    /// Binds every listener; port 0 takes a free one.
    pub async fn bind(settings: Settings, journal: Journal) -> Result<Self, ProxyError> {
        let mut listeners = Vec::new();
        for ListenerSettings { address, served } in &settings.listeners {
            let bind = |source: io::Error| {
                let hint = hint(&source);
                ProxyError::Bind { address: *address, hint, source }
            };
            let socket = TcpListener::bind(address).await.map_err(bind)?;
            let address = socket.local_addr().map_err(bind)?;
            listeners.push(Listener { socket, address, served: served.clone() });
        }
        if listeners.is_empty() {
            return Err(ProxyError::NoListener);
        }
        refuse_loop(&settings, &listeners).await?;
        let pool = Pool::new(&settings);
        Ok(Self {
            listeners,
            shared: Arc::new(Shared { settings, journal, pool, accepted: AtomicU64::new(0) }),
        })
    }

    /// One URL per listener, in their order, with the ports that were given.
    pub fn addresses(&self) -> Vec<String> {
        self.listeners.iter().map(Listener::url).collect()
    }

    /// Serves until `stop` turns true; then ends open exchanges in bounded time.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let Self { listeners, shared } = self;
        let limit = shared.settings.limits.connections;
        let room = Arc::new(Semaphore::new(limit));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let (shared, room, stop) = (Arc::clone(&shared), Arc::clone(&room), stop.clone());
            accepting.spawn(accept(listener, shared, room, stop));
        }
        while accepting.join_next().await.is_some() {}
        shared.pool.clear();
    }
}

async fn accept(
    listener: Listener,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let url = listener.url();
    let mut open = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = stopped(&mut stop) => break,
            // Finished ones are taken away as they end, so that the set does not grow.
            Some(_) = open.join_next() => continue,
            accepted = listener.socket.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::error!("cannot accept on {url}: {error}");
                    // Out of file descriptors, most likely: trying at once would only spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            let limit = shared.settings.limits.connections;
            tracing::error!("{peer} was turned away: {limit} connections are open, the limit");
            continue;
        };
        let accepted = Accepted {
            shared: Arc::clone(&shared),
            served: listener.served.clone(),
            event: introduce(&shared, peer, &url),
            stream,
            stop: stop.clone(),
        };
        open.spawn(async move {
            accepted.serve().await;
            drop(permit);
        });
    }
    drop(listener);
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.settings.limits.stop, all).await.is_err() {
        tracing::warn!("exchanges were still open on {url} when the time to end them was over");
    }
}

/// Also when the one who could tell is gone.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn introduce(shared: &Shared, peer: SocketAddr, url: &str) -> Connection {
    let id = ConnectionId(format!("c{}", shared.accepted.fetch_add(1, Ordering::Relaxed) + 1).into());
    Connection { id, peer: peer.to_string(), listener: url.to_owned(), ..Connection::default() }
}

fn hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is taken by another program; stop that one, or choose another port (0 takes a free one)".into()
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need more rights; run elevated, grant CAP_NET_BIND_SERVICE, or choose a higher port".into()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address; 0.0.0.0 listens on all that it has".into()
        }
        _ => error.to_string(),
    }
}

/// A proxy that forwards to itself would answer nobody and eat every connection.
async fn refuse_loop(settings: &Settings, listeners: &[Listener]) -> Result<(), ProxyError> {
    // A name that does not resolve now may do so later; that is no reason not to start.
    let Ok(targets) = addresses(settings).await else { return Ok(()) };
    for target in targets {
        let same = |listener: &&Listener| {
            let ip = listener.address.ip();
            let here = ip == target.ip() || (ip.is_unspecified() && is_ours(target.ip()));
            here && listener.address.port() == target.port()
        };
        if let Some(listener) = listeners.iter().find(same) {
            let upstream = settings.upstream.to_string();
            return Err(ProxyError::Loop { upstream, listener: listener.url() });
        }
    }
    Ok(())
}

/// Only an address of this machine can be bound.
fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}
