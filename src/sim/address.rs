//! Where a URL leads: scheme, host, port and request target.

use std::fmt;

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
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
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
        for url in ["mdm.example", "/a", "ftp://mdm.example/", "https://", ""] {
            assert_eq!(Address::parse(url), None, "{url}");
        }
    }
}
