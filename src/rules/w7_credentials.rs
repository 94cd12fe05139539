//! Rules on how device and server prove themselves in the management sessions: the account's credentials, and the search
//! for the client certificate (MS-MDE2 2.2.9.5).

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Golden, Rule, Severity, Subject};
use super::spec::{Cite, Spec};
use crate::message::{Characteristic, Field, Provisioning, decode_base64};

const SEARCH: &str =
    "wap-provisioningdoc/characteristic[APPLICATION]/parm[SSLCLIENTCERTSEARCHCRITERIA]/@value";

macro_rules! app {
    ($name:literal) => {
        concat!("wap-provisioningdoc/characteristic[APPLICATION]/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
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
        consequence: "The device cannot set up its management account, and enrollment fails.",
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
        needs: &["PROV-W7-001", "PROV-W7-022"],
        examples: &[Example::provisioning(app!("characteristic[APPAUTH]"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-022",
        name: "unknown-authentication-level",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "AAUTHLEVEL is CLIENT or APPSRV.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.5",
            "Both APPSRV and CLIENT credentials MUST be provided in the provisioning XML.",
        )],
        consequence: "The credentials are for nobody, and the management account's settings fail.",
        remedy: "Write CLIENT for the server's own credentials, APPSRV for the device's.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| {
            each_auth(doc, |auth| {
                let level = auth.parm("AAUTHLEVEL")?;
                let known = ["CLIENT", "APPSRV"].contains(&level.value.as_str());
                (!known).then(|| cx.provisioned(&level.spot, "CLIENT or APPSRV", level.value.clone()))
            })
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(
            app!("characteristic[1]/parm[AAUTHLEVEL]/@value"),
            Change::Set("Client"),
        )],
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
        consequence: "The device does not accept this way to authenticate, and enrollment fails at the management account.",
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
        needs: &["PROV-W7-006", "PROV-W7-022"],
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
        consequence: "The device has no secret to authenticate with, and enrollment fails at the management account.",
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
        requirement: "A DIGEST APPAUTH has an AAUTHDATA, the nonce, in base64.",
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
                auth.parm("AAUTHTYPE").filter(|kind| kind.value == "DIGEST")?;
                match auth.parm("AAUTHDATA") {
                    None => Some(cx.provisioned(&auth.spot().missing("parm"), "AAUTHDATA", "absent")),
                    // Windows 10 took the literal word `nonce`, which published documents have.
                    Some(nonce) => decode_base64(&nonce.value)
                        .is_none()
                        .then(|| cx.provisioned(&nonce.spot, "base64 of some bytes", nonce.value.clone())),
                }
            })
        }),
        needs: &["PROV-W7-007"],
        examples: &[
            Example::provisioning(app!("characteristic[1]/parm[AAUTHDATA]"), Change::Delete),
            Example::provisioning(app!("characteristic[2]/parm[AAUTHDATA]/@value"), Change::Set("nonce")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-011",
        name: "basic-authentication-without-name",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "An APPAUTH of the type BASIC has an AAUTHNAME.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.5",
            "BASIC - Specifies the SyncML DM 'syncml:auth-basic' authentication type.",
        )],
        consequence: "The device has no user name to send with the password in its sessions.",
        remedy: "Add AAUTHNAME, or use DIGEST.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| {
            let basic =
                |auth: &Characteristic<'_>| auth.parm("AAUTHTYPE").is_some_and(|kind| kind.value == "BASIC");
            if !doc.application().is_some_and(|a| a.children_of("APPAUTH").iter().any(basic)) {
                return Verdict::Skip;
            }
            each_auth(doc, |auth| {
                let named = auth.parm("AAUTHNAME").is_some_and(|name| !name.is_empty());
                (basic(auth) && !named)
                    .then(|| cx.provisioned(&auth.spot().missing("parm"), "AAUTHNAME", "absent"))
            })
        }),
        needs: &["PROV-W7-007"],
        examples: &[Example::provisioning(app!("characteristic[3]/parm[AAUTHNAME]"), Change::Delete)
            .on(Golden::DeviceContext)],
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
        check: Check::Provisioning(|doc, cx| match search(doc) {
            None => Verdict::Skip,
            Some(criteria) => Verdict::check(!criteria.value.contains("&amp;"), || {
                cx.fail_provisioned(&criteria.spot, "&amp; in the XML", "&amp;amp;")
            }),
        }),
        needs: &[],
        examples: &[Example::provisioning(
            SEARCH,
            Change::Set("Subject=CN%3Dsomebody&amp;amp;Stores=My%5CUser"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-018",
        name: "malformed-certificate-search",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "SSLCLIENTCERTSEARCHCRITERIA is Subject=… and Stores=My%5CUser (or System) with & between, and has no wildcard.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.5",
            "The string is a concatenation of name/value pairs, each member of the pair delimited by the \"&\" character.",
        )],
        consequence: "The device cannot read the search, and its sessions take place without the client certificate.",
        remedy: "Write Subject= and the certificate's subject, then &amp;Stores=My%5CUser.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(criteria) = search(doc) else { return Verdict::Skip };
            let known = |name: &str, value: &str| match name {
                "Subject" => !value.is_empty() && !unescape(value).contains('*'),
                // The letters' case does not count, and both stores occur with either context.
                "Stores" => ["my\\user", "my\\system"].contains(&unescape(value).to_lowercase().as_str()),
                _ => false,
            };
            let fits = criteria
                .value
                .split('&')
                .all(|pair| pair.split_once('=').is_some_and(|(name, value)| known(name, value)));
            Verdict::check(fits, || {
                cx.fail_provisioned(&criteria.spot, "Subject=…&Stores=My%5CUser", criteria.value.clone())
            })
        }),
        needs: &["PROV-W7-001", "PROV-W7-020"],
        examples: &[
            Example::provisioning(SEARCH, Change::Set("Subject=CN%3D*&amp;Stores=My%5CUser")),
            Example::provisioning(SEARCH, Change::Set("CN%3Dsomebody")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-025",
        name: "certificate-search-not-escaped",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "Names and values in SSLCLIENTCERTSEARCHCRITERIA are URI-escaped.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.5",
            "If the name or value contains characters not in the UNRESERVED set, as specified in [RFC2396], then those characters are URI-escaped.",
        )],
        consequence: "The device may read another subject or store than is meant, and find no certificate.",
        remedy: "Write %3D for =, %5C for \\, %20 for a blank; several values go with %EF%80%80 between.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(criteria) = search(doc) else { return Verdict::Skip };
            // A comma stands unescaped in an example of the specification.
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'(),%".contains(c);
            let raw = criteria
                .value
                .split('&')
                .filter_map(|pair| pair.split_once('=').map_or(Some(pair), |(_, value)| Some(value)))
                .flat_map(str::chars)
                .find(|c| !plain(*c));
            raw.map_or(Verdict::Pass, |c| {
                cx.fail_provisioned(&criteria.spot, format!("`{c}` as %XX"), criteria.value.clone())
            })
        }),
        needs: &["PROV-W7-018", "PROV-W7-020"],
        examples: &[Example::provisioning(
            SEARCH,
            Change::Set("Subject=CN=7A5E0D50F0B84C0FA1B0B1F6B3E4C001&amp;Stores=My\\User"),
        )],
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
        consequence: "The device finds no such certificate, and its sessions take place without one.",
        remedy: "Write Subject= and the subject of the certificate, URI-escaped, &amp;Stores=My%5CUser.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let criteria = search(doc);
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
        needs: &["PROV-CS-015", "PROV-W7-018", "PROV-W7-020"],
        examples: &[Example::provisioning(SEARCH, Change::Set("Subject=CN%3Dsomebody&amp;Stores=My%5CUser"))],
        since: "0.1.0",
    },
];

fn auths<'d>(application: &Characteristic<'d>) -> impl Iterator<Item = Characteristic<'d>> + use<'d> {
    application.children_of("APPAUTH").into_iter()
}

fn each_auth(doc: &Provisioning, judge: impl Fn(&Characteristic<'_>) -> Option<super::Evidence>) -> Verdict {
    let Some(application) = doc.application() else { return Verdict::Skip };
    let found: Vec<_> = auths(&application).collect();
    if found.is_empty() {
        return Verdict::Skip;
    }
    Verdict::from_evidence(found.iter().filter_map(judge).take(8).collect())
}

/// Which certificate the management client is to look for.
fn search(doc: &Provisioning) -> Option<Field> {
    doc.application()?.parm("SSLCLIENTCERTSEARCHCRITERIA")
}

/// A name's parts, URI-unescaped, without blanks and letters' case, for comparing.
fn normal_name(text: &str) -> String {
    let text = unescape(text).replace("\\0", "").replace('\0', "");
    text.split(',').map(|part| part.trim().to_lowercase()).collect::<Vec<_>>().join(",")
}

/// %XX become bytes; what is no UTF-8 then becomes U+FFFD.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let value = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
