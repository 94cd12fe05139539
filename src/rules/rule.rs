//! What a rule is: its texts, its severities, and the edits that break it.

use super::check::{Check, Context, Evidence, Verdict};
use super::spec::{Basis, Cite};
use crate::event::{Request, Side};
use crate::message::{Kind, Message, Within};
use crate::xml::Place;

/// One requirement of the protocols, checkable on the wire.
#[derive(Debug)]
pub struct Rule {
    /// Never reused, never renumbered.
    pub id: &'static str,
    /// Names the defect: "allow unknown-auth-policy" reads.
    pub name: &'static str,
    pub severity: Severity,
    /// Who has to act.
    pub subject: Subject,
    pub requirement: &'static str,
    pub cites: &'static [Cite],
    /// What the admin sees.
    pub consequence: &'static str,
    /// What the one who has to act changes.
    pub remedy: &'static str,
    /// The code on the user's screen because of this, where it is known.
    pub hresult: Option<u32>,
    pub check: Check,
    /// Rules that must hold on the same message, else this one skips: one fault gives one finding.
    pub needs: &'static [&'static str],
    pub examples: &'static [Example],
    pub since: &'static str,
}

/// How bad a finding is, by profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Severity {
    /// What stops real devices.
    pub field: Level,
    /// What the letter of the specification demands.
    pub strict: Level,
}

impl Severity {
    pub(super) const ERROR: Self = Self { field: Level::Error, strict: Level::Error };
    /// Breaks a MUST that real peers are known to live with.
    pub(super) const LETTER: Self = Self { field: Level::Warning, strict: Level::Error };
    pub(super) const WARNING: Self = Self { field: Level::Warning, strict: Level::Warning };
    pub(super) const INFO: Self = Self { field: Level::Info, strict: Level::Info };

    pub fn under(self, profile: Profile) -> Level {
        match profile {
            Profile::Field => self.field,
            Profile::Strict => self.strict,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Which severities count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `error` means that an enrollment fails because of it.
    #[default]
    Field,
    /// `error` means that a MUST is broken.
    Strict,
}

impl Profile {
    pub fn word(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Strict => "strict",
        }
    }
}

/// Who has to act on a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    Device,
    Server,
    Network,
    FrontEnd,
    Identity,
    Enrollscope,
}

impl Subject {
    const ALL: [Self; 6] =
        [Self::Device, Self::Server, Self::Network, Self::FrontEnd, Self::Identity, Self::Enrollscope];

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Server => "server",
            Self::Network => "network",
            Self::FrontEnd => "front-end",
            Self::Identity => "identity",
            Self::Enrollscope => "enrollscope",
        }
    }
}

/// A violation, written as an edit of a golden enrollment; it also drives `--break`.
#[derive(Debug)]
pub struct Example {
    pub golden: Golden,
    pub edit: Edit,
    /// Other rules that cannot help failing too; at most two.
    pub also: &'static [&'static str],
}

/// A committed recording that passes every rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Golden {
    OnPremise,
    /// The server declines the token request with a well-made fault.
    Refused,
    /// The authority behind the server denies the request, and the fault says so as a certificate service's does.
    Denied,
    /// The server's policy says all that a policy can, attestation included.
    FullPolicy,
    /// The device enrolls for itself, not for its user, and the server says all that a document can say.
    DeviceContext,
    /// The user signs in on a page of the server's.
    Federated,
    /// A federated enrollment of a version in which the device attests its key.
    Attestation,
    /// A device of a company's cloud directory, set up for its first user, with an Entra token.
    Entra,
    /// A device enrolls by a certificate that it was given, and signs its messages.
    Certificate,
    /// A device enrolls, and renews its certificate some months later.
    Renewal,
}

impl Golden {
    pub const ALL: &[Self] = &[
        Self::OnPremise,
        Self::Refused,
        Self::Denied,
        Self::FullPolicy,
        Self::DeviceContext,
        Self::Federated,
        Self::Attestation,
        Self::Entra,
        Self::Certificate,
        Self::Renewal,
    ];

    /// Its file's name in captures/golden, without the extension.
    pub fn word(self) -> &'static str {
        match self {
            Self::OnPremise => "on-premise",
            Self::Refused => "refused",
            Self::FullPolicy => "full-policy",
            Self::Federated => "federated",
            Self::Entra => "entra",
            Self::Certificate => "certificate",
            Self::Renewal => "renewal",
            Self::Denied => "denied",
            Self::Attestation => "attestation",
            Self::DeviceContext => "device-context",
        }
    }
}

/// A structural change of one place, or of the order of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Message {
        step: Step,
        side: Side,
        part: Part,
        at: &'static str,
        change: Change,
    },
    /// All of these, one after the other: edits of one message that only together break a rule.
    Several(&'static [Edit]),
    /// The exchange does not take place, nor do those after it.
    Stop(Step),
    /// The exchange is left out.
    Drop(Step),
    /// The device's connection fails as named: `unknown_ca` and other alerts, `silent`, `plain-http`, `garbage`.
    Connection(&'static str),
    /// What the tool itself does or meets: `unverified`, `unreachable`, `rewritten`, `cut`, `slow`, and the deviations by
    /// their names.
    Own(&'static str),
}

/// The exchanges of an enrollment, in their order; no way takes all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Entra's terms of use.
    Terms,
    Probe,
    Discover,
    /// The sign-in page is fetched.
    SignIn,
    /// The user's answer to it; the token page comes back.
    Password,
    Policies,
    Token,
    Sync,
}

impl Step {
    /// The step that a request takes.
    pub fn of(request: &Request, kind: Kind) -> Option<Self> {
        match kind {
            Kind::TermsOfUse => Some(Self::Terms),
            Kind::DiscoveryProbe => Some(Self::Probe),
            Kind::DiscoverRequest => Some(Self::Discover),
            Kind::AuthPage if request.method == "POST" => Some(Self::Password),
            Kind::AuthPage => Some(Self::SignIn),
            Kind::GetPoliciesRequest => Some(Self::Policies),
            Kind::SecurityTokenRequest => Some(Self::Token),
            Kind::ManagementSync => Some(Self::Sync),
            Kind::TokenPage
            | Kind::LinkedDiscovery
            | Kind::DiscoverResponse
            | Kind::GetPoliciesResponse
            | Kind::SecurityTokenResponse
            | Kind::Fault
            | Kind::Other
            | Kind::None
            | Kind::NotHttp => None,
        }
    }
}

/// What of a message is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Body,
    Header(&'static str),
    /// The request's target.
    Target,
    Status,
    Framing,
    /// The document inside the token response's base64.
    Provisioning,
    /// The request inside the token request's base64; variants are made by who makes the request.
    Csr,
    /// The issued certificate; variants are made by who issues it.
    Certificate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The text, attribute value, header value, status or framing (`chunked`, `close`) becomes this.
    Set(&'static str),
    Delete,
    Duplicate,
    /// This XML becomes the last thing inside the element.
    Insert(&'static str),
    /// The element goes before its sibling of that local name.
    MoveBefore(&'static str),
    /// The element or header gets another name.
    Rename(&'static str),
    /// Bytes that make it unreadable.
    Corrupt,
    /// Made so from the start, by name: see the simulated device and authority.
    Variant(&'static str),
}

impl Example {
    const fn message(step: Step, side: Side, part: Part, at: &'static str, change: Change) -> Self {
        Self::edit(Edit::Message { step, side, part, at, change })
    }

    pub(super) const fn edit(edit: Edit) -> Self {
        Self { golden: Golden::OnPremise, edit, also: &[] }
    }

    pub(super) const fn request(step: Step, at: &'static str, change: Change) -> Self {
        Self::message(step, Side::Request, Part::Body, at, change)
    }

    pub(super) const fn response(step: Step, at: &'static str, change: Change) -> Self {
        Self::message(step, Side::Response, Part::Body, at, change)
    }

    pub(super) const fn part(step: Step, side: Side, part: Part, change: Change) -> Self {
        Self::message(step, side, part, "", change)
    }

    pub(super) const fn provisioning(at: &'static str, change: Change) -> Self {
        Self::message(Step::Token, Side::Response, Part::Provisioning, at, change)
    }

    /// The same edit of another recording.
    pub(super) const fn on(self, golden: Golden) -> Self {
        Self { golden, ..self }
    }

    /// The same edit of the recording in which the server declines.
    pub(super) const fn refused(self) -> Self {
        self.on(Golden::Refused)
    }

    /// The same edit of the recording with the full policy.
    pub(super) const fn full(self) -> Self {
        self.on(Golden::FullPolicy)
    }

    pub(super) const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }
}

/// A rule that failed, where, and how.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: &'static Rule,
    pub level: Level,
    /// Absent for findings on a connection.
    pub side: Option<Side>,
    pub within: Within,
    pub path: String,
    pub place: Option<Place>,
    /// Where the base64 token that holds the text starts in the body, in bytes.
    pub outer_offset: Option<u64>,
    pub expected: String,
    pub found: String,
    /// The code on the user's screen, where it is known.
    pub hresult: Option<u32>,
    /// Who has to act.
    pub subject: Subject,
}

impl Finding {
    pub(crate) fn new(rule: &'static Rule, profile: Profile, side: Option<Side>, evidence: Evidence) -> Self {
        Self {
            rule,
            level: rule.severity.under(profile),
            side,
            within: evidence.within,
            path: evidence.path,
            place: evidence.place,
            outer_offset: evidence.outer_offset,
            expected: evidence.expected,
            found: evidence.found,
            hresult: evidence.hresult.or(rule.hresult),
            // Rules for both directions are written with the server in mind; a request is the device's.
            subject: match (evidence.subject, rule.check, side) {
                (Some(subject), ..) => subject,
                (None, Check::Xml(_) | Check::Soap(_), Some(Side::Request))
                    if rule.subject == Subject::Server =>
                {
                    Subject::Device
                }
                _ => rule.subject,
            },
        }
    }

    /// Whether what answers is to blame: the server, or what stands before it.
    pub(crate) fn is_about_the_answer(&self) -> bool {
        self.side == Some(Side::Response) && !matches!(self.subject, Subject::Device | Subject::Enrollscope)
    }
}

impl Rule {
    /// How sure it is that a breach shows as its code: as the best of its sources has it.
    pub fn basis(&self) -> Basis {
        let of = |basis| self.cites.iter().any(|cite| cite.basis() == basis);
        match () {
            () if of(Basis::Documented) => Basis::Documented,
            () if of(Basis::Observed) => Basis::Observed,
            () => Basis::Inferred,
        }
    }

    /// Applies the rule to a message. A rule that panics is our bug: the engine turns it into a finding about us.
    pub fn run(&self, message: &Message, context: &Context<'_>) -> Verdict {
        if context.earlier.told.contains(&self.id) {
            return Verdict::Skip;
        }
        self.check.run(message, context)
    }
}
