//! Where the user is: which screen, what is selected, how far it is scrolled.

use std::collections::BTreeSet;

use tui_input::Input as TextInput;

use super::exchanges::Serial;
use super::rows::RowId;
use crate::enrollment::EnrollmentId;
use crate::event::Side;
use crate::filter::{Filter, FilterError};
use crate::message::Within;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Screen {
    #[default]
    Overview,
    /// One device (or one kind of refused connection, or what belongs to nobody).
    Device,
}

/// Which pane the keys go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Focus {
    #[default]
    List,
    Sheet,
}

/// What lies over the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overlay {
    #[default]
    None,
    Help,
    /// What is wrong with the site.
    Site,
    /// Codes and rules, explained.
    Explained,
    /// Two devices side by side.
    Compared,
    /// What came of something that was asked for.
    Told,
    /// The filter is being written.
    Filter,
    /// What to look for on the page.
    Search,
    /// The file to write to.
    Save,
    /// Where to replay to, as on the command line.
    Replay,
}

impl Overlay {
    /// A line is being written, and keys are its letters.
    pub fn is_written(self) -> bool {
        matches!(self, Self::Filter | Self::Search | Self::Save | Self::Replay)
    }

    /// A page lies over the screen.
    pub fn is_page(self) -> bool {
        matches!(self, Self::Help | Self::Site | Self::Explained | Self::Compared | Self::Told)
    }
}

/// What is shown of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    #[default]
    Summary,
    Findings,
    Request,
    Response,
    Decoded,
    /// Of the enrollment, not of the exchange.
    Causes,
    /// Of the enrollment: its exchanges on a common axis.
    Time,
}

impl Tab {
    pub const ALL: &'static [Self] = &[
        Self::Summary,
        Self::Findings,
        Self::Request,
        Self::Response,
        Self::Decoded,
        Self::Causes,
        Self::Time,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Findings => "Findings",
            Self::Request => "Request",
            Self::Response => "Response",
            Self::Decoded => "Decoded",
            Self::Causes => "Causes",
            Self::Time => "Time",
        }
    }

    /// As it stands in the line of tabs; with the number of findings where there are some.
    pub fn label(self, findings: usize) -> String {
        let at = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0) + 1;
        match (self, findings) {
            (Self::Findings, 1..) => format!(" {at} {} {findings} ", self.title()),
            _ => format!(" {at} {} ", self.title()),
        }
    }

    /// The tab so many places on, around the end.
    #[must_use]
    pub fn step(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        let count = Self::ALL.len().cast_signed();
        let next = (at.cast_signed() + by).rem_euclid(count).cast_unsigned();
        Self::ALL.get(next).copied().unwrap_or(self)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    #[default]
    Newest,
    Oldest,
    Trouble,
    Active,
}

impl Sort {
    pub fn title(self) -> &'static str {
        match self {
            Self::Newest => "newest first",
            Self::Oldest => "oldest first",
            Self::Trouble => "trouble first",
            Self::Active => "latest activity first",
        }
    }

    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Newest => Self::Trouble,
            Self::Trouble => Self::Active,
            Self::Active => Self::Oldest,
            Self::Oldest => Self::Newest,
        }
    }
}

/// A place to show, come from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub side: Option<Side>,
    pub within: Within,
    pub offset: u64,
    pub length: u64,
    pub line: u32,
    /// Where the base64 token that holds the text starts in the body.
    pub outer: Option<u64>,
}

/// What the rows depend on, besides what is known.
pub(super) type ViewKey = (String, [bool; 4], Sort, BTreeSet<EnrollmentId>);

#[derive(Clone, Debug, Default)]
pub struct Ui {
    pub screen: Screen,
    pub focus: Focus,
    pub overlay: Overlay,
    pub tab: Tab,
    /// The overview's selection.
    pub row: Option<RowId>,
    pub row_index: usize,
    /// The user has chosen a row; until then it is the first, whatever comes.
    pub chosen: bool,
    pub row_top: usize,
    pub expanded: BTreeSet<EnrollmentId>,
    pub filter: TextInput,
    /// How the saved filter's name began that Tab goes on from.
    pub(super) completed: Option<String>,
    /// What it means, as far as it was last understood.
    pub sought: Filter,
    /// What of it cannot be understood.
    pub misread: Option<FilterError>,
    pub only_failed: bool,
    /// Who is neither enrolled nor failed, the longest in their step first.
    pub only_stuck: bool,
    /// Of those with the same trouble only one is shown.
    pub one_of_each: bool,
    /// The selection goes to what is newest.
    pub follow: bool,
    pub sort: Sort,
    /// What the device screen is about.
    pub opened: Option<RowId>,
    pub exchange: Option<Serial>,
    pub exchange_top: usize,
    /// The sheet's first line in view.
    pub scroll: usize,
    /// The finding that is selected in its tab.
    pub finding: usize,
    pub target: Option<Target>,
    /// The part of a decoded document that keys act on.
    pub node: Option<String>,
    /// Its parts that are folded.
    pub folded: BTreeSet<String>,
    /// Bodies as received rather than laid out.
    pub raw: bool,
    /// What is looked for on pages; empty: nothing.
    pub search: TextInput,
    /// The line of the page that was gone to.
    pub found: Option<usize>,
    /// The page under the line that is written.
    pub under: Overlay,
    /// The file to write to, or where to replay to.
    pub entry: TextInput,
    /// What the file or the replay is of: so many rows, and their exchanges.
    pub asked: (usize, Vec<Serial>),
    /// The exchanges that were to be saved, and the name, until that is done.
    pub unsaved: Option<(Vec<Serial>, String)>,
    /// What was written last time.
    pub replayed_to: String,
    /// Rows that belong together: to be compared, or saved as one.
    pub marked: Vec<RowId>,
    /// The screen stands still; what comes waits.
    pub paused: bool,
    /// What [`Overlay::Told`] says: a title, and text.
    pub told: (String, String),
    /// What [`Overlay::Explained`] explains: codes and rules.
    pub explained: String,
    /// The first line in view of the page over the screen.
    pub over_scroll: usize,
    /// A word about the last key, until the next.
    pub notice: Option<String>,
    pub(super) rows_of: Option<(u64, ViewKey)>,
}

impl Ui {
    /// What lies over the screen, while a line is written below it, too.
    pub(super) fn page(&self) -> Overlay {
        if self.overlay == Overlay::Search { self.under } else { self.overlay }
    }

    pub(super) fn view_key(&self) -> ViewKey {
        let marks = [self.only_failed, self.only_stuck, self.one_of_each, self.follow];
        (self.filter.value().to_owned(), marks, self.sort, self.expanded.clone())
    }

    /// Two enrollments turned out to be one.
    pub(super) fn merged(&mut self, gone: EnrollmentId, into: EnrollmentId) {
        for row in [&mut self.row, &mut self.opened].into_iter().flatten().chain(&mut self.marked) {
            match row {
                RowId::Device(id) | RowId::Attempt(id) if *id == gone => *id = into,
                _ => {}
            }
        }
        if self.expanded.remove(&gone) {
            self.expanded.insert(into);
        }
    }
}
