//! Evidence survives `kill -9`: whatever a device has received in full is in the capture.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use enrollscope::capture::{Play, Played, Reader};
use enrollscope::event::Event;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::binary::{Place, committed};

const ROUNDS: usize = 20;
const DEVICES: usize = 6;

/// An answer waits so long for its record; one that took longer may have gone out without it.
const HOLD_BACK: Duration = Duration::from_millis(250);

/// Reads one whole HTTP message of those in this test: with a length, in chunks, or without a body.
async fn message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .split_once("Content-Length: ")
                .map(|(_, rest)| rest.lines().next().unwrap().parse::<usize>().unwrap());
            let end = match length {
                Some(length) => Some(length).filter(|length| body.len() >= *length),
                None if head.contains("chunked") => body.find("0\r\n\r\n").map(|at| at + 5),
                None => Some(0),
            };
            if let Some(end) = end {
                buffer.drain(..head.len() + 4 + end);
                return Some(head.to_owned());
            }
        }
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// Every way to end an answer whose end a device can tell from a broken connection.
async fn server(listener: TcpListener) {
    const ANSWERS: [&str; 4] = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ];
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = Vec::new();
            for answer in ANSWERS.iter().cycle() {
                if message(&mut stream, &mut buffer).await.is_none()
                    || stream.write_all(answer.as_bytes()).await.is_err()
                {
                    return;
                }
            }
        });
    }
}

/// An exchange whose answer came whole.
struct Completed {
    target: String,
    /// So soon that its record cannot be late.
    in_time: bool,
}

/// Sends requests until the proxy dies; tells of each whose answer came whole.
async fn device(
    number: usize,
    address: SocketAddr,
    body: String,
    completed: mpsc::UnboundedSender<Completed>,
) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    let mut buffer = Vec::new();
    for turn in 0.. {
        let target = format!("/EnrollmentServer/Enrollment.svc?device={number}&turn={turn}");
        let length = body.len();
        let request = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        let began = Instant::now();
        if stream.write_all(request.as_bytes()).await.is_err() {
            return;
        }
        let Some(_) = message(&mut stream, &mut buffer).await else { return };
        let _ = completed.send(Completed { target, in_time: began.elapsed() < HOLD_BACK });
    }
}

/// The targets of all exchanges in the capture.
fn recorded(capture: &[u8]) -> BTreeSet<String> {
    let mut targets = BTreeSet::new();
    for played in Play::new(Reader::new(capture).unwrap()) {
        if let Played::Event { event: Event::Exchange(exchange), .. } = played.unwrap() {
            targets.insert(exchange.request.target.clone());
        }
    }
    targets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_has_received_is_on_file_after_kill_9() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(server(listener));
    // A body that takes the record longer than the wire takes the answer.
    let body = std::fs::read_to_string(committed("tests/data/real/rst-req.xml")).unwrap();
    let mut proven = 0;
    for round in 0..ROUNDS {
        let place = Place::new();
        let capture = ["--capture", "c.jsonl"];
        let args = ["--listen-http", "127.0.0.1:0", "--upstream", &upstream];
        let mut running = place.start(&[&args[..], &capture].concat(), 1);
        let (completed, mut seen) = mpsc::unbounded_channel();
        for number in 0..DEVICES {
            tokio::spawn(device(number, running.addresses[0], body.clone(), completed.clone()));
        }
        drop(completed);
        let mut whole = Vec::new();
        // Another moment in every round.
        for _ in 0..=(round * 7) {
            whole.extend(seen.recv().await);
        }
        running.kill();
        while let Some(exchange) = seen.recv().await {
            whole.push(exchange);
        }
        let whole: BTreeSet<_> = whole.into_iter().filter(|e| e.in_time).map(|e| e.target).collect();
        let recorded = recorded(&place.read("c.jsonl"));
        let lost: Vec<_> = whole.difference(&recorded).collect();
        assert!(lost.is_empty(), "round {round}: of {} received, not on file: {lost:?}", whole.len());
        proven += whole.len();
    }
    assert!(proven > ROUNDS * 10, "{proven} exchanges prove too little");
}
