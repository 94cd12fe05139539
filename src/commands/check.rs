//! `check`: judges captures, directories and single messages.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::foreign::{Foreign, masked};
use super::inputs::{MOST_HELD, expected, files_in, unbundled};
use super::live::redactor;
use super::output::{Exit, Output};
use super::redact::rank;
use crate::capture::{MessageFile, Play, Played, Reader, Ticker, recorded_at};
use crate::cli::{Bodies, CheckArgs, CheckFormat, FailOn, Redact};
use crate::compare::{Stories, Story, Told};
use crate::diagnosis::{Arrival, arrivals};
use crate::engine::{Engine, Observation};
use crate::enrollment::{Deadlines, EnrollmentId};
use crate::event::{Event, Exchange, ExchangeId};
use crate::filter::Saved;
use crate::redact::Redactor;
use crate::report::story::{self, Report};
use crate::report::{self, Input, Judged};
use crate::rules::{Level, Profile, by_id};
use crate::sink::{self, group, is_capture_name};

/// A message file is at most so long, in bytes; nothing that an enrollment sends is longer.
const LARGEST_MESSAGE: u64 = 64 << 20;

pub fn check(args: &CheckArgs, saved: &Saved, out: Output) -> Result<Exit> {
    let profile = args.profile;
    for id in &args.allow {
        if by_id(id).is_none() {
            bail!("--allow {id}: there is no such rule; `enrollscope rules` lists them all");
        }
    }
    let mut judged = Judged::new(profile);
    judged.filter = args.filter.read(saved).context("--filter")?;
    // Reports show messages, which nothing else keeps.
    let held = matches!(args.format, CheckFormat::Html | CheckFormat::Markdown).then(|| Held {
        conversations: Vec::new(),
        redactor: redactor(Redact::Secrets, Bodies::Enrollment, out),
        is_raw: true,
    });
    let mut judging = Judging { judged, held, profile, next: 0, unreadable: false, out };
    let inputs = args.inputs.iter().filter(|input| !is_told_with_its_request(input, &args.inputs));
    for together in group(&inputs.cloned().collect::<Vec<_>>()) {
        judging.input(&together);
    }
    let Judging { mut judged, unreadable, held, .. } = judging;
    judged
        .findings
        .retain(|f| !args.allow.iter().any(|id| by_id(id).is_some_and(|rule| rule.id == f.finding.rule.id)));
    judged.sort();
    judged.expected = expected(&args.expect)?;
    let told = |held: Option<Held>| {
        let (stories, loose) = held.map(|held| held.finish(&judged)).unwrap_or_default();
        let inputs: Vec<_> = judged.inputs.iter().map(|input| input.path.clone()).collect();
        let report =
            Report { stories: &stories, loose: &loose, refused: &judged.refused, level: "", inputs: &inputs };
        if args.format == CheckFormat::Html { story::page(&report) } else { story::markdown(&report) }
    };
    out.print(&match args.format {
        CheckFormat::Json => format!("{:#}\n", report::json(&judged)),
        CheckFormat::Human => report::human(&judged, out.colour()),
        CheckFormat::Junit => report::junit(&judged),
        CheckFormat::Html | CheckFormat::Markdown => told(held),
    });
    let all_came = judged.expected.as_ref().is_none_or(|list| {
        let arrivals = arrivals(list, judged.enrollments.values());
        arrivals.iter().all(|(arrival, _)| *arrival == Arrival::Enrolled)
    });
    let worst = judged.findings.iter().map(|f| f.finding.level).max();
    Ok(match (unreadable, args.fail_on) {
        (true, _) => Exit::Failed,
        _ if !all_came => Exit::Found,
        (_, FailOn::Error) if worst >= Some(Level::Error) => Exit::Found,
        (_, FailOn::Warning) if worst >= Some(Level::Warning) => Exit::Found,
        _ => Exit::Good,
    })
}

/// What was said, in each conversation, for a report that leaves the room.
struct Held {
    conversations: Vec<Stories>,
    redactor: Redactor,
    /// Nobody has taken the secrets out of what comes now.
    is_raw: bool,
}

impl Held {
    /// Takes in what was observed.
    fn add(&mut self, seen: &Observation) -> Result<()> {
        let mut seen = seen.clone();
        if let Event::Exchange(exchange) = &mut seen.event
            && self.is_raw
        {
            // Of the same length, so that the places of findings hold.
            self.redactor.exchange(Arc::make_mut(exchange));
        }
        if let Some(stories) = self.conversations.last_mut() {
            stories.add(seen);
        }
        if self.conversations.iter().map(Stories::bytes).sum::<u64>() > MOST_HELD {
            bail!(
                "there are more than {} MiB of messages, too many for a report: take a part (`enrollscope bundle`)",
                MOST_HELD >> 20
            );
        }
        Ok(())
    }

    /// Enrollments that are told of, by the ids that they have there, and what belongs to none.
    fn finish(self, judged: &Judged) -> (Vec<Story>, Vec<Told>) {
        let (mut all, mut loose) = (Vec::new(), Vec::new());
        let mut before = 0;
        for stories in self.conversations {
            let last = stories.last();
            let (stories, others) = stories.finish_all();
            loose.extend(others);
            for mut story in stories {
                story.enrollment.id = EnrollmentId(before + story.enrollment.id.0);
                if let Some(enrollment) = judged.enrollments.get(&story.enrollment.id) {
                    story.enrollment.verdict.clone_from(&enrollment.verdict);
                    all.push(story);
                }
            }
            before += last;
        }
        if !judged.filter.is_empty() {
            loose.clear();
        }
        (all, loose)
    }
}

struct Judging {
    judged: Judged,
    /// Only where a report shows it.
    held: Option<Held>,
    profile: Profile,
    /// Numbers message files, which have no seq of their own.
    next: u64,
    /// Something that was asked for could not be judged.
    unreadable: bool,
    out: Output,
}

impl Judging {
    /// An engine for the next conversation.
    fn engine(&mut self) -> Engine {
        self.judged.begin();
        self.held.iter_mut().for_each(|held| held.conversations.push(Stories::default()));
        Engine::new(self.profile, Deadlines::default())
    }

    /// One, or the segments of one capture. What cannot be read is told, and does not keep the others from being judged.
    fn input(&mut self, together: &[PathBuf]) {
        let [path] = together else { return self.segments(together) };
        let read = if path == Path::new("-") {
            self.standard_input()
        } else if path.is_dir() {
            self.directory(path)
        } else {
            self.file(path)
        };
        self.told(path, read);
    }

    /// A capture in several files is one conversation.
    fn segments(&mut self, files: &[PathBuf]) {
        let mut engine = self.engine();
        let mut play: Option<Play<sink::Input>> = None;
        for file in files {
            let read = sink::read(file).map_err(Into::into).and_then(|reader| {
                let playing = match &mut play {
                    Some(playing) => {
                        playing.go_on(reader);
                        playing
                    }
                    None => play.insert(Play::new(reader)),
                };
                self.capture(&file.display().to_string(), playing, &mut engine)
            });
            self.told(file, read);
        }
    }

    fn add(&mut self, seen: Observation, source: Option<&str>) -> Result<()> {
        let kept = self.held.as_mut().map_or(Ok(()), |held| held.add(&seen));
        self.judged.add(seen, source);
        kept
    }

    fn told(&mut self, path: &Path, read: Result<()>) {
        let Err(error) = read else { return };
        self.unreadable = true;
        let path = path.display().to_string();
        self.out.note(&format!("error: {path}: {error:#}"));
        let error = Some(format!("{error:#}"));
        self.judged.inputs.push(Input { path, error, ..Input::default() });
    }

    fn standard_input(&mut self) -> Result<()> {
        self.stream(Path::new("-"), std::io::stdin())
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let open = |path: &Path| {
            std::fs::File::open(path).context("could not open it; check the name and the permissions")
        };
        match unbundled(path)? {
            Some(capture) => self.stream(path, open(&capture)?),
            None => self.stream(path, open(path)?),
        }
    }

    /// A capture is read as it comes, a message as a whole; both may be packed.
    fn stream(&mut self, path: &Path, input: impl Read + Send + 'static) -> Result<()> {
        let mut input = sink::unpacked(input).context("could not read it")?;
        let start = input.fill_buf().context("could not read it")?;
        if let Some(foreign) = Foreign::of(start) {
            return self.foreign(path, foreign, input);
        }
        if is_capture(start) {
            let mut play = Play::new(Reader::new(input)?);
            let mut engine = self.engine();
            return self.capture(&path.display().to_string(), &mut play, &mut engine);
        }
        let bytes = bounded(input)?;
        let mut engine = self.engine();
        self.bytes(&mut engine, path, &bytes)
    }

    /// One message.
    fn bytes(&mut self, engine: &mut Engine, path: &Path, bytes: &[u8]) -> Result<()> {
        let name = path.display().to_string();
        if bytes.is_empty() {
            bail!("the file is empty: neither a capture nor a message");
        }
        if !MessageFile::is_one(bytes) {
            bail!("neither a capture, nor XML, nor HTTP that starts with a request or status line");
        }
        let mut exchange = MessageFile::read(bytes).into_exchange();
        // NAME.req.http and NAME.resp.http are one exchange, told with the request.
        if let Some(answer) =
            answer_of(path).filter(|path| path.is_file()).and_then(|path| std::fs::read(path).ok())
            && let MessageFile::Response(response) = MessageFile::read(&answer)
        {
            exchange.response = Some(response);
        }
        self.message(engine, &name, exchange)
    }

    /// Message files of a directory, in the order of their names, are one conversation; captures are their own, and
    /// come first.
    fn directory(&mut self, path: &Path) -> Result<()> {
        let message = |path: &Path| {
            path.extension().is_some_and(|e| ["xml", "http", "txt"].iter().any(|known| e == *known))
        };
        let recording = |path: &Path| is_capture_name(path) || Foreign::is_name(path);
        let files = files_in(path, |path| message(path) || recording(path))?;
        if files.is_empty() {
            bail!("there is no .jsonl, .jsonl.gz, .har, .flow, .mitm, .saz, .xml, .http or .txt file in it");
        }
        let (captures, messages): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|file| recording(file));
        for together in group(&captures) {
            self.input(&together);
        }
        let mut engine = self.engine();
        for file in &messages {
            if is_told_with_its_request(file, &files) {
                continue;
            }
            let open = std::fs::File::open(file).context("could not open it");
            let read = open.and_then(bounded).and_then(|bytes| {
                // Notes lie beside messages.
                let note = file.extension().is_some_and(|e| e == "txt") && !MessageFile::is_one(&bytes);
                if note { Ok(()) } else { self.bytes(&mut engine, file, &bytes) }
            });
            self.told(file, read);
        }
        Ok(())
    }

    fn message(&mut self, engine: &mut Engine, name: &str, mut exchange: Exchange) -> Result<()> {
        self.held.iter_mut().for_each(|held| held.is_raw = true);
        self.next += 1;
        exchange.seq = self.next;
        exchange.id = ExchangeId(format!("x{}", self.next).into());
        self.judged.inputs.push(Input { path: name.to_owned(), records: 1, ..Input::default() });
        let seen = engine.observe(Event::Exchange(Arc::new(exchange)));
        self.add(seen, Some(name))
    }

    /// What another tool has recorded, redacted as if we had.
    fn foreign(&mut self, path: &Path, foreign: Foreign, input: impl BufRead) -> Result<()> {
        let redactor = redactor(Redact::Secrets, Bodies::Enrollment, self.out);
        let (mut engine, mut ticker) = (self.engine(), Ticker::default());
        let (judged, held) = (&mut self.judged, &mut self.held);
        held.iter_mut().for_each(|held| held.is_raw = false);
        let mut kept = Ok(());
        let mut add = |seen: Observation| {
            if let (Some(held), Ok(())) = (held.as_mut(), &kept) {
                kept = held.add(&seen);
            }
            judged.add(seen, None);
        };
        let imported = foreign.read(path, input, |event| {
            let event = masked(event, &redactor);
            for tick in ticker.due(recorded_at(&event)) {
                add(engine.observe(Event::Tick(tick)));
            }
            add(engine.observe(event));
        })?;
        kept?;
        let (path, records) = (path.display().to_string(), imported.exchanges);
        for (what, count) in &imported.lost {
            self.out.note(&format!("note: {path}: not judged: {what} ({count})"));
        }
        self.judged.inputs.push(Input { path, records, ..Input::default() });
        Ok(())
    }

    fn capture(&mut self, name: &str, play: &mut Play<impl BufRead>, engine: &mut Engine) -> Result<()> {
        let mut input = Input { path: name.to_owned(), ..Input::default() };
        while let Some(played) = play.next() {
            // Each run says so for itself.
            let is_raw = rank(&play.redaction().level) < rank("secrets");
            self.held.iter_mut().for_each(|held| held.is_raw = is_raw);
            match played.context("could not read on")? {
                Played::Event { event, .. } => {
                    input.records += u64::from(!matches!(event, Event::Tick(_)));
                    self.add(engine.observe(event), None)?;
                }
                Played::Damage(_) => input.damaged += 1,
                Played::Closed(closed) => input.late += closed.late,
            }
        }
        if input.records == 0 && input.damaged > 0 {
            bail!("nothing of it can be read: all {} places behind its header are damaged", input.damaged);
        }
        self.judged.inputs.push(input);
        Ok(())
    }
}

/// All of a message, which must be of a message's length.
fn bounded(input: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(LARGEST_MESSAGE + 1).read_to_end(&mut bytes).context("could not read it")?;
    if bytes.len() as u64 > LARGEST_MESSAGE {
        bail!("it is no capture, and too long for anything else (over {} MiB)", LARGEST_MESSAGE >> 20);
    }
    Ok(bytes)
}

/// Where the answer to the request in NAME.req.http is.
fn answer_of(request: &Path) -> Option<PathBuf> {
    let name = request.to_str()?.strip_suffix(".req.http")?;
    Some(PathBuf::from(format!("{name}.resp.http")))
}

fn is_told_with_its_request(path: &Path, others: &[PathBuf]) -> bool {
    others.iter().any(|other| answer_of(other).is_some_and(|answer| answer == path))
}

fn is_capture(start: &[u8]) -> bool {
    let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    text.starts_with(b"{")
}
