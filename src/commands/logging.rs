//! The log: to a file when asked, to stderr when there is no screen, with ENROLLSCOPE_LOG_LEVEL as its filter.

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::cli::Format;

/// While the dashboard is up, nothing may write over it: without a file there is then no log.
pub(super) fn start(file: Option<&Path>, format: Format, headless: bool) -> Result<()> {
    let writer = match file {
        Some(path) => {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .with_context(|| format!("could not open the log {}", path.display()))?;
            BoxMakeWriter::new(Mutex::new(file))
        }
        None if headless => BoxMakeWriter::new(std::io::stderr),
        None => return Ok(()),
    };
    let filter = EnvFilter::try_from_env("ENROLLSCOPE_LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer);
    // In a test somebody else may have been first.
    let _ = match format {
        Format::Human => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
    Ok(())
}
