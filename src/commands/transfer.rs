//! `import`, `export`: captures from and to the formats of other tools; what does not fit into them is listed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::foreign::{Foreign, masked};
use super::inputs::{Inputs, unbundled};
use super::live::{origin, redactor};
use super::output::{Exit, Output, unused};
use crate::capture::{Played, encode, har};
use crate::cli::{ExportArgs, ForeignFormat, ImportArgs};
use crate::event::Event;
use crate::net::now;
use crate::redact::Level;
use crate::sink::{self, CaptureFile, Playing};

pub fn import(args: &ImportArgs, out: Output) -> Result<Exit> {
    let input = || args.input.display().to_string();
    let file = File::open(&args.input).with_context(|| format!("could not open {}", input()))?;
    if unbundled(&args.input).is_ok_and(|bundled| bundled.is_some()) {
        bail!(
            "{}: it is a bundle, which holds a capture already: `check`, `open` and `replay` take it as it is",
            input()
        );
    }
    let mut recording = sink::unpacked(file).with_context(|| format!("could not read {}", input()))?;
    let start = recording.fill_buf().with_context(|| format!("could not read {}", input()))?;
    if start.is_empty() {
        bail!("{} is empty: nothing was recorded in it", input());
    }
    let Some(foreign) = Foreign::of(start) else {
        bail!(
            "{}: it is neither a HAR file, nor a flow file of mitmproxy, nor an archive of Fiddler",
            input()
        );
    };
    let output = args.output.clone().unwrap_or_else(|| args.input.with_extension("jsonl"));
    unused(&output)?;
    let redactor = redactor(args.redact, args.record_bodies, out);
    let mut capture = CaptureFile::open(&output, &origin(&redactor), now())?;
    let mut broken = None;
    let read = foreign.read(&args.input, recording, |event| {
        let mut line = Vec::new();
        match masked(event, &redactor) {
            Event::Exchange(exchange) => encode::exchange(&mut line, &exchange),
            Event::Connection(connection) => encode::connection(&mut line, &connection),
            // Other tools have nothing of the kind.
            Event::End(_) | Event::Session { .. } | Event::Gap { .. } | Event::Tick(_) => return,
        }
        if broken.is_none() {
            broken = capture.append(&line).err();
        }
    });
    let finished = match (read, broken) {
        (_, Some(error)) => Err(error).with_context(|| format!("could not write {}", output.display())),
        (Err(error), None) => Err(error).with_context(input),
        (Ok(imported), None) => Ok(imported),
    };
    let imported = finished.and_then(|imported| {
        capture.sync()?;
        Ok(imported)
    });
    let imported = imported.inspect_err(|_| {
        // Half a capture would be taken for a whole one.
        let _ = std::fs::remove_file(&output);
    })?;
    out.print(&format!("{}: {} exchanges\n", output.display(), imported.exchanges));
    Ok(told(&imported.lost, |words| out.print(words)))
}

pub fn export(args: &ExportArgs, out: Output) -> Result<Exit> {
    let ForeignFormat::Har = args.format;
    if let Some(output) = &args.output {
        unused(output)?;
    }
    let inputs = Inputs::of(&args.captures)?;
    let playing = Playing::ended(&inputs.captures)?;
    if playing.header().redaction.level == Level::None.word() {
        out.note("warning: nothing is redacted in this capture: what is written holds passwords and keys");
    }
    let Some(output) = &args.output else {
        let (_, lost, damaged) = write(playing, io::stdout().lock()).context("could not write")?;
        return Ok(ending(&lost, damaged, |words| out.note(words.trim_end())));
    };
    let file =
        private(output).with_context(|| format!("could not make the new file {}", output.display()))?;
    let written = write(playing, BufWriter::new(file));
    let (entries, lost, damaged) =
        written.with_context(|| format!("could not write {}", output.display()))?;
    out.print(&format!("{}: {entries} exchanges\n", output.display()));
    Ok(ending(&lost, damaged, |words| out.print(words)))
}

type Lost = BTreeMap<&'static str, u64>;

fn write(playing: Playing, out: impl Write) -> io::Result<(u64, Lost, u64)> {
    let mut writer = har::Writer::new(out, env!("CARGO_PKG_VERSION"))?;
    let mut damaged = 0;
    for played in playing {
        match played? {
            Played::Event { event, .. } => writer.add(&event)?,
            Played::Damage(_) => damaged += 1,
            Played::Closed(_) => {}
        }
    }
    let (entries, lost) = (writer.entries, std::mem::take(&mut writer.lost));
    writer.finish()?.flush()?;
    Ok((entries, lost, damaged))
}

fn ending(lost: &Lost, damaged: u64, say: impl Fn(&str)) -> Exit {
    if damaged > 0 {
        say(&format!("not in it: {damaged} damaged places of the capture\n"));
    }
    let exit = told(lost, say);
    if damaged > 0 { Exit::Found } else { exit }
}

fn told(lost: &Lost, say: impl Fn(&str)) -> Exit {
    for (what, count) in lost {
        say(&format!("not in it: {what} ({count})\n"));
    }
    if lost.is_empty() { Exit::Good } else { Exit::Found }
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
