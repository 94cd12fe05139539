//! The reference enrollment server: a request in, an answer out. It reads no clock and no socket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::answers::{self, Detail, Provisioned, Refusal};
use super::ca::{Authority, Flaw};
use super::misbehave::{self, MisbehaveError};
use super::pages;
use super::policies;
use super::stand_ins::sync_answer;
use super::text::{SOAP_TYPE, headers, uuid};
use crate::event::{Body, Header, Request, Response, Time, header};
use crate::message::certificate::{Certificate, SignerState};
use crate::message::{
    AuthPolicy, Content, Credential, Field, Kind, Message, SignatureState, TokenRequest, decode_base64,
    names, read_request,
};
use crate::rules::{Change, Edit, Golden, Part, Rule, Step};

/// What a reference server is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The origin that it advertises: `https://mdm.example`.
    pub public_url: String,
    pub accounts: Accounts,
    /// How devices are to prove who their users are. An Entra token is accepted in any case, as devices that have one
    /// send it.
    pub auth: AuthPolicy,
    /// How many devices a user may enroll.
    pub device_cap: usize,
    /// PROVIDER-ID and NAME in the provisioning document.
    pub provider: String,
    /// The policy answer says all that there is to say, attestation included above version 4.0.
    pub full_policy: bool,
    /// The answer to the token request says all that one can: an authority between, a port, lists, languages, times.
    pub detailed: bool,
    /// The authority behind it denies every request, and the fault says so as a certificate service's does.
    pub denies: bool,
    /// The highest EnrollmentVersion that it answers with; above 4.0 devices attest their keys.
    pub newest: f64,
    /// Renews only with the device's certificate in `Client-Cert` (RFC 9440), as a front end hands it on. Whoever can
    /// reach such a server can forge it.
    pub wants_client_cert: bool,
    /// Decides the secrets and trace ids; the same seed gives the same answers.
    pub seed: u64,
    /// An edit to make on the answers of its step: see [`Settings::breaking`].
    pub misbehave: Option<Edit>,
    /// First enrollments are spared: a device can only renew what it got in order.
    pub only_renewals: bool,
    /// The same for single users only (lower case).
    pub misbehave_for: BTreeMap<String, Edit>,
    /// How these users (lower case) are to sign in, where that is not as all the others do.
    pub auth_for: BTreeMap<String, AuthPolicy>,
}

impl Settings {
    pub fn new(public_url: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            accounts: Accounts::Anyone,
            auth: AuthPolicy::OnPremise,
            device_cap: 20,
            provider: "EnrollscopeReference".to_owned(),
            full_policy: false,
            detailed: false,
            denies: false,
            newest: 4.0,
            wants_client_cert: false,
            seed: 0,
            misbehave: None,
            only_renewals: false,
            misbehave_for: BTreeMap::new(),
            auth_for: BTreeMap::new(),
        }
    }

    /// The server breaks the rule whenever it can: its first example that is a server's to make.
    pub fn breaking(self, rule: &'static Rule) -> Result<Self, MisbehaveError> {
        let example = misbehave::for_server(rule)?;
        let only_renewals = example.golden == Golden::Renewal;
        Ok(Self { misbehave: Some(example.edit), only_renewals, ..self.suiting(example.golden) })
    }

    /// As the golden's server is, so that the places of its edits are there.
    #[must_use]
    pub fn suiting(self, golden: Golden) -> Self {
        match golden {
            Golden::OnPremise | Golden::Renewal => self,
            Golden::Refused => Self { device_cap: 0, ..self },
            Golden::Denied => Self { denies: true, ..self },
            Golden::FullPolicy => Self { full_policy: true, newest: 6.0, ..self },
            Golden::DeviceContext => Self { detailed: true, ..self },
            Golden::Federated | Golden::Entra => Self { auth: AuthPolicy::Federated, ..self },
            Golden::Attestation => Self { auth: AuthPolicy::Federated, newest: 7.0, ..self },
            Golden::Certificate => Self { auth: AuthPolicy::Certificate, ..self },
        }
    }
}

/// Whom the server lets in.
#[derive(Clone, Debug)]
pub enum Accounts {
    /// Every user with any password but an empty one.
    Anyone,
    /// Every user with this password.
    Password(String),
    /// These users with these passwords; names compare without case.
    Known(BTreeMap<String, String>),
}

impl Accounts {
    pub(super) fn admit(&self, user: &str, password: &str) -> bool {
        match self {
            Self::Anyone => !user.is_empty() && !password.is_empty(),
            Self::Password(right) => !user.is_empty() && password == right,
            Self::Known(users) => {
                users.iter().any(|(name, right)| name.eq_ignore_ascii_case(user) && password == right)
            }
        }
    }
}

/// The server: its settings, its authority, and who has enrolled.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    authority: Authority,
    /// By user (lower case): the device ids.
    enrolled: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Server {
    pub fn new(settings: Settings, authority: Authority) -> Self {
        let authority = if settings.detailed { authority.through_intermediate() } else { authority };
        Self { settings, authority, enrolled: Mutex::default() }
    }

    /// From now on.
    pub(super) fn misbehave(&mut self, edit: Edit) {
        self.settings.misbehave = Some(edit);
    }

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The answer to any request; `now` becomes the answer's time and the certificates' beginning.
    pub fn answer(&self, request: &Request, now: Time) -> Response {
        let message = read_request(request);
        let (flaw, finished) = match self.settings.misbehave.or_else(|| self.misbehaviour(&message)) {
            Some(edit)
                if Step::of(request, message.kind) == misbehave::step(&edit) && self.is_due(&message) =>
            {
                match edit {
                    Edit::Message { part: Part::Certificate, change: Change::Variant(name), .. } => {
                        (Flaw::named(name), None)
                    }
                    edit => (None, Some(edit)),
                }
            }
            _ => (None, None),
        };
        let response = self.plain_answer(request, &message, now, flaw);
        match finished {
            Some(edit) => misbehave::edit_response(&edit, request, response),
            None => response,
        }
    }

    /// Whether this message is one to misbehave on.
    fn is_due(&self, message: &Message) -> bool {
        let renews = matches!(&message.content, Content::TokenRequest(token) if token.is_renewal());
        renews || !self.settings.only_renewals
    }

    fn plain_answer(&self, request: &Request, message: &Message, now: Time, flaw: Option<Flaw>) -> Response {
        let asked = Asked {
            relates_to: message
                .soap
                .as_ref()
                .and_then(|soap| soap.message_id.as_ref())
                .map(|id| id.value.clone())
                .unwrap_or_default(),
            trace_id: uuid(&[
                &self.settings.seed.to_be_bytes(),
                &now.0.to_be_bytes(),
                request.target.as_bytes(),
                &request.body.bytes,
            ])
            .to_string(),
            now,
        };
        match &message.content {
            _ if message.kind == Kind::DiscoveryProbe && is_discovery(&request.target) => {
                respond(now, 200, headers([("Content-Length", "0".to_owned())]), "")
            }
            _ if message.kind == Kind::ManagementSync => self.sync(request, message, now),
            _ if matches!(message.kind, Kind::TermsOfUse | Kind::AuthPage) => {
                pages::page(self, request, now).unwrap_or_else(|| nothing_here(now))
            }
            Content::DiscoverRequest(discover) => {
                let version = discover.version.as_ref().map_or("", |v| v.value.as_str());
                let user =
                    discover.email.as_ref().map(|email| email.value.to_lowercase()).unwrap_or_default();
                let auth = self.settings.auth_for.get(&user).copied().unwrap_or(self.settings.auth);
                asked.answer(
                    200,
                    &answers::discover_response(
                        &asked.relates_to,
                        &enrollment_version(version, self.settings.newest),
                        auth,
                        &self.settings.public_url,
                    ),
                )
            }
            Content::GetPoliciesRequest(_) => match self.user(message, now) {
                Ok(_) => asked.answer(200, &self.policies(&asked.relates_to)),
                Err(why) => asked.stranger(why),
            },
            Content::TokenRequest(token) if self.settings.wants_client_cert && !is_shown(request, token) => {
                asked.stranger("Client-Cert does not hold the certificate that is to be renewed.")
            }
            Content::TokenRequest(token) => match self.user(message, now) {
                Ok(user) => self.token(&asked, token, &user, flaw),
                Err(why) => asked.stranger(why),
            },
            _ if request.method == "POST" && request.target.starts_with("/EnrollmentServer/") => {
                asked.fault("s:MessageFormat", None, "The request is not an enrollment message.")
            }
            _ => nothing_here(now),
        }
    }

    fn policies(&self, relates_to: &str) -> String {
        if self.settings.full_policy {
            let attested = self.settings.newest > 4.0;
            policies::full(relates_to, &self.settings.public_url, self.authority.root(), attested)
        } else {
            policies::lean(relates_to)
        }
    }

    /// What is in store for this message's user.
    fn misbehaviour(&self, message: &Message) -> Option<Edit> {
        let user = match &message.content {
            Content::DiscoverRequest(discover) => discover.email.as_ref(),
            _ => message.soap.as_ref().and_then(|soap| soap.credential.user()),
        };
        self.settings.misbehave_for.get(&user?.value.to_lowercase()).copied()
    }

    /// The user whom the message's credential proves, or why it proves nobody.
    fn user(&self, message: &Message, now: Time) -> Result<String, &'static str> {
        const STRANGER: &str = "The user name or the password is wrong.";
        match message.soap.as_ref().map_or(&Credential::None, |soap| &soap.credential) {
            Credential::None => Err("The message has no credential."),
            Credential::UsernameToken(token) => {
                let text = |field: &Option<Field>| field.as_ref().map_or("", |f| f.value.as_str()).to_owned();
                let (user, password) = (text(&token.username), text(&token.password));
                // A renewal has no password any more: its proof is the signature around the request.
                let known = password.is_empty() && self.has_devices(&user);
                (known || self.settings.accounts.admit(&user, &password)).then_some(user).ok_or(STRANGER)
            }
            Credential::Token(token) => match &token.jwt {
                Some(jwt) => self.entra_user(jwt, now),
                None => {
                    let text = decode_base64(&token.token.value.value).unwrap_or_default();
                    let user = std::str::from_utf8(&text).ok().and_then(|text| self.token_user(text));
                    user.ok_or("The token is not one of this server's.")
                }
            },
            Credential::Certificate(signed) => {
                let valid = signed.signature.as_ref().is_some_and(|s| s.state == SignatureState::Valid);
                let certificate = signed.certificate.as_ref().filter(|c| valid && self.has_issued(c, now));
                let name = certificate.and_then(|c| c.subject.common_name()).map(str::to_owned);
                name.ok_or("The signature does not hold, or its certificate is not one of this server's.")
            }
        }
    }

    /// A certificate of this server's authority that is valid now.
    fn has_issued(&self, certificate: &Certificate, now: Time) -> bool {
        let root = Certificate::read(self.authority.root());
        root.is_some_and(|root| certificate.is_signed_by(&root) == Some(true))
            && certificate.not_before.is_some_and(|from| from <= now)
            && certificate.not_after.is_some_and(|to| now <= to)
    }

    fn has_devices(&self, user: &str) -> bool {
        let enrolled = self.enrolled.lock().unwrap_or_else(PoisonError::into_inner);
        enrolled.get(&user.to_lowercase()).is_some_and(|devices| !devices.is_empty())
    }

    fn token(&self, asked: &Asked, request: &TokenRequest, user: &str, flaw: Option<Flaw>) -> Response {
        if let Some(trouble) = self.renewal_trouble(request, asked.now) {
            return asked.fault("s:CertificateRequest", Some("NotEligibleToRenew"), trouble);
        }
        let inner = request.signed.as_ref().and_then(|signed| signed.content.as_deref());
        let der = inner.or(request.der.as_deref()).unwrap_or_default();
        let Some(csr) = request.csr.as_ref().filter(|csr| csr.signature_valid == Some(true)) else {
            let reason = "The certificate request cannot be read, or its signature does not hold.";
            return asked.fault("s:CertificateRequest", None, reason);
        };
        let Some(device_id) = request.device_id() else {
            return asked.fault("s:MessageFormat", None, "The request names no DeviceID.");
        };
        if !self.count(user, device_id) {
            let reason = format!("{user} has enrolled as many devices as are allowed.");
            return asked.fault("s:Authorization", Some("DeviceCapReached"), &reason);
        }
        if self.settings.denies {
            // CERTSRV_E_TEMPLATE_DENIED.
            let detail = Detail::Authority(0x8009_4012_u32.cast_signed());
            return asked.refuse("s:CertificateRequest", "The authority denied the request.", detail);
        }
        let (at, length) = csr.spans.key;
        let public = der.get(at..at + length).unwrap_or_default();
        // However soon the renewal comes, the new certificate is valid for longer than the one before.
        let from = if request.is_renewal() { asked.now.plus_millis(60_000) } else { asked.now };
        let Ok(issued) = self.authority.issue(device_id, public, from, flaw) else {
            return asked.fault("s:CertificateRequest", None, "The key is of a kind that is not supported.");
        };
        let item = |name| request.item(name).map_or("", |field| field.value.as_str());
        if request.is_renewal() {
            let for_device = item("EnrollmentType") == "Device";
            let document = answers::renewed(&issued, for_device, &self.settings.provider);
            return asked.answer(200, &answers::token_response(&asked.relates_to, &document));
        }
        if !item("EnrollmentData").is_empty() && item("EnrollmentData") != self.terms_blob(user) {
            let reason = "EnrollmentData is not what the terms of use ended with.";
            return asked.fault("s:EnrollmentServer", Some("InvalidEnrollmentData"), reason);
        }
        let document = answers::provisioning(&Provisioned {
            issued: &issued,
            device_id,
            device_name: item("DeviceName"),
            for_device: item("EnrollmentType") == "Device",
            public_url: &self.settings.public_url,
            provider: &self.settings.provider,
            secret: &self.settings.seed.to_be_bytes(),
            user,
            detailed: self.settings.detailed,
        });
        let text = if self.settings.detailed {
            answers::detailed_token_response(&asked.relates_to, &document, asked.now)
        } else {
            answers::token_response(&asked.relates_to, &document)
        };
        asked.answer(200, &text)
    }

    /// Why a renewal cannot be granted.
    fn renewal_trouble(&self, request: &TokenRequest, now: Time) -> Option<&'static str> {
        if !request.is_renewal() {
            return None;
        }
        let Some(signed) = &request.signed else { return Some("The renewal is not signed.") };
        if signed.signer.as_ref().is_none_or(|signer| signer.state != SignerState::Valid) {
            return Some("The signature around the request does not hold.");
        }
        let known = signed.signing_certificate().is_some_and(|c| self.has_issued(c, now));
        (!known).then_some("The signer's certificate is not one of this server's, or has expired.")
    }

    /// Whether the user may have this device; a device that enrolls again counts once.
    fn count(&self, user: &str, device_id: &str) -> bool {
        let mut enrolled = self.enrolled.lock().unwrap_or_else(PoisonError::into_inner);
        let devices = enrolled.entry(user.to_lowercase()).or_default();
        if devices.contains(device_id) {
            return true;
        }
        devices.len() < self.settings.device_cap && devices.insert(device_id.to_owned())
    }

    fn sync(&self, request: &Request, message: &Message, now: Time) -> Response {
        let path = request.target.split('?').next().unwrap_or_default();
        sync_answer(message, &format!("{}{path}", self.settings.public_url), now)
    }
}

/// A renewal's certificate is the one that the front end saw in TLS; others have none to show.
fn is_shown(request: &Request, token: &TokenRequest) -> bool {
    if !token.is_renewal() {
        return true;
    }
    let shown = header(&request.headers, "Client-Cert")
        .and_then(|header| decode_base64(header.text().trim_matches(':')))
        .and_then(|der| Certificate::read(&der));
    let renewed = token.signed.as_ref().and_then(|signed| signed.signing_certificate());
    shown.zip(renewed).is_some_and(|(shown, renewed)| shown.thumbprint == renewed.thumbprint)
}

/// What every answer to one request needs.
struct Asked {
    relates_to: String,
    trace_id: String,
    now: Time,
}

impl Asked {
    fn answer(&self, status: u16, text: &str) -> Response {
        let kind = ("Content-Type", SOAP_TYPE.to_owned());
        respond(self.now, status, headers([kind, ("Content-Length", text.len().to_string())]), text)
    }

    fn stranger(&self, why: &str) -> Response {
        self.fault("s:Authentication", None, why)
    }

    fn fault(&self, subcode: &str, error_type: Option<&str>, reason: &str) -> Response {
        self.refuse(subcode, reason, error_type.map_or(Detail::None, Detail::Service))
    }

    fn refuse(&self, subcode: &str, reason: &str, detail: Detail<'_>) -> Response {
        let refusal = Refusal { subcode, reason, detail, trace_id: &self.trace_id };
        self.answer(500, &answers::fault(&self.relates_to, &refusal))
    }
}

fn nothing_here(now: Time) -> Response {
    let text = "enrollscope reference server: nothing is here\n";
    let kind = ("Content-Type", "text/plain; charset=utf-8".to_owned());
    respond(now, 404, headers([kind, ("Content-Length", text.len().to_string())]), text)
}

pub(super) fn respond(at: Time, status: u16, headers: Vec<Header>, text: &str) -> Response {
    let reason = match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        404 => "Not Found",
        _ => "Internal Server Error",
    };
    Response {
        at,
        status,
        reason: reason.to_owned(),
        headers,
        body: Body::full(text.to_owned()),
        ..Response::default()
    }
}

fn is_discovery(target: &str) -> bool {
    target.split('?').next().is_some_and(|path| path.eq_ignore_ascii_case(names::DISCOVERY_PATH))
}

/// The lower of what the client asks for and what the server supports; 3.0 is the least that there is.
fn enrollment_version(asked: &str, newest: f64) -> String {
    let asked = asked.parse::<f64>().unwrap_or(newest);
    format!("{:.1}", asked.min(newest).floor().max(3.0))
}
