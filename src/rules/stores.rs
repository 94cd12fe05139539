//! Rules on the certificates in the provisioning document (MS-MDE2 2.2.9.1, 2.2.9.2), against the request.

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Example, Golden, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::{Characteristic, Content, Provisioning, Spot, StoreCertificate, TokenRequest};
use crate::xml::{Defect, Document};

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
            fail_provisioned_defect(document, cx, defect, "well-formed XML")
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
            Cite::should(
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
        requirement: "The node above EncodedCertificate is named by the certificate's SHA-1 thumbprint.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "2.2.9.2",
                "The 20-byte value of the SHA-1 certificate hash is specified as a hexadecimal string value.",
            ),
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
            Cite::must(Spec::MsMde2, "2.2.9.2", "Note that My/User is case sensitive."),
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
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.1",
            "a provisioning example for Mobile Device Management (MDM) in user context",
        )],
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
        id: "PROV-CS-013",
        name: "unknown-certificate-store",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "CertificateStore has Root/System, CA/System, My/User and My/System, with letters' case as here.",
        cites: &[
            Cite::should(Spec::MsMde2, "2.2.9.2", "Note that CA/System is case sensitive."),
            Cite::should(
                Spec::MsMde2,
                "2.2.9.4",
                "RootCATrustedCertificates/TrustedPublisher: The node for trusted publisher certificates.",
            ),
        ],
        consequence: "The device does not know the store: the certificate is not installed, or the settings fail.",
        remedy: "Use one of these; RootCATrustedCertificates has Root, CA, TrustedPublisher and TrustedPeople.",
        hresult: Some(0x8018_001E),
        check: Check::Provisioning(|doc, cx| {
            // Where the client's own certificate goes, another rule says.
            let others: Vec<_> =
                doc.certificates.iter().filter(|c| !c.store.eq_ignore_ascii_case("My")).collect();
            if others.is_empty() {
                return Verdict::Skip;
            }
            let unknown = others.into_iter().filter(|c| match c.location.as_str() {
                "System" => !["Root", "CA"].contains(&c.store.as_str()),
                "RootCATrustedCertificates" => {
                    !["Root", "CA", "TrustedPublisher", "TrustedPeople"].contains(&c.store.as_str())
                }
                _ => true,
            });
            Verdict::from_evidence(
                unknown
                    .take(8)
                    .map(|c| {
                        let found = format!("{}/{}", c.store, c.location);
                        cx.provisioned(&c.thumbprint.spot, "Root/System or CA/System", found)
                    })
                    .collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            "wap-provisioningdoc/characteristic[CertificateStore]/characteristic[CA]/@type",
            Change::Set("Ca"),
        )
        .on(Golden::DeviceContext)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-006",
        name: "more-certificates-than-needed",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The document has one root, at most one intermediate, and in My only the client's certificate.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "Federated authentication device enrollment",
            "Other certificates than the client's, one root and one intermediate are not supported at enrollment.",
        )],
        consequence: "The device may install one of them only, or look for its key with the wrong certificate.",
        remedy: "Put an intermediate into CA/System, and send further ones in a management session.",
        hresult: Some(0x8018_001E),
        check: Check::Provisioning(|doc, cx| {
            let kinds: &[(&str, &str)] =
                &[("My", "one client certificate"), ("Root", "one root"), ("CA", "one intermediate")];
            if doc.certificates.is_empty() {
                return Verdict::Skip;
            }
            let mut evidence = Vec::new();
            for (store, expected) in kinds {
                let in_store = doc.certificates.iter().filter(|c| {
                    c.store.eq_ignore_ascii_case(store) && c.location != "RootCATrustedCertificates"
                });
                let more = in_store.skip(1).take(8);
                evidence.extend(
                    more.map(|c| {
                        cx.provisioned(&c.thumbprint.spot, *expected, format!("one more in {store}"))
                    }),
                );
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &["PROV-003", "PROV-CS-015"],
        examples: &[Example::provisioning(
            "wap-provisioningdoc/characteristic[CertificateStore]/characteristic[Root]/characteristic[System]/characteristic[1]",
            Change::Duplicate,
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-014",
        name: "scep-at-enrollment",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "CertificateStore/My/SCEP is left to the management sessions, and its values are in their ranges.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.2",
            "If the value does not have those bits set, configuration will fail.",
        )],
        consequence: "Nothing happens until a session executes the request's Enroll node; wrong values fail then.",
        remedy: "Send the request with its Enroll in the first management session.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            if doc.certificates.is_empty() {
                return Verdict::Skip;
            }
            let my = doc.top("CertificateStore").flat_map(|c| c.children_of("My"));
            let scep: Vec<_> = my.flat_map(|c| c.children_of("SCEP")).collect();
            let present = scep.iter().map(|s| (s.spot(), "no SCEP yet", "SCEP".to_owned()));
            let requests = scep.iter().flat_map(Characteristic::children);
            let installs = requests.flat_map(|request| request.children_of("Install"));
            let wrong = installs.flat_map(|install| {
                SCEP_VALUES.iter().filter_map(move |(name, allowed, holds)| {
                    let field = install.parm(name).filter(|f| !holds(&f.value))?;
                    Some((field.spot, *allowed, field.value))
                })
            });
            Verdict::from_evidence(
                present
                    .chain(wrong)
                    .take(8)
                    .map(|(spot, expected, found)| cx.provisioned(&spot, expected, found))
                    .collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            "wap-provisioningdoc/characteristic[CertificateStore]/characteristic[My]",
            Change::Insert(concat!(
                "<characteristic type=\"SCEP\"><characteristic type=\"wifi\"><characteristic type=\"Install\">",
                "<parm name=\"KeyUsage\" value=\"1\" datatype=\"integer\"/></characteristic></characteristic>",
                "</characteristic>"
            )),
        )],
        since: "0.1.0",
    },
];

/// Judges every certificate; skips when there is none. A few findings of a kind say it.
/// Fails where the provisioning document's text has the defect.
pub(super) fn fail_provisioned_defect(
    document: &Document,
    cx: &Context<'_>,
    defect: &Defect,
    expected: &str,
) -> Verdict {
    let element = document.element_at(defect.span.start).or_else(|| document.root());
    let Some(element) = element else { return Verdict::Skip };
    let mut evidence = cx.provisioned(&Spot::tag(&element), expected, defect.kind.text());
    evidence.place = Some(document.source().place(defect.span.clone()));
    Verdict::Fail(vec![evidence])
}

fn each(doc: &Provisioning, judge: impl Fn(&StoreCertificate) -> Option<super::Evidence>) -> Verdict {
    if doc.certificates.is_empty() {
        return Verdict::Skip;
    }
    Verdict::from_evidence(doc.certificates.iter().filter_map(judge).take(8).collect())
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

/// A setting of a SCEP request, what its values may be in words, and whether one is (MS-MDE2 2.2.9.2).
type ScepValue = (&'static str, &'static str, fn(&str) -> bool);

const SCEP_VALUES: &[ScepValue] = &[
    ("KeyUsage", "a number with bit 0x20 or 0x80", |v| v.parse::<u32>().is_ok_and(|n| n & 0xA0 != 0)),
    ("KeyLength", "1024, 2048 or 4096", |v| ["1024", "2048", "4096"].contains(&v)),
    ("RetryDelay", "1 or more", |v| v.parse::<u32>().is_ok_and(|n| n >= 1)),
    ("RetryCount", "0 to 30", |v| v.parse::<u32>().is_ok_and(|n| n <= 30)),
    ("KeyProtection", "1 to 4", |v| v.parse::<u32>().is_ok_and(|n| (1..=4).contains(&n))),
    ("HashAlgorithm", "SHA-1, SHA-2 or SHA-3 with + between", |v| {
        v.split('+').all(|family| ["SHA-1", "SHA-2", "SHA-3"].contains(&family))
    }),
    ("CAThumbprint", "40 hexadecimal digits", |v| v.len() == 40 && v.bytes().all(|b| b.is_ascii_hexdigit())),
];
