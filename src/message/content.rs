//! Content-Encoding undone for reading: gzip and deflate, at most 4 MiB.

use std::borrow::Cow;
use std::io::Read as _;

use crate::event::Body;

/// At most so many bytes come out of a compressed body; what follows is not read.
const MAX_DECODED: u64 = 4 << 20;

/// A body's bytes after content-decoding.
#[derive(Clone, Debug)]
pub struct Decoded<'b> {
    pub bytes: Cow<'b, [u8]>,
    /// Why `bytes` are not the whole decoded text: an unknown coding, broken or oversized data.
    pub trouble: Option<String>,
}

/// Undoes gzip, x-gzip and deflate (zlib-wrapped, or raw as some servers send it).
pub fn decode_content(body: &Body) -> Decoded<'_> {
    let plain = |trouble| Decoded { bytes: Cow::Borrowed(&body.bytes), trouble };
    let Some(coding) = body.encoding.as_deref().filter(|_| !body.decoded) else { return plain(None) };
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => plain(None),
        "gzip" | "x-gzip" => inflate(flate2::read::MultiGzDecoder::new(&*body.bytes), body),
        "deflate" => {
            let wrapped = inflate(flate2::read::ZlibDecoder::new(&*body.bytes), body);
            if wrapped.bytes.is_empty() && wrapped.trouble.is_some() {
                return inflate(flate2::read::DeflateDecoder::new(&*body.bytes), body);
            }
            wrapped
        }
        other => plain(Some(format!("the content coding `{other}` is not one that can be undone"))),
    }
}

fn inflate<'b>(reader: impl std::io::Read, body: &Body) -> Decoded<'b> {
    let mut bytes = Vec::new();
    let outcome = reader.take(MAX_DECODED + 1).read_to_end(&mut bytes);
    let trouble = if bytes.len() as u64 > MAX_DECODED {
        bytes.truncate(MAX_DECODED as usize);
        Some("the decoded text is longer than is read".to_owned())
    } else {
        match outcome {
            Err(_) if body.is_partial() => Some("the compressed body is not complete".to_owned()),
            Err(error) => Some(format!("the compressed body is broken: {error}")),
            Ok(_) => None,
        }
    };
    Decoded { bytes: Cow::Owned(bytes), trouble }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn body(bytes: Vec<u8>, encoding: &str) -> Body {
        Body { encoding: Some(encoding.to_owned()), ..Body::full(bytes) }
    }

    #[test]
    fn gzip_and_both_kinds_of_deflate_are_undone() {
        let text = b"<a>hello</a>".repeat(20);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&text).unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(&text).unwrap();
        for (bytes, coding) in [
            (gzip.finish().unwrap(), "GZIP"),
            (zlib.finish().unwrap(), "deflate"),
            (raw.finish().unwrap(), "deflate"),
        ] {
            let body = body(bytes, coding);
            let decoded = decode_content(&body);
            assert_eq!((decoded.bytes.as_ref(), decoded.trouble), (text.as_slice(), None), "{coding}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit_and_an_unknown_coding_is_named() {
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        bomb.write_all(&vec![0; 8 << 20]).unwrap();
        let bomb = body(bomb.finish().unwrap(), "gzip");
        let decoded = decode_content(&bomb);
        assert_eq!(decoded.bytes.len() as u64, MAX_DECODED);
        assert!(decoded.trouble.is_some());
        assert!(decode_content(&body(b"x".to_vec(), "br")).trouble.unwrap().contains("`br`"));
        assert!(decode_content(&body(b"nonsense".to_vec(), "gzip")).trouble.is_some());
    }
}
