//! Canonical XML 1.0 (W3C, 15 March 2001) and its exclusive form (18 July 2002), both without comments: the bytes that
//! an XML signature is over.

use std::collections::HashMap;

use super::tree::{Document, Element, Kind, Namespace};

/// Which namespace declarations a canonical form has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'o> {
    /// All that are in scope.
    Inclusive,
    /// Those that are used, and those of the prefixes given (an InclusiveNamespaces PrefixList; `#default` is the default
    /// namespace).
    Exclusive(&'o [String]),
}

/// An element's canonical form, or a whole document's. `None` when the text has a defect: what is not well-formed has
/// no canonical form.
pub struct Canonical<'d, 'o> {
    document: &'d Document,
    form: Form<'o>,
    /// The element that is left out, with all below it: the enveloped signature.
    without: Option<usize>,
    /// Namespace declarations in force in the output, by prefix.
    rendered: HashMap<&'d str, Vec<String>>,
    out: Vec<u8>,
}

impl<'d, 'o> Canonical<'d, 'o> {
    /// The document with its processing instructions, and without `signature`.
    pub fn document(
        document: &'d Document,
        signature: Option<&Element<'d>>,
        form: Form<'o>,
    ) -> Option<Vec<u8>> {
        let mut form = Self::new(document, form)?;
        form.without = signature.map(Element::id);
        let root = document.root()?;
        let mut before = true;
        for (id, node) in document.nodes.iter().enumerate().filter(|(_, n)| n.parent.is_none()) {
            if id == root.id() {
                form.element(root);
                before = false;
            } else if matches!(node.kind, Kind::Instruction) {
                let start = form.out.len();
                form.instruction(document.slice(&node.span));
                if form.out.len() > start {
                    if before {
                        form.out.push(b'\n');
                    } else {
                        form.out.insert(start, b'\n');
                    }
                }
            }
        }
        Some(form.out)
    }

    /// One element with all below it, in the context of its document.
    pub fn element_of(element: Element<'d>, form: Form<'o>) -> Option<Vec<u8>> {
        let mut form = Self::new(element.document(), form)?;
        form.element(element);
        Some(form.out)
    }

    fn new(document: &'d Document, form: Form<'o>) -> Option<Self> {
        document.defects().is_empty().then(|| Self {
            document,
            form,
            without: None,
            rendered: HashMap::new(),
            out: Vec::with_capacity(document.source().text().len()),
        })
    }

    /// Not deeper than [`super::MAX_DEPTH`].
    fn element(&mut self, element: Element<'d>) {
        if self.without == Some(element.id()) {
            return;
        }
        let outermost = self.out.is_empty();
        let declared = self.declarations(element, outermost);
        self.out.push(b'<');
        self.out.extend_from_slice(element.name().as_bytes());
        for (prefix, uri) in &declared {
            let name = if prefix.is_empty() { "xmlns" } else { "xmlns:" };
            self.write(&[" ", name, prefix, "=\""]);
            escape_attribute(uri, &mut self.out);
            self.out.push(b'"');
        }
        let mut attributes: Vec<_> =
            element.attributes().filter(|a| declared_prefix(a.name()).is_none()).collect();
        if outermost && self.form == Form::Inclusive {
            for inherited in
                ancestors(element).flat_map(|e| e.attributes()).filter(|a| prefix(a.name()) == "xml")
            {
                if !attributes.iter().any(|a| a.name() == inherited.name()) {
                    attributes.push(inherited);
                }
            }
        }
        attributes.sort_by_key(|a| (uri_of(a.name(), a.namespace()), a.local()));
        for attribute in attributes {
            self.write(&[" ", attribute.name(), "=\""]);
            escape_attribute(&attribute.value(), &mut self.out);
            self.out.push(b'"');
        }
        self.out.push(b'>');
        self.content(element);
        self.write(&["</", element.name(), ">"]);
        for (prefix, _) in declared {
            self.rendered.get_mut(prefix).and_then(Vec::pop);
        }
    }

    fn content(&mut self, element: Element<'d>) {
        for id in element.child_ids() {
            let Some(node) = self.document.nodes.get(*id) else { continue };
            match &node.kind {
                Kind::Element(_) => {
                    if let Some(child) = self.document.element(*id) {
                        self.element(child);
                    }
                }
                Kind::Text | Kind::CData | Kind::Reference(_) => {
                    escape_text(&self.document.text_of(node), &mut self.out);
                }
                Kind::Instruction => self.instruction(self.document.slice(&node.span)),
                Kind::Comment | Kind::Other => {}
            }
        }
    }

    /// The namespace declarations that this element's start tag gets: those that the form asks for and that no element
    /// around it in the output has given already.
    fn declarations(&mut self, element: Element<'d>, outermost: bool) -> Vec<(&'d str, String)> {
        let mut asked: Vec<(&'d str, String)> =
            vec![(prefix(element.name()), element.namespace().uri().to_owned())];
        for attribute in element.attributes() {
            match (declared_prefix(attribute.name()), prefix(attribute.name())) {
                (Some(declared), _) if self.form.keeps(declared) => {
                    asked.push((declared, attribute.value().into_owned()));
                }
                (Some(_), _) | (None, "" | "xml") => {}
                (None, prefix) => asked.push((prefix, attribute.namespace().uri().to_owned())),
            }
        }
        // What was declared around the outermost element is in scope here, too: the nearest declaration counts.
        for attribute in ancestors(element).filter(|_| outermost).flat_map(|e| e.attributes()) {
            if let Some(declared) = declared_prefix(attribute.name())
                && self.form.keeps(declared)
                && !asked.iter().any(|(prefix, _)| *prefix == declared)
            {
                asked.push((declared, attribute.value().into_owned()));
            }
        }
        asked.sort();
        asked.dedup_by_key(|(prefix, _)| *prefix);
        asked.retain(|(prefix, uri)| {
            let in_force = self.rendered.get(prefix).and_then(|v| v.last()).map_or("", String::as_str);
            *prefix != "xml" && in_force != uri
        });
        for (prefix, uri) in &asked {
            self.rendered.entry(prefix).or_default().push(uri.clone());
        }
        asked
    }

    /// `<?target data?>`; the XML declaration is none.
    fn instruction(&mut self, raw: &str) {
        let Some(inner) = raw.strip_prefix("<?").and_then(|r| r.strip_suffix("?>")) else { return };
        let target = inner.split([' ', '\t', '\r', '\n']).next().unwrap_or_default();
        if target.eq_ignore_ascii_case("xml") {
            return;
        }
        let data = inner.get(target.len()..).unwrap_or_default().trim_start_matches([' ', '\t', '\r', '\n']);
        let blank = if data.is_empty() { "" } else { " " };
        let data = data.replace("\r\n", "\n").replace('\r', "\n");
        self.write(&["<?", target, blank, &data, "?>"]);
    }

    fn write(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.out.extend_from_slice(part.as_bytes()));
    }
}

impl Form<'_> {
    fn keeps(self, prefix: &str) -> bool {
        match self {
            Self::Inclusive => true,
            Self::Exclusive(prefixes) => {
                let asked = if prefix.is_empty() { "#default" } else { prefix };
                prefixes.iter().any(|p| p == asked)
            }
        }
    }
}

fn ancestors<'d>(element: Element<'d>) -> impl Iterator<Item = Element<'d>> {
    std::iter::successors(element.parent(), Element::parent)
}

fn prefix(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// The prefix that an attribute declares, if it is a namespace declaration.
fn declared_prefix(name: &str) -> Option<&str> {
    if name == "xmlns" { Some("") } else { name.strip_prefix("xmlns:") }
}

/// What attributes are ordered by.
fn uri_of<'d>(name: &str, namespace: &'d Namespace) -> &'d str {
    if prefix(name) == "xml" { "http://www.w3.org/XML/1998/namespace" } else { namespace.uri() }
}

fn escape_text(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'\r' => out.extend_from_slice(b"&#xD;"),
            other => out.push(other),
        }
    }
}

fn escape_attribute(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\t' => out.extend_from_slice(b"&#x9;"),
            b'\n' => out.extend_from_slice(b"&#xA;"),
            b'\r' => out.extend_from_slice(b"&#xD;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str, path: &[&str]) -> String {
        let document = Document::read(text.as_bytes());
        let element = path.iter().fold(document.root().unwrap(), |e, name| e.child(name).unwrap());
        String::from_utf8(Canonical::element_of(element, Form::Exclusive(&[])).unwrap()).unwrap()
    }

    /// What libxml2's `xmllint --exc-c14n` writes for the same texts.
    #[test]
    fn forms_are_those_of_the_standard() {
        for (text, path, wanted) in [
            ("<a  z='1' b=\"2\"/>", &[][..], "<a b=\"2\" z=\"1\"></a>"),
            // Only what is used is declared, where it is used first.
            (
                "<s:a xmlns:s='urn:s' xmlns:t='urn:t'><s:b/><t:c/></s:a>",
                &[],
                "<s:a xmlns:s=\"urn:s\"><s:b></s:b><t:c xmlns:t=\"urn:t\"></t:c></s:a>",
            ),
            (
                "<s:a xmlns:s='urn:s' xmlns:t='urn:t'><t:c s:x='1'/></s:a>",
                &["c"],
                "<t:c xmlns:s=\"urn:s\" xmlns:t=\"urn:t\" s:x=\"1\"></t:c>",
            ),
            // A default namespace that ends.
            (
                "<a xmlns='urn:d'><b xmlns=''><c/></b></a>",
                &[],
                "<a xmlns=\"urn:d\"><b xmlns=\"\"><c></c></b></a>",
            ),
            // The same prefix for another namespace, and back.
            (
                "<p:a xmlns:p='urn:1'><p:b xmlns:p='urn:2'/><p:c/></p:a>",
                &[],
                "<p:a xmlns:p=\"urn:1\"><p:b xmlns:p=\"urn:2\"></p:b><p:c></p:c></p:a>",
            ),
            // Attributes by namespace, then name; xml: needs no declaration.
            (
                "<a xmlns:x='urn:z' xmlns:y='urn:b' x:q='1' y:q='2' c='3' xml:lang='en'/>",
                &[],
                "<a xmlns:x=\"urn:z\" xmlns:y=\"urn:b\" c=\"3\" xml:lang=\"en\" y:q=\"2\" x:q=\"1\"></a>",
            ),
            // Texts: references resolved, CDATA joined, comments left out, signs escaped.
            (
                "<a b='&#9;&quot;&#xA;x\ty'>1 &lt; 2 &#xD;<![CDATA[<&>]]><!-- no --><?do it?>\r\n</a>",
                &[],
                "<a b=\"&#x9;&quot;&#xA;x y\">1 &lt; 2 &#xD;&lt;&amp;&gt;<?do it?>\n</a>",
            ),
        ] {
            assert_eq!(canonical(text, path), wanted, "{text}");
        }
    }

    #[test]
    fn a_document_keeps_its_instructions_and_leaves_the_signature_out() {
        let text = "<?xml version='1.0'?><?a b?>\n<!-- x --><r><s>gone</s> k</r>\n<?c?>";
        let document = Document::read(text.as_bytes());
        let signature = document.root().unwrap().child("s");
        let form = Canonical::document(&document, signature.as_ref(), Form::Exclusive(&[])).unwrap();
        assert_eq!(String::from_utf8(form).unwrap(), "<?a b?>\n<r> k</r>\n<?c?>");
    }

    #[test]
    fn prefixes_of_the_list_are_declared_where_they_are_in_scope() {
        let text = "<a xmlns:p='urn:p' xmlns='urn:d' xml:lang='en'><p:b/></a>";
        let document = Document::read(text.as_bytes());
        let root = document.root().unwrap();
        let form = |element, form| String::from_utf8(Canonical::element_of(element, form).unwrap()).unwrap();
        let prefixes = ["p".to_owned()];
        let exclusive = Form::Exclusive(&prefixes);
        assert_eq!(
            form(root, exclusive),
            "<a xmlns=\"urn:d\" xmlns:p=\"urn:p\" xml:lang=\"en\"><p:b></p:b></a>"
        );
        let child = root.child("b").unwrap();
        assert_eq!(form(child, exclusive), "<p:b xmlns:p=\"urn:p\"></p:b>");
        // The inclusive form brings everything that is in scope, and the language.
        assert_eq!(
            form(child, Form::Inclusive),
            "<p:b xmlns=\"urn:d\" xmlns:p=\"urn:p\" xml:lang=\"en\"></p:b>"
        );
    }

    #[test]
    fn what_is_not_well_formed_has_no_canonical_form() {
        let document = Document::read(b"<a><b></a>");
        assert!(Canonical::document(&document, None, Form::Inclusive).is_none());
    }
}
