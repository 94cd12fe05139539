//! Client certificates: asked of devices where that is configured, handed on in a header, and never believed of a header.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{ConnectionEvent, Event, Exchange, Time};
use enrollscope::net::{CertificateHeader, Identity, Sessions};
use enrollscope::proxy::{Asking, Settings};
use enrollscope::rules::Profile as Rules;
use enrollscope::sim::{
    self, Address, Device, Enrollment, Holder, Key, Live, Options, Profile, Proof, Trust, enroll, serve,
};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::wire::{Authority, Bench, NAME, Seen, Server, read_until, served, settings, text, trust};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CLAIMS: &str =
    "Client-Cert: :Zm9yZ2Vk:\r\nX_SSL_Client_Cert: forged\r\nx-forwarded-client-cert: Hash=0\r\n";

/// A device that trusts `server`, and shows a certificate of `own` when it is asked.
fn device(server: &Authority, own: Option<&Authority>) -> Arc<ClientConfig> {
    let plain = server.client();
    let Some(own) = own else { return plain };
    let (chain, key) = own.pem("device-7", None);
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.certificate()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap())
}

fn asking(upstream: &Server, authority: &Authority, asking: Asking, form: &str) -> Settings {
    let mut settings = settings(upstream.address);
    (settings.listeners[0].secure, settings.served) = (true, Some(served(authority)));
    let site = settings.default.as_mut().unwrap();
    site.client_certificates = asking;
    site.certificate_header = form.parse().unwrap();
    settings
}

fn get(extra: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {NAME}\r\n{extra}\r\n")
}

/// One request by this device; what the server got.
async fn request(bench: &Bench, server: &Server, device: Arc<ClientConfig>, extra: &str) -> String {
    let mut device = bench.connect_tls(device).await.unwrap();
    device.write_all(get(extra).as_bytes()).await.unwrap();
    let (got, _kept) = server.serve_once("\r\n\r\n", OK).await;
    read_until(&mut device, "ok").await;
    text(&got)
}

#[tokio::test]
async fn what_the_device_shows_is_handed_on_and_what_it_claims_is_not() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (form, name) in [
        ("rfc9440", "Client-Cert"),
        ("nginx", "X-SSL-Client-Cert"),
        ("nginx:X-Cert", "X-Cert"),
        ("envoy", "X-Forwarded-Client-Cert"),
        ("none", ""),
    ] {
        let server = Server::start().await;
        let mut bench = Bench::start(asking(&server, &ours, Asking::Ask, form)).await;
        for own in [Some(&theirs), None] {
            // No certificate of an authority that anybody here trusts: that is the server's affair.
            let got = request(&bench, &server, device(&ours, own), &format!("{CLAIMS}X-Other: 1\r\n")).await;
            let opened = bench.connection().await;
            assert_eq!((opened.event, opened.asked_client_certificate), (ConnectionEvent::Opened, true));
            assert_eq!(opened.client_certificate.len(), if own.is_some() { 2 } else { 0 });
            let header: CertificateHeader = form.parse().unwrap();
            let lines = header.lines(&opened.client_certificate);
            let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            assert_eq!(got, get(&format!("X-Other: 1\r\n{lines}")), "{form}");
            assert!(own.is_none() || name.is_empty() || got.contains(&format!("\r\n{name}: ")));
            let exchange = bench.exchange().await;
            let changes: Vec<_> = exchange.changes.iter().map(|change| change.what.as_str()).collect();
            let handed_on = own.is_some() && form != "none";
            assert_eq!(changes[..3], ["client-certificate-claim"; 3]);
            assert_eq!(changes[3..], ["client-certificate"][..usize::from(handed_on)]);
            // What the device sent is on record, too.
            assert_eq!(exchange.request.headers.len(), 5);
            assert!(exchange.request.sent.is_some());
            bench.reason().await;
        }
        bench.stop().await;
    }
}

#[tokio::test]
async fn nor_is_what_it_claims_behind_its_body() {
    let ours = Authority::new();
    let server = Server::start().await;
    let mut bench = Bench::start(asking(&server, &ours, Asking::Auto, "nginx:X-Cert")).await;
    let head = format!("POST / HTTP/1.1\r\nHost: {NAME}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut device = bench.connect_tls(device(&ours, None)).await.unwrap();
    let body = "2\r\nhi\r\n0\r\nX-Sum: 7\r\nx_cert: forged\r\nCLIENT-CERT: :Zm9yZ2Vk:\r\n\r\n";
    device.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let (got, _kept) = server.serve_once("0\r\nX-Sum: 7\r\n\r\n", OK).await;
    assert_eq!(text(&got), format!("{head}2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n"));
    read_until(&mut device, "ok").await;
    bench.connection().await;
    let exchange = bench.exchange().await;
    let changes: Vec<_> = exchange.changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(changes, ["client-certificate-claim"; 2]);
    assert_eq!(exchange.request.body.trailers.len(), 3, "what the device sent is on record");
    drop(device);
    bench.reason().await;
    bench.stop().await;
}

#[tokio::test]
async fn who_is_not_to_be_asked_is_not_asked() {
    let ours = Authority::new();
    for wanted in [Asking::Never, Asking::Auto] {
        let server = Server::start().await;
        let mut bench = Bench::start(asking(&server, &ours, wanted, "rfc9440")).await;
        let got = request(&bench, &server, device(&ours, Some(&ours)), "Client-Cert: :Zm9yZ2Vk:\r\n").await;
        assert_eq!(got, get(""));
        let opened = bench.connection().await;
        assert!(!opened.asked_client_certificate && opened.client_certificate.is_empty());
        bench.stop().await;
    }
}

/// A server whose TLS asks for certificates.
async fn curious(authority: &Authority) -> Server {
    let mut served = served(authority);
    served.config = served.handshake(&Sessions::default(), true);
    Server::start_tls(served).await
}

fn towards(server: &Server, ours: &Authority, theirs: &Authority, identity: Option<&Identity>) -> Settings {
    let mut settings = asking(server, ours, Asking::Auto, "rfc9440");
    let site = settings.default.as_mut().unwrap();
    site.upstream = format!("https://{NAME}").parse().unwrap();
    site.upstream_address = Some(server.address);
    let trust = trust(theirs);
    site.trust = Some(identity.map_or(trust.clone(), |identity| trust.with_identity(identity)));
    settings
}

#[tokio::test]
async fn once_the_server_asks_the_devices_are_asked_also_those_that_resume() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = curious(&theirs).await;
    let mut bench = Bench::start(towards(&server, &ours, &theirs, None)).await;
    let device = device(&ours, Some(&ours));
    let mut asked = Vec::new();
    for _ in 0..3 {
        // The same device each time: it resumes its session, if it may.
        request(&bench, &server, Arc::clone(&device), "").await;
        let opened = bench.connection().await;
        asked.push((opened.asked_client_certificate, opened.client_certificate.len()));
        let upstream = bench.exchange().await.upstream.unwrap();
        assert!(upstream.asked_client_certificate);
        bench.reason().await;
    }
    assert_eq!(asked, [(false, 0), (true, 2), (true, 2)]);
    bench.stop().await;
}

#[tokio::test]
async fn a_server_that_asks_is_shown_our_own_certificate() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let identity = theirs.identity("enrollscope");
    for (identity, shown) in [(Some(&identity), 2), (None, 0)] {
        let server = curious(&theirs).await;
        let bench = Bench::start(towards(&server, &ours, &theirs, identity)).await;
        let mut device = bench.connect_tls(device(&ours, None)).await.unwrap();
        device.write_all(get("").as_bytes()).await.unwrap();
        let mut upstream = server.accept_tls().await;
        let found = upstream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
        assert_eq!(found, shown);
        read_until(&mut upstream, "\r\n\r\n").await;
        upstream.write_all(OK).await.unwrap();
        read_until(&mut device, "ok").await;
        bench.stop().await;
    }
}

fn clock() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

/// What the rules say of the exchanges of a run: ids, once each.
async fn findings(bench: &mut Bench, exchanges: usize) -> (Vec<&'static str>, Exchange) {
    let mut engine = Engine::new(Rules::Field, Deadlines::default());
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    while seen.len() < exchanges {
        let event = match bench.next().await {
            Seen::Exchange(mut exchange) => {
                seen.push(*exchange.clone());
                exchange.seq = seen.len() as u64;
                Event::Exchange(Arc::from(exchange))
            }
            Seen::Connection(connection) => Event::Connection(Arc::from(connection)),
            Seen::End { .. } => continue,
        };
        let observation = engine.observe(event);
        found.extend(observation.findings.iter().map(|finding| finding.rule.id));
    }
    found.sort_unstable();
    found.dedup();
    (found, seen.pop().unwrap())
}

/// A device enrolls with the reference server through the proxy, and renews: what becomes of its certificate, and what
/// the rules say of that.
#[tokio::test]
async fn a_renewal_through_the_proxy_reaches_a_server_that_reads_the_header() {
    let ours = Authority::new();
    let key = Arc::clone(&Key::pool(1).unwrap()[0]);
    for tls in [false, true] {
        let (upstream, root) = reference(tls).await;
        let mut certificate = None;
        for (wanted, finding) in [
            // The enrollment itself: nothing to show.
            (Asking::Ask, None),
            (Asking::Ask, tls.then_some("TLS-012")),
            // Its first connection comes before the server is seen to ask.
            (Asking::Auto, tls.then_some("TLS-006")),
            (Asking::Never, tls.then_some("TLS-006")),
        ] {
            let mut settings = settings(upstream);
            (settings.listeners[0].secure, settings.served) = (true, Some(served(&ours)));
            let site = settings.default.as_mut().unwrap();
            site.client_certificates = wanted;
            if tls {
                site.upstream = format!("https://{NAME}").parse().unwrap();
                site.upstream_address = Some(upstream);
                site.trust =
                    Some(enrollscope::net::Trust::with_certificates(vec![root.clone()], false).unwrap());
            }
            let mut bench = Bench::start(settings).await;
            let renews = certificate.clone().map(|certificate| Holder { certificate, key: Arc::clone(&key) });
            let enrollment = go(&bench, &ours, &key, renews.clone()).await;
            let (found, last) = findings(&mut bench, enrollment.steps.len()).await;
            let told: Vec<_> = found.into_iter().filter(|id| ["TLS-006", "TLS-012"].contains(id)).collect();
            assert_eq!(told.first().copied(), finding, "{wanted:?} {tls}");
            let handed_on = last.changes.iter().any(|change| change.what == "client-certificate");
            assert_eq!(handed_on, renews.is_some() && wanted == Asking::Ask);
            assert_eq!(enrollment.succeeded(), renews.is_none() || handed_on, "{:#?}", enrollment.steps);
            certificate = certificate.or(enrollment.provision.map(|provision| provision.certificate));
            bench.stop().await;
        }
    }
}

/// The reference server, which renews with `Client-Cert` only, and its root.
async fn reference(tls: bool) -> (SocketAddr, CertificateDer<'static>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (from, key) = (clock().plus_millis(-86_400_000), Key::generate().unwrap());
    let authority = sim::Authority::new("Test Root", key, from).unwrap();
    let root = CertificateDer::from(authority.root().to_vec());
    let reads = sim::Settings { wants_client_cert: true, ..sim::Settings::new(&format!("https://{NAME}")) };
    let mut live = Live::new(sim::Server::new(reads, authority), clock, |_, _, _| {});
    if tls {
        live = live.with_tls(&[NAME.to_owned()], &Key::generate().unwrap()).unwrap();
    }
    tokio::spawn(serve(Arc::new(live), listener, std::future::pending()));
    (address, root)
}

async fn go(bench: &Bench, ours: &Authority, key: &Arc<Key>, renews: Option<Holder>) -> Enrollment {
    let address = Address::parse(&format!("https://{NAME}")).unwrap();
    let options = Options {
        connect: Some(bench.address),
        patience: Duration::from_secs(20),
        ..Options::new(address, Trust::Authorities(vec![ours.certificate()]), clock)
    };
    let device = Device::new(Profile::numbered(7, 1, "anna@contoso.example", "right"), Arc::clone(key));
    let proof = renews.map_or(Proof::Password, Proof::Renewal);
    enroll(&Device { proof, ..device }, &options, |_| {}).await.unwrap()
}
