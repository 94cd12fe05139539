//! Each cause that can be seen between device and server comes out on top of an enrollment that ends by it.

use std::sync::Arc;

use enrollscope::diagnosis::{
    Certainty, Reason as Explains, common, common_of, on_device, reasons, refusals, told,
};
use enrollscope::engine::Engine;
use enrollscope::enrollment::{Deadlines, Enrollment};
use enrollscope::event::{Body, Connection, ConnectionEvent, Event, Exchange, Framing, Reason, Time};
use enrollscope::message::{Kind, read_request};
use enrollscope::rules::{self, Golden, Profile};
use enrollscope::sim::golden;

use crate::scene::Scene;

/// What happened, as events.
struct Play(Vec<Event>);

impl Play {
    fn of(golden: Golden) -> Self {
        Self(golden::of(golden))
    }

    /// A rule's example.
    fn broken(rule: &str) -> Self {
        let example = &rules::by_id(rule).unwrap().examples[0];
        Self(golden::with_edit(example.golden, &example.edit).unwrap())
    }

    fn kind(event: &Event) -> Option<Kind> {
        match event {
            Event::Exchange(exchange) => Some(read_request(&exchange.request).kind),
            _ => None,
        }
    }

    fn each(mut self, kind: Kind, mut change: impl FnMut(&mut Exchange)) -> Self {
        let mut changed = 0;
        for event in &mut self.0 {
            let wanted = Self::kind(event) == Some(kind);
            if let Event::Exchange(exchange) = event
                && wanted
            {
                change(Arc::make_mut(exchange));
                changed += 1;
            }
        }
        assert!(changed > 0, "{kind:?}");
        self
    }

    /// Nothing is seen behind the last message of that kind.
    fn until(mut self, kind: Kind) -> Self {
        let last = self.0.iter().rposition(|event| Self::kind(event) == Some(kind)).unwrap();
        self.0.truncate(last + 1);
        self
    }

    /// The device sends the last message once more, half a minute later.
    fn again(mut self) -> Self {
        let Some(Event::Exchange(last)) = self.0.last().cloned() else { panic!() };
        let mut again = Exchange::clone(&last);
        again.id = enrollscope::event::ExchangeId("again".into());
        again.seq += 1;
        again.request.at = again.request.at.plus_millis(30_000);
        if let Some(response) = &mut again.response {
            response.at = again.request.at.plus_millis(10);
        }
        self.0.push(Event::Exchange(again.into()));
        self
    }

    fn judged(self, silence: i64) -> Enrollment {
        let mut engine = Engine::new(Profile::Field, Deadlines::default());
        let mut last = Time(0);
        let mut found = None;
        for event in self.0 {
            if let Event::Exchange(exchange) = &event {
                last = last.max(exchange.request.at);
            }
            found = engine.observe(event).changed.pop().or(found);
        }
        let ended = engine.observe(Event::Tick(last.plus_millis(silence)));
        ended.changed.into_iter().next_back().or(found).unwrap()
    }

    fn reasons(self) -> (Enrollment, Vec<Explains>) {
        let enrollment = self.judged(3_600_000);
        let reasons = reasons(&enrollment);
        (enrollment, reasons)
    }
}

fn text(body: &mut Body, change: impl Fn(String) -> String) {
    let text = change(String::from_utf8(body.bytes.to_vec()).unwrap());
    *body = Body { framing: body.framing, ..Body::full(text.into_bytes()) };
}

/// The answer to a message of that kind is a fault with this subcode and this type of error.
fn fault(golden: Golden, kind: Kind, subcode: &str, error: &str) -> Play {
    let mut refused = None;
    Play::of(Golden::Refused)
        .each(Kind::SecurityTokenRequest, |exchange| refused = exchange.response.clone());
    let mut refused = refused.unwrap();
    text(&mut refused.body, |text| {
        let detail = format!("<ErrorType>{error}</ErrorType>");
        text.replace("s:Authorization", subcode)
            .replace("<ErrorType>DeviceCapReached</ErrorType>", if error.is_empty() { "" } else { &detail })
    });
    Play::of(golden).until(kind).each(kind, |exchange| {
        let at = exchange.response.as_ref().map(|response| response.at).unwrap_or_default();
        exchange.response = Some(refused.clone());
        exchange.response.as_mut().unwrap().at = at;
    })
}

fn status(kind: Kind, status: u16) -> Play {
    Play::of(Golden::OnPremise).until(kind).each(kind, |exchange| {
        let response = exchange.response.as_mut().unwrap();
        response.status = status;
        response.body = Body { framing: Framing::Length, ..Body::full("no") };
    })
}

/// The authority declines a request whose key is shorter than the policy asks.
fn mismatch() -> Play {
    let declined = fault(Golden::OnPremise, Kind::SecurityTokenRequest, "s:CertificateRequest", "");
    let Some(Event::Exchange(last)) = declined.0.last().cloned() else { panic!() };
    Play::broken("CSR-002")
        .until(Kind::SecurityTokenRequest)
        .each(Kind::SecurityTokenRequest, |exchange| exchange.response = last.response.clone())
}

fn newer(play: Play) -> Play {
    play.each(Kind::DiscoverRequest, |exchange| {
        text(&mut exchange.request.body, |text| {
            let (before, rest) = text.split_once("<RequestVersion>").unwrap();
            format!("{before}<RequestVersion>9.0<{}", rest.split_once('<').unwrap().1)
        });
    })
}

fn home(play: Play) -> Play {
    play.each(Kind::SecurityTokenRequest, |exchange| {
        text(&mut exchange.request.body, |text| {
            let (before, rest) = text.split_once("Name=\"OSEdition\"").unwrap();
            let (middle, rest) = rest.split_once("<ac:Value>").unwrap();
            format!("{before}Name=\"OSEdition\"{middle}<ac:Value>101<{}", rest.split_once('<').unwrap().1)
        });
    })
}

#[test]
fn every_cause_that_can_be_seen_comes_out_on_top() {
    use Golden::{Certificate, Entra, Federated, OnPremise, Renewal};
    use Kind::{
        AuthPage, DiscoverRequest as Discover, DiscoveryProbe as Probe, GetPoliciesRequest as Policies,
        SecurityTokenRequest as Token, TermsOfUse as Terms,
    };
    let detail = |error: &str| fault(OnPremise, Token, "s:Authorization", error);
    let word = |subcode: &str| fault(OnPremise, Token, subcode, "");
    let silent = |golden, kind| Play::of(golden).until(kind);
    let cases: Vec<(&str, Play, &str)> = vec![
        ("device cap", detail("DeviceCapReached"), "device-cap-reached"),
        ("platform blocked", detail("DeviceNotSupported"), "platform-blocked"),
        ("home edition", home(detail("DeviceNotSupported")), "home-edition"),
        ("not supported", detail("NotSupported"), "kind-not-supported"),
        ("maintenance", detail("InMaintenance"), "in-maintenance"),
        ("licence", detail("UserLicense"), "no-licence"),
        ("enrollment data", detail("InvalidEnrollmentData"), "server-settings"),
        ("terms blob", fault(Entra, Token, "s:Authorization", "InvalidEnrollmentData"), "terms-blob"),
        ("custom error", detail("CustomServerError"), "custom-error"),
        ("renewal refused", fault(Renewal, Token, "s:Authorization", "NotEligibleToRenew"), "renewal-window"),
        ("authorization", word("s:Authorization"), "no-right"),
        ("authorization at home", home(word("s:Authorization")), "home-edition"),
        ("certificate request", word("s:CertificateRequest"), "template"),
        ("server", word("s:EnrollmentServer"), "server-failed"),
        ("unhandled", word("a:InternalServiceFault"), "unhandled"),
        ("format", word("s:MessageFormat"), "message-format-fault"),
        ("password", fault(OnPremise, Policies, "s:Authentication", ""), "password-refused"),
        ("federated token", fault(Federated, Policies, "s:Authentication", ""), "token-refused"),
        ("entra token", fault(Entra, Policies, "s:Authentication", ""), "token-refused"),
        ("security header", fault(OnPremise, Policies, "a:InvalidSecurity", ""), "credential-kind"),
        ("version", newer(fault(OnPremise, Discover, "a:InternalServiceFault", "")), "version-refused"),
        ("version, by format", newer(fault(OnPremise, Discover, "s:MessageFormat", "")), "version-refused"),
        ("version, by status", newer(status(Discover, 500)), "version-refused"),
        ("400", status(Discover, 400), "refused-by-front-end"),
        ("401", status(Discover, 401), "http-authentication"),
        ("403", status(Discover, 403), "forbidden"),
        ("404", status(Discover, 404), "path-missing"),
        ("429", status(Policies, 429), "http-too-many"),
        ("500", status(Policies, 500), "http-server-failed"),
        ("502", status(Policies, 502), "gateway"),
        ("503", status(Policies, 503), "unavailable"),
        ("504", status(Policies, 504), "gateway-timeout"),
        ("dropped again and again", status(Token, 500).again(), "request-dropped"),
        (
            "nobody answers",
            silent(OnPremise, Policies).each(Policies, |exchange| exchange.response = None),
            "server-dropped",
        ),
        ("our 502", Play::broken("OWN-001").until(Discover), "gateway"),
        ("a redirect in the clear", Play::broken("DISC-GET-003").until(Probe), "consent"),
        ("a key that does not fit", mismatch(), "request-does-not-fit"),
        ("chunked", Play::broken("HTTP-001").until(Discover), "chunked"),
        ("empty answer", Play::broken("HTTP-004").until(Discover), "empty-answer"),
        ("not SOAP", Play::broken("SOAP-014").until(Discover), "not-the-service"),
        ("two hosts", Play::broken("DISC-RSP-011").until(Discover), "other-host"),
        ("wrong key", Play::broken("PROV-CS-004").until(Token), "document-wrong-key"),
        ("wrong store", Play::broken("PROV-CS-001").until(Token), "document-wrong-store"),
        ("thumbprint", Play::broken("PROV-CS-003").until(Token), "document-certificates"),
        ("account", Play::broken("PROV-W7-001").until(Token), "document-account"),
        ("provider id", Play::broken("PROV-DM-001").until(Token), "two-provider-ids"),
        ("document", Play::broken("PROV-003").until(Token), "document-unreadable"),
        ("terms that take no token", Play::broken("ENTRA-010").until(Terms), "terms-token"),
        ("nothing after the terms", silent(Entra, Terms), "mdm-application"),
        ("nothing after the probe", silent(OnPremise, Probe), "user-stopped"),
        ("no password", silent(OnPremise, Discover), "no-password"),
        ("no certificate to sign in with", silent(Certificate, Discover), "certificate-missing"),
        ("no sign-in page", silent(Federated, Discover), "sign-in-page-unreachable"),
        ("stuck at the sign-in page", silent(Federated, AuthPage), "user-stopped"),
        ("a page without a token", Play::broken("AUTH-006").until(AuthPage), "sign-in-page-does-not-post"),
        ("no key", silent(OnPremise, Policies), "key-attributes"),
        ("attestation must succeed", Play::broken("POL-RSP-013").until(Policies), "tpm"),
        ("no first sync", silent(OnPremise, Token), "addr-elsewhere"),
        ("no first sync at home", home(silent(OnPremise, Token)), "document-home-edition"),
    ];
    let mut wrong = Vec::new();
    for (name, play, wanted) in cases {
        let (enrollment, reasons) = play.reasons();
        let told: Vec<_> =
            reasons.iter().map(|r| (r.cause.id.clone().unwrap_or_default(), r.certainty.word())).collect();
        if told.first().is_none_or(|(id, _)| id != wanted) {
            wrong.push(format!(
                "{name}: {wanted} is not on top of {told:?}; {} {:?} {:?}",
                enrollment.outcome.word(),
                enrollment.stage,
                enrollment.cause
            ));
        }
        assert!(
            reasons.iter().all(|r| !r.evidence.is_empty() && r.evidence[0].1 != Default::default()),
            "{name}"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_failed_ones_have_in_common_is_told_with_its_numbers() {
    let failed = status(Kind::GetPoliciesRequest, 500).judged(3_600_000);
    let enrolled = Play::of(Golden::OnPremise).judged(1_000);
    assert_eq!((failed.outcome.word(), enrolled.outcome.word()), ("failed", "enrolled"));
    let one = |like: &Enrollment, n: usize, build: &str, subnet: usize| {
        let mut one = like.clone();
        one.os_version = Some(format!("10.0.{build}.{n}"));
        one.address = format!("192.0.{subnet}.{n}");
        one.user = Some(format!("user{n}@contoso.example"));
        one
    };
    let mut all: Vec<_> = (0..31).map(|n| one(&failed, n, "26200", n % 3)).collect();
    all.extend((0..2).map(|n| one(&enrolled, n, "26200", n % 3)));
    all.extend((0..238).map(|n| one(&enrolled, n, "22631", n % 3)));
    let told = common(all.iter());
    assert_eq!(told[0].words(), "Windows build 26200: 31 of 31 that failed, 2 of 240 that enrolled");
    assert!(
        told.iter().all(|common| common.attribute != "subnet" && common.attribute != "domain of the user")
    );
    // Any group against the others: those of the second subnet that failed.
    let told = common_of(all.iter(), |e| e.outcome.word() == "failed" && e.address.starts_with("192.0.1."));
    assert_eq!(told[0].words(), "Windows build 26200: 10 of 10 of these, 23 of 261 of the others");
    let few = [&all[..3], &all[33..37]].concat();
    let told = common(few.iter());
    assert_eq!(
        told[0].words(),
        "Windows build 26200: 3 of 3 that failed, 0 of 4 that enrolled; these are few"
    );
    assert!(common(all[..31].iter()).is_empty() && common(all[31..].iter()).is_empty());
}

#[test]
fn what_goes_well_or_goes_on_has_no_causes() {
    for golden in [Golden::OnPremise, Golden::Federated, Golden::Entra, Golden::Certificate, Golden::Renewal]
    {
        let (enrollment, reasons) = Play::of(golden).reasons();
        assert!(reasons.is_empty(), "{golden:?}: {} {reasons:?}", enrollment.verdict);
    }
    let waiting = Play::of(Golden::OnPremise).until(Kind::GetPoliciesRequest).judged(1_000);
    assert!(reasons(&waiting).is_empty());
}

#[test]
fn a_certificate_without_a_first_session_is_told_when_its_time_is_over() {
    let enrolled = |silence| Play::of(Golden::OnPremise).until(Kind::SecurityTokenRequest).judged(silence);
    assert!(!enrolled(60_000).signs.unsynced);
    let silent = enrolled(3_600_000);
    assert_eq!(silent.outcome.word(), "enrolled");
    assert!(silent.verdict.starts_with("Enrolled, and no management session came"), "{}", silent.verdict);
    assert!(reasons(&silent).iter().all(|reason| reason.certainty < Certainty::Certain));
}

#[test]
fn expected_devices_are_told_by_how_far_they_came() {
    let place = crate::binary::Place::new();
    let capture = crate::binary::committed("captures/demo");
    let args =
        |list: &str| place.run(&["check", capture.to_str().unwrap(), "--expect", list, "--format", "json"]);
    let all = args("none.csv");
    all.refused("none.csv");
    let told = place.run(&["check", capture.to_str().unwrap(), "--format", "json"]).json();
    assert!(told["expected"].is_null());
    let failed = told["enrollments"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["outcome"] == "failed" && !e["device_name"].is_null());
    let troubles = told["troubles"].as_array().unwrap();
    let counts: Vec<_> = troubles.iter().map(|trouble| trouble["count"].as_u64().unwrap()).collect();
    assert!(counts.is_sorted_by(|one, other| one >= other) && counts.iter().sum::<u64>() > 4, "{troubles:?}");
    assert!(troubles.iter().any(|trouble| trouble["id"] == "device-cap-reached"), "{troubles:?}");
    let name = failed.unwrap()["device_name"].as_str().unwrap().to_owned();
    // As a spreadsheet of Windows writes it.
    let list = format!("Computer name;UPN\r\n{};\r\nLAPTOP-7;zoe@contoso.example\r\n", name.to_lowercase());
    let wide: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(list.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for bytes in [list.as_bytes(), &wide] {
        place.put("l.csv", bytes);
        let ran = args("l.csv");
        assert_eq!(ran.code, 1);
        let told = ran.json();
        let summary = &told["expected"]["summary"];
        assert_eq!((&summary["failed"], &summary["not_seen"]), (&1.into(), &1.into()), "{summary}");
        assert_eq!(told["expected"]["devices"][0]["state"], "failed");
        assert!(told["expected"]["unseen"].as_array().unwrap().len() > 5);
    }
    // Windows-1252, and UTF-16 without its mark.
    place.put("w.csv", b"Device name\nJ\xDCRGEN-PC\n");
    assert!(place.run(&["check", capture.to_str().unwrap(), "--expect", "w.csv"]).out.contains("JÜRGEN-PC"));
    place.put(
        "n.csv",
        "Device name\nLAPTOP-7\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
    );
    assert!(place.run(&["check", capture.to_str().unwrap(), "--expect", "n.csv"]).out.contains("LAPTOP-7"));
    for (list, words) in [
        ("Device name;Device name\na;b\n".to_owned(), "there twice"),
        (format!("Device name\n\"{}", "x".repeat(5_000)), "not closed"),
        ("Device name\na\0b\n".to_owned(), "zero bytes"),
        (format!("Device name\n{}", "a\n".repeat(30_000)), "more than 20000"),
    ] {
        place.put("bad.csv", list);
        args("bad.csv").refused(words);
    }
    let human = place.run(&["check", capture.to_str().unwrap(), "--expect", "l.csv"]).out;
    assert!(human.contains("not seen     LAPTOP-7 (line 3)") && human.contains("MDM user scope"), "{human}");
    place.put("s.csv", "Serial number\n1\n");
    args("s.csv").refused("no message of an enrollment carries it");
}

#[test]
fn who_is_stuck_is_told_for_how_long_and_what_did_not_come() {
    let stuck = |golden, kind, silence| {
        let enrollment = Play::of(golden).until(kind).judged(silence);
        told(&enrollment, enrollment.latest.plus_millis(silence))
    };
    let page = stuck(Golden::Federated, Kind::AuthPage, 310_000);
    assert!(page.starts_with("Stuck at Sign-in for 5 min 10 s: "), "{page}");
    // The golden's last page hands the token over.
    assert!(page.contains("a token was handed over, and no policy request came"), "{page}");
    let mut page = Play::of(Golden::Federated);
    let first = page.0.iter().position(|event| Play::kind(event) == Some(Kind::AuthPage)).unwrap();
    page.0.truncate(first + 1);
    let page = page.judged(400_000);
    let words = told(&page, page.latest.plus_millis(7_500_000));
    assert!(
        words.starts_with("Stuck at Sign-in for 2 h 5 min: the page was fetched, and no token"),
        "{words}"
    );
    // Once it is told, it is told.
    let mut again = page.clone();
    again.verdict.clone_from(&words);
    assert_eq!(told(&again, page.latest.plus_millis(9_000_000)), words);
    let well = Play::of(Golden::OnPremise).judged(1_000);
    assert_eq!(told(&well, well.latest.plus_millis(9_000_000)), well.verdict);
}

#[test]
fn the_document_says_when_a_first_session_is_overdue() {
    let with = |minutes: &str, silence: i64| {
        let interval = format!("name=\"IntervalForFirstSetOfRetries\" value=\"{minutes}\"");
        let mut scene = Scene(golden::of(Golden::OnPremise));
        scene.document("name=\"IntervalForFirstSetOfRetries\" value=\"", "\"", &interval);
        Play(scene.0).until(Kind::SecurityTokenRequest).judged(silence * 60_000).signs.unsynced
    };
    assert!(!with("15", 29) && with("15", 31));
    assert!(!with("60", 119) && with("60", 121));
    // Nonsense is bounded.
    assert!(!with("1", 4) && with("1", 6) && with("4000000000", 721));
}

#[test]
fn devices_are_compared_in_what_is_on_the_wire() {
    let enrolled = Play::of(Golden::OnPremise).judged(1_000);
    let traits: Vec<_> = enrolled.signs.traits.iter().map(|(name, value)| (*name, &**value)).collect();
    for wanted in [
        ("EnrollmentType", "Full"),
        ("NotInOobe", "true"),
        ("TLS of the device", "TLSv1.3"),
        ("key", "RSA 2048"),
        ("request signed with", "sha256WithRSAEncryption"),
    ] {
        assert!(traits.contains(&wanted), "{wanted:?}: {traits:?}");
    }
    assert!(traits.iter().any(|(name, _)| *name == "server node"), "{traits:?}");
}

#[test]
fn what_the_device_shows_is_told_with_how_sure_that_is() {
    let shown = |play: Play| on_device(&play.judged(3_600_000)).unwrap().words();
    let cap = shown(Play::of(Golden::Refused));
    assert!(cap.starts_with("0x80180013 on the screen (documented); in the event log, Admin: "), "{cap}");
    let thumbprint = shown(Play::broken("PROV-CS-003").until(Kind::SecurityTokenRequest));
    assert!(thumbprint.contains("Enrollment: event 56") && thumbprint.contains("(observed)"), "{thumbprint}");
    let entra = fault(Golden::Entra, Kind::GetPoliciesRequest, "s:Authentication", "");
    assert!(shown(entra).contains("event 76 (Auto MDM Enroll: Failed)"));
    let stuck = shown(Play::of(Golden::OnPremise).until(Kind::GetPoliciesRequest));
    assert!(stuck.starts_with("in the event log, Admin: entries at that time (inferred)"), "{stuck}");
    assert!(on_device(&Play::of(Golden::OnPremise).judged(1_000)).is_none());
}

#[test]
fn a_proxy_says_in_the_end_who_did_not_come() {
    let place = crate::binary::Place::new();
    place.put_certificate();
    place.put("l.csv", "Device name\nLAPTOP-7\n");
    let args = ["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let more = ["--upstream", "https://localhost:1", "--no-capture", "--expect", "l.csv"];
    let (_, err) = place.start(&[&args[..], &more].concat(), 1).stop();
    assert!(
        err.contains("1 devices expected: 0 enrolled, 0 arrived, 0 failed, 1 not seen (LAPTOP-7)"),
        "{err}"
    );
    let more = ["--upstream", "https://localhost:1", "--no-capture", "--expect", "none.csv"];
    place.run(&[&["proxy", "--headless"], &args[..], &more].concat()).refused("none.csv");
}

#[test]
fn refused_handshakes_have_causes_by_what_was_shown() {
    let connection = |rule: &str, example: usize| {
        let example = &rules::by_id(rule).unwrap().examples[example];
        let events = golden::with_edit(example.golden, &example.edit).unwrap();
        let found = events.into_iter().find_map(|event| match event {
            Event::Connection(connection) => Some(Connection::clone(&connection)),
            _ => None,
        });
        found.unwrap()
    };
    let distrusted = connection("TLS-001", 0);
    let alone = Connection { chain: distrusted.chain[..1].to_vec(), ..distrusted.clone() };
    let elsewhere = Connection { sni: Some("mail.contoso.example".to_owned()), ..distrusted.clone() };
    let late = Connection { at: distrusted.at.plus_millis(30 * 366 * 86_400_000), ..distrusted.clone() };
    let expired = connection("TLS-003", 0);
    let long_ago = Connection { at: late.at, ..expired.clone() };
    let because = |reason| Connection { reason: Some(reason), ..distrusted.clone() };
    let old =
        because(Reason::Refused("the device offers TLSv1.0 only; enrollscope speaks TLSv1.2".to_owned()));
    for (connection, id, certainty) in [
        (&distrusted, "tls-not-trusted", "likely"),
        (&alone, "tls-incomplete", "likely"),
        (&elsewhere, "tls-name", "certain"),
        (&late, "tls-expired", "certain"),
        (&connection("TLS-008", 0), "tls-not-trusted", "likely"),
        (&expired, "device-clock", "likely"),
        (&long_ago, "tls-expired", "certain"),
        (&old, "tls-old", "certain"),
        (&because(Reason::ClosedInHandshake), "middlebox", "possible"),
    ] {
        let told = refusals(connection);
        let (_, cause, sure) = told.first().unwrap_or_else(|| panic!("{id}"));
        assert_eq!((cause.id.as_deref(), sure.word()), (Some(id), certainty));
    }
    for nobodys in [Reason::Unwanted("as configured".to_owned()), Reason::PlainHttp, Reason::Garbage] {
        assert!(refusals(&because(nobodys)).is_empty());
    }
    let opened = Connection { event: ConnectionEvent::Opened, reason: None, ..distrusted };
    assert!(refusals(&opened).is_empty());
    let place = crate::binary::Place::new();
    let capture = crate::binary::committed("captures/demo/certificate-distrusted.jsonl");
    let human = place.run(&["check", capture.to_str().unwrap()]).out;
    assert!(
        human.contains("Connections that came to nothing\n     1 × likely: The root is not trusted"),
        "{human}"
    );
}
