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
use tokio::time::Instant;

use super::connection::{Accepted, Shared};
use super::repeated::Repeated;
use super::settings::{ListenerSettings, Settings};
use super::sites::Sites;
use super::tap::Memory;
use crate::event::{Connection, ConnectionId};
use crate::net::{Served, stopped};
use crate::sink::Journal;

#[derive(Debug, Error)]
pub enum ProxyError {
    #[error("there is nothing to listen on: give --listen or --listen-http")]
    NoListener,
    #[error("cannot listen on {address}: {hint}")]
    Bind { address: SocketAddr, hint: String, source: io::Error },
    #[error(
        "{target} leads back to our own listener {listener}: name the server itself, or give its address with \
         --upstream-connect (of a host that is passed through, with --passthrough NAME=ADDR:PORT)"
    )]
    Loop { target: String, listener: String },
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
        let sites = Sites::new(&settings);
        refuse_loop(&sites, &listeners).await?;
        let listening = listeners.iter().map(|listener| listener.address).collect();
        let Settings { plain_http, limits, fronts, forwarded, .. } = settings;
        let accepted = AtomicU64::new(0);
        let memory = Arc::new(Memory::new(limits.body_memory));
        let shared = Arc::new(Shared {
            sites,
            plain_http,
            limits,
            memory,
            fronts,
            forwarded,
            journal,
            listening,
            accepted,
        });
        Ok(Self { listeners, shared })
    }

    /// One URL per listener, in their order, with the ports that were given.
    pub fn addresses(&self) -> Vec<String> {
        self.listeners.iter().map(Listener::url).collect()
    }

    /// Serves until `stop` turns true; then ends open exchanges in bounded time.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let Self { listeners, shared } = self;
        let limit = shared.limits.connections;
        let room = Arc::new(Semaphore::new(limit));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let (shared, room, stop) = (Arc::clone(&shared), Arc::clone(&room), stop.clone());
            accepting.spawn(accept(listener, shared, room, stop));
        }
        while accepting.join_next().await.is_some() {}
        shared.sites.inspected().for_each(|site| site.pool.clear());
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
    let (mut full, mut failing) = (Repeated::default(), Repeated::default());
    loop {
        let (stream, peer) = tokio::select! {
            () = stopped(&mut stop) => break,
            // Finished ones are taken away as they end, so that the set does not grow.
            Some(_) = open.join_next() => continue,
            lines = full.due() => {
                tracing::error!("{lines}");
                continue;
            }
            lines = failing.due() => {
                tracing::error!("{lines}");
                continue;
            }
            accepted = listener.socket.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if let Some(line) = failing.happens(Instant::now(), format!("cannot accept on {url}: {error}")) {
                        tracing::error!("{line}");
                    }
                    // Out of file descriptors, most likely: trying at once would only spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            let limit = shared.limits.connections;
            let words = format!("{peer} was turned away: {limit} connections are open, the limit");
            if let Some(line) = full.happens(Instant::now(), words) {
                tracing::error!("{line}");
            }
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
    if tokio::time::timeout(shared.limits.stop, all).await.is_err() {
        tracing::warn!("exchanges were still open on {url} when the time to end them was over");
    }
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
async fn refuse_loop(sites: &Sites, listeners: &[Listener]) -> Result<(), ProxyError> {
    for (words, target) in sites.targets() {
        // A name that does not resolve now may do so later; that is no reason not to start.
        let Ok(addresses) = target.resolve().await else { continue };
        let leads_here =
            |listener: &&Listener| addresses.iter().any(|address| is_same(listener.address, *address));
        if let Some(listener) = listeners.iter().find(leads_here) {
            return Err(ProxyError::Loop { target: words, listener: listener.url() });
        }
    }
    Ok(())
}

/// Who connects to that address reaches this listener.
pub(super) fn is_same(listener: SocketAddr, target: SocketAddr) -> bool {
    let ip = listener.ip();
    listener.port() == target.port() && (ip == target.ip() || (ip.is_unspecified() && is_ours(target.ip())))
}

/// Only an address of this machine can be bound.
fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}
