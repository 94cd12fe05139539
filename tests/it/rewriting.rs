//! `--rewrite` between a device that calls us by our name and a server that knows only its own.

use std::io::Write;

use enrollscope::net::Origin;
use tokio::io::AsyncWriteExt;

use crate::binary::Place;
use crate::wire::{Bench, Server, read_all, read_until, settings, text};

const TAIL: &str = "</DiscoverResponse></s:Body></s:Envelope>";

fn answer(origin: &str, extra: &str) -> String {
    format!(
        "<s:Envelope><s:Body><DiscoverResponse>{extra}<EnrollmentServiceUrl>{origin}/e?a=1</EnrollmentServiceUrl>\
         <Other>http://mdm.example/</Other>{TAIL}"
    )
}

async fn bench() -> (Server, Bench) {
    let server = Server::start().await;
    let mut settings = settings(server.address);
    let site = settings.default.as_mut().unwrap();
    site.upstream = Origin { secure: false, host: "mdm.example".into(), port: 80 };
    site.upstream_address = Some(server.address);
    site.rewrite = true;
    let bench = Bench::start(settings).await;
    (server, bench)
}

fn request(origin: &str, host: &str) -> String {
    let body = format!("<s:Envelope><s:Header><a:To>{origin}/D.svc</a:To></s:Header><s:Body/></s:Envelope>");
    format!(
        "POST /D.svc HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/soap+xml\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn discovery_leads_back_to_us_and_the_server_sees_its_own_name() {
    let (server, mut bench) = bench().await;
    let mut device = bench.connect().await;
    device.write_all(request("http://us.example:8080", "us.example:8080").as_bytes()).await.unwrap();
    let body = answer("http://mdm.example", "");
    let head = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nLocation: http://us.example:8080/x\r\ncontent-type: text/xml\r\nContent-LENGTH: {length}\r\n\r\n"
        )
    };
    let from_server = head(body.len()).replace("us.example:8080", "mdm.example:80");
    let (got, _kept) = server.serve_once("</s:Envelope>", format!("{from_server}{body}").as_bytes()).await;
    assert_eq!(text(&got), request("http://mdm.example", "mdm.example"));
    let expected = answer("http://us.example:8080", "");
    let got = text(&read_until(&mut device, TAIL).await);
    assert_eq!(got, format!("{}{expected}", head(expected.len())));

    let exchange = bench.exchange().await;
    let response = exchange.response.unwrap();
    assert_eq!(text(&response.body.bytes), body);
    let sent = response.sent.unwrap();
    assert_eq!(text(&sent.body.unwrap()), expected);
    assert_eq!(sent.headers.unwrap()[0].text(), "http://us.example:8080/x");
    assert_eq!(exchange.request.headers[0].text(), "us.example:8080");
    assert_eq!(exchange.request.sent.unwrap().headers.unwrap()[0].text(), "mdm.example");
    assert_eq!(exchange.changes.iter().filter(|c| c.what == "rewrite").count(), exchange.changes.len());
    assert_eq!(exchange.changes.len(), 4);
    bench.stop().await;
}

#[tokio::test]
async fn a_packed_answer_is_unpacked_and_a_chunked_one_stays_chunked() {
    let (server, bench) = bench().await;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(answer("http://mdm.example", "").as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let mut device = bench.connect().await;
    device.write_all(request("http://us.example", "us.example").as_bytes()).await.unwrap();
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut whole = head.as_bytes().to_vec();
    whole.extend_from_slice(format!("{:x}\r\n", packed.len()).as_bytes());
    whole.extend_from_slice(&packed);
    whole.extend_from_slice(b"\r\n0\r\n\r\n");
    let (_, _kept) = server.serve_once("</s:Envelope>", &whole).await;
    let got = text(&read_until(&mut device, "0\r\n\r\n").await);
    let expected = answer("http://us.example", "");
    let head = head.replace("Content-Encoding: gzip\r\n", "");
    assert_eq!(got, format!("{head}{:X}\r\n{expected}\r\n0\r\n\r\n", expected.len()));
    bench.stop().await;
}

#[tokio::test]
async fn what_is_signed_too_large_or_broken_passes_untouched() {
    let (server, bench) = bench().await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n";
    let signed = answer("http://mdm.example", "<ds:Signature/>");
    let large = answer("http://mdm.example", &"x".repeat(2 << 20));
    for body in [&signed, &large] {
        let mut device = bench.connect().await;
        device.write_all(request("http://us.example", "us.example").as_bytes()).await.unwrap();
        let whole = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let serving = async { drop(server.serve_once("</s:Envelope>", whole.as_bytes()).await) };
        let ((), got) = tokio::join!(serving, read_all(&mut device));
        assert_eq!(got.len(), whole.len());
        assert!(text(&got) == whole);
    }
    let mut device = bench.connect().await;
    device.write_all(request("http://us.example", "us.example").as_bytes()).await.unwrap();
    let broken = format!("{head}Content-Length: 5000\r\n\r\n{signed}");
    drop(server.serve_once("</s:Envelope>", broken.as_bytes()).await);
    assert!(broken.starts_with(&text(&read_all(&mut device).await)));
    bench.stop().await;
}

#[test]
#[cfg(unix)]
fn a_device_enrolls_at_two_servers_on_different_ports_without_ever_going_past_us() {
    let place = Place::new();
    let listen = ["server", "--listen", "127.0.0.1:0", "--ca-file"];
    let second = place.listen(&[&listen[..], &["second.pem"]].concat(), 1);
    let advertised = format!("https://localhost:{}", second.addresses[0].port());
    // Its discovery leads to the other.
    let first = place.listen(&[&listen[..], &["first.pem", "--public-url", &advertised]].concat(), 1);
    let discovery = format!("https://localhost:{}", first.addresses[0].port());
    let table = |name: &str, upstream: &str, ca: &str| {
        format!("[proxy.hosts.'{name}.example']\nupstream = '{upstream}'\nupstream-ca = '{ca}'\n")
    };
    place
        .put("f.toml", table("first", &discovery, "first.pem") + &table("second", &advertised, "second.pem"));
    for (more, managed) in [(&[][..], "localhost"), (&["--rewrite-management"], "second.example")] {
        let capture = format!("{managed}.jsonl");
        let args = ["--listen", "127.0.0.1:0", "--config", "f.toml", "--rewrite", "--capture", &capture];
        let proxy = place.start(&[&args[..], more].concat(), 1);
        place.put("ca.pem", place.run(&["certs", "export"]).out);
        let port = proxy.addresses[0].port();
        let connect = format!("127.0.0.1:{port}");
        let server = format!("https://first.example:{port}");
        let ran = place.run(&[
            "enroll",
            "--server",
            &server,
            "--connect",
            &connect,
            "--ca",
            "ca.pem",
            "--format",
            "json",
        ]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let steps: Vec<serde_json::Value> =
            ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let urls: Vec<_> = steps.iter().map(|step| step["url"].as_str().unwrap()).collect();
        let second = format!("https://second.example:{port}/");
        assert!(urls[..2].iter().all(|url| url.starts_with(&server)), "{urls:?}");
        assert!(urls[2..4].iter().all(|url| url.starts_with(&second)), "{urls:?}");
        assert!(urls[4].contains(managed), "{urls:?}");
        proxy.stop();
        let checked = place.run(&["check", &capture, "--format", "json"]);
        let rules: Vec<_> =
            checked.json()["findings"].as_array().unwrap().iter().map(|f| f["rule"].clone()).collect();
        let expected = if more.is_empty() { 1 } else { 2 };
        assert_eq!(rules.iter().filter(|rule| *rule == "OWN-002").count(), expected, "{rules:?}");
    }
}
