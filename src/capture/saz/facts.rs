//! The facts of a session: times and flags.

use std::collections::BTreeMap;

use crate::event::{Time, Timing};
use crate::xml::{Document, Element};

/// What is known of a session besides its messages.
#[derive(Default)]
pub(super) struct Facts {
    times: BTreeMap<String, String>,
    flags: BTreeMap<String, String>,
    /// The connection to the server had carried an earlier session.
    pub(super) reused: bool,
}

impl Facts {
    /// Of a `raw/N_m.xml`; what is not in it is not known.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let document = Document::read(bytes);
        let Some(root) = document.root() else { return Self::default() };
        let mut facts = Self::default();
        if let Some(timers) = root.child("SessionTimers") {
            facts.times = timers
                .attributes()
                .map(|attribute| (attribute.local().to_owned(), attribute.value().into_owned()))
                .collect();
        }
        let value = |element: &Element<'_>, name| element.attribute(name).map(|a| a.value().into_owned());
        let flags = root.child("SessionFlags").into_iter().flat_map(|flags| flags.children());
        facts.flags = flags
            .filter_map(|flag| Some((value(&flag, "N")?.to_ascii_lowercase(), value(&flag, "V")?)))
            .collect();
        facts.reused =
            root.child("PipeInfo").and_then(|pipe| value(&pipe, "Reused")).is_some_and(|v| v == "true");
        facts
    }

    /// `None` also for the year 1, which stands for steps that did not take place.
    pub(super) fn time(&self, name: &str) -> Option<Time> {
        let time = self.times.get(name).and_then(|text| Time::parse(text))?;
        (time.0 > 0).then_some(time)
    }

    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        self.flags.get(name).map(String::as_str).filter(|flag| !flag.is_empty())
    }

    /// An address by the flags of its host and its port.
    pub(super) fn address(&self, host: &str, port: Option<&str>) -> Option<String> {
        // So IPv4 addresses are written on sockets of IPv6.
        let host = self.flag(host)?;
        let host = host.strip_prefix("::ffff:").unwrap_or(host);
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Some(match port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        })
    }

    pub(super) fn timing(&self) -> Timing {
        let span = |from: &str, to: &str| {
            let span = self.time(to)?.since(self.time(from)?);
            u64::try_from(span).ok().map(|millis| millis * 1000)
        };
        // Zero stands for steps that did not take place, too.
        let told = |name: &str| {
            let millis: u64 = self.times.get(name)?.parse().ok()?;
            (millis > 0).then(|| millis.saturating_mul(1000))
        };
        Timing {
            dns: told("DNSTime"),
            connect: told("TCPConnectTime"),
            tls: told("HTTPSHandshakeTime"),
            send: span("ClientBeginRequest", "ClientDoneRequest"),
            wait: span("ClientDoneRequest", "ServerBeginResponse"),
            receive: span("ServerBeginResponse", "ServerDoneResponse"),
        }
    }
}
