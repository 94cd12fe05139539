//! `repair`: everything readable of a damaged capture, in a new file.

use anyhow::{Context as _, Result};

use super::output::{Exit, Output};
use crate::cli::RepairArgs;
use crate::sink;

pub fn repair(args: &RepairArgs, out: Output) -> Result<Exit> {
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
    for damage in &repaired.lost {
        out.print(&format!(
            "lost: {} bytes at byte {}: {}\n",
            damage.place.length, damage.place.offset, damage.what
        ));
    }
    Ok(if repaired.lost.is_empty() { Exit::Good } else { Exit::Found })
}
