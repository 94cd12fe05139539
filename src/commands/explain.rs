//! `explain`: what a code means, where it comes from, and what helps.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, anyhow, bail};

use super::inputs::{brief, text_file};
use super::output::{Exit, Output};
use crate::cli::{ExplainArgs, Format};
use crate::diagnosis::{Entry, Knowledge, explain as explanations};
use crate::report::explained;

/// A longer text is not read to its end, in bytes.
const LONGEST: u64 = 64 << 20;

pub fn explain(args: &ExplainArgs, out: Output) -> Result<Exit> {
    let own = args.knowledge.as_ref().map(|file| {
        let text = text_file(file)?;
        Knowledge::with(&text).map_err(|words| anyhow!("{}: {}", file.display(), brief(&words)))
    });
    let own = own.transpose()?;
    let knowledge = own.as_ref().unwrap_or(Knowledge::built_in());
    let wanted = |entry: &&Entry| {
        args.platform.is_none_or(|platform| entry.platform == platform)
            && args.stage.is_none_or(|stage| entry.stage == stage)
    };
    if args.list || args.text.is_empty() && args.stage.is_some() && io::stdin().is_terminal() {
        let listed: Vec<_> = knowledge.entries().iter().filter(wanted).collect();
        match args.format {
            Format::Human => out.print(&explained::list(&listed, out.width())),
            Format::Json => out.print(&format!("{:#}\n", explained::list_json(&listed))),
        }
        return Ok(Exit::Good);
    }
    let text = if args.text.is_empty() { standard_input(out)? } else { args.text.join(" ") };
    let mut found = explanations(&text, knowledge);
    for explanation in &mut found {
        explanation.entries.retain(wanted);
    }
    let filtered = args.platform.is_some() || args.stage.is_some();
    found.retain(|explanation| !filtered || explanation.is_known());
    let told = found.iter().any(|explanation| explanation.is_known() || explanation.code.is_some());
    match args.format {
        Format::Human if found.is_empty() => {
            out.note("nothing in it is a code, a name or a rule that is known; `enrollscope explain --list` lists all");
        }
        Format::Human => out.print(&explained::human(&found, out.width(), out.colour())),
        Format::Json => out.print(&format!("{:#}\n", explained::json(&found))),
    }
    Ok(if told { Exit::Good } else { Exit::Found })
}

fn standard_input(out: Output) -> Result<String> {
    if io::stdin().is_terminal() {
        bail!("give a code, as in `enrollscope explain 0x80180013`, or a log on standard input");
    }
    let mut bytes = Vec::new();
    io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes).context("could not read standard input")?;
    if bytes.len() as u64 > LONGEST {
        out.note(&format!("note: only the first {} MiB were read", LONGEST >> 20));
    }
    Ok(text_of(&bytes))
}

/// A text as Windows writes it: UTF-16, with its mark or without, UTF-8 with or without one, else Windows-1252.
pub(super) fn text_of(bytes: &[u8]) -> String {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        rest if zeros(rest, 1) => utf16(rest, u16::from_le_bytes),
        rest if zeros(rest, 0) => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => match std::str::from_utf8(rest) {
            Ok(text) => text.to_owned(),
            Err(_) => rest.iter().map(|byte| western(*byte)).collect(),
        },
    }
}

/// Most of the characters of the Latin script have a zero byte in UTF-16: at odd places, or at even ones.
fn zeros(bytes: &[u8], from: usize) -> bool {
    let start = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let of = |from: usize| start.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    start.len() > 3 && of(from) * 3 > start.len() && of(1 - from) == 0
}

/// Windows-1252, which spreadsheets and older logs are in: Latin-1 but for 32 places.
fn western(byte: u8) -> char {
    const PLACES: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    byte.checked_sub(0x80)
        .and_then(|place| PLACES.get(usize::from(place)).copied())
        .unwrap_or(char::from(byte))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
