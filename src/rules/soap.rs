//! Rules on XML, the SOAP envelope and WS-Addressing, common to all messages.

use super::check::{Check, Context, Verdict};
use super::http::{describe, http_hresult};
use super::rule::{Change, Example, Rule, Severity, Step, Subject};
use super::schema::breaches;
use super::spec::{Cite, Spec};
use crate::event::{From, Side, header};
use crate::message::{Content, Field, Kind, Soap, SoapVersion, Spot, names};
use crate::xml::{Defect, DefectKind, Document};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "SOAP-001",
        name: "not-well-formed",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "A message is well-formed XML.",
        cites: &[Cite::must(Spec::Soap12, "5", "A SOAP message is specified as an XML Information Set")],
        consequence: "The receiver cannot parse the message, or loses the part behind the mistake.",
        remedy: "Mend the text at this place; make it with an XML library instead of by hand.",
        hresult: Some(0x8018_0001),
        check: Check::Xml(|document, cx| {
            if is_policy_answer(cx) || matches!(cx.message.content, Content::Provisioning(_)) {
                return Verdict::Skip;
            }
            well_formed(document, cx)
        }),
        needs: &[],
        examples: &[
            Example::response(Step::Discover, "", Change::Corrupt),
            Example::request(Step::Token, "", Change::Corrupt),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "POL-RSP-001",
        name: "policy-not-well-formed",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The policy answer is well-formed XML.",
        cites: &[
            Cite::must(Spec::Soap12, "5", "A SOAP message is specified as an XML Information Set"),
            Cite::observed(
                Spec::Field,
                "",
                "A Windows 10 device went on after such an answer, with default keys.",
            ),
        ],
        consequence: "The device may go on as if no policy had been given: RSA 2048 and its default hash.",
        remedy: "Mend the text at this place, for instance the blank before xsi:nil.",
        hresult: None,
        check: Check::Xml(
            |document, cx| if is_policy_answer(cx) { well_formed(document, cx) } else { Verdict::Skip },
        ),
        needs: &[],
        examples: &[Example::response(Step::Policies, "", Change::Corrupt)],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-013",
        name: "document-type-declaration",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "A message has no document type declaration.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5",
            "The XML infoset of a SOAP message MUST NOT contain a document type declaration information item.",
        )],
        consequence: "Receivers refuse the message, because such declarations are used for attacks.",
        remedy: "Find out what sends it: a page in the place of a message, a template of the server, or an attack.",
        hresult: None,
        check: Check::Xml(|document, cx| {
            let found = document.defects().iter().find(|d| d.kind == DefectKind::DocumentType);
            found.map_or(Verdict::Pass, |defect| fail_defect(document, cx, defect, "no DOCTYPE"))
        }),
        needs: &[],
        examples: &[Example::request(Step::Discover, "", Change::Rename("<!DOCTYPE x>"))],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-014",
        name: "not-soap",
        severity: Severity::ERROR,
        subject: Subject::FrontEnd,
        requirement: "The answer to an enrollment message is SOAP, and the one that belongs to it or a fault.",
        cites: &[
            Cite::must(
                Spec::MsWstep,
                "2.1",
                "SOAP version 1.2 MUST be used for messaging for the WSTEP protocol.",
            ),
            Cite::observed(Spec::Field, "", "For an unusable 200 the device shows 0x801900C8."),
        ],
        consequence: "The device cannot use the answer and stops.",
        remedy: "Exclude the enrollment paths from sign-in pages, portals and web application firewalls in front of the server.",
        hresult: Some(0x8019_00C8),
        check: Check::Response(|response, cx| {
            let judged =
                cx.exchange.request.method == "POST" && response.status == 200 && response.body.length > 0;
            if !judged || response.from == From::Enrollscope {
                return Verdict::Skip;
            }
            let (expected, fits) = match (expected_answer(cx.request.kind), cx.message.kind) {
                (Some((name, kind)), found) => (name, found == kind || found == Kind::Fault),
                (None, _) => ("a SOAP envelope", cx.message.soap.is_some()),
            };
            Verdict::check(fits, || {
                let found = match (&cx.message.soap, cx.message.kind) {
                    (Some(_), Kind::Other) => "an envelope with something else".to_owned(),
                    (Some(_), kind) => kind.word().to_owned(),
                    (None, _) => describe(cx, response),
                };
                let verdict = cx.fail_head("Content-Type", expected, found).with_hresult(http_hresult(200));
                // No sign-in page speaks SOAP.
                if cx.message.soap.is_some() { verdict.with_subject(Subject::Server) } else { verdict }
            })
        }),
        needs: &["HTTP-004", "HTTP-015"],
        examples: &[
            Example::response(Step::Discover, "", Change::Set("<html><body>Sign in</body></html>")),
            Example::response(
                Step::Discover,
                "Envelope/Body/DiscoverResponse",
                Change::Rename("DiscoveryResponse"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-002",
        name: "not-soap-1.2",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The envelope is that of SOAP 1.2.",
        cites: &[Cite::must(
            Spec::MsWstep,
            "2.1",
            "SOAP version 1.2 MUST be used for messaging for the WSTEP protocol.",
        )],
        consequence: "Devices find a success all the same, but not a fault.",
        remedy: "Use the namespace http://www.w3.org/2003/05/soap-envelope.",
        hresult: None,
        check: Check::Xml(|document, cx| {
            let Some(soap) = &cx.message.soap else {
                // A message all the same, for who looks for it anywhere.
                let bare = matches!(cx.message.content, Content::Provisioning(_));
                let root = document.root().filter(|_| !bare && expected_action(cx.message.kind).is_some());
                return root
                    .map_or(Verdict::Skip, |root| cx.fail(&Spot::tag(&root), "Envelope", root.local()));
            };
            let found = match soap.version {
                SoapVersion::Soap12 => return Verdict::Pass,
                SoapVersion::Soap11 => names::SOAP11,
                SoapVersion::Unknown => "another namespace",
            };
            cx.fail(&soap.envelope, names::SOAP12, found)
        }),
        needs: &[],
        examples: &[Example::response(Step::Token, "Envelope/@s", Change::Set(names::SOAP11))],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-003",
        name: "not-one-body",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "An envelope has one Body, and at most one Header before it.",
        cites: &[Cite::must(Spec::Soap12, "5.1", "A mandatory SOAP Body element information item")],
        consequence: "Receivers take one of them, and not all the same one.",
        remedy: "Send one Header and one Body.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let fits = soap.bodies == 1 && soap.headers <= 1;
            Verdict::check(fits, || {
                cx.fail(
                    &soap.envelope,
                    "one Header, one Body",
                    format!("{} and {}", soap.headers, soap.bodies),
                )
            })
        }),
        needs: &[],
        examples: &[Example::response(Step::Discover, "Envelope/Header", Change::Duplicate)],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-017",
        name: "envelope-in-wrong-case",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Envelope, Header and Body are spelled with capitals.",
        cites: &[Cite::must(Spec::Soap12, "5.1", "A [local name] of Envelope .")],
        consequence: "The message is no SOAP for most readers.",
        remedy: "XML names are case-sensitive: the samples that print them in small letters are wrong.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            if cx.message.kind == Kind::Fault {
                return Verdict::Skip; // FAULT-001 speaks about it.
            }
            Verdict::check(soap.exact_case, || {
                cx.fail(&soap.envelope, "Envelope, Header, Body", "another case")
            })
        }),
        needs: &[],
        examples: &[Example::response(Step::Discover, "Envelope/Header", Change::Rename("header"))],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-004",
        name: "wrong-action",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The Action names the message.",
        cites: &[Cite::must(
            Spec::WsAddressing,
            "3.2",
            "This REQUIRED element (whose content is of type xs:anyURI) conveys the value of the [action] property.",
        )],
        consequence: "Strict peers refuse the message as another operation's.",
        remedy: "Send the Action that belongs to this message; letters' case counts.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let found = soap.action.as_ref();
            let Some(expected) = expected_action(cx.message.kind) else {
                // An Action of ours, and nothing in the Body that is known.
                let named = found.filter(|f| cx.message.kind == Kind::Other && is_request_action(&f.value));
                return named.map_or(Verdict::Skip, |f| {
                    cx.fail(
                        &soap.envelope,
                        format!("the message of {}", f.value),
                        "something else in the Body",
                    )
                });
            };
            if found.is_some_and(|f| f.value == expected) {
                return Verdict::Pass;
            }
            let parent = soap.header.as_ref().unwrap_or(&soap.envelope);
            cx.fail_field(found, (parent, "Action"), expected)
        }),
        needs: &["SOAP-017"],
        examples: &[
            Example::response(Step::Discover, "Envelope/Header/Action", Change::Set("urn:other")),
            Example::request(Step::Token, "Envelope/Header/Action", Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-005",
        name: "action-not-must-understand",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "The Action, and the To of a request, carry mustUnderstand=\"1\" in the namespace of SOAP.",
        cites: &[Cite::should(Spec::MsMde2, "4.1.2", "<a:Action s:mustUnderstand=\"1\">")],
        consequence: "None is known: Windows and the common servers process the headers all the same.",
        remedy: "Add s:mustUnderstand=\"1\"; without its prefix the attribute means nothing.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let Some(action) = &soap.action else { return Verdict::Skip };
            let mut evidence = breaches(cx, "SOAP-005");
            if cx.message.kind == Kind::Fault {
                return if evidence.is_empty() { Verdict::Skip } else { Verdict::Fail(evidence) };
            }
            if !soap.action_must_understand.as_ref().is_some_and(Field::is_true) {
                evidence.push(cx.evidence(&action.spot.missing("@mustUnderstand"), "1", "absent"));
            }
            let to = soap.blocks.iter().find(|b| b.name == "To" && cx.message.side == Side::Request);
            if let Some(to) = to.filter(|b| !b.must_understand.as_ref().is_some_and(Field::is_true)) {
                evidence.push(cx.evidence(&to.spot.missing("@mustUnderstand"), "1", "absent"));
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &["SOAP-004", "SOAP-002"],
        examples: &[
            Example::response(Step::Discover, "Envelope/Header/Action/@mustUnderstand", Change::Delete),
            Example::request(Step::Discover, "Envelope/Header/To/@mustUnderstand", Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-006",
        name: "message-id-missing",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A request carries a MessageID.",
        cites: &[Cite::must(
            Spec::WsAddressing,
            "3.4",
            "If a reply is expected, a message MUST contain a MessageID",
        )],
        consequence: "Servers that need it to name their answer refuse the request.",
        remedy: "Send a MessageID with a fresh GUID; real devices do, so look at what made this request.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            if cx.message.side != Side::Request {
                return Verdict::Skip;
            }
            let id = soap.message_id.as_ref().filter(|f| !f.is_empty());
            let parent = soap.header.as_ref().unwrap_or(&soap.envelope);
            Verdict::check(id.is_some(), || cx.fail(&parent.missing("MessageID"), "a MessageID", "absent"))
        }),
        needs: &[],
        examples: &[Example::request(Step::Discover, "Envelope/Header/MessageID", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-007",
        name: "malformed-message-id",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "MessageID and RelatesTo are urn:uuid: and a GUID, without blanks.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "4.1.1.1",
            "<a:MessageID>urn:uuid:b5d1a601-5091-4a7d-b34b-5204c18b5919</a:MessageID>",
        )],
        consequence: "None with Windows; other readers may not match answer and request.",
        remedy: "Write urn:uuid: once, and the GUID right behind it.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let fields: Vec<_> = [&soap.message_id, &soap.relates_to].into_iter().flatten().collect();
            if fields.is_empty() {
                return Verdict::Skip;
            }
            let bad = fields.into_iter().filter(|f| !is_uuid_urn(&f.value));
            Verdict::from_evidence(
                bad.map(|f| cx.evidence(&f.spot, "urn:uuid:GUID", f.value.clone())).collect(),
            )
        }),
        needs: &[],
        examples: &[
            Example::request(
                Step::Discover,
                "Envelope/Header/MessageID",
                Change::Set("urn:uuid: 748132ec-a575-4329-b01b-6171a9cf8478"),
            ),
            Example::response(Step::Discover, "Envelope/Header/RelatesTo", Change::Set("12"))
                .also(&["SOAP-008"]),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-008",
        name: "answer-to-another-message",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "RelatesTo repeats the request's MessageID.",
        cites: &[Cite::should(
            Spec::WsAddressing,
            "3.4",
            "[relationship]: ... the [message id] property of the message being replied to",
        )],
        consequence: "Windows does not check it; logs and other clients cannot pair answer and request.",
        remedy: "Copy the MessageID of the request into RelatesTo.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let asked = cx.request.soap.as_ref().and_then(|s| s.message_id.as_ref());
            let (Side::Response, Some(asked)) = (cx.message.side, asked) else { return Verdict::Skip };
            if cx.message.kind == Kind::Fault && soap.header.is_none() {
                return Verdict::Skip; // Intune's faults have no header at all.
            }
            let found = soap.relates_to.as_ref();
            if found.is_some_and(|f| bare_id(&f.value).eq_ignore_ascii_case(bare_id(&asked.value))) {
                return Verdict::Pass;
            }
            let parent = soap.header.as_ref().unwrap_or(&soap.envelope);
            cx.fail_field(found, (parent, "RelatesTo"), asked.value.clone())
        }),
        needs: &[],
        examples: &[
            Example::response(
                Step::Discover,
                "Envelope/Header/RelatesTo",
                Change::Set("urn:uuid:00000000-0000-0000-0000-000000000001"),
            ),
            Example::response(Step::Token, "Envelope/Header/RelatesTo", Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-010",
        name: "reply-not-anonymous",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "A request asks for its answer on the same connection: ReplyTo is the anonymous address.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "4.1.1",
            "<a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address>",
        )],
        consequence: "A server that obeys would send the answer elsewhere.",
        remedy: "Real devices send the anonymous address: look at the tool that made this request.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            if cx.message.side != Side::Request {
                return Verdict::Skip;
            }
            if soap.reply_to.as_ref().is_some_and(|f| f.value == names::ANONYMOUS) {
                return Verdict::Pass;
            }
            let parent = soap.header.as_ref().unwrap_or(&soap.envelope);
            cx.fail_field(soap.reply_to.as_ref(), (parent, "ReplyTo"), names::ANONYMOUS)
        }),
        needs: &[],
        examples: &[Example::request(
            Step::Discover,
            "Envelope/Header/ReplyTo/Address",
            Change::Set("https://elsewhere.example/"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-011",
        name: "sent-to-another-host",
        severity: Severity::WARNING,
        subject: Subject::FrontEnd,
        requirement: "a:To names the host that the request was sent to.",
        cites: &[Cite::should(
            Spec::WsAddressing,
            "3.2",
            "This OPTIONAL element (whose content is of type xs:anyURI) provides the value for the [destination] property.",
        )],
        consequence: "A server that compares them refuses the message.",
        remedy: "Look for a proxy that rewrites Host or the message; keep both as the device sent them.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let host = header(&cx.exchange.request.headers, "Host").map(|h| h.text().into_owned());
            let (Side::Request, Some(to), Some(host)) = (cx.message.side, soap.to.as_ref(), host) else {
                return Verdict::Skip;
            };
            let named = host_of(&to.value).unwrap_or_default();
            let same = without_port(named).eq_ignore_ascii_case(without_port(&host));
            Verdict::check(same, || cx.fail(&to.spot, host.clone(), to.value.clone()))
        }),
        needs: &[],
        examples: &[Example::request(
            Step::Discover,
            "Envelope/Header/To",
            Change::Set("https://elsewhere.example/EnrollmentServer/Discovery.svc"),
        )],
        since: "0.1.0",
    },
];

fn is_policy_answer(cx: &Context<'_>) -> bool {
    cx.message.kind == Kind::GetPoliciesResponse
}

/// The first defect that makes the text not well-formed; limits of ours and DTDs are other rules' affair.
fn well_formed(document: &Document, cx: &Context<'_>) -> Verdict {
    let whole = !body(cx).is_some_and(crate::event::Body::is_partial);
    let counts = |d: &&Defect| {
        !d.kind.is_limit() && d.kind != DefectKind::DocumentType && (whole || d.kind != DefectKind::Unclosed)
    };
    let found = document.defects().iter().find(counts);
    found.map_or(Verdict::Pass, |defect| fail_defect(document, cx, defect, "well-formed XML"))
}

fn body<'a>(cx: &Context<'a>) -> Option<&'a crate::event::Body> {
    match cx.message.side {
        Side::Request => Some(&cx.exchange.request.body),
        Side::Response => cx.exchange.response.as_ref().map(|r| &r.body),
    }
}

pub(super) fn fail_defect(document: &Document, cx: &Context<'_>, defect: &Defect, expected: &str) -> Verdict {
    fail_defect_at(document, cx, defect.span.clone(), expected, defect.kind.text())
}

/// Fails at these bytes of the body's text.
pub(super) fn fail_defect_at(
    document: &Document,
    cx: &Context<'_>,
    span: std::ops::Range<usize>,
    expected: &str,
    found: &str,
) -> Verdict {
    let mut evidence = Vec::new();
    if let Verdict::Fail(head) = cx.fail_head("body", expected, found) {
        evidence = head;
    }
    for piece in &mut evidence {
        piece.within = crate::message::Within::Body;
        piece.path = document.element_at(span.start).map(|e| e.path()).unwrap_or_default();
        piece.place = Some(document.source().place(span.clone()));
    }
    Verdict::Fail(evidence)
}

/// What a request is answered with.
fn expected_answer(request: Kind) -> Option<(&'static str, Kind)> {
    Some(match request {
        Kind::DiscoverRequest => ("DiscoverResponse", Kind::DiscoverResponse),
        Kind::GetPoliciesRequest => ("GetPoliciesResponse", Kind::GetPoliciesResponse),
        Kind::SecurityTokenRequest => ("RequestSecurityTokenResponseCollection", Kind::SecurityTokenResponse),
        _ => return None,
    })
}

/// Whether a request's Action is one of the three.
pub(super) fn is_request_action(action: &str) -> bool {
    [names::ACTION_DISCOVER, names::ACTION_GET_POLICIES, names::ACTION_RST].contains(&action)
}

pub(super) fn expected_action(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::DiscoverRequest => names::ACTION_DISCOVER,
        Kind::DiscoverResponse => names::ACTION_DISCOVER_RESPONSE,
        Kind::GetPoliciesRequest => names::ACTION_GET_POLICIES,
        Kind::GetPoliciesResponse => names::ACTION_GET_POLICIES_RESPONSE,
        Kind::SecurityTokenRequest => names::ACTION_RST,
        Kind::SecurityTokenResponse => names::ACTION_RSTRC,
        Kind::DiscoveryProbe
        | Kind::TermsOfUse
        | Kind::AuthPage
        | Kind::TokenPage
        | Kind::LinkedDiscovery
        | Kind::Fault
        | Kind::ManagementSync
        | Kind::Other
        | Kind::None
        | Kind::NotHttp => {
            return None;
        }
    })
}

/// Without `urn:uuid:`, however often and with whatever blanks samples print it.
fn bare_id(id: &str) -> &str {
    id.rsplit("urn:uuid:").next().unwrap_or(id).trim()
}

fn is_uuid_urn(id: &str) -> bool {
    let Some(uuid) = id.strip_prefix("urn:uuid:") else { return false };
    let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && uuid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// The authority of an absolute URL.
pub(super) fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    Some(rest.split(['/', '?', '#']).next().unwrap_or(rest))
}

pub(super) fn without_port(authority: &str) -> &str {
    let end = authority.rfind(':').filter(|at| !authority.get(*at..).unwrap_or_default().contains(']'));
    end.and_then(|at| authority.get(..at)).unwrap_or(authority)
}

/// An absolute https URL with a host.
pub(super) fn is_https_url(url: &str) -> bool {
    let scheme = url.get(..8).is_some_and(|s| s.eq_ignore_ascii_case("https://"));
    scheme && host_of(url).is_some_and(|h| !h.is_empty() && !h.contains(char::is_whitespace))
}

/// For rules that need the typed soap of the message.
pub(super) fn header_spot(soap: &Soap) -> &Spot {
    soap.header.as_ref().unwrap_or(&soap.envelope)
}
