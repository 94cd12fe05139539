//! An origin: scheme, host and port of a server, without a path.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    pub secure: bool,
    /// Lower case; an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum OriginError {
    #[error("{0:?} is no origin: write https://HOST or https://HOST:PORT (or http://)")]
    Scheme(String),
    #[error("{0:?} has a path: give the origin only, paths pass as the devices send them")]
    Path(String),
    #[error("{0:?} names no host")]
    Host(String),
    #[error("{0:?} has a port that is no number from 1 to 65535")]
    Port(String),
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| OriginError::Scheme(text.into()))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(OriginError::Scheme(text.into())),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(OriginError::Path(text.into()));
        }
        Self::from_authority(secure, authority).ok_or_else(|| match authority.rsplit_once(':') {
            Some((host, _)) if !host.is_empty() && !authority.ends_with(']') => {
                OriginError::Port(text.into())
            }
            _ => OriginError::Host(text.into()),
        })
    }
}

impl Origin {
    /// Reads `host[:port]`, as a Host header carries it.
    pub fn from_authority(secure: bool, authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0)?,
            None => default_port(secure),
        };
        let good = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "@/\\?#".contains(c));
        good.then(|| Self { secure, host: host.to_ascii_lowercase(), port })
    }

    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// `host` or `host:port`, as a Host header carries it.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }

    /// With the port even when it is the scheme's own.
    pub fn explicit(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{}://{host}:{}", self.scheme(), self.port)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_and_written() {
        let check = |text: &str, explicit: &str, short: &str| {
            let origin: Origin = text.parse().unwrap();
            assert_eq!((origin.explicit(), origin.to_string()), (explicit.to_owned(), short.to_owned()));
        };
        check("https://MDM.example", "https://mdm.example:443", "https://mdm.example");
        check("https://mdm.example:443/", "https://mdm.example:443", "https://mdm.example");
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080");
        check("https://[::1]:8443", "https://[::1]:8443", "https://[::1]:8443");
    }

    #[test]
    fn what_is_no_origin_says_why() {
        let check = |text: &str, expected: fn(String) -> OriginError| {
            assert_eq!(text.parse::<Origin>(), Err(expected(text.to_owned())));
        };
        check("mdm.example", OriginError::Scheme);
        check("ftp://mdm.example", OriginError::Scheme);
        check("https://mdm.example/EnrollmentServer", OriginError::Path);
        check("https://", OriginError::Host);
        check("https://mdm.example:0", OriginError::Port);
        check("https://mdm.example:https", OriginError::Port);
    }
}
