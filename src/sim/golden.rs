//! Whole enrollments made in memory: the same bytes on every run, from the committed test keys.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::address::Address;
use super::ca::{Authority, CaError};
use super::course::Course;
use super::device::{Device, Profile, Proof};
use super::entra::entra_token;
use super::key::{Key, KeyError};
use super::misbehave;
use super::server::{Accounts, Server, Settings};
use super::signing::Holder;
use super::text::uuid;
use crate::capture::{Header, Redaction, encode};
use crate::event::{
    Connection, ConnectionEvent, ConnectionId, Delivery, End, Event, Exchange, ExchangeId, Offered, Reason,
    Request, Response, Time, Timing, Tls, Upstream,
};
use crate::message::read_request;
use crate::redact::{Level, Redactor};
use crate::rules::{Change, Edit, Golden, Part, Step, apply};

/// The seed of the committed goldens.
pub const SEED: u64 = 1;

/// 2026-03-02T09:00:00Z.
const START: Time = Time(1_772_442_000_000);

/// How many devices the user may have, where that is not the point.
const CAP: usize = 20;

/// Where the device looks first.
const DISCOVERY: &str = "https://enterpriseenrollment.contoso.example/EnrollmentServer/Discovery.svc";
const PUBLIC: &str = "https://mdm.contoso.example";

const ROOT_KEY: &str = include_str!("../../captures/golden/keys/root.pem");
const SERVER_KEY: &str = include_str!("../../captures/golden/keys/server.pem");
const DEVICE_KEY: &str = include_str!("../../captures/golden/keys/device.pem");
/// Of whom else: what a device has before it enrolls, and what it renews with.
const OTHER_KEY: &str = include_str!("../../captures/golden/keys/device-2.pem");

const USER: &str = "anna@contoso.example";
const DAY: i64 = 86_400_000;

/// Only a committed key that is broken, or one of the goldens' own messages, can be the reason.
#[derive(Debug, Error)]
pub(super) enum GoldenError {
    #[error("a test key in captures/golden/keys: {0}")]
    Key(#[from] KeyError),
    #[error("a golden's certificate: {0}")]
    Certificate(#[from] CaError),
    #[error("the golden's address {0} is none")]
    NoAddress(&'static str),
    #[error("the golden's device got no certificate to renew")]
    NotIssued,
}

/// An enrollment that breaks no rule: probe, discovery, policy, token, first sync. The seed decides ids and pace.
pub fn on_premise(seed: u64) -> Vec<Event> {
    play(Golden::OnPremise, seed, None)
}

/// The user typed a wrong password: the server declines at the policy already.
pub fn wrong_password() -> Vec<Event> {
    let scene = Scene::new(Golden::OnPremise, SEED, None).map(|mut scene| {
        "Placeholder-2".clone_into(&mut scene.device.profile.password);
        scene
    });
    finish(scene.map(Scene::enroll))
}

/// The golden of that name, as committed.
pub fn of(golden: Golden) -> Vec<Event> {
    play(golden, SEED, None)
}

/// The same way with another device.
pub fn of_another(golden: Golden, seed: u64) -> Vec<Event> {
    play(golden, seed, None)
}

/// The golden with a rule's example made on it. `None` when the edit's place is not there.
pub fn with_edit(golden: Golden, edit: &Edit) -> Option<Vec<Event>> {
    match *edit {
        Edit::Message { part: Part::Certificate | Part::Csr, change: Change::Variant(_), .. } => {
            // Who makes the certificate or the request makes it so: everything that depends on it fits.
            Some(play(golden, SEED, Some(*edit))).filter(|made| *made != of(golden))
        }
        Edit::Message { part: Part::Provisioning, change: Change::Variant(_), step, .. } => {
            let mut events = of(golden);
            let made = events.iter_mut().any(|event| match event {
                Event::Exchange(e) if Step::of(&e.request, read_request(&e.request).kind) == Some(step) => {
                    misbehave::edit_exchange(edit, Arc::make_mut(e))
                }
                _ => false,
            });
            made.then_some(events)
        }
        _ => apply(edit, &of(golden)),
    }
}

fn play(golden: Golden, seed: u64, misbehave: Option<Edit>) -> Vec<Event> {
    finish(Scene::new(golden, seed, misbehave).and_then(|scene| match golden {
        Golden::Renewal => scene.enroll().renew(misbehave),
        _ => Ok(scene.enroll()),
    }))
}

#[expect(clippy::expect_used, reason = "nothing but committed keys and our own messages goes in")]
fn finish(scene: Result<Scene, GoldenError>) -> Vec<Event> {
    scene.expect("the committed keys are sound and the device gets its answers").events
}

/// The events as the bytes of a capture.
pub fn capture(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header {
        version: crate::capture::VERSION,
        tool: "golden".to_owned(),
        started: events.first().map(Event::at).unwrap_or_default(),
        redaction: Redaction { level: "none".to_owned(), key: None },
        after: 0,
    };
    encode::header(&mut out, &header);
    for event in events {
        match event {
            Event::Exchange(exchange) => encode::exchange(&mut out, exchange),
            Event::Connection(connection) => encode::connection(&mut out, connection),
            Event::End(end) => encode::end(&mut out, end),
            Event::Gap { at, lost } => encode::gap(&mut out, *at, *lost),
            Event::Session { .. } | Event::Tick(_) => {}
        }
    }
    out
}

/// The authority that every golden's certificates are from.
pub(super) fn authority() -> Result<Authority, GoldenError> {
    Ok(Authority::new("Contoso Test Root", Key::from_pem(ROOT_KEY)?, START.plus_millis(-DAY))?)
}

/// The cast of one enrollment, and the clock.
struct Scene {
    seed: u64,
    now: Time,
    device: Device,
    server: Server,
    discovery: Address,
    chain: Vec<Bytes>,
    events: Vec<Event>,
    exchanges: u64,
    connections: u64,
    /// The device's certificate.
    issued: Option<Bytes>,
}

impl Scene {
    fn new(golden: Golden, seed: u64, misbehave: Option<Edit>) -> Result<Self, GoldenError> {
        let authority = authority()?;
        let names = ["enterpriseenrollment.contoso.example", "mdm.contoso.example"].map(str::to_owned);
        let leaf = authority.server_certificate(&names, &Key::from_pem(SERVER_KEY)?, START)?;
        let chain = vec![leaf, authority.root().clone()];
        let other = Key::from_pem(OTHER_KEY)?;
        let device = if seed == SEED { USER.to_owned() } else { format!("device {seed}") };
        let proof = match golden {
            Golden::Entra => Proof::Entra(entra_token((USER, &device), PUBLIC, START, &other)?),
            Golden::Certificate => Proof::Certificate(Holder {
                certificate: authority.issue("Bulk enrollment", &other.public(), START, None)?.client,
                key: Arc::new(other),
            }),
            Golden::OnPremise
            | Golden::Refused
            | Golden::Denied
            | Golden::FullPolicy
            | Golden::DeviceContext
            | Golden::Federated
            | Golden::Attestation
            | Golden::Renewal => Proof::Password,
        };
        let settings = Settings {
            accounts: Accounts::Password("Placeholder-1".to_owned()),
            provider: "ContosoMDM".to_owned(),
            device_cap: CAP,
            seed,
            // A device can only renew what it got in order.
            misbehave: misbehave.filter(|_| golden != Golden::Renewal),
            ..Settings::new(PUBLIC)
        }
        .suiting(golden);
        // A full policy needs a device that knows its newer parts.
        let number = if golden == Golden::FullPolicy { 3 } else { 0 };
        let mut profile = Profile::numbered(seed, number, USER, "Placeholder-1");
        if seed == SEED {
            // The rules' examples name it.
            "7A5E0D50F0B84C0FA1B0B1F6B3E4C001".clone_into(&mut profile.device_id);
        }
        let profile = profile.suiting(golden);
        // Entra knows the server's address; everybody else looks where their mail domain says.
        let url = if golden == Golden::Entra { PUBLIC } else { DISCOVERY };
        let mut device = Device { proof, ..Device::new(profile, Arc::new(Key::from_pem(DEVICE_KEY)?)) };
        if let Some(flaw) = misbehave.as_ref().and_then(misbehave::request_flaw) {
            device = device.flawed(flaw)?;
        }
        Ok(Self {
            seed,
            now: START,
            device,
            server: Server::new(settings, authority),
            discovery: Address::parse(url).ok_or(GoldenError::NoAddress(url))?,
            chain,
            events: Vec::new(),
            exchanges: 0,
            connections: 0,
            issued: None,
        })
    }

    /// The device's whole way, or as far as the server lets it.
    fn enroll(mut self) -> Self {
        self.walk();
        self
    }

    /// Ten months later the certificate that the device got is renewed, with another key.
    fn renew(mut self, misbehave: Option<Edit>) -> Result<Self, GoldenError> {
        let issued = self.issued.clone().ok_or(GoldenError::NotIssued)?;
        let first = Arc::clone(&self.device.key);
        self.device.proof = Proof::Renewal(Holder { certificate: issued, key: first });
        self.device.key = Arc::new(Key::from_pem(OTHER_KEY)?);
        self.now = self.now.plus_millis(310 * DAY);
        self.device.renewal_flaw = misbehave.as_ref().and_then(misbehave::renewal_flaw);
        if let Some(edit) = misbehave {
            self.server.misbehave(edit);
        }
        self.walk();
        Ok(self)
    }

    fn walk(&mut self) {
        let device = self.device.clone();
        let mut course = Course::new(&device, &self.discovery.clone(), true);
        let mut open: Option<(String, String, bool)> = None;
        while let Some(Ok(planned)) = course.next(self.now) {
            // The enrollment client, the browser window and each host have connections of their own.
            let browser = matches!(planned.step, Step::Terms | Step::SignIn | Step::Password);
            let kept = open.take_if(|(_, host, by)| *host == planned.to.host && *by == browser);
            let connection = match (kept, open.take()) {
                (Some((id, ..)), _) => id,
                (None, before) => {
                    if let Some((id, ..)) = before {
                        self.close(&id);
                    }
                    self.open(&planned.to.host)
                }
            };
            let answer = self.exchange(&connection, planned.request);
            open = Some((connection, planned.to.host, browser));
            if course.take(&answer).is_err() {
                break;
            }
        }
        self.issued = course.provision().map(|p| p.certificate.clone());
        if let Some((id, ..)) = open {
            self.close(&id);
        }
    }

    /// Some time passes: a little more or less with the seed.
    fn wait(&mut self, millis: u64) {
        let spread = uuid(&[&self.seed.to_be_bytes(), &self.now.0.to_be_bytes()]).as_u128() % 40;
        let millis = millis + u64::try_from(spread).unwrap_or_default();
        self.now = self.now.plus_millis(i64::try_from(millis).unwrap_or_default());
    }

    fn open(&mut self, host: &str) -> String {
        self.wait(60);
        self.connections += 1;
        let id = format!("c{}", self.connections);
        let client = match &self.device.proof {
            Proof::Renewal(holder) => vec![holder.certificate.clone()],
            Proof::Password | Proof::Entra(_) | Proof::Certificate(_) => Vec::new(),
        };
        self.events.push(Event::Connection(Arc::new(Connection {
            id: ConnectionId(id.as_str().into()),
            at: self.now,
            event: ConnectionEvent::Opened,
            peer: peer(&id),
            via: None,
            listener: "https://0.0.0.0:443".to_owned(),
            sni: Some(host.to_owned()),
            alpn: Some("http/1.1".to_owned()),
            offered: Some(Offered {
                versions: vec!["TLSv1.3".to_owned(), "TLSv1.2".to_owned()],
                ciphers: vec![0x1302, 0x1301, 0xC02C, 0xC02B, 0xC030, 0xC02F],
                alpn: vec!["http/1.1".to_owned()],
            }),
            tls: Some(tls()),
            chain: self.chain.clone(),
            asked_client_certificate: !client.is_empty(),
            client_certificate: client,
            passthrough: None,
            reason: None,
        })));
        id
    }

    fn close(&mut self, id: &str) {
        self.wait(30);
        self.events.push(Event::Connection(Arc::new(Connection {
            id: ConnectionId(id.into()),
            at: self.now,
            event: ConnectionEvent::Closed,
            peer: peer(id),
            listener: "https://0.0.0.0:443".to_owned(),
            reason: Some(Reason::ClosedByDevice),
            ..Connection::default()
        })));
    }

    /// The device's request is answered and recorded; the answer, as the device got it.
    fn exchange(&mut self, connection: &str, mut request: Request) -> Response {
        self.wait(120);
        request.at = self.now;
        self.wait(20);
        let response = self.server.answer(&request, self.now);
        let wait = self.now.since(request.at).unsigned_abs() * 1000;
        self.exchanges += 1;
        let (whole, sent) = (response.clone(), response.body.length);
        let mut exchange = Exchange {
            seq: self.exchanges,
            id: self.id(request.at),
            connection: Some(ConnectionId(connection.into())),
            request,
            response: Some(response),
            upstream: Some(Upstream {
                origin: PUBLIC.to_owned(),
                address: Some("198.51.100.20:443".to_owned()),
                reused: self.exchanges > 1,
                alpn: Some("http/1.1".to_owned()),
                tls: Some(tls()),
                chain: self.chain.clone(),
                verified: true,
                asked_client_certificate: false,
                error: None,
            }),
            timing: Timing { wait: Some(wait), ..Timing::default() },
            delivery: Delivery::Complete,
            ..Exchange::default()
        };
        // Placeholders are no secrets; bodies that are never recorded are not recorded here either.
        Redactor::new(Level::None, false, crate::redact::Key::new(&[0; 32])).exchange(&mut exchange);
        self.events.push(Event::Exchange(Arc::new(exchange)));
        self.now = self.now.plus_millis(2);
        let end = End { of: self.exchanges, delivery: Delivery::Complete, sent, at: self.now };
        self.events.push(Event::End(end));
        whole
    }

    /// A UUID of version 7: its time is the request's.
    fn id(&self, at: Time) -> ExchangeId {
        let random = *uuid(&[&self.seed.to_be_bytes(), &self.exchanges.to_be_bytes()]).as_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(random.split_at(6).1);
        let id = uuid::Builder::from_unix_timestamp_millis(at.0.unsigned_abs(), &tail).into_uuid();
        ExchangeId(id.to_string().into())
    }
}

fn peer(connection: &str) -> String {
    format!("192.0.2.10:{}", 50_000 + connection.trim_start_matches('c').parse().unwrap_or(0))
}

fn tls() -> Tls {
    Tls { version: "TLSv1.3".to_owned(), cipher: "TLS_AES_256_GCM_SHA384".to_owned() }
}

#[cfg(test)]
#[path = "golden_tests.rs"]
mod tests;
