//! Error codes as Windows shows them: what they are called, and what they mean in a few words.

use crate::message::authority_error;

/// Code, symbol of mdmregistration.h, meaning as a clause.
type Row = (u32, &'static str, &'static str);

/// MENROLL_E_* (facility 0x18) as far as a server's answer or a document can cause them.
const TABLE: &[Row] = &[
    (0x8018_0001, "MENROLL_E_DEVICE_MESSAGE_FORMAT_ERROR", "a message did not fit the protocol"),
    (0x8018_0002, "MENROLL_E_DEVICE_AUTHENTICATION_ERROR", "the user was not recognised"),
    (0x8018_0003, "MENROLL_E_DEVICE_AUTHORIZATION_ERROR", "the user may not enroll devices"),
    (0x8018_0004, "MENROLL_E_DEVICE_CERTIFICATEREQUEST_ERROR", "no certificate was issued"),
    (0x8018_0005, "MENROLL_E_DEVICE_CONFIGMGRSERVER_ERROR", "the server failed"),
    (0x8018_0006, "MENROLL_E_DEVICE_INTERNALSERVICE_ERROR", "the server failed without handling its error"),
    (0x8018_0007, "MENROLL_E_DEVICE_INVALIDSECURITY_ERROR", "the security header was not accepted"),
    (0x8018_0008, "MENROLL_E_DEVICE_UNKNOWN_ERROR", "the server failed for an unknown reason"),
    (0x8018_0009, "MENROLL_E_ENROLLMENT_IN_PROGRESS", "another enrollment is in progress"),
    (0x8018_000A, "MENROLL_E_DEVICE_ALREADY_ENROLLED", "the device is enrolled already"),
    (0x8018_000B, "MENROLL_E_DEVICE_NOT_ENROLLED", "the device is not enrolled"),
    (
        0x8018_000D,
        "MENROLL_E_DISCOVERY_SEC_CERT_DATE_INVALID",
        "the server certificate's dates are not valid",
    ),
    (0x8018_000E, "MENROLL_E_PASSWORD_NEEDED", "a password is needed"),
    (0x8018_000F, "MENROLL_E_WAB_ERROR", "the sign-in page failed"),
    (0x8018_0010, "MENROLL_E_CONNECTIVITY", "the server could not be reached"),
    (0x8018_0012, "MENROLL_E_INVALIDSSLCERT", "the server certificate is not trusted"),
    (0x8018_0013, "MENROLL_E_DEVICECAPREACHED", "the user has too many devices"),
    (0x8018_0014, "MENROLL_E_DEVICENOTSUPPORTED", "this kind of device is not allowed"),
    (0x8018_0015, "MENROLL_E_NOTSUPPORTED", "device management is not supported"),
    (0x8018_0016, "MENROLL_E_NOTELIGIBLETORENEW", "the device may not renew"),
    (0x8018_0017, "MENROLL_E_INMAINTENANCE", "the account is in maintenance"),
    (0x8018_0018, "MENROLL_E_USERLICENSE", "the user's licence does not allow it"),
    (0x8018_0019, "MENROLL_E_ENROLLMENTDATAINVALID", "the server refused the enrollment data"),
    (0x8018_001A, "MENROLL_E_INSECUREREDIRECT", "a redirect to plain HTTP"),
    (0x8018_001B, "MENROLL_E_PLATFORM_WRONG_STATE", "the device is in the wrong state"),
    (0x8018_001C, "MENROLL_E_PLATFORM_LICENSE_ERROR", "the edition of Windows does not allow it"),
    (0x8018_001D, "MENROLL_E_PLATFORM_UNKNOWN_ERROR", "the device failed for an unknown reason"),
    (0x8018_001E, "MENROLL_E_PROV_CSP_CERTSTORE", "the certificate store settings failed"),
    (0x8018_001F, "MENROLL_E_PROV_CSP_W7", "the management account settings failed"),
    (0x8018_0020, "MENROLL_E_PROV_CSP_DMCLIENT", "the management client settings failed"),
    (0x8018_0021, "MENROLL_E_PROV_CSP_PFW", "the PassportForWork settings failed"),
    (0x8018_0022, "MENROLL_E_PROV_CSP_MISC", "some settings of the document failed"),
    (0x8018_0023, "MENROLL_E_PROV_UNKNOWN", "the provisioning document failed"),
    (0x8018_0024, "MENROLL_E_PROV_SSLCERTNOTFOUND", "no certificate fits the private key"),
    (0x8018_0025, "MENROLL_E_PROV_CSP_APPMGMT", "the application management settings failed"),
    (0x8018_0026, "MENROLL_E_DEVICE_MANAGEMENT_BLOCKED", "device management is blocked"),
    (0x8018_0027, "MENROLL_E_CERTPOLICY_PRIVATEKEYCREATION_FAILED", "the device could not make its key"),
    (0x8018_0028, "MENROLL_E_CERTAUTH_FAILED_TO_FIND_CERT", "the device has no certificate to sign in with"),
    (0x8018_0029, "MENROLL_E_EMPTY_MESSAGE", "the server's message was empty"),
    (0x8018_002A, "MENROLL_E_USER_CANCELED", "the user cancelled"),
    (0x8018_002B, "MENROLL_E_MDM_NOT_CONFIGURED", "management is not configured for the user"),
    (0x8018_0030, "MENROLL_E_USER_CANCELLED", "the user cancelled"),
    (0x8018_0031, "MENROLL_E_MDM_NOT_CONFIGURED", "management is not configured for the user"),
    (0x8018_0032, "MENROLL_E_CUSTOMSERVERERROR", "a reason of the server's own"),
    (0x8018_0033, "MENROLL_E_SERVER429", "the server has too many requests"),
];

/// The symbol and the meaning of a code, also of the authority behind the server; HTTP statuses in HRESULT form (facility 0x19) are taken apart.
pub fn hresult(code: u32) -> Option<(String, String)> {
    if let Some((_, symbol, meaning)) = TABLE.iter().find(|(known, ..)| *known == code) {
        return Some(((*symbol).to_owned(), (*meaning).to_owned()));
    }
    if let Some((symbol, meaning)) = authority_error(code) {
        return Some((symbol, meaning.to_owned()));
    }
    let status = code & 0xFFFF;
    match (code >> 16, status) {
        (0x8019, 200) => Some(("HTTP 200".to_owned(), "an answer that cannot be used".to_owned())),
        (0x8019, 201..=599) => Some((format!("HTTP {status}"), format!("the HTTP status {status}"))),
        _ => None,
    }
}
