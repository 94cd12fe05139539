//! What a device makes of an answer: what it takes out of it, or why it gives up, and the code that the user sees.

use bytes::Bytes;

use super::address::Address;
use super::device::Proof;
use crate::event::{Framing, Response, Time, header};
use crate::message::{
    AuthPolicy, Characteristic, Content, Fault, Field, Kind, Message, Page, Provisioning, TermsAnswer,
};

/// Why the device stops, in words, and the code on the user's screen where it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivesUp {
    pub reason: String,
    pub hresult: Option<u32>,
}

impl GivesUp {
    pub(super) fn because(hresult: u32, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hresult: Some(hresult) }
    }

    pub(super) fn without_code(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hresult: None }
    }
}

/// Where discovery sends the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Services {
    /// Absent: the device goes on without a policy.
    pub(super) policy: Option<Address>,
    pub(super) enrollment: Address,
    pub(super) auth: AuthPolicy,
    /// The sign-in page; absent when the device has what it needs.
    pub(super) authentication: Option<Address>,
    /// The device is to attest its key: federated devices do, from EnrollmentVersion 5.0 on.
    pub(super) attests: bool,
}

/// What the device has once it is enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provision {
    /// The client certificate, DER.
    pub certificate: Bytes,
    pub provider: String,
    /// The management server's ADDR; a renewal names none.
    pub management: Option<Address>,
}

pub(super) fn probed(response: &Response) -> Result<(), GivesUp> {
    match response.status {
        200 => Ok(()),
        status => Err(GivesUp::without_code(format!(
            "the probe was answered with {status}: the user is asked for the server's address"
        ))),
    }
}

pub(super) fn discovered(response: &Response, over_tls: bool, proof: &Proof) -> Result<Services, GivesUp> {
    let message = answer(response)?;
    let Content::DiscoverResponse(found) = &message.content else { return Err(unusable("DiscoverResponse")) };
    let namespace = crate::message::names::DISCOVERY;
    if found.namespace != namespace || found.result.is_none() {
        return Err(unusable("DiscoverResponse/DiscoverResult in its namespace"));
    }
    let policy = text(found.auth_policy.as_ref());
    let Some(auth) = AuthPolicy::parse_any_case(policy) else {
        return Err(GivesUp::because(0x8018_0006, format!("AuthPolicy `{policy}` is not known")));
    };
    let page = found.authentication_url.as_ref().filter(|url| !url.is_empty());
    let authentication = match (auth, proof) {
        (AuthPolicy::Federated, Proof::Password) => {
            Some(service(page, "AuthenticationServiceUrl", over_tls)?)
        }
        // An Entra token, or the certificate that is to be renewed, is all that the device has to show.
        (AuthPolicy::Federated, Proof::Entra(_) | Proof::Renewal(_)) => None,
        (AuthPolicy::OnPremise | AuthPolicy::Certificate, _) if page.is_some() => {
            let reason = format!("AuthenticationServiceUrl does not go with {policy}");
            return Err(GivesUp::because(0x8007_0057, reason));
        }
        (AuthPolicy::Certificate, Proof::Password | Proof::Entra(_)) => {
            return Err(GivesUp::because(0x8018_0028, "the device has no certificate to enroll with"));
        }
        (AuthPolicy::OnPremise | AuthPolicy::Federated, Proof::Certificate(_)) => {
            let reason = format!("the device offered Certificate, and the server chose {policy}");
            return Err(GivesUp::because(0x8018_0006, reason));
        }
        (AuthPolicy::OnPremise | AuthPolicy::Certificate, _) => None,
    };
    let enrollment = service(found.enrollment_url.as_ref(), "EnrollmentServiceUrl", over_tls)?;
    let policy = match text(found.policy_url.as_ref()) {
        "" => None,
        _ => Some(service(found.policy_url.as_ref(), "EnrollmentPolicyServiceUrl", over_tls)?),
    };
    let version = text(found.version.as_ref()).parse::<f64>().unwrap_or_default();
    let attests = auth == AuthPolicy::Federated && matches!(proof, Proof::Password) && version >= 5.0;
    Ok(Services { policy, enrollment, auth, authentication, attests })
}

/// The EnrollmentData that the terms of use end with.
pub(super) fn terms_accepted(response: &Response) -> Result<String, GivesUp> {
    let Some(answer) = TermsAnswer::read(response) else {
        let reason = format!("the terms of use are answered with {} and lead nowhere", response.status);
        return Err(GivesUp::because(http_code(response.status), reason));
    };
    match (answer.error, answer.is_accepted.as_deref(), answer.opaque_blob) {
        (Some(error), ..) => {
            let why = answer.error_description.unwrap_or_default();
            Err(GivesUp::without_code(format!("the terms of use end with {error}: {why}")))
        }
        (None, Some(accepted), Some(blob)) if accepted.eq_ignore_ascii_case("true") => Ok(blob),
        _ => Err(GivesUp::without_code("the terms of use were not accepted")),
    }
}

/// What a browser window that shows no usable page ends with.
const WEB_PAGE_FAILED: u32 = 0x8018_000F;

pub(super) fn sign_in_page(response: &Response) -> Result<(), GivesUp> {
    let kind = header(&response.headers, "Content-Type").map(|h| h.text().to_ascii_lowercase());
    if response.status == 200 && kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return Ok(());
    }
    let reason = format!("the sign-in page is answered with {} and is no HTML page", response.status);
    Err(GivesUp::because(WEB_PAGE_FAILED, reason))
}

/// The token on the page that hands it over; `None` when it is another page.
pub(super) fn token_page(response: &Response, appru: &str) -> Option<Result<String, GivesUp>> {
    let page = Page::read(&response.body.bytes)?;
    let form = page.token_form()?;
    let action = form.action.as_ref().map_or("", |a| a.value.trim());
    let fails = |why: String| Some(Err(GivesUp::because(WEB_PAGE_FAILED, why)));
    if action != appru {
        return fails(format!("the page hands the token to `{action}`, and the device listens at {appru}"));
    }
    match form.wresult().and_then(|input| input.value.as_ref()) {
        Some(token) if !token.value.is_empty() => Some(Ok(token.value.clone())),
        _ => fails("the page's form has no wresult".to_owned()),
    }
}

pub(super) fn no_token(response: &Response) -> GivesUp {
    GivesUp::because(
        WEB_PAGE_FAILED,
        format!("the sign-in ends with {} and no page that hands over a token", response.status),
    )
}

/// A policy that cannot be read does not stop the device: it goes on with what it would do without one.
pub(super) fn policy_given(response: &Response) -> Result<&'static str, GivesUp> {
    let message = answer(response)?;
    match &message.content {
        Content::GetPoliciesResponse(found) if !found.policies.is_empty() => Ok("a policy"),
        _ => Ok("no policy that can be used, so the device's own defaults"),
    }
}

pub(super) fn provisioned(
    response: &Response,
    key_hash: &str,
    over_tls: bool,
    renewed: bool,
) -> Result<Provision, GivesUp> {
    let message = answer(response)?;
    let Content::TokenResponse(token) = &message.content else {
        return Err(unusable("RequestSecurityTokenResponseCollection"));
    };
    let Some(document) = &token.provisioning else {
        return Err(GivesUp::because(0x8018_0023, "the token holds no provisioning document"));
    };
    if let Some(defect) = document.document.defects().first() {
        let reason = format!("the provisioning document is not well-formed: {}", defect.kind.text());
        return Err(GivesUp::because(0x8018_0023, reason));
    }
    let certificate = client_certificate(document, response.at, key_hash)?;
    if renewed {
        // The management client is set up already (MS-MDE2 3.5.4.1.1.2).
        let provider = document.application().and_then(|a| a.parm("PROVIDER-ID")).map(|f| f.value);
        let provider = provider.unwrap_or_else(|| "the server".to_owned());
        return Ok(Provision { certificate, provider, management: None });
    }
    let (provider, management) = management_client(document, over_tls)?;
    Ok(Provision { certificate, provider, management: Some(management) })
}

pub(super) fn synced(response: &Response) -> Result<(), GivesUp> {
    match (response.status, crate::message::read_response(response).kind) {
        (200, Kind::ManagementSync) => Ok(()),
        (200, _) => Err(GivesUp::without_code("the management server's answer is no SyncML")),
        (status, _) => {
            Err(GivesUp::because(http_code(status), format!("the management server answers {status}")))
        }
    }
}

fn client_certificate(document: &Provisioning, at: Time, key_hash: &str) -> Result<Bytes, GivesUp> {
    for stored in &document.certificates {
        if stored.certificate.is_none() {
            let reason = format!("{}/{}: no certificate can be read", stored.store, stored.location);
            return Err(GivesUp::because(0x8018_001E, reason));
        }
        if stored.encoded.as_ref().is_some_and(|e| e.value.contains(char::is_whitespace)) {
            let reason = format!("{}/{}: the base64 is broken into lines", stored.store, stored.location);
            return Err(GivesUp::because(0x8018_001E, reason));
        }
    }
    let failed = |reason: String| GivesUp::because(0x8018_0024, reason);
    let Some(stored) = document.client_certificate() else {
        return Err(failed("no client certificate is in a My store".to_owned()));
    };
    let (Some(certificate), Some(der)) = (&stored.certificate, &stored.der) else {
        return Err(failed("the client certificate cannot be read".to_owned()));
    };
    if stored.store != "My" || !["User", "System"].contains(&stored.location.as_str()) {
        return Err(failed(format!("the client certificate is in {}/{}", stored.store, stored.location)));
    }
    if !stored.thumbprint.value.eq_ignore_ascii_case(&certificate.thumbprint) {
        return Err(failed(format!(
            "the node is named {}, the certificate's thumbprint is {}",
            stored.thumbprint.value, certificate.thumbprint
        )));
    }
    if certificate.key_hash != key_hash {
        return Err(failed("the certificate is for another key than the device's".to_owned()));
    }
    let began = certificate.not_before.is_none_or(|from| from <= at.plus_millis(300_000));
    if !began || certificate.not_after.is_some_and(|to| to < at) {
        return Err(failed("the certificate is not valid now".to_owned()));
    }
    let node = stored.thumbprint.spot.element(&document.document).map(Characteristic);
    let beside = node.and_then(|node| node.0.parent()).map(Characteristic);
    let container = |c: Characteristic<'_>| c.child("PrivateKeyContainer").is_some();
    if !node.is_some_and(container) && !beside.is_some_and(container) {
        return Err(failed("there is no PrivateKeyContainer with the certificate".to_owned()));
    }
    Ok(Bytes::copy_from_slice(der))
}

fn management_client(document: &Provisioning, over_tls: bool) -> Result<(String, Address), GivesUp> {
    let application = document
        .top("APPLICATION")
        .find(|a| a.parm("APPID").is_some_and(|id| id.value == "w7"))
        .ok_or_else(|| GivesUp::because(0x8018_001F, "there is no APPLICATION with APPID w7"))?;
    if application.parm("INIT").is_some() {
        return Err(GivesUp::because(0x8018_001F, "APPLICATION has INIT, which enrollment does not allow"));
    }
    let levels: Vec<_> = application
        .children_of("APPAUTH")
        .iter()
        .filter_map(|auth| auth.parm("AAUTHSECRET").and(auth.parm("AAUTHLEVEL")))
        .map(|level| level.value)
        .collect();
    if !["CLIENT", "APPSRV"].iter().all(|wanted| levels.iter().any(|level| level == wanted)) {
        return Err(GivesUp::because(
            0x8018_001F,
            "APPAUTH for CLIENT or APPSRV is missing or has no secret",
        ));
    }
    let provider = application.parm("PROVIDER-ID").map(|f| f.value).unwrap_or_default();
    let nodes: Vec<String> = document.providers().iter().map(Characteristic::kind).collect();
    if provider.is_empty() || !nodes.contains(&provider) {
        let reason =
            format!("PROVIDER-ID is `{provider}`, under DMClient/Provider is `{}`", nodes.join("`, `"));
        return Err(GivesUp::because(0x8018_0020, reason));
    }
    let address = application.parm("ADDR");
    let management = service(address.as_ref(), "ADDR", over_tls)
        .map_err(|given_up| GivesUp { hresult: Some(0x8018_001F), ..given_up })?;
    Ok((provider, management))
}

/// Reads an answer whose status and framing a device accepts.
fn answer(response: &Response) -> Result<Message, GivesUp> {
    let message = crate::message::read_response(response);
    if let Content::Fault(fault) = &message.content {
        return Err(declined(fault, response.status));
    }
    if response.status != 200 {
        return Err(GivesUp::because(
            http_code(response.status),
            format!("the server answers {} without a SOAP fault", response.status),
        ));
    }
    if response.body.framing == Framing::Chunked {
        return Err(GivesUp::without_code("the answer is chunked, which enrollment does not allow"));
    }
    if response.body.length == 0 {
        return Err(GivesUp::because(0x8018_0029, "the answer is empty"));
    }
    Ok(message)
}

/// Of a fault's reason so much is told, in characters.
const LONGEST_REASON: usize = 300;

/// A fault in another spelling than SOAP 1.2's tells the device nothing: it shows the status.
fn declined(fault: &Fault, status: u16) -> GivesUp {
    // Servers put whole pages into it.
    let reason: String =
        fault.reason.as_ref().map_or("", |r| &r.value).chars().take(LONGEST_REASON).collect();
    let word = fault.word().unwrap_or("a fault");
    let code = fault.hresult().filter(|_| fault.exact_case).unwrap_or_else(|| http_code(status));
    GivesUp::because(code, format!("the server declines with {word}: {reason}"))
}

fn unusable(expected: &str) -> GivesUp {
    GivesUp::because(http_code(200), format!("the answer has no {expected}"))
}

/// How Windows shows an HTTP status.
fn http_code(status: u16) -> u32 {
    0x8019_0000 | u32::from(status)
}

/// A URL that the device may follow: https, unless it was itself sent to a server without TLS.
fn service(field: Option<&Field>, name: &str, over_tls: bool) -> Result<Address, GivesUp> {
    let url = text(field);
    match Address::parse(url) {
        Some(address) if address.secure || !over_tls => Ok(address),
        _ => Err(unusable(&format!("{name} with an https URL (it is `{url}`)"))),
    }
}

fn text(field: Option<&Field>) -> &str {
    field.map_or("", |f| f.value.as_str())
}
