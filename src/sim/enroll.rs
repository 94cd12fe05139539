//! One simulated device enrolls over real connections, step by step, as far as it gets.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::client::{Answered, Client, ClientError, Trust};
use super::course::{Course, Planned};
use super::device::{Device, Proof};
use super::judge::{GivesUp, Provision};
use super::misbehave::{self, MisbehaveError};
use crate::event::Time;
use crate::rules::{Edit, Golden, Rule, Step};

/// How a device goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server's origin, or the whole URL of its discovery service.
    pub server: Address,
    /// Where every connection goes, whatever the URL's host is: SNI and Host stay the URL's.
    pub connect: Option<SocketAddr>,
    pub trust: Trust,
    /// The device goes away after this step.
    pub stop_after: Option<Step>,
    /// An edit to make on the request of its step: see [`Options::breaking`].
    pub misbehave: Option<Edit>,
    /// The recording whose device this one is to be like, so that the edit's place is there.
    pub like: Golden,
    /// What the device waits for before each step.
    pub pace: Option<Pace>,
    /// Whether the first management session follows.
    pub sync: bool,
    /// How long the device waits for an answer.
    pub patience: Duration,
    pub clock: fn() -> Time,
}

impl Options {
    /// A healthy device.
    pub fn new(server: Address, trust: Trust, clock: fn() -> Time) -> Self {
        Self {
            server,
            connect: None,
            trust,
            stop_after: None,
            misbehave: None,
            like: Golden::OnPremise,
            pace: None,
            sync: false,
            patience: Duration::from_secs(60),
            clock,
        }
    }

    /// The device breaks the rule: its first example that is a device's to make.
    pub fn breaking(self, rule: &'static Rule) -> Result<Self, MisbehaveError> {
        let example = misbehave::for_device(rule)?;
        Ok(Self { misbehave: Some(example.edit), like: example.golden, ..self })
    }
}

/// What a device waits for before a step: time passing, or its turn in a fleet.
#[derive(Clone)]
pub struct Pace(Arc<dyn Fn(Step) -> Waiting + Send + Sync>);

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Pace {
    pub fn new<F>(wait: impl Fn(Step) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |step| Box::pin(wait(step))))
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pace")
    }
}

/// How one step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReport {
    pub step: Step,
    /// Where the request went.
    pub url: String,
    /// Absent when there was no answer.
    pub status: Option<u16>,
    pub millis: i64,
    pub outcome: Outcome,
}

impl StepReport {
    /// What people call the step.
    pub fn name(&self) -> &'static str {
        match self.step {
            Step::Terms => "terms of use",
            Step::Probe => "probe",
            Step::Discover => "discovery",
            Step::SignIn => "sign-in page",
            Step::Password => "sign-in",
            Step::Policies => "policy",
            Step::Token => "certificate",
            Step::Sync => "first sync",
        }
    }
}

impl fmt::Display for StepReport {
    /// `discovery: 200 in 12 ms: …`, the URL left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        write!(f, "{}: {status} in {} ms: {}", self.name(), self.millis, self.outcome)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What came of it, in words.
    Done(String),
    GaveUp(GivesUp),
}

/// How an enrollment ended.
#[derive(Clone, Debug)]
pub struct Enrollment {
    pub steps: Vec<StepReport>,
    /// What the device got; absent when it did not get that far.
    pub provision: Option<Provision>,
}

impl Enrollment {
    /// The device has what it needs, and no step failed.
    pub fn succeeded(&self) -> bool {
        self.provision.is_some() && self.failure().is_none()
    }

    /// The step at which the device gave up, and why.
    pub fn failure(&self) -> Option<(Step, &GivesUp)> {
        self.steps.iter().find_map(|report| match &report.outcome {
            Outcome::GaveUp(why) => Some((report.step, why)),
            Outcome::Done(_) => None,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(what) => f.write_str(what),
            Self::GaveUp(GivesUp { reason, hresult: Some(code) }) => write!(f, "{reason} (0x{code:08X})"),
            Self::GaveUp(GivesUp { reason, hresult: None }) => f.write_str(reason),
        }
    }
}

/// Enrolls the device; `seen` hears of every step as it ends. An error is a trust that cannot be used at all: what
/// servers and networks do is in the reports.
pub async fn enroll(
    device: &Device,
    options: &Options,
    seen: impl FnMut(&StepReport),
) -> Result<Enrollment, ClientError> {
    let trust = match options.misbehave {
        Some(Edit::Connection(_)) => &Trust::Nobody,
        _ => &options.trust,
    };
    // A server may ask for the certificate that it gave (Microsoft's pages on certificate renewal).
    let holder = match &device.proof {
        Proof::Renewal(holder) => Some(holder),
        Proof::Password | Proof::Entra(_) | Proof::Certificate(_) => None,
    };
    let client = Client::new(trust, holder, options.connect, options.patience)?;
    let renewal_flaw = options.misbehave.as_ref().and_then(misbehave::renewal_flaw);
    let profile = device.profile.clone().suiting(options.like);
    let mut device = Device { profile, renewal_flaw, ..device.clone() };
    if let Some(flaw) = options.misbehave.as_ref().and_then(misbehave::request_flaw) {
        // A committed key that could not be read would have failed every test.
        device = device.clone().flawed(flaw).unwrap_or(device);
    }
    let device = &device;
    let mut attempt = Attempt { device, options, client, seen, steps: Vec::new(), provision: None };
    attempt.run().await;
    Ok(Enrollment { steps: attempt.steps, provision: attempt.provision })
}

struct Attempt<'a, S> {
    device: &'a Device,
    options: &'a Options,
    client: Client,
    seen: S,
    steps: Vec<StepReport>,
    provision: Option<Provision>,
}

impl<S: FnMut(&StepReport)> Attempt<'_, S> {
    async fn run(&mut self) {
        let mut course = Course::new(self.device, &self.options.server, self.options.sync);
        while let Some(planned) = course.next(self.now()) {
            let going_on = match planned {
                Ok(planned) => self.step(planned, &mut course).await,
                Err(why) => {
                    let (step, to) = (Step::Token, self.options.server.clone());
                    self.report(step, &to, None, Outcome::GaveUp(why), self.now());
                    false
                }
            };
            // The device has its certificate even when it goes away now.
            self.provision = course.provision().cloned();
            if !going_on {
                return;
            }
        }
    }

    /// One exchange, judged and reported; whether the device goes on.
    async fn step(&mut self, planned: Planned, course: &mut Course<'_>) -> bool {
        let Planned { step, to, request } = planned;
        if self.options.stop_after.is_some_and(|last| last < step) {
            return false;
        }
        if let Some(Edit::Stop(at)) = self.options.misbehave
            && at <= step
        {
            return false;
        }
        if let Some(pace) = &self.options.pace {
            (pace.0)(step).await;
        }
        let request = match self.options.misbehave {
            Some(edit) if misbehave::step(&edit) == Some(step) => misbehave::edit_request(&edit, request),
            _ => request,
        };
        let started = self.now();
        let (status, judged) = match self.client.exchange(&to, &request).await {
            Ok(Answered { response, .. }) => (Some(response.status), course.take(&response)),
            Err(error) => {
                let why = GivesUp { reason: error.to_string(), hresult: error.hresult() };
                (None, Err(why))
            }
        };
        let going_on = judged.is_ok();
        let outcome = judged.map_or_else(Outcome::GaveUp, Outcome::Done);
        self.report(step, &to, status, outcome, started);
        going_on
    }

    fn report(&mut self, step: Step, to: &Address, status: Option<u16>, outcome: Outcome, started: Time) {
        let millis = self.now().since(started);
        let report = StepReport { step, url: to.to_string(), status, millis, outcome };
        (self.seen)(&report);
        self.steps.push(report);
    }

    fn now(&self) -> Time {
        (self.options.clock)()
    }
}
