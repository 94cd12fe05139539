//! Lines that differ, with a little of what is around them, short enough to be read.

/// Lines of context on each side of a change.
const CONTEXT: usize = 2;
/// Words longer than this are base64 or hexadecimal, which nobody reads whole.
const LONGEST_WORD: usize = 100;
/// So much of a long word stays at its ends and around the place where it differs.
const KEPT: usize = 24;
/// Of a longer run of lines that came or went, the first and the last are shown.
const LONGEST_RUN: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Same,
    Gone,
    New,
}

/// One line of a diff, shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub mark: Mark,
    pub text: String,
}

impl Line {
    pub(super) fn sign(&self) -> char {
        match self.mark {
            Mark::Same => ' ',
            Mark::Gone => '-',
            Mark::New => '+',
        }
    }
}

/// The places that differ, each with its context. Indentation does not count.
pub(super) fn hunks(before: &[String], after: &[String]) -> Vec<Vec<Line>> {
    let lines = compare(before, after);
    let mut shown = vec![false; lines.len()];
    for (at, _) in lines.iter().enumerate().filter(|(_, (mark, _))| *mark != Mark::Same) {
        for near in shown.iter_mut().take(at + CONTEXT + 1).skip(at.saturating_sub(CONTEXT)) {
            *near = true;
        }
    }
    let mut hunks = Vec::new();
    let mut hunk: Vec<(Mark, &str)> = Vec::new();
    for (line, shown) in lines.iter().zip(shown) {
        if shown {
            hunk.push(*line);
        } else if !hunk.is_empty() {
            hunks.push(std::mem::take(&mut hunk));
        }
    }
    hunks.extend((!hunk.is_empty()).then_some(hunk));
    hunks.iter().map(|hunk| finish(hunk)).collect()
}

/// The longest common subsequence, between what both have at their start and their end.
fn compare<'t>(before: &'t [String], after: &'t [String]) -> Vec<(Mark, &'t str)> {
    let equal = |(a, b): &(&String, &String)| a.trim_start() == b.trim_start();
    let start = before.iter().zip(after).take_while(equal).count();
    let rest = |lines: &'t [String]| lines.get(start..).unwrap_or_default();
    let end = rest(before).iter().rev().zip(rest(after).iter().rev()).take_while(equal).count();
    let middle = |lines: &'t [String]| lines.get(start..lines.len() - end).unwrap_or_default();
    let (old, new) = (middle(before), middle(after));
    let same = |lines: &'t [String]| lines.iter().map(|line| (Mark::Same, line.as_str()));
    let mut out: Vec<_> = same(after.get(..start).unwrap_or_default()).collect();

    // `common[i][j]`: how many lines `old[i..]` and `new[j..]` have in common.
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    let at = |table: &[Vec<u32>], i: usize, j: usize| {
        table.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0)
    };
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let longest = if equal(&(a, b)) {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = longest;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if equal(&(a, b)) => {
                out.push((Mark::Same, b));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), Some(_)) if at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                out.push((Mark::Gone, a));
                i += 1;
            }
            (Some(a), None) => {
                out.push((Mark::Gone, a));
                i += 1;
            }
            (_, Some(b)) => {
                out.push((Mark::New, b));
                j += 1;
            }
            (None, None) => break,
        }
    }
    out.extend(same(after.get(after.len() - end..).unwrap_or_default()));
    out
}

/// Takes the common indentation away, shortens long words and long runs.
fn finish(hunk: &[(Mark, &str)]) -> Vec<Line> {
    let indent = |text: &str| text.len() - text.trim_start_matches(' ').len();
    let common = hunk.iter().map(|(_, text)| indent(text)).min().unwrap_or_default();
    let mut out: Vec<Line> = Vec::new();
    let mut rest = hunk;
    while let Some((mark, _)) = rest.first() {
        let length = rest.iter().take_while(|(other, _)| other == mark).count();
        let (run, behind) = rest.split_at(length);
        // A line that was replaced shows the place where it differs.
        let partner = match (mark, behind.first()) {
            (Mark::Gone, Some((Mark::New, _))) => behind,
            (Mark::New, _) => hunk
                .get(..hunk.len() - rest.len())
                .map(|before| before.split_at(before.len() - gone_at_end(before)).1)
                .unwrap_or_default(),
            _ => &[],
        };
        for (index, (mark, text)) in run.iter().enumerate() {
            let hidden = length.saturating_sub(LONGEST_RUN + 1);
            if hidden > 0 && (LONGEST_RUN - 3..LONGEST_RUN - 3 + hidden + 1).contains(&index) {
                if index == LONGEST_RUN - 3 {
                    out.push(Line { mark: *mark, text: format!("… {} lines more", hidden + 1) });
                }
                continue;
            }
            let other = partner
                .get(index)
                .filter(|(other, _)| *other != Mark::Same && other != mark)
                .map(|(_, other)| *other);
            let text = text.get(common..).unwrap_or_default();
            let other = other.and_then(|other| other.get(common..));
            out.push(Line { mark: *mark, text: shorten(text, other) });
        }
        rest = behind;
    }
    out
}

fn gone_at_end(lines: &[(Mark, &str)]) -> usize {
    lines.iter().rev().take_while(|(mark, _)| *mark == Mark::Gone).count()
}

/// Long words lose their middle, but for the place where they differ from the other line.
fn shorten(text: &str, other: Option<&str>) -> String {
    let differs = other.map(|other| text.chars().zip(other.chars()).take_while(|(a, b)| a == b).count());
    let mut out = String::new();
    let mut word = Vec::new();
    let breaks = |c: char| c.is_whitespace() || "<>\"'".contains(c);
    for (at, c) in text.chars().chain(['\n']).enumerate() {
        if !breaks(c) {
            word.push(c);
            continue;
        }
        let place = differs.and_then(|place| place.checked_sub(at - word.len()));
        cut(&mut out, &word, place.filter(|place| *place < word.len()));
        word.clear();
        if at < text.chars().count() {
            out.push(c);
        }
    }
    out
}

fn cut(out: &mut String, word: &[char], place: Option<usize>) {
    let length = word.len();
    if length <= LONGEST_WORD {
        out.extend(word);
        return;
    }
    let near = |at: usize| place.is_some_and(|place| at + KEPT / 2 >= place && at <= place + KEPT / 2);
    let mut hidden = false;
    for (at, c) in word.iter().enumerate() {
        if at < KEPT || at + KEPT >= length || near(at) {
            out.push(*c);
            hidden = false;
        } else if !hidden {
            out.push('…');
            hidden = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &[&str], after: &[&str], wanted: &str) {
        let lines = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let shown: Vec<String> = hunks(&lines(before), &lines(after))
            .iter()
            .map(|hunk| hunk.iter().map(|line| format!("{}{}\n", line.sign(), line.text)).collect())
            .collect();
        assert_eq!(shown.join("@@\n"), wanted);
    }

    #[test]
    fn what_is_the_same_shows_nothing() {
        check(&["a", "b"], &["a", "  b"], "");
    }

    #[test]
    fn a_change_has_two_lines_around_it_and_no_common_indentation() {
        check(
            &["  a", "  b", "  c", "    d", "  e", "  f", "  g"],
            &["  a", "  b", "  c", "    D", "  e", "  f", "  g"],
            " b\n c\n-  d\n+  D\n e\n f\n",
        );
    }

    #[test]
    fn changes_far_apart_are_hunks_of_their_own() {
        check(
            &["a", "1", "2", "3", "4", "5", "b"],
            &["1", "2", "3", "4", "5"],
            "-a\n 1\n 2\n@@\n 4\n 5\n-b\n",
        );
    }

    #[test]
    fn what_moved_is_gone_here_and_new_there() {
        check(&["a", "b", "c"], &["b", "c", "a"], "-a\n b\n c\n+a\n");
    }

    #[test]
    fn a_long_word_keeps_its_ends_and_the_place_that_differs() {
        let (old, new) = (
            format!("{}x{}", "a".repeat(60), "b".repeat(60)),
            format!("{}y{}", "a".repeat(60), "b".repeat(60)),
        );
        let half = |c: &str| {
            format!("{}…{}{{}}{}…{}", "a".repeat(24), "a".repeat(12), "b".repeat(12), "b".repeat(24))
                .replace("{}", c)
        };
        check(&[&old], &[&new], &format!("-{}\n+{}\n", half("x"), half("y")));
    }

    #[test]
    fn a_long_run_shows_its_ends() {
        let many: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let wanted =
            (0..9).map(|n| format!("-{n}\n")).collect::<String>() + "-… 8 lines more\n-17\n-18\n-19\n";
        check(&many, &[], &wanted);
    }
}
