//! Rules on GetPolicies and its response (MS-XCEP, narrowed by MS-MDE2 3.3.4.1.1).

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Example, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::message::certificate::digest_of;
use crate::message::{GetPoliciesResponse, Policy, Spot};

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/GetPoliciesResponse/response/policies/policy/attributes/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "POL-REQ-001",
        name: "get-policies-incomplete",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "GetPolicies has client and requestFilter.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.3",
            "The following elements with their specified values MUST be included in the SOAP body of the request message.",
        )],
        consequence: "Strict servers decline the request.",
        remedy: "Real devices send both: look at the tool that made this request.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| match (&m.client, &m.request_filter) {
            (None, _) => cx.fail(&m.spot.missing("client"), "client", "absent"),
            (_, None) => cx.fail(&m.spot.missing("requestFilter"), "requestFilter", "absent"),
            _ => Verdict::Pass,
        }),
        needs: &[],
        examples: &[Example::request(
            Step::Policies,
            "Envelope/Body/GetPolicies/requestFilter",
            Change::Delete,
        )],
        since: "0.1.0",
    },
    Rule {
        id: "POL-REQ-002",
        name: "get-policies-with-filter",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "lastUpdate, preferredLanguage and requestFilter are nil.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.3",
            "The following elements with their specified values MUST be included in the SOAP body of the request message.",
        )],
        consequence: "It is another XCEP client than Windows' enrollment: the answer may leave out policies.",
        remedy: "Look at the tool that made this request.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| {
            let fields: Vec<_> =
                [&m.last_update, &m.preferred_language, &m.request_filter].into_iter().flatten().collect();
            if fields.is_empty() {
                return Verdict::Skip;
            }
            let given = fields.into_iter().filter(|f| !f.nil);
            Verdict::from_evidence(given.map(|f| cx.evidence(&f.spot, "nil", f.value.clone())).collect())
        }),
        needs: &["POL-REQ-001"],
        examples: &[Example::request(
            Step::Policies,
            "Envelope/Body/GetPolicies/client/lastUpdate/@nil",
            Change::Set("false"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-002",
        name: "no-policy",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The answer holds at least one policy.",
        cites: &[Cite::must(Spec::MsXcep, "3.1.4.1.3.19", "policy")],
        consequence: "The device makes a default key: RSA 2048 and its default hash.",
        remedy: "Return one policy with its attributes; check that the user may read the template.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            Verdict::check(!m.policies.is_empty(), || {
                let parent = m.response.as_ref().unwrap_or(&m.spot);
                let found = if m.policies_element.as_ref().is_some_and(|f| f.nil) { "nil" } else { "none" };
                cx.fail(&parent.missing("policies"), "at least one policy", found)
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            "Envelope/Body/GetPoliciesResponse/response/policies/policy",
            Change::Delete,
        )],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-003",
        name: "policy-schema-not-3",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "policySchema is 3.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.2",
            "The value MUST be 3 (see [MS-XCEP] section 3.1.4.1.3.1).",
        )],
        consequence: "The hash algorithm, which only schema 3 has, may be ignored.",
        remedy: "Set policySchema to 3.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, parent, cx| match &policy.schema {
                Some(schema) if schema.value == "3" => Verdict::Pass,
                schema => cx.fail_field(schema.as_ref(), (parent, "policySchema"), "3"),
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(Step::Policies, at!("policySchema"), Change::Set("2"))],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-004",
        name: "hash-reference-dangling",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "hashAlgorithmOIDReference, unless nil, refers to an oID of the answer.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.2",
            "The referenced object identifier (OID) MUST be in the <GetPoliciesResponse> element",
        )],
        consequence: "The device signs its request with its default hash.",
        remedy: "Add an oID with this oIDReferenceID, or refer to one that is there.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| match policy.hash_oid_reference.as_ref().filter(|r| !r.nil) {
                None => Verdict::Skip,
                Some(reference) => Verdict::check(m.oid(&reference.value).is_some(), || {
                    let known: Vec<_> =
                        m.oids.iter().filter_map(|o| o.reference.as_ref()).map(|r| r.value.clone()).collect();
                    cx.fail(&reference.spot, format!("one of: {}", known.join(", ")), reference.value.clone())
                }),
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(Step::Policies, at!("hashAlgorithmOIDReference"), Change::Set("9"))],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-005",
        name: "hash-oid-is-no-hash",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The hash algorithm's OID is that of a hash or a signature algorithm.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.2",
            "The value MUST conform to the constraints specified in [MS-XCEP] section 3.1.4.1.3.16.",
        )],
        consequence: "The device signs its request with its default hash.",
        remedy: "Refer to SHA-256: 2.16.840.1.101.3.4.2.1.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let reference = policy.hash_oid_reference.as_ref().filter(|r| !r.nil);
                let oid = reference.and_then(|r| m.oid(&r.value)).and_then(|o| o.value.as_ref());
                match oid {
                    None => Verdict::Skip,
                    Some(oid) => Verdict::check(digest_of(&oid.value).is_some(), || {
                        cx.fail(&oid.spot, "a hash, like 2.16.840.1.101.3.4.2.1", oid.value.clone())
                    }),
                }
            })
        }),
        needs: &["POL-RSP-004"],
        examples: &[Example::response(
            Step::Policies,
            "Envelope/Body/GetPoliciesResponse/oIDs/oID/value",
            Change::Set("1.3.6.1.4.1.311.20.2"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-007",
        name: "weak-or-missing-key-length",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "minimalKeyLength is a number of bits, 2048 or more.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.20",
            "The value of the <minimalKeyLength> element MUST be a positive nonzero number.",
        )],
        consequence: "The device may make a key that authorities refuse, or none.",
        remedy: "Set minimalKeyLength to 2048.",
        hresult: Some(0x8018_0027),
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, parent, cx| {
                let parent = policy.private_key.as_ref().unwrap_or(parent);
                match &policy.minimal_key_length {
                    Some(length) if length.value.parse::<u32>().is_ok_and(|n| n >= 2048) => Verdict::Pass,
                    length => cx.fail_field(length.as_ref(), (parent, "minimalKeyLength"), "2048 or more"),
                }
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("privateKeyAttributes/minimalKeyLength"),
                Change::Set("1024"),
            ),
            Example::response(Step::Policies, at!("privateKeyAttributes/minimalKeyLength"), Change::Set("0")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-009",
        name: "unknown-crypto-provider",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The crypto providers are ones that Windows has.",
        cites: &[Cite::observed(
            Spec::Sdk,
            "MENROLL_E_CERTPOLICY_PRIVATEKEYCREATION_FAILED",
            "0x80180027: the device could not make its key.",
        )],
        consequence: "The device cannot make its key with a provider that it does not have.",
        remedy: "Name Microsoft Platform Crypto Provider, then Microsoft Software Key Storage Provider.",
        hresult: Some(0x8018_0027),
        check: Check::GetPoliciesResponse(|m, cx| {
            let named: Vec<_> = m.policies.iter().flat_map(|p| &p.providers).collect();
            if named.is_empty() {
                return Verdict::Skip;
            }
            let unknown = named.into_iter().filter(|f| !PROVIDERS.contains(&f.value.as_str()));
            Verdict::from_evidence(
                unknown.map(|f| cx.evidence(&f.spot, "a provider of Windows", f.value.clone())).collect(),
            )
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("privateKeyAttributes/cryptoProviders/provider[1]"),
            Change::Set("Contoso Key Store"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-014",
        name: "renewal-not-before-end",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The policy's renewal period is shorter than its validity period, and both are above 0.",
        cites: &[Cite::must(Spec::MsXcep, "3.1.4.1.3.8", "validityPeriodSeconds")],
        consequence: "Clients that follow it renew at once or never.",
        remedy: "Give the validity in seconds, and a part of it for renewal.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let (Some(validity), Some(renewal)) = (&policy.validity, &policy.renewal) else {
                    return Verdict::Skip;
                };
                let (valid, renew) = (validity.value.parse::<u64>(), renewal.value.parse::<u64>());
                let fits = matches!((&valid, &renew), (Ok(valid), Ok(renew)) if 0 < *renew && renew < valid);
                Verdict::check(fits, || {
                    cx.fail(&renewal.spot, format!("1 to {}", validity.value), renewal.value.clone())
                })
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("certificateValidity/renewalPeriodSeconds"),
            Change::Set("99999999"),
        )],
        since: "0.1.0",
    },
];

const PROVIDERS: &[&str] = &[
    "Microsoft Platform Crypto Provider",
    "Microsoft Software Key Storage Provider",
    "Microsoft Smart Card Key Storage Provider",
    "Microsoft Passport Key Storage Provider",
    "Microsoft Enhanced RSA and AES Cryptographic Provider",
    "Microsoft RSA SChannel Cryptographic Provider",
    "Microsoft Enhanced Cryptographic Provider v1.0",
    "Microsoft Base Cryptographic Provider v1.0",
    "Microsoft Strong Cryptographic Provider",
];

/// Judges every policy; skips when there is none, or when none has what is judged.
fn each(
    m: &GetPoliciesResponse,
    cx: &Context<'_>,
    judge: impl Fn(&Policy, &Spot, &Context<'_>) -> Verdict,
) -> Verdict {
    let mut evidence = Vec::new();
    let mut judged = false;
    for policy in &m.policies {
        match judge(policy, policy.attributes.as_ref().unwrap_or(&policy.spot), cx) {
            Verdict::Skip => {}
            Verdict::Pass => judged = true,
            Verdict::Fail(found) => evidence.extend(found),
        }
    }
    if evidence.is_empty() && !judged { Verdict::Skip } else { Verdict::from_evidence(evidence) }
}
