//! The forms in which one value can appear: plain, XML-escaped, URL-escaped, base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

/// Values shorter than this are not searched for: they would be found in every word.
const SHORTEST: usize = 6;

/// A way to write a value, ready to be looked for in many texts, and the same way to write its placeholder.
#[derive(Debug)]
pub(super) struct Form {
    value: memmem::Finder<'static>,
    placeholder: Vec<u8>,
}

/// Every distinct way to write the value.
pub(super) fn forms(value: &[u8], placeholder: &[u8]) -> Vec<Form> {
    if value.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![(value.to_vec(), placeholder.to_vec())];
    let mut add = |write: &dyn Fn(&[u8]) -> Vec<u8>| {
        let form = (write(value), write(placeholder));
        if !forms.iter().any(|(known, _)| *known == form.0) {
            forms.push(form);
        }
    };
    add(&|bytes| escape_xml(bytes));
    add(&|bytes| escape_url(bytes, true));
    add(&|bytes| escape_url(bytes, false));
    add(&|bytes| STANDARD_NO_PAD.encode(bytes).into_bytes());
    add(&|bytes| URL_SAFE_NO_PAD.encode(bytes).into_bytes());
    let form = |(value, placeholder): (Vec<u8>, Vec<u8>)| Form {
        value: memmem::Finder::new(&value).into_owned(),
        placeholder,
    };
    forms.into_iter().map(form).collect()
}

fn escape_xml(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&apos;"),
            other => out.push(*other),
        }
    }
    out
}

fn escape_url(bytes: &[u8], upper: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            other if upper => out.extend_from_slice(format!("%{other:02X}").as_bytes()),
            other => out.extend_from_slice(format!("%{other:02x}").as_bytes()),
        }
    }
    out
}

impl Form {
    /// Replaces every occurrence that stands by itself (no letter or digit touches it). Equal lengths are not required.
    pub(super) fn replace(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        let (mut copied, mut at) = (0, 0);
        while let Some(offset) = self.value.find(text.get(at..)?) {
            let start = at + offset;
            let end = start + self.value.needle().len();
            let word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
            let alone = !word(start.checked_sub(1).and_then(|i| text.get(i))) && !word(text.get(end));
            if alone {
                let target = out.get_or_insert_with(|| Vec::with_capacity(text.len()));
                target.extend_from_slice(text.get(copied..start)?);
                target.extend_from_slice(&self.placeholder);
                (copied, at) = (end, end);
            } else {
                at = start + 1;
            }
        }
        let mut out = out?;
        out.extend_from_slice(text.get(copied..)?);
        Some(out)
    }
}
