//! Rules on what a device uses of a GetPoliciesResponse (MS-MDE2 3.3.4.1.1.2), attestation included.

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Example, Rule, Severity, Step, Subject};
use super::schema::{as_declared, breaches};
use super::soap::is_https_url;
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
        id: "POL-RSP-002",
        name: "no-policy",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The answer holds at least one policy.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.19",
            "<xs:element name=\"policy\" type=\"xcep:CertificateEnrollmentPolicy\" minOccurs=\"1\" maxOccurs=\"unbounded\" />",
        )],
        consequence: "The device makes a default key: RSA 2048 and its default hash.",
        remedy: "Return one policy with its attributes; check that the user may read the template.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            if m.is_unchanged() && m.policies.is_empty() {
                return Verdict::Skip; // XCEP-RESP-009 says to whom that may be said.
            }
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
                Some(schema) if schema.value == "3" && !schema.nil => Verdict::Pass,
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
        consequence: "The device finds no hash algorithm, and signs its request with its default.",
        remedy: "Add an oID with this oIDReferenceID, or refer to one that is there.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| match policy.hash_oid_reference.as_ref().filter(|r| !r.nil) {
                None => Verdict::Skip,
                Some(reference) => Verdict::check(m.oid(&reference.value).is_some(), || {
                    let references = m.oids.iter().filter_map(|o| o.reference.as_ref());
                    let known: Vec<_> = references.take(NAMED).map(|r| r.value.as_str()).collect();
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
        consequence: "The device cannot hash with it, and signs its request with its default.",
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
        requirement: "minimalKeyLength is a number of bits: 2048 or more for RSA, 256 or more for elliptic curves.",
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
                if policy.attributes.is_none() {
                    return Verdict::Skip;
                }
                let parent = policy.private_key.as_ref().unwrap_or(parent);
                let algorithm = policy.algorithm_oid_reference.as_ref().and_then(|r| m.dotted(r));
                let elliptic = algorithm.is_some_and(is_elliptic);
                let (least, expected) =
                    if elliptic { (256, "256, 384 or 521") } else { (2048, "2048 or more") };
                match &policy.minimal_key_length {
                    Some(length) if length.number::<u32>().is_some_and(|n| n >= least) => Verdict::Pass,
                    length => cx.fail_field(length.as_ref(), (parent, "minimalKeyLength"), expected),
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
        requirement: "The policy's renewal period is shorter than its validity period.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.8",
            "The <renewalPeriodSeconds> element is the recommended renewal period of an issued certificate.",
        )],
        consequence: "Clients that follow the policy renew as soon as they are enrolled.",
        remedy: "Give the validity in seconds, and a part of it for renewal.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let (Some(validity), Some(renewal)) = (&policy.validity, &policy.renewal) else {
                    return Verdict::Skip;
                };
                let (Some(valid), Some(renew)) = (validity.number::<u64>(), renewal.number::<u64>()) else {
                    return Verdict::Skip;
                };
                Verdict::check(renew < valid, || {
                    cx.fail(&renewal.spot, format!("less than {}", validity.value), renewal.value.clone())
                })
            })
        }),
        needs: &["POL-RSP-001", "XCEP-ATTR-004"],
        examples: &[Example::response(
            Step::Policies,
            at!("certificateValidity/renewalPeriodSeconds"),
            Change::Set("99999999"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-006",
        name: "hash-oid-in-other-group",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The hash algorithm's oID is in group 1 (or 4, as Microsoft's sample has it).",
        cites: &[
            Cite::should(Spec::MsMde2, "3.3.4.1.1.2", "For example, the <group> element value is 1."),
            Cite::observed(Spec::MsMde2, "4.2.2", "The sample has SHA-256 in group 4, and devices take it."),
        ],
        consequence: "A client that goes by the group does not find the hash algorithm.",
        remedy: "Put it into group 1.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let reference = policy.hash_oid_reference.as_ref().filter(|r| !r.nil);
                match reference.and_then(|r| m.oid(&r.value)).and_then(|oid| oid.group.as_ref()) {
                    None => Verdict::Skip,
                    Some(group) => Verdict::check(matches!(group.value.as_str(), "1" | "4"), || {
                        cx.fail(&group.spot, "1", group.value.clone())
                    }),
                }
            })
        }),
        needs: &["POL-RSP-001", "POL-RSP-005", "XCEP-OID-002"],
        examples: &[Example::response(
            Step::Policies,
            "Envelope/Body/GetPoliciesResponse/oIDs/oID/group",
            Change::Set("9"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-010",
        name: "unknown-attestation-behavior",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The attestation failure behavior is FailOnError, IgnoreOnError or RetryOnError.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.2",
            "If used, this node MUST have a value FailOnError, IgnoreOnError, or RetryOnError.",
        )],
        consequence: "The device does what it does by default: it tries again until the time is over.",
        remedy: "Write FailOnError, IgnoreOnError or RetryOnError with exactly these capitals.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let given = |policy: &Policy| policy.attestation_behavior().is_some();
            let found = breaches(cx, "POL-RSP-010");
            if found.is_empty() && !m.policies.iter().any(given) {
                return Verdict::Skip;
            }
            Verdict::from_evidence(found)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("attestation/attestationFailureBehavior"),
                Change::Set("Ignore"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("privateKeyAttributes/AttestationFailureBehavior"),
                Change::Set("ignoreonerror"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-011",
        name: "attestation-timeout-not-a-number",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The operation timeout for attestation is a number of seconds.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.3.4.1.1.2",
            "If used, this lists the time, in seconds, that the OS will continue attempting",
        )],
        consequence: "The device uses its default of 100 seconds.",
        remedy: "Write a whole number of seconds.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "POL-RSP-011")),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("attestation/operationTimeout"), Change::Set("100s"))
                .full(),
            Example::response(
                Step::Policies,
                at!("privateKeyAttributes/OperationTimeout"),
                Change::Set("PT100S"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-012",
        name: "unusable-azure-attestation",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "azureAttestation has a nonce, and an endpointUri that is an absolute https URL.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.3.4.1.1.2",
            "The client code will call this Azure Attestation endpoint to perform the AzureAttestation flow.",
        )],
        consequence: "The device cannot attest itself; whether enrollment goes on is for the failure behavior to say.",
        remedy: "Send the whole https address, unlike Microsoft's sample.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let Some(attestation) = policy.attestation.as_ref().filter(|a| a.azure.is_some()) else {
                    return Verdict::Skip;
                };
                let (nonce, endpoint) = (&attestation.nonce, &attestation.endpoint);
                let empty = nonce.iter().filter(|f| !f.is_given());
                let mut evidence: Vec<_> = empty.map(|f| cx.evidence(&f.spot, "a nonce", "empty")).collect();
                for uri in endpoint.iter().filter(|f| !is_https_url(&f.value)) {
                    evidence.push(cx.evidence(&uri.spot, "https://HOST/PATH", uri.value.clone()));
                }
                Verdict::from_evidence(evidence)
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("attestation/azureAttestation/endpointUri"),
                Change::Set("attest.azure.net/attest"),
            )
            .full(),
            Example::response(Step::Policies, at!("attestation/azureAttestation/nonce"), Change::Set(""))
                .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-013",
        name: "attestation-must-succeed",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "Attestation that fails does not end the enrollment.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.3.4.1.1.2",
            "If FailOnError is used, Certificate Attestation will be attempted once, and if it fails, Enrollment will fail.",
        )],
        consequence: "Virtual machines and devices without a working TPM cannot enroll.",
        remedy: "Use IgnoreOnError or RetryOnError, unless that is what you want.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| match policy.attestation_behavior().filter(|f| !f.nil) {
                None => Verdict::Skip,
                Some(field) => Verdict::check(field.value != "FailOnError", || {
                    cx.fail(&field.spot, "IgnoreOnError or RetryOnError", field.value.clone())
                }),
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("attestation/attestationFailureBehavior"),
            Change::Set("FailOnError"),
        )
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-017",
        name: "attestation-misspelled",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "What is said about attestation is spelled as the specification spells it, which differs by place.",
        cites: &[
            Cite::should(Spec::MsMde2, "3.3.4.1.1.2", "privatekeyattributes/AttestationFailureBehavior"),
            Cite::should(Spec::MsMde2, "3.3.4.1.1.2", "attestation/attestationFailureBehavior"),
        ],
        consequence: "The device does not find it, and uses its defaults.",
        remedy: "AttestationFailureBehavior and OperationTimeout in privateKeyAttributes before cryptoProviders; with small first letters inside attestation.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "POL-RSP-017")),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("privateKeyAttributes/AttestationFailureBehavior"),
                Change::Rename("attestationFailureBehavior"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attestation/operationTimeout"),
                Change::Rename("OperationTimeout"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-KEY-009",
        name: "attestation-for-newer-version",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "Attestation is asked for only from EnrollmentVersion 5.0 on, in an element of its own from 6.0 on.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "3.3.4.1.1.2",
                "This is an optional node if the EnrollmentVersion value is 5.0 or higher.",
            ),
            Cite::should(
                Spec::MsMde2,
                "3.3.4.1.1.2",
                "This node is available on EnrollmentVersion value 6.0 or higher.",
            ),
        ],
        consequence: "The device does not look at it, and sends no proof.",
        remedy: "Answer discovery with the higher version, if the device knows it, or leave these elements out.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let version = cx.earlier.answer.as_ref().and_then(|a| a.version.parse::<f32>().ok());
            let Some(version) = version else { return Verdict::Skip };
            each(m, cx, |policy, _, cx| {
                let key = &policy.key_attestation;
                let old = [&key.behavior, &key.timeout].into_iter().flatten().map(|f| (5.0, &f.spot));
                let new = policy.attestation.iter().filter_map(|a| Some((6.0, a.spot.as_ref()?)));
                let asked: Vec<_> = old.chain(new).collect();
                let early = asked.iter().filter(|(least, _)| version < *least);
                let evidence: Vec<_> = early
                    .map(|(least, spot)| {
                        let expected = format!("EnrollmentVersion {least:.1} or higher");
                        cx.evidence(spot, expected, format!("{version:.1}"))
                    })
                    .collect();
                if asked.is_empty() { Verdict::Skip } else { Verdict::from_evidence(evidence) }
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Discover,
            "Envelope/Body/DiscoverResponse/DiscoverResult/EnrollmentVersion",
            Change::Set("5.0"),
        )
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-KEY-010",
        name: "attestation-nil-with-content",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "What is said about attestation is not nil and filled at the same time.",
        cites: &[
            Cite::must(Spec::XmlSchema, "2.6.2", "An element so labeled must be empty"),
            Cite::observed(Spec::MsMde2, "4.2.3", "The sample has values in elements that are nil."),
        ],
        consequence: "Whether the device takes the value is not known.",
        remedy: "Leave out xsi:nil, which the specification's sample has beside the value by mistake.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-KEY-010")),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("attestation/operationTimeout/@xsi:nil"),
            Change::Set("true"),
        )
        .full()],
        since: "0.1.0",
    },
];

/// Keys of elliptic curves are named by their algorithm or, by AD CS, by the curve.
pub(super) fn is_elliptic(oid: &str) -> bool {
    matches!(oid, "1.2.840.10045.2.1" | "1.2.840.10045.3.1.7" | "1.3.132.0.34" | "1.3.132.0.35")
}

/// The longest list that a finding names.
const NAMED: usize = 12;

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
pub(super) fn each(
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
