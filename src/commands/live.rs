//! What `proxy` and `demo` share: the record, the thread that judges, and what is printed without a dashboard.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::output::Output;
use super::state::redaction_key;
use crate::capture::{Place, Recording, Redaction};
use crate::cli::{Bodies, Format, RecordingArgs, Redact, RotationArgs};
use crate::engine::{Engine, Observation};
use crate::event::Event;
use crate::net;
use crate::redact::{Level, Redactor};
use crate::report;
use crate::sink::{
    CaptureFile, Entry, Feed, Journal, Mask, Next, Origin, Rotation, Setup, Writer, default_places,
};

/// The record and what feeds the engine.
pub(super) struct Record {
    pub(super) journal: Journal,
    pub(super) writer: Writer,
    pub(super) feed: Feed,
    pub(super) path: Option<PathBuf>,
    pub(super) redaction: Redaction,
}

/// Opens the capture and starts the writer. `wanted` is false for a demo that was not asked to record.
pub(super) fn record(
    args: &RecordingArgs,
    journal: Journal,
    receiver: Receiver<Entry>,
    wanted: bool,
    out: Output,
) -> Result<Record> {
    let redactor = redactor(args.redact, args.record_bodies, out);
    let file = if args.no_capture || !wanted { None } else { Some(open(args, &redactor)?) };
    if let Some(cut) = file.as_ref().and_then(|f| f.session()).map(|s| s.cut).filter(|cut| *cut > 0) {
        out.note(&format!("warning: the capture ended in {cut} bytes of a broken record; they were cut off"));
    }
    let path = file.as_ref().map(|f| f.path().to_owned());
    let redaction = origin(&redactor).redaction;
    let connections = redactor.clone();
    let mask = Mask {
        exchange: Box::new(move |exchange| redactor.exchange(exchange)),
        connection: Box::new(move |connection| connections.connection(connection)),
    };
    let setup = Setup::new(file, mask, Arc::new(net::now));
    let (writer, feed) = Writer::start(setup, &journal, receiver).context("could not start the writer")?;
    Ok(Record { journal, writer, feed, path, redaction })
}

/// With this machine's own key.
pub(super) fn redactor(redact: Redact, bodies: Bodies, out: Output) -> Redactor {
    let level = match redact {
        Redact::Secrets => Level::Secrets,
        Redact::Identities => Level::Identities,
        Redact::None => Level::None,
    };
    Redactor::new(level, bodies == Bodies::All, redaction_key(out))
}

/// What a capture says of itself that is redacted so.
pub(super) fn origin(redactor: &Redactor) -> Origin {
    let level = redactor.level().word().to_owned();
    let key = Some(redactor.key().id().to_owned());
    Origin { tool: env!("CARGO_PKG_VERSION").to_owned(), redaction: Redaction { level, key } }
}

fn open(args: &RecordingArgs, redactor: &Redactor) -> Result<CaptureFile> {
    let origin = origin(redactor);
    let opened = match &args.capture {
        Some(path) => CaptureFile::open(path, &origin, net::now()),
        None => CaptureFile::open_first(&default_places(|name| std::env::var_os(name)), &origin, net::now()),
    };
    let file = opened?;
    let name = file.path().display().to_string();
    file.rotating(rotation(&args.rotation))
        .with_context(|| format!("could not look for older files of {name}"))
}

fn rotation(args: &RotationArgs) -> Rotation {
    let bytes = |size: usize| size as u64;
    Rotation {
        size: args.rotate_size.map(bytes),
        every: args.rotate_every.map(|every| i64::try_from(every.as_millis()).unwrap_or(i64::MAX)),
        keep: args.keep_files,
        keep_bytes: args.keep_bytes.map(bytes),
    }
}

/// An observation, and where its exchange can be read again.
pub(super) type Judged = (Observation, Option<Place>);

/// Runs the engine on its own thread; the receiver ends when everything was judged. With `patience`, so many
/// milliseconds pass for the engine at the end: a run that does not wait for the silent to be called stalled. `watch` sees
/// each observation on that thread, whoever reads them here, and must not wait.
pub(super) fn judge(
    mut feed: Feed,
    mut engine: Engine,
    patience: Option<i64>,
    mut watch: impl FnMut(&Observation) + Send + 'static,
) -> Result<(Receiver<Judged>, JoinHandle<()>)> {
    let (sender, receiver): (Sender<Judged>, _) = channel();
    let thread = std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            loop {
                match feed.recv(Duration::from_millis(250)) {
                    // Nobody may listen any more: the feed is emptied all the same, so that the writer can end.
                    Next::Event { event, place } => {
                        let seen = engine.observe(event);
                        watch(&seen);
                        let _ = sender.send((seen, place));
                    }
                    Next::Idle => {}
                    Next::Closed => break,
                }
            }
            if let Some(patience) = patience {
                let tick = Event::Tick(net::now().plus_millis(patience));
                drop(sender.send((engine.observe(tick), None)));
            }
        })
        .context("could not start the engine's thread")?;
    Ok((receiver, thread))
}

/// Prints an observation as it comes.
pub(super) fn print(seen: &Observation, format: Format, out: Output) {
    let text = match format {
        Format::Human => report::line(seen),
        Format::Json => report::line_json(seen),
    };
    if !text.is_empty() {
        out.print(&text);
    }
}

/// At the end: where the capture is, and what did not get into it.
pub(super) fn farewell(recording: &Recording, path: Option<&PathBuf>, out: Output) {
    if let Some(path) = path {
        out.note(&format!("capture {} ({} exchanges)", path.display(), recording.recorded));
    }
    if recording.lost > 0 {
        out.note(&format!("warning: {} exchanges were lost: disk or queue had no room", recording.lost));
    }
    if recording.late > 0 {
        out.note(&format!("note: {} answers went out before they were on file", recording.late));
    }
}
