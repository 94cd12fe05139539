//! `redact`: a capture with less in it.

use anyhow::{Context as _, Result, bail};

use super::foreign::masked;
use super::inputs::Inputs;
use super::live::origin;
use super::output::{Exit, Output, unused};
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
    unused(&args.output)?;
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

/// How much is hidden, by a capture's word for it.
pub(super) fn rank(level: &str) -> u8 {
    match level {
        "identities" => 2,
        "secrets" => 1,
        _ => 0,
    }
}

fn write(mut playing: Playing, redactor: &Redactor, args: &RedactArgs) -> Result<(u64, u64)> {
    let origin = origin(redactor);
    let mut capture = CaptureFile::open(&args.output, &origin, now())?;
    let (mut exchanges, mut damaged) = (0, 0);
    // There is something in it that is not hidden yet, or is to be hidden under another key.
    let mut changes = args.new_key;
    let target = rank(redactor.level().word());
    while let Some(played) = playing.next() {
        let from = rank(&playing.redaction().level);
        let event = match played? {
            Played::Event { event, .. } => event,
            Played::Damage(_) => {
                damaged += 1;
                continue;
            }
            Played::Closed(_) => continue,
        };
        if from > target {
            bail!("identities are hidden in it already, and cannot be brought back: --level identities");
        }
        exchanges += u64::from(matches!(event, Event::Exchange(_)));
        changes |= from < target;
        let event = if from < target || args.new_key { masked(event, redactor) } else { event };
        let line = line(&event, &origin.redaction);
        if !line.is_empty() {
            capture.append(&line)?;
        }
    }
    if !changes {
        let level = redactor.level().word();
        bail!(
            "this capture is at the level {level} already; --new-key hides the same things under another key"
        );
    }
    capture.sync()?;
    Ok((exchanges, damaged))
}
