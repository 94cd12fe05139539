//! Explanations of codes and errors, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::catalogue::who;
use super::page::{PAGE, labelled};
use super::paint::Paint;
use crate::diagnosis::{Cause, Entry, Explanation, Parts, Platform};

/// Where Windows tells of enrollments; 76 is the documented number for automatic enrollment.
const EVENT_LOG: &str = "an entry with this code in DeviceManagement-Enterprise-Diagnostics-Provider, Admin \
                         (event 76 after automatic enrollment)";

/// Longer inputs are cut where they are shown, in characters.
const LONGEST_INPUT: usize = 80;

/// All explanations for people.
pub fn human(explanations: &[Explanation<'_>], width: Option<usize>, colour: bool) -> String {
    let (paint, width) = (Paint(colour), width.unwrap_or(PAGE).min(PAGE));
    let mut out = String::new();
    let in_text = explanations.iter().any(|e| e.line > 1 || e.times > 1) || explanations.len() > 1;
    for (index, explanation) in explanations.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if in_text {
            let _ = writeln!(out, "{}", place(explanation));
        }
        one(&mut out, explanation, width, paint);
    }
    out
}

/// `line 12, 5 times: 0x80180013`
fn place(explanation: &Explanation<'_>) -> String {
    let times = if explanation.times > 1 { format!(", {} times", explanation.times) } else { String::new() };
    format!("line {}{times}: {}", explanation.line, shown(&explanation.input))
}

fn shown(input: &str) -> String {
    let input = super::clean(input);
    if input.chars().count() <= LONGEST_INPUT {
        return input;
    }
    let mut short: String = input.chars().take(LONGEST_INPUT - 1).collect();
    short.push('…');
    short
}

fn one(out: &mut String, explanation: &Explanation<'_>, width: usize, paint: Paint) {
    let code = explanation.code.map(hex);
    if explanation.slip
        && let Some(code) = &code
    {
        let _ = writeln!(out, "{} is taken for {code}", shown(&explanation.input));
    }
    if let Some(rule) = explanation.rule {
        let _ = writeln!(out, "{} {}", paint.strong(rule.id), paint.strong(rule.name));
        let mut field = |label: &str, text: &str| labelled(out, label, width, text);
        field("", rule.requirement);
        field("otherwise", rule.consequence);
        field("who acts", &format!("{}.", who(rule.subject)));
        field("remedy", rule.remedy);
        field("more", &format!("enrollscope rules {}", rule.id));
    }
    for (index, known) in explanation.entries.iter().enumerate() {
        if index > 0 || explanation.rule.is_some() {
            out.push('\n');
        }
        entry(out, explanation, known, width, paint);
    }
    if explanation.is_known() {
        return;
    }
    let name = code.unwrap_or_else(|| shown(&explanation.input));
    let _ = writeln!(out, "{} is not known", paint.strong(&name));
    if let Some(parts) = explanation.parts() {
        apart(out, &parts, width);
    }
    for (label, near) in ["is it", "or"].iter().zip(explanation.near.iter()) {
        let code = near.codes.first().map(|code| format!("{} ", hex(code.0))).unwrap_or_default();
        labelled(out, label, width, &format!("{code}{}: {}?", near.name(), near.clause()));
    }
    for (label, near) in ["is it", "or"].iter().zip(explanation.near_rules.iter()) {
        labelled(out, label, width, &format!("the rule {} ({})?", near.id, near.name));
    }
}

fn apart(out: &mut String, parts: &Parts, width: usize) {
    let component = parts.component.unwrap_or("nobody who is known here");
    let kind = if parts.failure { "an error" } else { "a success" };
    let text = format!(
        "{kind} of {component} (facility {}), number {} (0x{:X})",
        parts.facility, parts.low, parts.low
    );
    labelled(out, "it is", width, &text);
    if let Some(says) = &parts.says {
        labelled(out, "", width, says);
    }
}

fn entry(out: &mut String, explanation: &Explanation<'_>, entry: &Entry, width: usize, paint: Paint) {
    let codes: Vec<String> = entry.codes.iter().map(|code| hex(code.0)).collect();
    let names = entry.names.join(", ");
    let title = match codes.as_slice() {
        [] => names,
        codes => format!("{}  {names}", codes.join(", ")),
    };
    let _ = writeln!(out, "{}", paint.strong(super::clean(&title).trim_end()));
    let mut facts = vec![entry.platform.title(), entry.stage.title()];
    let from = format!("said by {}", entry.raised_by.title());
    facts.push(&from);
    facts.extend(
        entry.retry.map(|retry| if retry { "may pass by itself" } else { "trying again does not help" }),
    );
    let since = entry.since.as_ref().map(|since| format!("since {since}"));
    facts.extend(since.as_deref());
    let _ = writeln!(out, "{}\n", facts.join(" · "));
    let mut field = |label: &str, text: &str| labelled(out, label, width, text);
    field("meaning", &entry.meaning);
    for said in &entry.says {
        field("on screen", &format!("“{said}”"));
    }
    if let Some(parts) = explanation.parts()
        && entry.codes.is_empty()
        && let Some(code) = entry.shows
    {
        let says = parts.says.map(|says| format!(" ({says})")).unwrap_or_default();
        field("shows as", &format!("{}{says}", hex(code.0)));
    }
    field("on wire", &entry.wire);
    if entry.platform == Platform::Windows && !entry.codes.is_empty() {
        field("event log", EVENT_LOG);
    }
    field("who acts", &format!("{}.", who(entry.owner)));
    let several = entry.causes.len() > 1;
    for (index, known) in entry.causes.iter().enumerate() {
        let label = if several { format!("cause {}", index + 1) } else { "cause".to_owned() };
        let reported = if known.confidence.is_some() { " (reported, not confirmed)" } else { "" };
        field(&label, &format!("{}{reported}", known.cause));
        field("  remedy", &known.remedy);
        for (product, words) in known.products.all() {
            field("", &format!("{product}: {words}"));
        }
    }
    if let Some(differs) = &entry.differs {
        field("tables", differs);
    }
    if !entry.rules.is_empty() && explanation.rule.is_none() {
        field("rules", &entry.rules.join(", "));
    }
    field("sources", &entry.sources.join("; "));
}

/// One line for each entry.
pub fn list(entries: &[&Entry], width: Option<usize>) -> String {
    let mut out = String::new();
    let label = |entry: &Entry| entry.codes.first().map_or_else(|| "-".to_owned(), |code| hex(code.0));
    let longest = entries.iter().map(|entry| entry.name().chars().count()).max().unwrap_or_default();
    for entry in entries {
        let line = format!("{:<10}  {:<longest$}  {}", label(entry), entry.name(), entry.clause());
        let line = super::clean(&line);
        let line = match width {
            Some(width) if line.chars().count() > width => {
                let mut short: String = line.chars().take(width.saturating_sub(1)).collect();
                short.push('…');
                short
            }
            _ => line,
        };
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The same for programs; nothing is left out when it is absent.
pub fn json(explanations: &[Explanation<'_>]) -> Value {
    explanations.iter().map(|explanation| fields(explanation, explanation.entries.first().copied())).collect()
}

/// Entries without an input.
pub fn list_json(entries: &[&Entry]) -> Value {
    let one = |entry: &&Entry| {
        let mut value = known(Some(*entry));
        value.insert("id".to_owned(), json!(entry.id));
        value.insert("codes".to_owned(), entry.codes.iter().map(|code| hex(code.0)).collect());
        Value::Object(value)
    };
    entries.iter().map(one).collect()
}

fn fields(explanation: &Explanation<'_>, entry: Option<&Entry>) -> Value {
    let mut value = serde_json::Map::new();
    value.insert("input".to_owned(), json!(explanation.input));
    value.insert("line".to_owned(), json!(explanation.line));
    value.insert("times".to_owned(), json!(explanation.times));
    value.insert("code".to_owned(), json!(explanation.code.map(hex)));
    value.insert("known".to_owned(), json!(explanation.is_known()));
    value.extend(known(entry));
    if let Some(rule) = explanation.rule {
        value.insert("rule".to_owned(), json!(rule.id));
        value.insert("meaning".to_owned(), json!(rule.consequence));
        value.insert("remedy".to_owned(), json!(rule.remedy));
        value.insert("owner".to_owned(), json!(rule.subject.word()));
    } else {
        value.insert("rule".to_owned(), Value::Null);
    }
    let others = explanation.entries.iter().skip(1).map(|other| Value::Object(known(Some(*other))));
    value.insert("others".to_owned(), others.collect());
    let parts = explanation.parts().map(|parts| {
        json!({ "failure": parts.failure, "facility": parts.facility, "component": parts.component,
                "number": parts.low, "says": parts.says })
    });
    value.insert("parts".to_owned(), json!(parts));
    let near = explanation.near.iter().map(|entry| entry.name().to_owned());
    let near = near.chain(explanation.near_rules.iter().map(|rule| rule.id.to_owned()));
    value.insert("near".to_owned(), near.collect());
    Value::Object(value)
}

fn known(entry: Option<&Entry>) -> serde_json::Map<String, Value> {
    let text = |get: fn(&Entry) -> &str| json!(entry.map(get));
    let causes: Vec<Value> = entry.into_iter().flat_map(|entry| &entry.causes).map(cause).collect();
    let value = json!({
        "symbol": text(|entry| entry.name()),
        "names": entry.map(|entry| &entry.names),
        "platform": text(|entry| entry.platform.word()),
        "stage": text(|entry| entry.stage.word()),
        "raised_by": text(|entry| entry.raised_by.word()),
        "meaning": text(|entry| &entry.meaning),
        "wire": text(|entry| &entry.wire),
        "owner": text(|entry| entry.owner.word()),
        "retry": entry.and_then(|entry| entry.retry),
        "causes": causes,
        "remedy": entry.and_then(|entry| entry.causes.first()).map(|cause| &cause.remedy),
        "rules": entry.map(|entry| &entry.rules),
        "differs": entry.and_then(|entry| entry.differs.as_ref()),
        "sources": entry.map(|entry| &entry.sources),
    });
    match value {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    }
}

fn cause(cause: &Cause) -> Value {
    let products: serde_json::Map<String, Value> =
        cause.products.all().map(|(name, words)| (name.to_lowercase(), json!(words))).collect();
    json!({ "cause": cause.cause, "remedy": cause.remedy, "products": products,
            "confirmed": cause.confidence.is_none() })
}

fn hex(code: u32) -> String {
    format!("0x{code:08X}")
}
