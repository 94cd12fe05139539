//! What stands for several files on the command line.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::TempPath;

use crate::capture::Played;
use crate::compare::{Stories, Story};
use crate::engine::Engine;
use crate::enrollment::Deadlines;
use crate::rules::Profile;
use crate::sink::{Playing, group, is_capture_name};

/// A directory's files of such names, sorted.
pub(super) fn files_in(directory: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).context("could not list it")?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files: Vec<_> = paths.filter(|path| path.is_file() && wanted(path)).collect();
    files.sort();
    Ok(files)
}

/// What stands for captures on the command line, found.
pub(super) struct Inputs {
    /// Each with its segments.
    pub(super) captures: Vec<Vec<PathBuf>>,
    /// What came on standard input (`-`), for as long as it is read.
    _kept: Option<TempPath>,
}

impl Inputs {
    /// Of files, directories and `-`.
    pub(super) fn of(paths: &[PathBuf]) -> Result<Self> {
        let (mut files, mut kept) = (Vec::new(), None);
        for path in paths {
            if path == Path::new("-") && kept.is_none() {
                let spooled = spooled(io::stdin().lock()).context("standard input")?;
                files.push(spooled.to_path_buf());
                kept = Some(spooled);
            } else if path.is_dir() {
                files.extend(captures_in(path)?);
            } else {
                files.push(path.clone());
            }
        }
        Ok(Self { captures: group(&files), _kept: kept })
    }
}

/// Captures are looked into here and there: what cannot be read twice goes to a file first, which only its owner reads.
fn spooled(mut input: impl Read) -> Result<TempPath> {
    let mut file =
        tempfile::NamedTempFile::with_prefix("enrollscope-").context("could not make a temporary file")?;
    io::copy(&mut input, &mut file).context("could not keep it in a temporary file")?;
    Ok(file.into_temp_path())
}

fn captures_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let files = files_in(directory, is_capture_name).with_context(|| directory.display().to_string())?;
    if files.is_empty() {
        bail!("{}: there is no capture (.jsonl, .jsonl.gz) in it", directory.display());
    }
    Ok(files)
}

/// More than this in bodies is not held at once, in bytes.
const MOST_HELD: u64 = 1 << 30;

/// The enrollments of these captures with all that was said, judged.
pub(super) fn stories(inputs: &Inputs, profile: Profile) -> Result<Vec<Story>> {
    let mut engine = Engine::new(profile, Deadlines::default());
    let mut stories = Stories::default();
    for played in Playing::ended(&inputs.captures)? {
        if let Played::Event { event, .. } = played.context("could not read on")? {
            stories.add(engine.observe(event));
        }
        if stories.bytes() > MOST_HELD {
            bail!(
                "the captures hold more than {} MiB of messages: take fewer, or a part (`enrollscope bundle`)",
                MOST_HELD >> 20
            );
        }
    }
    Ok(stories.finish())
}
