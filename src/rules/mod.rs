//! The protocols as executable rules: one literal per rule, each with its source, its consequence, its remedy and an
//! example that fails.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod check;
mod credential;
mod csr;
mod discover;
mod discovery;
mod document;
mod edit;
mod enroll;
mod fault;
mod http;
mod own;
mod path;
mod policy;
mod provisioning;
mod renewal;
mod robo;
mod rule;
mod sequence;
mod signature;
mod signin;
mod soap;
mod spec;
mod stores;
mod tls;
mod token;

pub use check::{Check, Context, Evidence, Verdict};
pub use document::{describe, markdown, section};
pub use edit::{apply, apply_to_message};
pub use fault::fault_owner;
pub(crate) use own::PANIC;
pub use rule::{Change, Edit, Example, Finding, Golden, Level, Part, Profile, Rule, Severity, Step, Subject};
pub use spec::{Cite, Force, Spec};

/// The catalogue's own version: it changes whenever a verdict can.
pub const VERSION: &str = "1";

/// Rules that belong together, under one heading.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    pub rules: &'static [Rule],
}

/// Every rule there is, in the order of an enrollment.
pub static CATALOGUE: &[Group] = &[
    Group { title: "Connection and TLS", rules: tls::RULES },
    Group { title: "HTTP", rules: http::RULES },
    Group { title: "SOAP and WS-Addressing", rules: soap::RULES },
    Group { title: "Discovery: request", rules: discover::RULES },
    Group { title: "Discovery: answer", rules: discovery::RULES },
    Group { title: "Sign-in and terms of use", rules: signin::RULES },
    Group { title: "Credentials", rules: credential::RULES },
    Group { title: "Credentials: tokens", rules: token::RULES },
    Group { title: "Credentials: certificates and signatures", rules: signature::RULES },
    Group { title: "Enrollment policy (XCEP)", rules: policy::RULES },
    Group { title: "Certificate request (PKCS#10)", rules: csr::RULES },
    Group { title: "Security token (WSTEP)", rules: enroll::RULES },
    Group { title: "Renewal and recovery", rules: robo::RULES },
    Group { title: "Provisioning document: certificates", rules: stores::RULES },
    Group { title: "Provisioning document: renewal", rules: renewal::RULES },
    Group { title: "Provisioning document: management client", rules: provisioning::RULES },
    Group { title: "Faults", rules: fault::RULES },
    Group { title: "Across messages", rules: sequence::RULES },
    Group { title: "The tool itself", rules: own::RULES },
];

/// All rules, in the catalogue's order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    CATALOGUE.iter().flat_map(|group| group.rules)
}

/// The rule with that id or name; ids compare without case.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id.eq_ignore_ascii_case(id) || rule.name == id)
}
