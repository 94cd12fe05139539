//! The envelope and the fault of SOAP 1.2, and WS-Addressing 1.0.

use super::declare::{Attribute, Global, Rest, Type, URI, attribute, many, one, opt, sequence, simple};
use super::simple::Simple;
use crate::message::names;
use crate::xml::XML;

pub(super) static GLOBALS: &[Global] = &[
    Global { namespace: names::SOAP12, element: one("Envelope", &ENVELOPE) },
    Global { namespace: names::SOAP12, element: one("Header", &HEADER) },
    Global { namespace: names::SOAP12, element: one("Body", &BODY) },
    Global { namespace: names::SOAP12, element: one("Fault", &FAULT) },
    Global { namespace: names::WSA, element: one("Action", &ADDRESS) },
    Global { namespace: names::WSA, element: one("To", &ADDRESS) },
    Global { namespace: names::WSA, element: one("MessageID", &ADDRESS) },
    Global { namespace: names::WSA, element: one("RelatesTo", &RELATES_TO) },
    Global { namespace: names::WSA, element: one("ReplyTo", &ENDPOINT) },
    Global { namespace: names::WSA, element: one("From", &ENDPOINT) },
    Global { namespace: names::WSA, element: one("FaultTo", &ENDPOINT) },
];

static ENVELOPE: Type = sequence("Envelope", &[opt("Header", &HEADER), one("Body", &BODY)]).with_others();
static HEADER: Type = sequence("Header", &[]).then(Rest::Any).with_others();
static BODY: Type = sequence("Body", &[]).then(Rest::Any).with_others();

static FAULT: Type = sequence(
    "Fault",
    &[
        one("Code", &CODE),
        one("Reason", &REASON),
        opt("Node", &URI),
        opt("Role", &URI),
        opt("Detail", &DETAIL),
    ],
);
static CODE: Type = sequence("Code", &[one("Value", &CODE_VALUE), opt("Subcode", &SUBCODE)]);
static CODE_VALUE: Type = simple(
    "faultcodeEnum",
    Simple::NameOf(
        names::SOAP12,
        &["DataEncodingUnknown", "MustUnderstand", "Receiver", "Sender", "VersionMismatch"],
    ),
);
static SUBCODE: Type = sequence("Subcode", &[one("Value", &QNAME), opt("Subcode", &SUBCODE)]);
static QNAME: Type = simple("xs:QName", Simple::QName);
static REASON: Type = sequence("Reason", &[many("Text", &REASON_TEXT)]);
static REASON_TEXT: Type = simple("reasontext", Simple::Text).with(LANG);
const LANG: &[Attribute] = &[attribute("lang", Simple::Language).of(XML).required()];
static DETAIL: Type = sequence("Detail", &[]).then(Rest::Any).with_others();

static ADDRESS: Type = simple("AttributedURI", Simple::Uri).with_others();
static RELATES_TO: Type = simple("RelatesTo", Simple::Uri)
    .with(const { &[attribute("RelationshipType", Simple::Uri)] })
    .with_others();
static ENDPOINT: Type = sequence(
    "EndpointReference",
    &[one("Address", &ADDRESS), opt("ReferenceParameters", &PARAMETERS), opt("Metadata", &PARAMETERS)],
)
.then(Rest::Other)
.with_others();
static PARAMETERS: Type = sequence("ReferenceParameters", &[]).then(Rest::Any).with_others();
