//! The command line together with the configuration file that it names, to be read again when the file has changed.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command, FromArgMatches as _};

use super::file::{Config, ConfigError};
use super::hosts::Host;
use crate::cli::Cli;
use crate::filter::Saved;

/// A configuration file as it is in force, and the command line that it adds to.
#[derive(Debug)]
pub struct Configured {
    pub text: String,
    pub reading: Reading,
    line: Line,
}

/// A command line that is good by itself, and the file that adds to it.
#[derive(Clone, Debug)]
pub struct Line {
    file: PathBuf,
    words: Vec<OsString>,
    command: Command,
}

/// Line and file, put together.
#[derive(Debug)]
pub struct Reading {
    pub cli: Cli,
    pub hosts: Vec<Host>,
    /// To be used in filters.
    pub filters: Saved,
    matches: ArgMatches,
}

impl Configured {
    pub fn open(file: &Path, words: Vec<OsString>, command: Command) -> Result<Self, ConfigError> {
        let line = Line { file: file.to_owned(), words, command };
        let text = line.text()?;
        Ok(Self { reading: line.read(&text)?, text, line })
    }

    pub fn line(&self) -> &Line {
        &self.line
    }
}

/// What is longer is no configuration, in bytes; what is cut off of it does not parse.
const LONGEST: u64 = 4 << 20;

impl Line {
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the file says now.
    pub fn text(&self) -> Result<String, ConfigError> {
        let mut text = String::new();
        std::fs::File::open(&self.file)
            .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
            .map_err(|source| ConfigError::Read { path: self.file.clone(), source })?;
        Ok(text)
    }

    /// The line with what that text adds to it.
    pub fn read(&self, text: &str) -> Result<Reading, ConfigError> {
        let config = Config::parse(&self.file, text, &self.command)?;
        let wrong =
            |error: clap::Error| ConfigError::Options { path: self.file.clone(), message: said(&error) };
        let given = self.command.clone().try_get_matches_from(&self.words).map_err(wrong)?;
        let words = config.extend(self.words.clone(), &self.command, &given);
        let matches = self.command.clone().try_get_matches_from(words).map_err(wrong)?;
        let cli = Cli::from_arg_matches(&matches).map_err(wrong)?;
        let (hosts, filters) = config.into_parts();
        Ok(Reading { cli, hosts, filters, matches })
    }
}

impl Reading {
    /// Those of the command's options that the other one gives other values.
    pub fn differing<'o>(&self, other: &Self, options: &[&'o str]) -> Vec<&'o str> {
        let values = |reading: &Self, option: &str| {
            let (_, given) = reading.matches.subcommand()?;
            let values = given.get_raw(&option.replace('-', "_"))?;
            Some(values.map(ToOwned::to_owned).collect::<Vec<_>>())
        };
        options.iter().copied().filter(|option| values(self, option) != values(other, option)).collect()
    }
}

/// The sentence of clap's message, without its hints for the command line.
fn said(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{START_ONLY, command};

    fn line(words: &str) -> Line {
        let words = ["enrollscope"].into_iter().chain(words.split_whitespace()).map(OsString::from).collect();
        Line { file: "f.toml".into(), words, command: command() }
    }

    #[test]
    fn what_the_file_makes_wrong_is_told_of_the_file() {
        let error = line("proxy").read("[proxy]\nmax-body = 'much'").unwrap_err().to_string();
        assert!(error.starts_with("f.toml: invalid value 'much' for '--max-body"), "{error}");
    }

    #[test]
    fn options_that_need_a_new_start_are_told_from_those_that_do_not() {
        let line = line("proxy --profile strict");
        let before = line.read("[proxy]\nlisten = ['127.0.0.1:1']\nrewrite = true").unwrap();
        let after = line
            .read("[proxy]\nlisten = ['127.0.0.1:1', '127.0.0.1:2']\nno-capture = true\nprofile = 'field'")
            .unwrap();
        assert_eq!(before.differing(&after, START_ONLY), ["listen", "no-capture"]);
        assert!(before.differing(&before, START_ONLY).is_empty());
    }

    #[test]
    fn what_needs_a_new_start_are_options() {
        let command = command();
        let proxy = command.find_subcommand("proxy").unwrap();
        for option in START_ONLY {
            assert!(proxy.get_arguments().any(|a| a.get_long() == Some(option)), "{option}");
        }
    }
}
