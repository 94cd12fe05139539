//! One enrollment: its identity, its stage, its outcome, and why.

use std::fmt;

use super::signs::Signs;
use crate::event::Time;
use crate::message::{AuthPolicy, Kind};
use crate::rules::{Level, Rule, Subject};

/// Identifies an enrollment within one run of the engine: `e1`, `e2`, … in the order of their first exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnrollmentId(pub u64);

impl fmt::Display for EnrollmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

/// The steps of an enrollment, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Terms,
    Discovery,
    SignIn,
    Policy,
    Certificate,
    Configuration,
    FirstSync,
}

impl Stage {
    /// As JSON and filters spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Discovery => "discovery",
            Self::SignIn => "sign-in",
            Self::Policy => "policy",
            Self::Certificate => "certificate",
            Self::Configuration => "configuration",
            Self::FirstSync => "first-sync",
        }
    }

    /// As people read it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Terms => "Terms of use",
            Self::Discovery => "Discovery",
            Self::SignIn => "Sign-in",
            Self::Policy => "Enrollment policy",
            Self::Certificate => "Certificate",
            Self::Configuration => "DM client configuration",
            Self::FirstSync => "First sync",
        }
    }

    pub const ALL: &'static [Self] = &[
        Self::Terms,
        Self::Discovery,
        Self::SignIn,
        Self::Policy,
        Self::Certificate,
        Self::Configuration,
        Self::FirstSync,
    ];
}

/// The way that an enrollment takes: its steps depend on how the user proves who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flow {
    #[default]
    OnPremise,
    /// By a sign-in page.
    Federated,
    /// By an Entra token: terms of use come first, and there is no sign-in page of the server's.
    Entra,
    Certificate,
    /// The certificate is renewed (ROBO): the management client is there already.
    Renewal,
}

impl Flow {
    pub fn word(self) -> &'static str {
        match self {
            Self::OnPremise => "on-premise",
            Self::Federated => "federated",
            Self::Entra => "entra",
            Self::Certificate => "certificate",
            Self::Renewal => "renewal",
        }
    }

    /// Its stages in their order, as the strip shows them.
    pub fn stages(self) -> &'static [Stage] {
        use Stage::{Certificate, Configuration, Discovery, FirstSync, Policy, SignIn, Terms};
        match self {
            Self::OnPremise | Self::Certificate => {
                &[Discovery, Policy, Certificate, Configuration, FirstSync]
            }
            Self::Federated => &[Discovery, SignIn, Policy, Certificate, Configuration, FirstSync],
            Self::Entra => &[Terms, Discovery, Policy, Certificate, Configuration, FirstSync],
            Self::Renewal => &[Discovery, Policy, Certificate, Configuration],
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    #[default]
    InProgress,
    Enrolled,
    Failed,
    Stalled,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in-progress",
            Self::Enrolled => "enrolled",
            Self::Failed => "failed",
            Self::Stalled => "stalled",
        }
    }
}

/// How one stage of a strip looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not reached.
    Ahead,
    /// A message of it was seen, and the next stage is not reached.
    Now,
    Done,
    Failed,
    /// Passed by without a message of it: it happened on another way.
    Elsewhere,
}

/// Why an enrollment stands where it stands; the diagnosis makes a sentence of it.
#[derive(Clone, Debug, Default)]
pub enum Cause {
    #[default]
    None,
    /// The server declined: the fault's word, its reason, and its code.
    Fault { word: String, reason: String, hresult: Option<u32> },
    /// The terms of use ended without a yes: what they said instead, and whether that was the user's decision.
    TermsRefused { said: String, by_user: bool },
    /// An HTTP error without a fault.
    Status(u16),
    /// We answered in the server's place, or nobody did.
    NoAnswer(Option<String>),
    /// A finding explains it.
    Finding { rule: &'static Rule, found: String, hresult: Option<u32>, subject: Subject },
}

/// After how much silence an enrollment counts as stalled, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the probe to Discover: the user may be asked something.
    pub probe: i64,
    /// From Discover to GetPolicies: the user signs in.
    pub discovery: i64,
    /// From the sign-in page to GetPolicies: the user types.
    pub sign_in: i64,
    /// From GetPolicies to RequestSecurityToken: the key is made, and attested for up to 100 seconds.
    pub policy: i64,
    /// From a request without an answer to its repetition.
    pub retry: i64,
    /// From the certificate to the first management session, which follows within a minute if all is well; where the
    /// document has a poll schedule of its own, that decides.
    pub first_sync: i64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            probe: 120_000,
            discovery: 300_000,
            sign_in: 300_000,
            policy: 180_000,
            retry: 60_000,
            first_sync: 1_800_000,
        }
    }
}

/// One attempt of one device to enroll, as far as it can be told apart.
#[derive(Clone, Debug)]
pub struct Enrollment {
    pub id: EnrollmentId,
    pub user: Option<String>,
    pub device_id: Option<String>,
    pub device_name: Option<String>,
    pub os_version: Option<String>,
    pub auth: Option<AuthPolicy>,
    pub flow: Flow,
    /// The device's address, without the port.
    pub address: String,
    /// The host that it asked for last.
    pub host: String,
    /// The last stage of which a message was seen.
    pub stage: Option<Stage>,
    pub outcome: Outcome,
    /// One sentence of at most 160 characters: what happened, or what is awaited.
    pub verdict: String,
    pub owner: Option<Subject>,
    /// The code on the user's screen.
    pub hresult: Option<u32>,
    pub started: Time,
    /// Of the latest exchange.
    pub latest: Time,
    /// When it ended well or badly.
    pub ended: Option<Time>,
    pub exchanges: u64,
    /// How many devices (or attempts) this row may hold: 1, unless they cannot be told apart yet.
    pub threads: usize,
    /// RequestSecurityToken messages seen.
    pub token_requests: u64,
    pub errors: u64,
    pub warnings: u64,
    pub seen: Vec<Stage>,
    pub cause: Cause,
    /// SHA-1 of the certificate that was issued.
    pub issued: Option<String>,
    pub signs: Signs,
    pub(super) last: Last,
}

/// How the latest exchange ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Last {
    /// No answer yet known.
    #[default]
    Open,
    Good,
    /// A good answer, but an error was found in it or in its request.
    Flawed,
    /// A token response that can be used.
    Issued,
    Bad,
    NoAnswer,
}

impl Enrollment {
    /// Everything about it that people look for, as one text.
    pub fn words(&self) -> String {
        let known = [&self.user, &self.device_id, &self.device_name, &self.os_version];
        let words = known.into_iter().flatten().map(String::as_str).chain([
            self.address.as_str(),
            self.host.as_str(),
            self.verdict.as_str(),
            self.outcome.word(),
            self.stage.map_or("", |stage| stage.word()),
            self.owner.map_or("", |owner| owner.word()),
        ]);
        let mut text = String::new();
        for word in words {
            text.push_str(word);
            text.push(' ');
        }
        text.push_str(&format!("{} ", self.id));
        text.extend(self.hresult.map(|code| format!("0x{code:08X} ")));
        text
    }

    pub(super) fn new(id: EnrollmentId, at: Time, address: &str, host: &str) -> Self {
        Self {
            id,
            user: None,
            device_id: None,
            device_name: None,
            os_version: None,
            auth: None,
            flow: Flow::default(),
            address: address.to_owned(),
            host: host.to_owned(),
            stage: None,
            outcome: Outcome::InProgress,
            verdict: String::new(),
            owner: None,
            hresult: None,
            started: at,
            latest: at,
            ended: None,
            exchanges: 0,
            threads: 1,
            token_requests: 0,
            errors: 0,
            warnings: 0,
            seen: Vec::new(),
            cause: Cause::None,
            issued: None,
            signs: Signs::default(),
            last: Last::Open,
        }
    }

    /// Milliseconds since the latest exchange.
    pub fn silent_for(&self, now: Time) -> i64 {
        now.since(self.latest)
    }

    /// What is known now of the way that it takes: a stronger sign is not given up for a weaker one.
    pub(super) fn takes(&mut self, flow: Flow) {
        if !matches!(self.flow, Flow::Renewal | Flow::Entra) || flow == Flow::Renewal {
            self.flow = flow;
        }
    }

    /// What its strip shows for a stage.
    pub fn step(&self, stage: Stage) -> StepState {
        let Some(reached) = self.stage else { return StepState::Ahead };
        let here = stage == reached;
        match self.outcome {
            Outcome::Failed | Outcome::Stalled if here => StepState::Failed,
            _ if here && self.flow.stages().last() == Some(&stage) => StepState::Done,
            Outcome::Enrolled if here => StepState::Done,
            _ if here => StepState::Now,
            _ if stage > reached => StepState::Ahead,
            _ if self.seen.contains(&stage) => StepState::Done,
            _ => StepState::Elsewhere,
        }
    }

    /// Counts a finding.
    pub(super) fn count(&mut self, level: Level) {
        match level {
            Level::Error => self.errors += 1,
            Level::Warning => self.warnings += 1,
            Level::Info => {}
        }
    }

    /// Sets outcome and end from how things stand at `now`.
    pub(super) fn settle(&mut self, now: Time, deadlines: &Deadlines) {
        let silent = self.silent_for(now);
        let deadline = match self.stage {
            Some(Stage::Discovery) if self.auth.is_none() => deadlines.probe,
            Some(Stage::SignIn) => deadlines.sign_in,
            Some(Stage::Policy) => deadlines.policy,
            _ => deadlines.discovery,
        };
        self.outcome = match self.last {
            Last::Issued => Outcome::Enrolled,
            Last::Bad => Outcome::Failed,
            Last::NoAnswer | Last::Open if silent >= deadlines.retry => Outcome::Failed,
            Last::Flawed if silent >= deadline => Outcome::Failed,
            Last::Good if silent >= deadline => Outcome::Stalled,
            Last::NoAnswer | Last::Open | Last::Flawed | Last::Good => Outcome::InProgress,
        };
        self.signs.unsynced = self.outcome == Outcome::Enrolled
            && self.stage == Some(Stage::Configuration)
            && self.flow != Flow::Renewal
            && silent >= self.signs.poll.map_or(deadlines.first_sync, overdue);
        self.ended = match self.outcome {
            Outcome::Enrolled | Outcome::Failed => Some(self.ended.unwrap_or(self.latest)),
            Outcome::InProgress | Outcome::Stalled => None,
        };
    }
}

/// A device whose document has it come every so many minutes has missed two times then; in milliseconds. A document may
/// say anything: five minutes are for the way, and within half a day somebody wants to know.
fn overdue(minutes: u32) -> i64 {
    (i64::from(minutes) * 2 * 60_000).clamp(300_000, 12 * 3_600_000)
}

/// The stage that a message belongs to.
pub fn stage_of(kind: Kind) -> Option<Stage> {
    Some(match kind {
        Kind::TermsOfUse => Stage::Terms,
        Kind::DiscoveryProbe | Kind::DiscoverRequest | Kind::DiscoverResponse => Stage::Discovery,
        Kind::AuthPage | Kind::TokenPage => Stage::SignIn,
        Kind::GetPoliciesRequest | Kind::GetPoliciesResponse => Stage::Policy,
        Kind::SecurityTokenRequest | Kind::SecurityTokenResponse => Stage::Certificate,
        Kind::ManagementSync => Stage::FirstSync,
        Kind::LinkedDiscovery | Kind::Fault | Kind::Other | Kind::None | Kind::NotHttp => return None,
    })
}
