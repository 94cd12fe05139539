//! `doctor`: a preflight, step by step.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::enroll::read;
use super::live::{origin, redactor};
use super::output::{Exit, Output};
use super::replay::confirmed;
use crate::capture::encode;
use crate::cli::{Bodies, DoctorArgs, Redact, StepsFormat};
use crate::doctor::{Login, Means, Progress, Target, examine};
use crate::event::Exchange;
use crate::net::{self, now};
use crate::redact::Redactor;
use crate::report::clean;
use crate::report::preflight::{self, Status};
use crate::sim::Key;
use crate::sink::CaptureFile;

pub fn doctor(args: &DoctorArgs, out: Output) -> Result<Exit> {
    let target = Target::parse(&args.target)?;
    if target.domain.is_none() && args.expect_cname.is_some() {
        bail!(
            "--expect-cname is about the enrollment name of a domain: give a domain or a user, not a server"
        );
    }
    if let Some(path) = args.capture.as_ref().filter(|path| path.exists()) {
        bail!(
            "{} is there already, and is left as it is; choose another place with --capture",
            path.display()
        );
    }
    let login = match &args.user {
        Some(user) => Some(Login {
            user: user.clone(),
            password: std::env::var(&args.password_env).ok().filter(|password| !password.is_empty()),
            token: match &args.token_file {
                Some(path) => {
                    let token = read(path).with_context(|| format!("could not read {}", path.display()))?;
                    Some(token.trim().to_owned())
                }
                None => None,
            },
        }),
        None => None,
    };
    let means = Means {
        target,
        dns: args.dns,
        connect: args.connect,
        trust: net::Trust::new(args.ca.clone(), false)?,
        expected_alias: args.expect_cname.clone(),
        follow_private: args.follow_private,
        patience: args.timeout,
        login,
        allowed: args.allow_host.clone(),
        enroll: if args.enroll { Some(Arc::new(Key::generate()?)) } else { None },
        redactor: redactor(Redact::Secrets, Bodies::Enrollment, out),
        // Every run is another device.
        seed: u64::try_from(now().0).unwrap_or_default(),
        clock: now,
    };
    if args.enroll && !args.yes {
        let profile = means.profile();
        confirmed(
            &format!(
                "This enrolls a device at {}: {} ({}) of {}, which has to be removed there afterwards.",
                means.target.text, profile.name, profile.device_id, profile.user
            ),
            out,
        )?;
    }
    let human = args.format == StepsFormat::Human;
    if human {
        out.print(&format!("doctor {}: from here, as a device would go\n\n", clean(&means.target.text)));
    }
    let runtime = tokio::runtime::Runtime::new().context("could not start the network's threads")?;
    let watched = std::io::stderr().is_terminal() && human;
    let (steps, exchanges) = runtime.block_on(examine(&means, |progress| match progress {
        Progress::Begun(title) if watched => working(&format!("  …     {title}")),
        Progress::Begun(_) => {}
        Progress::Ended(step) => {
            if watched {
                working("");
            }
            if human {
                out.print(&preflight::line(step, out.width(), out.colour()));
            }
        }
    }));
    match args.format {
        StepsFormat::Human => out.print(&preflight::summary(&steps, out.colour())),
        StepsFormat::Json => out.print(&format!("{:#}\n", preflight::json(&means.target.text, &steps))),
        StepsFormat::Junit => out.print(&preflight::junit(&means.target.text, &steps)),
    }
    if let Some(path) = &args.capture {
        record(path, &exchanges, &means.redactor)
            .with_context(|| format!("could not write {}", path.display()))?;
        out.note(&format!("what was said is in {}", path.display()));
    }
    Ok(if steps.iter().any(|step| step.status == Status::Fail) { Exit::Found } else { Exit::Good })
}

/// A line that the next one takes the place of.
pub(super) fn working(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "\r\u{1b}[K{text}").and_then(|()| err.flush());
}

/// Exchanges that are redacted already, in a new capture.
pub(super) fn record(path: &Path, exchanges: &[Arc<Exchange>], redactor: &Redactor) -> Result<()> {
    let mut capture = CaptureFile::open(path, &origin(redactor), now())?;
    for (seq, exchange) in (1..).zip(exchanges) {
        let mut exchange = (**exchange).clone();
        exchange.seq = seq;
        let mut line = Vec::new();
        encode::exchange(&mut line, &exchange);
        capture.append(&line)?;
    }
    Ok(capture.sync()?)
}
