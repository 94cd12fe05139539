//! Rules on what a device tells about itself, the context items of RequestSecurityToken (MS-MDE2 3.4.4.1.1.1).

use std::collections::BTreeSet;

use super::check::{Check, Verdict};
use super::dmclient::windows_build;
use super::rule::{Change, Edit, Example, Golden, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::{Credential, hresult_of, known_item};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "RST-012",
        name: "context-item-repeated",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "Only MAC and IMEI occur more than once.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "Multiple MAC addresses are supported if a device has multiple NICs.",
        )],
        consequence: "Servers take one of the values, and not all the same one.",
        remedy: "Send every item but MAC and IMEI once; a real device does not repeat them.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            if m.items.is_empty() {
                return Verdict::Skip;
            }
            let mut seen = BTreeSet::new();
            let repeated = m.items.iter().filter(|item| {
                !seen.insert(item.name.as_str()) && !known_item(&item.name).is_some_and(|known| known.repeats)
            });
            Verdict::from_evidence(
                repeated
                    .take(8)
                    .map(|i| cx.evidence(&i.spot, format!("one {}", i.name), "another one"))
                    .collect(),
            )
        }),
        needs: &["RST-008"],
        examples: &[Example::request(Step::Token, "…/ContextItem[DeviceName]", Change::Duplicate)],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-001",
        name: "context-item-missing",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The context names edition, version, name, type, application version and id of the device, and the enrollment's type.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "The <ac:ContextItem> Name attribute MUST be the literal string \"DeviceID\".",
        )],
        consequence: "Servers that need the item decline, or make a device record without it.",
        remedy: "Send all of them; real devices do, so look at what made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            if m.is_renewal() {
                return Verdict::Skip; // RENEW-005 speaks of it.
            }
            let Some(context) = m.context.as_ref().filter(|_| !m.items.is_empty()) else {
                return Verdict::Skip;
            };
            let missing = BASE_ITEMS.iter().filter(|name| m.item(name).is_none_or(|f| f.value.is_empty()));
            Verdict::from_evidence(
                missing
                    .map(|name| {
                        cx.evidence(&context.missing("ContextItem"), format!("an item {name}"), "absent")
                    })
                    .collect(),
            )
        }),
        needs: &["RST-008", "RST-009"],
        examples: &[Example::request(Step::Token, "…/ContextItem[OSVersion]", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-002",
        name: "malformed-context-value",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The value of a context item has the form that the specification gives it: Full or Device, four numbers, true or false.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "the value MUST be a string (UTF-8) that MUST be Full or Device.",
        )],
        consequence: "Servers that decide by the value may decline or choose the wrong certificate store.",
        remedy: "Real devices send these forms: look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let known = || m.items.iter().filter_map(|i| i.value.as_ref().zip(known_item(&i.name)));
            if known().next().is_none() {
                return Verdict::Skip;
            }
            let wrong = known().filter(|(value, known)| !known.fits(&value.value)).take(8);
            Verdict::from_evidence(
                wrong
                    .map(|(value, known)| cx.evidence(&value.spot, known.form, value.value.clone()))
                    .collect(),
            )
        }),
        needs: &["RST-008"],
        examples: &[Example::request(
            Step::Token,
            "…/ContextItem[EnrollmentType]/Value",
            Change::Set("Lite"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-006",
        name: "malformed-hardware-id",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "HWDevID is 64 hexadecimal digits.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "the value is a 64 hex character length UTF-8 string that specifies the hardware device ID.",
        )],
        consequence: "Servers cannot recognise the device when it enrolls again.",
        remedy: "Real devices send 64 digits: look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| match m.item("HWDevID") {
            None => Verdict::Skip,
            Some(id) => Verdict::check(
                id.value.len() == 64 && id.value.bytes().all(|b| b.is_ascii_hexdigit()),
                || cx.fail(&id.spot, "64 hexadecimal digits", id.value.clone()),
            ),
        }),
        needs: &["RST-008"],
        examples: &[Example::request(Step::Token, "…/ContextItem[HWDevID]/Value", Change::Set("42"))],
        since: "0.1.0",
    },
    Rule {
        id: "RST-013",
        name: "unknown-context-item",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "The context items are ones that this catalogue knows.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "New versions of Windows and other clients send items that no document lists.",
        )],
        consequence: "None: servers ignore what they do not know.",
        remedy: "Nothing is to be done; if a server declines because of it, the server is too strict.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            if m.items.is_empty() {
                return Verdict::Skip;
            }
            let unknown = m.items.iter().filter(|i| !i.name.is_empty() && known_item(&i.name).is_none());
            Verdict::from_evidence(
                unknown.take(8).map(|i| cx.evidence(&i.spot, "a known item", i.name.clone())).collect(),
            )
        }),
        needs: &["RST-008"],
        examples: &[Example::request(
            Step::Token,
            CONTEXT,
            Change::Insert(
                "<ac:ContextItem Name=\"Manufacturer\"><ac:Value>Contoso</ac:Value></ac:ContextItem>",
            ),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-003",
        name: "context-item-newer-than-client",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "An item is sent only with the EnrollmentVersion and by the version of Windows that know it.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "3.4.4.1.1.1.3",
                "This node will only be present with EnrollmentVersion value is 5.0 and higher.",
            ),
            Cite::should(
                Spec::MsMde2,
                "7 <31>",
                "The eight elements are not supported in Windows 10 v1607 and earlier.",
            ),
        ],
        consequence: "None for the enrollment: the request is not what Windows of this version sends.",
        remedy: "Look whether a program made the request, or whether the items name another system than it is.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let version = cx.earlier.answer.as_ref().and_then(|a| major(&a.version));
            let build = m.item("OSVersion").and_then(|f| windows_build(&f.value));
            if version.is_none() && build.is_none() || m.items.is_empty() {
                return Verdict::Skip;
            }
            let known = m.items.iter().filter_map(|i| Some((i, known_item(&i.name)?)));
            let early = known.filter_map(|(item, known)| {
                if let Some(version) = version.filter(|v| *v < known.enrollment_version) {
                    let since = format!("EnrollmentVersion {}.0", known.enrollment_version);
                    return Some((item, since, format!("EnrollmentVersion {version}")));
                }
                let build = build.filter(|b| *b < known.build)?;
                Some((item, format!("Windows build {}", known.build), format!("build {build}")))
            });
            Verdict::from_evidence(
                early
                    .take(8)
                    .map(|(item, since, found)| {
                        cx.evidence(&item.spot, format!("{} from {since} on", item.name), found)
                    })
                    .collect(),
            )
        }),
        needs: &["RST-008"],
        examples: &[
            Example::request(Step::Token, "…/ContextItem[OSVersion]/Value", Change::Set("10.0.10586.0")),
            Example::response(Step::Discover, "…/EnrollmentVersion", Change::Set("4.0"))
                .on(Golden::Attestation),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-004",
        name: "attested-in-two-ways",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "AzureAttestationBlob comes without the AIK items, which it replaces.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.4.4.1.1.1.1",
            "If this tag is present, the AIKAttestationClaim, AIKPub, AIKCert, AadAIKAttestationClaim, and AADPub fields will not be present.",
        )],
        consequence: "Servers check one of the two attestations, and not all the same one.",
        remedy: "Windows sends one of them: look at the tool that made this request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let blob = m.items.iter().find(|i| i.name == "AzureAttestationBlob");
            let other = AIK_ITEMS.iter().find(|name| m.item(name).is_some());
            match (blob, other) {
                (None, None) => Verdict::Skip,
                (Some(blob), Some(other)) => {
                    cx.fail(&blob.spot, format!("no {other} beside it"), (*other).to_owned())
                }
                _ => Verdict::Pass,
            }
        }),
        needs: &["RST-008"],
        examples: &[Example::request(Step::Token, CONTEXT, Change::Insert(BLOB))
            .on(Golden::Attestation)
            .also(&["CTX-010"])],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-010",
        name: "azure-attestation-unasked",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "Azure attestation is sent only if the policy asked for it.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.4.4.1.1.1.1",
            "the Azure Attestation fields were supplied in the earlier message",
        )],
        consequence: "The token was made without the server's nonce: servers that check it decline.",
        remedy: "Look whether the policy came from another server than the one that is asked now.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let Some(policy) = cx.earlier.policy.as_ref().filter(|_| !m.items.is_empty()) else {
                return Verdict::Skip;
            };
            let names = ["AzureAttestationBlob", "AzureAttestationCorrelationVector"];
            let sent = m.items.iter().find(|i| names.contains(&i.name.as_str()));
            match sent {
                Some(item) if !policy.azure_attestation => {
                    cx.fail(&item.spot, "a policy with azureAttestation", "one without")
                }
                _ => Verdict::Pass,
            }
        }),
        needs: &["RST-008"],
        examples: &[Example::edit(Edit::Several(&[
            without("AIKAttestationClaim"),
            without("AIKPub"),
            without("AIKCert"),
            without("AadAIKAttestationClaim"),
            without("AADPub"),
            change(CONTEXT, Change::Insert(BLOB)),
        ]))
        .on(Golden::Attestation)],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-011",
        name: "attestation-incomplete",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "AIKPub, AIKCert and the directory's key come with an AIKAttestationClaim, and AADPub with its claim.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.4.4.1.1.1.3",
            "This node will only be present if claim creation succeeds",
        )],
        consequence: "The server cannot check the attestation; it may decline, or enroll the device as not attested.",
        remedy: "Look at the device's TPM and its attestation key.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let has = |name: &str| m.item(name).is_some();
            let pairs = [
                ("AIKPub", "AIKAttestationClaim"),
                ("AIKCert", "AIKAttestationClaim"),
                ("AadAIKAttestationClaim", "AIKAttestationClaim"),
                ("AADPub", "AIKAttestationClaim"),
                ("AADPub", "AadAIKAttestationClaim"),
                ("AadAIKAttestationClaim", "AADPub"),
            ];
            if !AIK_ITEMS.iter().any(|name| has(name)) {
                return Verdict::Skip;
            }
            let alone = pairs.iter().find(|(one, other)| has(one) && !has(other));
            alone.map_or(Verdict::Pass, |(one, other)| {
                let spot = m.item(one).map_or(&m.spot, |f| &f.spot);
                cx.fail(spot, format!("{one} with {other}"), format!("no {other}"))
            })
        }),
        needs: &["RST-008"],
        examples: &[
            Example::edit(without("AIKAttestationClaim")).on(Golden::Attestation),
            Example::edit(without("AadAIKAttestationClaim")).on(Golden::Attestation),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-009",
        name: "federated-item-in-other-request",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "Items of federated enrollments come with a security token, not with a password or a certificate.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.4.4.1.1.1.1",
            "RequestSecurityToken using Federated Authentication",
        )],
        consequence: "None for the enrollment: the request is not what Windows sends with this credential.",
        remedy: "Look whether a program made the request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let credential = cx.message.soap.as_ref().map(|soap| &soap.credential);
            let other = matches!(credential, Some(Credential::UsernameToken(_) | Credential::Certificate(_)));
            if !other || m.items.is_empty() {
                return Verdict::Skip;
            }
            let federated =
                m.items.iter().filter(|i| known_item(&i.name).is_some_and(|known| known.federated));
            Verdict::from_evidence(
                federated
                    .take(8)
                    .map(|i| cx.evidence(&i.spot, "a federated request", i.name.clone()))
                    .collect(),
            )
        }),
        needs: &["RST-008"],
        examples: &[Example::request(
            Step::Token,
            CONTEXT,
            Change::Insert("<ac:ContextItem Name=\"WhiteGlove\"><ac:Value>false</ac:Value></ac:ContextItem>"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-012",
        name: "malformed-attestation-status",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "AttestationStatus reads Status=…;AttestationErrorMsg=….",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.4.4.1.1.1.1",
            "The string will be in the form “Status=AttestationStatus;AttestationErrorMsg=ErrorMessageFromStack”.",
        )],
        consequence: "Servers that take it apart learn nothing about the attestation.",
        remedy: "Look at what made the request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let Some(status) = m.item("AttestationStatus") else { return Verdict::Skip };
            Verdict::check(attestation_status(&status.value).is_some(), || {
                cx.fail(&status.spot, "Status=…;AttestationErrorMsg=…", status.value.clone())
            })
        }),
        needs: &["RST-008"],
        examples: &[Example::request(
            Step::Token,
            "…/ContextItem[AttestationStatus]/Value",
            Change::Set("AttestationResultSucceeded"),
        )
        .on(Golden::Attestation)],
        since: "0.1.0",
    },
    Rule {
        id: "CTX-005",
        name: "attestation-failed",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "The device attested its key, or was not asked to.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.4.4.1.1.1.1",
            "a string describing the attestation status of the feature, along with any error messages provided from the stack",
        )],
        consequence: "The device counts as not attested, and a server that insists on it declines.",
        remedy: "Look at the device's TPM, and whether it reaches Microsoft's attestation services.",
        hresult: None,
        check: Check::TokenRequest(|m, cx| {
            let status = m.item("AttestationStatus");
            let code = m.item("AttestationStatusHResult");
            if status.is_none() && code.is_none() {
                return Verdict::Skip;
            }
            let well = |status: &str| ["AttestationResultSucceeded", "NoAttestation"].contains(&status);
            if let Some(status) = status
                && attestation_status(&status.value).is_some_and(|(word, _)| !well(word))
            {
                return cx.fail(&status.spot, "AttestationResultSucceeded", status.value.clone());
            }
            let failed = code.and_then(|c| Some((c, hresult_of(&c.value)?))).filter(|(_, value)| *value != 0);
            failed.map_or(Verdict::Pass, |(field, value)| {
                cx.fail(&field.spot, "0", format!("0x{value:08X}")).with_hresult(value)
            })
        }),
        needs: &["CTX-012"],
        examples: &[
            Example::request(
                Step::Token,
                "…/ContextItem[AttestationStatus]/Value",
                Change::Set("Status=AttestationResultFailedNoAikCert;AttestationErrorMsg=no certificate"),
            )
            .on(Golden::Attestation),
            Example::request(
                Step::Token,
                "…/ContextItem[AttestationStatusHResult]/Value",
                Change::Set("0x80280095"),
            )
            .on(Golden::Attestation),
        ],
        since: "0.1.0",
    },
];

const BASE_ITEMS: &[&str] = &[
    "OSEdition",
    "OSVersion",
    "DeviceName",
    "EnrollmentType",
    "DeviceType",
    "ApplicationVersion",
    "DeviceID",
];

/// What Azure attestation replaces (MS-MDE2 3.4.4.1.1.1.1).
const AIK_ITEMS: &[&str] = &["AIKAttestationClaim", "AIKPub", "AIKCert", "AadAIKAttestationClaim", "AADPub"];

const CONTEXT: &str = "Envelope/Body/RequestSecurityToken/AdditionalContext";
const BLOB: &str =
    "<ac:ContextItem Name=\"AzureAttestationBlob\"><ac:Value>QUJDREVG</ac:Value></ac:ContextItem>";

const fn change(at: &'static str, change: Change) -> Edit {
    Edit::Message { step: Step::Token, side: Side::Request, part: Part::Body, at, change }
}

/// The request of the golden Attestation without one item.
const fn without(name: &'static str) -> Edit {
    let at = match name.as_bytes() {
        b"AIKAttestationClaim" => "…/ContextItem[AIKAttestationClaim]",
        b"AIKPub" => "…/ContextItem[AIKPub]",
        b"AIKCert" => "…/ContextItem[AIKCert]",
        b"AadAIKAttestationClaim" => "…/ContextItem[AadAIKAttestationClaim]",
        _ => "…/ContextItem[AADPub]",
    };
    change(at, Change::Delete)
}

/// The number before the dot.
fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

/// Status and message.
fn attestation_status(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("Status=")?.split_once(";AttestationErrorMsg=")
}
