//! Whether an enrollment is what is looked for.

use super::field::Field;
use super::parse::{Compare, Match, Node, Part};
use crate::compare::Story;
use crate::enrollment::{Enrollment, Outcome};
use crate::event::{Exchange, Header, Time};
use crate::rules::{Finding, Level};

/// Something that can be looked for: an enrollment, with what was said.
pub trait Sought {
    fn enrollment(&self) -> &Enrollment;

    /// Ages are told up to then.
    fn now(&self) -> Time;

    /// Shows each exchange, until it is told that this will do.
    fn each(&self, enough: &mut dyn FnMut(Said<'_>) -> bool);
}

/// An exchange, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Said<'s> {
    pub findings: &'s [Finding],
    /// Of the answer.
    pub status: Option<u16>,
    /// What its messages are.
    pub kinds: [&'s str; 2],
    pub text: Text<'s>,
}

/// The text of its messages.
#[derive(Clone, Copy, Debug)]
pub enum Text<'s> {
    Known(&'s Exchange),
    /// What [`Filter::marks`](super::Filter::marks) found in it.
    Marked(&'s [bool]),
    /// Gone from memory: nothing is found in it.
    Gone,
}

pub(super) fn fits(node: &Node, sought: &impl Sought) -> bool {
    let e = sought.enrollment();
    match node {
        Node::All(nodes) => nodes.iter().all(|node| fits(node, sought)),
        Node::Any(nodes) => nodes.iter().any(|node| fits(node, sought)),
        Node::Not(node) => !fits(node, sought),
        Node::Words(words) => {
            let broke = |finding: &Finding| {
                let rule = finding.rule;
                finding.level > Level::Info
                    && (rule.id.to_lowercase().contains(words.as_str()) || rule.name.contains(words.as_str()))
            };
            e.words().to_lowercase().contains(words.as_str())
                || any(sought, |said| said.findings.iter().any(broke))
        }
        Node::Text(field, how, wanted) if field.is_of_messages() => of_messages(*field, *how, wanted, sought),
        Node::Text(field, how, wanted) => {
            texts(*field, e).iter().any(|text| is(text, *how, wanted, *field)) ^ (*how == Match::IsNot)
        }
        Node::Number(Field::Status, compare, wanted) => {
            any(sought, |said| said.status.is_some_and(|status| holds(&u64::from(status), *compare, wanted)))
        }
        Node::Number(field, compare, wanted) => {
            let number = match field {
                Field::Errors => e.errors,
                Field::Warnings => e.warnings,
                _ => e.exchanges,
            };
            holds(&number, *compare, wanted)
        }
        Node::Span(field, compare, wanted) => {
            let from = if *field == Field::Age { e.started } else { e.latest };
            holds(&sought.now().since(from).max(0), *compare, wanted)
        }
        Node::Within(part, text, index) => any(sought, |said| match said.text {
            Text::Known(exchange) => within(exchange, *part, text),
            Text::Marked(marks) => marks.get(*index).copied().unwrap_or(false),
            Text::Gone => false,
        }),
    }
}

fn any(sought: &impl Sought, mut is: impl FnMut(Said<'_>) -> bool) -> bool {
    let mut found = false;
    sought.each(&mut |said| {
        found |= is(said);
        found
    });
    found
}

fn holds<T: PartialOrd>(value: &T, compare: Compare, wanted: &T) -> bool {
    match compare {
        Compare::Less => value < wanted,
        Compare::AtMost => value <= wanted,
        Compare::Equal => value == wanted,
        Compare::Unequal => value != wanted,
        Compare::AtLeast => value >= wanted,
        Compare::More => value > wanted,
    }
}

/// What the field says of the enrollment.
fn texts(field: Field, e: &Enrollment) -> Vec<String> {
    let known = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
    match field {
        Field::User => known(&e.user),
        Field::Device => [known(&e.device_name), known(&e.device_id)].concat(),
        Field::Id => vec![e.id.to_string()],
        Field::Stage => e.stage.iter().map(|stage| stage.word().to_owned()).collect(),
        Field::Outcome if e.outcome == Outcome::Stalled => vec!["stalled".to_owned(), "stuck".to_owned()],
        Field::Outcome => vec![e.outcome.word().to_owned()],
        Field::Owner => e.owner.iter().map(|owner| owner.word().to_owned()).collect(),
        Field::Verdict => vec![e.verdict.clone()],
        Field::Code => e.hresult.iter().map(|code| format!("0x{code:08x}")).collect(),
        Field::Auth => vec![e.flow.word().to_owned()],
        Field::Build => known(&e.os_version),
        Field::Host => vec![e.host.clone()],
        Field::Address => vec![e.address.clone()],
        Field::Errors
        | Field::Warnings
        | Field::Exchanges
        | Field::Age
        | Field::Since
        | Field::Rule
        | Field::Status
        | Field::Message => Vec::new(),
    }
}

fn is(text: &str, how: Match, wanted: &str, field: Field) -> bool {
    let text = text.to_lowercase();
    match how {
        Match::Is | Match::IsNot => text == wanted,
        Match::Has if field.kind() == super::field::Kind::Word => text.starts_with(wanted),
        Match::Has => text.contains(wanted),
    }
}

/// One of its exchanges is so; with `!=`, none is.
fn of_messages(field: Field, how: Match, wanted: &str, sought: &impl Sought) -> bool {
    let found = any(sought, |said| match field {
        Field::Rule => said.findings.iter().any(|finding| {
            is(finding.rule.id, how, wanted, field) || is(finding.rule.name, how, wanted, field)
        }),
        _ => said.kinds.iter().any(|kind| is(kind, how, wanted, field)),
    });
    found ^ (how == Match::IsNot)
}

pub(super) fn within(exchange: &Exchange, part: Part, text: &str) -> bool {
    let response = exchange.response.as_ref();
    let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase().contains(text);
    match part {
        Part::Target => has(exchange.request.target.as_bytes()),
        Part::Head => {
            let of = |header: &Header| has(header.name.as_bytes()) || has(&header.value);
            exchange.request.headers.iter().chain(response.iter().flat_map(|r| &r.headers)).any(of)
        }
        Part::Body => has(&exchange.request.body.bytes) || response.is_some_and(|r| has(&r.body.bytes)),
    }
}

impl Sought for Story {
    fn enrollment(&self) -> &Enrollment {
        &self.enrollment
    }

    fn now(&self) -> Time {
        let last = self.exchanges.last().map(|told| told.exchange.request.at);
        last.unwrap_or(self.enrollment.latest).max(self.enrollment.latest)
    }

    fn each(&self, enough: &mut dyn FnMut(Said<'_>) -> bool) {
        for told in &self.exchanges {
            let said = Said {
                findings: &told.findings,
                status: told.exchange.response.as_ref().map(|response| response.status),
                kinds: [told.request.word(), told.response.word()],
                text: Text::Known(&told.exchange),
            };
            if enough(said) {
                return;
            }
        }
    }
}
