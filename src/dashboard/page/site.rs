//! What is wrong with the site: causes by count over time, what the failed ones have in common, who was expected.

use std::collections::HashSet;

use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::{Model, Tracked};
use crate::dashboard::refused::Refused;
use crate::dashboard::text::{grouped, span};
use crate::diagnosis::{Arrival, UNSEEN, arrivals, common, common_of, next_step, refusals};
use crate::enrollment::Enrollment;
use crate::event::Time;

/// So far back the columns count, in milliseconds.
const MINUTES: i64 = 10 * 60_000;
const HOUR: i64 = 3_600_000;

/// Enrollments with one trouble.
struct Group<'m> {
    words: &'m str,
    /// The latest of them.
    latest: &'m Tracked,
    all: u64,
    last_hour: u64,
    last_minutes: u64,
}

pub(super) fn page(model: &Model, width: usize) -> Page {
    let mut page = Page::default();
    let groups = groups(model);
    if groups.is_empty() {
        page.push(Line::new(Role::Good, "  Nothing that is known here is wrong."));
    } else {
        page.push(Line::new(Role::Dim, "     all     1 h  10 min   latest"));
    }
    for group in &groups {
        let count = |n: u64| if n == 0 { "·".to_owned() } else { grouped(n) };
        let ago = span(model.now.since(told_at(&group.latest.enrollment)));
        let numbers = format!(
            "  {:>6}  {:>6}  {:>6}  {:>7}  ",
            count(group.all),
            count(group.last_hour),
            count(group.last_minutes),
            ago
        );
        for line in Line::plain(&numbers).and(Role::Strong, group.words).folded(width, INDENT) {
            page.push(line);
        }
        if let Some((_, remedy)) = next_step(&group.latest.enrollment) {
            let line = Line::plain(&" ".repeat(INDENT)).and(Role::Plain, &format!("→ {remedy}"));
            for line in line.folded(width, INDENT + 2) {
                page.push(line);
            }
        }
    }
    refused(&mut page, model, width);
    chosen(&mut page, model, width);
    let common = common(model.enrollments.values().map(|tracked| &tracked.enrollment));
    if !common.is_empty() {
        page.heading("What the failed ones have in common");
        for shared in &common {
            for line in Line::plain("  ").and(Role::Plain, &shared.words()).folded(width, 4) {
                page.push(line);
            }
        }
    }
    if !model.expected.is_empty() {
        expected(&mut page, model, width);
    }
    page
}

/// What the filter leaves, against what it leaves out.
fn chosen(page: &mut Page, model: &Model, width: usize) {
    if model.totals.hidden == 0 {
        return;
    }
    let shown: HashSet<_> = model.rows.iter().flat_map(|row| row.attempts.iter().copied()).collect();
    let all = model.enrollments.values().map(|tracked| &tracked.enrollment);
    let common = common_of(all, |e| shown.contains(&e.id));
    if common.is_empty() {
        return;
    }
    page.heading("What those have in common that the filter leaves");
    for shared in &common {
        for line in Line::plain("  ").and(Role::Plain, &shared.words()).folded(width, 4) {
            page.push(line);
        }
    }
}

/// More devices of a list are counted.
const MOST_NAMED: usize = 50;

/// Where the words begin.
const INDENT: usize = 35;

/// When it was known.
fn told_at(enrollment: &Enrollment) -> Time {
    enrollment.ended.unwrap_or(enrollment.latest)
}

fn groups(model: &Model) -> Vec<Group<'_>> {
    let mut groups: Vec<(&str, Group<'_>)> = Vec::new();
    for tracked in model.enrollments.values() {
        let Some((id, words)) = &tracked.trouble else { continue };
        let ago = model.now.since(told_at(&tracked.enrollment));
        let (hour, minutes) = (u64::from(ago <= HOUR), u64::from(ago <= MINUTES));
        match groups.iter_mut().find(|(known, _)| known == id) {
            Some((_, group)) => {
                group.all += 1;
                group.last_hour += hour;
                group.last_minutes += minutes;
                if told_at(&tracked.enrollment) >= told_at(&group.latest.enrollment) {
                    (group.latest, group.words) = (tracked, words);
                }
            }
            None => groups
                .push((id, Group { words, latest: tracked, all: 1, last_hour: hour, last_minutes: minutes })),
        }
    }
    let mut groups: Vec<_> = groups.into_iter().map(|(_, group)| group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.all));
    groups
}

/// Devices that never came as far as HTTP.
fn refused(page: &mut Page, model: &Model, width: usize) {
    let mut reasons: Vec<(&Refused, u64)> = Vec::new();
    for group in model.refused.iter() {
        match reasons.iter_mut().find(|(known, _)| known.reason == group.reason) {
            Some((_, count)) => *count += group.count,
            None => reasons.push((group, group.count)),
        }
    }
    if reasons.is_empty() {
        return;
    }
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    page.heading("Connections that came to nothing");
    for (group, count) in reasons {
        let line = Line::plain(&format!("  {:>6}  ", grouped(count))).and(Role::Strong, &group.reason);
        for line in line.folded(width, 10) {
            page.push(line);
        }
        if let Some((_, cause, certainty)) = refusals(&group.connection).into_iter().next() {
            let words = format!("          {}: {} → {}", certainty.word(), cause.cause, cause.remedy);
            for line in Line::plain(&words).folded(width, 10) {
                page.push(line);
            }
        }
    }
}

fn expected(page: &mut Page, model: &Model, width: usize) {
    let list = &model.expected;
    let arrivals = arrivals(list, model.enrollments.values().map(|tracked| &tracked.enrollment));
    let count = |wanted: Arrival| arrivals.iter().filter(|(arrival, _)| *arrival == wanted).count();
    let counts = Arrival::ALL.map(|arrival| format!("{} {}", count(arrival), arrival.word()));
    page.heading(&format!("Expected: {} of them, {}", list.len(), counts.join(", ")));
    let open = || list.iter().zip(&arrivals).filter(|(_, (arrival, _))| *arrival != Arrival::Enrolled);
    for (expected, (arrival, _)) in open().take(MOST_NAMED) {
        let role = if *arrival == Arrival::Failed { Role::Error } else { Role::Plain };
        page.push(Line::new(role, &format!("  {:<12} {}", arrival.word(), expected.label())));
    }
    if let Some(more) = open().count().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        page.push(Line::new(Role::Dim, &format!("  and {} more", grouped(more as u64))));
    }
    if count(Arrival::NotSeen) > 0 {
        page.blank();
        let words = "  Of a device that was not seen, nothing arrived here. In this order, on the device:";
        for line in Line::new(Role::Dim, words).folded(width, 2) {
            page.push(line);
        }
        for (number, question) in (1..).zip(UNSEEN) {
            for line in Line::plain(&format!("  {number}. ")).and(Role::Plain, question).folded(width, 5) {
                page.push(line);
            }
        }
    }
}
