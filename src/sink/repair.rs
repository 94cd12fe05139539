//! Makes a sound capture of a damaged one, beside it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use super::file::{CaptureError, create};
use super::segments::{Input, read, unpacked};
use crate::capture::{Damage, Item, Place, Seal, encode};

/// What a repair kept and lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    pub output: PathBuf,
    /// Records that are in the new file.
    pub records: u64,
    /// Those of them whose checksum is wrong or missing: they were copied as they are, and stay marked.
    pub altered: u64,
    /// What could not be read, in the order of the file.
    pub lost: Vec<Damage>,
}

/// Where a repaired capture goes unless the user says: `NAME.repaired.jsonl`.
pub fn repaired_name(input: &Path) -> PathBuf {
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    input.with_file_name(format!("{stem}.repaired.jsonl"))
}

/// Copies every readable line of `input` to the new file `output`, byte for byte, so that nothing that this build
/// does not know gets lost. `input` is only read.
///
/// # Errors
/// `input` is no capture, or `output` exists or cannot be written; then it is not left half done.
pub fn repair(input: &Path, output: &Path) -> Result<Repaired, CaptureError> {
    let mut reader = read(input)?;
    let open = |source| CaptureError::Open { path: input.to_owned(), source };
    // A second handle: the reader's is elsewhere in the file.
    let mut lines = Lines { input: unpacked(File::open(input).map_err(open)?).map_err(open)?, at: 0 };
    let file = create(output)?;
    let mut copy = || {
        let mut repaired = Repaired { output: output.to_owned(), ..Repaired::default() };
        let mut writer = BufWriter::new(&file);
        match reader.header_place() {
            Some(place) => lines.copy(place, &mut writer)?,
            None => {
                let mut line = Vec::new();
                encode::header(&mut line, reader.header());
                writer.write_all(&line)?;
            }
        }
        for item in &mut reader {
            match item? {
                Item::Record(recorded) => {
                    lines.copy(recorded.place, &mut writer)?;
                    repaired.records += 1;
                    repaired.altered += u64::from(recorded.seal == Seal::Altered);
                }
                Item::Damage(damage) => repaired.lost.push(damage),
            }
        }
        writer.flush()?;
        drop(writer);
        file.sync_all()?;
        Ok(repaired)
    };
    copy().map_err(|source| {
        let _ = fs::remove_file(output);
        CaptureError::Write { path: output.to_owned(), source }
    })
}

/// The input once more, for its lines' own bytes.
struct Lines {
    input: Input,
    at: u64,
}

impl Lines {
    /// Places come in their order.
    fn copy(&mut self, place: Place, out: &mut impl Write) -> io::Result<()> {
        io::copy(&mut self.input.by_ref().take(place.offset.saturating_sub(self.at)), &mut io::sink())?;
        let mut line = Vec::new();
        self.input.by_ref().take(place.length).read_to_end(&mut line)?;
        self.at = place.offset + line.len() as u64;
        out.write_all(line.trim_ascii())?;
        out.write_all(b"\n")
    }
}
