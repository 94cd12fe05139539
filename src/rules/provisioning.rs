//! Rules on the management client's settings in the provisioning document (MS-MDE2 2.2.9.3, 2.2.9.5).

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Example, Rule, Severity, Subject};
use super::soap::is_https_url;
use super::spec::{Cite, Spec};
use crate::message::{Characteristic, Field, Provisioning, Spot};

macro_rules! app {
    ($name:literal) => {
        concat!("wap-provisioningdoc/characteristic[APPLICATION]/", $name)
    };
}
macro_rules! poll {
    ($name:literal) => {
        concat!("…/characteristic[Poll]/parm[", $name, "]/@value")
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "PROV-001",
        name: "other-document-version",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The root is wap-provisioningdoc, version 1.1.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.1", "<wap-provisioningdoc version=\"1.1\">")],
        consequence: "The device may not know the document.",
        remedy: "Write <wap-provisioningdoc version=\"1.1\">.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(root) = doc.root().filter(|r| r.local() != "characteristic") else {
                return Verdict::Skip;
            };
            let version = Field::attribute(&root, "version");
            if root.local() == "wap-provisioningdoc" && version.as_ref().is_some_and(|v| v.value == "1.1") {
                return Verdict::Pass;
            }
            let found = version.map_or("none".to_owned(), |v| v.value);
            cx.fail_provisioned(
                &Spot::tag(&root),
                "wap-provisioningdoc version 1.1",
                format!("{} {found}", root.local()),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning("wap-provisioningdoc/@version", Change::Set("2.0"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-002",
        name: "unknown-element",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The document has characteristic and parm elements only, each with its type or name.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.9.1", "characteristic")],
        consequence: "The setting is ignored or makes the document fail.",
        remedy: "Correct the element's name; look for a typing mistake.",
        hresult: Some(0x8018_0022),
        check: Check::Provisioning(|doc, cx| {
            let Some(root) = doc.root() else { return Verdict::Skip };
            let unknown = root.descendants().filter(|e| match e.local() {
                "characteristic" => e.attribute("type").is_none(),
                "parm" => e.attribute("name").is_none(),
                _ => true,
            });
            Verdict::from_evidence(
                unknown
                    .take(8)
                    .map(|e| cx.provisioned(&Spot::tag(&e), "characteristic or parm", e.name()))
                    .collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(app!("parm[NAME]"), Change::Rename("param"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-005",
        name: "value-does-not-fit-datatype",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A value is of the datatype that stands beside it.",
        cites: &[Cite::observed(
            Spec::Sdk,
            "ERROR_DATATYPE_MISMATCH",
            "0x8007065D: data supplied is of wrong type.",
        )],
        consequence: "The setting fails, and often the enrollment with it.",
        remedy: "Correct the value or the datatype.",
        hresult: Some(0x8007_065D),
        check: Check::Provisioning(|doc, cx| {
            let Some(root) = doc.root() else { return Verdict::Skip };
            let mut judged = false;
            let mut evidence = Vec::new();
            for parm in root.descendants().filter(|e| e.local() == "parm") {
                let (Some(kind), Some(value)) =
                    (parm.attribute("datatype"), Field::attribute(&parm, "value"))
                else {
                    continue;
                };
                judged = true;
                let fits = match kind.value().as_ref() {
                    "integer" => value.value.parse::<i64>().is_ok(),
                    "boolean" => {
                        ["true", "false", "0", "1"].contains(&value.value.to_ascii_lowercase().as_str())
                    }
                    _ => true,
                };
                if !fits {
                    evidence.push(cx.provisioned(&value.spot, kind.value(), value.value.clone()));
                }
            }
            if judged { Verdict::from_evidence(evidence) } else { Verdict::Skip }
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning("…/parm[ROBOSupport]/@value", Change::Set("yes"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-001",
        name: "no-management-application",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The document has an APPLICATION with APPID w7.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "2.2.9.5",
                "All parameter names and characteristic types are case sensitive and MUST use all uppercase.",
            ),
            Cite::observed(
                Spec::Sdk,
                "MENROLL_E_PROV_CSP_W7",
                "0x8018001F: the management account's settings failed.",
            ),
        ],
        consequence: "The device has no management account, and enrollment fails.",
        remedy: "Add characteristic type=\"APPLICATION\" with APPID w7, in capitals.",
        hresult: Some(0x8018_001F),
        check: Check::Setup(|doc, cx| {
            let Some(root) = whole(doc) else { return Verdict::Skip };
            let Some(application) = doc.application() else {
                return cx.fail_provisioned(&root.missing("characteristic"), "APPLICATION", "absent");
            };
            match application.parm("APPID") {
                Some(id) if id.value == "w7" => Verdict::Pass,
                Some(id) => cx.fail_provisioned(&id.spot, "w7", id.value.clone()),
                None => cx.fail_provisioned(&application.spot().missing("parm"), "APPID w7", "absent"),
            }
        }),
        needs: &["PROV-003"],
        examples: &[
            Example::provisioning(
                "wap-provisioningdoc/characteristic[APPLICATION]/@type",
                Change::Set("Application"),
            )
            .also(&["PROV-DM-001"]),
            Example::provisioning(app!("parm[APPID]/@value"), Change::Set("w8")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-001",
        name: "provider-id-differs",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "PROVIDER-ID in APPLICATION equals the provider's node under DMClient.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "2.2.9.1",
                "ProviderID in DMClient CSP must match to PROVIDER-ID in w7 APPLICATION characteristics",
            ),
            Cite::observed(
                Spec::Sdk,
                "MENROLL_E_PROV_CSP_DMCLIENT",
                "0x80180020: the management client's settings failed.",
            ),
        ],
        consequence: "The settings belong to no account, and enrollment fails.",
        remedy: "Write the same name in both places; letters' case counts.",
        hresult: Some(0x8018_0020),
        check: Check::Setup(|doc, cx| {
            let Some(root) = whole(doc) else { return Verdict::Skip };
            let providers = doc.providers();
            let names: Vec<String> = providers.iter().map(Characteristic::kind).collect();
            let own = doc.application().and_then(|a| a.parm("PROVIDER-ID"));
            match (own, providers.first().and_then(Characteristic::type_field)) {
                (Some(own), _) if names.contains(&own.value) && !own.is_empty() => Verdict::Pass,
                (Some(own), Some(_)) => cx.fail_provisioned(&own.spot, names.join(" or "), own.value.clone()),
                (Some(own), None) => {
                    let expected = format!("DMClient/Provider/{}", own.value);
                    cx.fail_provisioned(&root.missing("characteristic"), expected, "absent")
                }
                (None, node) => {
                    let spot = doc.application().map_or(root, |a| a.spot());
                    let expected = node.map_or("a PROVIDER-ID".to_owned(), |n| n.value);
                    cx.fail_provisioned(&spot.missing("parm"), expected, "absent")
                }
            }
        }),
        needs: &["PROV-003"],
        examples: &[
            Example::provisioning(app!("parm[PROVIDER-ID]/@value"), Change::Set("AnotherServer")),
            Example::provisioning("wap-provisioningdoc/characteristic[DMClient]", Change::Delete)
                .also(&["PROV-DM-003"]),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-004",
        name: "management-address-unusable",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "ADDR is the management server's absolute https URL.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.5", "ADDR")],
        consequence: "The device cannot reach its management server: enrollment ends, and nothing follows.",
        remedy: "Set ADDR to the server's public address, with https://.",
        hresult: Some(0x8018_001F),
        check: Check::Setup(|doc, cx| {
            let Some(application) = doc.application().filter(|_| whole(doc).is_some()) else {
                return Verdict::Skip;
            };
            let address = application
                .parm("ADDR")
                .or_else(|| application.child("APPADDR").and_then(|a| a.parm("ADDR")));
            match address {
                Some(address) if is_https_url(&address.value) => Verdict::Pass,
                Some(address) => {
                    cx.fail_provisioned(&address.spot, "https://HOST/PATH", address.value.clone())
                }
                None => cx.fail_provisioned(&application.spot().missing("parm"), "ADDR", "absent"),
            }
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(
            app!("parm[ADDR]/@value"),
            Change::Set("http://mdm.example/omadm"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-006",
        name: "application-authentication-incomplete",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "APPLICATION has one APPAUTH for CLIENT and one for APPSRV.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.5",
            "Both APPSRV and CLIENT credentials MUST be provided in the provisioning XML.",
        )],
        consequence: "The management account's settings fail.",
        remedy: "Add the missing APPAUTH with AAUTHLEVEL, AAUTHTYPE and AAUTHSECRET.",
        hresult: Some(0x8018_001F),
        check: Check::Setup(|doc, cx| {
            let Some(application) = doc.application() else { return Verdict::Skip };
            let levels: Vec<_> =
                auths(&application).filter_map(|a| a.parm("AAUTHLEVEL")).map(|f| f.value).collect();
            if levels.is_empty() && doc.certificates.is_empty() {
                return Verdict::Skip; // Application management may leave it out.
            }
            let fits = ["CLIENT", "APPSRV"].iter().all(|wanted| levels.iter().any(|l| l == wanted));
            Verdict::check(fits, || {
                cx.fail_provisioned(
                    &application.spot().missing("characteristic"),
                    "CLIENT and APPSRV",
                    levels.join(", "),
                )
            })
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(app!("characteristic[APPAUTH]"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-007",
        name: "authentication-type-of-other-kind",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "AAUTHTYPE is DIGEST for CLIENT, and BASIC or DIGEST for APPSRV.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.5",
            "When AAUTHLEVEL is CLIENT, AAUTHTYPE MUST contain DIGEST.",
        )],
        consequence: "The management account's settings fail.",
        remedy: "Set AAUTHTYPE to DIGEST.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| {
            each_auth(doc, |auth| {
                let (level, kind) = (auth.parm("AAUTHLEVEL")?, auth.parm("AAUTHTYPE")?);
                let allowed: &[&str] =
                    if level.value == "CLIENT" { &["DIGEST"] } else { &["BASIC", "DIGEST"] };
                let fits = allowed.contains(&kind.value.as_str());
                (!fits).then(|| cx.provisioned(&kind.spot, allowed.join(" or "), kind.value.clone()))
            })
        }),
        needs: &["PROV-W7-006"],
        examples: &[Example::provisioning(
            app!("characteristic[1]/parm[AAUTHTYPE]/@value"),
            Change::Set("BASIC"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-009",
        name: "authentication-secret-missing",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Every APPAUTH has an AAUTHLEVEL and an AAUTHSECRET.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.5", "APPAUTH/AAUTHSECRET: Required.")],
        consequence: "The management account's settings fail.",
        remedy: "Add AAUTHSECRET to the APPAUTH.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| {
            each_auth(doc, |auth| {
                let missing = ["AAUTHLEVEL", "AAUTHSECRET"].iter().find(|name| auth.parm(name).is_none())?;
                Some(cx.provisioned(&auth.spot().missing("parm"), (*missing).to_owned(), "absent"))
            })
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(app!("characteristic[1]/parm[AAUTHSECRET]"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-010",
        name: "nonce-missing",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A DIGEST APPAUTH has an AAUTHDATA, the nonce.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "2.2.9.5",
                "This parameter is used to convey the nonce for digest authentication type.",
            ),
            Cite::observed(Spec::Field, "", "Windows 11 25H2 ends with 0x80180023 without it."),
        ],
        consequence: "Newer Windows stops with event 17 and 0x80070057.",
        remedy: "Add AAUTHDATA with a base64-encoded random nonce.",
        hresult: Some(0x8018_0023),
        check: Check::Provisioning(|doc, cx| {
            each_auth(doc, |auth| {
                let digest = auth.parm("AAUTHTYPE").is_some_and(|k| k.value == "DIGEST");
                let nonce = auth.parm("AAUTHDATA").is_some_and(|n| !n.is_empty());
                (digest && !nonce)
                    .then(|| cx.provisioned(&auth.spot().missing("parm"), "AAUTHDATA", "absent"))
            })
        }),
        needs: &["PROV-W7-007"],
        examples: &[Example::provisioning(app!("characteristic[1]/parm[AAUTHDATA]"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-017",
        name: "session-before-enrollment-ends",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "APPLICATION has no INIT.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.5", "the INIT parameter MUST not be present")],
        consequence: "Enrollment by a management server that uses it fails.",
        remedy: "Remove INIT.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| {
            let Some(application) = doc.application() else { return Verdict::Skip };
            match application.parm("INIT") {
                Some(init) => cx.fail_provisioned(&init.spot, "no INIT", "INIT"),
                None => Verdict::Pass,
            }
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(app!("parm[NAME]/@name"), Change::Set("INIT"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-019",
        name: "search-finds-no-certificate",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "SSLCLIENTCERTSEARCHCRITERIA names the issued certificate's subject and its store.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.5",
            "The supported names are Subject and Stores; wildcard certificate search is not supported.",
        )],
        consequence: "The management sessions take place without the client certificate.",
        remedy: "Write Subject= and the subject of the certificate, URI-escaped, &amp;Stores=My%5CUser.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let criteria = doc.application().and_then(|a| a.parm("SSLCLIENTCERTSEARCHCRITERIA"));
            let certificate = doc.client_certificate().and_then(|c| c.certificate.as_ref());
            let (Some(criteria), Some(certificate)) = (criteria, certificate) else { return Verdict::Skip };
            let wanted =
                criteria.value.split('&').filter_map(|pair| pair.split_once('=')).collect::<Vec<_>>();
            let subject =
                wanted.iter().find(|(name, _)| *name == "Subject").map(|(_, value)| normal_name(value));
            let own = normal_name(&certificate.subject.to_string());
            let stores = wanted.iter().any(|(name, _)| *name == "Stores");
            Verdict::check(subject.is_some_and(|s| s == own) && stores, || {
                cx.fail_provisioned(
                    &criteria.spot,
                    format!("Subject={} and Stores", certificate.subject),
                    criteria.value.clone(),
                )
            })
        }),
        needs: &["PROV-CS-015"],
        examples: &[Example::provisioning(
            app!("parm[SSLCLIENTCERTSEARCHCRITERIA]/@value"),
            Change::Set("Subject=CN%3Dsomebody&amp;Stores=My%5CUser"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-020",
        name: "ampersand-escaped-twice",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The & between Subject and Stores is escaped once in the XML.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.5",
            "The supported names are Subject and Stores; wildcard certificate search is not supported.",
        )],
        consequence: "The search sees a name amp;Stores, which it does not know.",
        remedy: "Write &amp; once: some published samples escape it twice.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            match doc.application().and_then(|a| a.parm("SSLCLIENTCERTSEARCHCRITERIA")) {
                None => Verdict::Skip,
                Some(criteria) => Verdict::check(!criteria.value.contains("&amp;"), || {
                    cx.fail_provisioned(&criteria.spot, "&amp; in the XML", "&amp;amp;")
                }),
            }
        }),
        needs: &[],
        examples: &[Example::provisioning(
            app!("parm[SSLCLIENTCERTSEARCHCRITERIA]/@value"),
            Change::Set("Subject=CN%3Dsomebody&amp;amp;Stores=My%5CUser"),
        )
        .also(&["PROV-W7-019"])],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-003",
        name: "no-device-id-for-renewal",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The provider's node has an EntDMID.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.3",
            "This node is required and MUST be set by the server before the client certificate renewal is triggered.",
        )],
        consequence: "None at enrollment; the server must set it before the first renewal.",
        remedy: "Add EntDMID with your own id of the device.",
        hresult: None,
        check: Check::Setup(|doc, cx| {
            let Some(root) = whole(doc) else { return Verdict::Skip };
            let providers = doc.providers();
            let spot = providers.first().map_or(root, Characteristic::spot);
            Verdict::check(providers.iter().any(|p| p.parm("EntDMID").is_some()), || {
                cx.fail_provisioned(&spot.missing("parm"), "EntDMID", "absent")
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning("…/parm[EntDMID]", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-013",
        name: "no-first-retries",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "NumberOfFirstRetries is above 0.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.3", "The server MUST NOT set NumberOfFirstRetries to 0.")],
        consequence: "The device may not come back for its settings.",
        remedy: "Set 8 to 10 retries.",
        hresult: Some(0x8018_0020),
        check: Check::Provisioning(|doc, cx| match poll(doc, "NumberOfFirstRetries") {
            None => Verdict::Skip,
            Some(n) => Verdict::check(n.value != "0", || cx.fail_provisioned(&n.spot, "1 or more", "0")),
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(poll!("NumberOfFirstRetries"), Change::Set("0"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-006",
        name: "long-run-poll-too-often",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "IntervalForRemainingScheduledRetries is 0, or 1440 minutes and more.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.3",
            "IntervalForRemainingScheduledRetries MUST NOT be smaller than 1440 minutes (24 hours).",
        )],
        consequence: "The schedule may fail, and devices wake up more often than they should.",
        remedy: "Set 1440 or more.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            number(doc, cx, "IntervalForRemainingScheduledRetries", "0, or 1440 and more", |n| {
                n == 0 || n >= 1440
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(poll!("IntervalForRemainingScheduledRetries"), Change::Set("480"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-007",
        name: "second-polls-more-often-than-first",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "IntervalForSecondSetOfRetries is longer than IntervalForFirstSetOfRetries.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "IntervalForSecondSetOfRetries SHOULD be longer than IntervalForFirstSetOfRetries.",
        )],
        consequence: "Devices ask more often as time goes by; Microsoft's own sample does it.",
        remedy: "Use 15 minutes, then 60.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let minutes = |name| poll(doc, name).and_then(|f| f.value.parse::<u64>().ok());
            let field = poll(doc, "IntervalForSecondSetOfRetries");
            let (Some(field), Some(first), Some(second)) =
                (field, minutes("IntervalForFirstSetOfRetries"), minutes("IntervalForSecondSetOfRetries"))
            else {
                return Verdict::Skip;
            };
            Verdict::check(second == 0 || second > first, || {
                cx.fail_provisioned(&field.spot, format!("more than {first}"), second.to_string())
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(poll!("IntervalForSecondSetOfRetries"), Change::Set("3"))],
        since: "0.1.0",
    },
];

/// The root's place, when the document is a whole one and not a renewal's fragment.
fn whole(doc: &Provisioning) -> Option<Spot> {
    doc.root().filter(|r| r.local() != "characteristic").map(|r| Spot::tag(&r))
}

fn auths<'d>(application: &Characteristic<'d>) -> impl Iterator<Item = Characteristic<'d>> + use<'d> {
    application.children_of("APPAUTH").into_iter()
}

fn each_auth(doc: &Provisioning, judge: impl Fn(&Characteristic<'_>) -> Option<super::Evidence>) -> Verdict {
    let Some(application) = doc.application() else { return Verdict::Skip };
    let found: Vec<_> = auths(&application).collect();
    if found.is_empty() {
        return Verdict::Skip;
    }
    Verdict::from_evidence(found.iter().filter_map(judge).collect())
}

fn poll(doc: &Provisioning, name: &str) -> Option<Field> {
    doc.providers().iter().find_map(|p| p.child("Poll")).and_then(|p| p.parm(name))
}

fn number(
    doc: &Provisioning,
    cx: &Context<'_>,
    name: &str,
    allowed: &str,
    holds: impl Fn(u64) -> bool,
) -> Verdict {
    let Some(field) = poll(doc, name) else { return Verdict::Skip };
    Verdict::check(field.value.parse().is_ok_and(holds), || {
        cx.fail_provisioned(&field.spot, allowed, field.value.clone())
    })
}

/// A name's parts, URI-unescaped, without blanks and letters' case, for comparing.
fn normal_name(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let value = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    let text = String::from_utf8_lossy(&bytes).replace("\\0", "").replace('\0', "");
    text.split(',').map(|part| part.trim().to_lowercase()).collect::<Vec<_>>().join(",")
}
