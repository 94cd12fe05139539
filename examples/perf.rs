//! What the proxy costs beside a bare hop: both between the same load and the same server, in turns; see perf/README.md.
//!
//! `perf [ROUNDS] [EXCHANGES]` measures, nginx too where it is installed; `perf soak [EXCHANGES]` watches memory and
//! descriptors over a long run; `perf server|bare …` are the parts that it starts of itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a measuring tool: whatever goes wrong ends it"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use enrollscope::event::{Event, Time};
use enrollscope::net::load_identity;
use enrollscope::sim::{Authority, Key, golden, pem};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const DEVICES: usize = 4;
const WARM_UP: usize = 300;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match words.first().map(String::as_str) {
        Some("server") => runtime.block_on(server(Path::new(&words[1]))),
        Some("bare") => runtime.block_on(bare(Path::new(&words[1]), &words[2])),
        Some("soak") => soak(&runtime, words.get(1).map_or(1_000_000, |word| word.parse().unwrap())),
        _ => {
            let number = |at: usize, or: usize| words.get(at).map_or(or, |word| word.parse().unwrap());
            measure(&runtime, number(0, 7), number(1, 6_000));
        }
    }
}

// The measurement.

/// What stands between the devices and the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hop {
    Nothing,
    Bare,
    Nginx,
    Enrollscope { capture: bool },
}

impl Hop {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "straight to the server",
            Self::Bare => "bare hop",
            Self::Nginx => "nginx",
            Self::Enrollscope { capture: false } => "enrollscope --no-capture",
            Self::Enrollscope { capture: true } => "enrollscope with capture",
        }
    }
}

/// One run of one hop.
struct Cost {
    /// Milliseconds from the start of its process to the first answer.
    first: f64,
    /// Microseconds of CPU time per exchange, on connections that are kept.
    kept: f64,
    /// The same with a connection, and its handshake, for each.
    fresh: f64,
    /// Microseconds from a request's first byte to its answer's last: the median with all devices, and with one.
    busy: f64,
    alone: f64,
}

fn measure(runtime: &tokio::runtime::Runtime, rounds: usize, count: usize) {
    let dir = std::env::temp_dir().join(format!("enrollscope-perf-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    identity(&dir);
    let itself = std::env::current_exe().unwrap();
    let server = Target::start(Command::new(&itself).arg("server").arg(&dir));
    let port = server.port.to_string();
    let messages = Arc::new(messages());
    let client = client(&dir);

    let mut hops = vec![Hop::Nothing, Hop::Bare];
    if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok() {
        hops.push(Hop::Nginx);
    } else {
        println!("nginx is not installed: its row is left out");
    }
    hops.extend([false, true].map(|capture| Hop::Enrollscope { capture }));
    let mut costs: Vec<Vec<Cost>> = hops.iter().map(|_| Vec::new()).collect();
    let mut sent = 0;
    for round in 0..rounds {
        for (hop, costs) in hops.iter().zip(&mut costs) {
            let began = Instant::now();
            let target = match hop {
                Hop::Nothing => None,
                Hop::Bare => Some(Target::start(Command::new(&itself).arg("bare").arg(&dir).arg(&port))),
                Hop::Nginx => Some(Target::nginx(&dir, &port)),
                Hop::Enrollscope { capture } => Some(Target::start(&mut proxy(&dir, &port, *capture, round))),
            };
            let (pid, address) =
                target.as_ref().map_or((server.pid(), server.port), |target| (target.pid(), target.port));
            let mut exchanges = 0;
            let mut load = |count, devices, fresh| {
                let mut latencies =
                    runtime.block_on(load(address, count, (devices, fresh), &messages, &client));
                exchanges += latencies.len();
                latencies.sort_by(f64::total_cmp);
                (latencies.len() as f64, latencies[latencies.len() / 2])
            };
            load(1, 1, false);
            let first = began.elapsed().as_secs_f64() * 1e3;
            load(WARM_UP, DEVICES, false);
            let before = settled_cpu(pid);
            let (done, busy) = load(count, DEVICES, false);
            let between = settled_cpu(pid);
            let (done_fresh, _) = load(count / 4, DEVICES, true);
            let (kept, fresh) = ((between - before) / done, (settled_cpu(pid) - between) / done_fresh);
            let (_, alone) = load(count / 4, 1, false);
            println!(
                "round {} {}: {kept:.1} µs CPU, {fresh:.1} µs with new connections, {busy:.0} µs median latency",
                round + 1,
                hop.name()
            );
            costs.push(Cost { first, kept, fresh, busy, alone });
            if round == 0 && *hop == (Hop::Enrollscope { capture: true }) {
                sent = exchanges;
            }
        }
    }
    report(&hops, &costs, &format!("{rounds} rounds of {count} exchanges"));
    let recorded = std::fs::read(dir.join("0.jsonl")).unwrap();
    let recorded = String::from_utf8_lossy(&recorded).matches("{\"kind\":\"exchange\"").count();
    assert_eq!(recorded, sent, "everything is on file");
    std::fs::remove_dir_all(&dir).unwrap();
}

fn report(hops: &[Hop], costs: &[Vec<Cost>], what: &str) {
    let nginx = hops.iter().position(|hop| *hop == Hop::Nginx);
    println!(
        "\n| {what} | CPU µs, kept | × bare | × nginx | CPU µs, new | × bare | × nginx | p50 µs, 4 devices | \
         p50 µs added, 1 device | first answer ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (hop, cost) in hops.iter().zip(costs) {
        // Ratios and differences within a round: what else this machine does then meets both.
        let ratio = |of: fn(&Cost) -> f64, to: Option<usize>| {
            to.map_or("".to_owned(), |to| {
                format!("{:.2}", median(cost.iter().zip(&costs[to]).map(|(c, other)| of(c) / of(other))))
            })
        };
        let of = |of: fn(&Cost) -> f64| median(cost.iter().map(of));
        println!(
            "| {} | {:.0} | {} | {} | {:.0} | {} | {} | {:.0} | {:.0} | {:.0} |",
            hop.name(),
            of(|c| c.kept),
            ratio(|c| c.kept, Some(1)),
            ratio(|c| c.kept, nginx),
            of(|c| c.fresh),
            ratio(|c| c.fresh, Some(1)),
            ratio(|c| c.fresh, nginx),
            of(|c| c.busy),
            median(cost.iter().zip(&costs[0]).map(|(c, straight)| c.alone - straight.alone)),
            of(|c| c.first),
        );
    }
}

/// Ten equal parts of a long run with a capture: memory must be at its end what it was after the first.
fn soak(runtime: &tokio::runtime::Runtime, count: usize) {
    let dir = std::env::temp_dir().join(format!("enrollscope-soak-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    identity(&dir);
    let server = Target::start(Command::new(std::env::current_exe().unwrap()).arg("server").arg(&dir));
    let (messages, client) = (Arc::new(messages()), client(&dir));
    let target = Target::start(&mut proxy(&dir, &server.port.to_string(), true, 0));
    let mut first = 0;
    for part in 1..=10 {
        let done =
            runtime.block_on(load(target.port, count / 10, (DEVICES, false), &messages, &client)).len();
        settled_cpu(target.pid());
        let (memory, descriptors) = (resident(target.pid()), descriptors(target.pid()));
        println!("{:>9} exchanges: {memory} KiB resident, {descriptors} descriptors", part * done);
        if part == 1 {
            first = memory;
        }
        assert!(part < 10 || memory <= first * 11 / 10, "memory has grown");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// KiB of memory that are in use.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A child that tells its port in a line `listening https://…:PORT` on stderr.
struct Target {
    child: Child,
    port: u16,
}

impl Target {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find(|line| line.starts_with("listening ")).expect("it listens");
        // Whatever else it says must not make it wait.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port: url.rsplit(':').next().unwrap().parse().unwrap() }
    }

    /// nginx as a reverse proxy of one process, which keeps its connections to the server as we do.
    fn nginx(dir: &Path, upstream: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log nginx.log;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; keepalive_requests 1000000; client_body_temp_path body; proxy_temp_path proxy;
                fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                upstream server {{ server localhost:{upstream}; keepalive 16; keepalive_requests 1000000; }}
                server {{
                    listen 127.0.0.1:{port} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
                    ssl_protocols TLSv1.3;
                    location / {{
                        proxy_pass https://server; proxy_http_version 1.1; proxy_set_header Connection '';
                        proxy_set_header Host $host; proxy_ssl_protocols TLSv1.3;
                    }}
                }}
            }}"
        );
        std::fs::write(dir.join("nginx.conf"), text).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(dir).args(["-c", "nginx.conf", "-e", "nginx.log"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut target = Self { child, port };
        // It says nothing when it listens.
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = target.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "nginx does not start: {}",
                std::fs::read_to_string(dir.join("nginx.log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        target
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn proxy(dir: &Path, port: &str, capture: bool, round: usize) -> Command {
    // Beside this example's folder.
    let binary = std::env::current_exe().unwrap().parent().unwrap().with_file_name("enrollscope");
    let mut command = Command::new(std::env::var_os("ENROLLSCOPE_BIN").map_or(binary, PathBuf::from));
    let upstream = format!("https://localhost:{port}");
    command.current_dir(dir).env("XDG_STATE_HOME", dir);
    command.args(["proxy", "--headless", "--listen", "127.0.0.1:0", "--tls-cert", "cert.pem"]);
    command.args(["--tls-key", "key.pem", "--upstream-ca", "ca.pem", "--upstream", &upstream]);
    if capture {
        command.arg("--capture").arg(format!("{round}.jsonl"))
    } else {
        command.arg("--no-capture")
    };
    command
}

/// Microseconds of CPU time, once they have stopped growing: judging may go on after the last answer.
fn settled_cpu(pid: u32) -> f64 {
    let mut last = cpu(pid);
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = cpu(pid);
        if now - last < 3_000.0 {
            return now;
        }
        last = now;
    }
}

/// Of all its threads; the kernel counts them in nanoseconds here, and in hundredths of a second in `stat`.
fn cpu(pid: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let spent = |thread: std::fs::DirEntry| {
        let counts = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        counts.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default()
    };
    threads.map(|thread| spent(thread.unwrap())).sum::<f64>() / 1000.0
}

// What is sent, and to whom.

struct Message {
    request: Vec<u8>,
    answer: Bytes,
}

/// Discovery, policy and token request of the golden enrollment, with their answers.
fn messages() -> Vec<Message> {
    let events = golden::on_premise(golden::SEED);
    let exchanges = events.iter().filter_map(|event| match event {
        Event::Exchange(exchange) if (2..=4).contains(&exchange.seq) => Some(exchange),
        _ => None,
    });
    let message = |request: &enrollscope::event::Request| {
        let head: String = request.headers.iter().map(|h| format!("{}: {}\r\n", h.name, h.text())).collect();
        let head = format!("{} {} HTTP/1.1\r\n{head}\r\n", request.method, request.target);
        [head.as_bytes(), &request.body.bytes].concat()
    };
    exchanges
        .map(|e| Message {
            request: message(&e.request),
            answer: e.response.as_ref().unwrap().body.bytes.clone(),
        })
        .collect()
}

/// An authority and a certificate for localhost, as files.
fn identity(dir: &Path) {
    let golden = |name: &str| {
        let path = format!("{}/captures/golden/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let now = Time(jiff::Timestamp::now().as_millisecond());
    let root = Key::from_pem(&golden("root")).unwrap();
    let authority = Authority::new("Measuring Root", root, now.plus_millis(-86_400_000)).unwrap();
    let key = Key::from_pem(&golden("server")).unwrap();
    let leaf = authority.server_certificate(&["localhost".to_owned()], &key, now).unwrap();
    let chain: String = authority.chain(&leaf).iter().map(|der| pem(der)).collect();
    std::fs::write(dir.join("cert.pem"), chain).unwrap();
    std::fs::write(dir.join("key.pem"), golden("server")).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.root_pem()).unwrap();
}

fn client(dir: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let ca = enrollscope::net::load_certificates(&dir.join("ca.pem")).unwrap();
    ca.into_iter().for_each(|ca: CertificateDer<'static>| roots.add(ca).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn acceptor(dir: &Path) -> TlsAcceptor {
    let identity = load_identity(&dir.join("cert.pem"), &dir.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity.certified)));
    TlsAcceptor::from(Arc::new(config))
}

/// Every device sends its share, over one connection or a `fresh` one for each, and compares every body; the latencies
/// in microseconds.
async fn load(
    port: u16,
    count: usize,
    (devices, fresh): (usize, bool),
    messages: &Arc<Vec<Message>>,
    client: &TlsConnector,
) -> Vec<f64> {
    let connect = move |client: TlsConnector| async move {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        client.connect("localhost".try_into().unwrap(), tcp).await.unwrap()
    };
    let device = |messages: Arc<Vec<Message>>, client: TlsConnector| async move {
        let mut stream = connect(client.clone()).await;
        let mut buffer = Vec::with_capacity(1 << 16);
        let mut latencies = Vec::new();
        for (at, message) in messages.iter().cycle().take(count / devices).enumerate() {
            if fresh && at > 0 {
                stream = connect(client.clone()).await;
            }
            let began = Instant::now();
            stream.write_all(&message.request).await.unwrap();
            stream.flush().await.unwrap();
            buffer.clear();
            let body = loop {
                assert_ne!(stream.read_buf(&mut buffer).await.unwrap(), 0, "closed");
                let end = buffer.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
                if let Some(end) = end.filter(|end| buffer.len() >= end + message.answer.len()) {
                    break &buffer[end..];
                }
            };
            latencies.push(began.elapsed().as_secs_f64() * 1e6);
            assert_eq!(body, &message.answer[..], "another answer than the server's");
        }
        latencies
    };
    let running: Vec<_> =
        (0..devices).map(|_| tokio::spawn(device(Arc::clone(messages), client.clone()))).collect();
    let mut all = Vec::new();
    for device in running {
        all.extend(device.await.unwrap());
    }
    all
}

// The server, and the hop that does nothing but pass on.

async fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    #[expect(clippy::print_stderr, reason = "how it tells its port")]
    {
        eprintln!("listening https://{}", listener.local_addr().unwrap());
    }
    listener
}

async fn server(dir: &Path) {
    let (listener, acceptor) = (listen().await, acceptor(dir));
    let messages = Arc::new(messages());
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (acceptor, messages) = (acceptor.clone(), Arc::clone(&messages));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(tcp).await else { return };
            let answer = service_fn(|request: Request<Incoming>| {
                let messages = Arc::clone(&messages);
                async move {
                    use http_body_util::BodyExt as _;
                    let body = request.into_body().collect().await?.to_bytes();
                    let message =
                        messages.iter().find(|m| m.request.ends_with(&body)).expect("a known request");
                    let response =
                        Response::builder().header("Content-Type", "application/soap+xml; charset=utf-8");
                    Ok::<_, hyper::Error>(response.body(Full::new(message.answer.clone())).unwrap())
                }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn bare(dir: &Path, port: &str) {
    let (listener, acceptor, client) = (listen().await, acceptor(dir), client(dir));
    let port: u16 = port.parse().unwrap();
    // Connections to the server outlive those of devices, as ours do.
    let idle = Arc::new(Mutex::new(Vec::<SendRequest<Incoming>>::new()));
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (acceptor, client, idle) = (acceptor.clone(), client.clone(), Arc::clone(&idle));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(tcp).await else { return };
            let pass = service_fn(|request: Request<Incoming>| async {
                let free = idle.lock().unwrap().pop();
                let mut sender = match free {
                    Some(sender) => sender,
                    None => reach(port, &client).await,
                };
                sender.ready().await?;
                let answer = sender.send_request(request).await;
                idle.lock().unwrap().push(sender);
                answer
            });
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await;
        });
    }
}

async fn reach(port: u16, client: &TlsConnector) -> SendRequest<Incoming> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let there = client.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(there)).await.unwrap();
    tokio::spawn(connection);
    sender
}
