//! Recordings of other tools, told by how they begin, redacted as if we had recorded.

use std::fs::File;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::capture::{Imported, flows, har, saz};
use crate::event::Event;
use crate::redact::Redactor;
use crate::sink;

/// What another tool has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// HTTP Archive 1.2.
    Har,
    /// A flow file of mitmproxy.
    Flows,
    /// A session archive of Fiddler.
    Archive,
}

impl Foreign {
    /// Told by its first bytes.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let text = start.strip_prefix(MARK).unwrap_or(start);
        // Its only member, `log`, comes first.
        let member = text.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        if member.is_some_and(|member| member.starts_with(b"\"log\"")) {
            return Some(Self::Har);
        }
        if saz::is_one(start) {
            return Some(Self::Archive);
        }
        flows::is_one(start).then_some(Self::Flows)
    }

    /// Whether a file of a directory is called as such files are.
    pub(super) fn is_name(path: &Path) -> bool {
        path.extension()
            .is_some_and(|e| ["har", "flow", "flows", "mitm", "saz"].iter().any(|known| e == *known))
    }

    /// Hands on what it holds, event by event. The list of an archive is at its end, so that it is read from its file.
    pub(super) fn read(
        self,
        path: &Path,
        mut input: impl BufRead,
        mut each: impl FnMut(Event),
    ) -> Result<Imported> {
        let imported = match self {
            Self::Har => {
                // Fiddler puts a byte order mark in front.
                if input.fill_buf().is_ok_and(|start| start.starts_with(MARK)) {
                    input.consume(MARK.len());
                }
                har::read(input, |exchange| each(Event::Exchange(Arc::new(exchange))))
            }
            Self::Flows => flows::read(input, each),
            Self::Archive if path == Path::new("-") => {
                bail!(
                    "an archive of Fiddler cannot be read from the standard input; give the name of its file"
                )
            }
            Self::Archive => {
                return Ok(sink::archive(File::open(path).context("could not open it")?, each)?);
            }
        };
        imported.map_err(|words| anyhow!("{words}"))
    }
}

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The event without what the redactor takes out.
pub(super) fn masked(mut event: Event, redactor: &Redactor) -> Event {
    match &mut event {
        Event::Exchange(exchange) => redactor.exchange(Arc::make_mut(exchange)),
        Event::Connection(connection) => redactor.connection(Arc::make_mut(connection)),
        Event::End(_) | Event::Session { .. } | Event::Gap { .. } | Event::Tick(_) => {}
    }
    event
}
