//! An exchange's bytes through redaction: it ends, what it leaves can be redacted again, and a password that is whole
//! in its element, its parm or its escaped document is gone.
#![no_main]

use enrollscope::redact::{Key, Level, Redactor};
use enrollscope_fuzz::{exchange, write};
use libfuzzer_sys::fuzz_target;

const PASSWORD: &str = "Zq7vKpl4ntedxW9s3crEtQz";

fuzz_target!(init: write("redact"), |data: &[u8]| {
    let redactor = Redactor::new(Level::Secrets, true, Key::new(&[7; 32]));
    let left = |bytes: &[u8]| bytes.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes());
    if left(data) {
        return; // Within other letters it is no password.
    }
    let mut exchange = exchange(data);
    let planted = format!(
        "<Password>{PASSWORD}</Password><parm name=\"Challenge\" value=\"{PASSWORD}\"/>\
         <Data>&lt;sharedKey&gt;{PASSWORD}&lt;/sharedKey&gt;</Data>"
    );
    let body = [planted.as_bytes(), &exchange.request.body.bytes].concat();
    exchange.request.body.length = body.len() as u64;
    exchange.request.body.bytes = body.into();
    redactor.exchange(&mut exchange);
    assert!(!left(&exchange.request.body.bytes), "a password is left");
    redactor.exchange(&mut exchange);
    let _ = redactor.text(data);
});
