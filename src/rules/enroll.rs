//! Rules on RequestSecurityToken (MS-WSTEP 3.1.4.1, MS-MDE2 3.4.4.1.1.1).

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Example, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::message::certificate::SignedData;
use crate::message::{Field, Spot, names};
use crate::xml::Element;

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/RequestSecurityToken/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "RST-001",
        name: "request-in-other-namespace",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The Body holds a RequestSecurityToken of WS-Trust 1.3, whose namespace has no slash at its end.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.4.4.1.1.1.3",
                "The <wst:RequestSecurityToken> element MUST be a child of <s:Body>.",
            ),
            Cite::must(Spec::MsWstep, "2.2.1", "http://docs.oasis-open.org/ws-sx/ws-trust/200512"),
        ],
        consequence: "Servers do not find the request, and decline.",
        remedy: "Real devices write it so: look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let Some(request) = element(cx, &m.spot) else { return Verdict::Skip };
            let fits = request.local() == "RequestSecurityToken" && request.namespace().uri() == names::WST;
            Verdict::check(fits, || {
                let expected = format!("RequestSecurityToken in {}", names::WST);
                cx.fail(&m.spot, expected, format!("{} in {}", request.local(), request.namespace().uri()))
            })
        }),
        needs: &["SOAP-001"],
        examples: &[
            Example::request(
                Step::Token,
                "Envelope/@wst",
                Change::Set("http://docs.oasis-open.org/ws-sx/ws-trust/200512/"),
            ),
            Example::request(
                Step::Token,
                "Envelope/Body/RequestSecurityToken",
                Change::Rename("RequestSecurityTokenOnBehalfOf"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "RST-002",
        name: "other-token-type-asked",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The TokenType asked for is DeviceEnrollmentToken.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.2",
            "The <wst:tokentype> element MUST be a child of <wst:RequestSecurityToken> and the value MUST be \"http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken\"",
        )],
        consequence: "It is another WS-Trust client than Windows' enrollment; the server declines.",
        remedy: "Ask for DeviceEnrollmentToken with its whole URL, as Windows does, in whatever made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| match &m.token_type {
            Some(kind) if kind.value == names::DEVICE_ENROLLMENT_TOKEN => Verdict::Pass,
            kind => cx.fail_field(kind.as_ref(), (&m.spot, "TokenType"), names::DEVICE_ENROLLMENT_TOKEN),
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(Step::Token, at!("TokenType"), Change::Set("urn:other"))],
        since: "0.1.0",
    },
    Rule {
        id: "RST-003",
        name: "unknown-request-type",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "RequestType is Issue, Renew or Recovery.",
        cites: &[Cite::must(
            Spec::MsWstep,
            "3.1.4.1.2.7",
            "If the <wst:RequestType> has any other value, the server MUST respond with a SOAP fault.",
        )],
        consequence: "The server does not know what is asked of it, and declines.",
        remedy: "Use Issue for a new certificate, Renew for a renewal, Recovery for a lost one, each with its whole URL.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| match &m.request_type {
            Some(kind) if [names::ISSUE, names::RENEW, names::RECOVERY].contains(&kind.value.as_str()) => {
                Verdict::Pass
            }
            kind => cx.fail_field(kind.as_ref(), (&m.spot, "RequestType"), names::ISSUE),
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(Step::Token, at!("RequestType"), Change::Set("urn:other"))],
        since: "0.1.0",
    },
    Rule {
        id: "RST-004",
        name: "request-without-csr",
        severity: Severity::ERROR,
        subject: Subject::Device,
        requirement: "RequestSecurityToken holds a BinarySecurityToken with the certificate request.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "The <wsse:BinarySecurityToken> element MUST be a child of <wst:RequestSecurityToken>",
        )],
        consequence: "No certificate can be issued: the device could not make its key.",
        remedy: "Look at the policy's key length and providers, and at the device's TPM.",
        hresult: Some(0x8018_0027),
        check: Check::TokenRequest(|m, cx| {
            // WS-Trust knows requests without one: key exchange, and asking for a pending certificate.
            if m.request_type
                .as_ref()
                .is_some_and(|t| t.value.ends_with("/KET") || t.value.contains("QueryTokenStatus"))
            {
                return Verdict::Skip;
            }
            let token = m.token.as_ref();
            Verdict::check(token.is_some_and(|t| !t.value.is_empty()), || {
                cx.fail_field(
                    token.map(|t| &t.value),
                    (&m.spot, "BinarySecurityToken"),
                    "a certificate request",
                )
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(Step::Token, at!("BinarySecurityToken"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "RST-005",
        name: "csr-of-other-value-type",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The token's ValueType is #PKCS10 for Issue, #PKCS7 for Renew.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "The <wsse:BinarySecurityToken> ValueType attribute MUST be \"http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS10\"",
        )],
        consequence: "The server does not know what the token is.",
        remedy: "Label a certificate request #PKCS10 and a renewal #PKCS7, in whatever made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let Some(token) = &m.token else { return Verdict::Skip };
            let known = [names::PKCS10, names::PKCS7, names::PKCS7_WSSE];
            match &token.value_type {
                Some(kind) if known.contains(&kind.value.as_str()) => Verdict::Pass,
                kind => cx.fail_field(kind.as_ref(), (&token.spot, "@ValueType"), names::PKCS10),
            }
        }),
        needs: &["RST-004"],
        examples: &[Example::request(
            Step::Token,
            at!("BinarySecurityToken/@ValueType"),
            Change::Set("urn:other"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "RST-006",
        name: "csr-of-other-encoding",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The certificate request's token has the EncodingType #base64binary.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "The <wsse:BinarySecurityToken> EncodingType attribute MUST be \"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary\"",
        )],
        consequence: "Strict servers decline.",
        remedy: "Set EncodingType to #base64binary with its whole URL, as Windows does, in whatever made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let Some(token) = &m.token else { return Verdict::Skip };
            match &token.encoding_type {
                Some(kind) if kind.value.eq_ignore_ascii_case(names::BASE64_BINARY) => Verdict::Pass,
                kind => cx.fail_field(kind.as_ref(), (&token.spot, "@EncodingType"), names::BASE64_BINARY),
            }
        }),
        needs: &["RST-004"],
        examples: &[Example::request(Step::Token, at!("BinarySecurityToken/@EncodingType"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "RST-008",
        name: "no-additional-context",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "RequestSecurityToken holds an AdditionalContext with at least one ContextItem.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "The <ac:AdditionalContext> element MUST be a child of <wst:RequestSecurityToken>",
        )],
        consequence: "The server learns nothing about the device.",
        remedy: "Send the facts about the device as ContextItems; real devices do, so look at what made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let parent = m.context.as_ref().unwrap_or(&m.spot);
            let name = if m.context.is_some() { "ContextItem" } else { "AdditionalContext" };
            Verdict::check(!m.items.is_empty(), || {
                cx.fail(&parent.missing(name), "at least one ContextItem", "absent")
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(Step::Token, at!("AdditionalContext"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "RST-009",
        name: "context-item-incomplete",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "Every ContextItem has a Name and a Value.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "One or more <ac:ContextItem> Name attribute MUST be specified",
        )],
        consequence: "The server does not get this fact about the device.",
        remedy: "Give each ContextItem its Name and a Value element, in whatever made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            if m.items.is_empty() {
                return Verdict::Skip;
            }
            let bad = m.items.iter().filter(|item| item.name.is_empty() || item.value.is_none());
            Verdict::from_evidence(
                bad.take(8).map(|i| cx.evidence(&i.spot, "a Name and a Value", i.name.clone())).collect(),
            )
        }),
        needs: &["RST-008"],
        examples: &[Example::request(Step::Token, "…/ContextItem[Locale]/Value", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-REQ-007",
        name: "request-part-repeated",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "TokenType, RequestType, BinarySecurityToken, AdditionalContext and RequestID occur once at most.",
        cites: &[Cite::must(
            Spec::MsWstep,
            "3.1.4.1.3.3",
            "<xs:element ref=\"wsse:BinarySecurityToken\" minOccurs=\"0\" maxOccurs=\"1\" />",
        )],
        consequence: "Servers take one of them, and not all the same one.",
        remedy: "Send each of these elements once; a real device does not repeat them.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let Some(request) = element(cx, &m.spot) else { return Verdict::Skip };
            let repeated = PARTS.iter().filter_map(|name| request.children_named(name).nth(1));
            Verdict::from_evidence(
                repeated
                    .map(|e| cx.evidence(&Spot::tag(&e), format!("one {}", e.local()), "another one"))
                    .collect(),
            )
        }),
        needs: &["SOAP-001"],
        examples: &[
            Example::request(Step::Token, at!("TokenType"), Change::Duplicate),
            Example::request(Step::Token, at!("AdditionalContext"), Change::Duplicate),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-REQ-013",
        name: "unknown-part-of-request",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "RequestSecurityToken holds nothing but what the protocol knows.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.1.3.3",
            "Any element received that is not specified below SHOULD be ignored.",
        )],
        consequence: "None: servers skip the part, so that what it says is lost.",
        remedy: "Look at the tool that made this request, if the part is meant to say something.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let Some(request) = element(cx, &m.spot) else { return Verdict::Skip };
            let others = request.children().filter(|e| !PARTS.contains(&e.local())).take(8);
            Verdict::from_evidence(
                others.map(|e| cx.evidence(&Spot::tag(&e), PARTS.join(", "), e.local())).collect(),
            )
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(
            Step::Token,
            "Envelope/Body/RequestSecurityToken",
            Change::Insert("<wst:Claims>x</wst:Claims>"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-REQ-012",
        name: "request-id-in-new-request",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "A request for a new certificate has no RequestID, or a nil one.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.2.1.1",
            "If the wstep:RequestID element is present and defined, the server SHOULD ignore it.",
        )],
        consequence: "None: servers ignore it and take the request for a new one.",
        remedy: "Look at the tool that made this request: it may be asking after an earlier one.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let issue = m.request_type.as_ref().is_some_and(|t| t.value == names::ISSUE);
            let Some(request) = element(cx, &m.spot).filter(|_| issue) else { return Verdict::Skip };
            match Field::child(&request, "RequestID") {
                Some(id) if !id.nil && !id.is_empty() => cx.fail(&id.spot, "nil", id.value.clone()),
                _ => Verdict::Pass,
            }
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(
            Step::Token,
            "Envelope/Body/RequestSecurityToken",
            Change::Insert(
                "<RequestID xmlns=\"http://schemas.microsoft.com/windows/pki/2009/01/enrollment\">7</RequestID>",
            ),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-REQ-009",
        name: "token-is-not-what-its-label-says",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A token labelled #PKCS10 is a certificate request, one labelled #PKCS7 is a signed message around it.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.4.4.1.1.1.3",
                "MUST contain a base64-encoded certificate signing request",
            ),
            Cite::must(
                Spec::MsWstep,
                "3.1.4.1.3.3",
                "Provides the DER ASN.1 representation of the certificate request.",
            ),
        ],
        consequence: "Servers that go by the label cannot read the request, and decline.",
        remedy: "Real devices label it rightly: look at the tool that made this request.",
        hresult: Some(0x8018_0004),
        check: Check::TokenRequest(|m, cx| {
            let (Some(token), Some(der)) = (&m.token, &m.der) else { return Verdict::Skip };
            let Some(label) = &token.value_type else { return Verdict::Skip };
            let signed = SignedData::is_one(der);
            match label.value.as_str() {
                names::PKCS10 if signed => cx.fail(&label.spot, "a PKCS#10", "a signed message (PKCS#7)"),
                names::PKCS10 | names::PKCS7 | names::PKCS7_WSSE if signed || m.csr.is_some() => {
                    Verdict::Pass
                }
                _ => Verdict::Skip,
            }
        }),
        // A PKCS#10 that is called a PKCS#7 is theirs.
        needs: &["SOAP-001", "RENEW-001", "RENEW-003"],
        examples: &[Example::request(
            Step::Token,
            at!("BinarySecurityToken"),
            Change::Set("MA0GCSqGSIb3DQEHAqAA"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "WSTEP-REQ-017",
        name: "context-in-other-namespace",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "AdditionalContext, ContextItem and Value are in the authorization namespace, one Value to an item.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.4.4.1.1.1.3",
                "The <ac:AdditionalContext> element MUST be a child of <wst:RequestSecurityToken>",
            ),
            Cite::should(
                Spec::MsMde2,
                "3.4.4.1.1.1.3",
                "Namespace: http://schemas.xmlsoap.org/ws/2006/12/authorization",
            ),
        ],
        consequence: "Servers that go by the namespace learn nothing about the device.",
        remedy: "Real devices write it so; one table of the specification names another namespace by mistake.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let context = m.context.as_ref().and_then(|context| element(cx, context));
            let Some(context) = context.filter(|_| !m.items.is_empty()) else { return Verdict::Skip };
            let all = std::iter::once(context).chain(context.descendants());
            let foreign = all.filter(|e| e.namespace().uri() != names::AUTHORIZATION);
            let mut evidence: Vec<_> = foreign
                .take(1)
                .map(|e| cx.evidence(&Spot::tag(&e), names::AUTHORIZATION, e.namespace().uri()))
                .collect();
            let second = context.children().filter_map(|item| item.children_named("Value").nth(1));
            evidence.extend(second.take(8).map(|e| cx.evidence(&Spot::tag(&e), "one Value", "another one")));
            Verdict::from_evidence(evidence)
        }),
        needs: &["RST-008", "RST-009"],
        examples: &[
            Example::request(
                Step::Token,
                "Envelope/@ac",
                Change::Set("http://schemas.microsoft.com/windows/pki/2009/01/enrollment"),
            ),
            Example::request(Step::Token, "…/ContextItem[Locale]/Value", Change::Duplicate),
        ],
        since: "0.1.0",
    },
];

/// What RequestSecurityToken may hold (MS-WSTEP 3.1.4.1.3.3).
const PARTS: &[&str] =
    &["TokenType", "RequestType", "BinarySecurityToken", "AdditionalContext", "RequestID", "RequestKET"];

/// The element that a spot of this message is about.
pub(super) fn element<'a>(cx: &Context<'a>, spot: &Spot) -> Option<Element<'a>> {
    spot.element(cx.message.document.as_ref()?)
}
