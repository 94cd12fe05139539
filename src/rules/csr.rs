//! Rules on the PKCS#10 inside RequestSecurityToken, and on how it follows the policy.

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::certificate::{PublicKey, algorithm_name, digest_of};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "RST-007",
        name: "not-a-certificate-request",
        severity: Severity::ERROR,
        subject: Subject::Device,
        requirement: "The BinarySecurityToken is a base64-encoded certificate signing request.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "MUST contain a base64-encoded certificate signing request",
        )],
        consequence: "No certificate can be issued.",
        remedy: "Look whether something on the way cuts long requests: compare Content-Length and body.",
        hresult: Some(0x8018_0004),
        check: Check::TokenRequest(|m, cx| {
            let Some(token) = &m.token else { return Verdict::Skip };
            let issue = m.request_type.as_ref().is_none_or(|t| t.value.ends_with("/Issue"));
            let pkcs7 =
                token.value_type.as_ref().is_some_and(|t| t.value.to_ascii_lowercase().ends_with("#pkcs7"));
            if !issue || pkcs7 || token.value.is_empty() {
                return Verdict::Skip;
            }
            Verdict::check(m.csr.is_some(), || {
                let found = match &m.der {
                    None => "text that is not base64".to_owned(),
                    Some(der) => format!("{} bytes that are no PKCS#10", der.len()),
                };
                cx.fail(&token.spot, "base64 of a PKCS#10", found)
            })
        }),
        needs: &["SOAP-001", "RST-004"],
        examples: &[
            Example::part(Step::Token, Side::Request, Part::Csr, Change::Delete),
            Example::request(
                Step::Token,
                "Envelope/Body/RequestSecurityToken/BinarySecurityToken",
                Change::Corrupt,
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CSR-002",
        name: "key-shorter-than-policy",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The key has at least the policy's minimalKeyLength bits.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.20",
            "An integer specifying the minimum key length in bits for the private key.",
        )],
        consequence: "The authority may decline the request.",
        remedy: "See whether the device understood the policy: an answer that is not well-formed is ignored.",
        hresult: Some(0x8018_0004),
        check: Check::Csr(|csr, _, cx| {
            let Some(minimum) = cx.earlier.policy.as_ref().and_then(|p| p.minimal_key_length) else {
                return Verdict::Skip;
            };
            let PublicKey::Rsa { bits } = csr.key else { return Verdict::Skip };
            Verdict::check(bits >= minimum as usize, || {
                cx.in_csr(
                    ("subjectPublicKeyInfo", csr.spans.key),
                    format!("RSA {minimum} or more"),
                    csr.key.describe(),
                )
            })
        }),
        needs: &[],
        examples: &[Example::response(
            Step::Policies,
            "…/privateKeyAttributes/minimalKeyLength",
            Change::Set("4096"),
        )
        .also(&["XCEP-KEY-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "CSR-003",
        name: "hash-differs-from-policy",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The request is signed with the policy's hash algorithm.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.1",
            "The hash algorithm is used when signing operations are performed during the certificate enrollment",
        )],
        consequence: "The authority may decline the request; SHA-1 means that the device did not understand the policy.",
        remedy: "Check that the hash reference resolves and that the policy answer is well-formed.",
        hresult: None,
        check: Check::Csr(|csr, _, cx| {
            let wanted = cx.earlier.policy.as_ref().and_then(|p| digest_of(p.hash_oid.as_deref()?));
            let (Some(wanted), Some(used)) = (wanted, digest_of(&csr.signature_algorithm)) else {
                return Verdict::Skip;
            };
            Verdict::check(wanted == used, || {
                let found = algorithm_name(&csr.signature_algorithm);
                cx.in_csr(("signatureAlgorithm", csr.spans.algorithm), wanted.name(), found)
            })
        }),
        needs: &[],
        examples: &[Example::response(
            Step::Policies,
            "Envelope/Body/GetPoliciesResponse/oIDs/oID/value",
            Change::Set("2.16.840.1.101.3.4.2.3"),
        )
        .also(&["XCEP-OID-005"])],
        since: "0.1.0",
    },
    Rule {
        id: "CSR-004",
        name: "request-signature-broken",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The request is signed with the key that it names.",
        cites: &[Cite::must(
            Spec::Rfc2986,
            "4.2",
            "the result of signing the certification request information with the certification request subject's private key",
        )],
        consequence: "The authority declines the request.",
        remedy: "Look for something on the way that changes the message; if there is nothing, at the device's key store.",
        hresult: Some(0x8018_0004),
        check: Check::Csr(|csr, _, cx| match csr.signature_valid {
            None => Verdict::Skip,
            Some(true) => Verdict::Pass,
            Some(false) => cx.in_csr(
                ("signatureAlgorithm", csr.spans.algorithm),
                "a signature by the request's own key",
                "one that does not verify",
            ),
        }),
        needs: &[],
        examples: &[Example::part(Step::Token, Side::Request, Part::Csr, Change::Corrupt)],
        since: "0.1.0",
    },
    Rule {
        id: "CSR-006",
        name: "subject-without-device-id",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "The request's subject or its own extension carries the DeviceID of the context items.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows writes GUID!DeviceID into the common name, and the DeviceID into extension 1.3.6.1.4.1.311.66.1.0.",
        )],
        consequence: "Entra enrollments name the user or the device id of the directory instead; else two devices were mixed up.",
        remedy: "Compare the DeviceID item with the subject.",
        hresult: None,
        check: Check::Csr(|csr, request, cx| {
            let Some(id) = request.device_id() else { return Verdict::Skip };
            let subject = csr.subject.to_string().to_ascii_lowercase();
            let fits = subject.contains(&id.to_ascii_lowercase())
                || csr.device_id().is_some_and(|own| own.eq_ignore_ascii_case(id));
            Verdict::check(fits, || {
                cx.in_csr(("subject", csr.spans.subject), id.to_owned(), csr.subject.to_string())
            })
        }),
        needs: &[],
        examples: &[Example::request(
            Step::Token,
            "…/ContextItem[DeviceID]/Value",
            Change::Set("00000000000000000000000000000000"),
        )],
        since: "0.1.0",
    },
];
