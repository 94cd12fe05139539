//! What to look at: a domain, a user of it, or a server.

use thiserror::Error;

use crate::message::names::DISCOVERY_PATH;
use crate::net::HostPattern;
use crate::sim::Address;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As it was given.
    pub text: String,
    /// The domain whose names are looked up; absent where a server was named.
    pub domain: Option<String>,
    /// Whose address discovery asks with; made up where none was given.
    pub user: String,
    /// Where discovery is asked.
    pub discovery: Address,
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{0:?} is no domain (contoso.com), no user (anna@contoso.com) and no server (https://mdm.contoso.com[:PORT][/PATH], \
     without a user or a password in it); a name with letters beyond a to z is written as DNS has it (xn--…)"
)]
pub struct TargetError(String);

/// Who asks where nobody was named.
const NOBODY: &str = "preflight";

impl Target {
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError(text.chars().take(100).collect());
        let text = text.trim();
        if text.contains("://") {
            let address = Address::parse(text).ok_or_else(wrong)?;
            let discovery = match address.target.as_str() {
                "" | "/" => address.at(DISCOVERY_PATH),
                _ => address,
            };
            let of = if discovery.host.contains(':') { "enrollscope.invalid" } else { &discovery.host };
            let user = format!("{NOBODY}@{of}");
            // A query may hold what is nobody's business.
            let text = text.split_once('?').map_or(text.to_owned(), |(before, _)| format!("{before}?…"));
            return Ok(Self { text, domain: None, user, discovery });
        }
        let (user, domain) = match text.rsplit_once('@') {
            Some((name, domain)) if !name.is_empty() => (Some(text), domain),
            Some(_) => return Err(wrong()),
            None => (None, text),
        };
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let domain = domain.strip_prefix("enterpriseenrollment.").unwrap_or(&domain);
        let is_name = domain.parse::<HostPattern>().is_ok_and(|name| name.exact().is_some());
        let is_address = domain.parse::<std::net::IpAddr>().is_ok();
        // RFC 1035 2.3.4, with the name before it.
        if !is_name || is_address || !domain.contains('.') || domain.len() > 230 {
            return Err(wrong());
        }
        Ok(Self {
            text: text.to_owned(),
            domain: Some(domain.to_owned()),
            user: user.map_or_else(|| format!("{NOBODY}@{domain}"), ToOwned::to_owned),
            discovery: Address {
                secure: true,
                host: format!("EnterpriseEnrollment.{domain}"),
                port: 443,
                target: DISCOVERY_PATH.to_owned(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_domains_users_and_servers() {
        for (text, user, discovery) in [
            (
                "contoso.com",
                "preflight@contoso.com",
                "https://EnterpriseEnrollment.contoso.com/EnrollmentServer/Discovery.svc",
            ),
            (
                "Anna@Contoso.com",
                "Anna@Contoso.com",
                "https://EnterpriseEnrollment.contoso.com/EnrollmentServer/Discovery.svc",
            ),
            (
                "enterpriseenrollment.contoso.com.",
                "preflight@contoso.com",
                "https://EnterpriseEnrollment.contoso.com/EnrollmentServer/Discovery.svc",
            ),
            (
                "https://mdm.contoso.com",
                "preflight@mdm.contoso.com",
                "https://mdm.contoso.com/EnrollmentServer/Discovery.svc",
            ),
            ("http://[::1]:8080/d", "preflight@enrollscope.invalid", "http://[::1]:8080/d"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.user.as_str(), target.discovery.to_string().as_str()), (user, discovery));
        }
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        for text in
            ["", "contoso", "@contoso.com", "a@", "ftp://contoso.com", "10.0.0.1", "a b.com", "*.contoso.com"]
        {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        assert!(Target::parse(&format!("{}.com", "a.".repeat(500))).is_err());
    }
}
