//! Rules on DiscoverResponse (MS-MDE2 3.1.4.1.3.2).

use super::check::{Check, Verdict};
use super::discover::is_version;
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::schema::as_declared;
use super::soap::{host_of, is_https_url, without_port};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::{AuthPolicy, names};

const RESULT: &str = "Envelope/Body/DiscoverResponse/DiscoverResult";

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/DiscoverResponse/DiscoverResult/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "DISC-RSP-001",
        name: "discover-answer-in-other-namespace",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "DiscoverResponse is in the discovery namespace, without a slash at its end.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.1.4.1.3.2",
                "Namespace: http://schemas.microsoft.com/windows/management/2012/01/enrollment",
            ),
            Cite::observed(Spec::Field, "", "The client looks for exactly this namespace."),
        ],
        consequence: "The device does not find the answer and stops after discovery.",
        remedy: "Write xmlns=\"http://schemas.microsoft.com/windows/management/2012/01/enrollment\".",
        hresult: Some(0x8019_00C8),
        check: Check::DiscoverResponse(|m, cx| {
            Verdict::check(m.namespace == names::DISCOVERY, || {
                cx.fail(&m.response, names::DISCOVERY, m.namespace.clone())
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(
            Step::Discover,
            "Envelope/Body/DiscoverResponse/@xmlns",
            Change::Set("http://schemas.microsoft.com/windows/management/2012/01/enrollment/"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-017",
        name: "discover-answer-without-result",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "DiscoverResponse holds one DiscoverResult.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.1.4.1.2.2",
                "<xsd:element minOccurs=\"1\" maxOccurs=\"1\" name=\"DiscoverResult\"",
            ),
            Cite::observed(Spec::Field, "", "Without it the device has no address to go on with."),
        ],
        consequence: "The device finds nothing in the answer and stops after discovery.",
        remedy: "Put AuthPolicy and the service addresses into one DiscoverResult.",
        hresult: Some(0x8019_00C8),
        check: Check::DiscoverResponse(|m, cx| {
            Verdict::check(m.results == 1, || {
                cx.fail(&m.response.missing("DiscoverResult"), "one DiscoverResult", m.results.to_string())
            })
        }),
        needs: &["SOAP-001", "DISC-RSP-001"],
        examples: &[Example::response(Step::Discover, RESULT, Change::Rename("Result"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-002",
        name: "unknown-auth-policy",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "AuthPolicy is OnPremise, Federated or Certificate.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.1.4.1.3.2",
            "The value is a string and MUST be set to Federated, Certificate, or OnPremise.",
        )],
        consequence: "The device does not know how to sign in and stops after discovery.",
        remedy: "Return OnPremise, Federated or Certificate, one that the device offered.",
        hresult: Some(0x8018_0006),
        check: Check::DiscoverResponse(|m, cx| {
            let Some(result) = &m.result else { return Verdict::Skip };
            match &m.auth_policy {
                Some(policy) if !policy.nil && AuthPolicy::parse_any_case(&policy.value).is_some() => {
                    Verdict::Pass
                }
                policy => cx.fail_field(
                    policy.as_ref(),
                    (result, "AuthPolicy"),
                    "OnPremise, Federated or Certificate",
                ),
            }
        }),
        needs: &["SOAP-001", "DISC-RSP-017"],
        examples: &[
            Example::response(Step::Discover, at!("AuthPolicy"), Change::Set("Kerberos")),
            Example::response(Step::Discover, at!("AuthPolicy"), Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-016",
        name: "auth-policy-in-other-case",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "AuthPolicy is spelled as in the specification.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.1.4.1.3.2",
            "The value is a string and MUST be set to Federated, Certificate, or OnPremise.",
        )],
        consequence: "None is known with current Windows; other clients compare letters.",
        remedy: "Spell it OnPremise, Federated or Certificate.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let Some(policy) = &m.auth_policy else { return Verdict::Skip };
            let Some(meant) = AuthPolicy::parse_any_case(&policy.value) else { return Verdict::Skip };
            Verdict::check(policy.value == meant.wire(), || {
                cx.fail(&policy.spot, meant.wire(), policy.value.clone())
            })
        }),
        needs: &["DISC-RSP-002"],
        examples: &[Example::response(Step::Discover, at!("AuthPolicy"), Change::Set("onpremise"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-003",
        name: "auth-policy-not-offered",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "AuthPolicy is one that the device offered.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.1.4.1.3.1",
            "AuthPolicies: This element contains child AuthPolicy elements.",
        )],
        consequence: "A device that cannot sign in that way stops after discovery.",
        remedy: "Choose from the AuthPolicies of the request.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let crate::message::Content::DiscoverRequest(request) = &cx.request.content else {
                return Verdict::Skip;
            };
            let Some(policy) = &m.auth_policy else { return Verdict::Skip };
            let offered: Vec<_> = request.offered.iter().map(|f| f.value.as_str()).collect();
            Verdict::check(offered.iter().any(|o| o.eq_ignore_ascii_case(&policy.value)), || {
                cx.fail(&policy.spot, offered.join(" or "), policy.value.clone())
            })
        }),
        needs: &["DISC-RSP-002"],
        examples: &[Example::response(Step::Discover, at!("AuthPolicy"), Change::Set("Certificate"))
            .also(&["SEQ-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-004",
        name: "enrollment-url-unusable",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "EnrollmentServiceUrl is an absolute https URL.",
        cites: &[
            Cite::must(Spec::MsWstep, "2.1", "HTTPS protocol MUST be used as the transport."),
            Cite::observed(Spec::Field, "", "Without it the device has nowhere to ask for its certificate."),
        ],
        consequence: "The device stops after discovery.",
        remedy: "Set the server's public address, with https://.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let Some(result) = &m.result else { return Verdict::Skip };
            match &m.enrollment_url {
                Some(url) if is_https_url(&url.value) && !url.nil => Verdict::Pass,
                url => cx.fail_field(url.as_ref(), (result, "EnrollmentServiceUrl"), "https://HOST/PATH"),
            }
        }),
        needs: &["SOAP-001", "DISC-RSP-017"],
        examples: &[
            Example::response(
                Step::Discover,
                at!("EnrollmentServiceUrl"),
                Change::Set("http://mdm.example/Enrollment.svc"),
            )
            .also(&["SEQ-003"]),
            Example::response(Step::Discover, at!("EnrollmentServiceUrl"), Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-005",
        name: "policy-url-unusable",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "EnrollmentPolicyServiceUrl is an absolute https URL.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.1.4.1.3.2",
            "The value of <EnrollmentPolicyServiceUrl> is the address of the DS",
        )],
        consequence: "The device asks for no policy and makes a default key: RSA 2048 and its default hash.",
        remedy: "Publish the policy service, with https://.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let Some(result) = &m.result else { return Verdict::Skip };
            match &m.policy_url {
                Some(url) if is_https_url(&url.value) => Verdict::Pass,
                url => {
                    cx.fail_field(url.as_ref(), (result, "EnrollmentPolicyServiceUrl"), "https://HOST/PATH")
                }
            }
        }),
        needs: &["SOAP-001", "DISC-RSP-017"],
        examples: &[Example::response(Step::Discover, at!("EnrollmentPolicyServiceUrl"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-006",
        name: "sign-in-url-missing",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "Federated comes with an https AuthenticationServiceUrl.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.2",
            "The <DiscoveryResponse><AuthenticationServiceUrl> element (section 3.1.4.1.3.2) MUST support HTTPS.",
        )],
        consequence: "The device has no page to sign in at and stops after discovery.",
        remedy: "Add the sign-in page's address, or choose OnPremise.",
        hresult: Some(0x8018_000F),
        check: Check::DiscoverResponse(|m, cx| {
            let Some(result) = &m.result else { return Verdict::Skip };
            let policy = m.auth_policy.as_ref().and_then(|f| AuthPolicy::parse_any_case(&f.value));
            match (policy, &m.authentication_url) {
                (Some(AuthPolicy::Federated), Some(url)) if is_https_url(&url.value) => Verdict::Pass,
                (Some(AuthPolicy::Federated), url) => {
                    cx.fail_field(url.as_ref(), (result, "AuthenticationServiceUrl"), "https://HOST/PATH")
                }
                (Some(_), _) => Verdict::Pass,
                (None, _) => Verdict::Skip,
            }
        }),
        needs: &["SOAP-001", "DISC-RSP-002"],
        examples: &[
            Example::response(Step::Discover, at!("AuthPolicy"), Change::Set("Federated")).also(&["SEQ-002"])
        ],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-007",
        name: "sign-in-url-without-sign-in",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "OnPremise and Certificate come without an AuthenticationServiceUrl.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "The client is said to stop with 0x80070057 when both are given.",
        )],
        consequence: "The device may stop after discovery.",
        remedy: "Leave AuthenticationServiceUrl out, or make it nil.",
        hresult: Some(0x8007_0057),
        check: Check::DiscoverResponse(|m, cx| {
            let policy = m.auth_policy.as_ref().and_then(|f| AuthPolicy::parse_any_case(&f.value));
            match (policy, &m.authentication_url) {
                (None | Some(AuthPolicy::Federated), _) => Verdict::Skip,
                (Some(policy), Some(url)) if !url.nil && !url.is_empty() => {
                    cx.fail(&url.spot, format!("no sign-in page with {}", policy.wire()), url.value.clone())
                }
                (Some(_), _) => Verdict::Pass,
            }
        }),
        needs: &["DISC-RSP-002"],
        examples: &[Example::response(
            Step::Discover,
            at!("EnrollmentPolicyServiceUrl"),
            Change::Rename("AuthenticationServiceUrl"),
        )
        .also(&["DISC-RSP-005"])],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-008",
        name: "malformed-enrollment-version",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "EnrollmentVersion is two numbers with a dot between.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "The client reads two numbers; a plain 4 is said to end with 0x80070057.",
        )],
        consequence: "The device may stop, or use the oldest behaviour.",
        remedy: "Send 4.0 or higher.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let Some(result) = &m.result else { return Verdict::Skip };
            match &m.version {
                Some(version) if is_version(&version.value) => Verdict::Pass,
                version => cx.fail_field(version.as_ref(), (result, "EnrollmentVersion"), "like 4.0"),
            }
        }),
        needs: &["SOAP-001", "DISC-RSP-017"],
        examples: &[Example::response(Step::Discover, at!("EnrollmentVersion"), Change::Set("4"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-009",
        name: "enrollment-version-too-high",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "EnrollmentVersion is 3.0 or higher, and not above the device's RequestVersion.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.1.4.1.3.2",
            "EnrollmentVersion: The value can be 3.0, 4.0, 5.0, 6.0, or 7.0.",
        )],
        consequence: "The device does not do what the higher version promises.",
        remedy: "Answer with the lower of your version and the device's.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let crate::message::Content::DiscoverRequest(request) = &cx.request.content else {
                return Verdict::Skip;
            };
            let number =
                |f: &Option<crate::message::Field>| f.as_ref().and_then(|f| f.value.parse::<f32>().ok());
            let (Some(field), Some(given), Some(asked)) =
                (&m.version, number(&m.version), number(&request.version))
            else {
                return Verdict::Skip;
            };
            Verdict::check((3.0..=asked).contains(&given), || {
                cx.fail(&field.spot, format!("3.0 to {asked:.1}"), field.value.clone())
            })
        }),
        needs: &["DISC-RSP-008"],
        examples: &[Example::response(Step::Discover, at!("EnrollmentVersion"), Change::Set("99.0"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-011",
        name: "policy-and-enrollment-on-two-hosts",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Policy service and enrollment service have one host name.",
        cites: &[Cite::must(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "the policy service and the enrollment service must be on the same server; that is, they must have the same host name",
        )],
        consequence: "Microsoft demands it; no device was seen to fail on it yet.",
        remedy: "Publish both services under one name.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let (Some(policy), Some(enroll)) = (&m.policy_url, &m.enrollment_url) else {
                return Verdict::Skip;
            };
            let (Some(one), Some(other)) = (host_of(&policy.value), host_of(&enroll.value)) else {
                return Verdict::Skip;
            };
            Verdict::check(without_port(one).eq_ignore_ascii_case(without_port(other)), || {
                cx.fail(&policy.spot, without_port(other), without_port(one))
            })
        }),
        needs: &["DISC-RSP-004", "DISC-RSP-005"],
        examples: &[Example::response(
            Step::Discover,
            at!("EnrollmentPolicyServiceUrl"),
            Change::Set("https://other.example/EnrollmentServer/Policy.svc"),
        )
        .also(&["SEQ-003"])],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-012",
        name: "padded-url",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The service addresses have no blanks or line breaks around them.",
        cites: &[Cite::observed(
            Spec::MsMde2,
            "4.1.2",
            "The samples are printed with line breaks around the URLs.",
        )],
        consequence: "Clients that do not trim cannot use the address.",
        remedy: "Write the URL right between the tags.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let urls: Vec<_> =
                [&m.policy_url, &m.enrollment_url, &m.authentication_url].into_iter().flatten().collect();
            if urls.is_empty() {
                return Verdict::Skip;
            }
            let padded = urls.into_iter().filter(|f| f.padded && !f.is_empty());
            Verdict::from_evidence(
                padded.map(|f| cx.evidence(&f.spot, "no whitespace around", f.value.clone())).collect(),
            )
        }),
        needs: &[],
        examples: &[Example::response(
            Step::Discover,
            at!("EnrollmentServiceUrl"),
            Change::Set("\n https://mdm.contoso.example/EnrollmentServer/Enrollment.svc\n"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-015",
        name: "newer-answer-than-asked",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "A client that says no RequestVersion is answered without an EnrollmentVersion.",
        cites: &[Cite::should(
            Spec::MsMde,
            "3.1.4.1.3.2",
            "name=\"EnrollmentServiceUrl\" nillable=\"true\" type=\"xsd:string\"/> </xsd:sequence>",
        )],
        consequence: "None is known: clients of the first version (Windows 8.1) ignore what they do not know.",
        remedy: "Leave EnrollmentVersion out for them.",
        hresult: None,
        check: Check::DiscoverResponse(|m, cx| {
            let crate::message::Content::DiscoverRequest(request) = &cx.request.content else {
                return Verdict::Skip;
            };
            let first = request.request.is_some() && request.version.as_ref().is_none_or(|f| f.nil);
            match m.version.as_ref().filter(|f| !f.nil) {
                Some(version) if first => {
                    cx.fail(&version.spot, "no EnrollmentVersion", version.value.clone())
                }
                _ => Verdict::Pass,
            }
        }),
        needs: &["SOAP-001", "DISC-RSP-008"],
        examples: &[Example::edit(Edit::Several(&[
            asked("Envelope/Body/Discover/request/RequestVersion", ""),
            asked("Envelope/Body/Discover/request/RequestVersion/@i:nil", "true"),
        ]))
        .also(&["V1-001"])],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-RSP-018",
        name: "discover-answer-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "DiscoverResult holds the elements of the schema, each once, and nothing else.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "6",
            "<xsd:element minOccurs=\"1\" maxOccurs=\"1\" name=\"EnrollmentServiceUrl\" type=\"xsd:anyURI\"/>",
        )],
        consequence: "Windows takes the elements that it knows; strict clients decline the answer.",
        remedy: "Send only the elements of the specification.",
        hresult: None,
        check: Check::DiscoverResponse(|_, cx| as_declared(cx, "DISC-RSP-018")),
        needs: &["SOAP-001", "DISC-RSP-001", "DISC-RSP-017"],
        examples: &[
            Example::response(Step::Discover, RESULT, Change::Insert("<Tenant>1</Tenant>")),
            Example::response(Step::Discover, at!("EnrollmentPolicyServiceUrl"), Change::Duplicate),
        ],
        since: "0.1.0",
    },
];

const fn asked(at: &'static str, value: &'static str) -> Edit {
    Edit::Message {
        step: Step::Discover,
        side: Side::Request,
        part: Part::Body,
        at,
        change: Change::Set(value),
    }
}
