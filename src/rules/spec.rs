//! Where a rule comes from, and how strongly its source speaks.

/// A place in a source.
#[derive(Debug)]
pub struct Cite {
    pub spec: Spec,
    pub section: &'static str,
    pub force: Force,
    /// The source's own words, or for [`Force::Observed`] what was seen.
    pub quote: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spec {
    MsMde2,
    MsMde,
    MsXcep,
    MsWstep,
    /// Microsoft's pages on mobile device enrollment for Windows.
    MsDocs,
    /// The Windows SDK's header mdmregistration.h.
    Sdk,
    Soap12,
    WsAddressing,
    WsSecurity,
    /// WS-Trust 1.3.
    WsTrust,
    Xml,
    /// Windows Client Certificate Enrollment Protocol.
    MsWcce,
    XmlSignature,
    XmlSchema,
    Rfc2986,
    Rfc5280,
    /// Cryptographic Message Syntax.
    Rfc5652,
    /// JSON Web Token.
    Rfc7519,
    Rfc9112,
    /// Recordings of real devices and servers.
    Field,
}

impl Spec {
    pub fn name(self) -> &'static str {
        match self {
            Self::MsMde2 => "MS-MDE2",
            Self::MsMde => "MS-MDE",
            Self::MsXcep => "MS-XCEP",
            Self::MsWstep => "MS-WSTEP",
            Self::MsDocs => "Microsoft Learn",
            Self::Sdk => "Windows SDK",
            Self::Soap12 => "SOAP 1.2",
            Self::WsAddressing => "WS-Addressing 1.0",
            Self::WsSecurity => "WS-Security 1.0",
            Self::WsTrust => "WS-Trust 1.3",
            Self::Xml => "XML 1.0",
            Self::MsWcce => "MS-WCCE",
            Self::XmlSignature => "XML Signature",
            Self::XmlSchema => "XML Schema",
            Self::Rfc2986 => "RFC 2986",
            Self::Rfc5280 => "RFC 5280",
            Self::Rfc5652 => "RFC 5652",
            Self::Rfc7519 => "RFC 7519",
            Self::Rfc9112 => "RFC 9112",
            Self::Field => "observed",
        }
    }
}

/// How strongly the source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Force {
    Must,
    Should,
    /// No document says so, but devices and servers behave so, or a documented error code does.
    Observed,
}

/// How sure it is that the user sees a code because of a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A document has the code for this very case.
    Documented,
    /// Devices were seen to show it.
    Observed,
    /// It is what the code is for, as documents have it.
    Inferred,
}

impl Basis {
    pub fn word(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
            Self::Inferred => "inferred",
        }
    }
}

impl Cite {
    /// What this source says of codes: the tables of faults and of the SDK have them, recordings show them.
    pub(super) fn basis(&self) -> Basis {
        match self.spec {
            Spec::Sdk | Spec::MsDocs => Basis::Documented,
            Spec::MsMde2 if self.section.starts_with("2.2.10") => Basis::Documented,
            Spec::Field => Basis::Observed,
            _ => Basis::Inferred,
        }
    }

    pub(super) const fn must(spec: Spec, section: &'static str, quote: &'static str) -> Self {
        Self { spec, section, force: Force::Must, quote }
    }

    pub(super) const fn should(spec: Spec, section: &'static str, quote: &'static str) -> Self {
        Self { spec, section, force: Force::Should, quote }
    }

    pub(super) const fn observed(spec: Spec, section: &'static str, quote: &'static str) -> Self {
        Self { spec, section, force: Force::Observed, quote }
    }

    /// `MS-MDE2 3.1.4.1.3.2`.
    pub fn text(&self) -> String {
        if self.section.is_empty() {
            return self.spec.name().to_owned();
        }
        format!("{} {}", self.spec.name(), self.section)
    }
}
