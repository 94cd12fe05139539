//! `bundle`: one file for whoever is to help.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;
use std::str::FromStr as _;

use aho_corasick::{AhoCorasick, MatchKind};
use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;
use zip::write::SimpleFileOptions;

use super::enroll::read;
use super::foreign::masked;
use super::inputs::{BUNDLED_CAPTURE, Inputs, MANIFEST, is_encrypted};
use super::live::origin;
use super::output::{Exit, Output, unused};
use super::redact::rank;
use super::slice::{Chosen, line, slice};
use super::state::{directory, redaction_key};
use crate::capture::{Header, Redaction, encode};
use crate::cli::{BundleArgs, BundleCommand, BundleOther, RedactTo};
use crate::compare::{Story, judged};
use crate::event::{Event, Time};
use crate::filter::Saved;
use crate::net::{now, write_secret};
use crate::redact::{Hidden, Level, Redactor};
use crate::report::story;
use crate::rules::{Profile, VERSION};

/// The version of bundles that this build writes and reads.
pub(super) const BUNDLE_VERSION: u64 = 1;

pub fn bundle(command: &BundleCommand, saved: &Saved, out: Output) -> Result<Exit> {
    match &command.other {
        None => make(&command.make, saved, out),
        Some(BundleOther::Translate { text }) => translate(text, out),
        Some(BundleOther::Decrypt { bundle, key, output }) => decrypt(bundle, key, output, out),
    }
}

fn make(args: &BundleArgs, saved: &Saved, out: Output) -> Result<Exit> {
    if args.captures.is_empty() {
        bail!("a capture is wanted: enrollscope bundle CAPTURE --device NAME");
    }
    let filter = args.filter.read(saved).context("--filter")?;
    unused(&args.output)?;
    let receiver = args.to.as_deref().map(receiver).transpose()?;
    let doctor = args.doctor.as_deref().map(doctor).transpose()?;
    let level = match args.level {
        RedactTo::Secrets => Level::Secrets,
        RedactTo::Identities => Level::Identities,
    };
    let chosen = Chosen { ids: &args.enrollment, devices: &args.device };
    let hidden = Hidden::default();
    let redactor = Redactor::new(level, false, redaction_key(out)).noting(hidden.clone());
    let mut hides = false;
    // What is hidden already is not hidden once more: pseudonyms stay those of the capture.
    let hide = |event: Event, redaction: &Redaction| {
        if rank(&redaction.level) >= rank(level.word()) {
            return event;
        }
        hides = true;
        masked(event, &redactor)
    };
    let wanted = |stories: Vec<Story>| {
        let since = since(args.since.as_deref(), &stories)?;
        let wanted =
            |story: &Story| since.is_none_or(|since| story.enrollment.started >= since) && filter.fits(story);
        let left: Vec<_> = chosen.of(stories)?.into_iter().filter(wanted).collect();
        if left.is_empty() {
            bail!("no enrollment is left: --filter or --since leaves all of them out");
        }
        Ok(left)
    };
    let part = slice(&Inputs::of(&args.captures)?, Profile::Field, wanted, hide)?;
    let redaction = if hides { origin(&redactor).redaction } else { part.header.redaction.clone() };
    let stories = judged(&part.events, Profile::Field);
    let mut capture = Vec::new();
    let header = Header {
        version: 1,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        started: part.header.started,
        redaction,
        after: 0,
    };
    encode::header(&mut capture, &header);
    part.events.iter().for_each(|event| capture.extend(line(event, &header.redaction)));
    let exchanges: usize = stories.iter().map(|story| story.exchanges.len()).sum();
    let map = hidden.map();
    let manifest = json!({
        "enrollscope": "bundle",
        "version": BUNDLE_VERSION,
        "tool": env!("CARGO_PKG_VERSION"),
        "rules_version": VERSION,
        "created": now().to_string(),
        "level": header.redaction.level,
        "enrollments": stories.iter().map(|story| json!({
            "id": story.enrollment.id.to_string(),
            "outcome": story.enrollment.outcome.word(),
            "verdict": story.enrollment.verdict,
            "exchanges": story.exchanges.len(),
            "correlation": story::correlation(story).into_iter()
                .map(|(name, id)| json!({ "name": name, "id": id })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    });
    out.note(&format!(
        "in it: {} enrollments, {exchanges} exchanges, a report (HTML, Markdown){}",
        stories.len(),
        if doctor.is_some() { ", a preflight's result" } else { "" }
    ));
    out.note(&if !hides {
        format!("hidden: as in the capture (level {})", header.redaction.level)
    } else {
        format!("hidden: secrets, and {} names and addresses under pseudonyms", map.len())
    });
    let report = story::Report {
        stories: &stories,
        loose: &[],
        refused: &[],
        level: &header.redaction.level,
        inputs: &[],
    };
    let mut members = vec![
        (MANIFEST, format!("{manifest:#}\n").into_bytes()),
        (BUNDLED_CAPTURE, capture),
        ("report.html", story::page(&report).into_bytes()),
        ("report.md", story::markdown(&report).into_bytes()),
    ];
    members.extend(doctor.map(|doctor| ("doctor.json", doctor)));
    let bytes = zipped(&members).context("could not make the bundle")?;
    let bytes = match &receiver {
        Some(receiver) => age::encrypt(receiver, &bytes).context("could not encrypt the bundle")?,
        None => bytes,
    };
    write_secret(&args.output, &bytes)
        .with_context(|| format!("could not write {}", args.output.display()))?;
    if !map.is_empty() {
        remember(&map, redactor.key().id(), out);
    }
    out.print(&format!(
        "{}: {} enrollments, level {}\n",
        args.output.display(),
        stories.len(),
        header.redaction.level
    ));
    Ok(part.ending(out))
}

fn zipped(members: &[(&str, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default())?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// A time, or so long before the last exchange.
fn since(text: Option<&str>, stories: &[Story]) -> Result<Option<Time>> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(at) = jiff::Timestamp::from_str(text) {
        return Ok(Some(Time(at.as_millisecond())));
    }
    let span = text.parse::<jiff::SignedDuration>().map_err(|_| {
        anyhow!("--since {text}: a time like 2026-11-28T09:00:00Z, or so long before the end: 2h, 30m")
    })?;
    let last = stories.iter().map(|story| story.enrollment.latest).max().unwrap_or_default();
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Ok(Some(last.plus_millis(-millis)))
}

fn doctor(path: &Path) -> Result<Vec<u8>> {
    let text = read(path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_str::<serde_json::Value>(&text)
        .with_context(|| format!("--doctor {}: it is no JSON", path.display()))?;
    Ok(text.into_bytes())
}

fn receiver(key: &str) -> Result<age::x25519::Recipient> {
    if key.starts_with("AGE-SECRET-KEY-") {
        bail!(
            "--to: that is a secret key, which nobody else may have; the receiver's public key begins with age1"
        );
    }
    let text = if key.starts_with("age1") {
        key.to_owned()
    } else {
        read(Path::new(key))
            .with_context(|| format!("--to {key}: neither an age public key (age1…) nor a file with one"))?
    };
    let line = text.lines().map(str::trim).find(|line| line.starts_with("age1"));
    let Some(line) = line else { bail!("--to {key}: there is no age public key (age1…) in it") };
    age::x25519::Recipient::from_str(line).map_err(|why| anyhow!("--to {key}: {why}"))
}

fn decrypt(bundle: &Path, key: &Path, output: &Path, out: Output) -> Result<Exit> {
    unused(output)?;
    let text = read(key).with_context(|| format!("could not read {}", key.display()))?;
    let line = text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-1"));
    let Some(line) = line else {
        bail!("{}: there is no age secret key (AGE-SECRET-KEY-1…) in it", key.display())
    };
    let identity =
        age::x25519::Identity::from_str(line).map_err(|why| anyhow!("{}: {why}", key.display()))?;
    let encrypted = fs::read(bundle).with_context(|| format!("could not read {}", bundle.display()))?;
    if !is_encrypted(&encrypted) {
        bail!("{}: it is not encrypted; open it as it is", bundle.display());
    }
    let bytes = age::decrypt(&identity, &encrypted).map_err(|why| anyhow!("{}: {why}", bundle.display()))?;
    write_secret(output, &bytes).with_context(|| format!("could not write {}", output.display()))?;
    out.print(&format!("{}\n", output.display()));
    Ok(Exit::Good)
}

/// Adds to what pseudonyms of this key stand for, in this machine's state and nowhere else.
fn remember(map: &BTreeMap<String, String>, key: &str, out: Output) {
    let Some(path) = directory().map(|dir| dir.join("bundles").join(format!("{key}.map.json"))) else {
        out.note(
            "warning: pseudonyms cannot be turned back later: there is no state directory on this machine",
        );
        return;
    };
    let mut all: BTreeMap<String, String> =
        fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    all.extend(map.iter().map(|(pseudonym, word)| (pseudonym.clone(), word.clone())));
    let text = serde_json::to_string_pretty(&all).unwrap_or_default();
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    match parent.and_then(|()| write_secret(&path, text.as_bytes())) {
        Ok(()) => out.note(&format!(
            "who is behind the pseudonyms stays here, in {}; `enrollscope bundle translate WORD` asks it",
            path.display()
        )),
        Err(error) => out.note(&format!("warning: what pseudonyms stand for could not be kept: {error}")),
    }
}

fn translate(words: &[String], out: Output) -> Result<Exit> {
    let text = if words.is_empty() {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("could not read standard input")?;
        text
    } else {
        format!("{}\n", words.join(" "))
    };
    let dir =
        directory().map(|dir| dir.join("bundles")).context("there is no state directory on this machine")?;
    let mut map = BTreeMap::new();
    for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        map.extend(serde_json::from_str::<BTreeMap<String, String>>(&text).unwrap_or_default());
    }
    if map.is_empty() {
        bail!("this machine remembers no bundle: pseudonyms are turned back where the bundle was made");
    }
    let (translated, count) = turned_back(&text, &map)?;
    out.print(&translated);
    Ok(if count > 0 { Exit::Good } else { Exit::Found })
}

/// The text with every pseudonym that stands by itself turned back, and how many there were.
fn turned_back(text: &str, map: &BTreeMap<String, String>) -> Result<(String, usize)> {
    let finder = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(map.keys())
        .context("too many pseudonyms to look for")?;
    let words: Vec<&String> = map.values().collect();
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
    let (mut out, mut copied, mut count) = (String::with_capacity(text.len()), 0, 0);
    for found in finder.find_iter(text) {
        let before = found.start().checked_sub(1).and_then(|at| text.as_bytes().get(at));
        if is_word(before) || is_word(text.as_bytes().get(found.end())) {
            continue;
        }
        let Some(word) = words.get(found.pattern().as_usize()) else { continue };
        out.push_str(text.get(copied..found.start()).unwrap_or_default());
        out.push_str(word);
        (copied, count) = (found.end(), count + 1);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok((out, count))
}
