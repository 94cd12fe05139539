//! Rules on the GET with which a device looks for its server (MS-MDE2 3.1).

use super::check::{Check, Verdict};
use super::rule::{Change, Edit, Example, Level, Part, Rule, Severity, Step, Subject};
use super::soap::is_https_url;
use super::spec::{Cite, Spec};
use crate::event::{Side, header};
use crate::message::{Kind, names};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "DISC-GET-005",
        name: "probe-on-other-path",
        severity: Severity::WARNING,
        subject: Subject::FrontEnd,
        requirement: "A device that looks for its server by itself asks for /EnrollmentServer/Discovery.svc.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.1",
            "The path portion of the URL \"/EnrollmentServer/Discovery.svc\" is always constant.",
        )],
        consequence: "Whatever asks is no enrolling device, or a redirect led it elsewhere.",
        remedy: "Publish discovery on this path; case does not count.",
        hresult: None,
        check: Check::Request(|cx| {
            let request = &cx.exchange.request;
            let host = header(&request.headers, "Host").map(|h| h.text().to_ascii_lowercase());
            let found = host.is_some_and(|host| host.starts_with("enterpriseenrollment."));
            if cx.request.kind != Kind::DiscoveryProbe || !found {
                return Verdict::Skip;
            }
            let path = request.target.split(['?', '#']).next().unwrap_or_default();
            Verdict::check(path.eq_ignore_ascii_case(names::DISCOVERY_PATH), || {
                cx.fail_head("target", names::DISCOVERY_PATH, path)
            })
        }),
        needs: &[],
        examples: &[Example::part(
            Step::Probe,
            Side::Request,
            Part::Target,
            Change::Set("/mdm/Discovery.svc"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-GET-004",
        name: "probe-in-the-clear",
        // The same page shows an http address as the first one: the order alone proves nothing.
        severity: Severity { field: Level::Info, strict: Level::Warning },
        subject: Subject::FrontEnd,
        requirement: "The device finds its server over https, and does not have to look for a redirect on port 80.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "When the server certificate is not trusted, the device tries http to see whether it is redirected.",
        )],
        consequence: "Most likely the device does not trust the certificate on port 443, or nobody answered there.",
        remedy: "See what became of its connections to port 443, and have the device trust the certificate there.",
        hresult: None,
        check: Check::Request(|cx| {
            let Some(connection) = cx.connection.filter(|_| cx.request.kind == Kind::DiscoveryProbe) else {
                return Verdict::Skip;
            };
            // Behind a front end that ends TLS it is not the device that comes without.
            let relayed = || RELAYED.iter().any(|name| header(&cx.exchange.request.headers, name).is_some());
            let introduced = connection.via.is_some();
            if introduced || cx.exchange.front.is_some() || relayed() {
                return Verdict::Skip;
            }
            Verdict::check(connection.tls.is_some() || !connection.listener.starts_with("http://"), || {
                cx.fail_head("target", "a probe over https", format!("one on {}", connection.listener))
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Connection("in-the-clear"))],
        since: "0.1.0",
    },
    Rule {
        id: "DISC-GET-003",
        name: "probe-redirected-in-the-clear",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "Where the probe is redirected, it is to an https address.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "The device asks its user whether to follow a redirect.",
        )],
        consequence: "The user is asked, and the device follows over a connection that anybody can read and change.",
        remedy: "Redirect to https, with a certificate that devices trust.",
        hresult: None,
        check: Check::Response(|response, cx| {
            if cx.request.kind != Kind::DiscoveryProbe {
                return Verdict::Skip;
            }
            if !(300..400).contains(&response.status) {
                return Verdict::Pass;
            }
            let to = header(&response.headers, "Location").map(|h| h.text().into_owned()).unwrap_or_default();
            Verdict::check(is_https_url(&to), || cx.fail_head("Location", "https://HOST/PATH", to.clone()))
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Several(&[
            answered(Part::Status, "302"),
            answered(Part::Header("Location"), "http://mdm.contoso.example/EnrollmentServer/Discovery.svc"),
        ]))],
        since: "0.1.0",
    },
];

/// What load balancers and proxies add.
const RELAYED: &[&str] = &["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via"];

const fn answered(part: Part, value: &'static str) -> Edit {
    Edit::Message { step: Step::Probe, side: Side::Response, part, at: "", change: Change::Set(value) }
}
