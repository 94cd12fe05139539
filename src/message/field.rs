//! Values with their places: what a rule compares, and where it points.

use crate::xml::{Document, Element, Place};

/// Which of an exchange's texts a place is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Within {
    Body,
    Provisioning,
    Credential,
    Csr,
    Certificate,
    Head,
    Connection,
}

impl Within {
    pub fn word(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Provisioning => "provisioning",
            Self::Credential => "credential",
            Self::Csr => "csr",
            Self::Certificate => "certificate",
            Self::Head => "head",
            Self::Connection => "connection",
        }
    }
}

/// Where something stands in a document, or should stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    element: usize,
    part: Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// The element's text (or, without one, the element).
    Text,
    /// The start tag.
    Tag,
    Attribute(&'static str),
    /// A child or attribute (`@Name`) that is not there.
    Missing(&'static str),
}

/// A [`Spot`] looked up: path, line, column, bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Located {
    pub path: String,
    pub place: Option<Place>,
}

impl Spot {
    pub fn text(element: &Element<'_>) -> Self {
        Self { element: element.id(), part: Part::Text }
    }

    pub fn tag(element: &Element<'_>) -> Self {
        Self { element: element.id(), part: Part::Tag }
    }

    pub fn attribute(element: &Element<'_>, name: &'static str) -> Self {
        Self { element: element.id(), part: Part::Attribute(name) }
    }

    /// A child of the element that this spot is about, which is not there.
    #[must_use]
    pub fn missing(&self, name: &'static str) -> Self {
        Self { element: self.element, part: Part::Missing(name) }
    }

    /// Both are about the same element.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.element == other.element
    }

    /// The element that this spot is about.
    pub fn element<'d>(&self, document: &'d Document) -> Option<Element<'d>> {
        document.element_by_id(self.element)
    }

    pub fn locate(&self, document: &Document) -> Located {
        let Some(element) = self.element(document) else { return Located::default() };
        let path = element.path();
        let (path, span) = match &self.part {
            Part::Text => (path, element.text_span()),
            Part::Tag => (path, element.start()),
            Part::Missing(name) => (format!("{path}/{name}"), element.start()),
            Part::Attribute(name) => {
                let span = element.attribute(name).map_or(element.start(), |a| a.span());
                (format!("{path}/@{name}"), span)
            }
        };
        Located { path, place: Some(document.source().place(span)) }
    }
}

/// A value that was read: trimmed, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Without surrounding whitespace.
    pub value: String,
    pub spot: Spot,
    /// Whitespace was trimmed away.
    pub padded: bool,
    /// `xsi:nil="true"`.
    pub nil: bool,
}

impl Field {
    /// An element's own text.
    pub fn of(element: &Element<'_>) -> Self {
        let text = element.text();
        let value = text.trim();
        Self {
            padded: value.len() != text.len(),
            value: value.to_owned(),
            spot: Spot::text(element),
            nil: element.is_nil(),
        }
    }

    /// The text of the child with that local name.
    pub fn child(element: &Element<'_>, name: &str) -> Option<Self> {
        element.child(name).map(|child| Self::of(&child))
    }

    /// The text of the child with that local name in any case.
    pub fn child_any_case(element: &Element<'_>, name: &str) -> Option<Self> {
        element.child_any_case(name).map(|child| Self::of(&child))
    }

    pub fn attribute(element: &Element<'_>, name: &'static str) -> Option<Self> {
        let attribute = element.attribute(name)?;
        let raw = attribute.value();
        let value = raw.trim();
        Some(Self {
            padded: value.len() != raw.len(),
            value: value.to_owned(),
            spot: Spot::attribute(element, name),
            nil: false,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// It says yes, as XML Schema or as people write it.
    pub fn is_true(&self) -> bool {
        !self.nil && (self.value.eq_ignore_ascii_case("true") || self.value == "1")
    }

    /// It says no.
    pub fn is_false(&self) -> bool {
        !self.nil && (self.value.eq_ignore_ascii_case("false") || self.value == "0")
    }

    /// Its value, when it has one that is a number of that kind.
    pub fn number<N: std::str::FromStr>(&self) -> Option<N> {
        if self.nil { None } else { self.value.parse().ok() }
    }

    /// It has a value: neither nil nor empty.
    pub fn is_given(&self) -> bool {
        !self.nil && !self.is_empty()
    }
}
