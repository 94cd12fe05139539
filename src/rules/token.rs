//! Rules on RequestSecurityTokenResponseCollection, the answer around the provisioning document (MS-WSTEP 3.1.4.1,
//! MS-MDE2 3.4.4.1.1.2).

use super::check::{Check, Context, Verdict};
use super::enroll::element;
use super::rule::{Change, Edit, Example, Golden, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::{Side, Time};
use crate::message::{Content, Field, Spot, TokenResponse, names};

macro_rules! answer {
    ($name:literal) => {
        concat!("Envelope/Body/RequestSecurityTokenResponseCollection/RequestSecurityTokenResponse", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "RSTR-001",
        name: "answer-without-collection",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The answer is a collection with exactly one RequestSecurityTokenResponse.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.2",
            "The <wst:RequestSecurityTokenResponseCollection> element MUST be a child of <s:Body>.",
        )],
        consequence: "Strict clients do not find the token.",
        remedy: "Wrap one RequestSecurityTokenResponse in a RequestSecurityTokenResponseCollection.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let found = format!(
                "{} response(s), {} collection",
                m.responses,
                if m.in_collection { "in a" } else { "no" }
            );
            Verdict::check(m.in_collection && m.responses == 1, || {
                cx.fail(&m.spot, "one response in a collection", found)
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(Step::Token, answer!(""), Change::Duplicate)],
        since: "0.1.0",
    },
    Rule {
        id: "RSTR-010",
        name: "certificate-pending",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The answer is final: enrollment has no step for asking again.",
        cites: &[Cite::observed(
            Spec::MsWstep,
            "3.1.4.1.3.2",
            "WSTEP knows pending requests; MS-MDE2 has no message to ask for the outcome.",
        )],
        consequence: "The device gets no certificate and stops.",
        remedy: "Have the authority issue for this template without a manager's approval.",
        hresult: Some(0x8018_0004),
        check: Check::TokenResponse(|m, cx| {
            let pending = |text: &str| {
                let text = text.to_ascii_lowercase();
                text.contains("taken under submission") || text.contains("pending")
            };
            let reference = m
                .requested
                .as_ref()
                .and_then(|requested| element(cx, requested))
                .and_then(|requested| requested.child("SecurityTokenReference"));
            match &m.disposition {
                _ if reference.is_some() && m.token.is_none() => {
                    let spot = reference.map_or(m.spot.clone(), |r| Spot::tag(&r));
                    cx.fail(&spot, "an issued certificate", "where to ask for it later")
                }
                Some(text) if pending(&text.value) => {
                    cx.fail(&text.spot, "an issued certificate", text.value.clone())
                }
                _ => Verdict::Pass,
            }
        }),
        needs: &["SOAP-001"],
        examples: &[
            Example::response(
                Step::Token,
                answer!("/DispositionMessage"),
                Change::Set("Taken Under Submission"),
            ),
            Example::response(
                Step::Token,
                answer!("/RequestedSecurityToken/BinarySecurityToken"),
                Change::Rename("SecurityTokenReference"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "RSTR-002",
        name: "answer-without-token",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "RequestedSecurityToken holds a BinarySecurityToken that is not empty.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.2",
            "The <wsse:BinarySecurityToken> element MUST be a child of <wst:RequestedSecurityToken>",
        )],
        consequence: "The device gets neither certificate nor settings.",
        remedy: "Send the provisioning document, or a fault that says why there is none.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            if is_for_domain_client(m, cx) {
                return Verdict::Skip;
            }
            let parent = m.requested.as_ref().or(m.response.as_ref()).unwrap_or(&m.spot);
            let token = m.token.as_ref();
            Verdict::check(token.is_some_and(|t| !t.value.is_empty()), || {
                cx.fail_field(
                    token.map(|t| &t.value),
                    (parent, "BinarySecurityToken"),
                    "the provisioning document",
                )
            })
        }),
        needs: &["SOAP-001", "RSTR-010"],
        examples: &[Example::response(
            Step::Token,
            answer!("/RequestedSecurityToken/BinarySecurityToken"),
            Change::Delete,
        )],
        since: "0.1.0",
    },
    Rule {
        id: "RSTR-003",
        name: "other-token-type-answered",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The TokenType is DeviceEnrollmentToken, right under RequestSecurityTokenResponse.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.2",
            "The <wst:TokenType> element MUST be a child of <wst: RequestSecurityTokenResponse>",
        )],
        consequence: "Windows is not known to mind; clients that go by the type do not find the token.",
        remedy: "Set TokenType to DeviceEnrollmentToken with its whole URL.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let parent = m.response.as_ref().unwrap_or(&m.spot);
            match &m.token_type {
                Some(kind) if kind.value == names::DEVICE_ENROLLMENT_TOKEN && !m.token_type_misplaced => {
                    Verdict::Pass
                }
                kind => cx.fail_field(kind.as_ref(), (parent, "TokenType"), names::DEVICE_ENROLLMENT_TOKEN),
            }
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(Step::Token, answer!("/TokenType"), Change::Set("urn:other"))],
        since: "0.1.0",
    },
    Rule {
        id: "RSTR-004",
        name: "document-of-other-value-type",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The token's ValueType is DeviceEnrollmentProvisionDoc.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.2",
            "The <wsse:BinarySecurityToken> ValueType attribute MUST be \"http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentProvisionDoc\"",
        )],
        consequence: "Windows is not known to mind; clients that go by the type do not look for a document in the token.",
        remedy: "Use the ValueType with 5.0.0.0 and without blanks.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let Some(token) = &m.token else { return Verdict::Skip };
            match &token.value_type {
                Some(kind) if kind.value == names::PROVISION_DOC => Verdict::Pass,
                kind => cx.fail_field(kind.as_ref(), (&token.spot, "@ValueType"), names::PROVISION_DOC),
            }
        }),
        needs: &["RSTR-002"],
        examples: &[Example::response(
            Step::Token,
            answer!("/RequestedSecurityToken/BinarySecurityToken/@ValueType"),
            Change::Set("urn:other"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "RSTR-005",
        name: "document-of-other-encoding",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The token of the answer has the EncodingType #base64binary.",
        cites: &[Cite::must(
            Spec::MsMde,
            "3.4.4.1.1.3",
            "The <wsse:BinarySecurityToken> EncodingType attribute MUST be \"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary\"",
        )],
        consequence: "Windows is not known to mind; clients that go by the encoding do not decode the token.",
        remedy: "Add the EncodingType of base64binary.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let Some(token) = &m.token else { return Verdict::Skip };
            match &token.encoding_type {
                Some(kind) if kind.value.eq_ignore_ascii_case(names::BASE64_BINARY) => Verdict::Pass,
                kind => cx.fail_field(kind.as_ref(), (&token.spot, "@EncodingType"), names::BASE64_BINARY),
            }
        }),
        needs: &["RSTR-002"],
        examples: &[Example::response(
            Step::Token,
            answer!("/RequestedSecurityToken/BinarySecurityToken/@EncodingType"),
            Change::Delete,
        )],
        since: "0.1.0",
    },
    Rule {
        id: "RSTR-006",
        name: "token-is-no-provisioning-document",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The token is a base64-encoded wap-provisioningdoc.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.2",
            "MUST contain a base64-encoded XML provisioning document",
        )],
        consequence: "The device cannot read its certificate and settings.",
        remedy: "Encode the XML document once, in UTF-8, as base64.",
        hresult: Some(0x8018_0023),
        check: Check::TokenResponse(|m, cx| {
            let token = m.token.as_ref().filter(|t| !t.value.is_empty() && !is_for_domain_client(m, cx));
            let Some(token) = token else { return Verdict::Skip };
            Verdict::check(m.provisioning.is_some(), || {
                let found = match &m.decoded {
                    None => "text that is not base64".to_owned(),
                    Some(bytes) => format!("{} bytes that are no such document", bytes.len()),
                };
                cx.fail(&token.spot, "base64 of a wap-provisioningdoc", found)
            })
        }),
        needs: &["SOAP-001", "RSTR-002"],
        examples: &[
            Example::response(
                Step::Token,
                answer!("/RequestedSecurityToken/BinarySecurityToken"),
                Change::Corrupt,
            ),
            Example::provisioning("", Change::Set("<other/>")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "RSTR-007",
        name: "disposition-in-other-namespace",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "DispositionMessage and RequestID are in the namespace of the enrollment service.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.1.3.4",
            "The wstep:DispositionMessage element is used to convey any additional server disposition information",
        )],
        consequence: "Strict clients do not find them; Windows is not known to look.",
        remedy: "Write xmlns=\"http://schemas.microsoft.com/windows/pki/2009/01/enrollment\" on both.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let fields: Vec<_> = [&m.disposition, &m.request_id].into_iter().flatten().collect();
            if fields.is_empty() {
                return Verdict::Skip;
            }
            let foreign = fields.into_iter().filter_map(|field| {
                let namespace = element(cx, &field.spot)?.namespace().uri().to_owned();
                (namespace != names::WSTEP).then(|| cx.evidence(&field.spot, names::WSTEP, namespace))
            });
            Verdict::from_evidence(foreign.collect())
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(Step::Token, answer!("/RequestID/@xmlns"), Change::Set("urn:other"))],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-RESP-005",
        name: "disposition-without-language",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "A DispositionMessage that says something says in which language.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.1.3.1",
            "The language SHOULD be provided for each string element instance.",
        )],
        consequence: "None: the text is for people.",
        remedy: "Add xml:lang, or leave the text empty.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let Some(text) = &m.disposition else { return Verdict::Skip };
            let said = element(cx, &text.spot).is_some_and(|e| e.attribute("lang").is_some());
            Verdict::check(said || text.is_empty(), || {
                cx.fail(&text.spot.missing("@lang"), "xml:lang", text.value.clone())
            })
        }),
        needs: &["SOAP-001", "RSTR-010"],
        examples: &[Example::response(Step::Token, answer!("/DispositionMessage"), Change::Set("Issued"))],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-RESP-006",
        name: "malformed-language",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A DispositionMessage's xml:lang is a language tag such as en-US.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.1.3.1",
            "The language reference xml:lang, indicating the natural or formal language",
        )],
        consequence: "Strict clients refuse the answer as not valid.",
        remedy: "Write a tag such as en-US.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let element = m.disposition.as_ref().and_then(|text| element(cx, &text.spot));
            let Some(lang) = element.and_then(|e| Field::attribute(&e, "lang")) else { return Verdict::Skip };
            Verdict::check(is_language(&lang.value), || cx.fail(&lang.spot, "en-US", lang.value.clone()))
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(
            Step::Token,
            answer!("/DispositionMessage/@lang"),
            Change::Set("english (us)"),
        )
        .on(Golden::DeviceContext)],
        since: "0.1.0",
    },
    Rule {
        id: "RSTR-008",
        name: "answer-out-of-its-time",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A Timestamp in the answer's header covers the time at which the answer comes.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Servers send Timestamps of 2018, and Windows devices took them in 2022.",
        )],
        consequence: "Windows is not known to mind; strict clients refuse the answer.",
        remedy: "Write the current time into Created and a few minutes more into Expires, or leave the header out.",
        hresult: None,
        check: Check::TokenResponse(|_, cx| {
            let header = cx.message.soap.as_ref().and_then(|s| s.security.as_ref());
            let stamp = header.and_then(|s| element(cx, s)).and_then(|s| s.child("Timestamp"));
            let at = cx.exchange.response.as_ref().map(|r| r.at).unwrap_or_default();
            let Some(stamp) = stamp.filter(|_| at.0 != 0) else { return Verdict::Skip };
            let time = |name| Field::child(&stamp, name).and_then(|f| Some((Time::parse(&f.value)?, f)));
            // Clocks differ: five minutes are nobody's fault.
            let early = time("Created").filter(|(created, _)| *created > at.plus_millis(300_000));
            let late = time("Expires").filter(|(expires, _)| expires.plus_millis(300_000) < at);
            early.or(late).map_or(Verdict::Pass, |(_, field)| {
                cx.fail(&field.spot, format!("around {at}"), field.value.clone())
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::edit(Edit::Several(&[
            change("Envelope/Header/Security/Timestamp/Created", "2018-11-30T00:32:59.420Z"),
            change("Envelope/Header/Security/Timestamp/Expires", "2018-12-30T00:37:59.420Z"),
        ]))
        .on(Golden::DeviceContext)],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-RESP-008",
        name: "answer-of-a-certificate-service",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The answer brings its token in RequestedSecurityToken only.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.1.3.2",
            "The server MUST also include a CMC full PKI response in the RequestSecurityTokenResponseCollection",
        )],
        consequence: "The second token is what plain certificate services answer with; devices do not read it.",
        remedy: "Look whether the enrollment address leads to a certificate service instead of the management server.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let Some(response) = m.response.as_ref().and_then(|r| element(cx, r)) else {
                return Verdict::Skip;
            };
            response.child("BinarySecurityToken").map_or(Verdict::Pass, |beside| {
                cx.fail(&Spot::tag(&beside), "no token beside", "a BinarySecurityToken of its own")
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(
            Step::Token,
            answer!(""),
            Change::Insert(concat!(
                "<BinarySecurityToken xmlns=\"http://docs.oasis-open.org/wss/2004/01/",
                "oasis-200401-wss-wssecurity-secext-1.0.xsd\">QUJD</BinarySecurityToken>"
            )),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-RESP-013",
        name: "unknown-part-of-answer",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "RequestSecurityTokenResponse holds nothing but what the protocol knows.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.1.3.4",
            "Any element received that is not documented as follows SHOULD be ignored.",
        )],
        consequence: "Devices ignore it.",
        remedy: "Put what the device is to know into the provisioning document.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let Some(response) = m.response.as_ref().and_then(|r| element(cx, r)) else {
                return Verdict::Skip;
            };
            let others = response.children().filter(|e| !PARTS.contains(&e.local())).take(8);
            Verdict::from_evidence(
                others.map(|e| cx.evidence(&Spot::tag(&e), PARTS.join(", "), e.local())).collect(),
            )
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(Step::Token, answer!(""), Change::Insert("<Lifetime>x</Lifetime>"))],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-RESP-016",
        name: "context-not-returned",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The answer repeats the Context attribute of the request, if it has one.",
        cites: &[Cite::must(
            Spec::WsTrust,
            "3.2",
            "if a context URI is specified on a RST, then it MUST be echoed on the corresponding RSTR",
        )],
        consequence: "A client that sends several requests cannot tell which one is answered.",
        remedy: "Copy Context from RequestSecurityToken to RequestSecurityTokenResponse.",
        hresult: None,
        check: Check::TokenResponse(|m, cx| {
            let Content::TokenRequest(asked) = &cx.request.content else { return Verdict::Skip };
            let request = cx.request.document.as_ref().and_then(|d| asked.spot.element(d));
            let response = m.response.as_ref().and_then(|r| element(cx, r));
            let (Some(request), Some(response)) = (request, response) else { return Verdict::Skip };
            let sent = Field::attribute(&request, "Context").map(|f| f.value);
            let returned = Field::attribute(&response, "Context").map(|f| f.value);
            Verdict::check(sent.is_none() || sent == returned, || {
                cx.fail(
                    &Spot::tag(&response).missing("@Context"),
                    sent.clone().unwrap_or_default(),
                    returned.clone().unwrap_or_else(|| "absent".to_owned()),
                )
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(
            Step::Token,
            "Envelope/Body/RequestSecurityToken/@Context",
            Change::Set("urn:uuid:0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f1"),
        )],
        since: "0.1.0",
    },
];

/// What the answer may hold (MS-WSTEP 3.1.4.1.3.4).
const PARTS: &[&str] = &[
    "TokenType",
    "DispositionMessage",
    "BinarySecurityToken",
    "RequestedSecurityToken",
    "KeyExchangeToken",
    "RequestID",
];

const fn change(at: &'static str, value: &'static str) -> Edit {
    Edit::Message {
        step: Step::Token,
        side: Side::Response,
        part: Part::Body,
        at,
        change: Change::Set(value),
    }
}

/// Letters, then parts of letters and digits, with hyphens between, each at most eight long (BCP 47).
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let short = |part: &str| (1..=8).contains(&part.len());
    let first = parts.next().is_some_and(|p| short(p) && p.bytes().all(|b| b.is_ascii_alphabetic()));
    first && parts.all(|p| short(p) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The answer of an authority to a client of Windows' own certificate enrollment, which asks for the certificate alone
/// (MS-WSTEP 4.1). To a device that asks for a provisioning document it is none.
fn is_for_domain_client(m: &TokenResponse, cx: &Context<'_>) -> bool {
    let bare = |kind: &Option<Field>| kind.as_ref().is_some_and(|kind| kind.value == names::X509_V3);
    bare(&m.token_type)
        && match &cx.request.content {
            Content::TokenRequest(asked) => bare(&asked.token_type),
            _ => true,
        }
}
