//! `check` for people: enrollments first, then every finding with its place, its reason and its remedy.

use std::fmt::Write as _;

use super::judged::{Found, Judged, Seen};
use super::paint::Paint;
use crate::diagnosis::{Arrival, Expected, UNSEEN, arrivals, common, next_step, on_device};
use crate::event::{Side, steers};
use crate::message::Within;
use crate::rules::Level;

/// The report as text; `colour` adds ANSI colours.
pub fn human(judged: &Judged, colour: bool) -> String {
    let paint = Paint(colour);
    let mut out = String::new();
    for input in judged.inputs.iter().filter(|i| i.damaged > 0 || i.error.is_some()) {
        let what = input.error.clone().unwrap_or_else(|| {
            let places = usize::try_from(input.damaged).unwrap_or(usize::MAX);
            format!("{} skipped; `enrollscope repair` lists what is lost", plural(places, "damaged place"))
        });
        let _ = writeln!(out, "{}: {}", clean(&input.path), clean(&what));
    }
    if !judged.enrollments.is_empty() {
        let _ = writeln!(out, "{}", paint.strong("Enrollments"));
    }
    for e in judged.enrollments.values() {
        let who = e.user.as_deref().or(e.device_id.as_deref()).unwrap_or("somebody");
        let device = e.device_name.as_deref().map(|d| format!(" on {d}")).unwrap_or_default();
        let stage = e.stage.map_or("Connection", |s| s.title());
        let _ = writeln!(
            out,
            "  {:<12} {}{} · {stage} · {}",
            e.outcome.word(),
            clean(who),
            clean(&device),
            plural(usize::try_from(e.exchanges).unwrap_or(usize::MAX), "exchange")
        );
        let owner = e.owner.map(|o| format!(" [{} has to act]", o.word())).unwrap_or_default();
        let _ = writeln!(out, "  {:<12} {}{owner}", "", clean(&e.verdict));
        if let Some(device) = on_device(e) {
            let _ = writeln!(out, "  {:<12} on the device: {}", "", device.words());
        }
        if let Some((cause, remedy)) = next_step(e) {
            let cause = cause.map(|cause| format!("{cause} ")).unwrap_or_default();
            let _ = writeln!(out, "  {:<12} {cause}→ {remedy}", "");
        }
    }
    let troubles = judged.troubles();
    if troubles.iter().map(|(.., ids)| ids.len()).sum::<usize>() > 1 {
        let _ = writeln!(out, "{}", paint.strong("What is wrong"));
        for (_, words, ids) in &troubles {
            let _ = writeln!(out, "  {:>4} × {}", ids.len(), clean(words));
            for shared in judged.shared_by(ids).iter().take(1) {
                let _ = writeln!(out, "         {}", clean(&shared.words()));
            }
        }
    }
    if !judged.refused.is_empty() {
        let _ = writeln!(out, "{}", paint.strong("Connections that came to nothing"));
    }
    for (cause, certainty, count) in &judged.refused {
        let _ = writeln!(out, "  {count:>4} × {}: {} → {}", certainty.word(), cause.cause, cause.remedy);
    }
    if let Some(list) = &judged.expected {
        expected(&mut out, judged, list, paint);
    }
    let common = common(judged.enrollments.values());
    if !common.is_empty() {
        let _ = writeln!(out, "{}", paint.strong("What the failed ones have in common"));
        for shared in &common {
            let _ = writeln!(out, "  {}", clean(&shared.words()));
        }
    }
    let mut last = None;
    for found in &judged.findings {
        let about = (found.exchange, found.connection.as_deref());
        if last != Some(about) {
            last = Some(about);
            let _ = writeln!(out, "\n{}", paint.strong(&heading(judged.exchange_of(found), about.1)));
        }
        finding(&mut out, found, paint);
    }
    let _ = writeln!(
        out,
        "\n{} in {}: {}, {}, {} (profile {})",
        plural(judged.findings.len(), "finding"),
        plural(judged.exchanges.len(), "exchange"),
        plural(judged.count(Level::Error), "error"),
        plural(judged.count(Level::Warning), "warning"),
        plural(judged.count(Level::Info), "info"),
        judged.profile.word()
    );
    out.trim_start().to_owned()
}

/// More devices of a list are counted.
const MOST_NAMED: usize = 200;

/// Those that have not enrolled, by how far they came, and what to look at for those of which nothing arrived.
fn expected(out: &mut String, judged: &Judged, list: &[Expected], paint: Paint) {
    let arrivals = arrivals(list, judged.enrollments.values());
    let _ = writeln!(out, "{}", paint.strong("Expected"));
    let counts = Arrival::ALL.map(|wanted| {
        let count = arrivals.iter().filter(|(arrival, _)| *arrival == wanted).count();
        format!("{count} {}", wanted.word())
    });
    let _ = writeln!(out, "  {}: {}", plural(list.len(), "device"), counts.join(", "));
    let open = || list.iter().zip(&arrivals).filter(|(_, (a, _))| *a != Arrival::Enrolled);
    for (expected, (arrival, enrollment)) in open().take(MOST_NAMED) {
        let verdict =
            enrollment.and_then(|id| judged.enrollments.get(&id)).map(|e| format!(": {}", e.verdict));
        let line = format!("{} (line {}){}", expected.label(), expected.line, verdict.unwrap_or_default());
        let _ = writeln!(out, "  {:<12} {}", arrival.word(), clean(&line));
    }
    if let Some(more) = open().count().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {more} more; --format json has them all");
    }
    if arrivals.iter().any(|(arrival, _)| *arrival == Arrival::NotSeen) {
        let _ = writeln!(
            out,
            "  Of a device that was not seen, nothing arrived here. In this order, on the device:"
        );
        for (number, question) in (1..).zip(UNSEEN) {
            let _ = writeln!(out, "    {number}. {question}");
        }
    }
}

/// `1 finding`, `2 findings`.
pub(super) fn plural(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn heading(seen: Option<&Seen>, connection: Option<&str>) -> String {
    let Some(seen) = seen else { return format!("Connection {}", clean(connection.unwrap_or_default())) };
    let place = match &seen.source {
        Some(source) => clean(source),
        None => format!("#{} {}", seen.seq, seen.started),
    };
    let request = if seen.method.is_empty() {
        String::new()
    } else {
        format!(" {} {} ({})", clean(&seen.method), clean(&seen.target), seen.request.word())
    };
    let response = match seen.response {
        Some((kind, 0, _)) => format!(" → {}", kind.word()),
        Some((kind, status, _)) => format!(" → {status} {}", kind.word()),
        None => String::new(),
    };
    format!("{place}{request}{response}")
}

fn finding(out: &mut String, found: &Found, paint: Paint) {
    let f = &found.finding;
    let side = match f.side {
        Some(Side::Request) => "request ",
        Some(Side::Response) => "response ",
        None => "",
    };
    let place = match (f.within, f.place) {
        (Within::Connection, _) | (_, None) => String::new(),
        (Within::Head, Some(p)) => format!(", line {} of the head", p.line),
        (Within::Csr | Within::Certificate, Some(p)) => format!(", byte {}", p.offset),
        (_, Some(p)) => format!(", line {}, column {} (byte {})", p.line, p.column, p.offset),
    };
    let _ = writeln!(out, "  {} {} {}", paint.level(f.level), f.rule.id, f.rule.name);
    let _ = writeln!(out, "    at        {side}{}: {}{place}", f.within.word(), clean(&f.path));
    let _ = writeln!(out, "    found     {}", clean(&f.found));
    let _ = writeln!(out, "    expected  {}", clean(&f.expected));
    let source: Vec<_> = f.rule.cites.iter().map(|c| c.text()).collect();
    let _ = writeln!(out, "    why       {} ({})", f.rule.requirement, source.join("; "));
    let basis = f.rule.basis().word();
    let code = f.hresult.map(|c| format!(" The user sees 0x{c:08X} ({basis}).")).unwrap_or_default();
    let _ = writeln!(out, "    so        {}{code}", f.rule.consequence);
    let _ = writeln!(out, "    remedy    {} ({} has to act)", f.rule.remedy, f.subject.word());
}

/// Control characters from hostile input never reach a terminal.
pub fn clean(text: &str) -> String {
    text.chars()
        .flat_map(|c| if steers(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}
