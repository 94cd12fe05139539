//! What is inside the messages: fields, credentials, certificate requests, certificates, the provisioning document.

use std::borrow::Cow;

use super::message::touches;
use crate::dashboard::line::{Line, Page, Role};
use crate::dashboard::screen::{Target, Ui};
use crate::dashboard::text::{fit, grouped};
use crate::event::{Exchange, Side};
use crate::message::certificate::{Certificate, Csr, algorithm_name};
use crate::message::oids;
use crate::message::{
    AuthorityDetail, Content, Credential, Field, Message, Provisioning, Soap, TokenRequest, Within,
    authority_error, os_edition_name, read_request, read_response,
};
use crate::xml::Element;

/// The longest value on a line of the provisioning tree, in columns.
const MAX_VALUE: usize = 200;

/// Passwords and the keys of management sessions, whatever the level of redaction.
const HIDDEN: &str = "present (never shown)";
const SECRETS: &[&str] = &["AAUTHSECRET", "AAUTHDATA"];

pub(super) fn page(exchange: &Exchange, ui: &Ui, width: usize) -> Page {
    let mut page = Page::default();
    let request = read_request(&exchange.request);
    let response = exchange.response.as_ref().map(read_response);
    let messages = [Some((Side::Request, request)), response.map(|r| (Side::Response, r))];
    for (side, message) in messages.into_iter().flatten() {
        let target = ui.target.filter(|t| t.side == Some(side));
        Decoder { page: &mut page, width, target, ui }.message(side, &message);
    }
    if page.lines.is_empty() {
        page.push(Line::new(Role::Dim, "  There is nothing to decode in this exchange."));
    }
    page
}

struct Decoder<'p> {
    page: &'p mut Page,
    width: usize,
    target: Option<Target>,
    ui: &'p Ui,
}

impl Decoder<'_> {
    fn message(&mut self, side: Side, message: &Message) {
        if message.soap.is_none() && message.provisioning().is_none() {
            return;
        }
        let side = match side {
            Side::Request => "Request",
            Side::Response => "Response",
        };
        self.page.heading(&format!("{side}: {}", message.kind.word()));
        if let Some(soap) = &message.soap {
            self.soap(soap);
        }
        match &message.content {
            Content::DiscoverRequest(d) => {
                self.field("e-mail", d.email.as_ref());
                self.field("version", d.version.as_ref());
                self.field("device type", d.device_type.as_ref());
                self.field("Windows", d.application_version.as_ref());
                self.field("edition", d.os_edition.as_ref());
                let offered: Vec<_> = d.offered.iter().map(|f| f.value.as_str()).collect();
                self.value("offers", &offered.join(", "));
            }
            Content::DiscoverResponse(d) => {
                self.field("auth policy", d.auth_policy.as_ref());
                self.field("version", d.version.as_ref());
                self.field("policy URL", d.policy_url.as_ref());
                self.field("enroll URL", d.enrollment_url.as_ref());
                self.field("sign-in URL", d.authentication_url.as_ref());
            }
            Content::GetPoliciesRequest(p) => {
                self.field("last update", p.last_update.as_ref());
                self.field("language", p.preferred_language.as_ref());
                self.field("filter", p.request_filter.as_ref());
            }
            Content::GetPoliciesResponse(p) => {
                p.told().iter().for_each(|(label, value)| self.value(label, value));
            }
            Content::TokenRequest(t) => self.token_request(t),
            Content::TokenResponse(t) => {
                self.field("token type", t.token_type.as_ref());
                self.field("disposition", t.disposition.as_ref());
                self.field("request id", t.request_id.as_ref());
                match &t.provisioning {
                    Some(provisioning) => self.provisioning(provisioning),
                    None => self.trouble("the token holds no readable provisioning document"),
                }
            }
            Content::Provisioning(provisioning) => self.provisioning(provisioning),
            Content::Fault(f) => {
                self.field("code", f.code.as_ref());
                self.field("subcode", f.subcode.as_ref());
                self.field("reason", f.reason.as_ref());
                self.field("error type", f.error_type.as_ref());
                self.field("message", f.message.as_ref());
                self.field("trace id", f.trace_id.as_ref());
                if let Some(code) = f.authority.as_ref().and_then(AuthorityDetail::code) {
                    let name =
                        authority_error(code).map(|(symbol, meaning)| format!(" ({symbol}: {meaning})"));
                    self.value("authority", &format!("0x{code:08X}{}", name.unwrap_or_default()));
                }
                if let Some(code) = f.hresult() {
                    self.value("user sees", &format!("0x{code:08X}"));
                }
            }
            Content::TermsRequest(t) => {
                self.text("redirect to", t.redirect_uri.as_ref());
                self.text("request id", t.request_id.as_ref());
                self.text("api version", t.api_version.as_ref());
                self.text("mode", t.mode.as_ref());
            }
            Content::TermsAnswer(t) => {
                self.value("redirects to", &t.location);
                self.text("accepted", t.is_accepted.as_ref());
                self.text("error", t.error.as_ref());
                self.text("description", t.error_description.as_ref());
            }
            Content::SignInRequest(s) => {
                self.text("app address", s.appru.as_ref());
                self.text("login hint", s.login_hint.as_ref());
            }
            Content::TokenPage(page) => {
                let form = page.token_form();
                self.text("form action", form.and_then(|f| f.action.as_ref()).map(|a| &a.value));
                self.text("form method", form.and_then(|f| f.method.as_ref()).map(|m| &m.value));
                match form.and_then(|f| f.wresult()?.value.as_ref()) {
                    Some(token) => {
                        self.value("wresult", &format!("{} characters (never shown)", token.value.len()));
                    }
                    None => self.trouble("no form on the page holds wresult"),
                }
            }
            Content::Unread => {}
        }
    }

    fn soap(&mut self, soap: &Soap) {
        self.field("action", soap.action.as_ref());
        self.field("message id", soap.message_id.as_ref());
        self.field("relates to", soap.relates_to.as_ref());
        self.field("to", soap.to.as_ref());
        self.field("activity id", soap.activity_id.as_ref());
        if matches!(soap.credential, Credential::None) {
            return;
        }
        self.focus(Within::Credential);
        self.value("credential", soap.credential.describe());
        match &soap.credential {
            Credential::UsernameToken(token) => {
                self.field("user", token.username.as_ref());
                let password = match &token.password {
                    None => "absent",
                    Some(field) if field.is_empty() => "empty",
                    Some(_) => HIDDEN,
                };
                self.value("password", password);
            }
            Credential::Token(token) => {
                self.field("token type", token.token.value_type.as_ref());
                self.value("token", &format!("{} characters (never shown)", token.token.value.value.len()));
                if let Some(jwt) = &token.jwt {
                    self.page.heading("  Claims (not verified)");
                    for (name, value) in &jwt.claims {
                        self.value(name, &value.as_str().map_or(value.to_string(), str::to_owned));
                    }
                }
            }
            Credential::Certificate(signed) => {
                self.field("token type", signed.token.value_type.as_ref());
                match &signed.certificate {
                    Some(certificate) => self.certificate(certificate),
                    None => self.trouble("the token is no certificate"),
                }
            }
            Credential::None => {}
        }
    }

    fn token_request(&mut self, request: &TokenRequest) {
        self.field("token type", request.token_type.as_ref());
        self.field("type", request.request_type.as_ref());
        self.page.heading("  Certificate request (PKCS#10)");
        self.focus(Within::Csr);
        match &request.csr {
            Some(csr) => self.csr(csr),
            None if request.der.is_some() => self.trouble("the token is no PKCS#10"),
            None => self.trouble("the token is absent or no base64"),
        }
        if !request.items.is_empty() {
            self.page.heading("  Context items");
        }
        for item in &request.items {
            let value = item.value.as_ref().map_or("(no value)", |f| f.value.as_str());
            let edition = value.parse().ok().filter(|_| item.name == "OSEdition").and_then(os_edition_name);
            let value = edition.map_or(value.to_owned(), |name| format!("{value} ({name})"));
            let line = Line::new(Role::Dim, &format!("  {:<24} ", item.name)).and(Role::Plain, &value);
            for part in line.folded(self.width, 27) {
                self.page.push(part);
            }
        }
    }

    fn csr(&mut self, csr: &Csr) {
        self.value("subject", &csr.subject.to_string());
        self.value("key", &csr.key.describe());
        self.value("key hash", &csr.key_hash);
        self.value("signed with", algorithm_name(&csr.signature_algorithm));
        let valid = match csr.signature_valid {
            Some(true) => "valid",
            Some(false) => "NOT valid",
            None => "not checked: the algorithm is not understood",
        };
        self.value("signature", valid);
        if let Some(id) = csr.device_id() {
            self.value("device id", &id);
        }
        for purpose in csr.key_purposes() {
            self.value("purpose", oids::name(&purpose));
        }
        for extension in &csr.extensions {
            let name =
                oids::known(&extension.oid).map_or(String::new(), |known| format!(" ({})", known.name));
            self.value("extension", &format!("{}{name}", extension.oid));
        }
        if csr.trailing > 0 {
            self.trouble(&format!("{} bytes follow the request", csr.trailing));
        }
    }

    fn provisioning(&mut self, provisioning: &Provisioning) {
        for entry in &provisioning.certificates {
            self.page.heading(&format!("  Certificate for {}/{}", entry.store, entry.location));
            self.focus(Within::Certificate);
            match &entry.certificate {
                Some(certificate) => self.certificate(certificate),
                None => self.trouble("it is no certificate"),
            }
        }
        self.page.heading("  Provisioning document");
        let mark = self
            .target
            .filter(|t| t.within == Within::Provisioning)
            .map(|t| provisioning.document.source().range_of(t.offset, t.length));
        if let Some(root) = provisioning.root() {
            self.branch(&root, "0", mark.as_ref());
        }
    }

    /// A characteristic with what is below it, or a parm. `path` counts the way to it: `0/2/1`.
    fn branch(&mut self, element: &Element<'_>, path: &str, mark: Option<&std::ops::Range<usize>>) {
        let depth = path.split('/').count();
        let children: Vec<_> = element.children().collect();
        // A place that is gone to is never folded away.
        let folded = mark.is_none() && self.ui.folded.contains(path);
        let start = element.start();
        let here = mark.is_some_and(|m| touches(&start, m));
        let attribute = |name: &str| element.attribute(name).map(|a| a.value().into_owned());
        let mut line = Line::plain(&"  ".repeat(depth.min(12) - 1));
        if children.is_empty() {
            line.push(Role::Plain, "  ");
        } else {
            let here = self.ui.node.as_deref() == Some(path);
            line.push(if here { Role::Mark } else { Role::Dim }, if folded { "▸" } else { "▾" });
            line.push(Role::Plain, " ");
            self.page.nodes.push((self.page.lines.len(), path.to_owned()));
        }
        let role = |role: Role| if here { Role::Mark } else { role };
        match element.local() {
            "characteristic" => {
                let kind = attribute("type").unwrap_or_else(|| "(no type)".to_owned());
                line.push(role(Role::Strong), &kind);
            }
            "parm" => {
                let name = attribute("name").unwrap_or_else(|| "(no name)".to_owned());
                line.push(role(Role::Tag), &name);
                if let Some(value) = attribute("value") {
                    line.push(Role::Dim, " = ");
                    let secret = SECRETS.contains(&name.as_str()) && !value.is_empty();
                    let value = if secret { Cow::Borrowed(HIDDEN) } else { fit(&value, MAX_VALUE, "…") };
                    line.push(role(Role::Plain), &value);
                }
                if let Some(datatype) = attribute("datatype") {
                    line.push(Role::Dim, &format!(" ({datatype})"));
                }
            }
            other => line.push(role(Role::Dim), &format!("<{other}>")),
        }
        if here && self.page.focus.is_none() {
            self.page.focus = Some(self.page.lines.len());
        }
        if folded {
            let inside = element.descendants().count() as u64;
            line.push(Role::Dim, &format!(" ({} inside)", grouped(inside)));
        }
        for part in line.folded(self.width, 2 * depth.min(12) + 2) {
            self.page.push(part);
        }
        for (index, child) in children.iter().enumerate().filter(|_| !folded) {
            self.branch(child, &format!("{path}/{index}"), mark);
        }
    }

    fn certificate(&mut self, certificate: &Certificate) {
        self.value("certificate", &certificate.describe());
        self.value("thumbprint", &certificate.thumbprint);
        self.value("serial", &certificate.serial);
        let time = |t: Option<crate::event::Time>| t.map_or("unreadable".to_owned(), |t| t.to_string());
        self.value("from", &time(certificate.not_before));
        self.value("until", &time(certificate.not_after));
        self.value("signed with", algorithm_name(&certificate.signature_algorithm));
        for purpose in certificate.key_purposes() {
            self.value("purpose", oids::name(&purpose));
        }
        if certificate.is_authority() {
            self.value("", "an authority");
        }
    }

    /// The findings about this part want it in view.
    fn focus(&mut self, within: Within) {
        if self.page.focus.is_none() && self.target.is_some_and(|t| t.within == within) {
            self.page.focus = Some(self.page.lines.len().saturating_sub(1));
        }
    }

    fn field(&mut self, label: &str, field: Option<&Field>) {
        if let Some(field) = field {
            self.value(label, if field.nil { "nil" } else { &field.value });
        }
    }

    fn text(&mut self, label: &str, text: Option<&String>) {
        if let Some(text) = text {
            self.value(label, text);
        }
    }

    fn value(&mut self, label: &str, value: &str) {
        self.page.field(label, Role::Plain, value, self.width);
    }

    fn trouble(&mut self, text: &str) {
        self.page.field("", Role::Warning, text, self.width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Item, Reader};
    use crate::event::Event;
    use crate::message::Kind;

    #[test]
    fn a_full_policy_is_told_in_words() {
        let golden = include_bytes!("../../../captures/golden/full-policy.jsonl");
        let mut exchanges = Reader::new(golden.as_slice()).unwrap().filter_map(|item| match item.unwrap() {
            Item::Record(recorded) => match recorded.record.into_event() {
                Some(Event::Exchange(exchange)) => Some(exchange),
                _ => None,
            },
            Item::Damage(damage) => panic!("{damage:?}"),
        });
        let policies = |e: &Exchange| read_request(&e.request).kind == Kind::GetPoliciesRequest;
        let exchange = exchanges.find(|e| policies(e)).unwrap();
        let text = page(&exchange, &Ui::default(), 160).text();
        for told in [
            "key algorithm  RSA (1.2.840.113549.1.1.1, reference ",
            "validity       365 days (31536000 s)",
            "attestation    IgnoreOnError",
            "archive the key, exportable key, client version 5 or later, server version 4 or later",
            "Renewal.svc (anonymous, renewals)",
            "2.16.840.1.101.3.4.2.1 = SHA-256 (hash: szOID_NIST_sha256)",
        ] {
            let dense = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(dense(&text).contains(&dense(told)), "{told}\n{text}");
        }
    }
}
