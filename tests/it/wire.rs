//! A scripted server and devices on raw sockets, and a journal whose entries the test sees.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enrollscope::event::{Connection, ConnectionEvent, Delivery, Exchange, Reason};
use enrollscope::net::{Identity, Origin, Served, Trust, to_pem};
use enrollscope::proxy::{Limits, ListenerSettings, PlainHttp, Proxy, Settings, SiteSettings};
use enrollscope::sink::{Entry, Filed, Journal};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub const NAME: &str = "mdm.example";
/// Nothing in these tests takes so long unless it hangs.
const HANG: Duration = Duration::from_secs(20);

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
pub type Boxed = Box<dyn Stream>;

static AUTHORITIES: AtomicU64 = AtomicU64::new(1);

/// A small authority, and identities from it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two of the same name would be taken for one.
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("test authority {number}"));
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    pub fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Identity::new(vec![leaf.der().clone(), self.certificate()], private).unwrap()
    }

    /// The same as PEM files hold it: certificates and key.
    pub fn pem(&self, name: &str, until: Option<(i32, u8, u8)>) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        if let Some((year, month, day)) = until {
            params.not_after = rcgen::date_time_ymd(year, month, day);
        }
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let chain = to_pem("CERTIFICATE", leaf.der()) + &to_pem("CERTIFICATE", &self.certificate());
        (chain, to_pem("PRIVATE KEY", &key.serialize_der()))
    }

    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(config.unwrap().with_root_certificates(roots).with_no_client_auth())
    }
}

/// What the journal was given.
#[derive(Debug)]
pub enum Seen {
    Exchange(Box<Exchange>),
    Connection(Box<Connection>),
    End { delivery: Delivery, sent: u64 },
}

/// The proxy under test with plain listeners unless asked otherwise.
pub struct Bench {
    pub address: SocketAddr,
    /// Of all listeners.
    pub addresses: Vec<SocketAddr>,
    pub journal: Journal,
    seen: mpsc::UnboundedReceiver<Seen>,
    /// While false, exchanges are received and not answered.
    pub filing: Arc<AtomicBool>,
    kept: Arc<Mutex<Vec<oneshot::Sender<Filed>>>>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

pub fn limits() -> Limits {
    Limits {
        upstream_answer: Duration::from_secs(5),
        handshake: Duration::from_secs(5),
        stop: Duration::from_secs(2),
        ..Limits::default()
    }
}

pub fn settings(upstream: SocketAddr) -> Settings {
    Settings {
        listeners: vec![ListenerSettings { address: "127.0.0.1:0".parse().unwrap(), secure: false }],
        routes: Vec::new(),
        default: Some(site(upstream)),
        plain_http: PlainHttp::default(),
        limits: limits(),
        ..Settings::default()
    }
}

/// A site whose server speaks plain HTTP at this address.
pub fn site(upstream: SocketAddr) -> SiteSettings {
    let host = upstream.ip().to_string();
    SiteSettings::new(Origin { secure: false, host, port: upstream.port() }, None)
}

pub fn served(authority: &Authority) -> Served {
    Served::new(vec![authority.identity(NAME)], true).unwrap()
}

pub fn trust(authority: &Authority) -> Trust {
    Trust::with_certificates(vec![authority.certificate()], false).unwrap()
}

impl Bench {
    pub async fn start(settings: Settings) -> Self {
        let (journal, receiver) = Journal::new();
        let (sender, seen) = mpsc::unbounded_channel();
        let filing = Arc::new(AtomicBool::new(true));
        let answering = Arc::clone(&filing);
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeping = Arc::clone(&kept);
        std::thread::spawn(move || {
            for entry in receiver {
                let seen = match entry {
                    Entry::Gap { .. } => continue,
                    Entry::Exchange { exchange, filed } => {
                        if answering.load(Ordering::SeqCst) {
                            let _ = filed.send(Filed::Written);
                        } else {
                            keeping.lock().unwrap().push(filed);
                        }
                        Seen::Exchange(exchange)
                    }
                    Entry::Connection(connection) => Seen::Connection(connection),
                    Entry::End { delivery, sent, .. } => Seen::End { delivery, sent },
                };
                let _ = sender.send(seen);
            }
        });
        let proxy = Proxy::bind(settings, journal.clone()).await.unwrap();
        let urls = proxy.addresses();
        let addresses: Vec<SocketAddr> =
            urls.iter().map(|url| url.split_once("://").unwrap().1.parse().unwrap()).collect();
        let address = addresses[0];
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(proxy.run(stopped));
        Self { address, addresses, journal, seen, filing, kept, stop, running }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub async fn connect_tls(&self, config: Arc<ClientConfig>) -> std::io::Result<Boxed> {
        Ok(Box::new(self.connect_as(NAME, config).await?))
    }

    /// TLS with another name.
    pub async fn connect_as(
        &self,
        name: &'static str,
        config: Arc<ClientConfig>,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(name).unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        connector.connect(name, self.connect().await).await
    }

    /// Everything that was kept back is on file now.
    pub fn release(&self) {
        for filed in self.kept.lock().unwrap().drain(..) {
            let _ = filed.send(Filed::Written);
        }
    }

    pub async fn next(&mut self) -> Seen {
        tokio::time::timeout(HANG, self.seen.recv()).await.expect("an entry in time").expect("a journal")
    }

    pub async fn exchange(&mut self) -> Exchange {
        loop {
            if let Seen::Exchange(exchange) = self.next().await {
                return *exchange;
            }
        }
    }

    pub async fn end(&mut self) -> (Delivery, u64) {
        loop {
            if let Seen::End { delivery, sent } = self.next().await {
                return (delivery, sent);
            }
        }
    }

    pub async fn connection(&mut self) -> Connection {
        loop {
            if let Seen::Connection(connection) = self.next().await {
                return *connection;
            }
        }
    }

    /// The next connection event that is no opening.
    pub async fn reason(&mut self) -> (Connection, Reason) {
        loop {
            match self.next().await {
                Seen::Connection(c) if c.event != ConnectionEvent::Opened => {
                    let reason = c.reason.clone().expect("a reason");
                    return (*c, reason);
                }
                _ => {}
            }
        }
    }

    /// Why the next connection ends once the proxy is told to stop.
    pub async fn stop_and_reason(mut self) -> Reason {
        self.stop.send(true).unwrap();
        self.reason().await.1
    }

    pub async fn stop(self) {
        self.stop.send(true).unwrap();
        tokio::time::timeout(HANG, self.running).await.expect("an end in time").unwrap();
    }
}

/// A server that the test plays itself.
pub struct Server {
    listener: TcpListener,
    pub address: SocketAddr,
    tls: Option<Served>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address, tls: None }
    }

    pub async fn start_tls(served: Served) -> Self {
        Self { tls: Some(served), ..Self::start().await }
    }

    pub async fn accept(&self) -> Boxed {
        let (stream, _) = tokio::time::timeout(HANG, self.listener.accept()).await.unwrap().unwrap();
        match &self.tls {
            None => Box::new(stream),
            Some(served) => {
                let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&served.config));
                Box::new(acceptor.accept(stream).await.unwrap())
            }
        }
    }

    /// The same with its facts; the server speaks TLS.
    pub async fn accept_tls(&self) -> tokio_rustls::server::TlsStream<TcpStream> {
        let (stream, _) = tokio::time::timeout(HANG, self.listener.accept()).await.unwrap().unwrap();
        let config = Arc::clone(&self.tls.as_ref().unwrap().config);
        tokio_rustls::TlsAcceptor::from(config).accept(stream).await.unwrap()
    }

    /// The next connection whose handshake comes about; it may take its time.
    pub async fn try_accept(&self) -> Option<Boxed> {
        let (stream, _) = self.listener.accept().await.ok()?;
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&self.tls.as_ref()?.config));
        Some(Box::new(acceptor.accept(stream).await.ok()?))
    }

    /// Handshakes go otherwise from now on.
    pub fn set_config(&mut self, config: Arc<rustls::ServerConfig>) {
        self.tls.as_mut().unwrap().config = config;
    }

    /// Expects a device that breaks the handshake off.
    pub async fn refuse(&self) {
        let (stream, _) = self.listener.accept().await.unwrap();
        let config = Arc::clone(&self.tls.as_ref().unwrap().config);
        assert!(tokio_rustls::TlsAcceptor::from(config).accept(stream).await.is_err());
    }

    /// Accepts one connection, reads until `until`, answers; yields what was read, and the connection.
    pub async fn serve_once(&self, until: &str, answer: &[u8]) -> (Vec<u8>, Boxed) {
        let mut stream = self.accept().await;
        let got = read_until(&mut stream, until).await;
        stream.write_all(answer).await.unwrap();
        (got, stream)
    }
}

/// What must come about, in time.
pub async fn within<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(HANG, what).await.expect("in time")
}

pub async fn read_until<S: AsyncRead + Unpin>(stream: &mut S, until: &str) -> Vec<u8> {
    let mut got = Vec::new();
    while !got.ends_with(until.as_bytes()) {
        let read = tokio::time::timeout(HANG, stream.read_buf(&mut got)).await;
        let count = read.unwrap_or_else(|_| panic!("hangs after {:?}", String::from_utf8_lossy(&got)));
        let ended = format!("closed after {:?}", String::from_utf8_lossy(&got));
        assert_ne!(count.expect("a readable stream"), 0, "{ended}");
    }
    got
}

/// Everything until the close; a reset counts as one.
pub async fn read_all<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut got = Vec::new();
    loop {
        match tokio::time::timeout(HANG, stream.read_buf(&mut got)).await.expect("an end in time") {
            Ok(0) | Err(_) => return got,
            Ok(_) => {}
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
