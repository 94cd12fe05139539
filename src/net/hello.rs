//! Reads the first bytes of a connection: a TLS ClientHello (who is asked for, what is offered), plain HTTP, or neither.

use crate::event::Offered;

/// A ClientHello with post-quantum keys has some 2 KiB; nothing lawful comes near.
const LONGEST_HELLO: usize = 16 << 10;
/// So many cipher suites are kept.
const MOST_CIPHERS: usize = 64;

/// What a connection begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    Hello {
        sni: Option<String>,
        offered: Offered,
    },
    /// A method and a blank: HTTP without TLS.
    PlainHttp,
    /// Neither.
    Garbage,
}

/// Judges the first bytes; nothing while more are needed.
pub fn read_greeting(bytes: &[u8]) -> Option<Greeting> {
    match bytes {
        [] => None,
        [0x16] => None,
        [0x16, 0x03, ..] => read_records(bytes),
        [first, ..] if first.is_ascii_uppercase() => read_method(bytes),
        _ => Some(Greeting::Garbage),
    }
}

fn read_method(bytes: &[u8]) -> Option<Greeting> {
    const LONGEST_METHOD: usize = 20;
    match bytes.iter().position(|b| !b.is_ascii_uppercase() && *b != b'_' && *b != b'-') {
        Some(end) if bytes.get(end) == Some(&b' ') => Some(Greeting::PlainHttp),
        None if bytes.len() < LONGEST_METHOD => None,
        _ => Some(Greeting::Garbage),
    }
}

/// Joins handshake records until the hello is whole (RFC 8446 5.1 allows any split).
fn read_records(bytes: &[u8]) -> Option<Greeting> {
    let mut handshake = Vec::new();
    let mut rest = Reader(bytes);
    loop {
        if let [kind, a, b, c, body @ ..] = handshake.as_slice() {
            let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            if *kind != 1 || length > LONGEST_HELLO {
                return Some(Greeting::Garbage);
            }
            if let Some(hello) = body.get(..length) {
                return Some(read_hello(hello).unwrap_or(Greeting::Garbage));
            }
        }
        if rest.0.len() < 5 {
            return None;
        }
        let kind = rest.u8()?;
        let major = rest.u8()?;
        rest.u8()?;
        if kind != 0x16 || major != 0x03 {
            return Some(Greeting::Garbage);
        }
        let length = usize::from(rest.u16()?);
        let fragment = rest.take(length)?;
        if fragment.is_empty() {
            return Some(Greeting::Garbage);
        }
        handshake.extend_from_slice(fragment);
    }
}

/// RFC 8446 4.1.2; whatever does not fit its own lengths is no hello.
fn read_hello(body: &[u8]) -> Option<Greeting> {
    let mut hello = Reader(body);
    let legacy = hello.u16()?;
    hello.take(32)?;
    let session = usize::from(hello.u8()?);
    hello.take(session)?;
    let mut suites = hello.block16()?;
    let mut offered = Offered::default();
    while let Some(suite) = suites.u16() {
        if !is_grease(suite) && offered.ciphers.len() < MOST_CIPHERS {
            offered.ciphers.push(suite);
        }
    }
    let compressions = usize::from(hello.u8()?);
    hello.take(compressions)?;
    let mut sni = None;
    // TLS 1.2 and earlier may come without extensions.
    let mut extensions = hello.block16().unwrap_or(Reader(&[]));
    while let (Some(kind), Some(mut extension)) = (extensions.u16(), extensions.block16()) {
        match kind {
            0 => sni = read_name(extension),
            16 => {
                let mut list = extension.block16()?;
                while let Some(protocol) = list.block8() {
                    offered.alpn.push(String::from_utf8_lossy(protocol).into_owned());
                }
            }
            43 => {
                let mut list = Reader(extension.block8()?);
                while let Some(version) = list.u16() {
                    if !is_grease(version) {
                        offered.versions.push(version_name(version));
                    }
                }
            }
            _ => {}
        }
    }
    if offered.versions.is_empty() {
        // Without supported_versions, the legacy field names the highest, and all below are meant too.
        offered.versions = (0x0301..=legacy.clamp(0x0301, 0x0303)).rev().map(version_name).collect();
    }
    Some(Greeting::Hello { sni, offered })
}

/// RFC 6066 3: the first host name of the list.
fn read_name(mut extension: Reader<'_>) -> Option<String> {
    let mut list = extension.block16()?;
    let kind = list.u8()?;
    let name = list.block16()?;
    (kind == 0).then(|| String::from_utf8_lossy(name.0).into_owned())
}

fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSLv3.0".into(),
        0x0301 => "TLSv1.0".into(),
        0x0302 => "TLSv1.1".into(),
        0x0303 => "TLSv1.2".into(),
        0x0304 => "TLSv1.3".into(),
        other => format!("0x{other:04x}"),
    }
}

/// RFC 8701: values sent only to keep servers tolerant.
fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from(self.u8()?) << 8 | u16::from(self.u8()?))
    }

    fn block8(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u8()?);
        self.take(length)
    }

    fn block16(&mut self) -> Option<Self> {
        let length = usize::from(self.u16()?);
        self.take(length).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block16(bytes: &[u8]) -> Vec<u8> {
        let mut out = (bytes.len() as u16).to_be_bytes().to_vec();
        out.extend_from_slice(bytes);
        out
    }

    fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
        [kind.to_be_bytes().to_vec(), block16(body)].concat()
    }

    fn hello(legacy: u16, suites: &[u16], extensions: &[u8]) -> Vec<u8> {
        let mut body = legacy.to_be_bytes().to_vec();
        body.extend_from_slice(&[7; 32]);
        body.push(0);
        body.extend(block16(&suites.iter().flat_map(|s| s.to_be_bytes()).collect::<Vec<_>>()));
        body.extend_from_slice(&[1, 0]);
        if !extensions.is_empty() {
            body.extend(block16(extensions));
        }
        let mut message = vec![1, 0];
        message.extend(block16(&body));
        message
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        message.chunks(size).flat_map(|c| [&[0x16, 3, 1][..], &block16(c)].concat()).collect()
    }

    #[test]
    fn a_hello_tells_name_versions_ciphers_and_protocols() {
        let name = [&block16(&[&[0][..], &block16(b"mdm.example")].concat())[..]].concat();
        let extensions = [
            extension(0x1a1a, b""),
            extension(0, &name),
            extension(16, &block16(b"\x02h2\x08http/1.1")),
            extension(43, &[6, 0x8a, 0x8a, 3, 4, 3, 3]),
        ]
        .concat();
        let message = hello(0x0303, &[0x0a0a, 0x1301, 0xc02f], &extensions);
        let offered = Offered {
            versions: vec!["TLSv1.3".into(), "TLSv1.2".into()],
            ciphers: vec![0x1301, 0xc02f],
            alpn: vec!["h2".into(), "http/1.1".into()],
        };
        let expected = Greeting::Hello { sni: Some("mdm.example".into()), offered };
        for size in [1, 7, 50, 4096] {
            let bytes = records(&message, size);
            assert_eq!(read_greeting(&bytes), Some(expected.clone()), "records of {size}");
            for end in 0..bytes.len() {
                assert_eq!(read_greeting(&bytes[..end]), None, "cut at {end}");
            }
        }
    }

    #[test]
    fn an_old_hello_offers_its_version_and_all_below() {
        let Some(Greeting::Hello { sni, offered }) =
            read_greeting(&records(&hello(0x0302, &[0x2f], b""), 4096))
        else {
            panic!("not a hello");
        };
        assert_eq!((sni, offered.versions), (None, vec!["TLSv1.1".to_owned(), "TLSv1.0".to_owned()]));
    }

    #[test]
    fn what_is_no_tls_is_told_apart() {
        let check = |bytes: &[u8], expected: Option<Greeting>| assert_eq!(read_greeting(bytes), expected);
        check(b"", None);
        check(b"POS", None);
        check(b"POST / HTTP/1.1\r\n", Some(Greeting::PlainHttp));
        check(b"PRI * HTTP/2.0", Some(Greeting::PlainHttp));
        check(b"ABCDEFGHIJKLMNOPQRSTUVW", Some(Greeting::Garbage));
        check(b"SSH-2.0", Some(Greeting::Garbage));
        check(b"\x80\x2e\x01\x03", Some(Greeting::Garbage));
        check(b"\x16\x02", Some(Greeting::Garbage));
        check(b"\x16\x03\x01\x00\x00", Some(Greeting::Garbage));
        check(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", Some(Greeting::Garbage));
        check(b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", Some(Greeting::Garbage));
    }
}
