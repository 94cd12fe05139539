//! A line of a filter, read: what it means, or what is wrong with it and where.

use std::fmt;
use std::str::FromStr;

use super::Filter;
use super::field::{FIELDS, Field, Kind};
use super::saved::{Saved, is_of_name};
use crate::diagnosis::edits;

/// More brackets in brackets are nobody's.
const DEEPEST: usize = 32;
/// A longer line is no line, in bytes.
const LONGEST: usize = 2_000;
/// A line alone cannot have more; with saved filters in saved filters there could be any number.
const MOST: usize = LONGEST;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// Somewhere in what is known of it.
    Words(String),
    Text(Field, Match, String),
    Number(Field, Compare, u64),
    /// In milliseconds.
    Span(Field, Compare, i64),
    /// In a body (b), a head (h) or a request's target (u); and which of such conditions of the line it is, from 0.
    Within(Part, String, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Has,
    Is,
    IsNot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Body,
    Head,
    Target,
}

/// What cannot be understood, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// In characters from the beginning of the line.
    pub at: usize,
    pub words: String,
    line: String,
}

impl fmt::Display for FilterError {
    /// The words, then the line, and a caret under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}\n  {}^", self.words, self.line, " ".repeat(self.at))
    }
}

impl std::error::Error for FilterError {}

impl FromStr for Filter {
    type Err = FilterError;

    /// A line in which no saved filter is used.
    fn from_str(line: &str) -> Result<Self, FilterError> {
        Self::read(line, &Saved::default())
    }
}

impl Filter {
    /// A line that may use saved filters: `@name` is the one of that name, in brackets.
    pub fn read(line: &str, saved: &Saved) -> Result<Self, FilterError> {
        if line.trim().is_empty() {
            return Ok(Self::default());
        }
        Parser::new(line, saved, Vec::new()).all_of_it().map(|node| Self(Some(node)))
    }
}

impl Node {
    /// The conditions on messages' text, in their order.
    pub(super) fn within<'n>(&'n self, found: &mut Vec<(Part, &'n str)>) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.within(found)),
            Self::Not(node) => node.within(found),
            Self::Words(_) | Self::Text(..) | Self::Number(..) | Self::Span(..) => {}
            Self::Within(part, text, _) => found.push((*part, text)),
        }
    }
}

impl Node {
    /// For a text in lower case.
    pub(super) fn is_in(&self, text: &str) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.is_in(text)),
            Self::Any(nodes) => nodes.iter().any(|node| node.is_in(text)),
            Self::Not(node) => !node.is_in(text),
            Self::Words(words) => text.contains(words.as_str()),
            Self::Text(..) | Self::Number(..) | Self::Span(..) | Self::Within(..) => false,
        }
    }
}

pub(super) struct Parser<'l> {
    line: &'l str,
    saved: &'l Saved,
    /// The saved filters that this line is in.
    open: Vec<&'l str>,
    /// In bytes.
    at: usize,
    depth: usize,
    /// Conditions, so far.
    conditions: usize,
    /// Those on messages' text.
    within: usize,
}

impl<'l> Parser<'l> {
    pub(super) fn new(line: &'l str, saved: &'l Saved, open: Vec<&'l str>) -> Self {
        Self { line, saved, open, at: 0, depth: 0, conditions: 0, within: 0 }
    }

    pub(super) fn all_of_it(&mut self) -> Result<Node, FilterError> {
        if self.line.len() > LONGEST {
            let line = self.line.chars().take(60).collect();
            let words = format!("a filter has at most {LONGEST} characters");
            return Err(FilterError { at: 0, words, line });
        }
        let node = self.any()?;
        match self.peek() {
            None => Ok(node),
            Some(_) => Err(self.error(self.at, "this closing bracket has no opening one")),
        }
    }

    fn rest(&self) -> &'l str {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// The next character that is no blank.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        self.peek();
        let taken = self.rest().starts_with(token);
        if taken {
            self.at += token.len();
        }
        taken
    }

    fn error(&self, at: usize, words: impl Into<String>) -> FilterError {
        let before = self.line.get(..at).unwrap_or_default();
        FilterError { at: before.chars().count(), words: words.into(), line: self.line.to_owned() }
    }

    /// `a | b`
    fn any(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all()?];
        while self.take("||") || self.take("|") {
            nodes.push(self.all()?);
        }
        Ok(one_of(nodes, Node::Any))
    }

    /// `a & b`, or `a b`
    fn all(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.not()?];
        loop {
            if !(self.take("&&") || self.take("&")) && self.peek().is_none_or(|c| c == '|' || c == ')') {
                return Ok(one_of(nodes, Node::All));
            }
            nodes.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Node, FilterError> {
        let begin = self.at;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(begin, "there are too many brackets in brackets"));
        }
        self.conditions += 1;
        if self.conditions > MOST {
            return Err(self.error(begin, format!("there are more than {MOST} conditions")));
        }
        let node = self.bare();
        self.depth -= 1;
        node
    }

    fn bare(&mut self) -> Result<Node, FilterError> {
        let next = self.peek();
        let begin = self.at;
        match next {
            Some('!') => {
                self.at += 1;
                Ok(Node::Not(Box::new(self.not()?)))
            }
            Some('(') => {
                self.at += 1;
                let node = self.any()?;
                if self.take(")") { Ok(node) } else { Err(self.error(begin, "this bracket is not closed")) }
            }
            Some('~') => self.within(begin),
            Some('@') => self.saved(begin),
            Some('&' | '|' | ')') | None => Err(self.error(begin, "a condition is wanted here")),
            Some(_) => self.condition(begin),
        }
    }

    /// `@name`; with other signs in it it is words, as is `@contoso.com`.
    fn saved(&mut self, begin: usize) -> Result<Node, FilterError> {
        let word = self.word()?;
        let name = word.strip_prefix('@').unwrap_or(&word);
        if !name.chars().all(is_of_name) {
            return Ok(Node::Words(word.to_lowercase()));
        }
        let Some((name, line)) = self.saved.get_key_value(name) else {
            return Err(self.error(begin, self.saved.unknown(name)));
        };
        let mut open = self.open.clone();
        open.push(name);
        if let Some(first) = self.open.iter().position(|open| *open == name) {
            let circle: Vec<_> = open.iter().skip(first).map(|name| format!("@{name}")).collect();
            return Err(self.error(begin, format!("@{name} stands for itself: {}", circle.join(", "))));
        }
        let mut inner = Self { line, open, at: 0, ..*self };
        // Whoever reads this line has no other, so that the place is that of the name in it.
        let node = inner.all_of_it().map_err(|error| self.error(begin, error.words))?;
        (self.conditions, self.within) = (inner.conditions, inner.within);
        Ok(node)
    }

    /// `~b TEXT`
    fn within(&mut self, begin: usize) -> Result<Node, FilterError> {
        self.at += 1;
        let part = match self.rest().chars().next() {
            Some('b') => Part::Body,
            Some('h') => Part::Head,
            Some('u') => Part::Target,
            _ => {
                let words = "after ~ comes b (in a body), h (in a head) or u (in a request's address)";
                return Err(self.error(begin, words));
            }
        };
        self.at += 1;
        self.peek();
        let text = self.word()?;
        if text.is_empty() {
            return Err(self.error(begin, "what is to be looked for?"));
        }
        self.within += 1;
        Ok(Node::Within(part, text.to_lowercase(), self.within - 1))
    }

    /// `name OPERATOR value`, or words to be found anywhere.
    fn condition(&mut self, begin: usize) -> Result<Node, FilterError> {
        let rest = self.rest();
        let name_length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let name = rest.get(..name_length).unwrap_or_default();
        let operator = OPERATORS.iter().find(|o| rest.get(name_length..).is_some_and(|r| r.starts_with(**o)));
        let Some(operator) = operator.filter(|_| !name.is_empty()) else {
            return Ok(Node::Words(self.word()?.to_lowercase()));
        };
        let Some(field) = Field::named(&name.to_ascii_lowercase()) else {
            // What stands for itself: a URL, a time, s:Authorization.
            if *operator == ":" && !is_meant(name) {
                return Ok(Node::Words(self.word()?.to_lowercase()));
            }
            let known: Vec<_> = FIELDS.iter().map(|(name, _)| *name).collect();
            let near =
                known.iter().min_by_key(|known| edits(known, name)).filter(|near| edits(near, name) < 3);
            let near = near.map(|near| format!(" ({near}?)")).unwrap_or_default();
            return Err(
                self.error(begin, format!("there is no {name}{near}; there are {}", known.join(", ")))
            );
        };
        self.at += name_length + operator.len();
        let value_at = self.at;
        let value = self.word()?;
        if value.is_empty() {
            return Err(self.error(value_at, format!("what is {name} to be?")));
        }
        self.comparison(field, operator, &value, (begin + name_length, value_at))
    }

    fn comparison(
        &self,
        field: Field,
        operator: &str,
        value: &str,
        (operator_at, value_at): (usize, usize),
    ) -> Result<Node, FilterError> {
        let compare = match operator {
            "<" => Compare::Less,
            "<=" => Compare::AtMost,
            "!=" => Compare::Unequal,
            ">=" => Compare::AtLeast,
            ">" => Compare::More,
            _ => Compare::Equal,
        };
        match (field.kind(), compare) {
            (Kind::Number, _) => match value.parse() {
                Ok(number) => Ok(Node::Number(field, compare, number)),
                Err(_) => Err(self.error(value_at, "a number is wanted here")),
            },
            (Kind::Span, _) => match span(value) {
                Some(millis) => Ok(Node::Span(field, compare, millis)),
                None => Err(self.error(value_at, "a time is wanted here: 90s, 10m, 2h, 3d")),
            },
            (Kind::Text | Kind::Word, Compare::Equal | Compare::Unequal) => {
                let how = match operator {
                    ":" => Match::Has,
                    "!=" => Match::IsNot,
                    _ => Match::Is,
                };
                Ok(Node::Text(field, how, value.to_lowercase()))
            }
            (Kind::Text | Kind::Word, _) => {
                Err(self.error(operator_at, "words are compared with :, = or !="))
            }
        }
    }

    /// Up to a blank or a sign with a meaning, or all between quotes.
    fn word(&mut self) -> Result<String, FilterError> {
        let rest = self.rest();
        let begin = self.at;
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some((text, _)) = quoted.split_once('"') else {
                return Err(self.error(begin, "this quotation mark is not closed"));
            };
            self.at += text.len() + 2;
            return Ok(text.to_owned());
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | '|' | '(' | ')'))
            .unwrap_or(rest.len());
        self.at += end;
        Ok(rest.get(..end).unwrap_or_default().to_owned())
    }
}

/// The longer ones first.
const OPERATORS: [&str; 7] = ["<=", ">=", "!=", ":", "=", "<", ">"];

/// A name before a colon that looks like one of ours, wrongly spelled.
fn is_meant(name: &str) -> bool {
    name.len() > 2 && FIELDS.iter().any(|(known, _)| edits(known, &name.to_ascii_lowercase()) < 3)
}

fn one_of(mut nodes: Vec<Node>, several: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            several(nodes)
        }
        None => several(nodes),
    }
}

/// In milliseconds.
fn span(text: &str) -> Option<i64> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    number.parse::<u32>().ok().map(|number| i64::from(number) * factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(line: &str) -> (usize, String) {
        let error = line.parse::<Filter>().unwrap_err();
        (error.at, error.words)
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (line, at, words) in [
            ("usr:anna", 0, "user?"),
            ("user:", 5, "what is user to be?"),
            ("status>=many", 8, "a number"),
            ("age<10", 4, "10m"),
            ("stage>policy", 5, "compared with"),
            ("(user:anna", 0, "not closed"),
            ("user:anna)", 9, "no opening one"),
            ("ä & & b", 4, "a condition is wanted"),
            ("~x y", 0, "after ~ comes"),
            ("~b ", 0, "looked for"),
            ("user:\"anna", 5, "quotation mark"),
            ("a | ", 4, "a condition is wanted"),
        ] {
            let (found, told) = error(line);
            assert!(found == at && told.contains(words), "{line}: {found} {told}");
        }
        assert!(error(&"(".repeat(100)).1.contains("too many brackets"));
        assert!(error(&"a".repeat(5_000)).1.contains("at most"));
        let shown = "stage>policy".parse::<Filter>().unwrap_err().to_string();
        assert_eq!(shown, "words are compared with :, = or !=\n  stage>policy\n       ^");
    }

    #[test]
    fn lines_mean_what_they_say() {
        let read = |line: &str| line.parse::<Filter>().unwrap().0.unwrap();
        assert_eq!(read("a b"), read("a & b"));
        assert_eq!(read("a && b || c"), read("(a & b) | c"));
        assert_eq!(read("!a"), Node::Not(Box::new(Node::Words("a".into()))));
        assert_eq!(read("USER:\"Anna B\""), Node::Text(Field::User, Match::Has, "anna b".into()));
        assert_eq!(read("age<10m"), Node::Span(Field::Age, Compare::Less, 600_000));
        assert_eq!(read("~b DeviceCap"), Node::Within(Part::Body, "devicecap".into(), 0));
        // What people paste is words.
        for line in ["s:Authorization", "https://mdm.contoso.com/x", "14:03:07", "anna@contoso.com", "-"] {
            assert_eq!(read(line), Node::Words(line.to_lowercase()), "{line}");
        }
        assert!("".parse::<Filter>().unwrap().is_empty() && "  ".parse::<Filter>().unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_or_told(line in "[a-z:<>=!&|()~@\" ä0-9-]{0,60}") {
            if let Err(error) = line.parse::<Filter>() {
                prop_assert!(error.at <= line.chars().count() && !error.words.is_empty());
            }
        }
    }
}
