//! The builder: quick-xml's events, plus everything that quick-xml lets through and XML does not.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesStart, Event};

use super::tree::{AttributeRecord, ElementRecord, Kind, NodeRecord};
use super::{
    Defect, DefectKind, Document, MAX_ATTRIBUTES, MAX_DEFECTS, MAX_DEPTH, MAX_NAMESPACES, MAX_NODES,
    MAX_TEXT, Namespace, Source,
};

pub(super) fn parse(raw: &[u8]) -> Document {
    let (source, trouble) = Source::decode(raw.get(..MAX_TEXT).unwrap_or(raw));
    let text = source.text();
    let mut builder = Builder { text, ..Builder::default() };
    for at in trouble.invalid.into_iter().take(4) {
        builder.defect(DefectKind::InvalidEncoding, at..at + 1);
    }
    builder.run();
    if raw.len() > MAX_TEXT {
        // What the cut itself broke is no mistake of the text's; half a character was replaced by a whole one.
        let end = text.len() - char::REPLACEMENT_CHARACTER.len_utf8();
        builder.defects.retain(|d| d.kind != DefectKind::Unclosed && d.span.end < end);
        builder.defect(DefectKind::Truncated, text.len()..text.len());
    }
    let Builder { nodes, root, mut defects, .. } = builder;
    defects.sort_by_key(|d| (d.span.start, d.kind));
    Document { source, nodes, root, defects }
}

#[derive(Default)]
struct Builder<'t> {
    text: &'t str,
    nodes: Vec<NodeRecord>,
    root: Option<usize>,
    open: Vec<usize>,
    /// Start tags below [`MAX_DEPTH`] that are skipped and not yet closed.
    skipped: usize,
    /// In-scope bindings: owner's depth, prefix, URI.
    bindings: Vec<(usize, String, Arc<str>)>,
    declared: usize,
    defects: Vec<Defect>,
}

impl<'t> Builder<'t> {
    /// Reads on after each error: the stack of open elements is ours, so a new reader can start anywhere.
    fn run(&mut self) {
        let text = self.text;
        let mut from = 0;
        while from < text.len() {
            match self.read(from) {
                Some(next) if next > from && self.defects.len() < MAX_DEFECTS => from = next,
                _ => break,
            }
        }
        while let Some(id) = self.open.pop() {
            let start = self.start_tag(id);
            self.defect(DefectKind::Unclosed, start);
            self.close(id, text.len()..text.len());
        }
        if text.trim().is_empty() {
            self.defect(DefectKind::Empty, 0..0);
        } else if self.root.is_none() {
            self.defect(DefectKind::NoElement, 0..0);
        }
    }

    /// One reader's run; `Some` is where to go on after an error.
    fn read(&mut self, from: usize) -> Option<usize> {
        let rest = self.text.get(from..)?;
        let mut reader = Reader::from_str(rest);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        config.check_comments = true;
        // A reader takes U+FEFF at its start for a byte order mark and leaves it out of its positions.
        let base = from + if rest.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
        loop {
            let start = base + position(reader.buffer_position());
            let event = reader.read_event();
            let span = start..base + position(reader.buffer_position());
            match event {
                Ok(Event::Eof) => return None,
                Ok(_) if self.nodes.len() >= MAX_NODES => {
                    self.defect(DefectKind::TooManyNodes, span);
                    return None;
                }
                Ok(event) => self.event(event, span),
                Err(_) => return Some(self.recover(start)),
            }
        }
    }

    /// After markup that is no XML: name it, and go on at the next `<`.
    fn recover(&mut self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let kind = if rest.starts_with("<!") { DefectKind::BadComment } else { DefectKind::Syntax };
        // A well-opened comment that is refused for a `--` inside ends where comments end.
        let length = match rest.strip_prefix("<!--") {
            Some(inner) => inner.find("-->").map_or(rest.len(), |end| end + "<!---->".len()),
            None => next_markup(rest),
        };
        self.defect(kind, start..start + length.max(1));
        start + length.max(1)
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag, span, false),
            Event::Empty(tag) => self.start(&tag, span, true),
            Event::End(tag) => self.end(tag.name().as_ref(), span),
            Event::Text(_) => self.character_data(span),
            Event::CData(_) => self.leaf(Kind::CData, span),
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character),
                    Ok(None) => resolve_xml_entity(&reference).and_then(|text| text.chars().next()),
                    Err(_) => None,
                };
                if resolved.is_none() {
                    self.defect(DefectKind::UndefinedEntity, span.clone());
                }
                self.leaf(Kind::Reference(resolved), span);
            }
            Event::Comment(_) => self.leaf(Kind::Comment, span),
            Event::PI(_) => self.leaf(Kind::Instruction, span),
            Event::Decl(declaration) => {
                if span.start != 0 && self.slice(&(0..span.start)) != "\u{FEFF}" {
                    self.defect(DefectKind::MisplacedDeclaration, span.clone());
                }
                if let Some(Ok(encoding)) = declaration.encoding()
                    && !["utf-8", "utf8", "utf-16", "us-ascii"].contains(&encoding.to_lowercase().as_str())
                {
                    self.defect(DefectKind::UndecodedEncoding, span.clone());
                }
                self.leaf(Kind::Other, span);
            }
            Event::DocType(_) => self.defect(DefectKind::DocumentType, span),
            Event::Eof => {}
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, span: Range<usize>, empty: bool) {
        if self.open.len() >= MAX_DEPTH || self.skipped > 0 {
            if self.skipped == 0 {
                self.defect(DefectKind::TooDeep, span);
            }
            self.skipped += usize::from(!empty);
            return;
        }
        let name_start = span.start + 1;
        let name = name_start..name_start + tag.name().as_ref().len();
        if !is_name(tag.name().as_ref()) {
            self.defect(DefectKind::BadName, name.clone());
        }
        let depth = self.open.len() + 1;
        let attributes = self.attributes(tag, name_start, depth);
        let local = self.local(&name);
        let namespace = self.resolve(&name, local, true);
        let end = span.end;
        let element = ElementRecord {
            local,
            name,
            attributes,
            children: Vec::new(),
            start: span.clone(),
            content: end..end,
            namespace,
        };
        let id = self.nodes.len();
        if self.open.is_empty() {
            match self.root {
                None => self.root = Some(id),
                Some(_) => self.defect(DefectKind::SecondRoot, span.clone()),
            }
        }
        self.push(Kind::Element(Box::new(element)), span);
        if empty {
            self.unbind(depth);
        } else {
            self.open.push(id);
        }
    }

    /// Collects the attributes and declares the namespaces among them, then resolves the attributes' prefixes.
    fn attributes(&mut self, tag: &BytesStart<'_>, base: usize, depth: usize) -> Vec<AttributeRecord> {
        let mut found: Vec<AttributeRecord> = Vec::new();
        for attribute in tag.attributes() {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(AttrError::Duplicated(at, _)) => {
                    self.defect(DefectKind::DuplicateAttribute, base + at..base + at + 1);
                    continue;
                }
                Err(
                    AttrError::ExpectedEq(at)
                    | AttrError::ExpectedValue(at)
                    | AttrError::UnquotedValue(at)
                    | AttrError::ExpectedQuote(at, _),
                ) => {
                    self.defect(DefectKind::BadAttribute, base + at..base + at + 1);
                    continue;
                }
            };
            if found.len() >= MAX_ATTRIBUTES {
                self.defect(DefectKind::TooManyAttributes, base..base + 1);
                break;
            }
            let (Some(name), Some(value)) =
                (within(self.text, attribute.key.as_ref()), within(self.text, &attribute.value))
            else {
                continue;
            };
            if !is_name(attribute.key.as_ref()) {
                self.defect(DefectKind::BadName, name.clone());
            }
            let plain = self.check_value(&value);
            let local = self.local(&name);
            self.declare(&name, local, &value, depth);
            found.push(AttributeRecord { name, local, value, plain, namespace: Namespace::None });
        }
        for attribute in &mut found {
            attribute.namespace = self.resolve(&attribute.name, attribute.local, false);
        }
        found
    }

    /// Where a name begins without its prefix.
    fn local(&self, name: &Range<usize>) -> usize {
        let prefix = self.slice(name).bytes().position(|b| b == b':');
        prefix.map_or(name.start, |at| name.start + at + 1)
    }

    /// What stands before the colon of a name, if it has one.
    fn prefix(&self, name: &Range<usize>, local: usize) -> Option<&'t str> {
        (local > name.start).then(|| self.slice(&(name.start..local - 1)))
    }

    fn declare(&mut self, name: &Range<usize>, local: usize, value: &Range<usize>, depth: usize) {
        let own = self.slice(&(local..name.end));
        let prefix = match self.prefix(name, local) {
            Some("xmlns") => own,
            None if own == "xmlns" => "",
            _ => return,
        };
        if self.declared >= MAX_NAMESPACES {
            self.defect(DefectKind::TooManyNamespaces, name.clone());
            return;
        }
        self.declared += 1;
        let uri = attribute_value(self.slice(value));
        self.bindings.push((depth, prefix.to_owned(), uri.as_ref().into()));
    }

    fn resolve(&mut self, span: &Range<usize>, local: usize, is_element: bool) -> Namespace {
        let prefix = match self.prefix(span, local) {
            // Namespaces in XML 1.0, section 3: bound by itself.
            Some("xml") => return Namespace::Uri(super::XML.into()),
            Some("xmlns") => return Namespace::None,
            Some(prefix) => prefix,
            None if is_element => "",
            None => return Namespace::None,
        };
        match self.bindings.iter().rev().find(|(_, bound, _)| bound == prefix) {
            Some((_, _, uri)) if uri.is_empty() => Namespace::None,
            Some((_, _, uri)) => Namespace::Uri(Arc::clone(uri)),
            None if prefix.is_empty() => Namespace::None,
            None => {
                self.defect(DefectKind::UndeclaredPrefix, span.start..span.start + prefix.len());
                Namespace::Undeclared
            }
        }
    }

    fn end(&mut self, name: &str, span: Range<usize>) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        let name = name.trim_end();
        let matching = self.open.iter().rposition(|id| self.name_of(*id) == name);
        let Some(matching) = matching else {
            let kind =
                if self.open.is_empty() { DefectKind::UnexpectedEnd } else { DefectKind::MismatchedEnd };
            self.defect(kind, span);
            return;
        };
        // Everything above the match was never closed: report the first, close all.
        if let Some(unclosed) = self.open.get(matching + 1) {
            let start = self.start_tag(*unclosed);
            self.defect(DefectKind::Unclosed, start);
        }
        while self.open.len() > matching {
            let Some(id) = self.open.pop() else { break };
            let own = self.open.len() == matching;
            self.close(id, if own { span.clone() } else { span.start..span.start });
        }
    }

    fn close(&mut self, id: usize, end_tag: Range<usize>) {
        let depth = self.open.len() + 1;
        self.unbind(depth);
        if let Some(node) = self.nodes.get_mut(id) {
            node.span.end = end_tag.end;
            if let Kind::Element(element) = &mut node.kind {
                element.content.end = end_tag.start;
            }
        }
    }

    /// An element of that depth ends, and so does what it declared: the deepest come last.
    fn unbind(&mut self, depth: usize) {
        while self.bindings.pop_if(|(owner, _, _)| *owner >= depth).is_some() {}
    }

    fn character_data(&mut self, span: Range<usize>) {
        let content = self.slice(&span);
        if self.open.is_empty() && !content.trim_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']).is_empty() {
            self.defect(DefectKind::TextOutsideRoot, span.clone());
        }
        // One look at each byte: there is nothing to find in most texts.
        if has(content, |b| is_suspect(b) | (b == b'&') | (b == b']')) {
            for (needle, kind) in [("]]>", DefectKind::CdataEndInText), ("&", DefectKind::BareAmpersand)] {
                if let Some(at) = content.find(needle) {
                    self.defect(kind, span.start + at..span.start + at + needle.len());
                }
            }
            if let Some(at) = content.find(is_forbidden) {
                self.defect(DefectKind::ControlCharacter, span.start + at..span.start + at + 1);
            }
        }
        self.leaf(Kind::Text, span);
    }

    /// Notes what may not stand in an attribute's value; whether it is what it looks like.
    fn check_value(&mut self, value: &Range<usize>) -> bool {
        let content = self.slice(value);
        if !has(content, |b| (b < b' ') | (b == 0xEF) | (b == b'<') | (b == b'&')) {
            return true;
        }
        if let Some(at) = content.find('<') {
            self.defect(DefectKind::LessThanInAttribute, value.start + at..value.start + at + 1);
        }
        if let Some(at) = content.find(is_forbidden) {
            self.defect(DefectKind::ControlCharacter, value.start + at..value.start + at + 1);
        }
        for (at, _) in content.match_indices('&') {
            let reference = content.get(at + 1..).and_then(|rest| rest.split_once(';')).map(|(name, _)| name);
            let kind = match reference {
                Some(name) if resolve(name).is_some() => continue,
                Some(name) if is_name(name) => DefectKind::UndefinedEntity,
                _ => DefectKind::BareAmpersand,
            };
            self.defect(kind, value.start + at..value.start + at + 1);
        }
        false
    }

    fn leaf(&mut self, kind: Kind, span: Range<usize>) {
        if self.skipped == 0 {
            self.push(kind, span);
        }
    }

    fn push(&mut self, kind: Kind, span: Range<usize>) {
        let id = self.nodes.len();
        let parent = self.open.last().copied();
        if let Some(Kind::Element(above)) = parent.and_then(|p| self.nodes.get_mut(p)).map(|n| &mut n.kind) {
            above.children.push(id);
        }
        self.nodes.push(NodeRecord { parent, span, kind });
    }

    fn defect(&mut self, kind: DefectKind, span: Range<usize>) {
        match self.defects.len() {
            n if n < MAX_DEFECTS => self.defects.push(Defect { kind, span }),
            n if n == MAX_DEFECTS => self.defects.push(Defect { kind: DefectKind::TooManyDefects, span }),
            _ => {}
        }
    }

    fn start_tag(&self, id: usize) -> Range<usize> {
        match self.nodes.get(id).map(|n| &n.kind) {
            Some(Kind::Element(element)) => element.start.clone(),
            _ => 0..0,
        }
    }

    fn name_of(&self, id: usize) -> &'t str {
        match self.nodes.get(id).map(|n| &n.kind) {
            Some(Kind::Element(element)) => self.slice(&element.name),
            _ => "",
        }
    }

    fn slice(&self, span: &Range<usize>) -> &'t str {
        self.text.get(span.clone()).unwrap_or_default()
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// Bytes from a broken `<` to the next one.
fn next_markup(rest: &str) -> usize {
    rest.get(1..).and_then(|r| r.find('<')).map_or(rest.len(), |at| at + 1)
}

/// The span of a slice within the text that it was cut from.
fn within(text: &str, slice: &str) -> Option<Range<usize>> {
    let start = (slice.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (start + slice.len() <= text.len()).then(|| start..start + slice.len())
}

/// XML 1.0 names, restricted to at most one colon (Namespaces in XML).
fn is_name(name: &str) -> bool {
    match name.bytes().position(|b| b == b':') {
        Some(colon) => {
            let (prefix, rest) = name.split_at(colon);
            is_name_part(prefix) && is_name_part(rest.get(1..).unwrap_or_default())
        }
        None => is_name_part(name),
    }
}

fn is_name_part(part: &str) -> bool {
    // Nearly all names are of these letters.
    if part.bytes().all(|b| b.is_ascii_alphabetic()) {
        return !part.is_empty();
    }
    let mut chars = part.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{B7}'))
}

/// All forbidden characters are control characters, or begin with EF in UTF-8.
fn is_suspect(byte: u8) -> bool {
    (byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r') | (byte == 0xEF)
}

/// Whether a byte of that kind is in the text: without branches inside, so that many bytes are looked at together.
fn has(text: &str, kind: impl Fn(u8) -> bool) -> bool {
    text.as_bytes().chunks(128).any(|chunk| chunk.iter().fold(false, |found, byte| found | kind(*byte)))
}

/// XML 1.0 §2.2: characters that may not occur even as themselves.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

fn resolve(reference: &str) -> Option<char> {
    match reference.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
        None => resolve_xml_entity(reference).and_then(|text| text.chars().next()),
    }
}

/// References resolved, whitespace characters as blanks; what is no reference stays as it is.
pub(super) fn attribute_value(raw: &str) -> Cow<'_, str> {
    if !raw.contains(['&', '\r', '\n', '\t']) {
        return Cow::Borrowed(raw);
    }
    let mut value = String::with_capacity(raw.len());
    let flat = raw.replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
    let mut rest = flat.as_str();
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        value.push_str(before);
        let resolved = from.get(1..).and_then(|f| f.split_once(';')).and_then(|(name, after)| {
            (name.len() <= 10).then(|| resolve(name)).flatten().map(|character| (character, after))
        });
        match resolved {
            Some((character, after)) => {
                value.push(character);
                rest = after;
            }
            None => {
                value.push('&');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    value.push_str(rest);
    Cow::Owned(value)
}
