//! `conform`: the matrix of devices and their behaviour, against one server.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use super::doctor::working;
use super::enroll::read;
use super::inputs::{brief, text_file};
use super::live::redactor;
use super::output::{Exit, Output};
use super::replay::{confirmed, is_local};
use crate::cli::{Bodies, ConformArgs, ConformFormat, Redact};
use crate::conform::{Means, Proofs, count, run};
use crate::message::Jwt;
use crate::net::now;
use crate::replay::keys;
use crate::report::conformity::{self, Baseline, Conformity};
use crate::report::preflight::Status;
use crate::sim::{Address, Holder, KeyKind, Trust};

/// Several devices share a key, so that a run does not take its time making them.
const KEYS: usize = 8;

pub fn conform(args: &ConformArgs, out: Output) -> Result<Exit> {
    let Some(server) = Address::parse(&args.server) else {
        bail!("--server {}: an absolute URL is wanted, for instance https://mdm.contoso.com", args.server);
    };
    let reading = |path: &Path| read(path).with_context(|| format!("could not read {}", path.display()));
    let trust = match &args.ca {
        Some(path) => Trust::from_pem(&reading(path)?).with_context(|| format!("{}", path.display()))?,
        None => Trust::System,
    };
    let baseline = match &args.baseline {
        Some(path) => {
            let read = Baseline::read(&text_file(path)?);
            Some(read.map_err(|why| anyhow!("{}: {}", path.display(), brief(&why)))?)
        }
        None => None,
    };
    let token = match &args.token_file {
        Some(path) => {
            let token = reading(path)?.trim().to_owned();
            if Jwt::read(&token).is_none() {
                bail!(
                    "{} holds no token: three base64url parts with dots between are wanted (JWT)",
                    path.display()
                );
            }
            Some(token)
        }
        None => None,
    };
    if let Some(baseline) = &baseline
        && (&baseline.server, baseline.seed) != (&server.origin(), args.seed)
    {
        let (other, seed) = (&baseline.server, baseline.seed);
        out.note(&format!("note: the baseline is of {other}, seed {seed}"));
    }
    let local = is_local(&server, args.connect);
    let password = std::env::var(&args.password_env).ok().filter(|password| !password.is_empty());
    let audience = || args.audience.as_ref().map_or_else(|| server.origin(), ToString::to_string);
    let proofs = Proofs {
        password: password.or_else(|| local.then(|| "password".to_owned())),
        token,
        audience: args.entra.then(audience),
        certificate: match &args.identity {
            Some(path) => {
                Some(Holder::from_pem(&reading(path)?).with_context(|| format!("{}", path.display()))?)
            }
            None => None,
        },
    };
    let (cells, devices) = count(&proofs, &args.only);
    if cells == 0 {
        bail!(
            "there is nothing to try: give a password ({}), --entra, --token-file or --identity, and a part of an id that \
             exists with --only (healthy, password/, windows-10)",
            args.password_env
        );
    }
    if !local && !args.yes {
        confirmed(
            &format!(
                "This enrolls up to {devices} devices at {}, which have to be removed there afterwards.",
                server.origin()
            ),
            out,
        )?;
    }
    let watched = std::io::stderr().is_terminal();
    let kinds = vec![KeyKind::default(); KEYS];
    let means = Means {
        connect: args.connect,
        trust,
        patience: args.timeout,
        user: args.user.clone(),
        proofs,
        allowed: args.allow_host.clone(),
        only: args.only.clone(),
        seed: args.seed,
        keys: keys(&kinds)?,
        redactor: redactor(Redact::Secrets, Bodies::Enrollment, out),
        clock: now,
        server,
    };
    let runtime = tokio::runtime::Runtime::new().context("could not start the network's threads")?;
    let mut done = 0;
    let ran = runtime.block_on(run(&means, |cell| {
        done += 1;
        if watched {
            working(&format!("  {done} of {cells}: {} {}", cell.id, cell.status.word()));
        }
    }));
    if watched {
        working("");
    }
    let all = Conformity { server: means.server.origin(), seed: args.seed, cells: ran?, baseline };
    out.print(&match args.format {
        ConformFormat::Human => conformity::human(&all, out.width(), out.colour()),
        ConformFormat::Json => format!("{:#}\n", conformity::json(&all)),
        ConformFormat::Junit => conformity::junit(&all),
        ConformFormat::Markdown => conformity::markdown(&all),
    });
    let bad = match &all.baseline {
        Some(_) => !all.new_ones().is_empty(),
        None => all.cells.iter().any(|cell| cell.status == Status::Fail),
    };
    Ok(if bad { Exit::Found } else { Exit::Good })
}
