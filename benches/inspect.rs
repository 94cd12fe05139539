//! What one exchange, and one whole enrollment, costs in each part of the inspection.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use enrollscope::capture;
use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Body, Event, Exchange};
use enrollscope::message::{read_request, read_response};
use enrollscope::redact::{Key, Level, Redactor};
use enrollscope::rules::{Golden, Profile};
use enrollscope::sim::golden;
use enrollscope::xml::Document;

fn exchanges(events: &[Event]) -> Vec<Arc<Exchange>> {
    let exchange = |event: &Event| match event {
        Event::Exchange(exchange) => Some(Arc::clone(exchange)),
        _ => None,
    };
    events.iter().filter_map(exchange).collect()
}

fn name(exchange: &Exchange) -> &'static str {
    read_request(&exchange.request).kind.word()
}

fn engine() -> Engine {
    Engine::new(Profile::Field, Deadlines::default())
}

fn observe(c: &mut Criterion) {
    let events = golden::on_premise(golden::SEED);
    let mut group = c.benchmark_group("observe");
    for flow in Golden::ALL {
        let events = golden::of(*flow);
        group.bench_function(format!("whole enrollment, {}", flow.word()), |b| {
            b.iter_batched(
                || (engine(), events.clone()),
                |(mut engine, events)| {
                    let seen: Vec<_> = events.into_iter().map(|event| engine.observe(event)).collect();
                    (engine, seen)
                },
                BatchSize::SmallInput,
            );
        });
    }
    for (at, event) in events.iter().enumerate() {
        let Event::Exchange(exchange) = event else { continue };
        group.bench_function(name(exchange), |b| {
            b.iter_batched(
                || {
                    let mut engine = engine();
                    for earlier in &events[..at] {
                        engine.observe(earlier.clone());
                    }
                    (engine, event.clone())
                },
                |(mut engine, event)| (engine.observe(event), engine),
                BatchSize::SmallInput,
            );
        });
    }
}

/// The answer to GetPolicies with this piece of it repeated until the body has about that many bytes.
fn swollen(before: &str, piece: &str, bytes: usize) -> Event {
    let events = golden::of(Golden::FullPolicy);
    let all = exchanges(&events);
    let mut exchange = (**all.iter().find(|e| name(e) == "get-policies-request").unwrap()).clone();
    let response = exchange.response.as_mut().unwrap();
    let text = String::from_utf8(response.body.bytes.to_vec()).unwrap();
    let at = text.find(before).unwrap();
    let more = piece.repeat((bytes.saturating_sub(text.len())) / piece.len());
    response.body = Body::full(format!("{}{more}{}", &text[..at], &text[at..]));
    Event::Exchange(Arc::new(exchange))
}

/// The throughput stays the same where the cost is linear in the body's size.
fn large(c: &mut Criterion) {
    let mut group = c.benchmark_group("large");
    for (what, before, piece) in [
        (
            "references to nothing",
            "</cAs>",
            "<cA><certificate>AQAB</certificate><cAReferenceID>9</cAReferenceID></cA>",
        ),
        ("unknown elements", "</response>", "<another one=\"1\" two=\"2\">text</another>"),
        ("text", "</response>", "<another>0123456789012345678901234567890123456789012345678901234</another>"),
    ] {
        for bytes in [1 << 16, 1 << 18, 1 << 20, 1 << 22] {
            let event = swollen(before, piece, bytes);
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_function(format!("{what}, {} KiB", bytes >> 10), |b| {
                b.iter_batched(
                    || (engine(), event.clone()),
                    |(mut engine, event)| (engine.observe(event), engine),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

fn read(c: &mut Criterion) {
    let all = exchanges(&golden::on_premise(golden::SEED));
    let mut group = c.benchmark_group("read");
    for exchange in &all {
        let response = exchange.response.as_ref().unwrap();
        group.bench_function(format!("{} and its answer", name(exchange)), |b| {
            b.iter(|| (read_request(black_box(&exchange.request)), read_response(black_box(response))));
        });
        group.bench_function(format!("{} and its answer, XML only", name(exchange)), |b| {
            b.iter(|| {
                let request = Document::read(black_box(&exchange.request.body.bytes));
                (request, Document::read(black_box(&response.body.bytes)))
            });
        });
    }
}

fn redact(c: &mut Criterion) {
    let all = exchanges(&golden::on_premise(golden::SEED));
    let mut group = c.benchmark_group("redact");
    for level in [Level::Secrets, Level::Identities] {
        let redactor = Redactor::new(level, false, Key::new(&[7; 32]));
        let mut bench = |name: &str, exchanges: &[Arc<Exchange>]| {
            group.bench_function(format!("{name}, {}", level.word()), |b| {
                b.iter_batched(
                    || exchanges.iter().map(|e| (**e).clone()).collect::<Vec<_>>(),
                    |mut all| {
                        all.iter_mut().for_each(|exchange| redactor.exchange(exchange));
                        all
                    },
                    BatchSize::SmallInput,
                );
            });
        };
        bench("whole enrollment", &all);
        all.iter().for_each(|exchange| bench(name(exchange), std::slice::from_ref(exchange)));
    }
}

fn record(c: &mut Criterion) {
    let all = exchanges(&golden::on_premise(golden::SEED));
    let mut group = c.benchmark_group("record");
    for exchange in &all {
        let mut line = Vec::new();
        capture::encode::exchange(&mut line, exchange);
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(format!("{} written", name(exchange)), |b| {
            b.iter(|| {
                let mut out = Vec::new();
                capture::encode::exchange(&mut out, black_box(exchange));
                out
            });
        });
        group.bench_function(format!("{} read", name(exchange)), |b| {
            b.iter(|| capture::decode(black_box(&line)));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .sample_size(30);
    targets = observe, large, read, redact, record
}
criterion_main!(benches);
