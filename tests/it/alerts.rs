//! Alerts: what is told of what was observed, and that it gets to whoever is to hear it, without holding up traffic.

use std::sync::Arc;

use enrollscope::alert::{Alert, FailureRate, Lasting, Settings, Watch};
use enrollscope::capture::Recording;
use enrollscope::diagnosis::read_expected;
use enrollscope::engine::{Engine, Observation};
use enrollscope::enrollment::{Deadlines, Enrollment, EnrollmentId, Outcome};
use enrollscope::event::{Event, Exchange, Time, Upstream};
use enrollscope::net::Served;
use enrollscope::rules::{Golden, Profile};
use enrollscope::sim::golden;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::binary::Place;
#[cfg(unix)]
use crate::binary::Running;
use crate::wire;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// A day in 2027.
const BEGIN: i64 = 1_800_000_000_000;

fn at(minute: i64) -> Time {
    Time(BEGIN + minute * MINUTE)
}

/// Something that changed nothing.
fn seen(event: Event) -> Observation {
    let nothing = Engine::new(Profile::Field, Deadlines::default()).observe(Event::Tick(Time(0)));
    Observation { event, ..nothing }
}

fn tick(minute: i64) -> Observation {
    seen(Event::Tick(at(minute)))
}

/// How the enrollment of a golden ended.
fn ended(golden: Golden) -> Enrollment {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    golden::of(golden).into_iter().for_each(|event| drop(engine.observe(event)));
    engine.enrollments().next().unwrap().clone()
}

/// One more enrollment that came to such an end.
fn end(golden: Golden, id: u64, minute: i64) -> Observation {
    let mut enrollment = ended(golden);
    enrollment.id = EnrollmentId(id);
    Observation { changed: vec![enrollment], ..tick(minute) }
}

fn failures(percent: u64, least: u64, minutes: i64) -> Settings {
    let rate = FailureRate { percent, least, window: minutes * MINUTE };
    Settings { failures: Some(rate), ..Settings::default() }
}

/// `raised failure-rate: title`, …
fn told(alerts: &[Alert]) -> Vec<String> {
    let told = |a: &Alert| format!("{} {}: {}", a.state.word(), a.kind.word(), a.title);
    alerts.iter().map(told).collect()
}

fn of_kind(alerts: Vec<Alert>, kind: &str) -> Vec<Alert> {
    alerts.into_iter().filter(|alert| alert.kind.word() == kind).collect()
}

#[test]
fn too_many_failures_are_told_and_that_they_are_over() {
    let mut watch = Watch::new(failures(50, 4, 30));
    let mut rate = |golden, id, minute| of_kind(watch.see(&end(golden, id, minute)), "failure-rate");
    assert!(rate(Golden::Refused, 1, 0).is_empty());
    assert!(rate(Golden::Refused, 2, 1).is_empty());
    // The same once more is the same.
    assert!(rate(Golden::Refused, 2, 2).is_empty());
    assert!(rate(Golden::OnPremise, 3, 2).is_empty());
    let alerts = rate(Golden::OnPremise, 4, 3);
    assert_eq!(told(&alerts), ["raised failure-rate: 2 of 4 enrollments failed or are stuck"]);
    let alert = &alerts[0];
    assert!(
        alert.text.starts_with(
            "Within 30 min 4 enrollments ended: 2 enrolled, 2 failed, 0 got stuck. Most often (2): "
        ),
        "{}",
        alert.text
    );
    assert_eq!(alert.about.counts, [("enrolled", 2), ("failed", 2), ("stalled", 0)]);
    assert_eq!(alert.about.enrollments, [EnrollmentId(2), EnrollmentId(1)]);
    assert!(rate(Golden::Refused, 5, 4).is_empty());
    // Who failed and goes on has not ended; who enrolls after all has.
    let alerts: Vec<_> = (1..=2).flat_map(|id| rate(Golden::OnPremise, id, 5)).collect();
    assert_eq!(told(&alerts), ["over failure-rate: Enrollments go well again"]);
}

#[test]
fn failures_outside_the_window_do_not_count() {
    let mut watch = Watch::new(failures(50, 2, 30));
    let mut see = |seen: &Observation| told(&of_kind(watch.see(seen), "failure-rate"));
    assert!(see(&end(Golden::Refused, 1, 0)).is_empty());
    assert!(see(&end(Golden::Refused, 2, 30)).is_empty());
    assert_eq!(
        see(&end(Golden::Refused, 3, 31)),
        ["raised failure-rate: 2 of 2 enrollments failed or are stuck"]
    );
    assert!(see(&tick(60)).is_empty());
    assert_eq!(see(&tick(61)), ["over failure-rate: No more failures"]);

    // Merged rows count once, and off is off.
    let mut watch = Watch::new(failures(50, 2, 30));
    let merged = Observation { gone: vec![(EnrollmentId(1), EnrollmentId(2))], ..end(Golden::Refused, 2, 1) };
    watch.see(&end(Golden::Refused, 1, 0));
    assert!(of_kind(watch.see(&merged), "failure-rate").is_empty());
    let mut watch = Watch::new(Settings::default());
    let all = (1..99).flat_map(|id| watch.see(&end(Golden::Refused, id, 1)));
    assert!(of_kind(all.collect(), "failure-rate").is_empty());
}

#[test]
fn a_cause_is_told_when_it_is_seen_first() {
    let mut watch = Watch::new(Settings::default());
    let mut see = |golden, id| watch.see(&end(golden, id, 0));
    assert!(see(Golden::OnPremise, 1).is_empty());
    let alerts = see(Golden::Refused, 2);
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    assert!(alert.title.starts_with("New cause of trouble: "), "{}", alert.title);
    assert!(alert.text.contains(" (e2): ") && alert.text.contains("What helps: "), "{}", alert.text);
    let about = &alert.about;
    assert_eq!((about.cause.as_deref(), about.enrollments.len()), (Some(alert.key.as_str()), 1));
    assert!(about.owner.is_some() && about.hresult.is_some() && about.user.is_some() && about.site.is_some());
    assert!(see(Golden::Refused, 3).is_empty());
}

#[test]
fn devices_that_are_overdue_are_told_once() {
    let who = ended(Golden::OnPremise).device_name.unwrap();
    let expected = read_expected(&format!("device name\n{who}\nPC-2\nPC-3\n")).unwrap();
    let settings =
        || Settings { expected: expected.clone(), overdue: Some(60 * MINUTE), ..Settings::default() };
    let mut watch = Watch::new(settings());
    assert!(watch.see(&end(Golden::OnPremise, 1, 0)).is_empty());
    assert!(watch.see(&tick(59)).is_empty());
    let alerts = watch.see(&tick(60));
    assert_eq!(told(&alerts), ["once overdue: 2 of 3 expected devices not enrolled in time"]);
    assert_eq!(alerts[0].text, "60 min after the start 1 of them have. 2 not seen: PC-2, PC-3.");
    assert!(watch.see(&tick(600)).is_empty());

    let mut watch = Watch::new(Settings { overdue: None, ..settings() });
    assert!(watch.see(&tick(0)).is_empty() && watch.see(&tick(6000)).is_empty());
    let one = Settings { expected: expected[..1].to_vec(), ..settings() };
    let mut watch = Watch::new(one);
    watch.see(&end(Golden::OnPremise, 1, 0));
    assert!(watch.see(&tick(60)).is_empty());
}

#[test]
fn certificates_are_told_of_once_for_each_stage() {
    let mut watch = Watch::new(Settings::default());
    let lasting = |days: i64| Lasting {
        name: "cert.pem".to_owned(),
        expires: Time(BEGIN + days * DAY),
        soon: 14 * DAY,
    };
    let mut look = |minute, days| {
        watch.see(&tick(minute));
        told(&watch.look(&Recording::default(), &[lasting(days)]))
    };
    assert!(look(0, 14).is_empty());
    let soon = ["once certificate: The certificate cert.pem for devices expires in 13 days"];
    assert_eq!(look(1, 14), soon);
    assert!(look(2, 14).is_empty());
    assert!(look(3, 365).is_empty(), "it was renewed");
    let minutes = |days: i64| days * 24 * 60;
    assert!(look(minutes(300), 365).is_empty());
    assert_eq!(
        look(minutes(363), 365),
        ["once certificate: The certificate cert.pem for devices expires in 2 days"]
    );
    let expired = "once certificate: The certificate cert.pem for devices has expired on ";
    let now = look(minutes(365), 365);
    assert!(now.len() == 1 && now[0].starts_with(expired), "{now:?}");
    assert!(look(minutes(366), 365).is_empty());
}

#[test]
fn the_servers_chain_is_looked_at_as_it_is_shown() {
    let authority = wire::Authority::new();
    let until = |year| authority.pem("mdm.example", Some((year, 6, 1))).0;
    let der = |pem: &str| {
        let pem = pem.as_bytes();
        use rustls::pki_types::pem::PemObject as _;
        rustls::pki_types::CertificateDer::from_pem_slice(pem).unwrap().to_vec()
    };
    let (short, long) = (der(&until(2031)), der(&until(2033)));
    let day = Time::parse("2031-05-25T00:00:00Z").unwrap();
    let exchange = |chain: Vec<&Vec<u8>>, at: Time, reused, verified| {
        let upstream = Upstream {
            origin: "https://mdm.example:443".to_owned(),
            chain: chain.into_iter().map(|der| der.clone().into()).collect(),
            reused,
            verified,
            ..Upstream::default()
        };
        let mut exchange = Exchange { upstream: Some(upstream), ..Exchange::default() };
        exchange.request.at = at;
        seen(Event::Exchange(Arc::new(exchange)))
    };
    let mut watch = Watch::new(Settings::default());
    assert!(watch.see(&exchange(vec![&long], day, false, true)).is_empty());
    assert!(watch.see(&exchange(vec![&short], day, true, true)).is_empty(), "known already");
    let alerts = watch.see(&exchange(vec![&short], day, false, true));
    assert_eq!(told(&alerts).len(), 1);
    assert!(alerts[0].title.contains("expires in 7 days"), "{}", alerts[0].title);
    assert_eq!(alerts[0].about.site.as_deref(), Some("https://mdm.example:443"));
    assert!(watch.see(&exchange(vec![&short], day, false, true)).is_empty());
    // An expired one that is sent along harms nobody while the chain holds.
    let later = day.plus_millis(30 * DAY);
    assert!(watch.see(&exchange(vec![&long, &short], later, false, true)).is_empty());
    let alerts = watch.see(&exchange(vec![&long, &short], later, false, false));
    assert!(alerts.len() == 1 && alerts[0].title.contains("has expired on 2031-06-01"), "{alerts:?}");
    // What is no certificate is none.
    assert!(watch.see(&exchange(vec![&vec![1, 2, 3]], later, false, true)).is_empty());
}

#[test]
fn stuck_enrollments_count_as_failures() {
    let mut watch = Watch::new(failures(100, 1, 30));
    let mut stuck = ended(Golden::OnPremise);
    stuck.outcome = Outcome::Stalled;
    let alerts = watch.see(&Observation { changed: vec![stuck], ..tick(0) });
    let rate = of_kind(alerts, "failure-rate");
    assert_eq!(told(&rate), ["raised failure-rate: 1 of 1 enrollments failed or are stuck"]);
}

#[cfg(unix)]
const DISCOVER: &str = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><Discover \
    xmlns=\"http://schemas.microsoft.com/windows/management/2012/01/enrollment\"><request>\
    <EmailAddress>&lt;!channel&gt;anna@contoso.example</EmailAddress></request></Discover></s:Body></s:Envelope>";

/// A device asks, and the server has but a 503 for it.
#[cfg(unix)]
async fn fail(running: &Running, server: &wire::Server) {
    let mut device = tokio::net::TcpStream::connect(running.addresses[0]).await.unwrap();
    let length = DISCOVER.len();
    let request = format!(
        "POST /EnrollmentServer/Discovery.svc HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{DISCOVER}"
    );
    device.write_all(request.as_bytes()).await.unwrap();
    let (_, _kept) = server.serve_once("Envelope>", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").await;
    let answer = wire::read_until(&mut device, "\r\n\r\n").await;
    assert!(wire::text(&answer).starts_with("HTTP/1.1 503"));
}

/// The next alert that is posted there.
async fn receive(receiver: &wire::Server, answer: &[u8]) -> (String, Value) {
    let mut stream = receiver.accept().await;
    let mut got = Vec::new();
    let (head, body) = loop {
        assert_ne!(wire::within(stream.read_buf(&mut got)).await.unwrap(), 0, "{}", wire::text(&got));
        let text = wire::text(&got);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length == Some(body.len()) {
            break (head.to_owned(), body.to_owned());
        }
    };
    stream.write_all(answer).await.unwrap();
    stream.flush().await.unwrap();
    (head, serde_json::from_str(&body).unwrap())
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn a_failing_enrollment_gets_to_the_receiver_and_to_the_program() {
    let place = Place::new();
    let (server, receiver) = (wire::Server::start().await, wire::Server::start().await);
    let upstream = format!("http://{}", server.address);
    let url = format!("http://{}/secret-path?sig=secret", receiver.address);
    // The program writes what it is handed, and renames it into place once it is whole.
    let script = place.put(
        "tell.sh",
        "cat > \"$1.part\"; echo \"$ENROLLSCOPE_ALERT_KIND\" >> \"$1.part\"; mv \"$1.part\" \"$1\"\n",
    );
    let told = place.path("told");
    let exec = format!("/bin/sh '{}' '{}'", script.display(), told.display());
    let args = ["--listen-http", "127.0.0.1:0", "--upstream", &upstream, "--capture", "c.jsonl"];
    let alerts = ["--notify", &url, "--exec", &exec, "--alert-failures", "100%,1"];
    let running = place.start(&[&args[..], &alerts].concat(), 1);
    fail(&running, &server).await;
    // It is a failure once the device has not tried again: the kind that comes first is a question of ticks.
    let (head, alert) = receive(&receiver, OK).await;
    assert!(head.starts_with("POST /secret-path?sig=secret HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    assert_eq!((&alert["type"], &alert["number"]), (&"alert".into(), &1.into()), "{alert}");
    assert_eq!((&alert["kind"], &alert["capture"]), (&"new-cause".into(), &"c.jsonl".into()), "{alert}");
    assert_eq!(
        (&alert["user"], &alert["hresult"]),
        (&"<!channel>anna@contoso.example".into(), &"0x801901F7".into())
    );
    let (_, second) = receive(&receiver, OK).await;
    assert_eq!((&second["kind"], &second["state"]), (&"failure-rate".into(), &"raised".into()));
    let (_, err) = running.stop();
    assert!(!err.contains("secret"), "{err}");
    let text = wire::text(&place.read("told"));
    let (json, kind) = text.trim_end().rsplit_once('\n').unwrap();
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!((&json["number"], kind), (&2.into(), "failure-rate"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn a_receiver_that_does_not_take_alerts_does_not_hold_up_traffic() {
    let place = Place::new();
    let (server, silent, broken) =
        (wire::Server::start().await, wire::Server::start().await, wire::Server::start().await);
    let gone = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/secret", free.local_addr().unwrap())
    };
    let upstream = format!("http://{}", server.address);
    let (slow, bad) =
        (format!("http://{}/secret", silent.address), format!("http://{}/secret", broken.address));
    let args = ["--listen-http", "127.0.0.1:0", "--upstream", &upstream, "--no-capture"];
    let alerts = ["--notify", &slow, "--notify", &bad, "--notify", &gone, "--exec", "/bin/false"];
    let mut running = place.start(&[&args[..], &alerts].concat(), 1);
    fail(&running, &server).await;
    let _open = silent.accept().await;
    receive(&broken, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").await;
    fail(&running, &server).await;
    let words = running.hear("false and is given up: it ended with exit status: 1");
    assert!(words.contains("ERROR"), "{words}");
    let (_, err) = running.stop();
    for words in [
        format!("warning: 1 alert did not get to {}", silent.address),
        format!("warning: 1 alert did not get to {}", broken.address),
        format!("did not get to {}, and is tried again in 2 s: it answered HTTP 500", broken.address),
        "tried again in 2 s: it cannot be connected to".to_owned(),
    ] {
        assert!(err.contains(&words), "{words}: {err}");
    }
    assert!(!err.contains("secret"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_alert_shows_whether_they_arrive() {
    let authority = wire::Authority::new();
    let served = Served::new(vec![authority.identity("localhost")], true).unwrap();
    let receiver = wire::Server::start_tls(served).await;
    let place = Place::new();
    place.put("ca.pem", enrollscope::sim::pem(&authority.certificate()));
    let url = format!("https://localhost:{}/secret", receiver.address.port());
    let run = |args: Vec<String>| {
        let place = place.path("");
        tokio::task::spawn_blocking(move || {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_enrollscope"))
                .args(args)
                .current_dir(place)
                .output()
                .unwrap();
            (output.status.code(), wire::text(&output.stdout), wire::text(&output.stderr))
        })
    };
    let words = |more: &[&str]| {
        ["alert-test", "--notify", &url].iter().chain(more).map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    // Nobody trusts its certificate.
    let refused = run(words(&[]));
    let _ = receiver.try_accept().await;
    let (code, out, err) = refused.await.unwrap();
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("--notify-ca") && !out.contains("secret") && !err.contains("secret"), "{out}{err}");

    for (shape, answer, code, says) in [
        ("json", OK, 0, "the test alert was taken"),
        ("teams", b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 0, "the test alert was taken"),
        (
            "slack",
            b"HTTP/1.1 302 Found\r\nLocation: https://a/\r\nContent-Length: 0\r\n\r\n",
            1,
            "a redirect",
        ),
        ("slack", b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 1, "it answered HTTP 404"),
    ] {
        let running = run(words(&["--notify-ca", "ca.pem", "--notify-as", shape]));
        let (_, body) = receive(&receiver, answer).await;
        let (ended, out, err) = running.await.unwrap();
        assert_eq!(ended, Some(code), "{out}{err}");
        assert!(out.contains(says) && !out.contains("secret"), "{out}");
        let known = match shape {
            "json" => &body["kind"] == "test",
            "teams" => body["attachments"][0]["content"]["type"] == "AdaptiveCard",
            _ => body["blocks"].is_array(),
        };
        assert!(known, "{shape}: {body}");
    }
}

#[test]
fn what_cannot_be_told_to_is_refused_at_the_start_without_its_address() {
    let place = Place::new();
    let proxy = ["proxy", "--listen-http", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9", "--no-capture"];
    for (more, words) in [
        (&["--notify", "hooks.slack.com/secret"][..], "--notify: it is no URL"),
        (
            &["--notify", "http://a/secret", "--notify", "https:///secret"],
            "--notify, number 2: it names no host",
        ),
        (&["--notify", "https://me:secret@a.example/"], "a user or password"),
        (&["--notify", "https://a.example/sec ret"], "the path for a.example"),
        (&["--exec", "/no/such/program --token secret"], "there is no program /no/such/program"),
        (&["--exec", "tell 'secret"], "a quotation mark is not closed"),
        (&["--exec", " "], "there is no program in it"),
    ] {
        for command in [&proxy[..], &["alert-test"]] {
            let ran = place.run(&[command, more].concat());
            ran.refused(words);
            assert!(!ran.err.contains("secret"), "{ran:?}");
        }
    }
    place.run(&["alert-test"]).refused("whom to tell?");

    // Nor does the configuration file's check tell it, or the reader of its form.
    for (text, words) in [
        ("notify = 'slack/secret'", "it is no URL"),
        ("notify = https://a.example/secret", "is not TOML"),
        ("notify = 'https://a.example/secret", "is not TOML"),
    ] {
        place.put("f.toml", format!("[proxy]\n{text}\n"));
        for command in [&["config", "check", "f.toml"][..], &["alert-test", "--config", "f.toml"]] {
            let ran = place.run(command);
            ran.refused(words);
            assert!(!ran.err.contains("secret"), "{ran:?}");
        }
    }
    let variable = [("ENROLLSCOPE_NOTIFY", "https://a.example/secret")];
    let help = place.run_with(&["proxy", "--help"], &variable, b"");
    assert!(help.out.contains("--notify") && !help.out.contains("a.example"));
}
