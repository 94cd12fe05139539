//! Headers that tell a server which certificate a device showed in TLS: how we write them, and which are taken for one.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::pem::to_pem;

/// Of load balancers and gateways: a PEM text, percent-encoded, or its base64 alone.
pub(super) const PEM_HEADERS: [&str; 5] =
    ["X-SSL-Client-Cert", "X-SSL-Cert", "X-Client-Cert", "SSL-Client-Cert", "X-ARR-ClientCert"];
const ENVOY: &str = "X-Forwarded-Client-Cert";
const LEAF: &str = "Client-Cert";
const CHAIN: &str = "Client-Cert-Chain";

/// How a device's certificate is handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CertificateHeader {
    /// `Client-Cert` and `Client-Cert-Chain`.
    #[default]
    Rfc9440,
    /// The leaf as percent-encoded PEM in the header of this name, as nginx writes `$ssl_client_escaped_cert`.
    Nginx(String),
    /// `X-Forwarded-Client-Cert` with `Hash`, `Cert` and `Chain`.
    Envoy,
    /// Not at all.
    None,
}

impl CertificateHeader {
    /// The header lines for these certificates, leaf first.
    pub fn lines(&self, chain: &[Bytes]) -> Vec<(Cow<'static, str>, String)> {
        let Some((leaf, issuers)) = chain.split_first() else { return Vec::new() };
        match self {
            Self::Rfc9440 => {
                // RFC 9440 2.2, 2.3: the leaf, and in a list of their own those above it.
                let mut lines = vec![(LEAF.into(), binary(leaf))];
                if !issuers.is_empty() {
                    let issuers: Vec<String> = issuers.iter().map(|der| binary(der)).collect();
                    lines.push((CHAIN.into(), issuers.join(", ")));
                }
                lines
            }
            Self::Nginx(name) => vec![(name.clone().into(), escaped(&[leaf]))],
            Self::Envoy => {
                let hash: String =
                    digest(&SHA256, leaf).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                let chain: Vec<&[u8]> = chain.iter().map(|der| &der[..]).collect();
                let value =
                    format!("Hash={hash};Cert=\"{}\";Chain=\"{}\"", escaped(&[leaf]), escaped(&chain));
                vec![(ENVOY.into(), value)]
            }
            Self::None => Vec::new(),
        }
    }

    /// A server could take this header for the certificate that somebody showed. Many read `_` and `-` as one.
    pub fn is_claim(&self, name: &str) -> bool {
        let own = match self {
            Self::Nginx(name) => Some(name.as_str()),
            Self::Rfc9440 | Self::Envoy | Self::None => None,
        };
        let name = name.replace('_', "-");
        let known = PEM_HEADERS.into_iter().chain([LEAF, CHAIN, ENVOY]).chain(own);
        known.into_iter().any(|known| known.replace('_', "-").eq_ignore_ascii_case(&name))
    }
}

impl fmt::Display for CertificateHeader {
    /// What carries it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rfc9440 => f.write_str(LEAF),
            Self::Nginx(name) => f.write_str(name),
            Self::Envoy => f.write_str(ENVOY),
            Self::None => f.write_str("no header"),
        }
    }
}

/// Headers that are no certificate's, whatever somebody calls them.
const NEEDED: &[&str] = &[
    "Host",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Transfer-Encoding",
    "TE",
    "Trailer",
    "Upgrade",
    "Expect",
    "Keep-Alive",
    "Authorization",
    "Cookie",
    "SOAPAction",
    "User-Agent",
];

impl FromStr for CertificateHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let nginx = |name: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if name.is_empty() || !name.bytes().all(fits) {
                return Err(format!("{name:?} is no header name"));
            }
            // It is taken out of what devices send: without these a request is another one.
            if NEEDED.iter().any(|needed| needed.eq_ignore_ascii_case(&name.replace('_', "-"))) {
                return Err(format!("{name} is a header that requests need; choose one of its own"));
            }
            Ok(Self::Nginx(name.to_owned()))
        };
        match text.split_once(':') {
            None if text == "rfc9440" => Ok(Self::Rfc9440),
            None if text == "nginx" => nginx(PEM_HEADERS[0]),
            None if text == "envoy" => Ok(Self::Envoy),
            None if text == "none" => Ok(Self::None),
            Some(("nginx", name)) => nginx(name),
            _ => Err("it is one of rfc9440, nginx, nginx:NAME, envoy, none".to_owned()),
        }
    }
}

/// A byte sequence of RFC 8941 3.3.5.
fn binary(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

/// PEM, all but RFC 3986's unreserved characters percent-encoded.
fn escaped(chain: &[&[u8]]) -> String {
    let mut out = String::new();
    for byte in chain.iter().flat_map(|der| to_pem("CERTIFICATE", der).into_bytes()) {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Header;
    use crate::net::Fronts;

    fn form(text: &str) -> CertificateHeader {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_is_read_again_as_front_ends_write_it() {
        let chain = [&b"\x30\x03\x02\x01\x3E"[..], b"\x30\x03\x02\x01\x3F"].map(Bytes::from_static);
        for (text, name, whole) in [
            ("rfc9440", "Client-Cert", true),
            ("nginx", "X-SSL-Client-Cert", false),
            ("nginx:X-SSL-Cert", "X-SSL-Cert", false),
            ("envoy", "X-Forwarded-Client-Cert", true),
        ] {
            let lines = form(text).lines(&chain);
            assert_eq!((lines[0].0.as_ref(), form(text).to_string().as_str()), (name, name));
            assert!(lines.iter().all(|(name, value)| form(text).is_claim(name) && value.is_ascii()));
            let headers: Vec<_> =
                lines.into_iter().map(|(name, value)| Header::new(name.into_owned(), value)).collect();
            let read = Fronts::default().told(&headers).unwrap().client_certificate;
            assert_eq!(read, chain[..if whole { 2 } else { 1 }], "{text}");
        }
        assert_eq!(form("rfc9440").lines(&chain[..1]).len(), 1);
        assert_eq!(form("none").lines(&chain), []);
        assert_eq!(form("envoy").lines(&[]), []);
    }

    #[test]
    fn every_name_that_could_pass_for_one_is_a_claim() {
        for name in [
            "client-cert",
            "Client-Cert-Chain",
            "X_SSL_CLIENT_CERT",
            "x-forwarded-client-cert",
            "X-ARR-ClientCert",
        ] {
            assert!(form("none").is_claim(name), "{name}");
        }
        assert!(form("nginx:X-Mine").is_claim("x_mine") && !form("rfc9440").is_claim("X-Mine"));
        assert!(!form("rfc9440").is_claim("Client-Certificate-Note"));
    }

    #[test]
    fn a_form_that_there_is_not_is_refused() {
        for text in ["", "RFC9440", "nginx:", "nginx:X Y", "nginx:X:Y", "envoy:X"] {
            assert!(text.parse::<CertificateHeader>().is_err(), "{text}");
        }
    }
}
