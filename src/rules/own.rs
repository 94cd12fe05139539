//! What the tool itself changed, could not do, or got wrong.

use super::check::{Check, Context, Verdict};
use super::rule::{Edit, Example, Rule, Severity, Subject};
use super::soap::fail_defect;
use super::spec::{Cite, Spec};
use super::stores::fail_provisioned_defect;
use crate::event::{Framing, Side, Version};
use crate::message::Spot;
use crate::xml::{Defect, Document};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "OWN-001",
        name: "server-gave-no-answer",
        severity: Severity::ERROR,
        subject: Subject::Server,
        requirement: "The server gives an answer that can be passed on.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "In its place enrollscope answers 502 or 504, which devices show as 0x801901F6 or 0x801901F8.",
        )],
        consequence: "The device gets an error message of enrollscope instead of an answer, and stops.",
        remedy: "See what went wrong on the way to the server; the answer says it.",
        hresult: None,
        check: Check::Response(|response, cx| {
            let why = cx.exchange.upstream.as_ref().and_then(|u| u.error.clone());
            Verdict::check(!response.is_in_place(), || {
                let found = why.unwrap_or_else(|| "a request that was refused".to_owned());
                cx.fail_head("status", "the server's answer", found)
                    .with_hresult(0x8019_0000 | u32::from(response.status))
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("unreachable"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-002",
        name: "answer-rewritten",
        severity: Severity::INFO,
        subject: Subject::Enrollscope,
        requirement: "What the device gets is what the server sent.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "With --rewrite, addresses in discovery answers become enrollscope's own.",
        )],
        consequence: "The device keeps enrollscope's address, also for renewal.",
        remedy: "Use the server's own name by DNS where the rewriting is not wanted.",
        hresult: None,
        check: Check::Response(|_, cx| {
            let rewritten =
                cx.exchange.changes.iter().find(|c| c.what == "rewrite" && c.side == Side::Response);
            rewritten.map_or(Verdict::Pass, |change| {
                let root = cx.message.document.as_ref().and_then(|d| d.root()).map(|r| Spot::tag(&r));
                match root {
                    Some(root) => cx.fail(&root, "the server's own text", change.detail.clone()),
                    None => cx.fail_head("Location", "the server's own text", change.detail.clone()),
                }
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("rewritten"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-003",
        name: "server-certificate-not-verified",
        severity: Severity::WARNING,
        subject: Subject::Enrollscope,
        requirement: "The server's certificate was verified.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "With --upstream-insecure a certificate passes that devices would refuse.",
        )],
        consequence: "Nobody knows who answers, and without enrollscope in the path devices may refuse the server.",
        remedy: "Give the authority with --upstream-ca instead of --upstream-insecure.",
        hresult: None,
        check: Check::Response(|_, cx| {
            let Some(upstream) = cx.exchange.upstream.as_ref().filter(|u| u.tls.is_some()) else {
                return Verdict::Skip;
            };
            Verdict::check(upstream.verified, || {
                cx.fail_head(
                    "status",
                    "a trusted server certificate",
                    format!("an unverified one of {}", upstream.origin),
                )
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("unverified"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-004",
        name: "not-read-in-full",
        severity: Severity::WARNING,
        subject: Subject::Enrollscope,
        requirement: "The message is within what enrollscope reads.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "It reads 1 MiB of a message, 64 levels, 128 attributes of an element, 256 namespaces and 65,536 nodes.",
        )],
        consequence: "What follows was passed on, but not judged; what is found missing may stand there.",
        remedy: "See what makes the message so large; do not rely on other findings about it.",
        hresult: None,
        check: Check::Xml(|document, cx| {
            if let Some(defect) = limit(document) {
                return fail_defect(document, cx, defect, EXPECTED);
            }
            let provisioning = cx.message.provisioning().map(|inner| &inner.document);
            let found = provisioning.and_then(|inner| Some((inner, limit(inner)?)));
            found
                .map_or(Verdict::Pass, |(inner, defect)| fail_provisioned_defect(inner, cx, defect, EXPECTED))
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("long"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-005",
        name: "tls-healed",
        severity: Severity::INFO,
        subject: Subject::Enrollscope,
        requirement: "What the server's TLS chose with enrollscope is something that the device offers, too.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "enrollscope speaks newer versions and ciphers with the server than an old device might.",
        )],
        consequence: "The device enrolls through enrollscope, and may fail in the handshake without it.",
        remedy: "Let the server offer what this device offers, or update the device, before enrollscope is taken away.",
        hresult: None,
        check: Check::DiscoverResponse(|_, cx| {
            let offered = cx.connection.and_then(|connection| connection.offered.as_ref());
            let chosen = cx.exchange.upstream.as_ref().and_then(|upstream| upstream.tls.as_ref());
            let (Some(offered), Some(chosen)) = (offered, chosen) else { return Verdict::Skip };
            // It is the front end that offers, and not the device.
            if cx.exchange.front.is_some() {
                return Verdict::Skip;
            }
            let Some(number) = suite(&chosen.cipher) else { return Verdict::Skip };
            let fits = offered.versions.contains(&chosen.version) && offered.ciphers.contains(&number);
            Verdict::check(fits, || {
                let found = format!("{} with {}", chosen.version, chosen.cipher);
                cx.fail_head("status", "a version and a cipher that the device offers", found)
            })
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("newer-tls"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-006",
        name: "http-version-changed",
        severity: Severity::INFO,
        subject: Subject::Enrollscope,
        requirement: "The server gets a request in the version of HTTP in which the device sent it.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "A device that was offered HTTP/2 is served when its server speaks nothing but HTTP/1.1 by now, too.",
        )],
        consequence: "The enrollment goes on all the same; without enrollscope the device would speak HTTP/1.1.",
        remedy: "Nothing is to be done; to see whether it makes a difference, compare with --http2 off.",
        hresult: None,
        check: Check::Once(|cx| unchanged(cx, "version", "one version of HTTP on both sides")),
        needs: &[],
        examples: &[Example::edit(Edit::Own("version"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-007",
        name: "chunked-answer-joined",
        severity: Severity::WARNING,
        subject: Subject::Enrollscope,
        requirement: "The answer to a request of HTTP/1.0 has no chunks.",
        cites: &[Cite::must(
            Spec::Rfc9112,
            "6.1",
            "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request indicates \
             HTTP/1.1 (or later minor revisions).",
        )],
        consequence: "enrollscope joined the chunks, which whoever speaks HTTP/1.0 takes for the message without it.",
        remedy: "Have the front end speak HTTP/1.1 (nginx: proxy_http_version 1.1), or the server send a Content-Length.",
        hresult: None,
        check: Check::Once(|cx| {
            let old = cx.exchange.request.version == Version::Http10;
            let answer = cx.exchange.response.as_ref();
            let chunked = answer.is_some_and(|r| r.body.framing == Framing::Chunked);
            Verdict::check(!old || !chunked, || unchanged(cx, "hop-by-hop", "an answer without chunks"))
        }),
        needs: &[],
        examples: &[Example::edit(Edit::Own("joined")).also(&["HTTP-001"])],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-008",
        name: "chunks-changed",
        severity: Severity::INFO,
        subject: Subject::Enrollscope,
        requirement: "The chunks of a body pass as they were cut, with what stands beside their sizes.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Chunks are read and written anew: their boundaries may move, and extensions are lost.",
        )],
        consequence: "Who minds where chunks end, against the rules, may fail or work otherwise without enrollscope.",
        remedy: "Send bodies with a Content-Length, as devices want it in any case.",
        hresult: None,
        check: Check::Once(|cx| unchanged(cx, "chunk-boundaries", "the chunks as they came")),
        needs: &[],
        examples: &[Example::edit(Edit::Own("chunk-boundaries"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-009",
        name: "folded-header-joined",
        severity: Severity::WARNING,
        subject: Subject::Enrollscope,
        requirement: "Each header stands on one line.",
        cites: &[Cite::must(
            Spec::Rfc9112,
            "5.2",
            "A sender MUST NOT generate a message that includes line folding.",
        )],
        consequence: "enrollscope joined the lines; without it the other side may refuse the message.",
        remedy: "See what folds headers (the device, the server or something between), and have it send one line.",
        hresult: None,
        check: Check::Once(|cx| unchanged(cx, "folded-line", "headers on one line")),
        needs: &[],
        examples: &[Example::edit(Edit::Own("folded-line"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-010",
        name: "interim-answer-not-the-servers",
        severity: Severity::INFO,
        subject: Subject::Enrollscope,
        requirement: "What a device hears before the answer is what the server says.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "enrollscope says 100 Continue itself, and passes no other interim answer on.",
        )],
        consequence: "Without enrollscope the device waits for the server's word, and may be refused before it sends all.",
        remedy: "Nothing is to be done; if it fails without enrollscope only, see what the server makes of Expect.",
        hresult: None,
        check: Check::Once(|cx| unchanged(cx, "100-continue", "the server's own word")),
        needs: &[],
        examples: &[Example::edit(Edit::Own("100-continue"))],
        since: "0.1.0",
    },
    Rule {
        id: "OWN-011",
        name: "one-address-for-all",
        severity: Severity::INFO,
        subject: Subject::Enrollscope,
        requirement: "The server can tell devices apart by their addresses.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "A reverse proxy connects to the server itself; servers limit requests by address, and log addresses.",
        )],
        consequence: "Where the server counts requests by address, devices may be refused that would not be without \
                      enrollscope; its log has enrollscope's address.",
        remedy: "Have the server told with --forwarded append, if it believes X-Forwarded-For from enrollscope; else \
                 nothing is to be done.",
        hresult: None,
        check: Check::Once(|cx| unchanged(cx, "one-address", "an address for each device")),
        needs: &[],
        examples: &[Example::edit(Edit::Own("one-address"))],
        since: "0.1.0",
    },
];

/// Fails where we noted a change of that name, with what we did.
fn unchanged(cx: &Context<'_>, what: &str, expected: &str) -> Verdict {
    let change = cx.exchange.changes.iter().find(|change| change.what == what);
    change.map_or(Verdict::Pass, |change| cx.fail_head("status", expected, change.detail.clone()))
}

/// The numbers of the suites that we speak with servers (IANA TLS parameters).
fn suite(name: &str) -> Option<u16> {
    Some(match name {
        "TLS_AES_128_GCM_SHA256" => 0x1301,
        "TLS_AES_256_GCM_SHA384" => 0x1302,
        "TLS_CHACHA20_POLY1305_SHA256" => 0x1303,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => 0xC02B,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => 0xC02C,
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => 0xC02F,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => 0xC030,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" => 0xCCA8,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" => 0xCCA9,
        _ => return None,
    })
}

const EXPECTED: &str = "no more than is read";

/// The first limit of ours that was reached.
fn limit(document: &Document) -> Option<&Defect> {
    document.defects().iter().find(|defect| defect.kind.is_limit())
}

/// Not part of the catalogue: no message breaks it, only we do. The engine raises it when a check or the reading of a
/// message panics; the traffic is not touched by it.
pub(crate) static PANIC: Rule = Rule {
    id: "OWN-000",
    name: "judgement-failed",
    severity: Severity::WARNING,
    subject: Subject::Enrollscope,
    requirement: "Every message can be judged.",
    cites: &[Cite::observed(Spec::Field, "", "A panic inside the engine is caught, and told here.")],
    consequence: "This exchange is recorded, but not judged in full.",
    remedy: "Please report it, with the redacted capture.",
    hresult: None,
    check: Check::Connection(|_| Verdict::Skip),
    needs: &[],
    examples: &[],
    since: "0.1.0",
};
