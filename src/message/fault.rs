//! SOAP faults of both versions, in any case of letters, with the enrollment service's own detail.

use super::context::hresult_of;
use super::field::{Field, Spot};
use crate::xml::Element;

#[derive(Clone, Debug)]
pub struct Fault {
    pub spot: Spot,
    /// Every element of the fault is spelled as SOAP 1.2 spells it.
    pub exact_case: bool,
    /// SOAP 1.1 `faultcode`, `faultstring` instead of Code and Reason.
    pub soap11: bool,
    pub code: Option<Field>,
    pub subcode: Option<Field>,
    pub reason: Option<Field>,
    /// The DeviceEnrollmentServiceError element (MS-MDE2 2.2.10).
    pub detail: Option<Spot>,
    pub detail_namespace: String,
    pub error_type: Option<Field>,
    pub message: Option<Field>,
    pub trace_id: Option<Field>,
    /// DeviceEnrollmentServiceError and what is in it are spelled with capitals, as devices look for them.
    pub detail_exact_case: bool,
    /// The Detail element, whatever is in it.
    pub any_detail: Option<Spot>,
    /// How many elements and letters Detail holds.
    pub detail_is_empty: bool,
    /// The reason's xml:lang.
    pub language: Option<Field>,
    /// What a certificate service says (MS-WSTEP 3.1.4.1.3.7).
    pub authority: Option<AuthorityDetail>,
}

/// wstep:CertificateEnrollmentWSDetail.
#[derive(Clone, Debug)]
pub struct AuthorityDetail {
    pub spot: Spot,
    /// The names of its parts in their order.
    pub parts: Vec<String>,
    pub binary_response: Option<Field>,
    pub error_code: Option<Field>,
    pub invalid_request: Option<Field>,
    pub request_id: Option<Field>,
}

impl AuthorityDetail {
    fn read(element: &Element<'_>) -> Self {
        Self {
            spot: Spot::tag(element),
            parts: element.children().take(8).map(|e| e.local().to_owned()).collect(),
            binary_response: Field::child(element, "BinaryResponse"),
            error_code: Field::child(element, "ErrorCode"),
            invalid_request: Field::child(element, "InvalidRequest"),
            request_id: Field::child(element, "RequestID"),
        }
    }

    /// ErrorCode as an HRESULT: it is a signed decimal number, and some servers write it as hexadecimal.
    pub fn code(&self) -> Option<u32> {
        hresult_of(&self.error_code.as_ref().filter(|f| !f.nil)?.value).filter(|code| *code != 0)
    }
}

const SPELLINGS: &[&str] = &["Fault", "Code", "Value", "Subcode", "Reason", "Text", "Detail", "Node", "Role"];

const SERVICE_NAMES: &[&str] = &["DeviceEnrollmentServiceError", "ErrorType", "Message", "TraceId"];

impl Fault {
    pub(super) fn read(fault: &Element<'_>) -> Self {
        let code = fault.child_any_case("Code");
        let subcode = code.and_then(|c| c.child_any_case("Subcode"));
        let reason = fault.child_any_case("Reason").and_then(|r| r.child_any_case("Text"));
        let detail = fault.child_any_case("Detail");
        let service = detail.and_then(|d| d.child_any_case("DeviceEnrollmentServiceError"));
        let soap11 = fault.child_any_case("faultcode");
        Self {
            spot: Spot::tag(fault),
            exact_case: fault.local() == "Fault"
                && fault
                    .descendants()
                    .filter(|e| SPELLINGS.iter().any(|s| s.eq_ignore_ascii_case(e.local())))
                    .all(|e| SPELLINGS.contains(&e.local())),
            soap11: soap11.is_some(),
            code: code
                .and_then(|c| Field::child_any_case(&c, "Value"))
                .or_else(|| soap11.map(|c| Field::of(&c))),
            subcode: subcode.and_then(|s| Field::child_any_case(&s, "Value")),
            reason: reason.map(|r| Field::of(&r)).or_else(|| Field::child_any_case(fault, "faultstring")),
            detail: service.map(|s| Spot::tag(&s)),
            detail_namespace: service.map(|s| s.namespace().uri().to_owned()).unwrap_or_default(),
            error_type: service.and_then(|s| Field::child_any_case(&s, "ErrorType")),
            message: service.and_then(|s| Field::child_any_case(&s, "Message")),
            trace_id: service.and_then(|s| Field::child_any_case(&s, "TraceId")),
            detail_exact_case: service.is_none_or(|s| {
                std::iter::once(s)
                    .chain(s.children())
                    .filter(|e| SERVICE_NAMES.iter().any(|n| n.eq_ignore_ascii_case(e.local())))
                    .all(|e| SERVICE_NAMES.contains(&e.local()))
            }),
            any_detail: detail.map(|d| Spot::tag(&d)),
            detail_is_empty: detail
                .is_some_and(|d| d.children().next().is_none() && d.text().trim().is_empty()),
            language: reason.and_then(|r| Field::attribute(&r, "lang")),
            authority: detail
                .and_then(|d| d.child_any_case("CertificateEnrollmentWSDetail"))
                .map(|d| AuthorityDetail::read(&d)),
        }
    }

    /// The subcode's name without its prefix.
    pub fn subcode_name(&self) -> Option<&str> {
        let value = &self.subcode.as_ref()?.value;
        Some(value.rsplit_once(':').map_or(value.as_str(), |(_, name)| name))
    }

    /// What the server decided, in its own most telling word: ErrorType, else subcode, else code.
    pub fn word(&self) -> Option<&str> {
        let error_type = self.error_type.as_ref().map(|f| f.value.as_str()).filter(|v| !v.is_empty());
        error_type.or_else(|| self.subcode_name()).or_else(|| self.code.as_ref().map(|c| c.value.as_str()))
    }

    /// The HRESULT that the device shows for this fault: ErrorType first, else the subcode (MS-MDE2 2.2.10).
    pub fn hresult(&self) -> Option<u32> {
        let error_type = self.error_type.as_ref().and_then(|f| fault_hresult(&f.value));
        error_type.or_else(|| self.subcode_name().and_then(fault_hresult))
    }
}

/// The HRESULT of a subcode or ErrorType in its exact spelling (MS-MDE2 2.2.10).
pub fn fault_hresult(word: &str) -> Option<u32> {
    Some(match word {
        "MessageFormat" => 0x8018_0001,
        "Authentication" => 0x8018_0002,
        "Authorization" => 0x8018_0003,
        "CertificateRequest" => 0x8018_0004,
        "EnrollmentServer" => 0x8018_0005,
        "InternalServiceFault" => 0x8018_0006,
        "InvalidSecurity" => 0x8018_0007,
        "DeviceCapReached" => 0x8018_0013,
        "DeviceNotSupported" => 0x8018_0014,
        "NotSupported" => 0x8018_0015,
        "NotEligibleToRenew" => 0x8018_0016,
        "InMaintenance" => 0x8018_0017,
        "UserLicense" => 0x8018_0018,
        "InvalidEnrollmentData" => 0x8018_0019,
        "CustomServerError" => 0x8018_0032,
        _ => return None,
    })
}

/// What a subcode of another standard means: whose it is, and a clause. Enrollment clients know none of them.
pub fn foreign_subcode(word: &str) -> Option<(&'static str, &'static str)> {
    const TRUST: &str = "WS-Trust";
    const SECURITY: &str = "WS-Security";
    const ADDRESSING: &str = "WS-Addressing";
    Some(match word {
        "InvalidRequest" => (TRUST, "the request was malformed"),
        "FailedAuthentication" => (TRUST, "the credential was not accepted"),
        "RequestFailed" => (TRUST, "the request failed"),
        "InvalidSecurityToken" => (TRUST, "the security token was revoked or malformed"),
        "AuthenticationBadElements" => (TRUST, "the digests do not fit"),
        "BadRequest" => (TRUST, "the request is not understood"),
        "ExpiredData" => (TRUST, "the request's data are out of date"),
        "InvalidTimeRange" => (TRUST, "the time asked for is not possible"),
        "InvalidScope" => (TRUST, "the scope asked for is not possible"),
        "RenewNeeded" => (TRUST, "the token must be renewed first"),
        "UnableToRenew" => (TRUST, "the token cannot be renewed"),
        "UnsupportedSecurityToken" => (SECURITY, "this kind of credential is not taken"),
        "UnsupportedAlgorithm" => (SECURITY, "an algorithm is not supported"),
        "FailedCheck" => (SECURITY, "a signature or an encryption does not hold"),
        "SecurityTokenUnavailable" => (SECURITY, "a security token that is referred to was not found"),
        "MessageExpired" => (SECURITY, "the message's Timestamp has expired"),
        "InvalidAddressingHeader" => (ADDRESSING, "an addressing header is not valid"),
        "MessageAddressingHeaderRequired" => (ADDRESSING, "an addressing header is missing"),
        "DestinationUnreachable" => (ADDRESSING, "nothing answers at the address in a:To"),
        "ActionNotSupported" => (ADDRESSING, "the Action is not one of this address"),
        "EndpointUnavailable" => (ADDRESSING, "the service is not there at the moment"),
        _ => return None,
    })
}
