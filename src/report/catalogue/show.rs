//! An example as its golden has it and as it is with the edit: places of the body as a diff, the rest in words.

use std::collections::BTreeSet;

use super::Play;
use super::diff::{self, Line, Mark};
use super::pretty::{self, Sheet};
use super::words;
use crate::event::{Event, Exchange, Side};
use crate::message::read_request;
use crate::rules::{Edit, Example, Golden, Rule, Step};

/// What an example changes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Shown {
    /// Changes of heads, one sentence each.
    pub words: Vec<String>,
    /// Places that changed, each under a line that says whereabouts.
    pub hunks: Vec<(String, Vec<Line>)>,
}

impl Shown {
    /// A change of a head says itself what was and what is; else the edit is told.
    pub(super) fn sentence(&self, example: &Example) -> String {
        let told = format!("{}.", words::describe(example));
        match (self.words.is_empty(), self.hunks.is_empty()) {
            (true, _) => told,
            (false, true) => self.words.join(" "),
            (false, false) => format!("{told} {}", self.words.join(" ")),
        }
    }
}

/// Of a rule's examples the first is shown whole.
pub(super) fn examples(
    rule: &'static Rule,
    play: Play<'_>,
) -> impl Iterator<Item = (&'static Example, Shown)> {
    rule.examples.iter().enumerate().map(move |(index, example)| {
        (example, if index == 0 { show(example, play) } else { Shown::default() })
    })
}

fn show(example: &Example, play: Play<'_>) -> Shown {
    let mut shown = Shown::default();
    let Some((before, after)) = play(example) else { return shown };
    for (step, side) in places(&example.edit) {
        if let (Some(old), Some(new)) = (sheet(&before, step, side), sheet(&after, step, side)) {
            let mut place = words::of(step, side).to_owned();
            if example.golden != Golden::OnPremise {
                place = format!("{place} (recording {})", example.golden.word());
            }
            compare(&mut shown, &place, &old, &new);
        }
    }
    shown
}

/// The messages that the edit is about. What they lead to later is not shown.
fn places(edit: &Edit) -> BTreeSet<(Step, Side)> {
    match *edit {
        Edit::Message { step, side, .. } => BTreeSet::from([(step, side)]),
        Edit::Several(edits) => edits.iter().flat_map(places).collect(),
        Edit::Stop(_) | Edit::Drop(_) | Edit::Connection(_) | Edit::Own(_) => BTreeSet::new(),
    }
}

fn sheet(events: &[Event], step: Step, side: Side) -> Option<Sheet> {
    let exchange: &Exchange = events.iter().rev().find_map(|event| match event {
        Event::Exchange(e) if Step::of(&e.request, read_request(&e.request).kind) == Some(step) => Some(e),
        _ => None,
    })?;
    match side {
        Side::Request => Some(pretty::request(&exchange.request)),
        Side::Response => exchange.response.as_ref().map(pretty::response),
    }
}

fn compare(shown: &mut Shown, place: &str, old: &Sheet, new: &Sheet) {
    // A token that only changes with what it holds says nothing.
    let mut hunks = diff::hunks(&old.told(), &new.told());
    if hunks.is_empty() {
        hunks = diff::hunks(&old.body, &new.body);
    }
    // Nor does the length of a body that changes.
    let head = |sheet: &Sheet| -> Vec<String> {
        let says = |line: &&String| hunks.is_empty() || !line.to_lowercase().starts_with("content-length:");
        sheet.head.iter().filter(says).cloned().collect()
    };
    let mut words = Vec::new();
    for hunk in diff::hunks(&head(old), &head(new)) {
        let of = |mark: Mark| hunk.iter().filter(move |line| line.mark == mark).map(|line| &line.text);
        let (mut gone, mut new) = (of(Mark::Gone), of(Mark::New));
        loop {
            words.push(match (gone.next(), new.next()) {
                (Some(gone), Some(new)) => format!("`{gone}` becomes `{new}`"),
                (Some(gone), None) => format!("`{gone}` is missing"),
                (None, Some(new)) => format!("`{new}` is added"),
                (None, None) => break,
            });
        }
    }
    let gone = new.body.is_empty() && !old.body.is_empty();
    words.extend(gone.then(|| "the body is missing".to_owned()));
    if !words.is_empty() {
        shown.words.push(format!("In {place}, {}.", words.join(", and ")));
    }
    if !gone {
        shown.hunks.extend(hunks.into_iter().map(|hunk| (place.to_owned(), hunk)));
    }
}
