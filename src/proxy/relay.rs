//! TLS that passes through untouched: the device's bytes to the name's own server and back, counted and not read.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::connection::Shared;
use super::listen::leads_here;
use super::pool::dial;
use super::sites::Target;
use crate::event::{Connection, ConnectionEvent, Reason, Relay};
use crate::net::{alert, now, stopped};

/// What is read at once.
const PIECE: usize = 16 << 10;

/// A device whose ClientHello was read, and nothing answered.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) first: Vec<u8>,
    pub(super) stream: TcpStream,
}

/// Serves the connection to its end; its events are all that is known of it.
pub(super) async fn pass_through(
    shared: &Shared,
    device: Unanswered,
    target: &Target,
    event: Connection,
    mut stop: watch::Receiver<bool>,
) {
    let Unanswered { first, stream: mut device } = device;
    let relay = Relay { target: target.to_string(), ..Relay::default() };
    let event = Connection { passthrough: Some(relay), ..event };
    let reached = tokio::select! {
        reached = reach(shared, target) => reached.map_err(Reason::Refused),
        () = stopped(&mut stop) => Err(Reason::ClosedByUs),
    };
    let (mut server, address) = match reached {
        Ok(reached) => reached,
        Err(reason) => {
            tracing::warn!(connection = %event.id, peer = %event.peer, %reason, "could not be passed through");
            let _ = device.write_all(&alert(AlertDescription::InternalError)).await;
            let reason = Some(reason);
            shared.run.journal.connection(Connection {
                at: now(),
                event: ConnectionEvent::Failed,
                reason,
                ..event
            });
            return;
        }
    };
    let relay = |up, down| Some(Relay { target: address.to_string(), up, down });
    let opened = Connection { at: now(), passthrough: relay(0, 0), ..event.clone() };
    shared.run.journal.connection(opened);

    // Whose turn it is cannot be seen from outside: the longer of both patiences counts.
    let patience = shared.limits.device_idle.max(shared.limits.upstream_answer);
    let (up, down) = (Meter::default(), Meter::default());
    let reason = {
        let copying = copy(&first, (&mut device, &mut server), (&up, &down));
        tokio::select! {
            reason = copying => reason,
            () = silence(patience, &up, &down) => Reason::Timeout(format!("no byte either way for {patience:?}")),
            () = stopped(&mut stop) => Reason::ClosedByUs,
        }
    };
    shared.run.journal.connection(Connection {
        at: now(),
        event: ConnectionEvent::Closed,
        passthrough: relay(up.count(), down.count()),
        reason: Some(reason),
        ..event
    });
}

/// Connects to where the TLS goes, which is never here: that would go round for ever.
async fn reach(shared: &Shared, target: &Target) -> Result<(TcpStream, SocketAddr), String> {
    let patience = shared.limits.upstream_connect;
    let addresses = match timeout(patience, target.resolve()).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Err(format!("{target}, which is passed through, has no address: {error}")),
        Err(_) => {
            return Err(format!("{target}, which is passed through, has no address within {patience:?}"));
        }
    };
    if let Some(address) = leads_here(&shared.run.listening, &addresses) {
        return Err(format!(
            "{target}, which is passed through, leads back here ({address}): give its real address with --passthrough \
             NAME=ADDR:PORT"
        ));
    }
    let stream = dial(&addresses, patience).await;
    let stream = stream.map_err(|trouble| format!("{target}, which is passed through: {trouble}"))?;
    let _ = stream.set_nodelay(true);
    let address = stream.peer_addr().map_err(|error| error.to_string())?;
    Ok((stream, address))
}

/// Both ways, each to its end; who ended first is the reason.
async fn copy(
    first: &[u8],
    (device, server): (&mut TcpStream, &mut TcpStream),
    (up, down): (&Meter, &Meter),
) -> Reason {
    let (mut from_device, mut to_device) = device.split();
    let (mut from_server, mut to_server) = server.split();
    let upward = async {
        match to_server.write_all(first).await {
            Ok(()) => up.add(first.len()),
            Err(_) => return Ended::Unwritable,
        }
        pump(&mut from_device, &mut to_server, up).await
    };
    let downward = pump(&mut from_server, &mut to_device, down);
    tokio::pin!(upward, downward);
    let (reason, by_device) = tokio::select! {
        // What the device did is likelier the cause of what its server did than the other way round.
        biased;
        ended = &mut upward => (match ended {
            Ended::Closed => Reason::ClosedByDevice,
            Ended::Unreadable => Reason::Reset,
            Ended::Unwritable => Reason::ClosedByServer,
        }, true),
        ended = &mut downward => (match ended {
            Ended::Closed | Ended::Unreadable => Reason::ClosedByServer,
            Ended::Unwritable => Reason::Reset,
        }, false),
    };
    // After an end in order the other way may have more to say.
    match reason {
        Reason::ClosedByDevice => _ = downward.await,
        Reason::ClosedByServer if !by_device => _ = upward.await,
        _ => {}
    }
    reason
}

/// How one way ended.
#[derive(Debug)]
enum Ended {
    Closed,
    Unreadable,
    Unwritable,
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    meter: &Meter,
) -> Ended {
    let mut piece = vec![0; PIECE];
    loop {
        let count = match from.read(&mut piece).await {
            Ok(0) => break,
            Ok(count) => count,
            Err(_) => return Ended::Unreadable,
        };
        if to.write_all(piece.get(..count).unwrap_or_default()).await.is_err() {
            return Ended::Unwritable;
        }
        meter.add(count);
    }
    // The other side may have closed already.
    let _ = to.shutdown().await;
    Ended::Closed
}

/// Bytes that have passed one way, and when the last did.
#[derive(Debug)]
struct Meter {
    bytes: AtomicU64,
    last: Mutex<Instant>,
}

impl Default for Meter {
    fn default() -> Self {
        Self { bytes: AtomicU64::new(0), last: Mutex::new(Instant::now()) }
    }
}

impl Meter {
    fn add(&self, count: usize) {
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        if let Ok(mut last) = self.last.lock() {
            *last = Instant::now();
        }
    }

    fn count(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn last(&self) -> Instant {
        // Nothing panics while it is held; else the connection ends early, no worse.
        self.last.lock().map_or_else(|_| Instant::now(), |last| *last)
    }
}

/// Ends when nothing has passed for so long.
async fn silence(patience: Duration, up: &Meter, down: &Meter) {
    loop {
        let deadline = up.last().max(down.last()) + patience;
        if Instant::now() >= deadline {
            return;
        }
        tokio::time::sleep_until(deadline).await;
    }
}
