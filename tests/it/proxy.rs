//! The proxy between a scripted server and scripted devices, byte for byte.

use std::time::Duration;

use enrollscope::event::{ConnectionEvent, Delivery, Framing, From, Reason};
use enrollscope::net::{Origin, Trust};
use enrollscope::proxy::Proxy;
use enrollscope::sink::Journal;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::{Authority, Bench, NAME, Server, read_all, read_until, served, settings, text, trust};

#[tokio::test]
async fn heads_and_bodies_pass_byte_for_byte() {
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    let request = "POST /EnrollmentServer/Discovery.svc?a=|{}\" HTTP/1.1\r\nhOsT:  mdm.example:8443\r\nX-Twice: 1\r\n\
                   Other:x\r\nX-Twice:\t2 \r\nUser-Agent: ENROLLClient\r\ncontent-LENGTH: 5\r\nX-Empty:\r\n\r\nhello";
    let response = "HTTP/1.1 200 Fine  indeed\r\nserver:  S\r\nSet-Cookie: a=1\r\nX:y\r\nSet-Cookie: b=2\r\nConTent-LengTh: 3\r\n\r\nabc";
    device.write_all(request.as_bytes()).await.unwrap();
    let (got, _server) = server.serve_once("hello", response.as_bytes()).await;
    assert_eq!(text(&got), request);
    assert_eq!(text(&read_until(&mut device, "abc").await), response);

    let exchange = bench.exchange().await;
    assert_eq!((exchange.request.method.as_str(), exchange.request.headers.len()), ("POST", 7));
    assert_eq!(exchange.request.target, "/EnrollmentServer/Discovery.svc?a=|{}\"");
    assert_eq!(exchange.request.headers[3].value.as_ref(), b"2");
    assert_eq!(exchange.request.body.bytes.as_ref(), b"hello");
    assert_eq!(exchange.request.body.framing, Framing::Length);
    let answer = exchange.response.unwrap();
    assert_eq!((answer.status, answer.reason.as_str()), (200, "Fine  indeed"));
    assert_eq!(answer.body.bytes.as_ref(), b"abc");
    assert_eq!(exchange.changes, []);
    let upstream = exchange.upstream.unwrap();
    assert_eq!((upstream.address, upstream.reused), (Some(server.address.to_string()), false));
    assert!(exchange.timing.connect.is_some() && exchange.timing.wait.is_some());
    assert_eq!(bench.end().await, (Delivery::Complete, 3));
    bench.stop().await;
}

#[tokio::test]
async fn tls_on_both_sides_leaves_its_facts() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::start_tls(served(&theirs)).await;
    let mut settings = settings(server.address);
    let site = settings.default.as_mut().unwrap();
    site.upstream.secure = true;
    site.upstream.host = NAME.into();
    site.upstream_address = Some(server.address);
    site.trust = Some(trust(&theirs));
    (settings.listeners[0].secure, settings.served) = (true, Some(served(&ours)));
    let mut bench = Bench::start(settings).await;
    // Real devices offer HTTP/2 first, and take what they get.
    let mut client = ClientConfig::clone(&ours.client());
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut device = bench.connect_tls(client.into()).await.unwrap();
    device.write_all(b"GET / HTTP/1.1\r\nHost: mdm.example\r\n\r\n").await.unwrap();
    let (_, _kept) = server
        .serve_once("\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        .await;
    assert!(text(&read_all(&mut device).await).ends_with("\r\n\r\nok"));

    let crate::wire::Seen::Connection(opened) = bench.next().await else { panic!("not opened first") };
    assert_eq!(opened.sni.as_deref(), Some(NAME));
    assert_eq!(opened.chain.len(), 2);
    assert_eq!(opened.alpn.as_deref(), Some("http/1.1"));
    assert_eq!(opened.offered.unwrap().versions, ["TLSv1.3", "TLSv1.2"]);
    let exchange = bench.exchange().await;
    let upstream = exchange.upstream.unwrap();
    let tls = upstream.tls.unwrap();
    assert_eq!(tls.version, "TLSv1.3");
    assert!(tls.cipher.starts_with("TLS_AES") || tls.cipher.starts_with("TLS_CHACHA"), "{}", tls.cipher);
    assert_eq!((upstream.chain.len(), upstream.verified), (2, true));
    bench.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_on_one_server_connection() {
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    let first = "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n";
    let second = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    device.write_all(format!("{first}{second}{second}").as_bytes()).await.unwrap();
    let mut upstream = server.accept().await;
    assert_eq!(text(&read_until(&mut upstream, "0\r\n\r\n").await), first);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nyes\r\n0\r\nX-Sum: 7\r\n\r\n";
    upstream.write_all(chunked.as_bytes()).await.unwrap();
    assert_eq!(text(&read_until(&mut device, "X-Sum: 7\r\n\r\n").await), chunked);
    for _ in 0..2 {
        assert_eq!(text(&read_until(&mut upstream, "\r\n\r\n").await), second);
        upstream.write_all(b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n").await.unwrap();
        let got = read_until(&mut device, "\r\n\r\n").await;
        assert_eq!(text(&got), "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n");
    }
    let exchange = bench.exchange().await;
    let answer = exchange.response.unwrap();
    assert_eq!(exchange.request.body.framing, Framing::Chunked);
    assert_eq!((answer.body.bytes.as_ref(), answer.body.framing), (&b"okyes"[..], Framing::Chunked));
    assert_eq!(answer.body.trailers[0].name, "X-Sum");
    assert_eq!(exchange.changes, []);
    let later = bench.exchange().await;
    assert!(later.upstream.unwrap().reused);
    assert_eq!(later.response.unwrap().body.framing, Framing::None);
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_that_ends_with_the_close_still_does() {
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nServer: old\r\n\r\nuntil the end";
    drop(server.serve_once("\r\n\r\n", answer).await);
    assert_eq!(read_all(&mut device).await, answer);
    let exchange = bench.exchange().await;
    let body = exchange.response.unwrap().body;
    assert_eq!((body.framing, body.cut, body.length), (Framing::Close, false, 13));
    assert_eq!(bench.end().await, (Delivery::Complete, 13));
    bench.stop().await;
}

#[tokio::test]
async fn head_answers_and_old_devices_are_served() {
    let server = Server::start().await;
    let bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    device.write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    let (got, mut upstream) = server.serve_once("\r\n\r\n", answer.as_bytes()).await;
    assert_eq!(text(&got), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(text(&read_until(&mut device, "\r\n\r\n").await), answer);

    let mut old = bench.connect().await;
    old.write_all(b"GET /old HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(text(&read_until(&mut upstream, "\r\n\r\n").await), "GET /old HTTP/1.0\r\n\r\n");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    upstream.write_all(chunked).await.unwrap();
    assert_eq!(text(&read_all(&mut old).await), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok");
    bench.stop().await;
}

#[tokio::test]
async fn a_device_that_expects_continue_gets_it() {
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    device.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(text(&read_until(&mut device, "\r\n\r\n").await), "HTTP/1.1 100 Continue\r\n\r\n");
    device.write_all(b"hi").await.unwrap();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!";
    let (got, _kept) =
        server.serve_once("hi", format!("HTTP/1.1 100 Continue\r\n\r\n{answer}").as_bytes()).await;
    assert_eq!(text(&got), format!("{head}hi"));
    assert_eq!(text(&read_until(&mut device, "!").await), answer);
    assert_eq!(bench.exchange().await.changes[0].what, "100-continue");
    bench.stop().await;
}

#[tokio::test]
async fn a_large_body_streams_and_is_kept_in_part() {
    const SIZE: usize = 8 << 20;
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    let mut reader = bench.connect().await;
    let body = vec![7; SIZE];
    let sending = tokio::spawn(async move {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
        device.write_all(head.as_bytes()).await.unwrap();
        device.write_all(&body).await.unwrap();
        read_until(&mut device, "\r\n\r\n").await
    });
    let mut upstream = server.accept().await;
    let head = read_until_head(&mut upstream).await;
    let mut left = SIZE - (head.len() - text(&head).find("\r\n\r\n").unwrap() - 4);
    let mut buffer = vec![0; 1 << 16];
    while left > 0 {
        left -= upstream.read(&mut buffer).await.unwrap();
    }
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    sending.await.unwrap();
    let exchange = bench.exchange().await;
    assert_eq!(exchange.request.body.length, SIZE as u64);
    assert_eq!(exchange.request.body.bytes.len(), 1 << 20);
    assert!(exchange.request.body.is_partial() && !exchange.request.body.cut);

    // And back, to a reader who takes its time.
    reader.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
    let answering = tokio::spawn(async move {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        upstream.write_all(head.as_bytes()).await.unwrap();
        upstream.write_all(&vec![9; SIZE]).await.unwrap();
        upstream
    });
    let head = read_until_head(&mut reader).await;
    let mut got = head.len() - text(&head).find("\r\n\r\n").unwrap() - 4;
    while got < SIZE {
        got += reader.read(&mut buffer).await.unwrap();
    }
    drop(answering.await.unwrap());
    let body = bench.exchange().await.response.unwrap().body;
    assert_eq!((body.length, body.bytes.len()), (SIZE as u64, 1 << 20));
    bench.stop().await;
}

async fn read_until_head<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut got = Vec::new();
    while !text(&got).contains("\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
    }
    got
}

#[tokio::test]
async fn heads_that_must_not_pass_are_refused_with_a_sentence() {
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(10_000));
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    let table: &[(&str, &str, &str)] = &[
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
            "both",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "400",
            "differ",
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", "400", "a list of lengths"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", "400", "blank between"),
        ("GET / HTTP/1.1\r\n\r\n", "400", "no Host"),
        ("GET / HTTP/1.1\nHost: a\n\n", "400", "bare LF"),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505", "HTTP version"),
        (&many, "431", "more than 256 headers"),
        (&long, "431", "64 KiB"),
    ];
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    for (request, status, words) in table {
        let mut device = bench.connect().await;
        // The refusal may come before everything is written.
        let _ = device.write_all(request.as_bytes()).await;
        let answer = text(&read_all(&mut device).await);
        drop(device);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{words}: {answer}");
        assert!(answer.contains("x-enrollscope-error: bad-request-head"), "{answer}");
        assert!(answer.contains("enrollscope, not") && answer.contains(words), "{words}: {answer}");
        let exchange = bench.exchange().await;
        assert_eq!(exchange.response.unwrap().from, From::Enrollscope);
        let (closed, reason) = bench.reason().await;
        assert_eq!(closed.event, ConnectionEvent::Closed);
        assert!(matches!(reason, Reason::BadHead(_)), "{reason:?}");
    }
    // Not even a method can be read: no exchange, but the connection tells.
    let mut device = bench.connect().await;
    device.write_all(b"\x16\x03\x01\x00\x05hello").await.unwrap();
    assert!(text(&read_all(&mut device).await).contains("TLS where plain HTTP"));
    assert!(matches!(bench.reason().await.1, Reason::BadHead(_)));
    bench.stop().await;
}

#[tokio::test]
async fn a_refusal_waits_for_the_answers_before_it() {
    let server = Server::start().await;
    let bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /bad HTTP/1.1\r\n\r\n").await.unwrap();
    let (_, _kept) = server.serve_once("\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let got = text(&read_all(&mut device).await);
    let (good, bad) = got.split_once("ok").unwrap();
    assert!(good.starts_with("HTTP/1.1 200 OK") && bad.starts_with("HTTP/1.1 400 "), "{got}");
    bench.stop().await;
}

#[tokio::test]
async fn a_server_without_a_usable_answer_is_told_from_ours() {
    let table: &[(&[u8], &str, &str)] = &[
        (b"", "upstream-closed", "502"),
        (b"SSH-2.0-OpenSSH_9\r\n", "upstream-malformed", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "upstream-malformed", "502"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "upstream-malformed",
            "502",
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "upstream-malformed", "502"),
    ];
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    for (answer, kind, status) in table {
        let mut device = bench.connect().await;
        device.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
        drop(server.serve_once("hi", answer).await);
        let got = text(&read_all(&mut device).await);
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{kind}: {got}");
        assert!(got.contains(&format!("x-enrollscope-error: {kind}")), "{kind}: {got}");
        let exchange = bench.exchange().await;
        assert_eq!(exchange.response.unwrap().from, From::Enrollscope);
        assert!(exchange.upstream.unwrap().error.is_some());
        assert_eq!(exchange.request.body.bytes.as_ref(), b"hi");
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_or_stays_silent_is_named() {
    let server = Server::start().await;
    let mut settings = settings(server.address);
    settings.limits.upstream_answer = Duration::from_millis(100);
    let mut bench = Bench::start(settings.clone()).await;
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let _silent = server.accept().await;
    let got = text(&read_all(&mut device).await);
    assert!(got.starts_with("HTTP/1.1 504 ") && got.contains("upstream-timeout"), "{got}");
    assert!(bench.exchange().await.upstream.unwrap().address.is_some());
    bench.stop().await;

    drop(server);
    let mut bench = Bench::start(settings).await;
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let got = text(&read_all(&mut device).await);
    assert!(got.starts_with("HTTP/1.1 502 ") && got.contains("upstream-unreachable"), "{got}");
    assert_eq!(bench.exchange().await.upstream.unwrap().address, None);
    bench.stop().await;
}

#[tokio::test]
async fn a_server_whose_authority_is_unknown_is_not_spoken_to() {
    let (theirs, others) = (Authority::new(), Authority::new());
    let server = Server::start_tls(served(&theirs)).await;
    let mut settings = settings(server.address);
    let site = settings.default.as_mut().unwrap();
    site.upstream = Origin { secure: true, host: NAME.into(), port: 443 };
    site.upstream_address = Some(server.address);
    site.trust = Some(trust(&others));
    let mut bench = Bench::start(settings.clone()).await;
    let refused = tokio::spawn(async move {
        server.refuse().await;
        server
    });
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let got = text(&read_all(&mut device).await);
    assert!(got.contains("upstream-tls") && got.contains("--upstream-ca"), "{got}");
    let upstream = bench.exchange().await.upstream.unwrap();
    assert!(!upstream.verified && upstream.error.is_some());
    bench.stop().await;

    // The same with --upstream-insecure: it works, and says that it would not have.
    settings.default.as_mut().unwrap().trust =
        Some(Trust::with_certificates(vec![others.certificate()], true).unwrap());
    let server = refused.await.unwrap();
    let mut bench = Bench::start(settings).await;
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (_, _kept) = server.serve_once("\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n").await;
    read_until(&mut device, "\r\n\r\n").await;
    assert!(!bench.exchange().await.upstream.unwrap().verified);
    bench.stop().await;
}

#[tokio::test]
async fn handshakes_that_come_to_nothing_tell_why() {
    let (ours, others) = (Authority::new(), Authority::new());
    let server = Server::start().await;
    let mut settings = settings(server.address);
    (settings.listeners[0].secure, settings.served) = (true, Some(served(&ours)));
    settings.limits.handshake = Duration::from_millis(300);
    let mut bench = Bench::start(settings).await;

    assert!(bench.connect_tls(others.client()).await.is_err());
    let (failed, reason) = bench.reason().await;
    assert_eq!((failed.event, failed.chain.len()), (ConnectionEvent::Failed, 2));
    assert_eq!(failed.sni.as_deref(), Some(NAME));
    assert_eq!(reason, Reason::Alert("unknown_ca".into()));

    let mut device = bench.connect().await;
    device.write_all(b"POST /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let got = text(&read_all(&mut device).await);
    assert!(got.starts_with("HTTP/1.1 400 ") && got.contains("https://"), "{got}");
    assert_eq!(bench.reason().await.1, Reason::PlainHttp);

    let mut device = bench.connect().await;
    device.write_all(b"\x01\x02garbage").await.unwrap();
    assert_eq!(bench.reason().await.1, Reason::Garbage);

    // The certificate is taken, and then nothing: what Windows does with one that it distrusts.
    let mut device = bench.connect().await;
    let mut client = rustls::ClientConnection::new(ours.client(), NAME.try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    device.write_all(&hello).await.unwrap();
    let mut first = [0; 1];
    device.read_exact(&mut first).await.unwrap();
    while tokio::time::timeout(Duration::from_millis(20), device.read(&mut [0; 4096])).await.is_ok() {}
    drop(device);
    let (failed, reason) = bench.reason().await;
    assert_eq!(reason, Reason::SilentAfterCertificate);
    assert!(failed.offered.unwrap().ciphers.contains(&0x1301));

    let mut device = bench.connect().await;
    device.write_all(&hello[..10]).await.unwrap();
    drop(device);
    assert_eq!(bench.reason().await.1, Reason::ClosedInHandshake);

    // TLS 1.1 at most: version, random, no session, one cipher suite, no compression, no extensions.
    let mut old = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    old.extend_from_slice(&[7; 32]);
    old.extend_from_slice(&[0, 0, 2, 0, 0x2f, 1, 0]);
    let mut device = bench.connect().await;
    device.write_all(&old).await.unwrap();
    let Reason::Refused(words) = bench.reason().await.1 else { panic!("not refused") };
    assert!(words.contains("offers TLSv1.1, TLSv1.0 only"), "{words}");

    let mut stalling = bench.connect().await;
    stalling.write_all(&hello[..10]).await.unwrap();
    assert!(matches!(bench.reason().await.1, Reason::Timeout(_)));
    bench.stop().await;
}

#[tokio::test]
async fn a_proxy_that_cannot_work_does_not_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut looped = settings(taken);
    looped.listeners[0].address = taken;
    let refused = Proxy::bind(looped, Journal::new().0).await.expect_err("a loop").to_string();
    assert!(refused.contains("leads back"), "{refused}");

    let kept = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut busy = settings("127.0.0.1:9".parse().unwrap());
    busy.listeners[0].address = kept.local_addr().unwrap();
    let refused = Proxy::bind(busy, Journal::new().0).await.expect_err("a taken port").to_string();
    assert!(refused.contains("another program"), "{refused}");
}

#[tokio::test]
async fn malformed_chunks_are_refused_and_go_no_further() {
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    device
        .write_all(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3;\nGET / HT",
        )
        .await
        .unwrap();
    let mut upstream = server.accept().await;
    assert!(!text(&read_all(&mut upstream).await).contains("GET"));
    let got = text(&read_all(&mut device).await);
    assert!(got.starts_with("HTTP/1.1 400 ") && got.contains("bad-request"), "{got}");
    drop(device);
    let exchange = bench.exchange().await;
    assert!(exchange.request.body.cut && b"abc".starts_with(&exchange.request.body.bytes));
    assert!(matches!(bench.reason().await.1, Reason::BadHead(_)));
    bench.stop().await;
}

#[tokio::test]
async fn a_connection_that_a_device_authenticates_is_its_own() {
    let server = Server::start().await;
    let bench = Bench::start(settings(server.address)).await;
    let mut first = bench.connect().await;
    let mut second = bench.connect().await;
    let ask = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    first.write_all(ask).await.unwrap();
    let challenge = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n";
    let (_, mut pinned) = server.serve_once("\r\n\r\n", challenge).await;
    read_until(&mut first, "\r\n\r\n").await;
    second.write_all(ask).await.unwrap();
    let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
    let (_, _other) = server.serve_once("\r\n\r\n", empty).await;
    read_until(&mut second, "\r\n\r\n").await;
    first.write_all(ask).await.unwrap();
    read_until(&mut pinned, "\r\n\r\n").await;
    pinned.write_all(empty).await.unwrap();
    assert_eq!(text(&read_until(&mut first, "\r\n\r\n").await), text(empty));
    bench.stop().await;
}
