//! The overview's rows: one per device with its attempts, one per kind of refused connection; filtered and sorted.

use std::collections::HashMap;

use super::model::Model;
use super::screen::Sort;
use crate::enrollment::{Enrollment, EnrollmentId, Outcome};
use crate::event::Time;
use crate::filter::{Filter, Said, Sought, Text};

/// Says which row, across changes of what is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowId {
    /// The device that has this attempt among its own.
    Device(EnrollmentId),
    /// This attempt by itself.
    Attempt(EnrollmentId),
    Refused(u64),
    /// Exchanges that belong to no enrollment.
    Strays,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: RowId,
    /// Oldest first; the last says how things stand.
    pub attempts: Vec<EnrollmentId>,
    /// The number of an attempt's own row, from 1.
    pub number: Option<usize>,
    /// How urgent it is, for sorting; the first is the most urgent.
    urgency: u8,
    started: Time,
    /// Since when it stands where it stands.
    since: Time,
    latest: Time,
    /// How many others with the same trouble it stands for.
    pub alike: u64,
}

/// Devices by how their latest attempt stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub devices: u64,
    pub enrolled: u64,
    pub failed: u64,
    pub stalled: u64,
    pub in_progress: u64,
    /// Rows that the filter leaves out.
    pub hidden: u64,
}

impl Row {
    /// Whether it is the row that is meant, though attempts may have joined it since.
    pub fn is(&self, wanted: &RowId) -> bool {
        match (&self.id, wanted) {
            (RowId::Device(_), RowId::Device(id)) => self.attempts.contains(id),
            (mine, wanted) => mine == wanted,
        }
    }

    /// The attempt that says how things stand.
    pub fn latest(&self) -> Option<EnrollmentId> {
        self.attempts.last().copied()
    }
}

/// Rebuilds rows and totals when something changed, and keeps the selection on what it was on.
pub(super) fn refresh(model: &mut Model) {
    match Filter::read(model.ui.filter.value(), &model.status.filters) {
        Ok(sought) => {
            // What a name stands for can change while its line does not.
            if sought != model.ui.sought {
                model.ui.rows_of = None;
            }
            (model.ui.sought, model.ui.misread) = (sought, None);
        }
        Err(error) => model.ui.misread = Some(error),
    }
    let key = (model.revision, model.ui.view_key());
    if model.ui.rows_of.as_ref() == Some(&key) {
        return;
    }
    let (rows, totals) = build(model);
    model.rows = rows;
    model.totals = totals;
    model.ui.rows_of = Some(key);
    if model.ui.follow && model.ui.opened.is_none() {
        let newest = model.rows.iter().filter(|row| row.number.is_none()).max_by_key(|row| row.started);
        model.ui.row = newest.map(|row| row.id.clone());
    }
    if !model.ui.chosen && !model.ui.follow && model.ui.opened.is_none() {
        model.ui.row = model.rows.first().map(|row| row.id.clone());
    }
    if model.selected_row().is_none() {
        // It was filtered away: stay near where it was.
        let near = model.ui.row_index.min(model.rows.len().saturating_sub(1));
        model.ui.row = model.rows.get(near).map(|row| row.id.clone());
    }
    model.ui.row_index = index_of(model);
}

pub(super) fn index_of(model: &Model) -> usize {
    let wanted = model.ui.row.as_ref();
    model.rows.iter().position(|row| wanted.is_some_and(|w| row.is(w))).unwrap_or(0)
}

fn build(model: &Model) -> (Vec<Row>, Totals) {
    let mut totals = Totals::default();
    let mut rows = Vec::new();
    let filter = &model.ui.sought;
    for attempts in devices(model) {
        let row = device(model, attempts);
        let Some(latest) = row.latest().and_then(|id| model.enrollment(id)) else { continue };
        totals.devices += 1;
        match latest.outcome {
            Outcome::Enrolled => totals.enrolled += 1,
            Outcome::Failed => totals.failed += 1,
            Outcome::Stalled => totals.stalled += 1,
            Outcome::InProgress => totals.in_progress += 1,
        }
        let failed = row.urgency <= URGENT || latest.errors > 0;
        let stuck = matches!(latest.outcome, Outcome::InProgress | Outcome::Stalled);
        let left_out = model.ui.only_failed && !failed || model.ui.only_stuck && !stuck;
        if left_out || !is_sought(model, &row) {
            totals.hidden += 1;
            continue;
        }
        rows.push(row);
    }
    for group in model.refused.iter() {
        let text = || {
            let mut text = format!("refused {} {}", group.address, group.reason);
            text.extend(group.sni.iter().map(|sni| format!(" {sni}")));
            text.extend(group.findings.iter().map(|f| format!(" {} {}", f.rule.id, f.rule.name)));
            text
        };
        if model.ui.only_stuck || !filter.fits_words(&text()) {
            totals.hidden += 1;
            continue;
        }
        rows.push(Row {
            id: RowId::Refused(group.id),
            attempts: Vec::new(),
            number: None,
            urgency: URGENT,
            started: group.first,
            since: group.last,
            latest: group.last,
            alike: 0,
        });
    }
    sort(&mut rows, model.ui.sort);
    if model.ui.only_stuck {
        rows.sort_by_key(|row| row.since);
    }
    if model.ui.one_of_each {
        rows = one_of_each(model, rows);
        totals.hidden += rows.iter().map(|row| row.alike).sum::<u64>();
    }
    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        let open = row.attempts.len() > 1 && row.attempts.iter().any(|id| model.ui.expanded.contains(id));
        let attempts = if open { row.attempts.clone() } else { Vec::new() };
        shown.push(row);
        shown.extend(attempts.iter().enumerate().map(|(index, id)| Row {
            id: RowId::Attempt(*id),
            number: Some(index + 1),
            ..device(model, vec![*id])
        }));
    }
    let strays = model.exchanges.strays().next_back().map(|seen| seen.at);
    if let Some(latest) = strays
        && !(model.ui.only_failed || model.ui.only_stuck)
        && filter.is_empty()
    {
        shown.push(Row {
            id: RowId::Strays,
            attempts: Vec::new(),
            number: None,
            urgency: u8::MAX,
            started: Time::default(),
            since: latest,
            latest,
            alike: 0,
        });
    }
    (shown, totals)
}

/// Of rows with the same trouble the first, which says how many there are.
fn one_of_each(model: &Model, rows: Vec<Row>) -> Vec<Row> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        let trouble = match &row.id {
            RowId::Refused(id) => model.refused.get(*id).map(|group| group.reason.as_str()),
            _ => row.latest().and_then(|id| model.enrollments.get(&id)?.trouble.as_ref()).map(|(id, _)| *id),
        };
        match trouble.and_then(|trouble| first.get(trouble)).and_then(|at| kept.get_mut(*at)) {
            Some(same) => same.alike += 1,
            None => {
                first.extend(trouble.map(|trouble| (trouble, kept.len())));
                kept.push(row);
            }
        }
    }
    kept
}

/// Attempts by device: those that name one by its id, the others each by itself. In the order of the first.
fn devices(model: &Model) -> Vec<Vec<EnrollmentId>> {
    let mut groups: Vec<Vec<EnrollmentId>> = Vec::new();
    let mut by_device: HashMap<&str, usize> = HashMap::new();
    for (id, tracked) in &model.enrollments {
        let known = tracked.enrollment.device_id.as_deref();
        match known.and_then(|device| by_device.get(device)).and_then(|at| groups.get_mut(*at)) {
            Some(group) => group.push(*id),
            None => {
                if let Some(device) = known {
                    by_device.insert(device, groups.len());
                }
                groups.push(vec![*id]);
            }
        }
    }
    groups
}

/// A row by itself, whether the filter shows it or not.
pub(super) fn find(model: &Model, wanted: &RowId) -> Option<Row> {
    let bare = |latest| Row {
        id: wanted.clone(),
        attempts: Vec::new(),
        number: None,
        urgency: 0,
        started: latest,
        since: latest,
        latest,
        alike: 0,
    };
    match wanted {
        RowId::Device(id) => {
            devices(model).into_iter().find(|attempts| attempts.contains(id)).map(|a| device(model, a))
        }
        RowId::Attempt(id) => {
            model.enrollment(*id).map(|_| Row { id: wanted.clone(), ..device(model, vec![*id]) })
        }
        RowId::Refused(id) => model.refused.get(*id).map(|group| bare(group.last)),
        RowId::Strays => Some(bare(Time::default())),
    }
}

/// Rows up to this urgency have failed in one way or another.
const URGENT: u8 = 1;

fn device(model: &Model, attempts: Vec<EnrollmentId>) -> Row {
    let tracked = attempts.last().and_then(|id| model.enrollments.get(id));
    let latest = tracked.map(|tracked| &tracked.enrollment);
    Row {
        id: RowId::Device(attempts.first().copied().unwrap_or(EnrollmentId(0))),
        number: None,
        urgency: latest.map_or(u8::MAX, urgency),
        started: latest.map(|e| e.started).unwrap_or_default(),
        since: tracked.map(|tracked| tracked.since).unwrap_or_default(),
        latest: latest.map(|e| e.latest).unwrap_or_default(),
        alike: 0,
        attempts,
    }
}

fn urgency(enrollment: &Enrollment) -> u8 {
    match enrollment.outcome {
        Outcome::Failed => 0,
        Outcome::Stalled => 1,
        Outcome::InProgress => 2,
        Outcome::Enrolled => 3,
    }
}

fn sort(rows: &mut [Row], sort: Sort) {
    let newest = |row: &Row| std::cmp::Reverse(row.started);
    match sort {
        Sort::Newest => rows.sort_by_key(newest),
        Sort::Oldest => rows.sort_by_key(|row| row.started),
        Sort::Trouble => rows.sort_by_key(|row| (row.urgency, newest(row))),
        Sort::Active => rows.sort_by_key(|row| std::cmp::Reverse(row.latest)),
    }
}

/// One of the device's attempts is what the filter looks for.
fn is_sought(model: &Model, row: &Row) -> bool {
    let filter = &model.ui.sought;
    let mut attempts = row.attempts.iter().filter_map(|id| model.enrollment(*id));
    filter.is_empty() || attempts.any(|enrollment| filter.fits(&Attempt { model, enrollment }))
}

/// An enrollment with its exchanges, to be looked for.
struct Attempt<'m> {
    model: &'m Model,
    enrollment: &'m Enrollment,
}

impl Sought for Attempt<'_> {
    fn enrollment(&self) -> &Enrollment {
        self.enrollment
    }

    fn now(&self) -> Time {
        self.model.now
    }

    fn each(&self, enough: &mut dyn FnMut(Said<'_>) -> bool) {
        for seen in self.model.exchanges.of(self.enrollment.id) {
            let said = Said {
                findings: &seen.findings,
                status: seen.status,
                kinds: [seen.request.word(), seen.response.word()],
                text: seen.whole.as_deref().map_or(Text::Gone, Text::Known),
            };
            if enough(said) {
                return;
            }
        }
    }
}
