//! The log: to a file when asked, to stderr when there is no screen, with ENROLLSCOPE_LOG_LEVEL as its filter.

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;

/// While the dashboard is up, nothing may write over it: without a file there is then no log.
pub(super) fn start(file: Option<&Path>, headless: bool) -> Result<()> {
    let filter = EnvFilter::try_from_env("ENROLLSCOPE_LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    match file {
        Some(path) => {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .with_context(|| format!("could not open the log {}", path.display()))?;
            let _ = builder.with_writer(Mutex::new(file)).try_init();
        }
        None if headless => {
            let _ = builder.with_writer(std::io::stderr).try_init();
        }
        None => {}
    }
    Ok(())
}
