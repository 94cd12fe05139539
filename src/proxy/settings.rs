//! Everything that the proxy is told; it reads no configuration of its own.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::forwarded::Forwarded;
use crate::net::{CertificateHeader, Fronts, HostPattern, Origin, Patience, Served, Trust};

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub listeners: Vec<ListenerSettings>,
    /// Certificates to serve, by the listeners with TLS.
    pub served: Option<Served>,
    /// Names with a way of their own.
    pub routes: Vec<Route>,
    /// Takes every other name; absent, only those that are configured are answered.
    pub default: Option<SiteSettings>,
    pub plain_http: PlainHttp,
    pub limits: Limits,
    /// Whose word is taken for the device's.
    pub fronts: Fronts,
    pub forwarded: Forwarded,
}

/// What listeners without TLS do besides forwarding.
#[derive(Clone, Debug, Default)]
pub struct PlainHttp {
    /// Nothing is forwarded: devices are sent on to the https address of the same host.
    pub redirect: bool,
    /// The local authority's certificate, DER, for devices to fetch.
    pub authority: Option<Bytes>,
}

/// What becomes of one name, or of all names below one.
#[derive(Clone, Debug)]
pub struct Route {
    pub name: HostPattern,
    pub mode: Mode,
    /// Nobody said so: where it leads is not looked up before a device asks for it.
    pub assumed: bool,
}

#[derive(Clone, Debug)]
pub enum Mode {
    /// TLS ends here; the exchanges are forwarded and seen.
    Inspect(Box<SiteSettings>),
    /// TLS is forwarded untouched, to this address, else to the one that the name resolves to.
    Passthrough(Option<SocketAddr>),
    /// The handshake is refused.
    Refuse,
}

/// A site that is looked into.
#[derive(Clone, Debug)]
pub struct SiteSettings {
    pub upstream: Origin,
    /// Where to connect instead of the upstream's own address; its name is still sent and verified.
    pub upstream_address: Option<SocketAddr>,
    /// Who is believed to be the upstream; needed for https.
    pub trust: Option<Trust>,
    /// Answers that would lead devices past us are changed to name us.
    pub rewrite: bool,
    /// So is the address at which a provisioning document has the device managed; needs `rewrite`.
    pub rewrite_management: bool,
    /// How devices call us; absent, what their Host header says.
    pub public: Option<Origin>,
    /// HTTP/2 is offered to devices if the upstream speaks it.
    pub http2: bool,
    pub client_certificates: Asking,
    /// How a device's certificate is handed on.
    pub certificate_header: CertificateHeader,
}

/// Whether devices are asked for a certificate. Browsers that sign in would show their user a choice of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// Once the server has been seen to ask.
    #[default]
    Auto,
    Ask,
    Never,
}

impl SiteSettings {
    /// As plain as can be: the origin's own address, no rewriting, HTTP/1.1 only.
    pub fn new(upstream: Origin, trust: Option<Trust>) -> Self {
        Self {
            upstream,
            upstream_address: None,
            trust,
            rewrite: false,
            rewrite_management: false,
            public: None,
            http2: false,
            client_certificates: Asking::default(),
            certificate_header: CertificateHeader::default(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct ListenerSettings {
    pub address: SocketAddr,
    /// It speaks TLS, with what is `served`; else plain HTTP.
    pub secure: bool,
}

#[derive(Clone, Debug)]
pub struct Limits {
    /// From the request's last byte to the answer's head; attestation alone takes 100 s.
    pub upstream_answer: Duration,
    pub upstream_connect: Duration,
    /// A TLS handshake, on either side.
    pub handshake: Duration,
    /// A device that sends nothing between two requests, or in the middle of a body.
    pub device_idle: Duration,
    /// A request's head, from its first byte to its last.
    pub head: Duration,
    /// A reader that takes nothing.
    pub stalled_write: Duration,
    /// How long an answer's last bytes wait for its record.
    pub hold_back: Duration,
    /// Bytes of a body that are kept.
    pub kept_body: usize,
    /// Bytes of all bodies that are on their way, as far as they are kept.
    pub body_memory: usize,
    pub connections: usize,
    /// Open exchanges get so long to end when the proxy stops.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upstream_answer: Duration::from_secs(180),
            upstream_connect: Duration::from_secs(15),
            handshake: Duration::from_secs(30),
            device_idle: Duration::from_secs(120),
            head: Duration::from_secs(30),
            stalled_write: Duration::from_secs(60),
            hold_back: Duration::from_millis(250),
            kept_body: 1 << 20,
            body_memory: 64 << 20,
            connections: 4096,
            stop: Duration::from_secs(10),
        }
    }
}

impl Limits {
    pub(super) fn device(&self) -> Patience {
        Patience { idle: self.device_idle, head: self.head, write: self.stalled_write }
    }

    pub(super) fn server(&self) -> Patience {
        Patience { idle: self.upstream_answer, head: self.head, write: self.stalled_write }
    }
}
