//! XML laid out to be read: every tag and text as it came, only the blanks between elements are ours.

use std::ops::Range;

use crate::dashboard::line::{Line, Role};
use crate::xml::{Document, Element};

/// A line of the layout, and the part of the document's text that stands on it.
pub(super) struct Laid {
    pub(super) line: Line,
    pub(super) span: Range<usize>,
}

/// A stretch of the document's text, and what it is.
type Part = (Range<usize>, Role);

const INDENT: usize = 2;
/// Deeper levels are not indented further.
const MAX_INDENT: usize = 24;

/// `mark` is a range of the text to make visible.
pub(super) fn lay_out(document: &Document, mark: Option<&Range<usize>>) -> Vec<Laid> {
    let comments = document.comments().collect();
    let mut layout = Layout { text: document.source().text(), comments, mark, lines: Vec::new() };
    match document.root() {
        Some(root) => {
            layout.loose(0..root.span().start, 0);
            layout.element(&root, 0);
            layout.loose(root.span().end..layout.text.len(), 0);
        }
        None => layout.loose(0..layout.text.len(), 0),
    }
    layout.lines
}

struct Layout<'d> {
    text: &'d str,
    comments: Vec<Range<usize>>,
    mark: Option<&'d Range<usize>>,
    lines: Vec<Laid>,
}

impl Layout<'_> {
    fn element(&mut self, element: &Element<'_>, depth: usize) {
        let span = element.span();
        let children: Vec<_> = element.children().collect();
        if children.is_empty() {
            return self.tagged(span, element, depth);
        }
        self.line(self.start(element), depth);
        let mut at = element.start().end;
        for child in &children {
            let start = child.span().start;
            self.loose(at..start, depth + 1);
            self.element(child, depth + 1);
            at = child.span().end.max(start);
        }
        self.loose(at..element.content().end.max(at), depth + 1);
        self.line(vec![(element.content().end.max(at)..span.end, Role::Tag)], depth);
    }

    /// An element without elements in it stands on one line.
    fn tagged(&mut self, span: Range<usize>, element: &Element<'_>, depth: usize) {
        let mut parts = self.start(element);
        let (start, content) = (element.start().end, element.content());
        let end = content.end.max(start);
        parts.extend(self.text(start..end));
        parts.push((end..span.end.max(end), Role::Tag));
        self.line(parts, depth);
    }

    /// What stands between elements: comments, declarations, stray text. Blanks are not shown.
    fn loose(&mut self, span: Range<usize>, depth: usize) {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let start = span.start + (text.len() - text.trim_start().len());
        if !text.trim().is_empty() {
            self.line(vec![(start..start + text.trim().len(), Role::Dim)], depth);
        }
    }

    /// A start tag. Its pieces are large, so that folding tears none of them needlessly.
    fn start(&self, element: &Element<'_>) -> Vec<Part> {
        let tag = element.start();
        let mut parts = Vec::new();
        let mut at = tag.start;
        for attribute in element.attributes() {
            let value = self.quoted(attribute.span());
            // What stands before a value ends with its name and "=".
            let before = self.text.get(at..value.start).unwrap_or_default();
            let Some(name) = before.rfind(attribute.name()).filter(|_| at <= value.start) else { continue };
            let name = at + name;
            parts.extend([(at..name, Role::Tag), (name..value.start, Role::Attribute)]);
            parts.push((value.clone(), Role::Value));
            at = value.end;
        }
        parts.push((at..tag.end.max(at), Role::Tag));
        parts
    }

    /// A value with its quotation marks.
    fn quoted(&self, value: Range<usize>) -> Range<usize> {
        let quote = |at: usize| self.text.as_bytes().get(at).filter(|b| matches!(b, b'"' | b'\''));
        match (value.start.checked_sub(1), quote(value.end)) {
            (Some(before), Some(after)) if quote(before) == Some(after) => before..value.end + 1,
            _ => value,
        }
    }

    /// What is in an element without elements: text, and comments in it.
    fn text(&self, span: Range<usize>) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = span.start;
        let first = self.comments.partition_point(|comment| comment.start < span.start);
        for comment in self.comments.iter().skip(first).take_while(|comment| comment.end <= span.end) {
            parts.extend([(at..comment.start.max(at), Role::Plain), (comment.clone(), Role::Dim)]);
            at = comment.end;
        }
        parts.push((at..span.end.max(at), Role::Plain));
        parts
    }

    fn line(&mut self, parts: Vec<Part>, depth: usize) {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return };
        let span = first.0.start..last.0.end;
        if span.is_empty() {
            return;
        }
        let mut line = Line::plain(&indent(depth));
        for (part, role) in parts {
            self.pieces(&mut line, part, role);
        }
        self.lines.push(Laid { line, span });
    }

    fn pieces(&self, line: &mut Line, span: Range<usize>, role: Role) {
        let mark = self.mark.cloned().unwrap_or(0..0);
        let cut = |at: usize| at.clamp(span.start, span.end);
        let (from, to) = (cut(mark.start), cut(mark.end));
        let marks = [(span.start..from, role), (from..to, Role::Mark), (to..span.end, role)];
        for (part, role) in marks {
            // Blanks inside a tag, line breaks for one, are laid out as one blank.
            let text = self.text.get(part).unwrap_or_default();
            let dense = if text.contains(['\n', '\r', '\t']) { dense(text) } else { text.to_owned() };
            line.push(role, &dense);
        }
    }
}

fn indent(depth: usize) -> String {
    " ".repeat((depth * INDENT).min(MAX_INDENT))
}

/// Runs of blanks with a line break in them become one blank.
fn dense(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for c in text.chars() {
        if c.is_ascii_whitespace() {
            blank = true;
        } else {
            if std::mem::take(&mut blank) {
                out.push(' ');
            }
            out.push(c);
        }
    }
    if blank {
        out.push(' ');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(xml: &str, expected: &[&str]) {
        let document = Document::read(xml.as_bytes());
        let lines: Vec<_> = lay_out(&document, None).iter().map(|l| l.line.text()).collect();
        assert_eq!(lines, expected, "{xml}");
    }

    #[test]
    fn elements_are_indented_and_nothing_is_left_out() {
        check("<a><b>text</b><c/></a>", &["<a>", "  <b>text</b>", "  <c/>", "</a>"]);
        check(
            "<?xml version='1.0'?><!-- why --><a x='1'\n   y='2'>stray<b/> tail</a>",
            &["<?xml version='1.0'?><!-- why -->", "<a x='1' y='2'>", "  stray", "  <b/>", "  tail", "</a>"],
        );
        check("no xml at all", &["no xml at all"]);
    }

    #[test]
    fn broken_xml_is_still_laid_out() {
        for xml in ["<a><b>", "<a></b></a>", "<a><b></a>", "<", "<a", "</a>", "<a>&</a><c/>", ""] {
            let document = Document::read(xml.as_bytes());
            let text: String = lay_out(&document, None).iter().map(|l| l.line.text()).collect();
            let dense = |t: &str| t.split_whitespace().collect::<String>();
            assert_eq!(dense(&text), dense(xml));
        }
    }

    #[test]
    fn names_values_and_comments_are_told_apart() {
        let document = Document::read(b"<s:a\n x = 'x' y='<'><b>1<!-- 2 -->3</b><c/></s:a><!-- 4 -->");
        let laid = lay_out(&document, None);
        let of = |role: Role| -> Vec<_> {
            let pieces = laid.iter().flat_map(|l| &l.line.0).filter(|p| p.role == role);
            pieces.map(|p| p.text.as_str()).collect()
        };
        assert_eq!(of(Role::Tag), ["<s:a ", " ", ">", "<b>", "</b>", "<c/>", "</s:a>"]);
        assert_eq!((of(Role::Attribute), of(Role::Value)), (vec!["x = ", "y="], vec!["'x'", "'<'"]));
        assert!(of(Role::Dim).contains(&"<!-- 2 -->") && of(Role::Dim).contains(&"<!-- 4 -->"));
    }

    #[test]
    fn the_marked_part_stands_out() {
        let document = Document::read(b"<a><b>text</b></a>");
        let laid = lay_out(&document, Some(&(6..10)));
        let marked: Vec<_> = laid.iter().flat_map(|l| &l.line.0).filter(|p| p.role == Role::Mark).collect();
        assert_eq!(marked.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["text"]);
    }
}
