//! What came of a cell, held against what should have.

use super::cases::{Place, Wanted};
use crate::event::Response;
use crate::message::{Content, read_response};
use crate::report::conformity::Cell;
use crate::report::preflight::Status;
use crate::rules::{Finding, Level};
use crate::sim::GivesUp;

/// How far a device came.
#[derive(Default)]
pub(super) struct Way {
    /// It has a certificate and a document that it takes.
    pub(super) enrolled: bool,
    /// Where it gave up, in words, and why.
    pub(super) gave_up: Option<(&'static str, GivesUp)>,
    /// What it gave up on.
    pub(super) last: Option<Response>,
    /// About the server's answers.
    pub(super) findings: Vec<Finding>,
    /// What else is to be said of it.
    pub(super) note: Option<String>,
}

/// The user has as many devices as he may: that says nothing of the server.
const DEVICE_CAP: u32 = 0x8018_0013;

pub(super) fn cell(place: &Place, way: Way, ms: u64) -> Cell {
    let Way { enrolled, gave_up, last, mut findings, note } = way;
    findings.retain(|finding| finding.level != Level::Info);
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.rule.id));
    findings.dedup_by_key(|finding| finding.rule.id);
    let fault = last.as_ref().and_then(fault);
    let wanted = place.case.wanted();
    let worst = findings.first().map(|finding| finding.level);
    let hresult = gave_up.as_ref().and_then(|(_, why)| why.hresult);
    let (mut found, good) = match (&gave_up, wanted) {
        (None, Wanted::Enrolled | Wanted::Either) => ("enrolled".to_owned(), Status::Pass),
        (None, Wanted::Refused) => ("enrolled all the same".to_owned(), Status::Fail),
        (Some((step, why)), _) => {
            let status = match (wanted, &fault) {
                (Wanted::Enrolled, _) if hresult == Some(DEVICE_CAP) => Status::Skip,
                (Wanted::Enrolled, _) => Status::Fail,
                (Wanted::Refused | Wanted::Either, Some(_)) => Status::Pass,
                // A page that does not let somebody in is no SOAP.
                (Wanted::Refused, None) if *step == "sign-in" => Status::Pass,
                (Wanted::Refused | Wanted::Either, None) => Status::Warn,
            };
            (format!("stopped at {step}: {}", why.reason), status)
        }
    };
    if !enrolled && gave_up.is_none() {
        // Only the empty requests, which have words of their own.
        found.clear();
    }
    if let Some(note) = note.as_ref().filter(|note| !note.is_empty()) {
        found = if found.is_empty() { note.clone() } else { format!("{found}; {note}") };
    }
    let status = match (good, worst) {
        (Status::Skip, _) => Status::Skip,
        (Status::Fail, _) | (_, Some(Level::Error)) => Status::Fail,
        (Status::Warn, _) | (_, Some(Level::Warning)) => Status::Warn,
        (Status::Pass, _) => Status::Pass,
    };
    let remedy = match (status, findings.first()) {
        (Status::Pass, _) => None,
        (Status::Skip, _) => Some(
            "Remove devices of this user, or give --user with %n in it, which becomes the device's number."
                .to_owned(),
        ),
        (_, Some(finding)) if good != Status::Fail || finding.level == Level::Error => {
            Some(finding.rule.remedy.to_owned())
        }
        _ if last.is_none() => Some("See why the server gives no answer there, in its log.".to_owned()),
        _ => Some(place.case.remedy().to_owned()),
    };
    Cell {
        id: place.id(),
        shape: place.shape.word(),
        auth: place.auth.word(),
        case: place.case.word(),
        status,
        expected: place.case.expected(),
        found,
        remedy,
        hresult,
        findings,
        ms,
    }
}

/// The fault's word, where the answer is one that devices understand.
fn fault(response: &Response) -> Option<String> {
    match &read_response(response).content {
        Content::Fault(fault) if fault.exact_case => Some(fault.word().unwrap_or("a fault").to_owned()),
        _ => None,
    }
}
