//! Rules on the frame of a GetPoliciesResponse and of each policy (MS-XCEP 3.1.4.1.2.2, 3.1.4.1.3.7, 3.1.4.1.3.23).

use std::collections::HashSet;

use super::check::{Check, Context, Verdict};
use super::policy::each;
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::schema::{as_declared, breaches};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::{Content, Field};

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/GetPoliciesResponse/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "XCEP-RESP-002",
        name: "policy-answer-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "GetPoliciesResponse is in the XCEP namespace and holds response, cAs and oIDs, in this order, empty ones as nil.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.2.2",
            "<xs:element name=\"cAs\" nillable=\"true\" type=\"xcep:CACollection\" />",
        )],
        consequence: "Windows is lenient; clients that check the schema decline the whole policy answer.",
        remedy: "Send all three; those without content with xsi:nil=\"true\".",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-RESP-002")),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("cAs"), Change::Delete),
            Example::response(Step::Policies, at!("oIDs"), Change::MoveBefore("cAs")),
            Example::response(Step::Policies, at!("@xmlns"), Change::Set("urn:other")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-RESP-003",
        name: "policy-id-missing",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The answer has a policyID, though it may be empty.",
        cites: &[
            Cite::must(Spec::MsXcep, "3.1.4.1.3.23", "<xs:element name=\"policyID\" type=\"xs:string\" />"),
            Cite::observed(Spec::MsMde2, "4.2.2", "The sample has an empty policyID."),
        ],
        consequence: "Windows enrolls without; other clients cannot tell policy servers apart.",
        remedy: "Send a GUID that stays the same.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-RESP-003")),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(Step::Policies, at!("response/policyID"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-RESP-005",
        name: "response-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "response holds policyID, policyFriendlyName, nextUpdateHours, policiesNotChanged and policies, in this order.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.23",
            "<xs:element name=\"policyFriendlyName\" type=\"xs:string\"",
        )],
        consequence: "Windows is lenient; clients that check the schema do not read the policies.",
        remedy: "Send all of them; those without content with xsi:nil=\"true\".",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-RESP-005")),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("response/nextUpdateHours"), Change::Delete),
            Example::response(Step::Policies, at!("response/policies"), Change::MoveBefore("policyID")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-RESP-006",
        name: "next-update-not-positive",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "nextUpdateHours is nil or a number above 0.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.23",
            "the <nextUpdateHours> element value MUST be a positive nonzero integer.",
        )],
        consequence: "Clients that follow it ask again at once.",
        remedy: "Send 8, as Windows Server does, or nil.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-RESP-006");
            evidence.extend(positive(m.next_update_hours.iter(), cx));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("response/nextUpdateHours"), Change::Set("0")).full(),
            Example::response(Step::Policies, at!("response/nextUpdateHours"), Change::Set("soon")).full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-RESP-007",
        name: "not-changed-no-boolean",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "policiesNotChanged is nil, true or false.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.23",
            "<xs:element name=\"policiesNotChanged\" type=\"xs:boolean\"",
        )],
        consequence: "Clients that check the schema decline the answer; Windows reads the policies all the same.",
        remedy: "Write true or false in small letters.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-RESP-007")),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("response/policiesNotChanged"),
            Change::Set("False"),
        )
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-RESP-009",
        name: "unchanged-for-newcomer",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "policiesNotChanged is true only for a client whose request said when it last got the policies.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.9",
            "If the client does not include the <lastUpdate> element or the element is nil, the server MUST consider the value to be older",
        )],
        consequence: "A device that never had a policy takes its defaults: RSA 2048 and its own hash.",
        remedy: "Send the whole policy when lastUpdate is nil, as it always is from an enrolling device.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| match &cx.request.content {
            Content::GetPoliciesRequest(request) if request.is_first() => {
                let field = m.not_changed.as_ref().filter(|_| m.is_unchanged());
                field.map_or(Verdict::Pass, |f| cx.fail(&f.spot, "false or nil", f.value.clone()))
            }
            _ => Verdict::Skip,
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("response/policiesNotChanged"),
            Change::Set("true"),
        )
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-RESP-015",
        name: "several-policies",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The answer holds one policy.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.3",
            "returns a response with a collection of certificate enrollment policy objects",
        )],
        consequence: "The device follows one of them, and which one is not documented.",
        remedy: "Return the one policy for enrollment.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| match &m.policies[..] {
            [] => Verdict::Skip,
            [_] => Verdict::Pass,
            [_, second, ..] => cx.fail(&second.spot, "one policy", m.policies.len().to_string()),
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::edit(Edit::Several(&[
            edit(POLICY, Change::Duplicate),
            edit(at!("response/policies/policy[2]/policyOIDReference"), Change::Set("0")),
            edit(at!("response/policies/policy[2]/attributes/commonName"), Change::Set("Other")),
        ]))
        .also(&["XCEP-REF-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-POL-001",
        name: "policy-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "A policy holds policyOIDReference, cAs and attributes, in this order.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.7",
            "<xs:element name=\"policyOIDReference\" type=\"xs:int\" />",
        )],
        consequence: "Windows is lenient; clients that check the schema do not read this policy.",
        remedy: "Send all three; cAs with xsi:nil=\"true\" when there is no authority to name.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-POL-001")),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("response/policies/policy/policyOIDReference"),
                Change::Delete,
            ),
            Example::response(
                Step::Policies,
                at!("response/policies/policy/attributes"),
                Change::MoveBefore("cAs"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-POL-002",
        name: "policies-share-an-identifier",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "No two policies have the same policyOIDReference.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.7",
            "Each instance of a CertificateEnrollmentPolicy object is uniquely identified by its <policyOIDReference>.",
        )],
        consequence: "Clients cannot tell the policies apart.",
        remedy: "Give each policy an oID of its own.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            if m.policies.is_empty() {
                return Verdict::Skip;
            }
            unique(m.policies.iter().filter_map(|p| p.oid_reference.as_ref()), "each once", cx)
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::edit(Edit::Several(&[
            edit(POLICY, Change::Duplicate),
            edit(at!("response/policies/policy[2]/attributes/commonName"), Change::Set("Other")),
        ]))
        .also(&["XCEP-RESP-015"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-POL-003",
        name: "authorities-without-policy",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "A policy names its authorities if the answer has any, and has none to name otherwise.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.7",
            "which is used to reference the issuers for this CertificateEnrollmentPolicy object.",
        )],
        consequence: "Clients that enroll with AD CS cannot tell the issuer; Windows' enrollment does not look.",
        remedy: "Name the authority in the policy, or leave all out as nil.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let known = !m.issuers.is_empty();
            each(m, cx, |policy, _, cx| {
                let Some(element) = &policy.issuers_element else { return Verdict::Skip };
                let (expected, found) =
                    if known { ("a cAReference", "none") } else { ("nil", "a cAReference") };
                Verdict::check(known != policy.issuers.is_empty(), || cx.fail(&element.spot, expected, found))
            })
        }),
        needs: &["POL-RSP-001", "XCEP-REF-013", "XCEP-CA-010"],
        examples: &[Example::edit(Edit::Several(&[
            edit(at!("response/policies/policy/cAs"), Change::Set("")),
            edit(at!("response/policies/policy/cAs/@xsi:nil"), Change::Set("true")),
        ]))
        .full()
        .also(&["XCEP-REF-015"])],
        since: "0.1.0",
    },
];

const fn edit(at: &'static str, change: Change) -> Edit {
    Edit::Message { step: Step::Policies, side: Side::Response, part: Part::Body, at, change }
}

const POLICY: &str = at!("response/policies/policy");

/// Fails at every field whose value an earlier one has.
pub(super) fn unique<'f>(
    fields: impl Iterator<Item = &'f Field>,
    expected: &str,
    cx: &Context<'_>,
) -> Verdict {
    let mut seen = HashSet::new();
    let twice = fields.filter(|f| f.is_given() && !seen.insert(f.value.as_str()));
    Verdict::from_evidence(twice.map(|f| cx.evidence(&f.spot, expected, f.value.clone())).collect())
}

/// What is not a number above 0.
pub(super) fn positive<'f>(
    fields: impl Iterator<Item = &'f Field>,
    cx: &Context<'_>,
) -> Vec<super::check::Evidence> {
    let zero = fields.filter(|f| f.number::<u64>() == Some(0));
    zero.map(|f| cx.evidence(&f.spot, "above 0", "0")).collect()
}
