//! The names that context items have, since when, and what their values look like (MS-MDE2 3.4.4.1.1.1).

use super::enroll::decode_base64;

/// A context item that is known.
#[derive(Clone, Copy, Debug)]
pub struct KnownItem {
    pub name: &'static str,
    /// The first build of Windows 10 that sends it.
    pub build: u32,
    /// The lowest EnrollmentVersion with which it is sent; 0 where that does not matter.
    pub enrollment_version: u32,
    /// Only the federated request has it.
    pub federated: bool,
    /// May be given several times.
    pub repeats: bool,
    /// What its values look like, in words.
    pub form: &'static str,
    fits: fn(&str) -> bool,
}

impl KnownItem {
    /// Leniently: blanks around it and the case of booleans do not count, as published requests vary them.
    pub fn fits(&self, value: &str) -> bool {
        (self.fits)(value.trim())
    }

    const fn new(name: &'static str, form: &'static str, fits: fn(&str) -> bool) -> Self {
        Self { name, build: 10_240, enrollment_version: 0, federated: false, repeats: false, form, fits }
    }

    const fn text(name: &'static str) -> Self {
        Self::new(name, "any text", |_| true)
    }

    const fn boolean(name: &'static str) -> Self {
        Self::new(name, "true or false", is_boolean)
    }

    const fn base64(name: &'static str) -> Self {
        Self::new(name, "base64", is_base64)
    }

    const fn since(self, build: u32) -> Self {
        Self { build, ..self }
    }

    const fn with_version(self, enrollment_version: u32) -> Self {
        Self { enrollment_version, ..self }
    }

    const fn federated(self) -> Self {
        Self { federated: true, ..self }
    }

    const fn repeatable(self) -> Self {
        Self { repeats: true, ..self }
    }
}

/// The item of that name.
pub fn known_item(name: &str) -> Option<&'static KnownItem> {
    KNOWN.iter().find(|known| known.name == name)
}

/// Product behaviour <24> to <33> of MS-MDE2 says since when; "after 1607" is 1703, build 15063, and so on.
const KNOWN: &[KnownItem] = &[
    KnownItem::new("OSEdition", "a number", |v| v.parse::<u32>().is_ok()),
    KnownItem::new("OSVersion", "four numbers", is_quad),
    KnownItem::text("DeviceName"),
    KnownItem::new("EnrollmentType", "Full or Device", |v| v == "Full" || v == "Device"),
    KnownItem::new("DeviceType", "CIMClient_Windows, WindowsPhone or WindowsHandheld", |v| {
        ["CIMClient_Windows", "WindowsPhone", "WindowsHandheld"].contains(&v)
    }),
    KnownItem::new("ApplicationVersion", "four numbers", is_quad),
    KnownItem::text("DeviceID"),
    KnownItem::text("EnrollmentData"),
    KnownItem::new("MAC", "six pairs of hexadecimal digits", is_mac).repeatable(),
    KnownItem::new("IMEI", "digits", |v| v.bytes().all(|b| b.is_ascii_digit())).repeatable(),
    KnownItem::boolean("TargetedUserLoggedIn"),
    KnownItem::text("Locale").since(15_063),
    // Its 64 digits have a rule of their own.
    KnownItem::text("HWDevID").since(15_063),
    KnownItem::new("BulkAADJ", "true", |v| v.eq_ignore_ascii_case("true")).federated().since(15_063),
    KnownItem::new("ZeroTouchProvisioning", "a GUID", is_guid).since(15_063),
    KnownItem::new(
        "OfflineAutoPilotEnrollmentCorrelator",
        "at most 100 letters, digits and single hyphens, no hyphen first",
        is_correlator,
    )
    .since(17_763),
    KnownItem::boolean("UXInitiated").since(16_299),
    KnownItem::text("ExternalMgmtAgentHint").since(16_299),
    KnownItem::text("DomainName").since(16_299),
    KnownItem::boolean("BootstrapDomainJoin").federated().since(16_299),
    KnownItem::boolean("PlugandForget").federated().since(17_134),
    KnownItem::boolean("WhiteGlove").federated().since(18_362),
    KnownItem::boolean("WhiteGloveHybridJoin").federated().since(18_362),
    KnownItem::boolean("NotInOobe").since(18_362),
    KnownItem::base64("AIKAttestationClaim").with_version(5),
    KnownItem::base64("AIKPub").with_version(5),
    KnownItem::base64("AIKCert").with_version(5),
    KnownItem::base64("AadAIKAttestationClaim").with_version(5),
    KnownItem::base64("AADPub").with_version(5),
    KnownItem::text("EmmDeviceId").with_version(5),
    KnownItem::new("RequestVersion", "two numbers with a dot between", is_version).with_version(5),
    KnownItem::text("AzureAttestationBlob").with_version(6).federated(),
    KnownItem::text("AttestationStatus").with_version(7).federated(),
    KnownItem::new("AttestationStatusHResult", "an error code", |v| hresult_of(v).is_some())
        .with_version(7)
        .federated(),
    KnownItem::text("AzureAttestationCorrelationVector").with_version(7).federated(),
    // Not in the specification's list, but seen from newer Windows and from virtual machines in Azure.
    KnownItem::text("AIKAlgorithm"),
    KnownItem::text("AzVMIAMExtensionJoin"),
    // MS-MDE 3.4.4.1.1.2: the first version's enrollment on behalf of a user.
    KnownItem::text("EnrollmentOnBehalfOfUser"),
    // MS-WCCE 2.2.2.7.10: clients of a plain certificate service.
    KnownItem::text("cdc"),
    KnownItem::text("rmd"),
    KnownItem::text("ccm"),
    KnownItem::text("CertificateTemplate"),
    KnownItem::text("SAN"),
];

/// Four numbers with dots between.
pub fn is_quad(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 4 && parts.iter().all(|p| is_number(p))
}

/// `0x80180001`, `80180001` with eight digits, or a decimal number, which may be negative.
pub fn hresult_of(text: &str) -> Option<u32> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    match hex {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if text.len() == 8 && text.starts_with(['8', 'C', 'c']) => u32::from_str_radix(text, 16).ok(),
        None => {
            let number: i64 = text.parse().ok()?;
            i32::try_from(number).ok().map(i32::cast_unsigned).or_else(|| u32::try_from(number).ok())
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_version(text: &str) -> bool {
    text.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

fn is_base64(text: &str) -> bool {
    decode_base64(text).is_some()
}

/// With hyphens, as devices write it, with colons, as the specification does, or with nothing between.
fn is_mac(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'-' | b':')).collect();
    digits.len() == 12 && digits.iter().all(u8::is_ascii_hexdigit)
}

/// With or without braces.
fn is_guid(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let lengths: Vec<_> = inner.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && inner.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

fn is_correlator(text: &str) -> bool {
    let plain = text.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric());
    (1..=100).contains(&text.len()) && plain && !text.starts_with('-') && !text.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_published_and_real_requests_fit() {
        let cases = [
            ("OSEdition", " 4", true),
            ("MAC", "FF:FF:FF:FF:FF:FF", true),
            ("MAC", "00-0C-29-16-1E-5E", true),
            ("MAC", "00-0C-29", false),
            ("TargetedUserLoggedIn", "True", true),
            ("TargetedUserLoggedIn", "yes", false),
            ("EnrollmentType", "Lite", false),
            ("ZeroTouchProvisioning", "9A51D698-40C7-499C-928E-EF7FD76E62C0", true),
            ("ZeroTouchProvisioning", "true", false),
            ("OfflineAutoPilotEnrollmentCorrelator", "a-b-c", true),
            ("OfflineAutoPilotEnrollmentCorrelator", "-a", false),
            ("OfflineAutoPilotEnrollmentCorrelator", "a--b", false),
            ("AIKPub", "QUJD", true),
            ("AIKPub", "!", false),
            ("RequestVersion", "9.0", true),
            ("AttestationStatusHResult", "0x80072EE7", true),
            ("AttestationStatusHResult", "none", false),
        ];
        for (name, value, fits) in cases {
            assert_eq!(known_item(name).unwrap().fits(value), fits, "{name} {value}");
        }
        assert!(known_item("Manufacturer").is_none());
    }

    #[test]
    fn error_codes_are_read_in_every_notation() {
        for (text, code) in [
            ("0x80094012", Some(0x8009_4012)),
            ("80094012", Some(0x8009_4012)),
            ("-2146877422", Some(0x8009_4012)),
            ("2148089874", Some(0x8009_4012)),
            ("0", Some(0)),
            ("none", None),
        ] {
            assert_eq!(hresult_of(text), code, "{text}");
        }
    }
}
