//! `--notify` and `--exec`: hands alerts to those who bring them, and says where that fails.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::{mpsc, watch};

use super::courier::{Courier, Target, Trouble};
use super::output::{Exit, Output};
use crate::alert::{Alert, Lasting, Settings, Shape, Watch};
use crate::cli::{self, AlertArgs, AlertTestArgs, Command, NotifyArgs, NotifyAs};
use crate::config::Configured;
use crate::diagnosis::Expected;
use crate::engine::Observation;
use crate::event::Event;
use crate::net::{Trust, Webhook, now, stopped};
use crate::sink::Status;

/// Alerts that wait for one receiver; it has an hour's worth, and beyond it they are counted as lost.
const QUEUE: usize = 64;
/// At the end receivers get so long for what is on its way.
const FAREWELL: Duration = Duration::from_secs(5);

/// Everybody who is to be told.
pub(super) struct Targets(Vec<Target>);

impl Targets {
    /// # Errors
    /// An address or a program that cannot be; no address is told.
    pub(super) fn new(args: &NotifyArgs) -> Result<Self> {
        let mut targets = Vec::new();
        let trust = match args.notify.is_empty() {
            true => None,
            false => Some(Arc::new(Trust::new(args.notify_ca.clone(), false).context("--notify-ca")?)),
        };
        let hooks = args.notify.iter().enumerate().map(|(at, url)| {
            url.0.parse::<Webhook>().with_context(|| match args.notify.len() {
                1 => "--notify".to_owned(),
                _ => format!("--notify, number {}", at + 1),
            })
        });
        let hooks = hooks.collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = hooks.iter().map(Webhook::name).collect();
        for (at, hook) in hooks.into_iter().enumerate() {
            // Two at one host are told apart by their places.
            let name = match names.iter().filter(|name| **name == hook.name()).count() {
                1 => hook.name(),
                _ => format!("{} (--notify, number {})", hook.name(), at + 1),
            };
            let shape = match args.notify_as {
                Some(NotifyAs::Json) => Shape::Json,
                Some(NotifyAs::Teams) => Shape::Teams,
                Some(NotifyAs::Slack) => Shape::Slack,
                None => Shape::of_host(hook.host()),
            };
            if let Some(trust) = &trust {
                targets.push(Target::Hook { name, hook, shape, trust: Arc::clone(trust) });
            }
        }
        for line in &args.exec {
            targets.push(Target::program(line).context("--exec")?);
        }
        Ok(Self(targets))
    }

    /// What whoever starts it has to know.
    pub(super) fn warn(&self, out: Output) {
        let exposed = self.0.iter().filter(|target| target.is_exposed());
        exposed.for_each(|target| {
            out.note(&format!("warning: alerts go to {} in the clear (http://)", target.name()));
        });
    }
}

/// Owned by the engine's thread: never waits.
pub(super) struct Alerts {
    watch: Watch,
    recorder: Arc<Status>,
    served: watch::Receiver<Vec<Lasting>>,
    outgoing: Vec<Letterbox>,
}

/// Where alerts for one receiver are put.
struct Letterbox {
    room: mpsc::Sender<Arc<Alert>>,
    trouble: Arc<watch::Sender<Trouble>>,
}

/// Those who bring them, on a thread of their own: a slow receiver takes nothing from traffic.
pub(super) struct Couriers {
    thread: JoinHandle<()>,
    stop: watch::Sender<bool>,
    troubles: Vec<watch::Receiver<Trouble>>,
}

impl Alerts {
    /// Nothing without anybody to tell.
    pub(super) fn start(
        args: &AlertArgs,
        targets: Targets,
        expected: &[Expected],
        recorder: Arc<Status>,
        served: watch::Receiver<Vec<Lasting>>,
    ) -> Result<Option<(Self, Couriers)>> {
        if targets.0.is_empty() {
            return Ok(None);
        }
        let overdue = args.alert_overdue.0.map(|after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
        let settings = Settings { failures: args.alert_failures.0, expected: expected.to_vec(), overdue };
        let capture = recorder.read().path;
        let capture: Option<Arc<str>> =
            capture.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into());
        let (stop, stopping) = watch::channel(false);
        let (mut outgoing, mut couriers, mut troubles) = (Vec::new(), Vec::new(), Vec::new());
        for target in targets.0 {
            let (room, waiting) = mpsc::channel(QUEUE);
            let trouble = Arc::new(watch::Sender::new(Trouble::of(&target)));
            troubles.push(trouble.subscribe());
            outgoing.push(Letterbox { room, trouble: Arc::clone(&trouble) });
            couriers.push(Courier { target, waiting, trouble, capture: capture.clone() });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("could not start what sends alerts")?;
        let thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let running: Vec<_> = couriers
                    .into_iter()
                    .map(|courier| tokio::spawn(courier.run(until(stopping.clone()))))
                    .collect();
                for courier in running {
                    let _ = courier.await;
                }
            });
            // A name that is being resolved must not hold up the end.
            runtime.shutdown_background();
        });
        let thread = thread.context("could not start the thread that sends alerts")?;
        let watch = Watch::new(settings);
        Ok(Some((Self { watch, recorder, served, outgoing }, Couriers { thread, stop, troubles })))
    }

    pub(super) fn see(&mut self, observation: &Observation) {
        let alerts = self.watch.see(observation);
        self.tell(alerts);
        if matches!(observation.event, Event::Tick(_)) {
            self.look();
        }
    }

    fn look(&mut self) {
        let alerts = self.watch.look(&self.recorder.read(), &self.served.borrow());
        self.tell(alerts);
    }

    fn tell(&self, alerts: Vec<Alert>) {
        for alert in alerts.into_iter().map(Arc::new) {
            tracing::info!(kind = alert.kind.word(), "alert: {}", alert.title);
            for Letterbox { room, trouble } in &self.outgoing {
                if room.try_send(Arc::clone(&alert)).is_err() {
                    trouble.send_modify(|trouble| trouble.lose(1, "too many wait for it"));
                }
            }
        }
    }
}

impl Drop for Alerts {
    /// The writer has ended by now: what did not get on file in the end is told, too.
    fn drop(&mut self) {
        self.look();
    }
}

/// Ends some time after it was asked to.
async fn until(mut stopping: watch::Receiver<bool>) {
    stopped(&mut stopping).await;
    tokio::time::sleep(FAREWELL).await;
}

impl Couriers {
    /// What does not arrive, in words, at any time.
    pub(super) fn troubles(&self) -> impl Fn() -> Vec<String> + Clone + Send + Sync + 'static {
        let troubles = self.troubles.clone();
        move || troubles.iter().filter_map(|trouble| trouble.borrow().words()).collect()
    }

    /// Waits a while for what is on its way; nothing more may be seen by then.
    pub(super) fn finish(self, out: Output) {
        let _ = self.stop.send(true);
        let _ = self.thread.join();
        let lost = self.troubles.iter().filter_map(|trouble| trouble.borrow().farewell());
        lost.for_each(|words| out.note(&format!("warning: {words}")));
    }
}

/// `alert-test`: one alert to each, once.
pub fn alert_test(args: &AlertTestArgs, configured: Option<&Configured>, out: Output) -> Result<Exit> {
    let targets = match configured {
        // Where the proxy would send to.
        Some(configured) if args.notify.notify.is_empty() && args.notify.exec.is_empty() => {
            let words = vec!["enrollscope".into(), "proxy".into()];
            let read = Configured::open(configured.line().file(), words, cli::command())?.reading;
            match &read.cli.command {
                Command::Proxy(proxy) => Targets::new(&proxy.alerts.notify)?,
                _ => Targets(Vec::new()),
            }
        }
        _ => Targets::new(&args.notify)?,
    };
    anyhow::ensure!(
        !targets.0.is_empty(),
        "whom to tell? give --notify URL, --exec CMD, or the proxy's configuration with --config FILE"
    );
    targets.warn(out);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let alert = Alert::test(now());
    let mut exit = Exit::Good;
    for target in &targets.0 {
        match runtime.block_on(target.bring(&alert, None)) {
            Ok(()) => out.print(&format!("{}: the test alert was taken\n", target.name())),
            Err(failure) => {
                exit = Exit::Found;
                out.print(&format!("{}: {}\n", target.name(), failure.why));
            }
        }
    }
    runtime.shutdown_background();
    Ok(exit)
}
