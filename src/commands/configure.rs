//! `config`: says what is wrong with a configuration file before anybody relies on it.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::FromArgMatches as _;

use super::output::{Exit, Output};
use super::sites::Sites;
use crate::cli::{self, Cli, Command};
use crate::config::Config;

/// Reads it as `proxy` would, without flags: names, values, and whether the hosts fit together.
pub fn config_check(file: &Path, out: Output) -> Result<Exit> {
    let command = cli::command();
    let config = Config::read(file, &command)?;
    let line = vec!["enrollscope".into(), "proxy".into()];
    let matches = command.clone().try_get_matches_from(&line)?;
    let matches = command
        .clone()
        .try_get_matches_from(config.extend(line, &command, &matches))
        .map_err(|error| anyhow::anyhow!("{}", said(&error)))
        .with_context(|| format!("{}: [proxy]", file.display()))?;
    if let Command::Proxy(args) = &Cli::from_arg_matches(&matches)?.command {
        Sites::new(args, &config.into_hosts()).with_context(|| file.display().to_string())?;
    }
    out.print(&format!("{} is good\n", file.display()));
    Ok(Exit::Good)
}

/// The sentence of clap's message, without its hints for the command line.
fn said(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
