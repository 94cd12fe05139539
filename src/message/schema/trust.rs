//! WS-Trust 1.3, MS-WSTEP section 6, the context items of ws-authorization, and MS-MDE2's fault detail.

use super::declare::{
    BOOLEAN, Global, INT, Rest, TEXT, Type, all, any, attribute, many, one, opt, sequence, simple,
};
use super::simple::Simple;
use crate::message::names;
use crate::xml::XML;

pub(super) static GLOBALS: &[Global] = &[
    Global { namespace: names::WST, element: one("RequestSecurityToken", &TOKEN) },
    Global { namespace: names::WST, element: one("RequestSecurityTokenResponse", &TOKEN) },
    Global { namespace: names::WST, element: one("RequestSecurityTokenResponseCollection", &COLLECTION) },
    Global { namespace: names::WST, element: one("RequestedSecurityToken", &REQUESTED) },
    Global { namespace: names::WST, element: one("TokenType", &TOKEN_TYPE) },
    Global { namespace: names::WST, element: one("RequestType", &REQUEST_TYPE) },
    Global { namespace: names::WSTEP, element: one("DispositionMessage", &DISPOSITION).nil() },
    Global { namespace: names::WSTEP, element: one("RequestID", &REQUEST_ID).nil() },
    Global { namespace: names::WSTEP, element: one("CertificateEnrollmentWSDetail", &WSTEP_DETAIL).nil() },
    Global { namespace: names::WSTEP, element: one("DeviceEnrollmentServiceError", &SERVICE_ERROR) },
    Global { namespace: names::AUTHORIZATION, element: one("AdditionalContext", &CONTEXT) },
];

/// The schema leaves the content open, and WS-Trust's text has each of these once: the rules on its parts say more.
static TOKEN: Type = all(
    "SecurityToken",
    &[
        opt("TokenType", &TOKEN_TYPE),
        opt("RequestType", &REQUEST_TYPE),
        opt("RequestedSecurityToken", &REQUESTED),
    ],
)
.then(Rest::Any)
.with(const { &[attribute("Context", Simple::Uri)] })
.with_others();
static COLLECTION: Type =
    sequence("ResponseCollection", &[many("RequestSecurityTokenResponse", &TOKEN)]).with_others();
static REQUESTED: Type = sequence("RequestedSecurityToken", &[]).then(Rest::One);

static TOKEN_TYPE: Type = simple("TokenType", Simple::Uri);
static REQUEST_TYPE: Type = simple("RequestType", Simple::Uri);
static REQUEST_ID: Type = simple("RequestID", Simple::Text);
static DISPOSITION: Type =
    simple("DispositionMessage", Simple::Text).with(const { &[attribute("lang", Simple::Language).of(XML)] });
static WSTEP_DETAIL: Type = sequence(
    "CertificateEnrollmentWSDetail",
    &[
        opt("BinaryResponse", &TEXT).nil(),
        opt("ErrorCode", &INT).nil(),
        opt("InvalidRequest", &BOOLEAN).nil(),
        opt("RequestID", &TEXT).nil(),
    ],
);
/// No schema of it is published; MS-MDE2 2.2.10 names its parts.
static SERVICE_ERROR: Type = all(
    "DeviceEnrollmentServiceError",
    &[one("ErrorType", &TEXT), opt("Message", &TEXT), opt("TraceId", &TEXT)],
);

static CONTEXT: Type =
    sequence("AdditionalContext", &[any("ContextItem", &CONTEXT_ITEM)]).then(Rest::Other).with_others();
static CONTEXT_ITEM: Type = sequence("ContextItem", &[opt("Value", &TEXT)])
    .then(Rest::Instead)
    .with(const { &[attribute("Name", Simple::Uri).required(), attribute("Scope", Simple::Uri)] })
    .with_others();
