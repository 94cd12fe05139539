//! Where commands print, and how they end.
#![expect(clippy::print_stderr, reason = "the one place that prints")]

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Result, bail};

use crate::cli::When;

/// A command's end, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Good,
    /// There are findings, losses or differences.
    Found,
    /// It could not do its job.
    Failed,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Found => 1,
            Self::Failed => 2,
        }
    }
}

/// What commands make is never written over what is there.
///
/// # Errors
/// Something is there.
pub(super) fn unused(output: &Path) -> Result<()> {
    if output.exists() {
        bail!(
            "{} is there already, and is left as it is; choose another place with --output",
            output.display()
        );
    }
    Ok(())
}

/// stdout for results, stderr for what happens on the way.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    colour: bool,
}

impl Output {
    pub fn new(when: When) -> Self {
        let auto =
            || std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self {
            colour: match when {
                When::Always => true,
                When::Never => false,
                When::Auto => auto(),
            },
        }
    }

    pub fn colour(self) -> bool {
        self.colour
    }

    /// How many columns the terminal has; none where stdout is no terminal.
    pub fn width(self) -> Option<usize> {
        let (columns, _) =
            std::io::stdout().is_terminal().then(|| crossterm::terminal::size().ok()).flatten()?;
        Some(usize::from(columns))
    }

    /// A reader that has gone away (`| head`) is no error.
    pub fn print(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    pub fn note(self, text: &str) {
        eprintln!("{text}");
    }
}
