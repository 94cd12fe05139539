//! Rules on SOAP faults (MS-MDE2 2.2.10).

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::message::{Kind, SoapVersion, fault_hresult, names};

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/Fault/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "FAULT-001",
        name: "fault-not-in-soap-1.2",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "A fault uses SOAP 1.2's elements, spelled exactly so.",
        cites: &[
            Cite::must(Spec::Soap12, "5.4", "A mandatory Code element information item"),
            Cite::observed(
                Spec::Field,
                "",
                "Faults that real devices understand are spelled in mixed case; the samples in small letters are not understood.",
            ),
        ],
        consequence: "The device does not find the reason, and shows the HTTP status instead of the right code.",
        remedy: "Write s:Fault, s:Code, s:Value, s:Subcode, s:Reason, s:Text, s:Detail in the SOAP 1.2 namespace.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let soap = cx.message.soap.as_ref();
            let twelve = soap.is_none_or(|s| s.version == SoapVersion::Soap12);
            let exact = fault.exact_case && soap.is_none_or(|s| s.exact_case) && !fault.soap11;
            Verdict::check(twelve && exact, || {
                let found = match (fault.soap11, twelve) {
                    (true, _) => "faultcode and faultstring of SOAP 1.1",
                    (false, false) => "another envelope namespace",
                    (false, true) => "other upper and lower case",
                };
                cx.fail(&fault.spot, "the elements of SOAP 1.2", found)
            })
        }),
        needs: &["SOAP-001"],
        examples: &[
            Example::response(Step::Token, at!("Code"), Change::Rename("code")).refused(),
            Example::response(Step::Token, at!("Reason"), Change::Rename("reason")).refused(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-003",
        name: "unknown-subcode",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The fault's subcode is one that enrollment clients know.",
        cites: &[
            Cite::must(Spec::MsMde2, "2.2.10", "MENROLL_E_DEVICE_MESSAGE_FORMAT_ERROR"),
            Cite::observed(
                Spec::Field,
                "",
                "For an unknown subcode the device shows 0x8019 and the HTTP status.",
            ),
        ],
        consequence: "Without a known ErrorType in the detail, the user sees a general HTTP error instead of the reason.",
        remedy: "Use MessageFormat, Authentication, Authorization, CertificateRequest, EnrollmentServer, InternalServiceFault or InvalidSecurity.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            const KNOWN: &[&str] = &[
                "MessageFormat",
                "Authentication",
                "Authorization",
                "CertificateRequest",
                "EnrollmentServer",
                "InternalServiceFault",
                "InvalidSecurity",
            ];
            match (fault.subcode_name(), &fault.subcode) {
                (Some(name), _) if KNOWN.contains(&name) => Verdict::Pass,
                (_, field) => cx.fail_field(field.as_ref(), (&fault.spot, "Subcode"), KNOWN.join(", ")),
            }
        }),
        needs: &["FAULT-001"],
        examples: &[
            Example::response(Step::Token, at!("Code/Subcode/Value"), Change::Set("s:Quota")).refused()
        ],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-004",
        name: "fault-detail-in-other-namespace",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "DeviceEnrollmentServiceError is in the enrollment service's namespace.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.10",
            "http://schemas.microsoft.com/windows/pki/2009/01/enrollment",
        )],
        consequence: "The device may not find the reason in the detail.",
        remedy: "Write xmlns=\"http://schemas.microsoft.com/windows/pki/2009/01/enrollment\".",
        hresult: None,
        check: Check::Fault(|fault, cx| match &fault.detail {
            None => Verdict::Skip,
            Some(detail) => Verdict::check(fault.detail_namespace == names::WSTEP, || {
                cx.fail(detail, names::WSTEP, fault.detail_namespace.clone())
            }),
        }),
        needs: &["FAULT-001"],
        examples: &[Example::response(
            Step::Token,
            at!("Detail/DeviceEnrollmentServiceError/@xmlns"),
            Change::Set("urn:other"),
        )
        .refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-005",
        name: "unknown-error-type",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "ErrorType is one of the reasons that enrollment clients know.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.10", "DeviceCapReached")],
        consequence: "The user sees the subcode's general reason instead.",
        remedy: "Use a word of the table, in its exact spelling: DeviceCapReached, UserLicense, and so on.",
        hresult: None,
        check: Check::Fault(|fault, cx| match &fault.error_type {
            None => Verdict::Skip,
            Some(kind) => Verdict::check(fault_hresult(&kind.value).is_some(), || {
                cx.fail(&kind.spot, "DeviceCapReached, UserLicense, …", kind.value.clone())
            }),
        }),
        needs: &["FAULT-001"],
        examples: &[Example::response(
            Step::Token,
            at!("Detail/DeviceEnrollmentServiceError/ErrorType"),
            Change::Set("devicecapreached"),
        )
        .refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-007",
        name: "fault-without-reason",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A fault says its reason in words.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5.4.2",
            "The Reason element information item is intended to provide a human-readable explanation of the fault.",
        )],
        consequence: "The device's log says nothing that helps.",
        remedy: "Write the reason into Reason/Text with xml:lang.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            if fault.reason.as_ref().is_some_and(|f| !f.is_empty()) {
                return Verdict::Pass;
            }
            cx.fail_field(fault.reason.as_ref(), (&fault.spot, "Reason"), "a sentence")
        }),
        needs: &["FAULT-001"],
        examples: &[Example::response(Step::Token, at!("Reason/Text"), Change::Set("")).refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-011",
        name: "enrollment-declined",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The server accepts the request.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.10", "decline enrollment messages")],
        consequence: "The enrollment ends here by the server's decision.",
        remedy: "Go by the reason found: change the restriction, the licence, the limit or the credential that it names.",
        hresult: None,
        check: Check::Response(|_, cx| {
            let crate::message::Content::Fault(fault) = &cx.message.content else {
                let judged = !matches!(cx.message.kind, Kind::Other | Kind::None);
                return if judged { Verdict::Pass } else { Verdict::Skip };
            };
            let reason = fault.reason.as_ref().map(|r| format!(": {}", r.value)).unwrap_or_default();
            let word = fault.word().unwrap_or("a fault");
            let found = format!("{word}{reason}");
            let verdict = cx.fail(&fault.spot, "an answer", found).with_subject(fault_owner(word));
            match fault.hresult() {
                Some(code) => verdict.with_hresult(code),
                None => verdict,
            }
        }),
        needs: &[],
        examples: &[Example::response(
            Step::Discover,
            "Envelope/Body",
            Change::Set(
                "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>s:EnrollmentServer</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en-US\">no</s:Text></s:Reason></s:Fault>",
            ),
        )],
        since: "0.1.0",
    },
];

/// Who has to act on a fault (MS-MDE2 2.2.10: what each word means).
pub fn fault_owner(word: &str) -> Subject {
    match word {
        "Authentication" | "Authorization" | "DeviceCapReached" | "UserLicense" | "InvalidSecurity" => {
            Subject::Identity
        }
        "DeviceNotSupported" | "NotEligibleToRenew" | "MessageFormat" => Subject::Device,
        _ => Subject::Server,
    }
}
