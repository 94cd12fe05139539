//! Running as a service: who started us is told, and the log is for programs.
#![cfg(unix)]

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::binary::{Place, committed};
use crate::wire;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_hears_when_it_begins_and_when_it_ends() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let heard = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        wire::text(&buffer[..length])
    };
    let upstream = "http://127.0.0.1:9";
    let args = [
        "proxy",
        "--headless",
        "--listen-http",
        "127.0.0.1:0",
        "--upstream",
        upstream,
        "--log",
        "log",
        "--log-format",
        "json",
    ];
    let variables = [("NOTIFY_SOCKET", place.path("notify").display().to_string())];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let running = place.listen_with(&args, &variables, 1);
    assert_eq!(heard().trim_end(), "READY=1");

    let mut device = tokio::net::TcpStream::connect(running.addresses[0]).await.unwrap();
    device.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(wire::text(&wire::read_all(&mut device).await).starts_with("HTTP/1.1 502 "));
    running.stop();
    assert_eq!(heard().trim_end(), "STOPPING=1");

    let log = wire::text(&place.read("log"));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = lines.iter().find(|line| line["level"] == "WARN").unwrap_or_else(|| panic!("{log}"));
    assert!(told["fields"]["exchange"].is_string(), "{told}");
}

#[test]
fn the_unit_names_options_that_there_are() {
    let unit = std::fs::read_to_string(committed("docs/enrollscope.service")).unwrap();
    let start = unit.split("ExecStart=").nth(1).unwrap().split("\n#").next().unwrap().replace("\\\n", " ");
    let options: Vec<_> = start.split_whitespace().filter(|word| word.starts_with("--")).collect();
    assert!(options.len() >= 5, "{options:?}");
    let help = Place::new().run(&["proxy", "--help"]).out;
    for option in options {
        assert!(help.contains(option), "{option} is no option");
    }
}
