//! Rules on renewal (MS-MDE2 3.5) and recovery (3.6): the PKCS#7 around the request, who signed it, what comes back.

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Golden, Level, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::certificate::{SignedData, SignerState};
use crate::message::{Content, TokenRequest, names};

const NOT_ELIGIBLE: Option<u32> = Some(0x8018_0016);
const REQUEST: &str = "Envelope/Body/RequestSecurityToken/RequestType";

const fn renewal(part: Part, change: Change) -> Example {
    Example::part(Step::Token, Side::Request, part, change).on(Golden::Renewal)
}

const fn made(variant: &'static str) -> Example {
    renewal(Part::Csr, Change::Variant(variant))
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "RENEW-001",
        name: "renewal-of-two-minds",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A request of type Renew carries a token of type PKCS#7, and any other request one of type PKCS#10.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.5.4.1.1.1",
                "The <wst:RequestType> element MUST be the value \"http://docs.oasis-open.org/ws-sx/ws-trust/200512/Renew\"",
            ),
            Cite::must(
                Spec::MsMde,
                "3.5.4.1.1.1",
                "The <wsse:BinarySecurityToken> ValueType attribute MUST be \"http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS7\"",
            ),
        ],
        consequence: "The server takes it for a new enrollment, or declines.",
        remedy: "Both spellings of the PKCS#7 type are in use; look at what made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let (Some(kind), Some(token)) = (&m.request_type, &m.token) else { return Verdict::Skip };
            let Some(label) = &token.value_type else { return Verdict::Skip };
            let signed = label.value == names::PKCS7 || label.value == names::PKCS7_WSSE;
            match (kind.value == names::RENEW, signed) {
                (true, true) | (false, false) => Verdict::Pass,
                (true, false) => cx.fail(&label.spot, names::PKCS7_WSSE, label.value.clone()),
                (false, true) => cx.fail(&kind.spot, names::RENEW, kind.value.clone()),
            }
        }),
        needs: &["RST-003", "RST-005"],
        examples: &[
            Example::request(Step::Token, REQUEST, Change::Set(names::ISSUE)).on(Golden::Renewal),
            Example::request(
                Step::Token,
                "Envelope/Body/RequestSecurityToken/BinarySecurityToken/@ValueType",
                Change::Set(names::PKCS10),
            )
            .on(Golden::Renewal),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "RENEW-003",
        name: "renewal-not-signed",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The token of a renewal is a CMS SignedData in DER.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.5.4.1.1.1",
                "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#PKCS7",
            ),
            Cite::must(Spec::MsWcce, "3.1.1.4.3.2.1", "1.2.840.113549.1.7.2"),
        ],
        consequence: "The server cannot tell whose certificate is to be renewed, and declines.",
        remedy: "See whether the message was cut; indefinite lengths (BER) are not accepted either.",
        hresult: NOT_ELIGIBLE,
        check: Check::Renewal(|m, cx| {
            let Some(token) = m.token.as_ref().filter(|token| !token.value.is_empty()) else {
                return Verdict::Skip;
            };
            Verdict::check(m.signed.is_some(), || {
                let found = match &m.der {
                    Some(der) if SignedData::is_one(der) => {
                        "one that is not DER: cut, or of indefinite length".into()
                    }
                    Some(der) => format!("{} bytes of something else", der.len()),
                    None => "text that is not base64".to_owned(),
                };
                cx.fail(&token.value.spot, "SignedData around a PKCS#10", found)
            })
        }),
        needs: &["RST-004", "RST-007", "RENEW-001"],
        examples: &[renewal(Part::Csr, Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "CMS-002",
        name: "renewal-of-no-request",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "What a renewal signs is a PKCS#10, or a CMC request.",
        cites: &[Cite::must(Spec::MsWcce, "3.1.1.4.3.2.1", "1.2.840.113549.1.7.1")],
        consequence: "The server finds no key to issue for, and declines.",
        remedy: "Sign a PKCS#10 with the key of the certificate that is to be renewed, in whatever made this request.",
        hresult: NOT_ELIGIBLE,
        check: Check::Renewal(|m, cx| {
            let (Some(token), Some(signed)) = (&m.token, &m.signed) else { return Verdict::Skip };
            let fits = match signed.content_type.as_str() {
                "1.2.840.113549.1.7.1" => signed.csr.is_some(),
                other => other == "1.3.6.1.5.5.7.12.2",
            };
            Verdict::check(fits, || {
                let found = format!("content of type {}", signed.content_type);
                cx.fail(&token.value.spot, "data (1.2.840.113549.1.7.1) with a PKCS#10", found)
            })
        }),
        needs: &[],
        examples: &[made("other-content")],
        since: "0.1.0",
    },
    Rule {
        id: "CMS-004",
        name: "signer-not-in-renewal",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The certificate that signs a renewal is inside it.",
        cites: &[Cite::observed(
            Spec::MsWcce,
            "3.1.1.4.3.2.1",
            "The certificate to be renewed is among the certificates of the signed data.",
        )],
        consequence: "A server that does not remember the certificate cannot verify the signature, and declines.",
        remedy: "Put the certificate that is renewed among the certificates of the SignedData, as Windows does.",
        hresult: NOT_ELIGIBLE,
        check: Check::Renewal(|m, cx| {
            let (Some(token), Some(signed)) = (&m.token, &m.signed) else { return Verdict::Skip };
            let Some(signer) = &signed.signer else {
                return cx.fail(&token.value.spot, "a signer", "none");
            };
            Verdict::check(signer.certificate.is_some(), || {
                let found = format!("{} certificates, and not that one", signed.certificates.len());
                cx.fail(
                    &token.value.spot,
                    format!("certificate {} of {}", signer.serial, signer.issuer),
                    found,
                )
            })
        }),
        needs: &[],
        examples: &[made("no-certificate").also(&["FAULT-011"])],
        since: "0.1.0",
    },
    Rule {
        id: "CMS-005",
        name: "renewal-signature-does-not-hold",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The signature around a renewal holds, over the signed attributes as they came.",
        cites: &[Cite::must(
            Spec::Rfc5652,
            "5.6",
            "For the signature to be valid, the message digest value calculated by the recipient MUST be the same",
        )],
        consequence: "The server declines the renewal.",
        remedy: "A changed content points to something on the way; another key, to the device's certificate store.",
        hresult: NOT_ELIGIBLE,
        check: Check::Renewal(|m, cx| {
            let (Some(token), Some(signed)) = (&m.token, &m.signed) else { return Verdict::Skip };
            match signed.signer.as_ref().map(|signer| signer.state) {
                Some(SignerState::Valid) => Verdict::Pass,
                Some(state @ (SignerState::ContentChanged | SignerState::OtherKey)) => {
                    cx.fail(&token.value.spot, SignerState::Valid.describe(), state.describe())
                }
                Some(SignerState::NoCertificate | SignerState::Unchecked) | None => Verdict::Skip,
            }
        }),
        needs: &["CMS-002", "CMS-004"],
        examples: &[renewal(Part::Csr, Change::Corrupt), made("changed-content").also(&["FAULT-011"])],
        since: "0.1.0",
    },
    Rule {
        id: "CMS-003",
        name: "renewal-does-not-name-certificate",
        severity: Severity { field: Level::Info, strict: Level::Error },
        subject: Subject::Device,
        requirement: "The PKCS#10 of a renewal has the certificate to be renewed as its attribute 1.3.6.1.4.1.311.13.1.",
        cites: &[Cite::must(Spec::MsWcce, "3.1.1.4.3.2.1", "szOID_RENEWAL_CERTIFICATE")],
        consequence: "An authority of Microsoft's declines; other servers go by the signer.",
        remedy: "Add the attribute with the old certificate; nothing is to be done where the server goes by the signer.",
        hresult: None,
        check: Check::Renewal(|m, cx| {
            let Some(signed) = &m.signed else { return Verdict::Skip };
            let (Some(csr), Some(token)) = (&signed.csr, &m.token) else { return Verdict::Skip };
            Verdict::check(csr.renews.is_some(), || {
                let found: Vec<_> = csr.attributes.iter().map(|a| a.oid.as_str()).collect();
                cx.fail(&token.value.spot, "the attribute 1.3.6.1.4.1.311.13.1", found.join(", "))
            })
        }),
        needs: &[],
        examples: &[made("no-renewal-attribute")],
        since: "0.1.0",
    },
    Rule {
        id: "RENEW-004",
        name: "renewal-by-another-certificate",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A renewal is signed with the certificate that the device got, and before that expires.",
        cites: &[
            Cite::should(Spec::MsMde2, "3.5", "are called using the existing certificate for authentication"),
            Cite::observed(
                Spec::MsDocs,
                "Certificate Renewal",
                "There is no automatic renewal once the certificate has expired.",
            ),
        ],
        consequence: "The server declines, and the device has to be enrolled anew once its certificate has expired.",
        remedy: "Compare the thumbprints; a device that was copied or restored has another certificate than it should.",
        hresult: NOT_ELIGIBLE,
        check: Check::Renewal(|m, cx| {
            let (Some(token), Some(signed)) = (&m.token, &m.signed) else { return Verdict::Skip };
            let Some(by) = signed.signing_certificate() else { return Verdict::Skip };
            let now = cx.exchange.request.at;
            if let Some(until) = by.not_after.filter(|until| now.0 != 0 && *until < now) {
                return cx.fail(
                    &token.value.spot,
                    "a certificate that is valid",
                    format!("it expired {until}"),
                );
            }
            let Some(issued) = &cx.earlier.issued else { return Verdict::Skip };
            Verdict::check(issued.thumbprint == by.thumbprint, || {
                let expected = format!("the certificate {}", issued.thumbprint);
                cx.fail(&token.value.spot, expected, by.thumbprint.clone())
            })
        }),
        needs: &["CMS-004"],
        examples: &[made("other-holder").also(&["FAULT-011"])],
        since: "0.1.0",
    },
    Rule {
        id: "RENEW-005",
        name: "renewal-without-context",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "A renewal tells OSEdition, OSVersion, DeviceName, EnrollmentType, DeviceType, ApplicationVersion and DeviceID.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.5.4.1.1.1",
            "Name attribute MUST be the literal string \"OSEdition\"",
        )],
        consequence: "A server that finds the device by its context items does not find it.",
        remedy: "Find the device by the signer's certificate.",
        hresult: None,
        check: Check::Renewal(|m, cx| {
            const ITEMS: [&str; 7] = [
                "OSEdition",
                "OSVersion",
                "DeviceName",
                "EnrollmentType",
                "DeviceType",
                "ApplicationVersion",
                "DeviceID",
            ];
            let absent: Vec<_> =
                ITEMS.into_iter().filter(|name| m.item(name).is_none_or(|f| f.value.is_empty())).collect();
            Verdict::check(absent.is_empty(), || {
                let context = m.context.as_ref().unwrap_or(&m.spot);
                cx.fail(&context.missing("ContextItem"), absent.join(", "), "absent")
            })
        }),
        needs: &[],
        examples: &[
            Example::request(Step::Token, "…/ContextItem[DeviceName]", Change::Delete).on(Golden::Renewal)
        ],
        since: "0.1.0",
    },
    Rule {
        id: "RENEW-007",
        name: "renewed-for-no-longer",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A renewed certificate is another one, and is valid for longer than the one before.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "A device that gets its old certificate back begins to renew again at once.",
        )],
        consequence: "The device renews again and again, or loses its management when the old certificate ends.",
        remedy: "Issue a new certificate for the key of the request.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Content::TokenRequest(request) = &cx.request.content else { return Verdict::Skip };
            let before = request.signed.as_ref().and_then(|signed| signed.signing_certificate());
            let client = doc.client_certificate().and_then(|c| Some((c, c.certificate.as_ref()?)));
            let (Some(before), Some((node, after))) = (before, client) else { return Verdict::Skip };
            let longer = after.not_after > before.not_after;
            Verdict::check(longer && after.thumbprint != before.thumbprint, || {
                let date = |c: &crate::message::certificate::Certificate| {
                    c.not_after.map_or_else(|| "no date".to_owned(), |at| at.to_string())
                };
                let expected = format!("a certificate until after {}", date(before));
                cx.fail_provisioned(&node.thumbprint.spot, expected, date(after))
            })
        }),
        needs: &["PROV-CS-015"],
        examples: &[Example::part(
            Step::Token,
            Side::Response,
            Part::Certificate,
            Change::Variant("short-lived"),
        )
        .on(Golden::Renewal)],
        since: "0.1.0",
    },
    Rule {
        id: "RECOV-001",
        name: "certificate-recovered",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "A device does not have to recover its certificate.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.6",
            "The enrollment client can request to recover an existing certificate if the existing certificate is lost or corrupted in some way.",
        )],
        consequence: "None: the device has lost its certificate, and gets another one.",
        remedy: "See what removed it, if this comes often: restored images, security software, TPM resets.",
        hresult: None,
        check: Check::TokenRequest(|m: &TokenRequest, cx| {
            let Some(kind) = &m.request_type else { return Verdict::Skip };
            Verdict::check(kind.value != names::RECOVERY, || {
                cx.fail(&kind.spot, "a new enrollment", "Recovery")
            })
        }),
        needs: &[],
        examples: &[Example::request(Step::Token, REQUEST, Change::Set(names::RECOVERY))],
        since: "0.1.0",
    },
];
