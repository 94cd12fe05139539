//! Object identifiers by name, and the group that each belongs to in a policy answer (MS-XCEP 3.1.4.1.3.16).

/// What an object identifier stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownOid {
    pub oid: &'static str,
    pub name: &'static str,
    /// Windows' own constant for it; empty where there is none.
    pub symbol: &'static str,
    pub group: Group,
}

/// The kind of thing; the number in `group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Hash = 1,
    Encryption = 2,
    PublicKey = 3,
    Signature = 4,
    Name = 5,
    Extension = 6,
    Purpose = 7,
    Policy = 8,
    Template = 9,
}

impl Group {
    pub fn of(number: &str) -> Option<Self> {
        use Group::{Encryption, Extension, Hash, Name, Policy, PublicKey, Purpose, Signature, Template};
        let all = [Hash, Encryption, PublicKey, Signature, Name, Extension, Purpose, Policy, Template];
        number.parse::<usize>().ok()?.checked_sub(1).and_then(|at| all.get(at).copied())
    }

    pub fn number(self) -> u8 {
        self as u8
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Encryption => "encryption",
            Self::PublicKey => "public key",
            Self::Signature => "signature",
            Self::Name => "name attribute",
            Self::Extension => "extension or attribute",
            Self::Purpose => "extended key usage",
            Self::Policy => "certificate policy",
            Self::Template => "template",
        }
    }
}

/// The entry for a dotted object identifier.
pub fn known(oid: &str) -> Option<&'static KnownOid> {
    KNOWN.iter().find(|known| known.oid == oid)
}

/// Its name; the dotted form when it is not known.
pub fn name(oid: &str) -> &str {
    known(oid).map_or(oid, |known| known.name)
}

/// The entry that goes by that name: Windows' constant or ours, in any case of letters.
pub fn named(name: &str) -> Option<&'static KnownOid> {
    let fits = |text: &str| !text.is_empty() && text.eq_ignore_ascii_case(name);
    KNOWN.iter().find(|known| fits(known.symbol) || fits(known.name))
}

/// The group of a dotted object identifier, by its entry or else by its arc.
pub fn group(oid: &str) -> Option<Group> {
    let below = |arc: &str| oid.strip_prefix(arc).is_some_and(|rest| rest.starts_with('.'));
    match known(oid) {
        Some(known) => Some(known.group),
        None if below("2.5.29.32") => Some(Group::Policy),
        None if below("2.5.29") => Some(Group::Extension),
        None if below("2.5.4") => Some(Group::Name),
        None if below("1.3.6.1.5.5.7.3") => Some(Group::Purpose),
        None if below("2.16.840.1.101.3.4.2") => Some(Group::Hash),
        None if below("2.16.840.1.101.3.4.1") => Some(Group::Encryption),
        None => None,
    }
}

/// Numbers with dots between: the first 0 to 2, the second below 40 under 0 and 1, none with a zero before it.
pub fn is_dotted(text: &str) -> bool {
    let arc = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let mut parts = text.split('.');
    let (Some(first), Some(second)) = (parts.next(), parts.next()) else { return false };
    let small = second.parse::<u8>().is_ok_and(|n| n < 40);
    arc(second) && (first == "2" || small && matches!(first, "0" | "1")) && parts.all(arc)
}

const fn entry(group: Group, oid: &'static str, name: &'static str, symbol: &'static str) -> KnownOid {
    KnownOid { oid, name, symbol, group }
}

const KNOWN: &[KnownOid] = &[
    entry(Group::Hash, "1.2.840.113549.2.5", "MD5", "szOID_RSA_MD5"),
    entry(Group::Hash, "1.3.14.3.2.26", "SHA-1", "szOID_OIWSEC_sha1"),
    entry(Group::Hash, "2.16.840.1.101.3.4.2.1", "SHA-256", "szOID_NIST_sha256"),
    entry(Group::Hash, "2.16.840.1.101.3.4.2.2", "SHA-384", "szOID_NIST_sha384"),
    entry(Group::Hash, "2.16.840.1.101.3.4.2.3", "SHA-512", "szOID_NIST_sha512"),
    entry(Group::Hash, "2.16.840.1.101.3.4.2.4", "SHA-224", ""),
    entry(Group::Encryption, "1.2.840.113549.3.2", "RC2", "szOID_RSA_RC2CBC"),
    entry(Group::Encryption, "1.2.840.113549.3.4", "RC4", "szOID_RSA_RC4"),
    entry(Group::Encryption, "1.2.840.113549.3.7", "3DES", "szOID_RSA_DES_EDE3_CBC"),
    entry(Group::Encryption, "1.3.14.3.2.7", "DES", "szOID_OIWSEC_desCBC"),
    entry(Group::Encryption, "2.16.840.1.101.3.4.1.2", "AES-128", "szOID_NIST_AES128_CBC"),
    entry(Group::Encryption, "2.16.840.1.101.3.4.1.22", "AES-192", "szOID_NIST_AES192_CBC"),
    entry(Group::Encryption, "2.16.840.1.101.3.4.1.42", "AES-256", "szOID_NIST_AES256_CBC"),
    entry(Group::Encryption, "2.16.840.1.101.3.4.1.5", "AES-128 key wrap", "szOID_NIST_AES128_WRAP"),
    entry(Group::Encryption, "2.16.840.1.101.3.4.1.25", "AES-192 key wrap", "szOID_NIST_AES192_WRAP"),
    entry(Group::Encryption, "2.16.840.1.101.3.4.1.45", "AES-256 key wrap", "szOID_NIST_AES256_WRAP"),
    entry(Group::PublicKey, "1.2.840.113549.1.1.1", "RSA", "szOID_RSA_RSA"),
    entry(Group::PublicKey, "1.2.840.10045.2.1", "ECC", "szOID_ECC_PUBLIC_KEY"),
    entry(Group::PublicKey, "1.2.840.10045.3.1.7", "P-256", "szOID_ECC_CURVE_P256"),
    entry(Group::PublicKey, "1.3.132.0.34", "P-384", "szOID_ECC_CURVE_P384"),
    entry(Group::PublicKey, "1.3.132.0.35", "P-521", "szOID_ECC_CURVE_P521"),
    entry(Group::PublicKey, "1.2.840.10040.4.1", "DSA", "szOID_X957_DSA"),
    entry(Group::PublicKey, "1.2.840.10046.2.1", "DH", "szOID_ANSI_X942_DH"),
    entry(Group::Signature, "1.2.840.113549.1.1.4", "md5RSA", "szOID_RSA_MD5RSA"),
    entry(Group::Signature, "1.2.840.113549.1.1.5", "sha1RSA", "szOID_RSA_SHA1RSA"),
    entry(Group::Signature, "1.2.840.113549.1.1.10", "RSASSA-PSS", "szOID_RSA_SSA_PSS"),
    entry(Group::Signature, "1.2.840.113549.1.1.11", "sha256RSA", "szOID_RSA_SHA256RSA"),
    entry(Group::Signature, "1.2.840.113549.1.1.12", "sha384RSA", "szOID_RSA_SHA384RSA"),
    entry(Group::Signature, "1.2.840.113549.1.1.13", "sha512RSA", "szOID_RSA_SHA512RSA"),
    entry(Group::Signature, "1.3.14.3.2.29", "sha1RSASign", "szOID_OIWSEC_sha1RSASign"),
    entry(Group::Signature, "1.2.840.10045.4.1", "ecdsa-sha1", "szOID_ECDSA_SHA1"),
    entry(Group::Signature, "1.2.840.10045.4.3", "ecdsa-specified", "szOID_ECDSA_SPECIFIED"),
    entry(Group::Signature, "1.2.840.10045.4.3.2", "ecdsa-sha256", "szOID_ECDSA_SHA256"),
    entry(Group::Signature, "1.2.840.10045.4.3.3", "ecdsa-sha384", "szOID_ECDSA_SHA384"),
    entry(Group::Signature, "1.2.840.10045.4.3.4", "ecdsa-sha512", "szOID_ECDSA_SHA512"),
    entry(Group::Signature, "1.2.840.10040.4.3", "dsa-sha1", "szOID_X957_SHA1DSA"),
    entry(Group::Name, "2.5.4.3", "common name", "szOID_COMMON_NAME"),
    entry(Group::Name, "2.5.4.10", "organization", "szOID_ORGANIZATION_NAME"),
    entry(Group::Name, "2.5.4.11", "organizational unit", "szOID_ORGANIZATIONAL_UNIT_NAME"),
    entry(Group::Name, "0.9.2342.19200300.100.1.25", "domain component", "szOID_DOMAIN_COMPONENT"),
    entry(Group::Name, "0.9.2342.19200300.100.1.1", "user id", ""),
    entry(Group::Name, "1.2.840.113549.1.9.1", "e-mail", "szOID_RSA_emailAddr"),
    entry(Group::Name, "2.23.133.2.1", "TPM manufacturer", ""),
    entry(Group::Name, "2.23.133.2.2", "TPM model", ""),
    entry(Group::Name, "2.23.133.2.3", "TPM version", ""),
    entry(Group::Extension, "2.5.29.14", "Subject Key Identifier", "szOID_SUBJECT_KEY_IDENTIFIER"),
    entry(Group::Extension, "2.5.29.15", "Key Usage", "szOID_KEY_USAGE"),
    entry(Group::Extension, "2.5.29.17", "Subject Alternative Name", "szOID_SUBJECT_ALT_NAME2"),
    entry(Group::Extension, "2.5.29.19", "Basic Constraints", "szOID_BASIC_CONSTRAINTS2"),
    entry(Group::Extension, "2.5.29.30", "Name Constraints", "szOID_NAME_CONSTRAINTS"),
    entry(Group::Extension, "2.5.29.31", "CRL Distribution Points", "szOID_CRL_DIST_POINTS"),
    entry(Group::Extension, "2.5.29.32", "Certificate Policies", "szOID_CERT_POLICIES"),
    entry(Group::Extension, "2.5.29.35", "Authority Key Identifier", "szOID_AUTHORITY_KEY_IDENTIFIER2"),
    entry(Group::Extension, "2.5.29.37", "Enhanced Key Usage", "szOID_ENHANCED_KEY_USAGE"),
    entry(
        Group::Extension,
        "1.3.6.1.5.5.7.1.1",
        "Authority Information Access",
        "szOID_AUTHORITY_INFO_ACCESS",
    ),
    entry(Group::Extension, "1.3.6.1.5.5.7.1.11", "Subject Information Access", "szOID_SUBJECT_INFO_ACCESS"),
    entry(Group::Extension, "1.3.6.1.5.5.7.48.1.5", "OCSP No Revocation Checking", "szOID_PKIX_OCSP_NOCHECK"),
    entry(Group::Extension, "1.2.840.113549.1.9.7", "challenge password", "szOID_RSA_challengePwd"),
    entry(Group::Extension, "1.2.840.113549.1.9.14", "certificate extensions", "szOID_RSA_certExtensions"),
    entry(Group::Extension, "1.2.840.113549.1.9.15", "SMIME Capabilities", "szOID_RSA_SMIMECapabilities"),
    entry(
        Group::Extension,
        "1.3.6.1.4.1.311.2.1.14",
        "certificate extensions (Microsoft)",
        "szOID_CERT_EXTENSIONS",
    ),
    entry(Group::Extension, "1.3.6.1.4.1.311.13.1", "renewal certificate", "szOID_RENEWAL_CERTIFICATE"),
    entry(Group::Extension, "1.3.6.1.4.1.311.13.2.1", "name value pair", "szOID_ENROLLMENT_NAME_VALUE_PAIR"),
    entry(
        Group::Extension,
        "1.3.6.1.4.1.311.13.2.2",
        "cryptographic provider",
        "szOID_ENROLLMENT_CSP_PROVIDER",
    ),
    entry(Group::Extension, "1.3.6.1.4.1.311.13.2.3", "OS version", "szOID_OS_VERSION"),
    entry(
        Group::Extension,
        "1.3.6.1.4.1.311.20.2",
        "Certificate Template Name",
        "szOID_ENROLL_CERTTYPE_EXTENSION",
    ),
    entry(Group::Extension, "1.3.6.1.4.1.311.21.1", "CA Version", "szOID_CERTSRV_CA_VERSION"),
    entry(
        Group::Extension,
        "1.3.6.1.4.1.311.21.2",
        "Previous CA Certificate Hash",
        "szOID_CERTSRV_PREVIOUS_CERT_HASH",
    ),
    entry(
        Group::Extension,
        "1.3.6.1.4.1.311.21.7",
        "Certificate Template Information",
        "szOID_CERTIFICATE_TEMPLATE",
    ),
    entry(
        Group::Extension,
        "1.3.6.1.4.1.311.21.10",
        "Application Policies",
        "szOID_APPLICATION_CERT_POLICIES",
    ),
    entry(Group::Extension, "1.3.6.1.4.1.311.21.13", "archived key", "szOID_ARCHIVED_KEY_ATTR"),
    entry(
        Group::Extension,
        "1.3.6.1.4.1.311.21.20",
        "request client information",
        "szOID_REQUEST_CLIENT_INFO",
    ),
    entry(Group::Extension, "1.3.6.1.4.1.311.21.21", "encrypted key hash", "szOID_ENCRYPTED_KEY_HASH"),
    entry(Group::Extension, "1.3.6.1.4.1.311.21.23", "endorsement key information", "szOID_ENROLL_EK_INFO"),
    entry(
        Group::Extension,
        "1.3.6.1.4.1.311.21.24",
        "attestation statement",
        "szOID_ENROLL_ATTESTATION_STATEMENT",
    ),
    entry(Group::Extension, "1.3.6.1.4.1.311.21.25", "key storage provider", "szOID_ENROLL_KSP_NAME"),
    entry(Group::Extension, "1.3.6.1.4.1.311.21.39", "attestation key information", "szOID_ENROLL_AIK_INFO"),
    entry(Group::Extension, "1.3.6.1.4.1.311.25.2", "SID security extension", "szOID_NTDS_CA_SECURITY_EXT"),
    entry(Group::Extension, "1.3.6.1.4.1.311.66.1.0", "MDM device id", ""),
    entry(Group::Purpose, "1.3.6.1.5.5.7.3.1", "Server Authentication", "szOID_PKIX_KP_SERVER_AUTH"),
    entry(Group::Purpose, "1.3.6.1.5.5.7.3.2", "Client Authentication", "szOID_PKIX_KP_CLIENT_AUTH"),
    entry(Group::Purpose, "1.3.6.1.5.5.7.3.3", "Code Signing", "szOID_PKIX_KP_CODE_SIGNING"),
    entry(Group::Purpose, "1.3.6.1.5.5.7.3.4", "Secure Email", "szOID_PKIX_KP_EMAIL_PROTECTION"),
    entry(Group::Purpose, "1.3.6.1.5.5.7.3.8", "Time Stamping", "szOID_PKIX_KP_TIMESTAMP_SIGNING"),
    entry(Group::Purpose, "1.3.6.1.5.5.7.3.9", "OCSP Signing", "szOID_PKIX_KP_OCSP_SIGNING"),
    entry(
        Group::Purpose,
        "1.3.6.1.5.5.8.2.2",
        "IP security IKE intermediate",
        "szOID_IPSEC_KP_IKE_INTERMEDIATE",
    ),
    entry(Group::Purpose, "2.5.29.37.0", "Any Purpose", "szOID_ANY_ENHANCED_KEY_USAGE"),
    entry(
        Group::Purpose,
        "1.3.6.1.4.1.311.10.3.1",
        "Microsoft Trust List Signing",
        "szOID_KP_CTL_USAGE_SIGNING",
    ),
    entry(Group::Purpose, "1.3.6.1.4.1.311.10.3.4", "Encrypting File System", "szOID_KP_EFS"),
    entry(Group::Purpose, "1.3.6.1.4.1.311.10.3.4.1", "File Recovery", "szOID_EFS_RECOVERY"),
    entry(Group::Purpose, "1.3.6.1.4.1.311.10.3.11", "Key Recovery", "szOID_KP_KEY_RECOVERY"),
    entry(Group::Purpose, "1.3.6.1.4.1.311.10.3.12", "Document Signing", "szOID_KP_DOCUMENT_SIGNING"),
    entry(Group::Purpose, "1.3.6.1.4.1.311.20.2.1", "Certificate Request Agent", "szOID_ENROLLMENT_AGENT"),
    entry(Group::Purpose, "1.3.6.1.4.1.311.20.2.2", "Smart Card Logon", "szOID_KP_SMARTCARD_LOGON"),
    entry(Group::Purpose, "1.3.6.1.4.1.311.21.5", "Private Key Archival", "szOID_KP_CA_EXCHANGE"),
    entry(Group::Purpose, "1.3.6.1.4.1.311.21.6", "Key Recovery Agent", "szOID_KP_KEY_RECOVERY_AGENT"),
    entry(
        Group::Purpose,
        "1.3.6.1.4.1.311.21.19",
        "Directory Service Email Replication",
        "szOID_DS_EMAIL_REPLICATION",
    ),
    entry(Group::Purpose, "1.3.6.1.4.1.311.21.36", "Privacy CA", "szOID_KP_PRIVACY_CA"),
    entry(Group::Purpose, "2.23.133.8.1", "Endorsement Key Certificate", "szOID_KP_TPM_EK_CERTIFICATE"),
    entry(Group::Purpose, "2.23.133.8.2", "Platform Certificate", "szOID_KP_TPM_PLATFORM_CERTIFICATE"),
    entry(
        Group::Purpose,
        "2.23.133.8.3",
        "Attestation Identity Key Certificate",
        "szOID_KP_TPM_AIK_CERTIFICATE",
    ),
    entry(Group::Policy, "2.5.29.32.0", "All issuance policies", "szOID_ANY_CERT_POLICY"),
    entry(Group::Policy, "1.3.6.1.4.1.311.21.30", "Endorsement Key Verified", "szOID_ENROLL_EKPUB_CHALLENGE"),
    entry(Group::Policy, "1.3.6.1.4.1.311.21.31", "Endorsement Certificate Verified", ""),
    entry(Group::Policy, "1.3.6.1.4.1.311.21.32", "User Credentials Verified", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_named_grouped_and_told_from_words() {
        assert_eq!(name("2.16.840.1.101.3.4.2.1"), "SHA-256");
        assert_eq!(name("1.2.3"), "1.2.3");
        assert_eq!(named("szoid_nist_sha256").map(|k| k.oid), Some("2.16.840.1.101.3.4.2.1"));
        assert_eq!(group("2.5.29.99"), Some(Group::Extension));
        assert_eq!(group("2.5.29.37.0"), Some(Group::Purpose));
        assert_eq!(group("1.3.6.1.4.1.311.21.8.1"), None);
        assert_eq!(Group::of("9").map(Group::name), Some("template"));
        assert_eq!((Group::of("0"), Group::of("10")), (None, None));
        for good in ["1.2", "2.999.1", "0.39", "1.3.6.1.4.1.311.20.2"] {
            assert!(is_dotted(good), "{good}");
        }
        for bad in ["", "1", "3.1", "1.40", "1.02", "1..2", "sha256", "1.2.", "-1.2"] {
            assert!(!is_dotted(bad), "{bad}");
        }
    }

    #[test]
    fn every_entry_is_an_identifier_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for entry in KNOWN {
            assert!(is_dotted(entry.oid) && seen.insert(entry.oid), "{entry:?}");
        }
    }
}
