//! `doctor`, with the real binary, against name servers and servers that are wrong in one way each.

use std::net::SocketAddr;
use std::sync::Arc;

use enrollscope::event::{Body, Header, Request, Response, Time};
use enrollscope::message::AuthPolicy;
use enrollscope::sim::{self, Answering, Answers, Key, Live, Server, Settings};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::binary::{Place, Ran, authority, golden_key};
use crate::doctor_peers::{Issuer, Zone, accepting, name_server, showing};

/// What a server makes of the reference server's answer.
type Change = fn(&Request, Response) -> Response;

struct Site {
    server: Server,
    change: Change,
}

impl Answers for Site {
    fn answer<'a>(&'a self, _: SocketAddr, request: &'a Request, now: Time) -> Answering<'a> {
        Box::pin(std::future::ready((self.change)(request, self.server.answer(request, now))))
    }

    fn authority(&self) -> &sim::Authority {
        self.server.authority()
    }
}

const NAMES: [&str; 3] =
    ["mdm.contoso.example", "enterpriseenrollment.contoso.example", "other.contoso.example"];

/// A server that is as good as the reference server but for one change, at `mdm.contoso.example`; its port.
async fn site(auth: AuthPolicy, change: Change) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = Settings { auth, ..Settings::new(&format!("https://mdm.contoso.example:{port}")) };
    let site = Site { server: Server::new(settings, authority()), change };
    let names = NAMES.map(ToOwned::to_owned);
    let key = Key::from_pem(&golden_key("server")).unwrap();
    let live = Live::answering(site, enrollscope::net::now, |_, _, _| {}).with_tls(&names, &key).unwrap();
    tokio::spawn(sim::serve(Arc::new(live), listener, std::future::pending()));
    port
}

/// Everything is at this machine.
const HOME: &[(&str, Zone)] = &[
    ("mdm.contoso.example", Zone::At(&["127.0.0.1"])),
    ("enterpriseenrollment.contoso.example", Zone::Alias("mdm.contoso.example")),
    ("enterpriseregistration.contoso.example", Zone::Alias("enterpriseregistration.windows.net")),
    ("enterpriseregistration.windows.net", Zone::At(&["192.0.2.1"])),
    ("other.contoso.example", Zone::At(&["127.0.0.2"])),
];

fn doctor(target: &str, dns: SocketAddr, more: &[&str]) -> (Ran, Steps) {
    let place = Place::new();
    place.put("ca.pem", authority().root_pem());
    let dns = dns.to_string();
    let args = ["doctor", target, "--dns", &dns, "--format", "json", "--timeout", "2s"];
    let ran = place.run_with(&[&args, more].concat(), &[("ENROLLSCOPE_PASSWORD", "secret")], b"");
    let steps = if ran.code == 2 { Value::Null } else { ran.json()["steps"].clone() };
    (ran, Steps(steps))
}

struct Steps(Value);

impl Steps {
    fn of(&self, id: &str) -> &Value {
        let steps = self.0.as_array().unwrap();
        steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no {id}: {}", self.0))
    }

    #[track_caller]
    fn is(&self, id: &str, status: &str, words: &str) {
        let step = self.of(id);
        let told = format!("{} {}", step["detail"], step["remedy"]);
        assert!(step["status"] == status && told.contains(words), "{id} {status} {words}: {step}");
        assert!(status != "fail" || step["remedy"].is_string(), "what is to be done? {step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_domain_passes_from_dns_to_the_enrollment_service() {
    let dns = name_server(HOME).await;
    let port = site(AuthPolicy::OnPremise, |_, response| response).await;
    let connect = format!("127.0.0.1:{port}");
    let (ran, steps) = doctor("Anna@contoso.example", dns, &["--connect", &connect, "--ca", "ca.pem"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    steps.is("dns-enrollment", "pass", "alias of mdm.contoso.example (TTL 300 s): 127.0.0.1");
    steps.is("dns-registration", "pass", "enterpriseregistration.windows.net");
    steps.is("tls-versions", "pass", "1.2 and 1.3");
    steps.is("chain", "warn", "none of the public roots");
    steps.is("certificate", "pass", "mdm.contoso.example");
    steps.is("clock", "pass", "agree");
    steps.is("discovery", "pass", "on-premise");
    steps.is("discovery-versions", "pass", "3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0: OnPremise");
    steps.is("policy-endpoint", "pass", "Authentication");
    steps.is("enrollment-endpoint", "pass", "Authentication");
    steps.is("framing", "pass", "answers");
    steps.is("enrollment", "skip", "--user");
    let all = steps.0.as_array().unwrap();
    assert!(all.iter().all(|step| step["ms"].is_u64() && step["detail"].is_string()), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_nowhere_are_told_apart() {
    const ZONES: &[(&str, Zone)] = &[
        ("enterpriseenrollment.dangling.example", Zone::Alias("gone.example")),
        ("enterpriseenrollment.circle.example", Zone::Alias("b.circle.example")),
        ("b.circle.example", Zone::Alias("enterpriseenrollment.circle.example")),
        ("enterpriseenrollment.empty.example", Zone::Empty),
        ("enterpriseenrollment.refused.example", Zone::Refused),
        ("enterpriseenrollment.garbage.example", Zone::Garbage),
        ("enterpriseenrollment.truncated.example", Zone::Truncated),
        ("enterpriseenrollment.silent.example", Zone::Silent),
        ("enterpriseenrollment.nowhere.example", Zone::At(&["169.254.169.254"])),
        ("enterpriseenrollment.other.example", Zone::Alias("elsewhere.example")),
        ("elsewhere.example", Zone::At(&["127.0.0.1"])),
    ];
    let dns = name_server(ZONES).await;
    for (domain, words) in [
        ("missing.example", "there is no such name as EnterpriseEnrollment.missing.example"),
        ("dangling.example", "is an alias of gone.example, and there is no such name"),
        ("circle.example", "in a circle"),
        ("empty.example", "has no address"),
        ("refused.example", "no usable answer"),
        ("garbage.example", "no usable answer"),
        ("truncated.example", "no usable answer"),
        ("silent.example", "no usable answer"),
        ("nowhere.example", "169.254.169.254 is the address of no server"),
    ] {
        let (ran, steps) = doctor(domain, dns, &[]);
        assert_eq!(ran.code, 1, "{ran:?}");
        steps.is("dns-enrollment", "fail", words);
        let code = if domain == "nowhere.example" { "0x80072EFD" } else { "0x80072EE7" };
        assert_eq!(steps.of("dns-enrollment")["hresult"], code);
        steps.is("dns-registration", "warn", "EnterpriseRegistration");
        steps.is("tls", "skip", "has no address");
    }
    let wanted = ["--expect-cname", "mdm.contoso.example"];
    doctor("other.example", dns, &wanted).1.is("dns-enrollment", "fail", "no alias of mdm.contoso.example");
    for text in [
        "contoso",
        "ftp://contoso.com",
        "büro.example",
        "10.0.0.1",
        "https://localhost:99999",
        "https://anna:secret@mdm.contoso.example",
    ] {
        doctor(text, dns, &[]).0.refused("is no domain");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_told_apart_by_what_is_wrong_with_them() {
    use rustls::version::{TLS12, TLS13};
    let dns = name_server(HOME).await;
    let root = Issuer::new("Contoso Root");
    let middle = root.below("Contoso Issuing");
    let (good, key) = middle.leaf(|_| {});
    let between = middle.0.der().clone();
    let both = &[&TLS13, &TLS12][..];
    let day = |year| rcgen::date_time_ymd(year, 1, 1);
    let (expired, expired_key) =
        middle.leaf(|params| (params.not_before, params.not_after) = (day(2020), day(2021)));
    let (early, early_key) =
        middle.leaf(|params| (params.not_before, params.not_after) = (day(2090), day(2091)));
    let (client, client_key) = middle.leaf(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let (other, other_key) = middle.leaf(|params| {
        params.subject_alt_names =
            CertificateParams::new(["mail.contoso.example".to_owned()]).unwrap().subject_alt_names;
    });
    let own = CertificateParams::new(["mdm.contoso.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    for (chain, key, versions, id, status, words) in [
        (vec![good.clone(), between.clone()], &key, both, "chain", "warn", "none of the public roots"),
        (
            vec![good.clone()],
            &key,
            both,
            "chain",
            "fail",
            "Contoso Issuing issued the last one, is not among them",
        ),
        (vec![own.der().clone()], &key, both, "chain", "fail", "signed by itself"),
        (
            vec![good.clone(), root.0.der().clone(), between.clone()],
            &key,
            both,
            "chain",
            "warn",
            "did not issue",
        ),
        (vec![expired, between.clone()], &expired_key, both, "certificate", "fail", "TLS-011"),
        (vec![early, between.clone()], &early_key, both, "certificate", "fail", "TLS-011"),
        (vec![other, between.clone()], &other_key, both, "certificate", "fail", "TLS-002"),
        (vec![client, between.clone()], &client_key, both, "certificate", "fail", "not meant for servers"),
        (vec![good.clone(), between.clone()], &key, &both[..1], "tls-versions", "warn", "1.3 only"),
        (vec![good.clone(), between.clone()], &key, &both[1..], "tls-versions", "pass", "1.2, not 1.3"),
    ] {
        let port = showing(chain, key, versions).await;
        let url = format!("https://mdm.contoso.example:{port}");
        let place = Place::new();
        let pem = sim::pem(root.0.der());
        place.put("root.pem", pem);
        let root = place.path("root.pem").display().to_string();
        let (ran, steps) = doctor(&url, dns, &["--ca", &root]);
        assert_eq!(ran.code, 1, "{ran:?}");
        steps.is(id, status, words);
        // A certificate that devices refuse is no reason not to look on.
        steps.is("discovery", "fail", "404");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tls_server_is_told_apart() {
    let dns = name_server(HOME).await;
    let plain = accepting(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.shutdown().await;
    })
    .await;
    let closing = accepting(|stream| async move { drop(stream) }).await;
    let silent = accepting(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    for (port, words) in
        [(plain, "not TLS"), (closing, "closed the connection"), (silent, "no answer in the handshake")]
    {
        let (ran, steps) = doctor(&format!("https://mdm.contoso.example:{port}"), dns, &[]);
        assert_eq!(ran.code, 1, "{ran:?}");
        steps.is("tls", "fail", words);
        steps.is("discovery", "skip", "no TLS");
    }
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let (_, steps) = doctor(&format!("https://mdm.contoso.example:{nobody}"), dns, &[]);
    steps.is("tcp-https", "fail", "refused");
    assert_eq!(steps.of("tcp-https")["hresult"], "0x80072EFD");
}

fn redirect(to: &'static str) -> Response {
    let headers = vec![Header::new("Location", to), Header::new("Content-Length", "0")];
    Response { status: 302, headers, ..Response::default() }
}

fn page(status: u16, headers: &[(&str, &'static str)], body: &'static str) -> Response {
    let mut all: Vec<_> = headers.iter().map(|(name, value)| Header::new(*name, *value)).collect();
    all.push(Header::new("Content-Length", body.len().to_string()));
    Response { status, headers: all, body: Body::full(body), ..Response::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_judged_where_they_are_wrong() {
    let dns = name_server(HOME).await;
    let cases: &[(AuthPolicy, Change, &str, &str, &str)] = &[
        (
            AuthPolicy::OnPremise,
            |request, response| {
                if request.method == "GET" { redirect("/EnrollmentServer/Discovery.svc") } else { response }
            },
            "discovery-get",
            "fail",
            "in a circle",
        ),
        (
            AuthPolicy::OnPremise,
            |request, response| {
                if request.method == "GET" { redirect("file:///etc/passwd") } else { response }
            },
            "discovery-get",
            "fail",
            "no http or https address",
        ),
        (
            AuthPolicy::OnPremise,
            |request, response| {
                if request.method == "GET" { redirect("http://mdm.contoso.example/") } else { response }
            },
            "discovery-get",
            "fail",
            "from https to http",
        ),
        (
            AuthPolicy::OnPremise,
            |request, response| {
                if request.method == "GET" { redirect("https://other.contoso.example/x") } else { response }
            },
            "discovery-get",
            "skip",
            "127.0.0.2, a private address",
        ),
        (
            AuthPolicy::OnPremise,
            |request, response| if request.method == "GET" { page(404, &[], "") } else { response },
            "discovery-get",
            "warn",
            "404",
        ),
        (
            AuthPolicy::OnPremise,
            |_, response| {
                let mut response = response;
                response.headers.retain(|header| !header.name.eq_ignore_ascii_case("date"));
                response.headers.push(Header::new("Date", "Tue, 01 Jan 2030 00:00:00 GMT"));
                response
            },
            "clock",
            "fail",
            "ahead of",
        ),
        (
            AuthPolicy::OnPremise,
            |_, _| page(200, &[("Content-Type", "text/html")], "<html>Welcome</html>"),
            "discovery",
            "fail",
            "200",
        ),
        (
            AuthPolicy::OnPremise,
            |request, response| {
                if request.target.ends_with("Policy.svc") { page(401, &[], "") } else { response }
            },
            "policy-endpoint",
            "warn",
            "401",
        ),
        (
            AuthPolicy::OnPremise,
            |request, response| {
                if request.target.ends_with("Enrollment.svc") { page(404, &[], "") } else { response }
            },
            "enrollment-endpoint",
            "fail",
            "404 without SOAP",
        ),
        (AuthPolicy::Federated, |_, response| response, "sign-in-page", "pass", "200 from"),
        (
            AuthPolicy::Federated,
            |request, response| {
                if request.target.contains("Authentication") { page(503, &[], "") } else { response }
            },
            "sign-in-page",
            "fail",
            "no page to sign in on",
        ),
        (
            AuthPolicy::Federated,
            |request, response| match request.target.as_str() {
                target if target.contains("Authentication") => redirect("/adfs/ls/?wa=wsignin1.0"),
                target if target.starts_with("/adfs/ls") => {
                    page(200, &[("Content-Type", "text/html")], "<html/>")
                }
                target if target.starts_with("/adfs/services") => {
                    page(200, &[], "<a>https://x/adfs/services/trust/2005/windowstransport</a>")
                }
                _ => response,
            },
            "ws-trust",
            "fail",
            "usernamemixed is not among",
        ),
    ];
    for (auth, change, id, status, words) in cases {
        let port = site(*auth, *change).await;
        let url = format!("https://mdm.contoso.example:{port}");
        doctor(&url, dns, &["--ca", "ca.pem"]).1.is(id, status, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_user_it_goes_on_and_enrolls_only_when_told_to() {
    let dns = name_server(HOME).await;
    let port = site(AuthPolicy::OnPremise, |_, response| response).await;
    let url = format!("https://mdm.contoso.example:{port}");
    let user = ["--ca", "ca.pem", "--user", "anna@contoso.example"];
    let (ran, steps) = doctor(&url, dns, &user);
    assert_eq!(ran.code, 0, "{ran:?}");
    steps.is("policy", "pass", "a policy");
    steps.is("enrollment", "skip", "--enroll");
    let (ran, steps) = doctor(&url, dns, &[&user[..], &["--enroll", "--yes"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    steps.is("enrollment", "pass", "enrolled with");
    steps.is("first-sync", "pass", "done");
    let (_, ip) = doctor(&format!("https://127.0.0.1:{port}"), dns, &["--ca", "ca.pem"]);
    ip.is("certificate", "fail", "does not name 127.0.0.1");
    doctor(&url, dns, &["--expect-cname", "x.example"]).0.refused("give a domain");
    // Without a terminal nobody can be asked.
    let (ran, _) = doctor(&url, dns, &[&user[..], &["--enroll"]].concat());
    ran.refused("--yes");
    assert!(ran.err.contains("DESKTOP-"), "{ran:?}");
    // No password for whom devices would not believe.
    let (ran, steps) = doctor(&url, dns, &["--user", "anna@contoso.example"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    steps.is("policy", "skip", "not believed");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_goes_to_a_host_that_nobody_named() {
    let dns = name_server(HOME).await;
    let port = site(AuthPolicy::OnPremise, |_, response| {
        let text = String::from_utf8_lossy(&response.body.bytes).replace("mdm.contoso", "other.contoso");
        Response {
            headers: response.headers.iter().filter(|h| h.name != "Content-Length").cloned().collect(),
            body: Body::full(text),
            ..response
        }
    })
    .await;
    let url = format!("https://mdm.contoso.example:{port}");
    let user = ["--ca", "ca.pem", "--follow-private", "--user", "anna@contoso.example"];
    let (ran, steps) = doctor(&url, dns, &user);
    steps.is("policy", "skip", "allow it with --allow-host other.contoso.example");
    steps.is("enrollment", "skip", "was not taken");
    assert!(!ran.out.contains("secret"), "{ran:?}");
    let (_, steps) = doctor(&url, dns, &[&user[..], &["--allow-host", "*.contoso.example"]].concat());
    assert!(
        !steps.of("policy")["detail"].as_str().unwrap().contains("--allow-host"),
        "{}",
        steps.of("policy")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_to_people_and_build_servers_and_recorded() {
    let dns = name_server(HOME).await.to_string();
    let port = site(AuthPolicy::OnPremise, |request, response| {
        if request.target.ends_with("Policy.svc") { page(404, &[], "") } else { response }
    })
    .await;
    let place = Place::new();
    place.put("ca.pem", authority().root_pem());
    let url = format!("https://mdm.contoso.example:{port}");
    let run = |more: &[&str]| place.run(&[&["doctor", &url, "--dns", &dns, "--ca", "ca.pem"], more].concat());
    let human = run(&["--capture", "said.jsonl"]);
    assert!(human.out.contains("  fail  Policy endpoint"), "{human:?}");
    assert!(human.out.contains("→ Answer with a SOAP fault"), "{human:?}");
    assert!(
        human
            .out
            .trim_end()
            .ends_with("a device gets no further than `Policy endpoint`; its user sees 0x80190194"),
        "{human:?}"
    );
    let junit = run(&["--format", "junit"]).out;
    assert!(
        junit.contains("<testcase classname=\"doctor https://mdm.contoso.example")
            && junit.contains("name=\"policy-endpoint\"")
    );
    assert_eq!(junit.matches("<failure ").count(), 1, "{junit}");
    let checked = place.run(&["check", "said.jsonl", "--format", "json"]).json();
    assert!(checked["summary"]["exchanges"].as_u64().unwrap() > 10, "{checked}");
    run(&["--capture", "said.jsonl"]).refused("is there already");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_address_of_two_is_told() {
    const TWO: &[(&str, Zone)] = &[("mdm.contoso.example", Zone::At(&["127.0.0.1", "127.0.0.3"]))];
    let dns = name_server(TWO).await;
    let port = site(AuthPolicy::OnPremise, |_, response| response).await;
    let (_, steps) = doctor(&format!("https://mdm.contoso.example:{port}"), dns, &["--ca", "ca.pem"]);
    steps.is("tcp-https", "warn", "but not to 127.0.0.3");
}
