//! Ids by which requests are found in other logs.

use std::collections::BTreeSet;

use crate::compare::Story;
use crate::event::header;
use crate::message::{Content, read_response};

/// Ids by which the other side finds the same requests in its logs, each with what it is called.
pub fn correlation(story: &Story) -> BTreeSet<(String, String)> {
    const HEADERS: &[&str] =
        &["client-request-id", "request-id", "x-ms-request-id", "x-request-id", "traceparent"];
    let mut ids = BTreeSet::new();
    for told in &story.exchanges {
        let request = &told.exchange.request;
        let mut add = |name: &str, value: &str| {
            if !value.trim().is_empty() {
                ids.insert((name.to_owned(), value.trim().to_owned()));
            }
        };
        for name in HEADERS {
            let answer = told.exchange.response.as_ref().and_then(|r| header(&r.headers, name));
            for found in [header(&request.headers, name), answer].into_iter().flatten() {
                add(name, &found.text());
            }
        }
        let Some(response) = &told.exchange.response else { continue };
        let read = read_response(response);
        if let Some(activity) = read.soap.as_ref().and_then(|soap| soap.activity_id.as_ref()) {
            add("ActivityId", &activity.value);
        }
        if let Content::Fault(fault) = &read.content
            && let Some(trace) = &fault.trace_id
        {
            add("TraceId", &trace.value);
        }
    }
    ids
}
