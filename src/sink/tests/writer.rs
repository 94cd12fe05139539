//! The thread itself: many hands, one order.

use std::thread;
use std::time::Duration;

use super::captures::{events, origin, records};
use super::*;
use crate::capture::samples::{START, exchange};
use crate::sink::{CaptureFile, Filed, Journal, Mask, Next, Setup, Writer};

#[test]
fn many_hands_write_one_file_in_one_order() {
    let dir = tempfile::tempdir().unwrap();
    let file = CaptureFile::open(dir.path(), &origin(), START).unwrap();
    let path = file.path().to_owned();
    let (journal, receiver) = Journal::new();
    let setup = Setup { feed_budget: 20_000, ..Setup::new(Some(file), Mask::none(), Arc::new(|| START)) };
    let (writer, mut feed) = Writer::start(setup, &journal, receiver).unwrap();
    let hands: Vec<_> = (0..4)
        .map(|hand| {
            let journal = journal.clone();
            thread::spawn(move || {
                for n in 0..50 {
                    let filed = journal.exchange(exchange(hand * 50 + n)).blocking_recv();
                    assert_eq!(filed, Ok(Filed::Written));
                }
            })
        })
        .collect();
    drop(journal);
    for hand in hands {
        hand.join().unwrap();
    }
    let recording = writer.finish();
    assert_eq!((recording.recorded, recording.lost, recording.queued), (200, 0, 0));
    assert_eq!(recording.path.as_deref(), Some(&*path));

    let records = records(&std::fs::read(&path).unwrap());
    let seqs = records.iter().filter_map(|r| match r {
        Record::Exchange(exchange) => Some(exchange.seq),
        _ => None,
    });
    assert_eq!(seqs.collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    assert!(matches!(records.last(), Some(Record::Closed(_))));

    let mut fed = Vec::new();
    loop {
        match feed.recv(Duration::from_secs(1)) {
            Next::Event { event, .. } => fed.push(event),
            Next::Idle => {}
            Next::Closed => break,
        }
    }
    assert_eq!(fed, events(&path));
}

#[test]
fn an_engine_that_has_gone_does_not_stop_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let file = CaptureFile::open(dir.path(), &origin(), START).unwrap();
    let (journal, receiver) = Journal::new();
    let setup = Setup::new(Some(file), Mask::none(), Arc::new(|| START));
    let (writer, feed) = Writer::start(setup, &journal, receiver).unwrap();
    drop(feed);
    for n in 0..5 {
        assert_eq!(journal.exchange(exchange(n)).blocking_recv(), Ok(Filed::Written));
    }
    drop(journal);
    assert_eq!(writer.finish().recorded, 5);
}

#[test]
fn a_writer_that_has_gone_does_not_stop_the_proxy() {
    let (journal, receiver) = Journal::new();
    drop(receiver);
    assert!(journal.exchange(exchange(1)).blocking_recv().is_err());
    assert_eq!(journal.counts().lost.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(journal.counts().queued.load(std::sync::atomic::Ordering::Relaxed), 0);
}
