//! What becomes of each entry, on disks good and bad; no thread, and a clock that stands until it is moved.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::captures::{events, origin, records, told};
use super::*;
use crate::capture::Health;
use crate::capture::samples::{START, exchange, full_connection, full_exchange};
use crate::event::{Connection, Delivery, Exchange, ExchangeId, Time};
use crate::sink::feed::feed;
use crate::sink::recorder::Recorder;
use crate::sink::status::Status;
use crate::sink::{CaptureFile, Clock, Entry, Feed, Filed, Journal, Mask, Next, Segments, read_at};

/// A recorder without its thread.
pub(super) struct Bench {
    journal: Journal,
    receiver: Receiver<Entry>,
    recorder: Option<Recorder>,
    status: Arc<Status>,
    pub(super) feed: Feed,
    now: Arc<AtomicI64>,
}

/// How one bench differs from another.
pub(super) struct Plan {
    pub(super) queue: u64,
    pub(super) feed: u64,
    pub(super) mask: Mask,
}

impl Default for Plan {
    fn default() -> Self {
        Self { queue: 1 << 30, feed: 1 << 30, mask: Mask::none() }
    }
}

impl Bench {
    pub(super) fn new(file: Option<CaptureFile>, plan: Plan) -> Self {
        let now = Arc::new(AtomicI64::new(START.0));
        let told = Arc::clone(&now);
        let clock: Clock = Arc::new(move || Time(told.load(Ordering::Relaxed)));
        let (journal, receiver) = Journal::with_budget(plan.queue);
        let path = file.as_ref().map(CaptureFile::path);
        let read_back = path.map(|path| Segments::Growing(path.to_owned()));
        let status = Arc::new(Status::new(Arc::clone(journal.counts()), path));
        let (feeder, feed) = feed(plan.feed, read_back, clock);
        let recorder = Some(Recorder::new(file, plan.mask, feeder, Arc::clone(&status), START));
        Self { journal, receiver, recorder, status, feed, now }
    }

    fn on(disk: &Disk, plan: Plan) -> Self {
        let file = CaptureFile::on(Box::new(disk.clone()), Path::new("disk"), &origin(), START);
        Self::new(Some(file.unwrap()), plan)
    }

    pub(super) fn send(&mut self, exchange: Exchange) -> oneshot::Receiver<Filed> {
        let filed = self.journal.exchange(exchange);
        self.work();
        filed
    }

    /// What the thread does with what is in the queue.
    fn work(&mut self) {
        let now = Time(self.now.load(Ordering::Relaxed));
        let recorder = self.recorder.as_mut().unwrap();
        self.receiver.try_iter().for_each(|entry| recorder.accept(entry, now));
        recorder.turn(now);
    }

    pub(super) fn pass(&mut self, millis: i64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
        self.work();
        let now = Time(self.now.load(Ordering::Relaxed));
        self.recorder.as_mut().unwrap().idle(now);
    }

    pub(super) fn close(&mut self) {
        self.recorder.take().unwrap().close(Time(self.now.load(Ordering::Relaxed)));
    }

    /// Everything that the engine is given, without ticks.
    fn fed(&mut self) -> Vec<Event> {
        let next = || match self.feed.recv(Duration::ZERO) {
            Next::Event { event, .. } => Some(event),
            Next::Idle | Next::Closed => None,
        };
        std::iter::from_fn(next).filter(|event| !matches!(event, Event::Tick(_))).collect()
    }
}

fn told_events(events: &[Event]) -> Vec<String> {
    let tell = |event: &Event| match event {
        Event::Exchange(exchange) => format!("exchange {}", exchange.seq),
        Event::Connection(connection) => format!("connection {}", connection.id),
        Event::End(end) => format!("end of {}", end.of),
        Event::Session { .. } => "session".to_owned(),
        Event::Gap { lost, .. } => format!("gap {lost}"),
        Event::Tick(_) => "tick".to_owned(),
    };
    events.iter().map(tell).collect()
}

#[test]
fn exchanges_are_numbered_written_answered_and_fed_in_order() {
    let disk = Disk::of(usize::MAX);
    let mut bench = Bench::on(&disk, Plan::default());
    bench.journal.connection(full_connection());
    let mut filed = [bench.send(exchange(1)), bench.send(exchange(2))];
    assert_eq!(filed.each_mut().map(oneshot::Receiver::try_recv), [Ok(Filed::Written), Ok(Filed::Written)]);
    bench.journal.end(ExchangeId("id-1".into()), Delivery::Complete, 4, START);
    bench.work();
    let expected = ["connection c1", "exchange 1", "exchange 2", "end of 1"];
    assert_eq!(told(&disk.bytes()), expected);
    assert_eq!(told_events(&bench.fed()), expected);
    let recording = bench.status.read();
    assert_eq!((recording.health, recording.recorded, recording.queued), (Health::Good, 2, 0));
    assert_eq!(recording.size, disk.bytes().len() as u64);
    bench.close();
    assert_eq!(told(&disk.bytes()).last().unwrap(), "closed, 2 recorded, 0 lost");
    assert_eq!(bench.feed.recv(Duration::ZERO), Next::Closed);
}

#[test]
fn an_end_finds_its_exchange_though_it_comes_first() {
    let disk = Disk::of(usize::MAX);
    let mut bench = Bench::on(&disk, Plan::default());
    bench.journal.end(ExchangeId("id-1".into()), Delivery::Reset, 4, START);
    bench.journal.end(ExchangeId("never".into()), Delivery::Reset, 4, START);
    bench.work();
    drop(bench.send(exchange(1)));
    assert_eq!(told(&disk.bytes()), ["exchange 1", "end of 1"]);
    assert_eq!(bench.status.read().queued, 0);
}

#[test]
fn a_full_disk_loses_nothing_once_there_is_room_again() {
    let disk = Disk::of(usize::MAX);
    let mut bench = Bench::on(&disk, Plan::default());
    let mut first = bench.send(exchange(1));
    assert_eq!(first.try_recv(), Ok(Filed::Written));
    disk.resize(disk.bytes().len() + 100);
    let mut waiting: Vec<_> = (2..5).map(|n| bench.send(exchange(n))).collect();
    bench.journal.end(ExchangeId("id-2".into()), Delivery::Complete, 4, START);
    bench.journal.connection(full_connection());
    bench.work();
    assert!(waiting.iter_mut().all(|w| w.try_recv() == Err(TryRecvError::Empty)));
    let recording = bench.status.read();
    assert_eq!((recording.health, recording.waiting, recording.lost), (Health::Waiting, 5, 0));
    assert!(recording.last_error.is_some() && recording.failures == 1);
    let expected = ["exchange 1", "exchange 2", "exchange 3", "exchange 4", "end of 2", "connection c1"];
    // The engine does not wait for the disk.
    assert_eq!(told_events(&bench.fed()), expected);

    bench.pass(1_000);
    assert_eq!(bench.status.read().failures, 2);
    disk.resize(usize::MAX);
    bench.pass(500);
    assert_eq!(told(&disk.bytes()).len(), 1, "the next try is a second after the last");
    bench.pass(500);
    assert_eq!(told(&disk.bytes()), expected);
    assert!(waiting.iter_mut().all(|w| w.try_recv() == Ok(Filed::Written)));
    let recording = bench.status.read();
    assert_eq!((recording.health, recording.waiting, recording.queued), (Health::Good, 0, 0));
    assert_eq!(bench.fed(), []);
}

#[test]
fn what_waits_beyond_the_budget_is_lost_and_counted() {
    let disk = Disk::of(usize::MAX);
    let mut bench = Bench::on(&disk, Plan { queue: 3 * 1100, ..Plan::default() });
    disk.resize(disk.bytes().len());
    let mut outcomes: Vec<_> = (1..6).map(|n| bench.send(exchange(n))).collect();
    let lost = outcomes.iter_mut().filter_map(|o| o.try_recv().ok()).collect::<Vec<_>>();
    assert_eq!(lost, [Filed::Lost, Filed::Lost]);
    bench.pass(1_000);
    bench.pass(1_000);
    assert_eq!(bench.status.read().lost, 2);

    disk.resize(usize::MAX);
    bench.pass(1_000);
    drop(bench.send(exchange(6)));
    let expected = ["exchange 1", "exchange 2", "exchange 3", "gap 2", "exchange 4"];
    assert_eq!(told(&disk.bytes()), expected);
    assert_eq!(told_events(&bench.fed()), expected);
    assert_eq!(bench.status.read().health, Health::Lossy);
}

#[test]
fn a_loss_is_told_where_it_was() {
    let disk = Disk::of(usize::MAX);
    let mut bench = Bench::on(&disk, Plan { queue: 2 * 1100, ..Plan::default() });
    // The thread is behind: two are in the queue when the third comes.
    let _waiting = [1, 2, 3].map(|n| bench.journal.exchange(exchange(n)));
    bench.work();
    drop(bench.send(exchange(4)));
    assert_eq!(told(&disk.bytes()), ["exchange 1", "exchange 2", "gap 1", "exchange 3"]);
}

#[test]
fn a_disk_that_stays_full_costs_what_waits_and_says_so() {
    let disk = Disk::of(usize::MAX);
    let mut bench = Bench::on(&disk, Plan { feed: 1, ..Plan::default() });
    disk.resize(disk.bytes().len());
    let mut outcomes = [bench.send(exchange(1)), bench.send(exchange(2))];
    bench.close();
    assert_eq!(outcomes.each_mut().map(oneshot::Receiver::try_recv), [Ok(Filed::Lost), Ok(Filed::Lost)]);
    // The engine had room for one before, and hears of the other's loss.
    assert_eq!(told_events(&bench.fed()), ["exchange 1", "gap 1"]);
    let recording = bench.status.read();
    assert_eq!((recording.lost, recording.queued), (2, 0));
}

#[test]
fn the_disk_is_asked_to_keep_what_was_written_every_second() {
    let disk = Disk::of(usize::MAX);
    let mut bench = Bench::on(&disk, Plan::default());
    let syncs = || disk.0.lock().unwrap().syncs;
    drop(bench.send(exchange(1)));
    assert_eq!(syncs(), 0);
    bench.pass(1_000);
    assert_eq!(syncs(), 1);
    bench.pass(1_000);
    assert_eq!(syncs(), 1, "nothing new");
    drop(bench.send(exchange(2)));
    bench.close();
    assert_eq!(syncs(), 2);
}

#[cfg(unix)]
#[test]
fn a_capture_that_is_deleted_while_it_is_written_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let file = CaptureFile::open(dir.path(), &origin(), START).unwrap();
    let path = file.path().to_owned();
    let mut bench = Bench::new(Some(file), Plan::default());
    drop(bench.send(exchange(1)));
    bench.pass(1_000);
    assert_eq!(bench.status.read().health, Health::Good);
    std::fs::remove_file(path).unwrap();
    drop(bench.send(exchange(2)));
    bench.pass(1_000);
    let recording = bench.status.read();
    assert_eq!(recording.health, Health::Doubtful);
    assert!(recording.last_error.unwrap().contains("deleted"));
}

#[test]
fn when_redaction_breaks_nothing_raw_is_recorded_or_fed() {
    let mask = Mask {
        exchange: Box::new(|exchange| {
            exchange.request.method = "MASKED".to_owned();
            assert!(!exchange.request.target.contains("break"), "as if redaction had a bug");
        }),
        connection: Box::new(|_| panic!("as if redaction had a bug")),
    };
    let disk = Disk::of(usize::MAX);
    let mut bench = Bench::on(&disk, Plan { mask, ..Plan::default() });
    let mut secret = full_exchange();
    secret.request.target = "/a?break=secret".to_owned();
    for message in [&mut secret.request.headers, &mut secret.response.as_mut().unwrap().headers] {
        message.push(crate::event::Header::new("Authorization", "secret"));
    }
    secret.request.body.bytes = "secret".into();
    secret.response.as_mut().unwrap().body.bytes = "secret".into();
    secret.facts.insert("secret".to_owned(), "secret".to_owned());
    secret.changes[0].detail = "secret".to_owned();
    drop(bench.send(exchange(1)));
    let mut filed = bench.send(secret);
    assert_eq!(filed.try_recv(), Ok(Filed::Written));
    bench.journal.connection(Connection { sni: Some("secret".to_owned()), ..full_connection() });
    drop(bench.send(exchange(2)));

    let text = String::from_utf8(disk.bytes()).unwrap();
    assert!(!text.contains("secret\"") && !text.contains("=secret"), "{text}");
    let fed = bench.fed();
    assert!(!format!("{fed:?}").contains("\"secret\""), "{fed:?}");
    assert_eq!(told(&disk.bytes()), ["exchange 1", "exchange 2", "connection c1", "exchange 3"]);
    let Record::Exchange(withheld) = &records(&disk.bytes())[1] else { panic!("an exchange") };
    let response = withheld.response.as_ref().unwrap();
    for body in [&withheld.request.body, &response.body] {
        assert_eq!((body.bytes.len(), body.length), (0, 400));
        assert_eq!(body.withheld.as_deref(), Some("redaction failed"));
    }
    assert_eq!(response.headers[0].text(), "application/soap+xml; charset=utf-8");
}

#[test]
fn an_engine_that_is_behind_reads_the_same_from_the_file() {
    let run = |budget| {
        let dir = tempfile::tempdir().unwrap();
        let file = CaptureFile::open(dir.path(), &origin(), START).unwrap();
        let path = file.path().to_owned();
        let mut bench = Bench::new(Some(file), Plan { feed: budget, ..Plan::default() });
        let mut fed = Vec::new();
        for n in 1..60 {
            bench.journal.connection(full_connection());
            drop(bench.send(Exchange { id: exchange(n).id, ..full_exchange() }));
            bench.journal.end(exchange(n).id, Delivery::Complete, 4, START.plus_millis(60));
            bench.work();
            // The engine takes a little in between.
            if n % 20 == 0 {
                fed.extend(bench.fed());
            }
        }
        bench.close();
        fed.extend(bench.fed());
        let deferred = bench.status.read().deferred;
        assert_eq!(fed, events(&path), "what is live and what is on file are the same");
        (fed, deferred)
    };
    let (at_once, none) = run(1 << 30);
    let (read_back, deferred) = run(10_000);
    assert_eq!((at_once.len(), none), (59 * 3, 0));
    assert!(deferred > 20, "{deferred}");
    assert_eq!(at_once, read_back);
}

#[test]
fn every_event_on_file_can_be_read_again_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = CaptureFile::open(dir.path(), &origin(), START).unwrap();
    let path = Segments::Growing(file.path().to_owned());
    let mut bench = Bench::new(Some(file), Plan { feed: 3_000, ..Plan::default() });
    for n in 0..5 {
        drop(bench.send(exchange(n)));
    }
    let mut read = 0;
    while let Next::Event { event, place } = bench.feed.recv(Duration::ZERO) {
        if let Some(place) = place {
            assert_eq!(read_at(&path, place).unwrap().into_event(), Some(event));
            read += 1;
        }
    }
    assert_eq!(read, 5);
    let nowhere = crate::capture::Place { segment: 0, offset: 7, length: 20 };
    assert!(read_at(&path, nowhere).is_err());
}

#[test]
fn a_file_that_is_gone_when_it_is_read_back_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let file = CaptureFile::open(dir.path(), &origin(), START).unwrap();
    let path = file.path().to_owned();
    let mut bench = Bench::new(Some(file), Plan { feed: 1, ..Plan::default() });
    for n in 1..6 {
        drop(bench.send(exchange(n)));
    }
    std::fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
    assert_eq!(told_events(&bench.fed()), ["exchange 1", "gap 4"]);
}

#[test]
fn without_a_capture_the_engine_is_fed_all_the_same() {
    let mut bench = Bench::new(None, Plan { feed: 2 * 1100, ..Plan::default() });
    let mut filed: Vec<_> = (1..6).map(|n| bench.send(exchange(n))).collect();
    assert!(filed.iter_mut().all(|f| f.try_recv() == Ok(Filed::Unrecorded)));
    assert_eq!(told_events(&bench.fed()), ["exchange 1", "exchange 2", "gap 3"]);
    drop(bench.send(exchange(6)));
    assert_eq!(told_events(&bench.fed()), ["exchange 6"]);
    assert_eq!((bench.status.read().health, bench.status.read().queued), (Health::Off, 0));
    bench.close();
}

#[test]
fn a_capture_that_is_continued_begins_with_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    for run in 0..2 {
        let file = CaptureFile::open(&path, &origin(), START).unwrap();
        let mut bench = Bench::new(Some(file), Plan::default());
        drop(bench.send(exchange(1)));
        let expected: &[&str] = if run == 0 { &["exchange 1"] } else { &["session", "exchange 2"] };
        assert_eq!(told_events(&bench.fed()), expected);
        bench.close();
    }
    assert_eq!(events(&path).len(), 3);
}

#[test]
fn time_passes_for_the_engine_when_nothing_happens() {
    let mut bench = Bench::new(None, Plan::default());
    // 21:16:29: the clock starts, and the next tick is due at 30, told a second later.
    assert_eq!(bench.feed.recv(Duration::ZERO), Next::Idle);
    let mut ticks = Vec::new();
    for _ in 0..12 {
        bench.pass(1_000);
        if let Next::Event { event: Event::Tick(at), .. } = bench.feed.recv(Duration::ZERO) {
            ticks.push((at.since(START), bench.now.load(Ordering::Relaxed) - START.0));
        }
    }
    assert_eq!(ticks, [(1_000, 2_000), (6_000, 7_000), (11_000, 12_000)]);
}

#[test]
fn ticks_come_before_the_event_that_they_are_due_before() {
    let mut bench = Bench::new(None, Plan::default());
    drop(bench.send(exchange(0)));
    drop(bench.send(exchange(7)));
    let next = || match bench.feed.recv(Duration::ZERO) {
        Next::Event { event, .. } => Some(told_events(&[event]).remove(0)),
        Next::Idle | Next::Closed => None,
    };
    assert_eq!(std::iter::from_fn(next).collect::<Vec<_>>(), ["exchange 1", "tick", "tick", "exchange 2"]);
}
