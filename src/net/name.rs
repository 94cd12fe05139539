//! Host names as routes carry them: exact ones, and `*.suffix` for everything below a name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// Which host names are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPattern {
    /// Lower case, without a dot at its end; an IPv6 address without brackets.
    name: String,
    /// Everything below the name, at any depth, and not the name itself.
    below: bool,
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{0:?} is no host name: write it like enroll.contoso.com, or *.contoso.com for all names below contoso.com"
)]
pub struct HostPatternError(String);

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let plain = plain(text);
        let (name, below) = match plain.strip_prefix("*.") {
            Some(suffix) => (suffix.to_owned(), true),
            None => (plain, false),
        };
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let good = name.split('.').all(label) || (!below && name.parse::<IpAddr>().is_ok());
        if good { Ok(Self { name, below }) } else { Err(HostPatternError(text.into())) }
    }
}

impl HostPattern {
    /// The one name that it stands for.
    pub fn exact(&self) -> Option<&str> {
        (!self.below).then_some(self.name.as_str())
    }

    pub fn matches(&self, host: &str) -> bool {
        let host = plain(host);
        if self.below { is_below(&host, &self.name) } else { host == self.name }
    }

    /// Whatever the other one matches, this one does.
    pub fn covers(&self, other: &Self) -> bool {
        self == other || (self.below && is_below(&other.name, &self.name))
    }

    /// Of several that match one name, the highest is meant: an exact one, then the longest.
    pub fn rank(&self) -> (bool, usize) {
        (!self.below, self.name.len())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.below { "*." } else { "" })?;
        f.write_str(&self.name)
    }
}

/// Names compare without case, and without the dot that ends an absolute one.
pub fn plain(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name).and_then(|rest| rest.strip_suffix('.')).is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_without_case_and_without_the_last_dot() {
        let check = |pattern: &str, host: &str, expected: bool| {
            let pattern: HostPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(host), expected, "{pattern} {host}");
        };
        check("Enroll.Contoso.com", "enroll.contoso.COM.", true);
        check("enroll.contoso.com.", "enroll.contoso.com", true);
        check("enroll.contoso.com", "a.enroll.contoso.com", false);
        check("*.contoso.com", "a.contoso.com", true);
        check("*.contoso.com", "a.b.contoso.com", true);
        check("*.contoso.com", "contoso.com", false);
        check("*.contoso.com", ".contoso.com", false);
        check("*.contoso.com", "evilcontoso.com", false);
        check("[::1]", "::1", true);
    }

    #[test]
    fn the_exact_name_and_then_the_longest_suffix_is_meant() {
        let rank = |text: &str| text.parse::<HostPattern>().unwrap().rank();
        assert!(rank("a.b") > rank("*.a-long-name.example") && rank("*.x.a.b") > rank("*.a.b"));
        let covers = |a: &str, b: &str| a.parse::<HostPattern>().unwrap().covers(&b.parse().unwrap());
        assert!(covers("*.b", "a.b") && covers("*.b", "*.a.b") && covers("a.b", "A.B."));
        assert!(!covers("*.a.b", "*.b") && !covers("a.b", "*.a.b"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "*", "*.", "a b", "a..b", "*.*.b", "a.*.b", "https://a.b", "a.b:443", "*.::1"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
