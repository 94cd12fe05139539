//! Brings alerts to one receiver, one at a time: a webhook, with some patience, or a program.

use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::line::{options, words};
use crate::alert::{Alert, Shape};
use crate::net::{Trust, Webhook};
use crate::report::clean;

/// A receiver has so long for one try, and a program for its work.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between the tries.
const PAUSES: &[Duration] = &[Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];
/// What a program said is waited for so long after its end.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// What a program says of its failure, in bytes; the rest is read and forgotten.
const MOST_SAID: u64 = 2_000;

/// Who is told.
pub(super) enum Target {
    Hook { name: String, hook: Webhook, shape: Shape, trust: Arc<Trust> },
    Program { name: String, words: Vec<String> },
}

/// Why an alert did not arrive.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    may_pass: bool,
}

impl Target {
    /// A program with its arguments, without a shell: blanks part them, quotes keep together, all else is as it stands,
    /// backslashes of Windows' paths, too.
    pub(super) fn program(line: &str) -> Result<Self> {
        let words = words(line)?;
        let Some(program) = words.first().filter(|program| !program.is_empty()) else {
            bail!(
                "there is no program in it: give one with its arguments, like \"/usr/local/bin/tell on-call\""
            )
        };
        if !exists(program) {
            bail!("there is no program {}; is its path right?", clean(program));
        }
        // Arguments may be secrets.
        let name =
            Path::new(program).file_name().map_or(program.clone(), |n| n.to_string_lossy().into_owned());
        Ok(Self::Program { name: clean(&name), words })
    }

    /// What it is called wherever it is told of.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Hook { name, .. } | Self::Program { name, .. } => name.clone(),
        }
    }

    pub(super) fn is_exposed(&self) -> bool {
        matches!(self, Self::Hook { hook, .. } if hook.is_exposed())
    }

    /// One try.
    pub(super) async fn bring(&self, alert: &Alert, capture: Option<&str>) -> Result<(), Failure> {
        match self {
            Self::Hook { hook, shape, trust, .. } => {
                let body = Bytes::from(shape.of(alert, capture).to_string());
                match timeout(PATIENCE, hook.post(trust, body)).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => {
                        Err(Failure { may_pass: error.may_pass(), why: clean(&error.to_string()) })
                    }
                    Err(_) => Err(Failure {
                        may_pass: true,
                        why: format!("it does not answer within {} s", PATIENCE.as_secs()),
                    }),
                }
            }
            // What it did before it failed is not done twice.
            Self::Program { words, .. } => {
                run(words, alert, capture).await.map_err(|why| Failure { why: clean(&why), may_pass: false })
            }
        }
    }
}

/// How it goes with one receiver.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    name: String,
    /// Why the latest alert did not arrive.
    failing: Option<String>,
    lost: u64,
}

impl Trouble {
    pub(super) fn of(target: &Target) -> Self {
        Self { name: target.name(), failing: None, lost: 0 }
    }

    pub(super) fn lose(&mut self, count: u64, why: &str) {
        self.lost += count;
        tracing::error!("an alert did not get to {} and is given up: {why}", self.name);
        self.failing = Some(why.to_owned());
    }

    /// What is wrong now.
    pub(super) fn words(&self) -> Option<String> {
        let why = self.failing.as_ref()?;
        let lost = match self.lost {
            0 => String::new(),
            lost => format!(" ({lost} lost)"),
        };
        Some(format!("alerts do not get to {}{lost}: {why}", self.name))
    }

    /// At the end.
    pub(super) fn farewell(&self) -> Option<String> {
        match self.lost {
            0 => None,
            1 => Some(format!("1 alert did not get to {}", self.name)),
            lost => Some(format!("{lost} alerts did not get to {}", self.name)),
        }
    }
}

/// One receiver and what waits for it.
pub(super) struct Courier {
    pub(super) target: Target,
    pub(super) waiting: mpsc::Receiver<Arc<Alert>>,
    pub(super) trouble: Arc<watch::Sender<Trouble>>,
    pub(super) capture: Option<Arc<str>>,
}

impl Courier {
    /// Until no more will come, or until the time is over.
    pub(super) async fn run(mut self, over: impl Future<Output = ()>) {
        tokio::pin!(over);
        loop {
            let alert = tokio::select! {
                alert = self.waiting.recv() => alert,
                () = &mut over => None,
            };
            let Some(alert) = alert else { break };
            let done = tokio::select! {
                () = self.deliver(&alert) => true,
                () = &mut over => false,
            };
            if !done {
                self.lose(1, "enrollscope was stopped meanwhile");
                break;
            }
        }
        self.waiting.close();
        let mut left = 0;
        while self.waiting.try_recv().is_ok() {
            left += 1;
        }
        if left > 0 {
            self.lose(left, "enrollscope was stopped meanwhile");
        }
    }

    async fn deliver(&self, alert: &Alert) {
        let mut pauses = PAUSES.iter();
        loop {
            let Err(Failure { why, may_pass }) = self.target.bring(alert, self.capture.as_deref()).await
            else {
                tracing::info!("{} has alert {}", self.target.name(), alert.number);
                let clear = |trouble: &mut Trouble| trouble.failing.take().is_some();
                self.trouble.send_if_modified(clear);
                return;
            };
            let Some(pause) = pauses.next().filter(|_| may_pass) else {
                return self.lose(1, &why);
            };
            let name = self.target.name();
            tracing::warn!(
                "an alert did not get to {name}, and is tried again in {} s: {why}",
                pause.as_secs()
            );
            self.trouble.send_modify(|trouble| trouble.failing = Some(why));
            sleep(*pause).await;
        }
    }

    fn lose(&self, count: u64, why: &str) {
        self.trouble.send_modify(|trouble| trouble.lose(count, why));
    }
}

/// At the path that it has, or where programs are looked for.
fn exists(program: &str) -> bool {
    let given = Path::new(program);
    let is_there = |path: &Path| path.is_file() || cfg!(windows) && path.with_extension("exe").is_file();
    if given.components().count() > 1 {
        return is_there(given);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| is_there(&directory.join(given)))
}

async fn run(words: &[String], alert: &Alert, capture: Option<&str>) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    // Our own options may be secrets.
    for name in options() {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("ENROLLSCOPE_ALERT_KIND", alert.kind.word())
        .env("ENROLLSCOPE_ALERT_STATE", alert.state.word())
        .env("ENROLLSCOPE_ALERT_SEVERITY", alert.severity.word())
        .env("ENROLLSCOPE_ALERT_TITLE", &alert.title)
        .env("ENROLLSCOPE_ALERT_TEXT", &alert.text)
        .env("ENROLLSCOPE_ALERT_AT", alert.at.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Ctrl-C is for us.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let json = format!("{}\n", alert.json(capture));
    let working = async {
        let feeding = async {
            // Who does not read it does not have to.
            if let Some(mut stdin) = stdin {
                let _ = stdin.write_all(json.as_bytes()).await;
            }
        };
        let (mut feeding, mut saying) = (pin!(feeding), pin!(said(stderr)));
        let (mut fed, mut words) = (false, None);
        let ended = loop {
            tokio::select! {
                ended = child.wait() => break ended,
                () = &mut feeding, if !fed => fed = true,
                said = &mut saying, if words.is_none() => words = Some(said),
            }
        };
        // Its own children may keep what it wrote to open for as long as they like.
        let words = match words {
            Some(words) => words,
            None => timeout(LAST_WORDS, saying).await.unwrap_or_default(),
        };
        (words, ended)
    };
    let outcome = timeout(PATIENCE, working).await;
    match outcome {
        Err(_) => {
            let _ = child.start_kill();
            // It ends now, and is not left as a zombie.
            let _ = timeout(Duration::from_secs(1), child.wait()).await;
            Err(format!("it was not done within {} s, and was ended", PATIENCE.as_secs()))
        }
        Ok((_, Ok(status))) if status.success() => Ok(()),
        Ok((said, Ok(status))) => {
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            let said = if said.is_empty() { said } else { format!(": {said}") };
            Err(format!("it ended with {status}{said}"))
        }
        Ok((_, Err(error))) => Err(format!("its end is not known: {error}")),
    }
}

/// What a program writes, to its end.
async fn said(stderr: Option<ChildStderr>) -> String {
    let Some(stderr) = stderr else { return String::new() };
    let mut said = Vec::new();
    let mut first = stderr.take(MOST_SAID);
    let _ = first.read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut first.into_inner(), &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).into_owned()
}
