//! `open`: the dashboard on a recording; it never listens.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::output::{Exit, Output};
use crate::capture::Play;
use crate::cli::OpenArgs;
use crate::dashboard::Status;
use crate::engine::Engine;
use crate::enrollment::Deadlines;
use crate::{sink, terminal};

pub fn open(args: &OpenArgs, out: Output) -> Result<Exit> {
    let path = args.capture.as_path();
    let reader = sink::read(path)?;
    if !terminal::available() {
        bail!("open needs a terminal; use `enrollscope check {}`", path.display());
    }
    let status = status(path, &reader.header().redaction.level);
    let engine = Engine::new(args.profile, Deadlines::default());
    let (updates, _reading) = terminal::play(Play::new(reader), engine).context("could not start reading")?;
    let options = terminal::Options {
        theme: terminal::theme(out.colour()),
        capture: Some(path.to_owned()),
        stop: terminal::stop_on_signals().context("could not listen for signals")?,
    };
    terminal::run(updates, || status.clone(), &options).context("the terminal failed")?;
    Ok(Exit::Good)
}

fn status(path: &Path, redaction: &str) -> Status {
    Status {
        title: "open".to_owned(),
        subject: path.display().to_string(),
        redaction: redaction.to_owned(),
        ..Status::default()
    }
}
