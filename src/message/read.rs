//! Recognises what a body is, by what it contains, and reads it.

use super::content::decode_content;
use super::discovery::{DiscoverRequest, DiscoverResponse};
use super::enroll::{TokenRequest, TokenResponse};
use super::fault::Fault;
use super::names;
use super::policy::{GetPoliciesRequest, GetPoliciesResponse};
use super::provisioning::Provisioning;
use super::schema::{self, Breach};
use super::signin::{Page, SignInRequest, TermsAnswer, TermsRequest};
use super::soap::{Envelope, Soap};
use crate::event::{Body, Header, Request, Response, Side, header};
use crate::xml::{Document, Element};

/// One message: a request or a response, read as far as possible.
#[derive(Clone, Debug)]
pub struct Message {
    pub side: Side,
    pub kind: Kind,
    /// The body as XML, when it looks like XML at all.
    pub document: Option<Document>,
    pub soap: Option<Soap>,
    pub content: Content,
    /// Where an enrollment message is not as its schemas have it.
    pub breaches: Vec<Breach>,
    /// Why the body could not be content-decoded in full.
    pub coding_trouble: Option<String>,
}

/// What a message is; the words of the command line, JSON and captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    DiscoveryProbe,
    TermsOfUse,
    AuthPage,
    TokenPage,
    LinkedDiscovery,
    DiscoverRequest,
    DiscoverResponse,
    GetPoliciesRequest,
    GetPoliciesResponse,
    SecurityTokenRequest,
    SecurityTokenResponse,
    Fault,
    ManagementSync,
    Other,
    None,
    NotHttp,
}

impl Kind {
    pub const ALL: [Self; 16] = [
        Self::DiscoveryProbe,
        Self::TermsOfUse,
        Self::AuthPage,
        Self::TokenPage,
        Self::LinkedDiscovery,
        Self::DiscoverRequest,
        Self::DiscoverResponse,
        Self::GetPoliciesRequest,
        Self::GetPoliciesResponse,
        Self::SecurityTokenRequest,
        Self::SecurityTokenResponse,
        Self::Fault,
        Self::ManagementSync,
        Self::Other,
        Self::None,
        Self::NotHttp,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::DiscoveryProbe => "discovery-probe",
            Self::TermsOfUse => "terms-of-use",
            Self::AuthPage => "auth-page",
            Self::TokenPage => "token-page",
            Self::LinkedDiscovery => "linked-discovery",
            Self::DiscoverRequest => "discover-request",
            Self::DiscoverResponse => "discover-response",
            Self::GetPoliciesRequest => "get-policies-request",
            Self::GetPoliciesResponse => "get-policies-response",
            Self::SecurityTokenRequest => "security-token-request",
            Self::SecurityTokenResponse => "security-token-response",
            Self::Fault => "fault",
            Self::ManagementSync => "management-sync",
            Self::Other => "other",
            Self::None => "none",
            Self::NotHttp => "not-http",
        }
    }

    /// The side that sends such a message; `None` when either may.
    pub fn side(self) -> Option<Side> {
        match self {
            Self::DiscoveryProbe
            | Self::DiscoverRequest
            | Self::GetPoliciesRequest
            | Self::SecurityTokenRequest => Some(Side::Request),
            Self::DiscoverResponse
            | Self::GetPoliciesResponse
            | Self::SecurityTokenResponse
            | Self::TokenPage
            | Self::Fault => Some(Side::Response),
            Self::TermsOfUse
            | Self::AuthPage
            | Self::LinkedDiscovery
            | Self::ManagementSync
            | Self::Other
            | Self::None
            | Self::NotHttp => None,
        }
    }
}

/// The payload, typed.
#[derive(Clone, Debug)]
pub enum Content {
    DiscoverRequest(DiscoverRequest),
    DiscoverResponse(DiscoverResponse),
    GetPoliciesRequest(GetPoliciesRequest),
    GetPoliciesResponse(GetPoliciesResponse),
    TokenRequest(Box<TokenRequest>),
    TokenResponse(Box<TokenResponse>),
    /// A provisioning document by itself, as a file for `check`.
    Provisioning(Box<Provisioning>),
    Fault(Box<Fault>),
    TermsRequest(TermsRequest),
    TermsAnswer(TermsAnswer),
    SignInRequest(SignInRequest),
    TokenPage(Box<Page>),
    /// Nothing that the enrollment protocols know.
    Unread,
}

impl Message {
    /// The provisioning document, be it inside a token response or by itself.
    pub fn provisioning(&self) -> Option<&Provisioning> {
        match &self.content {
            Content::TokenResponse(response) => response.provisioning.as_ref(),
            Content::Provisioning(document) => Some(document),
            _ => None,
        }
    }
}

pub fn read_request(request: &Request) -> Message {
    let mut message = read_body(&request.body, &request.headers, Side::Request);
    if matches!(message.kind, Kind::None | Kind::Other) {
        // Without a body, or with a form as its body, there is only the target to go by.
        if let Some(terms) = TermsRequest::read(&request.target) {
            (message.kind, message.content) = (Kind::TermsOfUse, Content::TermsRequest(terms));
        } else if let Some(sign_in) = SignInRequest::read(&request.target) {
            (message.kind, message.content) = (Kind::AuthPage, Content::SignInRequest(sign_in));
        } else if message.kind == Kind::None && request.method == "GET" && is_probe(request) {
            message.kind = Kind::DiscoveryProbe;
        }
    }
    message
}

/// An answer by itself, as files have it.
pub fn read_response(response: &Response) -> Message {
    read_body(&response.body, &response.headers, Side::Response)
}

/// An answer to a request that is known: a redirect or a page means what it was asked for.
pub fn read_answer(request: &Message, response: &Response) -> Message {
    let mut message = read_response(response);
    if !matches!(message.kind, Kind::None | Kind::Other) {
        return message;
    }
    match request.kind {
        Kind::TermsOfUse => {
            message.kind = Kind::TermsOfUse;
            if let Some(answer) = TermsAnswer::read(response) {
                message.content = Content::TermsAnswer(answer);
            }
        }
        Kind::AuthPage if message.kind == Kind::Other => message.kind = Kind::AuthPage,
        _ => {}
    }
    message
}

/// A GET without a body has no content to go by: its path, or who sends it, must do (MS-MDE2 3.1).
fn is_probe(request: &Request) -> bool {
    let path = request.target.split(['?', '#']).next().unwrap_or_default();
    let tail = path.len().checked_sub(names::DISCOVERY_PATH.len()).and_then(|at| path.get(at..));
    let agent =
        header(&request.headers, "User-Agent").map(|h| h.text().to_ascii_lowercase()).unwrap_or_default();
    tail.is_some_and(|t| t.eq_ignore_ascii_case(names::DISCOVERY_PATH))
        || agent.contains("enrollclient")
        || agent.contains("enrollment client")
}

/// Reads a body by its content; the headers only help to tell a management session.
pub fn read_body(body: &Body, headers: &[Header], side: Side) -> Message {
    let decoded = decode_content(body);
    let blank = Message {
        side,
        kind: Kind::None,
        document: None,
        soap: None,
        content: Content::Unread,
        breaches: Vec::new(),
        coding_trouble: decoded.trouble,
    };
    if side == Side::Response
        && Page::may_be_one(&decoded.bytes)
        && let Some(page) = Page::read(&decoded.bytes)
    {
        return Message { kind: Kind::TokenPage, content: Content::TokenPage(Box::new(page)), ..blank };
    }
    let document = match document(body, headers, &decoded.bytes) {
        Ok(document) => document,
        Err(kind) => return Message { kind, ..blank },
    };
    let (kind, content) = match recognise(&document) {
        (kind, Some(payload)) => (kind, content(kind, &payload)),
        (Kind::SecurityTokenResponse, None) => {
            let provisioning = Provisioning::of(document.clone());
            (Kind::SecurityTokenResponse, Content::Provisioning(Box::new(provisioning)))
        }
        (kind, None) => (kind, Content::Unread),
    };
    let soap = Envelope::find(&document).map(|envelope| Soap::read(&envelope));
    let breaches = if soap.is_some() { schema::check(&document) } else { Vec::new() };
    Message { breaches, kind, content, soap, document: Some(document), ..blank }
}

/// What a body is, without reading what it says: no certificate is parsed, no signature checked.
pub fn kind_of(body: &Body, headers: &[Header]) -> Kind {
    let decoded = decode_content(body);
    if Page::may_be_one(&decoded.bytes) && Page::read(&decoded.bytes).is_some() {
        return Kind::TokenPage;
    }
    if !is_sync(body, headers)
        && let Some(kind) = start_of(&decoded.bytes).and_then(|start| recognise_start(&Document::read(start)))
    {
        return kind;
    }
    match document(body, headers, &decoded.bytes) {
        Ok(document) => recognise(&document).0,
        Err(kind) => kind,
    }
}

/// The beginning of a long text, up to the end of a tag: it mostly tells what follows.
fn start_of(text: &[u8]) -> Option<&[u8]> {
    const ENOUGH: usize = 2048;
    let start = text.get(..ENOUGH).filter(|start| looks_like_xml(start) && !start.contains(&0))?;
    let end = start.iter().rposition(|b| *b == b'>')?;
    start.get(..=end)
}

/// What the whole would be recognised as; `None` when the beginning does not tell.
fn recognise_start(document: &Document) -> Option<Kind> {
    let body = Envelope::find(document)?.body?;
    body.children().find_map(payload).map(|(kind, _)| kind)
}

/// The body as XML; or what it is when it is none.
fn document(body: &Body, headers: &[Header], decoded: &[u8]) -> Result<Document, Kind> {
    if is_sync(body, headers) {
        return Err(Kind::ManagementSync);
    }
    if body.length == 0 && decoded.is_empty() {
        return Err(Kind::None);
    }
    if looks_like_xml(decoded) {
        return Ok(Document::read(decoded));
    }
    let is_linked = content_type(headers).contains("json") && is_linked_discovery(decoded);
    Err(if is_linked { Kind::LinkedDiscovery } else { Kind::Other })
}

fn content_type(headers: &[Header]) -> String {
    header(headers, "Content-Type").map(|h| h.text().to_ascii_lowercase()).unwrap_or_default()
}

fn is_sync(body: &Body, headers: &[Header]) -> bool {
    content_type(headers).contains("vnd.syncml") || body.withheld.as_deref() == Some("management-sync")
}

/// The JSON by which a managed device finds its second, linked management (Microsoft's pages on declared
/// configuration): it is recognised, and not judged.
fn is_linked_discovery(text: &[u8]) -> bool {
    const MEMBERS: [&str; 7] = [
        "userDomain",
        "emmDeviceId",
        "enrollmentType",
        "EnrollmentServiceUrl",
        "EnrollmentVersion",
        "EnrollmentPolicyServiceUrl",
        "errorCode",
    ];
    let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(text) else { return false };
    members.keys().any(|name| MEMBERS.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// A `<` among the first characters, in UTF-8 or UTF-16.
fn looks_like_xml(bytes: &[u8]) -> bool {
    let mut first = bytes.iter().filter(|b| !b" \t\r\n\0\xEF\xBB\xBF\xFE\xFF".contains(b));
    first.next() == Some(&b'<')
}

/// What a document is, and the element that says so; none for a bare provisioning document and what is unknown.
fn recognise(document: &Document) -> (Kind, Option<Element<'_>>) {
    let Some(root) = document.root() else { return (Kind::Other, None) };
    if root.local() == "SyncML" {
        return (Kind::ManagementSync, None);
    }
    if Provisioning::is_one(document) {
        return (Kind::SecurityTokenResponse, None);
    }
    let body = Envelope::find(document).and_then(|e| e.body);
    let in_body = body.and_then(|b| b.children().find_map(payload));
    // A device looks for the payload anywhere: so do we when the envelope is broken.
    let found = in_body.or_else(|| document.elements().find_map(payload_exact));
    found.map_or((Kind::Other, None), |(kind, element)| (kind, Some(element)))
}

fn payload(element: Element<'_>) -> Option<(Kind, Element<'_>)> {
    if element.local().eq_ignore_ascii_case("Fault") {
        return Some((Kind::Fault, element));
    }
    payload_exact(element)
}

fn payload_exact(element: Element<'_>) -> Option<(Kind, Element<'_>)> {
    let kind = match element.local() {
        "Discover" => Kind::DiscoverRequest,
        "DiscoverResponse" => Kind::DiscoverResponse,
        "GetPolicies" => Kind::GetPoliciesRequest,
        "GetPoliciesResponse" => Kind::GetPoliciesResponse,
        "RequestSecurityToken" | "RequestSecurityTokenOnBehalfOf" => Kind::SecurityTokenRequest,
        "RequestSecurityTokenResponseCollection" | "RequestSecurityTokenResponse" => {
            Kind::SecurityTokenResponse
        }
        _ => return None,
    };
    Some((kind, element))
}

fn content(kind: Kind, payload: &Element<'_>) -> Content {
    match kind {
        Kind::Fault => Content::Fault(Box::new(Fault::read(payload))),
        Kind::DiscoverRequest => Content::DiscoverRequest(DiscoverRequest::read(payload)),
        Kind::DiscoverResponse => Content::DiscoverResponse(DiscoverResponse::read(payload)),
        Kind::GetPoliciesRequest => Content::GetPoliciesRequest(GetPoliciesRequest::read(payload)),
        Kind::GetPoliciesResponse => Content::GetPoliciesResponse(GetPoliciesResponse::read(payload)),
        Kind::SecurityTokenRequest => Content::TokenRequest(Box::new(TokenRequest::read(payload))),
        Kind::SecurityTokenResponse => Content::TokenResponse(Box::new(TokenResponse::read(payload))),
        Kind::DiscoveryProbe
        | Kind::TermsOfUse
        | Kind::AuthPage
        | Kind::TokenPage
        | Kind::LinkedDiscovery
        | Kind::ManagementSync
        | Kind::Other
        | Kind::None
        | Kind::NotHttp => Content::Unread,
    }
}
