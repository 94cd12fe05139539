//! The patterns: how an enrollment ended and what was noticed on its way, and which causes that speaks for.

use super::reasons::Certainty::{self, Certain, Likely, Possible};
use crate::enrollment::{Cause, Enrollment, Flow, Outcome, Stage};
use crate::message::AuthPolicy;

/// An enrollment in trouble.
pub(super) struct Scene<'e> {
    e: &'e Enrollment,
    found: Vec<Found>,
}

/// A cause of the knowledge base, how sure it is, and the rules that speak for it.
type Found = (&'static str, Certainty, &'static [&'static str]);

/// Windows Home and its single-language and country editions (MS-MDE2 2.2.9.6).
const HOME: &[&str] = &["98", "99", "100", "101"];

/// The newest RequestVersion that the protocol's document lists.
const NEWEST_LISTED: f32 = 7.0;

impl<'e> Scene<'e> {
    pub(super) fn of(e: &'e Enrollment) -> Self {
        Self { e, found: Vec::new() }
    }

    /// In the order in which equally sure ones are told.
    pub(super) fn causes(mut self) -> Vec<Found> {
        match (&self.e.cause, self.e.outcome) {
            _ if self.e.signs.unsynced => self.unsynced(),
            (Cause::Fault { word, .. }, Outcome::Failed) => self.fault(word),
            (Cause::TermsRefused { said, by_user }, Outcome::Failed) => self.terms(said, *by_user),
            (Cause::Status(status), Outcome::Failed) => self.status(*status),
            (Cause::NoAnswer(why), Outcome::Failed) => self.no_answer(why.as_deref()),
            (Cause::Finding { rule, .. }, Outcome::Failed) => self.finding(rule.id),
            (_, Outcome::Stalled) => self.stalled(),
            _ => {}
        }
        self.found
    }

    fn say(&mut self, cause: &'static str, certainty: Certainty) {
        self.found.push((cause, certainty, &[]));
    }

    /// If one of these rules was broken.
    fn if_broken(
        &mut self,
        rules: &'static [&'static str],
        cause: &'static str,
        certainty: Certainty,
    ) -> bool {
        let broken = rules.iter().any(|rule| self.e.signs.broke(rule).is_some());
        if broken {
            self.found.push((cause, certainty, rules));
        }
        broken
    }

    fn is_at(&self, stage: Stage) -> bool {
        self.e.stage == Some(stage)
    }

    /// The device asked for a newer protocol than the document lists.
    fn is_newer(&self) -> bool {
        let version =
            self.e.signs.request_version.as_deref().and_then(|text| text.trim().parse::<f32>().ok());
        version.is_some_and(|version| version > NEWEST_LISTED)
    }

    fn is_home(&self) -> bool {
        self.e.signs.os_edition.as_deref().is_some_and(|edition| HOME.contains(&edition.trim()))
    }

    fn has_token(&self) -> bool {
        matches!(self.e.flow, Flow::Federated | Flow::Entra)
    }

    fn fault(&mut self, word: &str) {
        // A version that is not taken, and a credential of another kind, are declined with any word.
        if self.is_at(Stage::Discovery) && self.is_newer() {
            self.found.push(("version-refused", Likely, &["DISC-REQ-007"]));
        }
        self.if_broken(&["SEQ-002"], "kind-not-implemented", Certain);
        match word {
            "MessageFormat" => {
                self.say("message-format-fault", Likely);
                self.say("device-credential", Possible);
            }
            "Authentication" => self.authentication(),
            "Authorization" => {
                if self.is_home() {
                    self.say("home-edition", Likely);
                }
                self.say("no-right", Possible);
                self.say("restriction", Possible);
                self.say("limit", Possible);
            }
            "CertificateRequest" => {
                self.if_broken(&["CSR-002", "CSR-003", "CSR-008"], "request-does-not-fit", Certain);
                self.say("template", Possible);
                self.say("authority-unreachable", Possible);
            }
            "EnrollmentServer" => self.say("server-failed", Likely),
            "InternalServiceFault" => {
                self.say("unhandled", Likely);
                self.say("left-over", Possible);
            }
            "InvalidSecurity" => {
                self.if_broken(&["WSSE-011", "ENTRA-011"], "security-time", Certain);
                let header =
                    &["WSSE-001", "WSSE-010", "CRED-FED-001", "CRED-FED-002", "CRED-FED-003", "ENTRA-004"];
                self.if_broken(header, "security-header", Certain);
                self.say("credential-kind", Possible);
                self.say("security-header", Possible);
                self.say("security-time", Possible);
            }
            "DeviceCapReached" => self.say("device-cap-reached", Certain),
            "DeviceNotSupported" => {
                if self.is_home() {
                    self.say("home-edition", Likely);
                }
                self.say("platform-blocked", Likely);
                self.say("version-too-old", Possible);
            }
            "NotSupported" => self.say("kind-not-supported", Certain),
            "NotEligibleToRenew" => {
                self.if_broken(&["RENEW-004", "RENEW-001"], "renewal-unknown", Likely);
                self.say("renewal-window", Possible);
                self.say("renewal-unknown", Possible);
            }
            "InMaintenance" => self.say("in-maintenance", Certain),
            "UserLicense" => self.say("no-licence", Certain),
            "InvalidEnrollmentData" => {
                self.if_broken(&["ENTRA-006"], "terms-blob", Certain);
                self.say(if self.e.flow == Flow::Entra { "terms-blob" } else { "server-settings" }, Likely);
                self.say("server-settings", Possible);
            }
            "CustomServerError" => self.say("custom-error", Certain),
            _ if self.found.is_empty() => self.say("unknown", Possible),
            _ => {}
        }
    }

    fn authentication(&mut self) {
        self.if_broken(&["ENTRA-011"], "token-refused", Certain);
        if self.has_token() {
            self.say("token-refused", Likely);
            self.say("no-token", Possible);
        } else {
            self.say("password-refused", Likely);
        }
    }

    fn terms(&mut self, said: &str, by_user: bool) {
        match said {
            _ if by_user => self.say("terms-refused", Certain),
            _ if said.contains("invalid_request") => self.say("terms-api-version", Likely),
            _ if said.contains("unauthorized_client") => self.say("terms-token", Likely),
            _ if said.contains("access_denied") => self.say("terms-refused", Likely),
            _ => self.say("terms-failed", Likely),
        }
    }

    fn status(&mut self, status: u16) {
        if self.is_at(Stage::Discovery) && self.is_newer() && status >= 500 {
            self.found.push(("version-refused", Likely, &["DISC-REQ-007"]));
        }
        if status >= 500 && self.is_at(Stage::Certificate) && self.e.token_requests > 1 {
            self.say("request-dropped", Likely);
        }
        match status {
            400 => {
                self.say("refused-by-front-end", Possible);
                self.say("refused-by-server", Possible);
            }
            401 => self.say("http-authentication", Certain),
            403 => self.say("forbidden", Likely),
            404 if self.e.signs.broke("DISC-GET-005").is_some() => self.say("discovery-address", Likely),
            404 => self.say("path-missing", Likely),
            429 => self.say("http-too-many", Certain),
            502 => self.say("gateway", Likely),
            503 => self.say("unavailable", Likely),
            504 => self.say("gateway-timeout", Likely),
            500..=599 => self.say("http-server-failed", Likely),
            _ => self.say("refused-by-server", Possible),
        }
    }

    fn no_answer(&mut self, why: Option<&str>) {
        if self.is_at(Stage::Certificate) && self.e.token_requests > 1 {
            self.found.push(("request-dropped", Likely, &["OWN-001"]));
        }
        match why {
            Some(why) if why.contains("time") => self.say("gateway-timeout", Likely),
            Some(_) => self.say("gateway", Likely),
            None => {
                self.say("server-dropped", Possible);
                self.say("middlebox", Possible);
            }
        }
    }

    /// The rule is the headline; what is known beside it.
    fn finding(&mut self, rule: &'static str) {
        match rule {
            "HTTP-001" => self.found.push(("chunked", Certain, &["HTTP-001"])),
            "HTTP-004" => self.found.push(("empty-answer", Certain, &["HTTP-004"])),
            "SOAP-014" | "SOAP-001" => {
                self.if_broken(&["DISC-GET-005"], "discovery-address", Likely);
                self.found.push(("not-the-service", Likely, &["SOAP-014", "SOAP-001"]));
                self.found.push(("body-lost", Possible, &["SOAP-014"]));
            }
            "HTTP-015" => self.found.push(("server-dropped", Likely, &["HTTP-015"])),
            "OWN-001" => self.found.push(("gateway", Likely, &["OWN-001"])),
            "DISC-RSP-011" => self.found.push(("other-host", Certain, &["DISC-RSP-011"])),
            "PROV-CS-004" => self.found.push(("document-wrong-key", Certain, &["PROV-CS-004"])),
            "PROV-CS-001" => self.found.push(("document-wrong-store", Certain, &["PROV-CS-001", "SEQ-011"])),
            "PROV-DM-001" => self.found.push(("two-provider-ids", Certain, &["PROV-DM-001"])),
            "PROV-003" | "RSTR-006" => {
                self.found.push(("document-unreadable", Certain, &["PROV-003", "RSTR-006"]))
            }
            _ if rule.starts_with("PROV-CS") => self.say("document-certificates", Likely),
            _ if rule.starts_with("PROV-W7") => self.say("document-account", Likely),
            _ if rule.starts_with("PROV-DM") => self.say("document-dmclient", Likely),
            _ if rule.starts_with("DISC-RSP") => self.say("fields-missing", Likely),
            _ if rule.starts_with("AUTH-") => self.say("sign-in-page-does-not-post", Likely),
            _ if rule.starts_with("RSTR") || rule.starts_with("SOAP") => {
                self.say("message-format-answer", Likely)
            }
            _ => {}
        }
    }

    fn stalled(&mut self) {
        match self.e.stage {
            Some(Stage::Terms) => {
                self.if_broken(&["ENTRA-002"], "mdm-application", Likely);
                self.say("mdm-application", Possible);
                self.say("terms-url", Possible);
            }
            Some(Stage::Discovery) if self.e.auth.is_none() => {
                self.if_broken(&["DISC-GET-003"], "consent", Likely);
                self.if_broken(&["DISC-GET-004"], "no-redirect", Likely);
                self.if_broken(&["HTTP-009"], "http-location", Possible);
                self.say("user-stopped", Possible);
                self.say("tls-not-trusted", Possible);
            }
            Some(Stage::Discovery) => self.after_discovery(),
            Some(Stage::SignIn) => {
                let page = &["AUTH-005", "AUTH-006", "AUTH-007", "AUTH-013"];
                self.if_broken(page, "sign-in-page-does-not-post", Likely);
                self.say("user-stopped", Possible);
                self.say("mfa-prompt", Possible);
                self.say("sign-in-page-does-not-post", Possible);
            }
            Some(Stage::Policy) => self.after_policy(),
            Some(Stage::Certificate | Stage::Configuration | Stage::FirstSync) | None => {
                self.say("device-log", Possible);
            }
        }
    }

    fn after_discovery(&mut self) {
        self.if_broken(&["DISC-RSP-011"], "other-host", Likely);
        self.if_broken(&["HTTP-001"], "chunked", Certain);
        match (self.e.flow, self.e.auth) {
            (Flow::Federated, _) => {
                self.say("sign-in-page-unreachable", Possible);
                self.say("user-stopped", Possible);
                self.say("mfa-prompt", Possible);
            }
            (_, Some(AuthPolicy::Certificate)) => {
                self.say("certificate-missing", Likely);
                self.say("unreachable", Possible);
            }
            _ => {
                self.say("no-password", Possible);
                self.say("user-stopped", Possible);
                self.say("unreachable", Possible);
            }
        }
    }

    fn after_policy(&mut self) {
        self.if_broken(&["POL-RSP-013"], "tpm", Likely);
        let key =
            &["POL-RSP-004", "POL-RSP-005", "POL-RSP-007", "POL-RSP-009", "XCEP-KEY-002", "XCEP-KEY-003"];
        self.if_broken(key, "key-attributes", Likely);
        self.if_broken(&["HTTP-001"], "chunked", Certain);
        self.say("key-attributes", Possible);
        self.say("tpm", Possible);
    }

    fn unsynced(&mut self) {
        self.if_broken(&["PROV-W7-004", "PROV-W7-019"], "document-account", Likely);
        if self.is_home() {
            self.say("document-home-edition", Likely);
        }
        self.if_broken(&["PROV-006"], "old-document", Likely);
        self.say("addr-elsewhere", Possible);
        self.say("document-refused", Possible);
        self.say("push-service", Possible);
    }
}
