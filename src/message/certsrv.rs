//! Why a certificate authority declines, by the codes that certificate services put into their faults.

/// Code, symbol of winerror.h without `CERTSRV_E_`, meaning as a clause.
type Row = (u32, &'static str, &'static str);

/// The symbol and the meaning of a certificate service's error code.
pub fn authority_error(code: u32) -> Option<(String, &'static str)> {
    let row = TABLE.iter().find(|(known, ..)| *known == code)?;
    Some((format!("CERTSRV_E_{}", row.1), row.2))
}

/// The codes that say that the request was judged and denied.
pub fn is_denial(code: u32) -> bool {
    [0x8009_4011, 0x8009_4012, 0x8009_4014].contains(&code)
}

const TABLE: &[Row] = &[
    (0x8009_4001, "BAD_REQUESTSUBJECT", "the request's subject is missing or too long"),
    (0x8009_4002, "NO_REQUEST", "the authority does not know the request"),
    (0x8009_4003, "BAD_REQUESTSTATUS", "the request's state does not allow it"),
    (0x8009_4004, "PROPERTY_EMPTY", "the property has no value"),
    (0x8009_4005, "INVALID_CA_CERTIFICATE", "the authority's own certificate is not valid"),
    (0x8009_4006, "SERVER_SUSPENDED", "the authority is suspended"),
    (0x8009_4007, "ENCODING_LENGTH", "the certificate would have a part that is too long"),
    (0x8009_4008, "ROLECONFLICT", "the caller has two roles that exclude each other"),
    (0x8009_4009, "RESTRICTEDOFFICER", "the caller may not manage certificates for this requester"),
    (0x8009_400A, "KEY_ARCHIVAL_NOT_CONFIGURED", "the authority does not archive keys"),
    (0x8009_400B, "NO_VALID_KRA", "the authority has no valid key recovery agent"),
    (0x8009_400C, "BAD_REQUEST_KEY_ARCHIVAL", "the request's key cannot be archived"),
    (0x8009_400D, "NO_CAADMIN_DEFINED", "the authority has no administrator"),
    (0x8009_400E, "BAD_RENEWAL_CERT_ATTRIBUTE", "the certificate to be renewed is missing or wrong"),
    (0x8009_400F, "NO_DB_SESSIONS", "the authority's database has no free session"),
    (0x8009_4010, "ALIGNMENT_FAULT", "the authority met a misaligned value"),
    (0x8009_4011, "ENROLL_DENIED", "the requester may not enroll with this authority"),
    (0x8009_4012, "TEMPLATE_DENIED", "the requester may not enroll with this template"),
    (0x8009_4013, "DOWNLEVEL_DC_SSL_OR_UPGRADE", "a domain controller is too old"),
    (0x8009_4014, "ADMIN_DENIED_REQUEST", "an administrator denied the request"),
    (0x8009_4015, "NO_POLICY_SERVER", "no enrollment policy server was found"),
    (0x8009_4016, "WEAK_SIGNATURE_OR_KEY", "the signature or the key is too weak"),
    (0x8009_4017, "KEY_ATTESTATION_NOT_SUPPORTED", "the key cannot be attested here"),
    (0x8009_4018, "ENCRYPTION_CERT_REQUIRED", "a certificate for encryption is needed"),
    (0x8009_4800, "UNSUPPORTED_CERT_TYPE", "the authority does not offer this template"),
    (0x8009_4801, "NO_CERT_TYPE", "the request names no template"),
    (0x8009_4802, "TEMPLATE_CONFLICT", "the request names two templates"),
    (0x8009_4803, "SUBJECT_ALT_NAME_REQUIRED", "the request needs another name of the subject"),
    (0x8009_4804, "ARCHIVED_KEY_REQUIRED", "the request must bring its private key"),
    (0x8009_4805, "SMIME_REQUIRED", "the request must name its mail algorithms"),
    (0x8009_4806, "BAD_RENEWAL_SUBJECT", "the certificate to be renewed has another subject"),
    (0x8009_4807, "BAD_TEMPLATE_VERSION", "the template has another version"),
    (0x8009_4808, "TEMPLATE_POLICY_REQUIRED", "the template asks for an issuance policy"),
    (0x8009_4809, "SIGNATURE_POLICY_REQUIRED", "the request's signature lacks a policy"),
    (0x8009_480A, "SIGNATURE_COUNT", "the request has too few signatures"),
    (0x8009_480B, "SIGNATURE_REJECTED", "a signature of the request was not accepted"),
    (0x8009_480C, "ISSUANCE_POLICY_REQUIRED", "the request's signature lacks an issuance policy"),
    (0x8009_480D, "SUBJECT_UPN_REQUIRED", "the directory has no user principal name for the subject"),
    (0x8009_480E, "SUBJECT_DIRECTORY_GUID_REQUIRED", "the directory has no GUID for the subject"),
    (0x8009_480F, "SUBJECT_DNS_REQUIRED", "the directory has no DNS name for the subject"),
    (0x8009_4810, "ARCHIVED_KEY_UNEXPECTED", "the request brings a private key that nobody wants"),
    (0x8009_4811, "KEY_LENGTH", "the key is shorter than the template asks"),
    (0x8009_4812, "SUBJECT_EMAIL_REQUIRED", "the directory has no mail address for the subject"),
    (0x8009_4813, "UNKNOWN_CERT_TYPE", "the authority does not know this template"),
    (0x8009_4814, "CERT_TYPE_OVERLAP", "two templates have one purpose"),
    (0x8009_4815, "TOO_MANY_SIGNATURES", "the request has too many signatures"),
    (0x8009_4816, "RENEWAL_BAD_PUBLIC_KEY", "the renewed certificate may not have another key"),
    (0x8009_4817, "INVALID_EK", "the TPM's endorsement key is not accepted"),
    (0x8009_4818, "INVALID_IDBINDING", "the TPM's identity binding is not valid"),
    (0x8009_4819, "INVALID_ATTESTATION", "the key's attestation is not valid"),
    (0x8009_481A, "KEY_ATTESTATION", "the key's attestation failed"),
    (0x8009_481B, "CORRUPT_KEY_ATTESTATION", "the key's attestation is damaged"),
    (0x8009_481C, "EXPIRED_CHALLENGE", "the attestation's challenge has expired"),
    (0x8009_481D, "INVALID_RESPONSE", "the answer to the attestation's challenge is wrong"),
    (0x8009_481E, "INVALID_REQUESTID", "the request id is not the challenge's"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_by_symbol_and_meaning() {
        let (symbol, meaning) = authority_error(0x8009_4012).unwrap();
        assert_eq!(symbol, "CERTSRV_E_TEMPLATE_DENIED");
        assert_eq!(meaning, "the requester may not enroll with this template");
        assert!(is_denial(0x8009_4012) && !is_denial(0x8009_4811) && authority_error(0).is_none());
        assert_eq!(TABLE.len(), 55);
    }
}
