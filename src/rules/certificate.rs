//! Rules on the certificates themselves that a provisioning document brings: their chain, validity, purposes.

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::certificate::{Digest, algorithm_name, digest_of};

pub(super) static RULES: &[Rule] = &[
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
            Verdict::from_evidence(bad.take(8).collect())
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
    Rule {
        id: "CERT-002",
        name: "other-validity-than-policy",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The issued certificate lives about as long as the policy says.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.8",
            "the recommended validity period of an issued certificate in seconds",
        )],
        consequence: "Nothing fails, but renewal times that were reckoned from the policy are wrong.",
        remedy: "Set validityPeriodSeconds to what the authority really issues.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let client = doc.client_certificate().and_then(|c| Some((c, c.certificate.as_ref()?)));
            let Some((node, certificate)) = client else { return Verdict::Skip };
            let policy = cx.earlier.policy.as_ref().and_then(|p| p.validity_seconds).filter(|s| *s > 0);
            let (Some(wanted), Some(days)) = (policy, certificate.days()) else { return Verdict::Skip };
            let wanted = i64::try_from(wanted / 86_400).unwrap_or(i64::MAX);
            // Back-dating and whole days make a little difference: a tenth, and two days.
            Verdict::check((days - wanted).abs() <= wanted / 10 + 2, || {
                cx.fail_provisioned(&node.thumbprint.spot, format!("{wanted} days"), format!("{days} days"))
            })
        }),
        needs: &["PROV-CS-015", "RENEW-007"],
        examples: &[Example::response(
            Step::Policies,
            "…/certificateValidity/validityPeriodSeconds",
            Change::Set("315360000"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "CERT-005",
        name: "certificate-with-weak-hash",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The issued certificate is signed with SHA-256 or better.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "TLS servers and libraries refuse client certificates that are signed with SHA-1 or MD5.",
        )],
        consequence: "Servers may refuse the certificate in the management sessions.",
        remedy: "Let the authority sign with SHA-256.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let client = doc.client_certificate().and_then(|c| Some((c, c.certificate.as_ref()?)));
            let Some((node, certificate)) = client else { return Verdict::Skip };
            let algorithm = certificate.signature_algorithm.as_str();
            // md2, md4 and md5 with RSA beside what is known as SHA-1.
            let broken = ["1.2.840.113549.1.1.2", "1.2.840.113549.1.1.3", "1.2.840.113549.1.1.4"];
            let weak = digest_of(algorithm) == Some(Digest::Sha1) || broken.contains(&algorithm);
            Verdict::check(!weak, || {
                cx.fail_provisioned(
                    &node.thumbprint.spot,
                    "SHA-256 or better",
                    algorithm_name(algorithm).to_owned(),
                )
            })
        }),
        needs: &["PROV-CS-015"],
        examples: &[Example::part(
            Step::Token,
            Side::Response,
            Part::Certificate,
            Change::Variant("weak-hash"),
        )],
        since: "0.1.0",
    },
];
