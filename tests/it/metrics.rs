//! What monitoring, and somebody with a browser, get to read.

use std::sync::Arc;

use enrollscope::capture::{Health, Recording};
use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Connection, ConnectionEvent, Event, Reason};
use enrollscope::metrics::Metrics;
use enrollscope::rules::{Golden, Profile};
use enrollscope::sim::golden;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::binary::Place;
use crate::wire;

fn count(events: Vec<Event>) -> String {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    let mut metrics = Metrics::new("1.2.3");
    events.into_iter().for_each(|event| metrics.see(&engine.observe(event)));
    let recording =
        Recording { recorded: 5, lost: 2, size: 4096, health: Health::Lossy, ..Recording::default() };
    metrics.text(Some(&recording))
}

#[test]
fn an_enrollment_is_counted_by_step_outcome_and_time() {
    let text = count(golden::of(Golden::OnPremise));
    for line in [
        "enrollscope_build_info{version=\"1.2.3\"",
        "enrollscope_exchanges_total{request=\"get-policies-request\",answer=\"2xx\"} 1",
        "enrollscope_answer_seconds_count{request=\"security-token-request\"} 1",
        "enrollscope_enrollments_total{outcome=\"enrolled\"} 1",
        "enrollscope_enrollments_in_progress 0",
        "enrollscope_connections_total 2",
        "enrollscope_connections_open 0",
        "enrollscope_recorded_total 5",
        "enrollscope_lost_total 2",
        "enrollscope_capture_bytes 4096",
        "enrollscope_recording_healthy 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn faults_findings_and_refusals_are_counted() {
    let mut events = golden::of(Golden::Refused);
    events.push(Event::Connection(Arc::new(Connection {
        event: ConnectionEvent::Failed,
        reason: Some(Reason::Alert("unknown_ca".to_owned())),
        ..Connection::default()
    })));
    let text = count(events);
    for line in [
        "enrollscope_enrollments_total{outcome=\"failed\"} 1",
        "enrollscope_exchanges_total{request=\"security-token-request\",answer=\"5xx\"} 1",
        "enrollscope_connections_refused_total{reason=\"certificate-distrusted\"} 1",
        "severity=\"info\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// The whole answer to a GET.
async fn get(authority: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn a_proxy_tells_how_it_stands_on_its_admin_port() {
    let place = Place::new();
    let server = wire::Server::start().await;
    let upstream = format!("http://{}", server.address);
    let args = ["--listen-http", "127.0.0.1:0", "--upstream", &upstream, "--admin", "127.0.0.1:0"];
    let running = place.start(&args, 1);
    let page = running.said("admin http://").to_owned();
    let (authority, status) = page.split_at(page.find('/').unwrap());

    let discover = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><Discover \
        xmlns=\"http://schemas.microsoft.com/windows/management/2012/01/enrollment\"><request>\
        <EmailAddress>&lt;b&gt;anna@contoso.example</EmailAddress></request></Discover></s:Body></s:Envelope>";
    let mut device = TcpStream::connect(running.addresses[0]).await.unwrap();
    let request = format!(
        "POST /EnrollmentServer/Discovery.svc HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{discover}",
        discover.len()
    );
    device.write_all(request.as_bytes()).await.unwrap();
    let (_, _kept) = server.serve_once("Envelope>", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").await;
    wire::read_until(&mut device, "\r\n\r\n").await;
    // Recorded before it is answered, and judged soon after.
    let counted = "enrollscope_exchanges_total{request=\"discover-request\",answer=\"5xx\"} 1";
    let metrics = wire::within(async {
        loop {
            let metrics = get(authority, "/metrics").await;
            if metrics.contains(counted) {
                return metrics;
            }
        }
    })
    .await;
    assert!(metrics.contains("enrollscope_recorded_total 1"), "{metrics}");
    assert!(metrics.contains("application/openmetrics-text"), "{metrics}");
    assert!(get(authority, "/healthz").await.ends_with("\r\n\r\nok\n"));
    assert!(get(authority, "/status").await.starts_with("HTTP/1.1 401"));
    let html = get(authority, status).await;
    assert!(html.contains("HTTP 503 without a fault") && html.contains("0x801901F7"), "{html}");
    assert!(
        html.contains("&lt;b&gt;anna") && !html.contains("<b>anna") && !html.contains("<script"),
        "{html}"
    );
    running.stop();
}

#[test]
fn an_admin_port_that_cannot_be_is_told() {
    let place = Place::new();
    place.put("short", "abc\n");
    let args = ["proxy", "--listen-http", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9", "--no-capture"];
    for (more, words) in [
        (&["--admin", "127.0.0.1:0", "--admin-token-file", "short"][..], "at least 16 characters"),
        (&["--admin", "127.0.0.1:0", "--admin-token-file", "none"], "could not read the admin token"),
        (&["--admin", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1 (--admin)"),
    ] {
        place.run(&[&args[..], more].concat()).refused(words);
    }
}
