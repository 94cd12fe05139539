//! `config`: says what is wrong with a configuration file before anybody relies on it.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::alerts::Targets;
use super::output::{Exit, Output};
use super::sites::Sites;
use crate::cli::{self, Command};
use crate::config::Configured;

/// Reads it as `proxy` would, without flags: names, values, and whether the hosts fit together.
pub fn config_check(file: &Path, out: Output) -> Result<Exit> {
    let words = vec!["enrollscope".into(), "proxy".into()];
    let read = Configured::open(file, words, cli::command())?.reading;
    if let Command::Proxy(args) = &read.cli.command {
        Sites::new(args, &read.hosts).with_context(|| file.display().to_string())?;
        Targets::new(&args.alerts.notify).with_context(|| file.display().to_string())?;
    }
    out.print(&format!("{} is good\n", file.display()));
    Ok(Exit::Good)
}
