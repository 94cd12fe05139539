//! Several public names on one listener: each to its own server, some passed through, some refused, none by accident.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Connection, ConnectionEvent, Event, From, Reason, Relay};
use enrollscope::net::{Served, alert};
use enrollscope::proxy::{ListenerSettings, Mode, Proxy, Route, Settings};
use enrollscope::report;
use enrollscope::rules::Profile;
use enrollscope::sink::Journal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::wire::{Authority, Bench, Server, limits, read_all, read_until, site, text};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FIRST: &str = "first.example";
const SECOND: &str = "second.example";
const THROUGH: &str = "through.example";
const REFUSED: &str = "refused.example";

fn inspect(name: &str, upstream: SocketAddr) -> Route {
    Route { name: name.parse().unwrap(), mode: Mode::Inspect(Box::new(site(upstream))), assumed: false }
}

fn other(name: &str, mode: Mode) -> Route {
    Route { name: name.parse().unwrap(), mode, assumed: false }
}

/// A listener for these routes; with an authority, it speaks TLS.
fn routed(routes: Vec<Route>, authority: Option<&Authority>) -> Settings {
    let names = [FIRST, SECOND, "*.below.example"];
    let served = authority
        .map(|authority| Served::new(names.iter().map(|n| authority.identity(n)).collect(), false).unwrap());
    Settings {
        listeners: vec![ListenerSettings {
            address: "127.0.0.1:0".parse().unwrap(),
            secure: served.is_some(),
        }],
        served,
        routes,
        limits: limits(),
        ..Settings::default()
    }
}

fn get(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test]
async fn each_name_leads_to_its_own_server() {
    let (first, second) = (Server::start().await, Server::start().await);
    let authority = Authority::new();
    let routes = vec![inspect("FIRST.example.", first.address), inspect("*.below.example", second.address)];
    let mut bench = Bench::start(routed(routes, Some(&authority))).await;
    let table = [(FIRST, "First.Example.:8443", &first), ("a.below.example", "a.below.example", &second)];
    for (sni, host, server) in table {
        let mut device = bench.connect_as(sni, authority.client()).await.unwrap();
        // The connection to the server is the site's own: the second request finds it again.
        device.write_all(get("/1", host).as_bytes()).await.unwrap();
        let (got, mut upstream) = server.serve_once("\r\n\r\n", OK).await;
        assert_eq!(text(&got), get("/1", host));
        read_until(&mut device, "ok").await;
        device.write_all(get("/2", host).as_bytes()).await.unwrap();
        assert_eq!(text(&read_until(&mut upstream, "\r\n\r\n").await), get("/2", host));
        upstream.write_all(OK).await.unwrap();
        read_until(&mut device, "ok").await;
        let exchange = bench.exchange().await;
        assert_eq!(exchange.upstream.unwrap().address, Some(server.address.to_string()));
        assert_eq!(exchange.changes, []);
        assert!(bench.exchange().await.upstream.unwrap().reused);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_host_that_contradicts_the_handshake_is_routed_and_noted() {
    let (first, second) = (Server::start().await, Server::start().await);
    let authority = Authority::new();
    let routes = vec![inspect(FIRST, first.address), inspect(SECOND, second.address)];
    let mut bench = Bench::start(routed(routes, Some(&authority))).await;
    let mut device = bench.connect_as(FIRST, authority.client()).await.unwrap();
    device.write_all(get("/", SECOND).as_bytes()).await.unwrap();
    let (_, _kept) = second.serve_once("\r\n\r\n", OK).await;
    read_until(&mut device, "ok").await;
    let exchange = bench.exchange().await;
    assert_eq!(exchange.changes[0].what, "other-host");
    assert!(exchange.changes[0].detail.contains(FIRST) && exchange.changes[0].detail.contains(SECOND));
    // Without a Host it is the handshake's name that counts.
    device.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let (_, _kept) = first.serve_once("\r\n\r\n", OK).await;
    assert!(text(&read_all(&mut device).await).ends_with("ok"));
    bench.stop().await;
}

#[tokio::test]
async fn what_is_not_configured_is_answered_with_421_and_never_contacted() {
    let (first, foreign) = (Server::start().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let foreign_at = foreign.local_addr().unwrap();
    let routes = vec![
        inspect(FIRST, first.address),
        other(THROUGH, Mode::Passthrough(Some(foreign_at))),
        other(REFUSED, Mode::Refuse),
    ];
    let mut bench = Bench::start(routed(routes, None)).await;
    let table = [
        (get("/", "unknown.example"), "\"unknown.example\"; give it one with --route"),
        (get("/", &foreign_at.to_string()), "no server is configured"),
        (get(&format!("http://{foreign_at}/x"), &foreign_at.to_string()), "no server is configured"),
        // Two readers could take them for two hosts.
        (get(&format!("http://{foreign_at}/x"), FIRST), "and its Host \"first.example\""),
        (get(&format!("http://{FIRST}/x"), REFUSED), "target names \"first.example\""),
        (get(&format!("http://{FIRST}@{foreign_at}/x"), FIRST), "and its Host \"first.example\""),
        (get("/", THROUGH), "passed through untouched"),
        (get("/", REFUSED), "configured to be refused"),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), "names no host"),
    ];
    for (request, words) in table {
        let mut device = bench.connect().await;
        device.write_all(request.as_bytes()).await.unwrap();
        let got = text(&read_all(&mut device).await);
        assert!(got.starts_with("HTTP/1.1 421 ") && got.contains(words), "{request}: {got}");
        assert!(got.contains("x-enrollscope-error: unknown-host"), "{got}");
        // Who asks learns nothing of the names that there are.
        assert!(words.contains(FIRST) || !got.contains(FIRST), "{got}");
        let exchange = bench.exchange().await;
        assert_eq!((exchange.response.unwrap().from, exchange.upstream), (From::Enrollscope, None));
    }
    let mut device = bench.connect().await;
    device
        .write_all(format!("CONNECT {foreign_at} HTTP/1.1\r\nHost: {FIRST}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert!(text(&read_all(&mut device).await).starts_with("HTTP/1.1 405 "));
    // An absolute target of a site goes to that site.
    let mut device = bench.connect().await;
    device.write_all(get(&format!("http://{FIRST}/x"), FIRST).as_bytes()).await.unwrap();
    let (got, _kept) = first.serve_once("\r\n\r\n", OK).await;
    assert!(text(&got).starts_with(&format!("GET http://{FIRST}/x ")));
    bench.stop().await;
    assert!(tokio::time::timeout(Duration::ZERO, foreign.accept()).await.is_err(), "it was contacted");
}

#[tokio::test]
async fn with_a_default_every_other_name_goes_there_and_nowhere_else() {
    let (first, rest) = (Server::start().await, Server::start().await);
    let foreign = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let foreign_at = foreign.local_addr().unwrap();
    let settings =
        Settings { default: Some(site(rest.address)), ..routed(vec![inspect(FIRST, first.address)], None) };
    let bench = Bench::start(settings).await;
    for (request, server) in [
        (get("/", "whatever.example"), &rest),
        (get(&format!("http://{foreign_at}/x"), &foreign_at.to_string()), &rest),
        (get("/", FIRST), &first),
    ] {
        let mut device = bench.connect().await;
        device.write_all(request.as_bytes()).await.unwrap();
        let (got, _) = server.serve_once("\r\n\r\n", OK).await;
        assert_eq!(text(&got), request);
        read_until(&mut device, "ok").await;
    }
    bench.stop().await;
    assert!(tokio::time::timeout(Duration::ZERO, foreign.accept()).await.is_err(), "it was contacted");
}

#[tokio::test]
async fn unknown_and_refused_names_get_the_alert_unrecognized_name() {
    let server = Server::start().await;
    let authority = Authority::new();
    let routes = vec![inspect(FIRST, server.address), other("*.refused.example", Mode::Refuse)];
    let mut bench = Bench::start(routed(routes, Some(&authority))).await;
    let unknown = Reason::Refused("no certificate for the name that the device asked for".into());
    let unwanted = Reason::Unwanted("a.refused.example is configured to be refused".into());
    for (name, expected) in [("unknown.example", unknown), ("a.refused.example", unwanted)] {
        let error = bench.connect_as(name, authority.client()).await.unwrap_err().to_string();
        assert!(error.contains("UnrecognisedName"), "{error}");
        let (failed, reason) = bench.reason().await;
        assert_eq!((failed.event, failed.sni.as_deref()), (ConnectionEvent::Failed, Some(name)));
        assert_eq!(reason, expected);
    }
    // A certificate, and no server: the handshake is done, and HTTP says it.
    let mut device = bench.connect_as(SECOND, authority.client()).await.unwrap();
    device.write_all(get("/", SECOND).as_bytes()).await.unwrap();
    assert!(text(&read_all(&mut device).await).starts_with("HTTP/1.1 421 "));
    bench.stop().await;
}

#[tokio::test]
async fn what_is_passed_through_is_between_the_device_and_its_server() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let identity = theirs.identity(THROUGH);
    let leaf = identity.certified.cert[0].clone();
    let server = Server::start_tls(Served::new(vec![identity], true).unwrap()).await;
    let routes =
        vec![inspect(FIRST, server.address), other(THROUGH, Mode::Passthrough(Some(server.address)))];
    let mut bench = Bench::start(routed(routes, Some(&ours))).await;
    // The device is shown the server's certificate, and believes no other.
    let (device, upstream) = tokio::join!(bench.connect_as(THROUGH, theirs.client()), server.accept());
    let (mut device, mut upstream) = (device.unwrap(), upstream);
    assert_eq!(device.get_ref().1.peer_certificates().unwrap()[0], leaf);
    device.write_all(b"anything at all").await.unwrap();
    assert_eq!(text(&read_until(&mut upstream, "at all").await), "anything at all");
    let large = vec![7; 1 << 20];
    let sending = async {
        upstream.write_all(&large).await.unwrap();
        upstream.flush().await.unwrap();
        upstream
    };
    let mut got = vec![0; large.len()];
    let (mut upstream, read) = tokio::join!(sending, device.read_exact(&mut got));
    read.unwrap();
    assert!(got == large);

    let opened = bench.connection().await;
    assert_eq!((opened.event, opened.sni.as_deref()), (ConnectionEvent::Opened, Some(THROUGH)));
    assert!(opened.offered.is_some() && opened.tls.is_none() && opened.chain.is_empty());
    assert_eq!(opened.passthrough.unwrap().target, server.address.to_string());
    device.shutdown().await.unwrap();
    drop(device);
    assert_eq!(read_all(&mut upstream).await, b"");
    drop(upstream);
    let (closed, reason) = bench.reason().await;
    assert_eq!((closed.event, closed.id), (ConnectionEvent::Closed, opened.id));
    let relay = closed.passthrough.unwrap();
    assert!(relay.up > 15 && relay.up < 10_000 && relay.down > 1 << 20, "{relay:?}");
    assert_eq!(reason, Reason::ClosedByDevice);
    bench.stop().await;
}

#[tokio::test]
async fn a_passage_ends_with_its_server_with_silence_and_with_us() {
    let server = Server::start().await;
    let routes = vec![other(THROUGH, Mode::Passthrough(Some(server.address)))];
    let hello = hello(THROUGH);
    for expected in [Reason::ClosedByServer, Reason::Timeout(String::new()), Reason::ClosedByUs] {
        let mut settings = routed(routes.clone(), Some(&Authority::new()));
        if matches!(expected, Reason::Timeout(_)) {
            settings.limits.device_idle = Duration::from_millis(50);
            settings.limits.upstream_answer = Duration::from_millis(50);
        }
        let mut bench = Bench::start(settings).await;
        let mut device = bench.connect().await;
        device.write_all(&hello).await.unwrap();
        let mut upstream = server.accept().await;
        let mut got = vec![0; hello.len()];
        upstream.read_exact(&mut got).await.unwrap();
        // The very bytes, although they were read before.
        assert!(got == hello);
        assert_eq!(bench.connection().await.event, ConnectionEvent::Opened);
        match expected {
            Reason::ClosedByServer => {
                drop(upstream);
                assert_eq!(read_all(&mut device).await, b"");
                drop(device);
                assert_eq!(bench.reason().await.1, Reason::ClosedByServer);
                bench.stop().await;
            }
            Reason::Timeout(_) => {
                assert!(matches!(bench.reason().await.1, Reason::Timeout(_)));
                bench.stop().await;
            }
            _ => assert_eq!(bench.stop_and_reason().await, Reason::ClosedByUs),
        }
    }
}

#[tokio::test]
async fn a_passage_that_leads_nowhere_or_back_here_is_refused() {
    let authority = Authority::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let routes = vec![other(THROUGH, Mode::Passthrough(Some(closed)))];
    let mut bench = Bench::start(routed(routes, Some(&authority))).await;
    let mut device = bench.connect().await;
    device.write_all(&hello(THROUGH)).await.unwrap();
    assert_eq!(read_all(&mut device).await, alert(rustls::AlertDescription::InternalError));
    let (failed, reason) = bench.reason().await;
    assert_eq!(failed.passthrough.unwrap().target, closed.to_string());
    assert!(reason.to_string().contains("no connection to it came about"), "{reason}");
    bench.stop().await;

    // Names below a suffix are resolved when they are asked for; this one is this machine, at our port.
    let Ok(listener) = std::net::TcpListener::bind("127.0.0.1:443") else { return };
    drop(listener);
    let mut settings = routed(vec![other("*.localhost", Mode::Passthrough(None))], Some(&authority));
    settings.listeners[0].address = "127.0.0.1:443".parse().unwrap();
    let mut bench = Bench::start(settings).await;
    let mut device = bench.connect().await;
    device.write_all(&hello("a.localhost")).await.unwrap();
    read_all(&mut device).await;
    let reason = bench.reason().await.1.to_string();
    assert!(reason.contains("leads back here") || reason.contains("has no address"), "{reason}");
    bench.stop().await;
}

fn hello(name: &'static str) -> Vec<u8> {
    let mut client =
        rustls::ClientConnection::new(Authority::new().client(), name.try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test]
async fn a_site_that_leads_back_to_us_does_not_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let check = async |routes: Vec<Route>, words: &str| {
        let mut settings = routed(routes, None);
        settings.listeners[0].address = taken;
        let refused = Proxy::bind(settings, Journal::new().0).await.expect_err("a loop").to_string();
        assert!(refused.contains("leads back") && refused.contains(words), "{refused}");
    };
    check(vec![inspect(FIRST, "127.0.0.1:9".parse().unwrap()), inspect(SECOND, taken)], "the upstream http")
        .await;
    check(vec![other(THROUGH, Mode::Passthrough(Some(taken)))], THROUGH).await;
}

#[tokio::test]
async fn several_listeners_serve_the_same_sites_and_ipv6_works() {
    let server = Server::start().await;
    let mut settings = routed(vec![inspect(FIRST, server.address)], None);
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        settings.listeners.insert(0, ListenerSettings { address: "[::1]:0".parse().unwrap(), secure: false });
    }
    settings.listeners.push(ListenerSettings { address: "127.0.0.1:0".parse().unwrap(), secure: false });
    let mut bench = Bench::start(settings).await;
    for address in bench.addresses.clone() {
        let mut device = tokio::net::TcpStream::connect(address).await.unwrap();
        device
            .write_all(format!("GET / HTTP/1.1\r\nHost: {FIRST}\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        let (_, _kept) = server.serve_once("\r\n\r\n", answer).await;
        read_until(&mut device, "ok").await;
        let opened = bench.connection().await;
        assert_eq!(opened.listener, format!("http://{address}"));
        drop(device);
        bench.reason().await;
    }
    bench.stop().await;
}

#[test]
fn a_passage_is_told_in_a_line_and_is_nobodys_mistake() {
    let relay = Relay { target: "192.0.2.9:443".to_owned(), up: 5, down: 7 };
    let connection = |event, reason| Connection {
        event,
        peer: "192.0.2.1:50000".to_owned(),
        sni: Some(THROUGH.to_owned()),
        passthrough: Some(relay.clone()),
        reason,
        ..Connection::default()
    };
    let mut engine = Engine::new(Profile::Strict, Deadlines::default());
    for (connection, words, what) in [
        (
            connection(ConnectionEvent::Opened, None),
            "passes through through.example to 192.0.2.9:443 untouched",
            "passes",
        ),
        (
            connection(ConnectionEvent::Closed, Some(Reason::ClosedByServer)),
            "passed through through.example to 192.0.2.9:443: 5 bytes up, 7 down, closed by the server",
            "passed",
        ),
    ] {
        let seen = engine.observe(Event::Connection(Arc::new(connection)));
        assert!(seen.findings.is_empty());
        let line = report::line(&seen);
        assert!(line.contains(words), "{line}");
        let json = report::line_json(&seen);
        assert!(
            json.contains(&format!("\"what\":\"{what}-through\"")) && json.contains("\"up\":5"),
            "{json}"
        );
    }
}
