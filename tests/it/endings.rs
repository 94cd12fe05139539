//! How exchanges end when a peer stalls, breaks off or leaves, and what then is on file.

use std::sync::atomic::Ordering;
use std::time::Duration;

use enrollscope::event::{Delivery, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::{Bench, Server, read_all, read_until, settings, text};

#[tokio::test]
async fn an_answer_that_breaks_off_is_filed_as_cut() {
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let mut device = bench.connect().await;
        device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        drop(server.serve_once("\r\n\r\n", answer.as_bytes()).await);
        let got = text(&read_all(&mut device).await);
        assert!(!got.ends_with("0\r\n\r\n") && got.len() <= answer.len(), "{got}");
        let body = bench.exchange().await.response.unwrap().body;
        assert_eq!((body.bytes.as_ref(), body.cut), (&b"half"[..], true));
        assert_eq!(bench.end().await.0, Delivery::Cut);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_device_that_goes_away_leaves_its_request() {
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    device.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
    let mut upstream = server.accept().await;
    read_until(&mut upstream, "hi").await;
    drop(device);
    let exchange = bench.exchange().await;
    assert_eq!((exchange.response, exchange.request.body.bytes.as_ref()), (None, &b"hi"[..]));
    assert_eq!(bench.end().await, (Delivery::Reset, 0));
    assert_eq!(bench.reason().await.1, Reason::ClosedByDevice);
    bench.stop().await;
}

#[tokio::test]
async fn the_last_bytes_wait_for_the_record_but_not_for_ever() {
    let answers: &[(&str, &str)] = &[
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast", "last"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlast\r\n0\r\n\r\n", "0\r\n\r\n"),
        ("HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", "\r\n\r\n"),
    ];
    for (answer, last) in answers {
        let server = Server::start().await;
        let mut settings = settings(server.address);
        settings.limits.hold_back = Duration::from_secs(3600);
        let mut bench = Bench::start(settings).await;
        bench.filing.store(false, Ordering::SeqCst);
        let mut device = bench.connect().await;
        device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let (_, _kept) = server.serve_once("\r\n\r\n", answer.as_bytes()).await;
        let exchange = bench.exchange().await;
        // It is handed over, and not on file: the end is not there, however long one reads.
        let mut early = Vec::new();
        let waited = tokio::time::timeout(Duration::from_millis(50), device.read_to_end(&mut early)).await;
        assert!(waited.is_err() && !text(&early).ends_with(last), "{}", text(&early));
        bench.release();
        while !text(&early).ends_with(last) {
            assert_ne!(device.read_buf(&mut early).await.unwrap(), 0);
        }
        assert_eq!(text(&early), *answer);
        assert_eq!(exchange.response.unwrap().status.to_string(), answer[9..12]);
        assert_eq!(bench.journal.counts().late.load(Ordering::Relaxed), 0);
        bench.stop().await;
    }
    let server = Server::start().await;
    let bench = Bench::start(settings(server.address)).await;
    bench.filing.store(false, Ordering::SeqCst);
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (_, _kept) = server.serve_once("\r\n\r\n", answers[0].0.as_bytes()).await;
    read_until(&mut device, "last").await;
    assert_eq!(bench.journal.counts().late.load(Ordering::Relaxed), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_stalling_device_holds_nobody_up_and_is_cut_off() {
    let server = Server::start().await;
    let mut settings = settings(server.address);
    settings.limits.head = Duration::from_millis(200);
    settings.limits.device_idle = Duration::from_millis(400);
    let mut bench = Bench::start(settings).await;
    let mut stalling = bench.connect().await;
    stalling.write_all(b"POST / HTTP/1.1\r\nHo").await.unwrap();
    let idle = bench.connect().await;
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (_, _kept) = server.serve_once("\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n").await;
    read_until(&mut device, "\r\n\r\n").await;
    let (_, first) = bench.reason().await;
    let Reason::Timeout(first) = first else { panic!("{first:?}") };
    assert!(first.contains("head"), "{first}");
    let (_, second) = bench.reason().await;
    let Reason::Timeout(second) = second else { panic!("{second:?}") };
    assert!(second.contains("idle"), "{second}");
    assert!(read_all(&mut stalling).await.is_empty());
    drop(idle);
    bench.stop().await;
}

#[tokio::test]
async fn an_open_exchange_ends_before_the_proxy_does() {
    let server = Server::start().await;
    let bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut upstream = server.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let stopping = tokio::spawn(bench.stop());
    tokio::task::yield_now().await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    assert!(text(&read_all(&mut device).await).ends_with("ok"));
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_device_in_the_middle_of_its_upload_still_reads_why_it_failed() {
    let server = Server::start().await;
    let settings = settings(server.address);
    drop(server);
    let mut bench = Bench::start(settings).await;
    let mut device = bench.connect().await;
    let (mut reading, mut writing) = device.split();
    let upload = async {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n";
        writing.write_all(head.as_bytes()).await.unwrap();
        // Whoever closes on us before it has read all makes this fail; the answer must be there all the same.
        let _ = writing.write_all(&vec![0; 4 << 20]).await;
    };
    let ((), got) = tokio::join!(upload, read_all(&mut reading));
    assert!(text(&got).contains("upstream-unreachable"), "{}", text(&got));
    assert!(bench.exchange().await.request.body.cut);
    bench.stop().await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_given_up() {
    let server = Server::start().await;
    let mut settings = settings(server.address);
    settings.limits.stalled_write = Duration::from_millis(100);
    let mut bench = Bench::start(settings).await;
    let mut device = bench.connect().await;
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut upstream = server.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let pouring = tokio::spawn(async move {
        upstream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while upstream.write_all(&[0; 1 << 16]).await.is_ok() {}
    });
    let exchange = bench.exchange().await;
    assert!(exchange.response.unwrap().body.cut);
    assert_eq!(bench.end().await.0, Delivery::Reset);
    assert!(matches!(bench.reason().await.1, Reason::Timeout(_)));
    pouring.await.unwrap();
    drop(device);
    bench.stop().await;
}

#[tokio::test]
async fn a_stale_server_connection_is_noticed_before_it_is_used() {
    let server = Server::start().await;
    let mut bench = Bench::start(settings(server.address)).await;
    let mut device = bench.connect().await;
    for _ in 0..3 {
        device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        // Closed right after an answer that promised to stay.
        drop(server.serve_once("\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await);
        assert!(text(&read_until(&mut device, "ok").await).starts_with("HTTP/1.1 200"));
        assert!(!bench.exchange().await.upstream.unwrap().reused);
    }
    bench.stop().await;
}
