//! Rules on the management client's own settings in the provisioning document, DMClient (MS-MDE2 2.2.9.3).

use super::check::{Check, Verdict};
use super::polling::provisioned;
use super::provisioning::whole;
use super::rule::{Change, Edit, Example, Golden, Rule, Severity, Step, Subject};
use super::soap::is_https_url;
use super::spec::{Cite, Spec};
use crate::message::{Characteristic, Content};

macro_rules! provider {
    ($name:literal) => {
        concat!(
            "wap-provisioningdoc/characteristic[DMClient]/characteristic[Provider]/characteristic[1]/",
            $name
        )
    };
}
const PROVIDER: &str =
    "wap-provisioningdoc/characteristic[DMClient]/characteristic[Provider]/characteristic[1]";

pub(super) static RULES: &[Rule] = &[
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
                // The first version had no DMClient: its Registry says how to poll (MS-MDE 3.6).
                (Some(own), None) if doc.top("Registry").next().is_some() && !own.is_empty() => Verdict::Skip,
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
            Example::provisioning(
                "wap-provisioningdoc/characteristic[APPLICATION]/parm[PROVIDER-ID]/@value",
                Change::Set("AnotherServer"),
            ),
            Example::provisioning("wap-provisioningdoc/characteristic[DMClient]", Change::Delete)
                .also(&["PROV-DM-003"]),
        ],
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
        id: "PROV-DM-002",
        name: "provider-id-needs-escaping",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The provider's name has no character that needs escaping in XML or in a URI.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "As a best practice, use text that doesn't require XML/URI escaping.",
        )],
        consequence: "Enrollment works, but every path in a management session must escape the name.",
        remedy: "Use letters and digits only, for devices that enroll from now on.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(node) = doc.providers().first().and_then(Characteristic::type_field) else {
                return Verdict::Skip;
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
            Verdict::check(node.value.chars().all(plain), || {
                cx.fail_provisioned(&node.spot, "letters and digits", node.value.clone())
            })
        }),
        needs: &["PROV-DM-001"],
        examples: &[Example::edit(Edit::Several(&[
            provisioned(
                "wap-provisioningdoc/characteristic[APPLICATION]/parm[PROVIDER-ID]/@value",
                "Contoso MDM",
            ),
            provisioned(provider!("@type"), "Contoso MDM"),
        ]))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-009",
        name: "push-in-document",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "Push is left to the management sessions.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "Not configurable during Wireless Application Protocol (WAP) Provisioning XML",
        )],
        consequence: "The device cannot take it at enrollment: the setting fails or is ignored.",
        remedy: "Set Push/PFN in the first management session.",
        hresult: Some(0x8018_0020),
        check: Check::Provisioning(|doc, cx| {
            let providers = doc.providers();
            let Some(first) = providers.first() else { return Verdict::Skip };
            match first.child("Push") {
                None => Verdict::Pass,
                Some(push) => cx.fail_provisioned(&push.spot(), "no Push", "Push"),
            }
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            PROVIDER,
            Change::Insert("<characteristic type=\"Push\"><parm name=\"PFN\" value=\"x\"/></characteristic>"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-011",
        name: "setting-of-older-documents",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The document has nothing left of the first version: Registry, CRLCheck, SSPHyperlink, EnterpriseAppManagement.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "2.2.9.1",
                "The EnterpriseAppManagement Configuration Service Provider is being deprecated.",
            ),
            Cite::observed(Spec::Field, "", "Windows 10 takes ServerList, which is as old, without a word."),
        ],
        consequence: "The device ignores it, or refuses this part of the document.",
        remedy: "Leave it out; poll schedules go into DMClient.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            if whole(doc).is_none() {
                return Verdict::Skip;
            }
            let nodes = ["Registry", "EnterpriseAppManagement"].map(|kind| doc.top(kind).next());
            let application = doc.application();
            let parms = ["CRLCheck", "SSPHyperlink"]
                .map(|name| application.and_then(|a| a.parm(name)).map(|f| (name.to_owned(), f.spot)));
            let found = nodes.into_iter().flatten().map(|c| (c.kind(), c.spot()));
            let found = found.chain(parms.into_iter().flatten());
            Verdict::from_evidence(
                found.map(|(name, spot)| cx.provisioned(&spot, "nothing of the kind", name)).collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[
            Example::provisioning(
                "wap-provisioningdoc",
                Change::Insert("<characteristic type=\"EnterpriseAppManagement\"/>"),
            ),
            Example::provisioning(
                "wap-provisioningdoc/characteristic[APPLICATION]",
                Change::Insert("<parm name=\"CRLCheck\" value=\"0\"/>"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-012",
        name: "setting-newer-than-device",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The provider's settings are ones that the device's version of Windows has.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "7 <10>",
                "EnableOmaDmKeepAliveMessage is not supported in Windows 10 v1507.",
            ),
            Cite::should(
                Spec::MsMde2,
                "7 <15>",
                "ManagementServerAddressList is not supported in Windows 10 v1511 and earlier.",
            ),
        ],
        consequence: "The device does not know the setting: it is ignored or fails.",
        remedy: "Leave it out for devices before Windows 10 1607, or 1511 for the keep-alive.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Content::TokenRequest(request) = &cx.request.content else { return Verdict::Skip };
            let Some(build) = request.item("OSVersion").and_then(|f| windows_build(&f.value)) else {
                return Verdict::Skip;
            };
            let providers = doc.providers();
            let Some(provider) = providers.first() else { return Verdict::Skip };
            let newer = SINCE.iter().filter(|(_, since)| build < *since);
            let found = newer.filter_map(|(name, since)| Some((provider.parm(name)?, name, since)));
            Verdict::from_evidence(
                found
                    .map(|(field, name, since)| {
                        cx.provisioned(
                            &field.spot,
                            format!("{name} from build {since} on"),
                            build.to_string(),
                        )
                    })
                    .collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::request(
            Step::Token,
            "…/ContextItem[OSVersion]/Value",
            Change::Set("10.0.10240.16384"),
        )
        .on(Golden::DeviceContext)
        .also(&["CTX-003"])],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-017",
        name: "malformed-address-list",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "ManagementServerAddressList is one https URL, or several, each in angle brackets.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "If there is only one, the angle brackets (<>) are not required.",
        )],
        consequence: "The device may find no server at all: with this list set, it uses no other address.",
        remedy: "Write &lt;https://one.example/omadm&gt;&lt;https://two.example/omadm&gt;.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let providers = doc.providers();
            let lists: Vec<_> = ["ManagementServerAddressList", "ManagementServiceAddress"]
                .iter()
                .filter_map(|name| providers.first()?.parm(name))
                .collect();
            if lists.is_empty() {
                return Verdict::Skip;
            }
            let wrong = lists.iter().filter(|list| !is_address_list(&list.value));
            Verdict::from_evidence(
                wrong
                    .map(|list| cx.provisioned(&list.spot, "<https://…><https://…>", list.value.clone()))
                    .collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            provider!("parm[ManagementServerAddressList]/@value"),
            Change::Set("https://one.example/omadm;https://two.example/omadm"),
        )
        .on(Golden::DeviceContext)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-018",
        name: "messages-will-be-signed",
        severity: Severity::INFO,
        subject: Subject::FrontEnd,
        requirement: "The management sessions need no signed messages.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "every SyncML message from the device will carry an additional HTTP header named MDM-Signature",
        )],
        consequence: "Front ends on the way must pass the header MDM-Signature and every byte of the bodies.",
        remedy: "Check that nothing on the way drops the header or rewrites bodies; enrollscope does neither.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let providers = doc.providers();
            let Some(provider) = providers.first() else { return Verdict::Skip };
            match provider.parm("RequireMessageSigning") {
                Some(field) if field.value.eq_ignore_ascii_case("true") => {
                    cx.fail_provisioned(&field.spot, "false or absent", field.value)
                }
                _ => Verdict::Pass,
            }
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            PROVIDER,
            Change::Insert("<parm name=\"RequireMessageSigning\" value=\"true\" datatype=\"boolean\"/>"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-020",
        name: "setting-for-provisioning-packages",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "UpdateManagementServiceAddress is left to provisioning packages.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.9.3", "For provisioning packages only.")],
        consequence: "The device ignores or refuses it at enrollment.",
        remedy: "Use ManagementServerAddressList for several servers.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let clients: Vec<_> = doc.top("DMClient").collect();
            if clients.is_empty() {
                return Verdict::Skip;
            }
            let found = clients.iter().filter_map(|c| c.parm("UpdateManagementServiceAddress"));
            Verdict::from_evidence(
                found.map(|f| cx.provisioned(&f.spot, "no such setting", f.value.clone())).collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            "wap-provisioningdoc/characteristic[DMClient]",
            Change::Insert("<parm name=\"UpdateManagementServiceAddress\" value=\"https://a.example\"/>"),
        )],
        since: "0.1.0",
    },
];

/// The first builds of Windows 10 that know a setting (MS-MDE2, product behaviour of 2.2.9.3).
const SINCE: &[(&str, u32)] = &[
    ("EnableOmaDmKeepAliveMessage", 10_586),
    ("CommercialID", 14_393),
    ("ManagementServerAddressList", 14_393),
];

/// The third number of `10.0.BUILD.REVISION`.
pub(super) fn windows_build(version: &str) -> Option<u32> {
    let mut parts = version.split('.');
    (parts.next()? == "10").then(|| parts.nth(1)?.parse().ok())?
}

/// One https URL, or `<URL><URL>…`.
fn is_address_list(text: &str) -> bool {
    match text.trim().strip_prefix('<').and_then(|t| t.strip_suffix('>')) {
        Some(inner) => inner.split("><").all(|url| is_https_url(url.trim())),
        None => is_https_url(text.trim()) && !text.contains([';', ',', ' ']),
    }
}
