//! Text on its way to the screen: made harmless, measured, fitted, wrapped; and times and sizes in words.

use std::borrow::Cow;

use ratatui::text::Span;

use crate::event::{Time, steers};

/// Zero-width characters that may follow each other; more of them are a prank.
const MAX_COMBINING: usize = 4;

/// The one boundary that text crosses before it is shown: characters that could steer the terminal, turn the reading
/// direction or hide are spelled out. What comes from the wire is written by strangers.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7F).contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut combining = 0;
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_default());
            combining = 0;
        } else {
            combining = if !c.is_ascii() && char_width(c) == 0 { combining + 1 } else { 0 };
            if combining <= MAX_COMBINING {
                out.push(c);
            }
        }
    }
    Cow::Owned(out)
}

/// Columns that a text takes on the screen.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

fn char_width(c: char) -> usize {
    if c.is_ascii() { 1 } else { Span::raw(c.encode_utf8(&mut [0; 4]) as &str).width() }
}

/// The text in at most `room` columns; what does not fit is replaced by `dots`.
pub(super) fn fit<'t>(text: &'t str, room: usize, dots: &str) -> Cow<'t, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    let dots = if width(dots) <= room { dots } else { "" };
    let (start, _) = split(text, room - width(dots));
    Cow::Owned(format!("{start}{dots}"))
}

/// The longest start of at most `room` columns, and the rest.
pub(super) fn split(text: &str, room: usize) -> (&str, &str) {
    if text.is_ascii() {
        return text.split_at_checked(room).unwrap_or((text, ""));
    }
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += char_width(c);
        if taken > room {
            return text.split_at_checked(at).unwrap_or((text, ""));
        }
    }
    (text, "")
}

/// Lines of at most `room` columns, broken at blanks where there are any.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        let blank = usize::from(!line.is_empty());
        if width(&line) + blank + width(word) > room && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > room {
            let (start, rest) = split(word, room);
            lines.push(start.to_owned());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// How long something lasts, in at most six columns: `12s`, `3m10s`, `2h05m`, `4d`.
pub(super) fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m{s:02}s"),
        (0, h, m, _) => format!("{h}h{m:02}m"),
        (d, ..) => format!("{d}d"),
    }
}

/// A short span to the millisecond: `31 ms`, `1.25 s`, `2m05s`.
pub(super) fn exact(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{:02} s", millis / 1000, millis % 1000 / 10),
        _ => span(millis),
    }
}

/// Microseconds, as exactly as they are worth.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => exact(i64::try_from(micros / 1000).unwrap_or(i64::MAX)),
    }
}

/// A number of bytes: `512 B`, `1.2 kB`, `35 MB`.
pub(super) fn bytes(count: u64) -> String {
    let (unit, name) = match count {
        ..1_000 => return format!("{count} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    if count / unit < 10 {
        return format!("{}.{} {name}", count / unit, count % unit * 10 / unit);
    }
    format!("{} {name}", count / unit)
}

/// `12,345`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 error`, `2 errors`.
pub(super) fn plural(count: u64, word: &str) -> String {
    format!("{} {word}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// The time of day where the reader is, `14:03:07`, with milliseconds on demand.
pub(super) fn clock(at: Time, zone: &jiff::tz::TimeZone, millis: bool) -> String {
    let Ok(instant) = jiff::Timestamp::from_millisecond(at.0) else { return "--:--:--".to_owned() };
    let time = instant.to_zoned(zone.clone()).time();
    let seconds = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    if millis { format!("{seconds}.{:03}", time.millisecond()) } else { seconds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_characters_are_spelled_out() {
        let cases = [
            ("plain", "plain"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
            ("a\0b\r\n\tc\u{7f}", "a\\u{0}b\\r\\n\\tc\\u{7f}"),
            ("no\u{ffff}character\u{fdd0}", "no\\u{ffff}character\\u{fdd0}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("Grüße 株式会社 🙂", "Grüße 株式会社 🙂"),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text), expected);
        }
        let tower = format!("a{}", "\u{301}".repeat(500));
        assert_eq!(clean(&tower).chars().count(), 5);
    }

    #[test]
    fn text_is_cut_by_columns_not_by_characters() {
        assert_eq!(fit("株式会社", 8, "…"), "株式会社");
        assert_eq!(fit("株式会社", 7, "…"), "株式会…");
        assert_eq!(fit("株式会社", 6, "…"), "株式…");
        assert_eq!(fit("hello", 4, ".."), "he..");
        assert_eq!(fit("hello", 0, "…"), "");
        assert_eq!(fit("hello", 1, ".."), "h");
    }

    #[test]
    fn prose_is_wrapped_and_long_words_are_broken() {
        assert_eq!(wrap("one two three", 9), ["one two", "three"]);
        assert_eq!(wrap("abcdefghijklmnop", 8), ["abcdefgh", "ijklmnop"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn spans_and_sizes_are_short() {
        for (millis, text) in [(-5, "0s"), (12_000, "12s"), (190_000, "3m10s"), (7_500_000, "2h05m")] {
            assert_eq!(span(millis), text);
        }
        assert_eq!(
            (exact(31), exact(1_259), exact(61_000)),
            ("31 ms".into(), "1.25 s".into(), "1m01s".into())
        );
        assert_eq!(
            (bytes(512), bytes(1_250), bytes(35_000_000)),
            ("512 B".into(), "1.2 kB".into(), "35 MB".into())
        );
        assert_eq!((grouped(7), grouped(12_345_678)), ("7".into(), "12,345,678".into()));
    }
}
