//! Rules on the parts of the SOAP envelope and on WS-Addressing headers, beyond what every message needs.

use super::check::{Check, Verdict};
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::schema::as_declared;
use super::soap::{expected_action, fail_defect_at, header_spot};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::{Block, Content, Field, Kind, names};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "SOAP-ENV-003",
        name: "processing-instruction",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "A message has no processing instructions.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5",
            "SOAP messages sent by initial SOAP senders MUST NOT contain processing instruction information items.",
        )],
        consequence: "Receivers that keep to SOAP refuse the message; others skip the instruction.",
        remedy: "Leave it out; an XML declaration is none.",
        hresult: None,
        check: Check::Xml(|document, cx| {
            let mut instructions = document.instructions();
            instructions.next().map_or(Verdict::Pass, |span| {
                fail_defect_at(document, cx, span, "no processing instruction", "a processing instruction")
            })
        }),
        needs: &[],
        examples: &[Example::response(Step::Discover, "Envelope/Body", Change::Insert("<?x y?>"))],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-ENV-004",
        name: "envelope-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "An envelope holds a Header, then a Body, and nothing else.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5.1",
            "One or two element information items in its [children] property in order as follows",
        )],
        consequence: "Strict receivers refuse the message; what stands elsewhere is not read.",
        remedy: "Send Header and Body in this order, without text or attributes of no namespace.",
        hresult: None,
        check: Check::Soap(|_, cx| as_declared(cx, "SOAP-ENV-004")),
        needs: &["SOAP-001", "SOAP-017"],
        examples: &[
            Example::response(Step::Discover, "Envelope/Body", Change::MoveBefore("Header")),
            Example::response(Step::Token, "Envelope", Change::Insert("<x/>")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-ENV-005",
        name: "header-block-without-namespace",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Header blocks are in a namespace.",
        cites: &[Cite::must(Spec::Soap12, "5.2.1", "the name of the element MUST be namespace qualified")],
        consequence: "Strict receivers refuse the message, or do not know the block.",
        remedy: "Give the block its prefix or xmlns.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let bare = soap.blocks.iter().filter(|b| b.namespace.is_empty() && b.name != "ActivityId");
            Verdict::from_evidence(
                bare.map(|b| cx.evidence(&b.spot, "a namespace", b.name.clone())).collect(),
            )
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(
            Step::Discover,
            "Envelope/Header",
            Change::Insert("<TraceId>1</TraceId>"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-012",
        name: "activity-id-without-namespace",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "ActivityId, by which a server finds the request in its logs, is in its namespace.",
        cites: &[
            Cite::should(
                Spec::MsWstep,
                "4.1.1.2",
                "http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics",
            ),
            Cite::observed(Spec::MsMde2, "4.1.2", "The samples print it without a namespace."),
        ],
        consequence: "None with Windows; tools that look for the trace header do not find it.",
        remedy: "Write xmlns=\"http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics\".",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let Some(block) = soap.blocks.iter().find(|b| b.name == "ActivityId") else {
                return Verdict::Skip;
            };
            let found = if block.namespace.is_empty() { "no namespace" } else { block.namespace.as_str() };
            Verdict::check(block.namespace == DIAGNOSTICS, || cx.fail(&block.spot, DIAGNOSTICS, found))
        }),
        needs: &["SOAP-001"],
        examples: &[
            Example::response(Step::Policies, "Envelope/Header/ActivityId/@xmlns", Change::Set("")).full()
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-ENV-006",
        name: "not-one-message",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The Body holds one element: the message.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.1.1",
            "<wsdl:part name=\"request\" element=\"xcep:GetPolicies\"/>",
        )],
        consequence: "Receivers take one of them for the message, and not all the same one.",
        remedy: "Send one message in one envelope.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let Some(body) = &soap.body else { return Verdict::Skip };
            Verdict::check(soap.payloads == 1, || {
                cx.fail(body, "one element", format!("{} elements", soap.payloads))
            })
        }),
        needs: &["SOAP-001", "SOAP-003", "XFAULT-001"],
        examples: &[
            Example::request(Step::Policies, "Envelope/Body", Change::Insert("<x xmlns=\"urn:x\"/>")),
            Example::request(Step::Discover, "Envelope/Body", Change::Insert("<x xmlns=\"urn:x\"/>")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-ENV-007",
        name: "must-understand-no-boolean",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "s:mustUnderstand is 1, 0, true or false.",
        cites: &[Cite::must(
            Spec::Soap12,
            "5.2.3",
            "The type of the mustUnderstand attribute information item is xs:boolean.",
        )],
        consequence: "Receivers that check the type refuse the message; others take the header for optional.",
        remedy: "Write 1.",
        hresult: None,
        check: Check::Soap(|_, cx| as_declared(cx, "SOAP-ENV-007")),
        needs: &["SOAP-001"],
        examples: &[Example::request(
            Step::Policies,
            "Envelope/Header/Security/@mustUnderstand",
            Change::Set("yes"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-ENV-008",
        name: "unknown-must-understand",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "No header block that the protocol does not know has to be understood.",
        cites: &[Cite::must(
            Spec::Soap12,
            "2.4",
            "for every mandatory SOAP header block targeted to a node, that node MUST either process the header block or not process the SOAP message at all",
        )],
        consequence: "A strict receiver answers with a MustUnderstand fault.",
        remedy: "Leave out mustUnderstand on this block, or the block.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let must = |b: &&Block| b.must_understand.as_ref().is_some_and(Field::is_true);
            let unknown = soap.blocks.iter().filter(must).filter(|b| !is_known(b));
            Verdict::from_evidence(
                unknown.map(|b| cx.evidence(&b.spot, "a block of the protocol", b.name.clone())).collect(),
            )
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(
            Step::Discover,
            "Envelope/Header",
            Change::Insert("<x:Trace xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/>"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-009",
        name: "fault-without-header",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "A fault says in its header which message it answers.",
        cites: &[Cite::observed(Spec::Field, "", "Faults of Intune have no header at all.")],
        consequence: "None with Windows; fault and request can only be paired by their connection.",
        remedy: "Send a Header with Action and RelatesTo.",
        hresult: None,
        check: Check::Fault(|_, cx| {
            let Some(soap) = &cx.message.soap else { return Verdict::Skip };
            Verdict::check(!soap.blocks.is_empty(), || {
                cx.fail(&header_spot(soap).missing("RelatesTo"), "a Header with RelatesTo", "no header block")
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::response(Step::Token, "Envelope/Header", Change::Delete).refused()],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-015",
        name: "padded-values",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "Values stand right between their tags, without blanks or line breaks.",
        cites: &[Cite::observed(
            Spec::MsMde2,
            "4.1.1",
            "The samples are printed with line breaks around their values.",
        )],
        consequence: "None with Windows, which trims them; other readers compare letter by letter.",
        remedy: "Write the value without white space around it.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let mut fields: Vec<&Field> =
                [&soap.action, &soap.message_id, &soap.relates_to, &soap.to].into_iter().flatten().collect();
            match &cx.message.content {
                Content::DiscoverRequest(m) => {
                    let known = [&m.email, &m.version, &m.device_type, &m.application_version, &m.os_edition];
                    fields.extend(known.into_iter().flatten());
                    fields.extend(&m.offered);
                }
                Content::DiscoverResponse(m) => {
                    fields.extend([&m.auth_policy, &m.version].into_iter().flatten());
                }
                _ => {}
            }
            let padded = fields.iter().filter(|f| f.padded && !f.is_empty());
            let evidence: Vec<_> =
                padded.map(|f| cx.evidence(&f.spot, "no white space around", f.value.clone())).collect();
            if fields.is_empty() { Verdict::Skip } else { Verdict::from_evidence(evidence) }
        }),
        needs: &["SOAP-001"],
        examples: &[
            Example::request(
                Step::Discover,
                "Envelope/Header/Action",
                Change::Set(
                    "\n http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/Discover\n",
                ),
            ),
            Example::response(
                Step::Discover,
                "Envelope/Body/DiscoverResponse/DiscoverResult/AuthPolicy",
                Change::Set(" OnPremise"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-016",
        name: "security-misplaced",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "wsse:Security is a child of the Header.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.1",
            "The <wsse:Security> element MUST be a child of <s:Header>.",
        )],
        consequence: "The server does not find the credential and declines the request.",
        remedy: "Real devices put it there: look at the tool that made this request.",
        hresult: None,
        check: Check::Soap(|soap, cx| match (&soap.security, &soap.security_elsewhere) {
            (_, Some(spot)) => cx.fail(spot, "in the Header", "elsewhere"),
            (Some(_), None) => Verdict::Pass,
            (None, None) => Verdict::Skip,
        }),
        needs: &["SOAP-001"],
        examples: &[Example::edit(Edit::Several(&[
            request("Envelope/Header/ReplyTo", Change::Insert(SECURITY)),
            request("Envelope/Header/Security", Change::Delete),
        ]))
        .also(&["CRED-001"])],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-022",
        name: "security-not-must-understand",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "wsse:Security carries mustUnderstand=\"1\".",
        cites: &[Cite::observed(Spec::MsMde2, "4.2.1", "All samples and devices send it.")],
        consequence: "None is known: another program than Windows asks.",
        remedy: "Look at the tool that made this request.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let security = soap.blocks.iter().find(|b| b.namespace == names::WSSE && b.name == "Security");
            let Some(security) = security.filter(|_| cx.message.side == Side::Request) else {
                return Verdict::Skip;
            };
            // What is there and no boolean is another rule's affair.
            Verdict::check(security.must_understand.is_some(), || {
                cx.fail(&security.spot.missing("@mustUnderstand"), "1", "absent")
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(
            Step::Policies,
            "Envelope/Header/Security/@mustUnderstand",
            Change::Delete,
        )],
        since: "0.1.0",
    },
    Rule {
        id: "WSA-003",
        name: "addressing-header-repeated",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Action, To, ReplyTo, FaultTo and MessageID are each there once at most.",
        cites: &[Cite::must(
            Spec::WsAddressing,
            "SOAP Binding 3.2.2",
            "A message MUST NOT contain more than one wsa:To, wsa:ReplyTo, wsa:FaultTo, wsa:Action, or wsa:MessageID header",
        )],
        consequence: "Receivers that check it refuse the message; others go by the first or by the last one.",
        remedy: "Send each of these headers once.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let evidence = SINGLE.iter().filter_map(|name| {
                let mut named = soap.blocks.iter().filter(|b| b.name == *name);
                let second = named.by_ref().nth(1)?;
                Some(cx.evidence(&second.spot, format!("one {name}"), "another one"))
            });
            if soap.blocks.is_empty() {
                return Verdict::Skip;
            }
            Verdict::from_evidence(evidence.collect())
        }),
        needs: &["SOAP-001"],
        examples: &[
            Example::request(Step::Token, "Envelope/Header/MessageID", Change::Duplicate),
            Example::response(Step::Discover, "Envelope/Header/Action", Change::Duplicate),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "WSA-010",
        name: "unknown-action-answered",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "A request with an unknown Action is answered with a fault.",
        cites: &[Cite::should(
            Spec::MsWstep,
            "3.1.4.2",
            "If any other SOAP action is defined, the server SHOULD respond with a SOAP fault.",
        )],
        consequence: "None with Windows; a tool that asks for something else takes the answer for its own.",
        remedy: "Go by the Action, and decline what is unknown.",
        hresult: None,
        check: Check::Soap(|soap, cx| {
            let asked = cx.request.soap.as_ref().and_then(|s| s.action.as_ref());
            let (Side::Response, Some(action), Some(expected)) =
                (cx.message.side, asked, expected_action(cx.request.kind))
            else {
                return Verdict::Skip;
            };
            let known = action.value.eq_ignore_ascii_case(expected);
            Verdict::check(known || cx.message.kind == Kind::Fault, || {
                cx.fail(&soap.envelope, "a fault", format!("an answer to {}", action.value))
            })
        }),
        needs: &["SOAP-001"],
        examples: &[Example::request(Step::Discover, "Envelope/Header/Action", Change::Set("urn:other"))
            .also(&["SOAP-004"])],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-018",
        name: "fault-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "A fault is as the schema of SOAP 1.2 has it: Code, Reason, Node, Role, Detail, and xml:lang on each Text.",
        cites: &[Cite::must(Spec::Soap12, "5.4", "A mandatory Reason element information item")],
        consequence: "Strict clients do not read the fault; Windows may not find the reason.",
        remedy: "Send Code with a Value of SOAP 1.2, then Reason with a Text in a language.",
        hresult: None,
        check: Check::Fault(|_, cx| as_declared(cx, "SOAP-018")),
        needs: &["SOAP-001", "FAULT-001", "FAULT-002", "XFAULT-003", "XFAULT-004"],
        examples: &[Example::response(Step::Token, "Envelope/Body/Fault/Reason", Change::MoveBefore("Code"))
            .refused()],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-019",
        name: "addressing-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Addressing headers are as the schema of WS-Addressing has them.",
        cites: &[Cite::must(
            Spec::WsAddressing,
            "2.2",
            "This REQUIRED element (whose content is of type xs:anyURI) specifies the [address] property of the endpoint reference.",
        )],
        consequence: "Receivers that check the schema refuse the message, or cannot tell where the answer goes.",
        remedy: "Send a URI as text, and an Address in ReplyTo, From and FaultTo.",
        hresult: None,
        check: Check::Soap(|_, cx| as_declared(cx, "SOAP-019")),
        needs: &["SOAP-001", "SOAP-010"],
        examples: &[
            Example::request(Step::Discover, "Envelope/Header/ReplyTo", Change::Insert("text")),
            Example::response(Step::Discover, "Envelope/Header/RelatesTo", Change::Insert("<x/>")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-020",
        name: "security-header-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "The security header is as the schema of WS-Security has it (devices may qualify attributes).",
        cites: &[Cite::must(
            Spec::WsSecurity,
            "6.2.1",
            "This required element specifies the claimed identity.",
        )],
        consequence: "Servers that check the schema do not accept the credential, and decline the request.",
        remedy: "Build the header as WS-Security has it; real devices do, so look at what made this request.",
        hresult: None,
        check: Check::Soap(|_, cx| as_declared(cx, "SOAP-020")),
        needs: &[
            "SOAP-001",
            "CRED-ONP-001",
            "CRED-CERT-001",
            "CRED-CERT-007",
            "WSSE-001",
            "WSSE-010",
            "RSTR-010",
            "CRED-CERT-005",
        ],
        examples: &[
            Example::request(
                Step::Policies,
                "Envelope/Header/Security/UsernameToken/Password/@xml:lang",
                Change::Set("no language"),
            ),
            Example::request(Step::Policies, "Envelope/Header/Security", Change::Insert("text")),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "SOAP-021",
        name: "token-message-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Token messages are as the schemas of WS-Trust, MS-WSTEP and the context items have them.",
        cites: &[Cite::must(
            Spec::MsWstep,
            "6",
            "<xs:element name=\"DispositionMessage\" type=\"wstep:DispositionMessageType\" nillable=\"true\" />",
        )],
        consequence: "Strict peers refuse the message.",
        remedy: "Send each element where the specification has it, without text between elements.",
        hresult: None,
        check: Check::Soap(|_, cx| as_declared(cx, "SOAP-021")),
        needs: &[
            "SOAP-001",
            "RST-001",
            "RSTR-002",
            "RSTR-007",
            "WSTEP-REQ-007",
            "WSTEP-REQ-017",
            "WSTEP-RESP-006",
            "FAULT-004",
            "XFAULT-006",
        ],
        examples: &[
            Example::request(
                Step::Token,
                "Envelope/Body/RequestSecurityToken/AdditionalContext/ContextItem[1]/@Colour",
                Change::Set("red"),
            ),
            Example::response(
                Step::Token,
                "Envelope/Body/RequestSecurityTokenResponseCollection",
                Change::Insert("text"),
            ),
        ],
        since: "0.1.0",
    },
];

/// WCF's trace header.
const DIAGNOSTICS: &str = "http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics";

/// Header blocks that a peer of this protocol is known to understand.
fn is_known(block: &Block) -> bool {
    match (block.namespace.as_str(), block.name.as_str()) {
        (names::WSA, _) | (names::WSSE, "Security") | (DIAGNOSTICS, "ActivityId") => true,
        // Judged as misplaced in no namespace, not as unknown.
        (namespace, _) => namespace.is_empty(),
    }
}

/// At most one of each may be there.
const SINGLE: &[&str] = &["Action", "To", "ReplyTo", "FaultTo", "MessageID"];

const fn request(at: &'static str, change: Change) -> Edit {
    Edit::Message { step: Step::Policies, side: Side::Request, part: Part::Body, at, change }
}

const SECURITY: &str = "<wsse:Security><wsse:UsernameToken><wsse:Username>a</wsse:Username></wsse:UsernameToken></wsse:Security>";
