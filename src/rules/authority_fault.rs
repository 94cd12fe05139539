//! Rules on what a fault says in its Detail about the authority behind the server (MS-WSTEP 3.1.4.1.3.7).

use super::check::{Check, Verdict};
use super::enroll::element;
use super::rule::{Change, Example, Golden, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::message::{authority_error, is_denial};

macro_rules! authority {
    ($name:literal) => {
        concat!("Envelope/Body/Fault/Detail/CertificateEnrollmentWSDetail/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "XFAULT-005",
        name: "empty-fault-detail",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A Detail says something, or is left out.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.1.2.1",
            "If there is no additional information, the wstep:CertificateEnrollmentWSDetail SHOULD be omitted",
        )],
        consequence: "None: the device goes by the subcode.",
        remedy: "Leave the Detail out.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(detail) = &fault.any_detail else { return Verdict::Skip };
            let empty_authority = fault
                .authority
                .as_ref()
                .is_some_and(|a| a.parts.is_empty() && element(cx, &a.spot).is_some_and(|e| !e.is_nil()));
            Verdict::check(!fault.detail_is_empty && !empty_authority, || {
                cx.fail(detail, "something, or no Detail", "empty")
            })
        }),
        needs: &["FAULT-001"],
        examples: &[Example::response(Step::Token, "Envelope/Body/Fault/Detail", Change::Set("")).refused()],
        since: "0.1.0",
    },
    Rule {
        id: "XFAULT-006",
        name: "malformed-authority-detail",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "CertificateEnrollmentWSDetail has BinaryResponse, ErrorCode, InvalidRequest and RequestID in this order, ErrorCode as a signed decimal number.",
        cites: &[Cite::must(
            Spec::MsWstep,
            "3.1.4.1.3.7",
            "<xs:element minOccurs=\"0\" maxOccurs=\"1\" name=\"ErrorCode\" nillable=\"true\" type=\"xs:int\" />",
        )],
        consequence: "Strict clients cannot read why the authority declined.",
        remedy: "Write the HRESULT as a signed decimal: 0x80094012 is -2146877422.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(authority) = &fault.authority else { return Verdict::Skip };
            let places: Vec<_> =
                authority.parts.iter().map(|p| AUTHORITY_PARTS.iter().position(|known| known == p)).collect();
            if !places.is_sorted_by(|one, other| one.is_some() && one < other) || places.contains(&None) {
                return cx.fail(&authority.spot, AUTHORITY_PARTS.join(", "), authority.parts.join(", "));
            }
            let given = |field: &'static str| match field {
                "ErrorCode" => authority.error_code.as_ref(),
                _ => authority.invalid_request.as_ref(),
            };
            let code = given("ErrorCode").filter(|f| !f.nil && f.value.parse::<i32>().is_err());
            let flag = given("InvalidRequest")
                .filter(|f| !f.nil && !["true", "false", "1", "0"].contains(&f.value.as_str()));
            match (code, flag) {
                (Some(code), _) => cx.fail(&code.spot, "a signed decimal number", code.value.clone()),
                (None, Some(flag)) => cx.fail(&flag.spot, "true or false", flag.value.clone()),
                (None, None) => Verdict::Pass,
            }
        }),
        needs: &["FAULT-001", "XFAULT-005"],
        examples: &[
            Example::response(Step::Token, authority!("ErrorCode"), Change::Set("0x80094012"))
                .on(Golden::Denied),
            Example::response(Step::Token, authority!("InvalidRequest"), Change::MoveBefore("ErrorCode"))
                .on(Golden::Denied),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XFAULT-007",
        name: "authority-detail-incomplete",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "What CertificateEnrollmentWSDetail does not know is nil, not left out.",
        cites: &[Cite::must(
            Spec::MsWstep,
            "3.1.4.1.3.7",
            "If there is no response to provide, the wstep:BinaryResponse element MUST be nil.",
        )],
        consequence: "Strict clients refuse the detail.",
        remedy: "Write the missing element with xsi:nil=\"true\".",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(authority) = &fault.authority else { return Verdict::Skip };
            let missing: Vec<_> = AUTHORITY_PARTS
                .iter()
                .filter(|name| **name != "InvalidRequest" && !authority.parts.iter().any(|p| p == *name))
                .collect();
            Verdict::from_evidence(
                missing
                    .iter()
                    .map(|name| cx.evidence(&authority.spot.missing(name), "nil", "absent"))
                    .collect(),
            )
        }),
        needs: &["FAULT-001", "XFAULT-005"],
        examples: &[
            Example::response(Step::Token, authority!("BinaryResponse"), Change::Delete).on(Golden::Denied)
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XFAULT-008",
        name: "denial-not-marked",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "InvalidRequest is true when the authority denied the request, else false.",
        cites: &[Cite::must(
            Spec::MsWstep,
            "3.1.4.1.3.7",
            "If the request is denied by the Issuer the server MUST return true.",
        )],
        consequence: "Clients try again what will be denied again, or give up what might work.",
        remedy: "Set InvalidRequest to true for denials.",
        hresult: None,
        check: Check::Fault(|fault, cx| {
            let Some(authority) = &fault.authority else { return Verdict::Skip };
            let Some(code) = authority.code().filter(|code| is_denial(*code)) else { return Verdict::Skip };
            let marked =
                authority.invalid_request.as_ref().is_some_and(|f| ["true", "1"].contains(&f.value.as_str()));
            Verdict::check(marked, || {
                let name = authority_error(code).map_or_else(String::new, |(symbol, _)| symbol);
                let expected = format!("true for {name}");
                cx.fail_field(
                    authority.invalid_request.as_ref(),
                    (&authority.spot, "InvalidRequest"),
                    expected,
                )
            })
        }),
        needs: &["XFAULT-006"],
        examples: &[Example::response(Step::Token, authority!("InvalidRequest"), Change::Set("false"))
            .on(Golden::Denied)],
        since: "0.1.0",
    },
];

/// The parts of CertificateEnrollmentWSDetail in their order.
const AUTHORITY_PARTS: &[&str] = &["BinaryResponse", "ErrorCode", "InvalidRequest", "RequestID"];
