//! What the dashboard costs with as many enrollments as it holds on a very bad day.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use crossterm::event::{Event as Terminal, KeyCode, KeyEvent, KeyModifiers};
use enrollscope::dashboard::{Model, Size, Status, Theme, draw, update};
use enrollscope::engine::{Engine, Observation};
use enrollscope::enrollment::{Deadlines, EnrollmentId};
use enrollscope::event::{Event, ExchangeId};
use enrollscope::rules::{Golden, Profile};
use enrollscope::sim::golden;
use ratatui::backend::TestBackend;

const ENROLLMENTS: u64 = 10_000;

/// What was observed last of one enrollment that failed, and of one that did not.
fn templates() -> [Observation; 2] {
    [Golden::Refused, Golden::OnPremise].map(|golden| {
        let mut engine = Engine::new(Profile::Field, Deadlines::default());
        let seen = golden::of(golden).into_iter().map(|event| engine.observe(event));
        seen.filter(|seen| matches!(seen.event, Event::Exchange(_)) && !seen.changed.is_empty())
            .last()
            .unwrap()
    })
}

/// The same of another device.
fn of(template: &Observation, number: u64) -> Observation {
    let mut seen = template.clone();
    let id = EnrollmentId(number);
    seen.enrollment = Some(id);
    for enrollment in &mut seen.changed {
        enrollment.id = id;
        enrollment.user = Some(format!("user{number}@contoso.example"));
        enrollment.device_id = Some(format!("{number:032X}"));
        enrollment.address = format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
        enrollment.started = enrollment.started.plus_millis(i64::try_from(number).unwrap() * 100);
    }
    if let Event::Exchange(exchange) = &mut seen.event {
        Arc::make_mut(exchange).id = ExchangeId(number.to_string().into());
    }
    seen
}

fn model(templates: &[Observation; 2]) -> Model {
    let mut model = Model::new(Status { live: true, ..Status::default() }, jiff::tz::TimeZone::UTC);
    for number in 1..=ENROLLMENTS {
        model.apply(of(&templates[usize::from(number % 3 > 0)], number), None);
    }
    model.size = Size { width: 200, height: 60 };
    model.refresh();
    model
}

fn frame(terminal: &mut ratatui::Terminal<TestBackend>, model: &Model) {
    terminal.draw(|frame| draw(frame, model, Theme::default())).unwrap();
}

fn dashboard(c: &mut Criterion) {
    let templates = templates();
    let mut model = model(&templates);
    let mut terminal = ratatui::Terminal::new(TestBackend::new(200, 60)).unwrap();
    let mut group = c.benchmark_group("dashboard, 10,000 enrollments");
    group.sample_size(20);
    group.bench_function("one frame, nothing new", |b| {
        b.iter(|| {
            model.refresh();
            frame(&mut terminal, black_box(&model));
        });
    });
    let mut number = 0;
    group.bench_function("one observation and its frame", |b| {
        b.iter(|| {
            number = number % ENROLLMENTS + 1;
            model.apply(of(&templates[0], number), None);
            model.refresh();
            frame(&mut terminal, &model);
        });
    });
    let key = |c| Terminal::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
    group.bench_function("a key and its frame", |b| {
        b.iter(|| {
            update(&mut model, &key('j'));
            frame(&mut terminal, &model);
        });
    });
    group.bench_function("what is wrong, opened and closed", |b| {
        b.iter(|| {
            update(&mut model, &key('w'));
            frame(&mut terminal, &model);
            update(&mut model, &key('w'));
        });
    });
    for c in "stage:cert status>=400".chars() {
        if model.ui.filter.value().is_empty() {
            update(&mut model, &key('/'));
        }
        update(&mut model, &key(c));
    }
    group.bench_function("one observation and its frame, filtered", |b| {
        b.iter(|| {
            number = number % ENROLLMENTS + 1;
            model.apply(of(&templates[0], number), None);
            model.refresh();
            frame(&mut terminal, &model);
        });
    });
    group.finish();
}

criterion_group!(benches, dashboard);
criterion_main!(benches);
