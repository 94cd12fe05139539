//! `proxy`: the real thing, from the listeners to the record, the judgement and the screen.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use anyhow::{Context as _, Result, bail};
use tokio::sync::{Notify, watch};

use super::admin::Admin;
use super::alerts::{Alerts, Couriers, Targets};
use super::granting::granting;
use super::inputs::expected;
use super::live;
use super::logging;
use super::look::theme;
use super::output::{Exit, Output};
use super::reload::Reloader;
use super::sites::{Run, Sites};
use crate::capture::Recording;
use crate::cli::{self, Bodies, FailOn, ForwardedMode, LimitsArgs, ProxyArgs, RecordingArgs, Redact};
use crate::config::Configured;
use crate::dashboard::Status;
use crate::engine::{Engine, Observation};
use crate::enrollment::Deadlines;
use crate::filter::Saved;
use crate::net::{Fronts, Keeper, draw_ahead, now};
use crate::proxy::{Forwarded, Limits, ListenerSettings, PlainHttp, Proxy, Settings};
use crate::report::{About, Overview};
use crate::rules::Level;
use crate::sink::Segments;
use crate::terminal;

pub fn proxy(args: &ProxyArgs, configured: Option<&Arc<Configured>>, out: Output) -> Result<Exit> {
    draw_ahead();
    let expected = expected(&args.expect)?.unwrap_or_default();
    let headless = args.headless || !std::io::stdout().is_terminal();
    logging::start(args.log.as_deref(), args.log_format, headless)?;
    let sites = Sites::new(args, configured.map_or(&[], |configured| &configured.reading.hosts))?;
    let targets = Targets::new(&args.alerts.notify)?;
    warn(args, &sites, out);
    targets.warn(out);
    let Prepared { settings, keeper } = prepare(args, args, &sites, Run::Start(&|words| out.note(words)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()
        .context("could not start the network's threads")?;
    // Listeners first: a port in use must not leave an empty capture behind.
    let (journal, receiver) = crate::sink::Journal::new();
    let proxy = runtime.block_on(Proxy::bind(settings, journal.clone()))?;
    let admin = args.admin.map(|address| Admin::bind(&runtime, address, args.admin_token_file.as_deref()));
    let admin = admin.transpose()?;
    let record = live::record(&args.recording, journal, receiver, true, out)?;
    let addresses = proxy.addresses();
    // Before anybody hears that we listen: who hears it may ask us to end.
    let interrupted = {
        let _runtime = runtime.enter();
        interrupted()
    };
    let about = Status {
        filters: configured.map(|configured| configured.reading.filters.clone()).unwrap_or_default(),
        ..about(args, &args.recording, &sites, addresses.clone())
    };
    let (stop, stopped) = watch::channel(false);
    let reloader = Reloader::new(keeper, proxy.control(), configured, about);
    let (about, served) = (reloader.told(), reloader.served());
    let nudge = Arc::new(Notify::new());
    runtime.spawn(reloader.run(Arc::clone(&nudge), stopped.clone()));
    #[cfg(unix)]
    if headless {
        let _runtime = runtime.enter();
        nudge_on_hangup(nudge);
    }
    let live::Record { journal, writer, feed, path, redaction } = record;
    let recorder = Arc::clone(writer.status());
    let alerts = Alerts::start(&args.alerts, targets, &expected, Arc::clone(&recorder), served)?;
    let (mut alerts, couriers) = alerts.unzip();
    let troubles = couriers.as_ref().map(Couriers::troubles);
    let troubles = move || troubles.as_ref().map(|troubles| troubles()).unwrap_or_default();
    let unsent = troubles.clone();
    let awaited = expected.clone();
    let told = admin.map(|admin| {
        let page = about.clone();
        let about = move || {
            let Status { subject, listeners, mut warnings, .. } = page.borrow().clone();
            warnings.extend(unsent());
            About { subject, listeners, warnings, recording: None, expected: awaited.clone() }
        };
        admin.start(&runtime, Arc::clone(&recorder), about, stopped.clone(), out)
    });
    announce(&addresses, args.ready_file.as_deref(), out)?;
    #[cfg(unix)]
    tell_service_manager(sd_notify::NotifyState::Ready);
    let running = runtime.spawn(proxy.run(stopped));
    let engine = Engine::new(args.profile, Deadlines::default());
    let wire = Wire { runtime, running, stop, journal, writer };

    let mut watch = move |observation: &Observation| {
        told.iter().for_each(|told| told.see(observation));
        alerts.iter_mut().for_each(|alerts| alerts.see(observation));
    };

    let mut worst = None;
    let recording = if headless {
        let (seen, judging) = live::judge(feed, engine, None, watch)?;
        let mut overview = Overview::new(true);
        // Ends when the engine has judged everything, after the proxy has stopped and the writer has ended.
        let ending = std::thread::spawn(move || wire.end_when(interrupted));
        for (observation, _) in seen {
            worst = worst.max(observation.findings.iter().map(|f| f.level).max());
            live::print(&observation, args.format, out);
            if !expected.is_empty() {
                overview.see(&observation);
            }
        }
        let _ = judging.join();
        couriers.into_iter().for_each(|couriers| couriers.finish(out));
        if !expected.is_empty() {
            out.note(&overview.expected(&expected));
        }
        ending.join().ok()
    } else {
        // The worst finding so far, as its place among the levels from 1; 0 is none.
        let level = Arc::new(AtomicU8::new(0));
        let seen = Arc::clone(&level);
        let both = move |observation: &Observation| {
            let worst = observation.findings.iter().map(|f| f.level as u8 + 1).max();
            seen.fetch_max(worst.unwrap_or(0), Ordering::Relaxed);
            watch(observation);
        };
        let (updates, judging) =
            terminal::follow(feed, engine, both).context("could not start the engine's thread")?;
        let asked = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&asked);
        wire.runtime.spawn(async move {
            interrupted.await;
            flag.store(true, Ordering::Relaxed);
        });
        let started = Some(now());
        let status = move || {
            let mut status = about.borrow().clone();
            status.warnings.extend(troubles());
            Status { recording: Some(recorder.read()), started, ..status }
        };
        let options = terminal::Options {
            expected,
            theme: theme(args.look, out),
            grant: granting(redaction, args.profile),
            capture: path.clone().map(Segments::Growing),
            stop: asked,
        };
        let shown = terminal::run(updates, status, &options);
        let recording = wire.end_when(std::future::ready(()));
        let _ = judging.join();
        couriers.into_iter().for_each(|couriers| couriers.finish(out));
        shown.context("the terminal failed")?;
        let levels = [Level::Info, Level::Warning, Level::Error];
        worst = levels.into_iter().rfind(|l| (*l as u8) < level.load(Ordering::Relaxed));
        Some(recording)
    };
    if let Some(recording) = recording {
        live::farewell(&recording, path.as_ref(), out);
    }
    Ok(match args.fail_on {
        FailOn::Error if worst >= Some(Level::Error) => Exit::Found,
        FailOn::Warning if worst >= Some(Level::Warning) => Exit::Found,
        FailOn::Error | FailOn::Warning | FailOn::Never => Exit::Good,
    })
}

/// Everything that runs, to be ended in its order.
pub(super) struct Wire {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) running: tokio::task::JoinHandle<()>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) journal: crate::sink::Journal,
    pub(super) writer: crate::sink::Writer,
}

impl Wire {
    /// Waits, then stops the proxy (open exchanges may end), then the writer: what they did is on file.
    pub(super) fn end_when(self, asked: impl Future<Output = ()>) -> Recording {
        self.runtime.block_on(async {
            asked.await;
            #[cfg(unix)]
            tell_service_manager(sd_notify::NotifyState::Stopping);
            let _ = self.stop.send(true);
            let _ = self.running.await;
        });
        drop(self.journal);
        self.writer.finish()
    }
}

/// What the dashboard says of this run, which records as it did at its start; without the saved filters.
pub(super) fn about(
    args: &ProxyArgs,
    recording: &RecordingArgs,
    sites: &Sites,
    listeners: Vec<String>,
) -> Status {
    let mut warnings = Vec::new();
    if sites.is_insecure(args) {
        warnings.push("the server's certificate is not verified".to_owned());
    }
    if recording.redact == Redact::None {
        warnings.push("nothing is redacted".to_owned());
    }
    if recording.record_bodies == Bodies::All {
        warnings.push("bodies of every kind are recorded".to_owned());
    }
    if recording.no_capture {
        warnings.push("nothing is recorded".to_owned());
    }
    Status {
        title: "proxy".to_owned(),
        subject: sites.subject(),
        listeners,
        recording: None,
        read: None,
        started: None,
        redaction: match recording.redact {
            Redact::Secrets => "secrets",
            Redact::Identities => "identities",
            Redact::None => "none",
        }
        .to_owned(),
        warnings,
        filters: Saved::default(),
        live: true,
    }
}

/// Ctrl-C, or being asked to end; heard from this call on, not only once it is awaited. It needs a runtime around it.
pub(super) fn interrupted() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    #[cfg(unix)]
    let interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    async move {
        #[cfg(unix)]
        if let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Forwarding is light; two threads serve a site.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4))
}

pub(super) fn announce(addresses: &[String], ready_file: Option<&Path>, out: Output) -> Result<()> {
    let lines: Vec<_> = addresses.iter().map(|address| format!("listening {address}")).collect();
    if let Some(path) = ready_file {
        // Renamed into place, so that who waits for it never reads half of it.
        let part = path.with_extension("part");
        std::fs::write(&part, lines.join("\n") + "\n")
            .and_then(|()| std::fs::rename(&part, path))
            .with_context(|| format!("could not write the ready file {}", path.display()))?;
    }
    lines.iter().for_each(|line| out.note(line));
    Ok(())
}

/// Only where systemd, or something like it, has started us and listens.
#[cfg(unix)]
fn tell_service_manager(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("the service manager could not be told how we are: {error}");
    }
}

/// SIGHUP is how daemons are told of new files. With a screen it means that the terminal is gone.
#[cfg(unix)]
fn nudge_on_hangup(nudge: Arc<Notify>) {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut hangup) = signal(SignalKind::hangup()) {
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                nudge.notify_one();
            }
        });
    }
}

pub(super) struct Prepared {
    pub(super) settings: Settings,
    /// Absent without a TLS listener.
    pub(super) keeper: Option<Keeper>,
}

/// The proxy's settings. Listeners are those of the start, whatever the arguments say by now.
pub(super) fn prepare(args: &ProxyArgs, start: &ProxyArgs, sites: &Sites, run: Run<'_>) -> Result<Prepared> {
    if sites.is_empty() {
        bail!(
            "to which server? give its origin with --upstream, for instance --upstream https://mdm.internal.example, or one \
             for each public name with --route NAME=URL"
        );
    }
    if start.listen.is_empty() && start.listen_http.is_empty() {
        bail!("where to listen? for instance --listen 0.0.0.0:443, or --listen 127.0.0.1:8443 to try it");
    }
    let keeper = if start.listen.is_empty() { None } else { Some(sites.certificates(args, run)?) };
    let listeners = |addresses: &[SocketAddr], secure| {
        let listener = |address: &SocketAddr| ListenerSettings { address: *address, secure };
        addresses.iter().map(listener).collect::<Vec<_>>()
    };
    let listeners = [listeners(&start.listen, true), listeners(&start.listen_http, false)].concat();
    let (routes, default) = sites.settings(args)?;
    let fronts = Fronts::new(args.trusted_front.clone());
    let forwarded = match args.forwarded {
        ForwardedMode::Off => Forwarded::Off,
        ForwardedMode::Append => Forwarded::Append,
        ForwardedMode::Replace => Forwarded::Replace,
    };
    let limits = limits(&args.limits);
    let plain_http = PlainHttp {
        redirect: args.plain_http == cli::PlainHttp::Redirect,
        authority: keeper.as_ref().and_then(Keeper::authority).cloned(),
    };
    let served = keeper.as_ref().map(|keeper| keeper.served().clone());
    let settings = Settings { listeners, served, routes, default, plain_http, limits, fronts, forwarded };
    Ok(Prepared { settings, keeper })
}

fn warn(args: &ProxyArgs, sites: &Sites, out: Output) {
    if sites.is_insecure(args) {
        out.note("warning: the server's certificate is not verified (--upstream-insecure)");
    }
    if args.rewrite_management {
        out.note(
            "warning: devices that enroll now are managed through enrollscope until they are unenrolled",
        );
    }
    if args.recording.redact == Redact::None {
        out.note("warning: nothing is redacted (--redact none): captures will hold passwords and keys");
    }
}

fn limits(args: &LimitsArgs) -> Limits {
    Limits {
        upstream_answer: args.answer_timeout,
        upstream_connect: args.connect_timeout,
        handshake: args.handshake_timeout,
        device_idle: args.idle_timeout,
        head: args.head_timeout,
        stalled_write: args.write_timeout,
        hold_back: args.hold_back,
        kept_body: args.max_body,
        body_memory: args.body_memory,
        connections: args.max_connections.try_into().unwrap_or(usize::MAX),
        stop: args.stop_timeout,
    }
}
