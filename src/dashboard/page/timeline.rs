//! An enrollment's exchanges as bars on a common axis of time, each with what it waited for.

use super::device::{outcome_role, status};
use super::summary;
use crate::dashboard::exchanges::Seen;
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::Model;
use crate::dashboard::rows::Row;
use crate::dashboard::text::{clock, exact, fit};
use crate::enrollment::Enrollment;
use crate::event::{Time, Timing};

/// A pause is drawn no longer than this part of the time in which something was on its way.
const PAUSE: i64 = 4;
/// The narrowest axis, in columns.
const NARROWEST: usize = 12;

/// For the steps of an exchange's time, in their order.
const MARKS: [&str; 6] = ["░", "▒", "▓", "▖", "█", "▄"];
/// Which of them is the wait for the server.
const WAIT: usize = 4;

pub(super) fn page(model: &Model, row: &Row, width: usize) -> Page {
    let mut page = Page::default();
    let mut legend = Line::default();
    for (mark, (name, _)) in MARKS.iter().zip(Timing::default().steps()) {
        legend.push(Role::Info, &format!("  {mark}"));
        legend.push(Role::Dim, &format!(" {name}"));
    }
    page.push(legend);
    for (index, id) in row.attempts.iter().enumerate() {
        let Some(e) = model.enrollment(*id) else { continue };
        if row.attempts.len() > 1 {
            page.heading(&format!("Attempt {}", index + 1));
        } else {
            page.blank();
        }
        attempt(&mut page, model, e, width);
    }
    page
}

fn attempt(page: &mut Page, model: &Model, e: &Enrollment, width: usize) {
    let seen: Vec<_> = model.exchanges.of(e.id).collect();
    let spans: Vec<_> = seen.iter().map(|seen| (seen.at.0, seen.at.0 + took(seen))).collect();
    let kind = if width < 100 { 20 } else { 24 };
    let axis = Axis::of(&spans, width.saturating_sub(kind + 18).max(NARROWEST));
    let mut ended = None::<i64>;
    for (seen, (start, end)) in seen.iter().zip(&spans) {
        if let Some(pause) = ended.map(|ended| start - ended).filter(|pause| axis.is_cut(*pause)) {
            let words = format!("{:>1$}", format!("… {} …", exact(pause)), kind + 7);
            page.push(Line::new(Role::Dim, &words));
        }
        ended = ended.max(Some(*end));
        let here = model.ui.exchange == Some(seen.serial);
        if here {
            page.focus = Some(page.lines.len());
        }
        let mut line = Line::new(Role::Strong, if here { "> " } else { "  " });
        let name = fit(seen.kind().word(), kind, "…").into_owned();
        line.push(if here { Role::Strong } else { Role::Plain }, &format!("{name:<kind$} "));
        let (role, status) = status(seen);
        line.push(role, &format!("{status:<4}"));
        bar(&mut line, seen, &axis, *start, *end);
        line.push(Role::Dim, &format!(" {:>9}", exact(took(seen))));
        page.push(line);
        if here {
            let steps = summary::steps(&seen.timing);
            let line = Line::plain(&" ".repeat(kind + 7)).and(Role::Dim, &steps);
            line.folded(width, kind + 7)
                .into_iter()
                .filter(|_| !steps.is_empty())
                .for_each(|part| page.push(part));
        }
    }
    sum(page, model, e, &spans, width);
}

/// How long it was on its way, in milliseconds: to the last byte of the answer where that is known.
fn took(seen: &Seen) -> i64 {
    let receive = i64::try_from(bounded(seen.timing.receive) / 1_000).unwrap_or(LONGEST);
    seen.millis.unwrap_or(0).clamp(0, LONGEST) + receive
}

/// More than anything lasts, in milliseconds and in microseconds: a capture may say anything.
const LONGEST: i64 = 1 << 40;

fn bounded(micros: Option<u64>) -> u64 {
    micros.unwrap_or(0).min(LONGEST.cast_unsigned())
}

fn bar(line: &mut Line, seen: &Seen, axis: &Axis, start: i64, end: i64) {
    let (from, to) = (axis.column(start), axis.column(end));
    let to = to.max(from + 1).min(axis.columns);
    let from = from.min(to.saturating_sub(1));
    line.push(Role::Plain, &" ".repeat(from));
    let steps = seen.timing.steps().map(|(_, time)| bounded(time));
    let all: u64 = steps.iter().sum::<u64>().max(1);
    let wait = if seen.trouble() > 1 { Role::Error } else { Role::Good };
    let cells = (to - from) as u64;
    for cell in 0..cells {
        // What takes the middle of the cell.
        let at = (2 * cell + 1) * all / (2 * cells);
        let mut upto = 0;
        let part = steps.iter().position(|step| {
            upto += step;
            at < upto
        });
        // Where nothing was measured, all of it was waited for.
        let part = part.unwrap_or(WAIT);
        let mark = MARKS.get(part).copied().unwrap_or_default();
        line.push(if part == WAIT { wait } else { Role::Info }, mark);
    }
    line.push(Role::Plain, &" ".repeat(axis.columns.saturating_sub(to)));
}

fn sum(page: &mut Page, model: &Model, e: &Enrollment, spans: &[(i64, i64)], width: usize) {
    let (Some(first), Some(last)) =
        (spans.iter().map(|span| span.0).min(), spans.iter().map(|span| span.1).max())
    else {
        page.push(Line::new(Role::Dim, "  Its exchanges are not remembered any more."));
        return;
    };
    let busy = busy(spans).iter().map(|(start, end)| end - start).sum::<i64>();
    let line = Line::new(Role::Dim, "  ")
        .and(outcome_role(e.outcome), e.outcome.word())
        .and(Role::Dim, " · ")
        .and(Role::Plain, &exact(last - first))
        .and(Role::Dim, &format!(" from {}: with the server ", clock(Time(first), &model.zone.0, false)))
        .and(Role::Plain, &exact(busy))
        .and(Role::Dim, ", the device and its user ")
        .and(Role::Plain, &exact(last - first - busy));
    line.folded(width, 4).into_iter().for_each(|part| page.push(part));
}

/// The stretches in which something was on its way, joined, in their order.
fn busy(spans: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (start, end) in sorted {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// Where a time is drawn. Long pauses are cut short, or nothing else could be seen.
struct Axis {
    columns: usize,
    busy: Vec<(i64, i64)>,
    /// The longest pause that is drawn as long as it is, in milliseconds.
    pause: i64,
    /// All that is drawn, in milliseconds.
    length: i64,
}

impl Axis {
    fn of(spans: &[(i64, i64)], columns: usize) -> Self {
        let busy = busy(spans);
        let moving: i64 = busy.iter().map(|(start, end)| end - start).sum();
        let mut axis = Self { columns, busy, pause: (moving / PAUSE).max(1), length: 1 };
        let end = axis.busy.last().map_or(0, |last| last.1);
        axis.length = axis.drawn(end).max(1);
        axis
    }

    fn is_cut(&self, pause: i64) -> bool {
        pause > self.pause
    }

    /// How far from the start a time is drawn, in milliseconds.
    fn drawn(&self, at: i64) -> i64 {
        let (mut drawn, mut ended) = (0, None::<i64>);
        for (start, end) in self.busy.iter().take_while(|(start, _)| *start <= at) {
            drawn += ended.map_or(0, |ended| (start - ended).min(self.pause));
            drawn += at.min(*end) - start;
            ended = Some(*end);
        }
        drawn
    }

    fn column(&self, at: i64) -> usize {
        let columns = i64::try_from(self.columns).unwrap_or(i64::MAX);
        usize::try_from(self.drawn(at).saturating_mul(columns) / self.length).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_cut_and_the_order_stays() {
        // A second, a pause of a minute, a second, half a second at the same time.
        let spans = [(0, 1_000), (61_000, 62_000), (61_200, 61_700)];
        let axis = Axis::of(&spans, 100);
        assert_eq!((axis.pause, axis.length), (500, 2_500));
        assert!(axis.is_cut(60_000) && !axis.is_cut(400));
        let columns = [0, 1_000, 61_000, 61_200, 61_700, 62_000].map(|at| axis.column(at));
        assert_eq!(columns, [0, 40, 60, 68, 88, 100]);
    }

    #[test]
    fn hostile_times_are_drawn_all_the_same() {
        for spans in
            [vec![], vec![(0, 0)], vec![(5, 5), (5, 5)], vec![(9, 9), (-4, 2)], vec![(0, i64::MAX / 1_000)]]
        {
            let axis = Axis::of(&spans, 30);
            for (start, end) in &spans {
                assert!(axis.column(*start) <= axis.column(*end) && axis.column(*end) <= 30, "{spans:?}");
            }
        }
    }
}
