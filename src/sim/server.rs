//! The reference enrollment server, on-premise: a request in, an answer out. It reads no clock and no socket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::answers::{self, Detail, Provisioned, Refusal};
use super::ca::{Authority, Flaw};
use super::misbehave::{self, MisbehaveError};
use super::text::{SOAP_TYPE, SYNC_TYPE, headers, uuid};
use crate::event::{Body, Header, Request, Response, Time};
use crate::message::certificate::Csr;
use crate::message::{Content, Credential, Kind, Message, TokenRequest, decode_base64, names, read_request};
use crate::rules::{Change, Edit, Golden, Part, Rule};

/// What a reference server is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The origin that it advertises: `https://mdm.example`.
    pub public_url: String,
    pub accounts: Accounts,
    /// How many devices a user may enroll.
    pub device_cap: usize,
    /// PROVIDER-ID and NAME in the provisioning document.
    pub provider: String,
    /// The answer to the token request says all that one can: an authority between, a port, lists, languages, times.
    pub detailed: bool,
    /// The authority behind it denies every request, and the fault says so as a certificate service's does.
    pub denies: bool,
    /// The highest EnrollmentVersion that it answers with; above 4.0 devices attest their keys.
    pub newest: f64,
    /// Decides the secrets and trace ids; the same seed gives the same answers.
    pub seed: u64,
    /// An edit to make on the answers of its step: see [`Settings::breaking`].
    pub misbehave: Option<Edit>,
    /// The same for single users only (lower case).
    pub misbehave_for: BTreeMap<String, Edit>,
}

impl Settings {
    pub fn new(public_url: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            accounts: Accounts::Anyone,
            device_cap: 20,
            provider: "EnrollscopeReference".to_owned(),
            detailed: false,
            denies: false,
            newest: 4.0,
            seed: 0,
            misbehave: None,
            misbehave_for: BTreeMap::new(),
        }
    }

    /// The server breaks the rule whenever it can: its first example that is a server's to make.
    pub fn breaking(self, rule: &'static Rule) -> Result<Self, MisbehaveError> {
        let example = misbehave::for_server(rule)?;
        Ok(Self { misbehave: Some(example.edit), ..self.suiting(example.golden) })
    }

    /// As the golden's server is, so that the places of its edits are there.
    #[must_use]
    pub fn suiting(self, golden: Golden) -> Self {
        match golden {
            Golden::OnPremise => self,
            Golden::Refused => Self { device_cap: 0, ..self },
            Golden::Denied => Self { denies: true, ..self },
            Golden::Attestation => {
                Self { newest: 7.0, accounts: Accounts::Token(SECURITY_TOKEN.to_owned()), ..self }
            }
            Golden::DeviceContext => Self { detailed: true, ..self },
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
    /// Federated: everyone who brings this security token.
    Token(String),
}

/// What the sign-in page of the simulation hands out, before it is base64.
pub(super) const SECURITY_TOKEN: &str = "a security token of the reference server";

impl Accounts {
    fn admit(&self, user: &str, password: &str) -> bool {
        match self {
            Self::Anyone => !user.is_empty() && !password.is_empty(),
            Self::Password(right) => !user.is_empty() && password == right,
            Self::Known(users) => {
                users.iter().any(|(name, right)| name.eq_ignore_ascii_case(user) && password == right)
            }
            Self::Token(_) => false,
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
            Some(edit) if misbehave::step_of(message.kind) == misbehave::step(&edit) => match edit {
                Edit::Message { part: Part::Certificate, change: Change::Variant(name), .. } => {
                    (Flaw::named(name), None)
                }
                edit => (None, Some(edit)),
            },
            _ => (None, None),
        };
        let response = self.plain_answer(request, &message, now, flaw);
        match finished {
            Some(edit) => misbehave::edit_response(&edit, request, response),
            None => response,
        }
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
            Content::DiscoverRequest(discover) => {
                let version = discover.version.as_ref().map_or("", |v| v.value.as_str());
                asked.answer(
                    200,
                    &answers::discover_response(
                        &asked.relates_to,
                        &enrollment_version(version, self.settings.newest),
                        &self.settings.public_url,
                        matches!(self.settings.accounts, Accounts::Token(_)),
                    ),
                )
            }
            Content::GetPoliciesRequest(_) => match self.user(message) {
                Some(_) => asked.answer(200, &answers::get_policies_response(&asked.relates_to)),
                None => asked.stranger(),
            },
            Content::TokenRequest(token) => match self.user(message) {
                Some(user) => self.token(&asked, token, &user, flaw),
                None => asked.stranger(),
            },
            _ if request.method == "POST" && request.target.starts_with("/EnrollmentServer/") => {
                asked.fault("s:MessageFormat", None, "The request is not an enrollment message.")
            }
            _ => {
                let text = "enrollscope reference server: nothing is here\n";
                let kind = ("Content-Type", "text/plain; charset=utf-8".to_owned());
                respond(now, 404, headers([kind, ("Content-Length", text.len().to_string())]), text)
            }
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

    /// The user whom the message's credential proves.
    fn user(&self, message: &Message) -> Option<String> {
        match (&message.soap.as_ref()?.credential, &self.settings.accounts) {
            (Credential::Token(token), Accounts::Token(right)) => {
                let shown = decode_base64(&token.value.value)?;
                (shown == right.as_bytes()).then(|| "the user who signed in".to_owned())
            }
            (Credential::UsernameToken(token), accounts) => {
                let (user, password) = (&token.username.as_ref()?.value, &token.password.as_ref()?.value);
                accounts.admit(user, password).then(|| user.clone())
            }
            _ => None,
        }
    }

    fn token(&self, asked: &Asked, request: &TokenRequest, user: &str, flaw: Option<Flaw>) -> Response {
        let der = request.der.as_deref().unwrap_or_default();
        let Some(csr) = Csr::read(der).filter(|csr| csr.signature_valid == Some(true)) else {
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
        let Ok(issued) = self.authority.issue(device_id, public, asked.now, flaw) else {
            return asked.fault("s:CertificateRequest", None, "The key is of a kind that is not supported.");
        };
        let item = |name| request.item(name).map_or("", |field| field.value.as_str());
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
        let source = message
            .document
            .as_ref()
            .and_then(|d| d.root()?.child("SyncHdr")?.child("Source")?.child("LocURI"))
            .map(|e| e.text().trim().to_owned())
            .unwrap_or_default();
        let path = request.target.split('?').next().unwrap_or_default();
        let text = answers::sync_response(&format!("{}{path}", self.settings.public_url), &source);
        let kind = ("Content-Type", SYNC_TYPE.to_owned());
        respond(now, 200, headers([kind, ("Content-Length", text.len().to_string())]), &text)
    }
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

    fn stranger(&self) -> Response {
        self.fault("s:Authentication", None, "The user name or the password is wrong.")
    }

    fn fault(&self, subcode: &str, error_type: Option<&str>, reason: &str) -> Response {
        self.refuse(subcode, reason, error_type.map_or(Detail::None, Detail::Service))
    }

    fn refuse(&self, subcode: &str, reason: &str, detail: Detail<'_>) -> Response {
        let refusal = Refusal { subcode, reason, detail, trace_id: &self.trace_id };
        self.answer(500, &answers::fault(&self.relates_to, &refusal))
    }
}

fn respond(at: Time, status: u16, headers: Vec<Header>, text: &str) -> Response {
    let reason = match status {
        200 => "OK",
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
