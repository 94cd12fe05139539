//! Front ends before us: whose word is taken, whose is not, and what the server is told of devices.

use enrollscope::event::{Connection, ConnectionEvent, Exchange, Front, Reason};
use enrollscope::net::Fronts;
use enrollscope::proxy::{Forwarded, Settings};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use crate::wire::{Authority, Bench, NAME, Seen, Server, read_all, read_until, served, settings, text};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn trusting(mut settings: Settings, network: &str) -> Settings {
    settings.fronts = Fronts::new(vec![network.parse().unwrap()]);
    settings
}

/// Sends these bytes and one request on a connection of its own; yields what the server got, and the record.
async fn ask(
    bench: &mut Bench,
    server: &Server,
    first: &str,
    headers: &str,
) -> (String, Connection, Exchange) {
    let mut device = bench.connect().await;
    let request =
        format!("{first}GET /EnrollmentServer/Discovery.svc HTTP/1.1\r\nHost: a.example\r\n{headers}\r\n");
    // Byte by byte, as a slow front end may send it.
    for byte in request.as_bytes() {
        device.write_all(&[*byte]).await.unwrap();
    }
    let (got, _kept) = server.serve_once("\r\n\r\n", ANSWER).await;
    read_until(&mut device, "ok").await;
    drop(device);
    let Seen::Connection(opened) = bench.next().await else { panic!("not opened first") };
    let exchange = bench.exchange().await;
    // The end and the close are not of interest.
    loop {
        if let Seen::Connection(closed) = bench.next().await
            && closed.event == ConnectionEvent::Closed
        {
            return (text(&got), *opened, exchange);
        }
    }
}

const FORWARDED: &str =
    "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: mdm.example\r\n";

#[tokio::test]
async fn the_word_of_a_trusted_front_end_is_taken_and_passes_on() {
    let server = Server::start().await;
    let mut bench = Bench::start(trusting(settings(server.address), "127.0.0.0/8")).await;
    let (got, opened, exchange) = ask(&mut bench, &server, "", FORWARDED).await;
    assert!(got.contains(FORWARDED), "{got}");
    let expected = Front {
        address: Some("198.51.100.7".to_owned()),
        secure: Some(true),
        host: Some("mdm.example".to_owned()),
        client_certificate: Vec::new(),
    };
    assert_eq!(exchange.front.as_deref(), Some(&expected));
    assert_eq!((exchange.changes.len(), opened.via), (0, None));
    let (_, _, exchange) = ask(&mut bench, &server, "", "").await;
    assert_eq!(exchange.front, None);
    bench.stop().await;
}

#[tokio::test]
async fn a_forged_word_of_somebody_else_is_not_taken() {
    let server = Server::start().await;
    for network in ["10.0.0.0/8", "127.0.0.2/32"] {
        let mut bench = Bench::start(trusting(settings(server.address), network)).await;
        let (got, opened, exchange) = ask(&mut bench, &server, "", FORWARDED).await;
        assert!(got.contains(FORWARDED), "it passes all the same: {got}");
        assert_eq!(exchange.front, None);
        assert!(opened.peer.starts_with("127.0.0.1:"), "{}", opened.peer);

        let introductions: [&[u8]; 2] = [
            b"PROXY TCP4 198.51.100.7 10.0.0.1 1 2\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\x0a\0\0\x01\x12\x67\x01\xbb",
        ];
        for introduction in introductions {
            let mut device = bench.connect().await;
            // In two pieces, and cut where it hurts.
            device.write_all(&introduction[..7]).await.unwrap();
            device.write_all(&introduction[7..]).await.unwrap();
            device.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            let refused = text(&read_all(&mut device).await);
            assert!(refused.starts_with("HTTP/1.1 400 ") && refused.contains("--trusted-front"), "{refused}");
        }
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_front_ends_word_on_certificates_stays_and_a_devices_own_goes() {
    let server = Server::start().await;
    let claim = "Client-Cert: :MAMCAT4=:\r\n";
    for (network, passes) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        let mut settings = trusting(settings(server.address), network);
        settings.plain_http.redirect = passes;
        let mut bench = Bench::start(settings).await;
        // Nor is a front end sent to the https address: the device may have come by it.
        let (got, _, exchange) = ask(&mut bench, &server, "", claim).await;
        assert_eq!(got.contains(claim), passes, "{got}");
        assert_eq!(exchange.front.is_some_and(|front| front.client_certificate.len() == 1), passes);
        bench.stop().await;
    }
}

#[tokio::test]
async fn the_proxy_protocol_names_the_device_and_is_taken_off() {
    let server = Server::start().await;
    let mut bench = Bench::start(trusting(settings(server.address), "127.0.0.1/32")).await;
    let first = "PROXY TCP4 198.51.100.7 10.0.0.1 4711 443\r\n";
    // The device's own headers are nobody's word.
    let (got, opened, exchange) = ask(&mut bench, &server, first, FORWARDED).await;
    assert!(got.starts_with("GET "), "{got}");
    assert_eq!(opened.peer, "198.51.100.7:4711");
    assert!(opened.via.unwrap().starts_with("127.0.0.1:"));
    assert_eq!(exchange.front, None);

    // A front end that only looks whether we live.
    let (_, opened, _) = ask(&mut bench, &server, "PROXY UNKNOWN\r\n", "").await;
    assert!(opened.peer.starts_with("127.0.0.1:") && opened.via.is_none());

    let mut device = bench.connect().await;
    device.write_all(b"PROXY TCP4 nobody knows this\r\n").await.unwrap();
    assert_eq!(device.read(&mut [0; 64]).await.unwrap_or(0), 0);
    let (connection, reason) = bench.reason().await;
    assert_eq!(connection.event, ConnectionEvent::Failed);
    assert!(matches!(&reason, Reason::BadHead(why) if why.contains("PROXY protocol")), "{reason:?}");
    bench.stop().await;
}

#[tokio::test]
async fn tls_follows_the_proxy_protocol() {
    let authority = Authority::new();
    let server = Server::start().await;
    let mut settings = trusting(settings(server.address), "127.0.0.1/32");
    (settings.listeners[0].secure, settings.served) = (true, Some(served(&authority)));
    let mut bench = Bench::start(settings).await;
    let mut stream = bench.connect().await;
    let header = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24"[..],
        &[0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0; 16],
        &[0x12, 0x67, 1, 0xBB],
    ]
    .concat();
    stream.write_all(&header).await.unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let mut device = TlsConnector::from(authority.client()).connect(name, stream).await.unwrap();
    device.write_all(b"GET / HTTP/1.1\r\nHost: mdm.example\r\n\r\n").await.unwrap();
    let (_, _kept) = server.serve_once("\r\n\r\n", ANSWER).await;
    read_until(&mut device, "ok").await;
    let Seen::Connection(opened) = bench.next().await else { panic!("not opened first") };
    assert_eq!((opened.peer.as_str(), opened.sni.as_deref()), ("[2001:db8::7]:4711", Some(NAME)));
    assert!(opened.tls.is_some());
    bench.stop().await;
}

#[tokio::test]
async fn the_server_is_told_of_the_device_where_that_is_asked_for() {
    let server = Server::start().await;
    for (mode, expected) in [
        (Forwarded::Append, "X-Forwarded-For: 203.0.113.9, 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"),
        (Forwarded::Replace, "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"),
    ] {
        let mut bench = Bench::start(Settings { forwarded: mode, ..settings(server.address) }).await;
        let (got, _, exchange) = ask(&mut bench, &server, "", "X-Forwarded-For: 203.0.113.9\r\n").await;
        assert!(got.contains(expected), "{mode:?}: {got}");
        let changes: Vec<_> = exchange.changes.iter().map(|change| change.what.as_str()).collect();
        assert_eq!(changes, ["forwarded"]);
        assert!(exchange.request.sent.unwrap().headers.is_some());
        bench.stop().await;
    }
}

#[tokio::test]
async fn behind_a_front_end_the_server_is_told_of_the_device_and_not_of_the_front_end() {
    let server = Server::start().await;
    let ours =
        "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: mdm.example\r\n";
    for (mode, expected) in [
        (Forwarded::Append, FORWARDED.replacen("198.51.100.7", "198.51.100.7, 127.0.0.1", 1)),
        (Forwarded::Replace, ours.to_owned()),
    ] {
        let settings = Settings { forwarded: mode, ..settings(server.address) };
        let mut bench = Bench::start(trusting(settings, "127.0.0.0/8")).await;
        let (got, ..) = ask(&mut bench, &server, "", FORWARDED).await;
        assert!(got.contains(&expected), "{mode:?}: {got}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn bodies_beyond_the_memory_pass_and_are_not_kept() {
    let server = Server::start().await;
    let mut settings = settings(server.address);
    settings.limits.body_memory = 8;
    let mut bench = Bench::start(settings).await;
    for _ in 0..2 {
        let mut device = bench.connect().await;
        device.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef").await.unwrap();
        let (got, _kept) =
            server.serve_once("abcdef", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwxyz").await;
        assert!(got.ends_with(b"abcdef"));
        assert!(read_until(&mut device, "wxyz").await.ends_with(b"wxyz"));
        let exchange = bench.exchange().await;
        assert_eq!(exchange.request.body.bytes.as_ref(), b"abcdef");
        let body = exchange.response.unwrap().body;
        // Two bytes were left of eight; what was kept for the exchange before was given back.
        assert_eq!((body.bytes.as_ref(), body.length), (&b"wx"[..], 4));
        assert!(body.is_partial());
        assert_eq!(exchange.changes[0].what, "not-kept");
    }
    bench.stop().await;
}

// Elsewhere a machine has but one address by itself.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn that_the_server_sees_one_address_for_all_is_told_once_in_a_run() {
    for (mode, expected) in [(Forwarded::Off, [false, false, true, false]), (Forwarded::Append, [false; 4])] {
        let server = Server::start().await;
        let mut settings = settings(server.address);
        settings.forwarded = mode;
        let mut bench = Bench::start(settings).await;
        let mut told = Vec::new();
        for address in ["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3"] {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
            let mut device = socket.connect(bench.addresses[0]).await.unwrap();
            let request = "GET /EnrollmentServer/Discovery.svc HTTP/1.1\r\nHost: a.example\r\n\r\n";
            device.write_all(request.as_bytes()).await.unwrap();
            let _kept = server.serve_once("\r\n\r\n", ANSWER).await;
            read_until(&mut device, "ok").await;
            told.push(bench.exchange().await.changes.iter().any(|change| change.what == "one-address"));
        }
        assert_eq!(told, expected);
        bench.stop().await;
    }
}
