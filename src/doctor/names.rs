//! Names as DNS has them: which others they stand for, which addresses those have, and for how long.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use thiserror::Error;

/// A longer chain of aliases is one that nobody meant.
const MAX_ALIASES: usize = 8;
/// More addresses of one name are not tried.
const MAX_ADDRESSES: usize = 8;

/// Asks DNS and nothing else: what this machine's hosts file says, devices do not know.
pub(super) struct Names {
    resolver: TokioResolver,
    /// All that one name may take.
    patience: Duration,
}

/// What a name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The names that it is an alias of, one after the other, with their times to live in seconds.
    pub(super) aliases: Vec<(String, u32)>,
    /// With their times to live in seconds.
    pub(super) addresses: Vec<(IpAddr, u32)>,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NamesError {
    #[error("{0} is no name that DNS could have")]
    BadName(String),
    #[error("there is no such name as {0}")]
    Missing(String),
    #[error("{of} is an alias of {name}, and there is no such name")]
    Dangling { of: String, name: String },
    #[error("{0} has no address")]
    NoAddress(String),
    #[error("its aliases lead in a circle: {0}")]
    Circle(String),
    #[error("it leads over more than {MAX_ALIASES} aliases: {0}")]
    TooLong(String),
    #[error("the name servers give no usable answer about {name}: {why}")]
    Failed { name: String, why: String },
    #[error("this machine's name servers cannot be told: {0}; name one with --dns ADDR:PORT")]
    NoServers(String),
}

impl Names {
    /// By this server, else by those that the operating system is set up with.
    pub(super) fn new(server: Option<SocketAddr>, patience: Duration) -> Result<Self, NamesError> {
        let unusable = |error: NetError| NamesError::NoServers(error.to_string());
        let mut builder = match server {
            Some(server) => {
                let at = |mut connection: ConnectionConfig| {
                    connection.port = server.port();
                    connection
                };
                let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
                let server = NameServerConfig::new(server.ip(), true, connections);
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => TokioResolver::builder_tokio().map_err(unusable)?,
        };
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        options.attempts = 1;
        options.timeout = (patience / 3).max(Duration::from_millis(200));
        Ok(Self { resolver: builder.build().map_err(unusable)?, patience })
    }

    /// Follows the aliases by itself, so that one that leads nowhere or in a circle can be told.
    pub(super) async fn look_up(&self, name: &str) -> Result<Found, NamesError> {
        let late =
            || NamesError::Failed { name: name.to_owned(), why: "they do not answer in time".to_owned() };
        tokio::time::timeout(self.patience, self.follow(name)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn follow(&self, name: &str) -> Result<Found, NamesError> {
        let mut at =
            Name::from_ascii(name).map_err(|_| NamesError::BadName(name.chars().take(80).collect()))?;
        at.set_fqdn(true);
        let mut found = Found::default();
        while let Some((alias, ttl)) = self.alias(&at).await? {
            let shown = shown(&alias);
            let before = found.aliases.iter().any(|(name, _)| name.eq_ignore_ascii_case(&shown));
            found.aliases.push((shown.clone(), ttl));
            if before || shown.eq_ignore_ascii_case(name.trim_end_matches('.')) {
                return Err(NamesError::Circle(found.way(name)));
            }
            if found.aliases.len() > MAX_ALIASES {
                return Err(NamesError::TooLong(found.way(name)));
            }
            at = alias;
        }
        let (v4, v6) = tokio::join!(self.ask(&at, RecordType::A), self.ask(&at, RecordType::AAAA));
        let failed = v4.as_ref().err().or(v6.as_ref().err()).cloned();
        for record in [v4, v6].into_iter().flatten().flatten() {
            let address = match record.1 {
                RData::A(address) => IpAddr::V4(address.0),
                RData::AAAA(address) => IpAddr::V6(address.0),
                _ => continue,
            };
            if found.addresses.len() < MAX_ADDRESSES {
                found.addresses.push((address, record.0));
            }
        }
        if !found.addresses.is_empty() {
            return Ok(found);
        }
        Err(match (failed, found.aliases.as_slice()) {
            (Some(Unanswered::NoName), []) => NamesError::Missing(name.to_owned()),
            (Some(Unanswered::NoName), [before @ .., (last, _)]) => NamesError::Dangling {
                of: before.last().map_or_else(|| name.to_owned(), |(name, _)| name.clone()),
                name: last.clone(),
            },
            (Some(Unanswered::Failed(why)), _) => NamesError::Failed { name: shown(&at), why },
            (None, _) => NamesError::NoAddress(shown(&at)),
        })
    }

    async fn alias(&self, name: &Name) -> Result<Option<(Name, u32)>, NamesError> {
        match self.ask(name, RecordType::CNAME).await {
            Ok(records) => Ok(records.into_iter().find_map(|(ttl, data)| match data {
                RData::CNAME(alias) => Some((alias.0, ttl)),
                _ => None,
            })),
            Err(Unanswered::NoName) => Ok(None),
            Err(Unanswered::Failed(why)) => Err(NamesError::Failed { name: shown(name), why }),
        }
    }

    /// The records of this name and kind; none is no error.
    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Vec<(u32, RData)>, Unanswered> {
        match self.resolver.lookup(name.clone(), kind).await {
            Ok(lookup) => {
                let of_it = lookup.answers().iter().filter(|record| record.name == *name);
                Ok(of_it.map(|record| (record.ttl, record.data.clone())).collect())
            }
            Err(error) if error.is_nx_domain() => Err(Unanswered::NoName),
            Err(error) if error.is_no_records_found() => match failure(&error) {
                Some(why) => Err(Unanswered::Failed(why)),
                None => Ok(Vec::new()),
            },
            Err(NetError::Timeout) => Err(Unanswered::Failed(
                "no answer in time, by UDP or, where it was too long, by TCP".to_owned(),
            )),
            Err(NetError::Proto(error)) => {
                Err(Unanswered::Failed(format!("an answer that is no DNS message ({error})")))
            }
            Err(error) => Err(Unanswered::Failed(error.to_string())),
        }
    }
}

/// The library says of a refusal, too, that there are no records.
fn failure(error: &NetError) -> Option<String> {
    use hickory_resolver::net::DnsError;
    use hickory_resolver::proto::op::ResponseCode;
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code != ResponseCode::NoError => {
            Some(none.response_code.to_string())
        }
        _ => None,
    }
}

#[derive(Clone, Debug)]
enum Unanswered {
    NoName,
    Failed(String),
}

impl Found {
    /// `a → b → c`, the name's aliases after it.
    fn way(&self, name: &str) -> String {
        self.aliases.iter().fold(name.to_owned(), |way, (alias, _)| format!("{way} → {alias}"))
    }

    /// `alias of b → c (TTL 3600 s): 192.0.2.1, 192.0.2.2 (TTL 60 s)`
    pub(super) fn words(&self) -> String {
        let alias = match self.aliases.as_slice() {
            [] => String::new(),
            [(_, ttl), ..] => {
                let names: Vec<_> = self.aliases.iter().map(|(name, _)| name.as_str()).collect();
                format!("alias of {} (TTL {ttl} s): ", names.join(" → "))
            }
        };
        let addresses: Vec<_> = self.addresses.iter().map(|(address, _)| address.to_string()).collect();
        let ttl = self.addresses.iter().map(|(_, ttl)| *ttl).min().unwrap_or_default();
        format!("{alias}{} (TTL {ttl} s)", addresses.join(", "))
    }
}

fn shown(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}
