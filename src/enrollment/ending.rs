//! How enrollments move: by what became of an exchange, and by time passing.

use std::sync::Arc;

use super::correlate::{Correlator, Placement};
use super::signs::Noticed;
use super::state::{Cause, Deadlines, EnrollmentId, Flow, Last, Stage};
use super::ways::MAX_KEYS;
use crate::event::Time;
use crate::message::{AuthPolicy, Kind};
use crate::rules::{Finding, Level};

/// Enrollments without an exchange for so long go, in milliseconds.
const MAX_IDLE: i64 = 24 * 3_600_000;

/// What became of an exchange, for its enrollment's state.
#[derive(Debug)]
pub struct Ending<'a> {
    pub response: Option<Kind>,
    pub status: Option<u16>,
    /// There was no answer: the wire broke, and not that a file holds a request only.
    pub unanswered: bool,
    /// The request was a POST: only those are steps of an enrollment.
    pub posted: bool,
    /// The answer is ours, with the reason.
    pub ours: Option<Option<String>>,
    pub auth: Option<AuthPolicy>,
    /// A sign of the way that the enrollment takes.
    pub flow: Option<Flow>,
    /// The token that the device sent, or that a sign-in page handed to it.
    pub token: Option<String>,
    pub fault: Option<Cause>,
    pub provisioned: bool,
    pub issued: Option<String>,
    pub findings: &'a [Finding],
    pub noticed: Noticed,
}

impl Correlator {
    /// The exchange is judged: its enrollment moves.
    pub fn finish(&mut self, placement: &Placement, ending: &Ending<'_>, now: Time, deadlines: &Deadlines) {
        let Some(row) = self.rows.get_mut(&placement.enrollment) else { return };
        let enrollment = &mut row.enrollment;
        ending.findings.iter().for_each(|f| enrollment.count(f.level));
        enrollment.signs.add(&ending.noticed, ending.findings);
        let worst = ending.findings.iter().find(|f| f.level == Level::Error);
        let bad_status = ending.status.filter(|s| *s >= 400 && ending.posted);
        let synced = row.threads.get(placement.thread).is_some_and(|t| t.step == Some(Kind::ManagementSync));
        (enrollment.last, enrollment.cause) = match (&ending.ours, &ending.fault, bad_status, worst) {
            (Some(why), ..) => (Last::NoAnswer, Cause::NoAnswer(why.clone())),
            _ if ending.unanswered && !synced => (Last::NoAnswer, Cause::NoAnswer(None)),
            _ if synced && enrollment.issued.is_some() => (Last::Issued, Cause::None),
            (_, Some(fault), ..) => (Last::Bad, fault.clone()),
            (_, _, Some(_), Some(finding)) if finding.rule.id != "HTTP-014" => (Last::Bad, cause_of(finding)),
            (_, _, Some(status), _) => (Last::Bad, Cause::Status(status)),
            (_, _, None, Some(finding)) => {
                let last = if ending.response == Some(Kind::SecurityTokenResponse) {
                    Last::Bad
                } else {
                    Last::Flawed
                };
                (last, cause_of(finding))
            }
            _ if ending.provisioned => (Last::Issued, Cause::None),
            _ => (Last::Good, Cause::None),
        };
        if let Some(auth) = ending.auth {
            enrollment.auth = Some(auth);
            enrollment.takes(match auth {
                AuthPolicy::OnPremise => Flow::OnPremise,
                AuthPolicy::Federated => Flow::Federated,
                AuthPolicy::Certificate => Flow::Certificate,
            });
        }
        if let Some(flow) = ending.flow {
            enrollment.takes(flow);
        }
        if ending.provisioned {
            enrollment.stage = enrollment.stage.max(Some(Stage::Configuration));
            if !enrollment.seen.contains(&Stage::Configuration) {
                enrollment.seen.push(Stage::Configuration);
            }
            if let Some(before) = std::mem::replace(&mut enrollment.issued, ending.issued.clone()) {
                self.by_certificate.remove(&before);
            }
        }
        if let Some(thread) = row.threads.get_mut(placement.thread) {
            thread.answered_badly = matches!(enrollment.last, Last::Bad | Last::NoAnswer);
            keep_once(&mut thread.dialogue.answer, &mut self.answer);
            keep_once(&mut thread.dialogue.policy, &mut self.policy);
            if let Some(token) = &ending.token {
                thread.token = Some(token.clone());
                if self.by_token.len() > MAX_KEYS {
                    self.by_token.clear();
                }
                let known = self.by_token.entry(token.clone()).or_insert(Some(placement.enrollment));
                *known = known.filter(|id| *id == placement.enrollment);
            }
        }
        enrollment.settle(now, deadlines);
        if let Some(thumbprint) = ending.issued.clone().filter(|_| ending.provisioned) {
            self.by_certificate.insert(thumbprint, placement.enrollment);
        }
    }

    /// The latest answer did not reach the device after all.
    pub fn undelivered(&mut self, id: EnrollmentId, now: Time, deadlines: &Deadlines) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        if matches!(row.enrollment.last, Last::Good | Last::Flawed | Last::Issued) {
            row.enrollment.last = Last::NoAnswer;
            row.enrollment.cause = Cause::NoAnswer(None);
            row.enrollment.settle(now, deadlines);
        }
    }

    /// Time passed: enrollments stall or fail, and the oldest are forgotten. Returns those whose outcome changed.
    pub fn tick(&mut self, now: Time, deadlines: &Deadlines) -> Vec<EnrollmentId> {
        let mut changed = Vec::new();
        let mut idle = Vec::new();
        for (id, row) in &mut self.rows {
            let before = (row.enrollment.outcome, row.enrollment.signs.unsynced);
            row.enrollment.settle(now, deadlines);
            if (row.enrollment.outcome, row.enrollment.signs.unsynced) != before {
                changed.push(*id);
            }
            if row.enrollment.silent_for(now) > MAX_IDLE {
                idle.push(*id);
            }
        }
        for id in idle {
            if let Some(row) = self.rows.remove(&id) {
                self.unlist(&row);
            }
        }
        changed
    }
}

/// Shares the fact with the one that was remembered before it, if that is the same.
fn keep_once<T: PartialEq>(fact: &mut Option<Arc<T>>, remembered: &mut Option<Arc<T>>) {
    if fact == remembered {
        fact.clone_from(remembered);
    } else if fact.is_some() {
        remembered.clone_from(fact);
    }
}

fn cause_of(finding: &Finding) -> Cause {
    Cause::Finding {
        rule: finding.rule,
        found: finding.found.clone(),
        hresult: finding.hresult,
        subject: finding.subject,
    }
}
