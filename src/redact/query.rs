//! Addresses and forms: users before an `@`, and the values of parameters.

use super::edits::Edit;
use super::exchange::{MAX_NESTING, Pair, Redactor};
use super::names::is_secret_parameter;

/// Nothing but parameters, with or without an address before them: the body of a form, a URL.
pub(super) fn is_query(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let other = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'<' | b'>' | b'{' | b'}' | b'"');
    memchr::memchr(b'=', text).is_some() && !text.iter().any(other)
}

impl Redactor {
    /// Users and passwords in every address that begins with a scheme.
    pub(super) fn users(&self, text: &[u8], known: &mut Vec<Pair>) -> Vec<Edit> {
        let schemes = memchr::memmem::find_iter(text, b"://");
        schemes.flat_map(|at| self.user(text, at + b"://".len(), known)).collect()
    }

    /// The user and the password before the `@` of an authority that begins at `start`.
    pub(super) fn user(&self, text: &[u8], start: usize, known: &mut Vec<Pair>) -> Vec<Edit> {
        let authority = text.get(start..).unwrap_or_default();
        let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'/' | b'?' | b'#' | b'"' | b'<' | b'>');
        let end = authority.iter().position(ends).unwrap_or(authority.len());
        let Some(at) = authority.get(..end).and_then(|a| a.iter().rposition(|b| *b == b'@')) else {
            return Vec::new();
        };
        let mut from = start;
        let mut edits = Vec::new();
        for part in authority.get(..at).unwrap_or_default().split(|b| *b == b':') {
            edits.push((from..from + part.len(), self.secret(part, known)));
            from += part.len() + 1;
        }
        edits
    }

    /// Values of secret parameters in a query (or a fragment, or a Location with one), and secrets inside of others.
    pub(super) fn parameters(&self, text: &[u8], known: &mut Vec<Pair>, nesting: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut start = 0;
        for (at, byte) in text.iter().chain([&b'&']).enumerate() {
            if !matches!(byte, b'&' | b'?' | b'#' | b';' | b' ' | b'"' | b',') {
                continue;
            }
            let pair = text.get(start..at).unwrap_or_default();
            if let Some(equals) = pair.iter().position(|b| *b == b'=') {
                let (name, value) = pair.split_at(equals);
                let value = value.get(1..).unwrap_or_default();
                let masked = if is_secret_parameter(&said(name)) {
                    Some(self.parameter(value, known))
                } else {
                    self.within(value, known, nesting)
                };
                edits.extend(masked.map(|masked| (start + equals + 1..at, masked)));
            }
            start = at + 1;
        }
        edits
    }

    /// A parameter's value: the placeholder of what it says, written as it was.
    fn parameter(&self, raw: &[u8], known: &mut Vec<Pair>) -> Vec<u8> {
        if !raw.contains(&b'%') && !raw.contains(&b'+') {
            return self.secret(raw, known);
        }
        let masked = self.secret(said(raw).as_bytes(), known);
        written(raw, &masked).unwrap_or_else(|| self.key.mask(raw))
    }

    /// A value that is an address or a text itself.
    fn within(&self, raw: &[u8], known: &mut Vec<Pair>, nesting: usize) -> Option<Vec<u8>> {
        if nesting >= MAX_NESTING || !raw.contains(&b'%') {
            return None;
        }
        let said = said(raw);
        let masked = self.masked(said.as_bytes(), known, nesting + 1);
        (masked != said.as_bytes()).then(|| written(raw, &masked).unwrap_or_else(|| self.key.mask(raw)))
    }
}

/// What a name or a value says: in URLs and forms they are percent-encoded.
fn said(raw: &[u8]) -> String {
    let pair = [b"v=", raw].concat();
    form_urlencoded::parse(&pair).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Another value in the spelling of the first, sign for sign; `None` when it has not as many.
fn written(raw: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = value.iter();
    let mut rest = raw;
    while let Some((first, behind)) = rest.split_first() {
        let byte = *bytes.next()?;
        let hex = behind.get(..2).filter(|hex| *first == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        match hex {
            Some(hex) if hex.iter().any(u8::is_ascii_lowercase) => {
                out.extend(format!("%{byte:02x}").into_bytes())
            }
            Some(_) => out.extend(format!("%{byte:02X}").into_bytes()),
            None if byte == b' ' => out.push(b'+'),
            None => out.push(byte),
        }
        rest = behind.get(hex.map_or(0, <[u8]>::len)..)?;
    }
    bytes.next().is_none().then_some(out)
}
