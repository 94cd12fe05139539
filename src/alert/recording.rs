//! What is not on file, or was not in time.

use super::told::{About, Alert, Kind, State, plural, span};
use crate::capture::{Health, Recording};
use crate::event::Time;
use crate::rules::Level;

/// After so long without another one, losses and delays are over, in milliseconds.
const QUIET: i64 = 5 * 60_000;

/// What is told apart: each lasts and ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The disk takes nothing, or may not keep it.
    Writing,
    Lost,
    Late,
}

impl Trouble {
    const ALL: [Self; 3] = [Self::Writing, Self::Lost, Self::Late];

    fn word(self) -> &'static str {
        match self {
            Self::Writing => "writing",
            Self::Lost => "lost",
            Self::Late => "late",
        }
    }

    /// How many there were in this run; of writing, whether it goes badly now.
    fn count(self, recording: &Recording) -> u64 {
        match self {
            Self::Writing => u64::from(matches!(recording.health, Health::Waiting | Health::Doubtful)),
            Self::Lost => recording.lost,
            Self::Late => recording.late,
        }
    }

    fn severity(self) -> Level {
        match self {
            Self::Writing | Self::Lost => Level::Error,
            Self::Late => Level::Warning,
        }
    }
}

/// How recording stood at the last look.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    troubles: [Lasting; 3],
}

#[derive(Debug, Default)]
struct Lasting {
    count: u64,
    /// When there was another one, while it lasts.
    latest: Option<Time>,
}

impl Recorded {
    /// What has begun since the last look, came again, or is over.
    pub(super) fn look(&mut self, recording: &Recording, now: Time) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for (trouble, lasting) in Trouble::ALL.into_iter().zip(&mut self.troubles) {
            let count = trouble.count(recording);
            let more = count > lasting.count;
            lasting.count = count;
            match lasting.latest {
                _ if more => {
                    lasting.latest = Some(now);
                    alerts.push(raised(trouble, recording, now));
                }
                Some(_) if trouble == Trouble::Writing && count == 0 => {
                    lasting.latest = None;
                    alerts.push(over(trouble, recording, now));
                }
                Some(latest) if trouble != Trouble::Writing && now.since(latest) >= QUIET => {
                    lasting.latest = None;
                    alerts.push(over(trouble, recording, now));
                }
                Some(_) | None => {}
            }
        }
        alerts
    }
}

fn raised(trouble: Trouble, recording: &Recording, now: Time) -> Alert {
    let why = recording.last_error.as_deref().map(|why| format!(" The disk said last: {why}."));
    let why = why.unwrap_or_default();
    let (title, text) = match (trouble, recording.health) {
        (Trouble::Writing, Health::Doubtful) => {
            let title = "The disk may not keep what is recorded".to_owned();
            (title, format!("Records are written, and making them safe fails.{why} Traffic goes on."))
        }
        (Trouble::Writing, _) => {
            let text = format!(
                "{} for room; beyond the queue they are lost.{why} Traffic goes on.",
                match recording.waiting {
                    1 => "1 record waits".to_owned(),
                    n => format!("{n} records wait"),
                }
            );
            ("The capture cannot be written".to_owned(), text)
        }
        (Trouble::Lost, _) => {
            let title = format!("{} in no record", are(recording.lost));
            (title, format!("Disk or queue had no room for them.{why} Traffic goes on."))
        }
        (Trouble::Late, _) => {
            let title = format!("{} recorded late", were(recording.late));
            let text = "Their answers went out before they were on file: the disk, or this machine, is slow. Nothing is lost \
                        unless enrollscope is killed meanwhile.";
            (title, text.to_owned())
        }
    };
    alert(trouble, State::Raised, trouble.severity(), (&title, &text), recording, now)
}

fn over(trouble: Trouble, recording: &Recording, now: Time) -> Alert {
    let (title, text) = match trouble {
        Trouble::Writing => {
            let lost = match recording.lost {
                0 => "Nothing was lost.".to_owned(),
                lost => format!("{} in no record.", are(lost)),
            };
            ("The capture is written again", format!("All that waited is on file. {lost}"))
        }
        Trouble::Lost => (
            "No more exchanges are lost",
            format!("None for {}. {} in no record.", span(QUIET), are(recording.lost)),
        ),
        Trouble::Late => {
            let text = format!("None was late for {}. {} in this run.", span(QUIET), were(recording.late));
            ("Exchanges are recorded in time again", text)
        }
    };
    alert(trouble, State::Over, Level::Info, (title, &text), recording, now)
}

fn alert(
    trouble: Trouble,
    state: State,
    severity: Level,
    words: (&str, &str),
    recording: &Recording,
    now: Time,
) -> Alert {
    let counts = vec![
        ("recorded", recording.recorded),
        ("lost", recording.lost),
        ("late", recording.late),
        ("waiting", recording.waiting),
    ];
    let about = About { counts, ..About::default() };
    Alert::new((Kind::Recording, trouble.word()), state, severity, now, words).about(about)
}

fn are(count: u64) -> String {
    format!("{} {}", plural(count, "exchange"), if count == 1 { "is" } else { "are" })
}

fn were(count: u64) -> String {
    format!("{} {}", plural(count, "exchange"), if count == 1 { "was" } else { "were" })
}
