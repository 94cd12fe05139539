//! Placeholders: of the same length and the same kinds of characters, equal for equal secrets, and of no use to
//! anybody who has not the key.

use aws_lc_rs::{digest, hmac};

/// The key of the placeholders. It is kept beside the tool's state and never in a capture: with it, guesses at short
/// secrets could be tested.
#[derive(Clone)]
pub struct Key {
    hmac: hmac::Key,
    id: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Key {
    pub fn new(secret: &[u8; 32]) -> Self {
        let id = digest::digest(&digest::SHA256, secret)
            .as_ref()
            .iter()
            .take(4)
            .map(|b| format!("{b:02x}"))
            .collect();
        Self { hmac: hmac::Key::new(hmac::HMAC_SHA256, secret), id }
    }

    /// Names the key without telling it: captures made under one key have comparable placeholders.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As many pseudo-random bytes as asked for, decided by key and secret alone.
    fn stream(&self, secret: &[u8]) -> impl Iterator<Item = u8> + use<> {
        let seed = hmac::sign(&self.hmac, secret);
        let hmac = self.hmac.clone();
        (0_u32..).flat_map(move |block| {
            let mut input = seed.as_ref().to_vec();
            input.extend_from_slice(&block.to_be_bytes());
            hmac::sign(&hmac, &input).as_ref().to_vec()
        })
    }

    /// The same for what says who it is about: never what a secret of the same letters would give.
    pub(super) fn identity(&self, normal: &[u8]) -> impl Iterator<Item = u8> + use<> {
        self.stream(&[b"identity\0", normal].concat())
    }

    /// As many bytes that say nothing, the same for the same ones.
    pub(super) fn noise(&self, octets: &[u8]) -> Vec<u8> {
        self.identity(&[b"octets\0", octets].concat()).take(octets.len()).collect()
    }

    /// The placeholder of a secret: letters for letters of the same case, digits for digits, other signs for signs,
    /// every character of the same length in UTF-8. Whitespace, bytes that are no UTF-8, and signs that could be markup
    /// stay, so that the text around it parses as before.
    pub(super) fn mask(&self, secret: &[u8]) -> Vec<u8> {
        // Surrounding whitespace says nothing, and a padded secret is the same secret.
        let inner = secret.trim_ascii();
        let mut stream = self.stream(inner);
        let mut random = || u32::from(stream.next().unwrap_or_default());
        let mut out = Vec::with_capacity(secret.len());
        for chunk in secret.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some(character) = rest.chars().next() {
                let taken = match reference(rest) {
                    Some((length, true)) => {
                        out.extend_from_slice(other_reference(length, rest, random()).as_bytes());
                        length
                    }
                    // By name: the reference says no more than a sign would.
                    Some((length, false)) => {
                        out.extend_from_slice(rest.get(..length).unwrap_or_default().as_bytes());
                        length
                    }
                    None => {
                        let is_blank = character.is_ascii_whitespace();
                        let other = if is_blank { character } else { swap(character, random()) };
                        out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                        character.len_utf8()
                    }
                };
                rest = rest.get(taken..).unwrap_or_default();
            }
            out.extend_from_slice(chunk.invalid());
        }
        out
    }
}

/// The length of a reference at the beginning, if there is one, and whether it is a number.
fn reference(text: &str) -> Option<(usize, bool)> {
    let inner = text.strip_prefix('&')?;
    let end = inner.bytes().take(14).position(|b| b == b';').filter(|end| *end > 0)?;
    let name = inner.get(..end)?;
    let is_number = match name.strip_prefix('#').map(|number| number.strip_prefix(['x', 'X']).ok_or(number)) {
        Some(Ok(hex)) => !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        Some(Err(decimal)) => !decimal.is_empty() && decimal.bytes().all(|b| b.is_ascii_digit()),
        None => false,
    };
    (is_number || name.bytes().all(|b| b.is_ascii_alphanumeric())).then_some((end + 2, is_number))
}

/// A reference to some letter, as long as the one that stands there; one too short for a letter (a tab, a line end) stays.
fn other_reference(length: usize, text: &str, random: u32) -> String {
    let letter = 0x41 + random % 26;
    let is_hex = text.as_bytes().get(2).is_some_and(|b| matches!(b, b'x' | b'X'));
    let digits = length - if is_hex { 4 } else { 3 };
    match (is_hex, text.get(..3)) {
        _ if digits < 2 => text.get(..length).unwrap_or_default().to_owned(),
        (true, Some(start)) => format!("{start}{letter:0digits$X};"),
        _ => format!("&#{letter:0digits$};"),
    }
}

/// Another character of the same kind and the same length in UTF-8.
fn swap(character: char, random: u32) -> char {
    let from = |first: u32, count: u32| char::from_u32(first + random % count).unwrap_or(character);
    match character {
        'a'..='z' => from(0x61, 26),
        'A'..='Z' => from(0x41, 26),
        '0'..='9' => from(0x30, 10),
        '$' | '%' | '(' | ')' | '*' | ',' | '@' | '^' | '{' | '|' | '}' | '~' => {
            "$()*,@^{|}~".chars().nth(random as usize % 11).unwrap_or('$')
        }
        '\u{80}'..='\u{7FF}' => from(0xE0, 23),
        '\u{800}'..='\u{FFFF}' => from(0x4E00, 256),
        '\u{10000}'.. => from(0x20000, 256),
        // Signs that mean something in markup, in references or in base64.
        _ => character,
    }
}
