//! Windows as it is in the field: what its releases say of themselves, and ways to enroll that look different.

/// The shape of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// 22H2, build 19045.
    Windows10,
    /// 23H2, build 22631.
    Windows11H23,
    /// 24H2, build 26100.
    Windows11H24,
    /// 25H2, build 26200: RequestVersion 9.0.
    Windows11H25,
    /// A program enrolls it: no address in Discover, and an older Windows by the compatibility lie.
    Programmatic,
    /// Set up for its first user (OOBE) by Windows Autopilot: the device enrolls, and nobody is signed in.
    Autopilot,
}

/// What a release says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) os_version: &'static str,
    pub(super) request_version: &'static str,
    /// MS-MDE2 2.2.9.6.
    pub(super) os_edition: u32,
}

impl Shape {
    pub const ALL: [Self; 6] = [
        Self::Windows10,
        Self::Windows11H23,
        Self::Windows11H24,
        Self::Windows11H25,
        Self::Programmatic,
        Self::Autopilot,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Windows10 => "windows-10",
            Self::Windows11H23 => "windows-11-23h2",
            Self::Windows11H24 => "windows-11-24h2",
            Self::Windows11H25 => "windows-11-25h2",
            Self::Programmatic => "programmatic",
            Self::Autopilot => "autopilot",
        }
    }

    /// A mixed fleet.
    pub(super) fn numbered(number: u32) -> Self {
        match number % 4 {
            0 => Self::Windows11H24,
            1 => Self::Windows11H23,
            2 => Self::Windows10,
            _ => Self::Windows11H25,
        }
    }

    pub(super) fn form(self) -> Form {
        let (os_version, request_version, os_edition) = match self {
            Self::Windows10 => ("10.0.19045.5854", "5.0", 48),
            Self::Windows11H23 => ("10.0.22631.5335", "7.0", 4),
            Self::Windows11H24 | Self::Programmatic => ("10.0.26100.4061", "7.0", 48),
            Self::Windows11H25 | Self::Autopilot => ("10.0.26200.6584", "9.0", 4),
        };
        Form { os_version, request_version, os_edition }
    }
}
