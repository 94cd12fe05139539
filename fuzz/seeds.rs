//! What the fuzzer begins with, out of the goldens, and how it puts an exchange into bytes.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enrollscope::capture::MessageFile;
use enrollscope::event::{Body, Event, Exchange, Header};
use enrollscope::message::{decode_base64, read_request, read_response};
use enrollscope::rules::Golden;
use enrollscope::sim::golden;
use enrollscope::xml::Document;

/// Stands between a request and its answer.
const BETWEEN: &[u8] = b"\n=====\n";

/// A request, and behind [`BETWEEN`] its answer, as they cross the wire.
pub fn exchange(data: &[u8]) -> Exchange {
    let at = data.windows(BETWEEN.len()).position(|w| w == BETWEEN);
    let (request, response) = at.map_or((data, None), |at| (&data[..at], Some(&data[at + BETWEEN.len()..])));
    let mut exchange = MessageFile::read(request).into_exchange();
    if let Some(response) = response {
        exchange.response = MessageFile::read(response).into_exchange().response;
    }
    exchange
}

fn message(first: &str, headers: &[Header], body: &Body) -> Vec<u8> {
    let mut bytes = format!("{first}\r\n").into_bytes();
    for header in headers {
        bytes.extend([header.name.as_bytes(), b": ", &header.value, b"\r\n"].concat());
    }
    [&bytes[..], b"\r\n", &body.bytes].concat()
}

fn bytes_of(exchange: &Exchange) -> Vec<u8> {
    let request = &exchange.request;
    let first = format!("{} {} HTTP/1.1", request.method, request.target);
    let mut bytes = message(&first, &request.headers, &request.body);
    if let Some(response) = &exchange.response {
        let first = format!("HTTP/1.1 {} {}", response.status, response.reason);
        bytes.extend(BETWEEN);
        bytes.extend(message(&first, &response.headers, &response.body));
    }
    bytes
}

/// Every golden's exchanges.
pub fn goldens() -> Vec<(Golden, Vec<Arc<Exchange>>)> {
    let exchange = |event: Event| match event {
        Event::Exchange(exchange) => Some(exchange),
        _ => None,
    };
    let all = |golden: &Golden| golden::of(*golden).into_iter().filter_map(exchange).collect();
    Golden::ALL.iter().map(|golden| (*golden, all(golden))).collect()
}

/// Writes the target's seeds where `SEEDS` says; nothing without it.
pub fn write(target: &str) {
    let Some(place) = std::env::var_os("SEEDS") else { return };
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for (golden, exchanges) in goldens() {
        if target == "capture" {
            let capture = golden::capture(&golden::of(golden));
            // The header, and one record at a time: whole captures are longer than the fuzzer's inputs.
            let mut lines = capture.split_inclusive(|b| *b == b'\n');
            let header = lines.next().unwrap_or_default();
            seeds.extend(lines.map(|line| [header, line].concat()));
        }
        for exchange in exchanges {
            let bodies = [Some(&exchange.request.body), exchange.response.as_ref().map(|r| &r.body)];
            match target {
                "observe" | "redact" => seeds.push(bytes_of(&exchange)),
                "xml" => seeds.extend(bodies.iter().flatten().map(|body| body.bytes.to_vec())),
                "der" | "provisioning" => {
                    let messages = [
                        Some(read_request(&exchange.request)),
                        exchange.response.as_ref().map(read_response),
                    ];
                    for document in messages.into_iter().flatten().filter_map(|m| m.document) {
                        seeds.extend(
                            encoded(&document)
                                .into_iter()
                                .filter(|bytes| target == "der" || bytes.starts_with(b"<")),
                        );
                    }
                }
                _ => {}
            }
        }
    }
    seeds.sort();
    seeds.dedup();
    for (number, seed) in seeds.iter().enumerate() {
        std::fs::write(Path::new(&place).join(format!("seed-{number}")), seed).expect("SEEDS can be written");
    }
}

/// All that is base64 in a document, and in the documents in it.
fn encoded(document: &Document) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for element in document.elements() {
        let values =
            element.attributes().map(|a| a.value().into_owned()).chain([element.text().into_owned()]);
        for bytes in values.filter(|v| v.len() > 60).filter_map(|v| decode_base64(&v)) {
            if bytes.starts_with(b"<") {
                found.extend(encoded(&Document::read(&bytes)));
            }
            found.push(bytes);
        }
    }
    found
}

/// For rules that decode twice.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
