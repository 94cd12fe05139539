//! Resident memory while 100,000 exchanges of different users and devices pass through the engine: it has to stay flat.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used, reason = "a benchmark")]

use std::sync::Arc;

use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Connection, ConnectionId, Event, Exchange, ExchangeId};
use enrollscope::rules::Profile;
use enrollscope::sim::golden;

/// Where the resident memory is printed.
const MARKS: [u64; 4] = [10_000, 30_000, 50_000, 100_000];

fn main() {
    let golden = golden::on_premise(golden::SEED);
    println!("whole enrollments, one every 45 s (so 24 h hold 1,920 of them)");
    feed(&golden, 45_000);
    println!(
        "devices that are not seen again after discovery, one every 10 ms (the most that is remembered: 20,000)"
    );
    let discovery: Vec<_> = golden.iter().take_while(|event| !is_exchange(event, 3)).cloned().collect();
    feed(&discovery, 10);
}

fn is_exchange(event: &Event, seq: u64) -> bool {
    matches!(event, Event::Exchange(exchange) if exchange.seq == seq)
}

/// The same enrollment over and over, of another user on another device each time.
fn feed(events: &[Event], apart: i64) {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    let mut seen = 0;
    let mut marks = MARKS.into_iter().peekable();
    for number in 0.. {
        for event in events {
            seen += u64::from(matches!(event, Event::Exchange(_)));
            drop(engine.observe(another(event, number, apart)));
            if marks.next_if_eq(&seen).is_some() {
                let known = engine.enrollments().count();
                println!(
                    "{seen:>8} exchanges  {known:>6} enrollments remembered  {:>7} KiB resident",
                    resident()
                );
            }
        }
        drop(engine.observe(Event::Tick(events.last().expect("a golden").at().plus_millis(number * apart))));
        if marks.peek().is_none() {
            return;
        }
    }
}

fn another(event: &Event, number: i64, apart: i64) -> Event {
    let later = number * apart;
    let connection = |id: &ConnectionId| ConnectionId(format!("{id}-{number}").into());
    match event {
        Event::Exchange(exchange) => {
            let mut exchange: Exchange = (**exchange).clone();
            exchange.id = ExchangeId(format!("{}-{number}", exchange.id).into());
            exchange.connection = exchange.connection.as_ref().map(connection);
            exchange.request.at = exchange.request.at.plus_millis(later);
            // As long as before, so that lengths hold.
            let body = String::from_utf8_lossy(&exchange.request.body.bytes)
                .replace("anna@contoso.example", &format!("{number:08x}@corp.example"))
                .replace("7A5E0D50F0B84C0FA1B0B1F6B3E4C001", &format!("{number:032X}"));
            exchange.request.body.bytes = body.into();
            if let Some(response) = &mut exchange.response {
                response.at = response.at.plus_millis(later);
            }
            Event::Exchange(Arc::new(exchange))
        }
        Event::Connection(c) => {
            let peer = format!("10.{}.{}.{}:50000", number >> 16 & 255, number >> 8 & 255, number & 255);
            let at = c.at.plus_millis(later);
            Event::Connection(Arc::new(Connection { id: connection(&c.id), at, peer, ..(**c).clone() }))
        }
        other => other.clone(),
    }
}

/// KiB, as the kernel counts them.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
