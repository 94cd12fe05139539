//! Command lines of others: told apart into words, and kept free of our own options.

use std::ffi::OsString;

use anyhow::{Result, bail};

/// The variables that stand for options of this program.
pub(super) fn options() -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.to_string_lossy().starts_with("ENROLLSCOPE_")).collect()
}

/// A line's words, without a shell: blanks part them, quotes of both kinds keep them together, all else is as it stands,
/// backslashes of Windows' paths, too.
pub(super) fn words(line: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        bail!("a quotation mark is not closed");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parted_at_blanks_and_nothing_else_means_anything() {
        for (line, expected) in [
            ("tell", &["tell"][..]),
            ("  tell  on-call  ", &["tell", "on-call"]),
            (
                r#""C:\Program Files\tell.exe" 'a "b"' c""d $HOME; *"#,
                &[r"C:\Program Files\tell.exe", "a \"b\"", "cd", "$HOME;", "*"],
            ),
            ("tell ''", &["tell", ""]),
            ("", &[]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        assert!(words("tell 'me").is_err());
    }
}
