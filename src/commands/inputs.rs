//! What stands for several files on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::sink::{group, is_capture_name};

/// A directory's files of such names, sorted.
pub(super) fn files_in(directory: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).context("could not list it")?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files: Vec<_> = paths.filter(|path| path.is_file() && wanted(path)).collect();
    files.sort();
    Ok(files)
}

/// The captures that these files and directories hold, each with its segments.
pub(super) fn captures(paths: &[PathBuf]) -> Result<Vec<Vec<PathBuf>>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(captures_in(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(group(&files))
}

fn captures_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let files = files_in(directory, is_capture_name).with_context(|| directory.display().to_string())?;
    if files.is_empty() {
        bail!("{}: there is no capture (.jsonl, .jsonl.gz) in it", directory.display());
    }
    Ok(files)
}
