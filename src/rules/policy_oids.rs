//! Rules on the object identifiers of a policy answer and on what refers to them (MS-XCEP 3.1.4.1.3.16).

use std::collections::HashMap;

use super::check::{Check, Evidence, Verdict};
use super::policy::each;
use super::policy_answer::unique;
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::schema::breaches;
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::oids::{self, Group};
use crate::message::{Field, GetPoliciesResponse, Oid, Policy};

macro_rules! oid {
    ($name:literal) => {
        concat!("Envelope/Body/GetPoliciesResponse/oIDs/oID", $name)
    };
}
macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/GetPoliciesResponse/response/policies/policy/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "XCEP-REF-001",
        name: "policy-reference-dangling",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "policyOIDReference refers to an oID of the answer.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.7",
            "A <policyOIDReference> element MUST be present in the set of <oIDReferenceID> element values",
        )],
        consequence: "Windows enrolls all the same; clients that store policies cannot name this one.",
        remedy: "Add an oID in group 9 with this oIDReferenceID.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let verdict = each(m, cx, |policy, _, cx| match &policy.oid_reference {
                _ if lacks_oids(m) => Verdict::Skip,
                None => Verdict::Skip,
                Some(reference) if reference.number::<i32>().is_none() => Verdict::Skip,
                Some(reference) => Verdict::check(m.oid(&reference.value).is_some(), || {
                    cx.fail(&reference.spot, "an oIDReferenceID of the answer", reference.value.clone())
                }),
            });
            let found = breaches(cx, "XCEP-REF-001");
            if found.is_empty() { verdict } else { Verdict::from_evidence(found) }
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("policyOIDReference"), Change::Set("7")),
            Example::response(Step::Policies, at!("policyOIDReference"), Change::Set("one")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REF-002",
        name: "policy-reference-to-no-template",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "policyOIDReference refers to an oID in group 9, which is for templates.",
        cites: &[Cite::should(Spec::MsXcep, "3.1.4.1.3.16", "9 | Enrollment object identifier.")],
        consequence: "Windows does not look; Microsoft's own sample refers to the hash algorithm.",
        remedy: "Give the policy an oID of its own in group 9.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let reference = policy.oid_reference.as_ref();
                let group = reference.and_then(|r| m.oid(&r.value)).and_then(|oid| oid.group.as_ref());
                match (reference, group) {
                    (Some(reference), Some(group)) => Verdict::check(group.value == "9", || {
                        let found = Group::of(&group.value).map_or("another", Group::name);
                        cx.fail(&reference.spot, "an oID in group 9", format!("{found} ({})", group.value))
                    }),
                    _ => Verdict::Skip,
                }
            })
        }),
        needs: &["POL-RSP-001", "XCEP-REF-001", "XCEP-OID-002", "XCEP-OID-007"],
        examples: &[Example::response(Step::Policies, at!("policyOIDReference"), Change::Set("0"))],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REF-005",
        name: "reference-dangling",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "What algorithms, extensions and registration authorities refer to is among the oIDs of the answer.",
        cites: &[
            Cite::must(Spec::MsXcep, "3.1.4.1.3.12", "The integer value MUST be a valid OID reference ID."),
            Cite::must(
                Spec::MsXcep,
                "3.1.4.1.3.18",
                "The integer MUST reference an existing <oIDReferenceID> in this GetPoliciesResponse message.",
            ),
            Cite::must(
                Spec::MsXcep,
                "3.1.4.1.3.15",
                "The value MUST correspond to an existing <oIDReferenceID>",
            ),
        ],
        consequence: "Windows' enrollment does not look; clients that do cannot make the request.",
        remedy: "Add an oID with this oIDReferenceID.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-REF-005");
            let all = m.policies.iter().flat_map(references);
            let dangling = all.filter(|(_, f)| !lacks_oids(m) && m.oid(&f.value).is_none());
            evidence.extend(dangling.map(|(group, field)| {
                let expected = format!("an oIDReferenceID of the answer: {}", group.name());
                cx.evidence(&field.spot, expected, field.value.clone())
            }));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("attributes/privateKeyAttributes/algorithmOIDReference"),
                Change::Set("77"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/extensions/extension[1]/oIDReference"),
                Change::Set("77"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/rARequirements/rAEKUs/oIDReference"),
                Change::Set("77"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/rARequirements/rAPolicies/oIDReference"),
                Change::Set("77"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/keyArchivalAttributes/symmetricAlgorithmOIDReference"),
                Change::Set("AES"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REF-006",
        name: "reference-to-other-group",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "What is referred to is in the group for its use: 2 for encryption, 3 for keys, 6 for extensions, 7 for usages, 8 for policies.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.16",
            "The integer value that identifies the type of object that the OID object represents.",
        )],
        consequence: "Clients that look it up by its group do not find it.",
        remedy: "Correct the reference, or the group of the oID.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let all: Vec<_> = m.policies.iter().flat_map(references).collect();
            let other = all.iter().filter_map(|(wanted, reference)| {
                let group = m.oid(&reference.value)?.group.as_ref()?;
                let found = Group::of(&group.value)?;
                let expected = format!("{} ({})", wanted.name(), wanted.number());
                let found_name = format!("{} ({})", found.name(), group.value);
                (found != *wanted).then(|| cx.evidence(&reference.spot, expected, found_name))
            });
            let evidence: Vec<_> = other.collect();
            if all.is_empty() { Verdict::Skip } else { Verdict::from_evidence(evidence) }
        }),
        needs: &["POL-RSP-001", "XCEP-OID-002", "XCEP-OID-007"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("attributes/privateKeyAttributes/algorithmOIDReference"),
                Change::Set("0"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/extensions/extension[3]/oIDReference"),
                Change::Set("4"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/rARequirements/rAEKUs/oIDReference"),
                Change::Set("5"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/rARequirements/rAPolicies/oIDReference"),
                Change::Set("4"),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/keyArchivalAttributes/symmetricAlgorithmOIDReference"),
                Change::Set("2"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-OID-001",
        name: "oid-not-dotted",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The value of an oID is numbers with dots between.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.16",
            "The object identifier value (for example, 1.2.3.4).",
        )],
        consequence: "What refers to it is lost: for the hash, the device takes its default.",
        remedy: "Write the dotted form, like 2.16.840.1.101.3.4.2.1.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            every(m, breaches(cx, "XCEP-OID-001"), |oid| {
                let value = oid.value.as_ref().filter(|v| !v.nil && !oids::is_dotted(&v.value))?;
                Some(cx.evidence(&value.spot, "like 2.16.840.1.101.3.4.2.1", value.value.clone()))
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, oid!("/value"), Change::Set("sha256")).also(&["POL-RSP-005"]),
            Example::response(Step::Policies, oid!("[2]/value"), Change::Set("1.3.06.1")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-OID-002",
        name: "unknown-oid-group",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The group of an oID is a number from 1 to 9.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.16",
            "The <group> element MUST be one of the following integer values.",
        )],
        consequence: "Clients that go by the group do not know what the identifier is for.",
        remedy: "Use the group of its kind: 1 hash, 3 public key, 6 extension, 7 usage, 9 template.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            every(m, breaches(cx, "XCEP-OID-002"), |oid| {
                let group = oid.group.as_ref().filter(|g| g.number::<u32>().is_some())?;
                let known = Group::of(&group.value).is_some();
                (!known).then(|| cx.evidence(&group.spot, "1 to 9", group.value.clone()))
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, oid!("[2]/group"), Change::Set("10")),
            Example::response(Step::Policies, oid!("[2]/group"), Change::Set("template")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-OID-003",
        name: "oid-reference-repeats",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Each oID has an oIDReferenceID of its own.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.16",
            "The value of <oIDReferenceID> MUST be unique for each unique OID object instance",
        )],
        consequence: "References lead to the wrong object identifier.",
        remedy: "Give each oID the next free number as its oIDReferenceID.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-OID-003");
            if let Verdict::Fail(twice) =
                unique(m.oids.iter().filter_map(|o| o.reference.as_ref()), "each once", cx)
            {
                evidence.extend(twice);
            }
            every(m, evidence, |_| None)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, oid!("[3]/oIDReferenceID"), Change::Set("0"))
                .full()
                .also(&["XCEP-REF-005"]),
            Example::response(Step::Policies, oid!("[2]/oIDReferenceID"), Change::Set(""))
                .also(&["XCEP-REF-001"]),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-OID-004",
        name: "oid-without-name",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Each oID has a defaultName.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.16",
            "The <defaultName> element MUST be provided in a GetPoliciesResponse message.",
        )],
        consequence: "None with Windows; the schema itself lets it be nil.",
        remedy: "Name it, as Windows does: szOID_NIST_sha256.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            every(m, breaches(cx, "XCEP-OID-004"), |oid| {
                let name = oid.name.as_ref().filter(|n| !n.is_given())?;
                Some(cx.evidence(&name.spot, "a name", if name.nil { "nil" } else { "empty" }))
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, oid!("[2]/defaultName"), Change::Set("")),
            Example::response(Step::Policies, oid!("[2]/defaultName"), Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-OID-005",
        name: "oid-name-of-another",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The defaultName of an oID is not the name of another object identifier.",
        cites: &[
            Cite::should(Spec::MsXcep, "3.1.4.1.3.16", "A friendly name for the OID object."),
            Cite::observed(
                Spec::MsMde2,
                "4.2.3",
                "The sample calls 1.3.14.3.2.29, a SHA-1 signature, szOID_NIST_sha256.",
            ),
        ],
        consequence: "The name says one algorithm, and the device uses the other one, which the number says.",
        remedy: "Use 2.16.840.1.101.3.4.2.1 where SHA-256 is meant.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            every(m, Vec::new(), |oid| {
                let (value, name) = (oid.value.as_ref()?, oid.name.as_ref()?);
                let named = oids::named(&name.value).filter(|known| known.oid != value.value)?;
                let found = format!("{}: {}", name.value, oids::name(&value.value));
                Some(cx.evidence(&name.spot, format!("{} has {}", name.value, named.oid), found))
            })
        }),
        needs: &["POL-RSP-001", "POL-RSP-005", "XCEP-OID-001"],
        examples: &[Example::response(Step::Policies, oid!("/value"), Change::Set("1.3.14.3.2.29"))
            .full()
            .also(&["CSR-003"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-OID-006",
        name: "oid-listed-twice",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "Each object identifier is listed once.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.16",
            "MUST be unique for each unique OID object instance",
        )],
        consequence: "None with Windows.",
        remedy: "Refer to the one entry from both places.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut seen: HashMap<(&str, &str), ()> = HashMap::new();
            let mut evidence = Vec::new();
            for oid in &m.oids {
                // The same identifier may be a template's and an extension's.
                let (Some(value), Some(group)) = (&oid.value, &oid.group) else { continue };
                if seen.insert((&value.value, &group.value), ()).is_some() {
                    evidence.push(cx.evidence(&value.spot, "each once", value.value.clone()));
                }
            }
            every(m, evidence, |_| None)
        }),
        needs: &["POL-RSP-001", "XCEP-OID-003", "XCEP-OID-005"],
        examples: &[Example::edit(Edit::Several(&[
            set(oid!("[10]/value"), "2.5.29.15"),
            set(oid!("[10]/defaultName"), "Key Usage"),
        ]))
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-OID-007",
        name: "oid-in-other-group",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "An object identifier that is known is in the group of its kind.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.16",
            "Each OID object has a specific intended purpose, denoted by the <group> element.",
        )],
        consequence: "Clients that go by the group look for it in the right one, and do not find it.",
        remedy: "Use the group of its kind.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            every(m, Vec::new(), |oid| {
                let (value, field) = (oid.value.as_ref()?, oid.group.as_ref()?);
                let (group, wanted) = (Group::of(&field.value)?, oids::group(&value.value)?);
                let expected =
                    format!("{} ({}) for {}", wanted.name(), wanted.number(), oids::name(&value.value));
                let found = format!("{} ({})", group.name(), field.value);
                (!fits(group, wanted)).then(|| cx.evidence(&field.spot, expected, found))
            })
        }),
        needs: &["POL-RSP-001", "POL-RSP-005", "POL-RSP-006", "XCEP-OID-002", "XCEP-OID-005"],
        examples: &[Example::response(Step::Policies, oid!("[9]/group"), Change::Set("8")).full()],
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

/// There is no list to look into, which is a finding by itself. (A list that is nil is not.)
fn lacks_oids(m: &GetPoliciesResponse) -> bool {
    m.oids.is_empty() && m.oids_element.as_ref().is_none_or(|f| !f.nil)
}

/// What a policy refers to, besides itself and its hash, and the group that it should be in.
fn references(policy: &Policy) -> Vec<(Group, &Field)> {
    let mut found = Vec::new();
    found.extend(policy.algorithm_oid_reference.iter().map(|f| (Group::PublicKey, f)));
    let archival = policy.archival.iter().filter_map(|a| a.algorithm_oid_reference.as_ref());
    found.extend(archival.map(|f| (Group::Encryption, f)));
    let extensions = policy.extensions.iter().filter_map(|e| e.oid_reference.as_ref());
    found.extend(extensions.map(|f| (Group::Extension, f)));
    if let Some(registration) = &policy.registration {
        found.extend(registration.purposes.iter().map(|f| (Group::Purpose, f)));
        found.extend(registration.policies.iter().map(|f| (Group::Policy, f)));
    }
    found.retain(|(_, field)| field.number::<i32>().is_some());
    found
}

/// Judges every oID; skips when there is none.
fn every(
    m: &GetPoliciesResponse,
    mut evidence: Vec<Evidence>,
    judge: impl Fn(&Oid) -> Option<Evidence>,
) -> Verdict {
    evidence.extend(m.oids.iter().filter_map(judge));
    if m.oids.is_empty() && evidence.is_empty() { Verdict::Skip } else { Verdict::from_evidence(evidence) }
}

/// Servers and samples put hashes and the signature algorithms made of them into either group.
fn fits(group: Group, of_value: Group) -> bool {
    let hashes = |group| matches!(group, Group::Hash | Group::Signature);
    group == of_value || hashes(group) && hashes(of_value) || group == Group::Template
}
