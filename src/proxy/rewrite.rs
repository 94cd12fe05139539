//! `--rewrite`: between the server's origin and ours in discovery answers and addressing headers; pure, exact outside the
//! spans that it names, and never in a signed message.

use std::ops::Range;

use crate::net::Origin;
use crate::xml::{Document, Element};

/// MS-MDE2 3.1.4.1: where discovery sends the device next.
const SERVICE_URLS: &[&str] =
    &["EnrollmentPolicyServiceUrl", "EnrollmentServiceUrl", "AuthenticationServiceUrl"];

/// A body that was changed, and how, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) body: Vec<u8>,
    pub(super) details: Vec<String>,
}

/// A discovery answer whose service URLs lead to `to` instead of `from`; nothing when there is nothing to change.
pub(super) fn discovery(body: &[u8], from: &Origin, to: &Origin) -> Option<Rewritten> {
    let document = Document::read(body);
    let response = document.elements().find(|e| e.local() == "DiscoverResponse")?;
    let urls = response.descendants().filter(|e| SERVICE_URLS.contains(&e.local()));
    apply(body, &document, urls, from, to)
}

/// A request whose WS-Addressing `To` names `to` instead of `from`.
pub(super) fn addressing(body: &[u8], from: &Origin, to: &Origin) -> Option<Rewritten> {
    let document = Document::read(body);
    let header = document.root()?.child("Header")?;
    apply(body, &document, header.children_named("To"), from, to)
}

/// An absolute URL with another origin; nothing when it is not of that origin.
pub(super) fn url(text: &str, from: &Origin, to: &Origin) -> Option<String> {
    let origin = origin_span(text, from)?;
    let rest = text.get(origin.end..)?;
    Some(format!("{}{to}{rest}", text.get(..origin.start)?))
}

fn apply<'d>(
    body: &[u8],
    document: &'d Document,
    elements: impl Iterator<Item = Element<'d>>,
    from: &Origin,
    to: &Origin,
) -> Option<Rewritten> {
    // Any change would break the signature, and a device that checks it stops.
    if document.elements().any(|e| e.local() == "Signature") {
        return None;
    }
    let text = document.source().text();
    let mut out = body.to_vec();
    let mut details = Vec::new();
    let mut changes: Vec<(Range<usize>, &str)> = elements
        .filter_map(|element| {
            let content = element.text_span();
            let origin = origin_span(text.get(content.clone())?, from)?;
            Some((content.start + origin.start..content.start + origin.end, element.local()))
        })
        .collect();
    // From the back, so that the spans before stay true.
    changes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    for (span, name) in changes {
        let raw = document.source().raw_offset(span.start)..document.source().raw_offset(span.end);
        // Only where the text lies in the bytes as it is: UTF-16 is left alone.
        if body.get(raw.clone()) != text.get(span).map(str::as_bytes) {
            continue;
        }
        out.splice(raw, to.to_string().into_bytes());
        details.push(format!("{name}: {from} became {to}"));
    }
    details.reverse();
    (!details.is_empty()).then_some(Rewritten { body: out, details })
}

/// Where `scheme://host[:port]` stands in an absolute URL of that origin.
fn origin_span(text: &str, origin: &Origin) -> Option<Range<usize>> {
    let start = text.len() - text.trim_start().len();
    let url = text.get(start..)?;
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.trim_end().len());
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let found = Origin::from_authority(secure, rest.get(..end)?)?;
    (found == *origin).then(|| start..start + scheme.len() + 3 + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().unwrap()
    }

    #[test]
    fn only_urls_of_the_server_are_led_to_us() {
        let (server, public) = (origin("https://mdm.corp.example"), origin("https://inspect.example:8443"));
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(url(text, &server, &public).as_deref(), expected, "{text}");
        };
        check("https://mdm.corp.example/a?b#c", Some("https://inspect.example:8443/a?b#c"));
        check("HTTPS://MDM.corp.example:443", Some("https://inspect.example:8443"));
        check("https://mdm.corp.example?x=/", Some("https://inspect.example:8443?x=/"));
        check(" https://mdm.corp.example/ ", Some(" https://inspect.example:8443/ "));
        check("http://mdm.corp.example/", None);
        check("https://mdm.corp.example:444/", None);
        check("https://mdm.corp.example.evil/", None);
        check("https://user@mdm.corp.example/", None);
        check("/relative", None);
        check("ms-app://mdm.corp.example/", None);
    }

    const ANSWER: &str = "\u{feff}<?xml version=\"1.0\"?><s:Envelope><s:Body><DiscoverResponse><DiscoverResult>\
        <AuthPolicy>Federated</AuthPolicy><!-- EnrollmentServiceUrl https://mdm.example/ -->\
        <AuthenticationServiceUrl>https://login.example/x</AuthenticationServiceUrl>\
        <x:EnrollmentPolicyServiceUrl >\n  https://MDM.example:443/p?a=1&amp;b=2 </x:EnrollmentPolicyServiceUrl>\
        <EnrollmentServiceUrl>https://mdm.example/e</EnrollmentServiceUrl>\
        <Other>https://mdm.example/o</Other></DiscoverResult></DiscoverResponse></s:Body></s:Envelope>";

    #[test]
    fn a_discovery_answer_is_exact_outside_the_origins() {
        let (server, public) = (origin("https://mdm.example"), origin("http://127.0.0.1:8080"));
        let rewritten = discovery(ANSWER.as_bytes(), &server, &public).unwrap();
        let expected = ANSWER
            .replace("https://MDM.example:443/p", "http://127.0.0.1:8080/p")
            .replace("https://mdm.example/e", "http://127.0.0.1:8080/e");
        assert_eq!(String::from_utf8(rewritten.body).unwrap(), expected);
        assert_eq!(rewritten.details.len(), 2);
        assert!(
            rewritten.details[0]
                .starts_with("EnrollmentPolicyServiceUrl: https://mdm.example became http://127")
        );
    }

    #[test]
    fn a_signed_message_is_never_touched() {
        let (server, public) = (origin("https://mdm.example"), origin("http://127.0.0.1:8080"));
        let signed = ANSWER.replace("<s:Body>", "<s:Header><ds:Signature/></s:Header><s:Body>");
        assert_eq!(discovery(signed.as_bytes(), &server, &public), None);
        assert_eq!(discovery(b"<html>https://mdm.example</html>", &server, &public), None);
        assert_eq!(discovery(b"", &server, &public), None);
    }

    #[test]
    fn a_request_is_addressed_to_the_server() {
        let request = "<s:Envelope><s:Header><a:To s:mustUnderstand=\"1\">https://us.example:8443/D.svc</a:To></s:Header>\
                       <s:Body><To>https://us.example:8443/</To></s:Body></s:Envelope>";
        let (public, server) = (origin("https://us.example:8443"), origin("https://mdm.example"));
        let rewritten = addressing(request.as_bytes(), &public, &server).unwrap();
        let expected = request.replacen("https://us.example:8443", "https://mdm.example", 1);
        assert_eq!(String::from_utf8(rewritten.body).unwrap(), expected);
    }
}
