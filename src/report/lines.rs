//! One line per exchange, refused connection and changed enrollment: for pipes and for runs without a screen.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::human::clean;
use super::json::{code, enrollment_fields};
use crate::diagnosis::told;
use crate::engine::Observation;
use crate::event::{ConnectionEvent, Event, From, Relay, header};
use crate::rules::Level;

/// The lines of an observation, each with its end; empty when there is nothing to say.
pub fn line(seen: &Observation) -> String {
    let mut out = String::new();
    match &seen.event {
        Event::Exchange(exchange) => {
            let status = exchange.response.as_ref().map_or("no answer".to_owned(), |r| r.status.to_string());
            let request = seen.request.map_or("-", |k| k.word());
            let ours = exchange.response.as_ref().filter(|r| r.from == From::Enrollscope).map(|response| {
                // The answer is not the server's: say so, and why.
                let kind = header(&response.headers, "x-enrollscope-error").map(|h| h.text().into_owned());
                let why = exchange.upstream.as_ref().and_then(|u| u.error.clone()).or(kind);
                let why = why.map(|why| format!(": {}", clean(&why))).unwrap_or_default();
                format!(" (enrollscope's answer{why})")
            });
            let _ = writeln!(
                out,
                "{} #{} {} {} {request} {status}{}{}",
                exchange.request.at,
                exchange.seq,
                clean(&exchange.request.method),
                clean(&exchange.request.target),
                ours.unwrap_or_default(),
                seen.enrollment.map(|e| format!(" {e}")).unwrap_or_default()
            );
        }
        Event::Connection(c) if c.event == ConnectionEvent::Failed => {
            let sni = c.sni.as_deref().unwrap_or("no name");
            let why = c.reason.as_ref().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(out, "{} {} refused: {} {}", c.at, clean(&c.peer), clean(sni), clean(&why));
        }
        Event::Connection(c) if let Some(relay) = &c.passthrough => {
            let sni = c.sni.as_deref().unwrap_or("no name");
            let target = clean(&relay.target);
            let _ = match c.event {
                ConnectionEvent::Closed => {
                    let why = c.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                    let Relay { up, down, .. } = relay;
                    let bytes = format!("{up} bytes up, {down} down");
                    writeln!(
                        out,
                        "{} {} passed through {} to {target}: {bytes}, {}",
                        c.at,
                        clean(&c.peer),
                        clean(sni),
                        clean(&why)
                    )
                }
                ConnectionEvent::Opened | ConnectionEvent::Failed => {
                    writeln!(
                        out,
                        "{} {} passes through {} to {target} untouched",
                        c.at,
                        clean(&c.peer),
                        clean(sni)
                    )
                }
            };
        }
        Event::Gap { at, lost } => {
            let _ = writeln!(out, "{at} gap: {lost} exchanges were lost");
        }
        Event::Connection(_) | Event::End(_) | Event::Session { .. } | Event::Tick(_) => {}
    }
    for f in &seen.findings {
        if f.level >= Level::Warning {
            let _ = writeln!(
                out,
                "  {} {} {}: found {}",
                f.level.word(),
                f.rule.id,
                f.rule.name,
                clean(&f.found)
            );
        }
    }
    for e in &seen.changed {
        let who = e.user.as_deref().unwrap_or("somebody");
        let _ = writeln!(
            out,
            "  {} {} {}: {}",
            e.id,
            clean(who),
            e.outcome.word(),
            clean(&told(e, seen.event.at()))
        );
    }
    out
}

/// The same as JSON lines: `{"type":"exchange|enrollment|finding|status", …}`.
pub fn line_json(seen: &Observation) -> String {
    let mut values = Vec::new();
    let exchange_id = match &seen.event {
        Event::Exchange(exchange) => {
            values.push(json!({
                "type": "exchange",
                "id": exchange.id.to_string(),
                "seq": exchange.seq,
                "started": exchange.request.at.to_string(),
                "enrollment": seen.enrollment.map(|e| e.to_string()),
                "link": seen.link.map(|l| l.word()),
                "request": {
                    "message": seen.request.map(|k| k.word()),
                    "method": exchange.request.method,
                    "target": exchange.request.target,
                },
                "response": exchange.response.as_ref().map(|r| json!({
                    "message": seen.response.map(|k| k.word()),
                    "status": r.status,
                })),
            }));
            Some(exchange.id.to_string())
        }
        Event::Connection(c) if c.event == ConnectionEvent::Failed => {
            let reason = c.reason.as_ref().map(ToString::to_string);
            values.push(json!({
                "type": "status", "what": "refused", "at": c.at.to_string(), "peer": c.peer, "sni": c.sni, "reason": reason,
            }));
            None
        }
        Event::Connection(c) if let Some(relay) = &c.passthrough => {
            values.push(json!({
                "type": "status",
                "what": if c.event == ConnectionEvent::Closed { "passed-through" } else { "passes-through" },
                "at": c.at.to_string(),
                "peer": c.peer,
                "sni": c.sni,
                "target": relay.target,
                "up": relay.up,
                "down": relay.down,
                "reason": c.reason.as_ref().map(ToString::to_string),
            }));
            None
        }
        Event::Gap { at, lost } => {
            values.push(json!({ "type": "status", "what": "gap", "at": at.to_string(), "lost": lost }));
            None
        }
        Event::Connection(_) | Event::End(_) | Event::Session { .. } | Event::Tick(_) => None,
    };
    for f in &seen.findings {
        values.push(json!({
            "type": "finding",
            "rule": f.rule.id,
            "name": f.rule.name,
            "severity": f.level.word(),
            "subject": f.subject.word(),
            "exchange": exchange_id,
            "enrollment": seen.enrollment.map(|e| e.to_string()),
            "in": f.within.word(),
            "path": f.path,
            "expected": f.expected,
            "found": f.found,
            "hresult": f.hresult.map(code),
        }));
    }
    for e in &seen.changed {
        let mut value = json!({ "type": "enrollment" });
        if let (Some(to), Value::Object(fields)) = (value.as_object_mut(), enrollment_fields(e)) {
            to.extend(fields);
        }
        values.push(value);
    }
    values.iter().fold(String::new(), |mut out, value| {
        let _ = writeln!(out, "{value}");
        out
    })
}
