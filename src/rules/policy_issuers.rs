//! Rules on the authorities and the extensions of a policy answer (MS-XCEP 3.1.4.1.3.2 to .6, .12).

use std::collections::HashSet;

use super::check::{Check, Evidence, Verdict};
use super::policy::each;
use super::policy_answer::unique;
use super::rule::{Change, Example, Level, Rule, Severity, Step, Subject};
use super::schema::{as_declared, breaches};
use super::soap::is_https_url;
use super::spec::{Cite, Spec};
use crate::message::certificate::is_der;
use crate::message::{GetPoliciesResponse, Issuer, IssuerUri, oids};

macro_rules! ca {
    ($name:literal) => {
        concat!("Envelope/Body/GetPoliciesResponse/cAs/cA/", $name)
    };
}
macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/GetPoliciesResponse/response/policies/policy/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "XCEP-REF-013",
        name: "authority-reference-dangling",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Each cAReference refers to an authority of the answer.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.4",
            "MUST reference a <cAReferenceID> element defined in the corresponding GetPoliciesResponse",
        )],
        consequence: "Clients that enroll with AD CS do not find the issuer.",
        remedy: "Add the cA, or correct the number.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let known = references(m);
            let mut evidence = breaches(cx, "XCEP-REF-013");
            let all = || m.policies.iter().flat_map(|p| &p.issuers).filter(|f| f.number::<i32>().is_some());
            let dangling = all().filter(|f| !known.contains(f.value.as_str()));
            evidence.extend(dangling.map(|f| cx.evidence(&f.spot, "a cAReferenceID", f.value.clone())));
            if all().next().is_none() && evidence.is_empty() {
                return Verdict::Skip;
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("cAs/cAReference"), Change::Set("7"))
                .full()
                .also(&["XCEP-REF-015"]),
            Example::response(Step::Policies, at!("cAs/cAReference"), Change::Set("first"))
                .full()
                .also(&["XCEP-REF-015"]),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REF-014",
        name: "authority-referred-to-twice",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "No cAReference is there twice in one policy.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.4",
            "The integer value of each <cAReference> element MUST be unique for each CAReferenceCollection object",
        )],
        consequence: "None is known: the policy names the same authorities.",
        remedy: "Name each authority once.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                if policy.issuers.is_empty() {
                    return Verdict::Skip;
                }
                unique(policy.issuers.iter(), "each once", cx)
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(Step::Policies, at!("cAs/cAReference"), Change::Duplicate).full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REF-015",
        name: "authority-of-no-policy",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "Each authority of the answer is named by a policy.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.2",
            "used as an index for referencing the corresponding CA object",
        )],
        consequence: "None: the authority is not used.",
        remedy: "Name it in a policy, or leave it out.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let named: HashSet<_> =
                m.policies.iter().flat_map(|p| &p.issuers).map(|f| f.value.as_str()).collect();
            every(m, Vec::new(), |issuer| {
                let reference = issuer.reference.as_ref().filter(|r| !named.contains(r.value.as_str()))?;
                Some(cx.evidence(&reference.spot, "a cAReference to it", "none"))
            })
        }),
        needs: &["POL-RSP-001", "XCEP-CA-004"],
        examples: &[Example::response(Step::Policies, at!("cAs/cAReference"), Change::Set("7"))
            .full()
            .also(&["XCEP-REF-013"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-001",
        name: "authority-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "An authority holds uris, certificate, enrollPermission and cAReferenceID, in this order; so do its addresses.",
        cites: &[
            Cite::must(
                Spec::MsXcep,
                "3.1.4.1.3.2",
                "<xs:element name=\"uris\" type=\"xcep:CAURICollection\" />",
            ),
            Cite::must(
                Spec::MsXcep,
                "3.1.4.1.3.5",
                "<xs:element name=\"clientAuthentication\" type=\"xs:unsignedInt\" />",
            ),
        ],
        consequence: "Clients that check the schema decline the answer; Windows does not read the authorities.",
        remedy: "Send every element in the order of the specification.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-CA-001")),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, ca!("certificate"), Change::MoveBefore("uris")).full(),
            Example::response(Step::Policies, ca!("uris/cAURI[1]/priority"), Change::Delete).full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-002",
        name: "authority-certificate-unusable",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The certificate of an authority is one: base64 of X.509, and an authority by its basic constraints.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.2",
            "The value for the <certificate> element MUST never be an empty string.",
        )],
        consequence: "Clients that enroll with AD CS cannot encrypt to the authority, or check what it issues.",
        remedy: "Send the authority's own certificate as base64, without the lines of PEM.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let broken = breaches(cx, "XCEP-CA-002");
            if !broken.is_empty() {
                return Verdict::from_evidence(broken);
            }
            every(m, Vec::new(), |issuer| {
                let field = issuer.certificate.as_ref()?;
                let found = match &issuer.read {
                    None if field.is_empty() => "empty",
                    None => "no certificate",
                    Some(certificate) if !certificate.is_authority() => "a certificate of no authority",
                    Some(_) => return None,
                };
                Some(cx.evidence(&field.spot, "the certificate of an authority", found))
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, ca!("certificate"), Change::Set("")).full(),
            Example::response(Step::Policies, ca!("certificate"), Change::Corrupt).full(),
            Example::response(Step::Policies, ca!("certificate"), Change::Set("MIIB")).full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-003",
        name: "authority-certificate-expired",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "An authority's certificate is valid now, and may sign certificates.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.2",
            "ASN.1) encoded certificate authority signing certificate.",
        )],
        consequence: "What it issues is not trusted.",
        remedy: "Renew the certificate of the authority.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let now = cx.exchange.request.at;
            every(m, Vec::new(), |issuer| {
                let (field, certificate) = (issuer.certificate.as_ref()?, issuer.read.as_ref()?);
                let early = certificate.not_before.is_some_and(|from| now < from);
                let late = certificate.not_after.is_some_and(|until| until < now);
                let found = match (early, late, certificate.may_issue()) {
                    (true, ..) if now.0 != 0 => "not valid yet",
                    (_, true, _) => "expired",
                    (_, _, false) => "a key that may not sign certificates",
                    _ => return None,
                };
                Some(cx.evidence(&field.spot, "valid now, and for signing certificates", found))
            })
        }),
        needs: &["POL-RSP-001", "XCEP-CA-002"],
        examples: &[Example::response(Step::Policies, ca!("certificate"), Change::Set(EXPIRED)).full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-004",
        name: "authority-reference-repeats",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Each authority has a cAReferenceID of its own, a number from 0 on.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.2",
            "Each instance of a CA object in a GetPoliciesResponse message MUST have a unique <cAReferenceID>.",
        )],
        consequence: "Policies lead to the wrong authority.",
        remedy: "Give each authority the next free number as its cAReferenceID.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-CA-004");
            let all = || m.issuers.iter().filter_map(|i| i.reference.as_ref());
            if let Verdict::Fail(twice) = unique(all(), "each once", cx) {
                evidence.extend(twice);
            }
            let negative = all().filter(|f| f.number::<i32>().is_some_and(|n| n < 0));
            evidence.extend(negative.map(|f| cx.evidence(&f.spot, "0 or more", f.value.clone())));
            every(m, evidence, |_| None)
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, "Envelope/Body/GetPoliciesResponse/cAs/cA", Change::Duplicate)
                .full(),
            Example::response(Step::Policies, ca!("cAReferenceID"), Change::Set("-1"))
                .full()
                .also(&["XCEP-REF-013"]),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-005",
        name: "authority-without-address",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Each authority has at least one address.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.6",
            "<xs:element name=\"cAURI\" type=\"xcep:CAURI\" minOccurs=\"1\" maxOccurs=\"unbounded\" />",
        )],
        consequence: "Clients that enroll with AD CS do not know where.",
        remedy: "Add a cAURI with the address at which the authority takes requests.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| every(m, breaches(cx, "XCEP-CA-005"), |_| None)),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(Step::Policies, ca!("uris"), Change::Set("")).full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-006",
        name: "unknown-client-authentication",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "clientAuthentication is exactly one of 1, 2, 4 and 8.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.5",
            "The <clientAuthentication> element is an unsigned integer that MUST have one of the following values.",
        )],
        consequence: "Clients do not use this address.",
        remedy: "Give each way of signing in a cAURI of its own: the values do not add up.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            every_uri(m, breaches(cx, "XCEP-CA-006"), |uri| {
                let field = uri.authentication.as_ref().filter(|f| f.number::<u32>().is_some())?;
                let known = uri.authentication_name().is_some();
                (!known).then(|| cx.evidence(&field.spot, "1, 2, 4 or 8", field.value.clone()))
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, ca!("uris/cAURI[1]/clientAuthentication"), Change::Set("6"))
                .full(),
            Example::response(
                Step::Policies,
                ca!("uris/cAURI[1]/clientAuthentication"),
                Change::Set("password"),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-007",
        name: "authority-address-not-https",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The address of an authority is an absolute https URL.",
        cites: &[Cite::must(Spec::MsWstep, "2.1", "HTTPS protocol MUST be used as the transport.")],
        consequence: "Clients do not send their request there, or in the clear.",
        remedy: "Write the whole https address.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            every_uri(m, Vec::new(), |uri| {
                let field = uri.uri.as_ref().filter(|f| !is_https_url(&f.value))?;
                Some(cx.evidence(&field.spot, "https://HOST/PATH", field.value.clone()))
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[Example::response(
            Step::Policies,
            ca!("uris/cAURI[1]/uri"),
            Change::Set("http://ca.contoso.example/CES"),
        )
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-009",
        name: "anonymous-enrollment",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "An address without sign-in takes renewals only.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.1.1.4",
            "Anonymous authentication is supported only for renewal requests",
        )],
        consequence: "Anybody could get a certificate there; servers refuse such requests.",
        remedy: "Set renewalOnly to true, or ask for a sign-in.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            every_uri(m, Vec::new(), |uri| {
                let field = uri.authentication.as_ref().filter(|f| f.value == "1")?;
                let renewals = uri.renewal_only.as_ref().is_some_and(crate::message::Field::is_true);
                (!renewals).then(|| cx.evidence(&field.spot, "renewalOnly", "1 (anonymous) for all requests"))
            })
        }),
        needs: &["POL-RSP-001", "XCEP-CA-006"],
        examples: &[Example::response(
            Step::Policies,
            ca!("uris/cAURI[2]/renewalOnly"),
            Change::Set("false"),
        )
        .full()],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-010",
        name: "authority-list-empty",
        severity: Severity { field: Level::Info, strict: Level::Error },
        subject: Subject::Server,
        requirement: "cAs is nil, or holds at least one entry.",
        cites: &[
            Cite::must(
                Spec::MsXcep,
                "3.1.4.1.3.3",
                "<xs:element name=\"cA\" type=\"xcep:CA\" minOccurs=\"1\" maxOccurs=\"unbounded\" />",
            ),
            Cite::observed(Spec::Field, "", "Servers that devices enroll with send it empty."),
        ],
        consequence: "None with Windows; strict clients decline the answer.",
        remedy: "Send xsi:nil=\"true\" instead of an empty element.",
        hresult: None,
        check: Check::GetPoliciesResponse(|_, cx| as_declared(cx, "XCEP-CA-010")),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, at!("cAs/@nil"), Change::Set("false")),
            Example::response(
                Step::Policies,
                "Envelope/Body/GetPoliciesResponse/cAs/@nil",
                Change::Set("false"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-CA-011",
        name: "enroll-permission-no-boolean",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "enrollPermission is true or false, and never nil.",
        cites: &[Cite::must(Spec::MsXcep, "3.1.4.1.3.2", "It MUST be true or false.")],
        consequence: "Clients cannot tell whether they may ask there.",
        remedy: "Write true or false.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| every(m, breaches(cx, "XCEP-CA-011"), |_| None)),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(Step::Policies, ca!("enrollPermission"), Change::Set("yes")).full(),
            Example::response(Step::Policies, ca!("enrollPermission/@xsi:nil"), Change::Set("true")).full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-EXT-001",
        name: "extension-not-der",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The value of an extension is base64 of one DER value.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.12",
            "The <value> element contains the xs:base64Binary representation of the ASN.1 encoded value of the Extension.",
        )],
        consequence: "Clients that put it into their request make one that is refused; Windows' enrollment does not.",
        remedy: "Send the bytes of the extension's value, encoded once.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let broken = breaches(cx, "XCEP-EXT-001");
            if !broken.is_empty() {
                return Verdict::from_evidence(broken);
            }
            each(m, cx, |policy, _, cx| {
                let given = || policy.extensions.iter().filter(|e| e.value.as_ref().is_some_and(|v| !v.nil));
                let bad = given().filter(|e| !e.der.as_deref().is_some_and(is_der));
                let evidence = bad.filter_map(|e| {
                    let value = e.value.as_ref()?;
                    let name = e
                        .oid_reference
                        .as_ref()
                        .and_then(|r| m.dotted(r))
                        .map_or("the extension", oids::name);
                    Some(cx.evidence(&value.spot, format!("DER of {name}"), value.value.clone()))
                });
                let evidence: Vec<_> = evidence.collect();
                if given().next().is_none() { Verdict::Skip } else { Verdict::from_evidence(evidence) }
            })
        }),
        needs: &["POL-RSP-001"],
        examples: &[
            Example::response(
                Step::Policies,
                at!("attributes/extensions/extension[1]/value"),
                Change::Corrupt,
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/extensions/extension[4]/value"),
                Change::Set("MA=="),
            )
            .full(),
            Example::response(
                Step::Policies,
                at!("attributes/extensions/extension[4]/value"),
                Change::Set(""),
            )
            .full(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-EXT-002",
        name: "template-name-of-other-type",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The template's name is a BMPString.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "AD CS sends a BMPString, though MS-WCCE 2.2.2.7.7.1 prints a SEQUENCE of a UTF8String.",
        )],
        consequence: "The authority does not find the template by this name.",
        remedy: "Encode the name as BMPString: tag 1E, two bytes a character.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            each(m, cx, |policy, _, cx| {
                let template = policy
                    .extensions
                    .iter()
                    .find(|e| e.oid_reference.as_ref().and_then(|r| m.dotted(r)) == Some(TEMPLATE_NAME));
                let (Some(der), Some(value)) =
                    (template.and_then(|e| e.der.as_ref()), template.and_then(|e| e.value.as_ref()))
                else {
                    return Verdict::Skip;
                };
                let tag = der.first().copied().unwrap_or_default();
                Verdict::check(NAME_TAGS.contains(&tag), || {
                    cx.fail(&value.spot, "a BMPString (1E)", format!("tag {tag:02X}"))
                })
            })
        }),
        needs: &["POL-RSP-001", "XCEP-EXT-001"],
        examples: &[Example::response(
            Step::Policies,
            at!("attributes/extensions/extension[2]/value"),
            Change::Set("DAdNYWNoaW5l"),
        )
        .full()],
        since: "0.1.0",
    },
];

/// Judges every authority; skips when there is none.
fn every(
    m: &GetPoliciesResponse,
    mut evidence: Vec<Evidence>,
    judge: impl Fn(&Issuer) -> Option<Evidence>,
) -> Verdict {
    evidence.extend(m.issuers.iter().filter_map(judge));
    if m.issuers.is_empty() && evidence.is_empty() { Verdict::Skip } else { Verdict::from_evidence(evidence) }
}

/// The same for every address of every authority.
fn every_uri(
    m: &GetPoliciesResponse,
    mut evidence: Vec<Evidence>,
    judge: impl Fn(&IssuerUri) -> Option<Evidence>,
) -> Verdict {
    let uris = || m.issuers.iter().flat_map(|issuer| &issuer.uris);
    evidence.extend(uris().filter_map(judge));
    if uris().next().is_none() && evidence.is_empty() {
        return Verdict::Skip;
    }
    Verdict::from_evidence(evidence)
}

/// Known references of authorities.
fn references(m: &GetPoliciesResponse) -> HashSet<&str> {
    m.issuers.iter().filter_map(|i| Some(i.reference.as_ref()?.value.as_str())).collect()
}

const TEMPLATE_NAME: &str = "1.3.6.1.4.1.311.20.2";
/// BMPString, as AD CS sends the name, and SEQUENCE, as MS-WCCE prints it.
const NAME_TAGS: &[u8] = &[0x1E, 0x30];

/// A test authority whose certificate ended in 2021.
const EXPIRED: &str = "MIIBZzCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAbMRkwFwYDVQQDDBBDb250b3NvIE9sZCBSb290MB4XDTIwMDEwMTAwMDAwMFoXDTIxMDEwMTAwMDAwMFowGzEZMBcGA1UEAwwQQ29udG9zbyBPbGQgUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBB5OrWd3pO9wmrKAxQXJJrdFN8AtEdk9AWvZo6TI4VisJA2/Q4nU0knog2bpwlJ3jdJH+7lfBrRkPIObrHoST+jQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBRH89r7gZqdkye8ZizcfXYj/d8jwzAKBggqhkjOPQQDAgNIADBFAiEAyl31l9lnSY0jDohkRuv3OGkQwzwDUQ95Z2dAxbUivrcCIBjq4EKtpdQ2HJYNm+41BF6gSjym6YefcN1HPTQ9fc3r";
