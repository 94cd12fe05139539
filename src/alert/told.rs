//! One alert: what it is about, in words for people and in fields for programs.

use serde_json::{Map, Value, json};

use crate::diagnosis::next_step;
use crate::enrollment::{Enrollment, EnrollmentId};
use crate::event::Time;
use crate::report::clean;
use crate::rules::{Level, Subject};

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Too many of the enrollments that ended failed or are stuck.
    FailureRate,
    /// An enrollment failed of something that was not seen in this run before.
    NewCause,
    /// Devices that were expected have not enrolled in time.
    Overdue,
    /// Something is not on file, or was not in time.
    Recording,
    /// A certificate expires soon, or has expired.
    Certificate,
    /// There were more alerts than are sent in an hour.
    HeldBack,
    /// Somebody tries whether alerts arrive.
    Test,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::FailureRate => "failure-rate",
            Self::NewCause => "new-cause",
            Self::Overdue => "overdue",
            Self::Recording => "recording",
            Self::Certificate => "certificate",
            Self::HeldBack => "held-back",
            Self::Test => "test",
        }
    }
}

/// Whether there is an end to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is told, and that is all.
    Once,
    /// It lasts, and its end will be told.
    Raised,
    /// Back to normal.
    Over,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Raised => "raised",
            Self::Over => "over",
        }
    }
}

/// What people are told. Its texts are clean: nothing in them steers a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// In the order in which they are sent, from 1; what is sent twice has the same.
    pub number: u64,
    pub kind: Kind,
    /// Which one of its kind: a cause, a certificate; empty where there is but one.
    pub key: String,
    pub state: State,
    pub severity: Level,
    pub at: Time,
    pub title: String,
    pub text: String,
    /// How often it came again since it was told last, this one included; 0 for the first.
    pub repeated: u64,
    pub about: About,
}

/// Whom and what it is about, as far as that applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub counts: Vec<(&'static str, u64)>,
    pub cause: Option<String>,
    /// Who has to act.
    pub owner: Option<Subject>,
    /// The code on the user's screen.
    pub hresult: Option<u32>,
    pub enrollments: Vec<EnrollmentId>,
    pub user: Option<String>,
    pub device: Option<String>,
    /// The host that devices asked for, or the server's origin.
    pub site: Option<String>,
    /// A certificate's name, and when it expires.
    pub certificate: Option<(String, Time)>,
}

/// More characters make no text better.
const LONGEST: usize = 1_200;
/// The same of a title, which is one line.
const LONGEST_TITLE: usize = 140;
/// The same of a name.
const LONGEST_NAME: usize = 200;
/// Enrollments that are named.
pub(super) const MOST_NAMED: usize = 20;

impl Alert {
    pub(super) fn new(
        (kind, key): (Kind, &str),
        state: State,
        severity: Level,
        at: Time,
        (title, text): (&str, &str),
    ) -> Self {
        Self {
            number: 0,
            kind,
            key: short(key, LONGEST_NAME),
            state,
            severity,
            at,
            title: short(title, LONGEST_TITLE),
            text: short(text, LONGEST),
            repeated: 0,
            about: About::default(),
        }
    }

    #[must_use]
    pub(super) fn about(mut self, mut about: About) -> Self {
        let name = |name: Option<String>| name.map(|name| short(&name, LONGEST_NAME));
        about.cause = name(about.cause);
        about.user = name(about.user);
        about.device = name(about.device);
        about.site = name(about.site);
        about.certificate = about.certificate.map(|(of, expires)| (short(&of, LONGEST_NAME), expires));
        about.enrollments.truncate(MOST_NAMED);
        self.about = about;
        self
    }

    /// What `alert-test` sends.
    pub fn test(at: Time) -> Self {
        let text = "Somebody tries whether alerts arrive here. Nothing is wrong.";
        let title = "A test alert of enrollscope";
        Self { number: 1, ..Self::new((Kind::Test, ""), State::Once, Level::Info, at, (title, text)) }
    }

    /// All of it, for programs. What does not apply is null, never missing. `capture` is the file's name.
    pub fn json(&self, capture: Option<&str>) -> Value {
        let about = &self.about;
        let counts: Map<_, _> =
            about.counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        json!({
            "type": "alert",
            "schema": 1,
            "tool": "enrollscope",
            "version": env!("CARGO_PKG_VERSION"),
            "number": self.number,
            "kind": self.kind.word(),
            "key": self.key,
            "state": self.state.word(),
            "severity": self.severity.word(),
            "at": self.at.to_string(),
            "title": self.title,
            "text": self.text,
            "repeated": self.repeated,
            "counts": counts,
            "cause": about.cause,
            "owner": about.owner.map(Subject::word),
            "hresult": about.hresult.map(code),
            "enrollments": about.enrollments.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "user": about.user,
            "device": about.device,
            "site": about.site,
            "certificate": about.certificate.as_ref().map(|(name, expires)| json!({
                "name": name, "expires": expires.to_string(),
            })),
            "capture": capture.map(|name| short(name, LONGEST_NAME)),
        })
    }

    /// What stands below the text for people, each with its name.
    pub(super) fn facts(&self, capture: Option<&str>) -> Vec<(&'static str, String)> {
        let about = &self.about;
        let ids: Vec<String> = about.enrollments.iter().map(ToString::to_string).collect();
        let again = (self.repeated > 0).then(|| format!("{} times since it was told last", self.repeated));
        [
            ("Who has to act", about.owner.map(|owner| owner.word().to_owned())),
            ("The user sees", about.hresult.map(code)),
            ("User", about.user.clone()),
            ("Device", about.device.clone()),
            ("Site", about.site.clone()),
            ("Enrollments", (!ids.is_empty()).then(|| ids.join(", "))),
            ("Cause", about.cause.clone()),
            ("Again", again),
            ("Capture", capture.map(|name| short(name, LONGEST_NAME))),
            ("At", Some(self.at.to_string())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

impl About {
    /// One enrollment.
    pub(super) fn of(e: &Enrollment, cause: &str) -> Self {
        Self {
            cause: Some(cause.to_owned()),
            owner: e.owner,
            hresult: e.hresult,
            enrollments: vec![e.id],
            user: e.user.clone(),
            device: e.device_name.clone().or_else(|| e.device_id.clone()),
            site: Some(e.host.clone()).filter(|host| !host.is_empty()),
            ..Self::default()
        }
    }
}

/// What to do about it, where that is known.
pub(super) fn advice(e: &Enrollment) -> String {
    next_step(e).map(|(_, remedy)| format!(" What helps: {remedy}")).unwrap_or_default()
}

fn code(code: u32) -> String {
    format!("0x{code:08X}")
}

/// Clean, and with an ellipsis where it is too long.
fn short(text: &str, most: usize) -> String {
    // What is cut off need not be cleaned; a character becomes ten at most.
    let text = clean(&text.chars().take(most + 1).collect::<String>());
    if text.chars().count() <= most {
        return text;
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `1 exchange`, `2 exchanges`
pub(super) fn plural(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// `45 s`, `30 min`, `24 h`
pub(super) fn span(millis: i64) -> String {
    match millis / 1000 {
        seconds if seconds < 120 || seconds % 60 != 0 => format!("{seconds} s"),
        seconds if seconds < 7200 || seconds % 3600 != 0 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
