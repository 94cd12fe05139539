//! What was noticed on the way of an enrollment, and tells causes apart that end it in the same manner.

use crate::event::{ExchangeId, Version};
use crate::rules::{Finding, Rule};

/// Different rules that are remembered for one enrollment; more of them tell no more.
const MOST: usize = 48;

#[derive(Clone, Debug, Default)]
pub struct Signs {
    /// Rules that were broken, each with the exchange in which that was seen first.
    pub broken: Vec<(&'static Rule, ExchangeId)>,
    /// RequestVersion of Discover, as the device wrote it.
    pub request_version: Option<String>,
    /// OSEdition, as the device wrote it.
    pub os_edition: Option<String>,
    /// MAC addresses and HWDevID, as the device wrote them.
    pub macs: Vec<String>,
    pub hardware_id: Option<String>,
    /// How the device speaks HTTP.
    pub http: Option<Version>,
    /// The latest exchange.
    pub last: ExchangeId,
    /// What else devices differ in, each under the name that people are told: the key, the TLS, the server's node.
    pub traits: Vec<(&'static str, Box<str>)>,
    /// A sign-in page handed a token over.
    pub has_token: bool,
    /// After so many minutes the document has the device come again (MS-MDE2 2.2.9.3), where it says so.
    pub poll: Option<u32>,
    /// The device has its certificate, and no management session came in time.
    pub unsynced: bool,
}

/// What one exchange adds.
#[derive(Clone, Debug, Default)]
pub struct Noticed {
    pub exchange: ExchangeId,
    pub request_version: Option<String>,
    pub os_edition: Option<String>,
    pub http: Version,
    pub macs: Vec<String>,
    pub hardware_id: Option<String>,
    pub traits: Vec<(&'static str, String)>,
    pub has_token: bool,
    pub poll: Option<u32>,
}

impl Signs {
    /// The exchange in which a rule was broken first.
    pub fn broke(&self, id: &str) -> Option<&ExchangeId> {
        self.broken.iter().find(|(rule, _)| rule.id == id).map(|(_, exchange)| exchange)
    }

    pub(super) fn add(&mut self, noticed: &Noticed, findings: &[Finding]) {
        self.last = noticed.exchange.clone();
        self.unsynced = false;
        self.http = Some(noticed.http);
        if !noticed.macs.is_empty() {
            self.macs.clone_from(&noticed.macs);
        }
        if noticed.hardware_id.is_some() {
            self.hardware_id.clone_from(&noticed.hardware_id);
        }
        if noticed.request_version.is_some() {
            self.request_version.clone_from(&noticed.request_version);
        }
        if noticed.os_edition.is_some() {
            self.os_edition.clone_from(&noticed.os_edition);
        }
        for (name, value) in &noticed.traits {
            let value = value.as_str().into();
            match self.traits.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = value,
                // They are few, and there are twenty thousand of us.
                None => {
                    self.traits.reserve_exact(1);
                    self.traits.push((name, value));
                }
            }
        }
        self.has_token |= noticed.has_token;
        self.poll = noticed.poll.or(self.poll);
        // What is no fault of anybody's can tell, too: that a document list has no such version.
        for finding in findings {
            let known = self.broke(finding.rule.id).is_some();
            if !known && self.broken.len() < MOST {
                self.broken.push((finding.rule, noticed.exchange.clone()));
            }
        }
    }
}
