//! The TLS that devices speak with us: which certificate for which name, and the facts of a connection in words.

use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoClientAuth, ResolvesServerCert, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CommonState, PeerIncompatible, ServerConfig};

use super::client_auth::AnyDevice;
use super::name::{HostPattern, plain};
use super::pem::Identity;
use crate::event::{Offered, Reason, Tls};

/// What a TLS listener serves.
#[derive(Clone, Debug)]
pub struct Served {
    resolver: Arc<ByName>,
    pub config: Arc<ServerConfig>,
    /// The same, asking devices for certificates.
    asking: Arc<ServerConfig>,
}

/// The TLS sessions of one site that can be resumed. A resumed session shows no certificate anew: what was agreed with
/// one site, or before its devices were asked, counts for nothing elsewhere.
#[derive(Clone, Debug)]
pub struct Sessions {
    unasked: Arc<dyn StoresServerSessions>,
    asked: Arc<dyn StoresServerSessions>,
}

impl Default for Sessions {
    fn default() -> Self {
        const MOST: usize = 256;
        Self { unasked: ServerSessionMemoryCache::new(MOST), asked: ServerSessionMemoryCache::new(MOST) }
    }
}

/// A certificate, and the names that it is configured for besides its own.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub names: Vec<HostPattern>,
    pub identity: Identity,
}

#[derive(Debug)]
struct ByName {
    slots: Vec<Slot>,
    /// Names that no certificate has get the first one; else their handshake is refused.
    fallback: bool,
}

/// A certificate that can be exchanged while it is served: handshakes that have begun keep the one they saw.
#[derive(Debug)]
struct Slot {
    names: Vec<HostPattern>,
    identity: RwLock<Identity>,
}

impl Slot {
    fn identity(&self) -> RwLockReadGuard<'_, Identity> {
        // Nothing panics between the halves of a move.
        self.identity.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    /// With `fallback` any name (and none) is answered with the first identity when no other fits.
    pub fn new(identities: Vec<Identity>, fallback: bool) -> Result<Self, rustls::Error> {
        let plain = |identity| Certificate { names: Vec::new(), identity };
        Self::by_name(identities.into_iter().map(plain).collect(), fallback)
    }

    /// The certificate that a name is configured for comes before those that have it.
    pub fn by_name(certificates: Vec<Certificate>, fallback: bool) -> Result<Self, rustls::Error> {
        let slot = |Certificate { names, identity }| Slot { names, identity: RwLock::new(identity) };
        let resolver = Arc::new(ByName { slots: certificates.into_iter().map(slot).collect(), fallback });
        let provider = Arc::new(default_provider());
        let asking = AnyDevice(provider.signature_verification_algorithms);
        let config = |verifier: Arc<dyn ClientCertVerifier>| {
            let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
                .with_client_cert_verifier(verifier)
                .with_cert_resolver(Arc::clone(&resolver) as Arc<dyn ResolvesServerCert>);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok::<_, rustls::Error>(Arc::new(config))
        };
        let (unasked, asked) = (config(Arc::new(NoClientAuth))?, config(Arc::new(asking))?);
        Ok(Self { resolver, config: unasked, asking: asked })
    }

    /// For one handshake with a site's device, which is asked for a certificate or not.
    pub fn handshake(&self, sessions: &Sessions, asks: bool) -> Arc<ServerConfig> {
        let (config, sessions) =
            if asks { (&self.asking, &sessions.asked) } else { (&self.config, &sessions.unasked) };
        let mut config = ServerConfig::clone(config);
        config.session_storage = Arc::clone(sessions);
        Arc::new(config)
    }

    /// The certificates that a device which asks for this name is shown, leaf first.
    pub fn chain(&self, sni: Option<&str>) -> Vec<Bytes> {
        self.resolver.find(sni).map(|key| chain(Some(&key.cert))).unwrap_or_default()
    }

    /// New handshakes get this in the place of the certificate that was the `at`th.
    pub fn replace(&self, at: usize, identity: Identity) {
        if let Some(slot) = self.resolver.slots.get(at) {
            *slot.identity.write().unwrap_or_else(PoisonError::into_inner) = identity;
        }
    }
}

impl ByName {
    fn find(&self, sni: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let sni = sni.map(plain);
        let named = sni.as_deref().and_then(|sni| {
            let rank =
                |slot: &Slot| slot.names.iter().filter(|n| n.matches(sni)).map(HostPattern::rank).max();
            let meant = self.slots.iter().filter(|slot| rank(slot).is_some()).max_by_key(|slot| rank(slot));
            meant
                .or_else(|| self.slots.iter().find(|slot| slot.identity().names.iter().any(|n| fits(n, sni))))
        });
        // A device that sends no name at all asks for whatever there is.
        let any = || self.slots.first().filter(|_| self.fallback || sni.is_none());
        named.or_else(any).map(|slot| Arc::clone(&slot.identity().certified))
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}

/// HTTP/2's name in ALPN.
pub const HTTP2: &[u8] = b"h2";
/// What is offered where HTTP/2 may be spoken.
pub const ALPN: [&[u8]; 2] = [HTTP2, b"http/1.1"];

/// The same, to a device that may have HTTP/2.
pub fn with_http2(config: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Arc::new(config)
}

/// The crypto library needs some 40 ms for its first random bytes: drawn beside the start, they hold up no handshake.
pub fn draw_ahead() {
    // Whoever needs them first waits for them, with or without this thread.
    let draw = || {
        let _ = aws_lc_rs::rand::fill(&mut [0; 1]);
    };
    let _ = std::thread::Builder::new().name("random".to_owned()).spawn(draw);
}

/// A fatal alert as it goes out before there is any encryption (RFC 8446 6).
pub fn alert(description: AlertDescription) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, u8::from(description)]
}

/// RFC 6125 6.4.3: `*` stands for exactly one label.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => pattern == name,
    }
}

/// The certificates as events carry them.
pub fn chain(certificates: Option<&[CertificateDer<'_>]>) -> Vec<Bytes> {
    certificates.unwrap_or_default().iter().map(|c| Bytes::copy_from_slice(c)).collect()
}

/// Version and cipher suite by the names of the registries.
pub fn facts(state: &CommonState) -> Option<Tls> {
    let version = match state.protocol_version()? {
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let suite = format!("{:?}", state.negotiated_cipher_suite()?.suite());
    // rustls says TLS13_ where the registry says TLS_.
    let cipher = suite.strip_prefix("TLS13_").map_or(suite.clone(), |rest| format!("TLS_{rest}"));
    Some(Tls { version, cipher })
}

/// Why a device's handshake came to nothing. `showed_certificate`: our certificate had gone out before.
pub fn refusal_reason(error: &io::Error, offered: Option<&Offered>, showed_certificate: bool) -> Reason {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let old = |offered: &&Offered| !offered.versions.iter().any(|v| v == "TLSv1.2" || v == "TLSv1.3");
    match tls {
        Some(rustls::Error::AlertReceived(alert)) => Reason::Alert(alert_name(*alert)),
        Some(rustls::Error::General(words)) if words.contains("no server certificate chain") => {
            no_certificate()
        }
        Some(other) => Reason::Refused(match offered.filter(old) {
            // rustls complains of whatever it misses first in such an old hello.
            Some(offered) => {
                format!(
                    "the device offers {} only; enrollscope speaks TLSv1.2 and TLSv1.3",
                    offered.versions.join(", ")
                )
            }
            None if is_about_ciphers(other) => {
                "no cipher suite in common: the device offers none with ECDHE and GCM or ChaCha20".into()
            }
            None => other.to_string(),
        }),
        None if showed_certificate => Reason::SilentAfterCertificate,
        None => Reason::ClosedInHandshake,
    }
}

/// Nothing is configured for the name, or it is configured and has no certificate.
pub fn no_certificate() -> Reason {
    Reason::Refused("no certificate for the name that the device asked for".into())
}

fn is_about_ciphers(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon))
}

/// The alert's name in RFC 8446 and the registry.
pub fn alert_name(alert: AlertDescription) -> String {
    let name = match alert {
        AlertDescription::CloseNotify => "close_notify",
        AlertDescription::UnexpectedMessage => "unexpected_message",
        AlertDescription::BadRecordMac => "bad_record_mac",
        AlertDescription::DecryptionFailed => "decryption_failed",
        AlertDescription::RecordOverflow => "record_overflow",
        AlertDescription::DecompressionFailure => "decompression_failure",
        AlertDescription::HandshakeFailure => "handshake_failure",
        AlertDescription::NoCertificate => "no_certificate",
        AlertDescription::BadCertificate => "bad_certificate",
        AlertDescription::UnsupportedCertificate => "unsupported_certificate",
        AlertDescription::CertificateRevoked => "certificate_revoked",
        AlertDescription::CertificateExpired => "certificate_expired",
        AlertDescription::CertificateUnknown => "certificate_unknown",
        AlertDescription::IllegalParameter => "illegal_parameter",
        AlertDescription::UnknownCA => "unknown_ca",
        AlertDescription::AccessDenied => "access_denied",
        AlertDescription::DecodeError => "decode_error",
        AlertDescription::DecryptError => "decrypt_error",
        AlertDescription::ExportRestriction => "export_restriction",
        AlertDescription::ProtocolVersion => "protocol_version",
        AlertDescription::InsufficientSecurity => "insufficient_security",
        AlertDescription::InternalError => "internal_error",
        AlertDescription::InappropriateFallback => "inappropriate_fallback",
        AlertDescription::UserCanceled => "user_canceled",
        AlertDescription::NoRenegotiation => "no_renegotiation",
        AlertDescription::MissingExtension => "missing_extension",
        AlertDescription::UnsupportedExtension => "unsupported_extension",
        AlertDescription::CertificateUnobtainable => "certificate_unobtainable",
        AlertDescription::UnrecognisedName => "unrecognized_name",
        AlertDescription::BadCertificateStatusResponse => "bad_certificate_status_response",
        AlertDescription::BadCertificateHashValue => "bad_certificate_hash_value",
        AlertDescription::UnknownPSKIdentity => "unknown_psk_identity",
        AlertDescription::CertificateRequired => "certificate_required",
        AlertDescription::NoApplicationProtocol => "no_application_protocol",
        AlertDescription::EncryptedClientHelloRequired => "ech_required",
        other => return format!("alert_{}", u8::from(other)),
    };
    name.to_owned()
}
