//! What the reference server shows in a browser window: terms of use, the sign-in page, the page that hands over a token.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::course::TERMS_PATH;
use super::server::{Server, respond};
use super::text::{hash, headers, hex};
use crate::event::{Request, Response, Time, header};
use crate::message::{Jwt, SignInRequest, TermsRequest};
use crate::xml::escape;

/// Where users sign in.
pub(super) const SIGN_IN_PATH: &str = "/EnrollmentServer/Authentication";

const HTML: &str = "text/html; charset=utf-8";

/// Only these can be the device's own addresses; anything else would send a token elsewhere.
const DEVICE_SCHEMES: [&str; 2] = ["ms-app://", "ms-appx-web://"];

/// The answer to a browser window; `None` when the request is not for one.
pub(super) fn page(server: &Server, request: &Request, now: Time) -> Option<Response> {
    let path = request.target.split('?').next().unwrap_or_default();
    if path.eq_ignore_ascii_case(TERMS_PATH) {
        return Some(terms(server, request, now));
    }
    path.eq_ignore_ascii_case(SIGN_IN_PATH).then(|| sign_in(server, request, now))
}

fn terms(server: &Server, request: &Request, now: Time) -> Response {
    let asked = TermsRequest::read(&request.target).and_then(|terms| terms.redirect_uri);
    let Some(redirect) = asked.filter(|uri| is_device(uri)) else {
        return html(now, 400, "<p>redirect_uri must be an address of the device.</p>");
    };
    let bearer = header(&request.headers, "Authorization").map(|h| h.text().into_owned()).unwrap_or_default();
    let token = bearer.strip_prefix("Bearer ").and_then(Jwt::read);
    let mut query = form_urlencoded::Serializer::new(String::new());
    match token.ok_or("the request has no token").and_then(|jwt| server.entra_user(&jwt, now)) {
        Ok(user) => {
            query.append_pair("IsAccepted", "true").append_pair("OpaqueBlob", &server.terms_blob(&user))
        }
        Err(why) => query.append_pair("error", "unauthorized_client").append_pair("error_description", why),
    };
    let location = format!("{redirect}?{}", query.finish());
    respond(now, 302, headers([("Location", location), ("Content-Length", "0".to_owned())]), "")
}

fn sign_in(server: &Server, request: &Request, now: Time) -> Response {
    let asked = SignInRequest::read(&request.target).unwrap_or_default();
    let Some(appru) = asked.appru.filter(|uri| is_device(uri)) else {
        return html(now, 400, "<p>appru must be an address of the device.</p>");
    };
    if request.method != "POST" {
        return sign_in_page(request, now);
    }
    let field = |name: &str| {
        let mut pairs = form_urlencoded::parse(&request.body.bytes);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (user, password) = (field("user"), field("password"));
    if !server.settings().accounts.admit(&user, &password) {
        return html(now, 200, &login_form(&escape(&user), "<p>The user name or the password is wrong.</p>"));
    }
    let page = format!(
        "<form method=\"post\" action=\"{appru}\"><input type=\"hidden\" name=\"wresult\" \
         value=\"{token}\"/><input type=\"submit\"/></form>\
         <script>document.forms[0].submit();</script>",
        appru = escape(&appru),
        token = escape(&server.user_token(&user)),
    );
    html(now, 200, &page)
}

/// A form for a name and a password, sent to where it is from.
pub(crate) fn sign_in_page(request: &Request, now: Time) -> Response {
    let asked = SignInRequest::read(&request.target).unwrap_or_default();
    let hint = escape(asked.login_hint.as_deref().unwrap_or_default());
    html(now, 200, &login_form(&hint, ""))
}

fn login_form(user: &str, trouble: &str) -> String {
    format!(
        "{trouble}<form method=\"post\"><input name=\"user\" value=\"{user}\"/>\
         <input name=\"password\" type=\"password\"/><input type=\"submit\" value=\"Sign in\"/></form>"
    )
}

fn html(now: Time, status: u16, body: &str) -> Response {
    let text = format!("<!DOCTYPE html><html><head><title>Sign in</title></head><body>{body}</body></html>");
    let kind = ("Content-Type", HTML.to_owned());
    respond(now, status, headers([kind, ("Content-Length", text.len().to_string())]), &text)
}

fn is_device(uri: &str) -> bool {
    DEVICE_SCHEMES.iter().any(|scheme| uri.starts_with(scheme))
}

impl Server {
    /// The token that the sign-in page hands over: its owner, and a proof that this server made it.
    fn user_token(&self, user: &str) -> String {
        let name = URL_SAFE_NO_PAD.encode(user);
        format!("{name}.{}", hex(&[&self.settings().seed.to_be_bytes(), b"token", user.as_bytes()]))
    }

    /// Whose token it is; `None` when this server did not make it.
    pub(super) fn token_user(&self, token: &str) -> Option<String> {
        let name = URL_SAFE_NO_PAD.decode(token.split_once('.')?.0).ok()?;
        let user = String::from_utf8(name).ok()?;
        (self.user_token(&user) == token).then_some(user)
    }

    /// The user of an Entra token that is for this server and still good. The simulation has no Entra to ask for the
    /// key, so that the signature is not verified.
    pub(super) fn entra_user(&self, jwt: &Jwt, now: Time) -> Result<String, &'static str> {
        if jwt.text("aud") != Some(self.settings().public_url.as_str()) {
            return Err("the token is for another audience");
        }
        if jwt.time("exp").is_none_or(|until| until <= now) {
            return Err("the token has expired");
        }
        jwt.user().map(str::to_owned).ok_or("the token names no user")
    }

    /// What comes back as EnrollmentData from a user who has accepted the terms.
    pub(super) fn terms_blob(&self, user: &str) -> String {
        STANDARD.encode(hash(&[&self.settings().seed.to_be_bytes(), b"terms", user.as_bytes()]))
    }
}
