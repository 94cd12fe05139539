//! What somebody may have meant.

/// How many letters have to be changed, left out or put in (Levenshtein).
pub fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, above), left_above) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            next.push((left + 1).min(above + 1).min(left_above + usize::from(x != *y)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
