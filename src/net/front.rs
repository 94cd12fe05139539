//! What a front end (load balancer, ingress, tunnel) says of the device that it speaks for: the PROXY protocol before a
//! connection, forwarding headers with a request. Believed from configured addresses only.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ipnet::IpNet;
use ppp::{HeaderResult, PartialResult as _, v1, v2};

use super::certificate_header::PEM_HEADERS;
use super::pem::readable_certificates;
use crate::event::{Front, Header, header};

/// The longest header in text, in bytes (PROXY protocol 2.1).
const LONGEST_TEXT: usize = 107;
/// A binary header is read up to here, its extras included.
const LONGEST_BINARY: usize = 4096;
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Why a PROXY protocol header is refused when its sender is not configured.
pub const UNTRUSTED_PREFACE: &str =
    "a PROXY protocol header from an address that is not trusted to send one (--trusted-front)";

/// Whose word is taken for the device's.
#[derive(Clone, Debug, Default)]
pub struct Fronts(Vec<IpNet>);

/// What stands at the beginning of a connection from a front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preface {
    /// The device's own first bytes.
    None,
    /// It cannot be told yet.
    More,
    /// A header of so many bytes; without a source it is the front end's own connection (a health check).
    Proxy { source: Option<SocketAddr>, length: usize },
    /// Why it cannot be read.
    Broken(String),
}

impl Fronts {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
        // An IPv6 listener shows IPv4 peers in mapped form.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// What the headers of a trusted front end say; `None` when they say nothing.
    pub fn told(&self, headers: &[Header]) -> Option<Front> {
        let mut front = Front::default();
        let forwarded = elements(headers, "Forwarded");
        let parameter = |name: &str| forwarded.iter().rev().find_map(|element| pair(element, name));
        let addresses = match &forwarded[..] {
            [] => elements(headers, "X-Forwarded-For"),
            _ => forwarded.iter().filter_map(|element| pair(element, "for")).collect(),
        };
        front.address = self.device_among(&addresses).map(|address| address.to_string());
        let last = |name: &str| elements(headers, name).pop();
        let scheme = parameter("proto").or_else(|| last("X-Forwarded-Proto"));
        front.secure = scheme.map(|scheme| scheme.eq_ignore_ascii_case("https"));
        front.host = parameter("host").or_else(|| last("X-Forwarded-Host")).filter(|host| !host.is_empty());
        front.client_certificate = client_certificate(headers);
        (front != Front::default()).then_some(front)
    }

    /// Each hop appends the address that it saw: the last one that is no front end of ours is the device, and what
    /// stands before it is hearsay.
    fn device_among(&self, addresses: &[String]) -> Option<IpAddr> {
        let mut device = None;
        for text in addresses.iter().rev() {
            let address = address(text)?;
            device = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        device
    }
}

/// Reads the PROXY protocol (version 1 or 2) at the beginning of `bytes`.
pub fn read_preface(bytes: &[u8]) -> Preface {
    let begins = |with: &[u8]| {
        let length = bytes.len().min(with.len());
        bytes.get(..length) == with.get(..length)
    };
    let (text, binary) = (begins(b"PROXY "), begins(V2_SIGNATURE));
    if !text && !binary {
        return Preface::None;
    }
    let broken = |why: String| Preface::Broken(format!("a PROXY protocol header that cannot be read: {why}"));
    // A line is read as a whole: the library takes the beginning of a number for the number.
    let line_ends = bytes.iter().take(LONGEST_TEXT).any(|b| *b == b'\n');
    let parsed = HeaderResult::parse(bytes);
    if text && !line_ends || !text && parsed.is_incomplete() {
        let longest = if text { LONGEST_TEXT } else { LONGEST_BINARY };
        return if bytes.len() < longest { Preface::More } else { broken("it does not end".to_owned()) };
    }
    match parsed {
        HeaderResult::V1(Ok(header)) => {
            let source = match header.addresses {
                v1::Addresses::Tcp4(a) => Some((a.source_address, a.source_port).into()),
                v1::Addresses::Tcp6(a) => Some((a.source_address, a.source_port).into()),
                v1::Addresses::Unknown => None,
            };
            Preface::Proxy { source, length: header.header.len() }
        }
        HeaderResult::V2(Ok(header)) => {
            let source = match header.addresses {
                v2::Addresses::IPv4(a) => Some((a.source_address, a.source_port).into()),
                v2::Addresses::IPv6(a) => Some((a.source_address, a.source_port).into()),
                v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
            };
            let source = source.filter(|_| header.command == v2::Command::Proxy);
            Preface::Proxy { source, length: header.len() }
        }
        HeaderResult::V1(Err(why)) => broken(why.to_string()),
        HeaderResult::V2(Err(why)) => broken(why.to_string()),
    }
}

/// The members of a list header, over all its lines.
fn elements(headers: &[Header], name: &str) -> Vec<String> {
    let lines = headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
    let mut found = Vec::new();
    for line in lines {
        let text = line.text();
        found.extend(split(&text, ',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
    }
    found
}

/// At the separators that stand in no quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

/// A parameter of a `Forwarded` element (RFC 7239 4), or of Envoy's X-Forwarded-Client-Cert.
fn pair(element: &str, name: &str) -> Option<String> {
    split(element, ';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`, `2001:db8::1`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// The device's certificate, leaf first: RFC 9440, Envoy's form, or URL-encoded PEM as nginx and others write it.
fn client_certificate(headers: &[Header]) -> Vec<Bytes> {
    let binary = |text: &str| STANDARD.decode(text.trim().trim_matches(':')).ok().map(Bytes::from);
    if let Some(leaf) = header(headers, "Client-Cert").and_then(|h| binary(&h.text())) {
        let chain = elements(headers, "Client-Cert-Chain");
        return std::iter::once(leaf).chain(chain.iter().filter_map(|element| binary(element))).collect();
    }
    let envoy = || {
        let element = elements(headers, "X-Forwarded-Client-Cert").pop()?;
        pair(&element, "Chain").or_else(|| pair(&element, "Cert"))
    };
    let pem = || PEM_HEADERS.iter().find_map(|name| Some(header(headers, name)?.text().into_owned()));
    let Some(text) = envoy().or_else(pem) else { return Vec::new() };
    let decoded = percent_decoded(&text);
    match readable_certificates(decoded.as_bytes()) {
        found if !found.is_empty() => found.into_iter().map(|der| Bytes::copy_from_slice(&der)).collect(),
        // IIS writes the base64 alone.
        _ => binary(&decoded).into_iter().collect(),
    }
}

/// `+` stands for itself here, as it does in base64.
fn percent_decoded(text: &str) -> String {
    let plus = text.replace('+', "%2B");
    form_urlencoded::parse(format!("v={}", plus.replace('&', "%26")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fronts() -> Fronts {
        Fronts::new(["10.0.0.0/8", "2001:db8:f::/48"].map(|net| net.parse().unwrap()).to_vec())
    }

    fn told(headers: &[(&str, &str)]) -> Option<Front> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| Header::new(*name, (*value).to_owned())).collect();
        fronts().told(&headers)
    }

    #[test]
    fn only_configured_addresses_are_trusted() {
        for (address, trusted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("2001:db8:f:1::1", true),
            ("11.0.0.1", false),
            ("2001:db8:e::1", false),
        ] {
            assert_eq!(fronts().trusts(address.parse().unwrap()), trusted, "{address}");
        }
    }

    #[test]
    fn the_device_is_the_last_address_that_is_no_front_end() {
        for (headers, expected) in [
            (&[("X-Forwarded-For", "198.51.100.7")][..], Some("198.51.100.7")),
            (&[("x-forwarded-for", "203.0.113.9, 198.51.100.7, 10.0.0.2")], Some("198.51.100.7")),
            (
                &[("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "198.51.100.7")],
                Some("198.51.100.7"),
            ),
            (&[("X-Forwarded-For", "198.51.100.7:4711")], Some("198.51.100.7")),
            (&[("X-Forwarded-For", "10.9.9.9, 10.0.0.2")], Some("10.9.9.9")),
            (
                &[("Forwarded", "for=203.0.113.9, for=\"[2001:db8::7]:4711\";proto=https")],
                Some("2001:db8::7"),
            ),
            (&[("Forwarded", "For=198.51.100.7"), ("X-Forwarded-For", "203.0.113.1")], Some("198.51.100.7")),
            // What cannot be read is not skipped: an address behind it would be hearsay.
            (&[("X-Forwarded-For", "198.51.100.7, unknown")], None),
            (&[("X-Forwarded-For", "")], None),
            (&[], None),
        ] {
            assert_eq!(told(headers).and_then(|f| f.address).as_deref(), expected, "{headers:?}");
        }
    }

    #[test]
    fn scheme_and_host_are_taken_from_either_kind_of_header() {
        let front = told(&[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "mdm.contoso.com")]).unwrap();
        assert_eq!((front.secure, front.host.as_deref()), (Some(true), Some("mdm.contoso.com")));
        let front = told(&[("Forwarded", "proto=http;host=\"mdm.contoso.com:8080\"")]).unwrap();
        assert_eq!((front.secure, front.host.as_deref()), (Some(false), Some("mdm.contoso.com:8080")));
    }

    #[test]
    fn a_client_certificate_is_read_in_every_common_form() {
        let der: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0x3E];
        let base64 = STANDARD.encode(der);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        let escaped = pem.replace(' ', "%20").replace('\n', "%0A").replace('+', "%2B").replace('=', "%3D");
        let envoy = format!("By=spiffe://a;Hash=00;Cert=\"{escaped}\";Subject=\"CN=a, O=b\"");
        let rfc = format!(":{base64}:");
        for headers in [
            &[("Client-Cert", rfc.as_str())][..],
            &[("X-SSL-Client-Cert", &escaped)],
            &[("X-Forwarded-Client-Cert", &envoy)],
            &[("X-ARR-ClientCert", &base64)],
        ] {
            assert_eq!(told(headers).unwrap().client_certificate, [der], "{headers:?}");
        }
        let chain = told(&[("Client-Cert", &rfc), ("Client-Cert-Chain", &format!("{rfc}, {rfc}"))]).unwrap();
        assert_eq!(chain.client_certificate.len(), 3);
        assert_eq!(told(&[("Client-Cert", "no base64")]), None);
    }

    #[test]
    fn the_proxy_protocol_is_read_in_both_versions_and_from_pieces() {
        let v1 = b"PROXY TCP4 198.51.100.7 10.0.0.1 4711 443\r\nGET /";
        let v2 =
            [V2_SIGNATURE, &[0x21, 0x11, 0, 12, 198, 51, 100, 7, 10, 0, 0, 1, 0x12, 0x67, 1, 0xBB], b"GET /"]
                .concat();
        let local = [V2_SIGNATURE, &[0x20, 0, 0, 0], b"GET /"].concat();
        let source = Some("198.51.100.7:4711".parse().unwrap());
        for (bytes, source) in
            [(&v1[..], source), (&v2, source), (&local, None), (b"PROXY UNKNOWN\r\nGET /", None)]
        {
            let length = bytes.len() - 5;
            assert_eq!(read_preface(bytes), Preface::Proxy { source, length }, "{bytes:?}");
            for cut in 1..length {
                assert_eq!(read_preface(&bytes[..cut]), Preface::More, "{cut} of {bytes:?}");
            }
        }
        for bytes in [&b"GET / HTTP/1.1"[..], b"POST", &[0x16, 3, 1], b"\r\nGET"] {
            assert_eq!(read_preface(bytes), Preface::None, "{bytes:?}");
        }
        let endless = [b"PROXY TCP4 ", &[b'1'; 5000][..]].concat();
        for bytes in [&b"PROXY TCP4 a b 1 2\r\n"[..], b"PROXY TCP9 1.1.1.1 2.2.2.2 1 2\r\n", &endless] {
            assert!(matches!(read_preface(bytes), Preface::Broken(_)), "{:?}", read_preface(bytes));
        }
    }
}
