//! One row of enrollments: a device, or several that cannot be told apart yet; and which message a row awaits.

use super::correlate::{Link, Traits};
use super::state::{Enrollment, EnrollmentId, stage_of};
use crate::dialogue::Dialogue;
use crate::event::{ConnectionId, ExchangeId, Time};
use crate::message::Kind;

/// How long an exchange waits to be attached by address alone, in milliseconds.
pub(super) const ADDRESS_WINDOW: i64 = 15 * 60_000;

/// One device's (or attempt's) exchanges within a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    pub(super) dialogue: Dialogue,
    /// The request kinds seen last.
    pub(super) step: Option<Kind>,
    pub(super) answered_badly: bool,
    /// With how sure it was that the first exchange on it continued the thread.
    pub(super) connections: Vec<(ConnectionId, Link)>,
    pub(super) members: Vec<(ExchangeId, Link)>,
    /// When its first exchange began.
    pub(super) began: Option<Time>,
    pub(super) latest: Time,
    /// What continued another thread may have been meant for this one.
    pub(super) mixed: bool,
    /// The federated credential.
    pub(super) token: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) enrollment: Enrollment,
    /// Has a device identity: no other device's exchanges come here.
    pub(super) anchored: bool,
    pub(super) key_hash: Option<String>,
    pub(super) threads: Vec<Thread>,
}

impl Row {
    /// It begins with the first exchange of the threads that it has now.
    pub(super) fn begin_anew(&mut self) {
        if let Some(began) = self.threads.iter().filter_map(|thread| thread.began).min() {
            self.enrollment.started = began;
        }
    }
}

/// The thread among these rows that awaits such a message: the oldest; ambiguous when there are several.
pub(super) fn pick(rows: &[&Row], traits: &Traits, kind: Kind) -> Option<(EnrollmentId, usize, Link)> {
    let waiting: Vec<_> = rows
        .iter()
        .flat_map(|row| row.threads.iter().enumerate().map(move |(index, thread)| (*row, index, thread)))
        .filter(|(_, _, thread)| awaits(thread, kind) && traits.at.since(thread.latest) <= ADDRESS_WINDOW)
        .collect();
    let (row, index, thread) = waiting.first()?;
    let link = if waiting.len() == 1 && !thread.mixed { Link::Likely } else { Link::Ambiguous };
    Some((row.enrollment.id, *index, link))
}

/// Whether such a message can come next: forwards, or again after a bad or missing answer.
pub(super) fn awaits(thread: &Thread, kind: Kind) -> bool {
    let rank = |kind: Kind| stage_of(kind).map(|stage| (stage, kind));
    match thread.step {
        None => true,
        Some(Kind::DiscoveryProbe) => kind == Kind::DiscoverRequest,
        Some(Kind::TermsOfUse) => matches!(kind, Kind::TermsOfUse | Kind::DiscoverRequest),
        // A browser fetches a page as often as the user likes.
        Some(Kind::AuthPage) if kind == Kind::AuthPage => true,
        Some(last) if last == kind => thread.answered_badly,
        Some(last) => kind != Kind::DiscoverRequest && rank(last) < rank(kind) || thread.answered_badly,
    }
}

/// Whether the credential is of the kind that discovery chose in this thread.
pub(super) fn suits(thread: &Thread, traits: &Traits) -> bool {
    let chosen = thread.dialogue.answer.as_ref().and_then(|answer| answer.auth_policy);
    chosen.zip(traits.auth).is_none_or(|(chosen, shown)| chosen == shown)
}

pub(super) fn fits_user(row: &Row, traits: &Traits) -> bool {
    let user = match (&row.enrollment.user, &traits.user) {
        (Some(known), Some(new)) => row.threads.len() == 1 && !row.anchored || same_user(known, new),
        _ => true,
    };
    let device = match (&row.enrollment.device_id, &traits.device_id) {
        (Some(known), Some(new)) => known == new,
        _ => true,
    };
    user && device
}

/// Letters' case does not count; `DOMAIN\user` and a bare name equal the local part of an address.
pub(super) fn same_user(one: &str, other: &str) -> bool {
    fn local(user: &str) -> &str {
        let user = user.rsplit_once('\\').map_or(user, |(_, name)| name);
        user.split_once('@').map_or(user, |(name, _)| name)
    }
    let (one, other) = match one.contains('@') && other.contains('@') {
        true => (one, other),
        false => (local(one), local(other)),
    };
    one.eq_ignore_ascii_case(other)
        || !(one.is_ascii() && other.is_ascii()) && one.to_lowercase() == other.to_lowercase()
}
