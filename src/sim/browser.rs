//! What a device's browser window sends: Entra's request for the terms of use, and the sign-in.

use super::address::Address;
use super::device::{Device, Profile, Proof};
use super::text::{headers, uuid};
use crate::event::{Body, Request, Time};

/// The address that the browser window of a settings page hands the token to.
const APPRU: &str = "ms-app://windows.immersivecontrolpanel";

/// What the browser window of a Windows device calls itself.
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; MSAppHost/3.0; WebView/3.0) AppleWebKit/537.36 \
                       (KHTML, like Gecko) Chrome/70.0.3538.102 Safari/537.36 Edge/18.26100";

impl Device {
    /// Where the sign-in page hands the token to.
    pub(super) fn appru(&self) -> &'static str {
        APPRU
    }

    /// Entra's request for the terms of use (Microsoft's pages on Entra integration).
    pub(super) fn terms(&self, to: &Address, at: Time) -> Request {
        let token = match &self.proof {
            Proof::Entra(token) => token.as_str(),
            Proof::Password | Proof::Certificate(_) | Proof::Renewal(_) => "",
        };
        let request_id = uuid(&[self.profile.device_id.as_bytes(), b"terms"]);
        let redirect = encode("ms-appx-web://Microsoft.AAD.BrokerPlugin");
        Request {
            target: format!(
                "{}?redirect_uri={redirect}&client-request-id={request_id}&api-version=1.0&mode=azureadjoin",
                to.target
            ),
            headers: headers([
                ("Accept", "text/html, application/xhtml+xml, */*".to_owned()),
                ("Authorization", format!("Bearer {token}")),
                ("User-Agent", BROWSER.to_owned()),
                ("Host", to.authority()),
            ]),
            ..get(at)
        }
    }

    /// The sign-in page (MS-MDE2 3.2).
    pub(crate) fn sign_in(&self, to: &Address, at: Time) -> Request {
        Request {
            target: self.sign_in_target(to),
            headers: headers([
                ("Accept", "text/html, application/xhtml+xml, */*".to_owned()),
                ("User-Agent", BROWSER.to_owned()),
                ("Host", to.authority()),
            ]),
            ..get(at)
        }
    }

    /// What the user types into it.
    pub(super) fn password(&self, to: &Address, at: Time) -> Request {
        let Profile { user, password, .. } = &self.profile;
        let text = form_urlencoded::Serializer::new(String::new())
            .append_pair("user", user)
            .append_pair("password", password)
            .finish();
        Request {
            method: "POST".to_owned(),
            target: self.sign_in_target(to),
            headers: headers([
                ("Accept", "text/html, application/xhtml+xml, */*".to_owned()),
                ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
                ("User-Agent", BROWSER.to_owned()),
                ("Content-Length", text.len().to_string()),
                ("Host", to.authority()),
            ]),
            body: Body::full(text),
            ..get(at)
        }
    }

    fn sign_in_target(&self, to: &Address) -> String {
        let mark = if to.target.contains('?') { '&' } else { '?' };
        let (appru, user) = (encode(APPRU), encode(&self.profile.user));
        format!("{}{mark}appru={appru}&login_hint={user}", to.target)
    }
}

fn get(at: Time) -> Request {
    Request { at, method: "GET".to_owned(), ..Request::default() }
}

fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
