//! The one place where an answer of our own is made, when there is none from the server or the request is refused.

use std::fmt::{self, Write};

use bytes::Bytes;

use super::deliver::{Reply, Source};
use crate::event::{From, Header, Response, Version};
use crate::net::{Extent, Origin, Refusal, now};

/// Why there is no answer from the server.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    kind: Kind,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dns,
    Connect,
    ConnectTimeout,
    Tls,
    Timeout,
    ClosedEarly,
    Garbage,
    /// The device's own request broke off or its chunks are malformed.
    Request,
    /// A method that makes no sense here.
    Method,
    /// For a host that is not served on this connection.
    Misdirected,
    /// A fault of ours.
    Internal,
}

impl Trouble {
    pub(super) fn new(kind: Kind, detail: String) -> Self {
        Self { kind, detail }
    }

    /// For the exchange's record; absent when the server had no part in it.
    pub(super) fn upstream_error(&self) -> Option<String> {
        let ours = matches!(self.kind, Kind::Request | Kind::Method | Kind::Misdirected | Kind::Internal);
        (!ours).then(|| self.kind.words(&self.detail))
    }

    /// The answer that tells whoever sees it who speaks, what is wrong and what to check.
    pub(super) fn reply(&self, upstream: Option<&Origin>) -> Reply {
        let what = self.kind.words(&self.detail);
        let check = self.kind.check();
        let text = if let (Some(_), Some(upstream)) = (self.upstream_error(), upstream) {
            format!(
                "This answer comes from enrollscope, not from the enrollment server: no usable answer from {upstream}: \
                 {what}. {check}\n"
            )
        } else {
            format!("This answer comes from enrollscope, not from the enrollment server: {what}. {check}\n")
        };
        in_place(self.kind.status(), self.kind.name(), text)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind.words(&self.detail))
    }
}

impl Kind {
    fn status(self) -> u16 {
        match self {
            Self::Dns | Self::Connect | Self::Tls | Self::ClosedEarly | Self::Garbage => 502,
            Self::ConnectTimeout | Self::Timeout => 504,
            Self::Request => 400,
            Self::Method => 405,
            Self::Misdirected => 421,
            Self::Internal => 500,
        }
    }

    /// The value of `x-enrollscope-error`.
    fn name(self) -> &'static str {
        match self {
            Self::Dns => "upstream-name",
            Self::Connect => "upstream-unreachable",
            Self::ConnectTimeout => "upstream-connect-timeout",
            Self::Tls => "upstream-tls",
            Self::Timeout => "upstream-timeout",
            Self::ClosedEarly => "upstream-closed",
            Self::Garbage => "upstream-malformed",
            Self::Request => "bad-request",
            Self::Method => "bad-method",
            Self::Misdirected => "unknown-host",
            Self::Internal => "internal",
        }
    }

    fn words(self, detail: &str) -> String {
        match self {
            Self::Dns => format!("its name could not be resolved: {detail}"),
            Self::Connect | Self::ConnectTimeout => format!("no connection to it came about: {detail}"),
            Self::Tls => format!("TLS with it failed: {detail}"),
            Self::Timeout
            | Self::ClosedEarly
            | Self::Request
            | Self::Method
            | Self::Misdirected
            | Self::Internal => detail.into(),
            Self::Garbage => format!("its answer is malformed: {detail}"),
        }
    }

    fn check(self) -> &'static str {
        match self {
            Self::Dns => {
                "Check the name in --upstream and this machine's DNS, or give the address with --upstream-connect."
            }
            Self::Connect | Self::ConnectTimeout => {
                "Check that the server runs, that address and port are right, and that no firewall stands between."
            }
            Self::Tls => "Check the server's TLS settings and --upstream.",
            Self::Timeout => "Check the server's own log for this request.",
            Self::ClosedEarly => "Check the server's own log for a crash or a limit at this time.",
            Self::Garbage => {
                "Check which front end the server stands behind, and whether --upstream names the right port."
            }
            Self::Request => "Check the device, or what stands between it and here.",
            Self::Method => "Point devices at this listener as their server, not as their web proxy.",
            Self::Misdirected => {
                "Check the name that devices are given, and the DNS record that led them here."
            }
            Self::Internal => "Please report it, with the log.",
        }
    }
}

/// The answer to a request whose head must not be passed on.
pub(super) fn refuse(refusal: &Refusal) -> Reply {
    let text = format!(
        "This answer comes from enrollscope, not from the enrollment server: the request was not passed on, because it has \
         {}. Check the device, or the front end that stands between it and here.\n",
        refusal.what
    );
    in_place(refusal.status, "bad-request-head", text)
}

/// A whole response as bytes, for a connection that hyper never sees.
pub(super) fn plain_http_on_tls() -> Vec<u8> {
    let reply = in_place(
        400,
        "plain-http",
        "This answer comes from enrollscope, not from the enrollment server: this port speaks TLS, and the request came \
         without it. Use https:// in the address.\n"
            .to_owned(),
    );
    let mut out = reply.head.to_vec();
    if let Source::Made { body, .. } = reply.source {
        out.extend_from_slice(&body);
    }
    out
}

/// An answer in the server's place.
fn in_place(status: u16, error: &str, text: String) -> Reply {
    let headers = vec![
        Header::new("Content-Type", "text/plain; charset=utf-8"),
        Header::new("x-enrollscope-error", error.to_owned()),
    ];
    made(status, headers, Bytes::from(text))
}

/// A whole answer, which ends the connection.
pub(super) fn made(status: u16, mut headers: Vec<Header>, body: Bytes) -> Reply {
    let reason =
        hyper::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Error");
    headers.push(Header::new("Content-Length", body.len().to_string()));
    // The request may not have been read to its end.
    headers.push(Header::new("Connection", "close"));
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    for header in &headers {
        let _ = write!(head, "{}: {}\r\n", header.name, header.text());
    }
    head.push_str("\r\n");
    let response = Response {
        at: now(),
        status,
        reason: reason.to_owned(),
        version: Version::Http11,
        from: From::Enrollscope,
        headers,
        ..Response::default()
    };
    Reply {
        head: Bytes::from(head),
        extent: Extent::Length(body.len() as u64),
        keep_alive: false,
        source: Source::Made { body, given: false },
        response,
    }
}
