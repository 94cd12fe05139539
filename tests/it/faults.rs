//! Faults with many exchanges in flight, on the real binary: every device hears something or is let go, every fault is
//! on file, and nothing stays open afterwards.
#![cfg(target_os = "linux")]

use std::future::Future;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::binary::{Place, Running};
use crate::wire::{self, Authority, NAME, read_all, text};

const DEVICES: usize = 24;
const REQUEST: &[u8] =
    b"POST /EnrollmentServer/Policy.svc HTTP/1.1\r\nHost: mdm.example\r\nContent-Length: 4\r\n\r\n<a/>";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n0123456789012345678901234567890123456789";

/// A proxy with little patience, and what it holds open before anybody comes.
struct Scene {
    place: Place,
    proxy: Running,
    open: usize,
}

impl Scene {
    fn new(upstream: &str, more: &[&str]) -> Self {
        let place = Place::new();
        let args = [
            &["--listen-http", "127.0.0.1:0", "--upstream", upstream, "--capture", "c.jsonl"][..],
            &["--answer-timeout", "900ms", "--idle-timeout", "300ms", "--connect-timeout", "2s"],
            more,
        ]
        .concat();
        let proxy = place.start(&args, 1);
        let open = proxy.descriptors();
        Self { place, proxy, open }
    }

    /// That many devices at once; yields what each of them heard.
    async fn devices<F>(&self, device: impl Fn(TcpStream) -> F) -> Vec<String>
    where
        F: Future<Output = Vec<u8>> + Send + 'static,
    {
        let mut all = JoinSet::new();
        for _ in 0..DEVICES {
            all.spawn(device(TcpStream::connect(self.proxy.addresses[0]).await.unwrap()));
        }
        wire::within(all.join_all()).await.iter().map(|heard| text(heard)).collect()
    }

    /// Nothing is open that was not open before; what happened is on file. Yields the exchanges.
    async fn end(self) -> Vec<Value> {
        wire::within(async {
            while self.proxy.descriptors() > self.open {
                tokio::task::yield_now().await;
            }
        })
        .await;
        self.proxy.stop();
        let checked = self.place.run(&["check", "c.jsonl", "--format", "json", "--fail-on", "never"]).json();
        assert_eq!(checked["summary"]["inputs"][0]["damaged"], 0);
        let capture = text(&self.place.read("c.jsonl"));
        let records = capture.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter(|record| record["kind"] == "exchange").collect()
    }
}

async fn post(mut device: TcpStream) -> Vec<u8> {
    device.write_all(REQUEST).await.unwrap();
    // Behind an answer of the proxy's own, and one that broke off, the connection ends.
    read_all(&mut device).await
}

/// Accepts for ever; what becomes of a request is the test's affair.
async fn serve<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    format!("http://{address}")
}

/// Reads to the end of a request, or of the connection.
async fn take_request<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut got = Vec::new();
    while !got.ends_with(b"<a/>") && matches!(stream.read_buf(&mut got).await, Ok(count) if count > 0) {}
}

fn errors(exchanges: &[Value]) -> Vec<&str> {
    exchanges.iter().map(|exchange| exchange["upstream"]["error"].as_str().unwrap_or("none")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_is_told_to_every_device() {
    let upstream = serve(|mut stream| async move {
        take_request(&mut stream).await;
        // Gone without a word, as when its process dies.
        stream.set_zero_linger().unwrap();
    })
    .await;
    let scene = Scene::new(&upstream, &[]);
    for heard in scene.devices(post).await {
        assert!(heard.starts_with("HTTP/1.1 502 ") && heard.contains("x-enrollscope-error"), "{heard}");
    }
    let exchanges = scene.end().await;
    assert_eq!(exchanges.len(), DEVICES);
    assert!(
        errors(&exchanges).iter().all(|error| error.contains("broke") || error.contains("closed")),
        "{exchanges:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_is_given_up_for_every_device() {
    let upstream = serve(|mut stream| async move {
        take_request(&mut stream).await;
        let _ = read_all(&mut stream).await;
    })
    .await;
    let scene = Scene::new(&upstream, &[]);
    for heard in scene.devices(post).await {
        assert!(heard.starts_with("HTTP/1.1 504 "), "{heard}");
    }
    assert!(errors(&scene.end().await).iter().all(|error| error.contains("900ms")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_reset_in_its_middle_breaks_off_at_the_device_too() {
    let upstream = serve(|mut stream| async move {
        take_request(&mut stream).await;
        stream.write_all(&ANSWER[..ANSWER.len() - 20]).await.unwrap();
        stream.flush().await.unwrap();
        // Its device has read the beginning by now: it says so by a further byte, which never comes.
        let _ = stream.read(&mut [0; 1]).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let scene = Scene::new(&upstream, &[]);
    for heard in scene.devices(post).await {
        assert!(heard.starts_with("HTTP/1.1 200 ") && heard.len() < ANSWER.len(), "{heard}");
    }
    let exchanges = scene.end().await;
    assert_eq!(exchanges.len(), DEVICES);
    assert!(exchanges.iter().all(|exchange| exchange["response"]["body"]["cut"] == true), "{exchanges:?}");
}

/// A TLS server that answers, if a handshake comes about.
async fn secure(config: rustls::ServerConfig) -> String {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let upstream = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read(&mut [0; 512]).await;
            let _ = stream.write_all(ANSWER).await;
        }
    })
    .await;
    upstream.replace("http://127.0.0.1", &format!("https://{NAME}"))
}

fn tls(authority: &Authority, asks: bool) -> rustls::ServerConfig {
    let identity = authority.identity(NAME);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap();
    let config = if asks {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        config.with_client_cert_verifier(verifier)
    } else {
        config.with_no_client_auth()
    };
    config.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from((*identity.certified).clone())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_the_server_or_we_refuse_is_told_to_every_device() {
    let authority = Authority::new();
    for (asks, trusted, words) in [(true, true, "alert"), (false, false, "certificate")] {
        let upstream = secure(tls(&authority, asks)).await;
        let port = upstream.rsplit(':').next().unwrap();
        let connect = format!("127.0.0.1:{port}");
        let other = Authority::new();
        let believed = if trusted { &authority } else { &other };
        let ca = enrollscope::net::to_pem("CERTIFICATE", &believed.certificate());
        let scene = {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), ca).unwrap();
            let path = file.path().display().to_string();
            Scene::new(&upstream, &["--upstream-ca", &path, "--upstream-connect", &connect])
        };
        for heard in scene.devices(post).await {
            assert!(heard.starts_with("HTTP/1.1 502 "), "{heard}");
        }
        let exchanges = scene.end().await;
        assert_eq!(exchanges.len(), DEVICES);
        assert!(
            errors(&exchanges).iter().all(|error| error.contains(words)),
            "{words}: {:?}",
            errors(&exchanges)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_knows_is_told_to_every_device() {
    let scene = Scene::new("http://nowhere.invalid", &[]);
    for heard in scene.devices(post).await {
        assert!(heard.starts_with("HTTP/1.1 502 ") && heard.contains("upstream-name"), "{heard}");
    }
    assert_eq!(scene.end().await.len(), DEVICES);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_vanish_stall_or_close_their_half_leave_nothing_behind() {
    let upstream = serve(|mut stream| async move {
        take_request(&mut stream).await;
        let _ = stream.write_all(ANSWER).await;
    })
    .await;
    let scene = Scene::new(&upstream, &[]);
    // Killed in the middle of the request.
    scene
        .devices(|mut device| async move {
            device.write_all(&REQUEST[..REQUEST.len() - 2]).await.unwrap();
            device.set_zero_linger().unwrap();
            Vec::new()
        })
        .await;
    // Stalled there: cut off, after so long.
    for heard in scene
        .devices(|mut device| async move {
            device.write_all(&REQUEST[..REQUEST.len() - 2]).await.unwrap();
            read_all(&mut device).await
        })
        .await
    {
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 4"), "{heard}");
    }
    // Closed their half behind the request: whoever closes has gone.
    scene
        .devices(|mut device| async move {
            device.write_all(REQUEST).await.unwrap();
            device.shutdown().await.unwrap();
            read_all(&mut device).await
        })
        .await;
    let exchanges = scene.end().await;
    // What never became a whole request is on file, too; what a reset took along before it was read cannot be.
    assert!((2 * DEVICES..=3 * DEVICES).contains(&exchanges.len()), "{}", exchanges.len());
}
