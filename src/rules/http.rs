//! Rules on the HTTP envelope: framing, status, content type.

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::{Framing, From, Response, Side, Version, header};
use crate::message::{Content, Kind};

const SOAP_TYPE: &str = "application/soap+xml";

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "HTTP-001",
        name: "chunked-answer",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "An answer to a device has a Content-Length and is not chunked.",
        cites: &[Cite::must(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "The HTTP server response must not be chunked; it must be sent as one message.",
        )],
        consequence: "The device gives up on the answer and stops at this step.",
        remedy: "Send the answer in one piece with a Content-Length: switch off streaming or compression in the server and the front end.",
        hresult: None,
        check: Check::Response(|response, cx| match response.body.framing {
            _ if !cx.has_head() => Verdict::Skip,
            // The server's chunks have become frames on the way.
            Framing::Chunked if cx.exchange.request.version == Version::Http2 => Verdict::Skip,
            Framing::Chunked => cx.fail_head("Transfer-Encoding", "Content-Length", "chunked"),
            Framing::Length | Framing::Close | Framing::H2 | Framing::None => Verdict::Pass,
        }),
        needs: &[],
        examples: &[
            Example::part(Step::Discover, Side::Response, Part::Framing, Change::Set("chunked")),
            Example::part(Step::Policies, Side::Response, Part::Framing, Change::Set("chunked")),
            Example::part(Step::Token, Side::Response, Part::Framing, Change::Set("chunked")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-002",
        name: "success-with-other-status",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "An answer that is no error has the status 200.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "The client reads a success body only with the status 200.",
        )],
        consequence: "The device does not read the answer, and shows the status as 0x8019 with its number.",
        remedy: "Answer with 200.",
        hresult: None,
        check: Check::Response(|response, cx| {
            let success = matches!(
                cx.message.content,
                Content::DiscoverResponse(_) | Content::GetPoliciesResponse(_) | Content::TokenResponse(_)
            );
            if !success || !cx.has_head() {
                return Verdict::Skip;
            }
            Verdict::check(response.status == 200, || {
                cx.fail_head("status", "200", response.status.to_string())
                    .with_hresult(http_hresult(response.status))
            })
        }),
        needs: &[],
        examples: &[Example::part(Step::Discover, Side::Response, Part::Status, Change::Set("201"))],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-004",
        name: "empty-answer",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "A 200 to a POST has a body.",
        cites: &[Cite::observed(
            Spec::Sdk,
            "MENROLL_E_EMPTY_MESSAGE",
            "Enrollment ends with 0x80180029 when the server's message is empty.",
        )],
        consequence: "The device stops with an empty-message error.",
        remedy: "Look for a module or handler that swallows the request before the enrollment service sees it.",
        hresult: Some(0x8018_0029),
        check: Check::Response(|response, cx| {
            if cx.request.kind == Kind::DiscoveryProbe || response.status != 200 || !is_post(cx) {
                return Verdict::Skip;
            }
            Verdict::check(response.body.length > 0, || {
                cx.fail_head("Content-Length", "a SOAP message", "no body")
            })
        }),
        needs: &[],
        examples: &[Example::response(Step::Discover, "", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-005",
        name: "request-not-labelled-soap",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A request is a POST labelled application/soap+xml.",
        cites: &[Cite::must(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "Content-Type: application/soap+xml; charset=utf-8",
        )],
        consequence: "Servers that go by the label refuse the request.",
        remedy: "Real devices label it; look at what stands between, or at the tool that sent it.",
        hresult: None,
        check: Check::Request(|cx| {
            if cx.request.kind == Kind::DiscoveryProbe || !cx.has_head() || cx.is_empty_post() {
                return Verdict::Skip;
            }
            content_type(cx, &cx.exchange.request.headers)
        }),
        needs: &[],
        examples: &[Example::part(
            Step::Discover,
            Side::Request,
            Part::Header("Content-Type"),
            Change::Set("text/plain"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-007",
        name: "answer-not-labelled-soap",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A SOAP answer is labelled application/soap+xml.",
        cites: &[Cite::must(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "Content-Type: application/soap+xml; charset=utf-8",
        )],
        consequence: "Devices are known to read it all the same; front ends may treat it as a page.",
        remedy: "Send `Content-Type: application/soap+xml; charset=utf-8`.",
        hresult: None,
        check: Check::Response(|response, cx| {
            if cx.message.soap.is_none() || !cx.has_head() {
                return Verdict::Skip;
            }
            content_type(cx, &response.headers)
        }),
        needs: &[],
        examples: &[Example::part(
            Step::Discover,
            Side::Response,
            Part::Header("Content-Type"),
            Change::Set("text/xml"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-009",
        name: "redirected-post",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A POST is answered where it was sent, not redirected.",
        cites: &[Cite::observed(
            Spec::Sdk,
            "MENROLL_E_INSECUREREDIRECT",
            "A redirect to plain HTTP ends with 0x8018001A; others are not documented for policy and enrollment.",
        )],
        consequence: "The device may not follow, or asks the user.",
        remedy: "Publish the final addresses in the discovery answer.",
        hresult: None,
        check: Check::Response(|response, cx| {
            if !is_post(cx) || response.from == From::Enrollscope {
                return Verdict::Skip;
            }
            let target =
                header(&response.headers, "Location").map(|h| h.text().into_owned()).unwrap_or_default();
            Verdict::check(!(300..400).contains(&response.status), || {
                cx.fail_head("Location", "an answer", format!("{} to {target}", response.status))
            })
        }),
        needs: &[],
        examples: &[
            Example::part(Step::Token, Side::Response, Part::Status, Change::Set("307")).also(&["HTTP-002"])
        ],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-010",
        name: "compressed-unasked",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "An answer is compressed only for who asked for it.",
        cites: &[Cite::observed(Spec::Field, "", "Windows' enrollment client sends no Accept-Encoding.")],
        consequence: "The device may not be able to read the answer.",
        remedy: "Send the answer uncompressed, or look for a front end that compresses.",
        hresult: None,
        check: Check::Response(|response, cx| {
            let Some(coding) = response.body.encoding.as_deref() else {
                return if cx.has_head() { Verdict::Pass } else { Verdict::Skip };
            };
            let asked = header(&cx.exchange.request.headers, "Accept-Encoding").is_some();
            Verdict::check(asked || coding.eq_ignore_ascii_case("identity"), || {
                cx.fail_head("Content-Encoding", "no content coding", coding)
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("compressed"))],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-011",
        name: "too-many-requests",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The server does not turn enrolling devices away for their number.",
        cites: &[Cite::observed(Spec::Sdk, "MENROLL_E_SERVER429", "Newer clients show 429 as 0x80180033.")],
        consequence: "The device stops and tells the user to try later.",
        remedy: "Raise the limit for enrollment paths, or have the users try again later.",
        hresult: Some(0x8018_0033),
        check: Check::Response(|response, cx| {
            if !cx.has_head() {
                return Verdict::Skip;
            }
            Verdict::check(response.status != 429, || {
                let request = &cx.exchange.request;
                let headers =
                    request.sent.as_ref().and_then(|s| s.headers.as_ref()).unwrap_or(&request.headers);
                let told =
                    ["X-Forwarded-For", "Forwarded"].iter().any(|name| header(headers, name).is_some());
                // Whoever counts by address counts all devices as one.
                let found = if told || cx.exchange.upstream.is_none() {
                    "429"
                } else {
                    "429; enrollscope's address stands for all devices (see --forwarded)"
                };
                cx.fail_head("status", "an answer", found)
            })
        }),
        needs: &[],
        examples: &[Example::part(Step::Discover, Side::Response, Part::Status, Change::Set("429"))
            .also(&["HTTP-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-013",
        name: "slow-answer",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "An answer begins within 30 seconds.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "No limit is documented; the default of Windows' HTTP client is 30 seconds.",
        )],
        consequence: "The device may give up before the answer comes, and try again.",
        remedy: "Look at the server's, the authority's and the directory's response times.",
        hresult: None,
        check: Check::Response(|_, cx| match cx.exchange.timing.wait {
            None => Verdict::Skip,
            Some(wait) => Verdict::check(wait < 30_000_000, || {
                cx.fail_head(
                    "status",
                    "an answer within 30 s",
                    format!("the first byte after {} s", wait / 1_000_000),
                )
            }),
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("slow"))],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-014",
        name: "error-status-without-fault",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "An error is told as a SOAP fault.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "For a body that is no fault the device shows 0x8019 and the status: 400 as 0x80190190.",
        )],
        consequence: "The device stops and shows the bare HTTP status as its error code.",
        remedy: "Answer with a SOAP fault, or look at the front end that answers in the server's place.",
        hresult: None,
        check: Check::Response(|response, cx| {
            if response.from == From::Enrollscope || !is_post(cx) {
                return Verdict::Skip;
            }
            let fits = response.status < 400 || cx.message.kind == Kind::Fault || is_success(cx);
            Verdict::check(fits, || {
                let found = format!("{} with {}", response.status, describe(cx, response));
                cx.fail_head("status", "a SOAP fault", found).with_hresult(http_hresult(response.status))
            })
        }),
        needs: &["RST-014", "TLS-004"],
        examples: &[Example::edit(Edit::Own("error-page"))],
        since: "0.1.0",
    },
    Rule {
        id: "XHTTP-005",
        name: "fault-with-success-status",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A fault comes with an error status.",
        cites: &[
            Cite::should(Spec::Soap12, "Part 2, 7.5.2.2", "env:Receiver ... 500"),
            Cite::observed(
                Spec::Field,
                "",
                "Servers that devices enroll with send faults with 200; some devices then showed 0x801900C8.",
            ),
        ],
        consequence: "The device may show 0x801900C8 instead of the fault's own code.",
        remedy: "Send faults with the status 500.",
        hresult: None,
        check: Check::Response(|response, cx| {
            if cx.message.kind != Kind::Fault || !cx.has_head() {
                return Verdict::Skip;
            }
            Verdict::check(response.status >= 400, || {
                cx.fail_head("status", "500", response.status.to_string())
            })
        }),
        needs: &[],
        examples: &[Example::part(Step::Token, Side::Response, Part::Status, Change::Set("200")).refused()],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-015",
        name: "answer-cut-short",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "An answer is as long as it announces.",
        cites: &[Cite::must(
            Spec::Rfc9112,
            "8",
            "A message body that uses the Content-Length header field ... is considered incomplete",
        )],
        consequence: "The device gets part of the answer and gives up, or waits for the rest.",
        remedy: "Look at why the server closes early: a crash, a time limit, or a wrong Content-Length.",
        hresult: None,
        check: Check::Response(|response, cx| {
            if !cx.has_head() {
                return Verdict::Skip;
            }
            Verdict::check(!response.body.cut, || {
                let announced = header(&response.headers, "Content-Length").map(|h| h.text().into_owned());
                let expected = announced.map_or("a complete body".to_owned(), |n| format!("{n} bytes"));
                cx.fail_head("Content-Length", expected, format!("{} bytes", response.body.length))
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("cut"))],
        since: "0.1.0",
    },
    Rule {
        id: "HTTP-016",
        name: "challenge-instead-of-fault",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "Wrong credentials are told as a fault, not by an HTTP challenge.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.10",
            "Authentication | MENROLL_E_DEVICE_AUTHENTICATION_ERROR | User not recognized. | 80180002",
        )],
        consequence: "The device does not answer a challenge, and the user sees a bare HTTP status instead of a reason.",
        remedy: "Exclude the enrollment paths from HTTP authentication, and send the fault s:Authentication.",
        hresult: Some(0x8019_0191),
        check: Check::Response(|response, cx| {
            if !cx.has_head() {
                return Verdict::Skip;
            }
            Verdict::check(header(&response.headers, "WWW-Authenticate").is_none(), || {
                cx.fail_head("WWW-Authenticate", "no challenge", response.status.to_string())
            })
        }),
        needs: &[],
        examples: &[Example::part(
            Step::Policies,
            Side::Response,
            Part::Header("WWW-Authenticate"),
            Change::Set("Negotiate"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-GET-002",
        name: "probe-not-answered-with-200",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The discovery probe, a GET, is answered with 200.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "After the device gets a response from the server, the device sends a POST request",
        )],
        consequence: "Autodiscovery takes the server for absent and asks the user for its address; a typed address still works.",
        remedy: "Answer GET on /EnrollmentServer/Discovery.svc with 200, without authentication.",
        hresult: None,
        check: Check::Response(|response, cx| {
            if cx.request.kind != Kind::DiscoveryProbe || response.from == From::Enrollscope {
                return Verdict::Skip;
            }
            let fits = response.status == 200 || (300..400).contains(&response.status);
            Verdict::check(fits, || cx.fail_head("status", "200", response.status.to_string()))
        }),
        needs: &[],
        examples: &[Example::part(Step::Probe, Side::Response, Part::Status, Change::Set("404"))],
        since: "0.1.0",
    },
];

/// HTTP_E_STATUS: the status in the low half (facility 0x19).
pub(super) fn http_hresult(status: u16) -> u32 {
    0x8019_0000 | u32::from(status)
}

pub(super) fn is_post(cx: &Context<'_>) -> bool {
    cx.exchange.request.method == "POST"
}

fn is_success(cx: &Context<'_>) -> bool {
    !matches!(cx.message.kind, Kind::Other | Kind::None | Kind::NotHttp)
}

fn content_type(cx: &Context<'_>, headers: &[crate::event::Header]) -> Verdict {
    let found = header(headers, "Content-Type").map(|h| h.text().into_owned());
    let media = found.as_deref().and_then(|f| f.split(';').next()).unwrap_or_default().trim();
    Verdict::check(media.eq_ignore_ascii_case(SOAP_TYPE), || {
        cx.fail_head("Content-Type", SOAP_TYPE, found.clone().unwrap_or_else(|| "absent".to_owned()))
    })
}

/// What a body that is no SOAP seems to be.
pub(super) fn describe(cx: &Context<'_>, response: &Response) -> String {
    if response.body.length == 0 {
        return "no body".to_owned();
    }
    let media = header(&response.headers, "Content-Type").map(|h| h.text().into_owned());
    let root = cx.message.document.as_ref().and_then(|d| d.root()).map(|r| r.local().to_owned());
    match (media, root) {
        (_, Some(root)) if root.eq_ignore_ascii_case("html") => "an HTML page".to_owned(),
        (Some(media), _) => format!("a body of type {media}"),
        (None, Some(root)) => format!("XML with the root {root}"),
        (None, None) => "a body without a type".to_owned(),
    }
}
