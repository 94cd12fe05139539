//! `--admin`: what is told on the port for those who watch over a proxy.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::output::Output;
use crate::engine::Observation;
use crate::metrics::Metrics;
use crate::net::{AdminPages, AdminToken, watch_port};
use crate::report::{About, Overview};
use crate::sink::Status;

/// The shortest token that is accepted from a file, in characters.
const SHORTEST: usize = 16;

/// A port that is bound, and not yet answered on.
pub(super) struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    token: AdminToken,
}

/// Where observations go, to be told from there.
pub(super) struct Told(watch::Sender<Seen>);

#[derive(Default)]
struct Seen {
    metrics: Metrics,
    overview: Overview,
}

impl Told {
    pub(super) fn see(&self, observation: &Observation) {
        self.0.send_modify(|seen| {
            seen.metrics.see(observation);
            seen.overview.see(observation);
        });
    }
}

impl Admin {
    pub(super) fn bind(runtime: &Runtime, address: SocketAddr, token: Option<&Path>) -> Result<Self> {
        let token = match token {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("could not read the admin token from {}", path.display()))?;
                let text = text.trim();
                if text.len() < SHORTEST {
                    bail!("{}: an admin token has at least {SHORTEST} characters", path.display());
                }
                AdminToken::new(text.to_owned())
            }
            None => AdminToken::random()?,
        };
        let listener = runtime.block_on(TcpListener::bind(address)).with_context(|| {
            format!("cannot listen on {address} (--admin); is the port in use? port 0 takes any free one")
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, token })
    }

    /// Answers from now on; with what is asked for anew each time.
    pub(super) fn start(
        self,
        runtime: &Runtime,
        recorder: Arc<Status>,
        about: impl Fn() -> About + Send + Sync + 'static,
        stop: watch::Receiver<bool>,
        out: Output,
    ) -> Told {
        if !self.address.ip().is_loopback() {
            out.note("warning: the admin port (--admin) can be reached from other machines");
        }
        out.note(&format!("admin http://{}/status?token={}", self.address, self.token.text()));
        let (sender, seen) =
            watch::channel(Seen { overview: Overview::new(!about().expected.is_empty()), ..Seen::default() });
        let (for_metrics, for_health, for_status) = (Arc::clone(&recorder), Arc::clone(&recorder), recorder);
        let scraped = seen.clone();
        let pages = AdminPages {
            metrics: Box::new(move || scraped.borrow().metrics.text(Some(&for_metrics.read()))),
            health: Box::new(move || {
                let recording = for_health.read();
                let why = recording.last_error.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                match recording.health.is_bad() {
                    true => Err(format!("recording is {}{why}", recording.health.word())),
                    false => Ok(()),
                }
            }),
            status: Box::new(move || {
                let about = About { recording: Some(for_status.read()), ..about() };
                seen.borrow().overview.html(&about)
            }),
        };
        runtime.spawn(watch_port(self.listener, pages, self.token, stop));
        Told(sender)
    }
}
