//! Rules on the device's certificate in TLS: whether it is shown, and whether it gets past us to the server.

use super::check::{Check, Context, Verdict};
use super::rule::{Edit, Example, Golden, Rule, Severity, Subject};
use super::spec::{Cite, Spec};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "TLS-006",
        name: "renewal-without-client-certificate",
        severity: Severity::WARNING,
        subject: Subject::Enrollscope,
        requirement: "The certificate that is to be renewed is shown in TLS, and reaches a server that wants it.",
        cites: &[
            Cite::must(Spec::MsMde, "3.5.4.1.1.1", "As a result, the ES is required to support client TLS."),
            Cite::observed(
                Spec::MsDocs,
                "Certificate Renewal",
                "The device authenticates with its client certificate over TLS.",
            ),
        ],
        consequence: "A server that asks TLS who the device is declines.",
        remedy: "Use --client-certificates ask with a header that the server reads, or --passthrough for this host.",
        hresult: Some(0x8018_0016),
        check: Check::Renewal(|m, cx| {
            let Some(connection) = cx.connection.filter(|c| c.tls.is_some()) else { return Verdict::Skip };
            let wanted = is_wanted(cx);
            let shown = !connection.client_certificate.is_empty();
            match (shown, connection.asked_client_certificate) {
                (true, _) if wanted && !is_handed_on(cx) => {
                    cx.fail(&m.spot, "a header that hands the device's certificate on", "none")
                }
                (true, _) => Verdict::Pass,
                (false, true) => cx
                    .fail(&m.spot, "a client certificate", "none, though enrollscope asked for one")
                    .with_subject(Subject::Device),
                (false, false) if wanted => cx.fail(
                    &m.spot,
                    "a client certificate, for which the server asks",
                    "none, as enrollscope did not ask the device",
                ),
                // Neither side asked, so that nothing was lost.
                (false, false) => Verdict::Skip,
            }
        }),
        needs: &[],
        examples: &[
            Example::edit(Edit::Connection("no-client-certificate")).on(Golden::Renewal),
            Example::edit(Edit::Connection("not-asked")).on(Golden::Renewal),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-012",
        name: "client-certificate-not-in-tls",
        severity: Severity::INFO,
        subject: Subject::Enrollscope,
        requirement: "A server that asks for the device's certificate in TLS gets it there.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Only who has its key can show a certificate in TLS, so that enrollscope hands it on in a header.",
        )],
        consequence: "A server that looks for it in TLS only takes the device for one without a certificate.",
        remedy: "Have the server read the header from enrollscope, or let the host's TLS pass with --passthrough.",
        hresult: None,
        check: Check::Renewal(|m, cx| {
            let shown = cx.connection.is_some_and(|c| !c.client_certificate.is_empty());
            if !shown || !is_handed_on(cx) && is_wanted(cx) {
                return Verdict::Skip;
            }
            Verdict::check(!is_wanted(cx), || {
                cx.fail(&m.spot, "the device's certificate in the server's TLS", "it in a header")
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("certificate-in-header")).on(Golden::Renewal)],
        since: "0.1.0",
    },
];

/// The server asked for a client certificate in its TLS handshake with us.
fn is_wanted(cx: &Context<'_>) -> bool {
    cx.exchange.upstream.as_ref().is_some_and(|upstream| upstream.asked_client_certificate)
}

fn is_handed_on(cx: &Context<'_>) -> bool {
    cx.exchange.changes.iter().any(|change| change.what == "client-certificate")
}
