//! How things look: few colours on the terminal's own foreground and background; none at all when asked.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use super::line::{Line, Role};
use crate::enrollment::{Outcome, StepState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    pub colour: bool,
    /// Marks that every font has.
    pub ascii: bool,
}

impl Default for Theme {
    fn default() -> Self {
        Self { colour: true, ascii: false }
    }
}

impl Theme {
    pub fn style(self, role: Role) -> Style {
        let plain = Style::default();
        let colour = |colour: Color| if self.colour { plain.fg(colour) } else { plain };
        match role {
            Role::Plain => plain,
            Role::Dim => plain.add_modifier(Modifier::DIM),
            Role::Strong => plain.add_modifier(Modifier::BOLD),
            Role::Good => colour(Color::Green),
            Role::Warning => colour(Color::Yellow),
            Role::Error => colour(Color::Red).add_modifier(Modifier::BOLD),
            Role::Info | Role::Tag => colour(Color::Cyan),
            Role::Mark => plain.add_modifier(Modifier::REVERSED),
        }
    }

    /// The line that keys act on; `focused`: in the pane that has the keys.
    pub fn selected(self, focused: bool) -> Style {
        let style = Style::default().add_modifier(Modifier::REVERSED);
        if focused { style } else { style.add_modifier(Modifier::DIM) }
    }

    pub fn line(self, line: &Line) -> ratatui::text::Line<'static> {
        let spans = line.0.iter().map(|piece| Span::styled(self.plain(&piece.text), self.style(piece.role)));
        ratatui::text::Line::from(spans.collect::<Vec<_>>())
    }

    /// Our own marks among the text, as every font has them.
    fn plain(self, text: &str) -> String {
        if !self.ascii || text.is_ascii() {
            return text.to_owned();
        }
        text.replace('…', "..").replace('·', "-").replace('→', "->").replace('»', ">").replace('µ', "u")
    }

    pub fn dots(self) -> &'static str {
        if self.ascii { ".." } else { "…" }
    }

    pub fn rule(self) -> (&'static str, &'static str) {
        if self.ascii { ("-", "|") } else { ("─", "│") }
    }

    /// Before a row that the user has marked.
    pub fn marked(self) -> &'static str {
        if self.ascii { "*" } else { "▪" }
    }

    pub fn outcome(self, outcome: Outcome) -> (&'static str, Role) {
        let (fine, plain, role) = match outcome {
            Outcome::Enrolled => ("✔", "+", Role::Good),
            Outcome::Failed => ("✖", "x", Role::Error),
            Outcome::Stalled => ("▲", "!", Role::Warning),
            Outcome::InProgress => ("◐", "o", Role::Info),
        };
        (if self.ascii { plain } else { fine }, role)
    }

    pub fn step(self, state: StepState) -> (&'static str, Role) {
        let (fine, plain, role) = match state {
            StepState::Done => ("●", "#", Role::Good),
            StepState::Now => ("◐", "o", Role::Info),
            StepState::Failed => ("✖", "x", Role::Error),
            StepState::Ahead => ("·", ".", Role::Dim),
            StepState::Elsewhere => ("┄", "-", Role::Dim),
        };
        (if self.ascii { plain } else { fine }, role)
    }
}
