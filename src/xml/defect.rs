//! What can be wrong with a text as XML, and where.

use std::ops::Range;

/// One place where a text is not well-formed, or uses what SOAP forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    pub kind: DefectKind,
    /// Bytes of the decoded text ([`super::Source::text`]); map it with [`super::Source::place`].
    pub span: Range<usize>,
}

/// The kinds of defects, most of which quick-xml lets through and XML 1.0 or Namespaces in XML forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DefectKind {
    Empty,
    NoElement,
    Truncated,
    InvalidEncoding,
    UndecodedEncoding,
    Syntax,
    BadComment,
    DocumentType,
    MisplacedDeclaration,
    SecondRoot,
    TextOutsideRoot,
    MismatchedEnd,
    UnexpectedEnd,
    Unclosed,
    BadName,
    BadAttribute,
    DuplicateAttribute,
    LessThanInAttribute,
    BareAmpersand,
    UndefinedEntity,
    ControlCharacter,
    CdataEndInText,
    UndeclaredPrefix,
    TooDeep,
    TooManyAttributes,
    TooManyNamespaces,
    TooManyNodes,
    TooManyDefects,
}

impl DefectKind {
    /// What is wrong, as a clause without a full stop.
    pub fn text(self) -> &'static str {
        match self {
            Self::Empty => "the document is empty",
            Self::NoElement => "there is no XML element in it",
            Self::Truncated => "the text goes on beyond the part that was inspected",
            Self::InvalidEncoding => "bytes that are not valid UTF-8",
            Self::UndecodedEncoding => "the declared encoding is not UTF-8 or UTF-16",
            Self::Syntax => "markup that is not XML",
            Self::BadComment => "a comment that does not start with `<!--` or contains `--`",
            Self::DocumentType => "a document type declaration, which SOAP forbids",
            Self::MisplacedDeclaration => "an XML declaration that is not at the very start",
            Self::SecondRoot => "a second root element",
            Self::TextOutsideRoot => "text outside the root element",
            Self::MismatchedEnd => "an end tag that does not match the open element",
            Self::UnexpectedEnd => "an end tag without a start tag",
            Self::Unclosed => "an element that is never closed",
            Self::BadName => "a name that XML does not allow",
            Self::BadAttribute => "an attribute that is not name=\"value\"",
            Self::DuplicateAttribute => "an attribute given twice",
            Self::LessThanInAttribute => "an unescaped `<` in an attribute value",
            Self::BareAmpersand => "an unescaped `&`",
            Self::UndefinedEntity => "a reference to an entity that is not defined",
            Self::ControlCharacter => "a control character that XML does not allow",
            Self::CdataEndInText => "`]]>` in text",
            Self::UndeclaredPrefix => "a namespace prefix that is not declared",
            Self::TooDeep => "elements nested deeper than is read",
            Self::TooManyAttributes => "more attributes than are read",
            Self::TooManyNamespaces => "more namespace declarations than are read",
            Self::TooManyNodes => "more nodes than are read",
            Self::TooManyDefects => "more defects than are listed",
        }
    }

    /// A limit of ours was reached, rather than the text being wrong.
    pub fn is_limit(self) -> bool {
        matches!(
            self,
            Self::Truncated
                | Self::TooDeep
                | Self::TooManyAttributes
                | Self::TooManyNamespaces
                | Self::TooManyNodes
                | Self::TooManyDefects
        )
    }
}
