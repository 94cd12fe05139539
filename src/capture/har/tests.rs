//! HAR files of others and of our own.

use std::sync::Arc;

use super::{Writer, read};
use crate::capture::samples::full_exchange;
use crate::event::{Body, Event, Exchange, Framing, Time, Version, header};

fn imported(text: &str) -> (Vec<Exchange>, Vec<(&'static str, u64)>) {
    let mut exchanges = Vec::new();
    let imported = read(text.as_bytes(), |exchange| exchanges.push(exchange)).unwrap();
    assert_eq!(imported.exchanges, exchanges.len() as u64);
    (exchanges, imported.lost.into_iter().collect())
}

fn exported(exchanges: &[Exchange]) -> String {
    let mut writer = Writer::new(Vec::new(), "0").unwrap();
    for exchange in exchanges {
        writer.add(&Event::Exchange(Arc::new(exchange.clone()))).unwrap();
    }
    assert_eq!(writer.entries, exchanges.len() as u64);
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// One entry, with these members in request and response.
fn entry(url: &str, request: &str, response: &str) -> String {
    format!(
        r#"{{"pageref":"p","startedDateTime":"2026-11-20T09:00:00.250+01:00","time":12,
            "request":{{"method":"POST","url":"{url}","httpVersion":"h2","cookies":[],"queryString":[],{request}}},
            "response":{{"status":200,"statusText":"","httpVersion":"h2",{response}}},
            "cache":{{}},"connection":"443","timings":{{"blocked":-1,"dns":-1,"connect":10,"ssl":7,"send":1,"wait":5,"receive":1}}}}"#
    )
}

fn file(entries: &[String]) -> String {
    format!(
        r#"{{"log":{{"version":"1.2","creator":{{"name":"x"}},"entries":[{}],"pages":[]}}}}"#,
        entries.join(",")
    )
}

#[test]
fn what_a_browser_has_recorded_is_an_exchange() {
    let request = r#""headers":[{"name":":authority","value":"mdm.example"},{"name":"accept","value":"*/*"}],
        "postData":{"mimeType":"application/x-www-form-urlencoded","params":[{"name":"a b","value":"c&d"}]},"bodySize":9"#;
    let response = r#""headers":[{"name":"content-encoding","value":"gzip"}],
        "content":{"size":5,"text":"aGVsbG8=","encoding":"base64"},"bodySize":25"#;
    let (exchanges, lost) = imported(&file(&[entry("https://mdm.example/a/b?c=d#e", request, response)]));
    assert_eq!(lost, []);
    let exchange = &exchanges[0];
    let at = Time::parse("2026-11-20T08:00:00.250Z").unwrap();
    assert_eq!((exchange.seq, exchange.request.at, &*exchange.request.target), (1, at, "/a/b?c=d"));
    assert_eq!(exchange.request.version, Version::Http2);
    assert_eq!(header(&exchange.request.headers, "host").unwrap().value, "mdm.example");
    assert!(exchange.request.headers.iter().all(|h| !h.name.starts_with(':')));
    assert_eq!(exchange.request.body.bytes, "a+b=c%26d");
    assert_eq!(exchange.upstream.as_ref().unwrap().origin, "https://mdm.example:443");
    let response = exchange.response.as_ref().unwrap();
    assert_eq!(response.at, at.plus_millis(16));
    let body = Body {
        bytes: "hello".into(),
        length: 25,
        framing: Framing::H2,
        encoding: Some("gzip".to_owned()),
        decoded: true,
        ..Body::default()
    };
    assert_eq!(response.body, body);
}

#[test]
fn what_is_missing_is_counted() {
    let plain = r#""headers":[],"bodySize":-1"#;
    let empty = r#""headers":[],"content":{"size":700},"bodySize":-1"#;
    let none = entry("http://a", plain, empty).replace("\"status\":200", "\"status\":0");
    let untimed = entry("http://a", plain, empty).replace("2026-", "soon-");
    let (exchanges, lost) = imported(&file(&[
        entry("http://a", plain, empty),
        none,
        untimed,
        entry("data:text/plain,x", plain, empty),
    ]));
    assert_eq!(exchanges.len(), 2);
    let withheld = &exchanges[0].response.as_ref().unwrap().body;
    assert!(withheld.bytes.is_empty() && withheld.length == 700 && withheld.withheld.is_some());
    assert!(exchanges[1].response.is_none() && exchanges[0].request.target == "/");
    assert_eq!(lost.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn what_is_no_har_file_ends_in_a_word() {
    for text in [
        "",
        "{}",
        "[]",
        r#"{"log":{}}"#,
        r#"{"log":{"entries":[{"request":7}]}}"#,
        r#"{"log":{"entries":[{}"#,
    ] {
        assert!(read(text.as_bytes(), |_| {}).unwrap_err().starts_with("no HAR file"), "{text}");
    }
    // Nested as deep as it likes.
    let deep = format!(r#"{{"log":{{"x":{}"#, "[".repeat(100_000));
    assert!(read(deep.as_bytes(), |_| {}).is_err());
}

#[test]
fn what_was_written_is_read_again() {
    let mut exchange = full_exchange();
    exchange.request.sent = None;
    exchange.changes.clear();
    exchange.request.headers.retain(|h| std::str::from_utf8(&h.value).is_ok());
    let response = exchange.response.as_mut().unwrap();
    response.sent = None;
    response.body = Body { framing: Framing::Length, ..Body::full(&b"\xff\x00binary"[..]) };
    exchange.request.body = Body::full("a text with \u{1F511} and \"quotes\"");
    let text = exported(&[exchange.clone(), exchange.clone()]);
    let (read, _) = imported(&text);
    assert_eq!(read.len(), 2);
    let found = &read[1];
    assert_eq!(found.id, exchange.id);
    assert_eq!(found.request.at, exchange.request.at);
    assert_eq!(
        (&found.request.method, &found.request.headers),
        (&exchange.request.method, &exchange.request.headers)
    );
    assert_eq!(found.request.body.bytes, exchange.request.body.bytes);
    let (response, found) = (exchange.response.unwrap(), found.response.clone().unwrap());
    assert_eq!(
        (found.status, &found.reason, &found.headers),
        (response.status, &response.reason, &response.headers)
    );
    assert_eq!(found.body.bytes, response.body.bytes);
    // What was read once is written the same again.
    assert_eq!(exported(&read), exported(&imported(&exported(&read)).0));
}

#[test]
fn what_has_no_place_in_a_har_file_is_counted() {
    let mut writer = Writer::new(Vec::new(), "0").unwrap();
    writer.add(&Event::Exchange(Arc::new(full_exchange()))).unwrap();
    writer.add(&Event::Gap { at: Time(0), lost: 3 }).unwrap();
    let lost: Vec<_> = writer.lost.keys().map(|words| words.split(' ').next().unwrap()).collect();
    for word in ["gaps,", "notes", "trailers", "values"] {
        assert!(lost.contains(&word), "{word}: {lost:?}");
    }
}

#[test]
fn absurd_times_are_read_all_the_same() {
    let one = entry("https://mdm.example/", r#""headers":[],"bodySize":0"#, r#""headers":[],"content":{}"#);
    let absurd =
        one.replace(r#""connect":10"#, r#""connect":1e300"#).replace(r#""wait":5"#, r#""wait":1e300"#);
    let (exchanges, _) = imported(&file(&[absurd]));
    assert_eq!((exchanges[0].timing.connect, exchanges[0].timing.wait), (Some(u64::MAX), Some(u64::MAX)));
}
