//! `explain`: what a code means, where it comes from, and what helps.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, anyhow, bail};

use super::output::{Exit, Output};
use crate::cli::{ExplainArgs, Format};
use crate::diagnosis::{Entry, Knowledge, explain as explanations};
use crate::report::explained;

/// A longer text is not read to its end, in bytes.
const LONGEST: u64 = 64 << 20;

pub fn explain(args: &ExplainArgs, out: Output) -> Result<Exit> {
    let own = args.knowledge.as_ref().map(|file| {
        let text = fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
        Knowledge::with(&text).map_err(|words| anyhow!("{}: {words}", file.display()))
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

/// A text as Windows writes it: UTF-16 with its mark, or UTF-8 with or without one.
pub(super) fn text_of(bytes: &[u8]) -> String {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => String::from_utf8_lossy(rest).into_owned(),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
