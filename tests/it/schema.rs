//! No place in a message goes unjudged: what is spelled otherwise, or gets what no schema knows, is found under strict.

use std::sync::Arc;

use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::{Body, Event, Exchange, Response, Side};
use enrollscope::message::{read_request, read_response};
use enrollscope::rules::{self, Golden, Profile};
use enrollscope::sim::golden;
use enrollscope::xml::{Document, Element};

/// Elements that need not be there, where the schemas leave room for others; and those without which a text is no
/// message of ours, so that nothing can be said of it.
const FREE: &[&str] = &[
    "To",
    "ActivityId",
    "attestation",
    "azureAttestation",
    "DispositionMessage",
    "RequestID",
    "DeviceEnrollmentServiceError",
    "CertificateEnrollmentWSDetail",
    "Timestamp",
    "Envelope",
    "Discover",
];

/// Everything SOAP in the goldens.
fn messages() -> Vec<(Arc<Exchange>, Side)> {
    let mut found = Vec::new();
    for golden in Golden::ALL {
        for event in golden::of(*golden) {
            let Event::Exchange(exchange) = event else { continue };
            let response = exchange.response.as_ref().unwrap();
            if read_request(&exchange.request).soap.is_some() {
                found.push((Arc::clone(&exchange), Side::Request));
            }
            if read_response(response).soap.is_some() {
                found.push((exchange, Side::Response));
            }
        }
    }
    found
}

pub(crate) fn body(exchange: &mut Exchange, side: Side) -> &mut Body {
    match side {
        Side::Request => &mut exchange.request.body,
        Side::Response => &mut exchange.response.as_mut().unwrap().body,
    }
}

/// What is found when the message has this text; by itself, so that no other message's findings are among them.
fn findings(exchange: &Exchange, side: Side, text: &str) -> Vec<&'static str> {
    let mut exchange = exchange.clone();
    *body(&mut exchange, side) = Body::full(text.to_owned());
    let mut engine = Engine::new(Profile::Strict, Deadlines::default());
    engine.observe(Event::Exchange(Arc::new(exchange))).findings.iter().map(|f| f.rule.id).collect()
}

/// Makes the change at every element of every message; what it makes no finding of is returned.
fn unjudged(change: impl Fn(&Element<'_>, &str) -> Option<String>) -> Vec<String> {
    let mut silent = Vec::new();
    for (exchange, side) in messages() {
        let text = String::from_utf8(body(&mut exchange.as_ref().clone(), side).bytes.to_vec()).unwrap();
        let before = findings(&exchange, side, &text);
        if before.contains(&"CRED-ONP-001") {
            continue; // By itself, a renewal's policy request is one that lacks its password.
        }
        let document = Document::read(text.as_bytes());
        for element in document.elements() {
            if change(&element, &text).is_some_and(|changed| findings(&exchange, side, &changed) == before) {
                silent.push(element.path());
            }
        }
    }
    silent
}

#[test]
fn an_attribute_that_no_schema_knows_is_found_anywhere() {
    let silent = unjudged(|element, text| {
        let at = element.start().start + 1 + element.name().len();
        // What is in no schema of ours may have what it likes.
        (element.local() != "ActivityId").then(|| format!("{} bogus=\"1\"{}", &text[..at], &text[at..]))
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn an_element_of_another_name_is_found_anywhere() {
    let silent = unjudged(|element, text| {
        let (start, span) = (element.start().start + 1 + element.name().len(), element.span());
        let rest = &text[start..span.end];
        let end = rest.strip_suffix('>').filter(|_| !rest.ends_with("/>"));
        let renamed = end.map_or(rest.to_owned(), |r| format!("{r}X>"));
        // A fault needs no Action.
        let free =
            FREE.contains(&element.local()) || (element.local() == "Action" && text.contains("s:Fault"));
        (!free).then(|| format!("{}X{renamed}{}", &text[..start], &text[span.end..]))
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn text_between_elements_is_found_anywhere() {
    let silent = unjudged(|element, text| {
        let at = element.content().start;
        let holds_elements = element.children().next().is_some();
        holds_elements.then(|| format!("{}stray{}", &text[..at], &text[at..]))
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn a_message_of_mistakes_costs_its_length_and_not_its_square() {
    let policy =
        "<policy><policyOIDReference>7</policyOIDReference><cAs><cAReference>5</cAReference></cAs></policy>";
    let issuer = "<cA><cAReferenceID>9</cAReferenceID></cA>";
    let oid = "<oID><value>x</value><group>0</group><oIDReferenceID>1</oIDReferenceID></oID>";
    let text = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><GetPoliciesResponse \
         xmlns=\"http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy\"><response><policies>{}\
         </policies></response><cAs>{}</cAs><oIDs>{}</oIDs></GetPoliciesResponse></s:Body></s:Envelope>",
        policy.repeat(2_000),
        issuer.repeat(2_000),
        oid.repeat(2_000),
    );
    let exchange =
        Exchange { response: Some(Response { status: 200, ..Response::default() }), ..Exchange::default() };
    let started = std::time::Instant::now();
    let found = findings(&exchange, Side::Response, &text);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    let most = rules::all().map(|rule| found.iter().filter(|id| **id == rule.id).count()).max();
    assert_eq!(most, Some(rules::MAX_EVIDENCE));
}
