//! Rules that compare a message with what was said earlier in the same enrollment.

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Edit, Example, Golden, Rule, Severity, Step, Subject};
use super::soap::host_of;
use super::spec::{Cite, Spec};
use crate::message::Kind;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "SEQ-003",
        name: "sent-to-unadvertised-address",
        severity: Severity::WARNING,
        subject: Subject::FrontEnd,
        requirement: "GetPolicies and RequestSecurityToken go to the addresses of the discovery answer.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "3.1.4.1.3.2",
            "The value of <EnrollmentServiceUrl> is the address of the DS",
        )],
        consequence: "Something on the way redirects or rewrites, and the server may refuse what it did not expect.",
        remedy: "Look for a front end that changes paths or names.",
        hresult: None,
        check: Check::Request(|cx| {
            let answer = cx.earlier.answer.as_ref();
            let advertised = match cx.request.kind {
                Kind::GetPoliciesRequest => answer.map(|a| a.policy_url.as_str()),
                Kind::SecurityTokenRequest => answer.map(|a| a.enrollment_url.as_str()),
                _ => None,
            };
            let to = cx.request.soap.as_ref().and_then(|s| s.to.as_ref());
            let (Some(advertised), Some(to)) = (advertised.filter(|a| !a.is_empty()), to) else {
                return Verdict::Skip;
            };
            Verdict::check(same_url(advertised, &to.value), || {
                cx.fail(&to.spot, advertised, to.value.clone())
            })
        }),
        needs: &["SOAP-011"],
        examples: &[Example::response(
            Step::Discover,
            "Envelope/Body/DiscoverResponse/DiscoverResult/EnrollmentServiceUrl",
            Change::Set("https://mdm.contoso.example/EnrollmentServer/Elsewhere.svc"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "SEQ-005",
        name: "enrollment-without-discovery",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "Discovery comes before policy and certificate.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "1.3",
            "The Discovery Service responds with a DiscoverResponse message",
        )],
        consequence: "The device discovered elsewhere, or on another address or connection; rules that compare are silent.",
        remedy: "See whether the discovery host passes through enrollscope.",
        hresult: None,
        check: Check::Request(|cx| {
            let later = matches!(cx.request.kind, Kind::GetPoliciesRequest | Kind::SecurityTokenRequest);
            if !later || cx.earlier.gap || !cx.has_head() {
                return Verdict::Skip;
            }
            let known = cx.earlier.offer.is_some() || cx.earlier.credential.is_some();
            Verdict::check(known, || cx.fail_head("target", "a Discover before", "none seen"))
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Drop(Step::Discover))],
        since: "0.1.0",
    },
    Rule {
        id: "SEQ-010",
        name: "other-device-than-discovered",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "ApplicationVersion is the same in Discover and RequestSecurityToken.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Programs without a compatibility manifest discover as 6.2.9200.",
        )],
        consequence: "A program enrolled the device, or two devices behind one address were taken for one.",
        remedy: "Compare user, address and time of the two messages.",
        hresult: None,
        check: Check::TokenRequest(|m, cx: &Context<'_>| {
            let offered =
                cx.earlier.offer.as_ref().map(|o| o.application_version.as_str()).filter(|v| !v.is_empty());
            let (Some(offered), Some(now)) = (offered, m.item("ApplicationVersion")) else {
                return Verdict::Skip;
            };
            Verdict::check(offered == now.value, || cx.fail(&now.spot, offered, now.value.clone()))
        }),
        needs: &["CTX-002"],
        examples: &[Example::request(
            Step::Token,
            "…/ContextItem[ApplicationVersion]/Value",
            Change::Set("10.0.19045.1"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "SEQ-012",
        name: "other-version-than-agreed",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "The context item RequestVersion is the version that Discover named, or that the server answered.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "A device that knows 9.0 says 5.0 where the server answered that, and 9.0 where it answered 3.0.",
        )],
        consequence: "The device goes by another version than the two agreed on.",
        remedy: "Look whether two devices were taken for one, or a program made the request.",
        hresult: None,
        check: Check::TokenRequest(|m, cx: &Context<'_>| {
            let (Some(offer), Some(answer)) = (&cx.earlier.offer, &cx.earlier.answer) else {
                return Verdict::Skip;
            };
            let Some(item) = m.item("RequestVersion").filter(|v| !v.is_empty()) else { return Verdict::Skip };
            let fits = item.value == offer.request_version || item.value == answer.version;
            Verdict::check(fits, || {
                let expected = format!("{} or {}", offer.request_version, answer.version);
                cx.fail(&item.spot, expected, item.value.clone())
            })
        }),
        needs: &["CTX-002"],
        examples: &[Example::request(Step::Token, "…/ContextItem[RequestVersion]/Value", Change::Set("6.0"))
            .on(Golden::Attestation)],
        since: "0.1.0",
    },
];

/// Scheme and host without case, default port optional, path without case (servers vary it).
fn same_url(one: &str, other: &str) -> bool {
    let parts = |url: &str| {
        let authority = host_of(url)?;
        let host = authority.strip_suffix(":443").unwrap_or(authority).to_ascii_lowercase();
        let path = url.split_once("://")?.1.get(authority.len()..)?.to_ascii_lowercase();
        Some((host, path.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned()))
    };
    parts(one).is_some() && parts(one) == parts(other)
}
