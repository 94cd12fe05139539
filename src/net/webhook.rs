//! Posting JSON to a webhook. Its address is a secret: whoever has it can post, so that only the host is ever told.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::origin::Origin;
use super::trust::{Trust, explain};

/// Where to post.
#[derive(Clone)]
pub struct Webhook {
    origin: Origin,
    /// Path and query.
    target: Uri,
}

/// What is wrong with an address; never with the address itself in it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WebhookError {
    #[error("it is no URL: write https://HOST/PATH (or http://, for this machine)")]
    Scheme,
    #[error("it names no host, or a port that is no number from 1 to 65535")]
    Host,
    #[error("it has a user or password before the host, which is not sent; take it out")]
    User,
    #[error("there are several addresses in it: give each by itself (--notify twice, or a list in the file)")]
    Several,
    #[error("the path for {0} has a character that cannot be in a URL; is it all there, and nothing else?")]
    Path(String),
}

/// Why it was not taken.
#[derive(Debug, Error)]
pub enum PostError {
    #[error("its name cannot be resolved: {0}")]
    Resolve(io::Error),
    #[error("it cannot be connected to: {0}")]
    Connect(io::Error),
    #[error("{0}")]
    Tls(String),
    #[error("it does not answer in order: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("it answered HTTP {0}, a redirect, and those are not followed: give the address where it leads")]
    Redirect(u16),
    #[error("it answered HTTP {0}")]
    Status(u16),
}

impl PostError {
    /// Whether another try may end otherwise.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Resolve(_) | Self::Connect(_) | Self::Tls(_) | Self::Http(_) => true,
            Self::Request(_) | Self::Redirect(_) => false,
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500..),
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.origin)
    }
}

impl FromStr for Webhook {
    type Err = WebhookError;

    fn from_str(text: &str) -> Result<Self, WebhookError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(WebhookError::Scheme)?;
        // Two of them, as lists are written elsewhere: the second would be sent to the first.
        if rest.contains("://") && rest.contains([',', ';', ' ']) {
            return Err(WebhookError::Several);
        }
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(WebhookError::Scheme),
        };
        let (authority, target) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(WebhookError::User);
        }
        let origin = Origin::from_authority(secure, authority).ok_or(WebhookError::Host)?;
        // What is behind # is for browsers.
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let target = target.parse().map_err(|_| WebhookError::Path(origin.authority()))?;
        Ok(Self { origin, target })
    }
}

/// TLS or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Webhook {
    pub fn host(&self) -> &str {
        &self.origin.host
    }

    /// What it is called wherever it is told of.
    pub fn name(&self) -> String {
        self.origin.authority()
    }

    /// In the clear to another machine: whoever is between can read it, and post.
    pub fn is_exposed(&self) -> bool {
        let host = self.origin.host.as_str();
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        !self.origin.secure && !here
    }

    /// Posts once, on a connection of its own; the caller limits the time.
    ///
    /// # Errors
    /// It was not taken, or not surely.
    pub async fn post(&self, trust: &Trust, body: Bytes) -> Result<(), PostError> {
        let stream = self.connect(trust).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.target.clone())
            .header(header::HOST, self.origin.authority())
            .header(header::USER_AGENT, concat!("enrollscope/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header(header::CONNECTION, "close")
            .body(Full::new(body))?;
        let asking = async {
            let answer: Response<_> = sender.send_request(request).await?;
            Ok::<_, hyper::Error>(answer.status().as_u16())
        };
        tokio::pin!(asking);
        // The answer's body is of no interest; it may echo the address. Both ends go with the connection.
        let status = tokio::select! {
            status = &mut asking => status?,
            ended = connection => {
                ended?;
                asking.await?
            }
        };
        match status {
            200..300 => Ok(()),
            300..400 => Err(PostError::Redirect(status)),
            _ => Err(PostError::Status(status)),
        }
    }

    async fn connect(&self, trust: &Trust) -> Result<Box<dyn Stream>, PostError> {
        let host = self.origin.host.as_str();
        let mut addresses: Vec<_> =
            tokio::net::lookup_host((host, self.origin.port)).await.map_err(PostError::Resolve)?.collect();
        // Machines without IPv6 resolve it all the same.
        addresses.sort_by_key(|address| address.is_ipv6());
        let tcp = TcpStream::connect(&addresses[..]).await.map_err(PostError::Connect)?;
        if !self.origin.secure {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| PostError::Tls(format!("{host} is no name that a certificate could have")))?;
        let (config, _) = trust.connection();
        let tls = TlsConnector::from(config).connect(name, tcp).await;
        let why = |error| {
            let words = explain(&error, host).replace(", with --upstream-connect for the address", "");
            PostError::Tls(words.replace("--upstream", "--notify"))
        };
        Ok(Box::new(tls.map_err(why)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_told_by_its_host_alone() {
        for (text, name, target, exposed) in [
            ("https://hooks.slack.com/services/T/B/secret", "hooks.slack.com", "/services/T/B/secret", false),
            ("HTTPS://A.example:8443?sig=secret#x", "a.example:8443", "/?sig=secret", false),
            ("http://127.0.0.1:9", "127.0.0.1:9", "/", false),
            ("http://[::1]/secret", "[::1]", "/secret", false),
            ("http://a.example/secret", "a.example", "/secret", true),
        ] {
            let hook: Webhook = text.parse().unwrap();
            assert_eq!((hook.name().as_str(), hook.target.to_string().as_str()), (name, target));
            assert_eq!(hook.is_exposed(), exposed, "{text}");
            assert!(!format!("{hook:?}").contains("secret"));
        }
    }

    #[test]
    fn what_is_no_address_says_why_and_not_what_it_is() {
        for (text, expected) in [
            ("hooks.slack.com/secret", WebhookError::Scheme),
            ("ftp://a.example/secret", WebhookError::Scheme),
            ("https://a.example/secret,https://b.example/secret", WebhookError::Several),
            ("https:///secret", WebhookError::Host),
            ("https://a.example:0/secret", WebhookError::Host),
            ("https://me:secret@a.example/", WebhookError::User),
            ("https://a.example/sec ret", WebhookError::Path("a.example".to_owned())),
            ("https://a.example/sec\nret", WebhookError::Path("a.example".to_owned())),
        ] {
            let error = text.parse::<Webhook>().unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("ret"));
        }
    }
}
