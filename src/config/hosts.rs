//! `[proxy.hosts."NAME"]`: what becomes of one public name, read into what the modes need and nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum as _;
use serde::Deserialize;
use thiserror::Error;

use crate::cli::{ClientCertificates, Http2};
use crate::net::{
    CertificateFiles, CertificateHeader, HostPattern, HostPatternError, Origin, OriginError,
    PASSWORD_VARIABLE,
};

/// One public name, or all names below one.
#[derive(Clone, Debug)]
pub struct Host {
    pub name: HostPattern,
    pub mode: HostMode,
    /// Where it was said, for messages.
    pub given: String,
}

#[derive(Clone, Debug)]
pub enum HostMode {
    Inspect(Box<InspectedHost>),
    Passthrough(Option<SocketAddr>),
    Refuse,
}

/// A site; what is absent is as the options of `proxy` have it.
#[derive(Clone, Debug)]
pub struct InspectedHost {
    pub upstream: Origin,
    pub upstream_connect: Option<SocketAddr>,
    pub upstream_ca: Option<PathBuf>,
    pub upstream_insecure: Option<bool>,
    pub upstream_identity: Option<PathBuf>,
    pub client_certificates: Option<ClientCertificates>,
    pub client_certificate_header: Option<CertificateHeader>,
    pub rewrite: Option<bool>,
    pub http2: Option<Http2>,
    pub public_url: Option<Origin>,
    pub certificate: Option<CertificateFiles>,
}

/// What is wrong with a host's table.
#[derive(Debug, Error)]
pub enum HostError {
    #[error(transparent)]
    Name(#[from] HostPatternError),
    #[error(
        "{0}; the keys are mode, upstream, upstream-connect, upstream-ca, upstream-insecure, upstream-identity, \
         client-certificates, client-certificate-header, http2, rewrite, public-url, tls-cert, tls-key, tls-pfx and \
         tls-pfx-password-env"
    )]
    Table(String),
    #[error("there is no upstream: say which server it is, upstream = \"https://mdm.internal.example\"")]
    NoUpstream,
    #[error("upstream: {0}")]
    Upstream(OriginError),
    #[error("public-url: {0}")]
    PublicUrl(OriginError),
    #[error("public-url says how devices call us in rewritten answers: it needs rewrite = true")]
    PublicWithoutRewrite,
    #[error("upstream-connect: {0:?} is no ADDR:PORT, like 192.0.2.7:443")]
    Address(String),
    #[error("client-certificates: {0:?} is none of auto, ask and never")]
    ClientCertificates(String),
    #[error("client-certificate-header: {0}")]
    CertificateHeader(String),
    #[error("tls-cert and tls-key belong together: give both, or a tls-pfx that holds both")]
    HalfPem,
    #[error("tls-cert and tls-pfx exclude each other: keep one of them")]
    TwoCertificates,
    #[error("tls-pfx-password-env is for a tls-pfx, and there is none")]
    PasswordWithoutPfx,
    #[error("{key} says nothing with mode = {mode:?}; take it out, or use mode = \"inspect\"")]
    Idle { key: &'static str, mode: &'static str },
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeWord {
    #[default]
    Inspect,
    Passthrough,
    Refuse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[derive(Default)]
struct Table {
    mode: ModeWord,
    upstream: Option<String>,
    upstream_connect: Option<String>,
    upstream_ca: Option<PathBuf>,
    upstream_insecure: Option<bool>,
    upstream_identity: Option<PathBuf>,
    client_certificates: Option<String>,
    client_certificate_header: Option<String>,
    rewrite: Option<bool>,
    http2: Option<Http2>,
    public_url: Option<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_pfx: Option<PathBuf>,
    tls_pfx_password_env: Option<String>,
}

impl Host {
    pub(super) fn read(name: &str, table: toml::Value, given: String) -> Result<Self, HostError> {
        let name = name.parse()?;
        let table: Table =
            table.try_into().map_err(|e: toml::de::Error| HostError::Table(e.message().to_owned()))?;
        let mode = match table.mode {
            ModeWord::Inspect => HostMode::Inspect(Box::new(table.inspected()?)),
            ModeWord::Passthrough => {
                table.idle("passthrough", false)?;
                HostMode::Passthrough(table.address()?)
            }
            ModeWord::Refuse => {
                table.idle("refuse", true)?;
                HostMode::Refuse
            }
        };
        Ok(Self { name, mode, given })
    }
}

impl InspectedHost {
    /// A site of which only the server is said.
    pub fn new(upstream: Origin) -> Self {
        Self {
            upstream,
            upstream_connect: None,
            upstream_ca: None,
            upstream_insecure: None,
            upstream_identity: None,
            client_certificates: None,
            client_certificate_header: None,
            rewrite: None,
            http2: None,
            public_url: None,
            certificate: None,
        }
    }
}

impl Table {
    fn inspected(self) -> Result<InspectedHost, HostError> {
        let upstream = self.upstream.as_deref().ok_or(HostError::NoUpstream)?;
        let upstream = upstream.parse().map_err(HostError::Upstream)?;
        let upstream_connect = self.address()?;
        let public = self.public_url.as_deref().map(str::parse).transpose();
        let public_url = public.map_err(HostError::PublicUrl)?;
        if public_url.is_some() && self.rewrite == Some(false) {
            return Err(HostError::PublicWithoutRewrite);
        }
        if self.tls_pfx.is_none() && self.tls_pfx_password_env.is_some() {
            return Err(HostError::PasswordWithoutPfx);
        }
        let asked = self.client_certificates.map(|word| {
            ClientCertificates::from_str(&word, false).map_err(|_| HostError::ClientCertificates(word))
        });
        let header = self.client_certificate_header.map(|form| form.parse());
        let certificate = match (self.tls_cert, self.tls_key, self.tls_pfx) {
            (None, None, None) => None,
            (Some(certificate), Some(key), None) => Some(CertificateFiles::Pem { certificate, key }),
            (None, None, Some(file)) => {
                let variable = self.tls_pfx_password_env.unwrap_or_else(|| PASSWORD_VARIABLE.to_owned());
                Some(CertificateFiles::Pfx { file, variable })
            }
            (_, _, Some(_)) => return Err(HostError::TwoCertificates),
            (Some(_), None, None) | (None, Some(_), None) => return Err(HostError::HalfPem),
        };
        Ok(InspectedHost {
            upstream,
            upstream_connect,
            upstream_ca: self.upstream_ca,
            upstream_insecure: self.upstream_insecure,
            upstream_identity: self.upstream_identity,
            client_certificates: asked.transpose()?,
            client_certificate_header: header.transpose().map_err(HostError::CertificateHeader)?,
            rewrite: self.rewrite,
            http2: self.http2,
            public_url,
            certificate,
        })
    }

    fn address(&self) -> Result<Option<SocketAddr>, HostError> {
        let text = self.upstream_connect.as_deref();
        text.map(|text| text.parse().map_err(|_| HostError::Address(text.to_owned()))).transpose()
    }

    /// A key without an effect is a misunderstanding.
    fn idle(&self, mode: &'static str, connect: bool) -> Result<(), HostError> {
        let given = [
            ("upstream", self.upstream.is_some()),
            ("upstream-connect", connect && self.upstream_connect.is_some()),
            ("upstream-ca", self.upstream_ca.is_some()),
            ("upstream-insecure", self.upstream_insecure.is_some()),
            ("upstream-identity", self.upstream_identity.is_some()),
            ("client-certificates", self.client_certificates.is_some()),
            ("client-certificate-header", self.client_certificate_header.is_some()),
            ("rewrite", self.rewrite.is_some()),
            ("http2", self.http2.is_some()),
            ("public-url", self.public_url.is_some()),
            ("tls-cert", self.tls_cert.is_some()),
            ("tls-key", self.tls_key.is_some()),
            ("tls-pfx", self.tls_pfx.is_some()),
            ("tls-pfx-password-env", self.tls_pfx_password_env.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((key, _)) => Err(HostError::Idle { key, mode }),
            None => Ok(()),
        }
    }
}

/// What can stand in a host's table, as a commented example.
pub(super) const SCHEMA: &str = r#"
# One public name, or "*.contoso.com" for all names below contoso.com; as many such tables as there are names.
# [proxy.hosts."enroll.contoso.com"]
# inspect (TLS ends here), passthrough (TLS is forwarded untouched) or refuse
# mode = "inspect"
# The name's own server
# upstream = "…"
# Connect at this address instead of the one that the name resolves to (with passthrough, too)
# upstream-connect = "…"
# A further authority to trust for the server's certificate, PEM; without it as [proxy] has it
# upstream-ca = "…"
# Go on although the server's certificate cannot be verified; without it as [proxy] has it
# upstream-insecure = false
# Our own certificate with its key for this server, PEM; without it as [proxy] has it
# upstream-identity = "…"
# Whether devices are asked for a certificate: auto, ask or never; without it as [proxy] has it
# client-certificates = "auto"
# The header that hands it on: rfc9440, nginx:NAME, envoy or none; without it as [proxy] has it
# client-certificate-header = "rfc9440"
# Whether devices may have HTTP/2 ("auto" or "off"); without it as [proxy] has it
# http2 = "auto"
# Put our own address into discovery answers; without it as [proxy] has it
# rewrite = false
# Our own origin as devices see it
# public-url = "…"
# The name's own certificate, PEM, leaf first with its chain, and its key
# tls-cert = "…"
# tls-key = "…"
# Or both in one PFX file, and the environment variable that holds its password
# tls-pfx = "…"
# tls-pfx-password-env = "ENROLLSCOPE_TLS_PFX_PASSWORD"
"#;
