//! What plain HTTP is answered with by us: a redirect to https where that is wanted, and the local authority's certificate.

use enrollscope::event::{Exchange, From};
use enrollscope::proxy::{Mode, PlainHttp, Route, Settings};
use tokio::io::AsyncWriteExt;

use crate::wire::{Bench, Server, read_all, read_until, served, settings, text};

const DER: &[u8] = b"\x30\x03\x02\x01\x3E";

fn plain(server: &Server, redirect: bool) -> Settings {
    let authority = Some(bytes::Bytes::from_static(DER));
    Settings { plain_http: PlainHttp { redirect, authority }, ..settings(server.address) }
}

/// The answer, and the exchange as it is recorded.
async fn ask(bench: &mut Bench, request: &str) -> (String, Exchange) {
    let mut device = bench.connect().await;
    device.write_all(request.as_bytes()).await.unwrap();
    let got = read_all(&mut device).await;
    (String::from_utf8_lossy(&got).into_owned(), bench.exchange().await)
}

#[tokio::test]
async fn whoever_asks_in_the_clear_is_sent_to_https() {
    let server = Server::start().await;
    let mut settings = plain(&server, true);
    let refused = Route { name: "refused.example".parse().unwrap(), mode: Mode::Refuse, assumed: false };
    settings.routes.push(refused);
    let mut bench = Bench::start(settings).await;
    for (request, status, location) in [
        (
            "GET /EnrollmentServer/Discovery.svc?a=b HTTP/1.1\r\nHost: E.contoso.example\r\n\r\n",
            302,
            "https://e.contoso.example/EnrollmentServer/Discovery.svc?a=b",
        ),
        ("HEAD /x HTTP/1.1\r\nHost: e.example:8080\r\n\r\n", 302, "https://e.example/x"),
        ("GET http://e.example/x HTTP/1.1\r\nHost: f.example\r\n\r\n", 302, "https://e.example/x"),
        ("GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 302, "https://[::1]/x"),
        ("POST /x HTTP/1.1\r\nHost: e.example\r\nContent-Length: 2\r\n\r\nhi", 307, "https://e.example/x"),
        ("GET /x HTTP/1.1\r\nHost: refused.example\r\n\r\n", 421, ""),
        ("GET /x HTTP/1.1\r\nHost: a:b:c\r\n\r\n", 421, ""),
        ("GET /x HTTP/1.0\r\n\r\n", 421, ""),
    ] {
        let (got, exchange) = ask(&mut bench, request).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {got}");
        let expected = format!("\r\nLocation: {location}\r\n");
        assert_eq!(got.contains("\r\nLocation: "), status < 400);
        assert!(status >= 400 || got.contains(&expected), "{request}: {got}");
        assert_eq!(got.ends_with("\r\n\r\n"), request.starts_with("HEAD"));
        let response = exchange.response.unwrap();
        assert_eq!((response.from, response.status, exchange.upstream), (From::Enrollscope, status, None));
        assert_eq!(response.is_in_place(), status >= 400);
    }
    bench.stop().await;
}

#[tokio::test]
async fn the_authority_can_be_fetched_in_the_clear_and_is_never_forwarded() {
    let server = Server::start().await;
    for redirect in [false, true] {
        let mut bench = Bench::start(plain(&server, redirect)).await;
        for target in ["/ca.cer", "/ca.cer?now", "http://whoever.example/ca.cer"] {
            let mut device = bench.connect().await;
            let request = format!("GET {target} HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n");
            device.write_all(request.as_bytes()).await.unwrap();
            let got = read_all(&mut device).await;
            assert!(got.ends_with(&[b"\r\n\r\n", DER].concat()), "{}", text(&got));
            assert!(text(&got).contains("Content-Type: application/pkix-cert\r\n"));
            let exchange = bench.exchange().await;
            assert_eq!((exchange.response.unwrap().body.bytes, exchange.upstream), (DER.into(), None));
        }
        bench.stop().await;
    }
}

#[tokio::test]
async fn without_being_told_plain_http_is_forwarded_and_tls_always_is() {
    let server = Server::start().await;
    let authority = crate::wire::Authority::new();
    for tls in [false, true] {
        let mut settings = settings(server.address);
        if tls {
            settings = plain(&server, true);
            (settings.listeners[0].secure, settings.served) = (true, Some(served(&authority)));
        }
        let bench = Bench::start(settings).await;
        let request = format!("GET /ca.cer HTTP/1.1\r\nHost: {}\r\n\r\n", crate::wire::NAME);
        let mut device: crate::wire::Boxed = match tls {
            true => bench.connect_tls(authority.client()).await.unwrap(),
            false => Box::new(bench.connect().await),
        };
        device.write_all(request.as_bytes()).await.unwrap();
        let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
        let (got, _kept) = server.serve_once("\r\n\r\n", answer).await;
        assert_eq!(text(&got), request);
        read_until(&mut device, "no").await;
        bench.stop().await;
    }
}
