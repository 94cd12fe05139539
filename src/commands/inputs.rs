//! What stands for several files on the command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use tempfile::TempPath;

use super::bundle::BUNDLE_VERSION;
use super::explain::text_of;
use crate::capture::Played;
use crate::cli::ExpectArgs;
use crate::compare::{Stories, Story};
use crate::diagnosis::{Expected, read_expected};
use crate::engine::Engine;
use crate::enrollment::Deadlines;
use crate::report;
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
    /// What came on standard input (`-`) or in bundles, for as long as it is read.
    _kept: Vec<TempPath>,
}

impl Inputs {
    /// Of files, directories, bundles and `-`.
    pub(super) fn of(paths: &[PathBuf]) -> Result<Self> {
        let (mut files, mut kept) = (Vec::new(), Vec::new());
        for path in paths {
            if path.is_dir() {
                files.extend(captures_in(path)?);
                continue;
            }
            let mut file = path.clone();
            if path == Path::new("-") {
                let spooled = spooled(io::stdin().lock(), u64::MAX).context("standard input")?;
                file = spooled.to_path_buf();
                kept.push(spooled);
            }
            if let Some(bundled) = unbundled(&file).with_context(|| path.display().to_string())? {
                file = bundled.to_path_buf();
                kept.push(bundled);
            }
            files.push(file);
        }
        Ok(Self { captures: group(&files), _kept: kept })
    }
}

/// Captures are looked into here and there: what cannot be read twice goes to a file first, which only its owner reads.
fn spooled(input: impl Read, most: u64) -> Result<TempPath> {
    let mut file =
        tempfile::NamedTempFile::with_prefix("enrollscope-").context("could not make a temporary file")?;
    let mut input = input.take(most.saturating_add(1));
    let length = io::copy(&mut input, &mut file).context("could not keep it in a temporary file")?;
    if length > most {
        bail!("the capture in it is longer than {} MiB: it is not unpacked", most >> 20);
    }
    Ok(file.into_temp_path())
}

/// What a bundle says of itself, and the capture in it.
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const BUNDLED_CAPTURE: &str = "capture.jsonl";

/// More than any bundle has: what unpacks to more is meant to do harm.
const LONGEST_BUNDLED: u64 = 2 << 30;
const LONGEST_MANIFEST: u64 = 4 << 20;

/// Encrypted in the age format.
pub(super) fn is_encrypted(start: &[u8]) -> bool {
    start.starts_with(b"age-encryption.org/")
}

/// The capture of a bundle, unpacked; `None` when the file is no bundle. Members are taken by name, and their names are
/// used for nothing else.
pub(super) fn unbundled(path: &Path) -> Result<Option<TempPath>> {
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let mut start = Vec::new();
    if file.by_ref().take(32).read_to_end(&mut start).is_err() {
        return Ok(None);
    }
    if is_encrypted(&start) {
        bail!("it is encrypted: `enrollscope bundle decrypt FILE --key KEY --output FILE` first");
    }
    if !start.starts_with(b"PK\x03\x04") {
        return Ok(None);
    }
    let broken = "the zip file is broken: it may be cut short";
    let mut zip = zip::ZipArchive::new(file).context(broken)?;
    let mut manifest = Vec::new();
    match zip.by_name(MANIFEST) {
        Ok(member) => member.take(LONGEST_MANIFEST).read_to_end(&mut manifest).context(broken)?,
        // Another program's archive.
        Err(_) => return Ok(None),
    };
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).context("its manifest is no JSON")?;
    if manifest.get("enrollscope").and_then(|kind| kind.as_str()) != Some("bundle") {
        bail!("its manifest does not say that it is a bundle");
    }
    let version = manifest.get("version").and_then(serde_json::Value::as_u64).unwrap_or_default();
    if version > BUNDLE_VERSION {
        bail!(
            "a bundle of version {version}, and this build reads up to version {BUNDLE_VERSION}: use a newer enrollscope"
        );
    }
    let capture = zip.by_name(BUNDLED_CAPTURE).context("there is no capture in the bundle")?;
    spooled(capture, LONGEST_BUNDLED).map(Some)
}

fn captures_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let files = files_in(directory, is_capture_name).with_context(|| directory.display().to_string())?;
    if files.is_empty() {
        bail!("{}: there is no capture (.jsonl, .jsonl.gz) in it", directory.display());
    }
    Ok(files)
}

/// More than this in bodies is not held at once, in bytes.
pub(super) const MOST_HELD: u64 = 1 << 30;

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

/// A list or a file of settings is at most so long, in bytes.
const LONGEST_TEXT: u64 = 16 << 20;

/// A file that people or other programs wrote, in whatever encoding Windows has.
pub(super) fn text_file(path: &Path) -> Result<String> {
    let failed = || format!("could not read {}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST_TEXT + 1).read_to_end(&mut bytes))
        .with_context(failed)?;
    if bytes.len() as u64 > LONGEST_TEXT {
        bail!("{}: it is longer than {} MiB, which no such file is", path.display(), LONGEST_TEXT >> 20);
    }
    let text = text_of(&bytes);
    if text.contains('\0') {
        bail!("{}: it has zero bytes in it; save it as text in UTF-8", path.display());
    }
    Ok(text)
}

/// What another library says of a file, for a terminal: it may repeat the file.
pub(super) fn brief(words: &str) -> String {
    const LONGEST: usize = 400;
    let lines: Vec<_> = words.lines().map(report::clean).collect();
    let words = lines.join("\n");
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

/// The list of devices that are expected, if one is given.
pub(super) fn expected(args: &ExpectArgs) -> Result<Option<Vec<Expected>>> {
    let Some(path) = &args.expect else { return Ok(None) };
    let list = read_expected(&text_file(path).context("--expect")?);
    Ok(Some(list.map_err(|words| anyhow!("--expect {}: {}", path.display(), brief(&words)))?))
}
