//! Codes in any form that people paste, names, rules, and what users read on the screen: found in a text, and explained.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::apart::{Parts, is_known_facility};
use super::knowledge::{Entry, Knowledge};
use super::near::{by_words, edits};
use crate::rules::{self, Rule};

/// So many different things of a text are explained.
const MOST: usize = 500;

/// A longer text is no question, in bytes.
const LONGEST_SENTENCE: usize = 200;

/// A lone input longer than this is no name.
const LONGEST_NAME: usize = 100;

/// One thing that a text speaks of.
#[derive(Debug)]
pub struct Explanation<'k> {
    /// As it stands in the text.
    pub input: String,
    /// Where it stands first, in lines from 1.
    pub line: usize,
    /// How often it is there, in whatever form.
    pub times: usize,
    pub code: Option<u32>,
    /// It was written with a digit too many or too few.
    pub slip: bool,
    /// What is known of it, the likeliest first.
    pub entries: Vec<&'k Entry>,
    pub rule: Option<&'static Rule>,
    /// What it may have been meant to be, if nothing is known.
    pub near: Vec<&'k Entry>,
    pub near_rules: Vec<&'static Rule>,
}

impl Explanation<'_> {
    pub fn is_known(&self) -> bool {
        !self.entries.is_empty() || self.rule.is_some()
    }

    /// The code's parts.
    pub fn parts(&self) -> Option<Parts> {
        self.code.map(Parts::of)
    }
}

/// Everything in a text that can be explained, in its order. A text that is nothing but one thing may be less certain:
/// digits without a prefix, a word of everyday language, a name with a slip.
pub fn explain<'k>(text: &str, knowledge: &'k Knowledge) -> Vec<Explanation<'k>> {
    let mut found = Found { knowledge, explanations: Vec::new(), places: HashMap::new() };
    let lone = text.trim();
    let lone = lone.strip_prefix("hr ").unwrap_or(lone);
    if !lone.contains(char::is_whitespace) && lone.len() <= LONGEST_NAME {
        found.alone(lone);
    }
    if found.explanations.is_empty() {
        found.search(&COLOURS.as_ref().map_or(text.into(), |colours| colours.replace_all(text, "")));
    }
    if found.explanations.is_empty() && lone.len() <= LONGEST_SENTENCE {
        let near = by_words(lone, knowledge);
        if !near.is_empty() {
            found.explanations.push(Explanation { near, ..nothing(lone, 1) });
        }
    }
    found.explanations
}

/// What colours a log.
static COLOURS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("\\x1b\\[[0-9;?]*[A-Za-z]").ok());

/// What leads to an explanation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'k> {
    Code(u32),
    Entry(&'k str),
    Rule(&'static str),
}

struct Found<'k> {
    knowledge: &'k Knowledge,
    explanations: Vec<Explanation<'k>>,
    places: HashMap<Key<'k>, usize>,
}

/// Leftmost first. Digits that are letters, too (`CAA30194`), come before words.
static FORMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let forms = [
        // C writes an L behind it.
        r"(?P<hex>\b0[xX][0-9A-Fa-f]{1,16}[lL]?\b)",
        r"(?P<status>\bHTTP(?:/\d(?:\.\d)?)?[ :]+[1-5]\d\d\b)",
        r"(?P<rule>\b[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*-\d{3}\b)",
        r"(?P<decimal>-?\b\d{9,10}\b)",
        r"(?P<bare>(?:\b|\bx|&[hH])[0-9A-Fa-f]{7,9}[hHlL]?\b)",
        r"(?P<subcode>\b[as]:[A-Za-z]+\b)",
        r"(?P<word>\b[A-Za-z_][A-Za-z0-9_]{3,}(?::[a-z_]+)?)",
    ];
    Regex::new(&format!("(?-u)(?:{})", forms.join("|"))).ok()
});

impl<'k> Found<'k> {
    fn search(&mut self, text: &str) {
        let Some(forms) = &*FORMS else { return };
        // What users read comes first: other things may be said inside of it.
        let mut seen: Vec<(Range<usize>, Key<'k>)> =
            self.knowledge.seen_in(text).map(|(span, entry)| (span, Key::Entry(&entry.id))).collect();
        let mut spans = seen.clone().into_iter().map(|(span, _)| span).peekable();
        for form in forms.captures_iter(text) {
            let Some(whole) = form.get(0) else { continue };
            while spans.next_if(|span| span.end <= whole.start()).is_some() {}
            let inside = spans.peek().is_some_and(|span| span.start <= whole.start());
            if let Some((key, _)) = self.meant(&form).filter(|_| !inside) {
                seen.push((whole.range(), key));
            }
        }
        seen.sort_by_key(|(span, _)| span.start);
        let (mut line, mut at) = (1, 0);
        for (span, key) in seen {
            line += text.get(at..span.start).unwrap_or_default().matches('\n').count();
            at = span.start;
            self.add(text.get(span).unwrap_or_default(), line, key, false);
        }
    }

    /// What is certain enough to be picked out of a text.
    fn meant(&self, form: &Captures<'_>) -> Option<(Key<'k>, bool)> {
        let is = |name: &str| form.name(name).map(|found| found.as_str());
        if let Some(digits) = is("hex") {
            return self.hex(digits.get(2..)?.trim_end_matches(['l', 'L']), false);
        }
        if let Some(status) = is("status") {
            let status: u32 = status.get(status.len().checked_sub(3)?..)?.parse().ok()?;
            return (status >= 400).then_some((Key::Code(0x8019_0000 | status), false));
        }
        if let Some(id) = is("rule") {
            return rules::by_id(id).map(|rule| (Key::Rule(rule.id), false));
        }
        if let Some(digits) = is("decimal") {
            let code = decimal(digits).filter(|code| self.is_likely(*code));
            return code.map(|code| (Key::Code(code), false)).or_else(|| self.hex(digits, false));
        }
        if let Some(digits) = is("bare") {
            let digits =
                digits.trim_start_matches(['&', 'h', 'H', 'x']).trim_end_matches(['h', 'H', 'l', 'L']);
            return self.hex(digits, false);
        }
        if let Some(subcode) = is("subcode") {
            return self.named(subcode.get(2..)?);
        }
        // Words run into codes in logs: hr0x80180013, error_0x80180013.
        let code = is("word").and_then(|word| {
            word.to_ascii_lowercase().rsplit_once("0x").map(|(_, digits)| digits.to_owned())
        });
        if let Some(found) = code.and_then(|digits| self.hex(digits.trim_end_matches('l'), false)) {
            return Some(found);
        }
        // Everyday words are names of faults, too; those have capitals inside, or a line below.
        let word = is("word").filter(|word| {
            word.contains('_') || word.chars().skip(1).any(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        });
        self.named(word?)
    }

    /// An input that is nothing else.
    fn alone(&mut self, input: &str) {
        let digits = input.strip_prefix("0x").or_else(|| input.strip_prefix("0X")).unwrap_or(input);
        let name = input
            .split_once(':')
            .map_or(input, |(prefix, name)| if prefix.len() == 1 { name } else { input });
        // A status of three digits is HTTP's.
        let status = input.parse().ok().filter(|status| (400..600).contains(status) && input.len() == 3);
        let found = rules::by_id(&input.to_uppercase())
            .map(|rule| (Key::Rule(rule.id), false))
            .or_else(|| self.named(name))
            .or_else(|| status.map(|status: u32| (Key::Code(0x8019_0000 | status), false)))
            .or_else(|| decimal(input).map(|code| (Key::Code(code), false)))
            .or_else(|| self.hex(digits, true));
        if let Some((key, slip)) = found {
            return self.add(input, 1, key, slip);
        }
        let (near, near_rules) = (self.near(name), near_rules(input));
        if !near.is_empty() || !near_rules.is_empty() {
            self.explanations.push(Explanation { near, near_rules, ..nothing(input, 1) });
        }
    }

    /// A code from its digits, of which one may be missing or one zero too many.
    fn hex(&self, digits: &str, alone: bool) -> Option<(Key<'k>, bool)> {
        let value = u64::from_str_radix(digits, 16).ok()?;
        let low = u32::try_from(value & 0xFFFF_FFFF).ok()?;
        // As 64-bit programs write a negative number.
        let is_short =
            digits.len() <= 8 || matches!(value >> 32, 0xFFFF_FFFF) || digits.len() == 16 && value >> 32 == 0;
        if is_short && self.is_likely(low) || is_short && alone && digits.len() > 2 && digits.len() != 7 {
            return Some((Key::Code(low), false));
        }
        self.mistyped(digits).map(|code| (Key::Code(code), true))
    }

    /// The one known code that comes of it with a zero more or less.
    fn mistyped(&self, digits: &str) -> Option<u32> {
        let edited = |at: usize| match digits.len() {
            9 if digits.get(at..=at) == Some("0") => {
                Some(format!("{}{}", digits.get(..at)?, digits.get(at + 1..)?))
            }
            7 => Some(format!("{}0{}", digits.get(..at)?, digits.get(at..)?)),
            _ => None,
        };
        let mut codes: Vec<u32> = (0..=digits.len())
            .filter_map(|at| u32::from_str_radix(&edited(at)?, 16).ok())
            .filter(|code| self.knowledge.by_code(*code).next().is_some())
            .collect();
        codes.dedup();
        match codes.as_slice() {
            [code] => Some(*code),
            _ => None,
        }
    }

    /// Known, or a failure of something that is known.
    fn is_likely(&self, code: u32) -> bool {
        self.knowledge.by_code(code).next().is_some() || is_known_facility(code)
    }

    fn named(&self, name: &str) -> Option<(Key<'k>, bool)> {
        let entry = self.knowledge.by_name(name).next()?;
        Some((Key::Entry(&entry.id), false))
    }

    fn near(&self, name: &str) -> Vec<&'k Entry> {
        let wanted = name.to_lowercase();
        let far = |entry: &&Entry| {
            let names = entry.names.iter().map(|name| name.to_lowercase());
            names
                .map(|name| {
                    let bare = name.trim_start_matches("menroll_e_").trim_start_matches("mregister_e_");
                    edits(&wanted, &name).min(edits(&wanted, bare))
                })
                .min()
        };
        let mut found: Vec<_> =
            self.knowledge.entries().iter().filter_map(|entry| Some((far(&entry)?, entry))).collect();
        found.retain(|(far, _)| wanted.len() > 3 && *far <= 1 + wanted.len() / 8);
        found.sort_by_key(|(far, _)| *far);
        found.into_iter().map(|(_, entry)| entry).take(3).collect()
    }

    fn add(&mut self, input: &str, line: usize, key: Key<'k>, slip: bool) {
        // The same thing by its code, by its name, and in the user's words.
        let same = match key {
            Key::Code(code) => self.knowledge.by_code(code).next().map_or(key, |entry| Key::Entry(&entry.id)),
            Key::Entry(_) | Key::Rule(_) => key,
        };
        if let Some(known) = self.places.get(&same).and_then(|place| self.explanations.get_mut(*place)) {
            known.times += 1;
            return;
        }
        if self.explanations.len() == MOST {
            return;
        }
        self.places.insert(same, self.explanations.len());
        let mut explanation = nothing(input, line);
        explanation.slip = slip || matches!(key, Key::Code(_)) && is_slip(input);
        match key {
            Key::Code(code) => {
                explanation.code = Some(code);
                explanation.entries = self.knowledge.by_code(code).collect();
                if explanation.entries.is_empty() {
                    explanation.entries =
                        twin(code).into_iter().flat_map(|twin| self.knowledge.by_code(twin)).collect();
                }
                if explanation.entries.is_empty() {
                    let near = self.knowledge.entries().iter();
                    explanation.near = near
                        .filter(|entry| entry.codes.iter().any(|known| is_near(known.0, code)))
                        .take(3)
                        .collect();
                }
            }
            Key::Entry(id) => {
                let entry = self.knowledge.by_id(id);
                explanation.code =
                    entry.and_then(|entry| entry.codes.first().or(entry.shows.as_ref())).map(|code| code.0);
                // Other platforms call other things so.
                let name = entry.map(Entry::name).unwrap_or_default();
                let others = self.knowledge.by_name(name).filter(|other| other.id != id);
                explanation.entries = entry.into_iter().chain(others).collect();
            }
            Key::Rule(id) => {
                explanation.rule = rules::by_id(id);
                explanation.code = explanation.rule.and_then(|rule| rule.hresult);
                let about = self.knowledge.entries().iter();
                explanation.entries =
                    about.filter(|entry| entry.rules.iter().any(|rule| rule == id)).collect();
            }
        }
        self.explanations.push(explanation);
    }
}

fn nothing<'k>(input: &str, line: usize) -> Explanation<'k> {
    Explanation {
        input: input.to_owned(),
        line,
        times: 1,
        code: None,
        slip: false,
        entries: Vec::new(),
        rule: None,
        near: Vec::new(),
        near_rules: Vec::new(),
    }
}

/// A number as event logs and scripts show codes, with or without a sign.
fn decimal(digits: &str) -> Option<u32> {
    let number: i64 = digits.parse().ok()?;
    match number {
        -0x8000_0000..=-1 => u32::try_from(number + (1 << 32)).ok(),
        0x8000_0000..=0xFFFF_FFFF => u32::try_from(number).ok(),
        _ => None,
    }
}

/// Written with nine digits, or with seven.
fn is_slip(input: &str) -> bool {
    let digits = input.trim_start_matches("0x").trim_start_matches("0X");
    matches!(digits.len(), 7 | 9) && digits.bytes().all(|b| b.is_ascii_hexdigit()) && decimal(input).is_none()
}

/// The same WinHTTP error in the other facility that carries it.
fn twin(code: u32) -> Option<u32> {
    match (code >> 16, code & 0xFFFF) {
        (0x8019, low @ 12000..=12191) => Some(0x8007_0000 | low),
        (0x8007, low @ 12000..=12191) => Some(0x8019_0000 | low),
        _ => None,
    }
}

/// One hexadecimal digit differs, in the same facility.
fn is_near(known: u32, code: u32) -> bool {
    let differing = known ^ code;
    known >> 16 == code >> 16 && (0..4).filter(|digit| differing >> (4 * digit) & 0xF != 0).count() == 1
}

fn near_rules(input: &str) -> Vec<&'static Rule> {
    let wanted = input.to_uppercase();
    if !wanted.contains('-') {
        return Vec::new();
    }
    let mut found: Vec<_> =
        rules::all().map(|rule| (edits(&wanted, rule.id), rule)).filter(|(far, _)| *far <= 2).collect();
    found.sort_by_key(|(far, _)| *far);
    found.into_iter().map(|(_, rule)| rule).take(3).collect()
}
