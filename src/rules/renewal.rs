//! Rules on the renewal settings in the provisioning document (MS-MDE2 2.2.9.2).

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Golden, Rule, Severity, Subject};
use super::soap::is_https_url;
use super::spec::{Cite, Spec};
use crate::message::Spot;

macro_rules! my {
    ($name:literal) => {
        concat!("wap-provisioningdoc/characteristic[CertificateStore]/characteristic[My]/", $name)
    };
}

macro_rules! renew {
    ($name:literal) => {
        concat!("…/characteristic[WSTEP]/characteristic[Renew]/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "PROV-RN-001",
        name: "no-renewal-settings",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The document says when the certificate is renewed: WSTEP/Renew with ROBOSupport, RenewPeriod and RetryInterval.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.9.2", "My/WSTEP/Renew/RenewalPeriod: Optional.")],
        consequence: "The device uses its defaults: 42 days before the end, every 7 days.",
        remedy: "Add CertificateStore/My/WSTEP/Renew.",
        hresult: None,
        check: Check::Setup(|doc, cx| {
            if doc.client_certificate().is_none() {
                return Verdict::Skip;
            }
            let Some(root) = doc.root() else { return Verdict::Skip };
            Verdict::check(doc.renew().is_some(), || {
                cx.fail_provisioned(
                    &Spot::tag(&root).missing("characteristic"),
                    "CertificateStore/My/WSTEP/Renew",
                    "absent",
                )
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(my!("characteristic[WSTEP]"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-RN-003",
        name: "renewal-days-out-of-range",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "RenewPeriod and RetryInterval are 1 to 1000 days, RetryInterval not above RenewPeriod.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.2",
            "The default value is 7 and the valid values are 1 – 1000 AND =< RenewalPeriod, otherwise it will result in error",
        )],
        consequence: "The settings fail, and with them the enrollment or the renewal.",
        remedy: "Use 40 to 60 days for RenewPeriod, 4 or 5 for RetryInterval.",
        hresult: Some(0x8018_001E),
        check: Check::Setup(|doc, cx| {
            let Some(renew) = doc.renew() else { return Verdict::Skip };
            let period = renew.parm("RenewPeriod").or_else(|| renew.parm("RenewalPeriod"));
            let retry = renew.parm("RetryInterval");
            let days = period.as_ref().map_or(Some(42), |f| f.value.parse::<u32>().ok());
            let mut evidence = Vec::new();
            if let Some(field) = period.as_ref().filter(|_| !days.is_some_and(|d| (1..=1000).contains(&d))) {
                evidence.push(cx.provisioned(&field.spot, "1 to 1000", field.value.clone()));
            } else if let Some(field) = &retry {
                let limit = days.unwrap_or(1000);
                if !field.value.parse::<u32>().is_ok_and(|d| 1 <= d && d <= limit) {
                    evidence.push(cx.provisioned(&field.spot, format!("1 to {limit}"), field.value.clone()));
                }
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &["PROV-003"],
        examples: &[
            Example::provisioning(
                my!("characteristic[WSTEP]/characteristic[Renew]/parm[RenewPeriod]/@value"),
                Change::Set("0"),
            ),
            Example::provisioning(
                my!("characteristic[WSTEP]/characteristic[Renew]/parm[RetryInterval]/@value"),
                Change::Set("90"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-RN-005",
        name: "renewal-before-issue",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "RenewPeriod is shorter than the issued certificate's life.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "With 365 days for a certificate of 365 days, devices renew at once, again and again.",
        )],
        consequence: "Every device renews as soon as it is enrolled.",
        remedy: "Lower RenewPeriod, or issue certificates that live longer.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let period = doc.renew().and_then(|r| r.parm("RenewPeriod").or_else(|| r.parm("RenewalPeriod")));
            let life = doc.client_certificate().and_then(|c| c.certificate.as_ref()?.days());
            let (Some(period), Some(life)) = (period, life) else { return Verdict::Skip };
            let Ok(days) = period.value.parse::<i64>() else { return Verdict::Skip };
            Verdict::check(days < life, || {
                cx.fail_provisioned(&period.spot, format!("fewer than {life} days"), period.value.clone())
            })
        }),
        needs: &["PROV-RN-003"],
        examples: &[Example::provisioning(
            my!("characteristic[WSTEP]/characteristic[Renew]/parm[RenewPeriod]/@value"),
            Change::Set("999"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-RN-002",
        name: "renewal-setting-without-datatype",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "ROBOSupport has the datatype boolean, RenewPeriod and RetryInterval have the datatype integer.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.1",
            "If the datatype for ROBOSupport, RenewPeriod, and RetryInterval tags exist, they must be set explicitly.",
        )],
        consequence: "The device may take the value for a text and refuse the setting.",
        remedy: "Write datatype=\"boolean\" and datatype=\"integer\" as in the published documents.",
        hresult: Some(0x8018_001E),
        check: Check::Provisioning(|doc, cx| {
            const KINDS: [(&str, &str); 4] = [
                ("ROBOSupport", "boolean"),
                ("RenewPeriod", "integer"),
                ("RenewalPeriod", "integer"),
                ("RetryInterval", "integer"),
            ];
            let Some(renew) = doc.renew() else { return Verdict::Skip };
            let given = KINDS.iter().filter_map(|(name, kind)| Some((*name, *kind, renew.parm(name)?)));
            let wrong = given.filter_map(|(name, kind, value)| match renew.datatype(name) {
                Some(found) if found.value == kind => None,
                Some(found) => Some(cx.provisioned(&found.spot, kind, found.value.clone())),
                None => Some(cx.provisioned(&value.spot, format!("datatype {kind}"), "no datatype")),
            });
            Verdict::from_evidence(wrong.collect())
        }),
        needs: &["PROV-003", "PROV-004"],
        examples: &[
            Example::provisioning(renew!("parm[RetryInterval]/@datatype"), Change::Delete),
            Example::provisioning(renew!("parm[RenewPeriod]/@datatype"), Change::Set("string")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-RN-006",
        name: "automatic-renewal-switched-off",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "ROBOSupport is true.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "7 <3>",
            "This value is ignored and always considered to be true.",
        )],
        consequence: "Windows 10 and 11 renew by themselves all the same.",
        remedy: "Set it to true, and have a renewal service: the device will come.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(field) = doc.renew().and_then(|r| r.parm("ROBOSupport")) else { return Verdict::Skip };
            let off = ["false", "0"].contains(&field.value.to_ascii_lowercase().as_str());
            Verdict::check(!off, || cx.fail_provisioned(&field.spot, "true", field.value.clone()))
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(renew!("parm[ROBOSupport]/@value"), Change::Set("false"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-RN-007",
        name: "renewal-address-unusable",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "Renew/ServerURL, if it is there, is an absolute https URL.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.2",
            "If this node does not exist, the client uses the initial discovery URL from enrollment.",
        )],
        consequence: "Months later the device cannot renew its certificate, and is lost for management.",
        remedy: "Give the address with https://, or leave ServerURL out.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some(url) = doc.renew().and_then(|r| r.parm("ServerURL")) else { return Verdict::Skip };
            Verdict::check(is_https_url(&url.value), || {
                cx.fail_provisioned(&url.spot, "https://HOST/PATH", url.value.clone())
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(
            renew!("parm[ServerURL]/@value"),
            Change::Set("http://mdm.contoso.example/EnrollmentServer/Discovery.svc"),
        )
        .on(Golden::DeviceContext)],
        since: "0.1.0",
    },
];
