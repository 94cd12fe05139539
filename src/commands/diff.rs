//! `diff`: two captures, or two enrollments, beside each other.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::inputs::{Inputs, stories};
use super::output::{Exit, Output};
use crate::cli::{ComparingArgs, ComparisonFormat, DiffArgs, FailOnDifference};
use crate::compare::{Pair, Story, compare};
use crate::report::comparison::{self, Compared};

pub fn diff(args: &DiffArgs, out: Output) -> Result<Exit> {
    if args.comparing.explain_noise {
        out.print(&comparison::noise());
        return Ok(Exit::Good);
    }
    let (Some(first), Some(second)) = (&args.first, &args.second) else {
        bail!("two captures are wanted: enrollscope diff A B");
    };
    let (one, other) = (side(first, &args.comparing)?, side(second, &args.comparing)?);
    let pairs = match (one.chosen, other.chosen) {
        // Two enrollments that were named belong together, whoever they are of.
        (true, true) => vec![Pair { first: one.stories.first(), second: other.stories.first() }],
        _ => pairs(&one.stories, &other.stories),
    };
    let compared = Compared {
        title: "diff".to_owned(),
        sides: (first.display().to_string(), second.display().to_string()),
        comparison: compare(&pairs, false, &args.comparing.ignore),
        expectations: Vec::new(),
        aside: None,
    };
    out.print(&told(&compared, &args.comparing, out));
    Ok(ending(&compared, args.comparing.fail_on))
}

/// The report in the format that was asked for.
pub(super) fn told(compared: &Compared, args: &ComparingArgs, out: Output) -> String {
    match args.format {
        ComparisonFormat::Human => comparison::human(compared, out.colour()),
        ComparisonFormat::Json => format!("{:#}\n", comparison::json(compared)),
        ComparisonFormat::Junit => {
            comparison::junit(std::slice::from_ref(compared), args.fail_on == FailOnDifference::Difference)
        }
        ComparisonFormat::Markdown => comparison::markdown(compared),
    }
}

/// What was expected and did not come is told with exit 1 in any case.
pub(super) fn ending(compared: &Compared, fail_on: FailOnDifference) -> Exit {
    let fails = match fail_on {
        FailOnDifference::Worse => compared.comparison.is_worse(),
        FailOnDifference::Difference => compared.comparison.is_different(),
        FailOnDifference::Never => false,
    };
    if fails || !compared.is_as_expected() { Exit::Found } else { Exit::Good }
}

struct Side {
    stories: Vec<Story>,
    /// It is one enrollment that was named.
    chosen: bool,
}

fn side(path: &Path, args: &ComparingArgs) -> Result<Side> {
    let name = path.to_string_lossy();
    let (file, id) = match name.rsplit_once('#') {
        // A file may have such a name.
        Some((file, id)) if !path.exists() => (PathBuf::from(file), Some(id)),
        _ => (path.to_owned(), None),
    };
    let stories = stories(&Inputs::of(&[file])?, args.profile)?;
    let Some(id) = id else { return Ok(Side { stories, chosen: false }) };
    let count = stories.len();
    let Some(story) = stories.into_iter().find(|story| is_id(story, id)) else {
        bail!("{name}: there is no enrollment {id}; the capture has {count}, `enrollscope check` lists them");
    };
    Ok(Side { stories: vec![story], chosen: true })
}

/// `e12`, or `12`.
pub(super) fn is_id(story: &Story, id: &str) -> bool {
    let own = story.enrollment.id;
    own.to_string() == id || own.0.to_string() == id
}

/// By device, else by user, else in their order.
fn pairs<'s>(first: &'s [Story], second: &'s [Story]) -> Vec<Pair<'s>> {
    let mut left: Vec<&Story> = second.iter().collect();
    let mut take = |is: &dyn Fn(&Story) -> bool| {
        let at = left.iter().position(|story| is(story))?;
        Some(left.remove(at))
    };
    let mut pairs: Vec<Pair<'s>> =
        first.iter().map(|story| Pair { first: Some(story), second: None }).collect();
    type Key = fn(&Story) -> Option<&String>;
    let keys: [Key; 2] =
        [|story| story.enrollment.device_id.as_ref(), |story| story.enrollment.user.as_ref()];
    for key in keys {
        for pair in pairs.iter_mut().filter(|pair| pair.second.is_none()) {
            let wanted = pair.first.and_then(key);
            if wanted.is_some() {
                pair.second = take(&|story| key(story) == wanted && same_flow(pair.first, story));
            }
        }
    }
    for pair in pairs.iter_mut().filter(|pair| pair.second.is_none()) {
        pair.second =
            take(&|story| story.enrollment.device_id.is_none() || first.len() == 1 && second.len() == 1);
    }
    pairs.extend(left.into_iter().map(|story| Pair { first: None, second: Some(story) }));
    pairs
}

/// A device's enrollment and its renewal are two.
fn same_flow(first: Option<&Story>, second: &Story) -> bool {
    first.is_none_or(|first| first.enrollment.flow == second.enrollment.flow)
}
