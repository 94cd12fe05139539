//! The sites behind the listeners: which of them a name means, each with its own connections to its own server.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::pool::Pool;
use super::rescue::{Kind, Trouble};
use super::settings::{Mode, Settings, SiteSettings};
use crate::event::header;
use crate::net::{Head, HostPattern, Origin, Sessions, Start, plain};

/// A site that is looked into.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) settings: SiteSettings,
    pub(super) pool: Pool,
    pub(super) sessions: Sessions,
}

impl Site {
    /// Devices may have HTTP/2. Where that is not known, somebody goes and looks.
    pub(super) fn speaks_http2(self: &Arc<Self>) -> bool {
        if self.pool.protocols.is_due() {
            let site = Arc::clone(self);
            tokio::spawn(async move { site.pool.probe().await });
        }
        self.pool.protocols.are_http2()
    }
}

/// What a name is configured for.
#[derive(Clone, Debug)]
pub(super) enum Way {
    Inspect(Arc<Site>),
    Passthrough(Option<SocketAddr>),
    Refuse,
}

/// All sites; nothing is ever connected to that is not among them.
#[derive(Debug)]
pub(super) struct Sites {
    /// The most particular pattern first.
    named: Vec<(HostPattern, Way)>,
    default: Option<Arc<Site>>,
    /// Names that are passed through by where they resolve to, and that somebody asked for.
    resolved: Vec<String>,
}

impl Sites {
    pub(super) fn new(settings: &Settings) -> Self {
        let site = |site: &SiteSettings| {
            let pool = Pool::new(site, &settings.limits);
            Arc::new(Site { settings: site.clone(), pool, sessions: Sessions::default() })
        };
        let way = |mode: &Mode| match mode {
            Mode::Inspect(settings) => Way::Inspect(site(settings)),
            Mode::Passthrough(target) => Way::Passthrough(*target),
            Mode::Refuse => Way::Refuse,
        };
        let mut named: Vec<_> =
            settings.routes.iter().map(|route| (route.name.clone(), way(&route.mode))).collect();
        named.sort_by_key(|(name, _)| std::cmp::Reverse(name.rank()));
        // Which names there are below one is seen when devices ask for them.
        let said = settings.routes.iter().filter(|r| !r.assumed && matches!(r.mode, Mode::Passthrough(None)));
        let resolved = said.filter_map(|route| route.name.exact().map(str::to_owned)).collect();
        Self { named, default: settings.default.as_ref().map(site), resolved }
    }

    /// Without a name, whatever takes every name.
    pub(super) fn find(&self, name: Option<&str>) -> Option<Way> {
        let named = name.and_then(|name| self.named.iter().find(|(pattern, _)| pattern.matches(name)));
        named.map(|(_, way)| way.clone()).or_else(|| self.default.clone().map(Way::Inspect))
    }

    /// What devices call the sites that have a name of their own here, for those whose addresses are rewritten: with
    /// the scheme and the port of `like`, by which a device has come.
    pub(super) fn counterparts(&self, like: &Origin) -> impl Iterator<Item = (Origin, Origin)> {
        self.named.iter().filter_map(move |(pattern, way)| {
            let Way::Inspect(site) = way else { return None };
            let by_name = || Some(Origin { host: pattern.exact()?.to_owned(), ..like.clone() });
            let public = site.settings.public.clone().or_else(by_name)?;
            site.settings.rewrite.then(|| (site.settings.upstream.clone(), public))
        })
    }

    /// What earlier sites have learnt of the same servers.
    pub(super) fn learn_from(&self, before: &Self) {
        for site in self.inspected() {
            before.inspected().for_each(|old| site.pool.learn_from(&old.pool));
        }
    }

    /// Closes the connections that nobody uses.
    pub(super) fn clear(&self) {
        self.inspected().for_each(|site| site.pool.clear());
    }

    fn inspected(&self) -> impl Iterator<Item = &Arc<Site>> {
        let named = self.named.iter().filter_map(|(_, way)| match way {
            Way::Inspect(site) => Some(site),
            Way::Passthrough(_) | Way::Refuse => None,
        });
        named.chain(&self.default)
    }

    /// The names and addresses that may be connected to, as far as somebody gave them, and what for.
    pub(super) fn targets(&self) -> Vec<(String, Target)> {
        let mut targets: Vec<_> = self
            .inspected()
            .map(|site| {
                let SiteSettings { upstream, upstream_address, .. } = &site.settings;
                let target = match upstream_address {
                    Some(address) => Target::Address(*address),
                    None => Target::Name(upstream.host.clone(), upstream.port),
                };
                (format!("the upstream {upstream}"), target)
            })
            .collect();
        let through = |name: &dyn fmt::Display| format!("{name}, which is to be passed through,");
        for (name, way) in &self.named {
            if let Way::Passthrough(Some(address)) = way {
                targets.push((through(name), Target::Address(*address)));
            }
        }
        targets.extend(self.resolved.iter().map(|name| (through(name), Target::Name(name.clone(), HTTPS))));
        targets
    }
}

/// Where TLS that is passed through goes, when no port is given.
pub(super) const HTTPS: u16 = 443;

/// Something to connect to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Address(SocketAddr),
    Name(String, u16),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl Target {
    pub(super) async fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        match self {
            Self::Address(address) => Ok(vec![*address]),
            Self::Name(name, port) => Ok(tokio::net::lookup_host((name.as_str(), *port)).await?.collect()),
        }
    }
}

/// Host and port of an absolute target.
fn authority_of(target: &str) -> Option<&str> {
    let (_, rest) = target.split_once("://").filter(|_| !target.starts_with('/'))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    // What stands before an @ names nobody, and may be a password.
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

/// A target and a Host that name different ones: whoever reads the other one is led astray (RFC 9112 3.2.2 has a proxy
/// write Host anew, which would hide it).
pub(super) fn two_hosts(head: &Head, secure: bool) -> Option<String> {
    let Start::Request { target, .. } = &head.start else { return None };
    let authority = authority_of(target)?;
    let host = header(&head.headers, "host")?.text().trim().to_owned();
    let same = authority.eq_ignore_ascii_case(&host)
        || Origin::from_authority(secure, authority)
            .is_some_and(|origin| Origin::from_authority(secure, &host).is_some_and(|other| origin == other));
    (!same).then(|| format!("the request's target names {authority:?}, and its Host {host:?}"))
}

/// The host that a request is for: RFC 9112 3.2.2 has an absolute target win over Host.
pub(super) fn asked_host(head: &Head, secure: bool) -> Option<String> {
    let Start::Request { target, .. } = &head.start else { return None };
    let authority = match authority_of(target) {
        Some(authority) => authority.to_owned(),
        None => header(&head.headers, "host")?.text().trim().to_owned(),
    };
    if authority.is_empty() {
        return None;
    }
    let host = Origin::from_authority(secure, &authority).map(|origin| origin.host);
    // One that cannot be read is a name all the same, of nobody.
    Some(plain(&host.unwrap_or(authority)))
}

/// The site that a request goes to, by its host, else by the name in the ClientHello.
pub(super) fn site(sites: &Sites, host: Option<&str>, sni: Option<&str>) -> Result<Arc<Site>, Trouble> {
    let name = host.or(sni);
    let shown = name.unwrap_or("");
    match sites.find(name) {
        Some(Way::Inspect(site)) => Ok(site),
        Some(Way::Passthrough(_)) => Err(Trouble::new(
            Kind::Misdirected,
            format!(
                "{shown} is configured to be passed through untouched, and this request came on a connection that is not"
            ),
        )),
        Some(Way::Refuse) => {
            Err(Trouble::new(Kind::Misdirected, format!("{shown} is configured to be refused (--refuse)")))
        }
        None if name.is_none() => Err(Trouble::new(
            Kind::Misdirected,
            "the request names no host, and there is no server for every name; give one with --upstream URL"
                .into(),
        )),
        None => Err(Trouble::new(
            Kind::Misdirected,
            format!(
                "no server is configured for the host {shown:?}; give it one with --route NAME=URL, or give one for \
                 every name with --upstream URL"
            ),
        )),
    }
}

/// The name in the ClientHello and the one in the request contradict each other.
pub(super) fn contradiction(host: Option<&str>, sni: Option<&str>) -> Option<String> {
    let (host, sni) = (host?, plain(sni?));
    (host != sni)
        .then(|| format!("TLS was asked for {sni}, the request is for {host}, and went where {host} leads"))
}
