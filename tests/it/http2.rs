//! HTTP/2 on both sides: streams as exchanges, resets as what they are, and HTTP/1.1 wherever one side has nothing else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use enrollscope::event::{ConnectionEvent, Delivery, Framing, From, Header, Reason, Version};
use enrollscope::net::with_http2;
use h2::Reason as Code;
use hyper::http::{HeaderMap, HeaderValue, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http2_peers::{
    Origin2, behind, changes, device, exchange_and_end, offer_both, read, request, send,
};
use crate::wire::{Authority, Bench, NAME, Seen, Server, read_until, served, text, within};

#[tokio::test]
async fn a_request_over_http2_arrives_as_it_was_sent_and_so_does_its_answer() {
    let authority = Authority::new();
    let mut server = Origin2::start(&authority).await;
    let mut bench = Bench::start(behind(&authority, server.address)).await;
    let mut device = device(&bench, &authority).await;
    let (response, mut stream) = device.ask(request("/EnrollmentServer/Discovery.svc?a=%20b"), false).await;
    send(&mut stream, Bytes::from_static(b"<s:Envelope/>"), false).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    stream.send_trailers(trailers.clone()).unwrap();
    let answer = read(response).await.unwrap();
    assert_eq!((answer.head.status().as_u16(), &answer.body[..]), (200, &b"<s:Envelope/>"[..]));
    assert_eq!(answer.trailers.as_ref(), Some(&trailers));

    let got = server.got().await;
    assert_eq!(got.head.uri().to_string(), format!("https://{NAME}/EnrollmentServer/Discovery.svc?a=%20b"));
    assert_eq!(got.head.headers().get("content-type").unwrap(), "application/soap+xml");
    assert_eq!(got.head.headers().len(), 1, "nothing was added: {:?}", got.head);
    assert_eq!((&got.body[..], got.trailers), (&b"<s:Envelope/>"[..], Some(trailers)));

    let (exchange, delivery, sent) = exchange_and_end(&mut bench).await;
    let sum = [Header::new("x-sum", "7")];
    let request = &exchange.request;
    assert_eq!((request.version, request.body.framing), (Version::Http2, Framing::H2));
    assert_eq!(request.target, "/EnrollmentServer/Discovery.svc?a=%20b");
    assert_eq!(request.headers[0], Header::new("host", NAME));
    assert_eq!((&request.body.bytes[..], &request.body.trailers[..]), (&b"<s:Envelope/>"[..], &sum[..]));
    let response = exchange.response.as_ref().unwrap();
    assert_eq!((response.version, response.body.framing), (Version::Http2, Framing::H2));
    assert_eq!((response.body.length, &response.body.trailers[..]), (13, &sum[..]));
    assert!(!request.body.cut && !response.body.cut && request.sent.is_none() && response.sent.is_none());
    assert_eq!(exchange.changes, []);
    assert_eq!(exchange.upstream.unwrap().alpn.as_deref(), Some("h2"));
    assert_eq!((delivery, sent), (Delivery::Complete, 13));

    // No bodies at all.
    let (response, _stream) =
        device.ask(Request::get(format!("https://{NAME}/")).body(()).unwrap(), true).await;
    assert_eq!(read(response).await.unwrap().body, "");
    let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
    assert_eq!((exchange.request.body.framing, delivery), (Framing::None, Delivery::Complete));
    assert!(exchange.upstream.unwrap().reused);
    bench.stop().await;
}

#[tokio::test]
async fn many_streams_share_one_connection_on_each_side() {
    const MANY: usize = 50;
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let mut bench = Bench::start(behind(&authority, server.address)).await;
    let mut device = device(&bench, &authority).await;
    let mut waiting = Vec::new();
    for number in 0..MANY {
        let (response, mut stream) = device.ask(request("/length"), false).await;
        // More than a window, so that they have to take turns.
        send(&mut stream, Bytes::from(vec![number as u8; 1000]), false).await;
        waiting.push((response, stream));
    }
    let mut answers = tokio::task::JoinSet::new();
    for (number, (response, mut stream)) in waiting.into_iter().enumerate().rev() {
        answers.spawn(async move {
            send(&mut stream, Bytes::from(vec![number as u8; 200_000]), true).await;
            let answer = read(response).await.unwrap();
            assert_eq!(answer.body, vec![number as u8; 201_000]);
        });
    }
    while let Some(answer) = within(answers.join_next()).await {
        answer.unwrap();
    }
    let mut addresses = Vec::new();
    for _ in 0..MANY {
        let exchange = bench.exchange().await;
        assert_eq!(exchange.response.unwrap().body.length, 201_000);
        addresses.push((exchange.connection, exchange.upstream.unwrap().reused));
    }
    assert!(addresses.iter().all(|(connection, _)| *connection == addresses[0].0));
    assert_eq!(addresses.iter().filter(|(_, reused)| !reused).count(), 1, "one was opened");
    bench.stop().await;
}

#[tokio::test]
async fn http2_is_offered_only_where_the_server_speaks_it() {
    let authority = Authority::new();
    // Not known yet: HTTP/1.1. Then it is known.
    let server = Origin2::start(&authority).await;
    let bench = Bench::start(behind(&authority, server.address)).await;
    assert_eq!(offer_both(&bench, &authority).await.1.as_deref(), Some(&b"http/1.1"[..]));
    drop(device(&bench, &authority).await);
    bench.stop().await;
    // Switched off, nobody asks.
    let mut off = behind(&authority, server.address);
    off.default.as_mut().unwrap().http2 = false;
    let bench = Bench::start(off).await;
    for _ in 0..3 {
        assert_eq!(offer_both(&bench, &authority).await.1.as_deref(), Some(&b"http/1.1"[..]));
    }
    bench.stop().await;
    // A server that has nothing else.
    let old = Server::start_tls(served(&authority)).await;
    let bench = Bench::start(behind(&authority, old.address)).await;
    offer_both(&bench, &authority).await;
    let _probe = old.accept().await;
    for _ in 0..3 {
        assert_eq!(offer_both(&bench, &authority).await.1.as_deref(), Some(&b"http/1.1"[..]));
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_server_that_speaks_http1_by_now_gets_http1() {
    let authority = Authority::new();
    let mut tls = served(&authority);
    let plain = Arc::clone(&tls.config);
    tls.config = with_http2(&plain);
    let mut server = Server::start_tls(tls).await;
    let mut bench = Bench::start(behind(&authority, server.address)).await;
    offer_both(&bench, &authority).await;
    let _probe = server.accept().await;
    server.set_config(plain);
    let mut device = device(&bench, &authority).await;
    let ask = Request::post(format!("https://{NAME}/a"))
        .header("cookie", "a=1")
        .header("x-b", "2")
        .header("cookie", "c=3")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (response, mut stream) = device.ask(ask, false).await;
    send(&mut stream, Bytes::from_static(b"hello"), true).await;
    let chunked = b"HTTP/1.1 200 Fine\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n2\r\nok\r\n0\r\n\
        X-Sum: 2\r\n\r\n";
    let (got, mut upstream) = server.serve_once("0\r\n\r\n", chunked).await;
    let expected = format!(
        "POST /a HTTP/1.1\r\nhost: {NAME}\r\ncookie: a=1; c=3\r\nx-b: 2\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n"
    );
    assert_eq!(text(&got), expected);
    let answer = read(response).await.unwrap();
    assert_eq!(&answer.body[..], b"ok");
    assert_eq!(answer.trailers.unwrap().get("x-sum").unwrap(), "2");
    assert_eq!(answer.head.headers().len(), 1);
    let (exchange, delivery, sent) = exchange_and_end(&mut bench).await;
    assert_eq!(changes(&exchange), ["version", "hop-by-hop", "version", "hop-by-hop"]);
    assert_eq!((delivery, sent), (Delivery::Complete, 2));
    let response = exchange.response.unwrap();
    assert_eq!((response.version, response.body.framing), (Version::Http11, Framing::Chunked));
    assert_eq!(response.sent.unwrap().headers.unwrap(), [Header::new("X-A", "b")]);
    let sent = exchange.request.sent.unwrap().headers.unwrap();
    assert_eq!(sent.last(), Some(&Header::new("transfer-encoding", "chunked")));
    assert_eq!(exchange.request.headers.iter().filter(|h| h.name == "cookie").count(), 2);

    // The connection is used again, and a length passes as one; no body where there is none.
    let sized = Request::post(format!("https://{NAME}/b")).header("content-length", "2").body(()).unwrap();
    let (response, mut stream) = device.ask(sized, false).await;
    send(&mut stream, Bytes::from_static(b"hi"), true).await;
    let got = text(&read_until(&mut upstream, "hi").await);
    assert_eq!(got, format!("POST /b HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 2\r\n\r\nhi"));
    upstream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert_eq!(read(response).await.unwrap().head.status(), 204);
    // What breaks off there breaks off here.
    let (response, _stream) = device.ask(request("/c"), true).await;
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").await.unwrap();
    drop(upstream);
    assert_eq!(read(response).await.err().unwrap().reason(), Some(Code::INTERNAL_ERROR));
    bench.exchange().await;
    let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
    assert!(exchange.response.unwrap().body.cut);
    assert_eq!(delivery, Delivery::Cut);
    bench.stop().await;
}

#[tokio::test]
async fn the_record_comes_before_the_end_of_the_stream() {
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let mut settings = behind(&authority, server.address);
    settings.limits.hold_back = Duration::from_secs(60);
    let mut bench = Bench::start(settings).await;
    let mut device = device(&bench, &authority).await;
    for path in ["/length", "/"] {
        bench.filing.store(false, std::sync::atomic::Ordering::SeqCst);
        let (response, mut stream) = device.ask(request(path), false).await;
        send(&mut stream, Bytes::from_static(b"last"), true).await;
        let mut body = within(response).await.unwrap().into_body();
        let exchange = bench.exchange().await;
        assert_eq!(&exchange.response.unwrap().body.bytes[..], b"last");
        if path == "/" {
            // Without a length it is the end itself that is held back.
            assert_eq!(within(body.data()).await.unwrap().unwrap(), "last");
        }
        assert!(tokio::time::timeout(Duration::from_millis(20), body.data()).await.is_err(), "{path}");
        bench.filing.store(true, std::sync::atomic::Ordering::SeqCst);
        bench.release();
        if path == "/length" {
            assert_eq!(within(body.data()).await.unwrap().unwrap(), "last");
        }
        // An end that comes by itself is a frame without data.
        let rest = within(body.data()).await;
        assert!(rest.is_none_or(|rest| rest.unwrap().is_empty()));
        assert_eq!(bench.end().await, (Delivery::Complete, 4));
    }
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_cut_on_both_sides_with_its_code() {
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let mut bench = Bench::start(behind(&authority, server.address)).await;
    let mut device = device(&bench, &authority).await;
    // Reset in the middle.
    let (response, _stream) = device.ask(request("/cut"), true).await;
    let mut body = within(response).await.unwrap().into_body();
    assert_eq!(within(body.data()).await.unwrap().unwrap(), "hello");
    server.go.notify_one();
    let error = within(body.data()).await.unwrap().unwrap_err();
    assert_eq!((error.reason(), error.is_remote()), (Some(Code::ENHANCE_YOUR_CALM), true));
    let (exchange, delivery, sent) = exchange_and_end(&mut bench).await;
    let error = exchange.upstream.unwrap().error.unwrap();
    assert!(error.contains("RST_STREAM (ENHANCE_YOUR_CALM)"), "{error}");
    assert_eq!((exchange.response.unwrap().body.cut, delivery, sent), (true, Delivery::Cut, 5));
    // Another length than promised.
    for path in ["/short", "/long"] {
        assert!(device.post(path, b"x").await.is_err(), "{path}");
        let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
        let error = exchange.upstream.unwrap().error.unwrap();
        assert!(error.contains("Content-Length"), "{error}");
        assert_eq!((exchange.response.unwrap().body.cut, delivery), (true, Delivery::Cut), "{path}");
    }
    // The whole connection goes.
    let (response, _stream) = device.ask(request("/stay"), true).await;
    let mut body = within(response).await.unwrap().into_body();
    within(body.data()).await.unwrap().unwrap();
    server.leave.notify_waiters();
    assert!(within(body.data()).await.unwrap().is_err());
    let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
    let error = exchange.upstream.unwrap().error.unwrap();
    assert!(error.contains("GOAWAY (INTERNAL_ERROR)"), "{error}");
    assert_eq!(delivery, Delivery::Cut);
    // And the next exchange has a new one.
    assert_eq!(device.post("/", b"again").await.unwrap().body, "again");
    assert!(!bench.exchange().await.upstream.unwrap().reused);
    bench.stop().await;
}

#[tokio::test]
async fn what_the_server_says_by_a_reset_reaches_the_device() {
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let mut bench = Bench::start(behind(&authority, server.address)).await;
    let mut device = device(&bench, &authority).await;
    let error = device.post("/refuse", b"").await.err().unwrap();
    assert_eq!(error.reason(), Some(Code::HTTP_1_1_REQUIRED));
    let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
    assert!(exchange.response.is_none());
    assert!(exchange.upstream.unwrap().error.unwrap().contains("HTTP_1_1_REQUIRED"));
    assert_eq!(delivery, Delivery::Cut);
    // A challenge that needs HTTP/1.1 passes, too: the device decides.
    let answer = device.post("/ntlm", b"").await.unwrap();
    assert_eq!(answer.head.status(), 401);
    assert_eq!(answer.head.headers().get("www-authenticate").unwrap(), "NTLM");
    bench.stop().await;
}

#[tokio::test]
async fn a_device_that_resets_a_stream_ends_that_exchange_and_no_other() {
    let authority = Authority::new();
    let mut server = Origin2::start(&authority).await;
    let mut bench = Bench::start(behind(&authority, server.address)).await;
    let mut device = device(&bench, &authority).await;
    // Before the answer, in the middle of the request, in the middle of the answer.
    let (waiting, mut stream) = device.ask(request("/wait"), false).await;
    send(&mut stream, Bytes::from_static(b"x"), true).await;
    server.got().await;
    stream.send_reset(Code::CANCEL);
    drop(waiting);
    let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
    assert_eq!((exchange.response.is_none(), delivery), (true, Delivery::Reset));

    let sized = Request::post(format!("https://{NAME}/")).header("content-length", "100").body(()).unwrap();
    let (uploading, mut stream) = device.ask(sized, false).await;
    send(&mut stream, Bytes::from_static(b"abc"), false).await;
    stream.send_reset(Code::CANCEL);
    drop(uploading);
    let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
    assert_eq!((exchange.request.body.cut, delivery), (true, Delivery::Reset));

    let (response, mut stream) = device.ask(request("/pour"), true).await;
    let mut body = within(response).await.unwrap().into_body();
    let first = within(body.data()).await.unwrap().unwrap();
    body.flow_control().release_capacity(first.len()).unwrap();
    stream.send_reset(Code::CANCEL);
    drop((body, stream));
    let (exchange, delivery, sent) = exchange_and_end(&mut bench).await;
    assert_eq!((exchange.response.unwrap().body.cut, delivery), (true, Delivery::Reset));
    assert!(sent > 0 && sent < 1 << 20, "{sent}");

    assert_eq!(device.post("/", b"still here").await.unwrap().body, "still here");
    let exchange = bench.exchange().await;
    assert_eq!((exchange.response.unwrap().status, bench.end().await.0), (200, Delivery::Complete));
    bench.stop().await;
}

#[tokio::test]
async fn requests_that_lie_are_refused_and_recorded() {
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let mut bench = Bench::start(behind(&authority, server.address)).await;
    let mut device = device(&bench, &authority).await;
    // Two names.
    let two = Request::get(format!("https://{NAME}/")).header("host", "other.example").body(()).unwrap();
    let (response, _stream) = device.ask(two, true).await;
    let answer = read(response).await.unwrap();
    assert_eq!(answer.head.status(), 400);
    assert_eq!(answer.head.headers().get("x-enrollscope-error").unwrap(), "bad-request-head");
    assert!(answer.head.headers().get("connection").is_none());
    let exchange = bench.exchange().await;
    let response = exchange.response.unwrap();
    assert_eq!(
        (response.from, response.version, exchange.upstream),
        (From::Enrollscope, Version::Http2, None)
    );
    // Less than its length says, and more.
    for (length, body) in [("10", "abc"), ("2", "abc")] {
        let sized =
            Request::post(format!("https://{NAME}/")).header("content-length", length).body(()).unwrap();
        let (response, mut stream) = device.ask(sized, false).await;
        send(&mut stream, Bytes::from_static(body.as_bytes()), true).await;
        let error = read(response).await.err().unwrap();
        assert_eq!(error.reason(), Some(Code::PROTOCOL_ERROR));
        let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
        assert_eq!((exchange.request.body.cut, delivery), (true, Delivery::Reset));
    }
    // A coding of HTTP/1 never becomes an exchange; its connection tells of it.
    let coding = [&[0x79, 7][..], b"chunked"].concat();
    // A blank in the path, in place of the one in the table.
    let path = [&[4, 4][..], b"/a b"].concat();
    for (path, field) in [(&[0x84][..], &coding[..]), (&path[..], &[])] {
        // The others of this bench are still open.
        let (mut stream, _) = offer_both(&bench, &authority).await;
        let name = [&[0x41, NAME.len() as u8][..], NAME.as_bytes()].concat();
        let block = [&[0x82, 0x87][..], path, &name, field].concat();
        let head = [&[0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1][..], &block].concat();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(&[&preface[..], &head].concat()).await.unwrap();
        // RST_STREAM of stream 1 with PROTOCOL_ERROR.
        let mut got = Vec::new();
        while !got.windows(13).any(|frame| frame == [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 1]) {
            assert_ne!(within(stream.read_buf(&mut got)).await.unwrap(), 0, "{got:?}");
        }
        drop(stream);
        let (closed, reason) = loop {
            let (closed, reason) = bench.reason().await;
            if closed.alpn.as_deref() == Some("h2") {
                break (closed, reason);
            }
        };
        assert_eq!(closed.event, ConnectionEvent::Closed);
        assert!(matches!(&reason, Reason::BadHead(what) if what.contains("stream 1 broke")), "{reason:?}");
    }
    assert_eq!(device.post("/", b"ok").await.unwrap().body, "ok");
    bench.stop().await;
}

#[tokio::test]
async fn an_authority_that_is_not_configured_is_answered_with_421() {
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let mut settings = behind(&authority, server.address);
    let site = settings.default.take().unwrap();
    let mode = enrollscope::proxy::Mode::Inspect(Box::new(site));
    settings.routes.push(enrollscope::proxy::Route { name: NAME.parse().unwrap(), mode, assumed: false });
    let mut bench = Bench::start(settings).await;
    let mut device = device(&bench, &authority).await;
    let (response, _stream) =
        device.ask(Request::get("https://other.example/").body(()).unwrap(), true).await;
    assert_eq!(read(response).await.unwrap().head.status(), 421);
    let exchange = bench.exchange().await;
    assert_eq!((exchange.response.unwrap().from, exchange.upstream), (From::Enrollscope, None));
    assert_eq!(device.post("/", b"mine").await.unwrap().body, "mine");
    bench.stop().await;
}

#[tokio::test]
async fn heads_without_end_and_resets_without_end_are_bounded() {
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let mut bench = Bench::start(behind(&authority, server.address)).await;
    let mut huge = device(&bench, &authority).await;
    let mut ask = request("/");
    for number in 0..40 {
        let name = hyper::header::HeaderName::from_bytes(format!("x-{number}").as_bytes()).unwrap();
        ask.headers_mut().insert(name, HeaderValue::from_str(&"v".repeat(2000)).unwrap());
    }
    let (response, _stream) = huge.ask(ask, true).await;
    match read(response).await {
        Ok(answer) => assert_eq!(answer.head.status(), 431),
        Err(error) => assert!(error.is_remote(), "{error}"),
    }
    drop(huge);
    let mut flooding = device(&bench, &authority).await;
    let mut patient = device(&bench, &authority).await;
    let flood = async {
        loop {
            let Ok(mut sender) = flooding.sender.clone().ready().await else { return };
            let Ok((_, mut stream)) = sender.send_request(request("/wait"), false) else { return };
            stream.send_reset(Code::CANCEL);
            tokio::task::yield_now().await;
        }
    };
    within(flood).await;
    // Whether it still reads the GOAWAY depends on how much it has sent in the meantime.
    assert!(within(&mut flooding.connection).await.unwrap().is_err());
    assert_eq!(patient.post("/", b"others").await.unwrap().body, "others");
    let reason = loop {
        match bench.next().await {
            Seen::Connection(c) if c.event == ConnectionEvent::Closed => match c.reason.unwrap() {
                Reason::BadHead(what) if what.contains("ENHANCE_YOUR_CALM") => break what,
                _ => {}
            },
            _ => {}
        }
    };
    assert!(reason.contains("HTTP/2"), "{reason}");
    bench.stop().await;
}

#[tokio::test]
async fn an_open_stream_ends_before_the_proxy_does() {
    let authority = Authority::new();
    let mut server = Origin2::start(&authority).await;
    let bench = Bench::start(behind(&authority, server.address)).await;
    let mut device = device(&bench, &authority).await;
    let (response, mut stream) = device.ask(request("/wait"), false).await;
    send(&mut stream, Bytes::from_static(b"late"), true).await;
    server.got().await;
    let stopping = tokio::spawn(bench.stop());
    tokio::task::yield_now().await;
    server.go.notify_one();
    assert_eq!(read(response).await.unwrap().body, "late");
    drop(device.sender);
    within(device.connection).await.unwrap().unwrap();
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_device_that_says_nothing_or_takes_nothing_is_given_up() {
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let mut settings = behind(&authority, server.address);
    settings.limits.device_idle = Duration::from_millis(200);
    settings.limits.stalled_write = Duration::from_millis(200);
    let mut bench = Bench::start(settings).await;
    // Nothing of an answer is taken: its stream is reset, the connection goes on to its idle end.
    let mut taking = device(&bench, &authority).await;
    let (response, _stream) = taking.ask(request("/pour"), true).await;
    let _untaken = within(response).await.unwrap();
    let (exchange, delivery, _) = exchange_and_end(&mut bench).await;
    assert_eq!((exchange.response.unwrap().body.cut, delivery), (true, Delivery::Reset));
    let reason = loop {
        let (closed, reason) = bench.reason().await;
        if closed.alpn.as_deref() == Some("h2") {
            break reason;
        }
    };
    assert!(matches!(&reason, Reason::Timeout(what) if what.contains("idle")), "{reason:?}");
    // A preface, and no more of it.
    let (mut stream, agreed) = offer_both(&bench, &authority).await;
    assert_eq!(agreed.as_deref(), Some(&b"h2"[..]));
    stream.write_all(b"PRI * HTTP").await.unwrap();
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_reads_nothing_or_ends_nothing_holds_nobody_else_up() {
    let authority = Authority::new();
    let server = Origin2::start(&authority).await;
    let bench = Bench::start(behind(&authority, server.address)).await;
    let (mut idle, mut other) = (device(&bench, &authority).await, device(&bench, &authority).await);
    let mut unread = Vec::new();
    for _ in 0..8 {
        let (response, _) = idle.ask(request("/pour"), true).await;
        unread.push(within(response).await.unwrap());
    }
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(idle.ask(request("/length"), false).await);
    }
    let answer = other.post("/length", b"hello").await.unwrap();
    assert_eq!((answer.head.status().as_u16(), answer.body.as_ref()), (200, &b"hello"[..]));
    drop((unread, open, idle));
    bench.stop().await;
}
