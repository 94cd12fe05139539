//! The device's certificate on its way to the server: shown to us in TLS, handed on in a header, never taken from the
//! device's own headers.

use super::connection::Session;
use super::draft::Draft;
use super::settings::Asking;
use super::sites::Site;
use crate::event::{Change, Side};
use crate::net::{Edit, Head};

impl Site {
    /// Devices are asked for a certificate.
    pub(super) fn asks(&self) -> bool {
        match self.settings.client_certificates {
            Asking::Auto => self.pool.was_asked(),
            Asking::Ask => true,
            Asking::Never => false,
        }
    }
}

/// What of the request's head is changed so that it tells of the certificate that was shown, and of no other.
pub(super) fn hand_on(session: &Session, site: &Site, draft: &mut Draft, head: &Head) -> Vec<Edit> {
    let mut edits = if removes_claims(session) { without_claims(site, draft, head) } else { Vec::new() };
    // A connection may have been made for another name than the request's.
    if site.settings.client_certificates != Asking::Never {
        let form = &site.settings.certificate_header;
        let lines = form.lines(session.client_certificate());
        if !lines.is_empty() {
            let detail = format!("the certificate that the device showed in TLS was handed on as {form}");
            draft.change(Side::Request, "client-certificate", detail);
        }
        edits.extend(lines.into_iter().map(|(name, value)| Edit::Append { name, value }));
    }
    edits
}

/// A trusted front end's word is not the device's.
pub(super) fn removes_claims(session: &Session) -> bool {
    !session.is_front()
}

/// Of a field that could be taken for a certificate, in a head or behind a body.
pub(super) fn claim_removed(name: &str) -> Change {
    Change {
        side: Side::Request,
        what: "client-certificate-claim".to_owned(),
        detail: format!(
            "{name} was removed: it tells of a certificate, and came from the device in place of one"
        ),
    }
}

/// Whoever believes such a header believes that we wrote it.
fn without_claims(site: &Site, draft: &mut Draft, head: &Head) -> Vec<Edit> {
    let form = &site.settings.certificate_header;
    let claims = head.headers.iter().enumerate().filter(|(_, header)| form.is_claim(&header.name));
    let mut edits = Vec::new();
    for (at, header) in claims {
        draft.exchange.changes.push(claim_removed(&header.name));
        edits.push(Edit::Remove { header: at });
    }
    edits
}
