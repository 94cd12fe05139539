//! What the dashboard is asked to do with exchanges: the commands that do the same from a shell, on a capture that holds
//! these exchanges and no others.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use super::output::unused;
use super::slice;
use crate::capture::{Header, Redaction};
use crate::dashboard::Wish;
use crate::event::Event;
use crate::net::{now, write_secret};
use crate::replay::renumbered;
use crate::report::clean;
use crate::terminal::{Cancelled, Grant, Granted};

/// Between two looks at whether a command has ended.
const LOOK: Duration = Duration::from_millis(20);

/// `redaction` says what is hidden in the exchanges.
pub(super) fn granting(redaction: Redaction) -> Grant {
    Grant::new(move |wish, events, cancelled| {
        grant(wish, events, &redaction, cancelled).map_err(|error| format!("{error:#}"))
    })
}

fn grant(wish: Wish, events: Vec<Event>, redaction: &Redaction, cancelled: &Cancelled) -> Result<Granted> {
    let work = Work { dir: tempfile::tempdir().context("could not make a temporary directory")?, cancelled };
    let capture = work.dir.path().join("capture.jsonl");
    let started = events.iter().map(Event::at).min().unwrap_or_else(now);
    let header = Header {
        version: 1,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        redaction: redaction.clone(),
        after: 0,
    };
    slice::write(&capture, &header, &renumbered(events))?;
    match wish {
        Wish::Ticket => {
            let (_, text, _) = work.run(&["check".into(), "--format=markdown".into(), capture])?;
            Ok(Granted::Copy(text))
        }
        Wish::Save(name) => save(&work, &capture, &at_home(&name)),
        Wish::Replay(words) => replay(&work, &capture, &words),
    }
}

/// What the name's ending asks for.
fn save(work: &Work<'_>, capture: &Path, path: &Path) -> Result<Granted> {
    unused(path).map_err(|_| anyhow!("{} is there already; choose another name", path.display()))?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    let written = || format!("could not write {}", path.display());
    let report = |format: &str| {
        let (_, text, _) =
            work.run(&["check".into(), format!("--format={format}").into(), capture.into()])?;
        write_secret(path, text.as_bytes()).with_context(written)
    };
    let output = PathBuf::from(format!("--output={}", path.display()));
    match ending.as_str() {
        "html" | "htm" => report("html")?,
        "md" => report("markdown")?,
        "xml" => report("junit")?,
        "jsonl" => write_secret(path, &fs::read(capture).with_context(written)?).with_context(written)?,
        "har" => drop(work.run(&["export".into(), output, capture.into()])?),
        "zip" => drop(work.run(&["bundle".into(), output, capture.into()])?),
        _ => bail!("{}: the name says what is saved: .html, .md, .zip, .jsonl, .har", path.display()),
    }
    Ok(Granted::Done(format!("saved {}", path.display())))
}

fn replay(work: &Work<'_>, capture: &Path, words: &str) -> Result<Granted> {
    let words = shlex::split(words).context("a quotation mark has no second one")?;
    let mut args: Vec<PathBuf> = vec!["replay".into(), capture.into()];
    args.extend(words.iter().map(PathBuf::from));
    let (status, text, said) = work.run(&args)?;
    let title = if status.success() { "Replayed: nothing got worse" } else { "Replayed: it got worse" };
    Ok(Granted::Page(title.to_owned(), format!("{text}\n{said}")))
}

/// `~/` as shells have it.
fn at_home(name: &str) -> PathBuf {
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    match (name.strip_prefix("~/"), std::env::var_os(home)) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(name),
    }
}

struct Work<'c> {
    /// Goes with it.
    dir: tempfile::TempDir,
    cancelled: &'c Cancelled,
}

impl Work<'_> {
    /// Runs this program with these arguments: how it ended, and what it printed and said.
    ///
    /// # Errors
    /// It could not do its job, or nobody waits for it any more.
    fn run(&self, args: &[PathBuf]) -> Result<(ExitStatus, String, String)> {
        let program = std::env::current_exe().context("could not find this program's own file")?;
        let (printed, said) = (self.dir.path().join("printed"), self.dir.path().join("said"));
        let file = |path: &Path| File::create(path).context("could not make a temporary file");
        let mut child = Command::new(&program)
            .args(args)
            .args(["--color", "never"])
            .stdin(Stdio::null())
            .stdout(file(&printed)?)
            .stderr(file(&said)?)
            .spawn()
            .with_context(|| format!("could not run {}", program.display()))?;
        let status = loop {
            if let Some(status) = child.try_wait().context("could not wait for a command")? {
                break status;
            }
            if self.cancelled.load(Ordering::Relaxed) {
                let _ = child.kill();
                let _ = child.wait();
                bail!("it was left");
            }
            std::thread::sleep(LOOK);
        };
        let read = |path: &Path| -> io::Result<String> {
            Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
        };
        let (printed, said) = (read(&printed)?, read(&said)?);
        if !matches!(status.code(), Some(0 | 1)) {
            let lines: Vec<_> = said.lines().map(clean).collect();
            bail!("{}", lines.join("\n").trim_start_matches("error: "));
        }
        Ok((status, printed, said))
    }
}
