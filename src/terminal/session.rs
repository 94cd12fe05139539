//! The loop around the dashboard, and the threads that feed it.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, poll, read,
};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::waiting::Waiting;
use super::wish::{Cancelled, Grant, Granted, Source, events};
use crate::capture::{Closed, Damage, Place, Played, Record};
use crate::dashboard::{self, Colours, Effect, Model, Serial, Size, Status, Theme, Wish};
use crate::diagnosis::Expected;
use crate::engine::{Engine, Observation};
use crate::event::{Exchange, Time};
use crate::sink::{self, Feed, Next, Segments};

/// Updates that wait for the screen. When it is full the engine waits, its own queue grows into the file, and nothing
/// is lost; traffic does not notice.
const QUEUE: usize = 1_024;
/// Between two drawings.
const FRAME: Duration = Duration::from_millis(33);
/// Drawing has at most this part of a core, while nobody presses a key.
const SHARE: u32 = 20;
/// However long drawing takes.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at the recording's state.
const STATUS: Duration = Duration::from_millis(500);
/// How long the screen may take to be left in order once the process is asked to end.
const FAREWELL: Duration = Duration::from_secs(2);
/// Taking in updates is interrupted after so long, so that keys are answered.
const BATCH: Duration = Duration::from_millis(25);

/// What the engine's thread sends to the screen.
#[derive(Debug)]
pub enum Update {
    Seen(Box<Observation>, Option<Place>),
    /// A stretch of the capture could not be read.
    Damaged(Damage),
    /// A recorded run ended in order; its counts.
    Closed(Closed),
    /// Nothing more will come; why, if that is a trouble.
    Ended(Option<String>),
}

/// How it is drawn, and from where bodies are read again.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub theme: Theme,
    /// The capture that places are in.
    pub capture: Option<Segments>,
    /// Devices that are to come.
    pub expected: Vec<Expected>,
    pub grant: Grant,
    /// Set by the caller's signal handler: leave.
    pub stop: Arc<AtomicBool>,
}

/// Why the dashboard was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Quit,
    Stopped,
}

/// Whether there is a screen to draw on.
pub fn available() -> bool {
    io::stdout().is_terminal()
}

/// The theme; without `colours` those that suit the background, as far as the terminal tells of it.
pub fn theme(colours: Option<Colours>, ascii: bool) -> Theme {
    let told = || std::env::var("COLORFGBG").unwrap_or_default();
    let colours = colours.unwrap_or_else(|| Colours::on(&told()));
    // Without UTF-8 the fine marks would be noise.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    let utf8 = locale.is_none_or(|l| {
        let l = l.to_ascii_lowercase();
        l.contains("utf-8") || l.contains("utf8")
    });
    Theme { colours, ascii: ascii || !utf8 }
}

/// A flag that is set when the process is asked to end, so that the screen can be left in order.
///
/// # Errors
/// No thread could be started.
#[expect(clippy::exit, reason = "nobody is left who could return")]
pub fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::<AtomicBool>::default();
    let flag = Arc::clone(&stop);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if runtime.block_on(asked_to_end()).is_ok() {
            flag.store(true, Ordering::Relaxed);
            // A terminal that has gone away keeps the input library reading its end for ever, and nobody looks at the
            // flag any more.
            std::thread::sleep(FAREWELL);
            leave();
            std::process::exit(0);
        }
    })?;
    Ok(stop)
}

#[cfg(unix)]
async fn asked_to_end() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn asked_to_end() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Runs the dashboard on the calling thread until the user quits or `options.stop` is set.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn run(updates: Receiver<Update>, status: impl Fn() -> Status, options: &Options) -> io::Result<Ended> {
    let screen = Screen::enter()?;
    let mut model = Model::new(status(), jiff::tz::TimeZone::system());
    model.expected.clone_from(&options.expected);
    let mut session = Session {
        model,
        terminal: Terminal::new(CrosstermBackend::new(io::stdout()))?,
        options,
        dirty: true,
        open: true,
        waiting: Waiting::default(),
        working: None,
        cancelled: Arc::default(),
    };
    let ended = session.run(&updates, status);
    session.cancelled.store(true, Ordering::Relaxed);
    session.working.take().into_iter().for_each(|working| drop(working.join()));
    drop(screen);
    // The engine's thread must not wait for a screen that is gone.
    drop(updates);
    ended
}

struct Session<'o> {
    model: Model,
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    options: &'o Options,
    dirty: bool,
    /// Updates can still come.
    open: bool,
    /// What came while the screen stands still.
    waiting: Waiting,
    /// A wish is being granted.
    working: Option<JoinHandle<Result<Granted, String>>>,
    cancelled: Arc<Cancelled>,
}

impl Session<'_> {
    fn run(&mut self, updates: &Receiver<Update>, status: impl Fn() -> Status) -> io::Result<Ended> {
        let size = self.terminal.size()?;
        self.model.size = Size { width: size.width, height: size.height };
        let (mut drawn, mut asked, mut second) = (None::<Instant>, Instant::now(), 0);
        let mut pause = FRAME;
        loop {
            if self.options.stop.load(Ordering::Relaxed) {
                return Ok(Ended::Stopped);
            }
            let busy = self.take_in(updates);
            self.finish()?;
            if asked.elapsed() >= STATUS {
                asked = Instant::now();
                let status = status();
                self.dirty |= status != self.model.status;
                self.model.status = status;
            }
            let now = wall_clock();
            if now.0 / 1_000 != second {
                second = now.0 / 1_000;
                self.model.tick(now);
                self.dirty |= self.model.status.live;
            }
            if self.dirty && drawn.is_none_or(|at| at.elapsed() >= pause) {
                let began = Instant::now();
                self.draw()?;
                // Twenty thousand rows take their time: traffic and engine are to have nearly all of it.
                pause = (began.elapsed() * (SHARE - 1)).clamp(FRAME, LONGEST_PAUSE);
                drawn = Some(Instant::now());
            }
            // Keys are answered at once; observations when the next frame is due.
            let mut wait = if busy { Duration::ZERO } else { FRAME };
            while poll(wait)? {
                wait = Duration::ZERO;
                let input = read()?;
                self.dirty = true;
                // Whoever presses a key waits for what comes of it.
                pause = FRAME;
                let effects = dashboard::update(&mut self.model, &input);
                if effects.contains(&Effect::Quit) {
                    return Ok(Ended::Quit);
                }
                for effect in effects {
                    self.perform(effect)?;
                }
            }
        }
    }

    /// Takes in what came; true when more is waiting.
    fn take_in(&mut self, updates: &Receiver<Update>) -> bool {
        self.resume();
        let began = Instant::now();
        while self.open && began.elapsed() < BATCH {
            match updates.try_recv() {
                Ok(update) => self.receive(update),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => {
                    self.open = false;
                    self.model.ended = true;
                    self.dirty = true;
                }
            }
        }
        self.open
    }

    /// While the screen stands still, what comes waits, as far as there is room.
    fn receive(&mut self, update: Update) {
        if self.model.ui.paused && self.waiting.has_room() {
            self.waiting.push(update);
            self.model.waiting = self.waiting.len();
            self.dirty = true;
            return;
        }
        if std::mem::take(&mut self.model.ui.paused) {
            self.model.notify("it goes on by itself: no more events can wait".to_owned());
            self.resume();
        }
        self.take(update);
    }

    /// Goes on where the screen stood still. Before anything newer is taken in.
    fn resume(&mut self) {
        if !self.model.ui.paused && self.waiting.len() > 0 {
            self.waiting.take().into_iter().for_each(|update| self.take(update));
            self.model.waiting = 0;
            self.model.tick(wall_clock());
        }
    }

    fn take(&mut self, update: Update) {
        self.dirty = true;
        match update {
            Update::Seen(seen, place) => self.model.apply(*seen, place),
            Update::Damaged(_) => self.model.damaged += 1,
            Update::Closed(closed) => self.model.recorded_late += closed.late,
            Update::Ended(why) => {
                self.model.ended = true;
                if let Some(why) = why {
                    self.model.notify(why);
                }
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        self.dirty = false;
        self.model.refresh();
        let (model, theme) = (&self.model, self.options.theme);
        self.terminal.draw(|frame| dashboard::draw(frame, model, theme))?;
        Ok(())
    }

    fn perform(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Quit => {}
            Effect::ReadBody(serial, place) => {
                let read = match &self.options.capture {
                    Some(segments) => read_back(segments, place),
                    None => Err("there is no capture".to_owned()),
                };
                self.model.read_back = Some((serial, read));
            }
            Effect::Copy(text) => execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))?,
            Effect::Do(wish, serials) => self.begin(wish, &serials),
            Effect::Suspend => {
                leave();
                suspend()?;
                enter()?;
                // A new one draws everything; `clear` would ask the terminal where its cursor is, and not all answer.
                self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
            }
        }
        Ok(())
    }

    /// Begins to grant a wish about these exchanges: one at a time.
    fn begin(&mut self, wish: Wish, serials: &[Serial]) {
        let Some(grant) = self.options.grant.0.clone() else { return };
        if self.working.is_some() {
            return self.model.notify("the last one is not done yet".to_owned());
        }
        let sources: Vec<_> = serials
            .iter()
            .filter_map(|serial| self.model.exchanges.get(*serial))
            .map(|seen| Source {
                connection: seen.connection.clone(),
                whole: seen.whole.clone(),
                place: seen.place,
                end: seen.end.clone(),
            })
            .collect();
        let (segments, cancelled) = (self.options.capture.clone(), Arc::clone(&self.cancelled));
        let work = move || grant(wish, events(sources, segments.as_ref())?, &cancelled);
        match std::thread::Builder::new().name("wish".to_owned()).spawn(work) {
            Ok(working) => {
                self.working = Some(working);
                self.model.working = true;
            }
            Err(error) => self.model.notify(format!("could not start a thread: {error}")),
        }
    }

    /// Shows what came of it, once it is there.
    fn finish(&mut self) -> io::Result<()> {
        // Not while somebody writes: what is typed would go to another place.
        if self.model.ui.overlay.is_written() {
            return Ok(());
        }
        let Some(working) = self.working.take_if(|working| working.is_finished()) else { return Ok(()) };
        self.model.working = false;
        self.dirty = true;
        match working.join() {
            Ok(Ok(Granted::Copy(text))) => {
                self.model.notify(format!("copied {} characters", text.chars().count()));
                execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))?;
            }
            Ok(Ok(Granted::Done(words))) => {
                self.model.ui.unsaved = None;
                self.model.notify(words);
            }
            Ok(Ok(Granted::Page(title, text))) => self.model.tell(&title, text),
            // A sentence fits into the last line; what is longer is read on a page.
            Ok(Err(why)) if why.len() > 60 || why.contains('\n') => self.model.tell("That did not work", why),
            Ok(Err(why)) => self.model.notify(why),
            Err(_) => self.model.notify("that broke: a mistake in enrollscope".to_owned()),
        }
        Ok(())
    }
}

pub(super) fn read_back(segments: &Segments, place: Place) -> Result<Arc<Exchange>, String> {
    match sink::read_at(segments, place) {
        Ok(Record::Exchange(exchange)) => Ok(Arc::new(*exchange)),
        Ok(_) => Err("another record is in its place".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn wall_clock() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

/// The alternate screen, for as long as it lives; a panic of its thread restores the terminal before it speaks.
struct Screen {
    before: Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>,
}

impl Screen {
    fn enter() -> io::Result<Self> {
        let before: Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync> = Arc::from(std::panic::take_hook());
        let (owner, inner) = (std::thread::current().id(), Arc::clone(&before));
        std::panic::set_hook(Box::new(move |info| {
            // Other threads' panics are caught where they belong (the engine turns a rule's into a finding), and
            // words on stderr would be written across the screen.
            if std::thread::current().id() == owner {
                leave();
                inner(info);
            } else {
                tracing::error!(thread = std::thread::current().name(), "{info}");
            }
        }));
        let screen = Self { before };
        enter()?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
        // The hook cannot be changed while the thread panics.
        if !std::thread::panicking() {
            let before = Arc::clone(&self.before);
            std::panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    // Consoles that cannot do without it.
    let _ = execute!(io::stdout(), EnableBracketedPaste);
    execute!(io::stdout(), EnterAlternateScreen, Clear(ClearType::All), EnableMouseCapture, cursor::Hide)
}

/// Every step is tried, whatever became of the one before.
fn leave() {
    let mut out = io::stdout();
    let _ = execute!(out, DisableBracketedPaste);
    let _ = execute!(out, DisableMouseCapture);
    let _ = execute!(out, LeaveAlternateScreen);
    let _ = execute!(out, cursor::Show);
    let _ = disable_raw_mode();
    let _ = out.flush();
}

/// Stops this process until the shell continues it.
#[cfg(unix)]
fn suspend() -> io::Result<()> {
    let id = std::process::id().to_string();
    std::process::Command::new("kill").args(["-TSTP", &id]).status().map(|_| ())
}

#[cfg(not(unix))]
fn suspend() -> io::Result<()> {
    Ok(())
}

/// Judges live events on a thread of its own; `watch` sees every observation before the screen does.
///
/// # Errors
/// No thread could be started.
pub fn follow(
    mut feed: Feed,
    mut engine: Engine,
    mut watch: impl FnMut(&Observation) + Send + 'static,
) -> io::Result<(Receiver<Update>, JoinHandle<()>)> {
    engine_thread(move |updates| {
        loop {
            match feed.recv(Duration::from_secs(1)) {
                Next::Event { event, place } => {
                    // A screen that was left takes nothing more: the feed is drained all the same, for the counts.
                    let seen = Box::new(engine.observe(event));
                    watch(&seen);
                    let _ = updates.send(Update::Seen(seen, place));
                }
                Next::Idle => {}
                Next::Closed => {
                    let _ = updates.send(Update::Ended(None));
                    return;
                }
            }
        }
    })
}

/// Judges a recording on a thread of its own.
///
/// # Errors
/// No thread could be started.
pub fn play(
    play: impl Iterator<Item = io::Result<Played>> + Send + 'static,
    mut engine: Engine,
) -> io::Result<(Receiver<Update>, JoinHandle<()>)> {
    engine_thread(move |updates| {
        let mut trouble = None;
        for played in play {
            let update = match played {
                Ok(Played::Event { event, place, .. }) => {
                    Update::Seen(Box::new(engine.observe(event)), place)
                }
                Ok(Played::Damage(damage)) => Update::Damaged(damage),
                Ok(Played::Closed(closed)) => Update::Closed(closed),
                Err(error) => {
                    trouble = Some(format!("could not read on: {error}"));
                    break;
                }
            };
            if updates.send(update).is_err() {
                return;
            }
        }
        let _ = updates.send(Update::Ended(trouble));
    })
}

/// The thread's name tells the panic hook's log whose panic it was.
fn engine_thread(
    work: impl FnOnce(&SyncSender<Update>) + Send + 'static,
) -> io::Result<(Receiver<Update>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(QUEUE);
    let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || work(&sender))?;
    Ok((receiver, thread))
}
