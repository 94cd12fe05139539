//! What the object identifiers in certification requests are called.

/// The name of an attribute or an extension, as Microsoft's headers or RFC 5280 have it.
pub fn oid_name(oid: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

const NAMES: &[(&str, &str)] = &[
    ("1.2.840.113549.1.9.7", "challengePassword"),
    ("1.2.840.113549.1.9.14", "extensionRequest"),
    ("1.2.840.113549.1.9.15", "smimeCapabilities"),
    ("1.3.6.1.4.1.311.2.1.14", "szOID_CERT_EXTENSIONS"),
    ("1.3.6.1.4.1.311.13.1", "szOID_RENEWAL_CERTIFICATE"),
    ("1.3.6.1.4.1.311.13.2.1", "szOID_ENROLLMENT_NAME_VALUE_PAIR"),
    ("1.3.6.1.4.1.311.13.2.2", "szOID_ENROLLMENT_CSP_PROVIDER"),
    ("1.3.6.1.4.1.311.13.2.3", "szOID_OS_VERSION"),
    ("1.3.6.1.4.1.311.20.2", "szOID_ENROLL_CERTTYPE_EXTENSION"),
    ("1.3.6.1.4.1.311.21.7", "szOID_CERTIFICATE_TEMPLATE"),
    ("1.3.6.1.4.1.311.21.10", "szOID_APPLICATION_CERT_POLICIES"),
    ("1.3.6.1.4.1.311.21.13", "szOID_ARCHIVED_KEY_ATTR"),
    ("1.3.6.1.4.1.311.21.20", "szOID_REQUEST_CLIENT_INFO"),
    ("1.3.6.1.4.1.311.21.21", "szOID_ENCRYPTED_KEY_HASH"),
    ("1.3.6.1.4.1.311.21.23", "szOID_ENROLL_EK_INFO"),
    ("1.3.6.1.4.1.311.21.24", "szOID_ENROLL_ATTESTATION_STATEMENT"),
    ("1.3.6.1.4.1.311.21.25", "szOID_ENROLL_KSP_NAME"),
    ("1.3.6.1.4.1.311.21.39", "szOID_ENROLL_AIK_INFO"),
    ("1.3.6.1.4.1.311.25.2", "szOID_NTDS_CA_SECURITY_EXT"),
    // No published name: raw ASCII with a NUL at its end, and no DER.
    ("1.3.6.1.4.1.311.66.1.0", "the DeviceID of Windows enrollment"),
    ("2.5.29.14", "subjectKeyIdentifier"),
    ("2.5.29.15", "keyUsage"),
    ("2.5.29.17", "subjectAltName"),
    ("2.5.29.19", "basicConstraints"),
    ("2.5.29.32", "certificatePolicies"),
    ("2.5.29.37", "extKeyUsage"),
];
