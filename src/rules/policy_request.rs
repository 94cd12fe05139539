//! Rules on GetPolicies (MS-XCEP 3.1.4.1.2.1, narrowed by MS-MDE2 3.3.4.1.1.1).

use std::collections::HashSet;

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::schema::{as_declared, breaches};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::oids::is_dotted;
use crate::message::{Content, Field, GetPoliciesRequest, flags};

macro_rules! at {
    ($name:literal) => {
        concat!("Envelope/Body/GetPolicies/", $name)
    };
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "POL-REQ-001",
        name: "get-policies-incomplete",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "GetPolicies has client and requestFilter.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.3",
            "The following elements with their specified values MUST be included in the SOAP body of the request message.",
        )],
        consequence: "Servers that check the schema decline the request, and the device goes on with a default key.",
        remedy: "Real devices send both: look at the tool that made this request.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| match (&m.client, &m.request_filter) {
            (None, _) => cx.fail(&m.spot.missing("client"), "client", "absent"),
            (_, None) => cx.fail(&m.spot.missing("requestFilter"), "requestFilter", "absent"),
            _ => Verdict::Pass,
        }),
        needs: &[],
        examples: &[Example::request(Step::Policies, at!("requestFilter"), Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "POL-REQ-002",
        name: "get-policies-with-filter",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "lastUpdate, preferredLanguage and requestFilter are there, and nil.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.3.4.1.1.1.3",
                "The following elements with their specified values MUST be included in the SOAP body of the request message.",
            ),
            Cite::must(
                Spec::MsMde2,
                "3.3.4.1.1.1.3",
                "MDE2 modifies the <GetPolicies> element by setting the <requestFilter> element xsi:nil attribute to TRUE",
            ),
        ],
        consequence: "It is another XCEP client than Windows' enrollment: the answer may leave out policies.",
        remedy: "Send lastUpdate, preferredLanguage and requestFilter with xsi:nil=\"true\", as Windows does.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| {
            let fields = [&m.last_update, &m.preferred_language, &m.request_filter].into_iter().flatten();
            let given = fields.filter(|f| !f.nil);
            let mut evidence = breaches(cx, "POL-REQ-002");
            evidence.extend(given.map(|f| cx.evidence(&f.spot, "nil", f.value.clone())));
            Verdict::from_evidence(evidence)
        }),
        needs: &["POL-REQ-001"],
        examples: &[
            Example::request(Step::Policies, at!("client/lastUpdate/@nil"), Change::Set("false"))
                .also(&["XCEP-REQ-004"]),
            Example::request(Step::Policies, at!("client/preferredLanguage"), Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "POL-REQ-003",
        name: "unknown-client-element",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "client holds nothing but what Windows is known to say there.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.9",
            "Additional elements MAY be included as part of a Client object instance.",
        )],
        consequence: "None: servers skip the element.",
        remedy: "Look at it, and tell us if a real device sends it.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| {
            let unknown = m.extras.iter().filter(|e| !KNOWN_EXTRAS.contains(&e.name.as_str()));
            Verdict::from_evidence(
                unknown.map(|e| cx.evidence(&e.spot, KNOWN_EXTRAS.join(", "), e.name.clone())).collect(),
            )
        }),
        needs: &["XCEP-REQ-002"],
        examples: &[Example::request(Step::Policies, at!("client"), Change::Insert("<Contoso>1</Contoso>"))],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-002",
        name: "get-policies-not-as-in-schema",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "GetPolicies is in the XCEP namespace and holds client and requestFilter, in this order, as the schema has them.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.2.1",
            "<xs:element name=\"client\" type=\"xcep:Client\" />",
        )],
        consequence: "Servers that check the schema decline the request, and no policy is given.",
        remedy: "Send client, then requestFilter, in the XCEP namespace; real devices do.",
        hresult: None,
        check: Check::GetPoliciesRequest(|_, cx| as_declared(cx, "XCEP-REQ-002")),
        needs: &[],
        examples: &[
            Example::request(Step::Policies, at!("requestFilter"), Change::MoveBefore("client")),
            Example::request(Step::Policies, at!("@xmlns"), Change::Set("urn:other")),
            Example::request(
                Step::Policies,
                "Envelope/Body/GetPolicies",
                Change::Insert("<AdditionalContext/>"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-003",
        name: "empty-client-answered",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "A request whose client is absent, nil or empty is answered with a fault.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.2.1",
            "If the <xcep:client> element is absent, is specified as nil, or has no value, the server MUST respond with a SOAP fault.",
        )],
        consequence: "None with Windows, which always fills client; other clients get policies that they did not ask for.",
        remedy: "Decline such a request.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| match asked(cx) {
            None => Verdict::Skip,
            Some(request) if request.client.is_some() && !request.client_empty => Verdict::Pass,
            Some(_) => cx.fail(&m.spot, "a fault: the request's client is absent or empty", "policies"),
        }),
        needs: &[],
        examples: &[Example::request(Step::Policies, at!("client"), Change::Set("")).also(&["POL-REQ-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-004",
        name: "last-update-no-time",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "lastUpdate is nil or a time like 2026-03-02T09:00:00Z.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.9",
            "<xs:element name=\"lastUpdate\" type=\"xs:dateTime\"",
        )],
        consequence: "The server cannot tell what the client knows already.",
        remedy: "Send lastUpdate with xsi:nil=\"true\", as Windows does, or a time in GMT.",
        hresult: None,
        check: Check::GetPoliciesRequest(|_, cx| as_declared(cx, "XCEP-REQ-004")),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            set(at!("client/lastUpdate/@nil"), "false"),
            set(at!("client/lastUpdate"), "20090-03-15T09:38:46"),
        ]))
        .also(&["POL-REQ-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-005",
        name: "last-update-not-past-gmt",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "lastUpdate, when it is given, is GMT and not in the future.",
        cites: &[Cite::should(Spec::MsXcep, "3.1.4.1.3.9", "The <lastUpdate> element is provided as GMT.")],
        consequence: "The server may take its policy for known, and answer without one.",
        remedy: "Set the clock of whoever asks, and send GMT.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| {
            let Some(field) = m.last_update.as_ref().filter(|f| f.is_given()) else { return Verdict::Pass };
            let Some((time, utc)) = time_of(field) else { return Verdict::Skip };
            let now = cx.exchange.request.at.0;
            Verdict::check(utc && (now == 0 || time <= now + SKEW), || {
                cx.fail(&field.spot, "a past time, GMT", field.value.clone())
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            set(at!("client/lastUpdate/@nil"), "false"),
            set(at!("client/lastUpdate"), "2036-03-15T09:38:46Z"),
        ]))
        .also(&["POL-REQ-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-006",
        name: "preferred-language-no-tag",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "preferredLanguage is nil or a language tag.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.9",
            "The <preferredLanguage> element is an xs:language value",
        )],
        consequence: "The server answers in its own language.",
        remedy: "Send preferredLanguage with xsi:nil=\"true\", as Windows does, or a tag such as en-US.",
        hresult: None,
        check: Check::GetPoliciesRequest(|_, cx| as_declared(cx, "XCEP-REQ-006")),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            set(at!("client/preferredLanguage/@nil"), "false"),
            set(at!("client/preferredLanguage"), "German (Austria)"),
        ]))
        .also(&["POL-REQ-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-007",
        name: "empty-oid-filter",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A filter by object identifiers names at least one; policyOIDs is nil otherwise.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.14",
            "<xs:element name=\"oid\" type=\"xs:string\" minOccurs=\"1\" maxOccurs=\"unbounded\" />",
        )],
        consequence: "The server may return no policy at all.",
        remedy: "Send policyOIDs as nil.",
        hresult: None,
        check: Check::GetPoliciesRequest(|_, cx| as_declared(cx, "XCEP-REQ-007")),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[set(FILTER_NIL, "false"), set(FILTER, "<policyOIDs/>")]))
            .also(&["POL-REQ-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-008",
        name: "oid-filter-not-dotted",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "Each oid of the filter is an object identifier in dotted form, like 1.2.840.113549.",
        cites: &[Cite::should(Spec::MsXcep, "3.1.4.1.3.14", "A string representation of an OID.")],
        consequence: "No policy matches the filter.",
        remedy: "Write numbers with dots between.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| {
            let bad = m.policy_oids.iter().filter(|f| !is_dotted(&f.value));
            Verdict::from_evidence(
                bad.map(|f| cx.evidence(&f.spot, "like 1.3.6.1.4.1.311", f.value.clone())).collect(),
            )
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            set(FILTER_NIL, "false"),
            set(FILTER, "<policyOIDs><oid>User</oid></policyOIDs>"),
        ]))
        .also(&["POL-REQ-002", "XCEP-RESP-013"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-009",
        name: "oid-filter-repeats",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "No oid of the filter is there twice.",
        cites: &[Cite::must(
            Spec::MsXcep,
            "3.1.4.1.3.14",
            "Each <oid> element MUST be unique in the <FilterOIDCollection>.",
        )],
        consequence: "None is known: the filter means the same.",
        remedy: "Send each object identifier once.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| {
            let mut seen = HashSet::new();
            let twice = m.policy_oids.iter().filter(|f| !seen.insert(f.value.as_str()));
            Verdict::from_evidence(
                twice.map(|f| cx.evidence(&f.spot, "each once", f.value.clone())).collect(),
            )
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            set(FILTER_NIL, "false"),
            set(FILTER, "<policyOIDs><oid>1.2.3</oid><oid>1.2.3</oid></policyOIDs>"),
        ]))
        .also(&["POL-REQ-002", "XCEP-RESP-013"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-010",
        name: "filter-version-out-of-range",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "clientVersion and serverVersion of the filter are numbers from 0 to 15.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.22",
            "0x0Z000000, where Z denotes the value of the clientVersion",
        )],
        consequence: "The comparison with the policies' versions goes wrong.",
        remedy: "They are one hexadecimal digit: send the version of Windows' template schema.",
        hresult: None,
        check: Check::GetPoliciesRequest(|m, cx| {
            let mut evidence = breaches(cx, "XCEP-REQ-010");
            for field in [&m.client_version, &m.server_version].into_iter().flatten() {
                if field.number::<i32>().is_some_and(|n| !(0..=15).contains(&n)) {
                    evidence.push(cx.evidence(&field.spot, "0 to 15", field.value.clone()));
                }
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            set(FILTER_NIL, "false"),
            set(FILTER, "<policyOIDs xsi:nil=\"true\"/><clientVersion>16</clientVersion>"),
        ]))
        .also(&["POL-REQ-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-014",
        name: "nil-with-content",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "An element that is nil is empty.",
        cites: &[Cite::must(Spec::XmlSchema, "2.6.2", "An element so labeled must be empty")],
        consequence: "One reader takes the value, another nothing.",
        remedy: "Leave out either xsi:nil or the content.",
        hresult: None,
        check: Check::Soap(|_, cx| as_declared(cx, "XCEP-REQ-014")),
        needs: &[],
        examples: &[
            Example::request(Step::Policies, at!("client/preferredLanguage"), Change::Set("en-US")),
            Example::response(
                Step::Policies,
                "Envelope/Body/GetPoliciesResponse/response/policyFriendlyName",
                Change::Set("Contoso"),
            ),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-REQ-015",
        name: "nil-without-namespace",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "nil is in the namespace of XML Schema instances, and is true or false.",
        cites: &[Cite::must(Spec::XmlSchema, "2.6.2", "if it has the attribute xsi:nil with the value true")],
        consequence: "Strict readers do not see that the element is nil, and stumble over its empty value.",
        remedy: "Write xsi:nil, with xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\".",
        hresult: None,
        check: Check::Soap(|_, cx| as_declared(cx, "XCEP-REQ-015")),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            Edit::Message {
                step: Step::Policies,
                side: Side::Response,
                part: Part::Body,
                at: POLICIES_CHANGED,
                change: Change::Delete,
            },
            Edit::Message {
                step: Step::Policies,
                side: Side::Response,
                part: Part::Body,
                at: POLICIES_CHANGED_NIL,
                change: Change::Set("true"),
            },
        ]))],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-RESP-013",
        name: "policy-outside-filter",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "Each policy of the answer has an object identifier that the filter asks for.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.14",
            "used to filter the server response down to CertificateEnrollmentPolicy objects",
        )],
        consequence: "The client may enroll for a template that it did not choose.",
        remedy: "Apply the filter, or send it as nil.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let Some(request) = asked(cx) else { return Verdict::Skip };
            let wanted: HashSet<_> = request.policy_oids.iter().map(|f| f.value.as_str()).collect();
            if wanted.is_empty() {
                return Verdict::Pass;
            }
            let other = m.policies.iter().filter_map(|policy| {
                let reference = policy.oid_reference.as_ref()?;
                let oid = m.dotted(reference).filter(|oid| !wanted.contains(oid))?;
                Some(cx.evidence(&reference.spot, "one that the filter names", oid))
            });
            Verdict::from_evidence(other.collect())
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            set(FILTER_NIL, "false"),
            set(FILTER, "<policyOIDs><oid>1.2.3</oid></policyOIDs>"),
        ]))
        .also(&["POL-REQ-002"])],
        since: "0.1.0",
    },
    Rule {
        id: "XCEP-RESP-014",
        name: "policy-for-newer-version",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "No policy is for a newer client or server than the filter says.",
        cites: &[Cite::should(
            Spec::MsXcep,
            "3.1.4.1.3.22",
            "The server SHOULD only return CertificateEnrollmentPolicy objects whose bitwise AND",
        )],
        consequence: "The client gets policies that it cannot use.",
        remedy: "Leave them out, or ask with the version that the client has.",
        hresult: None,
        check: Check::GetPoliciesResponse(|m, cx| {
            let Some(request) = asked(cx) else { return Verdict::Skip };
            let version = |field: &Option<Field>| field.as_ref().and_then(Field::number::<u32>);
            let (client, server) = (version(&request.client_version), version(&request.server_version));
            let newer = m.policies.iter().filter_map(|policy| {
                let field = policy.private_key_flags.as_ref()?;
                let value = field.number::<u32>()?;
                let above = client.is_some_and(|v| flags::client_version(value) > v)
                    || server.is_some_and(|v| flags::server_version(value) > v);
                let found = flags::FlagSet::PrivateKey.describe(value);
                above.then(|| cx.evidence(&field.spot, "not above the filter's versions", found))
            });
            Verdict::from_evidence(newer.collect())
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            set(FILTER_NIL, "false"),
            set(FILTER, "<policyOIDs xsi:nil=\"true\"/><clientVersion>4</clientVersion>"),
        ]))
        .full()
        .also(&["POL-REQ-002"])],
        since: "0.1.0",
    },
];

/// Elements that Windows is known to add to `client`.
const KNOWN_EXTRAS: &[&str] = &["TPMManufacturer", "TPMFirmwareVersion"];

const fn set(at: &'static str, value: &'static str) -> Edit {
    Edit::Message {
        step: Step::Policies,
        side: Side::Request,
        part: Part::Body,
        at,
        change: Change::Set(value),
    }
}

/// The filter is there, and holds this.
const FILTER: &str = at!("requestFilter");
const FILTER_NIL: &str = at!("requestFilter/@nil");

/// The request that the answer is for.
fn asked<'a>(cx: &Context<'a>) -> Option<&'a GetPoliciesRequest> {
    match &cx.request.content {
        Content::GetPoliciesRequest(request) => Some(request),
        _ => None,
    }
}

/// `2026-03-02T09:00:00Z`, or without a zone.
fn time_of(field: &Field) -> Option<(i64, bool)> {
    let text = field.value.as_str();
    let utc = text.ends_with('Z') || !text.get(10..).unwrap_or_default().contains(['+', '-']);
    let zoned = if text.ends_with('Z') || !utc { text.to_owned() } else { format!("{text}Z") };
    Some((zoned.parse::<jiff::Timestamp>().ok()?.as_millisecond(), utc))
}

/// Clocks differ: so much is no future yet.
const SKEW: i64 = 600_000;

const POLICIES_CHANGED: &str = "Envelope/Body/GetPoliciesResponse/response/policiesNotChanged/@nil";
const POLICIES_CHANGED_NIL: &str = "Envelope/Body/GetPoliciesResponse/response/policiesNotChanged/@nil";
