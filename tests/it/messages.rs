//! Published examples and one real enrollment: each is recognised, and read as far as it goes.

use std::fs;
use std::path::{Path, PathBuf};

use std::sync::Arc;

use enrollscope::event::{Body, Event, Exchange, Header, Side};
use enrollscope::message::{self, Content, Kind, Message};

pub(crate) fn data(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn read(bytes: &[u8], side: Side, content_type: &str) -> Message {
    message::read_body(
        &Body::full(bytes.to_vec()),
        &[Header::new("Content-Type", content_type.to_owned())],
        side,
    )
}

/// The body of a file that may start with an HTTP head.
fn body(bytes: &[u8]) -> &[u8] {
    let text = String::from_utf8_lossy(bytes);
    if !text.starts_with("HTTP/") && !text.starts_with("POST") && !text.starts_with("GET") {
        return bytes;
    }
    let end = text.find("\r\n\r\n").map(|at| at + 4).or_else(|| text.find("\n\n").map(|at| at + 2));
    end.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

/// What each published example is, by its name.
fn expected(name: &str) -> Kind {
    let has = |part: &str| name.contains(part);
    match () {
        () if has("http-") || has("sts-token-form") || has("ket-re") || has("querytoken") => Kind::Other,
        () if has("fault") => Kind::Fault,
        () if has("provisioningdoc") => Kind::SecurityTokenResponse,
        () if has("discover-request") => Kind::DiscoverRequest,
        () if has("discover-response") => Kind::DiscoverResponse,
        () if has("xcep-") && has("request") || has("getpolicies-request") => Kind::GetPoliciesRequest,
        () if has("xcep-") || has("getpolicies-response") => Kind::GetPoliciesResponse,
        () if has("response") => Kind::SecurityTokenResponse,
        () if has("request") => Kind::SecurityTokenRequest,
        () => panic!("{name}: say what it is"),
    }
}

#[test]
fn every_published_example_is_recognised() {
    for path in data("examples") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        let kind = read(body(&bytes), Side::Request, "").kind;
        let expected = expected(&name);
        // Key exchange and status queries are WS-Trust requests too: recognised, though no enrollment uses them.
        let ws_trust = [Kind::SecurityTokenRequest, Kind::SecurityTokenResponse];
        let fits = kind == expected
            || expected == Kind::Other
                && (kind == Kind::None || name.starts_with("wstep-") && ws_trust.contains(&kind));
        assert!(fits, "{name}: {kind:?}, not {expected:?}");
    }
}

#[test]
fn the_real_enrollment_is_read_to_its_values() {
    let file = |name: &str| {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real").join(name)).unwrap()
    };
    let request = |name: &str| read(&file(name), Side::Request, "application/soap+xml; charset=utf-8");
    let response =
        |name: &str| read(body(&file(name)), Side::Response, "application/soap+xml; charset=utf-8");

    let Content::DiscoverRequest(discover) = request("discover-req.xml").content else { panic!() };
    assert_eq!(discover.email.unwrap().value, "demo@fleetdm.ngrok.io");
    assert_eq!(
        discover.offered.iter().map(|f| f.value.as_str()).collect::<Vec<_>>(),
        ["OnPremise", "Federated"]
    );

    let Content::DiscoverResponse(answer) = response("discover-resp.asprinted.txt").content else { panic!() };
    let url = "https://windows.fleetdm.ngrok.io/EnrollmentServer/Enrollment.svc";
    assert_eq!(answer.enrollment_url.unwrap().value, url);

    let policies = request("getpolicies-req.xml");
    assert_eq!(policies.soap.unwrap().credential.user().unwrap().value, "demio");

    let answer = response("getpolicies-resp.asprinted.txt");
    assert!(!answer.document.as_ref().unwrap().defects().is_empty(), "a blank is missing before xsi:nil");
    let Content::GetPoliciesResponse(answer) = answer.content else { panic!() };
    assert_eq!(answer.policies[0].minimal_key_length.as_ref().unwrap().value, "2048");

    let Content::TokenRequest(token) = request("rst-req.xml").content else { panic!() };
    assert_eq!(token.device_id(), Some("B5B954E81FBCB94EB79BD08BE625F4EE"));
    assert_eq!(token.csr.as_ref().unwrap().signature_valid, Some(true));

    let Content::TokenResponse(answer) = response("rstrc-resp.asprinted.txt").content else { panic!() };
    let provisioning = answer.provisioning.unwrap();
    assert_eq!(provisioning.document.defects(), &[]);
    let client = provisioning.client_certificate().unwrap();
    let certificate = client.certificate.as_ref().unwrap();
    assert_eq!(certificate.thumbprint, client.thumbprint.value);
    assert_eq!(certificate.key_hash, token.csr.unwrap().key_hash);
    assert_eq!(provisioning.application().unwrap().parm("PROVIDER-ID").unwrap().value, "DEMO MDM");

    let sync = read(&file("syncml1-req.xml"), Side::Request, "application/vnd.syncml.dm+xml");
    assert_eq!(sync.kind, Kind::ManagementSync);
}

#[test]
fn linked_enrollment_is_recognised_and_not_judged() {
    let request = "{\"userDomain\":\"contoso.example\",\"upn\":\"anna@contoso.example\",\"tenantId\":\"t\",\
                   \"emmDeviceId\":\"e\",\"enrollmentType\":\"Device\",\"osVersion\":\"10.0.26100.1\"}";
    let answer =
        "{\"EnrollmentServiceUrl\":\"https://mdm.contoso.example/enroll\",\"EnrollmentVersion\":\"6.0\"}";
    let refusal = "{\"errorCode\":\"UPNRequired\",\"message\":\"upn is missing\"}";
    for (text, side) in [(request, Side::Request), (answer, Side::Response), (refusal, Side::Response)] {
        assert_eq!(read(text.as_bytes(), side, "application/json").kind, Kind::LinkedDiscovery, "{text}");
    }
    for text in ["{\"error\":\"x\"}", "[1]", "{", "null"] {
        assert_eq!(read(text.as_bytes(), Side::Response, "application/json").kind, Kind::Other, "{text}");
    }
    let mut exchange = Exchange::default();
    "POST".clone_into(&mut exchange.request.method);
    "/linked/discover".clone_into(&mut exchange.request.target);
    exchange.request.headers.push(Header::new("Content-Type", "application/json"));
    exchange.request.body = Body::full(request);
    let seen = crate::catalogue::observe(vec![Event::Exchange(Arc::new(exchange))]);
    assert_eq!((seen[0].findings.len(), seen[0].request), (0, Some(Kind::LinkedDiscovery)));
}

#[test]
fn a_published_lower_case_fault_is_read_and_told_apart() {
    let name = "mde2-fault-devicecapreached-detail-lowercased-as-printed.xml";
    let path = data("examples").into_iter().find(|p| p.ends_with(name)).unwrap();
    let message = read(&fs::read(path).unwrap(), Side::Response, "application/soap+xml");
    let Content::Fault(fault) = message.content else { panic!() };
    assert_eq!((fault.exact_case, fault.word()), (false, Some("devicecapreached")));
    assert_eq!(fault.hresult(), None, "the device does not know this spelling");
}

#[test]
fn what_a_message_is_told_from_its_beginning_is_what_it_is_as_a_whole() {
    let mut bodies: Vec<Vec<u8>> =
        data("examples").iter().chain(&data("real")).map(|p| fs::read(p).unwrap()).collect();
    for golden in enrollscope::rules::Golden::ALL {
        for event in enrollscope::sim::golden::of(*golden) {
            let Event::Exchange(exchange) = event else { continue };
            bodies.push(exchange.request.body.bytes.to_vec());
            bodies.extend(exchange.response.as_ref().map(|r| r.body.bytes.to_vec()));
        }
    }
    assert!(bodies.iter().filter(|body| body.len() > 2048).count() > 20);
    for content_type in ["application/soap+xml", "application/vnd.syncml.dm+xml"] {
        let headers = [Header::new("Content-Type", content_type)];
        for whole in bodies.iter().map(|bytes| body(bytes)) {
            // However it is cut short, too: the last byte decides nothing.
            for length in [whole.len(), whole.len() * 3 / 4, whole.len() / 3] {
                let body = Body::full(whole[..length].to_vec());
                let read = message::read_body(&body, &headers, Side::Response).kind;
                assert_eq!(
                    message::kind_of(&body, &headers),
                    read,
                    "{}",
                    String::from_utf8_lossy(&body.bytes)
                );
            }
        }
    }
}
