//! A comparison for programs.

use serde_json::{Value, json as value};

use super::{Aside, Compared};
use crate::compare::{Compared as Exchange, Counts, Found, Half, Pairing};
use crate::enrollment::Enrollment;
use crate::event::Side;

/// Absent is null, never missing; ids are those of `check` on the same recording.
pub fn json(compared: &Compared) -> Value {
    let Counts { same, different, better, worse } = compared.comparison.counts();
    let pairings = &compared.comparison.pairings;
    let exchanges: Vec<_> = pairings
        .iter()
        .enumerate()
        .flat_map(|(at, pairing)| pairing.exchanges.iter().map(move |exchange| of_exchange(at, exchange)))
        .collect();
    let all = |of: fn(&Exchange) -> &Vec<Found>| -> Vec<Value> {
        compared.comparison.exchanges().flat_map(|exchange| of(exchange).iter().map(finding)).collect()
    };
    value!({
        "tool": "enrollscope",
        "version": env!("CARGO_PKG_VERSION"),
        "schema": 1,
        "title": compared.title,
        "aside": compared.aside.as_ref().map(|aside| match aside {
            Aside::Skipped(why) => value!({ "skipped": why }),
            Aside::Failed(why) => value!({ "failed": why }),
        }),
        "sides": [compared.sides.0, compared.sides.1],
        "summary": { "same": same, "different": different, "better": better, "worse": worse },
        "enrollments": pairings.iter().map(of_pairing).collect::<Vec<_>>(),
        "exchanges": exchanges,
        "findings": { "gone": all(|e| &e.gone), "new": all(|e| &e.new) },
        "expectations": compared.expectations.iter().map(|(expectation, met)| value!({
            "expectation": expectation.to_string(), "met": met.is_met(), "why": met.words(),
        })).collect::<Vec<_>>(),
    })
}

fn of_pairing(pairing: &Pairing) -> Value {
    value!({
        "label": pairing.label,
        "verdict": pairing.verdict().word(),
        "first": pairing.first.as_ref().map(enrollment),
        "second": pairing.second.as_ref().map(enrollment),
        "ended": pairing.ended,
        "notes": pairing.notes,
    })
}

fn enrollment(enrollment: &Enrollment) -> Value {
    value!({
        "id": enrollment.id.to_string(),
        "user": enrollment.user,
        "device_id": enrollment.device_id,
        "device_name": enrollment.device_name,
        "stage": enrollment.stage.map(|stage| stage.word()),
        "outcome": enrollment.outcome.word(),
        "verdict": enrollment.verdict,
        "hresult": enrollment.hresult.map(|code| format!("0x{code:08X}")),
    })
}

/// `enrollment` is the place in `enrollments`, from 0.
fn of_exchange(enrollment: usize, exchange: &Exchange) -> Value {
    value!({
        "enrollment": enrollment,
        "request": exchange.request.word(),
        "verdict": exchange.verdict.word(),
        "note": exchange.note,
        "first": exchange.first.as_ref().map(half),
        "second": exchange.second.as_ref().map(half),
        "differences": exchange.differences.iter().map(|difference| value!({
            "side": match difference.side { Side::Request => "request", Side::Response => "response" },
            "place": difference.place,
            "first": difference.first,
            "second": difference.second,
        })).collect::<Vec<_>>(),
        "noise": exchange.noise,
        "findings": {
            "gone": exchange.gone.iter().map(finding).collect::<Vec<_>>(),
            "new": exchange.new.iter().map(finding).collect::<Vec<_>>(),
        },
    })
}

fn half(half: &Half) -> Value {
    value!({
        "id": half.id,
        "seq": half.seq,
        "started": half.started.to_string(),
        "message": half.response.word(),
        "status": half.status,
    })
}

fn finding(found: &Found) -> Value {
    value!({
        "rule": found.rule.id,
        "name": found.rule.name,
        "severity": found.level.word(),
        "path": found.path,
        "found": found.found,
    })
}
