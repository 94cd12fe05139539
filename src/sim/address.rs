//! Where a URL leads: scheme, host, port and request target.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::net::{HostPattern, plain};

/// An absolute http or https URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub secure: bool,
    /// As spelled; an IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
    /// Path and query.
    pub target: String,
}

impl Address {
    pub fn parse(url: &str) -> Option<Self> {
        let uri: hyper::Uri = url.trim().parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        // A port that is none, and a name with its password, are nothing that a device follows.
        let authority = uri.authority()?.as_str();
        let (_, after) = authority.rsplit_once(&host).filter(|(before, _)| !before.contains('@'))?;
        let port = match after.trim_start_matches(']').strip_prefix(':') {
            Some("") | None => {
                if secure {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.parse().ok()?,
        };
        let target = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        Some(Self { secure, host, port, target })
    }

    /// The same server, another target.
    pub fn at(&self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self.clone() }
    }

    /// The Host header's value: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let own = if self.secure { 443 } else { 80 };
        if self.port == own { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether what is sent there goes to nobody else than `home`: its own host, this machine, wherever connections are led
    /// by hand, and hosts that were allowed.
    pub(crate) fn stays_with(
        &self,
        home: &Self,
        connect: Option<SocketAddr>,
        allowed: &[HostPattern],
    ) -> bool {
        let host = plain(&self.host);
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        connect.is_some()
            || local
            || host == plain(&home.host)
            || allowed.iter().any(|pattern| pattern.matches(&host))
    }

    /// `https://host`, without a target.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        for (url, authority, target) in [
            ("https://mdm.example", "mdm.example", "/"),
            ("https://mdm.example:443/a/b?c=d", "mdm.example", "/a/b?c=d"),
            ("http://[::1]:8080/x", "[::1]:8080", "/x"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.authority().as_str(), address.target.as_str()), (authority, target));
            assert_eq!(Address::parse(&address.to_string()), Some(address));
        }
        for url in [
            "mdm.example",
            "/a",
            "ftp://mdm.example/",
            "https://",
            "https://a:99999/",
            "https://a:b@c.example/",
            "https://a:-1/",
            "",
        ] {
            assert_eq!(Address::parse(url), None, "{url}");
        }
    }
}
