//! Flow files, as mitmproxy saves them: typed netstrings, one flow behind the other.

mod events;
mod netstring;
mod read;

#[cfg(test)]
mod tests;

pub use read::read;

/// The format version that is read: the one that mitmproxy writes since 11.0.
const VERSION: i64 = 21;

/// Whether a file begins as flow files do: with the length of a dictionary, and in it that of its first key.
pub fn is_one(start: &[u8]) -> bool {
    let number = |text: &[u8]| -> Option<usize> {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let told = (1..=12).contains(&digits) && text.get(digits) == Some(&b':');
        told.then_some(digits + 1)
    };
    let key = number(start).and_then(|at| start.get(at..)).and_then(|rest| rest.get(number(rest)?..));
    // Old versions begin with another key, or type keys as bytes.
    key.is_some_and(|key| {
        let letters = key.iter().take_while(|b| b.is_ascii_lowercase() || **b == b'_').count();
        letters >= 2 && matches!(key.get(letters), Some(b';' | b','))
    })
}
