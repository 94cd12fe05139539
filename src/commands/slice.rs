//! A part of a capture: the enrollments that are meant, and what belongs to them.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::diff::is_id;
use super::inputs::{Inputs, stories};
use super::output::{Exit, Output};
use super::redact::rank;
use crate::capture::{Header, Played, Redaction, Session, encode};
use crate::compare::Story;
use crate::event::Event;
use crate::net::now;
use crate::replay::renumbered;
use crate::rules::Profile;
use crate::sink::{CaptureFile, Origin, Playing};

/// Which enrollments are meant: all, where none is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen<'a> {
    /// By the ids that `check` gives.
    pub(super) ids: &'a [String],
    /// By device name or DeviceID.
    pub(super) devices: &'a [String],
}

impl Chosen<'_> {
    /// # Errors
    /// One that was named is not there, or there is none at all.
    pub(super) fn of(self, stories: Vec<Story>) -> Result<Vec<Story>> {
        for id in self.ids {
            if !stories.iter().any(|story| is_id(story, id)) {
                bail!(
                    "--enrollment {id}: the capture has {} and not this one; `enrollscope check` lists them",
                    stories.len()
                );
            }
        }
        for name in self.devices {
            if !stories.iter().any(|story| is_device(story, name)) {
                bail!("--device {name}: there is no device of that name or DeviceID in the capture");
            }
        }
        let all = self.ids.is_empty() && self.devices.is_empty();
        let wanted = |story: &Story| {
            all || self.ids.iter().any(|id| is_id(story, id))
                || self.devices.iter().any(|name| is_device(story, name))
        };
        let chosen: Vec<_> = stories.into_iter().filter(wanted).collect();
        if chosen.is_empty() {
            bail!("there is no enrollment in it");
        }
        Ok(chosen)
    }
}

fn is_device(story: &Story, name: &str) -> bool {
    let own = [&story.enrollment.device_name, &story.enrollment.device_id];
    own.into_iter().flatten().any(|own| own.eq_ignore_ascii_case(name))
}

/// What a part of a capture holds.
pub(super) struct Slice {
    pub(super) header: Header,
    /// The events of these enrollments, numbered anew, in their order.
    pub(super) events: Vec<Event>,
    pub(super) stories: Vec<Story>,
    /// Places of the captures that cannot be read.
    pub(super) damaged: u64,
}

impl Slice {
    /// Tells what is missing, and ends accordingly.
    pub(super) fn ending(&self, out: Output) -> Exit {
        if self.damaged > 0 {
            out.print(&format!("not in it: {} damaged places of the capture\n", self.damaged));
            return Exit::Found;
        }
        Exit::Good
    }
}

/// `hide` takes out of an event what is to be hidden that is not yet, as its run's redaction says.
pub(super) fn slice(
    inputs: &Inputs,
    profile: Profile,
    wanted: impl FnOnce(Vec<Story>) -> Result<Vec<Story>>,
    mut hide: impl FnMut(Event, &Redaction) -> Event,
) -> Result<Slice> {
    let stories = wanted(stories(inputs, profile)?)?;
    let exchanges = stories.iter().flat_map(|story| &story.exchanges);
    let ids: HashSet<_> = exchanges.map(|told| told.exchange.id.clone()).collect();
    let mut playing = Playing::ended(&inputs.captures)?;
    let mut header = playing.header().clone();
    let (mut events, mut damaged) = (Vec::new(), 0);
    while let Some(played) = playing.next() {
        let event = match played.context("could not read on")? {
            Played::Event { event, .. } => event,
            Played::Damage(_) => {
                damaged += 1;
                continue;
            }
            Played::Closed(_) => continue,
        };
        match &event {
            Event::Exchange(exchange) if !ids.contains(&exchange.id) => {}
            Event::Gap { .. } | Event::Tick(_) => {}
            Event::Exchange(_) | Event::Connection(_) | Event::End(_) | Event::Session { .. } => {
                // What holds for the least hidden part holds for all.
                if rank(&playing.redaction().level) < rank(&header.redaction.level) {
                    header.redaction = playing.redaction().clone();
                }
                events.push(hide(event, playing.redaction()));
            }
        }
    }
    Ok(Slice { header, events: renumbered(events), stories, damaged })
}

/// Writes the events as a new capture, which says of itself what `header` says.
pub(super) fn write(path: &Path, header: &Header, events: &[Event]) -> Result<()> {
    let origin = Origin { tool: env!("CARGO_PKG_VERSION").to_owned(), redaction: header.redaction.clone() };
    let failed = || format!("could not write {}", path.display());
    let mut capture = CaptureFile::open(path, &origin, now()).with_context(failed)?;
    for event in events {
        capture.append(&line(event, &header.redaction)).with_context(failed)?;
    }
    capture.sync().with_context(failed)
}

/// The event as a record of a capture with that redaction; nothing for what is none.
pub(super) fn line(event: &Event, redaction: &Redaction) -> Vec<u8> {
    let mut line = Vec::new();
    match event {
        Event::Exchange(exchange) => encode::exchange(&mut line, exchange),
        Event::Connection(connection) => encode::connection(&mut line, connection),
        Event::End(end) => encode::end(&mut line, end),
        Event::Gap { at, lost } => encode::gap(&mut line, *at, *lost),
        // Another run: its connections have names of their own.
        Event::Session { at } => {
            let tool = env!("CARGO_PKG_VERSION").to_owned();
            let session = Session { at: *at, tool, redaction: redaction.clone(), cut: 0, same: false };
            encode::session(&mut line, &session);
        }
        Event::Tick(_) => {}
    }
    line
}
