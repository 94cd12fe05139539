//! Before there is an answer: names, ports and TLS.

use std::io;
use std::sync::Arc;

use rustls::CertificateError;
use rustls::version::{TLS12, TLS13};

use super::chain::{certificate, chain};
use super::names::NamesError;
use super::order::Judged;
use super::private::{is_nowhere, is_private};
use super::run::{Examination, Progress};
use super::tls::{Shown, handshake, looking};
use super::visit::{engine, reach};
use crate::event::{Connection, ConnectionEvent, ConnectionId, Event, Reason};
use crate::message::names::DISCOVERY_PATH;
use crate::net;
use crate::rules::Finding;
use crate::sim::Address;

/// What Intune's enrollment names are below.
const INTUNE: &str = "manage.microsoft.com";
const REGISTRATION: &str = "enterpriseregistration.windows.net";

const NO_NAME: u32 = 0x8007_2EE7;
const NO_CONNECTION: u32 = 0x8007_2EFD;
const NO_TLS: u32 = 0x8007_2F7D;
const TIMEOUT: u32 = 0x8007_2EE2;

impl<S: FnMut(Progress<'_>)> Examination<'_, S> {
    /// False when there is nowhere to go.
    pub(super) async fn names(&mut self) -> bool {
        let host = self.means.target.discovery.host.clone();
        let begun = self.begin("dns-enrollment");
        let literal = host.parse::<core::net::IpAddr>().is_ok() || host.eq_ignore_ascii_case("localhost");
        let (judged, found) = if literal {
            (Judged::skip(format!("{host} needs no DNS")), self.visitor.addresses(&host).await.ok())
        } else {
            self.enrollment_name(&host).await
        };
        self.end(begun, judged);
        match &self.means.target.domain {
            Some(domain) => {
                let begun = self.begin("dns-registration");
                let judged = self.registration_name(&format!("EnterpriseRegistration.{domain}")).await;
                self.end(begun, judged);
            }
            None => self.skip("dns-registration", "a server was named, not a domain"),
        }
        match found {
            Some(found) => {
                self.visitor.home = found;
                true
            }
            None if self.means.connect.is_some() => true,
            None => self.stop(format!("{host} has no address that can be connected to")),
        }
    }

    async fn enrollment_name(&self, host: &str) -> (Judged, Option<Vec<core::net::IpAddr>>) {
        let found = match self.visitor.names() {
            Ok(names) => names.look_up(host).await,
            Err(error) => Err(error),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let judged = Judged::fail(error.to_string()).remedy(missing(&error, host)).code(NO_NAME);
                // It goes on with what this machine knows: a name that DNS does not have yet can still be tried.
                return match self.visitor.addresses(host).await {
                    Ok(addresses) => {
                        let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                        let words = format!("{error}; only this machine knows it, as {}", shown.join(", "));
                        (Judged::fail(words).remedy(missing(&error, host)).code(NO_NAME), Some(addresses))
                    }
                    Err(_) => (judged, None),
                };
            }
        };
        let addresses: Vec<_> = found.addresses.iter().map(|(address, _)| *address).collect();
        let words = format!("{host}: {}", found.words());
        if let Some(nowhere) = addresses.iter().find(|address| is_nowhere(**address)) {
            let judged = Judged::fail(format!("{words}; {nowhere} is the address of no server"))
                .remedy("Correct the record: it has to be an address that devices reach.")
                .code(NO_CONNECTION);
            return (judged, None);
        }
        let inside = if addresses.iter().all(|address| is_private(*address)) {
            ", inside your network only"
        } else {
            ""
        };
        let words = format!("{words}{inside}");
        let addresses = Some(addresses);
        let last = found.aliases.last().map(|(name, _)| name.to_ascii_lowercase());
        let judged = match (&self.means.expected_alias, last) {
            (Some(expected), last) => {
                let is_it = last.as_ref().is_some_and(|_| {
                    found
                        .aliases
                        .iter()
                        .any(|(name, _)| name.eq_ignore_ascii_case(expected.trim_end_matches('.')))
                });
                if is_it {
                    Judged::pass(words)
                } else {
                    Judged::fail(format!("{words}; it is no alias of {expected}")).remedy(format!(
                        "Make it a CNAME of {expected}; old answers live on for as long as their TTL."
                    ))
                }
            }
            (None, Some(last)) if last.ends_with(INTUNE) => {
                Judged::pass(format!("{words}; that is Microsoft Intune"))
            }
            (None, _) => Judged::pass(words),
        };
        (judged, addresses)
    }

    async fn registration_name(&self, host: &str) -> Judged {
        let found = match self.visitor.names() {
            Ok(names) => names.look_up(host).await,
            Err(error) => Err(error),
        };
        let remedy = format!(
            "Where devices join or register with Entra ID, make {host} a CNAME of {REGISTRATION}; else nothing needs it."
        );
        match found {
            Ok(found) if found.aliases.iter().any(|(name, _)| name.eq_ignore_ascii_case(REGISTRATION)) => {
                Judged::pass(format!("{host}: {}", found.words()))
            }
            Ok(found) => {
                Judged::warn(format!("{host}: {}, not {REGISTRATION}", found.words())).remedy(remedy)
            }
            Err(NamesError::Missing(_)) => {
                Judged::warn(format!("{host}: there is no such name")).remedy(remedy)
            }
            Err(error) => Judged::warn(error.to_string()).remedy(remedy),
        }
    }

    /// False when nothing listens.
    pub(super) async fn ports(&mut self) -> bool {
        let to = self.means.target.discovery.clone();
        let begun = self.begin("tcp-https");
        let (reached, silent) = match self.means.connect {
            Some(address) => reach(&[address.ip()], address.port(), self.means.patience).await,
            None => reach(&self.visitor.home, to.port, self.means.patience).await,
        };
        let shown: Vec<_> = reached.iter().rev().map(ToString::to_string).collect();
        let judged = match (reached.last(), silent.as_slice()) {
            (Some(_), []) => Judged::pass(format!("connected to {}", shown.join(", "))),
            (Some(_), _) => {
                Judged::warn(format!("connected to {}, but not to {}", shown.join(", "), silent.join(", ")))
                    .remedy("Take the address that does not answer out of DNS, or have it answer: devices try either, and wait.")
            }
            (None, _) => Judged::fail(format!("nothing answers: {}", silent.join(", ")))
                .remedy("Start what should listen there, open the firewall on the way, or correct the address in DNS.")
                .code(NO_CONNECTION),
        };
        self.end(begun, judged);
        self.visitor.reached = reached.last().copied();
        self.plain_port(&to).await;
        self.visitor.reached.is_some() || self.stop("nothing can be connected to")
    }

    /// Windows asks in the clear where it does not believe the certificate, to see whether it is sent elsewhere
    /// (MS-MDE2 3.1; Microsoft's page on enrollment).
    async fn plain_port(&mut self, to: &Address) {
        let usual = to.secure && to.port == 443 && self.means.connect.is_none();
        let Some(home) = self.visitor.home.first().copied().filter(|_| usual) else {
            return self.skip("tcp-http", "only looked at where the HTTPS port is the usual one");
        };
        let begun = self.begin("tcp-http");
        let (reached, silent) = reach(&[home], 80, self.means.patience).await;
        if reached.is_empty() {
            let words = format!("not open ({}), and need not be", silent.join(", "));
            return self.end(begun, Judged::pass(words));
        }
        let plain = Address { secure: false, port: 80, target: DISCOVERY_PATH.to_owned(), ..to.clone() };
        let Some(device) = self.device() else { return self.end(begun, Judged::skip("no key can be made")) };
        let now = self.now();
        let way = self.visitor.follow(&plain, &mut engine(), |to| device.probe(to, now)).await;
        let judged = match (way.hops.first(), &way.visit.answer) {
            (Some(_), _) if way.last.secure => {
                Judged::pass(format!("open, and redirects to {}", way.last))
            }
            (_, Ok(response)) => Judged::warn(format!("open, answers {}, and does not lead to HTTPS", response.status))
                .remedy("Redirect to the https:// address, or close the port: a device that comes here has not believed the certificate."),
            (_, Err(trouble)) => Judged::warn(format!("open, but {}", trouble.words))
                .remedy("Redirect to the https:// address, or close the port."),
        };
        self.end(begun, judged);
    }

    /// False when no device can speak with the server; a certificate that is not believed is no such reason.
    pub(super) async fn tls(&mut self) -> bool {
        let to = self.means.target.discovery.clone();
        if !to.secure {
            let begun = self.begin("tls");
            self.end(
                begun,
                Judged::warn("the address is plain HTTP")
                    .remedy("Give devices an https:// address: without TLS passwords are readable on the way, and Windows refuses to enroll."),
            );
            for id in ["tls-versions", "chain", "certificate"] {
                self.skip(id, "there is no TLS");
            }
            return true;
        }
        let Some(address) = self.visitor.reached else { return self.stop("nothing can be connected to") };
        let patience = self.means.patience;
        let begun = self.begin("tls");
        let strict = handshake(address, &to.host, self.means.trust.connection().0, patience).await;
        let refused = strict.as_ref().err().and_then(untrusted).cloned();
        let shown = match (strict, &refused, looking(&[&TLS13, &TLS12])) {
            (Err(_), Some(_), Some(config)) => handshake(address, &to.host, config, patience).await,
            (came, ..) => came,
        };
        let shown = match shown {
            Ok(shown) => shown,
            Err(error) => {
                let judged = if error.kind() == io::ErrorKind::TimedOut {
                    Judged::fail(error.to_string())
                        .code(TIMEOUT)
                        .remedy("See what takes so long there, or what in between holds the connection up.")
                } else {
                    Judged::fail(no_tls(&error, &to.host)).code(NO_TLS).remedy(
                        "Have the server speak TLS 1.2 with an ECDHE suite and GCM, for this very name, on this port.",
                    )
                };
                self.end(begun, judged);
                return self.stop("there is no TLS with the server");
            }
        };
        let agreed =
            shown.tls.as_ref().map_or_else(String::new, |tls| format!("{}, {}", tls.version, tls.cipher));
        self.end(begun, Judged::pass(agreed));
        self.versions(address, &to.host).await;
        let findings = self.of_connection(&to, &shown, refused.as_ref());
        let begun = self.begin("chain");
        let judged = chain(&shown.chain, refused.as_ref());
        self.end(begun, judged);
        let begun = self.begin("certificate");
        let judged = certificate(shown.chain.first(), &findings, refused.as_ref(), (&to.host, self.now()));
        self.end(begun, judged);
        self.visitor.unbelieved = refused.is_some();
        true
    }

    async fn versions(&mut self, address: core::net::SocketAddr, host: &str) {
        let begun = self.begin("tls-versions");
        let patience = self.means.patience;
        let with = |version| async move {
            match looking(&[version]) {
                Some(config) => handshake(address, host, config, patience).await.is_ok(),
                None => false,
            }
        };
        let (older, newer) = tokio::join!(with(&TLS12), with(&TLS13));
        let judged = match (older, newer) {
            (true, true) => Judged::pass("1.2 and 1.3 (what is older was not tried)"),
            (true, false) => Judged::pass("1.2, not 1.3 (what is older was not tried)"),
            (false, _) => Judged::warn("1.3 only")
                .remedy("Allow TLS 1.2, too: Windows 10 speaks nothing newer when it enrolls.")
                .code(NO_TLS),
        };
        self.end(begun, judged);
    }

    /// What the engine says of the handshake, as if a device had made it: about the certificate itself.
    fn of_connection(&self, to: &Address, shown: &Shown, refused: Option<&CertificateError>) -> Vec<Finding> {
        let connection = Connection {
            id: ConnectionId("doctor".into()),
            at: self.now(),
            event: if refused.is_some() { ConnectionEvent::Failed } else { ConnectionEvent::Opened },
            listener: to.origin(),
            // An address is not sent (RFC 6066 3).
            sni: Some(to.host.to_ascii_lowercase()).filter(|host| host.parse::<core::net::IpAddr>().is_err()),
            tls: shown.tls.clone(),
            chain: shown.chain.clone(),
            reason: refused.map(|refused| Reason::Alert(alert(refused).to_owned())),
            ..Connection::default()
        };
        let seen = engine().observe(Event::Connection(Arc::new(connection)));
        // The alert is our own: what led to it is in the chain, the name and the dates.
        seen.findings.into_iter().filter(|finding| finding.path == "certificate").collect()
    }
}

fn missing(error: &NamesError, host: &str) -> String {
    match error {
        NamesError::Missing(_) | NamesError::NoAddress(_) => format!(
            "Add {host} to DNS: a CNAME of the server's own name (Intune: enterpriseenrollment-s.{INTUNE}), or its address. \
             Without it users have to type the server's address."
        ),
        NamesError::Dangling { .. } | NamesError::Circle(_) | NamesError::TooLong(_) => {
            "Correct the alias, so that it leads to a name with an address.".to_owned()
        }
        NamesError::BadName(_) => "Correct the name.".to_owned(),
        NamesError::Failed { .. } | NamesError::NoServers(_) => {
            "Ask another name server with --dns ADDR:PORT; if that one knows it, the first is what has to be repaired."
                .to_owned()
        }
    }
}

/// The alert that a device would send (RFC 8446 6.2).
fn alert(refused: &CertificateError) -> &'static str {
    match refused {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => "certificate_expired",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "bad_certificate"
        }
        CertificateError::Revoked => "certificate_revoked",
        _ => "unknown_ca",
    }
}

fn untrusted(error: &io::Error) -> Option<&CertificateError> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

fn no_tls(error: &io::Error, host: &str) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => {
            "it answers with something that is not TLS; is the port that of plain HTTP?".to_owned()
        }
        _ => net::explain(error, host),
    }
}
