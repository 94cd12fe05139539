//! The SOAP envelope with its WS-Addressing headers, in either version, in any case of letters.

use super::credential::Credential;
use super::field::{Field, Spot};
use super::names;
use crate::xml::{Document, Element};

/// The namespace of the Envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoapVersion {
    Soap11,
    Soap12,
    /// Another namespace, or none.
    Unknown,
}

/// What stands around every message's payload.
#[derive(Clone, Debug)]
pub struct Soap {
    pub version: SoapVersion,
    pub envelope: Spot,
    /// `Envelope`, `Header` and `Body` are spelled exactly so.
    pub exact_case: bool,
    pub header: Option<Spot>,
    pub body: Option<Spot>,
    /// How many Body elements there are.
    pub bodies: usize,
    pub headers: usize,
    pub action: Option<Field>,
    /// The Action's mustUnderstand attribute.
    pub action_must_understand: Option<Field>,
    pub message_id: Option<Field>,
    pub relates_to: Option<Field>,
    pub reply_to: Option<Field>,
    pub to: Option<Field>,
    pub activity_id: Option<Field>,
    /// `wsse:Security` as a direct child of the Header.
    pub security: Option<Spot>,
    /// How many `wsse:Security` there are.
    pub securities: usize,
    /// `wsse:Security` where it does not belong.
    pub security_elsewhere: Option<Spot>,
    /// `u:Timestamp` in it.
    pub timestamp: Option<Timestamp>,
    /// Everything in the Header.
    pub blocks: Vec<Block>,
    /// How many elements the Body holds.
    pub payloads: usize,
    pub credential: Credential,
}

/// A `u:Timestamp` (WS-Security 1.0, 10).
#[derive(Clone, Debug)]
pub struct Timestamp {
    pub spot: Spot,
    pub created: Option<Field>,
    pub expires: Option<Field>,
}

/// One element of the Header.
#[derive(Clone, Debug)]
pub struct Block {
    pub spot: Spot,
    pub namespace: String,
    pub name: String,
    /// In the namespace of SOAP or not.
    pub must_understand: Option<Field>,
}

/// An Envelope's elements, found whatever the case of their letters.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'d> {
    pub root: Element<'d>,
    pub header: Option<Element<'d>>,
    pub body: Option<Element<'d>>,
}

impl<'d> Envelope<'d> {
    pub fn find(document: &'d Document) -> Option<Self> {
        let root = document.root().filter(|r| r.local().eq_ignore_ascii_case("Envelope"))?;
        Some(Self { root, header: root.child_any_case("Header"), body: root.child_any_case("Body") })
    }
}

impl Soap {
    pub(super) fn read(envelope: &Envelope<'_>) -> Self {
        let Envelope { root, header, body } = *envelope;
        let named = |name: &str| root.children().filter(|c| c.local().eq_ignore_ascii_case(name)).count();
        let block = |name: &str| header.and_then(|h| h.child_any_case(name));
        let action = block("Action");
        let spelled = |element: Option<Element<'_>>, name: &str| element.is_none_or(|e| e.local() == name);
        let security = header.and_then(|h| h.child("Security"));
        Self {
            version: match root.namespace().uri() {
                names::SOAP11 => SoapVersion::Soap11,
                names::SOAP12 => SoapVersion::Soap12,
                _ => SoapVersion::Unknown,
            },
            envelope: Spot::tag(&root),
            exact_case: root.local() == "Envelope" && spelled(header, "Header") && spelled(body, "Body"),
            header: header.map(|h| Spot::tag(&h)),
            body: body.map(|b| Spot::tag(&b)),
            bodies: named("Body"),
            headers: named("Header"),
            action_must_understand: action.and_then(|a| Field::attribute(&a, "mustUnderstand")),
            action: action.map(|a| Field::of(&a)),
            message_id: block("MessageID").map(|e| Field::of(&e)),
            relates_to: block("RelatesTo").map(|e| Field::of(&e)),
            reply_to: block("ReplyTo").and_then(|r| r.child_any_case("Address")).map(|e| Field::of(&e)),
            to: block("To").map(|e| Field::of(&e)),
            activity_id: block("ActivityId").map(|e| Field::of(&e)),
            security: security.map(|s| Spot::tag(&s)),
            securities: header.map_or(0, |h| h.children_named("Security").count()),
            timestamp: security.and_then(|s| s.child("Timestamp")).map(|t| Timestamp {
                spot: Spot::tag(&t),
                created: Field::child(&t, "Created"),
                expires: Field::child(&t, "Expires"),
            }),
            security_elsewhere: match security {
                Some(_) => None,
                None => {
                    let stray =
                        |e: &Element<'_>| e.local() == "Security" && e.namespace().uri() == names::WSSE;
                    root.descendants().find(stray).map(|e| Spot::tag(&e))
                }
            },
            blocks: header.into_iter().flat_map(|h| h.children()).map(|b| Block::read(&b)).collect(),
            payloads: body.map_or(0, |b| b.children().count()),
            credential: Credential::read(security),
        }
    }
}

impl Block {
    fn read(element: &Element<'_>) -> Self {
        Self {
            spot: Spot::tag(element),
            namespace: element.namespace().uri().to_owned(),
            name: element.local().to_owned(),
            must_understand: Field::attribute(element, "mustUnderstand"),
        }
    }
}
