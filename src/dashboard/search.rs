//! Looking for words on the page that is read.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::keys::{self, Context};
use super::layout::{over, panes};
use super::line::{Line, Page, Piece, Role};
use super::model::Model;
use super::screen::{Focus, Overlay};

/// What is looked for; capitals do not count.
pub(super) struct Sought(Regex);

impl Sought {
    /// Nothing where nothing is looked for.
    pub(super) fn of(model: &Model) -> Option<Self> {
        let text = model.ui.search.value();
        let pattern = || RegexBuilder::new(&regex::escape(text)).case_insensitive(true).build().ok();
        if text.is_empty() { None } else { pattern().map(Self) }
    }

    fn is_in(&self, line: &Line) -> bool {
        self.0.is_match(&line.text())
    }

    /// The line with what was found in it made visible.
    pub(super) fn marked(&self, line: &Line) -> Line {
        let text = line.text();
        let found: Vec<Range<usize>> = self.0.find_iter(&text).map(|m| m.range()).collect();
        if found.is_empty() {
            return line.clone();
        }
        let (mut pieces, mut start) = (Vec::new(), 0);
        for piece in &line.0 {
            let whole = start..start + piece.text.len();
            start = whole.end;
            let mut at = whole.start;
            let mut push = |upto: usize, role: Role| {
                let text = text.get(at..upto).unwrap_or_default();
                if !text.is_empty() {
                    pieces.push(Piece { role, text: text.to_owned() });
                }
                at = at.max(upto);
            };
            for place in &found {
                let cut = |at: usize| at.clamp(whole.start, whole.end);
                push(cut(place.start), piece.role);
                push(cut(place.end), Role::Mark);
            }
            push(whole.end, piece.role);
        }
        Line(pieces)
    }
}

/// The page that is read is searched, and has the keys.
pub(super) fn is_on(model: &Model) -> bool {
    !model.ui.search.value().is_empty() && matches!(keys::context(model), Context::Sheet | Context::Over)
}

pub(super) fn begin(model: &mut Model, context: Context) {
    if context == Context::Exchanges {
        model.ui.focus = Focus::Sheet;
    }
    // What is folded away would not be found.
    model.ui.folded.clear();
    model.ui.search.reset();
    model.ui.under = model.ui.overlay;
    model.ui.overlay = Overlay::Search;
}

fn is_over(model: &Model) -> bool {
    model.ui.page().is_page()
}

/// The lines where it was found.
fn places(model: &Model) -> Vec<usize> {
    let Some(sought) = Sought::of(model) else { return Vec::new() };
    let page: &Page = if is_over(model) { &model.over.page } else { &model.sheet.page };
    page.lines.iter().enumerate().filter(|(_, line)| sought.is_in(line)).map(|(at, _)| at).collect()
}

/// Brings the first place at or after what is in view into view.
pub(super) fn show_first(model: &mut Model) {
    let top = if is_over(model) { model.ui.over_scroll } else { model.ui.scroll };
    let places = places(model);
    let first = places.iter().find(|at| **at >= top).or(places.first()).copied();
    first.into_iter().for_each(|at| show(model, at));
}

/// To the next place, or the one before; around the end.
pub(super) fn step(model: &mut Model, by: isize) {
    let places = places(model);
    let here = model.ui.found.filter(|at| places.contains(at));
    let top = if is_over(model) { model.ui.over_scroll } else { model.ui.scroll };
    let next = match (here, by > 0) {
        (Some(here), true) => places.iter().find(|at| **at > here).or(places.first()),
        (Some(here), false) => places.iter().rev().find(|at| **at < here).or(places.last()),
        (None, true) => places.iter().find(|at| **at >= top).or(places.first()),
        (None, false) => places.iter().rev().find(|at| **at < top).or(places.last()),
    };
    next.copied().into_iter().for_each(|at| show(model, at));
    told(model);
}

fn show(model: &mut Model, at: usize) {
    model.ui.found = Some(at);
    let area = if is_over(model) { over(model) } else { panes(model).sheet };
    let room = usize::from(area.below_title().height).max(1);
    let is_over = is_over(model);
    let top = if is_over { &mut model.ui.over_scroll } else { &mut model.ui.scroll };
    if at < *top || at >= *top + room {
        *top = at.saturating_sub(room / 3);
    }
}

/// The line that was gone to.
pub(super) fn line(model: &Model) -> Option<String> {
    let page = if is_over(model) { &model.over.page } else { &model.sheet.page };
    page.lines.get(model.ui.found?).map(|line| line.text().trim().to_owned())
}

/// Says where among the places one is.
pub(super) fn told(model: &mut Model) {
    let places = places(model);
    let text = model.ui.search.value();
    let at = model.ui.found.and_then(|found| places.iter().position(|place| *place == found));
    model.ui.notice = match (at, places.len()) {
        _ if text.is_empty() => None,
        (_, 0) => Some(format!("{} is not on this page", super::text::clean(text))),
        (at, all) => Some(format!("line {} of {all} with it", at.unwrap_or(0) + 1)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_stands_out_across_pieces() {
        let line = Line::new(Role::Tag, "<Auth").and(Role::Plain, "Policy> authpolicy ").and(Role::Dim, "x");
        let sought = Sought(RegexBuilder::new("authpolicy").case_insensitive(true).build().unwrap());
        let marked = sought.marked(&line);
        assert_eq!(marked.text(), line.text());
        let found: Vec<_> = marked.0.iter().filter(|p| p.role == Role::Mark).map(|p| &*p.text).collect();
        assert_eq!(found, ["Auth", "Policy", "authpolicy"]);
        let others: Vec<_> = marked.0.iter().filter(|p| p.role != Role::Mark).map(|p| &*p.text).collect();
        assert_eq!(others, ["<", "> ", " ", "x"]);
    }
}
