//! Any bytes as a capture: read, played to the engine, each line rewritten, and the whole repaired.
#![no_main]

use enrollscope::capture::{Play, Played, Reader, rewrite};
use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::rules::Profile;
use enrollscope::sink::repair;
use enrollscope_fuzz::write;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: write("capture"), |data: &[u8]| {
    if let Ok(reader) = Reader::new(data) {
        let mut engine = Engine::new(Profile::Field, Deadlines::default());
        for played in Play::new(reader).map_while(Result::ok).take(2000) {
            if let Played::Event { event, .. } = played {
                engine.observe(event);
            }
        }
    }
    for line in data.split(|b| *b == b'\n').take(50) {
        let _ = rewrite(line, |_| ());
    }
    let place = std::env::temp_dir().join(format!("enrollscope-fuzz-{}", std::process::id()));
    let repaired = place.with_extension("repaired");
    if data.len() < 8192 && std::fs::write(&place, data).is_ok() {
        let _ = std::fs::remove_file(&repaired);
        let _ = repair(&place, &repaired);
        let _ = std::fs::remove_file(&repaired);
        let _ = std::fs::remove_file(&place);
    }
});
