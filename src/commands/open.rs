//! `open`: the dashboard on recordings; it never listens.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::granting::granting;
use super::inputs::{Inputs, expected};
use super::look::theme;
use super::output::{Exit, Output};
use crate::cli::OpenArgs;
use crate::dashboard::Status;
use crate::engine::Engine;
use crate::enrollment::Deadlines;
use crate::filter::Saved;
use crate::sink::Playing;
use crate::terminal;

pub fn open(args: &OpenArgs, saved: &Saved, out: Output) -> Result<Exit> {
    let expected = expected(&args.expect)?.unwrap_or_default();
    let inputs = Inputs::of(&args.captures)?;
    let playing = Playing::open(&inputs.captures)?;
    if !terminal::available() {
        let names: Vec<_> = args.captures.iter().map(|path| path.display().to_string()).collect();
        bail!("open needs a terminal; use `enrollscope check {}`", names.join(" "));
    }
    let status = Status {
        title: "open".to_owned(),
        subject: subject(&args.captures, playing.is_growing()),
        redaction: playing.header().redaction.level.clone(),
        filters: saved.clone(),
        ..Status::default()
    };
    let redaction = playing.header().redaction.clone();
    let (segments, progress) = (playing.segments(), playing.progress());
    let engine = Engine::new(args.profile, Deadlines::default());
    let (updates, _reading) = terminal::play(playing, engine).context("could not start reading")?;
    let options = terminal::Options {
        theme: theme(args.look, out),
        grant: granting(redaction, args.profile),
        capture: Some(segments),
        expected,
        stop: terminal::stop_on_signals().context("could not listen for signals")?,
    };
    let status = || Status { read: Some(progress.percent()), ..status.clone() };
    terminal::run(updates, status, &options).context("the terminal failed")?;
    Ok(Exit::Good)
}

fn subject(paths: &[PathBuf], growing: bool) -> String {
    let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    let growing = if growing { ", which is being recorded" } else { "" };
    names.join(", ") + growing
}
