//! WS-Security 1.0, its utility namespace, and as much of XML signatures as a certificate's credential needs.

use super::declare::{
    Attribute, BASE64, Global, Rest, Type, all, any, attribute, many, mixed, one, opt, sequence, simple,
};
use super::simple::Simple;
use crate::message::names;

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

pub(super) static GLOBALS: &[Global] = &[
    Global { namespace: names::WSSE, element: one("Security", &SECURITY) },
    Global { namespace: names::WSSE, element: one("UsernameToken", &USERNAME_TOKEN) },
    Global { namespace: names::WSSE, element: one("Password", &PASSWORD) },
    Global { namespace: names::WSSE, element: one("Nonce", &ENCODED) },
    Global { namespace: names::WSSE, element: one("BinarySecurityToken", &BINARY_TOKEN) },
    Global { namespace: names::WSSE, element: one("SecurityTokenReference", &TOKEN_REFERENCE) },
    Global { namespace: names::WSSE, element: one("Reference", &REFERENCE) },
    Global { namespace: names::WSSE, element: one("KeyIdentifier", &BINARY_TOKEN) },
    Global { namespace: names::WSU, element: one("Timestamp", &TIMESTAMP) },
    Global { namespace: names::WSU, element: one("Created", &TIME) },
    Global { namespace: names::WSU, element: one("Expires", &TIME) },
    Global { namespace: DS, element: one("Signature", &SIGNATURE) },
    Global { namespace: DS, element: one("Reference", &DS_REFERENCE) },
    Global { namespace: DS, element: one("KeyInfo", &KEY_INFO) },
];

const WSU_ID: Attribute = attribute("Id", Simple::Id).of(names::WSU);

static SECURITY: Type = sequence("Security", &[]).then(Rest::Any).with_others();
static USERNAME_TOKEN: Type =
    sequence("UsernameToken", &[one("Username", &USERNAME)]).then(Rest::Any).with(ID).with_others();
const ID: &[Attribute] = &[WSU_ID];
static USERNAME: Type = simple("AttributedString", Simple::Text).with(ID).with_others();
/// Devices qualify the type: `wsse:Type`.
static PASSWORD: Type = simple("Password", Simple::Text)
    .with(const { &[WSU_ID, attribute("Type", Simple::Uri), attribute("Type", Simple::Uri).of(names::WSSE)] })
    .with_others();
static ENCODED: Type = simple("EncodedString", Simple::Text)
    .with(const { &[WSU_ID, attribute("EncodingType", Simple::Uri)] })
    .with_others();
/// Samples of Microsoft qualify the attributes, and have an Id without a namespace (MS-MDE2 4.2.1.2).
static BINARY_TOKEN: Type = simple("BinarySecurityToken", Simple::Text)
    .with(
        const {
            &[
                WSU_ID,
                attribute("Id", Simple::Id),
                attribute("Id", Simple::Id).of(names::WSSE),
                attribute("ValueType", Simple::Uri),
                attribute("ValueType", Simple::Uri).of(names::WSSE),
                attribute("EncodingType", Simple::Uri),
                attribute("EncodingType", Simple::Uri).of(names::WSSE),
            ]
        },
    )
    .with_others();
static TOKEN_REFERENCE: Type = sequence("SecurityTokenReference", &[]).then(Rest::Any).with(ID).with_others();
static REFERENCE: Type = sequence("Reference", &[])
    .with(const { &[attribute("URI", Simple::Uri), attribute("ValueType", Simple::Uri)] })
    .with_others();

static TIMESTAMP: Type = sequence("Timestamp", &[opt("Created", &TIME), opt("Expires", &TIME)])
    .then(Rest::Other)
    .with(ID)
    .with_others();
/// xs:string in the schema; its text asks for xs:dateTime.
static TIME: Type = simple("AttributedDateTime", Simple::DateTime).with(ID).with_others();

const DS_ID: &[Attribute] = &[attribute("Id", Simple::Id)];
static SIGNATURE: Type = sequence(
    "Signature",
    &[
        one("SignedInfo", &SIGNED_INFO),
        one("SignatureValue", &SIGNATURE_VALUE),
        opt("KeyInfo", &KEY_INFO),
        any("Object", &OBJECT),
    ],
)
.with(DS_ID);
static SIGNED_INFO: Type = sequence(
    "SignedInfo",
    &[
        one("CanonicalizationMethod", &METHOD),
        one("SignatureMethod", &METHOD),
        many("Reference", &DS_REFERENCE),
    ],
)
.with(DS_ID);
/// Their content is open.
static METHOD: Type = Type {
    other_attributes: false,
    ..mixed("Method").with(const { &[attribute("Algorithm", Simple::Uri).required()] })
};
static SIGNATURE_VALUE: Type = simple("SignatureValue", Simple::Base64).with(DS_ID);
static DS_REFERENCE: Type = sequence(
    "SignatureReference",
    &[opt("Transforms", &TRANSFORMS), one("DigestMethod", &METHOD), one("DigestValue", &BASE64)],
)
.with(
    const { &[attribute("Id", Simple::Id), attribute("URI", Simple::Uri), attribute("Type", Simple::Uri)] },
);
static TRANSFORMS: Type = sequence("Transforms", &[many("Transform", &METHOD)]);
/// What is in it comes in any order, and any number.
static KEY_INFO: Type = all(
    "KeyInfo",
    &[
        any("KeyName", &KEY),
        any("KeyValue", &KEY),
        any("RetrievalMethod", &KEY),
        any("X509Data", &KEY),
        any("PGPData", &KEY),
        any("SPKIData", &KEY),
        any("MgmtData", &KEY),
    ],
)
.then(Rest::OtherOrDeclared)
.with(DS_ID);
static KEY: Type = mixed("Key");
static OBJECT: Type = mixed("Object");
