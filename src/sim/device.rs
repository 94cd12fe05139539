//! The simulated device's messages, byte for byte in the shape of real ones: one line, no XML declaration, the same
//! order of elements, and the MessageIDs that Windows has built in.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address::Address;
use super::csr::{self, RequestFlaw};
use super::key::{Key, KeyError};
use super::shape::Shape;
use super::signing::{Holder, RenewalFlaw, sign_data, sign_message};
use super::text::{SOAP_TYPE, SYNC_TYPE, hash, headers, hex, uuid};
use crate::event::{Body, Request, Time};
use crate::message::{DiscoverRequest, TokenRequest, names};
use crate::rules::Golden;
use crate::xml::escape;

/// What tells one device from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub user: String,
    pub password: String,
    /// 32 hexadecimal digits.
    pub device_id: String,
    /// 64 hexadecimal digits.
    pub hardware_id: String,
    /// The key container's name, which the request's subject begins with.
    pub container: String,
    pub name: String,
    /// `10.0.26100.4061`; Discover and the request call it ApplicationVersion, too.
    pub os_version: String,
    pub os_edition: u32,
    pub request_version: String,
    /// `Full` or `Device`.
    pub enrollment_type: String,
    pub macs: Vec<String>,
    pub locale: String,
    pub user_logged_in: bool,
    pub ux_initiated: bool,
    pub not_in_oobe: bool,
    /// What Discover says for ApplicationVersion, where it is not the truth: programs without a compatibility manifest
    /// see an older Windows.
    pub discovers_as: Option<String>,
    /// Discover has the user's address; a program's has none.
    pub names_user: bool,
    /// Further context items.
    pub extras: Vec<(&'static str, String)>,
}

impl Profile {
    /// The device of that number in a fleet: the same arguments give the same device.
    pub fn numbered(seed: u64, number: u32, user: &str, password: &str) -> Self {
        let of = |what: &str| hex(&[&seed.to_be_bytes(), &number.to_be_bytes(), what.as_bytes()]);
        let digits = |text: &str, from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
        let form = Shape::numbered(number).form();
        let (container, mac) = (of("container"), of("mac"));
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            device_id: digits(&of("device"), 0, 32),
            hardware_id: of("hardware"),
            container: format!(
                "{}-{}-{}-{}-{}",
                digits(&container, 0, 8),
                digits(&container, 8, 12),
                digits(&container, 12, 16),
                digits(&container, 16, 20),
                digits(&container, 20, 26)
            ),
            name: format!("DESKTOP-{}", digits(&of("name"), 0, 7)),
            os_version: form.os_version.to_owned(),
            os_edition: form.os_edition,
            request_version: form.request_version.to_owned(),
            enrollment_type: "Full".to_owned(),
            macs: (0..2u8)
                .map(|n| format!("00-15-5D-{}-{}-0{n}", digits(&mac, 0, 2), digits(&mac, 2, 4)))
                .collect(),
            locale: "en-US".to_owned(),
            user_logged_in: true,
            ux_initiated: true,
            not_in_oobe: true,
            discovers_as: None,
            names_user: true,
            extras: Vec::new(),
        }
    }

    /// The same device in another shape.
    #[must_use]
    pub fn shaped(self, shape: Shape) -> Self {
        let form = shape.form();
        let mut profile = Self {
            os_version: form.os_version.to_owned(),
            request_version: form.request_version.to_owned(),
            os_edition: form.os_edition,
            ..self
        };
        match shape {
            Shape::Programmatic => {
                profile.names_user = false;
                profile.ux_initiated = false;
                profile.discovers_as = Some("6.2.9200.0".to_owned());
            }
            Shape::Autopilot => {
                profile.enrollment_type = "Device".to_owned();
                profile.user_logged_in = false;
                profile.ux_initiated = false;
                profile.not_in_oobe = false;
                let correlator = uuid(&[profile.device_id.as_bytes(), b"autopilot"]).to_string();
                profile.extras = vec![
                    ("ZeroTouchProvisioning", correlator.clone()),
                    ("OfflineAutoPilotEnrollmentCorrelator", correlator),
                ];
            }
            Shape::Windows10 | Shape::Windows11H23 | Shape::Windows11H24 | Shape::Windows11H25 => {}
        }
        profile
    }

    /// As the golden's device is.
    #[must_use]
    pub fn suiting(self, golden: Golden) -> Self {
        match golden {
            Golden::Entra => self.shaped(Shape::Autopilot),
            Golden::Certificate | Golden::DeviceContext => {
                Self { enrollment_type: "Device".to_owned(), ..self }
            }
            Golden::Attestation => Self { request_version: "7.0".to_owned(), ..self },
            Golden::OnPremise
            | Golden::Refused
            | Golden::Denied
            | Golden::FullPolicy
            | Golden::Federated
            | Golden::Renewal => self,
        }
    }

    /// A device like one that was recorded: what its token request (and its Discover, if that is there) tell.
    pub fn like(
        discover: Option<&DiscoverRequest>,
        token: &TokenRequest,
        user: &str,
        password: &str,
    ) -> Self {
        let blank = Self::numbered(0, 0, user, password);
        let item = |name, otherwise: String| token.item(name).map_or(otherwise, |f| f.value.clone());
        let is =
            |name, otherwise| token.item(name).map_or(otherwise, |f| f.value.eq_ignore_ascii_case("true"));
        let macs = token.items.iter().filter(|item| item.name == "MAC");
        let subject = token.csr.as_ref().and_then(|csr| csr.subject.common_name());
        let container =
            subject.and_then(|name| name.split_once('!')).map(|(container, _)| container.to_owned());
        let version = discover.and_then(|d| d.version.as_ref()).map(|v| v.value.clone());
        Self {
            device_id: item("DeviceID", blank.device_id),
            hardware_id: item("HWDevID", blank.hardware_id),
            container: container.unwrap_or(blank.container),
            name: item("DeviceName", blank.name),
            os_version: item("OSVersion", blank.os_version),
            os_edition: item("OSEdition", String::new()).parse().unwrap_or(blank.os_edition),
            request_version: version.unwrap_or(blank.request_version),
            enrollment_type: item("EnrollmentType", blank.enrollment_type),
            macs: macs.filter_map(|item| item.value.as_ref()).map(|f| f.value.clone()).collect(),
            locale: item("Locale", blank.locale),
            user_logged_in: is("TargetedUserLoggedIn", blank.user_logged_in),
            ux_initiated: is("UXInitiated", blank.ux_initiated),
            not_in_oobe: is("NotInOobe", blank.not_in_oobe),
            user: blank.user,
            password: blank.password,
            discovers_as: None,
            names_user: true,
            extras: Vec::new(),
        }
    }
}

/// A device: who it is, its key, and what it proves its right to enroll with.
#[derive(Clone, Debug)]
pub struct Device {
    pub profile: Profile,
    pub key: Arc<Key>,
    pub proof: Proof,
    /// What is odd about its certificate request.
    pub flaw: Option<RequestFlaw>,
    /// What is wrong with its renewal.
    pub renewal_flaw: Option<RenewalFlaw>,
}

/// What a device has to show.
#[derive(Clone, Debug)]
pub enum Proof {
    /// The profile's user and password, in the message or on the server's sign-in page.
    Password,
    /// A token of Entra's, a JWT.
    Entra(String),
    /// A certificate that it was given, which signs its messages.
    Certificate(Holder),
    /// The certificate that it got when it enrolled, and which is to be renewed.
    Renewal(Holder),
}

impl Proof {
    /// Whether a device with this proof sends what that golden's device does.
    pub fn suits(&self, golden: Golden) -> bool {
        match golden {
            Golden::Entra => matches!(self, Self::Entra(_)),
            Golden::Certificate => matches!(self, Self::Certificate(_)),
            Golden::Renewal => matches!(self, Self::Renewal(_)),
            Golden::OnPremise
            | Golden::Refused
            | Golden::Denied
            | Golden::FullPolicy
            | Golden::DeviceContext
            | Golden::Federated
            | Golden::Attestation => true,
        }
    }
}

/// What a device has from the steps before the token request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gained<'a> {
    /// What the sign-in page gave, in base64.
    pub token: Option<&'a str>,
    /// From the terms of use.
    pub enrollment_data: Option<&'a str>,
    /// The key is to be attested.
    pub attests: bool,
}

/// The id of the token that a signature refers to.
const TOKEN_ID: &str = "uuid-29801C2F-F26B-46AD-984B-AFAEFB545FF8";
const X509_LIFE: i64 = 300_000;

const SOAP_NAMESPACES: &str = concat!(
    "xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"http://www.w3.org/2005/08/addressing\" ",
    "xmlns:u=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd\" ",
    "xmlns:wsse=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\" ",
    "xmlns:wst=\"http://docs.oasis-open.org/ws-sx/ws-trust/200512\" ",
    "xmlns:ac=\"http://schemas.xmlsoap.org/ws/2006/12/authorization\"",
);

impl Device {
    /// One with a user name and a password.
    pub fn new(profile: Profile, key: Arc<Key>) -> Self {
        Self { profile, key, proof: Proof::Password, flaw: None, renewal_flaw: None }
    }

    /// The same, but its request is odd, and its key where that is what is odd.
    pub fn flawed(self, flaw: RequestFlaw) -> Result<Self, KeyError> {
        let key = match flaw {
            RequestFlaw::EllipticKey => Arc::new(Key::elliptic()?),
            RequestFlaw::SmallExponent => Arc::new(Key::with_exponent_3()?),
            RequestFlaw::TwoValues
            | RequestFlaw::DerExtension
            | RequestFlaw::ServerAuth
            | RequestFlaw::LongName
            | RequestFlaw::OtherDevice => self.key,
        };
        Ok(Self { key, flaw: Some(flaw), ..self })
    }

    pub fn probe(&self, to: &Address, at: Time) -> Request {
        Request {
            at,
            method: "GET".to_owned(),
            target: to.target.clone(),
            headers: headers([
                ("Cache-Control", "no-cache".to_owned()),
                ("Connection", "Keep-Alive".to_owned()),
                ("Pragma", "no-cache".to_owned()),
                ("User-Agent", "ENROLLClient".to_owned()),
                ("Host", to.authority()),
            ]),
            ..Request::default()
        }
    }

    pub fn discover(&self, to: &Address, at: Time) -> Request {
        let offered: &[&str] = match self.proof {
            Proof::Certificate(_) => &["Certificate"],
            Proof::Password | Proof::Entra(_) | Proof::Renewal(_) => &["OnPremise", "Federated"],
        };
        self.discover_offering(offered, to, at)
    }

    /// Discovery with other ways to sign in than the device's own.
    pub(crate) fn discover_offering(&self, offered: &[&str], to: &Address, at: Time) -> Request {
        let Profile { os_version, os_edition, request_version, .. } = &self.profile;
        let version = self.profile.discovers_as.as_ref().unwrap_or(os_version);
        let user = if self.profile.names_user { self.profile.user.as_str() } else { "" };
        let offered: String = offered.iter().map(|o| format!("<AuthPolicy>{o}</AuthPolicy>")).collect();
        let text = format!(
            "<s:Envelope xmlns:a=\"{wsa}\" xmlns:s=\"{soap}\"><s:Header>{header}</s:Header><s:Body>\
             <Discover xmlns=\"{discovery}\"><request xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
             <EmailAddress>{email}</EmailAddress><RequestVersion>{request_version}</RequestVersion>\
             <DeviceType>CIMClient_Windows</DeviceType><ApplicationVersion>{version}</ApplicationVersion>\
             <OSEdition>{os_edition}</OSEdition><AuthPolicies>{offered}</AuthPolicies></request></Discover></s:Body></s:Envelope>",
            wsa = names::WSA,
            soap = names::SOAP12,
            discovery = names::DISCOVERY,
            header = addressing(
                names::ACTION_DISCOVER,
                "urn:uuid:748132ec-a575-4329-b01b-6171a9cf8478",
                &discovery_to(to)
            ),
            email = escape(user),
        );
        soap_request(to, at, text)
    }

    /// `token` is what the sign-in page gave, in base64.
    pub fn get_policies(&self, to: &Address, token: Option<&str>, at: Time) -> Result<Request, KeyError> {
        let text = format!(
            "<s:Envelope {SOAP_NAMESPACES}><s:Header>{header}{security}</s:Header>\
             <s:Body xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"><GetPolicies xmlns=\"{xcep}\"><client>\
             <lastUpdate xsi:nil=\"true\"/><preferredLanguage xsi:nil=\"true\"/></client>\
             <requestFilter xsi:nil=\"true\"/></GetPolicies></s:Body></s:Envelope>",
            header = addressing(
                names::ACTION_GET_POLICIES,
                "urn:uuid:72048B64-0F19-448F-8C2E-B4C661860AA0",
                &to.to_string()
            ),
            security = self.security(token, at),
            xcep = names::XCEP,
        );
        Ok(soap_request(to, at, self.signed(text)?))
    }

    pub fn request_token(&self, to: &Address, gained: Gained<'_>, at: Time) -> Result<Request, KeyError> {
        let Profile { container, device_id, .. } = &self.profile;
        let (request_type, value_type, request) = match &self.proof {
            Proof::Renewal(holder) => {
                let named = self.renewal_flaw != Some(RenewalFlaw::NoRenewalAttribute);
                let renews = named.then_some(&*holder.certificate);
                let csr = csr::request(container, device_id, &self.key, renews, self.flaw)?;
                (names::RENEW, names::PKCS7_WSSE, sign_data(&csr, holder, at, self.renewal_flaw)?)
            }
            Proof::Password | Proof::Entra(_) | Proof::Certificate(_) => {
                (names::ISSUE, names::PKCS10, csr::request(container, device_id, &self.key, None, self.flaw)?)
            }
        };
        let text = format!(
            "<s:Envelope {SOAP_NAMESPACES}><s:Header>{header}{security}</s:Header><s:Body>\
             <wst:RequestSecurityToken><wst:TokenType>{token_type}</wst:TokenType>\
             <wst:RequestType>{request_type}</wst:RequestType>\
             <wsse:BinarySecurityToken ValueType=\"{value_type}\" EncodingType=\"{base64}\">{request}\
             </wsse:BinarySecurityToken>\
             <ac:AdditionalContext xmlns=\"http://schemas.xmlsoap.org/ws/2006/12/authorization\">{items}\
             </ac:AdditionalContext></wst:RequestSecurityToken></s:Body></s:Envelope>",
            header = addressing(
                names::ACTION_RST,
                "urn:uuid:0d5a1441-5891-453b-becf-a2e5f6ea3749",
                &to.to_string()
            ),
            security = self.security(gained.token, at),
            token_type = names::DEVICE_ENROLLMENT_TOKEN,
            base64 = names::BASE64_BINARY,
            request = STANDARD.encode(request),
            items = self.context_items(gained),
        );
        Ok(soap_request(to, at, self.signed(text)?))
    }

    /// The first message of the first management session.
    pub fn sync(&self, to: &Address, at: Time) -> Request {
        let server = escape(&to.to_string());
        let id = escape(&self.profile.device_id);
        let text = format!(
            "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
             <SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>{server}</LocURI></Target>\
             <Source><LocURI>{id}</LocURI></Source></SyncHdr><SyncBody><Alert><CmdID>2</CmdID>\
             <Data>1201</Data></Alert><Replace><CmdID>3</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI>\
             </Source><Data>{id}</Data></Item><Item><Source><LocURI>./DevInfo/Man</LocURI></Source>\
             <Data>Contoso</Data></Item><Item><Source><LocURI>./DevInfo/Mod</LocURI></Source>\
             <Data>Simulated device</Data></Item><Item><Source><LocURI>./DevInfo/DmV</LocURI></Source>\
             <Data>1.3</Data></Item><Item><Source><LocURI>./DevInfo/Lang</LocURI></Source>\
             <Data>{locale}</Data></Item></Replace><Final/></SyncBody></SyncML>",
            locale = escape(&self.profile.locale),
        );
        let mark = if to.target.contains('?') { '&' } else { '?' };
        Request {
            at,
            method: "POST".to_owned(),
            target: format!("{}{mark}mode=Maintenance&Platform=WoA", to.target),
            headers: headers([
                ("Accept", format!("{SYNC_TYPE}, application/octet-stream")),
                ("Accept-Charset", "UTF-8".to_owned()),
                ("Content-Type", SYNC_TYPE.to_owned()),
                ("User-Agent", "MSFT OMA DM Client/1.2.0.1".to_owned()),
                ("Content-Length", text.len().to_string()),
                ("Host", to.authority()),
            ]),
            body: Body::full(text),
            ..Request::default()
        }
    }

    /// The message with its signature, where there has to be one.
    fn signed(&self, text: String) -> Result<String, KeyError> {
        match &self.proof {
            Proof::Certificate(holder) => sign_message(&text, TOKEN_ID, &holder.key),
            Proof::Password | Proof::Entra(_) | Proof::Renewal(_) => Ok(text),
        }
    }

    fn security(&self, token: Option<&str>, at: Time) -> String {
        let (value_type, id, before, token) = match (&self.proof, token) {
            (Proof::Entra(token), _) => (names::JWT, "", String::new(), STANDARD.encode(token)),
            (Proof::Certificate(holder), _) => {
                let life = format!(
                    "<u:Timestamp><u:Created>{at}</u:Created><u:Expires>{}</u:Expires></u:Timestamp>",
                    at.plus_millis(X509_LIFE)
                );
                (names::X509_V3, TOKEN_ID, life, STANDARD.encode(&holder.certificate))
            }
            (Proof::Password, Some(token)) => (names::USER_TOKEN, "", String::new(), token.to_owned()),
            (Proof::Password, None) => return self.username_token(&self.profile.password),
            (Proof::Renewal(_), _) => return self.username_token(""),
        };
        let id = if id.is_empty() { String::new() } else { format!(" u:Id=\"{id}\"") };
        format!(
            "<wsse:Security s:mustUnderstand=\"1\">{before}<wsse:BinarySecurityToken \
             ValueType=\"{value_type}\" EncodingType=\"{base64}\"{id}>{token}</wsse:BinarySecurityToken>\
             </wsse:Security>",
            base64 = names::BASE64_BINARY,
        )
    }

    fn username_token(&self, password: &str) -> String {
        format!(
            "<wsse:Security s:mustUnderstand=\"1\"><wsse:UsernameToken u:Id=\"{id}\">\
             <wsse:Username>{user}</wsse:Username><wsse:Password wsse:Type=\"{kind}\">{password}\
             </wsse:Password></wsse:UsernameToken></wsse:Security>",
            id = names::USERNAME_TOKEN_ID,
            kind = names::PASSWORD_TEXT,
            user = escape(&self.profile.user),
            password = escape(password),
        )
    }

    fn context_items(&self, gained: Gained<'_>) -> String {
        let p = &self.profile;
        let edition = p.os_edition.to_string();
        let truth = |value: bool| if value { "true" } else { "false" };
        let mut items = vec![
            ("UXInitiated", truth(p.ux_initiated)),
            ("HWDevID", &p.hardware_id),
            ("Locale", &p.locale),
            ("TargetedUserLoggedIn", truth(p.user_logged_in)),
            ("OSEdition", &edition),
            ("DeviceName", &p.name),
        ];
        items.extend(p.macs.iter().map(|mac| ("MAC", mac.as_str())));
        items.extend(gained.enrollment_data.map(|data| ("EnrollmentData", data)));
        items.extend(p.extras.iter().map(|(name, value)| (*name, value.as_str())));
        items.extend([
            ("DeviceID", p.device_id.as_str()),
            ("EnrollmentType", &p.enrollment_type),
            ("DeviceType", "CIMClient_Windows"),
            ("OSVersion", &p.os_version),
            ("ApplicationVersion", &p.os_version),
            ("NotInOobe", truth(p.not_in_oobe)),
        ]);
        let attested = if gained.attests { self.attestation() } else { Vec::new() };
        items.extend(attested.iter().map(|(name, value)| (*name, value.as_str())));
        let item = |(name, value): &(&str, &str)| {
            let value = escape(value);
            format!("<ac:ContextItem Name=\"{name}\"><ac:Value>{value}</ac:Value></ac:ContextItem>")
        };
        items.iter().map(item).collect()
    }
}

impl Device {
    /// The items of a federated request that attests its key with the TPM: of the right shape, and proof of nothing.
    fn attestation(&self) -> Vec<(&'static str, String)> {
        let made = |what: &str| {
            let block = hash(&[self.profile.device_id.as_bytes(), what.as_bytes()]);
            STANDARD.encode(block.repeat(6))
        };
        let mut items: Vec<_> =
            ["AIKAttestationClaim", "AIKPub", "AIKCert", "AadAIKAttestationClaim", "AADPub"]
                .map(|name| (name, made(name)))
                .into();
        items.extend([
            ("RequestVersion", self.profile.request_version.clone()),
            ("AttestationStatus", "Status=AttestationResultSucceeded;AttestationErrorMsg=".to_owned()),
            ("AttestationStatusHResult", "0x0".to_owned()),
        ]);
        items
    }
}

fn addressing(action: &str, message_id: &str, to: &str) -> String {
    format!(
        "<a:Action s:mustUnderstand=\"1\">{action}</a:Action><a:MessageID>{message_id}</a:MessageID>\
         <a:ReplyTo><a:Address>{anonymous}</a:Address></a:ReplyTo><a:To s:mustUnderstand=\"1\">{to}</a:To>",
        anonymous = names::ANONYMOUS,
        to = escape(to),
    )
}

/// Real devices write the host that they found by themselves in mixed case, and the port even if it is the usual one.
fn discovery_to(to: &Address) -> String {
    let lower = to.host.to_ascii_lowercase();
    match lower.strip_prefix("enterpriseenrollment.") {
        Some(domain) if to.secure => {
            format!("https://EnterpriseEnrollment.{domain}:{}{}", to.port, to.target)
        }
        _ => to.to_string(),
    }
}

fn soap_request(to: &Address, at: Time, text: String) -> Request {
    Request {
        at,
        method: "POST".to_owned(),
        target: to.target.clone(),
        headers: headers([
            ("Cache-Control", "no-cache".to_owned()),
            ("Connection", "Keep-Alive".to_owned()),
            ("Pragma", "no-cache".to_owned()),
            ("Content-Type", SOAP_TYPE.to_owned()),
            ("User-Agent", "ENROLLClient".to_owned()),
            ("Content-Length", text.len().to_string()),
            ("Host", to.authority()),
        ]),
        body: Body::full(text),
        ..Request::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Content, read_request};

    fn recorded(name: &str) -> Request {
        let path = format!("{}/tests/data/real/{name}.xml", env!("CARGO_MANIFEST_DIR"));
        Request { body: Body::full(std::fs::read(path).unwrap()), ..Request::default() }
    }

    /// The device of the published recording.
    fn real() -> Device {
        let (discover, token) =
            (read_request(&recorded("discover-req")).content, read_request(&recorded("rst-req")).content);
        let (Content::DiscoverRequest(discover), Content::TokenRequest(token)) = (discover, token) else {
            panic!()
        };
        let profile = Profile::like(Some(&discover), &token, "demo@fleetdm.ngrok.io", "demo");
        assert_eq!(profile.container, "562A7F9A-6CD8-40B0-9E7E-0DBDD8");
        Device::new(profile, Arc::clone(&Key::pool(1).unwrap()[0]))
    }

    fn text(request: &Request) -> &str {
        std::str::from_utf8(&request.body.bytes).unwrap().trim_end()
    }

    #[test]
    fn messages_are_those_of_a_real_device_byte_for_byte() {
        let at = |url| Address::parse(url).unwrap();
        let mut device = real();
        let discovery = at("https://enterpriseenrollment.fleetdm.ngrok.io/EnrollmentServer/Discovery.svc");
        assert_eq!(text(&device.discover(&discovery, Time(0))), text(&recorded("discover-req")));

        "demio".clone_into(&mut device.profile.user);
        let policy = at("https://windows.fleetdm.ngrok.io/EnrollmentServer/Policy.svc");
        let made = device.get_policies(&policy, None, Time(0)).unwrap();
        assert_eq!(text(&made), text(&recorded("getpolicies-req")));

        let enrollment = at("https://windows.fleetdm.ngrok.io/EnrollmentServer/Enrollment.svc");
        let made = device.request_token(&enrollment, Gained::default(), Time(0)).unwrap();
        // Only the key is another, and with it the request for a certificate.
        let around = |text: &str| {
            let (before, token) = text.split_once("#base64binary\">").unwrap();
            format!("{before}{}", token.split_once('<').unwrap().1)
        };
        assert_eq!(around(text(&made)), around(text(&recorded("rst-req"))));
    }

    #[test]
    fn devices_of_a_fleet_differ_and_stay_the_same() {
        let device = |number| Profile::numbered(3, number, "a@b.example", "p");
        assert_eq!(device(1), device(1));
        assert_ne!(device(1).device_id, device(2).device_id);
        assert_eq!((device(1).device_id.len(), device(1).hardware_id.len()), (32, 64));
    }
}
