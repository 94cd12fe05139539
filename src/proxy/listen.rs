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

use super::connection::{Accepted, Run, Shared};
use super::forwarded::Hidden;
use super::repeated::Repeated;
use super::settings::{ListenerSettings, Settings};
use super::sites::Sites;
use super::tap::Memory;
use crate::event::{Connection, ConnectionId};
use crate::net::stopped;
use crate::sink::Journal;

#[derive(Debug, Error)]
pub enum ProxyError {
    #[error("there is nothing to listen on: give --listen or --listen-http")]
    NoListener,
    #[error("cannot listen on {address}: {hint}")]
    Bind { address: SocketAddr, hint: String, source: io::Error },
    #[error(
        "{target} leads back to our own listener ({address}): name the server itself, or give its address with \
         --upstream-connect (of a host that is passed through, with --passthrough NAME=ADDR:PORT)"
    )]
    Loop { target: String, address: SocketAddr },
}

/// Listeners that are bound, and not yet accepting.
#[derive(Debug)]
pub struct Proxy {
    listeners: Vec<Listener>,
    current: watch::Sender<Arc<Shared>>,
}

/// Changes what a running proxy does.
#[derive(Debug)]
pub struct Control(watch::Sender<Arc<Shared>>);

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    secure: bool,
}

impl Listener {
    fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

impl Proxy {
    /// Binds every listener; port 0 takes a free one.
    pub async fn bind(settings: Settings, journal: Journal) -> Result<Self, ProxyError> {
        let mut listeners = Vec::new();
        for ListenerSettings { address, secure } in &settings.listeners {
            let bind = |source: io::Error| {
                let hint = hint(&source);
                ProxyError::Bind { address: *address, hint, source }
            };
            let socket = TcpListener::bind(address).await.map_err(bind)?;
            let address = socket.local_addr().map_err(bind)?;
            listeners.push(Listener { socket, address, secure: *secure });
        }
        if listeners.is_empty() {
            return Err(ProxyError::NoListener);
        }
        let sites = Sites::new(&settings);
        let listening = listeners.iter().map(|listener| listener.address).collect::<Vec<_>>();
        refuse_loop(&sites, &listening).await?;
        let run = Run {
            journal,
            listening,
            most: settings.limits.connections,
            memory: Arc::new(Memory::new(settings.limits.body_memory)),
            accepted: AtomicU64::new(0),
            hidden: Hidden::default(),
        };
        let shared = Shared::new(settings, sites, Arc::new(run));
        Ok(Self { listeners, current: watch::Sender::new(Arc::new(shared)) })
    }

    pub fn control(&self) -> Control {
        Control(self.current.clone())
    }

    /// One URL per listener, in their order, with the ports that were given.
    pub fn addresses(&self) -> Vec<String> {
        self.listeners.iter().map(Listener::url).collect()
    }

    /// Serves until `stop` turns true; then ends open exchanges in bounded time.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let Self { listeners, current } = self;
        let room = Arc::new(Semaphore::new(current.borrow().run.most));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let (current, room, stop) = (current.subscribe(), Arc::clone(&room), stop.clone());
            accepting.spawn(accept(listener, current, room, stop));
        }
        while accepting.join_next().await.is_some() {}
        current.borrow().sites.clear();
    }
}

impl Control {
    /// Takes over everything but the listeners, the number of connections and the memory for bodies: for connections
    /// that begin from now on. Open ones go on as they began.
    ///
    /// # Errors
    ///
    /// If a site leads back to us; nothing is changed then.
    pub async fn apply(&self, settings: Settings) -> Result<(), ProxyError> {
        let before = Arc::clone(&self.0.borrow());
        let sites = Sites::new(&settings);
        refuse_loop(&sites, &before.run.listening).await?;
        sites.learn_from(&before.sites);
        self.0.send_replace(Arc::new(Shared::new(settings, sites, Arc::clone(&before.run))));
        before.sites.clear();
        Ok(())
    }
}

async fn accept(
    listener: Listener,
    current: watch::Receiver<Arc<Shared>>,
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
        let shared = Arc::clone(&current.borrow());
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            let limit = shared.run.most;
            let words = format!("{peer} was turned away: {limit} connections are open, the limit");
            if let Some(line) = full.happens(Instant::now(), words) {
                tracing::error!("{line}");
            }
            continue;
        };
        let event = introduce(&shared, peer, &url);
        let accepted = Accepted { shared, stream, secure: listener.secure, event, stop: stop.clone() };
        open.spawn(async move {
            accepted.serve().await;
            drop(permit);
        });
    }
    drop(listener);
    let patience = current.borrow().limits.stop;
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, all).await.is_err() {
        tracing::warn!("exchanges were still open on {url} when the time to end them was over");
    }
}

fn introduce(shared: &Shared, peer: SocketAddr, url: &str) -> Connection {
    let id = ConnectionId(format!("c{}", shared.run.accepted.fetch_add(1, Ordering::Relaxed) + 1).into());
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
async fn refuse_loop(sites: &Sites, listening: &[SocketAddr]) -> Result<(), ProxyError> {
    for (words, target) in sites.targets() {
        // A name that does not resolve now may do so later; that is no reason not to start.
        let Ok(addresses) = target.resolve().await else { continue };
        if let Some(address) = leads_here(listening, &addresses) {
            return Err(ProxyError::Loop { target: words, address: *address });
        }
    }
    Ok(())
}

/// The first of the addresses at which one of our listeners is reached.
pub(super) fn leads_here<'a>(
    listening: &[SocketAddr],
    addresses: &'a [SocketAddr],
) -> Option<&'a SocketAddr> {
    addresses.iter().find(|address| listening.iter().any(|listener| is_same(*listener, **address)))
}

/// Who connects to that address reaches this listener.
fn is_same(listener: SocketAddr, target: SocketAddr) -> bool {
    let ip = listener.ip();
    listener.port() == target.port() && (ip == target.ip() || (ip.is_unspecified() && is_ours(target.ip())))
}

/// Only an address of this machine can be bound.
fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ours_leads_here_at_our_port_only() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        for (listening, targets, found) in [
            ("127.0.0.1:443", &["192.0.2.1:443", "127.0.0.1:443"][..], Some("127.0.0.1:443")),
            ("127.0.0.1:443", &["127.0.0.1:444", "127.0.0.2:443"], None),
            ("0.0.0.0:443", &["127.0.0.1:443"], Some("127.0.0.1:443")),
            // Nobody has this address: it is for documentation.
            ("0.0.0.0:443", &["192.0.2.1:443"], None),
        ] {
            let targets = addresses(targets);
            let here = leads_here(&addresses(&[listening]), &targets);
            assert_eq!(here.map(ToString::to_string).as_deref(), found, "{listening} {targets:?}");
        }
    }
}
