//! Rules on the management account, the w7 APPLICATION of the provisioning document (MS-MDE2 2.2.9.5).

use std::collections::BTreeSet;

use super::check::{Check, Context, Verdict};
use super::provisioning::whole;
use super::rule::{Change, Example, Golden, Rule, Severity, Subject};
use super::soap::is_https_url;
use super::spec::{Cite, Spec};
use crate::message::{Characteristic, Provisioning};

const APPLICATION: &str = "wap-provisioningdoc/characteristic[APPLICATION]";

macro_rules! app {
    ($name:literal) => {
        concat!("wap-provisioningdoc/characteristic[APPLICATION]/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
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
        id: "PROV-W7-004",
        name: "management-address-unusable",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "ADDR is the management server's absolute https URL.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "2.2.9.5",
                "The ADDR parameter is used in the APPADR characteristic to get or set the address of the OMA DM server.",
            ),
            Cite::observed(
                Spec::Sdk,
                "MENROLL_E_PROV_CSP_W7",
                "0x8018001F: the management account's settings failed.",
            ),
        ],
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
        id: "PROV-W7-017",
        name: "session-before-enrollment-ends",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "APPLICATION has no INIT.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.5", "MDM servers that try to use this will fail")],
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
        examples: &[Example::provisioning(APPLICATION, Change::Insert("<parm name=\"INIT\"/>"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-005",
        name: "account-without-name",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "APPLICATION has a NAME.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.5",
            "If no value is specified, the registry location will default to <unnamed>.",
        )],
        consequence: "The account is kept under the name <unnamed>, which tells nobody whose it is.",
        remedy: "Add NAME with a name that people know the server by.",
        hresult: None,
        check: Check::Setup(|doc, cx| {
            let Some(application) = doc.application() else { return Verdict::Skip };
            match application.parm("NAME") {
                Some(name) if !name.is_empty() => Verdict::Pass,
                Some(name) => cx.fail_provisioned(&name.spot, "a name", "empty"),
                None => cx.fail_provisioned(&application.spot().missing("parm"), "NAME", "absent"),
            }
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(app!("parm[NAME]"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-012",
        name: "unknown-encoding",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "DEFAULTENCODING is application/vnd.syncml.dm+xml or application/vnd.syncml.dm+wbxml.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.9.5", "application/vnd.syncml.dm+xml (Default)")],
        consequence: "The device may refuse the account, or talk to the server in an encoding it does not read.",
        remedy: "Write one of the two, in small letters.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| {
            one_of(
                doc,
                cx,
                "DEFAULTENCODING",
                &["application/vnd.syncml.dm+xml", "application/vnd.syncml.dm+wbxml"],
            )
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(app!("parm[DEFAULTENCODING]/@value"), Change::Set("xml"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-013",
        name: "retry-settings-not-numbers",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "CONNRETRYFREQ, INITIALBACKOFFTIME and MAXBACKOFFTIME are numbers, the second not above the third.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.5",
            "This parameter takes a numeric value in string format. The default value is \"16000\".",
        )],
        consequence: "The device falls back to its own retries, or refuses the account.",
        remedy: "Write whole numbers: a count of retries, and two times in milliseconds.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            const NAMES: [&str; 3] = ["CONNRETRYFREQ", "INITIALBACKOFFTIME", "MAXBACKOFFTIME"];
            let Some(application) = doc.application() else { return Verdict::Skip };
            let fields = NAMES.map(|name| application.parm(name));
            if fields.iter().all(Option::is_none) {
                return Verdict::Skip;
            }
            // The defaults of MS-MDE2 2.2.9.5.
            let [_, initial, most] =
                [(0, 3), (1, 16_000), (2, 86_400_000)].map(|(at, default): (usize, u64)| {
                    fields.get(at).and_then(Option::as_ref).map_or(Some(default), |f| f.value.parse().ok())
                });
            let wrong = fields.iter().flatten().filter(|f| f.value.parse::<u64>().is_err());
            let mut evidence: Vec<_> =
                wrong.map(|f| cx.provisioned(&f.spot, "a whole number", f.value.clone())).collect();
            let [_, field, _] = &fields;
            if let (Some(initial), Some(most), Some(field)) = (initial, most, field)
                && initial > most
            {
                evidence.push(cx.provisioned(&field.spot, format!("at most {most}"), initial.to_string()));
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &["PROV-W7-001"],
        examples: &[
            Example::provisioning(app!("parm[CONNRETRYFREQ]/@value"), Change::Set("six")),
            Example::provisioning(app!("parm[INITIALBACKOFFTIME]/@value"), Change::Set("300000")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-014",
        name: "flag-with-a-value",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "BACKCOMPATRETRYDISABLED and USEHWDEVID have no value: that they are there says it.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.9.5", "This parameter does not contain a value.")],
        consequence: "The flag counts as set, also when its value says false.",
        remedy: "Leave out the value; leave out the whole parameter where the flag is meant to be off.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(application) = doc.application() else { return Verdict::Skip };
            let flags = ["BACKCOMPATRETRYDISABLED", "USEHWDEVID"].map(|name| application.parm(name));
            if flags.iter().all(Option::is_none) {
                return Verdict::Skip;
            }
            let valued = flags.iter().flatten().filter(|flag| !flag.is_empty());
            Verdict::from_evidence(
                valued.map(|f| cx.provisioned(&f.spot, "no value", f.value.clone())).collect(),
            )
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(
            app!("parm[BACKCOMPATRETRYDISABLED]/@value"),
            Change::Set("false"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-015",
        name: "unknown-management-protocol",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "PROTOVER is 1.1 or 1.2.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.5",
            "The protocol version set by this node will match the protocol version that the device management client reports",
        )],
        consequence: "The device may refuse the account, or report a version that the server does not know.",
        remedy: "Write 1.2, or leave it out: the device then uses its newest.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| one_of(doc, cx, "PROTOVER", &["1.1", "1.2"])),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(app!("parm[PROTOVER]/@value"), Change::Set("2.0"))
            .on(Golden::DeviceContext)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-016",
        name: "unknown-role",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "ROLE is 32, the enterprise's, or 4294967295, as older documents have it.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "2.2.9.5",
                "The only supported roles are 8 (mobile operator) and 32 (enterprise).",
            ),
            Cite::should(Spec::MsMde, "3.6", "<parm name=\"ROLE\" value=\"4294967295\"/>"),
        ],
        consequence: "The device may refuse the role: an enrollment cannot set the mobile operator's, 8.",
        remedy: "Set ROLE to 32.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| one_of(doc, cx, "ROLE", &["32", "4294967295"])),
        needs: &["PROV-W7-001"],
        examples: &[
            Example::provisioning(app!("parm[ROLE]/@value"), Change::Set("8")).on(Golden::DeviceContext)
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-021",
        name: "unknown-account-parameter",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "APPLICATION has the parameters that the device knows, in capitals.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.5",
            "All parameter names and characteristic types are case sensitive and MUST use all uppercase.",
        )],
        consequence: "The device does not know the parameter: it is ignored, or the account fails.",
        remedy: "Correct the name's spelling, or leave the parameter out.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(application) = doc.application() else { return Verdict::Skip };
            let parts = ["APPADDR", "APPAUTH", "PORT"];
            let below = || {
                let elements = application.0.descendants().filter(|e| e.local() == "characteristic");
                elements.map(Characteristic)
            };
            let foreign = below().map(|c| (c.kind(), c.spot())).filter(|(k, _)| !parts.contains(&k.as_str()));
            let parms = std::iter::once(application).chain(below()).flat_map(|part| part.parms());
            let unknown = parms.filter(|(name, _)| !PARAMETERS.contains(&name.as_str()));
            let found = foreign.chain(unknown.map(|(name, field)| (name, field.spot)));
            Verdict::from_evidence(
                found.take(8).map(|(name, spot)| cx.provisioned(&spot, "a known parameter", name)).collect(),
            )
        }),
        needs: &["PROV-W7-001"],
        examples: &[
            Example::provisioning(APPLICATION, Change::Insert("<parm name=\"COLOUR\" value=\"blue\"/>")),
            Example::provisioning(app!("parm[CONNRETRYFREQ]/@name"), Change::Set("ConnRetryFreq")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-023",
        name: "malformed-port",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A PORT characteristic has a PORTNBR from 1 to 65535.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.5",
            "This parameter takes a numeric value in string format.",
        )],
        consequence: "The device may not find its management server.",
        remedy: "Write PORTNBR as a number, or put the port into ADDR.",
        hresult: Some(0x8018_001F),
        check: Check::Provisioning(|doc, cx| {
            let Some(application) = doc.application() else { return Verdict::Skip };
            let addresses = application.children_of("APPADDR");
            let ports: Vec<_> = addresses.iter().flat_map(|a| a.children_of("PORT")).collect();
            if ports.is_empty() {
                return Verdict::Skip;
            }
            let wrong = ports.iter().filter_map(|port| match port.parm("PORTNBR") {
                None => Some(cx.provisioned(&port.spot().missing("parm"), "PORTNBR", "absent")),
                Some(number) if number.value.parse::<u16>().is_ok_and(|n| n > 0) => None,
                Some(number) => Some(cx.provisioned(&number.spot, "1 to 65535", number.value.clone())),
            });
            Verdict::from_evidence(wrong.take(8).collect())
        }),
        needs: &["PROV-W7-001"],
        examples: &[
            Example::provisioning(
                app!("characteristic[APPADDR]/characteristic[PORT]/parm[PORTNBR]/@value"),
                Change::Set("https"),
            )
            .on(Golden::DeviceContext),
            Example::provisioning(
                app!("characteristic[APPADDR]/characteristic[PORT]/parm[PORTNBR]"),
                Change::Delete,
            )
            .on(Golden::DeviceContext),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-W7-024",
        name: "only-the-first-counts",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "TO-NAPID and ADDRTYPE are given once.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.5",
            "If multiple TO-NAPID parameters are specified, only the first TO-NAPID value will be stored.",
        )],
        consequence: "The device keeps the first value and drops the others without a word.",
        remedy: "Leave the value that is meant.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(application) = doc.application() else { return Verdict::Skip };
            let mut judged = false;
            let mut others = Vec::new();
            for part in std::iter::once(application).chain(application.children_of("APPADDR")) {
                let mut seen = BTreeSet::new();
                for (name, field) in part.parms() {
                    if ["TO-NAPID", "ADDRTYPE"].contains(&name.as_str()) {
                        judged = true;
                        if !seen.insert(name.clone()) {
                            others.push((name, field));
                        }
                    }
                }
            }
            if !judged {
                return Verdict::Skip;
            }
            Verdict::from_evidence(
                others
                    .into_iter()
                    .take(8)
                    .map(|(name, f)| cx.provisioned(&f.spot, format!("one {name}"), f.value))
                    .collect(),
            )
        }),
        needs: &["PROV-W7-001"],
        examples: &[Example::provisioning(
            APPLICATION,
            Change::Insert("<parm name=\"TO-NAPID\" value=\"Other\"/>"),
        )
        .on(Golden::DeviceContext)],
        since: "0.1.0",
    },
];

/// Every parameter of the account and what is inside it (MS-MDE2 2.2.9.5), and three of MS-MDE 3.6.
const PARAMETERS: &[&str] = &[
    "APPID",
    "PROVIDER-ID",
    "NAME",
    "ADDR",
    "ADDRTYPE",
    "PORTNBR",
    "AAUTHDATA",
    "AAUTHLEVEL",
    "AAUTHNAME",
    "AAUTHSECRET",
    "AAUTHTYPE",
    "BACKCOMPATRETRYDISABLED",
    "CONNRETRYFREQ",
    "DEFAULTENCODING",
    "INIT",
    "INITIALBACKOFFTIME",
    "MAXBACKOFFTIME",
    "PROTOVER",
    "ROLE",
    "TO-NAPID",
    "USEHWDEVID",
    "SSLCLIENTCERTSEARCHCRITERIA",
    "CRLCheck",
    "SSPHyperlink",
    "ServerList",
];

/// A parameter of the account has one of these values, if it is there.
fn one_of(doc: &Provisioning, cx: &Context<'_>, name: &str, allowed: &[&str]) -> Verdict {
    let Some(field) = doc.application().and_then(|a| a.parm(name)) else { return Verdict::Skip };
    Verdict::check(allowed.contains(&field.value.as_str()), || {
        cx.fail_provisioned(&field.spot, allowed.join(" or "), field.value.clone())
    })
}
