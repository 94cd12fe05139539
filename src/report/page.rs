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
    for word in text.split_whitespace().flat_map(|word| pieces(&clean(word), room)) {
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

/// A word that is longer than a line (a URL) goes on in the next one.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    letters.chunks(room).map(|piece| piece.iter().collect()).collect()
}

/// A label, and beside it words up to the width.
pub(super) fn labelled(out: &mut String, label: &str, width: usize, text: &str) {
    let mut lines = String::new();
    indented(&mut lines, LABEL, width, text);
    let label: String = label.chars().take(LABEL - 1).collect();
    let _ = write!(out, "{label:<LABEL$}{}", lines.get(LABEL..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_to_their_width_whatever_the_words() {
        let mut out = String::new();
        indented(
            &mut out,
            8,
            40,
            "see https://mdm.contoso.example/EnrollmentServer/Enrollment.svc and \u{1b}[2Jgo on",
        );
        assert!(out.lines().all(|line| line.chars().count() <= 40 && line.starts_with("        ")), "{out}");
        assert!(!out.contains('\u{1b}') && out.replace("\n        ", "").contains("Enrollment.svc"), "{out}");
    }
}
