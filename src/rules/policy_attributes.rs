//! Rules on a policy's attributes and its private key (MS-XCEP 3.1.4.1.3.1, 3.1.4.1.3.20).

use super::check::{Check, Verdict};
use super::policy::each;
use super::policy_answer::{positive, unique};
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::schema::{as_declared, breaches};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::flags::FlagSet;
use crate::message::{Field, Policy};

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/GetPoliciesResponse/response/policies/policy/attributes/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "XCEP-ATTR-001",
        name: "policy-name-missing",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Each policy has a commonName of its own that is not empty.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.1",
            "The <xcep:commonName> element MUST be unique in the scope of a GetPoliciesResponse",
        )],
        consequence: "Windows enrolls all the same; clients that show or store policies cannot tell them apart.",
        remedy: "Name each policy.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-ATTR-001");
            let names = || m.policies.iter().filter_map(|p| p.common_name.as_ref());
            evidence
                .extend(names().filter(|f| f.is_empty()).map(|f| cx.evidence(&f.spot, "a name", "empty")));
            if let Verdict::Fail(twice) = unique(names(), "a name of its own", cx) {
                evidence.extend(twice);
            }
            if m.policies.is_empty() { Verdict::Skip } else { Verdict::from_evidence(evidence) }
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(Step::Policies, at!("commonName"), Change::Set(""))],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-004",
        name: "validity-not-positive",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "validityPeriodSeconds and renewalPeriodSeconds are above 0.",
        cites: &[
            Cite::must(
                Spec::MsXcep,
                "3.1.4.1.3.8",
                "The <validityPeriodSeconds> element MUST be a positive nonzero long.",
            ),
            Cite::must(
                Spec::MsXcep,
                "3.1.4.1.3.8",
                "The <renewalPeriodSeconds> element MUST be a positive nonzero long.",
            ),
        ],
        consequence: "Clients that follow the policy cannot tell when to renew.",
        remedy: "Give both in seconds, for instance 31536000 (a year) and 3628800 (six weeks).",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-ATTR-004");
            let periods = m.policies.iter().flat_map(|p| [&p.validity, &p.renewal]).flatten();
            evidence.extend(positive(periods, cx));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("certificateValidity/validityPeriodSeconds"),
                Change::Set("0"),
            ),
            Example::response(
                Step::Policies,
                at!("certificateValidity/renewalPeriodSeconds"),
                Change::Set("six weeks"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-008",
        name: "major-revision-not-positive",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "majorRevision is above 0.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.24",
            "The <majorRevision> element MUST be a positive nonzero integer.",
        )],
        consequence: "Clients that keep the policy do not see that it has changed.",
        remedy: "Count from 1.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-ATTR-008");
            evidence.extend(positive(m.policies.iter().filter_map(|p| p.major_revision.as_ref()), cx));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("revision/majorRevision"), Change::Set("0")),
            Example::response(Step::Policies, at!("revision/majorRevision"), Change::Set("-1")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-009",
        name: "minor-revision-negative",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "minorRevision is nil or a number from 0 on.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.24",
            "The <minorRevision> element MUST be an integer greater than or equal to 0.",
        )],
        consequence: "Clients that keep the policy do not see small changes of it.",
        remedy: "Count from 0.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-ATTR-009")),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(Step::Policies, at!("revision/minorRevision"), Change::Set("-1"))],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-010",
        name: "user-may-not-enroll",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The user may enroll: by the policy, and with its authorities.",
        cites: &[
            Cite::should(
                Spec::MsXcep,
                "3.1.4.1.3.11",
                "If the <enroll> element is false, the requestor does not have permission to enroll.",
            ),
            Cite::should(
                Spec::MsXcep,
                "3.1.4.1.3.2",
                "If the <enrollPermission> element is false, the requestor does not have permission.",
            ),
        ],
        consequence: "Windows asks for a certificate all the same, and is refused.",
        remedy: "Grant the user Enroll on the template and on the authority.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let policies = m.policies.iter().filter_map(|p| p.enroll.as_ref());
            let fields: Vec<_> =
                policies.chain(m.issuers.iter().filter_map(|i| i.enroll_permission.as_ref())).collect();
            let refused = fields.iter().filter(|f| f.is_false());
            let evidence: Vec<_> = refused.map(|f| cx.evidence(&f.spot, "true", f.value.clone())).collect();
            if fields.is_empty() { Verdict::Skip } else { Verdict::from_evidence(evidence) }
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("permission/enroll"), Change::Set("false")),
            Example::response(
                Step::Policies,
                "Envelope/Body/GetPoliciesResponse/cAs/cA/enrollPermission",
                Change::Set("false"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-011",
        name: "attributes-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The elements inside attributes are those of the schema, in its order, empty ones as nil.",
        cites: &[Cite::must(Spec::MsXcep, "3.1.4.1.3.1", "<xs:element ref=\"xcep:commonName\" />")],
        consequence: "Windows uses key length, hash and providers only, and is lenient with the rest; strict clients decline the answer.",
        remedy: "Send every element in the order of the specification, those without content with xsi:nil=\"true\".",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-ATTR-011")),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("permission"), Change::Delete),
            Example::response(Step::Policies, at!("revision"), Change::MoveBefore("commonName")),
            Example::response(Step::Policies, at!("permission/autoEnroll"), Change::Set("no")),
            Example::response(
                Step::Policies,
                at!("privateKeyAttributes"),
                Change::Insert("<provider>Microsoft Software Key Storage Provider</provider>"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-012",
        name: "undefined-flag",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Flags have only bits that are defined (those that AD CS adds to the list of MS-XCEP are among them).",
        cites: &[
            Cite::must(
                Spec::MsXcep,
                "3.1.4.1.3.1",
                "is an unsigned integer that MUST be a bitwise OR of zero or more of the following possible values.",
            ),
            Cite::observed(Spec::Field, "", "AD CS sends bits that only MS-CRTD lists."),
        ],
        consequence: "Windows' enrollment does not look at the flags; other clients may refuse the policy.",
        remedy: "Send the sum of defined flags, as a decimal number.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-ATTR-012");
            for (set, field) in m.policies.iter().flat_map(flags) {
                let value = field.number::<u32>().unwrap_or_default();
                if set.undefined(value) != 0 {
                    evidence.push(cx.evidence(&field.spot, "defined flags only", set.describe(value)));
                }
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("privateKeyFlags"), Change::Set("4194321")).full(),
            Example::response(Step::Policies, at!("generalFlags"), Change::Set("0x40")).full(),
            Example::response(Step::Policies, at!("enrollmentFlags"), Change::Set("2147483648")).full(),
            Example::response(Step::Policies, at!("subjectNameFlags"), Change::Set("3")).full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-014",
        name: "no-hash-algorithm",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The policy names the hash algorithm that the device is to sign with.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.1",
            "the value of the <hashAlgorithmOIDReference> element MUST be an integer that references",
        )],
        consequence: "The device chooses its own hash; which one depends on its version.",
        remedy: "Refer to an oID with SHA-256: 2.16.840.1.101.3.4.2.1.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| match &policy.hash_oid_reference {
                None => Verdict::Skip,
                Some(reference) => {
                    Verdict::check(!reference.nil, || cx.fail(&reference.spot, "a reference", "nil"))
                }
            })
        }),
        needs: &["POL-RSP-001", "POL-RSP-003"],
        examples: &[Example::edit(Edit::Several(&[
            set(at!("hashAlgorithmOIDReference"), ""),
            set(at!("hashAlgorithmOIDReference/@xsi:nil"), "true"),
        ]))],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-015",
        name: "policy-supersedes-itself",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A policy does not supersede itself.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.25",
            "that has been superseded by the CertificateEnrollmentPolicy object",
        )],
        consequence: "Clients that clean up remove the certificate that they just got.",
        remedy: "Name the older policies only.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let (Some(name), false) = (&policy.common_name, policy.superseded.is_empty()) else {
                    return Verdict::Skip;
                };
                let own = policy.superseded.iter().filter(|f| f.value == name.value);
                Verdict::from_evidence(
                    own.map(|f| cx.evidence(&f.spot, "another policy", f.value.clone())).collect(),
                )
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("supersededPolicies/commonName"),
            Change::Set("DeviceEnrollment"),
        )
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-016",
        name: "archival-key-length-not-positive",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "symmetricAlgorithmKeyLength is above 0.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.15",
            "The <symmetricAlgorithmKeyLength> element MUST be a positive nonzero integer value.",
        )],
        consequence: "Clients that archive their key cannot encrypt it.",
        remedy: "Send the length in bits, like 256 for AES-256.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-ATTR-016");
            let archival = m.policies.iter().filter_map(|p| p.archival.as_ref()?.key_length.as_ref());
            evidence.extend(positive(archival, cx));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("keyArchivalAttributes/symmetricAlgorithmKeyLength"),
                Change::Set("0"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("keyArchivalAttributes/symmetricAlgorithmKeyLength"),
                Change::Set("long"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-017",
        name: "signatures-of-others-required",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The policy asks for no signatures of others under the request.",
        cites: &[
            Cite::should(
                Spec::MsXcep,
                "3.1.4.1.3.21",
                "Defines an integer indicating the number of additional signatures required.",
            ),
            Cite::observed(
                Spec::Field,
                "",
                "An enrolling device signs its request with its own key, and nobody else does.",
            ),
        ],
        consequence: "The authority waits for signatures that no device can make, and leaves the request pending or refuses it.",
        remedy: "Take the required signatures out of the template: on the tab Issuance Requirements.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-ATTR-017");
            let asked = m.policies.iter().filter_map(|p| p.registration.as_ref()?.signatures.as_ref());
            let some = asked.filter(|f| f.number::<u32>().is_some_and(|n| n > 0));
            evidence.extend(some.map(|f| cx.evidence(&f.spot, "0", f.value.clone())));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("rARequirements/rASignatures"), Change::Set("1")).full(),
            Example::response(Step::Policies, at!("rARequirements/rASignatures"), Change::Set("none")).full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-018",
        name: "archival-without-algorithm",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A policy that has keys archived says how: keyArchivalAttributes is there.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.15",
            "contains the required attributes that MUST be used on the client prior to sending the client private key",
        )],
        consequence: "Clients that obey cannot encrypt the key for the authority; Windows' enrollment archives none.",
        remedy: "Clear the flag 0x1 of privateKeyFlags, or name the algorithm.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let field = policy.private_key_flags.as_ref();
                match (flagged(field, ARCHIVE), field) {
                    (Some(true), Some(field)) => Verdict::check(policy.archival.is_some(), || {
                        let value = field.number().unwrap_or_default();
                        cx.fail(&field.spot, "keyArchivalAttributes", FlagSet::PrivateKey.describe(value))
                    }),
                    _ => Verdict::Skip,
                }
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::edit(Edit::Several(&[
            set(at!("keyArchivalAttributes"), ""),
            set(at!("keyArchivalAttributes/@xsi:nil"), "true"),
        ]))
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-ATTR-019",
        name: "old-names-without-own",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The flag that takes the names of the old certificate goes with one that lets the client give names.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.1",
            "This flag can only be used when the SubjectNameEnrolleeSupplies (0x00000001) or SubjectAlternativeNameEnrolleeSupplies (0x00010000) flag is specified.",
        )],
        consequence: "Clients that follow it ask for names that the authority does not take.",
        remedy: "Set 0x1 or 0x10000 beside 0x8 in subjectNameFlags.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let field = policy.subject_name_flags.as_ref();
                match (flagged(field, OLD_NAMES), flagged(field, OWN_NAMES), field) {
                    (Some(true), Some(own), Some(field)) => Verdict::check(own, || {
                        let value = field.number().unwrap_or_default();
                        cx.fail(&field.spot, "0x1 or 0x10000, too", FlagSet::SubjectName.describe(value))
                    }),
                    _ => Verdict::Skip,
                }
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(Step::Policies, at!("subjectNameFlags"), Change::Set("8")).full()],
        since: "0.1.0",
    },
];

const fn set(at: &'static str, value: &'static str) -> Edit {
    Edit::Message {
        step: Step::Policies,
        side: Side::Response,
        part: Part::Body,
        at,
        change: Change::Set(value),
    }
}

/// Every policy's flag elements, with what they are.
fn flags(policy: &Policy) -> impl Iterator<Item = (FlagSet, &Field)> {
    let sets = [
        (FlagSet::PrivateKey, &policy.private_key_flags),
        (FlagSet::SubjectName, &policy.subject_name_flags),
        (FlagSet::Enrollment, &policy.enrollment_flags),
        (FlagSet::General, &policy.general_flags),
    ];
    sets.into_iter().filter_map(|(set, field)| Some((set, field.as_ref()?)))
}

/// The policy's flag element has this bit; skips when there are no flags.
fn flagged(field: Option<&Field>, bit: u32) -> Option<bool> {
    Some(field?.number::<u32>()? & bit != 0)
}

/// The archival of the private key, and the subject of the old certificate.
const ARCHIVE: u32 = 0x0000_0001;
const OLD_NAMES: u32 = 0x0000_0008;
/// The client gives the subject, or the alternative name.
const OWN_NAMES: u32 = 0x0001_0001;
