//! Why a connection came to nothing before HTTP: what the device said, or did not say, and the certificates that it was
//! shown.

use super::knowledge::{Cause, Entry, Knowledge};
use super::reasons::Certainty::{self, Certain, Likely, Possible};
use crate::event::{Connection, ConnectionEvent, Reason, Time};
use crate::message::certificate::Certificate;
use crate::rules::covers;

/// The causes of a refused handshake, the likeliest first; nothing for what is nobody's fault, or not about TLS.
pub fn refusals(connection: &Connection) -> Vec<(&'static Entry, &'static Cause, Certainty)> {
    let Some(reason) = connection.reason.as_ref().filter(|_| connection.event == ConnectionEvent::Failed)
    else {
        return Vec::new();
    };
    let chain: Vec<_> = connection.chain.iter().map_while(|der| Certificate::read(der)).collect();
    let shown = Shown { chain: &chain, host: connection.sni.as_deref(), at: connection.at };
    let told: Vec<(&str, Certainty)> = match reason {
        Reason::Alert(alert) if alert == "certificate_expired" => {
            if shown.is_out_of_date() {
                vec![("tls-expired", Certain)]
            } else {
                vec![("device-clock", Likely)]
            }
        }
        reason if reason.is_distrust() => shown.distrusted(),
        Reason::Alert(alert) if alert == "protocol_version" || alert == "handshake_failure" => {
            vec![("tls-old", Likely)]
        }
        Reason::Refused(why) if why.contains("offers") || why.contains("cipher") => {
            vec![("tls-old", Certain)]
        }
        Reason::ClosedInHandshake | Reason::Reset => vec![("middlebox", Possible)],
        Reason::Alert(_)
        | Reason::Refused(_)
        | Reason::SilentAfterCertificate
        | Reason::Unwanted(_)
        | Reason::PlainHttp
        | Reason::Garbage
        | Reason::BadHead(_)
        | Reason::Timeout(_)
        | Reason::ClosedByDevice
        | Reason::ClosedByServer
        | Reason::ClosedByUs => Vec::new(),
    };
    let known = |(id, certainty): (&str, Certainty)| {
        let (entry, cause) = Knowledge::built_in().cause(id)?;
        Some((entry, cause, certainty))
    };
    told.into_iter().filter_map(known).collect()
}

/// What the device was shown, and for which host.
struct Shown<'c> {
    chain: &'c [Certificate],
    host: Option<&'c str>,
    at: Time,
}

impl Shown<'_> {
    fn is_out_of_date(&self) -> bool {
        self.chain.iter().any(|c| {
            c.not_before.is_some_and(|from| self.at < from) || c.not_after.is_some_and(|to| to < self.at)
        })
    }

    fn is_for_another_name(&self) -> bool {
        let (Some(leaf), Some(host)) = (self.chain.first(), self.host) else { return false };
        !leaf.dns_names().iter().any(|name| covers(name, host))
    }

    /// The last certificate is issued by another that was not sent. That may be a root, which need not be sent.
    fn is_incomplete(&self) -> bool {
        let last = self.chain.last();
        self.chain.len() == 1 && last.is_some_and(|last| last.issuer != last.subject)
    }

    /// What can be seen in the certificates comes first; what devices have, nobody sees from here.
    fn distrusted(&self) -> Vec<(&'static str, Certainty)> {
        let mut told = Vec::new();
        if self.is_for_another_name() {
            told.push(("tls-name", Certain));
        }
        if self.is_out_of_date() {
            told.push(("tls-expired", Certain));
        }
        let visible = !told.is_empty();
        if self.is_incomplete() {
            told.push(("tls-incomplete", if visible { Possible } else { Likely }));
        }
        told.push(("tls-not-trusted", if told.is_empty() { Likely } else { Possible }));
        told.push(("device-clock", Possible));
        told
    }
}
