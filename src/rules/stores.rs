//! Rules on the certificates in the provisioning document (MS-MDE2 2.2.9.1, 2.2.9.2), against the request.

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Example, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::{Characteristic, Content, Provisioning, Spot, StoreCertificate, TokenRequest};

macro_rules! my {
    ($name:literal) => {
        concat!("wap-provisioningdoc/characteristic[CertificateStore]/characteristic[My]/", $name)
    };
}
const CLIENT: &str = my!("characteristic[User]/characteristic[1]/@type");

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "PROV-003",
        name: "provisioning-not-well-formed",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The provisioning document is well-formed XML.",
        cites: &[
            Cite::must(Spec::Xml, "2.1", "A textual object is a well-formed XML document if"),
            Cite::observed(
                Spec::Field,
                "",
                "The settings behind the mistake are lost, and the enrollment with them.",
            ),
        ],
        consequence: "The device cannot read its certificate or its settings.",
        remedy: "Mend the text at this place: write & as &amp; once, and comments as <!-- … -->.",
        hresult: Some(0x8018_0023),
        check: Check::Provisioning(|doc, cx| {
            let document = &doc.document;
            let Some(defect) = document.defects().iter().find(|d| !d.kind.is_limit()) else {
                return Verdict::Pass;
            };
            let element = document.element_at(defect.span.start).or_else(|| document.root());
            let Some(element) = element else { return Verdict::Skip };
            let mut evidence = cx.provisioned(&Spot::tag(&element), "well-formed XML", defect.kind.text());
            evidence.place = Some(document.source().place(defect.span.clone()));
            Verdict::Fail(vec![evidence])
        }),
        needs: &[],
        examples: &[
            Example::provisioning("", Change::Corrupt),
            Example::provisioning(
                "…/parm[SSLCLIENTCERTSEARCHCRITERIA]/@value",
                Change::Set("Subject=CN%3D7A5E0D50F0B84C0FA1B0B1F6B3E4C001&Stores=My%5CUser"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-017",
        name: "no-client-certificate",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The document puts the issued certificate into CertificateStore/My.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "2.2.9.2",
                "My/User: Defines the certificate store that contains public keys for client certificates.",
            ),
            Cite::observed(
                Spec::Sdk,
                "MENROLL_E_PROV_SSLCERTNOTFOUND",
                "0x80180024: the certificate was not found.",
            ),
        ],
        consequence: "The device has no certificate for its management sessions, and enrollment fails.",
        remedy: "Add CertificateStore/My/User (or System) with the thumbprint and the EncodedCertificate.",
        hresult: Some(0x8018_0024),
        check: Check::Provisioning(|doc, cx| {
            if no_certificates_expected(doc) {
                return Verdict::Skip;
            }
            let Some(root) = doc.root() else { return Verdict::Skip };
            Verdict::check(doc.client_certificate().is_some(), || {
                cx.fail_provisioned(
                    &Spot::tag(&root).missing("characteristic"),
                    "CertificateStore/My/…",
                    "absent",
                )
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(my!("characteristic[User]"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-015",
        name: "certificate-unreadable",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "EncodedCertificate is the base64 of one DER certificate.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "2.2.9.2",
                "Specifies the X.509 certificate as a base64-encoded string.",
            ),
            Cite::observed(
                Spec::Sdk,
                "MENROLL_E_PROV_CSP_CERTSTORE",
                "0x8018001E: the certificate store settings failed.",
            ),
        ],
        consequence: "The device cannot install the certificate, and enrollment fails.",
        remedy: "Encode the DER bytes once, without PEM header and line breaks.",
        hresult: Some(0x8018_001E),
        check: Check::Provisioning(|doc, cx| {
            each(doc, |found| match (&found.certificate, &found.encoded) {
                (None, Some(encoded)) => {
                    let what = if found.der.is_some() {
                        "bytes that are no certificate"
                    } else {
                        "text that is not base64"
                    };
                    Some(cx.provisioned(&encoded.spot, "base64 of a DER certificate", what))
                }
                _ => None,
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            my!("characteristic[User]/characteristic[1]/parm[EncodedCertificate]/@value"),
            Change::Set("bm90IGEgY2VydGlmaWNhdGU="),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-002",
        name: "certificate-text-broken-into-lines",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "EncodedCertificate has no line breaks or blanks.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.2",
            "The Base-64 string value cannot include extra formatting characters such as embedded linefeeds, etc.",
        )],
        consequence: "The device may not be able to install the certificate.",
        remedy: "Write the base64 on one line.",
        hresult: Some(0x8018_001E),
        check: Check::Provisioning(|doc, cx| {
            each(doc, |found| {
                let encoded = found.encoded.as_ref()?;
                let formatted = encoded.value.contains(|c: char| c.is_whitespace() || c == '-');
                formatted.then(|| {
                    cx.provisioned(&encoded.spot, "base64 on one line", "line breaks, blanks or a PEM header")
                })
            })
        }),
        needs: &["PROV-CS-015"],
        examples: &[Example::provisioning(
            my!("characteristic[User]/characteristic[1]/parm[EncodedCertificate]/@value"),
            Change::Variant("wrapped"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-003",
        name: "thumbprint-of-another-certificate",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The node above EncodedCertificate is named by the certificate's SHA-1.",
        cites: &[
            Cite::must(Spec::MsMde2, "2.2.9.2", "CertHash"),
            Cite::observed(
                Spec::Sdk,
                "MENROLL_E_PROV_SSLCERTNOTFOUND",
                "0x80180024: the certificate was not found.",
            ),
        ],
        consequence: "The device does not find the certificate under its name, and enrollment fails.",
        remedy: "Compute the SHA-1 over the same DER bytes that are sent, as 40 hexadecimal digits.",
        hresult: Some(0x8018_0024),
        check: Check::Provisioning(|doc, cx| {
            each(doc, |found| {
                let certificate = found.certificate.as_ref()?;
                let differs = !found.thumbprint.value.eq_ignore_ascii_case(&certificate.thumbprint);
                differs.then(|| {
                    cx.provisioned(
                        &found.thumbprint.spot,
                        certificate.thumbprint.clone(),
                        found.thumbprint.value.clone(),
                    )
                })
            })
        }),
        needs: &["PROV-003", "PROV-CS-015"],
        examples: &[Example::provisioning(CLIENT, Change::Set("0000000000000000000000000000000000000000"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-004",
        name: "certificate-for-another-key",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The issued certificate is for the key of the request.",
        cites: &[Cite::observed(
            Spec::Sdk,
            "MENROLL_E_PROV_SSLCERTNOTFOUND",
            "0x80180024: no certificate fits the private key.",
        )],
        consequence: "The device has no private key for the certificate, and enrollment fails.",
        remedy: "Look whether the server mixed up two requests, or issues for a key of its own.",
        hresult: Some(0x8018_0024),
        check: Check::Provisioning(|doc, cx| {
            let csr = token_request(cx).and_then(|r| r.csr.as_ref());
            let client = doc.client_certificate().and_then(|c| Some((c, c.certificate.as_ref()?)));
            let (Some(csr), Some((node, certificate))) = (csr, client) else { return Verdict::Skip };
            Verdict::check(csr.key_hash == certificate.key_hash, || {
                let spot = node.encoded.as_ref().map_or(&node.thumbprint.spot, |e| &e.spot);
                let key = |hash: &str| format!("a key with SHA-256 {}…", hash.get(..16).unwrap_or_default());
                cx.fail_provisioned(spot, key(&csr.key_hash), key(&certificate.key_hash))
            })
        }),
        needs: &["PROV-CS-017", "PROV-CS-015"],
        examples: &[Example::part(
            Step::Token,
            Side::Response,
            Part::Certificate,
            Change::Variant("other-key"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-001",
        name: "client-certificate-in-wrong-store",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The client certificate is in My/User or My/System, spelled so.",
        cites: &[
            Cite::must(Spec::MsMde2, "2.2.9.2", "Note that Root/System is case sensitive."),
            Cite::observed(
                Spec::Sdk,
                "MENROLL_E_PROV_SSLCERTNOTFOUND",
                "0x80180024: the certificate was not found.",
            ),
        ],
        consequence: "The device does not find its certificate, and enrollment fails.",
        remedy: "Use My/User for a user's enrollment, My/System for a device's.",
        hresult: Some(0x8018_0024),
        check: Check::Provisioning(|doc, cx| {
            let Some(client) = doc.client_certificate() else { return Verdict::Skip };
            let fits = client.store == "My" && ["User", "System"].contains(&client.location.as_str());
            Verdict::check(fits, || {
                let found = format!("{}/{}", client.store, client.location);
                cx.fail_provisioned(&client.thumbprint.spot, "My/User or My/System", found)
            })
        }),
        needs: &["PROV-CS-017"],
        examples: &[Example::provisioning(my!("characteristic[User]/@type"), Change::Set("Machine"))
            .also(&["SEQ-011"])],
        since: "0.1.0",
    },
    Rule {
        id: "SEQ-011",
        name: "store-does-not-fit-enrollment-type",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A Full enrollment gets its certificate in My/User, a Device enrollment in My/System.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.1", "wap-provisioningdoc")],
        consequence: "The management client may not find its certificate.",
        remedy: "Choose the store by the context item EnrollmentType.",
        hresult: Some(0x8018_0024),
        check: Check::Provisioning(|doc, cx| {
            let kind = token_request(cx).and_then(|r| r.item("EnrollmentType"));
            let (Some(client), Some(kind)) = (doc.client_certificate(), kind) else { return Verdict::Skip };
            let expected = match kind.value.as_str() {
                "Full" => "User",
                "Device" => "System",
                _ => return Verdict::Skip,
            };
            Verdict::check(client.location == expected, || {
                let found = format!("My/{}", client.location);
                let expected = format!("My/{expected} for {}", kind.value);
                cx.fail_provisioned(&client.thumbprint.spot, expected, found)
            })
        }),
        needs: &["PROV-CS-017"],
        examples: &[Example::request(
            Step::Token,
            "…/ContextItem[EnrollmentType]/Value",
            Change::Set("Device"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-005",
        name: "no-private-key-container",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A PrivateKeyContainer stands beside or inside the client certificate's node.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.1", "This tag must be present for XML syntax correctness.")],
        consequence: "None was seen; Microsoft's documents say that it must be there.",
        remedy: "Add <characteristic type=\"PrivateKeyContainer\"/> beside the thumbprint's node.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(client) = doc.client_certificate() else { return Verdict::Skip };
            let Some(node) = client.thumbprint.spot.element(&doc.document) else { return Verdict::Skip };
            let beside =
                node.parent().is_some_and(|p| Characteristic(p).child("PrivateKeyContainer").is_some());
            let inside = Characteristic(node).child("PrivateKeyContainer").is_some();
            Verdict::check(beside || inside, || {
                cx.fail_provisioned(&client.thumbprint.spot, "a PrivateKeyContainer", "absent")
            })
        }),
        needs: &["PROV-CS-017"],
        examples: &[Example::provisioning(
            my!("characteristic[User]/characteristic[PrivateKeyContainer]"),
            Change::Delete,
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-007",
        name: "root-not-self-signed",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A certificate in Root/System is self-signed.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.2",
            "Root/System: Defines the certificate store that contains root, or self-signed, certificates.",
        )],
        consequence: "The chain may not be trusted.",
        remedy: "Put intermediate certificates into CA/System.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let roots: Vec<_> =
                doc.certificates.iter().filter(|c| c.store == "Root" && c.certificate.is_some()).collect();
            if roots.is_empty() {
                return Verdict::Skip;
            }
            let bad = roots.into_iter().filter_map(|root| {
                let certificate = root.certificate.as_ref()?;
                let own = certificate.subject == certificate.issuer
                    && certificate.is_signed_by(certificate) != Some(false);
                (!own).then(|| {
                    let found = format!("issued by {}", certificate.issuer);
                    cx.provisioned(&root.thumbprint.spot, "a self-signed certificate", found)
                })
            });
            Verdict::from_evidence(bad.collect())
        }),
        needs: &["PROV-CS-015"],
        examples: &[Example::part(
            Step::Token,
            Side::Response,
            Part::Certificate,
            Change::Variant("leaf-in-root"),
        )
        .also(&["PROV-CS-016"])],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-016",
        name: "certificate-not-signed-by-sent-authority",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "One of the sent authorities issued the client certificate.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Servers send the chain of the certificate that they issue.",
        )],
        consequence: "The device may not be able to build the chain.",
        remedy: "Send the root, and the intermediate if there is one, that issued the certificate.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(client) = doc.client_certificate() else { return Verdict::Skip };
            let Some(certificate) = &client.certificate else { return Verdict::Skip };
            let others: Vec<_> = doc
                .certificates
                .iter()
                .filter(|c| c.store != "My")
                .filter_map(|c| c.certificate.as_ref())
                .collect();
            if others.is_empty() {
                return Verdict::Skip;
            }
            let signed = others
                .iter()
                .any(|o| o.subject == certificate.issuer && certificate.is_signed_by(o) != Some(false));
            Verdict::check(signed, || {
                let expected = format!("the authority {}", certificate.issuer);
                let found: Vec<_> = others.iter().map(|o| o.subject.to_string()).collect();
                cx.fail_provisioned(&client.thumbprint.spot, expected, found.join("; "))
            })
        }),
        needs: &["PROV-CS-015"],
        examples: &[Example::part(
            Step::Token,
            Side::Response,
            Part::Certificate,
            Change::Variant("other-authority"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-008",
        name: "issued-certificate-not-valid-now",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The issued certificate is valid when it arrives.",
        cites: &[
            Cite::must(
                Spec::Rfc5280,
                "4.1.2.5",
                "The certificate validity period is the time interval during which the CA warrants",
            ),
            Cite::observed(
                Spec::Field,
                "",
                "A certificate outside its validity cannot authenticate the first session.",
            ),
        ],
        consequence: "The device cannot use the certificate.",
        remedy: "Check the authority's clock, and back-date notBefore by some minutes.",
        hresult: Some(0x8018_0024),
        check: Check::Provisioning(|doc, cx| {
            let client = doc.client_certificate().and_then(|c| Some((c, c.certificate.as_ref()?)));
            let Some((node, certificate)) = client else { return Verdict::Skip };
            let at = cx.exchange.response.as_ref().map(|r| r.at).unwrap_or_default();
            let (Some(from), Some(to)) = (certificate.not_before, certificate.not_after) else {
                return Verdict::Skip;
            };
            if at.0 == 0 {
                return Verdict::Skip; // A message from a file: nobody knows when it was sent.
            }
            // Five minutes of skew between the authority and us are nobody's fault.
            Verdict::check(from <= at.plus_millis(300_000) && at <= to, || {
                cx.fail_provisioned(
                    &node.thumbprint.spot,
                    format!("valid at {at}"),
                    format!("{from} to {to}"),
                )
            })
        }),
        needs: &["PROV-CS-015"],
        examples: &[
            Example::part(Step::Token, Side::Response, Part::Certificate, Change::Variant("expired")),
            Example::part(Step::Token, Side::Response, Part::Certificate, Change::Variant("not-yet-valid")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-009",
        name: "certificate-not-for-client-authentication",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The issued certificate may be used for TLS client authentication.",
        cites: &[Cite::must(Spec::Rfc5280, "4.2.1.12", "id-kp-clientAuth")],
        consequence: "Servers may refuse it in the management sessions.",
        remedy: "Issue it with the extended key usage 1.3.6.1.5.5.7.3.2 and the key usage digitalSignature.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let client = doc.client_certificate().and_then(|c| Some((c, c.certificate.as_ref()?)));
            let Some((node, certificate)) = client else { return Verdict::Skip };
            let purposes = certificate.key_purposes();
            let fits = purposes.is_empty()
                || purposes.iter().any(|p| p == "1.3.6.1.5.5.7.3.2" || p == "2.5.29.37.0");
            Verdict::check(fits && certificate.may_sign(), || {
                cx.fail_provisioned(&node.thumbprint.spot, "1.3.6.1.5.5.7.3.2", purposes.join(", "))
            })
        }),
        needs: &["PROV-CS-015"],
        examples: &[Example::part(
            Step::Token,
            Side::Response,
            Part::Certificate,
            Change::Variant("no-client-auth"),
        )],
        since: "0.1.0",
    },
];

/// Judges every certificate; skips when there is none.
fn each(doc: &Provisioning, judge: impl Fn(&StoreCertificate) -> Option<super::Evidence>) -> Verdict {
    if doc.certificates.is_empty() {
        return Verdict::Skip;
    }
    Verdict::from_evidence(doc.certificates.iter().filter_map(judge).collect())
}

/// A document for application management (MS-MDE2 2.2.9.1) has no certificate, and its application no APPAUTH.
fn no_certificates_expected(doc: &Provisioning) -> bool {
    let fragment = doc.root().is_some_and(|r| r.local() == "characteristic");
    let mam = doc.certificates.is_empty() && doc.application().is_some_and(|a| a.child("APPAUTH").is_none());
    fragment || mam
}

fn token_request<'a>(cx: &Context<'a>) -> Option<&'a TokenRequest> {
    match &cx.request.content {
        Content::TokenRequest(request) => Some(request),
        _ => None,
    }
}
