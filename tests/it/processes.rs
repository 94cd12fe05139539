//! The proxy, the server and the device as processes: how they start, what passes, how they end.

use enrollscope::sim;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::binary::{Place, authority, committed, golden_key};
use crate::wire;

const GOLDEN: &str = "captures/golden/on-premise.jsonl";

#[test]
fn a_proxy_that_cannot_start_says_why_and_leaves_everything_as_it_is() {
    let place = Place::new();
    place.put_certificate();
    place.put(
        "encrypted.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    place.put("other.pem", golden_key("device"));
    place.put("foreign.txt", "not ours\n");
    let newer = std::fs::read_to_string(committed(GOLDEN)).unwrap().replace("\"version\":1", "\"version\":9");
    place.put("newer.jsonl", &newer);
    let before = place.names();

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_address = taken.local_addr().unwrap().to_string();
    let free = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let itself = format!("http://{free}");
    let plain = ["--listen-http", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"];
    let tls = ["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9", "--tls-cert", "cert.pem"];
    let with = |base: &[&'static str], more: &[&'static str]| [base, more].concat();
    for (args, words) in [
        (vec!["--listen-http", "127.0.0.1:0"], "--upstream"),
        (vec!["--upstream", "http://127.0.0.1:9"], "where to listen"),
        (vec!["--listen-http", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9/path"], "has a path"),
        (vec!["--listen-http", "127.0.0.1:0", "--upstream", "127.0.0.1:9"], "no origin"),
        (
            vec!["--listen-http", &taken_address, "--upstream", "http://127.0.0.1:9"],
            "taken by another program",
        ),
        (vec!["--listen-http", &free, "--upstream", &itself], "leads back to our own listener"),
        (with(&tls, &[]), "--tls-key"),
        (with(&tls, &["--tls-key", "missing.pem"]), "cannot read missing.pem"),
        (with(&tls, &["--tls-key", "encrypted.pem"]), "encrypted"),
        (with(&tls, &["--tls-key", "foreign.txt"]), "no private key"),
        (with(&tls, &["--tls-key", "other.pem"]), "does not belong"),
        (with(&plain, &["--capture", "newer.jsonl"]), "version 9"),
        (with(&plain, &["--capture", "foreign.txt"]), "not a capture"),
        (with(&plain, &["--capture", "foreign.txt/c.jsonl"]), "foreign.txt/c.jsonl"),
        (with(&plain, &["--capture", "no/such/c.jsonl"]), "no/such/c.jsonl"),
        (with(&plain, &["--capture", "c.jsonl", "--no-capture"]), "cannot be used with"),
        (
            vec![
                "--listen-http",
                "127.0.0.1:0",
                "--upstream",
                "https://127.0.0.1:9",
                "--upstream-ca",
                "missing.pem",
            ],
            "missing.pem",
        ),
    ] {
        place.run(&[&["proxy", "--headless"], &args[..]].concat()).refused(words);
    }
    assert_eq!(place.read("newer.jsonl"), newer.as_bytes());
    assert_eq!(place.read("foreign.txt"), b"not ours\n");
    let after: Vec<_> = place.names().into_iter().filter(|name| name != "state").collect();
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn a_stopped_proxy_ends_well_and_its_capture_is_closed() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        let server = wire::Server::start().await;
        let upstream = format!("http://{}", server.address);
        let args = ["--listen-http", "127.0.0.1:0", "--upstream", &upstream, "--capture", "c.jsonl"];
        let running = place.start(&[&args[..], &["--format", "json", "--ready-file", "ready"]].concat(), 1);
        let address = running.addresses[0];
        let mut device = tokio::net::TcpStream::connect(address).await.unwrap();
        device.write_all(b"GET /EnrollmentServer/Discovery.svc HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let (_, _kept) = server.serve_once("\r\n\r\n", answer.as_bytes()).await;
        assert_eq!(wire::text(&wire::read_until(&mut device, "\r\n\r\nok").await), answer);
        assert_eq!(place.read("ready"), format!("listening http://{address}\n").as_bytes());

        // The device's connection is open, and idle: it must not hold up the end.
        let (status, out, err) = running.signal(signal);
        assert_eq!(status.code(), Some(0), "{signal}: {err}");
        assert!(err.contains("capture c.jsonl (1 exchanges)"), "{err}");
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["type"], "exchange");
        assert_eq!(lines[0]["request"]["message"], "discovery-probe");
        let words = ["exchange", "enrollment", "finding", "status"];
        assert!(lines.iter().all(|l| words.contains(&l["type"].as_str().unwrap())), "{out}");
        let capture = wire::text(&place.read("c.jsonl"));
        assert!(capture.lines().last().unwrap().contains("\"kind\":\"closed\""), "{capture}");
        assert_eq!(place.run(&["check", "c.jsonl"]).code, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn an_existing_capture_is_continued() {
    let place = Place::new();
    let server = wire::Server::start().await;
    let upstream = format!("http://{}", server.address);
    for run in 1..=2 {
        let args = ["--listen-http", "127.0.0.1:0", "--upstream", &upstream, "--capture", "c.jsonl"];
        let running = place.start(&args, 1);
        let mut device = tokio::net::TcpStream::connect(running.addresses[0]).await.unwrap();
        device.write_all(format!("GET /{run} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let (_, _kept) = server.serve_once("\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n").await;
        wire::read_until(&mut device, "\r\n\r\n").await;
        running.stop();
    }
    let document = place.run(&["check", "c.jsonl", "--format", "json"]).json();
    let targets: Vec<_> =
        document["exchanges"].as_array().unwrap().iter().map(|e| &e["request"]["target"]).collect();
    assert_eq!(targets, ["/1", "/2"]);
    assert_eq!(document["summary"]["inputs"][0]["damaged"], 0);
}

/// The answer as it was printed, its head as it must have been: line ends and length.
fn answer(name: &str) -> Vec<u8> {
    let printed = std::fs::read_to_string(committed(&format!("tests/data/real/{name}"))).unwrap();
    let (head, body) = printed.split_once("\n\n").unwrap();
    let mut out = String::new();
    for line in head.lines() {
        match line.split_once(": ") {
            Some(("Content-Length", _)) => out.push_str(&format!("Content-Length: {}\r\n", body.len())),
            _ => out.push_str(&format!("{line}\r\n")),
        }
    }
    format!("{out}\r\n{body}").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn a_real_enrollment_passes_byte_for_byte_and_the_device_is_not_blamed() {
    let place = Place::new();
    place.put_certificate();
    let theirs = wire::Authority::new();
    place.put("server-ca.pem", sim::pem(&theirs.certificate()));
    let server = wire::Server::start_tls(wire::served(&theirs)).await;
    let connect = server.address.to_string();
    let upstream = format!("https://{}", wire::NAME);
    let args = ["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let there = ["--upstream", &upstream, "--upstream-connect", &connect, "--upstream-ca", "server-ca.pem"];
    let running = place.start(&[&args[..], &there, &["--capture", "c.jsonl"]].concat(), 1);

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority().root().to_vec())).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let tcp = tokio::net::TcpStream::connect(running.addresses[0]).await.unwrap();
    let mut device = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();

    let probe = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    let mut upstream = None;
    for (request, answer) in [
        ("probe-req.http", probe),
        ("discover-req.http", answer("discover-resp.asprinted.txt")),
        ("getpolicies-req.http", answer("getpolicies-resp.asprinted.txt")),
        ("rst-req.http", answer("rstrc-resp.asprinted.txt")),
        ("syncml1-req.http", answer("syncml1-resp.asprinted.txt")),
        ("syncml2-req.http", answer("syncml2-resp.asprinted.txt")),
    ] {
        let sent = std::fs::read(committed(&format!("tests/data/real/{request}"))).unwrap();
        device.write_all(&sent).await.unwrap();
        device.flush().await.unwrap();
        let upstream = match &mut upstream {
            Some(stream) => stream,
            none => none.insert(server.accept().await),
        };
        let got = wire::read_until(upstream, &wire::text(&sent)).await;
        assert_eq!(wire::text(&got), wire::text(&sent), "{request}");
        upstream.write_all(&answer).await.unwrap();
        upstream.flush().await.unwrap();
        let got = wire::read_until(&mut device, &wire::text(&answer)).await;
        assert_eq!(wire::text(&got), wire::text(&answer), "the answer to {request}");
    }
    running.stop();

    let document = place.run(&["check", "c.jsonl", "--format", "json"]).json();
    let enrollment = &document["enrollments"][0];
    assert_eq!(
        (&enrollment["outcome"], &enrollment["device_name"]),
        (&"enrolled".into(), &"DESKTOP-28FGAI6".into())
    );
    assert_eq!(document["summary"]["exchanges"], 6);
    assert_eq!(document["summary"]["enrollments"], 1);
    let errors: Vec<_> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["severity"] == "error" && f["side"] == "request")
        .collect();
    assert_eq!(errors, Vec::<&Value>::new());
    // The password that the device sent is in no capture.
    let capture = wire::text(&place.read("c.jsonl"));
    assert!(capture.contains("PasswordText\\\">") && !capture.contains("PasswordText\\\">demo<"));
}

#[test]
fn a_simulated_device_enrolls_like_the_one_in_a_recording() {
    let place = Place::new();
    let server = place.listen(&["server", "--listen", "127.0.0.1:0", "--ca-file", "ca.pem"], 1);
    let url = format!("https://localhost:{}", server.addresses[0].port());
    let connect = server.addresses[0].to_string();
    let golden = committed("captures/golden/on-premise.jsonl").display().to_string();
    let args = ["enroll", "--server", &url, "--connect", &connect, "--ca", "ca.pem", "--profile-of", &golden];
    let ran = place.run(&args);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("DESKTOP-9843863") && ran.out.ends_with("enrolled\n"), "{ran:?}");
    let broken = place.run(&[&args[..7], &["--break", "RST-004"]].concat());
    assert_eq!(broken.code, 1, "{broken:?}");
    place.run(&[&args[..7], &["--break", "PROV-CS-003"]].concat()).refused("server --break PROV-CS-003");
    server.stop();
}

#[test]
fn what_a_simulated_device_needs_is_looked_at_before_anything_is_sent() {
    let place = Place::new();
    place.put("token.txt", "not a token\n");
    place.put("long.pem", vec![b'x'; (1 << 20) + 1]);
    // Nobody listens there: whoever gets so far says so.
    let server = ["enroll", "--server", "https://127.0.0.1:9"];
    for (more, words) in [
        (["--token-file", "token.txt"], "token.txt holds no token"),
        (["--token-file", "missing.txt"], "could not read missing.txt"),
        (["--identity", "long.pem"], "could not read long.pem"),
        (["--keep", "nowhere/device.pem"], "cannot write the certificate to nowhere/device.pem"),
    ] {
        let ran = place.run(&[&server[..], &more[..]].concat());
        ran.refused(words);
        assert_eq!(ran.out, "", "{words}");
    }
}
