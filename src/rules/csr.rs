//! Rules on the PKCS#10 inside RequestSecurityToken, and on how it follows the policy.

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::certificate::{PublicKey, algorithm_name, digest_of};
use crate::message::oids;

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
                    None if token.value.value.starts_with("-----BEGIN") => "a PEM text".to_owned(),
                    None => "text that is not base64".to_owned(),
                    Some(der) if der.starts_with(b"MII") => "base64 in base64".to_owned(),
                    Some(der) if der.starts_with(b"-----BEGIN") => "base64 of a PEM text".to_owned(),
                    Some(der) => format!("{} bytes that are no PKCS#10", der.len()),
                };
                cx.fail(&token.spot, "base64 of a PKCS#10", found)
            })
        }),
        needs: &["SOAP-001", "RST-004", "WSTEP-REQ-009"],
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
        cites: &[
            Cite::should(
                Spec::MsXcep,
                "3.1.4.1.3.20",
                "An integer specifying the minimum key length in bits for the private key.",
            ),
            Cite::observed(
                Spec::Sdk,
                "MENROLL_E_DEVICE_CERTIFICATEREQUEST_ERROR",
                "0x80180004: no certificate was issued.",
            ),
        ],
        consequence: "The authority may decline the request.",
        remedy: "See whether the device understood the policy: an answer that is not well-formed is ignored.",
        hresult: Some(0x8018_0004),
        check: Check::Csr(|csr, _, cx| {
            let Some(minimum) = cx.earlier.policy.as_ref().and_then(|p| p.minimal_key_length) else {
                return Verdict::Skip;
            };
            let PublicKey::Rsa { bits, .. } = csr.key else { return Verdict::Skip };
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
    Rule {
        id: "XCSR-001",
        name: "bytes-after-request",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "Nothing follows the certificate request in its token.",
        cites: &[Cite::must(Spec::Rfc2986, "4.2", "CertificationRequest ::= SEQUENCE {")],
        consequence: "Strict authorities decline the request.",
        remedy: "Look at what made the request, or at what on the way joins or pads bodies.",
        hresult: Some(0x8018_0004),
        check: Check::Csr(|csr, request, cx| {
            let end = request.der.as_ref().map_or(0, Vec::len).saturating_sub(csr.trailing);
            Verdict::check(csr.trailing == 0, || {
                let found = format!("{} bytes more", csr.trailing);
                cx.in_csr(("end", (end, csr.trailing)), "the end", found)
            })
        }),
        needs: &[],
        examples: &[Example::part(Step::Token, Side::Request, Part::Csr, Change::Insert("\n"))],
        since: "0.1.0",
    },
    Rule {
        id: "CSR-008",
        name: "key-of-other-kind",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The key is of the policy's algorithm, or RSA where the policy names none.",
        cites: &[
            Cite::should(
                Spec::MsXcep,
                "3.1.4.1.3.20",
                "The OID object that is referenced corresponds to the asymmetric algorithm of the private key.",
            ),
            Cite::observed(
                Spec::Field,
                "",
                "Windows enrolls with RSA keys, and so do all published requests.",
            ),
        ],
        consequence: "The authority's template may not allow the key, and the request is declined.",
        remedy: "Look at the policy's algorithm and providers, and at the tool that made the request.",
        hresult: Some(0x8018_0004),
        check: Check::Csr(|csr, _, cx| {
            let algorithm = cx.earlier.policy.as_ref().and_then(|p| p.key_algorithm.as_deref());
            // Windows names a curve where others name the algorithm.
            let elliptic = algorithm.is_some_and(|oid| ELLIPTIC.contains(&oid));
            let fits = match csr.key {
                PublicKey::Rsa { .. } => !elliptic,
                PublicKey::Ec { .. } => elliptic,
                PublicKey::Other { .. } => false,
            };
            Verdict::check(fits, || {
                let expected = if elliptic { "an elliptic key" } else { "RSA" };
                cx.in_csr(("subjectPublicKeyInfo", csr.spans.key), expected, csr.key.describe())
            })
        }),
        needs: &[],
        examples: &[made("elliptic-key")],
        since: "0.1.0",
    },
    Rule {
        id: "XCSR-013",
        name: "odd-key",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "An RSA key has the public exponent 65537 and whole bytes of modulus, an elliptic one a named curve.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows' key providers make RSA keys with the exponent 65537.",
        )],
        consequence: "Authorities that check keys for weakness decline the request.",
        remedy: "Look at the tool or the key provider that made the key.",
        hresult: Some(0x8018_0004),
        check: Check::Csr(|csr, _, cx| {
            let found = match &csr.key {
                PublicKey::Rsa { exponent, .. } if *exponent != Some(65_537) => {
                    let exponent = exponent.map_or("a long one".to_owned(), |e| e.to_string());
                    format!("the exponent {exponent}")
                }
                PublicKey::Rsa { bits, .. } if bits % 8 != 0 => format!("a modulus of {bits} bits"),
                PublicKey::Ec { curve, .. } if curve.is_empty() => "a curve without a name".to_owned(),
                PublicKey::Rsa { .. } | PublicKey::Ec { .. } => return Verdict::Pass,
                PublicKey::Other { .. } => return Verdict::Skip,
            };
            cx.in_csr(("subjectPublicKeyInfo", csr.spans.key), "65537, or a named curve", found)
        }),
        needs: &[],
        examples: &[made("small-exponent")],
        since: "0.1.0",
    },
    Rule {
        id: "XCSR-007",
        name: "request-of-another-device",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The request's own extension 1.3.6.1.4.1.311.66.1.0 carries the DeviceID of the context items.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows writes the DeviceID into the extension, in ASCII with a NUL at its end.",
        )],
        consequence: "The certificate is for another device than the one that the server registers.",
        remedy: "Look for a tool that uses a request again, or for two devices with one key.",
        hresult: None,
        check: Check::Csr(|csr, request, cx| {
            let (Some(own), Some(id)) = (csr.device_id(), request.device_id()) else { return Verdict::Skip };
            Verdict::check(own.eq_ignore_ascii_case(id), || {
                cx.in_csr(("subject", csr.spans.subject), id.to_owned(), own.clone())
            })
        }),
        needs: &["CSR-006"],
        examples: &[made("other-device")],
        since: "0.1.0",
    },
    Rule {
        id: "XCSR-008",
        name: "request-for-other-purpose",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "A request that names purposes names client authentication, 1.3.6.1.5.5.7.3.2.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows 11 asks for clientAuth; Windows 10 names no purpose at all.",
        )],
        consequence: "The certificate may not serve for the management sessions.",
        remedy: "Look at the policy's extensions, and at the tool that made the request.",
        hresult: None,
        check: Check::Csr(|csr, _, cx| {
            let purposes = csr.key_purposes();
            if purposes.is_empty() {
                return Verdict::Skip;
            }
            let fits = purposes.iter().any(|p| p == "1.3.6.1.5.5.7.3.2" || p == "2.5.29.37.0");
            Verdict::check(fits, || {
                cx.in_csr(("subject", csr.spans.subject), "1.3.6.1.5.5.7.3.2", purposes.join(", "))
            })
        }),
        needs: &[],
        examples: &[made("server-auth")],
        since: "0.1.0",
    },
    Rule {
        id: "XCSR-009",
        name: "common-name-too-long",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The common name has at most 64 characters.",
        cites: &[Cite::must(Spec::Rfc5280, "A.1", "ub-common-name INTEGER ::= 64")],
        consequence: "Authorities that keep to the limit decline the request.",
        remedy: "Real devices keep to it: look at the tool that made this request.",
        hresult: Some(0x8018_0004),
        check: Check::Csr(|csr, _, cx| {
            let Some(name) = csr.subject.common_name() else { return Verdict::Skip };
            let length = name.chars().count();
            Verdict::check(length <= 64, || {
                cx.in_csr(("subject", csr.spans.subject), "at most 64 characters", length.to_string())
            })
        }),
        needs: &[],
        examples: &[made("long-name")],
        since: "0.1.0",
    },
    Rule {
        id: "XCSR-010",
        name: "attribute-without-one-value",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "Every attribute of the request is a set of one value.",
        cites: &[Cite::must(
            Spec::Rfc2986,
            "4.1",
            "values SET SIZE(1..MAX) OF ATTRIBUTE.&Type({IOSet}{@type})",
        )],
        consequence: "Authorities take the first value, or decline the request.",
        remedy: "Put one value into each attribute; real devices do, so look at what made this request.",
        hresult: None,
        check: Check::Csr(|csr, _, cx| {
            if csr.attributes.is_empty() {
                return Verdict::Skip;
            }
            let odd = csr.attributes.iter().find(|attribute| attribute.values != Some(1));
            odd.map_or(Verdict::Pass, |attribute| {
                let count = attribute.values.map_or("no set".to_owned(), |n| format!("{n} values"));
                let name = oids::name(&attribute.oid);
                cx.in_csr(("attributes", csr.spans.subject), "one value", format!("{count} of {name}"))
            })
        }),
        needs: &[],
        examples: &[made("two-values")],
        since: "0.1.0",
    },
];

/// The elliptic public key, P-256, P-384 and P-521 (RFC 5480 2.1).
const ELLIPTIC: &[&str] = &["1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];

/// A request that who makes it makes odd.
const fn made(odd: &'static str) -> Example {
    Example::part(Step::Token, Side::Request, Part::Csr, Change::Variant(odd))
}
