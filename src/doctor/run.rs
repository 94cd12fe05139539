//! All steps, in the order in which a device would come by.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::order::{Judged, ORDER};
use super::target::Target;
use super::visit::Visitor;
use crate::event::{Exchange, Time};
use crate::net::{self, HostPattern};
use crate::redact::Redactor;
use crate::report::preflight::{Status, Step};
use crate::sim::{Address, Device, Key, Profile, Shape};

/// What is looked at, and how.
pub struct Means {
    pub target: Target,
    /// The name server that is asked; absent: the operating system's.
    pub dns: Option<SocketAddr>,
    /// Where every connection goes, whatever names resolve to.
    pub connect: Option<SocketAddr>,
    pub trust: net::Trust,
    /// What the enrollment name has to be an alias of.
    pub expected_alias: Option<String>,
    /// Whether answers may lead to private addresses.
    pub follow_private: bool,
    /// How long each connection, name and answer is waited for.
    pub patience: Duration,
    pub login: Option<Login>,
    /// Hosts that may have the password or the token, besides the target's own and those below its domain.
    pub allowed: Vec<HostPattern>,
    /// The key of the device that really enrolls.
    pub enroll: Option<Arc<Key>>,
    pub redactor: Redactor,
    /// Decides the device's ids.
    pub seed: u64,
    pub clock: fn() -> Time,
}

/// Whose enrollment is tried.
#[derive(Clone, Debug)]
pub struct Login {
    pub user: String,
    pub password: Option<String>,
    /// What a sign-in page would give.
    pub token: Option<String>,
}

impl Means {
    /// Whether a password may go there.
    pub(super) fn trusts(&self, to: &Address) -> bool {
        let own = self.target.domain.iter().flat_map(|domain| [domain.clone(), format!("*.{domain}")]);
        let own = own.filter_map(|pattern| pattern.parse().ok());
        let allowed: Vec<HostPattern> = self.allowed.iter().cloned().chain(own).collect();
        to.stays_with(&self.target.discovery, self.connect, &allowed)
    }

    /// The device that `--enroll` creates.
    pub fn profile(&self) -> Profile {
        let (user, password) = match &self.login {
            Some(login) => (login.user.as_str(), login.password.as_deref().unwrap_or_default()),
            None => (self.target.user.as_str(), ""),
        };
        Profile::numbered(self.seed, 0, user, password).shaped(Shape::Windows11H24)
    }
}

/// What happens, as it does.
pub enum Progress<'a> {
    /// The title of a step that begins.
    Begun(&'static str),
    Ended(&'a Step),
}

/// Looks at everything; `seen` hears of each step. With the steps comes what was said, redacted.
pub async fn examine(means: &Means, seen: impl FnMut(Progress<'_>)) -> (Vec<Step>, Vec<Arc<Exchange>>) {
    let mut examination =
        Examination { means, visitor: Visitor::new(means), seen, steps: Vec::new(), stop: None };
    examination.run().await;
    (examination.steps, examination.visitor.exchanges)
}

pub(super) struct Examination<'m, S> {
    pub(super) means: &'m Means,
    pub(super) visitor: Visitor<'m>,
    seen: S,
    steps: Vec<Step>,
    /// Why nothing after it can be looked at.
    stop: Option<String>,
}

/// A step that has begun.
pub(super) struct Begun {
    place: (&'static str, &'static str),
    at: Instant,
}

impl<S: FnMut(Progress<'_>)> Examination<'_, S> {
    async fn run(&mut self) {
        if self.names().await && self.ports().await && self.tls().await {
            self.services().await;
        }
        // What was not looked at is in the table, too.
        let why = self.stop.take().unwrap_or_else(|| "there was no reason to".to_owned());
        for (id, _) in ORDER {
            if !self.has(id) {
                self.end(begin_silently(id), Judged::skip(&why));
            }
        }
    }

    /// Nothing after it can be looked at.
    pub(super) fn stop(&mut self, why: impl Into<String>) -> bool {
        self.stop = Some(why.into());
        false
    }

    pub(super) fn begin(&mut self, id: &'static str) -> Begun {
        let begun = begin_silently(id);
        (self.seen)(Progress::Begun(begun.place.1));
        begun
    }

    pub(super) fn end(&mut self, begun: Begun, judged: Judged) {
        let ms = match judged.status {
            Status::Skip => 0,
            Status::Pass | Status::Warn | Status::Fail => begun.at.elapsed().as_millis(),
        };
        let step = judged.step(begun.place, u64::try_from(ms).unwrap_or(u64::MAX));
        (self.seen)(Progress::Ended(&step));
        self.steps.push(step);
    }

    pub(super) fn skip(&mut self, id: &'static str, why: &str) {
        self.end(begin_silently(id), Judged::skip(why));
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.steps.iter().any(|step| step.id == id)
    }

    pub(super) fn device(&self) -> Option<Device> {
        // Where nobody enrolls, the key signs a request that is never sent whole.
        let key = self.means.enroll.clone().or_else(|| Key::elliptic().ok().map(Arc::new))?;
        Some(Device::new(self.means.profile(), key))
    }

    pub(super) fn now(&self) -> Time {
        (self.means.clock)()
    }
}

fn begin_silently(id: &'static str) -> Begun {
    let title = ORDER.iter().find(|(known, _)| *known == id).map_or(id, |(_, title)| title);
    Begun { place: (id, title), at: Instant::now() }
}
