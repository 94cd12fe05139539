//! XML Schema's simple types, as far as messages use them: is a text one of them?

use crate::xml::Element;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Simple {
    Text,
    Int,
    UnsignedInt,
    UnsignedLong,
    Boolean,
    Decimal,
    DateTime,
    Language,
    Uri,
    Base64,
    QName,
    /// An xs:ID: a name without a colon.
    Id,
    /// One of these words; blanks count.
    OneOf(&'static [&'static str]),
    /// A qualified name of that namespace, one of these.
    NameOf(&'static str, &'static [&'static str]),
    /// Four numbers with dots between, each of which may be empty (MS-MDE2 section 6, DottedQuadType).
    Quad,
    /// MS-MDE2 section 6, EmailAddressType.
    Email,
}

impl Simple {
    /// Whether `text` is one; `at` is where prefixes are looked up.
    pub(super) fn fits(self, text: &str, at: &Element<'_>) -> bool {
        // All but strings ignore white space around them (XML Schema, whiteSpace `collapse`).
        let word = text.trim_matches([' ', '\t', '\n', '\r']);
        match self {
            Self::Text => true,
            Self::Uri => is_uri(word),
            Self::Int => word.parse::<i32>().is_ok(),
            Self::UnsignedInt => word.parse::<u32>().is_ok(),
            Self::UnsignedLong => word.parse::<u64>().is_ok(),
            Self::Boolean => matches!(word, "true" | "false" | "1" | "0"),
            Self::Decimal => is_decimal(word),
            Self::DateTime => is_date_time(word),
            Self::Language => {
                let mut parts = word.split('-');
                let short = |part: &str| (1..=8).contains(&part.len());
                parts.next().is_some_and(|p| short(p) && p.bytes().all(|b| b.is_ascii_alphabetic()))
                    && parts.all(|p| short(p) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
            }
            Self::Base64 => is_base64(word),
            Self::QName => qualified(word, at).is_some(),
            Self::Id => is_name(word),
            Self::OneOf(words) => words.contains(&text),
            Self::NameOf(namespace, names) => {
                qualified(word, at).is_some_and(|(uri, name)| uri == namespace && names.contains(&name))
            }
            Self::Quad => {
                let mut parts = text.split('.');
                parts.clone().count() == 4 && parts.all(|p| p.bytes().all(|b| b.is_ascii_digit()))
            }
            Self::Email => is_email(text),
        }
    }

    /// What it is, for people.
    pub(super) fn words(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Int => "a whole number".to_owned(),
            Self::UnsignedInt => "a whole number from 0 to 4294967295".to_owned(),
            Self::UnsignedLong => "a whole number, 0 or more".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Decimal => "a decimal number".to_owned(),
            Self::DateTime => "a time like 2026-03-02T09:00:00Z".to_owned(),
            Self::Language => "a language tag like en-US".to_owned(),
            Self::Uri => "a URI".to_owned(),
            Self::Base64 => "base64".to_owned(),
            Self::QName => "a name whose prefix is declared".to_owned(),
            Self::Id => "a name of its own that starts with a letter or _".to_owned(),
            Self::OneOf(words) => format!("one of: {}", words.join(", ")),
            Self::NameOf(_, names) => format!("one of: {} (qualified)", names.join(", ")),
            Self::Quad => "four numbers with dots between".to_owned(),
            Self::Email => "an address like user@domain.example".to_owned(),
        }
    }
}

/// Not against the grammar of RFC 3986, leaving out what xs:anyURI escapes: blanks and other letters.
fn is_uri(word: &str) -> bool {
    let (rest, fragment) = word.split_once('#').unwrap_or((word, ""));
    let first = rest.split(['/', '?']).next().unwrap_or_default();
    let scheme_fits = first.split_once(':').is_none_or(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    });
    let authority =
        rest.split_once("//").map_or("", |(_, after)| after.split(['/', '?']).next().unwrap_or(""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = host.rsplit_once(']').map_or(host, |(_, after)| after).rsplit_once(':').map_or("", |(_, p)| p);
    let escapes_fit = word
        .split('%')
        .skip(1)
        .all(|after| after.len() >= 2 && after.bytes().take(2).all(|b| b.is_ascii_hexdigit()));
    scheme_fits && escapes_fit && !fragment.contains('#') && port.bytes().all(|b| b.is_ascii_digit())
}

fn is_decimal(word: &str) -> bool {
    let number = word.strip_prefix(['+', '-']).unwrap_or(word);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty())
}

/// `2026-03-02T09:00:00.5Z`; the fraction and the zone may be missing.
fn is_date_time(word: &str) -> bool {
    let Some((date, time)) = word.split_once('T') else { return false };
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    let zone_fits = match zone.strip_prefix(['+', '-']) {
        Some(offset) => offset.split_once(':').is_some_and(|(hours, minutes)| {
            digits(hours, 2)
                && digits(minutes, 2)
                && hours.parse::<u8>().is_ok_and(|h| h <= 14)
                && minutes.parse::<u8>().is_ok_and(|m| m < 60)
        }),
        None => zone.is_empty() || zone == "Z",
    };
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let shaped = date.len() == 10 && digits(date.get(..4).unwrap_or_default(), 4) && seconds.len() == 8;
    zone_fits
        && shaped
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
        && format!("{date}T{seconds}").parse::<jiff::civil::DateTime>().is_ok()
}

fn is_base64(word: &str) -> bool {
    let dense = word.bytes().filter(|b| !b.is_ascii_whitespace());
    let (mut length, mut padding) = (0_usize, 0_usize);
    for byte in dense {
        length += 1;
        match byte {
            b'=' => padding += 1,
            _ if padding > 0 => return false,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {}
            _ => return false,
        }
    }
    length.is_multiple_of(4) && padding <= 2
}

fn is_name(word: &str) -> bool {
    let starts = word.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    starts && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// `[^@]+@[^\.]+\..+`, all of it.
fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else { return false };
    let Some((first, rest)) = host.split_once('.') else { return false };
    !user.is_empty() && !first.is_empty() && !rest.is_empty() && !rest.contains(['\n', '\r'])
}

/// The namespace and the local part of a qualified name, by the declarations around it.
fn qualified<'t, 'd>(word: &'t str, at: &Element<'d>) -> Option<(std::borrow::Cow<'d, str>, &'t str)> {
    let (prefix, local) = word.split_once(':').unwrap_or(("", word));
    if !is_name(local) || (word.contains(':') && !is_name(prefix)) {
        return None;
    }
    let mut here = Some(*at);
    while let Some(element) = here {
        let declared = element.attributes().find(|a| match a.name().strip_prefix("xmlns") {
            Some("") => prefix.is_empty(),
            Some(rest) => !prefix.is_empty() && rest.strip_prefix(':') == Some(prefix),
            None => false,
        });
        if let Some(declared) = declared {
            return Some((declared.value(), local));
        }
        here = element.parent();
    }
    prefix.is_empty().then_some((std::borrow::Cow::Borrowed(""), local))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;

    #[test]
    fn texts_are_told_from_what_only_looks_like_them() {
        let document = Document::read(b"<a xmlns:s='urn:s'/>");
        let root = document.root().unwrap();
        let check = |simple: Simple, good: &[&str], bad: &[&str]| {
            for text in good {
                assert!(simple.fits(text, &root), "{simple:?}: {text:?}");
            }
            for text in bad {
                assert!(!simple.fits(text, &root), "{simple:?}: {text:?}");
            }
        };
        check(Simple::Int, &["0", "-1", " 7\n", "2147483647"], &["", "x", "1.0", "2147483648"]);
        check(Simple::UnsignedInt, &["4294967295"], &["-1", "4294967296", "0x10"]);
        check(Simple::UnsignedLong, &["18446744073709551615"], &["-1", "18446744073709551616"]);
        check(Simple::Boolean, &["true", "0", " 1 "], &["True", "yes", ""]);
        check(Simple::Decimal, &["4.0", "4", ".5", "-1."], &["", ".", "4,0", "4.0.1"]);
        let good = ["2026-03-02T09:00:00Z", "2026-03-02T09:00:00.25", "2026-03-02T09:00:00+02:00"];
        let bad = ["20090-03-15T09:38:46", "2026-02-30T09:00:00Z", "2026-03-02", "2026-03-02T09:00Z", "T"];
        check(Simple::DateTime, &good, &bad);
        check(Simple::Language, &["en", "en-US", "x-y1"], &["", "Englishlanguage", "e1", "en_US"]);
        check(Simple::Base64, &["", "QUJD", "QUI=", "QU JD"], &["QUJ", "Q=JD", "QU_D", "===="]);
        check(Simple::QName, &["s:a", "a"], &["t:a", "s:", ":a", "a b"]);
        check(Simple::NameOf("urn:s", &["a"]), &["s:a"], &["a", "s:b"]);
        let good =
            ["", "urn:uuid:1 2", "https://a:443/b?c#d", "a/b:c", "//[::1]:8443/", "x%20y", "https://ü/"];
        check(Simple::Uri, &good, &["!http://a", "https://a:44!3/b", ":a", "x%2", "x%zz", "a#b#c"]);
        check(Simple::Quad, &["1.2.3.4", "..."], &["1.2.3", "1.2.3.x"]);
        check(Simple::Email, &["a@b.c"], &["", "a@b", "@b.c", "D\\a"]);
    }
}
