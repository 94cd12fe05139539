//! What the proxy costs beside a bare hop: both between the same load and the same server, in turns; see perf/README.md.
//!
//! `perf [ROUNDS] [EXCHANGES]` measures; `perf soak [EXCHANGES]` watches memory and descriptors over a long run;
//! `perf server|bare …` are the parts that it starts of itself.
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
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use enrollscope::event::{Event, Time};
use enrollscope::net::load_identity;
use enrollscope::sim::{Authority, Key, golden, pem};
use http_body_util::Full;
use hyper::body::Incoming;
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

/// One run of one target.
struct Cost {
    /// Microseconds of CPU time per exchange.
    cpu: f64,
    /// Microseconds from a request's first byte to its answer's last: the median.
    latency: f64,
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

    let names =
        ["straight to the server", "bare hop", "enrollscope --no-capture", "enrollscope with capture"];
    let mut costs: [Vec<Cost>; 4] = Default::default();
    for round in 0..rounds {
        for (at, name) in names.iter().enumerate() {
            let target = match at {
                0 => None,
                1 => Some(Target::start(Command::new(&itself).arg("bare").arg(&dir).arg(&port))),
                _ => Some(Target::start(&mut proxy(&dir, &port, at == 3, round))),
            };
            let (pid, address) =
                target.as_ref().map_or((server.pid(), server.port), |target| (target.pid(), target.port));
            let load = |count| runtime.block_on(load(address, count, &messages, &client));
            load(WARM_UP);
            let before = settled_cpu(pid);
            let mut latencies = load(count);
            let cpu = (settled_cpu(pid) - before) / latencies.len() as f64;
            latencies.sort_by(f64::total_cmp);
            let latency = latencies[latencies.len() / 2];
            println!("round {} {name}: {cpu:.1} µs CPU, {latency:.0} µs median latency", round + 1);
            costs[at].push(Cost { cpu, latency });
        }
    }
    println!(
        "\n| {rounds} rounds of {count} exchanges | CPU µs per exchange | × bare hop | latency p50 µs | × bare hop |"
    );
    println!("|---|---|---|---|---|");
    for (name, cost) in names.iter().zip(&costs) {
        // Ratios within a round: what else this machine does then meets both.
        let ratio =
            |of: fn(&Cost) -> f64| median(cost.iter().zip(&costs[1]).map(|(c, bare)| of(c) / of(bare)));
        println!(
            "| {name} | {:.0} | {:.2} | {:.0} | {:.2} |",
            median(cost.iter().map(|c| c.cpu)),
            ratio(|c| c.cpu),
            median(cost.iter().map(|c| c.latency)),
            ratio(|c| c.latency)
        );
    }
    let recorded = std::fs::read(dir.join("0.jsonl")).unwrap();
    let recorded = String::from_utf8_lossy(&recorded).matches("{\"kind\":\"exchange\"").count();
    assert_eq!(recorded, count / DEVICES * DEVICES + WARM_UP / DEVICES * DEVICES, "everything is on file");
    std::fs::remove_dir_all(&dir).unwrap();
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
        let done = runtime.block_on(load(target.port, count / 10, &messages, &client)).len();
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

/// Every device sends its share over one connection, and compares every body; the latencies in microseconds.
async fn load(port: u16, count: usize, messages: &Arc<Vec<Message>>, client: &TlsConnector) -> Vec<f64> {
    let device = |messages: Arc<Vec<Message>>, client: TlsConnector| async move {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut stream = client.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        let mut buffer = Vec::with_capacity(1 << 16);
        let mut latencies = Vec::new();
        for message in messages.iter().cycle().take(count / DEVICES) {
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
        (0..DEVICES).map(|_| tokio::spawn(device(Arc::clone(messages), client.clone()))).collect();
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
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (acceptor, client) = (acceptor.clone(), client.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(tcp).await else { return };
            let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let there = client.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
            let (sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(there)).await.unwrap();
            tokio::spawn(connection);
            let sender = tokio::sync::Mutex::new(sender);
            let pass = service_fn(|request: Request<Incoming>| async {
                sender.lock().await.send_request(request).await
            });
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await;
        });
    }
}
