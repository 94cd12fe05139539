//! Simulated devices enroll with the reference server over real TLS on loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enrollscope::event::{Request, Response, Time};
use enrollscope::message::AuthPolicy;
use enrollscope::rules::{self, Step};
use enrollscope::sim::{
    Accounts, Address, Authority, Device, Enrollment, Holder, Key, Live, Options, Outcome, Pace, Profile,
    Proof, Server, Settings, Trust, enroll, entra_token, serve,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const PASSWORD: &str = "right";

/// The real time: TLS asks the clock, too.
fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

fn key(name: &str) -> Key {
    let path = format!("{}/captures/golden/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    Key::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn device(number: u32) -> Device {
    let key = Arc::clone(&Key::pool(1).unwrap()[0]);
    Device::new(Profile::numbered(7, number, "anna@contoso.example", PASSWORD), key)
}

/// A server that runs until it is dropped, and the requests that it got.
struct Running {
    address: SocketAddr,
    root: String,
    tls: bool,
    seen: Arc<Mutex<Vec<(Request, Response)>>>,
    _stop: oneshot::Sender<()>,
}

async fn start(tls: bool, change: impl FnOnce(Settings) -> Settings) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let authority = Authority::new("Test Root", key("root"), now().plus_millis(-86_400_000)).unwrap();
    let names = ["localhost", "enterpriseenrollment.contoso.example"].map(str::to_owned);
    let scheme = if tls { "https" } else { "http" };
    let settings = change(Settings {
        accounts: Accounts::Password(PASSWORD.to_owned()),
        ..Settings::new(&format!("{scheme}://localhost:{}", address.port()))
    });
    let root = authority.root_pem();
    let seen: Arc<Mutex<Vec<(Request, Response)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let mut live = Live::new(Server::new(settings, authority), now, move |_, request, response| {
        log.lock().unwrap().push((request.clone(), response.clone()));
    });
    if tls {
        live = live.with_tls(&names, &key("server")).unwrap();
    }
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(Arc::new(live), listener, async {
        let _ = stopped.await;
    }));
    Running { address, root, tls, seen, _stop: stop }
}

impl Running {
    fn options(&self) -> Options {
        let scheme = if self.tls { "https" } else { "http" };
        let url = format!("{scheme}://enterpriseenrollment.contoso.example:{}", self.address.port());
        let trust = Trust::from_pem(&self.root).unwrap();
        Options {
            connect: Some(self.address),
            sync: true,
            patience: Duration::from_secs(20),
            ..Options::new(Address::parse(&url).unwrap(), trust, now)
        }
    }

    async fn enroll(&self, device: &Device, change: impl FnOnce(&mut Options)) -> Enrollment {
        let mut options = self.options();
        change(&mut options);
        enroll(device, &options, |_| {}).await.unwrap()
    }
}

fn steps(enrollment: &Enrollment) -> Vec<Step> {
    enrollment.steps.iter().map(|report| report.step).collect()
}

/// Where the device gave up, and the code that its user sees.
fn failure(enrollment: &Enrollment) -> (Step, Option<u32>) {
    let (step, why) = enrollment.failure().expect("the device gives up");
    assert!(!enrollment.succeeded());
    (step, why.hresult)
}

const ALL: [Step; 5] = [Step::Probe, Step::Discover, Step::Policies, Step::Token, Step::Sync];

#[tokio::test]
async fn a_healthy_device_enrolls_over_tls_and_syncs() {
    let server = start(true, |settings| settings).await;
    let mut told = Vec::new();
    let enrollment = enroll(&device(1), &server.options(), |step| told.push(step.clone())).await.unwrap();
    assert!(enrollment.succeeded(), "{:#?}", enrollment.steps);
    assert_eq!(steps(&enrollment), ALL);
    assert_eq!(told, enrollment.steps);
    let provision = enrollment.provision.unwrap();
    assert_eq!(provision.provider, "EnrollscopeReference");
    let certificate = enrollscope::message::certificate::Certificate::read(&provision.certificate).unwrap();
    assert_eq!(certificate.subject.common_name(), Some(device(1).profile.device_id.as_str()));
}

#[tokio::test]
async fn a_device_that_belongs_to_the_machine_enrolls_too() {
    let server = start(true, |settings| settings).await;
    let mut machine = device(2);
    "Device".clone_into(&mut machine.profile.enrollment_type);
    assert!(server.enroll(&machine, |_| {}).await.succeeded());
}

#[tokio::test]
async fn every_way_to_enroll_works_over_tls_and_the_certificate_can_be_renewed() {
    let federated = |settings| Settings { auth: AuthPolicy::Federated, newest: 7.0, ..settings };
    let server = start(true, federated).await;
    let first = server.enroll(&device(20), |_| {}).await;
    assert!(first.succeeded(), "{:#?}", first.steps);
    assert_eq!(steps(&first)[1..5], [Step::Discover, Step::SignIn, Step::Password, Step::Policies]);

    let of = |proof| Device { proof, ..device(20) };
    let certificate = first.provision.unwrap().certificate;
    let holder = Holder { certificate: certificate.clone(), key: Arc::clone(&Key::pool(1).unwrap()[0]) };
    let renewed = server.enroll(&of(Proof::Renewal(holder.clone())), |_| {}).await;
    assert!(renewed.succeeded(), "{:#?}", renewed.steps);
    assert_eq!(steps(&renewed), [Step::Discover, Step::Policies, Step::Token]);
    assert_ne!(renewed.provision.unwrap().certificate, certificate);

    let origin = format!("https://localhost:{}", server.address.port());
    let token = entra_token(("anna@contoso.example", "d1"), &origin, now(), &key("server")).unwrap();
    let entra = server.enroll(&of(Proof::Entra(token)), |_| {}).await;
    assert!(entra.succeeded(), "{:#?}", entra.steps);
    assert_eq!(steps(&entra)[..2], [Step::Terms, Step::Discover]);
    let token =
        entra_token(("anna@contoso.example", "d1"), "https://elsewhere.example", now(), &key("server"))
            .unwrap();
    assert_eq!(failure(&server.enroll(&of(Proof::Entra(token)), |_| {}).await), (Step::Terms, None));

    // A user for whom it is another way than for everybody else.
    let user = "anna@contoso.example".to_owned();
    server_with_certificates(user, &of).await;
}

/// A first certificate is from the authority itself; one of somebody else's is declined.
async fn server_with_certificates(user: String, of: &impl Fn(Proof) -> Device) {
    let server =
        start(true, |settings| Settings { auth_for: [(user, AuthPolicy::Certificate)].into(), ..settings })
            .await;
    let issued_by = |root: &str| {
        let authority = Authority::new("Test Root", key(root), now().plus_millis(-86_400_000)).unwrap();
        let certificate = authority.issue("Bulk", &key("device-2").public(), now(), None).unwrap().client;
        Holder { certificate, key: Arc::new(key("device-2")) }
    };
    let good = server.enroll(&of(Proof::Certificate(issued_by("root"))), |_| {}).await;
    assert!(good.succeeded(), "{:#?}", good.steps);
    let stranger = server.enroll(&of(Proof::Certificate(issued_by("device-3"))), |_| {}).await;
    assert_eq!(failure(&stranger), (Step::Policies, Some(0x8018_0002)));
}

#[tokio::test]
async fn a_server_can_spare_first_enrollments_and_break_renewals() {
    let rule = rules::by_id("RENEW-007").unwrap();
    let server = start(true, |settings| settings.breaking(rule).unwrap()).await;
    let first = server.enroll(&device(21), |_| {}).await;
    let holder = Holder {
        certificate: first.provision.unwrap().certificate,
        key: Arc::clone(&Key::pool(1).unwrap()[0]),
    };
    let device = Device { proof: Proof::Renewal(holder), ..device(21) };
    let renewed = server.enroll(&device, |_| {}).await.provision.unwrap();
    let days = |der: &[u8]| enrollscope::message::certificate::Certificate::read(der).unwrap().days();
    assert!(days(&renewed.certificate) < days(&device_certificate(&device)));
}

fn device_certificate(device: &Device) -> Vec<u8> {
    match &device.proof {
        Proof::Renewal(holder) => holder.certificate.to_vec(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn without_tls_the_server_and_a_device_still_find_each_other() {
    let server = start(false, |settings| settings).await;
    assert!(server.enroll(&device(3), |_| {}).await.succeeded());
}

#[tokio::test]
async fn a_wrong_password_ends_at_the_policy() {
    let server = start(true, |settings| settings).await;
    let mut forgetful = device(4);
    "wrong".clone_into(&mut forgetful.profile.password);
    let enrollment = server.enroll(&forgetful, |_| {}).await;
    assert_eq!(failure(&enrollment), (Step::Policies, Some(0x8018_0002)));
}

#[tokio::test]
async fn the_device_cap_counts_a_device_once() {
    let server = start(true, |settings| Settings { device_cap: 1, ..settings }).await;
    assert!(server.enroll(&device(5), |_| {}).await.succeeded());
    assert!(server.enroll(&device(5), |_| {}).await.succeeded());
    let enrollment = server.enroll(&device(6), |_| {}).await;
    assert_eq!(failure(&enrollment), (Step::Token, Some(0x8018_0013)));
}

#[tokio::test]
async fn a_distrustful_device_sends_nothing() {
    let server = start(true, |settings| settings).await;
    let enrollment = server.enroll(&device(7), |options| options.trust = Trust::Nobody).await;
    assert_eq!(failure(&enrollment), (Step::Probe, Some(0x8018_0012)));
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_device_goes_away_when_it_is_told_to() {
    let server = start(true, |settings| settings).await;
    let stop = |options: &mut Options| options.stop_after = Some(Step::Discover);
    let enrollment = server.enroll(&device(8), stop).await;
    assert_eq!(steps(&enrollment), [Step::Probe, Step::Discover]);
    assert!(enrollment.failure().is_none() && !enrollment.succeeded());
}

#[tokio::test]
async fn a_device_waits_for_its_turn_before_every_step() {
    let server = start(true, |settings| settings).await;
    let turns: Arc<Mutex<Vec<Step>>> = Arc::default();
    let told = Arc::clone(&turns);
    let pace = Pace::new(move |step| {
        told.lock().unwrap().push(step);
        async {}
    });
    server.enroll(&device(9), |options| options.pace = Some(pace)).await;
    assert_eq!(*turns.lock().unwrap(), ALL);
}

#[tokio::test]
async fn nobody_listening_is_told_as_that() {
    // Bound, so that nobody else gets the port, and not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = socket.local_addr().unwrap();
    let server = start(true, |settings| settings).await;
    let enrollment = server.enroll(&device(10), |options| options.connect = Some(free)).await;
    assert_eq!(failure(&enrollment), (Step::Probe, Some(0x8007_2EFD)));
}

#[tokio::test]
async fn a_server_that_breaks_a_rule_loses_the_device_where_the_rule_says() {
    for (rule, expected) in [
        ("HTTP-001", (Step::Discover, None)),
        ("HTTP-004", (Step::Discover, Some(0x8018_0029))),
        ("TLS-002", (Step::Probe, Some(0x8018_0012))),
        ("TLS-003", (Step::Probe, Some(0x8018_000D))),
        ("HTTP-015", (Step::Discover, Some(0x8007_2EFE))),
        ("HTTP-014", (Step::Discover, Some(0x8019_01F4))),
        ("DISC-GET-002", (Step::Probe, None)),
        ("DISC-RSP-001", (Step::Discover, Some(0x8019_00C8))),
        ("DISC-RSP-002", (Step::Discover, Some(0x8018_0006))),
        ("PROV-003", (Step::Token, Some(0x8018_0023))),
        ("PROV-CS-002", (Step::Token, Some(0x8018_001E))),
        ("PROV-CS-003", (Step::Token, Some(0x8018_0024))),
        ("PROV-CS-004", (Step::Token, Some(0x8018_0024))),
        ("PROV-CS-008", (Step::Token, Some(0x8018_0024))),
        ("PROV-W7-001", (Step::Token, Some(0x8018_001F))),
        ("PROV-DM-001", (Step::Token, Some(0x8018_0020))),
        // A fault that the device does not understand: it shows the status.
        ("FAULT-001", (Step::Token, Some(0x8019_01F4))),
    ] {
        let server = start(true, |settings| settings.breaking(rules::by_id(rule).unwrap()).unwrap()).await;
        let enrollment = server.enroll(&device(11), |_| {}).await;
        assert_eq!(failure(&enrollment), expected, "{rule}: {:#?}", enrollment.steps.last());
    }
}

#[tokio::test]
async fn a_device_that_breaks_a_rule_sends_what_the_rule_describes() {
    let server = start(true, |settings| settings).await;
    for (rule, expected) in [
        // The reference server declines these, and lets the last one pass.
        ("RST-007", Some((Step::Token, Some(0x8018_0004)))),
        ("CSR-004", Some((Step::Token, Some(0x8018_0004)))),
        ("CRED-001", Some((Step::Policies, Some(0x8018_0002)))),
        ("TLS-001", Some((Step::Probe, Some(0x8018_0012)))),
        ("DISC-REQ-009", None),
    ] {
        let options = server.options().breaking(rules::by_id(rule).unwrap()).unwrap();
        let enrollment = enroll(&device(12), &options, |_| {}).await.unwrap();
        let found = enrollment.failure().map(|(step, why)| (step, why.hresult));
        assert_eq!(found, expected, "{rule}: {:#?}", enrollment.steps.last());
    }
    let seen = server.seen.lock().unwrap();
    let version = |request: &Request| {
        String::from_utf8_lossy(&request.body.bytes).contains("<ApplicationVersion>10.0</ApplicationVersion>")
    };
    assert!(seen.iter().any(|(request, _)| version(request)));
}

#[tokio::test]
async fn a_compressed_answer_is_compressed_on_the_wire() {
    let rule = rules::by_id("HTTP-010").unwrap();
    let server = start(true, |settings| settings.breaking(rule).unwrap()).await;
    assert!(server.enroll(&device(14), |_| {}).await.succeeded());
    let seen = server.seen.lock().unwrap();
    assert!(seen.iter().any(|(_, response)| response.body.bytes.starts_with(&[0x1F, 0x8B])));
}

#[tokio::test]
async fn who_cannot_break_a_rule_says_who_can() {
    let rule = |id| rules::by_id(id).unwrap();
    let settings = || Settings::new("https://mdm.example");
    let error = settings().breaking(rule("RST-002")).unwrap_err().to_string();
    assert!(error.contains("enroll --break RST-002"), "{error}");
    let options = start(true, |settings| settings).await.options();
    let error = options.clone().breaking(rule("PROV-003")).unwrap_err().to_string();
    assert!(error.contains("server --break PROV-003"), "{error}");
    assert!(settings().breaking(rule("OWN-002")).is_err());
    assert!(options.breaking(rule("OWN-002")).is_err());
}

#[tokio::test]
async fn what_is_no_enrollment_is_declined() {
    let server = start(true, |settings| settings).await;
    let enrollment =
        server.enroll(&device(13), |options| options.server.target = "/elsewhere".to_owned()).await;
    assert_eq!(failure(&enrollment), (Step::Probe, None));
    let report = enrollment.steps.last().unwrap();
    assert_eq!(report.status, Some(404));
    assert!(matches!(&report.outcome, Outcome::GaveUp(_)), "{}", report.outcome);
}
