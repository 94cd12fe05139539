//! What the dashboard is asked to do with exchanges: the commands that do the same from a shell, on a capture that holds
//! these exchanges and no others.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use super::line::{options, words};
use super::output::unused;
use super::slice;
use crate::capture::{Header, Redaction};
use crate::dashboard::Wish;
use crate::event::Event;
use crate::net::{now, write_secret};
use crate::redact::Level;
use crate::replay::renumbered;
use crate::report::clean;
use crate::rules::Profile;
use crate::terminal::{Cancelled, Grant, Granted};

/// Between two looks at whether a command has ended.
const LOOK: Duration = Duration::from_millis(20);

/// `redaction` says what is hidden in the exchanges.
pub(super) fn granting(redaction: Redaction, profile: Profile) -> Grant {
    Grant::new(move |wish, events, cancelled| {
        grant(wish, events, &redaction, profile, cancelled).map_err(|error| format!("{error:#}"))
    })
}

fn grant(
    wish: Wish,
    events: Vec<Event>,
    redaction: &Redaction,
    profile: Profile,
    cancelled: &Cancelled,
) -> Result<Granted> {
    let dir = tempfile::tempdir().context("could not make a temporary directory")?;
    // Judged as on the screen.
    let work = Work { dir, profile: format!("--profile={}", profile.word()).into(), cancelled };
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
            let args = ["check".into(), "--format=markdown".into(), work.profile.clone(), capture];
            Ok(Granted::Copy(work.run(&args)?.printed))
        }
        Wish::Save(name) => {
            let saved = save(&work, &capture, &at_home(&name))?;
            // Reports and bundles take secrets out in any case.
            let as_is = [".jsonl", ".har"].iter().any(|ending| name.to_lowercase().ends_with(ending));
            let open = as_is && redaction.level == Level::None.word();
            let warning = if open { ": nothing is redacted, it holds passwords and keys" } else { "" };
            Ok(Granted::Done(format!("{saved}{warning}")))
        }
        Wish::Replay(words) => replay(&work, &capture, &words),
    }
}

/// What the name's ending asks for.
fn save(work: &Work<'_>, capture: &Path, path: &Path) -> Result<String> {
    unused(path).map_err(|_| anyhow!("{} is there already; choose another name", path.display()))?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    let written = || format!("could not write {}", path.display());
    let report = |format: &str| {
        let format = format!("--format={format}").into();
        let report = work.run(&["check".into(), format, work.profile.clone(), capture.into()])?;
        write_secret(path, report.printed.as_bytes()).with_context(written)
    };
    let output = PathBuf::from(format!("--output={}", path.display()));
    match ending.as_str() {
        "html" | "htm" => report("html")?,
        "md" => report("markdown")?,
        "xml" => report("junit")?,
        "jsonl" => write_secret(path, &fs::read(capture).with_context(written)?).with_context(written)?,
        "har" => drop(work.run(&["export".into(), output, capture.into()])?),
        "zip" => drop(work.run(&["bundle".into(), output, capture.into()])?),
        _ => bail!("{}: the name says what is saved: .html, .md, .xml, .zip, .jsonl, .har", path.display()),
    }
    Ok(format!("saved {}", path.display()))
}

fn replay(work: &Work<'_>, capture: &Path, line: &str) -> Result<Granted> {
    let words = words(line)?;
    let mut args: Vec<PathBuf> = vec!["replay".into(), capture.into()];
    if !words.iter().any(|word| word.starts_with("--profile")) {
        args.push(work.profile.clone());
    }
    args.extend(words.iter().map(PathBuf::from));
    let Ran { code, printed, said } = work.ran(&args)?;
    let title = match (code, printed.is_empty()) {
        (Some(0), _) => "Replayed: nothing got worse",
        (Some(1), _) => "Replayed: not everything went as recorded",
        (_, false) => "Replayed: some of it could not be",
        (_, true) => "Nothing was replayed",
    };
    // Why is what one wants to see first, where it failed.
    let text = if code == Some(0) { format!("{printed}\n{said}") } else { format!("{said}\n{printed}") };
    Ok(Granted::Page(title.to_owned(), text))
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
    profile: PathBuf,
    cancelled: &'c Cancelled,
}

/// How a command ended, and what it printed and said.
struct Ran {
    code: Option<i32>,
    printed: String,
    said: String,
}

impl Work<'_> {
    /// Runs this program with these arguments.
    ///
    /// # Errors
    /// It could not do its job, or nobody waits for it any more.
    fn run(&self, args: &[PathBuf]) -> Result<Ran> {
        let ran = self.ran(args)?;
        if !matches!(ran.code, Some(0 | 1)) {
            let lines: Vec<_> =
                ran.said.lines().filter(|line| !line.starts_with("warning:")).map(clean).collect();
            bail!("{}", lines.join("\n").trim_start_matches("error: "));
        }
        Ok(ran)
    }

    /// The same, whatever came of it.
    fn ran(&self, args: &[PathBuf]) -> Result<Ran> {
        let program = std::env::current_exe().context("could not find this program's own file")?;
        let (printed, said) = (self.dir.path().join("printed"), self.dir.path().join("said"));
        let file = |path: &Path| File::create(path).context("could not make a temporary file");
        let mut command = Command::new(&program);
        // Options in the dashboard's environment are not meant for them, but for what a replay names itself.
        let named = |name: &OsString| {
            let name = name.to_string_lossy();
            args.iter().any(|arg| arg.to_string_lossy().contains(&*name))
        };
        for name in options().into_iter().filter(|name| !named(name)) {
            command.env_remove(name);
        }
        let mut child = command
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
        Ok(Ran { code: status.code(), printed: read(&printed)?, said: read(&said)? })
    }
}
