//! What the tool says about itself: what it stands between, how recording goes, what the user should know.

use crate::capture::Recording;
use crate::event::Time;
use crate::filter::Saved;

/// Given anew by the caller every now and then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `proxy`, `demo`, `open`.
    pub title: String,
    /// The server's origin, or the file that is read.
    pub subject: String,
    /// URLs that devices can use.
    pub listeners: Vec<String>,
    /// Absent where nothing could be recorded: a capture is only read.
    pub recording: Option<Recording>,
    /// How much of it is read, in percent; absent where that is not known.
    pub read: Option<u8>,
    /// `secrets`, `identities`, `none`; empty when it is not known.
    pub redaction: String,
    /// What must not be forgotten while this runs, in words; shown red all the time.
    pub warnings: Vec<String>,
    /// When this run began; absent for a recording.
    pub started: Option<Time>,
    /// Filters that have names, in the configuration that is in force.
    pub filters: Saved,
    /// Time goes on by itself, and devices may come.
    pub live: bool,
}

impl Status {
    /// Everything to be shown red, the recording's troubles included.
    pub fn alarms(&self) -> Vec<String> {
        let mut alarms = self.warnings.clone();
        if let Some(recording) = &self.recording {
            let mut count = |n: u64, text: &str| {
                if n > 0 {
                    alarms.push(format!("{} {text}", super::text::grouped(n)));
                }
            };
            count(recording.lost, "exchanges lost: they are in no record");
            count(recording.late, "answered before they were on file");
            count(recording.waiting, "records wait for the disk");
            if recording.health.is_bad() {
                let why = recording.last_error.as_deref().map(|t| format!(": {t}")).unwrap_or_default();
                alarms.push(format!("recording is {}{why}", recording.health.word()));
            }
        }
        alarms
    }
}
