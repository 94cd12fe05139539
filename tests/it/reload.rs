//! A configuration file that changes while the proxy runs.
#![cfg(unix)]

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::binary::{Place, Running};
use crate::wire::{Server, read_until, text};

/// The answer to a request of that host, over a connection that is kept.
async fn ask(device: &mut TcpStream, host: &str) -> String {
    device.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    text(&read_until(device, ";").await)
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.addresses[0]).await.unwrap()
}

/// A server that answers everything with its own name.
async fn named(name: &'static str) -> SocketAddr {
    let server = Server::start().await;
    let address = server.address;
    tokio::spawn(async move {
        loop {
            let mut stream = server.accept().await;
            tokio::spawn(async move {
                loop {
                    read_until(&mut stream, "\r\n\r\n").await;
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{name};");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

fn leading(host: &str, to: SocketAddr) -> String {
    format!("[proxy.hosts.'{host}']\nupstream = 'http://{to}'\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_is_in_force_for_new_connections() {
    let (first, other) = (named("first").await, named("other").await);
    let place = Place::new();
    place.put("f.toml", leading("a.example", first));
    let args = ["--config", "f.toml", "proxy", "--headless", "--listen-http", "127.0.0.1:0", "--no-capture"];
    let mut running = place.listen(&args, 1);
    let mut early = connect(&running).await;
    assert!(ask(&mut early, "a.example").await.ends_with("first;"));

    place.put("f.toml", leading("a.example", other) + &leading("b.example", other));
    running.hang_up();
    running.hear("the changed configuration f.toml is in force");
    let mut late = connect(&running).await;
    for host in ["a.example", "b.example"] {
        assert!(ask(&mut late, host).await.ends_with("other;"));
    }
    // What began under the old one goes on under it.
    assert!(ask(&mut early, "a.example").await.ends_with("first;"));

    // One that cannot be taken changes nothing.
    for (text, why) in [
        ("[proxy]\nmax-body = 'much'".to_owned(), "invalid value 'much'"),
        ("[proxy]\nrewrite = true".to_owned(), "to which server?"),
        (leading("c.example", running.addresses[0]), "leads back to our own listener"),
        // All of it in one line, for the log and for the screen.
        ("[prox".to_owned(), "unclosed table"),
    ] {
        place.put("f.toml", &text);
        running.hang_up();
        let told = running.hear("is not taken");
        assert!(told.contains(why), "{told}");
        assert!(ask(&mut connect(&running).await, "b.example").await.ends_with("other;"));
    }

    // What only a start can change is told; the rest is taken.
    place.put("f.toml", format!("[proxy]\nmax-connections = 7\n{}", leading("c.example", first)));
    running.hang_up();
    running.hear("max-connections was changed, which takes a new start");
    assert!(ask(&mut connect(&running).await, "c.example").await.ends_with("first;"));
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_authority_is_never_another_one_without_a_start() {
    let server = named("first").await;
    let place = Place::new();
    place.put("f.toml", leading("a.example", server));
    let args = ["--config", "f.toml", "proxy", "--headless", "--listen", "127.0.0.1:0", "--no-capture"];
    let mut running = place.listen(&args, 1);
    let before = place.read("certs/enrollscope-ca.pem");
    place.put("f.toml", leading("a.example", server) + &leading("b.example", server));
    running.hang_up();
    let told = running.hear("is not taken");
    assert!(told.contains("cannot issue for a.example, b.example"), "{told}");
    assert_eq!(place.read("certs/enrollscope-ca.pem"), before);
    // It may be the same for another server.
    place.put("f.toml", leading("a.example", named("other").await));
    running.hang_up();
    running.hear("is in force");
    running.stop();
}

#[test]
fn a_changed_certificate_is_looked_at_when_somebody_asks() {
    let place = Place::new();
    place.put_certificate();
    let mut running = place.start(
        &[
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            "http://127.0.0.1:9",
            "--tls-cert",
            "cert.pem",
            "--tls-key",
            "key.pem",
            "--no-capture",
        ],
        1,
    );
    // Its serial number is another one.
    place.put_certificate();
    running.hang_up();
    running.hear("the changed certificate cert.pem is served from now on");
    running.stop();
}
