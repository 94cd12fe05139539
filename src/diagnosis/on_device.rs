//! What the device itself shows of it: the code on its screen, the entry in its event log, and how sure that is.

use crate::enrollment::{Cause, Enrollment, Flow, Outcome};
use crate::rules::Basis;

/// Where to look on the device, to see that it is the same failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDevice {
    pub code: Option<(u32, Basis)>,
    /// Below Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider in the event viewer.
    pub event: &'static str,
    pub event_basis: Basis,
}

const AUTOMATIC: &str = "Admin: event 76 (Auto MDM Enroll: Failed) with the code, if it enrolled by itself";
const CODE: &str = "Admin: an entry with the code, at that time";
const TIME: &str = "Admin: entries at that time";
const MESSAGE: &str = "Admin: an entry with the server's own text";
const CONFIGURATION: &str = "Enrollment: event 17 (the management client's configuration failed)";
const PROVISIONING: &str = "Enrollment: event 56, which names what in the document failed";
const ENROLLED: &str =
    "Enrollment: events 58 and 72 (provisioned and enrolled), so that the sync is what is missing";

/// CustomServerError: the text of the fault is shown (MS-MDE2 2.2.10).
const CUSTOM_SERVER_ERROR: u32 = 0x8018_0032;

/// Nothing while all goes well.
pub fn on_device(enrollment: &Enrollment) -> Option<OnDevice> {
    let e = enrollment;
    let stopped = matches!(e.outcome, Outcome::Failed | Outcome::Stalled);
    if !stopped && !e.signs.unsynced {
        return None;
    }
    let basis = match &e.cause {
        Cause::Fault { .. } | Cause::Status(_) => Basis::Documented,
        Cause::Finding { rule, .. } => rule.basis(),
        Cause::NoAnswer(_) | Cause::TermsRefused { .. } | Cause::None => Basis::Inferred,
    };
    let rule = match &e.cause {
        Cause::Finding { rule, .. } => rule.id,
        _ => "",
    };
    let (event, event_basis) = match e.hresult {
        _ if !stopped => (ENROLLED, Basis::Observed),
        Some(CUSTOM_SERVER_ERROR) => (MESSAGE, Basis::Documented),
        _ if rule.starts_with("PROV-W7-") => (CONFIGURATION, Basis::Observed),
        _ if rule.starts_with("PROV-") => (PROVISIONING, Basis::Observed),
        Some(_) if e.flow == Flow::Entra => (AUTOMATIC, Basis::Documented),
        Some(_) => (CODE, Basis::Inferred),
        None => (TIME, Basis::Inferred),
    };
    Some(OnDevice { code: e.hresult.map(|code| (code, basis)), event, event_basis })
}

impl OnDevice {
    /// `0x80180013 (documented); event log, Admin: …`
    pub fn words(&self) -> String {
        let code = match self.code {
            Some((code, basis)) => format!("0x{code:08X} on the screen ({}); ", basis.word()),
            None => String::new(),
        };
        format!("{code}in the event log, {} ({})", self.event, self.event_basis.word())
    }
}
