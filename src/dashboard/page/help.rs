//! The help: every key, from the table of keys, and what the marks mean.

use crate::dashboard::keys::{BINDINGS, Context};
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::model::Model;
use crate::dashboard::page::device::stage_letter;
use crate::enrollment::Stage;
use crate::filter::FIELDS;

const SIGNS: &[(&str, &str)] = &[
    ("= : != < >", "NAME:TEXT has it, NAME=TEXT is it; numbers and times by <, <=, =, >=, >"),
    ("~b ~h ~u", "text in a body, in a head, in a request's address"),
    ("& | ! ( )", "and (a blank will do), or, not; \"quotation marks\" for blanks"),
    ("@NAME", "a filter saved in the configuration file, under [filters]; Tab completes it"),
];

pub(crate) fn page(model: &Model, width: usize) -> Page {
    let mut page = Page::default();
    let sections = [
        ("Everywhere", None),
        ("In the overview", Some(Context::Overview)),
        ("On a device", Some(Context::Exchanges)),
    ];
    for (title, wanted) in sections {
        page.heading(title);
        for binding in BINDINGS {
            let both = binding.contexts.contains(&Context::Overview)
                && binding.contexts.contains(&Context::Exchanges);
            let fits = match wanted {
                None => both,
                Some(context) => !both && binding.contexts.contains(&context),
            };
            if fits {
                row(&mut page, binding.label, binding.help, width);
            }
        }
    }
    page.heading("What the filter understands");
    for (name, words) in FIELDS {
        row(&mut page, name, words, width);
    }
    for (sign, words) in SIGNS {
        row(&mut page, sign, words, width);
    }
    if !model.status.filters.is_empty() {
        page.heading("Saved filters");
        for (name, filter) in model.status.filters.iter() {
            row(&mut page, &format!("@{name}"), filter, width);
        }
    }
    page.heading("Stages");
    for stage in Stage::ALL {
        row(&mut page, stage_letter(*stage), stage.title(), width);
    }
    page.heading("What this is");
    let live = if model.status.live { "it goes on while you look" } else { "a recording" };
    page.push(Line::plain(&format!(
        "  enrollscope {}, {live}; the newest 20,000 exchanges are kept.",
        model.status.title
    )));
    page
}

fn row(page: &mut Page, label: &str, words: &str, width: usize) {
    // A name that is too long keeps its distance.
    let line = Line::new(Role::Info, &format!("  {label:<11} ")).and(Role::Plain, words);
    for line in line.folded(width, 14) {
        page.push(line);
    }
}
