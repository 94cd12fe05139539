//! The protocols as executable rules: one literal per rule, each with its source, its consequence, its remedy and an
//! example that fails.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod authority_fault;
mod catalogue;
mod certificate;
mod check;
mod client_certificate;
mod context;
mod credential;
mod csr;
mod discover;
mod discovery;
mod dmclient;
mod edit;
mod enroll;
mod envelope;
mod fault;
mod http;
mod own;
mod passage;
mod path;
mod policy;
mod policy_answer;
mod policy_attributes;
mod policy_issuers;
mod policy_keys;
mod policy_oids;
mod policy_request;
mod polling;
mod probe;
mod provisioning;
mod renewal;
mod robo;
mod rule;
mod schema;
mod sequence;
mod signature;
mod signin;
mod soap;
mod spec;
mod stores;
mod tls;
mod token;
mod user_token;
mod w7;
mod w7_credentials;

pub use self::tls::covers;
pub use catalogue::{CATALOGUE, Group, Stage, all, by_id, concerning, in_stage};
pub use check::{Check, Context, Evidence, MAX_EVIDENCE, MAX_LOCATED, Verdict};
pub use edit::{apply, apply_to_message};
pub use fault::fault_owner;
pub(crate) use own::PANIC;
pub use rule::{Change, Edit, Example, Finding, Golden, Level, Part, Profile, Rule, Severity, Step, Subject};
pub use spec::{Basis, Cite, Force, Spec};

/// Rules that cannot judge where identities are hidden: they say nothing there, rather than something wrong.
pub const NEED_IDENTITIES: &[&str] =
    &["CMS-005", "CSR-004", "PROV-CS-007", "PROV-CS-016", "XCEP-EXT-001", "XCEP-EXT-002"];

/// The catalogue's own version: it changes whenever a verdict can.
pub const VERSION: &str = "2";
