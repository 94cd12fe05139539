//! Text for a terminal: words up to a width, labels before them.

use std::fmt::Write as _;

use super::human::clean;

/// Where nothing says how wide the screen is; wider ones are not filled, as nobody reads such lines.
pub(super) const PAGE: usize = 100;

/// The width of labels.
pub(super) const LABEL: usize = 10;

/// Words up to the width, each line so far to the right.
pub(super) fn indented(out: &mut String, indent: usize, width: usize, text: &str) {
    let room = width.saturating_sub(indent).max(20);
    let mut line = String::new();
    // Entries may be anybody's, and answers are.
    for word in text.split_whitespace().map(clean) {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            let _ = writeln!(out, "{}{line}", " ".repeat(indent));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    let _ = writeln!(out, "{}{line}", " ".repeat(indent));
}

/// A label, and beside it words up to the width.
pub(super) fn labelled(out: &mut String, label: &str, width: usize, text: &str) {
    let mut lines = String::new();
    indented(&mut lines, LABEL, width, text);
    let label: String = label.chars().take(LABEL - 1).collect();
    let _ = write!(out, "{label:<LABEL$}{}", lines.get(LABEL..).unwrap_or_default());
}
