//! The steps in their order, and what can come of one.

use crate::report::clean;
use crate::report::preflight::{Status, Step};
use crate::rules::{Finding, Level};

/// Each step's id and title, in the order in which a device would come by.
pub(super) const ORDER: &[(&str, &str)] = &[
    ("dns-enrollment", "DNS, enrollment"),
    ("dns-registration", "DNS, registration"),
    ("tcp-https", "TCP, HTTPS port"),
    ("tcp-http", "TCP, HTTP port"),
    ("tls", "TLS handshake"),
    ("tls-versions", "TLS versions"),
    ("chain", "Certificate chain"),
    ("certificate", "Certificate"),
    ("discovery-get", "Discovery, GET"),
    ("clock", "Clock"),
    ("discovery", "Discovery, POST"),
    ("discovery-versions", "Discovery, versions"),
    ("discovery-policies", "Discovery, policies"),
    ("sign-in-page", "Sign-in page"),
    ("ws-trust", "WS-Trust 1.3"),
    ("policy-endpoint", "Policy endpoint"),
    ("enrollment-endpoint", "Enrollment endpoint"),
    ("framing", "HTTP framing"),
    ("sign-in", "Sign-in of the user"),
    ("policy", "Policy for the user"),
    ("enrollment", "Enrollment"),
    ("first-sync", "First sync"),
];

/// What came of a step.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) status: Status,
    detail: String,
    remedy: Option<String>,
    hresult: Option<u32>,
    rules: Vec<&'static str>,
}

impl Judged {
    fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), remedy: None, hresult: None, rules: Vec::new() }
    }

    pub(super) fn pass(detail: impl Into<String>) -> Self {
        Self::new(Status::Pass, detail)
    }

    pub(super) fn warn(detail: impl Into<String>) -> Self {
        Self::new(Status::Warn, detail)
    }

    pub(super) fn fail(detail: impl Into<String>) -> Self {
        Self::new(Status::Fail, detail)
    }

    pub(super) fn skip(why: impl Into<String>) -> Self {
        Self::new(Status::Skip, why)
    }

    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    pub(super) fn code(self, hresult: impl Into<Option<u32>>) -> Self {
        Self { hresult: hresult.into(), ..self }
    }

    /// As the engine has it: the worst finding decides, and its remedy is given.
    pub(super) fn of_findings(words: impl Into<String>, findings: &[Finding]) -> Self {
        let mut told: Vec<&Finding> = findings.iter().filter(|f| f.level != Level::Info).collect();
        told.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        let Some(worst) = told.first() else { return Self::pass(words) };
        let mut detail = words.into();
        for finding in told.iter().take(MOST) {
            let (rule, name) = (finding.rule.id, finding.rule.name);
            let found = format!("; {rule} {name}: {} instead of {}", finding.found, finding.expected);
            detail.push_str(&clean(&found));
        }
        if told.len() > MOST {
            detail.push_str(&format!("; and {} more", told.len() - MOST));
        }
        Self {
            status: if worst.level == Level::Error { Status::Fail } else { Status::Warn },
            remedy: Some(worst.rule.remedy.to_owned()),
            hresult: worst.hresult.filter(|_| worst.level == Level::Error),
            rules: told.iter().map(|finding| finding.rule.id).collect(),
            detail,
        }
    }

    /// A failure where the rules have nothing against it.
    pub(super) fn or_fail(self, remedy: &str) -> Self {
        let remedy = if self.status == Status::Fail { self.remedy } else { Some(remedy.to_owned()) };
        Self { status: Status::Fail, remedy, ..self }
    }

    /// A warning where the rules have nothing against it.
    pub(super) fn or_warn(self, remedy: &str) -> Self {
        match self.status {
            Status::Pass => Self { status: Status::Warn, remedy: Some(remedy.to_owned()), ..self },
            Status::Warn | Status::Fail | Status::Skip => self,
        }
    }

    /// The code, where the rules have none.
    pub(super) fn or_code(self, hresult: Option<u32>) -> Self {
        Self { hresult: self.hresult.or(hresult), ..self }
    }

    pub(super) fn step(self, (id, title): (&'static str, &'static str), ms: u64) -> Step {
        let Self { status, detail, remedy, hresult, rules } = self;
        Step { id, title, status, detail, remedy, hresult, rules, ms }
    }
}

/// More findings of one answer are counted.
const MOST: usize = 3;
