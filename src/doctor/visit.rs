//! Requests to servers, with what the engine says of the answers. A server that a user named may be anywhere; where an
//! answer leads is nobody's word but the server's, so it leads to no private address unless that is allowed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::names::{Names, NamesError};
use super::private::is_private;
use super::run::Means;
use super::tls::looking;
use crate::engine::Engine;
use crate::enrollment::Deadlines;
use crate::event::{Event, Exchange, Request, Response, header};
use crate::rules::{Finding, Profile};
use crate::sim::{Address, Answered, Client, said};

/// Chunked, mislabelled, compressed unasked, cut short: what a server or its front end does to every answer alike.
const FRAMING: [&str; 4] = ["HTTP-001", "HTTP-007", "HTTP-010", "HTTP-015"];

/// A longer chain of redirects is one that nobody meant.
const MAX_REDIRECTS: usize = 10;

const UNBELIEVED: &str = "Serve a certificate there, too, that devices trust, that names this host and has not ended, with its chain.";

pub(super) struct Visitor<'m> {
    means: &'m Means,
    names: Result<Names, NamesError>,
    /// Where the target is: it may be as private as it likes.
    pub(super) home: Vec<IpAddr>,
    /// The target's address that answers.
    pub(super) reached: Option<SocketAddr>,
    /// The target's certificate is not one that devices take: it is looked at all the same, and gets no secrets.
    pub(super) unbelieved: bool,
    /// What was said, redacted.
    pub(super) exchanges: Vec<Arc<Exchange>>,
    /// Breaches of [`FRAMING`], the first of each: they are of all answers, and told once.
    pub(super) framing: Vec<Finding>,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) words: String,
    pub(super) remedy: Option<&'static str>,
    pub(super) hresult: Option<u32>,
    /// It was not tried.
    pub(super) untried: bool,
}

/// A request and what came of it.
pub(super) struct Visit {
    pub(super) answer: Result<Response, Trouble>,
    /// About the answer, by who runs the server; without those of [`FRAMING`].
    pub(super) findings: Vec<Finding>,
}

/// Where redirects lead.
pub(super) struct Way {
    /// From where, with which status, to what.
    pub(super) hops: Vec<(Address, u16, String)>,
    pub(super) last: Address,
    pub(super) visit: Visit,
}

/// The judgement of one conversation: it is its own, so that the probes are not taken for one device's.
pub(super) fn engine() -> Engine {
    Engine::new(Profile::Field, Deadlines::default())
}

impl<'m> Visitor<'m> {
    pub(super) fn new(means: &'m Means) -> Self {
        Self {
            means,
            names: Names::new(means.dns, means.patience),
            home: Vec::new(),
            reached: None,
            unbelieved: false,
            exchanges: Vec::new(),
            framing: Vec::new(),
        }
    }

    pub(super) fn names(&self) -> Result<&Names, NamesError> {
        self.names.as_ref().map_err(Clone::clone)
    }

    /// The addresses of a host: by DNS, and where that has none and no server was named, as this machine knows it.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NamesError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
        }
        let found = match self.names() {
            Ok(names) => names.look_up(host).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => Ok(found.addresses.into_iter().map(|(address, _)| address).collect()),
            Err(error) if self.means.dns.is_some() => Err(error),
            Err(error) => match tokio::net::lookup_host((host, 0)).await {
                Ok(found) => Ok(found.map(|address| address.ip()).collect()),
                Err(_) => Err(error),
            },
        }
    }

    async fn place(&self, to: &Address) -> Result<SocketAddr, Trouble> {
        let target = &self.means.target.discovery;
        if let Some(address) = self.means.connect {
            return Ok(address);
        }
        if let Some(address) = self.reached.filter(|_| to.host == target.host && to.port == target.port) {
            return Ok(address);
        }
        let addresses = self.addresses(&to.host).await.map_err(|error| Trouble {
            words: error.to_string(),
            remedy: Some("Correct the address that the server gives, or have the name in DNS."),
            hresult: Some(0x8007_2EE7),
            untried: false,
        })?;
        let elsewhere = |address: &&IpAddr| is_private(**address) && !self.home.contains(address);
        if let Some(private) = addresses.iter().find(elsewhere).filter(|_| !self.means.follow_private) {
            return Err(Trouble {
                words: format!("{} is at {private}, a private address, and was not asked", to.host),
                remedy: Some("Add --follow-private if that is your own network."),
                hresult: None,
                untried: true,
            });
        }
        let (mut reached, silent) = reach(&addresses, to.port, self.means.patience).await;
        reached.pop().ok_or_else(|| Trouble {
            words: format!("nothing at {} can be connected to: {}", to.origin(), silent.join(", ")),
            remedy: Some("Start what should listen there, or open the firewall."),
            hresult: Some(0x8007_2EFD),
            untried: false,
        })
    }

    /// One exchange, judged.
    pub(super) async fn visit(&mut self, to: &Address, request: Request, engine: &mut Engine) -> Visit {
        let began = Instant::now();
        let answered = match self.place(to).await {
            Ok(address) => self.exchange(to, address, &request).await,
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = &answered
            && trouble.untried
        {
            return Visit { answer: Err(trouble.clone()), findings: Vec::new() };
        }
        let seq = self.exchanges.len() as u64 + 1;
        let came = answered.as_ref().map_err(|trouble| &trouble.words as &dyn std::fmt::Display);
        let mut exchange = said(seq, "doctor", to, request, began.elapsed(), came);
        if let Some(upstream) = exchange.upstream.as_mut().filter(|_| answered.is_ok()) {
            upstream.verified = !self.is_unbelieved(to);
        }
        self.means.redactor.exchange(&mut exchange);
        let exchange = Arc::new(exchange);
        self.exchanges.push(Arc::clone(&exchange));
        let seen = engine.observe(Event::Exchange(exchange));
        let (framing, findings): (Vec<_>, Vec<_>) = seen
            .findings
            .into_iter()
            .filter(Finding::is_about_the_answer)
            .partition(|finding| FRAMING.contains(&finding.rule.id));
        for finding in framing {
            if !self.framing.iter().any(|told| told.rule.id == finding.rule.id) {
                self.framing.push(finding);
            }
        }
        Visit { answer: answered.map(|answered| answered.response), findings }
    }

    fn is_unbelieved(&self, to: &Address) -> bool {
        self.unbelieved && to.host == self.means.target.discovery.host
    }

    async fn exchange(
        &self,
        to: &Address,
        address: SocketAddr,
        request: &Request,
    ) -> Result<Answered, Trouble> {
        let config = if self.is_unbelieved(to) {
            looking(&[&TLS13, &TLS12]).unwrap_or_else(|| self.means.trust.connection().0)
        } else {
            self.means.trust.connection().0
        };
        let patience = self.means.patience;
        // A connection of its own: one that was kept may be closed by the time it is used again.
        let mut client = Client::by(config, address, patience);
        client.exchange(to, request).await.map_err(|error| Trouble {
            words: error.to_string(),
            remedy: matches!(error.hresult(), Some(0x8018_0012 | 0x8018_000D)).then_some(UNBELIEVED),
            hresult: error.hresult(),
            untried: false,
        })
    }

    /// As a browser would, but no further than it is good to go.
    pub(super) async fn follow(
        &mut self,
        to: &Address,
        engine: &mut Engine,
        mut ask: impl FnMut(&Address) -> Request,
    ) -> Way {
        let mut way =
            Way { hops: Vec::new(), last: to.clone(), visit: self.visit(to, ask(to), engine).await };
        loop {
            let Ok(response) = &way.visit.answer else { return way };
            let location = header(&response.headers, "Location").map(|h| h.text().into_owned());
            let (300..400, Some(location)) = (response.status, location) else { return way };
            let status = response.status;
            let next = located(&way.last, &location);
            let shown: String = location.chars().take(120).collect();
            way.hops.push((way.last.clone(), status, next.as_ref().map_or(shown, Address::to_string)));
            let stop = |words: String, hresult| {
                let trouble = Trouble {
                    words,
                    remedy: Some(
                        "Redirect straight to the https:// address of the service, or name that where devices start.",
                    ),
                    hresult,
                    untried: false,
                };
                Visit { answer: Err(trouble), findings: Vec::new() }
            };
            way.visit = match next {
                None => stop("which is no http or https address".to_owned(), None),
                Some(next) if way.last.secure && !next.secure => {
                    stop("which leads from https to http".to_owned(), Some(0x8018_001A))
                }
                Some(next) if way.hops.iter().any(|(before, ..)| *before == next) => {
                    stop("which leads in a circle".to_owned(), Some(0x8007_2F7C))
                }
                Some(_) if way.hops.len() > MAX_REDIRECTS => {
                    stop(format!("and so on, more than {MAX_REDIRECTS} times"), Some(0x8007_2F7C))
                }
                Some(next) => {
                    let visit = self.visit(&next, ask(&next), engine).await;
                    way.last = next;
                    visit
                }
            };
        }
    }
}

/// Where a Location leads (RFC 9110 10.2.2); `None` where no device follows.
fn located(from: &Address, location: &str) -> Option<Address> {
    let location = location.split('#').next().unwrap_or_default();
    if let Some(rest) = location.strip_prefix("//") {
        return Address::parse(&format!("{}://{rest}", if from.secure { "https" } else { "http" }));
    }
    if location.starts_with('/') {
        return Some(from.at(location));
    }
    let scheme = location.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
    if scheme {
        return Address::parse(location);
    }
    let path = from.target.split('?').next().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(from.at(&format!("{folder}/{location}")))
}

/// Which of the addresses answer, the first last, and what came of the others.
pub(super) async fn reach(
    addresses: &[IpAddr],
    port: u16,
    patience: Duration,
) -> (Vec<SocketAddr>, Vec<String>) {
    let mut trying = JoinSet::new();
    for (at, address) in addresses.iter().enumerate() {
        let address = SocketAddr::new(*address, port);
        trying.spawn(async move {
            let tried = tokio::time::timeout(patience, TcpStream::connect(address)).await;
            (
                at,
                address,
                tried.map_or_else(|_| Err("no answer".to_owned()), |t| t.map_err(|e| e.to_string())),
            )
        });
    }
    let mut tried = trying.join_all().await;
    tried.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    let mut reached = Vec::new();
    let mut silent = Vec::new();
    for (_, address, came) in tried {
        match came {
            Ok(_) => reached.push(address),
            Err(why) => silent.push(format!("{address}: {why}")),
        }
    }
    silent.reverse();
    (reached, silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_lead_where_they_say() {
        let from = Address::parse("https://a.example/x/y?z").unwrap();
        for (location, leads) in [
            ("https://b.example/c", Some("https://b.example/c")),
            ("//b.example/c", Some("https://b.example/c")),
            ("/c?d#e", Some("https://a.example/c?d")),
            ("c", Some("https://a.example/x/c")),
            ("file:///etc/passwd", None),
            ("javascript:alert(1)", None),
            ("https://", None),
        ] {
            assert_eq!(located(&from, location).map(|to| to.to_string()).as_deref(), leads, "{location}");
        }
    }
}
