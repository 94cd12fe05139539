//! A comparison as text.

use std::fmt::Write as _;

use super::{Aside, Compared, words};
use crate::compare::{BUILT_IN, Compared as Exchange, Difference, Pairing, Verdict};
use crate::report::clean;
use crate::report::paint::Paint;

/// So many differences of an exchange are shown.
const SHOWN: usize = 12;

/// So much of a value is shown, in characters.
const LONGEST: usize = 160;

/// The report as text; `colour` adds ANSI colours.
pub fn human(compared: &Compared, colour: bool) -> String {
    let paint = Paint(colour);
    let mut out = String::new();
    for pairing in &compared.comparison.pairings {
        one(&mut out, pairing, compared, paint);
    }
    for (expectation, met) in &compared.expectations {
        let word = if met.is_met() { paint.put("32", "yes") } else { paint.put("31", "no") };
        let _ = writeln!(out, "{expectation}  {word}: {}", clean(met.words()));
    }
    let _ = writeln!(out, "{}", paint.strong(&words::counts(&compared.comparison)));
    out
}

/// One case of a suite: a line where it is as expected, else all that there is to say.
pub fn case(compared: &Compared, colour: bool) -> String {
    let paint = Paint(colour);
    let title = paint.strong(&clean(&compared.title));
    match &compared.aside {
        Some(Aside::Skipped(why)) => format!("{title}  {}: {}\n", paint.put("33", "skipped"), clean(why)),
        Some(Aside::Failed(why)) => {
            format!("{title}  {}: {}\n", paint.put("31", "could not be replayed"), clean(why))
        }
        None if compared.is_as_expected() && !compared.comparison.is_worse() => {
            let met: Vec<_> = compared.expectations.iter().map(|(e, _)| e.to_string()).collect();
            format!("{title}  {}: {}\n", paint.put("32", "as expected"), met.join(", "))
        }
        None => format!("{title}  {}\n{}", paint.put("31", "not as expected"), human(compared, colour)),
    }
}

fn one(out: &mut String, pairing: &Pairing, compared: &Compared, paint: Paint) {
    let verdict = pairing.verdict();
    let _ = writeln!(out, "{}  {}", paint.strong(&clean(words::title(pairing))), painted(verdict, paint));
    let width = compared.sides.0.chars().count().max(compared.sides.1.chars().count());
    for (side, enrollment) in [(&compared.sides.0, &pairing.first), (&compared.sides.1, &pairing.second)] {
        let told = enrollment.as_ref().map_or_else(|| "not there".to_owned(), words::outcome);
        let _ = writeln!(out, "  {:<width$}  {}", clean(side), clean(&told));
    }
    if let Some(ended) = &pairing.ended {
        let _ = writeln!(out, "  {:<width$}  {}", "device", clean(ended));
    }
    for note in &pairing.notes {
        let _ = writeln!(out, "  {:<width$}  {}", "note", clean(note));
    }
    let matters = pairing.first_that_matters();
    if let Some(matters) = matters {
        let _ = writeln!(out, "  {}", paint.strong("the first difference that matters"));
        exchange(out, matters, paint);
    }
    let is_first = |other: &&Exchange| matters.is_some_and(|matters| std::ptr::eq(matters, *other));
    for other in pairing.exchanges.iter().filter(|other| !is_first(other)) {
        exchange(out, other, paint);
    }
    out.push('\n');
}

fn exchange(out: &mut String, exchange: &Exchange, paint: Paint) {
    let note = exchange.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    // Padded before it is painted: colours have no width.
    let verdict = format!("{:<9}", exchange.verdict.word());
    let verdict = paint.put(colour(exchange.verdict), &verdict);
    let _ = writeln!(out, "    {verdict} {}{}", clean(&words::exchange(exchange)), clean(&note));
    for found in &exchange.gone {
        let _ = writeln!(out, "              {} {}", paint.put("32", "gone"), words::rule(found));
    }
    for found in &exchange.new {
        let line = format!("{}: found {}", words::rule(found), short(&found.found));
        let _ = writeln!(out, "              {} {}", paint.put("31", "new "), clean(&line));
    }
    for difference in exchange.differences.iter().take(SHOWN) {
        one_difference(out, difference, paint);
    }
    let more = exchange.differences.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "              and {more} more (--format json has all)");
    }
}

fn one_difference(out: &mut String, difference: &Difference, paint: Paint) {
    let _ = writeln!(out, "              {}", clean(&words::place(difference)));
    let sides = [("-", "31", &difference.first), ("+", "32", &difference.second)];
    for (sign, colour, value) in sides {
        if let Some(value) = value {
            let _ = writeln!(
                out,
                "                {}",
                paint.put(colour, &format!("{sign} {}", clean(&short(value))))
            );
        }
    }
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn painted(verdict: Verdict, paint: Paint) -> String {
    paint.put(colour(verdict), verdict.word())
}

fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "2",
        Verdict::Different => "33",
        Verdict::Better => "32",
        Verdict::Worse => "31",
    }
}

/// What is left out of every comparison, and why.
pub fn noise() -> String {
    let mut out =
        String::from("Left out of every comparison, besides prefixes, blanks and the order of elements:\n\n");
    for noise in BUILT_IN {
        let _ = writeln!(out, "{}: {}", noise.name, noise.why);
        for place in noise.places {
            let _ = writeln!(out, "    {place}");
        }
    }
    out.push_str(
        "\nThe device's ids, its MAC addresses, the user and the server's hosts are compared by what they stand for.\n\
         --ignore PLACE adds a place: header:NAME, or the end of a path.\n",
    );
    out
}
