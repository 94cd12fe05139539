//! `serve`: the answers of a capture, given to devices that are there now.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;

use super::diff::is_id;
use super::enroll::read;
use super::inputs::{Inputs, stories};
use super::live::{origin, redactor};
use super::output::{Exit, Output};
use super::proxy::{announce, interrupted};
use crate::capture::encode;
use crate::cli::{Bodies, MissAction, Redact, ServeArgs};
use crate::compare::Story;
use crate::event::Exchange;
use crate::message::read_request;
use crate::net::now;
use crate::replay::{OnMiss, Recorded, Serving};
use crate::rules::Profile;
use crate::sim::{self, Address, Answers as _, Key, Live, Trust};
use crate::sink::CaptureFile;

/// How long the real server may take.
const PATIENCE: Duration = Duration::from_secs(180);

pub fn serve(args: &ServeArgs, out: Output) -> Result<Exit> {
    let stories = stories(&Inputs::of(&args.captures)?, Profile::Field)?;
    if stories.is_empty() {
        bail!("there is no enrollment in the capture that could be served");
    }
    let only = args.enrollment.as_deref().map(|id| place_of(&stories, id)).transpose()?;
    let serving = Serving {
        only,
        as_recorded: args.as_recorded,
        public: args.public_url.as_ref().and_then(|url| Address::parse(&url.to_string())),
        on_miss: on_miss(args, out)?,
    };
    let chosen = move |words: &str| out.print(&format!("{}\n", crate::report::clean(words)));
    let recorded = Recorded::new(stories, serving, "enrollscope recorded server", now(), chosen)?;
    if let Some(path) = &args.ca_file {
        std::fs::write(path, recorded.authority().root_pem())
            .with_context(|| format!("could not write the authority to {}", path.display()))?;
        out.note(&format!("its authority is in {}", path.display()));
    }
    let runtime = tokio::runtime::Runtime::new().context("could not start the network's threads")?;
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await.with_context(|| {
            format!("could not listen on {}; is the port in use? port 0 takes any free one", args.listen)
        })?;
        let address = listener.local_addr().context("could not learn the port")?;
        let mut names = vec!["localhost".to_owned(), address.ip().to_string()];
        names.extend(args.host.iter().cloned());
        let live = Live::answering(recorded, now, move |peer, request, response| {
            let kind = read_request(request).kind.word();
            let line =
                format!("{} {peer} {} {} {kind} {}", now(), request.method, request.target, response.status);
            out.print(&format!("{}\n", crate::report::clean(&line)));
        });
        let live = live.with_tls(&names, &Key::generate()?)?;
        announce(&[format!("https://{address}")], args.ready_file.as_deref(), out)?;
        sim::serve(Arc::new(live), listener, interrupted()).await;
        Ok(Exit::Good)
    })
}

fn place_of(stories: &[Story], id: &str) -> Result<usize> {
    let found = stories.iter().position(|story| is_id(story, id));
    found.with_context(|| {
        format!(
            "--enrollment {id}: the capture has {} and not this one; `enrollscope check` lists them",
            stories.len()
        )
    })
}

fn on_miss(args: &ServeArgs, out: Output) -> Result<OnMiss> {
    let (MissAction::Upstream, Some(url)) = (args.on_miss, &args.upstream) else { return Ok(OnMiss::Fault) };
    let Some(server) = Address::parse(&url.to_string()) else {
        bail!("--upstream {url}: not an absolute URL")
    };
    let trust = match &args.upstream_ca {
        Some(path) => {
            let pem = read(path).with_context(|| format!("could not read {}", path.display()))?;
            Trust::from_pem(&pem).with_context(|| format!("{}", path.display()))?
        }
        None => Trust::System,
    };
    let Some(path) = &args.capture else { bail!("--capture FILE is wanted for what the real server says") };
    let seen = recorder(path, out)?;
    Ok(OnMiss::Upstream { server, trust, patience: PATIENCE, seen })
}

/// Writes each exchange, redacted, as it comes.
fn recorder(path: &Path, out: Output) -> Result<Box<dyn Fn(Exchange) + Send + Sync>> {
    if path.exists() {
        bail!(
            "{} is there already, and is left as it is; choose another place with --capture",
            path.display()
        );
    }
    let redactor = redactor(Redact::Secrets, Bodies::Enrollment, out);
    let capture = CaptureFile::open(path, &origin(&redactor), now())?;
    let state = Mutex::new((capture, 0));
    let name = path.display().to_string();
    Ok(Box::new(move |mut exchange| {
        redactor.exchange(&mut exchange);
        // A panic elsewhere leaves a file that is still a file.
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        exchange.seq = state.1;
        let mut line = Vec::new();
        encode::exchange(&mut line, &exchange);
        if let Err(error) = state.0.append(&line).and_then(|_| state.0.sync()) {
            out.note(&format!("warning: could not write {name}: {error}"));
        }
    }))
}
