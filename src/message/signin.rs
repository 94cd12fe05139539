//! What a browser window of the device fetches on the way to a token: the terms of use (Entra), the sign-in page, and
//! the form that hands the token over (MS-MDE2 3.2).

use std::ops::Range;

use html5gum::{DefaultEmitter, Token, Tokenizer};

use crate::event::{Response, header};
use crate::xml::{Place, Source};

/// A request for the terms of use: what Entra tells the server (Microsoft's pages on Entra integration).
#[derive(Clone, Debug, Default)]
pub struct TermsRequest {
    pub redirect_uri: Option<String>,
    pub request_id: Option<String>,
    pub api_version: Option<String>,
    pub mode: Option<String>,
}

/// The redirect by which the terms of use end.
#[derive(Clone, Debug, Default)]
pub struct TermsAnswer {
    /// The Location up to its query.
    pub location: String,
    pub is_accepted: Option<String>,
    pub opaque_blob: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
}

/// A request for the sign-in page.
#[derive(Clone, Debug, Default)]
pub struct SignInRequest {
    pub appru: Option<String>,
    pub login_hint: Option<String>,
}

/// A page with forms; the one that holds `wresult` hands the token to the device.
#[derive(Clone, Debug)]
pub struct Page {
    source: Source,
    pub forms: Vec<PageForm>,
    /// A script or `onload` handler is on the page: it may submit the form by itself.
    pub scripted: bool,
}

#[derive(Clone, Debug)]
pub struct PageForm {
    pub start: Range<usize>,
    pub action: Option<PageValue>,
    pub method: Option<PageValue>,
    pub inputs: Vec<PageInput>,
}

#[derive(Clone, Debug)]
pub struct PageInput {
    pub name: String,
    pub start: Range<usize>,
    pub value: Option<PageValue>,
}

/// An attribute's value, references resolved, and where it stands.
#[derive(Clone, Debug)]
pub struct PageValue {
    pub value: String,
    pub span: Range<usize>,
}

/// Forms and inputs beyond these numbers are not read.
const MAX_FORMS: usize = 16;
const MAX_INPUTS: usize = 256;

impl TermsRequest {
    /// From a request's target; `None` when it does not ask for terms of use.
    pub fn read(target: &str) -> Option<Self> {
        let query = query(target);
        let of = |name| value(&query, name);
        let terms = Self {
            redirect_uri: of("redirect_uri"),
            request_id: of("client-request-id"),
            api_version: of("api-version"),
            mode: of("mode"),
        };
        let entra = terms.request_id.is_some() || terms.api_version.is_some();
        (terms.redirect_uri.is_some() && entra).then_some(terms)
    }
}

impl TermsAnswer {
    /// `None` when the answer is no redirect.
    pub fn read(response: &Response) -> Option<Self> {
        let location = header(&response.headers, "Location")?.text().into_owned();
        let query = query(&location);
        let of = |name| value(&query, name);
        Some(Self {
            is_accepted: of("IsAccepted"),
            opaque_blob: of("OpaqueBlob"),
            error: of("error"),
            error_description: of("error_description"),
            location: location.split(['?', '#']).next().unwrap_or_default().to_owned(),
        })
    }

    /// What it says instead of yes, and whether that is the user's own decision.
    pub fn refusal(&self) -> Option<(String, bool)> {
        let declined = self.is_accepted.as_deref().is_some_and(|a| !a.eq_ignore_ascii_case("true"));
        let said = match (&self.error, declined) {
            (Some(error), _) => {
                format!("{error}: {}", self.error_description.as_deref().unwrap_or("no description"))
            }
            (None, true) => "IsAccepted is not true".to_owned(),
            (None, false) => return None,
        };
        Some((said, declined || self.error.as_deref() == Some("access_denied")))
    }
}

impl SignInRequest {
    /// From a request's target; `None` when nothing in it says that a device asks for a token.
    pub fn read(target: &str) -> Option<Self> {
        let query = query(target);
        let (appru, login_hint) = (value(&query, "appru"), value(&query, "login_hint"));
        // OpenID Connect knows login_hint, too, and says whose request it is.
        let of_device = appru.is_some() || login_hint.is_some() && value(&query, "client_id").is_none();
        of_device.then_some(Self { appru, login_hint })
    }
}

impl Page {
    /// Whether the text can be a page that hands over a token, without reading it.
    pub(crate) fn may_be_one(text: &[u8]) -> bool {
        ["wresult", "ms-app:"].iter().any(|mark| memchr::memmem::find(text, mark.as_bytes()).is_some())
    }

    /// `None` when none of its forms hands a token to a device.
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut page = Self { source: Source::of(text), forms: Vec::new(), scripted: false };
        let mut emitter = DefaultEmitter::<usize>::new_with_span();
        emitter.naively_switch_states(true);
        let text = page.source.text().to_owned();
        for token in Tokenizer::new_with_emitter(text.as_str(), emitter).flatten() {
            let Token::StartTag(tag) = token else { continue };
            let span = tag.span.start..tag.span.end;
            let attribute = |name: &str| {
                let found = tag.attributes.get(name.as_bytes())?;
                Some(PageValue {
                    value: String::from_utf8_lossy(&found.value).into_owned(),
                    span: value_span(&text, found.span.start..found.span.end),
                })
            };
            page.scripted |= &**tag.name == b"script" || attribute("onload").is_some();
            if &**tag.name == b"form" && page.forms.len() < MAX_FORMS {
                page.forms.push(PageForm {
                    start: span,
                    action: attribute("action"),
                    method: attribute("method"),
                    inputs: Vec::new(),
                });
            } else if &**tag.name == b"input"
                && let Some(form) = page.forms.last_mut().filter(|form| form.inputs.len() < MAX_INPUTS)
            {
                form.inputs.push(PageInput {
                    name: attribute("name").map(|name| name.value).unwrap_or_default(),
                    start: span,
                    value: attribute("value"),
                });
            }
        }
        page.token_form().is_some().then_some(page)
    }

    /// The form that hands over the token: it holds `wresult`, or goes to the device's own address.
    pub fn token_form(&self) -> Option<&PageForm> {
        let to_device = |form: &&PageForm| {
            form.action.as_ref().is_some_and(|a| a.value.trim().to_ascii_lowercase().starts_with("ms-app:"))
        };
        self.forms.iter().find(|form| form.wresult().is_some()).or_else(|| self.forms.iter().find(to_device))
    }

    /// Where a span of it lies in the body's bytes.
    pub fn place(&self, span: &Range<usize>) -> Place {
        self.source.place(span.clone())
    }
}

impl PageForm {
    /// The input that holds the token.
    pub fn wresult(&self) -> Option<&PageInput> {
        self.inputs.iter().find(|input| input.name == "wresult")
    }
}

/// The value within `name="value"`, without its quotes.
pub(crate) fn value_span(text: &str, attribute: Range<usize>) -> Range<usize> {
    let raw = text.get(attribute.clone()).unwrap_or_default();
    // An empty value has no place in the tokenizer's span.
    let Some((name, value)) = raw.split_once('=') else { return attribute.end..attribute.end };
    let start = name.len() + 1 + (value.len() - value.trim_start().len());
    let value = value.trim();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = quote.map_or(value, |q| value.get(1..).unwrap_or_default().trim_end_matches(q));
    let start = attribute.start + start + usize::from(quote.is_some());
    start..start + inner.len()
}

/// A target's or URL's query, decoded as browsers encode it.
fn query(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).take(64).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
}

fn value(query: &[(String, String)], name: &str) -> Option<String> {
    query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<!DOCTYPE><html><head><script>if (1<2) { f('<form>') }</script></head><body>\n\
        <FORM method=post action=\"ms-app://windows.immersivecontrolpanel\"><p>\
        <input type=hidden name=\"wresult\" value=\"a&amp;b\"><input type=\"submit\"/></form></body></html>";

    #[test]
    fn the_token_form_is_found_whatever_html_it_is_in() {
        let page = Page::read(PAGE.as_bytes()).unwrap();
        assert_eq!((page.forms.len(), page.scripted), (1, true));
        let form = page.token_form().unwrap();
        assert_eq!(form.method.as_ref().unwrap().value, "post");
        assert_eq!(form.action.as_ref().unwrap().value, "ms-app://windows.immersivecontrolpanel");
        let token = form.wresult().unwrap().value.as_ref().unwrap();
        assert_eq!(token.value, "a&b");
        let place = page.place(&token.span);
        let at = usize::try_from(place.offset).unwrap();
        assert!(PAGE[at..].starts_with("a&amp;b"), "{}", &PAGE[at..]);
        assert_eq!(place.line, 2);
    }

    #[test]
    fn an_empty_value_is_nowhere_but_behind_its_name() {
        let text = "<form action='ms-app://x'><input name=wresult value=\"\">";
        let page = Page::read(text.as_bytes()).unwrap();
        let token = page.token_form().unwrap().wresult().unwrap().value.clone().unwrap();
        assert_eq!((token.value.as_str(), token.span.len()), ("", 0));
        assert!(token.span.start >= text.find("value=").unwrap() + "value".len());
    }

    #[test]
    fn a_page_without_such_a_form_is_none() {
        assert!(Page::read(b"<html><form action=/login><input name=user></form>").is_none());
        assert!(Page::read(b"wresult").is_none());
    }

    #[test]
    fn queries_are_read_as_browsers_write_them() {
        let read = SignInRequest::read("/auth?x=1&appru=ms-app%3A%2F%2Fwindows&login_hint=a%40b.example");
        let read = read.unwrap();
        assert_eq!(read.appru.as_deref(), Some("ms-app://windows"));
        assert_eq!(read.login_hint.as_deref(), Some("a@b.example"));
        assert!(SignInRequest::read("/auth?login_hint=a").is_some_and(|read| read.appru.is_none()));
        assert!(SignInRequest::read("/auth?login_hint=a&client_id=b").is_none());
        let terms =
            TermsRequest::read("/tou?redirect_uri=ms-appx-web%3a%2f%2fx&api-version=1.0&mode=azureadjoin");
        assert_eq!(terms.unwrap().mode.as_deref(), Some("azureadjoin"));
        assert!(TermsRequest::read("/oauth?redirect_uri=https%3a%2f%2fx").is_none());
    }
}
