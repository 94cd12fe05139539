//! What a rule is handed, and what it answers.

use std::cell::Cell;
use std::ops::Range;

use super::rule::Subject;
use super::soap::is_request_action;
use crate::dialogue::Dialogue;
use crate::event::{Connection, Exchange, From, Header, Response, Side, steers};
use crate::message::certificate::Csr;
use crate::message::{
    Content, Credential, DiscoverRequest, DiscoverResponse, Fault, GetPoliciesRequest, GetPoliciesResponse,
    Kind, Located, Message, Page, Provisioning, SignInRequest, SignatureState, SignedToken, Soap, Spot,
    TermsAnswer, TokenRequest, TokenResponse, Within, XmlSignature, names,
};
use crate::xml::{Document, Place};

/// The variant says what the rule applies to, so that it cannot disagree with the argument.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    Connection(fn(&Connection) -> Verdict),
    /// Every request that an enrollment client sends.
    Request(fn(&Context<'_>) -> Verdict),
    /// Every answer by the server to an enrollment client.
    Response(fn(&Response, &Context<'_>) -> Verdict),
    /// The same, until it fails: what is true of a whole enrollment is told once.
    Once(fn(&Context<'_>) -> Verdict),
    /// Every enrollment message that is XML.
    Xml(fn(&Document, &Context<'_>) -> Verdict),
    Soap(fn(&Soap, &Context<'_>) -> Verdict),
    DiscoverRequest(fn(&DiscoverRequest, &Context<'_>) -> Verdict),
    DiscoverResponse(fn(&DiscoverResponse, &Context<'_>) -> Verdict),
    /// The security header of GetPolicies and RequestSecurityToken.
    Credential(fn(&Credential, &Context<'_>) -> Verdict),
    /// The security header with a certificate and a signature.
    Signed(fn(&SignedToken, &Context<'_>) -> Verdict),
    /// The device asks for the sign-in page.
    SignInRequest(fn(&SignInRequest, &Context<'_>) -> Verdict),
    /// Every answer to a browser window that wants to sign in.
    SignInAnswer(fn(&Response, &Context<'_>) -> Verdict),
    /// The page that hands over a token.
    TokenPage(fn(&Page, &Context<'_>) -> Verdict),
    /// Every answer to Entra's request for the terms of use.
    TermsAnswer(fn(Option<&TermsAnswer>, &Context<'_>) -> Verdict),
    GetPoliciesRequest(fn(&GetPoliciesRequest, &Context<'_>) -> Verdict),
    GetPoliciesResponse(fn(&GetPoliciesResponse, &Context<'_>) -> Verdict),
    TokenRequest(fn(&TokenRequest, &Context<'_>) -> Verdict),
    /// A token request that renews a certificate.
    Renewal(fn(&TokenRequest, &Context<'_>) -> Verdict),
    Csr(fn(&Csr, &TokenRequest, &Context<'_>) -> Verdict),
    TokenResponse(fn(&TokenResponse, &Context<'_>) -> Verdict),
    Provisioning(fn(&Provisioning, &Context<'_>) -> Verdict),
    /// A provisioning document that has to set the management client up: not that of a renewal.
    Setup(fn(&Provisioning, &Context<'_>) -> Verdict),
    Fault(fn(&Fault, &Context<'_>) -> Verdict),
}

/// Everything that a rule may look at: facts only.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub exchange: &'a Exchange,
    /// The message being judged.
    pub message: &'a Message,
    /// The exchange's request; the message itself when that is one.
    pub request: &'a Message,
    /// What was said before this exchange.
    pub earlier: &'a Dialogue,
    /// The device's connection, where it is known.
    pub connection: Option<&'a Connection>,
    /// How many more places are looked up: see [`MAX_LOCATED`].
    pub places: &'a Cell<usize>,
}

/// Looking up a place reads the text from its start: so many a message, that a hostile one does not cost its square.
pub const MAX_LOCATED: usize = 128;
/// More evidence than this for one rule on one message says nothing new.
pub const MAX_EVIDENCE: usize = 32;

/// `Skip` is not `Pass`: a rule that never ran has proved nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Skip,
    Pass,
    Fail(Vec<Evidence>),
}

/// Where to look, what should be there, what is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub within: Within,
    pub path: String,
    pub place: Option<Place>,
    pub outer_offset: Option<u64>,
    pub expected: String,
    pub found: String,
    /// The code on the user's screen, where this evidence tells it and the rule cannot.
    pub hresult: Option<u32>,
    /// Who has to act, where this evidence tells it better than the rule.
    pub subject: Option<Subject>,
}

/// The longest text that a finding repeats from a message, in characters.
const MAX_FOUND: usize = 160;

impl Check {
    /// What it applies to, for people.
    pub fn applies_to(self) -> &'static str {
        match self {
            Self::Connection(_) => "every connection",
            Self::Request(_) => "every enrollment request",
            Self::Response(_) => "every answer to an enrollment request",
            Self::Once(_) => "every answer to an enrollment request, once an enrollment",
            Self::Xml(_) => "every XML message",
            Self::Soap(_) => "every SOAP message",
            Self::DiscoverRequest(_) => "Discover",
            Self::DiscoverResponse(_) => "DiscoverResponse",
            Self::Credential(_) => "GetPolicies and RequestSecurityToken",
            Self::Signed(_) => "GetPolicies and RequestSecurityToken with a certificate",
            Self::SignInRequest(_) => "requests for the sign-in page",
            Self::SignInAnswer(_) => "answers on the sign-in page's address",
            Self::TokenPage(_) => "the page that hands over a token",
            Self::TermsAnswer(_) => "answers to Entra's request for the terms of use",
            Self::Renewal(_) => "RequestSecurityToken that renews",
            Self::GetPoliciesRequest(_) => "GetPolicies",
            Self::GetPoliciesResponse(_) => "GetPoliciesResponse",
            Self::TokenRequest(_) => "RequestSecurityToken",
            Self::Csr(_) => "the PKCS#10 in RequestSecurityToken",
            Self::TokenResponse(_) => "RequestSecurityTokenResponseCollection",
            Self::Provisioning(_) => "the provisioning document",
            Self::Setup(_) => "the provisioning document of a new enrollment",
            Self::Fault(_) => "SOAP faults",
        }
    }

    /// Whether it can apply to messages of this kind at all: what cannot is not asked.
    pub(super) fn concerns(self, side: Side, kind: Kind) -> bool {
        let request = side == Side::Request;
        match self {
            Self::Connection(_) => false,
            Self::Request(_) => request,
            Self::Response(_) | Self::Once(_) => !request,
            Self::Xml(_) | Self::Soap(_) => true,
            Self::DiscoverRequest(_) => kind == Kind::DiscoverRequest,
            Self::DiscoverResponse(_) => kind == Kind::DiscoverResponse,
            Self::Credential(_) | Self::Signed(_) => {
                matches!(kind, Kind::GetPoliciesRequest | Kind::SecurityTokenRequest)
            }
            Self::SignInRequest(_) => kind == Kind::AuthPage && request,
            Self::SignInAnswer(_) => !request,
            Self::TokenPage(_) => kind == Kind::TokenPage,
            Self::TermsAnswer(_) => !request,
            Self::GetPoliciesRequest(_) => kind == Kind::GetPoliciesRequest,
            Self::GetPoliciesResponse(_) => kind == Kind::GetPoliciesResponse,
            Self::TokenRequest(_) | Self::Renewal(_) | Self::Csr(_) => kind == Kind::SecurityTokenRequest,
            Self::TokenResponse(_) | Self::Provisioning(_) | Self::Setup(_) => {
                kind == Kind::SecurityTokenResponse
            }
            Self::Fault(_) => kind == Kind::Fault,
        }
    }

    pub(super) fn run(self, message: &Message, cx: &Context<'_>) -> Verdict {
        let ours = || cx.exchange.response.as_ref().is_some_and(|r| r.from == From::Enrollscope);
        if message.side == Side::Response && ours() && !matches!(self, Self::Response(_) | Self::Once(_)) {
            return Verdict::Skip;
        }
        match (self, &message.content) {
            (Self::Request(check), _)
                if message.side == Side::Request && (cx.is_enrollment() || cx.is_empty_post()) =>
            {
                check(cx)
            }
            (Self::Response(check), _) if message.side == Side::Response && cx.is_enrollment() => {
                cx.exchange.response.as_ref().map_or(Verdict::Skip, |response| check(response, cx))
            }
            (Self::Once(check), _) if message.side == Side::Response && cx.is_enrollment() => check(cx),
            (Self::Xml(check), _) if cx.is_enrollment() => {
                message.document.as_ref().map_or(Verdict::Skip, |document| check(document, cx))
            }
            (Self::Soap(check), _) => message.soap.as_ref().map_or(Verdict::Skip, |soap| check(soap, cx)),
            (Self::DiscoverRequest(check), Content::DiscoverRequest(m)) => check(m, cx),
            (Self::DiscoverResponse(check), Content::DiscoverResponse(m)) => check(m, cx),
            (Self::Credential(check), Content::GetPoliciesRequest(_) | Content::TokenRequest(_)) => {
                message.soap.as_ref().map_or(Verdict::Skip, |soap| check(&soap.credential, cx))
            }
            (Self::Signed(check), Content::GetPoliciesRequest(_) | Content::TokenRequest(_)) => {
                match message.soap.as_ref().map(|soap| &soap.credential) {
                    Some(Credential::Certificate(signed)) => check(signed, cx),
                    _ => Verdict::Skip,
                }
            }
            (Self::SignInRequest(check), Content::SignInRequest(m)) => check(m, cx),
            (Self::SignInAnswer(check), _)
                if message.side == Side::Response && cx.request.kind == Kind::AuthPage =>
            {
                cx.exchange.response.as_ref().map_or(Verdict::Skip, |response| check(response, cx))
            }
            (Self::TokenPage(check), Content::TokenPage(page)) => check(page, cx),
            (Self::TermsAnswer(check), content)
                if message.side == Side::Response && cx.request.kind == Kind::TermsOfUse =>
            {
                match content {
                    Content::TermsAnswer(answer) => check(Some(answer), cx),
                    _ => check(None, cx),
                }
            }
            (Self::Renewal(check), Content::TokenRequest(m)) if m.is_renewal() => check(m, cx),
            (Self::GetPoliciesRequest(check), Content::GetPoliciesRequest(m)) => check(m, cx),
            (Self::GetPoliciesResponse(check), Content::GetPoliciesResponse(m)) => check(m, cx),
            (Self::TokenRequest(check), Content::TokenRequest(m)) => check(m, cx),
            (Self::Csr(check), Content::TokenRequest(m)) => {
                m.csr.as_ref().map_or(Verdict::Skip, |csr| check(csr, m, cx))
            }
            (Self::TokenResponse(check), Content::TokenResponse(m)) => check(m, cx),
            (Self::Setup(_), _) if cx.is_renewal() => Verdict::Skip,
            (Self::Provisioning(check) | Self::Setup(check), _) => {
                message.provisioning().map_or(Verdict::Skip, |doc| check(doc, cx))
            }
            (Self::Fault(check), Content::Fault(m)) => check(m, cx),
            _ => Verdict::Skip,
        }
    }
}

impl Context<'_> {
    /// The exchange is one between the enrollment client and its server, as far as its messages tell: no page of a
    /// browser window, no management.
    pub fn is_enrollment(&self) -> bool {
        let known = |kind: Kind| {
            !matches!(
                kind,
                Kind::TermsOfUse
                    | Kind::AuthPage
                    | Kind::TokenPage
                    | Kind::LinkedDiscovery
                    | Kind::ManagementSync
                    | Kind::Other
                    | Kind::None
                    | Kind::NotHttp
            )
        };
        // A request for one of our operations is one, whatever its Body holds.
        let action = self.request.soap.as_ref().and_then(|soap| soap.action.as_ref());
        known(self.request.kind)
            || known(self.message.kind)
            || action.is_some_and(|a| is_request_action(&a.value))
    }

    /// The device renews what it has: it has a certificate to show, and its management client is set up already.
    pub fn is_renewal(&self) -> bool {
        let asked = match &self.request.content {
            Content::TokenRequest(request) => request.is_renewal(),
            _ => false,
        };
        asked || self.connection.is_some_and(|c| !c.client_certificate.is_empty())
    }

    /// Nobody types an empty password, and the samples of renewals have one; the token request will tell.
    pub fn may_renew(&self) -> bool {
        let credential = self.request.soap.as_ref().map(|soap| &soap.credential);
        let empty = match credential {
            Some(Credential::UsernameToken(token)) => {
                token.password.as_ref().is_some_and(|p| p.is_empty() && !p.padded)
            }
            _ => false,
        };
        self.is_renewal() || empty && self.request.kind == Kind::GetPoliciesRequest
    }

    /// A POST to an enrollment service whose message got lost, or was never there.
    pub fn is_empty_post(&self) -> bool {
        let request = &self.exchange.request;
        let service = names::DISCOVERY_PATH.split_inclusive('/').take(2).map(str::len).sum();
        request.method == "POST"
            && self.request.kind == Kind::None
            && request.body.length == 0
            && request
                .target
                .get(..service)
                .zip(names::DISCOVERY_PATH.get(..service))
                .is_some_and(|(found, folder)| found.eq_ignore_ascii_case(folder))
    }

    /// The headers of this message.
    pub fn headers(&self) -> &[Header] {
        match self.message.side {
            Side::Request => &self.exchange.request.headers,
            Side::Response => self.exchange.response.as_ref().map(|r| &r.headers[..]).unwrap_or_default(),
        }
    }

    /// A status and heads were on a wire, and not made up for a message read from a file.
    pub fn has_head(&self) -> bool {
        match self.message.side {
            Side::Request => !self.exchange.request.headers.is_empty(),
            Side::Response => self.exchange.response.as_ref().is_some_and(|r| r.status != 0),
        }
    }

    /// Fails at a place of this message's body.
    pub fn fail(&self, at: &Spot, expected: impl Into<String>, found: impl Into<String>) -> Verdict {
        Verdict::Fail(vec![self.evidence(at, expected, found)])
    }

    /// Fails at the field, or at its absence from `parent`.
    pub fn fail_field(
        &self,
        field: Option<&crate::message::Field>,
        absent: (&Spot, &'static str),
        expected: impl Into<String>,
    ) -> Verdict {
        match field {
            Some(field) if field.nil => self.fail(&field.spot, expected, "nil"),
            Some(field) if field.is_empty() => self.fail(&field.spot, expected, "empty"),
            Some(field) => self.fail(&field.spot, expected, field.value.clone()),
            None => self.fail(&absent.0.missing(absent.1), expected, "absent"),
        }
    }

    pub fn evidence(&self, at: &Spot, expected: impl Into<String>, found: impl Into<String>) -> Evidence {
        let located = self.message.document.as_ref().map(|d| self.locate(at, d)).unwrap_or_default();
        // A provisioning document that is the whole body is still the provisioning document.
        let within = if matches!(self.message.content, Content::Provisioning(_)) {
            Within::Provisioning
        } else {
            Within::Body
        };
        Evidence {
            within,
            path: located.path,
            place: located.place,
            outer_offset: None,
            expected: expected.into(),
            found: shorten(&found.into()),
            hresult: None,
            subject: None,
        }
    }

    fn locate(&self, at: &Spot, document: &Document) -> Located {
        match self.places.get() {
            0 => Located::default(),
            left => {
                self.places.set(left - 1);
                at.locate(document)
            }
        }
    }

    /// Evidence inside the provisioning document.
    pub fn provisioned(&self, at: &Spot, expected: impl Into<String>, found: impl Into<String>) -> Evidence {
        let Some(provisioning) = self.message.provisioning() else {
            return self.evidence(at, expected, found);
        };
        let located = self.locate(at, &provisioning.document);
        Evidence {
            within: Within::Provisioning,
            path: located.path,
            place: located.place,
            outer_offset: self.token_offset(),
            expected: expected.into(),
            found: shorten(&found.into()),
            hresult: None,
            subject: None,
        }
    }

    pub fn fail_provisioned(
        &self,
        at: &Spot,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Verdict {
        Verdict::Fail(vec![self.provisioned(at, expected, found)])
    }

    /// Evidence inside the PKCS#10: a byte range of its DER.
    pub fn in_csr(
        &self,
        (path, span): (&str, (usize, usize)),
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Verdict {
        Verdict::Fail(vec![Evidence {
            within: Within::Csr,
            path: path.to_owned(),
            place: Some(Place { line: 1, column: 1, offset: span.0 as u64, length: span.1 as u64 }),
            outer_offset: self.token_offset(),
            expected: expected.into(),
            found: shorten(&found.into()),
            hresult: None,
            subject: None,
        }])
    }

    /// Fails at a place of a page.
    pub fn fail_page(
        &self,
        page: &Page,
        (path, span): (&str, &Range<usize>),
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Verdict {
        Verdict::Fail(vec![Evidence {
            within: Within::Body,
            path: path.to_owned(),
            place: Some(page.place(span)),
            outer_offset: None,
            expected: expected.into(),
            found: shorten(&found.into()),
            hresult: None,
            subject: None,
        }])
    }

    /// Whether the message is as it was signed: known before its secrets were taken out, or told from it now.
    pub fn signature_state(&self, signature: &XmlSignature) -> SignatureState {
        let fact = self.exchange.facts.get(SignatureState::FACT);
        fact.and_then(|word| SignatureState::parse(word)).unwrap_or(signature.state)
    }

    /// Fails at a header of this message, or at its absence; `status` stands for the first line.
    pub fn fail_head(&self, name: &str, expected: impl Into<String>, found: impl Into<String>) -> Verdict {
        let headers = self.headers();
        let line = match name {
            "status" | "method" | "target" => Some(1),
            _ => headers.iter().position(|h| h.name.eq_ignore_ascii_case(name)).map(|at| at + 2),
        };
        let line = line.and_then(|line| u32::try_from(line).ok());
        Verdict::Fail(vec![Evidence {
            within: Within::Head,
            path: name.to_owned(),
            place: line.map(|line| Place { line, column: 1, offset: 0, length: 0 }),
            outer_offset: None,
            expected: expected.into(),
            found: shorten(&found.into()),
            hresult: None,
            subject: None,
        }])
    }

    /// Where the BinarySecurityToken's text starts in the body's bytes.
    fn token_offset(&self) -> Option<u64> {
        let spot = match &self.message.content {
            Content::TokenRequest(request) => &request.token.as_ref()?.spot,
            Content::TokenResponse(response) => &response.token.as_ref()?.spot,
            _ => return None,
        };
        Some(spot.locate(self.message.document.as_ref()?).place?.offset)
    }
}

impl Verdict {
    pub fn check(holds: bool, otherwise: impl FnOnce() -> Self) -> Self {
        if holds { Self::Pass } else { otherwise() }
    }

    #[must_use]
    pub fn with_subject(mut self, subject: Subject) -> Self {
        if let Self::Fail(evidence) = &mut self {
            evidence.iter_mut().for_each(|e| e.subject = Some(subject));
        }
        self
    }

    #[must_use]
    pub fn with_hresult(mut self, hresult: u32) -> Self {
        if let Self::Fail(evidence) = &mut self {
            evidence.iter_mut().for_each(|e| e.hresult = Some(hresult));
        }
        self
    }

    /// Passes when there is no evidence.
    pub fn from_evidence(evidence: Vec<Evidence>) -> Self {
        if evidence.is_empty() { Self::Pass } else { Self::Fail(evidence) }
    }

    pub fn connection(path: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Fail(vec![Evidence {
            within: Within::Connection,
            path: path.to_owned(),
            place: None,
            outer_offset: None,
            expected: expected.into(),
            found: shorten(&found.into()),
            hresult: None,
            subject: None,
        }])
    }
}

/// Cuts long texts and shows control characters for what they are, as screens and reports repeat them.
fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(MAX_FOUND)
        .flat_map(|c| if steers(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(MAX_FOUND).is_some() {
        short.push('…');
    }
    short
}
