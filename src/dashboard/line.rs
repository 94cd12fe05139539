//! Lines of text whose pieces say what they are; the theme decides how that looks.

use super::text::{clean, fit, split, width};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    #[default]
    Plain,
    /// Labels, places, what can be passed over.
    Dim,
    /// Headings and names.
    Strong,
    Good,
    Warning,
    Error,
    Info,
    /// Markup: tags and header names.
    Tag,
    /// Attributes' names.
    Attribute,
    /// Attributes' values.
    Value,
    /// The place that a finding is about.
    Mark,
}

#[cfg(test)]
impl Role {
    pub(super) const ALL: &'static [Self] = &[
        Self::Plain,
        Self::Dim,
        Self::Strong,
        Self::Good,
        Self::Warning,
        Self::Error,
        Self::Info,
        Self::Tag,
        Self::Attribute,
        Self::Value,
        Self::Mark,
    ];
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub role: Role,
    pub text: String,
}

/// One line; every piece of it is clean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Piece>);

impl Line {
    pub fn new(role: Role, text: &str) -> Self {
        Self::default().and(role, text)
    }

    pub fn plain(text: &str) -> Self {
        Self::new(Role::Plain, text)
    }

    #[must_use]
    pub fn and(mut self, role: Role, text: &str) -> Self {
        self.push(role, text);
        self
    }

    pub fn push(&mut self, role: Role, text: &str) {
        if !text.is_empty() {
            self.0.push(Piece { role, text: clean(text).into_owned() });
        }
    }

    pub fn width(&self) -> usize {
        self.0.iter().map(|piece| width(&piece.text)).sum()
    }

    pub fn text(&self) -> String {
        self.0.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// Without the parts at its end for which there is no room; a part begins with a dot between blanks.
    #[must_use]
    pub fn whole_parts(mut self, room: usize) -> Self {
        while self.width() > room {
            match self.0.iter().rposition(|piece| piece.text.starts_with(" · ")) {
                Some(at) if at > 0 => self.0.truncate(at),
                _ => break,
            }
        }
        self
    }

    /// Cut to so many columns.
    #[must_use]
    pub fn fitted(self, room: usize, dots: &str) -> Self {
        if self.width() <= room {
            return self;
        }
        let mut left = room;
        let mut pieces = Vec::new();
        for piece in self.0 {
            let wide = width(&piece.text);
            if wide >= left {
                let text = if wide == left { format!("{} ", piece.text) } else { piece.text };
                pieces.push(Piece { role: piece.role, text: fit(&text, left, dots).into_owned() });
                break;
            }
            left -= wide;
            pieces.push(piece);
        }
        Self(pieces)
    }

    /// Broken into lines of so many columns; later ones are indented by `hang`.
    pub fn folded(self, room: usize, hang: usize) -> Vec<Self> {
        let room = room.max(8);
        let hang = hang.min(room / 2);
        if self.width() <= room {
            return vec![self];
        }
        let mut lines = Vec::new();
        let mut line = Self::default();
        let mut left = room;
        for piece in self.0 {
            let mut rest = piece.text.as_str();
            while !rest.is_empty() {
                let (start, _) = split(rest, left);
                let start = if start.len() == rest.len() { start } else { at_blank(start) };
                // A short piece is not torn when it fits on the next line.
                let tear = start.len() < rest.len() && !start.ends_with(' ');
                let begun = left < room - hang;
                let whole = |text: &str| width(text) <= MAX_WHOLE.min(room - hang);
                let word = rest.split(' ').next().unwrap_or_default();
                if start.is_empty() || (tear && begun && (whole(rest) || whole(word))) {
                    lines.push(std::mem::take(&mut line));
                    line.push(Role::Plain, &" ".repeat(hang));
                    left = room - hang;
                    // A character wider than a whole line cannot be: room is at least eight.
                    continue;
                }
                left -= width(start);
                line.0.push(Piece { role: piece.role, text: start.to_owned() });
                rest = rest.get(start.len()..).unwrap_or_default();
            }
        }
        lines.push(line);
        lines
    }
}

/// Pieces up to this width are kept whole when lines are folded.
const MAX_WHOLE: usize = 40;

/// Cut back to after the last blank, if that does not leave too much of the line empty.
fn at_blank(start: &str) -> &str {
    match start.rfind(' ') {
        Some(at) if at >= start.len() / 2 => start.get(..=at).unwrap_or(start),
        _ => start,
    }
}

/// A page to scroll through, fitted to a width.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub lines: Vec<Line>,
    /// Lines that what is below them can be folded under, and how they are called.
    pub nodes: Vec<(usize, String)>,
    /// The line to have in view first.
    pub focus: Option<usize>,
}

impl Page {
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    pub fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    pub fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.blank();
        }
        self.push(Line::new(Role::Strong, text));
    }

    /// A label and its value, wrapped under itself.
    pub fn field(&mut self, label: &str, role: Role, value: &str, room: usize) {
        const LABEL: usize = 12;
        let value = clean(value);
        let lines = super::text::wrap(&value, room.saturating_sub(LABEL + 2));
        for (index, text) in lines.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let line = Line::new(Role::Dim, &format!("  {label:<LABEL$}"));
            // A label that is too long keeps its distance.
            let gap = if label.len() >= LABEL { " " } else { "" };
            self.push(line.and(role, &format!("{gap}{text}")));
        }
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| line.text().trim_end().to_owned() + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_fold_across_their_pieces() {
        let line = Line::new(Role::Dim, "abc").and(Role::Strong, "defgh").and(Role::Plain, "ijkl");
        assert_eq!(line.clone().fitted(6, "…").text(), "abcde…");
        assert_eq!(line.clone().fitted(8, "…").text(), "abcdefg…");
        assert_eq!(line.clone().fitted(12, "…").text(), "abcdefghijkl");
        let folded: Vec<_> = line.folded(8, 2).iter().map(Line::text).collect();
        assert_eq!(folded, ["abcdefgh", "  ijkl"]);
        // No word is torn for the last three columns of a line.
        let line =
            Line::plain("    ").and(Role::Plain, "one two three four five six seven eight nine ten eleven");
        let folded: Vec<_> = line.folded(20, 4).iter().map(Line::text).collect();
        assert_eq!(
            folded,
            ["    one two three ", "    four five six ", "    seven eight ", "    nine ten eleven"]
        );
    }
}
