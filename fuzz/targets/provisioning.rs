//! Any bytes as the provisioning document of a token answer: read, judged after the golden enrollment before it, redacted.
#![no_main]

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Event, Exchange};
use enrollscope::redact::{Key, Level, Redactor};
use enrollscope::rules::{MAX_EVIDENCE, Profile, all};
use enrollscope_fuzz::{base64, goldens, write};
use libfuzzer_sys::fuzz_target;

/// Each golden's engine before its token answer, that exchange, and the answer's text around the document.
fn scenes() -> &'static [(Engine, Exchange, String, String)] {
    static SCENES: OnceLock<Vec<(Engine, Exchange, String, String)>> = OnceLock::new();
    SCENES.get_or_init(|| {
        let mut scenes = Vec::new();
        for (_, exchanges) in goldens() {
            let mut engine = Engine::new(Profile::Strict, Deadlines::default());
            for exchange in exchanges {
                if let Some(response) = &exchange.response
                    && let Ok(text) = std::str::from_utf8(&response.body.bytes)
                    && let Some(at) = text.find("DeviceEnrollmentProvisionDoc")
                    && let Some(start) = text[at..].find('>').map(|p| at + p + 1)
                    && let Some(end) = text[start..].find('<').map(|p| start + p)
                {
                    let (before, after) = (text[..start].to_owned(), text[end..].to_owned());
                    scenes.push((engine.clone(), Exchange::clone(&exchange), before, after));
                }
                engine.observe(Event::Exchange(exchange));
            }
        }
        scenes
    })
}

fuzz_target!(init: write("provisioning"), |data: &[u8]| {
    let scenes = scenes();
    let (engine, exchange, before, after) = &scenes[data.len() % scenes.len()];
    let mut exchange = exchange.clone();
    if let Some(response) = &mut exchange.response {
        let text = Bytes::from(format!("{before}{}{after}", base64(data)));
        response.body.length = text.len() as u64;
        response.body.bytes = text;
    }
    Redactor::new(Level::Secrets, false, Key::new(&[7; 32])).exchange(&mut exchange);
    let seen = engine.clone().observe(Event::Exchange(Arc::new(exchange)));
    assert!(seen.findings.len() <= 2 * MAX_EVIDENCE * all().count(), "findings are bounded");
});
