//! `repair`: everything readable of a damaged capture, in a new file.

use anyhow::{Context as _, Result, bail};

use super::output::{Exit, Output};
use crate::cli::RepairArgs;
use crate::report::clean;
use crate::sink;

/// Damaged places that are listed one by one.
const LISTED: usize = 20;

pub fn repair(args: &RepairArgs, out: Output) -> Result<Exit> {
    if std::fs::metadata(&args.input).is_ok_and(|m| !m.is_file()) {
        bail!("{} is no regular file; name a capture", args.input.display());
    }
    let output = args.output.clone().unwrap_or_else(|| sink::repaired_name(&args.input));
    let repaired = sink::repair(&args.input, &output).with_context(|| format!("{}", args.input.display()))?;
    out.print(&format!(
        "{}: {} records kept{}\n",
        repaired.output.display(),
        repaired.records,
        if repaired.altered > 0 {
            format!(", {} of them edited by hand", repaired.altered)
        } else {
            String::new()
        }
    ));
    for damage in repaired.lost.iter().take(LISTED) {
        out.print(&format!(
            "lost: {} bytes at byte {}: {}\n",
            damage.place.length,
            damage.place.offset,
            clean(&damage.what)
        ));
    }
    if let Some(more) = repaired.lost.len().checked_sub(LISTED).filter(|more| *more > 0) {
        out.print(&format!("lost: {more} more such places\n"));
    }
    Ok(if repaired.lost.is_empty() { Exit::Good } else { Exit::Found })
}
