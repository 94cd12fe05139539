//! What one exchange, and one whole enrollment, costs in each part of the inspection.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use enrollscope::capture;
use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Event, Exchange};
use enrollscope::message::{read_request, read_response};
use enrollscope::redact::{Key, Level, Redactor};
use enrollscope::rules::Profile;
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
    group.bench_function("whole enrollment", |b| {
        b.iter_batched(
            || (engine(), events.clone()),
            |(mut engine, events)| {
                let seen: Vec<_> = events.into_iter().map(|event| engine.observe(event)).collect();
                (engine, seen)
            },
            BatchSize::SmallInput,
        );
    });
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
    let redactor = Redactor::new(Level::Secrets, false, Key::new(&[7; 32]));
    let mut group = c.benchmark_group("redact");
    group.bench_function("whole enrollment", |b| {
        b.iter_batched(
            || all.iter().map(|e| (**e).clone()).collect::<Vec<_>>(),
            |mut all| {
                all.iter_mut().for_each(|exchange| redactor.exchange(exchange));
                all
            },
            BatchSize::SmallInput,
        );
    });
    for exchange in &all {
        group.bench_function(name(exchange), |b| {
            b.iter_batched(
                || (**exchange).clone(),
                |mut exchange| {
                    redactor.exchange(&mut exchange);
                    exchange
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn record(c: &mut Criterion) {
    let all = exchanges(&golden::on_premise(golden::SEED));
    let mut group = c.benchmark_group("record");
    for exchange in &all {
        let mut line = Vec::new();
        capture::encode::exchange(&mut line, exchange);
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
    targets = observe, read, redact, record
}
criterion_main!(benches);
