//! Every rule there is, by subject, in the order of an enrollment.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::rule::Rule;
use super::{
    authority_fault, certificate, context, credential, csr, discover, discovery, dmclient, enroll, envelope,
    fault, http, own, passage, policy, policy_answer, policy_attributes, policy_issuers, policy_keys,
    policy_oids, policy_request, polling, probe, provisioning, renewal, robo, sequence, signature, signin,
    soap, stores, tls, token, user_token, w7, w7_credentials,
};

use crate::event::Side;
use crate::message::Kind;

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
    Group { title: "HTTP: who sends, and what is on the way", rules: passage::RULES },
    Group { title: "SOAP and WS-Addressing", rules: soap::RULES },
    Group { title: "SOAP: envelope and headers", rules: envelope::RULES },
    Group { title: "Discovery: probe", rules: probe::RULES },
    Group { title: "Discovery: request", rules: discover::RULES },
    Group { title: "Discovery: answer", rules: discovery::RULES },
    Group { title: "Sign-in and terms of use", rules: signin::RULES },
    Group { title: "Credentials", rules: credential::RULES },
    Group { title: "Credentials: tokens", rules: user_token::RULES },
    Group { title: "Credentials: certificates and signatures", rules: signature::RULES },
    Group { title: "Enrollment policy (XCEP): request", rules: policy_request::RULES },
    Group { title: "Enrollment policy (XCEP): answer", rules: policy_answer::RULES },
    Group { title: "Enrollment policy (XCEP): what devices use", rules: policy::RULES },
    Group { title: "Enrollment policy (XCEP): attributes", rules: policy_attributes::RULES },
    Group { title: "Enrollment policy (XCEP): private key", rules: policy_keys::RULES },
    Group { title: "Enrollment policy (XCEP): object identifiers", rules: policy_oids::RULES },
    Group { title: "Enrollment policy (XCEP): authorities and extensions", rules: policy_issuers::RULES },
    Group { title: "Certificate request (PKCS#10)", rules: csr::RULES },
    Group { title: "Security token (WSTEP): request", rules: enroll::RULES },
    Group { title: "Security token (WSTEP): context items", rules: context::RULES },
    Group { title: "Security token (WSTEP): answer", rules: token::RULES },
    Group { title: "Renewal and recovery", rules: robo::RULES },
    Group { title: "Provisioning document", rules: provisioning::RULES },
    Group { title: "Provisioning document: certificate stores", rules: stores::RULES },
    Group { title: "Provisioning document: certificates", rules: certificate::RULES },
    Group { title: "Provisioning document: renewal", rules: renewal::RULES },
    Group { title: "Provisioning document: management account", rules: w7::RULES },
    Group { title: "Provisioning document: credentials of the sessions", rules: w7_credentials::RULES },
    Group { title: "Provisioning document: management client", rules: dmclient::RULES },
    Group { title: "Provisioning document: poll schedules", rules: polling::RULES },
    Group { title: "Faults", rules: fault::RULES },
    Group { title: "Faults: the authority behind the server", rules: authority_fault::RULES },
    Group { title: "Across messages", rules: sequence::RULES },
    Group { title: "The tool itself", rules: own::RULES },
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

/// The rule with that id or name; ids compare without case.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id.eq_ignore_ascii_case(id) || rule.name == id)
}
