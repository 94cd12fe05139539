//! Rules on Discover (MS-MDE2 3.1.4.1.3.1).

use std::collections::HashSet;

use super::check::{Check, Verdict};
use super::rule::{Change, Edit, Example, Level, Part, Rule, Severity, Step, Subject};
use super::schema::{as_declared, breaches};
use super::soap::{fail_defect_at, without_port};
use super::spec::{Cite, Spec};
use crate::event::{Side, header};
use crate::message::{AuthPolicy, Credential, DiscoverRequest, is_quad, names};

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/Discover/request/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "DISC-REQ-001",
        name: "discover-without-request",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "Discover has one request element.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.1.4.1.2.1",
            "<xsd:element minOccurs=\"1\" maxOccurs=\"1\" name=\"request\"",
        )],
        consequence: "The server cannot tell who asks.",
        remedy: "Put one request element into Discover; real devices do, so look at what made this request.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            Verdict::check(m.request.is_some(), || {
                cx.fail(&m.discover.missing("request"), "request", "absent")
            })
        }),
        needs: &[],
        examples: &[Example::request(
            Step::Discover,
            "Envelope/Body/Discover/request",
            Change::Rename("Request"),
        )
        .also(&["DISC-RSP-003"])],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-002",
        name: "discover-in-other-namespace",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "Discover is in the discovery namespace.",
        cites: &[Cite::observed(Spec::Field, "", "Devices send the namespace without a slash at its end.")],
        consequence: "Strict servers do not know the message.",
        remedy: "Write the namespace without a slash at its end; real devices do, so look at what made this request.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            Verdict::check(m.namespace.trim_end_matches('/') == names::DISCOVERY, || {
                cx.fail(&m.discover, names::DISCOVERY, m.namespace.clone())
            })
        }),
        needs: &[],
        examples: &[Example::request(
            Step::Discover,
            "Envelope/Body/Discover/@xmlns",
            Change::Set("http://schemas.microsoft.com/windows/pki/2012/01/enrollment"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-003",
        name: "email-missing",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The request has an EmailAddress, which may be empty when a program enrolls.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "6",
            "<xsd:element minOccurs=\"1\" maxOccurs=\"1\" name=\"EmailAddress\" type=\"enroll:EmailAddressType\"/>",
        )],
        consequence: "The server cannot tell whose device it is.",
        remedy: "Real devices send the element: look at the tool that made this request.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| match &m.request {
            None => Verdict::Skip,
            Some(request) => Verdict::check(m.email.is_some(), || {
                cx.fail(&request.missing("EmailAddress"), "an EmailAddress", "absent")
            }),
        }),
        needs: &["DISC-REQ-001"],
        examples: &[Example::request(Step::Discover, at!("EmailAddress"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-006",
        name: "request-version-not-a-number",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "RequestVersion is a decimal number.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.1.4.1.3.1",
            "The value MUST be set to 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, or 7.0.",
        )],
        consequence: "The server cannot tell what the device understands.",
        remedy: "Send a number such as 5.0; real devices do, so look at what made this request.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            let Some(request) = &m.request else { return Verdict::Skip };
            match &m.version {
                Some(version) if is_version(&version.value) => Verdict::Pass,
                // A client of the first protocol version (Windows 8.1) sends nil.
                Some(version) if version.nil => Verdict::Pass,
                version => cx.fail_field(version.as_ref(), (request, "RequestVersion"), "a number like 4.0"),
            }
        }),
        needs: &["DISC-REQ-001"],
        examples: &[Example::request(Step::Discover, at!("RequestVersion"), Change::Set("abc"))],
        since: "0.1.0",
    },
    Rule {
        id: "V1-001",
        name: "first-protocol-version",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "RequestVersion has a value: only Windows 8.1 sends nil.",
        cites: &[Cite::must(Spec::MsMde, "3.1.4.1.3.1", "RequestVersion: The value MUST be set to nil.")],
        consequence: "None, where the server still speaks the first version; other servers decline.",
        remedy: "Upgrade the device, or answer as the first version has it: Federated, and no EnrollmentVersion.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            let Some(version) = &m.version else { return Verdict::Skip };
            Verdict::check(!version.nil, || cx.fail(&version.spot, "a number like 4.0", "nil"))
        }),
        needs: &["DISC-REQ-001"],
        examples: &[Example::edit(Edit::Several(&[
            Edit::Message {
                step: Step::Discover,
                side: Side::Request,
                part: Part::Body,
                at: at!("RequestVersion"),
                change: Change::Set(""),
            },
            Edit::Message {
                step: Step::Discover,
                side: Side::Request,
                part: Part::Body,
                at: at!("RequestVersion/@i:nil"),
                change: Change::Set("true"),
            },
        ]))
        .also(&["DISC-RSP-015"])],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-007",
        name: "unlisted-request-version",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "RequestVersion is one that this catalogue knows: 1.0 to 9.0.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.1.4.1.3.1",
                "The value MUST be set to 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, or 7.0.",
            ),
            Cite::observed(Spec::Field, "", "Windows 11 25H2 sends 9.0."),
        ],
        consequence: "None by itself; a server that refuses unknown versions locks out new devices.",
        remedy: "Accept higher versions than you know, and answer with the highest that you support.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| match &m.version {
            Some(version) if is_version(&version.value) => {
                let known = ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "8.0", "9.0"];
                Verdict::check(known.contains(&version.value.as_str()), || {
                    cx.fail(&version.spot, "1.0 to 9.0", version.value.clone())
                })
            }
            _ => Verdict::Skip,
        }),
        needs: &["DISC-REQ-006"],
        examples: &[Example::request(Step::Discover, at!("RequestVersion"), Change::Set("12.0"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-008",
        name: "unknown-device-type",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "DeviceType is CIMClient_Windows, WindowsPhone or WindowsHandheld.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.1.4.1.3.1",
            "This element specifies the device type and MAY be set to WindowsPhone or CIMClient_Windows.",
        )],
        consequence: "The server may not know the platform and refuse it.",
        remedy: "Real devices send a known type: look at the tool that made this request.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            let Some(request) = &m.request else { return Verdict::Skip };
            let known = ["CIMClient_Windows", "WindowsPhone", "WindowsHandheld"];
            match &m.device_type {
                Some(kind) if known.contains(&kind.value.as_str()) && !kind.nil => Verdict::Pass,
                kind => cx.fail_field(kind.as_ref(), (request, "DeviceType"), known.join(", ")),
            }
        }),
        needs: &["DISC-REQ-001"],
        examples: &[Example::request(Step::Discover, at!("DeviceType"), Change::Set("Fridge"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-009",
        name: "malformed-application-version",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "ApplicationVersion is four numbers with dots between.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.1.4.1.3.1",
            "This element specifies the application version and MUST be in the format int.int.int.int.",
        )],
        consequence: "A server that decides by the version may refuse the device.",
        remedy: "Real devices send four numbers: look at the tool that made this request.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            let Some(request) = &m.request else { return Verdict::Skip };
            match &m.application_version {
                Some(version) if is_quad(&version.value) && !version.nil => Verdict::Pass,
                version => {
                    cx.fail_field(version.as_ref(), (request, "ApplicationVersion"), "like 10.0.26200.1")
                }
            }
        }),
        needs: &["DISC-REQ-001"],
        examples: &[Example::request(Step::Discover, at!("ApplicationVersion"), Change::Set("10.0"))
            .also(&["SEQ-010"])],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-010",
        name: "os-edition-not-a-number",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "OSEdition is a decimal product code.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.1.4.1.3.1",
            "MUST be set to the decimal value as an int (integer) of the product enumeration",
        )],
        consequence: "The server cannot tell the edition.",
        remedy: "Real devices send a number: look at the tool that made this request.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            let Some(request) = &m.request else { return Verdict::Skip };
            match &m.os_edition {
                Some(edition) if edition.number::<u32>().is_some() => Verdict::Pass,
                edition => cx.fail_field(edition.as_ref(), (request, "OSEdition"), "a decimal number"),
            }
        }),
        needs: &["DISC-REQ-001"],
        examples: &[Example::request(Step::Discover, at!("OSEdition"), Change::Set("0x48"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-011",
        name: "no-auth-policy-offered",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The device offers OnPremise, Federated or Certificate.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.1.4.1.3.1",
            "This element specifies the authentication method and MUST be set to Federated, Certificate, or OnPremise.",
        )],
        consequence: "The server cannot choose how the user signs in.",
        remedy: "Real devices offer at least one: look at the tool that made this request.",
        hresult: None,
        check: Check::DiscoverRequest(offered),
        needs: &["DISC-REQ-001"],
        examples: &[
            Example::request(Step::Discover, at!("AuthPolicies"), Change::Delete).also(&["DISC-RSP-003"])
        ],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-015",
        name: "credential-in-discover",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "Discover carries no credential.",
        cites: &[Cite::observed(
            Spec::MsMde2,
            "4.1.1",
            "Discovery is anonymous in all examples and recordings.",
        )],
        consequence: "A password travels where none is asked for.",
        remedy: "Leave the security header out of Discover: the credential belongs to the policy and the certificate request.",
        hresult: None,
        check: Check::Soap(|soap, cx| match (&cx.message.content, soap.credential.spot()) {
            (crate::message::Content::DiscoverRequest(_), None) => Verdict::Pass,
            (crate::message::Content::DiscoverRequest(_), Some(spot)) => {
                cx.fail(spot, "no credential", Credential::describe(&soap.credential))
            }
            _ => Verdict::Skip,
        }),
        needs: &[],
        examples: &[Example::request(Step::Discover, "Envelope/Header", Change::Insert(CREDENTIAL))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-004",
        name: "email-of-unknown-form",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "EmailAddress is user@domain or DOMAIN\\user, or empty when a program enrolls.",
        cites: &[
            Cite::must(Spec::MsMde2, "6", "<xsd:pattern value=\"[^@]+@[^\\.]+\\..+\"/>"),
            Cite::observed(
                Spec::MsDocs,
                "On-premise authentication device enrollment",
                "Users may type DOMAIN\\user.",
            ),
        ],
        consequence: "The server cannot tell the domain of the user.",
        remedy: "Type the address as the directory has it.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| match m.email.as_ref().filter(|f| f.is_given()) {
            None => Verdict::Skip,
            Some(email) => Verdict::check(is_user(&email.value), || {
                cx.fail(&email.spot, "user@domain.example or DOMAIN\\user", email.value.clone())
            }),
        }),
        needs: &["DISC-REQ-001"],
        examples: &[Example::request(Step::Discover, at!("EmailAddress"), Change::Set("anna"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-016",
        name: "email-is-no-address",
        severity: Severity { field: Level::Info, strict: Level::Error },
        subject: Subject::Device,
        requirement: "EmailAddress is an address of the form user@domain.tld, as the schema has it.",
        cites: &[
            Cite::must(Spec::MsMde2, "6", "<xsd:pattern value=\"[^@]+@[^\\.]+\\..+\"/>"),
            Cite::observed(Spec::Field, "", "Programs enroll without one, and users may type DOMAIN\\user."),
        ],
        consequence: "None by itself: the server has to find the user by other means.",
        remedy: "Accept both; ask for the address where the server needs it.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            let Some(email) = m.email.as_ref().filter(|f| !f.nil) else { return Verdict::Skip };
            let address = email.value.contains('@');
            Verdict::check(address, || cx.fail_field(Some(email), (&email.spot, ""), "user@domain.example"))
        }),
        needs: &["DISC-REQ-001", "DISC-REQ-004"],
        examples: &[
            Example::request(Step::Discover, at!("EmailAddress"), Change::Set("")),
            Example::request(Step::Discover, at!("EmailAddress"), Change::Set("CONTOSO\\anna")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-005",
        name: "other-domain-than-asked",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "The domain of the user's address is the one whose enterpriseenrollment host was asked.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "The device makes the host from the domain of the address.",
        )],
        consequence: "None: a server typed by hand and an alias look the same.",
        remedy: "Look whether this domain is yours, if you did not expect it.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            let host = header(&cx.exchange.request.headers, "Host").map(|h| h.text().to_ascii_lowercase());
            let asked =
                host.as_deref().map(without_port).and_then(|h| h.strip_prefix("enterpriseenrollment."));
            let domain = m.email.as_ref().and_then(|f| Some((f, f.value.rsplit_once('@')?.1)));
            match (asked, domain) {
                (Some(asked), Some((email, domain))) => {
                    Verdict::check(asked.eq_ignore_ascii_case(domain), || {
                        cx.fail(&email.spot, format!("…@{asked}"), email.value.clone())
                    })
                }
                _ => Verdict::Skip,
            }
        }),
        needs: &["DISC-REQ-001", "DISC-REQ-004"],
        examples: &[Example::request(
            Step::Discover,
            at!("EmailAddress"),
            Change::Set("anna@fabrikam.example"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-012",
        name: "certificate-offered",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "A device offers OnPremise and Federated, or Certificate alone, and nothing twice.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows offers Certificate only when it enrolls from a provisioning package or in bulk.",
        )],
        consequence: "None: something else than Windows' own enrollment made the request.",
        remedy: "Look at the program that enrolls the device.",
        hresult: None,
        check: Check::DiscoverRequest(|m, cx| {
            if m.offered.is_empty() {
                return Verdict::Skip;
            }
            let mut seen = HashSet::new();
            let alone = m.offered.len() == 1;
            let mut odd = m
                .offered
                .iter()
                .filter(|f| !seen.insert(f.value.as_str()) || f.value == "Certificate" && !alone);
            odd.next().map_or(Verdict::Pass, |f| {
                cx.fail(&f.spot, "OnPremise and Federated, or Certificate alone", f.value.clone())
            })
        }),
        needs: &["DISC-REQ-001", "DISC-REQ-011"],
        examples: &[
            Example::request(Step::Discover, at!("AuthPolicies/AuthPolicy[2]"), Change::Set("Certificate")),
            Example::request(Step::Discover, at!("AuthPolicies/AuthPolicy[2]"), Change::Duplicate),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-013",
        name: "discover-not-as-in-schema",
        severity: Severity { field: Level::Info, strict: Level::Error },
        subject: Subject::Device,
        requirement: "Discover holds the elements of the schema, each once, and nothing else.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "6",
                "<xsd:element minOccurs=\"1\" maxOccurs=\"1\" name=\"EmailAddress\"",
            ),
            Cite::observed(
                Spec::MsDocs,
                "Certificate authentication device enrollment",
                "The sample has an OSVersion.",
            ),
        ],
        consequence: "Strict servers refuse the message; others ignore what they do not know.",
        remedy: "Real devices send no more: look at the tool that made this request.",
        hresult: None,
        check: Check::DiscoverRequest(|_, cx| as_declared(cx, "DISC-REQ-013")),
        needs: &["SOAP-001", "DISC-REQ-001"],
        examples: &[
            Example::request(
                Step::Discover,
                "Envelope/Body/Discover/request",
                Change::Insert("<OSVersion>10.0</OSVersion>"),
            ),
            Example::request(Step::Discover, at!("OSEdition"), Change::Duplicate),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-REQ-014",
        name: "comments-in-request",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "A request has no comments.",
        cites: &[Cite::observed(Spec::Field, "", "Devices send none; samples of the documentation do.")],
        consequence: "None: it was made from a sample, and not by a device.",
        remedy: "Leave comments out of messages that a program sends; a real device sends none.",
        hresult: None,
        check: Check::Xml(|document, cx| {
            if cx.message.side != Side::Request {
                return Verdict::Skip;
            }
            let comment = document.comments().next();
            comment
                .map_or(Verdict::Pass, |span| fail_defect_at(document, cx, span, "no comment", "a comment"))
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(
            Step::Discover,
            "Envelope/Body/Discover/request",
            Change::Insert("<!-- version -->"),
        )],
        since: "0.1.0",
    },
];

fn offered(m: &DiscoverRequest, cx: &super::Context<'_>) -> Verdict {
    let Some(request) = &m.request else { return Verdict::Skip };
    if m.offered.is_empty() {
        let parent = m.auth_policies.as_ref().unwrap_or(request);
        return cx.fail(&parent.missing("AuthPolicy"), "at least one AuthPolicy", "absent");
    }
    let bad = m.offered.iter().filter(|f| f.nil || AuthPolicy::parse(&f.value).is_none());
    let mut evidence: Vec<_> =
        bad.map(|f| cx.evidence(&f.spot, "OnPremise, Federated or Certificate", f.value.clone())).collect();
    if evidence.is_empty() {
        // A fourth one; a blank beside a word is another rule's affair.
        let more = breaches(cx, "DISC-REQ-011").into_iter().filter(|e| e.found == "another one");
        evidence.extend(more);
    }
    Verdict::from_evidence(evidence)
}

/// `user@domain.example` or `DOMAIN\\user`.
fn is_user(text: &str) -> bool {
    let mail = |(user, host): (&str, &str)| {
        let host = host.split_once('.');
        !user.is_empty() && host.is_some_and(|(first, rest)| !first.is_empty() && !rest.is_empty())
    };
    let account = |(domain, user): (&str, &str)| !domain.is_empty() && !user.is_empty();
    text.split_once('@').is_some_and(mail) || text.split_once('\\').is_some_and(account)
}

/// Two numbers with a dot between.
pub(super) fn is_version(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.len() < 5 && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
}

const CREDENTIAL: &str = concat!(
    "<o:Security s:mustUnderstand=\"1\" xmlns:o=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\">",
    "<o:UsernameToken><o:Username>anna</o:Username></o:UsernameToken></o:Security>",
);
