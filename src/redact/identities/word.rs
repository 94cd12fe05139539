//! One word: whether it may stay, and what takes its place.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::redact::mask::Key;

/// Words of the protocols, of HTTP and of what servers say; nobody's name.
static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| include_str!("words.txt").lines().collect());

/// Shorter words are kept outside of names: they are everywhere.
const SHORTEST: usize = 3;

/// Longer numbers are somebody's: serial numbers, telephones, IMEIs. But for times in seconds and error codes, of ten
/// digits, and spans of whole hours.
const LONGEST_NUMBER: usize = 6;

/// It is on the list, as a whole or piece by piece (`EnrollmentServiceUrl`).
fn is_known(word: &str) -> bool {
    let listed = |piece: &str| KNOWN.contains(piece.to_ascii_lowercase().as_str());
    KNOWN.contains(word.to_ascii_lowercase().as_str())
        || pieces(word).any(listed)
            && pieces(word).all(|piece| {
                // `IPolicy`, `Soap12`.
                piece.len() < SHORTEST || piece.bytes().all(|b| b.is_ascii_digit()) || listed(piece)
            })
}

/// It says nothing of anybody, wherever it stands outside of a name.
pub(super) fn is_harmless(word: &str) -> bool {
    word.len() < SHORTEST
        || word.bytes().all(|b| b.is_ascii_digit()) && is_harmless_number(word)
        || is_known(word)
}

fn is_harmless_number(digits: &str) -> bool {
    let number: u64 = digits.parse().unwrap_or(u64::MAX);
    let is_time = (1_000_000_000..2_000_000_000).contains(&number);
    let is_code = (0x8000_0000..=0x80FF_FFFF).contains(&number);
    digits.len() <= LONGEST_NUMBER || is_time || is_code || digits.len() <= 10 && number.is_multiple_of(3600)
}

/// At capitals that begin a word, and between letters and digits.
fn pieces(word: &str) -> impl Iterator<Item = &str> {
    let bytes = word.as_bytes();
    let begins = |at: usize| {
        let (before, here, next) = (bytes.get(at - 1), bytes.get(at), bytes.get(at + 1));
        let is = |byte: Option<&u8>, kind: fn(&u8) -> bool| byte.is_some_and(kind);
        let upper = is(here, u8::is_ascii_uppercase);
        upper && (!is(before, u8::is_ascii_uppercase) || is(next, u8::is_ascii_lowercase))
            || is(here, u8::is_ascii_digit) != is(before, u8::is_ascii_digit)
    };
    let mut cuts: Vec<usize> =
        (1..word.len()).filter(|at| word.is_char_boundary(*at) && begins(*at)).collect();
    cuts.push(word.len());
    let mut from = 0;
    cuts.into_iter().filter_map(move |to| {
        let piece = word.get(from..to);
        from = to;
        piece
    })
}

/// All hexadecimal digits, and not by chance: an id.
fn is_hex(word: &str) -> bool {
    word.len() >= 6
        && word.bytes().all(|b| b.is_ascii_hexdigit())
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
}

/// The word's pseudonym: of the same length, letters for letters, digits for digits, hexadecimal digits for those of an
/// id. What separates an id's digits (`-`, `:`) stays where it is, and does not count.
pub(super) fn pseudonym(key: &Key, word: &str, as_hex: bool) -> String {
    let as_hex = as_hex || is_hex(word);
    let normal: String = word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let mut random = key.identity(normal.as_bytes());
    let upper = !word.bytes().any(|b| b.is_ascii_lowercase());
    word.chars()
        .map(|c| {
            if !c.is_alphanumeric() {
                return c;
            }
            let byte = u32::from(random.next().unwrap_or_default());
            let pick = |first: u32, count: u32| char::from_u32(first + byte % count).unwrap_or(c);
            match c {
                _ if as_hex && c.is_ascii_hexdigit() => {
                    let digit = char::from_digit(byte % 16, 16).unwrap_or('0');
                    if upper { digit.to_ascii_uppercase() } else { digit }
                }
                'a'..='z' => pick(0x61, 26),
                'A'..='Z' => pick(0x41, 26),
                '0'..='9' => pick(0x30, 10),
                // As long in UTF-8.
                '\u{80}'..='\u{7FF}' => pick(0xE0, 23),
                '\u{800}'..='\u{FFFF}' => pick(0x4E00, 256),
                _ => pick(0x20000, 256),
            }
        })
        .collect()
}

/// An address of as many digits.
pub(super) fn address(key: &Key, dotted: &str) -> String {
    let mut random = key.identity(dotted.as_bytes());
    let mut octet = |old: &str| {
        let byte = u32::from(random.next().unwrap_or_default());
        match old.len() {
            1 => (1 + byte % 9).to_string(),
            2 => (10 + byte % 90).to_string(),
            _ => (100 + byte % 124).to_string(),
        }
    };
    dotted.split('.').map(&mut octet).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_stay_and_names_do_not() {
        for word in [
            "RequestSecurityTokenOnBehalfOf",
            "EnrollmentServiceUrl",
            "discover",
            "XCEP",
            "AAUTHLEVEL",
            "26100",
            "a1",
            "sha256",
        ] {
            assert!(is_harmless(word), "{word}");
        }
        for word in ["anna", "contoso", "Mueller", "4D5142C", "ContosoPolicy", "356938035643809", "abc"] {
            assert_eq!(is_harmless(word), word == "abc" && is_known("abc"), "{word}");
        }
        let list: Vec<_> = include_str!("words.txt").lines().collect();
        assert!(
            list.is_sorted()
                && list
                    .iter()
                    .all(|w| w.len() >= 3 && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
        );
    }

    #[test]
    fn pseudonyms_have_the_form_of_what_they_stand_for() {
        let key = Key::new(&[7; 32]);
        let one = pseudonym(&key, "Anna", false);
        assert_eq!(one.to_lowercase(), pseudonym(&key, "anna", false));
        assert!(one.chars().next().unwrap().is_uppercase() && one.len() == 4);
        let id = pseudonym(&key, "7A5E0D50F0B84C0FA1B0B1F6B3E4C001", false);
        assert!(id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_lowercase()));
        let dashed = pseudonym(&key, "7a5e0d50-f0b8-4c0f-a1b0-b1f6b3e4c001", true);
        assert_eq!(dashed.replace('-', "").to_uppercase(), id);
        assert_eq!(pseudonym(&key, "Müller", false).len(), "Müller".len());
        let address = address(&key, "192.0.2.10");
        assert_eq!(address.split('.').map(str::len).collect::<Vec<_>>(), [3, 1, 1, 2]);
        assert!(address.parse::<std::net::Ipv4Addr>().is_ok());
    }
}
