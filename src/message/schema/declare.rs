//! The words in which the tables are written: types, their children, their attributes.

use super::simple::Simple;

/// A type of XML Schema, as far as messages use them.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: &'static str,
    pub(super) content: Content,
    pub(super) attributes: &'static [Attribute],
    /// Attributes of other namespaces may be there.
    pub(super) other_attributes: bool,
}

#[derive(Debug)]
pub(super) enum Content {
    Simple(Simple),
    Elements {
        children: &'static [Child],
        /// They come in this order.
        ordered: bool,
        rest: Rest,
    },
    /// Anything at all.
    Mixed,
}

/// What may follow the declared children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    None,
    Any,
    /// Elements of other namespaces.
    Other,
    /// Elements of other namespaces; there has to be one element at least, declared or not.
    OtherOrDeclared,
    /// Exactly one element, whichever.
    One,
    /// One element of another namespace, in place of the declared ones.
    Instead,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) nillable: bool,
    pub(super) kind: &'static Type,
}

#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    /// Empty: in no namespace, as attributes usually are.
    pub(super) namespace: &'static str,
    pub(super) required: bool,
    pub(super) simple: Simple,
}

/// An element that may stand by itself: in a Header, a Body, wherever anything may be.
#[derive(Debug)]
pub(super) struct Global {
    pub(super) namespace: &'static str,
    pub(super) element: Child,
}

pub(super) const fn simple(name: &'static str, simple: Simple) -> Type {
    Type { name, content: Content::Simple(simple), attributes: &[], other_attributes: false }
}

/// These children in this order, and nothing else.
pub(super) const fn sequence(name: &'static str, children: &'static [Child]) -> Type {
    elements(name, children, true, Rest::None)
}

/// These children in any order.
pub(super) const fn all(name: &'static str, children: &'static [Child]) -> Type {
    elements(name, children, false, Rest::None)
}

const fn elements(name: &'static str, children: &'static [Child], ordered: bool, rest: Rest) -> Type {
    Type {
        name,
        content: Content::Elements { children, ordered, rest },
        attributes: &[],
        other_attributes: false,
    }
}

pub(super) const fn mixed(name: &'static str) -> Type {
    Type { name, content: Content::Mixed, attributes: &[], other_attributes: true }
}

impl Type {
    /// What may follow the declared children.
    pub(super) const fn then(self, rest: Rest) -> Self {
        let Self { name, content, attributes, other_attributes } = self;
        let content = match content {
            Content::Elements { children, ordered, rest: _ } => Content::Elements { children, ordered, rest },
            Content::Simple(_) | Content::Mixed => content,
        };
        Self { name, content, attributes, other_attributes }
    }

    pub(super) fn is_simple(&self) -> bool {
        matches!(self.content, Content::Simple(_))
    }

    pub(super) const fn with(self, attributes: &'static [Attribute]) -> Self {
        Self { attributes, ..self }
    }

    pub(super) const fn with_others(self) -> Self {
        Self { other_attributes: true, ..self }
    }
}

/// Exactly one.
pub(super) const fn one(name: &'static str, kind: &'static Type) -> Child {
    Child { name, least: 1, most: 1, nillable: false, kind }
}

/// One or none.
pub(super) const fn opt(name: &'static str, kind: &'static Type) -> Child {
    Child { least: 0, ..one(name, kind) }
}

/// One or more.
pub(super) const fn many(name: &'static str, kind: &'static Type) -> Child {
    Child { most: usize::MAX, ..one(name, kind) }
}

/// Any number.
pub(super) const fn any(name: &'static str, kind: &'static Type) -> Child {
    Child { least: 0, ..many(name, kind) }
}

impl Child {
    /// It may be nil.
    pub(super) const fn nil(self) -> Self {
        Self { nillable: true, ..self }
    }
}

pub(super) const fn attribute(name: &'static str, simple: Simple) -> Attribute {
    Attribute { name, namespace: "", required: false, simple }
}

impl Attribute {
    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn of(self, namespace: &'static str) -> Self {
        Self { namespace, ..self }
    }
}

pub(super) static TEXT: Type = simple("xs:string", Simple::Text);
pub(super) static INT: Type = simple("xs:int", Simple::Int);
pub(super) static UNSIGNED_INT: Type = simple("xs:unsignedInt", Simple::UnsignedInt);
pub(super) static UNSIGNED_LONG: Type = simple("xs:unsignedLong", Simple::UnsignedLong);
pub(super) static BOOLEAN: Type = simple("xs:boolean", Simple::Boolean);
pub(super) static DATE_TIME: Type = simple("xs:dateTime", Simple::DateTime);
pub(super) static LANGUAGE: Type = simple("xs:language", Simple::Language);
pub(super) static URI: Type = simple("xs:anyURI", Simple::Uri);
pub(super) static BASE64: Type = simple("xs:base64Binary", Simple::Base64);
