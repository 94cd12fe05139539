//! Takes over what has changed while `proxy` runs: its configuration file, and the certificates.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::proxy::{Prepared, about, prepare};
use super::sites::{Run, Sites};
use crate::alert::Lasting;
use crate::cli::{Command, START_ONLY};
use crate::config::{Configured, Reading};
use crate::dashboard::Status;
use crate::net::{Keeper, now, stopped};
use crate::proxy::Control;

/// How often files are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Owns what the listeners serve, and tells the screen what is wrong.
pub(super) struct Reloader {
    /// Absent without a TLS listener.
    keeper: Option<Keeper>,
    control: Control,
    configured: Option<Current>,
    /// What is told of this run, without what is wrong now.
    about: Status,
    told: watch::Sender<Status>,
    served: watch::Sender<Vec<Lasting>>,
}

/// The configuration that is in force.
struct Current {
    /// As it was at the start.
    first: Arc<Configured>,
    text: String,
    /// Another text, seen once: whoever writes the file may not be done.
    seen: Option<String>,
    /// Options in the file that are not as they were at the start, and need a new one.
    waiting: Vec<&'static str>,
    /// Why the file is not taken as it is now.
    trouble: Option<String>,
}

impl Reloader {
    pub(super) fn new(
        keeper: Option<Keeper>,
        control: Control,
        configured: Option<&Arc<Configured>>,
        about: Status,
    ) -> Self {
        let configured = configured.map(Current::new);
        let told = watch::Sender::new(about.clone());
        let served = watch::Sender::default();
        let reloader = Self { keeper, control, configured, about, told, served };
        reloader.tell();
        reloader
    }

    /// What is told of this run, at any time.
    pub(super) fn told(&self) -> watch::Receiver<Status> {
        self.told.subscribe()
    }

    /// The certificates that are served, at any time.
    pub(super) fn served(&self) -> watch::Receiver<Vec<Lasting>> {
        self.served.subscribe()
    }

    /// Looks until the proxy stops, and at once when it is nudged.
    pub(super) async fn run(mut self, nudge: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        loop {
            let asked = tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(LOOK_AGAIN) => false,
                () = nudge.notified() => true,
            };
            // Files can be slow, and a PFX's key takes a while to derive.
            let looked = tokio::task::spawn_blocking(move || {
                self.look(asked);
                self
            });
            match looked.await {
                Ok(looked) => self = looked,
                Err(error) => return tracing::error!("files are not looked at any more: {error}"),
            }
        }
    }

    fn look(&mut self, asked: bool) {
        if let Some(mut current) = self.configured.take() {
            match current.changed(asked) {
                Ok(None) => {}
                Ok(Some(text)) => self.take(&mut current, text),
                Err(error) => current.fail(&error),
            }
            self.configured = Some(current);
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.poll(now());
        }
        self.tell();
    }

    fn take(&mut self, current: &mut Current, text: String) {
        let file = current.first.line().file().display().to_string();
        match current
            .first
            .line()
            .read(&text)
            .map_err(Into::into)
            .and_then(|reading| self.apply(current, &reading))
        {
            Ok(()) => {
                tracing::warn!(
                    "the changed configuration {file} is in force for new connections from now on"
                );
                current.text = text;
                current.trouble = None;
                current.waiting.iter().for_each(|option| tracing::warn!("{}", waits(option, &file)));
            }
            Err(error) => current.fail(&error),
        }
    }

    /// All of it or nothing.
    fn apply(&mut self, current: &mut Current, reading: &Reading) -> Result<()> {
        let (Command::Proxy(args), Command::Proxy(first)) =
            (&reading.cli.command, &current.first.reading.cli.command)
        else {
            bail!("it is for another command")
        };
        let sites = Sites::new(args, &reading.hosts)?;
        // The listeners stay those of the start, and with them whether certificates are needed.
        let Prepared { settings, keeper } = prepare(args, first, &sites, Run::Reload)?;
        Handle::current().block_on(self.control.apply(settings))?;
        self.keeper = keeper;
        current.waiting = current.first.reading.differing(reading, START_ONLY);
        self.about = Status {
            filters: reading.filters.clone(),
            ..about(args, &first.recording, &sites, self.about.listeners.clone())
        };
        Ok(())
    }

    fn tell(&self) {
        let mut status = self.about.clone();
        if let Some(current) = &self.configured {
            let file = current.first.line().file().display().to_string();
            status.warnings.extend(current.waiting.iter().map(|option| waits(option, &file)));
            status.warnings.extend(current.trouble.clone());
        }
        status.warnings.extend(self.keeper.iter().flat_map(Keeper::alarms).cloned());
        self.told.send_replace(status);
        self.served.send_replace(self.keeper.iter().flat_map(Keeper::lasting).collect());
    }
}

impl Current {
    fn new(first: &Arc<Configured>) -> Self {
        Self {
            first: Arc::clone(first),
            text: first.text.clone(),
            seen: None,
            waiting: Vec::new(),
            trouble: None,
        }
    }

    /// The file's text, if it is to be taken: it is another one, and the same at two looks or asked for; or it was
    /// not taken for a reason that may have gone.
    fn changed(&mut self, asked: bool) -> Result<Option<String>> {
        let text = self.first.line().text()?;
        if text == self.text {
            (self.seen, self.trouble) = (None, None);
            return Ok(None);
        }
        let settled = asked || self.seen.as_ref() == Some(&text);
        self.seen = Some(text.clone());
        Ok(settled.then_some(text))
    }

    fn fail(&mut self, error: &anyhow::Error) {
        // What is wrong with TOML takes several lines.
        let why = format!("{error:#}").lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let words = format!("the changed configuration is not taken, the old one goes on: {why}");
        if self.trouble.as_ref() != Some(&words) {
            tracing::error!("{words}");
            self.trouble = Some(words);
        }
    }
}

fn waits(option: &str, file: &str) -> String {
    format!("{file}: {option} was changed, which takes a new start")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    #[test]
    fn a_file_that_changes_is_taken_when_it_has_settled_or_when_somebody_asks() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f.toml");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("");
        let first = Configured::open(&file, vec!["enrollscope".into(), "proxy".into()], command()).unwrap();
        let mut current = Current::new(&Arc::new(first));
        let mut look = |text: &str, asked| {
            write(text);
            current.changed(asked).unwrap()
        };
        assert_eq!(look("", true), None);
        assert_eq!(look("[pro", false), None);
        assert_eq!(look("[proxy]", false), None);
        assert_eq!(look("[proxy]", false).as_deref(), Some("[proxy]"));
        // Not taken: what it names may be there by now.
        assert_eq!(look("[proxy]", false).as_deref(), Some("[proxy]"));
        assert_eq!(look("[proxy] # now", true).as_deref(), Some("[proxy] # now"));
        assert_eq!(look("", false), None);
    }
}
