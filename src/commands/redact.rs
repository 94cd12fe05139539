//! `redact`: a capture with less in it.

use anyhow::{Context as _, Result, bail};

use super::inputs::Inputs;
use super::live::origin;
use super::output::{Exit, Output};
use super::slice::line;
use super::state::{fresh, redaction_key};
use crate::capture::Played;
use crate::cli::{RedactArgs, RedactTo};
use crate::event::Event;
use crate::net::now;
use crate::redact::{Level, Redactor};
use crate::sink::{CaptureFile, Playing};

pub fn redact(args: &RedactArgs, out: Output) -> Result<Exit> {
    let inputs = Inputs::of(&args.captures)?;
    let playing = Playing::ended(&inputs.captures)?;
    let level = match args.level {
        RedactTo::Secrets => Level::Secrets,
        RedactTo::Identities => Level::Identities,
    };
    check(&playing.header().redaction.level, level, args.new_key)?;
    if args.output.exists() {
        bail!(
            "{} is there already, and is left as it is; choose another place with --output",
            args.output.display()
        );
    }
    let key = if args.new_key { fresh().0 } else { redaction_key(out) };
    // Whatever bodies were recorded were meant to be.
    let redactor = Redactor::new(level, true, key);
    let written = write(playing, &redactor, args).inspect_err(|_| {
        // Half a capture would be taken for a whole one.
        let _ = std::fs::remove_file(&args.output);
    });
    let (exchanges, damaged) =
        written.with_context(|| format!("could not write {}", args.output.display()))?;
    out.print(&format!("{}: {exchanges} exchanges, level {}\n", args.output.display(), level.word()));
    if damaged > 0 {
        out.print(&format!("not in it: {damaged} damaged places of the capture\n"));
    }
    Ok(if damaged > 0 { Exit::Found } else { Exit::Good })
}

/// What is hidden stays hidden.
pub(super) fn check(from: &str, to: Level, new_key: bool) -> Result<()> {
    if from == Level::Identities.word() && to != Level::Identities {
        bail!(
            "identities are hidden in this capture already, and cannot be brought back: --level identities"
        );
    }
    if from == to.word() && !new_key {
        bail!(
            "this capture is at the level {from} already; --new-key hides the same things under another key"
        );
    }
    Ok(())
}

fn write(playing: Playing, redactor: &Redactor, args: &RedactArgs) -> Result<(u64, u64)> {
    let origin = origin(redactor);
    let mut capture = CaptureFile::open(&args.output, &origin, now())?;
    let (mut exchanges, mut damaged) = (0, 0);
    for played in playing {
        let event = match played? {
            Played::Event { event, .. } => event,
            Played::Damage(_) => {
                damaged += 1;
                continue;
            }
            Played::Closed(_) => continue,
        };
        exchanges += u64::from(matches!(event, Event::Exchange(_)));
        if let Some(event) = redacted(event, redactor) {
            capture.append(&line(&event, &origin.redaction))?;
        }
    }
    capture.sync()?;
    Ok((exchanges, damaged))
}

/// The event at the redactor's level; `None` of what is no record.
pub(super) fn redacted(event: Event, redactor: &Redactor) -> Option<Event> {
    match event {
        Event::Exchange(exchange) => {
            let mut exchange = std::sync::Arc::unwrap_or_clone(exchange);
            redactor.exchange(&mut exchange);
            Some(Event::Exchange(exchange.into()))
        }
        Event::Connection(connection) => {
            let mut connection = std::sync::Arc::unwrap_or_clone(connection);
            redactor.connection(&mut connection);
            Some(Event::Connection(connection.into()))
        }
        Event::End(_) | Event::Gap { .. } | Event::Session { .. } => Some(event),
        Event::Tick(_) => None,
    }
}
