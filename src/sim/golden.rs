//! Whole enrollments made in memory: the same bytes on every run, from the committed test keys.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::address::Address;
use super::ca::{Authority, CaError};
use super::csr::RequestFlaw;
use super::device::{Device, Profile};
use super::key::{Key, KeyError};
use super::misbehave;
use super::server::{Accounts, SECURITY_TOKEN, Server, Settings};
use super::text::uuid;
use crate::capture::{Header, Redaction, encode};
use crate::event::{
    Body, Connection, ConnectionEvent, ConnectionId, Delivery, End, Event, Exchange, ExchangeId, Offered,
    Reason, Request, Response, Time, Timing, Tls, Upstream,
};
use crate::message::{Content, Kind, read_request, read_response};
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

/// Only a committed key that is broken, or one of the goldens' own messages, can be the reason.
#[derive(Debug, Error)]
enum GoldenError {
    #[error("a test key in captures/golden/keys: {0}")]
    Key(#[from] KeyError),
    #[error("a golden's certificate: {0}")]
    Certificate(#[from] CaError),
    #[error("the golden's server did not answer {step:?} so that the device can go on")]
    NoWayOn { step: Step },
}

/// An enrollment that breaks no rule: probe, discovery, policy, token, first sync. The seed decides ids and pace.
pub fn on_premise(seed: u64) -> Vec<Event> {
    play(Scene::new(seed, Golden::OnPremise, None))
}

/// The user typed a wrong password: the server declines at the policy already.
pub fn wrong_password() -> Vec<Event> {
    play(Scene::new(SEED, Golden::OnPremise, None).map(|mut scene| {
        "Placeholder-2".clone_into(&mut scene.device.profile.password);
        scene
    }))
}

/// The golden of that name, as committed.
pub fn of(golden: Golden) -> Vec<Event> {
    play(Scene::new(SEED, golden, None))
}

/// The golden with a rule's example made on it. `None` when the edit's place is not there.
pub fn with_edit(golden: Golden, edit: &Edit) -> Option<Vec<Event>> {
    match *edit {
        Edit::Message { part: Part::Certificate, change: Change::Variant(_), .. } => {
            // Who issues the certificate makes it so: everything that depends on it fits.
            Some(play(Scene::new(SEED, golden, Some(*edit)))).filter(|made| *made != of(golden))
        }
        Edit::Message { part: Part::Csr, change: Change::Variant(name), .. } => {
            let flaw = RequestFlaw::named(name)?;
            let scene = Scene::new(SEED, golden, None).and_then(|mut scene| {
                scene.device = scene.device.flawed(flaw)?;
                Ok(scene)
            });
            Some(play(scene))
        }
        Edit::Message { part: Part::Provisioning, change: Change::Variant(_), step, .. } => {
            let mut events = of(golden);
            let made = events.iter_mut().any(|event| match event {
                Event::Exchange(e) if misbehave::step_of(read_request(&e.request).kind) == Some(step) => {
                    misbehave::edit_exchange(edit, Arc::make_mut(e))
                }
                _ => false,
            });
            made.then_some(events)
        }
        _ => apply(edit, &of(golden)),
    }
}

#[expect(clippy::expect_used, reason = "nothing but committed keys and our own messages goes in")]
fn play(scene: Result<Scene, GoldenError>) -> Vec<Event> {
    scene.and_then(Scene::play).expect("the committed keys are sound and the device gets its answers")
}

/// The events as the bytes of a capture.
pub fn capture(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header {
        version: crate::capture::VERSION,
        tool: "golden".to_owned(),
        started: events.first().map(Event::at).unwrap_or_default(),
        redaction: Redaction { level: "none".to_owned(), key: None },
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

/// The cast of one enrollment, and the clock.
struct Scene {
    seed: u64,
    now: Time,
    device: Device,
    server: Server,
    chain: Vec<Bytes>,
    events: Vec<Event>,
    exchanges: u64,
}

impl Scene {
    fn new(seed: u64, golden: Golden, misbehave: Option<Edit>) -> Result<Self, GoldenError> {
        let authority =
            Authority::new("Contoso Test Root", Key::from_pem(ROOT_KEY)?, START.plus_millis(-86_400_000))?;
        let names = ["enterpriseenrollment.contoso.example", "mdm.contoso.example"].map(str::to_owned);
        let leaf = authority.server_certificate(&names, &Key::from_pem(SERVER_KEY)?, START)?;
        let chain = vec![leaf, authority.root().clone()];
        let settings = Settings {
            accounts: Accounts::Password("Placeholder-1".to_owned()),
            provider: "ContosoMDM".to_owned(),
            device_cap: CAP,
            seed,
            misbehave,
            ..Settings::new(PUBLIC)
        }
        .suiting(golden);
        let mut profile = Profile::numbered(seed, 0, "anna@contoso.example", "Placeholder-1");
        if seed == SEED {
            // The rules' examples name it.
            "7A5E0D50F0B84C0FA1B0B1F6B3E4C001".clone_into(&mut profile.device_id);
        }
        let mut profile = profile.suiting(golden);
        if golden == Golden::Attestation {
            profile.token = Some(SECURITY_TOKEN.to_owned());
        }
        Ok(Self {
            seed,
            now: START,
            device: Device::new(profile, Arc::new(Key::from_pem(DEVICE_KEY)?)),
            server: Server::new(settings, authority),
            chain,
            events: Vec::new(),
            exchanges: 0,
        })
    }

    fn play(mut self) -> Result<Vec<Event>, GoldenError> {
        let discovery = address(DISCOVERY, Step::Probe)?;
        self.open("c1", &discovery.host);
        let probe = self.device.probe(&discovery, self.now);
        self.exchange("c1", probe);
        let discover = self.device.discover(&discovery, self.now);
        let answer = self.exchange("c1", discover);
        let urls = match read_response(&answer).content {
            Content::DiscoverResponse(answer) => {
                answer.policy_url.zip(answer.enrollment_url).map(|(p, e)| (p.value, e.value))
            }
            _ => None,
        };
        let (policy, enrollment) = urls.ok_or(GoldenError::NoWayOn { step: Step::Discover })?;
        self.close("c1");

        let (policy, enrollment) = (address(&policy, Step::Discover)?, address(&enrollment, Step::Discover)?);
        self.open("c2", &policy.host);
        let policies = self.device.get_policies(&policy, self.now);
        if read_response(&self.exchange("c2", policies)).kind == Kind::Fault {
            self.close("c2");
            return Ok(self.events);
        }
        let token = self.device.request_token(&enrollment, self.now)?;
        let answer = self.exchange("c2", token);
        if let Some(document) = read_response(&answer).provisioning() {
            let management = document.application().and_then(|a| a.parm("ADDR"));
            let management = management.ok_or(GoldenError::NoWayOn { step: Step::Token })?;
            let sync = self.device.sync(&address(&management.value, Step::Token)?, self.now);
            self.exchange("c2", sync);
        }
        self.close("c2");
        Ok(self.events)
    }

    /// Some time passes: a little more or less with the seed.
    fn wait(&mut self, millis: u64) {
        let spread = uuid(&[&self.seed.to_be_bytes(), &self.now.0.to_be_bytes()]).as_u128() % 40;
        let millis = millis + u64::try_from(spread).unwrap_or_default();
        self.now = self.now.plus_millis(i64::try_from(millis).unwrap_or_default());
    }

    fn open(&mut self, id: &str, host: &str) {
        self.wait(60);
        self.events.push(Event::Connection(Arc::new(Connection {
            id: ConnectionId(id.into()),
            at: self.now,
            event: ConnectionEvent::Opened,
            peer: peer(id),
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
            client_certificate: Vec::new(),
            reason: None,
        })));
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
        let whole = response.clone();
        let sync = read_request(&request).kind == Kind::ManagementSync;
        let (request, response) = if sync {
            let body = withheld(&request.body);
            (Request { body, ..request }, Response { body: withheld(&response.body), ..response })
        } else {
            (request, response)
        };
        let sent = response.body.length;
        self.events.push(Event::Exchange(Arc::new(Exchange {
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
                error: None,
            }),
            timing: Timing { wait: Some(wait), ..Timing::default() },
            delivery: Delivery::Complete,
            ..Exchange::default()
        })));
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

fn address(url: &str, step: Step) -> Result<Address, GoldenError> {
    Address::parse(url).ok_or(GoldenError::NoWayOn { step })
}

fn peer(connection: &str) -> String {
    format!("192.0.2.10:{}", if connection == "c1" { 50001 } else { 50002 })
}

fn tls() -> Tls {
    Tls { version: "TLSv1.3".to_owned(), cipher: "TLS_AES_256_GCM_SHA384".to_owned() }
}

/// Management messages carry what no redactor knows: only their length is recorded.
fn withheld(body: &Body) -> Body {
    Body { bytes: Bytes::new(), withheld: Some("management-sync".to_owned()), ..body.clone() }
}

#[cfg(test)]
#[path = "golden_tests.rs"]
mod tests;
