//! XML laid out to be read: every tag and text as it came, only the blanks between elements are ours.

use std::ops::Range;

use crate::dashboard::line::{Line, Role};
use crate::xml::{Document, Element};

/// A line of the layout, and the part of the document's text that stands on it.
pub(super) struct Laid {
    pub(super) line: Line,
    pub(super) span: Range<usize>,
}

const INDENT: usize = 2;
/// Deeper levels are not indented further.
const MAX_INDENT: usize = 24;

/// `mark` is a range of the text to make visible.
pub(super) fn lay_out(document: &Document, mark: Option<&Range<usize>>) -> Vec<Laid> {
    let mut layout = Layout { text: document.source().text(), mark, lines: Vec::new() };
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
        self.line(element.start(), depth, Role::Tag);
        let mut at = element.start().end;
        for child in &children {
            let start = child.span().start;
            self.loose(at..start, depth + 1);
            self.element(child, depth + 1);
            at = child.span().end.max(start);
        }
        self.loose(at..element.content().end.max(at), depth + 1);
        self.line(element.content().end.max(at)..span.end, depth, Role::Tag);
    }

    /// An element without elements in it stands on one line.
    fn tagged(&mut self, span: Range<usize>, element: &Element<'_>, depth: usize) {
        let (start, content) = (element.start(), element.content());
        let parts = [(start, Role::Tag), (content.clone(), Role::Plain), (content.end..span.end, Role::Tag)];
        let mut line = Line::plain(&indent(depth));
        for (part, role) in parts {
            self.pieces(&mut line, part, role);
        }
        self.lines.push(Laid { line, span });
    }

    /// What stands between elements: comments, declarations, stray text. Blanks are not shown.
    fn loose(&mut self, span: Range<usize>, depth: usize) {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let start = span.start + (text.len() - text.trim_start().len());
        if !text.trim().is_empty() {
            self.line(start..start + text.trim().len(), depth, Role::Dim);
        }
    }

    fn line(&mut self, span: Range<usize>, depth: usize, role: Role) {
        if span.is_empty() {
            return;
        }
        let mut line = Line::plain(&indent(depth));
        self.pieces(&mut line, span.clone(), role);
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
    fn the_marked_part_stands_out() {
        let document = Document::read(b"<a><b>text</b></a>");
        let laid = lay_out(&document, Some(&(6..10)));
        let marked: Vec<_> = laid.iter().flat_map(|l| &l.line.0).filter(|p| p.role == Role::Mark).collect();
        assert_eq!(marked.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["text"]);
    }
}
