//! Bytes to a lossless, namespace-aware tree with byte spans. Never fails: what is broken becomes a located
//! [`Defect`], and everything around it can still be read.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod canonical;
mod defect;
mod escape;
mod parse;
mod source;
#[cfg(test)]
mod tests;
mod tree;

pub use canonical::{Canonical, Form};
pub use defect::{Defect, DefectKind};
pub use escape::escape;
pub use source::{Place, Source};
pub use tree::{Attribute, Document, Element, Namespace, Node};

/// What the prefix `xml` stands for, without a declaration (Namespaces in XML 1.0, section 3).
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Elements nested deeper are not read (quick-xml's own limit of 65,535 is far too deep for a tree).
pub const MAX_DEPTH: usize = 64;
/// At most so many bytes of a text are read; the rest is reported as cut off.
pub const MAX_TEXT: usize = 1 << 20;
/// Attributes beyond this number on one element are not read.
pub const MAX_ATTRIBUTES: usize = 128;
/// Namespace declarations beyond this number in one document are not read.
pub const MAX_NAMESPACES: usize = 256;
/// Nodes beyond this number are not read.
pub const MAX_NODES: usize = 1 << 16;
/// Defects beyond this number are counted by one last `too-many-defects`.
pub const MAX_DEFECTS: usize = 64;
