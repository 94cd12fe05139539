//! The one table of keys: what they do where, and the words that the footer and the help show for them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::Model;
use super::screen::{Focus, Screen};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    Back,
    NextTab,
    PreviousTab,
    /// From 0.
    Tab(usize),
    NextExchange,
    PreviousExchange,
    Expand,
    Collapse,
    NextFinding,
    PreviousFinding,
    Filter,
    OnlyFailed,
    OnlyStuck,
    OneOfEach,
    Site,
    Explain,
    Follow,
    Sort,
    FoldAll,
    UnfoldAll,
    Raw,
    Copy,
    Ticket,
    Mark,
    Compare,
    Save,
    Replay,
    Pause,
    Help,
    Suspend,
    Quit,
}

/// Where a key means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    Overview,
    /// The list of a device's exchanges.
    Exchanges,
    /// A page that is read.
    Sheet,
    /// A page over the whole screen.
    Over,
}

pub(super) struct Binding {
    pub keys: &'static [(KeyCode, KeyModifiers)],
    pub action: Action,
    pub contexts: &'static [Context],
    /// How the keys are called.
    pub label: &'static str,
    /// For the footer; empty: not worth its room.
    pub short: &'static str,
    pub help: &'static str,
}

use Context::{Exchanges, Over, Overview, Sheet};

const NONE: KeyModifiers = KeyModifiers::NONE;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;
const EVERYWHERE: &[Context] = &[Overview, Exchanges, Sheet, Over];
const SCREENS: &[Context] = &[Overview, Exchanges, Sheet];
const DEVICE: &[Context] = &[Exchanges, Sheet];

const fn key(c: char) -> (KeyCode, KeyModifiers) {
    (KeyCode::Char(c), NONE)
}

const fn code(code: KeyCode) -> (KeyCode, KeyModifiers) {
    (code, NONE)
}

/// In the order of the footer and of the help.
pub(super) static BINDINGS: &[Binding] = &[
    Binding {
        keys: &[code(KeyCode::Enter)],
        action: Action::Open,
        contexts: SCREENS,
        label: "Enter",
        short: "open",
        help: "Open the device; read the exchange; go to the place of the finding",
    },
    Binding {
        keys: &[code(KeyCode::Esc), code(KeyCode::Backspace)],
        action: Action::Back,
        contexts: EVERYWHERE,
        label: "Esc",
        short: "back",
        help: "Go back; in the overview: clear the filter, then the marks",
    },
    Binding {
        keys: &[key('?'), code(KeyCode::F(1))],
        action: Action::Help,
        contexts: EVERYWHERE,
        label: "?",
        short: "help",
        help: "This help",
    },
    Binding {
        keys: &[key('q'), (KeyCode::Char('c'), CTRL)],
        action: Action::Quit,
        contexts: EVERYWHERE,
        label: "q",
        short: "quit",
        help: "Quit (Ctrl-C too)",
    },
    Binding {
        keys: &[key('w')],
        action: Action::Site,
        contexts: EVERYWHERE,
        label: "w",
        short: "site",
        help: "What is wrong with this site: causes by count, what the failed have in common, who was expected",
    },
    Binding {
        keys: &[key('x')],
        action: Action::Explain,
        contexts: EVERYWHERE,
        label: "x",
        short: "explain",
        help: "Explain the code, and the rule of the finding: meaning, causes, what helps",
    },
    Binding {
        keys: &[code(KeyCode::Down), key('j')],
        action: Action::Down,
        contexts: EVERYWHERE,
        label: "j Down",
        short: "",
        help: "Down",
    },
    Binding {
        keys: &[code(KeyCode::Up), key('k')],
        action: Action::Up,
        contexts: EVERYWHERE,
        label: "k Up",
        short: "",
        help: "Up",
    },
    Binding {
        keys: &[code(KeyCode::PageDown), (KeyCode::Char('d'), CTRL), (KeyCode::Char('f'), CTRL), key(' ')],
        action: Action::PageDown,
        contexts: EVERYWHERE,
        label: "PgDn Space",
        short: "",
        help: "A page down (Ctrl-D too)",
    },
    Binding {
        keys: &[code(KeyCode::PageUp), (KeyCode::Char('u'), CTRL), (KeyCode::Char('b'), CTRL)],
        action: Action::PageUp,
        contexts: EVERYWHERE,
        label: "PgUp",
        short: "",
        help: "A page up (Ctrl-U too)",
    },
    Binding {
        keys: &[code(KeyCode::Home), key('g')],
        action: Action::Top,
        contexts: EVERYWHERE,
        label: "g Home",
        short: "",
        help: "To the top",
    },
    Binding {
        keys: &[code(KeyCode::End), key('G')],
        action: Action::Bottom,
        contexts: EVERYWHERE,
        label: "G End",
        short: "",
        help: "To the end",
    },
    Binding {
        keys: &[code(KeyCode::Tab)],
        action: Action::NextTab,
        contexts: DEVICE,
        label: "Tab",
        short: "next tab",
        help: "The next tab",
    },
    Binding {
        keys: &[code(KeyCode::BackTab), (KeyCode::BackTab, KeyModifiers::SHIFT)],
        action: Action::PreviousTab,
        contexts: DEVICE,
        label: "Shift-Tab",
        short: "",
        help: "The tab before",
    },
    Binding {
        keys: &[key('1')],
        action: Action::Tab(0),
        contexts: DEVICE,
        label: "1",
        short: "",
        help: "Summary",
    },
    Binding {
        keys: &[key('2')],
        action: Action::Tab(1),
        contexts: DEVICE,
        label: "2",
        short: "",
        help: "Findings",
    },
    Binding {
        keys: &[key('3')],
        action: Action::Tab(2),
        contexts: DEVICE,
        label: "3",
        short: "",
        help: "Request",
    },
    Binding {
        keys: &[key('4')],
        action: Action::Tab(3),
        contexts: DEVICE,
        label: "4",
        short: "",
        help: "Response",
    },
    Binding {
        keys: &[key('5')],
        action: Action::Tab(4),
        contexts: DEVICE,
        label: "5",
        short: "",
        help: "Decoded",
    },
    Binding {
        keys: &[key('6')],
        action: Action::Tab(5),
        contexts: DEVICE,
        label: "6",
        short: "",
        help: "Causes: why the enrollment stands where it stands, what helps, what the code means",
    },
    Binding {
        keys: &[key('7')],
        action: Action::Tab(6),
        contexts: DEVICE,
        label: "7",
        short: "",
        help: "Time: the exchanges on a common axis, with what each of them waited for",
    },
    Binding {
        keys: &[key('-')],
        action: Action::FoldAll,
        contexts: DEVICE,
        label: "-",
        short: "",
        help: "Fold all parts of the decoded document; Enter folds or unfolds one",
    },
    Binding {
        keys: &[key('+'), key('=')],
        action: Action::UnfoldAll,
        contexts: DEVICE,
        label: "+",
        short: "",
        help: "Unfold them",
    },
    Binding {
        keys: &[key(']'), code(KeyCode::Right), key('l')],
        action: Action::NextExchange,
        contexts: DEVICE,
        label: "] l Right",
        short: "",
        help: "The next exchange",
    },
    Binding {
        keys: &[key('['), code(KeyCode::Left), key('h')],
        action: Action::PreviousExchange,
        contexts: DEVICE,
        label: "[ h Left",
        short: "",
        help: "The exchange before",
    },
    Binding {
        keys: &[code(KeyCode::Right), key('l')],
        action: Action::Expand,
        contexts: &[Overview],
        label: "l Right",
        short: "",
        help: "Show a device's attempts",
    },
    Binding {
        keys: &[code(KeyCode::Left), key('h')],
        action: Action::Collapse,
        contexts: &[Overview],
        label: "h Left",
        short: "",
        help: "Hide them",
    },
    Binding {
        keys: &[key('n')],
        action: Action::NextFinding,
        contexts: SCREENS,
        label: "n",
        short: "next finding",
        help: "The next finding, or the next device with one; on a page that is searched, the next place",
    },
    Binding {
        keys: &[key('n')],
        action: Action::NextFinding,
        contexts: &[Over],
        label: "n",
        short: "",
        help: "The next place of what is searched",
    },
    Binding {
        keys: &[key('N')],
        action: Action::PreviousFinding,
        contexts: EVERYWHERE,
        label: "N",
        short: "",
        help: "The finding, device or place before",
    },
    Binding {
        keys: &[key('/')],
        action: Action::Filter,
        contexts: &[Overview],
        label: "/",
        short: "filter",
        help: "Show devices that this fits: words, or stage:policy & outcome:failed, rule:CSR-004, status>=400, age<10m",
    },
    Binding {
        keys: &[key('/')],
        action: Action::Filter,
        contexts: &[Exchanges, Sheet, Over],
        label: "/",
        short: "search",
        help: "Search the page; n and N go from place to place, Esc ends it",
    },
    Binding {
        keys: &[key('e')],
        action: Action::OnlyFailed,
        contexts: &[Overview],
        label: "e",
        short: "only failed",
        help: "Show only what failed, is stuck or was refused",
    },
    Binding {
        keys: &[key('t')],
        action: Action::OnlyStuck,
        contexts: &[Overview],
        label: "t",
        short: "unfinished",
        help: "Show only who is neither enrolled nor failed, the longest in their step first",
    },
    Binding {
        keys: &[key('o')],
        action: Action::OneOfEach,
        contexts: &[Overview],
        label: "o",
        short: "one of each",
        help: "Of those with the same trouble show one, and how many there are",
    },
    Binding {
        keys: &[key('f')],
        action: Action::Follow,
        contexts: &[Overview],
        label: "f",
        short: "follow",
        help: "Stay on the newest device",
    },
    Binding {
        keys: &[key('s')],
        action: Action::Sort,
        contexts: &[Overview],
        label: "s",
        short: "sort",
        help: "Sort: newest, trouble, latest activity, oldest first",
    },
    Binding {
        keys: &[key('r')],
        action: Action::Raw,
        contexts: DEVICE,
        label: "r",
        short: "raw",
        help: "Bodies as received, or laid out",
    },
    Binding {
        keys: &[key('y')],
        action: Action::Copy,
        contexts: EVERYWHERE,
        label: "y",
        short: "copy",
        help: "Copy the verdict, exchange, finding, message or page; where a search found something, that line",
    },
    Binding {
        keys: &[key('Y')],
        action: Action::Ticket,
        contexts: SCREENS,
        label: "Y",
        short: "",
        help: "Copy the device, or those that are marked, as a ticket in Markdown",
    },
    Binding {
        keys: &[key('m')],
        action: Action::Mark,
        contexts: &[Overview],
        label: "m",
        short: "mark",
        help: "Mark the device, to compare, save, copy or replay several at once; again to unmark",
    },
    Binding {
        keys: &[key('c')],
        action: Action::Compare,
        contexts: &[Overview],
        label: "c",
        short: "",
        help: "Compare two devices by stage: the two that are marked, or the marked one and this",
    },
    Binding {
        keys: &[key('E')],
        action: Action::Save,
        contexts: SCREENS,
        label: "E",
        short: "save",
        help: "Save it to a file: a report (.html, .md, .xml), a bundle (.zip), a capture (.jsonl) or HAR (.har)",
    },
    Binding {
        keys: &[key('R')],
        action: Action::Replay,
        contexts: SCREENS,
        label: "R",
        short: "",
        help: "Have it enroll again at another server, and compare; options as those of `replay`",
    },
    Binding {
        keys: &[key('p')],
        action: Action::Pause,
        contexts: EVERYWHERE,
        label: "p",
        short: "",
        help: "Let the screen stand still, and go on; traffic and recording do not notice",
    },
    Binding {
        keys: &[(KeyCode::Char('z'), CTRL)],
        action: Action::Suspend,
        contexts: EVERYWHERE,
        label: "Ctrl-Z",
        short: "",
        help: "Suspend (only on a recording: a proxy must go on)",
    },
];

/// Where the user is, as far as keys go. Writing a line has its own rules.
pub(super) fn context(model: &Model) -> Context {
    match (model.ui.overlay, model.ui.screen, model.ui.focus) {
        (overlay, ..) if overlay.is_page() => Over,
        (_, Screen::Overview, _) => Overview,
        (_, Screen::Device, Focus::List) => Exchanges,
        (_, Screen::Device, Focus::Sheet) => Sheet,
    }
}

/// What a key means there.
pub(super) fn action(event: KeyEvent, context: Context) -> Option<Action> {
    // Terminals report the shift of an upper-case letter, or do not.
    let modifiers = match event.code {
        KeyCode::Char(_) => event.modifiers - KeyModifiers::SHIFT,
        _ => event.modifiers,
    };
    let meant = |binding: &&Binding| {
        binding.contexts.contains(&context) && binding.keys.contains(&(event.code, modifiers))
    };
    BINDINGS.iter().find(meant).map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for context in EVERYWHERE {
            let mut seen = Vec::new();
            for binding in BINDINGS.iter().filter(|b| b.contexts.contains(context)) {
                for key in binding.keys {
                    assert!(!seen.contains(key), "{context:?}: {key:?} twice");
                    seen.push(*key);
                }
            }
        }
    }

    #[test]
    fn every_binding_says_what_it_does() {
        for binding in BINDINGS {
            assert!(!binding.help.is_empty() && !binding.label.is_empty(), "{:?}", binding.action);
            assert!(!binding.contexts.is_empty() && !binding.keys.is_empty(), "{:?}", binding.action);
        }
    }
}
