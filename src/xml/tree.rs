//! The tree: elements, attributes and texts with their spans; lenient look-ups by local name.

use std::borrow::Cow;
use std::ops::Range;

use super::parse;
use super::{Defect, Source};

/// A text read as XML: the tree as far as it could be read, and the defects found on the way.
#[derive(Clone, Debug)]
pub struct Document {
    pub(super) source: Source,
    pub(super) nodes: Vec<NodeRecord>,
    /// The first element at the top.
    pub(super) root: Option<usize>,
    pub(super) defects: Vec<Defect>,
}

#[derive(Clone, Debug)]
pub(super) struct NodeRecord {
    pub(super) parent: Option<usize>,
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Element(Box<ElementRecord>),
    Text,
    CData,
    /// A character or entity reference, resolved if it is one of XML's own.
    Reference(Option<char>),
    Comment,
    /// A processing instruction.
    Instruction,
    /// Declarations.
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct ElementRecord {
    pub(super) name: Range<usize>,
    /// Where the name begins without its prefix.
    pub(super) local: usize,
    pub(super) attributes: Vec<AttributeRecord>,
    pub(super) children: Vec<usize>,
    /// Start tag.
    pub(super) start: Range<usize>,
    /// Between start and end tag.
    pub(super) content: Range<usize>,
    pub(super) namespace: Namespace,
}

#[derive(Clone, Debug)]
pub(super) struct AttributeRecord {
    pub(super) name: Range<usize>,
    /// Where the name begins without its prefix.
    pub(super) local: usize,
    /// Without the quotes.
    pub(super) value: Range<usize>,
    /// The value is what it looks like: no references, no line ends or tabs.
    pub(super) plain: bool,
    pub(super) namespace: Namespace,
}

/// Which namespace a name is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// In none: no prefix and no default namespace.
    None,
    Uri(std::sync::Arc<str>),
    /// The prefix is not declared, so it is in none that anybody could know.
    Undeclared,
}

impl Namespace {
    /// The URI, or an empty text.
    pub fn uri(&self) -> &str {
        match self {
            Self::Uri(uri) => uri,
            Self::None | Self::Undeclared => "",
        }
    }
}

impl Document {
    /// Reads at most [`super::MAX_TEXT`] bytes. Never fails.
    pub fn read(raw: &[u8]) -> Self {
        parse::parse(raw)
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// In the order of the text.
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }

    pub fn root(&self) -> Option<Element<'_>> {
        self.root.and_then(|id| self.element(id))
    }

    /// Where its comments are.
    pub fn comments(&self) -> impl Iterator<Item = Range<usize>> {
        self.nodes.iter().filter(|n| matches!(n.kind, Kind::Comment)).map(|n| n.span.clone())
    }

    /// Where its processing instructions are.
    pub fn instructions(&self) -> impl Iterator<Item = Range<usize>> {
        self.nodes.iter().filter(|n| matches!(n.kind, Kind::Instruction)).map(|n| n.span.clone())
    }

    /// All elements in the order of their start tags.
    pub fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        (0..self.nodes.len()).filter_map(|id| self.element(id))
    }

    pub(super) fn element(&self, id: usize) -> Option<Element<'_>> {
        match &self.nodes.get(id)?.kind {
            Kind::Element(record) => Some(Element { document: self, id, record }),
            _ => None,
        }
    }

    pub(super) fn slice(&self, span: &Range<usize>) -> &str {
        self.source.text().get(span.clone()).unwrap_or_default()
    }

    /// The element with that [`Element::id`].
    pub fn element_by_id(&self, id: usize) -> Option<Element<'_>> {
        self.element(id)
    }

    /// The innermost element whose span holds the text offset.
    pub fn element_at(&self, at: usize) -> Option<Element<'_>> {
        self.elements().filter(|e| e.span().contains(&at)).last()
    }
}

/// An element of a [`Document`].
#[derive(Clone, Copy)]
pub struct Element<'d> {
    document: &'d Document,
    id: usize,
    record: &'d ElementRecord,
}

impl std::fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}>", self.path())
    }
}

/// A child of an element, for those who show the whole tree.
#[derive(Clone, Debug)]
pub enum Node<'d> {
    Element(Element<'d>),
    Text(Cow<'d, str>),
    Comment(&'d str),
}

/// An attribute of an [`Element`].
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'d> {
    document: &'d Document,
    record: &'d AttributeRecord,
}

impl<'d> Element<'d> {
    pub fn document(&self) -> &'d Document {
        self.document
    }

    /// Finds it again in its document.
    pub fn id(&self) -> usize {
        self.id
    }

    /// The name with its prefix.
    pub fn name(&self) -> &'d str {
        self.document.slice(&self.record.name)
    }

    /// The name without its prefix.
    pub fn local(&self) -> &'d str {
        self.document.slice(&(self.record.local..self.record.name.end))
    }

    pub fn namespace(&self) -> &'d Namespace {
        &self.record.namespace
    }

    /// From `<` of the start tag to `>` of the end tag.
    pub fn span(&self) -> Range<usize> {
        self.document.nodes.get(self.id).map(|n| n.span.clone()).unwrap_or_default()
    }

    /// The start tag alone.
    pub fn start(&self) -> Range<usize> {
        self.record.start.clone()
    }

    /// Everything between the tags.
    pub fn content(&self) -> Range<usize> {
        self.record.content.clone()
    }

    pub fn parent(&self) -> Option<Self> {
        self.document.element(self.document.nodes.get(self.id)?.parent?)
    }

    pub fn children(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let document = self.document;
        self.record.children.iter().filter_map(move |id| document.element(*id))
    }

    pub(super) fn child_ids(&self) -> &'d [usize] {
        &self.record.children
    }

    /// Children of any kind, neighbouring texts joined.
    pub fn nodes(&self) -> Vec<Node<'d>> {
        let mut found = Vec::new();
        for id in &self.record.children {
            let Some(node) = self.document.nodes.get(*id) else { continue };
            match &node.kind {
                Kind::Element(record) => {
                    found.push(Node::Element(Element { document: self.document, id: *id, record }));
                }
                Kind::Comment => found.push(Node::Comment(self.document.slice(&node.span))),
                Kind::Instruction | Kind::Other => {}
                Kind::Text | Kind::CData | Kind::Reference(_) => {
                    let text = self.document.text_of(node);
                    match found.last_mut() {
                        Some(Node::Text(before)) => before.to_mut().push_str(&text),
                        _ => found.push(Node::Text(text)),
                    }
                }
            }
        }
        found
    }

    /// The first child with that local name, in any namespace, in exactly that case.
    pub fn child(&self, local: &str) -> Option<Self> {
        self.children().find(|e| e.local() == local)
    }

    /// Like [`Self::child`], but a name in another case will do when the exact one is not there.
    pub fn child_any_case(&self, local: &str) -> Option<Self> {
        self.child(local).or_else(|| self.children().find(|e| e.local().eq_ignore_ascii_case(local)))
    }

    pub fn children_named<'n>(&self, local: &'n str) -> impl Iterator<Item = Element<'d>> + use<'d, 'n> {
        self.children().filter(move |e| e.local() == local)
    }

    /// All elements below, in the order of their start tags.
    pub fn descendants(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let (document, end) = (self.document, self.span().end);
        let below = self.id + 1..document.nodes.len();
        below
            .map_while(move |id| document.nodes.get(id).filter(|n| n.span.start < end).map(|_| id))
            .filter_map(move |id| document.element(id))
    }

    /// The first element below with that local name.
    pub fn descendant(&self, local: &str) -> Option<Self> {
        self.descendants().find(|e| e.local() == local)
    }

    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'d>> + use<'d> {
        let document = self.document;
        self.record.attributes.iter().map(move |record| Attribute { document, record })
    }

    /// The first attribute with that local name, whatever its prefix.
    pub fn attribute(&self, local: &str) -> Option<Attribute<'d>> {
        self.attributes().find(|a| a.local() == local)
    }

    /// Its own text (not that of elements below), references resolved, line ends as XML reads them.
    pub fn text(&self) -> Cow<'d, str> {
        let mut joined = Cow::Borrowed("");
        for id in &self.record.children {
            let Some(node) = self.document.nodes.get(*id) else { continue };
            let piece = match &node.kind {
                Kind::Text | Kind::CData | Kind::Reference(_) => self.document.text_of(node),
                Kind::Element(_) | Kind::Comment | Kind::Instruction | Kind::Other => continue,
            };
            if joined.is_empty() {
                joined = piece;
            } else {
                joined.to_mut().push_str(&piece);
            }
        }
        joined
    }

    /// Everything below it, at any depth, that may spell out a value: character data, numeric references, comments;
    /// without the markup around.
    pub fn hidden_spans(&self) -> Vec<Range<usize>> {
        let end = self.span().end;
        let below = self.document.nodes.iter().skip(self.id + 1).take_while(|n| n.span.start < end);
        let inner = |span: &Range<usize>, open: usize, close: usize| {
            (span.len() >= open + close).then(|| span.start + open..span.end - close)
        };
        let spans = below.filter_map(|node| match node.kind {
            Kind::Text | Kind::Reference(_) => Some(node.span.clone()),
            Kind::CData => inner(&node.span, "<![CDATA[".len(), "]]>".len()),
            Kind::Comment => inner(&node.span, "<!--".len(), "-->".len()),
            Kind::Element(_) | Kind::Instruction | Kind::Other => None,
        });
        spans.collect()
    }

    /// The span of its text without surrounding whitespace; its whole content when there are elements or none.
    pub fn text_span(&self) -> Range<usize> {
        let content = self.content();
        let text = self.document.slice(&content);
        let inner = text.trim();
        if inner.is_empty() || self.children().next().is_some() {
            return if content.is_empty() { self.span() } else { content };
        }
        let start = content.start + (text.len() - text.trim_start().len());
        start..start + inner.len()
    }

    /// `xsi:nil="true"` (or `1`), under any prefix.
    pub fn is_nil(&self) -> bool {
        self.attribute("nil").is_some_and(|a| matches!(a.value().trim(), "true" | "1"))
    }

    /// Local names from the root, a 1-based index where a name is repeated among siblings.
    pub fn path(&self) -> String {
        let mut parts = Vec::new();
        let mut here = Some(*self);
        while let Some(element) = here {
            let parent = element.parent();
            parts.push(match parent {
                Some(parent) => step(&parent, &element),
                None => element.local().to_owned(),
            });
            here = parent;
        }
        parts.reverse();
        parts.join("/")
    }
}

fn step(parent: &Element<'_>, element: &Element<'_>) -> String {
    let (mut before, mut all) = (0, 0);
    for sibling in parent.children_named(element.local()) {
        all += 1;
        before += usize::from(sibling.id < element.id);
    }
    if all > 1 { format!("{}[{}]", element.local(), before + 1) } else { element.local().to_owned() }
}

impl<'d> Attribute<'d> {
    pub fn name(&self) -> &'d str {
        self.document.slice(&self.record.name)
    }

    pub fn local(&self) -> &'d str {
        self.document.slice(&(self.record.local..self.record.name.end))
    }

    pub fn namespace(&self) -> &'d Namespace {
        &self.record.namespace
    }

    /// The value without its quotes.
    pub fn span(&self) -> Range<usize> {
        self.record.value.clone()
    }

    /// The value, references resolved, line ends and tabs as blanks.
    pub fn value(&self) -> Cow<'d, str> {
        let raw = self.document.slice(&self.record.value);
        if self.record.plain { Cow::Borrowed(raw) } else { parse::attribute_value(raw) }
    }
}

impl Document {
    pub(super) fn text_of<'d>(&'d self, node: &'d NodeRecord) -> Cow<'d, str> {
        let raw = self.slice(&node.span);
        match &node.kind {
            Kind::Reference(Some(character)) => Cow::Owned(character.to_string()),
            Kind::CData => {
                let inner = raw.strip_prefix("<![CDATA[").unwrap_or(raw);
                line_ends(inner.strip_suffix("]]>").unwrap_or(inner))
            }
            _ => line_ends(raw),
        }
    }
}

fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}
