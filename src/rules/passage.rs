//! Rules on who sends a request, and on what stands on its way: tools, proxies, limits.

use super::check::{Check, Verdict};
use super::http::is_post;
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::{Side, header};
use crate::message::Kind;
use crate::message::certificate::Certificate;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "HTTP-006",
        name: "request-without-body",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "A POST to an enrollment service has a body.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Repair tools and second probes post nothing; and proxies were seen that drop bodies on the way.",
        )],
        consequence: "The server has nothing to answer; a device whose bodies get lost shows 0x801900C8 or the status.",
        remedy: "If the device sends the real message next, ignore this; else look for what drops bodies on the way.",
        hresult: None,
        check: Check::Request(|cx| {
            if cx.request.kind == Kind::DiscoveryProbe || !is_post(cx) {
                return Verdict::Skip;
            }
            let length = cx.exchange.request.body.length;
            Verdict::check(length > 0, || cx.fail_head("Content-Length", "a SOAP message", "no body"))
        }),
        needs: &[],
        examples: &[Example::request(Step::Policies, "", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-008",
        name: "unknown-client",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "The User-Agent is one of Windows' enrollment clients.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows 10 and 11 send ENROLLClient; older pages show Windows Enrollment Client.",
        )],
        consequence: "Most likely a program or a test tool enrolls, and not Windows itself.",
        remedy: "Nothing is to be done; servers should not decline because of it.",
        hresult: None,
        check: Check::Request(|cx| {
            if !cx.has_head() {
                return Verdict::Skip;
            }
            let agent = header(&cx.exchange.request.headers, "User-Agent").map(|h| h.text().into_owned());
            let known = agent.as_ref().is_some_and(|agent| {
                let agent = agent.to_ascii_lowercase();
                agent.contains("enrollclient")
                    || agent.contains("enrollment client")
                    || agent.contains("oma dm")
            });
            Verdict::check(known, || {
                cx.fail_head("User-Agent", "ENROLLClient", agent.unwrap_or_else(|| "absent".to_owned()))
            })
        }),
        needs: &[],
        examples: &[Example::part(
            Step::Discover,
            Side::Request,
            Part::Header("User-Agent"),
            Change::Set("curl/8.5.0"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "XHTTP-004",
        name: "two-actions",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "An action in the HTTP headers is the one in the envelope.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Windows puts no action into its HTTP headers; SOAP libraries repeat the envelope's.",
        )],
        consequence: "Front ends and servers that go by the header take the message for another one.",
        remedy: "Send the envelope's Action there, or none.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let headers = cx.headers();
            let media = header(headers, "Content-Type").map(|h| h.text().into_owned());
            let (Some(media), Some(action)) = (media, &soap.action) else { return Verdict::Skip };
            let parameter = media.split(';').skip(1).find_map(|p| {
                let (name, value) = p.split_once('=')?;
                name.trim().eq_ignore_ascii_case("action").then(|| value.trim().to_owned())
            });
            let older = header(headers, "SOAPAction").map(|h| h.text().into_owned());
            let (at, found) = match (parameter, older) {
                (Some(parameter), _) => ("Content-Type", parameter),
                (None, Some(older)) => ("SOAPAction", older),
                (None, None) => return Verdict::Pass,
            };
            let found = found.trim().trim_matches('"');
            // SOAP 1.1's header may be empty: the address says it all.
            let fits = found == action.value || at == "SOAPAction" && found.is_empty();
            Verdict::check(fits, || cx.fail_head(at, action.value.clone(), found))
        }),
        needs: &["SOAP-004"],
        examples: &[
            Example::part(
                Step::Token,
                Side::Request,
                Part::Header("Content-Type"),
                Change::Set("application/soap+xml; charset=utf-8; action=\"urn:other\""),
            ),
            Example::part(
                Step::Token,
                Side::Request,
                Part::Header("SOAPAction"),
                Change::Set("\"urn:other\""),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "RST-014",
        name: "request-too-large",
        severity: Severity::ERROR,
        subject: Subject::FrontEnd,
        requirement: "The server takes requests as large as devices send them.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Requests that attest a key are longer than 30 kB; the device shows 413 as 0x8019019D.",
        )],
        consequence: "The device stops with the bare HTTP status as its error code.",
        remedy: "Raise the limit for request bodies on everything before the enrollment service, to 1 MB for instance.",
        hresult: Some(0x8019_019D),
        check: Check::Response(|response, cx| {
            if !cx.has_head() {
                return Verdict::Skip;
            }
            Verdict::check(response.status != 413, || {
                let length = cx.exchange.request.body.length;
                cx.fail_head("status", "an answer", format!("413 to {length} bytes"))
            })
        }),
        needs: &[],
        examples: &[
            Example::part(Step::Token, Side::Response, Part::Status, Change::Set("413")).also(&["HTTP-002"])
        ],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-004",
        name: "proxy-asks-for-a-login",
        severity: Severity::ERROR,
        subject: Subject::Network,
        requirement: "No proxy on the way asks the device for a login.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "MDM known issues",
            "Enrollment does not work through a proxy that asks for authentication.",
        )],
        consequence: "The device does not answer the proxy, and nothing of the enrollment reaches the server.",
        remedy: "Let the enrollment hosts pass without authentication, and without TLS inspection.",
        hresult: Some(0x8019_0197),
        check: Check::Response(|response, cx| {
            if !cx.has_head() {
                return Verdict::Skip;
            }
            Verdict::check(response.status != 407, || cx.fail_head("status", "an answer", "407"))
        }),
        needs: &[],
        examples: &[Example::part(Step::Discover, Side::Response, Part::Status, Change::Set("407"))
            .also(&["HTTP-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "TLS-005",
        name: "client-certificate-in-discovery",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "A device that discovers shows no client certificate.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "Discovery authenticates the server only; the device has no certificate before it is enrolled.",
        )],
        consequence: "The device is enrolled already and renews, or something on the way adds its own certificate.",
        remedy: "Nothing is to be done for a renewal; else look for a proxy between the device and here.",
        hresult: None,
        check: Check::Request(|cx| {
            // A renewal has one to show, and does not probe.
            let discovers = cx.request.kind == Kind::DiscoveryProbe;
            let Some(connection) = cx.connection.filter(|_| discovers) else { return Verdict::Skip };
            let shown = connection.client_certificate.first().and_then(|der| Certificate::read(der));
            shown.map_or(Verdict::Pass, |certificate| {
                cx.fail_head("target", "no client certificate", certificate.subject.to_string())
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("client-certificate"))],
        since: "0.1.0",
    },
];
