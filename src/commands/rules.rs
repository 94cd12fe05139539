//! `rules`: the catalogue, or one rule of it.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde_json::json;

use super::output::{Exit, Output};
use crate::cli::{Format, RulesArgs};
use crate::rules::{self, CATALOGUE, Rule};

pub fn rules(args: &RulesArgs, out: Output) -> Result<Exit> {
    let chosen: Vec<&Rule> = match &args.id {
        None => rules::all().collect(),
        Some(id) => match rules::by_id(id) {
            Some(rule) => vec![rule],
            None => bail!("there is no rule {id}; `enrollscope rules` lists them all"),
        },
    };
    match args.format {
        Format::Json => out.print(&format!(
            "{:#}\n",
            json!({ "rules": chosen.iter().map(|r| fields(r)).collect::<Vec<_>>() })
        )),
        Format::Human if args.id.is_some() => chosen.iter().for_each(|rule| out.print(&rules::section(rule))),
        Format::Human => out.print(&table()),
    }
    Ok(Exit::Good)
}

fn table() -> String {
    let mut text = String::new();
    for group in CATALOGUE {
        let _ = writeln!(text, "{}", group.title);
        for rule in group.rules {
            let _ = writeln!(
                text,
                "  {:<13} {:<8} {:<12} {}",
                rule.id,
                rule.severity.field.word(),
                rule.subject.word(),
                rule.requirement
            );
        }
    }
    let _ = writeln!(text, "\n{} rules; `enrollscope rules ID` shows one", rules::all().count());
    text
}

fn fields(rule: &Rule) -> serde_json::Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "severity": { "field": rule.severity.field.word(), "strict": rule.severity.strict.word() },
        "subject": rule.subject.word(),
        "requirement": rule.requirement,
        "cites": rule.cites.iter().map(|c| json!({ "source": c.text(), "force": format!("{:?}", c.force).to_lowercase(), "quote": c.quote })).collect::<Vec<_>>(),
        "consequence": rule.consequence,
        "remedy": rule.remedy,
        "hresult": rule.hresult.map(|c| format!("0x{c:08X}")),
        "examples": rule.examples.iter().map(rules::describe).collect::<Vec<_>>(),
        "since": rule.since,
    })
}
