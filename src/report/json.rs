//! `check --format json`, schema 1: absent is null, never missing; ids are strings.

use serde_json::{Value, json};

use super::judged::{Found, Judged, Seen};
use crate::diagnosis::{
    Arrival, Cause, Certainty, Common, Expected, OnDevice, Reason, UNSEEN, arrivals, common, on_device,
    reasons,
};
use crate::enrollment::{Enrollment, EnrollmentId};
use crate::event::{From, Side, Time};
use crate::rules::{self, Level};

/// The whole document.
pub fn json(judged: &Judged) -> Value {
    let inputs: Vec<_> = judged
        .inputs
        .iter()
        .map(|i| json!({ "path": i.path, "records": i.records, "damaged": i.damaged, "late": i.late, "error": i.error }))
        .collect();
    let enrollments: Vec<_> = judged.enrollments.values().map(|e| enrollment(judged, e)).collect();
    let exchanges: Vec<_> = judged.exchanges.iter().map(exchange).collect();
    let findings: Vec<_> = judged.findings.iter().enumerate().map(|(n, f)| finding(judged, n, f)).collect();
    json!({
        "tool": "enrollscope",
        "version": env!("CARGO_PKG_VERSION"),
        "schema": 1,
        "rules_version": rules::VERSION,
        "profile": judged.profile.word(),
        "summary": {
            "inputs": inputs,
            "exchanges": judged.exchanges.len(),
            "connections": judged.connections,
            "enrollments": judged.enrollments.len(),
            "errors": judged.count(Level::Error),
            "warnings": judged.count(Level::Warning),
            "infos": judged.count(Level::Info),
        },
        "enrollments": enrollments,
        "troubles": judged.troubles().iter().map(|one| trouble(judged, one)).collect::<Vec<_>>(),
        "refused": judged.refused.iter().map(refused).collect::<Vec<_>>(),
        "common": common(judged.enrollments.values()).iter().map(shared).collect::<Vec<_>>(),
        "expected": judged.expected.as_ref().map(|list| expected(judged, list)),
        "exchanges": exchanges,
        "findings": findings,
    })
}

pub(super) fn enrollment_fields(e: &Enrollment) -> Value {
    json!({
        "id": e.id.to_string(),
        "user": e.user,
        "device_id": e.device_id,
        "device_name": e.device_name,
        "auth": e.auth.map_or("unknown", |a| a.word()),
        "flow": e.flow.word(),
        "stage": e.stage.map(|s| s.word()),
        "outcome": e.outcome.word(),
        "verdict": e.verdict,
        "owner": e.owner.map(|o| o.word()),
        "hresult": e.hresult.map(code),
        "started": time(e.started),
        "ended": e.ended.and_then(time),
    })
}

fn enrollment(judged: &Judged, e: &Enrollment) -> Value {
    let mut value = enrollment_fields(e);
    let ids: Vec<_> = judged.exchanges_of(e.id).map(|seen| seen.id.to_string()).collect();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("exchanges".to_owned(), json!(ids));
        fields.insert("causes".to_owned(), reasons(e).iter().map(cause).collect());
        fields.insert("device".to_owned(), on_device(e).map_or(Value::Null, device));
    }
    value
}

/// What it shows by itself, and how sure that is.
fn device(shown: OnDevice) -> Value {
    json!({ "hresult": shown.code.map(|(shown, _)| code(shown)), "basis": shown.code.map(|(_, basis)| basis.word()),
            "event": shown.event, "event_basis": shown.event_basis.word() })
}

fn expected(judged: &Judged, list: &[Expected]) -> Value {
    let arrivals = arrivals(list, judged.enrollments.values());
    let count = |wanted: Arrival| arrivals.iter().filter(|(arrival, _)| *arrival == wanted).count();
    let devices = list.iter().zip(&arrivals).map(|(expected, (arrival, enrollment))| {
        json!({ "line": expected.line, "device_name": expected.device_name, "user": expected.user,
                "device_id": expected.device_id, "mac": expected.mac, "hardware_id": expected.hardware_id,
                "state": arrival.word(), "enrollment": enrollment.map(|id| id.to_string()) })
    });
    json!({
        "summary": { "expected": list.len(), "enrolled": count(Arrival::Enrolled), "arrived": count(Arrival::Arrived),
                     "failed": count(Arrival::Failed), "not_seen": count(Arrival::NotSeen) },
        "devices": devices.collect::<Vec<_>>(),
        "unseen": if count(Arrival::NotSeen) > 0 { UNSEEN } else { &[] },
    })
}

fn trouble(judged: &Judged, (id, words, enrollments): &(&str, String, Vec<EnrollmentId>)) -> Value {
    let ids: Vec<_> = enrollments.iter().map(ToString::to_string).collect();
    let common: Vec<_> = judged.shared_by(enrollments).iter().map(shared).collect();
    json!({ "id": id, "what": words, "count": ids.len(), "enrollments": ids, "common": common })
}

fn refused((cause, certainty, count): &(&Cause, Certainty, u64)) -> Value {
    json!({ "id": cause.id, "certainty": certainty.word(), "cause": cause.cause, "remedy": cause.remedy,
            "connections": count })
}

fn shared(common: &Common) -> Value {
    let of = |(with, all): (u64, u64)| json!({ "with": with, "of": all });
    json!({ "attribute": common.attribute, "value": common.value, "failed": of(common.failed),
            "enrolled": of(common.enrolled), "chance": common.chance })
}

fn cause(reason: &Reason) -> Value {
    let evidence = reason
        .evidence
        .iter()
        .map(|(rule, exchange)| json!({ "rule": rule, "exchange": exchange.to_string() }));
    json!({
        "id": reason.cause.id,
        "error": reason.entry.id,
        "certainty": reason.certainty.word(),
        "cause": reason.cause.cause,
        "remedy": reason.cause.remedy,
        "owner": reason.entry.owner.word(),
        "evidence": evidence.collect::<Vec<_>>(),
    })
}

fn exchange(seen: &Seen) -> Value {
    let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let response = seen.response.map(|(kind, status, from)| {
        json!({
            "message": kind.word(),
            "status": if status == 0 { Value::Null } else { json!(status) },
            "from": match from { From::Upstream => "upstream", From::Enrollscope => "enrollscope" },
        })
    });
    json!({
        "id": seen.id.to_string(),
        "seq": seen.seq,
        "enrollment": seen.enrollment.map(|e| e.to_string()),
        "link": seen.link.map(|l| l.word()),
        "started": time(seen.started),
        "source": seen.source,
        "request": { "message": seen.request.word(), "method": text(&seen.method), "target": text(&seen.target) },
        "response": response,
    })
}

fn finding(judged: &Judged, number: usize, found: &Found) -> Value {
    let f = &found.finding;
    let seen = judged.exchange_of(found);
    // A line of a head has no bytes to count: what was kept are names and values.
    let bytes = f.place.filter(|_| f.within != crate::message::Within::Head);
    json!({
        "id": format!("f{}", number + 1),
        "rule": f.rule.id,
        "name": f.rule.name,
        "severity": f.level.word(),
        "subject": f.subject.word(),
        "exchange": seen.map(|s| s.id.to_string()),
        "connection": found.connection,
        "enrollment": seen.and_then(|s| s.enrollment).map(|e| e.to_string()),
        "side": f.side.map(|s| match s { Side::Request => "request", Side::Response => "response" }),
        "in": f.within.word(),
        "path": f.path,
        "line": f.place.map(|p| p.line),
        "column": f.place.map(|p| p.column),
        "offset": bytes.map(|p| p.offset),
        "length": bytes.map(|p| p.length),
        "outer_offset": f.outer_offset,
        "expected": f.expected,
        "found": f.found,
        "citation": f.rule.cites.first().map(|c| c.text()),
        "consequence": f.rule.consequence,
        "remedy": f.rule.remedy,
        "hresult": f.hresult.map(code),
    })
}

pub(super) fn code(code: u32) -> String {
    format!("0x{code:08X}")
}

/// Messages from files have no time.
fn time(at: Time) -> Option<String> {
    (at.0 != 0).then(|| at.to_string())
}
