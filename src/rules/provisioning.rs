//! Rules on the provisioning document as a whole: its form, and what it may hold (MS-MDE2 2.2.9.1).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Rule, Severity, Subject};
use super::spec::{Cite, Spec};
use crate::message::{Characteristic, Field, Provisioning, Spot, value_of};
use crate::xml::{Element, Namespace};

macro_rules! app {
    ($name:literal) => {
        concat!("wap-provisioningdoc/characteristic[APPLICATION]/", $name)
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
        requirement: "The document has characteristic and parm elements only, in no namespace, each with its type or name.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.1",
            "<parm name=\"EncodedCertificate\" value=\"B64EncodedCertInsertedHere\" />",
        )],
        consequence: "The setting is ignored or makes the document fail.",
        remedy: "Correct the element's name; look for a typing mistake.",
        hresult: Some(0x8018_0022),
        check: Check::Provisioning(|doc, cx| {
            let Some(root) = doc.root() else { return Verdict::Skip };
            let named =
                |e: &Element<'_>, name| e.attribute(name).is_some_and(|a| *a.namespace() == Namespace::None);
            // Under a parent in some namespace, the mistake is the parent's.
            let foreign = |e: &Element<'_>| {
                let above = e.parent().map_or("", |p| p.namespace().uri());
                e.namespace().uri() != above || *e.namespace() == Namespace::Undeclared
            };
            let unknown = std::iter::once(root).chain(root.descendants()).filter(|e| {
                let known = match e.local() {
                    "characteristic" => named(e, "type"),
                    "parm" => named(e, "name") && e.attributes().all(|a| *a.namespace() == Namespace::None),
                    _ => e.id() == root.id(),
                };
                !known || foreign(e)
            });
            Verdict::from_evidence(
                unknown
                    .take(8)
                    .map(|e| cx.provisioned(&Spot::tag(&e), "characteristic or parm", e.name()))
                    .collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(app!("parm[CONNRETRYFREQ]"), Change::Rename("param"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-004",
        name: "unknown-datatype",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "A datatype is string, integer or boolean.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.1",
            "<parm name=\"ROBOSupport\" value=\"true\" datatype=\"boolean\"/>",
        )],
        consequence: "The device may not know the datatype: no published document uses another one at enrollment.",
        remedy: "Write string, integer or boolean, in small letters.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            const KNOWN: &[&str] = &["string", "integer", "boolean"];
            let Some(root) = doc.root() else { return Verdict::Skip };
            let kinds: Vec<_> = root
                .descendants()
                .filter(|e| e.local() == "parm")
                .filter_map(|e| Field::attribute(&e, "datatype"))
                .collect();
            if kinds.is_empty() {
                return Verdict::Skip;
            }
            let unknown = kinds.iter().filter(|kind| !KNOWN.contains(&kind.value.as_str())).take(MANY);
            Verdict::from_evidence(
                unknown.map(|k| cx.provisioned(&k.spot, KNOWN.join(", "), k.value.clone())).collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning("…/parm[EntDMID]/@datatype", Change::Set("chr"))],
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
                let Some(kind) = parm.attribute("datatype") else { continue };
                let value = value_of(&parm);
                judged = true;
                if evidence.len() == MANY {
                    break;
                }
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
        id: "PROV-006",
        name: "setting-not-for-enrollment",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The document has only settings that the device takes at enrollment: its certificates, its account, its management client.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "2.2.9.2",
                "The CertificateStore configuration service provider is used to add",
            ),
            Cite::observed(
                Spec::Field,
                "",
                "The device's event 56 names the configuration service provider that failed.",
            ),
        ],
        consequence: "The settings may fail and the enrollment with them; event 56 of the device names the part.",
        remedy: "Send the other settings in the first management session.",
        hresult: Some(0x8018_0022),
        check: Check::Provisioning(|doc, cx| {
            let Some(root) = doc.root().filter(|_| whole(doc).is_some()) else { return Verdict::Skip };
            let other = Characteristic(root)
                .children()
                .filter(|c| !AT_ENROLLMENT.iter().any(|known| known.eq_ignore_ascii_case(&c.kind())));
            Verdict::from_evidence(
                other
                    .take(MANY)
                    .map(|c| cx.provisioned(&c.spot(), "CertificateStore, APPLICATION, DMClient", c.kind()))
                    .collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            "wap-provisioningdoc",
            Change::Insert(
                "<characteristic type=\"WiFi\"><parm name=\"SSID\" value=\"contoso\"/></characteristic>",
            ),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-007",
        name: "root-certificate-by-other-provider",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "Certificates come in CertificateStore, not in RootCATrustedCertificates.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows 11 25H2 refused RootCATrustedCertificates at enrollment with event 56 and 0x83750005.",
        )],
        consequence: "Enrollment may end with event 56 and 0x83750005.",
        remedy: "Put the root into CertificateStore/Root/System, and others in by the management session.",
        hresult: Some(0x8018_0022),
        check: Check::Provisioning(|doc, cx| {
            if whole(doc).is_none() {
                return Verdict::Skip;
            }
            let found = doc.top("RootCATrustedCertificates").next();
            found.map_or(Verdict::Pass, |c| {
                cx.fail_provisioned(&c.spot(), "CertificateStore/Root/System", c.kind())
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            "wap-provisioningdoc",
            Change::Insert("<characteristic type=\"RootCATrustedCertificates\"/>"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-010",
        name: "setting-given-twice",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A setting has one value, also where its characteristic is repeated.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.9.1", "<characteristic type=\"CertificateStore\">")],
        consequence: "The device takes one of the two values, and nobody can tell which.",
        remedy: "Leave out the value that is not meant.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(root) = doc.root() else { return Verdict::Skip };
            Verdict::from_evidence(
                contradictions(root)
                    .into_iter()
                    .take(MANY)
                    .map(|(first, second)| cx.provisioned(&second.spot, first.value, second.value))
                    .collect(),
            )
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            "wap-provisioningdoc/characteristic[DMClient]/characteristic[Provider]",
            Change::Insert(
                "<characteristic type=\"ContosoMDM\"><parm name=\"EntDMID\" value=\"another\"/></characteristic>",
            ),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-CS-012",
        name: "read-only-setting-written",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The document leaves out what a device can only be asked for.",
        cites: &[
            Cite::should(Spec::MsMde2, "2.2.9.2", "Returns the name of the certificate issuer."),
            Cite::should(
                Spec::MsMde2,
                "2.2.9.3",
                "Returns the hardware device ID. Supported operation is Get.",
            ),
        ],
        consequence: "The setting fails, and possibly its whole part of the document.",
        remedy: "Leave it out, and ask for it in a management session.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(root) = doc.root() else { return Verdict::Skip };
            let read_only = |top: &str, name: &str| match top {
                "CertificateStore" | "RootCATrustedCertificates" => GET_ONLY_CERTIFICATE.contains(&name),
                "DMClient" => GET_ONLY_CLIENT.contains(&name),
                _ => false,
            };
            let mut evidence = Vec::new();
            for top in Characteristic(root).children() {
                let kind = top.kind();
                for parm in top.0.descendants().filter(|e| e.local() == "parm") {
                    let Some(name) = Field::attribute(&parm, "name") else { continue };
                    if read_only(&kind, &name.value) && evidence.len() < MANY {
                        evidence.push(cx.provisioned(&name.spot, "no such setting", name.value));
                    }
                }
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &["PROV-003"],
        examples: &[
            Example::provisioning(
                "…/characteristic[My]/characteristic[User]/characteristic[1]",
                Change::Insert("<parm name=\"IssuedTo\" value=\"somebody\"/>"),
            ),
            Example::provisioning(
                "…/characteristic[Renew]",
                Change::Insert("<parm name=\"Status\" value=\"0\" datatype=\"integer\"/>"),
            ),
            Example::provisioning(
                "…/characteristic[DMClient]/characteristic[Provider]/characteristic[1]",
                Change::Insert("<parm name=\"HWDevID\" value=\"42\" datatype=\"string\"/>"),
            ),
        ],
        since: "0.1.0",
    },
];

/// At most so many places of one rule are shown.
const MANY: usize = 8;

/// What enrollment documents of Microsoft's specifications and pages hold at the top; `Registry` and
/// `EnterpriseAppManagement` are those of older ones.
const AT_ENROLLMENT: &[&str] = &[
    "CertificateStore",
    "APPLICATION",
    "DMClient",
    "RootCATrustedCertificates",
    "Registry",
    "EnterpriseAppManagement",
    "EnterpriseModernAppManagement",
    "ClientCertificateInstall",
    "PassportForWork",
    "Policy",
];

/// Settings of certificates and their renewal with the operation Get only (MS-MDE2 2.2.9.2, 2.2.9.4).
const GET_ONLY_CERTIFICATE: &[&str] = &[
    "IssuedBy",
    "IssuedTo",
    "ValidFrom",
    "ValidTo",
    "TemplateName",
    "Status",
    "ErrorCode",
    "CertThumbprint",
    "RespondentServerUrl",
];

/// The same of the management client (MS-MDE2 2.2.9.3).
const GET_ONLY_CLIENT: &[&str] = &[
    "ExchangeID",
    "PublisherDeviceID",
    "SignedEntDMID",
    "CertRenewTimeStamp",
    "MaxSyncApplicationVersion",
    "AADDeviceID",
    "EnrollmentType",
    "HWDevID",
];

/// The root's place, when the document is a whole one and not a renewal's fragment.
pub(super) fn whole(doc: &Provisioning) -> Option<Spot> {
    doc.root().filter(|r| r.local() != "characteristic").map(|r| Spot::tag(&r))
}

/// Pairs of different values for one setting. Characteristics of one path are one, however often they are opened;
/// the accounts and their credentials are told apart by what they are for.
fn contradictions(root: Element<'_>) -> Vec<(Field, Field)> {
    let mut nodes: BTreeMap<(usize, String), usize> = BTreeMap::new();
    let mut values: BTreeMap<(usize, String), Field> = BTreeMap::new();
    let mut found = Vec::new();
    let mut open = VecDeque::from([(0, Characteristic(root))]);
    while let Some((node, characteristic)) = open.pop_front() {
        for (name, value) in characteristic.parms() {
            // Only the first of these counts, which is another rule's affair.
            if ["TO-NAPID", "ADDRTYPE"].contains(&name.as_str()) {
                continue;
            }
            match values.entry((node, name)) {
                Entry::Vacant(entry) => drop(entry.insert(value)),
                Entry::Occupied(first) if first.get().value == value.value => {}
                Entry::Occupied(first) => found.push((first.get().clone(), value)),
            }
        }
        for child in characteristic.children() {
            let told_by = match child.kind().as_str() {
                "APPAUTH" => child.parm("AAUTHLEVEL"),
                "APPLICATION" => child.parm("PROVIDER-ID"),
                _ => None,
            };
            let key = format!("{} {}", child.kind(), told_by.map(|f| f.value).unwrap_or_default());
            let next = nodes.len() + 1;
            open.push_back((*nodes.entry((node, key)).or_insert(next), child));
        }
    }
    found
}
