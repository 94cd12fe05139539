//! What plain HTTP is answered with by us: the local authority's certificate, and where to find the same host securely.

use std::net::Ipv6Addr;

use bytes::Bytes;

use super::connection::Session;
use super::deliver::Reply;
use super::rescue::{self, Kind, Trouble};
use super::sites::{Way, asked_host};
use crate::event::Header;
use crate::net::{Head, Origin, Start};

/// Where devices fetch the local authority's certificate.
const AUTHORITY: &str = "/ca.cer";

/// An answer of ours, when it is for us to give one.
pub(super) fn answer(session: &Session, head: &Head) -> Option<Reply> {
    let plain = session.plain_http().filter(|_| !head.is_connect())?;
    let Start::Request { method, target } = &head.start else { return None };
    let path = path(target);
    let reads = method == "GET" || method == "HEAD";
    if let Some(der) = plain.authority.as_ref().filter(|_| reads && path.split('?').next() == Some(AUTHORITY))
    {
        return Some(authority(der));
    }
    // Behind a front end the device may have come securely.
    if !plain.redirect || session.is_front() {
        return None;
    }
    if !path.starts_with(['/', '?']) {
        let words = "the request's target is no path, which could be led elsewhere";
        return Some(Trouble::new(Kind::Misdirected, words.into()).reply(None));
    }
    let bracketed = |host: String| if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host };
    let asked = asked_host(head, false).map(bracketed);
    let Some(asked) = asked.and_then(|host| Origin::from_authority(true, &host)) else {
        let words = "the request names no host to whose https address it could be redirected";
        return Some(Trouble::new(Kind::Misdirected, words.into()).reply(None));
    };
    // A name that is nobody's here is answered as everywhere else.
    let to = match session.sites().find(Some(&asked.host))? {
        Way::Inspect(site) => site.settings.public.clone().filter(|public| public.secure).unwrap_or(asked),
        Way::Passthrough(_) => asked,
        Way::Refuse => return None,
    };
    Some(redirect(&format!("https://{}{path}", to.authority()), reads))
}

/// Path and query; RFC 9112 3.2.2 allows a whole address in their place.
fn path(target: &str) -> &str {
    let after = if target.starts_with('/') { None } else { target.split_once("://").map(|(_, rest)| rest) };
    match after {
        None => target,
        Some(rest) => rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or("/"),
    }
}

fn authority(der: &Bytes) -> Reply {
    let headers = vec![
        Header::new("Content-Type", "application/pkix-cert"),
        Header::new("Content-Disposition", "attachment; filename=\"ca.cer\""),
        // It may be another one tomorrow.
        Header::new("Cache-Control", "no-store"),
    ];
    rescue::made(200, headers, der.clone())
}

/// Who does more than read keeps its method (RFC 9110 15.4.8).
fn redirect(to: &str, reads: bool) -> Reply {
    let text = format!("This answer comes from enrollscope, not from the enrollment server: it is at {to}\n");
    let headers = vec![
        Header::new("Location", to.to_owned()),
        Header::new("Content-Type", "text/plain; charset=utf-8"),
        Header::new("Cache-Control", "no-store"),
    ];
    rescue::made(if reads { 302 } else { 307 }, headers, Bytes::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_in_every_form_of_a_target() {
        for (target, expected) in [
            ("/a?b", "/a?b"),
            ("http://h/a?b=http://c", "/a?b=http://c"),
            ("http://h", "/"),
            ("http://h?q", "?q"),
            ("/x://y", "/x://y"),
        ] {
            assert_eq!(path(target), expected, "{target}");
        }
    }
}
