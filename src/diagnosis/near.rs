//! What somebody may have meant.

use std::collections::BTreeSet;

use super::knowledge::{Entry, Knowledge};

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

/// Entries that a question in plain words may be about, by the words that are rare in what is known; at most three.
pub(super) fn by_words<'k>(question: &str, knowledge: &'k Knowledge) -> Vec<&'k Entry> {
    let wanted: BTreeSet<String> = words(question).collect();
    let texts: Vec<(BTreeSet<String>, &Entry)> = knowledge
        .entries()
        .iter()
        .map(|entry| {
            let causes = entry.causes.iter().map(|cause| cause.cause.as_str());
            let own = [entry.meaning.as_str(), entry.clause()]
                .into_iter()
                .chain(entry.says.iter().map(String::as_str));
            (own.chain(causes).flat_map(words).collect(), entry)
        })
        .collect();
    let count = texts.len() as f64;
    let weight = |word: &String| {
        let with = texts.iter().filter(|(known, _)| known.contains(word)).count();
        if with == 0 { 0.0 } else { (count / with as f64).ln() }
    };
    let weights: Vec<(String, f64)> =
        wanted.into_iter().map(|word| (weight(&word), word)).map(|(w, word)| (word, w)).collect();
    let mut found: Vec<(f64, usize, &Entry)> = texts
        .iter()
        .map(|(known, entry)| {
            let told = weights.iter().filter(|(word, _)| known.contains(word));
            (told.clone().map(|(_, weight)| weight).sum(), told.count(), *entry)
        })
        .collect();
    // One word alone says little, unless it is the only one, or a rare one.
    let enough = weights.len().min(2);
    found.retain(|(score, common, _)| *common >= enough && *score > 2.0);
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    found.into_iter().map(|(.., entry)| entry).take(3).collect()
}

/// In lower case, without what is in every sentence, and without the ends that grammar adds.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    const COMMON: &[&str] = &[
        "the", "and", "for", "not", "that", "this", "with", "are", "was", "has", "have", "from", "its",
        "can", "does", "did", "you", "your", "our", "any", "all", "error", "code", "what", "why", "how",
        "when",
    ];
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 2)
        .map(str::to_lowercase)
        .filter(|word| !COMMON.contains(&word.as_str()))
        .map(|word| {
            let stem =
                ["ed", "es", "s"].iter().find_map(|end| word.strip_suffix(end)).filter(|stem| stem.len() > 3);
            let stem = stem.map_or(word.clone(), ToOwned::to_owned);
            // The one word of the field that is spelled in two ways.
            stem.replace("licens", "licenc").trim_end_matches('e').to_owned()
        })
}
