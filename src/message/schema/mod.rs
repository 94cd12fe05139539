//! What the published schemas say of a message, and where the message says otherwise: one walk over the tree, by
//! declarative tables. Where a schema and the text of its specification disagree, the tables take what is laxer.

mod declare;
mod discovery;
mod security;
mod simple;
mod soap;
#[cfg(test)]
mod tests;
mod trust;
mod walk;
mod xcep;

use super::field::Spot;
pub(super) use walk::check;

/// One place where a message is not as its schema has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub spot: Spot,
    pub wrong: Wrong,
    /// The schema's type (or element) whose content or attributes are concerned: `Attributes`, `CAURI`, ...
    pub within: &'static str,
    /// The declared child or attribute; empty where the schema knows none.
    pub child: &'static str,
    pub expected: String,
    pub found: String,
}

/// In which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// An element that has to be there is not.
    Missing,
    /// A known element after one that it has to precede.
    OutOfOrder,
    /// More of an element than there may be.
    TooMany,
    /// An element that the schema does not have here.
    Unexpected,
    /// A known element, but for the case of its letters.
    Misspelled,
    /// A known element in another namespace.
    OtherNamespace,
    /// `xsi:nil` where there has to be content.
    NotNillable,
    /// `xsi:nil` and content all the same.
    NilWithContent,
    /// A text that is none of its type.
    BadValue,
    /// Text where only elements may be.
    StrayText,
    AttributeMissing,
    AttributeUnexpected,
    AttributeBadValue,
}
