//! `--rewrite`: between servers' origins and ours in discovery answers, addressing headers, pages and, where asked for, the
//! management address; pure, exact outside the spans that it names, and never in a signed message.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use html5gum::{DefaultEmitter, Token, Tokenizer};

use crate::message::value_span;
use crate::net::Origin;
use crate::xml::{Document, Element, Source};

/// MS-MDE2 3.1.4.1: where discovery sends the device next.
const SERVICE_URLS: &[&str] =
    &["EnrollmentPolicyServiceUrl", "EnrollmentServiceUrl", "AuthenticationServiceUrl"];

/// Attributes by which a page leads to another.
const LINKS: &[&str] = &["href", "src", "action", "formaction"];

/// Origins, and what takes the place of each.
#[derive(Clone, Debug)]
pub(super) struct Names(Vec<(Origin, Origin)>);

/// A body that was changed, and how, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) body: Vec<u8>,
    pub(super) details: Vec<String>,
}

/// A change within a text: where, from what, to what, and what to call the place.
type Change<'n> = (Range<usize>, &'n Origin, &'n Origin, String);

impl Names {
    /// The first word on an origin counts; two origins are never given the same name.
    pub(super) fn new(pairs: impl IntoIterator<Item = (Origin, Origin)>) -> Self {
        let mut names: Vec<(Origin, Origin)> = Vec::new();
        for (from, to) in pairs {
            if from != to && !names.iter().any(|(known, given)| *known == from || *given == to) {
                names.push((from, to));
            }
        }
        Self(names)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An absolute URL with another origin; nothing when it is of none of these.
    pub(super) fn url(&self, text: &str) -> Option<(String, String)> {
        let (span, from, to) = self.find(text)?;
        let rest = text.get(span.end..)?;
        Some((format!("{}{to}{rest}", text.get(..span.start)?), format!("{from} became {to}")))
    }

    /// Where the origin of an absolute URL stands, if it is one of these.
    fn find(&self, text: &str) -> Option<(Range<usize>, &Origin, &Origin)> {
        let (span, origin) = origin_span(text)?;
        let (from, to) = self.0.iter().find(|(from, _)| *from == origin)?;
        Some((span, from, to))
    }

    /// A discovery answer whose service URLs lead elsewhere; nothing when there is nothing to change.
    pub(super) fn discovery(&self, body: &[u8]) -> Option<Rewritten> {
        let document = Document::read(body);
        let response = document.elements().find(|e| e.local() == "DiscoverResponse")?;
        let urls = response.descendants().filter(|e| SERVICE_URLS.contains(&e.local()));
        self.elements(body, &document, urls)
    }

    /// A request whose WS-Addressing `To` names another origin.
    pub(super) fn addressing(&self, body: &[u8]) -> Option<Rewritten> {
        let document = Document::read(body);
        let header = document.root()?.child("Header")?;
        self.elements(body, &document, header.children_named("To"))
    }

    /// A page whose links and forms lead elsewhere. Scripts are left alone: nobody knows what they do.
    pub(super) fn page(&self, body: &[u8]) -> Option<Rewritten> {
        let source = Source::of(body);
        let html = source.text();
        let mut emitter = DefaultEmitter::<usize>::new_with_span();
        emitter.naively_switch_states(true);
        let mut changes = Vec::new();
        for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
            let Token::StartTag(tag) = token else { continue };
            for name in LINKS {
                let Some(attribute) = tag.attributes.get(name.as_bytes()) else { continue };
                let value = value_span(html, attribute.span.start..attribute.span.end);
                changes.extend(self.change(html, value, name));
            }
        }
        spliced(body, &source, changes)
    }

    /// A token answer whose provisioning document has the device managed at another address (w7 APPLICATION's ADDR).
    pub(super) fn management(&self, body: &[u8]) -> Option<Rewritten> {
        let document = Document::read(body);
        if is_signed(&document) {
            return None;
        }
        let answer = document.elements().find(|e| e.local() == "RequestSecurityTokenResponse")?;
        let token = answer.descendants().find(|e| e.local() == "BinarySecurityToken")?;
        let span = token.text_span();
        let base64 = document.source().text().get(span.clone())?;
        let inner = STANDARD.decode(base64).ok()?;
        let provisioning = Document::read(&inner);
        let text = provisioning.source().text();
        let addresses = provisioning.elements().filter(|e| {
            e.local() == "parm" && e.attribute("name").is_some_and(|name| name.value() == "ADDR")
        });
        let values = addresses.filter_map(|parm| parm.attribute("value"));
        let changes = values.filter_map(|value| self.change(text, value.span(), "ADDR")).collect();
        let rewritten = spliced(&inner, provisioning.source(), changes)?;
        let raw = document.source().raw_offset(span.start)..document.source().raw_offset(span.end);
        // Only where the token lies in the bytes as it is: what could not be written back letter for letter stays.
        if body.get(raw.clone()) != Some(base64.as_bytes()) {
            return None;
        }
        let mut out = body.to_vec();
        out.splice(raw, STANDARD.encode(rewritten.body).into_bytes());
        Some(Rewritten { body: out, details: rewritten.details })
    }

    fn elements<'d>(
        &self,
        body: &[u8],
        document: &'d Document,
        elements: impl Iterator<Item = Element<'d>>,
    ) -> Option<Rewritten> {
        if is_signed(document) {
            return None;
        }
        let text = document.source().text();
        let changes = elements.filter_map(|element| self.change(text, element.text_span(), element.local()));
        spliced(body, document.source(), changes.collect())
    }

    fn change(&self, text: &str, value: Range<usize>, name: &str) -> Option<Change<'_>> {
        let (origin, from, to) = self.find(text.get(value.clone())?)?;
        Some((value.start + origin.start..value.start + origin.end, from, to, name.to_owned()))
    }
}

/// Any change would break the signature, and a device that checks it stops.
fn is_signed(document: &Document) -> bool {
    document.elements().any(|e| e.local() == "Signature")
}

/// The bytes with the changes made in them; nothing without any.
fn spliced(body: &[u8], source: &Source, mut changes: Vec<Change<'_>>) -> Option<Rewritten> {
    let text = source.text();
    let mut out = body.to_vec();
    let mut details = Vec::new();
    // From the back, so that the spans before stay true.
    changes.sort_by_key(|(span, ..)| std::cmp::Reverse(span.start));
    for (span, from, to, name) in changes {
        let raw = source.raw_offset(span.start)..source.raw_offset(span.end);
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

/// Where `scheme://host[:port]` stands in an absolute URL, and which origin that is.
fn origin_span(text: &str) -> Option<(Range<usize>, Origin)> {
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
    Some((start..start + scheme.len() + 3 + end, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().unwrap()
    }

    fn names(pairs: &[(&str, &str)]) -> Names {
        Names::new(pairs.iter().map(|(from, to)| (origin(from), origin(to))))
    }

    #[test]
    fn only_urls_of_the_server_are_led_to_us() {
        let names = names(&[("https://mdm.corp.example", "https://inspect.example:8443")]);
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(names.url(text).map(|(url, _)| url).as_deref(), expected, "{text}");
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
        let names = names(&[
            ("https://mdm.example", "http://127.0.0.1:8080"),
            ("https://login.example", "http://login.us.example"),
            // Nothing is told twice, and no two servers get one name.
            ("https://mdm.example", "http://other.example"),
            ("https://third.example", "http://127.0.0.1:8080"),
        ]);
        let rewritten = names.discovery(ANSWER.as_bytes()).unwrap();
        let expected = ANSWER
            .replace("https://login.example/x", "http://login.us.example/x")
            .replace("https://MDM.example:443/p", "http://127.0.0.1:8080/p")
            .replace("https://mdm.example/e", "http://127.0.0.1:8080/e");
        assert_eq!(String::from_utf8(rewritten.body).unwrap(), expected);
        assert_eq!(rewritten.details.len(), 3);
        assert!(
            names
                .discovery(
                    ANSWER
                        .replace("mdm.example", "third.example")
                        .replace("MDM", "a")
                        .replace("login", "b")
                        .as_bytes()
                )
                .is_none()
        );
        assert!(
            rewritten.details[1]
                .starts_with("EnrollmentPolicyServiceUrl: https://mdm.example became http://127")
        );
    }

    #[test]
    fn a_signed_message_is_never_touched() {
        let names = names(&[("https://mdm.example", "http://127.0.0.1:8080")]);
        let signed = ANSWER.replace("<s:Body>", "<s:Header><ds:Signature/></s:Header><s:Body>");
        assert_eq!(names.discovery(signed.as_bytes()), None);
        assert_eq!(names.discovery(b"<html>https://mdm.example</html>"), None);
        assert_eq!(names.discovery(b""), None);
    }

    #[test]
    fn a_request_is_addressed_to_the_server() {
        let request = "<s:Envelope><s:Header><a:To s:mustUnderstand=\"1\">https://us.example:8443/D.svc</a:To></s:Header>\
                       <s:Body><To>https://us.example:8443/</To></s:Body></s:Envelope>";
        let names = names(&[("https://us.example:8443", "https://mdm.example")]);
        let rewritten = names.addressing(request.as_bytes()).unwrap();
        let expected = request.replacen("https://us.example:8443", "https://mdm.example", 1);
        assert_eq!(String::from_utf8(rewritten.body).unwrap(), expected);
    }

    #[test]
    fn a_page_leads_to_us_by_its_links_and_forms_and_its_script_is_left_alone() {
        let page = "<!DOCTYPE html><A HREF = 'https://mdm.example/a?b=1&amp;c'>\u{fc}</A><form action=https://MDM.example/f>\
            <img src=\"/rel\"><a href=\"https://else.example/\">https://mdm.example/</a>\
            <script>location = \"https://mdm.example/x\"</script><!-- <a href=\"https://mdm.example/\"> -->";
        let rewritten =
            names(&[("https://mdm.example", "https://us.example:8443")]).page(page.as_bytes()).unwrap();
        let expected = page
            .replace("'https://mdm.example/a", "'https://us.example:8443/a")
            .replace("https://MDM.example/f", "https://us.example:8443/f");
        assert_eq!(String::from_utf8(rewritten.body).unwrap(), expected);
        assert_eq!(
            rewritten.details,
            [
                "href: https://mdm.example became https://us.example:8443",
                "action: https://mdm.example became https://us.example:8443"
            ]
        );
    }

    #[test]
    fn the_management_address_changes_within_the_token_and_nothing_else() {
        let document = "<wap-provisioningdoc><characteristic type=\"APPLICATION\"><parm name=\"APPID\" value=\"w7\"/>\
            <parm name=\"ADDR\" value=\"https://mdm.example/m\"/><parm name=\"NAME\" value=\"https://mdm.example/\"/>\
            </characteristic></wap-provisioningdoc>";
        let answer = |document: &str| {
            format!(
                "<s:Envelope><s:Body><RequestSecurityTokenResponse><RequestedSecurityToken><BinarySecurityToken>{}\
                 </BinarySecurityToken></RequestedSecurityToken></RequestSecurityTokenResponse></s:Body></s:Envelope>",
                STANDARD.encode(document)
            )
        };
        let names = names(&[("https://mdm.example", "https://us.example")]);
        let rewritten = names.management(answer(document).as_bytes()).unwrap();
        let expected = answer(&document.replace("https://mdm.example/m", "https://us.example/m"));
        assert_eq!(String::from_utf8(rewritten.body).unwrap(), expected);
        let signed = answer(document).replace("<s:Body>", "<s:Header><Signature/></s:Header><s:Body>");
        assert_eq!(names.management(signed.as_bytes()), None);
        assert_eq!(names.management(answer("no document").as_bytes()), None);
    }
}
