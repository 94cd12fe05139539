//! Goes through the cells, one after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::cases::{Auth, Case, Place, matrix};
use super::evaluate::{Way, cell};
use crate::engine::Engine;
use crate::enrollment::Deadlines;
use crate::event::{Body, Event, Framing, Request, Response, Time};
use crate::net::HostPattern;
use crate::redact::Redactor;
use crate::report::conformity::Cell;
use crate::rules::{Finding, Profile as Strictness, Step};
use crate::sim::{
    Address, Answered, Authority, Client, ClientError, Course, Device, GivesUp, Holder, Key, KeyError,
    Planned, Profile, Proof, RequestFlaw, Trust, entra_token, said,
};

/// What is tried, and how.
pub struct Means {
    /// The server's origin, or the whole URL of its discovery service.
    pub server: Address,
    pub connect: Option<SocketAddr>,
    pub trust: Trust,
    pub patience: Duration,
    /// `%n` in it is the device's number.
    pub user: String,
    pub proofs: Proofs,
    /// Hosts that may have passwords and tokens, besides the server's own and this machine.
    pub allowed: Vec<HostPattern>,
    /// Parts of the ids of the cells that are meant; none: all.
    pub only: Vec<String>,
    pub seed: u64,
    /// The devices' keys.
    pub keys: Vec<Arc<Key>>,
    pub redactor: Redactor,
    pub clock: fn() -> Time,
}

/// What devices have to show. Ways without anything are left out.
#[derive(Clone, Debug, Default)]
pub struct Proofs {
    pub password: Option<String>,
    /// A real token of Entra's.
    pub token: Option<String>,
    /// Tokens are made up, for this audience.
    pub audience: Option<String>,
    pub certificate: Option<Holder>,
}

impl Proofs {
    fn has(&self, auth: Auth, case: Case) -> bool {
        match (auth, case) {
            (Auth::Password, _) => self.password.is_some(),
            // A token whose time is over is made up, so that it would be refused for that, too.
            (Auth::Entra, Case::ExpiredToken) => self.audience.is_some(),
            (Auth::Entra, _) => self.audience.is_some() || self.token.is_some(),
            (Auth::Certificate, _) => self.certificate.is_some(),
        }
    }
}

fn chosen(proofs: &Proofs, only: &[String]) -> Vec<Place> {
    let meant = |place: &Place| only.is_empty() || only.iter().any(|part| place.id().contains(part.as_str()));
    matrix().into_iter().filter(|place| proofs.has(place.auth, place.case) && meant(place)).collect()
}

/// So many cells, and so many devices that will be at the server afterwards.
pub fn count(proofs: &Proofs, only: &[String]) -> (usize, usize) {
    let chosen = chosen(proofs, only);
    (chosen.len(), chosen.iter().map(|place| place.case.devices()).sum())
}

/// Goes through the matrix; `seen` hears of each cell.
///
/// # Errors
/// The trust cannot be used, or the server does not answer at all.
pub async fn run(means: &Means, mut seen: impl FnMut(&Cell)) -> Result<Vec<Cell>, RunError> {
    let mut client = Client::new(&means.trust, None, means.connect, means.patience)?;
    // Where nothing answers there is nothing to grade.
    let anybody = Device::new(Profile::numbered(means.seed, u32::MAX, "", ""), Arc::new(Key::elliptic()?));
    let discovery = Course::new(&anybody, &means.server, false).discovery().clone();
    client.exchange(&discovery, &anybody.probe(&discovery, (means.clock)())).await?;
    let mut cells = Vec::new();
    for place in chosen(&means.proofs, &means.only) {
        let began = Instant::now();
        let way = Trial { means, place }.run().await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let cell = cell(&place, way, ms);
        seen(&cell);
        cells.push(cell);
    }
    Ok(cells)
}

#[derive(Debug, Error)]
pub enum RunError {
    #[error("the server gives no answer: {0}; `enrollscope doctor` looks at the way to it")]
    NoAnswer(#[from] ClientError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

struct Trial<'m> {
    means: &'m Means,
    place: Place,
}

/// A device's conversation with the server.
struct Talk<'m> {
    means: &'m Means,
    client: Client,
    engine: Engine,
    said: u64,
    findings: Vec<Finding>,
}

impl Trial<'_> {
    async fn run(&self) -> Way {
        match self.tried().await {
            Ok(way) => way,
            // The keys are ours.
            Err(why) => {
                Way { gave_up: Some(("start", GivesUp { reason: why, hresult: None })), ..Way::default() }
            }
        }
    }

    async fn tried(&self) -> Result<Way, String> {
        let device = self.device(0)?;
        match self.place.case {
            Case::EmptyPost => self.nothing(&device).await,
            Case::RetryAfterDrop => self.enroll(&device, true).await,
            Case::DuplicateHardwareId => {
                let first = self.enroll(&device, false).await?;
                if !first.enrolled {
                    return Ok(Way { note: Some("that was the first of the two".to_owned()), ..first });
                }
                let mut second = self.device(1)?;
                second.profile.hardware_id.clone_from(&device.profile.hardware_id);
                self.enroll(&second, false).await
            }
            Case::NonDerExtension => {
                let way = self.enroll(&device, false).await?;
                if way.enrolled {
                    return Ok(way);
                }
                // Is it that, or something else?
                let flaw = Some(RequestFlaw::DerExtension);
                let other = self.enroll(&Device { flaw, ..self.device(1)? }, false).await?;
                let note = other
                    .enrolled
                    .then(|| "the same with a DER value is taken, so it is the parser".to_owned());
                Ok(Way { note, ..way })
            }
            Case::Healthy
            | Case::WrongPassword
            | Case::ExpiredToken
            | Case::ForeignToken
            | Case::HigherVersion => self.enroll(&device, false).await,
        }
    }

    /// The cell's devices, each of its own in every run with this seed.
    fn device(&self, which: u32) -> Result<Device, String> {
        let Place { number, shape, auth, case } = self.place;
        let means = self.means;
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let number = number * 2 + which;
        let user = means.user.replace("%n", &number.to_string());
        let password = match (case, &means.proofs.password) {
            (Case::WrongPassword, Some(right)) => format!("not-{right}"),
            (_, password) => password.clone().unwrap_or_default(),
        };
        let mut profile = Profile::numbered(means.seed, number, &user, &password).shaped(shape);
        if case == Case::HigherVersion {
            "99.0".clone_into(&mut profile.request_version);
        }
        let at = number as usize % means.keys.len().max(1);
        let key = means.keys.get(at).cloned().ok_or("there is no key")?;
        let now = (means.clock)();
        let proof = match auth {
            Auth::Password => Proof::Password,
            Auth::Entra => Proof::Entra(match (case, &means.proofs.token, &means.proofs.audience) {
                (Case::ForeignToken, ..) => {
                    let names = (user.as_str(), profile.device_id.as_str());
                    entra_token(names, "https://elsewhere.example", now, &key).map_err(|e| failed(&e))?
                }
                (Case::ExpiredToken, _, Some(audience)) => {
                    let names = (user.as_str(), profile.device_id.as_str());
                    entra_token(names, audience, now.plus_millis(-86_400_000), &key)
                        .map_err(|e| failed(&e))?
                }
                (_, Some(token), _) => token.clone(),
                (_, None, audience) => {
                    let names = (user.as_str(), profile.device_id.as_str());
                    entra_token(names, audience.as_deref().unwrap_or_default(), now, &key)
                        .map_err(|e| failed(&e))?
                }
            }),
            Auth::Certificate => Proof::Certificate(match (case, &means.proofs.certificate) {
                (Case::ForeignToken, _) => stranger(&key, now)?,
                (_, holder) => holder.clone().ok_or("there is no certificate")?,
            }),
        };
        Ok(Device { proof, ..Device::new(profile, key) })
    }

    fn talk(&self) -> Result<Talk<'_>, String> {
        let means = self.means;
        let client =
            Client::new(&means.trust, None, means.connect, means.patience).map_err(|e| e.to_string())?;
        let engine = Engine::new(Strictness::Field, Deadlines::default());
        Ok(Talk { means, client, engine, said: 0, findings: Vec::new() })
    }

    /// `drops`: the first request for a certificate is sent, and its answer is not waited for.
    async fn enroll(&self, device: &Device, drops: bool) -> Result<Way, String> {
        let mut talk = self.talk()?;
        let mut course = Course::new(device, &self.means.server, false);
        if matches!(device.proof, Proof::Entra(_)) {
            // Terms of use are a page of their own, which not every server has.
            course.resume_at(Step::Discover);
        }
        let mut way = Way::default();
        while let Some(planned) = course.next((self.means.clock)()) {
            let Planned { step, to, request } = match planned {
                Ok(planned) => planned,
                Err(why) => {
                    way.gave_up = Some(("certificate", why));
                    break;
                }
            };
            let means = self.means;
            if !to.stays_with(&means.server, means.connect, &means.allowed) {
                let reason = format!(
                    "the server sends devices to {}, another host: allow it with --allow-host {}",
                    to.origin(),
                    to.host
                );
                way.gave_up = Some((words(step), GivesUp { reason, hresult: None }));
                break;
            }
            if drops && step == Step::Token {
                talk.client.send_and_go(&to, &request).await.map_err(|error| error.to_string())?;
            }
            let came = match talk.exchange(&to, request).await {
                Ok(response) => {
                    let came = course.take(&response).map(drop);
                    way.last = Some(response);
                    came
                }
                Err(why) => Err(why),
            };
            if let Err(why) = came
                && !(step == Step::Probe && why.hresult.is_none())
            {
                way.gave_up = Some((words(step), why));
                break;
            } else if step == Step::Probe {
                // A device that was given the address goes on whatever the probe says.
                course.resume_at(Step::Discover);
            }
        }
        way.enrolled = course.provision().is_some();
        way.findings = talk.findings;
        Ok(way)
    }

    /// Each service is sent a request without a body.
    async fn nothing(&self, device: &Device) -> Result<Way, String> {
        let mut talk = self.talk()?;
        let mut course = Course::new(device, &self.means.server, false);
        course.resume_at(Step::Discover);
        let mut told = Vec::new();
        let (mut bad, mut last) = (None, None);
        while let Some(Ok(Planned { step, to, request })) = course.next((self.means.clock)()) {
            if matches!(step, Step::SignIn | Step::Password | Step::Sync) {
                break;
            }
            match talk.exchange(&to, emptied(&request)).await {
                Ok(response) => {
                    last = Some(response.clone());
                    told.push(format!("{} {}", words(step), response.status));
                    if response.status < 400 {
                        let reason = format!("{} to a request without a body", response.status);
                        bad = bad.or(Some((words(step), GivesUp { reason, hresult: None })));
                    }
                }
                Err(why) => {
                    bad = bad.or(Some((words(step), why)));
                }
            }
            // On to the next service, as far as discovery tells of it.
            if step == Step::Token {
                break;
            }
            match talk.exchange(&to, request).await {
                Ok(response) if course.take(&response).is_ok() => {}
                _ => break,
            }
        }
        // What the engine says of answers to nothing is about nothing.
        Ok(Way { gave_up: bad, last, note: Some(told.join(", ")), ..Way::default() })
    }
}

impl Talk<'_> {
    async fn exchange(&mut self, to: &Address, request: Request) -> Result<Response, GivesUp> {
        let began = Instant::now();
        let answered = self.client.exchange(to, &request).await;
        self.said += 1;
        let came = answered.as_ref().map_err(|error| error as &dyn std::fmt::Display);
        let mut exchange = said(self.said, "conform", to, request, began.elapsed(), came);
        self.means.redactor.exchange(&mut exchange);
        let seen = self.engine.observe(Event::Exchange(Arc::new(exchange)));
        self.findings.extend(seen.findings.into_iter().filter(Finding::is_about_the_answer));
        match answered {
            Ok(Answered { response, .. }) => Ok(response),
            Err(error) => Err(GivesUp { reason: error.to_string(), hresult: error.hresult() }),
        }
    }
}

fn words(step: Step) -> &'static str {
    match step {
        Step::Terms => "terms of use",
        Step::Probe | Step::Discover => "discovery",
        Step::SignIn | Step::Password => "sign-in",
        Step::Policies => "policy",
        Step::Token => "certificate",
        Step::Sync => "first sync",
    }
}

fn emptied(request: &Request) -> Request {
    let mut request =
        Request { body: Body { framing: Framing::Length, ..Body::default() }, ..request.clone() };
    for header in request.headers.iter_mut().filter(|h| h.name.eq_ignore_ascii_case("content-length")) {
        header.value = "0".into();
    }
    request
}

/// A certificate of an authority that nobody has heard of.
fn stranger(key: &Arc<Key>, now: Time) -> Result<Holder, String> {
    let own = Key::elliptic().map_err(|error| error.to_string())?;
    let issued =
        Authority::new("Somebody Else", own, now).and_then(|a| a.issue("somebody", &key.public(), now, None));
    let certificate = issued.map_err(|error| error.to_string())?.client;
    Ok(Holder { certificate, key: Arc::clone(key) })
}
