//! What devices do, and what has to come of it.

use crate::sim::Shape;

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    /// User name and password: in the message, or on the server's page, as the server chooses.
    Password,
    /// A token of Entra's.
    Entra,
    Certificate,
}

impl Auth {
    pub(super) const ALL: [Self; 3] = [Self::Password, Self::Entra, Self::Certificate];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Entra => "entra",
            Self::Certificate => "certificate",
        }
    }
}

/// How a device behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Healthy,
    WrongPassword,
    ExpiredToken,
    ForeignToken,
    EmptyPost,
    HigherVersion,
    NonDerExtension,
    DuplicateHardwareId,
    RetryAfterDrop,
}

/// What has to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Enrolled,
    /// With a SOAP fault.
    Refused,
    Either,
}

impl Case {
    pub(super) const ALL: [Self; 9] = [
        Self::Healthy,
        Self::WrongPassword,
        Self::ExpiredToken,
        Self::ForeignToken,
        Self::EmptyPost,
        Self::HigherVersion,
        Self::NonDerExtension,
        Self::DuplicateHardwareId,
        Self::RetryAfterDrop,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::WrongPassword => "wrong-password",
            Self::ExpiredToken => "expired-token",
            Self::ForeignToken => "foreign-token",
            Self::EmptyPost => "empty-post",
            Self::HigherVersion => "higher-version",
            Self::NonDerExtension => "non-der-extension",
            Self::DuplicateHardwareId => "duplicate-hwdevid",
            Self::RetryAfterDrop => "retry-after-drop",
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Healthy => "enrolled",
            Self::WrongPassword => "a SOAP fault: the password is wrong",
            Self::ExpiredToken => "a SOAP fault: the token's time is over",
            Self::ForeignToken => "a SOAP fault: the token is for, or from, somebody else",
            Self::EmptyPost => "an error status or a SOAP fault from each service that is sent nothing",
            Self::HigherVersion => "enrolled, with the highest version that the server knows",
            Self::NonDerExtension => {
                "enrolled: the extension with the DeviceID is no DER in any request of Windows"
            }
            Self::DuplicateHardwareId => "enrolled, or a SOAP fault: another device has this HWDevID already",
            Self::RetryAfterDrop => {
                "enrolled: the first answer was lost on its way, and the device asks again"
            }
        }
    }

    pub(super) fn wanted(self) -> Wanted {
        match self {
            Self::WrongPassword | Self::ExpiredToken | Self::ForeignToken => Wanted::Refused,
            Self::DuplicateHardwareId => Wanted::Either,
            Self::Healthy
            | Self::EmptyPost
            | Self::HigherVersion
            | Self::NonDerExtension
            | Self::RetryAfterDrop => Wanted::Enrolled,
        }
    }

    /// What to change where it does not come so.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Healthy => {
                "Begin with the first finding; `enrollscope enroll` shows the same device step by step."
            }
            Self::WrongPassword => {
                "Check the password, and refuse it with the fault s:Authentication (MS-MDE2 2.2.10)."
            }
            Self::ExpiredToken => {
                "Check the token's exp against the clock, and refuse it with s:Authentication."
            }
            Self::ForeignToken => {
                "Check whom the token is for (aud) and who signed it, and refuse it with s:Authentication."
            }
            Self::EmptyPost => "Answer a request without a body with 400 or a SOAP fault.",
            Self::HigherVersion => {
                "Answer a RequestVersion that is not known with the highest EnrollmentVersion that is: Windows asks for \
                 more with every release, and does not try a lower one."
            }
            Self::NonDerExtension => {
                "Take the value of the extension 1.3.6.1.4.1.311.66.1.0 as bytes, and do not parse it as DER."
            }
            Self::DuplicateHardwareId => {
                "Enroll the device, or refuse it with a SOAP fault: images and repaired boards give devices the same HWDevID."
            }
            Self::RetryAfterDrop => {
                "Answer a request that comes again for the same device with a certificate, too: the device has none of the first."
            }
        }
    }

    fn suits(self, auth: Auth) -> bool {
        match self {
            Self::WrongPassword => auth == Auth::Password,
            Self::ExpiredToken => auth == Auth::Entra,
            Self::ForeignToken => auth != Auth::Password,
            Self::Healthy
            | Self::EmptyPost
            | Self::HigherVersion
            | Self::NonDerExtension
            | Self::DuplicateHardwareId
            | Self::RetryAfterDrop => true,
        }
    }

    /// So many devices enroll, if the server is as good as it should be.
    pub(super) fn devices(self) -> usize {
        match self {
            Self::WrongPassword | Self::ExpiredToken | Self::ForeignToken | Self::EmptyPost => 0,
            Self::Healthy | Self::HigherVersion | Self::NonDerExtension | Self::RetryAfterDrop => 1,
            Self::DuplicateHardwareId => 2,
        }
    }
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its number in the whole matrix, whatever is left out: its device is the same in every run.
    pub(super) number: u32,
    pub(super) shape: Shape,
    pub(super) auth: Auth,
    pub(super) case: Case,
}

impl Place {
    pub(super) fn id(&self) -> String {
        format!("{}/{}/{}", self.auth.word(), self.case.word(), self.shape.word())
    }
}

/// The whole matrix, in the order in which it is gone through.
pub(super) fn matrix() -> Vec<Place> {
    let mut places = Vec::new();
    let mut number = 0;
    for auth in Auth::ALL {
        for case in Case::ALL.into_iter().filter(|case| case.suits(auth)) {
            for shape in Shape::ALL {
                places.push(Place { number, shape, auth, case });
                number += 1;
            }
        }
    }
    places
}
