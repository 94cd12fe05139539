//! Public names and their servers, from flags and from the configuration file: put together, and checked as a whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cli::{ClientCertificates, Http2, ProxyArgs};
use crate::config::{Host, HostMode, InspectedHost};
use crate::net::{
    CertificateFiles, HostPattern, Keeper, LocalCa, Origin, Planned, Trust, TrustError, load_identity, now,
};
use crate::proxy::{Asking, Mode, Route, SiteSettings};

/// Devices' management goes here when Intune manages them; nobody but Microsoft has certificates for it.
const PASSED_THROUGH: &[&str] =
    &["manage.microsoft.com", "*.manage.microsoft.com", "dm.microsoft.com", "*.dm.microsoft.com"];

/// What a configuration is read for.
#[derive(Clone, Copy)]
pub(super) enum Run<'n> {
    /// Who starts it hears what there is to know.
    Start(&'n dyn Fn(&str)),
    /// To go on with it: devices must not need to trust anybody anew.
    Reload,
}

/// Everything that is configured for names.
#[derive(Debug)]
pub(super) struct Sites {
    hosts: Vec<Host>,
    /// Passed through although nobody said so.
    assumed: Vec<HostPattern>,
    default: Option<InspectedHost>,
}

impl Sites {
    /// Flags and tables together; no name twice.
    pub(super) fn new(args: &ProxyArgs, tables: &[Host]) -> Result<Self> {
        let mut hosts: Vec<Host> = tables.to_vec();
        let mut add = |name: &HostPattern, mode, given: &str| {
            hosts.push(Host { name: name.clone(), mode, given: given.to_owned() });
        };
        for route in &args.route {
            let site = InspectedHost::new(route.upstream.clone());
            add(&route.name, HostMode::Inspect(Box::new(site)), "--route");
        }
        for flag in &args.passthrough {
            add(&flag.name, HostMode::Passthrough(flag.target), "--passthrough");
        }
        for name in &args.refuse {
            add(name, HostMode::Refuse, "--refuse");
        }
        for (at, host) in hosts.iter().enumerate() {
            if let Some(twin) = hosts.iter().skip(at + 1).find(|other| other.name == host.name) {
                bail!(
                    "{} is configured twice, by {} and by {}: keep one of them",
                    host.name,
                    host.given,
                    twin.given
                );
            }
        }
        for host in &hosts {
            if let HostMode::Inspect(site) = &host.mode
                && site.public_url.is_some()
                && !site.rewrite.unwrap_or(args.rewrite)
            {
                bail!(
                    "{}: public-url says how devices call us in rewritten answers: it needs rewrite = true",
                    host.given
                );
            }
        }
        for (at, (given, url, upstream)) in public_urls(&hosts).enumerate() {
            let twin = public_urls(&hosts).take(at).find(|(_, other, of)| *other == url && *of != upstream);
            if let Some((twin, ..)) = twin {
                bail!(
                    "{given} and {twin} have the public-url {url} for different servers: nobody could tell them apart"
                );
            }
        }
        let assumed: Result<Vec<HostPattern>, _> = PASSED_THROUGH.iter().map(|name| name.parse()).collect();
        let mut assumed = assumed?;
        assumed.retain(|name| !hosts.iter().any(|host| host.name.covers(name)));
        let default = args.upstream.clone().map(|upstream| InspectedHost {
            upstream_connect: args.upstream_connect,
            public_url: args.public_url.clone(),
            certificate: given_certificate(args),
            ..InspectedHost::new(upstream)
        });
        Ok(Self { hosts, assumed, default })
    }

    fn inspected(&self) -> impl Iterator<Item = (&HostPattern, &InspectedHost)> {
        self.hosts.iter().filter_map(|host| match &host.mode {
            HostMode::Inspect(site) => Some((&host.name, &**site)),
            HostMode::Passthrough(_) | HostMode::Refuse => None,
        })
    }

    /// Nothing would ever be forwarded.
    pub(super) fn is_empty(&self) -> bool {
        self.default.is_none() && self.hosts.is_empty()
    }

    /// In words for the screen's head.
    pub(super) fn subject(&self) -> String {
        let all = self.default.iter().map(|site| site.upstream.to_string());
        let named = self.inspected().map(|(name, site)| format!("{name} → {}", site.upstream));
        all.chain(named).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn is_insecure(&self, args: &ProxyArgs) -> bool {
        let of = |site: &InspectedHost| site.upstream_insecure.unwrap_or(args.upstream_insecure);
        self.inspected().map(|(_, site)| site).chain(&self.default).any(of)
    }

    /// What the proxy is told of them.
    pub(super) fn settings(&self, args: &ProxyArgs) -> Result<(Vec<Route>, Option<SiteSettings>)> {
        let mut trusts = Trusts::default();
        let mut routes = Vec::new();
        for host in &self.hosts {
            let mode = match &host.mode {
                HostMode::Inspect(site) => Mode::Inspect(Box::new(trusts.settings(site, args)?)),
                HostMode::Passthrough(target) => Mode::Passthrough(*target),
                HostMode::Refuse => Mode::Refuse,
            };
            routes.push(Route { name: host.name.clone(), mode, assumed: false });
        }
        let assumed = self.assumed.iter().cloned();
        routes.extend(assumed.map(|name| Route { name, mode: Mode::Passthrough(None), assumed: true }));
        let default = self.default.as_ref().map(|site| trusts.settings(site, args)).transpose()?;
        Ok((routes, default))
    }

    /// The certificates: each name's own, else the given one, else the local authority's.
    pub(super) fn certificates(&self, args: &ProxyArgs, run: Run<'_>) -> Result<Keeper> {
        let given = given_certificate(args);
        let mut planned: Vec<Planned> =
            given.iter().map(|files| Planned { files: files.clone(), names: Vec::new() }).collect();
        let mut local = Vec::new();
        for (name, site) in self.inspected() {
            let Some(files) = site.certificate.as_ref().or(given.as_ref()) else {
                local.push(name);
                continue;
            };
            match planned.iter_mut().find(|planned| planned.files == *files) {
                Some(planned) => planned.names.push(name.clone()),
                None => planned.push(Planned { files: files.clone(), names: vec![name.clone()] }),
            }
        }
        let needs_local = given.is_none() && (self.default.is_some() || !local.is_empty());
        let ca = if needs_local { Some(self.local_authority(args, &local, run)?) } else { None };
        Ok(Keeper::open(planned, ca.as_ref(), given.is_some() && self.default.is_some(), now())?)
    }

    fn local_authority(&self, args: &ProxyArgs, names: &[&HostPattern], run: Run<'_>) -> Result<LocalCa> {
        let mut hosts = args.host.clone();
        if let Some(site) = self.default.as_ref().filter(|_| hosts.is_empty()) {
            hosts.extend([site.upstream.host.clone(), "localhost".to_owned()]);
        }
        for name in names {
            match name.exact() {
                Some(name) => hosts.push(name.to_owned()),
                None if hosts.iter().any(|host| name.matches(host)) => {}
                None => bail!(
                    "{name} has no certificate, and the local authority makes none for all names below one: give one with \
                     tls-cert in [proxy.hosts.\"{name}\"], or with --tls-cert, or name the hosts with --host"
                ),
            }
        }
        let Run::Start(note) = run else {
            return LocalCa::open_for(&args.certs, &hosts, now())?.with_context(|| {
                format!(
                    "the local authority in {} cannot issue for {}: a new start makes another one, which devices must \
                     then be told to trust",
                    args.certs.display(),
                    hosts.join(", ")
                )
            });
        };
        let ca = LocalCa::open_or_make(&args.certs, &hosts, now())?;
        note(&format!(
            "certificate from the local authority {} for {}; devices must trust it: enrollscope certs install --certs {}",
            ca.common_name(),
            ca.hosts().join(", "),
            args.certs.display()
        ));
        Ok(ca)
    }
}

/// Where they were given, what they are, and for which server.
fn public_urls(hosts: &[Host]) -> impl Iterator<Item = (&str, &Origin, &Origin)> {
    hosts.iter().filter_map(|host| match &host.mode {
        HostMode::Inspect(site) => Some((host.given.as_str(), site.public_url.as_ref()?, &site.upstream)),
        HostMode::Passthrough(_) | HostMode::Refuse => None,
    })
}

fn given_certificate(args: &ProxyArgs) -> Option<CertificateFiles> {
    match (&args.tls_cert, &args.tls_key, &args.tls_pfx) {
        (Some(certificate), Some(key), _) => {
            Some(CertificateFiles::Pem { certificate: certificate.clone(), key: key.clone() })
        }
        (_, _, Some(file)) => {
            let variable = args.tls_pfx_password_env.clone();
            Some(CertificateFiles::Pfx { file: file.clone(), variable })
        }
        _ => None,
    }
}

/// Loading the system's authorities takes a moment: once for all sites that trust the same.
#[derive(Default)]
struct Trusts(HashMap<(Option<PathBuf>, bool), Trust>);

impl Trusts {
    fn settings(&mut self, site: &InspectedHost, args: &ProxyArgs) -> Result<SiteSettings> {
        let trust = if site.upstream.secure {
            let ca = site.upstream_ca.as_ref().or(args.upstream_ca.as_ref());
            let insecure = site.upstream_insecure.unwrap_or(args.upstream_insecure);
            let trust = self.find(ca.map(PathBuf::as_path), insecure)?;
            Some(match site.upstream_identity.as_ref().or(args.upstream_identity.as_ref()) {
                Some(file) => trust.with_identity(&load_identity(file, file)?),
                None => trust,
            })
        } else {
            None
        };
        let header = site.client_certificate_header.as_ref();
        Ok(SiteSettings {
            upstream_address: site.upstream_connect,
            client_certificates: match site.client_certificates.unwrap_or(args.client_certificates) {
                ClientCertificates::Auto => Asking::Auto,
                ClientCertificates::Ask => Asking::Ask,
                ClientCertificates::Never => Asking::Never,
            },
            certificate_header: header.unwrap_or(&args.client_certificate_header).clone(),
            rewrite: site.rewrite.unwrap_or(args.rewrite),
            rewrite_management: args.rewrite_management,
            public: site.public_url.clone(),
            http2: site.http2.unwrap_or(args.http2) == Http2::Auto,
            ..SiteSettings::new(site.upstream.clone(), trust)
        })
    }

    fn find(&mut self, ca: Option<&Path>, insecure: bool) -> Result<Trust, TrustError> {
        let key = (ca.map(Path::to_owned), insecure);
        if let Some(trust) = self.0.get(&key) {
            return Ok(trust.clone());
        }
        let trust = Trust::new(ca.map(Path::to_owned), insecure)?;
        self.0.insert(key, trust.clone());
        Ok(trust)
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;
    use crate::cli::{Cli, Command, command};
    use crate::config::Configured;

    fn sites(words: &str, file: &str) -> Result<Sites> {
        let line = ["enrollscope", "proxy"].into_iter().chain(words.split_whitespace());
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("f.toml");
        std::fs::write(&path, file)?;
        let read = Configured::open(&path, line.map(Into::into).collect(), command())?.reading;
        let Command::Proxy(args) = &read.cli.command else { bail!("no proxy") };
        Sites::new(args, &read.hosts)
    }

    fn ways(sites: &Sites) -> Vec<String> {
        let way = |host: &Host| match &host.mode {
            HostMode::Inspect(site) => format!("{}={}", host.name, site.upstream),
            HostMode::Passthrough(Some(target)) => format!("{}>{target}", host.name),
            HostMode::Passthrough(None) => format!("{}>", host.name),
            HostMode::Refuse => format!("{}!", host.name),
        };
        let assumed = sites.assumed.iter().map(|name| format!("({name})"));
        sites.hosts.iter().map(way).chain(assumed).collect()
    }

    #[test]
    fn flags_and_tables_are_put_together_and_management_passes_through() {
        let words = "--route A.example.=https://a --passthrough b.example=192.0.2.1:444 --refuse *.c.example";
        let file = "[proxy.hosts.'d.example']\nmode = 'passthrough'\nupstream-connect = '192.0.2.2:443'\n\
                    [proxy.hosts.'*.dm.microsoft.com']\nupstream = 'http://d'";
        let expected = [
            "*.dm.microsoft.com=http://d",
            "d.example>192.0.2.2:443",
            "a.example=https://a",
            "b.example>192.0.2.1:444",
            "*.c.example!",
            "(manage.microsoft.com)",
            "(*.manage.microsoft.com)",
            "(dm.microsoft.com)",
        ];
        assert_eq!(ways(&sites(words, file).unwrap()), expected);
        // Whoever takes all of Microsoft's names takes these, too.
        assert_eq!(ways(&sites("--refuse *.microsoft.com", "").unwrap()), ["*.microsoft.com!"]);
        assert!(sites("", "").unwrap().is_empty() && !sites("--upstream http://a", "").unwrap().is_empty());
    }

    #[test]
    fn names_that_contradict_each_other_are_refused() {
        for (words, file, said) in [
            ("--route a.b=http://x --refuse A.b.", "", "a.b is configured twice, by --route and by --refuse"),
            (
                "--route a.b=http://x",
                "[proxy.hosts.'a.B']\nupstream = 'http://y'",
                "configured twice, by [proxy.hosts.\"a.B\"] in ",
            ),
            (
                "",
                "[proxy.hosts.'a.b']\nupstream = 'http://y'\npublic-url = 'https://a.b'",
                "needs rewrite = true",
            ),
            (
                "--rewrite",
                "[proxy.hosts.'a.b']\nupstream = 'http://x'\npublic-url = 'https://u'\n\
                 [proxy.hosts.'c.d']\nupstream = 'http://y'\npublic-url = 'https://u'",
                "for different servers",
            ),
        ] {
            let found = sites(words, file).unwrap_err().to_string();
            assert!(found.contains(said), "{found}");
        }
    }

    #[test]
    fn a_site_has_its_own_settings_and_else_those_of_the_flags() {
        let file = "[proxy.hosts.'a.b']\nupstream = 'http://y'\nrewrite = false\nupstream-connect = '192.0.2.2:80'\n\
                    [proxy.hosts.'c.d']\nupstream = 'https://z'\nupstream-insecure = true";
        let line =
            ["enrollscope", "proxy", "--upstream", "http://x", "--rewrite", "--public-url", "http://us"];
        let Command::Proxy(args) = Cli::from_arg_matches(&command().get_matches_from(line)).unwrap().command
        else {
            panic!("no proxy")
        };
        let sites = sites("--upstream http://x --rewrite --public-url http://us", file).unwrap();
        let (routes, default) = sites.settings(&args).unwrap();
        let default = default.unwrap();
        assert!(default.rewrite && default.public.is_some() && sites.is_insecure(&args));
        let Mode::Inspect(a) = &routes[0].mode else { panic!("not inspected") };
        assert!(!a.rewrite && a.public.is_none() && a.upstream_address.is_some());
        let Mode::Inspect(c) = &routes[1].mode else { panic!("not inspected") };
        assert!(c.rewrite && c.trust.as_ref().is_some_and(Trust::is_insecure));
        assert_eq!(sites.subject(), "http://x, a.b → http://y, c.d → https://z");
    }
}
