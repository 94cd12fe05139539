//! Rules on SOAP faults (MS-MDE2 2.2.10, MS-WSTEP 3.1.4.1.3.7).

use super::check::{Check, Verdict};
use super::dmclient::windows_build;
use super::enroll::element;
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::{
    Content, Kind, SoapVersion, Spot, authority_error, fault_hresult, foreign_subcode, names,
};
use crate::xml::Element;

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/Fault/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "FAULT-001",
        name: "fault-not-in-soap-1.2",
        severity: Severity::LETTER,
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
        id: "XFAULT-001",
        name: "fault-beside-something",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "A fault is the only thing in the Body.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5.4",
            "a SOAP message MUST contain a single SOAP Fault element information item as the only child element",
        )],
        consequence: "Strict clients take the message for no fault at all.",
        remedy: "Send the fault alone.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let body = element(cx, &fault.spot).and_then(|f| f.parent());
            let Some(body) = body.filter(|b| b.local().eq_ignore_ascii_case("Body")) else {
                return Verdict::Skip;
            };
            let others = body.children().filter(|e| !e.local().eq_ignore_ascii_case("Fault")).take(8);
            Verdict::from_evidence(
                others.map(|e| cx.evidence(&Spot::tag(&e), "the fault alone", e.local())).collect(),
            )
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(
            Step::Token,
            "Envelope/Body",
            Change::Insert("<Info xmlns=\"urn:other\"/>"),
        )
        .refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-002",
        name: "unknown-fault-code",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Code/Value is Receiver or Sender in the namespace of SOAP 1.2.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5.4.1.1",
            "The type of the Value element information item is env:faultCodeEnum.",
        )],
        consequence: "Strict clients do not know whose fault it is; Windows goes by the subcode.",
        remedy: "Write s:Receiver, or s:Sender when the request is at fault, with these capitals.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            const KNOWN: &[&str] =
                &["VersionMismatch", "MustUnderstand", "DataEncodingUnknown", "Sender", "Receiver"];
            let Some(code) = fault.code.as_ref().filter(|_| !fault.soap11) else { return Verdict::Skip };
            let (prefix, name) = code.value.split_once(':').unwrap_or(("", &code.value));
            let bound = element(cx, &code.spot).and_then(|e| binding(e, prefix));
            let fits = KNOWN.contains(&name) && bound.as_deref() == Some(names::SOAP12);
            Verdict::check(fits, || cx.fail(&code.spot, "s:Receiver or s:Sender", code.value.clone()))
        }),
        needs: &["FAULT-001"],
        examples: &[
            Example::response(Step::Token, at!("Code/Value"), Change::Set("s:receiver")).refused(),
            Example::response(Step::Token, at!("Code/Value"), Change::Set("soap:Receiver")).refused(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XFAULT-004",
        name: "subcode-without-namespace",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The subcode's prefix is declared.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5.4.1.3",
            "The type of the Value element information item is xs:QName",
        )],
        consequence: "Strict clients cannot read the subcode; Windows goes by the word after the colon.",
        remedy: "Use the envelope's prefix, or declare the one that is used.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(code) = &fault.subcode else { return Verdict::Skip };
            let prefix = code.value.split_once(':').map_or("", |(prefix, _)| prefix);
            let bound = element(cx, &code.spot).and_then(|e| binding(e, prefix));
            Verdict::check(bound.is_some(), || {
                cx.fail(&code.spot, "a prefix that is declared", code.value.clone())
            })
        }),
        needs: &["FAULT-001", "FAULT-003"],
        examples: &[Example::response(
            Step::Token,
            at!("Code/Subcode/Value"),
            Change::Set("x:Authorization"),
        )
        .refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-003",
        name: "unknown-subcode",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The fault's subcode is one that enrollment clients know.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "2.2.10",
                "MessageFormat | MENROLL_E_DEVICE_MESSAGE_FORMAT_ERROR | Message format is bad. | 80180001",
            ),
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
                (Some(name), Some(field)) if KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                    let found = format!("{}, in other upper and lower case", field.value);
                    cx.fail(&field.spot, KNOWN.join(", "), found)
                }
                (Some(name), Some(field)) => {
                    let meaning = foreign_subcode(name)
                        .map(|(standard, meaning)| format!(" of {standard}: {meaning}"))
                        .unwrap_or_default();
                    cx.fail(&field.spot, KNOWN.join(", "), format!("{}{meaning}", field.value))
                }
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
        requirement: "DeviceEnrollmentServiceError with ErrorType, Message and TraceId is spelled so, in the enrollment service's namespace.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.10",
            "<deviceenrollmentserviceerror xmlns=\"http://schemas.microsoft.com/windows/pki/2009/01/enrollment\">",
        )],
        consequence: "The device may not find the reason in the detail.",
        remedy: "Copy the spelling here and not the specification's sample, whose letters are all small.",
        hresult: None,
        check: Check::Fault(|fault, cx| match &fault.detail {
            None => Verdict::Skip,
            Some(detail) if fault.detail_namespace != names::WSTEP => {
                cx.fail(detail, names::WSTEP, fault.detail_namespace.clone())
            }
            Some(detail) => Verdict::check(fault.detail_exact_case, || {
                cx.fail(detail, "ErrorType, Message, TraceId", "other upper and lower case")
            }),
        }),
        needs: &["FAULT-001"],
        examples: &[
            Example::response(
                Step::Token,
                at!("Detail/DeviceEnrollmentServiceError/@xmlns"),
                Change::Set("urn:other"),
            )
            .refused(),
            Example::response(
                Step::Token,
                at!("Detail/DeviceEnrollmentServiceError/ErrorType"),
                Change::Rename("errortype"),
            )
            .refused(),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-005",
        name: "unknown-error-type",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "ErrorType is one of the reasons that enrollment clients know.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.10",
            "The detail element can specify any of the following error messages",
        )],
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
        cites: &[Cite::should(
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
        id: "XFAULT-003",
        name: "reason-without-language",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The reason says in which language it is.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5.4.2.1",
            "A mandatory attribute information item with: A [local name] of lang",
        )],
        consequence: "Strict clients refuse the fault as not valid; Windows is not known to mind.",
        remedy: "Add xml:lang=\"en-US\", or the language that the text is in, to Text.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(reason) = fault.reason.as_ref().filter(|_| !fault.soap11) else { return Verdict::Skip };
            let said = fault.language.as_ref().is_some_and(|lang| !lang.is_empty());
            Verdict::check(said, || cx.fail(&reason.spot.missing("@lang"), "xml:lang", "absent"))
        }),
        needs: &["FAULT-001"],
        examples: &[Example::response(Step::Token, at!("Reason/Text/@lang"), Change::Delete).refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-006",
        name: "fault-without-trace-id",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "DeviceEnrollmentServiceError has a TraceId.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.10", "TraceID is a freeform text node which is logged.")],
        consequence: "Nothing in the device's log leads to the right place in the server's.",
        remedy: "Send an id that your own log has, too.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(detail) = &fault.detail else { return Verdict::Skip };
            let given = fault.trace_id.as_ref().is_some_and(|id| !id.is_empty());
            Verdict::check(given, || {
                cx.fail_field(fault.trace_id.as_ref(), (detail, "TraceId"), "an id of the server's log")
            })
        }),
        needs: &["FAULT-001", "FAULT-004"],
        examples: &[Example::response(
            Step::Token,
            at!("Detail/DeviceEnrollmentServiceError/TraceId"),
            Change::Delete,
        )
        .refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-008",
        name: "unusual-fault-action",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A fault with an Action has the answer's own, or one that standards have for faults.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "2.2.10",
                "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/rstrc/wstep",
            ),
            Cite::should(Spec::WsAddressing, "SOAP Binding 6", "http://www.w3.org/2005/08/addressing/fault"),
        ],
        consequence: "Strict clients refuse the fault as another operation's; Windows is not known to look.",
        remedy: "Send the Action of the answer that the fault stands for, or leave the Action out.",
        hresult: None,
        check: Check::Fault(|_, cx| {
            let Some(action) = cx.message.soap.as_ref().and_then(|s| s.action.as_ref()) else {
                return Verdict::Skip;
            };
            let known = FAULT_ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(&action.value));
            let own = action.value.ends_with("WindowsDeviceEnrollmentServiceErrorFault");
            Verdict::check(known || own, || cx.fail(&action.spot, names::ACTION_RSTRC, action.value.clone()))
        }),
        needs: &["FAULT-001"],
        examples: &[
            Example::response(Step::Token, "Envelope/Header/Action", Change::Set("urn:declined")).refused()
        ],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-009",
        name: "reason-does-not-fit-request",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "NotEligibleToRenew answers a renewal, DeviceCapReached and UserLicense answer an enrollment.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.10",
            "NotEligibleToRenew | MENROLL_E_NOTELIGIBLETORENEW | Device is trying to renew but server rejects the request.",
        )],
        consequence: "The user is told a reason that cannot be the true one.",
        remedy: "Choose the word that says why this request was declined.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(kind) = &fault.error_type else { return Verdict::Skip };
            let renews = match &cx.request.content {
                Content::TokenRequest(request) => {
                    Some(request.request_type.as_ref().is_some_and(|t| t.value == names::RENEW))
                }
                _ => None,
            };
            let expected = match kind.value.as_str() {
                "NotEligibleToRenew" if renews != Some(true) => "a word for an enrollment",
                "DeviceCapReached" | "UserLicense" if renews == Some(true) => "a word for a renewal",
                _ => return Verdict::Pass,
            };
            cx.fail(&kind.spot, expected, kind.value.clone())
        }),
        needs: &["FAULT-001"],
        examples: &[Example::response(
            Step::Token,
            at!("Detail/DeviceEnrollmentServiceError/ErrorType"),
            Change::Set("NotEligibleToRenew"),
        )
        .refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-012",
        name: "reason-newer-than-device",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "CustomServerError is sent only to Windows 10 20H2 and newer.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "7 <19>",
            "The CustomServerError is applicable to Windows 10 v20H2 operating system and later",
        )],
        consequence: "The device does not know the word, and shows the subcode's general reason.",
        remedy: "Send one of the other words to older devices.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(kind) = &fault.error_type else { return Verdict::Skip };
            let version = match &cx.request.content {
                Content::TokenRequest(request) => request.item("OSVersion").map(|f| f.value.clone()),
                Content::DiscoverRequest(discover) => {
                    discover.application_version.as_ref().map(|f| f.value.clone())
                }
                _ => cx.earlier.offer.as_ref().map(|o| o.application_version.clone()),
            };
            let Some(build) = version.and_then(|v| windows_build(&v)) else { return Verdict::Skip };
            Verdict::check(kind.value != "CustomServerError" || build >= 19_042, || {
                cx.fail(&kind.spot, "another word", format!("CustomServerError to build {build}"))
            })
        }),
        needs: &["FAULT-001"],
        examples: &[Example::edit(Edit::Several(&[
            change(
                Side::Response,
                at!("Detail/DeviceEnrollmentServiceError/ErrorType"),
                Change::Set("CustomServerError"),
            ),
            change(Side::Request, "…/ContextItem[OSVersion]/Value", Change::Set("10.0.18363.1556")),
        ]))
        .refused()],
        since: "0.1.0",
    },
    Rule {
        id: "FAULT-011",
        name: "enrollment-declined",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The server accepts the request.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.10",
            "The enrollment server can decline enrollment messages using the SOAP Fault format.",
        )],
        consequence: "The enrollment ends here by the server's decision.",
        remedy: "Go by the reason found: change the restriction, the licence, the limit or the credential that it names.",
        hresult: None,
        check: Check::Response(|_, cx| {
            let Content::Fault(fault) = &cx.message.content else {
                let judged = !matches!(cx.message.kind, Kind::Other | Kind::None);
                return if judged { Verdict::Pass } else { Verdict::Skip };
            };
            let reason = fault.reason.as_ref().map(|r| format!(": {}", r.value)).unwrap_or_default();
            let word = fault.word().unwrap_or("a fault");
            let authority = fault.authority.as_ref().and_then(|a| a.code()).map(|code| {
                let name = authority_error(code).map(|(symbol, meaning)| format!("{symbol}, {meaning}: "));
                format!("; the authority says {}0x{code:08X}", name.unwrap_or_default())
            });
            let found = format!("{word}{reason}{}", authority.unwrap_or_default());
            let verdict = cx.fail(&fault.spot, "an answer", found).with_subject(fault_owner(word));
            match fault.hresult() {
                Some(code) => verdict.with_hresult(code),
                None => verdict,
            }
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            Edit::Message {
                step: Step::Discover,
                side: Side::Response,
                part: Part::Body,
                at: "Envelope/Body",
                change: Change::Set(
                    "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>s:EnrollmentServer</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en-US\">no</s:Text></s:Reason></s:Fault>",
                ),
            },
            Edit::Message {
                step: Step::Discover,
                side: Side::Response,
                part: Part::Status,
                at: "",
                change: Change::Set("500"),
            },
        ]))],
        since: "0.1.0",
    },
];

/// What a fault's Action may be, in any case of its letters.
const FAULT_ACTIONS: &[&str] = &[
    names::ACTION_DISCOVER_RESPONSE,
    names::ACTION_GET_POLICIES_RESPONSE,
    names::ACTION_RSTRC,
    "http://www.w3.org/2005/08/addressing/fault",
    "http://www.w3.org/2005/08/addressing/soap/fault",
    "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher/fault",
];

const fn change(side: Side, at: &'static str, change: Change) -> Edit {
    Edit::Message { step: Step::Token, side, part: Part::Body, at, change }
}

/// The namespace that a prefix stands for at this element, as a QName in its text needs it.
fn binding(element: Element<'_>, prefix: &str) -> Option<String> {
    let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
    let mut here = Some(element);
    while let Some(element) = here {
        if let Some(declared) = element.attributes().find(|a| a.name() == name) {
            return Some(declared.value().into_owned()).filter(|uri| !uri.is_empty());
        }
        here = element.parent();
    }
    None
}

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
