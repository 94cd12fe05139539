//! Rules on RequestSecurityToken and the answer around the provisioning document (MS-WSTEP, MS-MDE2 3.4.4.1.1).

use super::check::{Check, Verdict};
use super::discover::is_quad;
use super::rule::{Change, Example, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::message::names;

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/RequestSecurityToken/", $name)
    };
}
macro_rules! answer {
    ($name:literal) => {
        concat!("Envelope/Body/RequestSecurityTokenResponseCollection/RequestSecurityTokenResponse", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "RST-002",
        name: "other-token-type-asked",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The TokenType asked for is DeviceEnrollmentToken.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.2",
            "The <wst:tokentype> element MUST be a child of <wst:RequestSecurityToken>",
        )],
        consequence: "It is another WS-Trust client than Windows' enrollment; the server declines.",
        remedy: "Look at the tool that made this request.",
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
            "3.1.4.1.1.1",
            "If the <wst:RequestType> has any other value, the server MUST respond with a SOAP fault.",
        )],
        consequence: "The server declines.",
        remedy: "Look at the tool that made this request.",
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
            "The <wsse:BinarySecurityToken> ValueType attribute MUST be",
        )],
        consequence: "The server does not know what the token is.",
        remedy: "Look at the tool that made this request.",
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
        requirement: "The token's EncodingType is #base64binary.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "The <wsse:BinarySecurityToken> EncodingType attribute MUST be",
        )],
        consequence: "Strict servers decline.",
        remedy: "Look at the tool that made this request.",
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
        remedy: "Real devices send it: look at the tool that made this request.",
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
        remedy: "Look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            if m.items.is_empty() {
                return Verdict::Skip;
            }
            let bad = m.items.iter().filter(|item| item.name.is_empty() || item.value.is_none());
            Verdict::from_evidence(
                bad.map(|i| cx.evidence(&i.spot, "a Name and a Value", i.name.clone())).collect(),
            )
        }),
        needs: &["RST-008"],
        examples: &[Example::request(Step::Token, "…/ContextItem[Locale]/Value", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "RST-012",
        name: "context-item-repeated",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "Only MAC and IMEI occur more than once.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "Multiple MAC addresses are supported if a device has multiple NICs.",
        )],
        consequence: "Servers take one of the values, and not all the same one.",
        remedy: "Look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            if m.items.is_empty() {
                return Verdict::Skip;
            }
            let repeated = m.items.iter().enumerate().filter(|(at, item)| {
                !["MAC", "IMEI"].contains(&item.name.as_str())
                    && m.items.iter().take(*at).any(|i| i.name == item.name)
            });
            Verdict::from_evidence(
                repeated
                    .map(|(_, i)| cx.evidence(&i.spot, format!("one {}", i.name), "another one"))
                    .collect(),
            )
        }),
        needs: &["RST-008"],
        examples: &[Example::request(Step::Token, "…/ContextItem[DeviceName]", Change::Duplicate)],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-001",
        name: "context-item-missing",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The context names edition, version, name, type, application version and id of the device, and the enrollment's type.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "The <ac:ContextItem> Name attribute MUST be the literal string \"DeviceID\".",
        )],
        consequence: "Servers that need the item decline, or make a device record without it.",
        remedy: "Real devices send it: look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            if m.is_renewal() {
                return Verdict::Skip; // RENEW-005 speaks of it.
            }
            let Some(context) = m.context.as_ref().filter(|_| !m.items.is_empty()) else {
                return Verdict::Skip;
            };
            let missing = BASE_ITEMS.iter().filter(|name| m.item(name).is_none());
            Verdict::from_evidence(
                missing
                    .map(|name| {
                        cx.evidence(&context.missing("ContextItem"), format!("an item {name}"), "absent")
                    })
                    .collect(),
            )
        }),
        needs: &["RST-008", "RST-009"],
        examples: &[Example::request(Step::Token, "…/ContextItem[OSVersion]", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-002",
        name: "malformed-context-value",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "EnrollmentType is Full or Device, OSVersion and ApplicationVersion are four numbers, OSEdition is a number.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "the value MUST be a string (UTF-8) that MUST be Full or Device.",
        )],
        consequence: "Servers that decide by the value may decline or choose the wrong certificate store.",
        remedy: "Real devices send these forms: look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let mut evidence = Vec::new();
            let mut judged = false;
            for (name, form, holds) in FORMS {
                let Some(value) = m.item(name) else { continue };
                judged = true;
                if !holds(&value.value) {
                    evidence.push(cx.evidence(&value.spot, *form, value.value.clone()));
                }
            }
            if judged { Verdict::from_evidence(evidence) } else { Verdict::Skip }
        }),
        needs: &["RST-008"],
        examples: &[Example::request(
            Step::Token,
            "…/ContextItem[EnrollmentType]/Value",
            Change::Set("Lite"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-006",
        name: "malformed-hardware-id",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "HWDevID is 64 hexadecimal digits.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "the value is a 64 hex character length UTF-8 string that specifies the hardware device ID.",
        )],
        consequence: "Servers cannot recognise the device when it enrolls again.",
        remedy: "Real devices send 64 digits: look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| match m.item("HWDevID") {
            None => Verdict::Skip,
            Some(id) => Verdict::check(
                id.value.len() == 64 && id.value.bytes().all(|b| b.is_ascii_hexdigit()),
                || cx.fail(&id.spot, "64 hexadecimal digits", id.value.clone()),
            ),
        }),
        needs: &["RST-008"],
        examples: &[Example::request(Step::Token, "…/ContextItem[HWDevID]/Value", Change::Set("42"))],
        since: "0.1.0",
    },
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
            match &m.disposition {
                Some(text) if pending(&text.value) => {
                    cx.fail(&text.spot, "an issued certificate", text.value.clone())
                }
                _ => Verdict::Pass,
            }
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(
            Step::Token,
            answer!("/DispositionMessage"),
            Change::Set("Taken Under Submission"),
        )],
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
        consequence: "Windows is not known to mind; strict clients do.",
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
            "The <wsse:BinarySecurityToken> ValueType attribute MUST be",
        )],
        consequence: "Windows is not known to mind; strict clients do.",
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
        requirement: "The token's EncodingType is #base64binary.",
        cites: &[Cite::must(Spec::MsMde, "3.4.4.1.1.3", "EncodingType")],
        consequence: "Windows is not known to mind; strict clients do.",
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
            let Some(token) = m.token.as_ref().filter(|t| !t.value.is_empty()) else { return Verdict::Skip };
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
];

const BASE_ITEMS: &[&str] = &[
    "OSEdition",
    "OSVersion",
    "DeviceName",
    "EnrollmentType",
    "DeviceType",
    "ApplicationVersion",
    "DeviceID",
];

/// Context items, the form of their values in words, and whether a value has it.
type Form = (&'static str, &'static str, fn(&str) -> bool);

const FORMS: &[Form] = &[
    ("EnrollmentType", "Full or Device", |v| v == "Full" || v == "Device"),
    ("OSVersion", "four numbers", is_quad),
    ("ApplicationVersion", "four numbers", is_quad),
    ("OSEdition", "a number", |v| v.parse::<u32>().is_ok()),
];
