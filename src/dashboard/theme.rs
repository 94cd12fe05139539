//! How things look: few colours on the terminal's own foreground and background; none at all when asked.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use super::line::{Line, Piece, Role};
use crate::enrollment::{Outcome, StepState};

/// Which colours there are. Dark and light have the sixteen of the user's own palette, on the terminal's background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    #[default]
    Dark,
    Light,
    /// Has a background of its own.
    HighContrast,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    pub colours: Colours,
    /// Marks that every font has.
    pub ascii: bool,
}

impl Colours {
    /// Those that suit the background that COLORFGBG tells of: `15;0`, `0;default;15`; the last is the background.
    pub fn on(colorfgbg: &str) -> Self {
        match colorfgbg.rsplit(';').next().and_then(|last| last.parse().ok()) {
            Some(7 | 9..=15) => Self::Light,
            Some(0_u8..) | None => Self::Dark,
        }
    }
}

impl Theme {
    /// What everything is drawn on.
    pub fn ground(self) -> Style {
        match self.colours {
            Colours::Dark | Colours::Light | Colours::None => Style::reset(),
            Colours::HighContrast => Style::reset().fg(Color::White).bg(Color::Black),
        }
    }

    pub fn style(self, role: Role) -> Style {
        match self.colours {
            Colours::Dark => dark(role),
            Colours::Light => light(role),
            Colours::HighContrast => high_contrast(role),
            Colours::None => bare(role),
        }
    }

    /// The line that keys act on; `focused`: in the pane that has the keys.
    pub fn selected(self, focused: bool) -> Style {
        // In one colour: what is seen of the row's own are stripes.
        let reversed = Style::default().fg(Color::Reset).remove_modifier(Modifier::DIM);
        let reversed = reversed.add_modifier(Modifier::REVERSED);
        match (self.colours, focused) {
            (Colours::Dark | Colours::Light | Colours::None, true) => reversed,
            (Colours::Dark | Colours::None, false) => reversed.add_modifier(Modifier::DIM),
            (Colours::Light, false) => reversed.fg(Color::DarkGray),
            (Colours::HighContrast, true) => Style::default().fg(Color::Black).bg(Color::White),
            (Colours::HighContrast, false) => {
                Style::default().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
            }
        }
    }

    /// The line as it is written; it may have become wider.
    pub fn written(self, line: &Line) -> Line {
        if !self.ascii {
            return line.clone();
        }
        let pieces = line.0.iter().map(|piece| Piece { role: piece.role, text: ascii(&piece.text) });
        Line(pieces.collect())
    }

    pub fn line(self, line: &Line) -> ratatui::text::Line<'static> {
        let spans = line.0.iter().map(|piece| Span::styled(piece.text.clone(), self.style(piece.role)));
        ratatui::text::Line::from(spans.collect::<Vec<_>>())
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

fn dark(role: Role) -> Style {
    let plain = Style::default();
    match role {
        Role::Plain => plain,
        Role::Dim => plain.add_modifier(Modifier::DIM),
        Role::Strong => plain.add_modifier(Modifier::BOLD),
        Role::Good | Role::Value => plain.fg(Color::Green),
        Role::Warning => plain.fg(Color::Yellow),
        Role::Error => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Info | Role::Tag => plain.fg(Color::Cyan),
        Role::Attribute => plain.fg(Color::Magenta),
        Role::Mark => plain.add_modifier(Modifier::REVERSED),
    }
}

/// Nothing that is pale on white: no yellow, cyan or white, and grey instead of what terminals make of dim.
fn light(role: Role) -> Style {
    let plain = Style::default();
    match role {
        Role::Plain => plain,
        Role::Dim => plain.fg(Color::DarkGray),
        Role::Strong => plain.add_modifier(Modifier::BOLD),
        Role::Good | Role::Value => plain.fg(Color::Green),
        Role::Warning | Role::Attribute => plain.fg(Color::Magenta),
        Role::Error => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Info | Role::Tag => plain.fg(Color::Blue),
        Role::Mark => plain.add_modifier(Modifier::REVERSED),
    }
}

fn high_contrast(role: Role) -> Style {
    let strong = |colour: Color| Style::default().fg(colour).add_modifier(Modifier::BOLD);
    match role {
        Role::Plain | Role::Dim => Style::default(),
        // Windows' magenta is dark.
        Role::Strong | Role::Attribute => strong(Color::White),
        Role::Good | Role::Value => strong(Color::LightGreen),
        Role::Warning => strong(Color::LightYellow),
        Role::Error => strong(Color::LightRed).add_modifier(Modifier::UNDERLINED),
        Role::Info | Role::Tag => strong(Color::LightCyan),
        Role::Mark => strong(Color::Black).bg(Color::LightYellow),
    }
}

/// Marks and words say what is wrong; bold says that something is.
fn bare(role: Role) -> Style {
    let plain = Style::default();
    match role {
        Role::Plain | Role::Good | Role::Info | Role::Attribute | Role::Value => plain,
        Role::Dim => plain.add_modifier(Modifier::DIM),
        Role::Strong | Role::Warning | Role::Error | Role::Tag => plain.add_modifier(Modifier::BOLD),
        Role::Mark => plain.add_modifier(Modifier::REVERSED),
    }
}

/// Our own marks and the quotation marks of other people's documents, as every font has them.
fn ascii(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '…' => out.push_str(".."),
            '·' | '–' | '—' => out.push('-'),
            '→' | '»' => out.push('>'),
            '“' | '”' => out.push('"'),
            'µ' => out.push('u'),
            '▸' => out.push('>'),
            '▾' => out.push('v'),
            // The parts of an exchange's time.
            '░' => out.push('n'),
            '▒' => out.push('c'),
            '▓' => out.push('t'),
            '▖' => out.push('s'),
            // From low to high.
            '▁' => out.push('_'),
            '▂' => out.push('.'),
            '▃' => out.push(':'),
            '▄' => out.push('-'),
            '▅' => out.push('='),
            '▆' => out.push('+'),
            '▇' => out.push('*'),
            '█' => out.push('#'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Colours; 4] = [Colours::Dark, Colours::Light, Colours::HighContrast, Colours::None];

    /// A cell's colours as they are seen: text, and what is behind it. A terminal's own two are not each other.
    fn seen(style: Style) -> (Option<Color>, Option<Color>) {
        let known = |colour: Option<Color>| colour.filter(|c| *c != Color::Reset);
        let pair = (known(style.fg), known(style.bg));
        if style.add_modifier.contains(Modifier::REVERSED) { (pair.1, pair.0) } else { pair }
    }

    #[test]
    fn nothing_is_drawn_in_the_colour_that_is_behind_it() {
        for colours in ALL {
            let theme = Theme { colours, ascii: false };
            for role in Role::ALL {
                let style = theme.ground().patch(theme.style(*role));
                let (selected, passed) = (theme.selected(true), theme.selected(false));
                for style in [style, style.patch(selected), style.patch(passed)] {
                    let (text, behind) = seen(style);
                    assert!(text.is_none() || text != behind, "{colours:?} {role:?} {style:?}");
                }
            }
        }
    }

    #[test]
    fn what_matters_is_told_without_colour_too() {
        for colours in ALL {
            let theme = Theme { colours, ascii: false };
            let bare = |role: Role| Style { fg: None, bg: None, ..theme.style(role) };
            for role in [Role::Strong, Role::Error] {
                assert_ne!(bare(role), bare(Role::Plain), "{colours:?} {role:?}");
            }
            for style in [theme.style(Role::Mark), theme.selected(true), theme.selected(false)] {
                let marked = style.bg.is_some() || style.add_modifier != Modifier::empty();
                assert!(marked, "{colours:?} {style:?}");
            }
            assert_ne!(theme.selected(true), theme.selected(false));
        }
        let none = Theme { colours: Colours::None, ascii: false };
        for role in Role::ALL {
            assert_eq!((none.style(*role).fg, none.style(*role).bg), (None, None));
        }
        assert_ne!(none.style(Role::Warning), none.style(Role::Plain));
    }

    #[test]
    fn each_background_has_what_can_be_read_on_it() {
        let of =
            |colours: Colours| Role::ALL.iter().map(move |role| Theme { colours, ascii: false }.style(*role));
        let pale = [Color::Yellow, Color::Cyan, Color::Gray, Color::White];
        assert!(of(Colours::Light).all(|style| style.fg.is_none_or(|fg| !pale.contains(&fg))));
        for colours in [Colours::Light, Colours::HighContrast] {
            assert!(of(colours).all(|style| !style.add_modifier.contains(Modifier::DIM)), "{colours:?}");
        }
        for (told, colours) in [
            ("", Colours::Dark),
            ("15;0", Colours::Dark),
            ("7;8", Colours::Dark),
            ("0;15", Colours::Light),
            ("0;default;7", Colours::Light),
            ("default;default", Colours::Dark),
            ("15", Colours::Light),
            ("0;300", Colours::Dark),
        ] {
            assert_eq!(Colours::on(told), colours, "{told}");
        }
    }
}
