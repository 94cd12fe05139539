//! Finds the element or attribute that an example's path names.

use crate::xml::{Document, Element};

/// What a path leads to.
pub(super) enum Target<'d> {
    Element(Element<'d>),
    Attribute(Element<'d>, &'static str),
}

/// `A/B[2]/C[NAME]/@attribute`: local names from the root; `[NAME]` picks by the value of a `type`, `name` or `Name`
/// attribute; a leading `…/` starts at the first element anywhere that has the next name.
pub(super) fn find<'d>(document: &'d Document, path: &'static str) -> Option<Target<'d>> {
    let (path, attribute) = match path.rsplit_once("/@") {
        Some((element, attribute)) => (element, Some(attribute)),
        None => (path, None),
    };
    let element = match path.strip_prefix("…/") {
        Some(rest) => {
            let first = rest.split('/').next()?;
            let starts = document.elements().filter(|e| step_matches(e, first));
            starts.filter_map(|start| descend(start, rest)).next()?
        }
        None => descend(document.root()?, path)?,
    };
    Some(match attribute {
        Some(attribute) => Target::Attribute(element, attribute),
        None => Target::Element(element),
    })
}

/// `start` is what the first step names; follows the others.
fn descend<'d>(start: Element<'d>, path: &str) -> Option<Element<'d>> {
    let mut steps = path.split('/');
    let mut here = Some(start).filter(|e| steps.next().is_some_and(|first| step_matches(e, first)))?;
    for step in steps {
        let (name, selector) = split(step);
        let mut named = here.children_named(name);
        here = match selector.and_then(|s| s.parse::<usize>().ok()) {
            Some(index) => named.nth(index.checked_sub(1)?)?,
            None => named.find(|e| step_matches(e, step))?,
        };
    }
    Some(here)
}

fn split(step: &str) -> (&str, Option<&str>) {
    match step.split_once('[') {
        Some((name, rest)) => (name, rest.strip_suffix(']')),
        None => (step, None),
    }
}

fn step_matches(element: &Element<'_>, step: &str) -> bool {
    let (name, selector) = split(step);
    let picked = |wanted: &str| {
        ["type", "name", "Name"]
            .iter()
            .any(|a| element.attribute(a).is_some_and(|a| a.value().trim() == wanted))
    };
    element.local() == name && selector.is_none_or(|s| s.parse::<usize>().is_ok() || picked(s))
}
