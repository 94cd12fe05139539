//! An exchange's bytes through the engine, after as much of a golden enrollment as the first two bytes say.
#![no_main]

use std::sync::{Arc, OnceLock};

use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::Event;
use enrollscope::rules::{MAX_EVIDENCE, Profile, all};
use enrollscope_fuzz::{exchange, goldens, write};
use libfuzzer_sys::fuzz_target;

/// The engine after each exchange of each golden.
fn engines() -> &'static [Engine] {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let mut engines = Vec::new();
        for (_, exchanges) in goldens() {
            let mut engine = Engine::new(Profile::Strict, Deadlines::default());
            for exchange in exchanges {
                engines.push(engine.clone());
                engine.observe(Event::Exchange(exchange));
            }
        }
        engines
    })
}

fuzz_target!(init: write("observe"), |data: &[u8]| {
    let engines = engines();
    let which = data.iter().take(64).fold(data.len(), |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    let mut engine = engines[which % engines.len()].clone();
    let seen = engine.observe(Event::Exchange(Arc::new(exchange(data))));
    assert!(seen.findings.len() <= 2 * MAX_EVIDENCE * all().count(), "findings are bounded");
});
