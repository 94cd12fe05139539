//! Connections that ended before HTTP: evidence of devices that never got as far as an enrollment.

use std::sync::Arc;

use crate::event::{Connection, Reason, Time};
use crate::rules::Finding;

/// Groups beyond this number go, oldest first.
const MAX_GROUPS: usize = 500;

/// Connections of one address for one name that failed for one reason.
#[derive(Clone, Debug)]
pub struct Refused {
    pub id: u64,
    pub address: String,
    pub sni: Option<String>,
    pub reason: String,
    pub count: u64,
    pub first: Time,
    pub last: Time,
    /// The latest of them.
    pub connection: Arc<Connection>,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Default)]
pub struct RefusedConnections {
    groups: Vec<Refused>,
    next: u64,
    pub total: u64,
}

impl RefusedConnections {
    pub fn push(&mut self, connection: &Arc<Connection>, findings: Vec<Finding>) {
        self.total += 1;
        let reason = connection.reason.as_ref().map(reason).unwrap_or_default();
        let same = |group: &&mut Refused| {
            group.address == connection.address() && group.sni == connection.sni && group.reason == reason
        };
        if let Some(group) = self.groups.iter_mut().find(same) {
            group.count += 1;
            group.last = group.last.max(connection.at);
            group.connection = Arc::clone(connection);
            group.findings = findings;
            return;
        }
        if self.groups.len() >= MAX_GROUPS {
            self.groups.remove(0);
        }
        self.groups.push(Refused {
            id: self.next,
            address: connection.address().to_owned(),
            sni: connection.sni.clone(),
            reason,
            count: 1,
            first: connection.at,
            last: connection.at,
            connection: Arc::clone(connection),
            findings,
        });
        self.next += 1;
    }

    pub fn iter(&self) -> impl Iterator<Item = &Refused> {
        self.groups.iter()
    }

    pub fn get(&self, id: u64) -> Option<&Refused> {
        self.groups.iter().find(|group| group.id == id)
    }
}

/// Why a connection failed, as a clause.
pub(super) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Alert(alert) if alert == "unknown_ca" || alert == "bad_certificate" => {
            format!("device does not trust the certificate ({alert})")
        }
        Reason::Alert(alert) => format!("device refused the handshake ({alert})"),
        Reason::SilentAfterCertificate => "device left in silence after it saw the certificate".to_owned(),
        Reason::ClosedInHandshake => "device left during the handshake".to_owned(),
        Reason::Refused(why) => format!("handshake refused: {why}"),
        Reason::Unwanted(why) => format!("refused as configured: {why}"),
        Reason::PlainHttp => "plain HTTP on the TLS port".to_owned(),
        Reason::Garbage => "neither TLS nor HTTP".to_owned(),
        Reason::BadHead(why) => format!("request refused: {why}"),
        Reason::Timeout(why) => format!("timed out: {why}"),
        Reason::ClosedByDevice => "closed by the device".to_owned(),
        Reason::Reset => "reset by the device".to_owned(),
        Reason::ClosedByServer => "closed by the server".to_owned(),
        Reason::ClosedByUs => "closed by enrollscope".to_owned(),
    }
}
