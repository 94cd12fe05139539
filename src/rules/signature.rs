//! Rules on messages that a certificate signs (MS-MDE2 3.3.4.1.1.1.2, 3.4.4.1.1.1.2).

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Edit, Example, Golden, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::{Side, Time};
use crate::message::{Field, SignatureState, Spot, names};

const INVALID_SECURITY: Option<u32> = Some(0x8018_0007);
/// Clocks differ.
const SKEW: i64 = 300_000;

macro_rules! signature {
    ($path:literal) => {
        concat!("Envelope/Header/Security/Signature/", $path)
    };
}

const fn signed(step: Step, at: &'static str, change: Change) -> Example {
    Example::request(step, at, change).on(Golden::Certificate)
}

/// Every rule on what a signature is made of: where one of them failed, the signature cannot hold.
const PARTS: &[&str] = &[
    "CRED-CERT-001",
    "CRED-CERT-002",
    "CRED-CERT-003",
    "CRED-CERT-004",
    "CRED-CERT-005",
    "CRED-CERT-007",
    "CRED-CERT-009",
    "CRED-FED-003",
    "WSSE-010",
    "WSSE-011",
];

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "CRED-CERT-001",
        name: "no-timestamp-on-signed-message",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A signed message has a Timestamp with Created and Expires.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.2",
            "The <u:Timestamp> element MUST be a child of <wsse:Security> in <s:Header> for certificate authentication.",
        )],
        consequence: "The server cannot tell an old message from a new one and may decline.",
        remedy: "Look at the tool that made this request: Windows adds it.",
        hresult: INVALID_SECURITY,
        check: Check::Signed(|_, cx| {
            let Some(soap) = &cx.message.soap else { return Verdict::Skip };
            let Some(stamp) = &soap.timestamp else {
                let security = soap.security.as_ref().unwrap_or(&soap.envelope);
                return cx.fail(&security.missing("Timestamp"), "Created and Expires", "absent");
            };
            for (field, name) in [(&stamp.created, "Created"), (&stamp.expires, "Expires")] {
                if field.as_ref().is_none_or(Field::is_empty) {
                    return cx.fail_field(field.as_ref(), (&stamp.spot, name), "a time");
                }
            }
            Verdict::Pass
        }),
        needs: &[],
        examples: &[
            signed(Step::Policies, "Envelope/Header/Security/Timestamp", Change::Delete),
            signed(Step::Token, "Envelope/Header/Security/Timestamp/Expires", Change::Set("")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "WSSE-010",
        name: "timestamp-not-a-span-of-time",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "Created and Expires of a request are UTC times that end in Z, Created before Expires.",
        cites: &[
            Cite::must(
                Spec::WsSecurity,
                "10",
                "The ordering of elements in this header is fixed and MUST be preserved by intermediaries.",
            ),
            Cite::must(
                Spec::MsMde2,
                "3.3.4.1.1.1.2",
                "The <u:Expires> element MUST be a child of <u:Timestamp> in <s:Header> for certificate authentication. The value is a date/time.",
            ),
        ],
        consequence: "A strict server declines the message as expired.",
        remedy: "Look at the tool that made this request, and at the device's clock.",
        hresult: INVALID_SECURITY,
        check: Check::Credential(|_, cx| {
            let Some((created, expires)) = span(cx) else { return Verdict::Skip };
            for field in [created, expires] {
                if Time::parse(&field.value).is_none() || !field.value.ends_with('Z') {
                    return cx.fail(&field.spot, "a UTC time like 2026-03-02T09:00:00Z", field.value.clone());
                }
            }
            Verdict::check(Time::parse(&created.value) < Time::parse(&expires.value), || {
                cx.fail(&expires.spot, format!("later than {}", created.value), expires.value.clone())
            })
        }),
        needs: &["CRED-CERT-001"],
        examples: &[
            signed(
                Step::Policies,
                "Envelope/Header/Security/Timestamp/Expires",
                Change::Set("2026-03-02T08:59:00Z"),
            ),
            signed(Step::Token, "Envelope/Header/Security/Timestamp/Created", Change::Set("yesterday")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "WSSE-011",
        name: "request-from-another-time",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "A request arrives between the Created and the Expires of its Timestamp, give or take five minutes.",
        cites: &[Cite::should(
            Spec::WsSecurity,
            "10",
            "the recipient SHOULD discard (ignore) any message whose security semantics have passed their expiration",
        )],
        consequence: "The server declines the message as expired or not yet valid.",
        remedy: "Set the device's clock; then that of the host on which this was recorded.",
        hresult: INVALID_SECURITY,
        check: Check::Credential(|_, cx| {
            let now = cx.exchange.request.at;
            let Some((created, expires)) = span(cx).filter(|_| now.0 != 0) else { return Verdict::Skip };
            let (Some(from), Some(to)) = (Time::parse(&created.value), Time::parse(&expires.value)) else {
                return Verdict::Skip;
            };
            if now < from.plus_millis(-SKEW) {
                return cx.fail(&created.spot, format!("not after {now}"), created.value.clone());
            }
            Verdict::check(now <= to.plus_millis(SKEW), || {
                cx.fail(&expires.spot, format!("not before {now}"), expires.value.clone())
            })
        }),
        needs: &["CRED-CERT-001", "WSSE-010"],
        examples: &[Example::edit(Edit::Several(&[
            Edit::Message {
                step: Step::Policies,
                side: Side::Request,
                part: Part::Body,
                at: "Envelope/Header/Security/Timestamp/Created",
                change: Change::Set("2016-03-02T09:00:00Z"),
            },
            Edit::Message {
                step: Step::Policies,
                side: Side::Request,
                part: Part::Body,
                at: "Envelope/Header/Security/Timestamp/Expires",
                change: Change::Set("2016-03-02T09:05:00Z"),
            },
        ]))
        .on(Golden::Certificate)],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-CERT-002",
        name: "other-type-of-signing-token",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The ValueType of the certificate in the header is #X509v3, in the token request also DeviceEnrollmentUserToken, and it has an Id.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.3.4.1.1.1.2",
                "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3",
            ),
            Cite::must(
                Spec::MsMde2,
                "3.4.4.1.1.1.2",
                "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentUserToken",
            ),
        ],
        consequence: "A server that goes by the type does not find the certificate.",
        remedy: "Label the certificate #X509v3 and give it an Id, as Windows does, in whatever made this request.",
        hresult: INVALID_SECURITY,
        check: Check::Signed(|signed, cx| {
            let found = signed.token.value_type.as_ref();
            let fits = |value: &str| {
                let in_request = matches!(cx.message.content, crate::message::Content::TokenRequest(_));
                value == names::X509_V3 || in_request && value == names::USER_TOKEN
            };
            if !found.is_some_and(|f| fits(&f.value)) {
                return cx.fail_field(found, (&signed.token.spot, "@ValueType"), names::X509_V3);
            }
            Verdict::check(signed.id.is_some(), || {
                cx.fail(&signed.token.spot.missing("@Id"), "an Id to refer to", "absent")
            })
        }),
        needs: &[],
        examples: &[
            signed(
                Step::Policies,
                "Envelope/Header/Security/BinarySecurityToken/@ValueType",
                Change::Set("urn:other"),
            ),
            signed(Step::Token, "Envelope/Header/Security/BinarySecurityToken/@Id", Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-CERT-003",
        name: "no-usable-signing-certificate",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The token in the header is a readable certificate that is valid when the message is sent.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.2",
            "The value type MUST be \"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3\"",
        )],
        consequence: "The server cannot verify who signed the message, and declines.",
        remedy: "Install a valid certificate on the device before it enrolls by certificate.",
        hresult: Some(0x8018_0028),
        check: Check::Signed(|signed, cx| {
            let value = &signed.token.value;
            let Some(certificate) = &signed.certificate else {
                return cx.fail(&value.spot, "base64 of a certificate", "something else");
            };
            let now = cx.exchange.request.at;
            let (Some(from), Some(to)) = (certificate.not_before, certificate.not_after) else {
                return Verdict::Skip;
            };
            if now.0 == 0 {
                return Verdict::Pass;
            }
            Verdict::check(from <= now.plus_millis(SKEW) && now <= to.plus_millis(SKEW), || {
                cx.fail(&value.spot, format!("valid at {now}"), format!("{from} to {to}"))
            })
        }),
        needs: &[],
        examples: &[signed(
            Step::Policies,
            "Envelope/Header/Security/BinarySecurityToken",
            Change::Set("bm8gY2VydGlmaWNhdGU="),
        )
        .also(&["SEQ-014"])],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-CERT-007",
        name: "signature-incomplete",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The Signature has SignedInfo with one Reference and all its parts, SignatureValue and KeyInfo.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.2",
            "The <ds:Signature> element MUST be a child of <wsse:Security> in <s:Header> for certificate authentication.",
        )],
        consequence: "The server cannot verify the message and declines.",
        remedy: "Send SignedInfo, SignatureValue and KeyInfo complete, as Windows does, in whatever made this request.",
        hresult: INVALID_SECURITY,
        check: Check::Signed(|signed, cx| {
            let Some(signature) = &signed.signature else {
                let soap = cx.message.soap.as_ref();
                let security = soap.and_then(|s| s.security.as_ref()).unwrap_or(&signed.token.spot);
                return cx.fail(&security.missing("Signature"), "a signature", "absent");
            };
            let Some(info) = &signature.signed_info else {
                return cx.fail(&signature.spot.missing("SignedInfo"), "SignedInfo", "absent");
            };
            let [reference] = &signature.references[..] else {
                let found = signature.references.len().to_string();
                return cx.fail(&info.missing("Reference"), "one Reference", found);
            };
            let parts: [(bool, &Spot, &'static str); 7] = [
                (signature.canonicalization.is_some(), info, "CanonicalizationMethod"),
                (signature.method.is_some(), info, "SignatureMethod"),
                (reference.uri.is_some(), &reference.spot, "@URI"),
                (reference.digest_method.is_some(), &reference.spot, "DigestMethod"),
                (reference.digest.is_some(), &reference.spot, "DigestValue"),
                (signature.value.is_some(), &signature.spot, "SignatureValue"),
                (signature.key_info.is_some(), &signature.spot, "KeyInfo"),
            ];
            match parts.iter().find(|(present, ..)| !present) {
                Some((_, parent, name)) => cx.fail(&parent.missing(name), *name, "absent"),
                None => Verdict::Pass,
            }
        }),
        needs: &["CRED-CERT-003"],
        examples: &[
            signed(Step::Policies, signature!("SignatureValue"), Change::Delete),
            signed(Step::Token, signature!("SignedInfo/Reference/DigestMethod"), Change::Delete),
            signed(Step::Token, signature!("SignedInfo/Reference"), Change::Duplicate),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-CERT-009",
        name: "signature-over-something-else",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The signature's Reference is to the whole message: its URI is empty.",
        cites: &[Cite::must(Spec::MsMde2, "3.3.4.1.1.1.2", "URI attribute MUST be \"\"")],
        consequence: "What is not signed can be changed, so that a careful server declines; nobody fetches what the URI names.",
        remedy: "Look for who made this request: a device does not refer to elsewhere.",
        hresult: INVALID_SECURITY,
        check: Check::Signed(|signed, cx| {
            let Some(signature) = &signed.signature else { return Verdict::Skip };
            let elsewhere =
                signature.references.iter().filter_map(|r| r.uri.as_ref()).find(|u| !u.is_empty());
            elsewhere.map_or(Verdict::Pass, |uri| cx.fail(&uri.spot, "an empty URI", uri.value.clone()))
        }),
        needs: &["CRED-CERT-007"],
        examples: &[
            signed(
                Step::Policies,
                signature!("SignedInfo/Reference/@URI"),
                Change::Set("https://elsewhere.example/"),
            ),
            signed(Step::Token, signature!("SignedInfo/Reference/@URI"), Change::Set("#body")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-CERT-004",
        name: "other-signature-algorithm",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The signature uses exclusive canonicalization, RSA with SHA-256, one enveloped-signature transform, and SHA-256.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.3.4.1.1.1.2",
                "Algorithm attribute MUST be \"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            ),
            Cite::observed(
                Spec::MsMde2,
                "4.3.1.3",
                "The specification's own sample has other names for two of the algorithms, and no transforms.",
            ),
        ],
        consequence: "A server that knows no other algorithms declines.",
        remedy: "Sign with RSA and SHA-256 over the exclusive canonical form, as Windows does, in whatever made this request.",
        hresult: INVALID_SECURITY,
        check: Check::Signed(|signed, cx| {
            let Some(signature) = &signed.signature else { return Verdict::Skip };
            let [reference] = &signature.references[..] else { return Verdict::Skip };
            let named = [
                (&signature.canonicalization, names::EXCLUSIVE_C14N),
                (&signature.method, names::XML_RSA_SHA256),
                (&reference.digest_method, names::XML_SHA256),
            ];
            for (field, wanted) in named {
                if let Some(field) = field.as_ref().filter(|f| f.value != wanted) {
                    return cx.fail(&field.spot, wanted, field.value.clone());
                }
            }
            match &reference.algorithms[..] {
                [one] if one.value == names::ENVELOPED_SIGNATURE => Verdict::Pass,
                [] => cx.fail(&reference.spot.missing("Transforms"), names::ENVELOPED_SIGNATURE, "absent"),
                [first, ..] => {
                    let other = reference.algorithms.iter().find(|a| a.value != names::ENVELOPED_SIGNATURE);
                    let other = other.unwrap_or(first);
                    cx.fail(&other.spot, names::ENVELOPED_SIGNATURE, other.value.clone())
                }
            }
        }),
        needs: &["CRED-CERT-007"],
        examples: &[
            signed(
                Step::Policies,
                signature!("SignedInfo/SignatureMethod/@Algorithm"),
                Change::Set(names::XML_RSA_SHA256_AS_PRINTED),
            ),
            signed(Step::Token, signature!("SignedInfo/Reference/Transforms"), Change::Delete),
            signed(
                Step::Token,
                signature!("SignedInfo/Reference/Transforms/Transform/@Algorithm"),
                Change::Set("http://www.w3.org/TR/1999/REC-xslt-19991116"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-CERT-005",
        name: "signature-names-no-token",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "KeyInfo refers by SecurityTokenReference and the ValueType #X509 to the Id of the token in the header.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.3.4.1.1.1.2",
                "ValueType attribute MUST be \"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509\"",
            ),
            Cite::observed(
                Spec::MsMde2,
                "4.2.1.2",
                "The specification's own sample leaves the # and a part of the Id out.",
            ),
        ],
        consequence: "A strict server does not know which key made the signature.",
        remedy: "Refer from KeyInfo to the token's Id by # and the Id, in whatever made this request.",
        hresult: INVALID_SECURITY,
        check: Check::Signed(|signed, cx| {
            let Some(key_info) = signed.signature.as_ref().and_then(|s| s.key_info.as_ref()) else {
                return Verdict::Skip;
            };
            let reference = signed.signature.as_ref().and_then(|s| s.token_reference.as_ref());
            let Some(reference) = reference else {
                return cx.fail(
                    &key_info.missing("SecurityTokenReference"),
                    "a reference to the token",
                    "absent",
                );
            };
            let kind = reference.value_type.as_ref();
            if !kind.is_some_and(|k| k.value == names::X509_REFERENCE || k.value == names::X509_V3) {
                return cx.fail_field(kind, (&reference.spot, "@ValueType"), names::X509_REFERENCE);
            }
            let bare =
                |text: &str| text.trim_start_matches('#').trim_start_matches("uuid-").to_ascii_lowercase();
            let (Some(uri), Some(id)) = (&reference.uri, &signed.id) else { return Verdict::Pass };
            Verdict::check(bare(&uri.value) == bare(&id.value), || {
                cx.fail(&uri.spot, format!("#{}", id.value), uri.value.clone())
            })
        }),
        needs: &["CRED-CERT-002"],
        examples: &[
            signed(Step::Policies, signature!("KeyInfo/SecurityTokenReference"), Change::Delete),
            signed(
                Step::Token,
                signature!("KeyInfo/SecurityTokenReference/Reference/@URI"),
                Change::Set("#other"),
            ),
            signed(
                Step::Token,
                signature!("KeyInfo/SecurityTokenReference/Reference/@ValueType"),
                Change::Delete,
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-CERT-006",
        name: "message-changed-after-signing",
        severity: Severity::LETTER,
        subject: Subject::FrontEnd,
        requirement: "The message is as the device signed it.",
        cites: &[Cite::must(Spec::XmlSignature, "3.2.1", "if there is any mismatch, validation fails")],
        consequence: "The signature no longer fits the message, and the server declines it.",
        remedy: "Look for what rewrites or re-formats messages on the way, and let it pass them unchanged.",
        hresult: INVALID_SECURITY,
        check: Check::Signed(|signed, cx| {
            let Some(signature) = &signed.signature else { return Verdict::Skip };
            match cx.signature_state(signature) {
                SignatureState::Valid => Verdict::Pass,
                SignatureState::ContentChanged => {
                    let digest = signature.references.first().and_then(|r| r.digest.as_ref());
                    let spot = digest.map_or(&signature.spot, |d| &d.spot);
                    cx.fail(spot, "the digest of this message", "the digest of another text")
                }
                SignatureState::SignedInfoChanged => {
                    let spot = signature.signed_info.as_ref().unwrap_or(&signature.spot);
                    cx.fail(spot, "SignedInfo as the key signed it", "a SignedInfo that was changed")
                }
                SignatureState::OtherKey | SignatureState::Elsewhere | SignatureState::Unchecked => {
                    Verdict::Skip
                }
            }
        }),
        needs: PARTS,
        examples: &[
            signed(
                Step::Policies,
                signature!("SignedInfo/Reference/DigestValue"),
                Change::Set("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ),
            signed(Step::Token, "…/ContextItem[DeviceName]/Value", Change::Set("DESKTOP-OTHER")),
            signed(Step::Token, signature!("SignedInfo/SignatureMethod"), Change::Set(" ")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-CERT-008",
        name: "signed-by-another-key",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The signature was made by the key of the certificate in the header.",
        cites: &[Cite::must(
            Spec::XmlSignature,
            "3.2.2",
            "use the result to confirm the SignatureValue over the SignedInfo element",
        )],
        consequence: "The server declines the message: it cannot tell that the sender has the key of the certificate it shows.",
        remedy: "What is signed arrived unchanged: see whose key the device has, or what changed its signature.",
        hresult: INVALID_SECURITY,
        check: Check::Signed(|signed, cx| {
            let Some(signature) = &signed.signature else { return Verdict::Skip };
            match cx.signature_state(signature) {
                SignatureState::Valid => Verdict::Pass,
                SignatureState::OtherKey => {
                    let spot = signature.value.as_ref().map_or(&signature.spot, |v| &v.spot);
                    cx.fail(spot, "a signature by the token's key", "a signature by another key")
                }
                SignatureState::ContentChanged
                | SignatureState::SignedInfoChanged
                | SignatureState::Elsewhere
                | SignatureState::Unchecked => Verdict::Skip,
            }
        }),
        needs: PARTS,
        examples: &[signed(Step::Policies, signature!("SignatureValue"), Change::Set("AAAA"))],
        since: "0.1.0",
    },
    Rule {
        id: "WSSE-001",
        name: "several-security-headers",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A message has one wsse:Security, in its header.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.3",
                "The <wsse:Security> element MUST be a child of the <s:Header> element",
            ),
            Cite::must(
                Spec::WsSecurity,
                "5",
                "two <wsse:Security> header blocks MUST NOT omit S:actor or specify the same value",
            ),
        ],
        consequence: "The server sees one of the credentials, and nobody knows which.",
        remedy: "Look at what adds a second header on the way.",
        hresult: INVALID_SECURITY,
        check: Check::Credential(|_, cx| {
            let Some(soap) = &cx.message.soap else { return Verdict::Skip };
            let Some(security) = &soap.security else { return Verdict::Skip };
            Verdict::check(soap.securities == 1, || cx.fail(security, "one", soap.securities.to_string()))
        }),
        needs: &[],
        examples: &[Example::request(Step::Policies, "Envelope/Header/Security", Change::Duplicate)],
        since: "0.1.0",
    },
];

/// The message's own Created and Expires, where both are there.
fn span<'c>(cx: &Context<'c>) -> Option<(&'c Field, &'c Field)> {
    let stamp = cx.message.soap.as_ref()?.timestamp.as_ref()?;
    Some((
        stamp.created.as_ref().filter(|f| !f.is_empty())?,
        stamp.expires.as_ref().filter(|f| !f.is_empty())?,
    ))
}
