//! Every rule there is, by subject, in the order of an enrollment.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::rule::Rule;
use super::{
    authority_fault, certificate, client_certificate, context, credential, csr, discover, discovery,
    dmclient, enroll, envelope, fault, http, own, passage, policy, policy_answer, policy_attributes,
    policy_issuers, policy_keys, policy_oids, policy_request, polling, probe, provisioning, renewal, robo,
    sequence, signature, signin, soap, stores, tls, token, user_token, w7, w7_credentials,
};

use crate::event::Side;
use crate::message::Kind;

/// What happens in an enrollment, in its order, and what is true of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Connection,
    Discovery,
    SignIn,
    Policy,
    Certificate,
    Configuration,
    Renewal,
    Faults,
    Across,
    Tool,
}

impl Stage {
    pub const ALL: &[Self] = &[
        Self::Connection,
        Self::Discovery,
        Self::SignIn,
        Self::Policy,
        Self::Certificate,
        Self::Configuration,
        Self::Renewal,
        Self::Faults,
        Self::Across,
        Self::Tool,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Discovery => "discovery",
            Self::SignIn => "sign-in",
            Self::Policy => "policy",
            Self::Certificate => "certificate",
            Self::Configuration => "configuration",
            Self::Renewal => "renewal",
            Self::Faults => "faults",
            Self::Across => "across",
            Self::Tool => "tool",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Connection => "Connection",
            Self::Discovery => "Discovery",
            Self::SignIn => "Sign-in",
            Self::Policy => "Enrollment policy",
            Self::Certificate => "Certificate",
            Self::Configuration => "Configuration",
            Self::Renewal => "Renewal",
            Self::Faults => "Faults",
            Self::Across => "Across messages",
            Self::Tool => "The tool itself",
        }
    }

    /// What happens there, for somebody who has not seen an enrollment.
    pub fn text(self) -> &'static str {
        match self {
            Self::Connection => {
                "The device connects over HTTPS and sends SOAP messages in POST requests: what holds for every connection, \
                 every request and every envelope."
            }
            Self::Discovery => {
                "The device looks for its server under the mail domain of the user, and asks it (Discover) how to sign in \
                 and where the other services are."
            }
            Self::SignIn => {
                "The user shows who they are: with a password, on a sign-in page that hands a token to the device, with a \
                 token of Entra's, or the device does with a certificate; both later requests carry it in their headers."
            }
            Self::Policy => {
                "The device asks (GetPolicies, MS-XCEP) what key to make and which hash to sign with, and the server answers \
                 with a certificate policy."
            }
            Self::Certificate => {
                "The device makes its key and asks (RequestSecurityToken, MS-WSTEP) for a certificate, with facts about \
                 itself; the answer brings one base64 token."
            }
            Self::Configuration => {
                "That token is a provisioning document: the certificate that was issued, the roots to trust, and how the \
                 device reaches its management server and when."
            }
            Self::Renewal => {
                "Some weeks before its certificate ends, the device asks for the next one, and signs the request with the \
                 old one."
            }
            Self::Faults => {
                "A server that declines says so with a SOAP fault, of which the device makes the code and the text on the \
                 user's screen."
            }
            Self::Across => "What one message says has to fit what was said before.",
            Self::Tool => {
                "What enrollscope itself met or did on the way, so that nobody takes it for the server's."
            }
        }
    }
}

/// Rules that belong together, under one heading.
#[derive(Debug)]
pub struct Group {
    pub stage: Stage,
    pub title: &'static str,
    pub rules: &'static [Rule],
}

const fn group(stage: Stage, title: &'static str, rules: &'static [Rule]) -> Group {
    Group { stage, title, rules }
}

/// Every rule there is, in the order of an enrollment; the groups of a stage stand together.
pub static CATALOGUE: &[Group] = &[
    group(Stage::Connection, "TLS", tls::RULES),
    group(Stage::Connection, "HTTP", http::RULES),
    group(Stage::Connection, "Who sends, and what is on the way", passage::RULES),
    group(Stage::Connection, "SOAP and WS-Addressing", soap::RULES),
    group(Stage::Connection, "Envelope and headers", envelope::RULES),
    group(Stage::Discovery, "The probe", probe::RULES),
    group(Stage::Discovery, "The request", discover::RULES),
    group(Stage::Discovery, "The answer", discovery::RULES),
    group(Stage::SignIn, "Sign-in page and terms of use", signin::RULES),
    group(Stage::SignIn, "Credentials in the messages", credential::RULES),
    group(Stage::SignIn, "Tokens", user_token::RULES),
    group(Stage::SignIn, "Certificates and signatures", signature::RULES),
    group(Stage::Policy, "The request", policy_request::RULES),
    group(Stage::Policy, "The answer", policy_answer::RULES),
    group(Stage::Policy, "What devices use", policy::RULES),
    group(Stage::Policy, "Attributes", policy_attributes::RULES),
    group(Stage::Policy, "The private key", policy_keys::RULES),
    group(Stage::Policy, "Object identifiers", policy_oids::RULES),
    group(Stage::Policy, "Authorities and extensions", policy_issuers::RULES),
    group(Stage::Certificate, "The certificate request (PKCS#10)", csr::RULES),
    group(Stage::Certificate, "The message", enroll::RULES),
    group(Stage::Certificate, "Context items: facts about the device", context::RULES),
    group(Stage::Certificate, "The answer", token::RULES),
    group(Stage::Configuration, "The document", provisioning::RULES),
    group(Stage::Configuration, "Certificate stores", stores::RULES),
    group(Stage::Configuration, "Certificates", certificate::RULES),
    group(Stage::Configuration, "Settings for the renewal", renewal::RULES),
    group(Stage::Configuration, "Management account", w7::RULES),
    group(Stage::Configuration, "Credentials of the management sessions", w7_credentials::RULES),
    group(Stage::Configuration, "Management client", dmclient::RULES),
    group(Stage::Configuration, "Poll schedules", polling::RULES),
    group(Stage::Renewal, "Renewal and recovery", robo::RULES),
    group(Stage::Renewal, "The certificate in TLS", client_certificate::RULES),
    group(Stage::Faults, "The fault", fault::RULES),
    group(Stage::Faults, "The authority behind the server", authority_fault::RULES),
    group(Stage::Across, "Order and addresses", sequence::RULES),
    group(Stage::Tool, "enrollscope on the way", own::RULES),
];

/// All rules, in the catalogue's order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    CATALOGUE.iter().flat_map(|group| group.rules)
}

/// The rules that can apply to messages of this kind, in the catalogue's order.
pub fn concerning(side: Side, kind: Kind) -> &'static [&'static Rule] {
    static BY_KIND: OnceLock<HashMap<(Side, Kind), Vec<&'static Rule>>> = OnceLock::new();
    let by_kind = BY_KIND.get_or_init(|| {
        let sides = [Side::Request, Side::Response];
        let all_kinds = sides.iter().flat_map(|side| Kind::ALL.iter().map(move |kind| (*side, *kind)));
        let of = |(side, kind)| all().filter(move |rule| rule.check.concerns(side, kind)).collect();
        all_kinds.map(|key| (key, of(key))).collect()
    });
    by_kind.get(&(side, kind)).map(Vec::as_slice).unwrap_or_default()
}

/// The groups of a stage.
pub fn in_stage(stage: Stage) -> impl Iterator<Item = &'static Group> {
    CATALOGUE.iter().filter(move |group| group.stage == stage)
}

/// The rule with that id or name; ids compare without case.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id.eq_ignore_ascii_case(id) || rule.name == id)
}

impl Rule {
    /// The group that it stands in.
    pub fn group(&self) -> Option<&'static Group> {
        CATALOGUE.iter().find(|group| group.rules.iter().any(|rule| rule.id == self.id))
    }
}
