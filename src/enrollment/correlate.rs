//! Which exchanges belong to one enrollment. Windows sends the same MessageIDs from every device, and NAT puts many
//! devices behind one address: an enrollment is anchored by its device's identity, and what came before is attached by
//! connection, by user, by address, each time saying how sure that is. Nothing is invented.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::row::{ADDRESS_WINDOW, Row, Thread, awaits, fits_user, pick, same_user, suits};
use super::signs::Signs;
use super::state::{Enrollment, EnrollmentId, Last, Outcome, stage_of};
use super::ways::{MAX_KEYS, list_at, unlist_at};
use crate::dialogue::{Answer, Dialogue, PolicyFact};
use crate::event::{ConnectionId, ExchangeId, Time};
use crate::message::{AuthPolicy, Kind};

/// Attempts of one user behind one address that are kept apart; more of them share the last.
const MAX_THREADS: usize = 64;
/// Connections of one attempt that are remembered with it.
const MAX_TIES: usize = 8;
/// Exchanges of one attempt that can move with it when it is claimed.
const MAX_MEMBERS: usize = 32;

/// How sure it is that an exchange belongs to its enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    Ambiguous,
    Likely,
    Certain,
}

impl Link {
    pub fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// What an exchange says about who sent it.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    pub id: ExchangeId,
    pub at: Time,
    pub kind: Option<Kind>,
    pub connection: Option<ConnectionId>,
    /// Without the port.
    pub address: String,
    pub host: String,
    pub user: Option<String>,
    pub device_id: Option<String>,
    pub device_name: Option<String>,
    pub os_version: Option<String>,
    pub key_hash: Option<String>,
    /// SHA-1 of the TLS client certificate.
    pub client_certificate: Option<String>,
    /// [`crate::message::token_hash`] of the credential.
    pub token: Option<String>,
    /// The AuthPolicy that the credential is for, where it is for one only.
    pub auth: Option<AuthPolicy>,
}

/// Where an exchange was put.
#[derive(Clone, Debug)]
pub struct Placement {
    pub enrollment: EnrollmentId,
    pub link: Link,
    /// Earlier exchanges that moved to another enrollment because of this one.
    pub moved: Vec<(ExchangeId, EnrollmentId, Link)>,
    /// Rows that are empty now, and which one took over.
    pub gone: Vec<(EnrollmentId, EnrollmentId)>,
    /// The row that lost exchanges to this one.
    pub touched: Option<EnrollmentId>,
    pub(super) thread: usize,
}

/// All enrollments that are known, and the ways to find them.
#[derive(Clone, Debug, Default)]
pub struct Correlator {
    /// Boxed, as the map's nodes are half empty.
    pub(super) rows: BTreeMap<EnrollmentId, Box<Row>>,
    next: u64,
    pub(super) by_connection: HashMap<ConnectionId, EnrollmentId>,
    /// Rows that no device has anchored yet: every search by address is among them, so they are apart.
    pub(super) open_at: HashMap<String, Vec<EnrollmentId>>,
    pub(super) anchored_at: HashMap<String, Vec<EnrollmentId>>,
    pub(super) by_device: HashMap<String, EnrollmentId>,
    pub(super) by_certificate: HashMap<String, EnrollmentId>,
    /// By a federated credential; none when several enrollments have the same.
    pub(super) by_token: HashMap<String, Option<EnrollmentId>>,
    /// What a server said last: it says the same to nearly every device, and is remembered once for all of them.
    pub(super) answer: Option<Arc<Answer>>,
    pub(super) policy: Option<Arc<PolicyFact>>,
}

impl Correlator {
    pub fn enrollment(&self, id: EnrollmentId) -> Option<&Enrollment> {
        self.rows.get(&id).map(|row| &row.enrollment)
    }

    pub fn enrollments(&self) -> impl Iterator<Item = &Enrollment> {
        self.rows.values().map(|row| &row.enrollment)
    }

    pub fn set_verdict(&mut self, id: EnrollmentId, set: impl FnOnce(&mut Enrollment)) {
        if let Some(row) = self.rows.get_mut(&id) {
            set(&mut row.enrollment);
        }
    }

    /// Connection ids start anew.
    pub fn forget_connections(&mut self) {
        self.by_connection.clear();
        for row in self.rows.values_mut() {
            row.threads.iter_mut().for_each(|t| t.connections.clear());
        }
    }

    pub fn close(&mut self, connection: &ConnectionId) {
        self.by_connection.remove(connection);
    }

    /// Exchanges are missing: what is compared across the gap proves nothing.
    pub fn gap(&mut self) {
        for thread in self.rows.values_mut().flat_map(|row| &mut row.threads) {
            thread.dialogue = Dialogue { gap: true, ..Dialogue::default() };
        }
    }

    /// The earlier dialogues that this exchange may continue; several when it cannot be told which.
    pub fn candidates(&self, placement: &Placement) -> Vec<&Dialogue> {
        let Some(row) = self.rows.get(&placement.enrollment) else { return Vec::new() };
        if placement.link == Link::Ambiguous && !row.anchored {
            return row.threads.iter().map(|t| &t.dialogue).collect();
        }
        row.threads.get(placement.thread).map(|t| &t.dialogue).into_iter().collect()
    }

    /// The dialogue that the exchange's messages join.
    pub fn dialogue(&mut self, placement: &Placement) -> Option<&mut Dialogue> {
        let row = self.rows.get_mut(&placement.enrollment)?;
        row.threads.get_mut(placement.thread).map(|t| &mut t.dialogue)
    }

    /// Finds the enrollment of an exchange, or begins one. `None` for exchanges that belong to none.
    pub fn place(&mut self, traits: &Traits) -> Option<Placement> {
        let kind = traits.kind.filter(|kind| stage_of(*kind).is_some())?;
        let mut placement = match kind {
            Kind::ManagementSync => self.place_sync(traits)?,
            Kind::SecurityTokenRequest if traits.device_id.is_some() => self.place_identified(traits),
            Kind::DiscoveryProbe => {
                let known = self.on_connection(traits, |_| true);
                known.unwrap_or_else(|| self.begin(traits, None))
            }
            _ => self.place_by_user(traits, kind),
        };
        self.join(&mut placement, traits, kind);
        Some(placement)
    }

    /// A management session belongs to who holds the certificate, else to the only one enrolled at its address.
    fn place_sync(&self, traits: &Traits) -> Option<Placement> {
        let by_certificate = traits.client_certificate.as_ref().and_then(|c| self.by_certificate.get(c));
        if let Some(id) = by_certificate {
            return Some(at(*id, 0, Link::Certain));
        }
        if let Some(found) = self.on_connection(traits, |_| true) {
            return Some(found);
        }
        let anchored = self.rows_of(self.anchored_at.get(&traits.address));
        let mut enrolled = anchored.chain(self.open_at_address(traits)).filter(|row| {
            row.enrollment.issued.is_some() && traits.at.since(row.enrollment.latest) <= ADDRESS_WINDOW
        });
        let only = enrolled.next()?;
        enrolled.next().is_none().then(|| at(only.enrollment.id, 0, Link::Likely))
    }

    /// A token request names its device: it goes to that device's row, and takes its earlier exchanges along.
    fn place_identified(&mut self, traits: &Traits) -> Placement {
        let device = traits.device_id.clone().unwrap_or_default();
        let earlier = self.find_thread(traits, Kind::SecurityTokenRequest);
        let own = self.by_device.get(&device).copied().filter(|id| self.rows.contains_key(id));
        match (own, earlier) {
            // A repetition, unless the device has begun anew meanwhile.
            (Some(id), None) => at(id, 0, Link::Certain),
            (Some(id), Some((other, _, _))) if other == id => at(id, 0, Link::Certain),
            (own, Some((id, thread, link))) => {
                let placement = self.claim(id, thread, link);
                self.anchor(placement.enrollment, traits, device);
                if let Some(own) = own {
                    self.inherit(own, &placement);
                }
                placement
            }
            (None, None) => {
                let placement = self.begin(traits, traits.user.clone());
                self.anchor(placement.enrollment, traits, device);
                placement
            }
        }
    }

    /// A device that begins anew still has the certificate that it got before; what else was said then is over.
    fn inherit(&mut self, before: EnrollmentId, placement: &Placement) {
        let threads = self.rows.get_mut(&before).into_iter().flat_map(|row| &mut row.threads);
        let issued = threads.filter_map(|t| std::mem::take(&mut t.dialogue).issued).last();
        if let Some(dialogue) = self.dialogue(placement) {
            dialogue.issued = dialogue.issued.take().or(issued);
        }
    }

    fn anchor(&mut self, id: EnrollmentId, traits: &Traits, device: String) {
        if let Some(row) = self.rows.get_mut(&id) {
            if !row.anchored {
                let address = &row.enrollment.address;
                unlist_at(&mut self.open_at, address, id);
                list_at(&mut self.anchored_at, address, id);
            }
            row.anchored = true;
            // A token that the device does not use was somebody else's.
            for thread in &mut row.threads {
                thread.token = thread.token.take().filter(|token| traits.token.as_ref() == Some(token));
            }
            row.key_hash.clone_from(&traits.key_hash);
            row.enrollment.device_id = Some(device.clone());
        }
        self.by_device.insert(device, id);
    }

    /// Makes the thread a row of its own, unless it already is alone in its row.
    fn claim(&mut self, id: EnrollmentId, thread: usize, link: Link) -> Placement {
        let alone = self.rows.get(&id).is_none_or(|row| row.threads.len() <= 1);
        if alone {
            return at(id, 0, link);
        }
        let Some(row) = self.rows.get_mut(&id) else { return at(id, 0, link) };
        let mut taken = row.threads.remove(thread.min(row.threads.len() - 1));
        let mut enrollment = row.enrollment.clone();
        row.enrollment.exchanges = row.enrollment.exchanges.saturating_sub(taken.members.len() as u64);
        row.enrollment.threads = row.threads.len();
        row.begin_anew();
        self.next += 1;
        let new = EnrollmentId(self.next);
        enrollment.id = new;
        // What was noticed of all of them is not of this one.
        enrollment.signs = Signs::default();
        enrollment.exchanges = taken.members.len() as u64;
        enrollment.threads = 1;
        taken.members.iter_mut().for_each(|(_, own)| *own = (*own).min(link));
        let moved = taken.members.iter().map(|(exchange, own)| (exchange.clone(), new, *own)).collect();
        list_at(&mut self.open_at, &enrollment.address, new);
        for (connection, _) in &taken.connections {
            self.by_connection.insert(connection.clone(), new);
        }
        if let Some(known) = taken.token.as_ref().and_then(|token| self.by_token.get_mut(token)) {
            *known = known.map(|_| new);
        }
        let mut own = Row { enrollment, anchored: false, key_hash: None, threads: vec![taken] };
        own.begin_anew();
        self.remember(new, own);
        Placement { enrollment: new, link, moved, gone: Vec::new(), touched: Some(id), thread: 0 }
    }

    /// Discover, GetPolicies, or a token request that names no device.
    fn place_by_user(&mut self, traits: &Traits, kind: Kind) -> Placement {
        if let Some((id, thread, link)) = self.find_thread(traits, kind) {
            let from_pool =
                self.rows.get(&id).is_some_and(|r| r.enrollment.user.is_none() && r.threads.len() > 1);
            if traits.user.is_some() && from_pool {
                // A probe out of many: it leaves the anonymous pool for its user's row.
                let own = self.user_row(traits);
                let placement = self.claim(id, thread, link);
                return own.map_or(placement.clone(), |own| self.merge(placement, own));
            }
            return at(id, thread, link);
        }
        match self.user_row(traits).filter(|_| kind == Kind::DiscoverRequest) {
            Some(id) => self.add_thread(id, traits),
            None => self.begin(traits, traits.user.clone()),
        }
    }

    /// Puts a freshly claimed row's thread into the user's row.
    fn merge(&mut self, placement: Placement, into: EnrollmentId) -> Placement {
        if placement.enrollment == into {
            return placement;
        }
        let Some(from) = self.rows.remove(&placement.enrollment) else { return placement };
        self.unlist(&from);
        for thread in &from.threads {
            if let Some(token) = &thread.token {
                self.by_token.insert(token.clone(), Some(into));
            }
            for (connection, _) in &thread.connections {
                self.by_connection.insert(connection.clone(), into);
            }
        }
        let Some(row) = self.rows.get_mut(&into) else { return placement };
        let mut moved = placement.moved;
        for (_, target, _) in &mut moved {
            *target = into;
        }
        row.enrollment.exchanges += from.enrollment.exchanges;
        row.threads.extend(from.threads);
        row.begin_anew();
        row.enrollment.threads = row.threads.len();
        let gone = vec![(placement.enrollment, into)];
        Placement {
            enrollment: into,
            link: placement.link,
            moved,
            gone,
            touched: placement.touched,
            thread: row.threads.len() - 1,
        }
    }

    fn add_thread(&mut self, id: EnrollmentId, traits: &Traits) -> Placement {
        let probe = self.find_probe(traits);
        if let Some((pool, thread, link)) = probe.filter(|(pool, _, _)| *pool != id) {
            let placement = self.claim(pool, thread, link);
            return self.merge(placement, id);
        }
        let Some(row) = self.rows.get_mut(&id) else { return at(id, 0, Link::Likely) };
        if row.threads.len() < MAX_THREADS {
            row.threads.push(Thread::default());
        }
        row.enrollment.threads = row.threads.len();
        at(id, row.threads.len() - 1, Link::Ambiguous)
    }

    /// The open row of that user at that address that no device has anchored yet.
    fn user_row(&self, traits: &Traits) -> Option<EnrollmentId> {
        let user = traits.user.as_ref()?;
        let live = |row: &&Row| traits.at.since(row.enrollment.latest) <= ADDRESS_WINDOW;
        let theirs = |row: &&Row| row.enrollment.user.as_ref().is_some_and(|u| same_user(u, user));
        self.open_at_address(traits).filter(live).find(theirs).map(|row| row.enrollment.id)
    }

    /// The thread that this exchange continues: same connection, then user, then address.
    fn find_thread(&self, traits: &Traits, kind: Kind) -> Option<(EnrollmentId, usize, Link)> {
        // Discover names its user as devices know them: another one is another device, behind one front end.
        let fits = |row: &Row| match (kind, &row.enrollment.user, &traits.user) {
            (Kind::DiscoverRequest, Some(known), Some(new)) => same_user(known, new),
            _ => fits_user(row, traits),
        };
        if let Some(found) = self.on_connection(traits, fits) {
            let repeats = kind == Kind::DiscoverRequest && self.is_finished(found.enrollment);
            // What was only guessed to be its attempt turned out to be a device's: perhaps another's.
            let taken = found.link == Link::Ambiguous
                && kind != Kind::SecurityTokenRequest
                && self.rows.get(&found.enrollment).is_some_and(|row| row.anchored);
            if !repeats && !taken {
                return Some((found.enrollment, found.thread, found.link));
            }
        }
        if let Some(found) = self.by_token(traits, kind) {
            return Some(found);
        }
        if let Some(user) = &traits.user {
            let of_user: Vec<_> = self
                .open_at_address(traits)
                .filter(|row| row.enrollment.user.as_ref().is_some_and(|u| same_user(u, user)))
                .collect();
            if let Some(found) = pick(&of_user, traits, kind) {
                return Some(found);
            }
            // A repetition by a device that is known already, or one that came back by another address.
            if kind != Kind::DiscoverRequest && kind != Kind::SecurityTokenRequest {
                let mut anywhere = self.rows.values().rev().take(1000).filter(|row| {
                    !row.anchored
                        && row.enrollment.address != traits.address
                        && row.enrollment.user.as_ref().is_some_and(|u| same_user(u, user))
                        && traits.at.since(row.enrollment.latest) <= ADDRESS_WINDOW
                        && row.threads.iter().any(|t| awaits(t, kind))
                });
                if let (Some(only), None) = (anywhere.next(), anywhere.next()) {
                    return Some((only.enrollment.id, 0, Link::Likely));
                }
            }
        }
        if kind == Kind::DiscoverRequest {
            return self.find_probe(traits);
        }
        // Terms of use are where a way begins.
        if kind == Kind::TermsOfUse {
            return None;
        }
        // By address alone: only where there is nothing to mix up.
        let mut open = self.open_at_address(traits).filter(|row| {
            traits.at.since(row.enrollment.latest) <= ADDRESS_WINDOW
                && row.threads.iter().any(|t| awaits(t, kind) && suits(t, traits))
        });
        let only = open.next()?;
        let single = open.next().is_none() && only.threads.len() == 1;
        single.then_some((only.enrollment.id, 0, Link::Likely))
    }

    /// The thread in which this token was handed out, or used before: nobody else has it.
    fn by_token(&self, traits: &Traits, kind: Kind) -> Option<(EnrollmentId, usize, Link)> {
        let token = traits.token.as_ref()?;
        let row =
            self.rows.get((*self.by_token.get(token)?).as_ref()?).filter(|row| fits_user(row, traits))?;
        let mut with = row.threads.iter().enumerate().filter(|(_, t)| t.token.as_ref() == Some(token));
        // Two attempts with one token cannot be told apart by it.
        let ((index, thread), None) = (with.next()?, with.next()) else { return None };
        (awaits(thread, kind) || thread.step == Some(kind)).then_some((
            row.enrollment.id,
            index,
            Link::Certain,
        ))
    }

    /// The oldest probe from this address that no Discover has claimed.
    fn find_probe(&self, traits: &Traits) -> Option<(EnrollmentId, usize, Link)> {
        let probes: Vec<_> = self
            .open_at_address(traits)
            .filter(|row| row.enrollment.user.is_none())
            .filter(|row| {
                // Terms of use may be on another host than discovery.
                let terms = row.threads.iter().any(|t| t.step == Some(Kind::TermsOfUse));
                terms || row.enrollment.host == traits.host
            })
            .filter(|row| traits.at.since(row.enrollment.latest) <= ADDRESS_WINDOW)
            .collect();
        let (id, thread, link) = pick(&probes, traits, Kind::DiscoverRequest)?;
        // A device may yet go on where it has probed.
        let open = self.rows.get(&id).and_then(|row| row.threads.get(thread)).is_some_and(|probe| {
            probe
                .connections
                .iter()
                .any(|(c, _)| self.by_connection.contains_key(c) && Some(c) != traits.connection.as_ref())
        });
        Some((id, thread, if open { Link::Ambiguous } else { link }))
    }

    fn is_finished(&self, id: EnrollmentId) -> bool {
        self.rows
            .get(&id)
            .is_some_and(|row| matches!(row.enrollment.outcome, Outcome::Enrolled | Outcome::Failed))
    }

    fn on_connection(&self, traits: &Traits, fits: impl Fn(&Row) -> bool) -> Option<Placement> {
        let connection = traits.connection.as_ref()?;
        let row = self.rows.get(self.by_connection.get(connection)?)?;
        if !fits(row) {
            return None;
        }
        let tie =
            |t: &Thread| t.connections.iter().find(|(known, _)| known == connection).map(|(_, link)| *link);
        let found = row.threads.iter().enumerate().rev().find_map(|(index, t)| Some((index, tie(t)?)));
        // Of a thread with very many connections not all are remembered.
        let (thread, link) = found.unwrap_or((0, Link::Ambiguous));
        Some(at(row.enrollment.id, thread, link))
    }

    fn open_at_address<'s>(&'s self, traits: &Traits) -> impl Iterator<Item = &'s Row> + use<'s> {
        self.rows_of(self.open_at.get(&traits.address))
    }

    fn rows_of<'s>(&'s self, ids: Option<&'s Vec<EnrollmentId>>) -> impl Iterator<Item = &'s Row> + use<'s> {
        ids.into_iter().flatten().filter_map(|id| self.rows.get(id).map(|row| &**row))
    }

    fn begin(&mut self, traits: &Traits, user: Option<String>) -> Placement {
        // Probes of one address share one row until somebody claims them.
        if user.is_none() && traits.kind == Some(Kind::DiscoveryProbe) {
            let pool = self.open_at_address(traits).find(|row| {
                row.enrollment.user.is_none()
                    && row.enrollment.host == traits.host
                    && traits.at.since(row.enrollment.latest) <= ADDRESS_WINDOW
            });
            if let Some(id) = pool.map(|row| row.enrollment.id) {
                let Some(row) = self.rows.get_mut(&id) else { return at(id, 0, Link::Ambiguous) };
                if row.threads.len() < 4096 {
                    row.threads.push(Thread::default());
                }
                row.enrollment.threads = row.threads.len();
                return at(id, row.threads.len() - 1, Link::Ambiguous);
            }
        }
        self.next += 1;
        let id = EnrollmentId(self.next);
        let mut enrollment = Enrollment::new(id, traits.at, &traits.address, &traits.host);
        enrollment.user = user;
        list_at(&mut self.open_at, &traits.address, id);
        let threads = vec![Thread::default()];
        self.remember(id, Row { enrollment, anchored: false, key_hash: None, threads });
        at(id, 0, Link::Certain)
    }

    /// Records that the exchange now belongs there.
    fn join(&mut self, placement: &mut Placement, traits: &Traits, kind: Kind) {
        if placement.link == Link::Ambiguous {
            for id in [Some(placement.enrollment), placement.touched].into_iter().flatten() {
                let threads = self.rows.get_mut(&id).into_iter().flat_map(|row| &mut row.threads);
                threads.filter(|t| awaits(t, kind)).for_each(|t| t.mixed = true);
            }
        }
        let Some(row) = self.rows.get_mut(&placement.enrollment) else { return };
        placement.thread = placement.thread.min(row.threads.len().saturating_sub(1));
        if let Some(thread) = row.threads.get_mut(placement.thread) {
            thread.step = Some(kind);
            thread.answered_badly = false;
            thread.mixed = false;
            thread.latest = traits.at;
            thread.began = Some(thread.began.map_or(traits.at, |began| began.min(traits.at)));
            // Whose the earlier ones are is no surer than that this one continues them.
            for (id, own) in thread.members.iter_mut().filter(|(_, own)| *own > placement.link) {
                *own = placement.link;
                placement.moved.push((id.clone(), placement.enrollment, *own));
            }
            let names = kind == Kind::SecurityTokenRequest && traits.device_id.is_some();
            let tie = if names || thread.members.is_empty() { Link::Certain } else { placement.link };
            if thread.members.len() < MAX_MEMBERS {
                thread.members.push((traits.id.clone(), placement.link));
            }
            if let Some(connection) = &traits.connection {
                match thread.connections.iter_mut().find(|(known, _)| known == connection) {
                    Some((_, known)) => *known = (*known).max(tie),
                    None => {
                        if thread.connections.len() > MAX_TIES {
                            thread.connections.remove(0);
                        }
                        thread.connections.push((connection.clone(), tie));
                    }
                }
            }
        }
        if let Some(connection) = &traits.connection {
            // Closes may be missing from a damaged capture: the ways by connection must not grow for ever.
            if self.by_connection.len() > MAX_KEYS {
                self.by_connection.clear();
            }
            self.by_connection.insert(connection.clone(), placement.enrollment);
        }
        let enrollment = &mut row.enrollment;
        enrollment.exchanges += 1;
        enrollment.latest = enrollment.latest.max(traits.at);
        enrollment.started = enrollment.started.min(traits.at);
        enrollment.token_requests += u64::from(kind == Kind::SecurityTokenRequest);
        traits.host.clone_into(&mut enrollment.host);
        for (known, new) in [
            (&mut enrollment.user, &traits.user),
            (&mut enrollment.device_name, &traits.device_name),
            (&mut enrollment.os_version, &traits.os_version),
        ] {
            if known.is_none() {
                known.clone_from(new);
            }
        }
        if let Some(stage) = stage_of(kind) {
            // A repeated Discover begins the way anew; anything else only goes forward.
            let restart = kind == Kind::DiscoverRequest;
            enrollment.stage = if restart { Some(stage) } else { enrollment.stage.max(Some(stage)) };
            if !enrollment.seen.contains(&stage) {
                enrollment.seen.push(stage);
            }
        }
        enrollment.last = Last::Open;
    }
}

fn at(enrollment: EnrollmentId, thread: usize, link: Link) -> Placement {
    Placement { enrollment, link, moved: Vec::new(), gone: Vec::new(), touched: None, thread }
}
