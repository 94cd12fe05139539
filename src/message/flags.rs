//! The flags of a certificate template, by name (MS-XCEP 3.1.4.1.3.1; names and further bits from MS-CRTD).

/// Which of a policy's flag elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagSet {
    PrivateKey,
    SubjectName,
    Enrollment,
    General,
}

/// One bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    pub bit: u32,
    pub name: &'static str,
    /// MS-XCEP lists it; AD CS sends others, too.
    pub listed: bool,
}

const fn listed(bit: u32, name: &'static str) -> Flag {
    Flag { bit, name, listed: true }
}

const fn further(bit: u32, name: &'static str) -> Flag {
    Flag { bit, name, listed: false }
}

const PRIVATE_KEY: &[Flag] = &[
    listed(0x0000_0001, "archive the key"),
    listed(0x0000_0010, "exportable key"),
    listed(0x0000_0020, "strong key protection"),
    further(0x0000_0040, "alternate signature algorithm"),
    further(0x0000_0080, "same key on renewal"),
    further(0x0000_0100, "legacy provider"),
    further(0x0000_0200, "trust the TPM on use"),
    further(0x0000_0400, "validate the TPM's certificate"),
    further(0x0000_0800, "validate the TPM's key"),
    further(0x0000_1000, "attestation preferred"),
    further(0x0000_2000, "attestation required"),
    further(0x0000_4000, "attestation without a policy"),
    further(0x0020_0000, "Hello logon key"),
];

/// The lowest version of a server, and of a client, that may see the policy (MS-XCEP 3.1.4.1.3.22).
const SERVER_VERSION: u32 = 0x000F_0000;
const CLIENT_VERSION: u32 = 0x0F00_0000;

const SUBJECT_NAME: &[Flag] = &[
    listed(0x0000_0001, "enrollee supplies the subject"),
    listed(0x0000_0008, "old certificate supplies the names"),
    listed(0x0001_0000, "enrollee supplies the alternative name"),
    listed(0x0040_0000, "alternative name: domain DNS"),
    listed(0x0080_0000, "alternative name: SPN"),
    listed(0x0100_0000, "alternative name: directory GUID"),
    listed(0x0200_0000, "alternative name: UPN"),
    listed(0x0400_0000, "alternative name: e-mail"),
    listed(0x0800_0000, "alternative name: DNS"),
    listed(0x1000_0000, "subject: DNS as common name"),
    listed(0x2000_0000, "subject: e-mail"),
    listed(0x4000_0000, "subject: common name"),
    listed(0x8000_0000, "subject: directory path"),
];

const ENROLLMENT: &[Flag] = &[
    listed(0x0000_0001, "S/MIME capabilities"),
    further(0x0000_0002, "pend all requests"),
    further(0x0000_0004, "publish to key recovery agents"),
    listed(0x0000_0008, "publish to the directory"),
    listed(0x0000_0010, "check the directory for a certificate"),
    further(0x0000_0020, "auto-enrollment"),
    listed(0x0000_0040, "renew with the old key's signature"),
    listed(0x0000_0100, "user interaction required"),
    listed(0x0000_0400, "remove invalid certificates"),
    further(0x0000_0800, "enroll on behalf of others"),
    further(0x0000_1000, "OCSP no check"),
    listed(0x0000_2000, "reuse the key of a full token"),
    further(0x0000_4000, "no revocation information"),
    further(0x0000_8000, "basic constraints for end entities"),
    further(0x0001_0000, "key-based renewal"),
    further(0x0002_0000, "issuance policies from the request"),
    further(0x0004_0000, "no auto-renewal"),
    further(0x0008_0000, "no security extension"),
];

const GENERAL: &[Flag] = &[
    listed(0x0000_0001, "reserved"),
    listed(0x0000_0002, "add e-mail"),
    listed(0x0000_0004, "reserved"),
    listed(0x0000_0008, "publish to the directory"),
    listed(0x0000_0010, "exportable key"),
    listed(0x0000_0020, "auto-enrollment"),
    listed(0x0000_0040, "for machines"),
    listed(0x0000_0080, "for an authority"),
    listed(0x0000_0100, "reserved"),
    listed(0x0000_0200, "add the template's name"),
    listed(0x0000_0400, "reserved"),
    listed(0x0000_0800, "for cross-certification"),
    listed(0x0000_1000, "do not keep in the database"),
    listed(0x0001_0000, "is default"),
    listed(0x0002_0000, "is modified"),
    listed(0x0004_0000, "reserved"),
    listed(0x0008_0000, "reserved"),
    listed(0x1000_0000, "reserved"),
];

impl FlagSet {
    pub fn flags(self) -> &'static [Flag] {
        match self {
            Self::PrivateKey => PRIVATE_KEY,
            Self::SubjectName => SUBJECT_NAME,
            Self::Enrollment => ENROLLMENT,
            Self::General => GENERAL,
        }
    }

    /// Bits with a meaning of their own beside the flags.
    fn fields(self) -> u32 {
        match self {
            Self::PrivateKey => SERVER_VERSION | CLIENT_VERSION,
            Self::SubjectName | Self::Enrollment | Self::General => 0,
        }
    }

    /// The bits of `value` that no document gives a meaning.
    pub fn undefined(self, value: u32) -> u32 {
        self.flags().iter().fold(value & !self.fields(), |rest, flag| rest & !flag.bit)
    }

    /// The bits of `value` that only AD CS gives a meaning.
    pub fn unlisted(self, value: u32) -> u32 {
        self.flags().iter().filter(|f| !f.listed).fold(0, |bits, flag| bits | value & flag.bit)
    }

    /// What is set, in words: `exportable key, for machines, 0x00400000`.
    pub fn describe(self, value: u32) -> String {
        let set = self.flags().iter().filter(|flag| value & flag.bit != 0);
        let mut names: Vec<String> = set.map(|flag| flag.name.to_owned()).collect();
        if self == Self::PrivateKey {
            let versions = [(client_version(value), "client"), (server_version(value), "server")];
            let above = versions.into_iter().filter(|(version, _)| *version > 0);
            names.extend(above.map(|(version, whose)| format!("{whose} version {version} or later")));
        }
        if self.undefined(value) != 0 {
            names.push(format!("0x{:08X}", self.undefined(value)));
        }
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// The lowest client version that a policy is for.
pub fn client_version(private_key_flags: u32) -> u32 {
    (private_key_flags & CLIENT_VERSION) >> 24
}

/// The lowest server version that a policy is for.
pub fn server_version(private_key_flags: u32) -> u32 {
    (private_key_flags & SERVER_VERSION) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_named_and_what_nobody_defines_is_shown_as_a_number() {
        let general = FlagSet::General;
        // As AD CS sends it for its Machine template.
        assert_eq!(
            general.describe(66_144),
            "auto-enrollment, for machines, add the template's name, is default"
        );
        assert_eq!((general.undefined(66_144), general.unlisted(66_144)), (0, 0));
        let key = FlagSet::PrivateKey;
        assert_eq!(
            key.describe(0x0502_0010),
            "exportable key, client version 5 or later, server version 2 or later"
        );
        assert_eq!((key.undefined(0x0040_0001), key.unlisted(0x2001)), (0x0040_0000, 0x2000));
        assert_eq!(key.describe(0x0040_0000), "0x00400000");
        assert_eq!(FlagSet::Enrollment.describe(0), "none");
    }
}
