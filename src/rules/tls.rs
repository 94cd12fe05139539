//! Rules on the device's connection and its TLS handshake.

use super::check::{Check, Verdict};
use super::rule::{Edit, Example, Rule, Severity, Subject};
use super::spec::{Cite, Spec};
use crate::event::{Connection, ConnectionEvent, Reason};
use crate::message::certificate::Certificate;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "TLS-001",
        name: "device-distrusts-certificate",
        severity: Severity::ERROR,
        subject: Subject::FrontEnd,
        requirement: "The device trusts the certificate chain that it is shown.",
        cites: &[Cite::observed(
            Spec::Sdk,
            "MENROLL_E_INVALIDSSLCERT",
            "Enrollment ends with 0x80180012 when the chain is not trusted.",
        )],
        consequence: "The device ends the handshake, and nothing of the enrollment reaches the server.",
        remedy: "Serve the full chain of a certificate that devices trust, or install its root on them before they enroll.",
        hresult: Some(0x8018_0012),
        check: Check::Connection(|connection| match &connection.reason {
            Some(Reason::Alert(alert)) if distrust(alert) => Verdict::connection(
                "handshake",
                "a handshake that the device completes",
                format!("the alert {alert} from the device{}", named(connection)),
            ),
            _ => opened(connection),
        }),
        needs: &[],
        examples: &[
            Example::edit(Edit::Connection("unknown_ca")),
            Example::edit(Edit::Connection("bad_certificate")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-002",
        name: "certificate-does-not-name-host",
        severity: Severity::ERROR,
        subject: Subject::FrontEnd,
        requirement: "The certificate names the host that the device asked for.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "Mobile device enrollment: discovery",
            "The certificate of the discovery server must carry EnterpriseEnrollment.<domain>.",
        )],
        consequence: "The device refuses the certificate and shows that it is invalid.",
        remedy: "Issue the certificate with this host name in its subject alternative names.",
        hresult: Some(0x8018_0012),
        check: Check::Connection(|connection| {
            let leaf = connection.chain.first().and_then(|der| Certificate::read(der));
            let (Some(host), Some(leaf)) = (&connection.sni, leaf) else { return Verdict::Skip };
            let names = leaf.dns_names();
            Verdict::check(names.iter().any(|name| covers(name, host)), || {
                Verdict::connection("certificate", format!("a certificate for {host}"), names.join(", "))
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("sni=enterpriseenrollment.elsewhere.example"))],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-003",
        name: "device-finds-certificate-expired",
        severity: Severity::ERROR,
        subject: Subject::FrontEnd,
        requirement: "The certificate is valid at the device's time.",
        cites: &[Cite::observed(
            Spec::Sdk,
            "MENROLL_E_DISCOVERY_SEC_CERT_DATE_INVALID",
            "Discovery ends with 0x8018000D when the certificate's dates are not valid.",
        )],
        consequence: "The device refuses the certificate as expired.",
        remedy: "Renew the certificate; when its dates are good, correct the device's clock.",
        hresult: Some(0x8018_000D),
        check: Check::Connection(|connection| match &connection.reason {
            Some(Reason::Alert(alert)) if alert == "certificate_expired" => Verdict::connection(
                "handshake",
                "a certificate that is valid now",
                "the alert certificate_expired",
            ),
            _ => opened(connection),
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("certificate_expired"))],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-008",
        name: "silent-close-after-certificate",
        severity: Severity::WARNING,
        subject: Subject::FrontEnd,
        requirement: "The device goes on after it has seen the certificate.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows often closes without an alert when it does not trust a certificate.",
        )],
        consequence: "Most likely the device does not trust the certificate; nothing of the enrollment is seen.",
        remedy: "Check on the device that it trusts the chain and that the name and the dates fit.",
        hresult: Some(0x8018_0012),
        check: Check::Connection(|connection| match connection.reason {
            Some(Reason::SilentAfterCertificate) => Verdict::connection(
                "handshake",
                "a handshake that the device completes",
                format!("the device closed without a word after our certificate{}", named(connection)),
            ),
            _ => opened(connection),
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("silent"))],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-009",
        name: "handshake-refused",
        severity: Severity::ERROR,
        subject: Subject::Device,
        requirement: "The device and the listener have a TLS version, a cipher suite and a host name in common.",
        cites: &[Cite::observed(Spec::Field, "", "Without them no connection comes about.")],
        consequence: "The device cannot connect and shows a connection error.",
        remedy: "Allow a TLS version and cipher that the device offers, or update the device; add an unknown host name to the configuration.",
        hresult: Some(0x8018_0010),
        check: Check::Connection(|connection| match &connection.reason {
            Some(Reason::Refused(why)) => {
                let offered = connection.offered.as_ref().map(|o| o.versions.join(", ")).unwrap_or_default();
                Verdict::connection("handshake", "something in common", format!("{why} (offered: {offered})"))
            }
            _ => opened(connection),
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("refused"))],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-010",
        name: "plain-http-on-tls-port",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "What connects to a TLS listener speaks TLS.",
        cites: &[Cite::must(Spec::MsWstep, "2.1", "HTTPS protocol MUST be used as the transport.")],
        consequence: "enrollscope answers the request with one sentence, and the server never sees it.",
        remedy: "Use https:// in the address, or point plain HTTP at --listen-http.",
        hresult: None,
        check: Check::Connection(|connection| match connection.reason {
            Some(Reason::PlainHttp) => Verdict::connection("handshake", "TLS", "HTTP without TLS"),
            _ => opened(connection),
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("plain-http"))],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-011",
        name: "served-certificate-expired",
        severity: Severity::ERROR,
        subject: Subject::FrontEnd,
        requirement: "The certificate that devices are shown is within its validity.",
        cites: &[Cite::observed(
            Spec::Sdk,
            "MENROLL_E_DISCOVERY_SEC_CERT_DATE_INVALID",
            "Discovery ends with 0x8018000D when the certificate's dates are not valid.",
        )],
        consequence: "Devices refuse the certificate and do not enroll.",
        remedy: "Renew the certificate that enrollscope serves.",
        hresult: Some(0x8018_000D),
        check: Check::Connection(|connection| {
            let leaf = connection.chain.first().and_then(|der| Certificate::read(der));
            let Some((from, to)) = leaf.and_then(|leaf| Some((leaf.not_before?, leaf.not_after?))) else {
                return Verdict::Skip;
            };
            Verdict::check(from <= connection.at && connection.at <= to, || {
                Verdict::connection(
                    "certificate",
                    format!("valid at {}", connection.at),
                    format!("{from} to {to}"),
                )
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("late"))],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-013",
        name: "device-tls-not-visible",
        severity: Severity::INFO,
        subject: Subject::FrontEnd,
        requirement: "The device's TLS ends in enrollscope, where it can be judged.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Devices that distrust a certificate fail in their handshake with the front end, and only it sees them.",
        )],
        consequence: "Handshakes of devices are not visible here: that no finding tells of them does not mean that they are well.",
        remedy: "Look for refused handshakes in the front end's log, or let it pass TLS on with the PROXY protocol.",
        hresult: None,
        check: Check::Once(|cx| {
            let Some(connection) = cx.connection else { return Verdict::Skip };
            let ended = cx.exchange.front.as_deref().is_some_and(|front| front.secure != Some(false));
            let secure = connection.tls.is_some();
            if ended || connection.via.is_some() && !secure {
                let front = connection.via.as_ref().unwrap_or(&connection.peer);
                let found = format!("what the front end at {front} passes on");
                return cx.fail_head("status", "the device's own TLS", found);
            }
            if secure { Verdict::Pass } else { Verdict::Skip }
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("tls-in-front"))],
        since: "0.1.0",
    },
];

/// A connection proves something once it opened or failed; its close says nothing new.
fn opened(connection: &Connection) -> Verdict {
    if connection.event == ConnectionEvent::Closed { Verdict::Skip } else { Verdict::Pass }
}

/// Alerts of RFC 8446 6.2 by which a client says that it does not accept the certificate.
fn distrust(alert: &str) -> bool {
    matches!(
        alert,
        "unknown_ca"
            | "bad_certificate"
            | "certificate_unknown"
            | "unsupported_certificate"
            | "certificate_revoked"
    )
}

fn named(connection: &Connection) -> String {
    connection.sni.as_ref().map(|host| format!(", which asked for {host}")).unwrap_or_default()
}

/// A name of the certificate covers a host: equal, or a wildcard for its first label (RFC 6125 6.4.3).
pub fn covers(name: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    name.eq_ignore_ascii_case(host)
        || name.strip_prefix("*.").is_some_and(|parent| {
            host.split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
        })
}
