//! A code that nobody knows, taken apart (MS-ERREF 2.1): what its facility says of it.

use crate::message::authority_error;

/// The parts of an HRESULT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// An error, and no success.
    pub failure: bool,
    /// Eleven bits: which component it is of.
    pub facility: u16,
    pub component: Option<&'static str>,
    /// The component's own number.
    pub low: u16,
    /// What that number says there.
    pub says: Option<String>,
}

/// First 16 bits of a code, and whose it is.
const COMPONENTS: &[(u16, &str)] = &[
    (0x8000, "Windows in general"),
    (0x8001, "remote procedure calls"),
    (0x8004, "COM, or the old Intune PC client"),
    (0x8007, "Windows (Win32 errors)"),
    (0x8009, "cryptography and certificates"),
    (0x800B, "trust in certificates"),
    (0x800C, "the internet components of Windows"),
    (0x8018, "MDM enrollment (MENROLL_E_*)"),
    (0x8019, "HTTP of Windows, and MDM registration of Windows 8"),
    (0x801C, "device registration in the directory (dsregcmd)"),
    (0x8024, "Windows Update"),
    (0x8028, "the TPM"),
    (0x8029, "the TPM's services"),
    (0x8103, "Autopilot"),
    (0x80CF, "the old Intune PC client"),
    (0x80F0, "the XML and provisioning components"),
    (0x82AA, "co-management"),
    (0x8600, "configuration service providers of MDM"),
    (0x87D1, "Intune and Configuration Manager"),
    (0xCAA2, "the sign-in library of Entra ID"),
    (0xCAA3, "the sign-in library of Entra ID"),
    (0xCAA1, "the sign-in library of Entra ID"),
    (0xCAA7, "the sign-in library of Entra ID: network"),
    (0xCAA8, "the sign-in library of Entra ID: HTTP"),
    (0xCAA9, "the sign-in library of Entra ID: WS-Trust"),
];

/// Errors of Windows (facility 7) that enrollment meets, by winerror.h.
const WIN32: &[(u16, &str)] = &[
    (2, "the file is not there"),
    (3, "the path is not there"),
    (5, "access is denied"),
    (13, "the data is not valid"),
    (14, "there is not enough memory"),
    (50, "it is not supported"),
    (87, "a parameter is wrong"),
    (183, "it exists already"),
    (259, "there is no more of it"),
    (1062, "the service has not been started"),
    (1058, "the service is disabled"),
    (1168, "the element was not found"),
    (1223, "the user cancelled it"),
    (1326, "the user name or the password is wrong"),
    (1355, "the domain does not exist, or cannot be reached"),
    (1460, "it took too long"),
    (1722, "the RPC server is not available"),
];

/// Of facilities 9 and 11, by winerror.h: what device and server meet with certificates.
const CERTIFICATES: &[(u32, &str)] = &[
    (0x8009_0016, "the key set does not exist (NTE_BAD_KEYSET)"),
    (0x8009_000B, "the key is not valid in this state (NTE_BAD_KEY_STATE)"),
    (0x8009_000F, "the object exists already (NTE_EXISTS)"),
    (0x8009_0030, "the TPM is not ready (NTE_DEVICE_NOT_READY)"),
    (0x8009_0326, "the handshake met an unexpected message (SEC_E_ILLEGAL_MESSAGE)"),
    (0x8009_0325, "the chain ends at an authority that is not trusted (SEC_E_UNTRUSTED_ROOT)"),
    (0x8009_0331, "there is no common cipher (SEC_E_ALGORITHM_MISMATCH)"),
    (0x8009_2004, "the certificate or key was not found (CRYPT_E_NOT_FOUND)"),
    (0x8009_2013, "the revocation server does not answer (CRYPT_E_REVOCATION_OFFLINE)"),
    (0x800B_0101, "a certificate is outside its dates (CERT_E_EXPIRED)"),
    (0x800B_0109, "the root is not trusted (CERT_E_UNTRUSTEDROOT)"),
    (0x800B_010A, "the chain is not whole (CERT_E_CHAINING)"),
    (0x800B_010F, "the certificate is for another name (CERT_E_CN_NO_MATCH)"),
    (0x800B_010C, "the certificate was revoked (CERT_E_REVOKED)"),
];

impl Parts {
    pub fn of(code: u32) -> Self {
        let [high, low] = halves(code);
        Self {
            failure: code & 0x8000_0000 != 0,
            facility: high & 0x7FF,
            component: component(high),
            low,
            says: says(code, high, low),
        }
    }
}

/// A failure of a component that is known.
pub(super) fn is_known_facility(code: u32) -> bool {
    let [high, _] = halves(code);
    component(high).is_some() && high != 0x8000
}

fn component(high: u16) -> Option<&'static str> {
    COMPONENTS.iter().find(|(known, _)| *known == high).map(|(_, name)| *name)
}

fn halves(code: u32) -> [u16; 2] {
    let [a, b, c, d] = code.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

fn says(code: u32, high: u16, low: u16) -> Option<String> {
    let win32 = WIN32.iter().find(|(known, _)| *known == low);
    match (high, low) {
        (0x8019, 200..=599) => Some(format!("HTTP status {low}")),
        (0x8007 | 0x8019, 12000..=12191) => Some(format!("WinHTTP error {low}")),
        (0x8007, _) => Some(match win32 {
            Some((_, words)) => format!("Win32 error {low}: {words}"),
            None => format!("Win32 error {low}; `net helpmsg {low}` on a PC says what it is"),
        }),
        (0x8009 | 0x800B, _) => {
            let known =
                CERTIFICATES.iter().find(|(known, _)| *known == code).map(|(_, words)| (*words).to_owned());
            known.or_else(|| authority_error(code).map(|(symbol, meaning)| format!("{meaning} ({symbol})")))
        }
        (0x8600, _) => {
            Some(format!("status {low} of a management command: 404 is a setting that is not there"))
        }
        _ => None,
    }
}
