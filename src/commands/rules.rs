//! `rules`: the catalogue, or one rule of it.

use anyhow::{Result, bail};
use serde_json::json;

use super::output::{Exit, Output};
use crate::cli::{Format, RulesArgs};
use crate::diagnosis::hresult;
use crate::event::Event;
use crate::report::catalogue;
use crate::rules::{self, Cite, Example, Rule};
use crate::sim::golden;

pub fn rules(args: &RulesArgs, out: Output) -> Result<Exit> {
    let chosen = args.id.as_deref().map(named).transpose()?;
    match (args.format, chosen) {
        (Format::Json, chosen) => {
            let rules: Vec<_> =
                chosen.map_or_else(|| rules::all().map(fields).collect(), |rule| vec![fields(rule)]);
            out.print(&format!("{:#}\n", json!({ "rules": rules })));
        }
        (Format::Human, None) => out.print(&catalogue::list(out.width(), out.colour())),
        (Format::Human, Some(rule)) => out.print(&catalogue::one(rule, &play, out.width(), out.colour())),
    }
    Ok(Exit::Good)
}

/// An example's golden, and the golden with the edit made.
pub fn play(example: &Example) -> Option<(Vec<Event>, Vec<Event>)> {
    Some((golden::of(example.golden), golden::with_edit(example.golden, &example.edit)?))
}

fn named(id: &str) -> Result<&'static Rule> {
    if let Some(rule) = rules::by_id(id) {
        return Ok(rule);
    }
    let near: Vec<_> =
        catalogue::near(id).iter().map(|rule| format!("{} ({})", rule.id, rule.name)).collect();
    match near.as_slice() {
        [] => bail!("there is no rule {id}; `enrollscope rules` lists them all"),
        near => {
            bail!("there is no rule {id}; is it {}? `enrollscope rules` lists them all", near.join(" or "))
        }
    }
}

fn fields(rule: &Rule) -> serde_json::Value {
    let group = rule.group();
    json!({
        "id": rule.id,
        "name": rule.name,
        "stage": group.map(|group| group.stage.word()),
        "group": group.map(|group| group.title),
        "severity": { "field": rule.severity.field.word(), "strict": rule.severity.strict.word() },
        "subject": rule.subject.word(),
        "requirement": rule.requirement,
        "cites": rule.cites.iter().map(cite).collect::<Vec<_>>(),
        "consequence": rule.consequence,
        "remedy": rule.remedy,
        "hresult": rule.hresult.map(|code| format!("0x{code:08X}")),
        "symbol": rule.hresult.and_then(hresult).map(|(symbol, _)| symbol),
        "applies_to": rule.check.applies_to(),
        "needs": rule.needs,
        "examples": rule.examples.iter().map(catalogue::describe).collect::<Vec<_>>(),
        "since": rule.since,
    })
}

fn cite(cite: &Cite) -> serde_json::Value {
    json!({
        "source": cite.text(),
        "spec": cite.spec.name(),
        "section": cite.section,
        "force": format!("{:?}", cite.force).to_lowercase(),
        "quote": cite.quote,
    })
}
