//! The real binary: what a device said in secret is in none of the places where something is written.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::binary::{Place, committed, text};

const SECRETS: [&str; 4] =
    ["Zq7-Pl4nted/Passw0rd", "Wb3Pl4ntedBearer55", "Kd9Pl4ntedQuery77", "Hx2Pl4ntedUserinfo1"];

fn forms(secret: &str) -> Vec<String> {
    let url = secret.replace('/', "%2F");
    let base64 = |text: String| text.trim_end_matches('=').to_owned();
    vec![secret.to_owned(), url, base64(STANDARD.encode(secret)), base64(URL_SAFE.encode(secret))]
}

#[test]
fn secrets_reach_neither_capture_nor_log_nor_lines() {
    let place = Place::new();
    // A server that repeats a secret in its answer.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", server.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut seen = Vec::new();
            let mut part = [0; 4096];
            while !seen.ends_with(b"-->") {
                let length = stream.read(&mut part).unwrap();
                seen.extend_from_slice(&part[..length]);
            }
            let answer = "HTTP/1.1 500 Sorry\r\nX-Was: Zq7-Pl4nted/Passw0rd\r\nContent-Length: 4\r\n\r\nsoap";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let args =
        ["--listen-http", "127.0.0.1:0", "--upstream", &upstream, "--capture", "c.jsonl", "--log", "log.txt"];
    let running = place.start(&args, 1);
    let [password, bearer, query, userinfo] = SECRETS;
    let body = std::fs::read_to_string(committed("tests/data/real/getpolicies-req.xml")).unwrap();
    let end = body.find("</wsse:Password>").unwrap();
    let start = body[..end].rfind('>').unwrap() + 1;
    let body = format!("{}{password}{}<!-- {} -->", &body[..start], &body[end..], STANDARD.encode(password));
    for (target, host, words) in [
        (format!("/EnrollmentServer/Policy.svc?access_token={query}"), "mdm.example", "500 Sorry"),
        (format!("http://u:{userinfo}@h/x"), "h", "500 Sorry"),
        // Refused, with a sentence that names the two.
        (format!("http://u:{userinfo}@h/x"), "mdm.example", "421 Misdirected Request"),
    ] {
        let mut device = TcpStream::connect(running.addresses[0]).unwrap();
        // Of a refused request no body is read that would tell what else is a secret.
        let again = if words.starts_with("500") { password } else { "" };
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {bearer}\r\nX-Again: {again}\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        device.write_all(head.as_bytes()).unwrap();
        device.write_all(body.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = device.read_to_end(&mut answer);
        assert!(text(&answer).contains(words), "{}", text(&answer));
    }
    let (lines, notes) = running.stop();
    let capture = text(&place.read("c.jsonl"));
    assert!(capture.contains("GetPolicies") && lines.contains("get-policies-request"), "{lines}");
    let log = text(&place.read("log.txt"));
    for (name, written) in [("capture", &capture), ("log", &log), ("stdout", &lines), ("stderr", &notes)] {
        for form in SECRETS.iter().flat_map(|secret| forms(secret)) {
            assert!(!written.contains(&form), "{form} is in the {name}");
        }
    }
}
