//! What the walk finds, and what it lets pass.

use super::*;
use crate::xml::Document;

/// The breaches of a message, each as `wrong within/child`.
fn breaches(text: &str) -> Vec<String> {
    let found = check(&Document::read(text.as_bytes()));
    found.iter().map(|b| format!("{:?} {}/{}", b.wrong, b.within, b.child)).collect()
}

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' \
         xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// GetPolicies with this inside.
fn policies(inside: &str) -> Vec<String> {
    breaches(&envelope(&format!(
        "<GetPolicies xmlns='http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy'>{inside}</GetPolicies>"
    )))
}

const CLIENT: &str = "<client><lastUpdate i:nil='true'/><preferredLanguage i:nil='true'/></client>";
const FILTER: &str = "<requestFilter i:nil='true'/>";

#[test]
fn one_mistake_is_one_breach() {
    let good = format!("{CLIENT}{FILTER}");
    let change = |from: &str, to: &str| policies(&good.replace(from, to));
    let none: [&str; 0] = [];
    assert_eq!(policies(&good), none);
    assert_eq!(policies(&format!("{FILTER}{CLIENT}")), ["OutOfOrder GetPolicies/client"]);
    assert_eq!(policies(CLIENT), ["Missing GetPolicies/requestFilter"]);
    assert_eq!(change("requestFilter", "RequestFilter"), ["Misspelled GetPolicies/requestFilter"]);
    assert_eq!(policies(&format!("{good}{FILTER}")), ["TooMany GetPolicies/requestFilter"]);
    assert_eq!(policies(&format!("{good}<more/>")), ["Unexpected GetPolicies/"]);
    assert_eq!(policies(&format!("{good}text")), ["StrayText GetPolicies/"]);
    assert_eq!(change("<client>", "<client xmlns='urn:x'>"), ["OtherNamespace GetPolicies/client"]);
    assert_eq!(change("<client>", "<client a='b'>"), ["AttributeUnexpected Client/"]);
    assert_eq!(change("<client>", "<client i:nil='true'>"), ["NotNillable GetPolicies/client"]);
    assert_eq!(
        change("i:nil='true'/></client>", "i:nil='true'>en</preferredLanguage></client>"),
        ["NilWithContent Client/preferredLanguage"]
    );
    assert_eq!(
        change("<lastUpdate i:nil='true'/>", "<lastUpdate nil='true'/>"),
        ["AttributeUnexpected Client/nil"]
    );
    assert_eq!(
        change("<lastUpdate i:nil='true'/>", "<lastUpdate>now</lastUpdate>"),
        ["BadValue Client/lastUpdate"]
    );
    assert_eq!(
        change("<lastUpdate i:nil='true'/>", "<lastUpdate><now/></lastUpdate>"),
        ["Unexpected Client/lastUpdate"]
    );
}

#[test]
fn what_the_schema_leaves_open_may_be_there() {
    let none: [&str; 0] = [];
    let more =
        CLIENT.replace("</client>", "<TPMManufacturer>x</TPMManufacturer><o:x xmlns:o='urn:o'/></client>");
    assert_eq!(policies(&format!("{more}{FILTER}")), none);
    // But not before what is declared.
    let before = CLIENT.replace("<client>", "<client><TPMManufacturer>x</TPMManufacturer>");
    assert_eq!(policies(&format!("{before}{FILTER}")), ["OutOfOrder Client/lastUpdate"]);
    assert_eq!(breaches(&envelope("<x xmlns='urn:x'><y/>text</x>")), none);
    assert_eq!(breaches("<a><b/></a>"), none);
}

#[test]
fn a_message_in_another_namespace_is_told_once_and_read_on() {
    let discover = "<Discover xmlns='http://schemas.microsoft.com/windows/management/2012/01/enrollment/'>\
        <request><RequestVersion>4.0</RequestVersion><EmailAddress>a@b.c</EmailAddress><OSEdition>x</OSEdition>\
        <DeviceType>WindowsPhone</DeviceType><ApplicationVersion>1.2.3.4</ApplicationVersion>\
        <AuthPolicies><AuthPolicy>OnPremise</AuthPolicy></AuthPolicies></request></Discover>";
    let found = breaches(&envelope(discover));
    assert_eq!(found, ["OtherNamespace Discover/", "BadValue DiscoverRequest/OSEdition"]);
}

#[test]
fn a_message_of_nothing_but_mistakes_is_cut_short() {
    let many = "<x/>".repeat(10_000);
    assert_eq!(policies(&many).len(), 64);
}

#[test]
fn identifiers_choices_and_instance_attributes_are_judged() {
    let none: [&str; 0] = [];
    let item = |inside: &str| {
        breaches(&envelope(&format!(
            "<a:AdditionalContext xmlns:a='http://schemas.xmlsoap.org/ws/2006/12/authorization'>\
             <a:ContextItem Name='x'>{inside}</a:ContextItem></a:AdditionalContext>"
        )))
    };
    assert_eq!(item("<a:Value>1</a:Value>"), none);
    assert_eq!(item("<o:x xmlns:o='urn:o'/>"), none);
    assert_eq!(item("<a:Value>1</a:Value><o:x xmlns:o='urn:o'/>"), ["TooMany ContextItem/"]);
    let token = |id: &str| {
        format!(
            "<o:UsernameToken u:Id='{id}' xmlns:o='{}' xmlns:u='{}'><o:Username>a</o:Username></o:UsernameToken>",
            crate::message::names::WSSE,
            crate::message::names::WSU
        )
    };
    assert_eq!(breaches(&envelope(&format!("{}{}", token("a"), token("b")))), none);
    assert_eq!(
        breaches(&envelope(&format!("{}{}", token("a"), token("a")))),
        ["AttributeBadValue UsernameToken/Id"]
    );
    assert_eq!(
        policies(&format!("<client i:nill='true'/>{CLIENT}{FILTER}"))[0],
        "AttributeUnexpected Client/"
    );
}
