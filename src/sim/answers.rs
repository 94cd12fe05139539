//! The reference server's texts: what each answer's envelope and payload look like.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ca::Issued;
use super::pages::SIGN_IN_PATH;
use super::text::hash;
use crate::event::Time;
use crate::message::certificate::sha1_hex;
use crate::message::{AuthPolicy, names};
use crate::xml::escape;

/// A SOAP 1.2 answer that relates to a request.
pub(super) fn envelope(action: &str, relates_to: &str, body: &str) -> String {
    let relates = if relates_to.is_empty() {
        String::new()
    } else {
        format!("<a:RelatesTo>{}</a:RelatesTo>", escape(relates_to))
    };
    format!(
        "<s:Envelope xmlns:s=\"{soap}\" xmlns:a=\"{wsa}\"><s:Header>\
         <a:Action s:mustUnderstand=\"1\">{action}</a:Action>{relates}</s:Header><s:Body>{body}</s:Body>\
         </s:Envelope>",
        soap = names::SOAP12,
        wsa = names::WSA,
    )
}

pub(super) fn discover_response(
    relates_to: &str,
    version: &str,
    auth: AuthPolicy,
    public_url: &str,
) -> String {
    let url = escape(public_url);
    let page = match auth {
        AuthPolicy::Federated => {
            format!("<AuthenticationServiceUrl>{url}{SIGN_IN_PATH}</AuthenticationServiceUrl>")
        }
        AuthPolicy::OnPremise | AuthPolicy::Certificate => String::new(),
    };
    let body = format!(
        "<DiscoverResponse xmlns=\"{discovery}\"><DiscoverResult><AuthPolicy>{auth}</AuthPolicy>\
         <EnrollmentVersion>{version}</EnrollmentVersion>\
         <EnrollmentPolicyServiceUrl>{url}/EnrollmentServer/Policy.svc</EnrollmentPolicyServiceUrl>\
         <EnrollmentServiceUrl>{url}/EnrollmentServer/Enrollment.svc</EnrollmentServiceUrl>{page}\
         </DiscoverResult></DiscoverResponse>",
        discovery = names::DISCOVERY,
        auth = auth.wire(),
    );
    envelope(names::ACTION_DISCOVER_RESPONSE, relates_to, &body)
}

pub(super) fn token_response(relates_to: &str, provisioning: &str) -> String {
    let disposition = format!("<DispositionMessage xmlns=\"{}\"></DispositionMessage>", names::WSTEP);
    envelope(names::ACTION_RSTRC, relates_to, &collection(&disposition, provisioning))
}

/// With a Timestamp in its header, and words with their language.
pub(super) fn detailed_token_response(relates_to: &str, provisioning: &str, now: Time) -> String {
    let disposition = format!(
        "<DispositionMessage xmlns=\"{}\" xml:lang=\"en-US\">Issued</DispositionMessage>",
        names::WSTEP
    );
    let text = envelope(names::ACTION_RSTRC, relates_to, &collection(&disposition, provisioning));
    let timestamp = format!(
        "<o:Security xmlns:o=\"{wsse}\" xmlns:u=\"{wsu}\" s:mustUnderstand=\"1\"><u:Timestamp u:Id=\"_0\">\
         <u:Created>{now}</u:Created><u:Expires>{later}</u:Expires></u:Timestamp></o:Security></s:Header>",
        wsse = names::WSSE,
        wsu = names::WSU,
        later = now.plus_millis(300_000),
    );
    text.replacen("</s:Header>", &timestamp, 1)
}

fn collection(disposition: &str, provisioning: &str) -> String {
    format!(
        "<RequestSecurityTokenResponseCollection xmlns=\"{wst}\"><RequestSecurityTokenResponse>\
         <TokenType>{token_type}</TokenType>{disposition}\
         <RequestedSecurityToken><BinarySecurityToken xmlns=\"{wsse}\" ValueType=\"{value_type}\" \
         EncodingType=\"{base64}\">{token}</BinarySecurityToken></RequestedSecurityToken>\
         <RequestID xmlns=\"{wstep}\">0</RequestID></RequestSecurityTokenResponse>\
         </RequestSecurityTokenResponseCollection>",
        wst = names::WST,
        wstep = names::WSTEP,
        wsse = names::WSSE,
        token_type = names::DEVICE_ENROLLMENT_TOKEN,
        value_type = names::PROVISION_DOC,
        base64 = names::BASE64_BINARY,
        token = STANDARD.encode(provisioning),
    )
}

/// Why the server declines.
pub(super) struct Refusal<'a> {
    /// One of MS-MDE2 2.2.10, with its prefix: `s:Authentication`.
    pub(super) subcode: &'a str,
    pub(super) reason: &'a str,
    pub(super) detail: Detail<'a>,
    pub(super) trace_id: &'a str,
}

/// What a fault says beyond its subcode.
pub(super) enum Detail<'a> {
    None,
    /// DeviceEnrollmentServiceError's ErrorType.
    Service(&'a str),
    /// The authority's error code, as a certificate service passes it on.
    Authority(i32),
}

pub(super) fn fault(relates_to: &str, refusal: &Refusal<'_>) -> String {
    let Refusal { subcode, reason, detail, trace_id } = refusal;
    let sender = if *subcode == "s:MessageFormat" { "s:Sender" } else { "s:Receiver" };
    let reason = escape(reason);
    let detail = match detail {
        Detail::None => String::new(),
        Detail::Service(kind) => format!(
            "<s:Detail><DeviceEnrollmentServiceError xmlns=\"{}\"><ErrorType>{kind}</ErrorType>\
             <Message>{reason}</Message><TraceId>{trace_id}</TraceId></DeviceEnrollmentServiceError></s:Detail>",
            names::WSTEP
        ),
        Detail::Authority(code) => format!(
            "<s:Detail><CertificateEnrollmentWSDetail xmlns=\"{}\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><BinaryResponse xsi:nil=\"true\"/>\
             <ErrorCode>{code}</ErrorCode><InvalidRequest>true</InvalidRequest><RequestID>63</RequestID>\
             </CertificateEnrollmentWSDetail></s:Detail>",
            names::WSTEP
        ),
    };
    let body = format!(
        "<s:Fault><s:Code><s:Value>{sender}</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode>\
         </s:Code><s:Reason><s:Text xml:lang=\"en-US\">{reason}</s:Text></s:Reason>{detail}</s:Fault>",
    );
    envelope(names::ACTION_RSTRC, relates_to, &body)
}

/// What goes into one device's provisioning document.
pub(super) struct Provisioned<'a> {
    pub(super) issued: &'a Issued,
    /// The certificate's common name, which the management client searches for.
    pub(super) device_id: &'a str,
    pub(super) device_name: &'a str,
    /// The certificate belongs to the device, not to its user.
    pub(super) for_device: bool,
    pub(super) public_url: &'a str,
    pub(super) provider: &'a str,
    /// What the management session's secrets are made from.
    pub(super) secret: &'a [u8],
    pub(super) user: &'a str,
    /// Says what may be said and need not be.
    pub(super) detailed: bool,
}

/// The parts of a document that says all there is to say; empty otherwise.
#[derive(Default)]
struct Details {
    renew: String,
    account: String,
    provider: String,
}

impl Details {
    fn of(p: &Provisioned<'_>) -> Self {
        if !p.detailed {
            return Self::default();
        }
        let url = escape(p.public_url);
        Self {
            renew: format!(
                "<parm name=\"ServerURL\" value=\"{url}{path}\" datatype=\"string\"/>",
                path = names::DISCOVERY_PATH
            ),
            account: format!(
                "<parm name=\"PROTOVER\" value=\"1.2\"/><parm name=\"ROLE\" value=\"32\"/>\
                 <parm name=\"USEHWDEVID\"/><parm name=\"TO-NAPID\" value=\"Internet\"/>\
                 <characteristic type=\"APPADDR\"><parm name=\"ADDR\" value=\"{url}/ManagementServer/MDM.svc\"/>\
                 <parm name=\"ADDRTYPE\" value=\"URI\"/><characteristic type=\"PORT\">\
                 <parm name=\"PORTNBR\" value=\"443\"/></characteristic></characteristic>"
            ),
            provider: format!(
                "<parm name=\"UPN\" value=\"{user}\" datatype=\"string\"/>\
                 <parm name=\"RequireMessageSigning\" value=\"false\" datatype=\"boolean\"/>\
                 <parm name=\"ManagementServerAddressList\" datatype=\"string\" \
                 value=\"&lt;{url}/ManagementServer/MDM.svc&gt;&lt;{url}/ManagementServer/Other.svc&gt;\"/>",
                user = escape(p.user),
            ),
        }
    }
}

/// A renewal brings the certificate, and names whose it is (MS-MDE2 3.5.4.1.1.2).
pub(super) fn renewed(issued: &Issued, for_device: bool, provider: &str) -> String {
    format!(
        "<wap-provisioningdoc version=\"1.1\"><characteristic type=\"CertificateStore\">\
         <characteristic type=\"My\"><characteristic type=\"{store}\">{client}\
         <characteristic type=\"PrivateKeyContainer\"/></characteristic></characteristic></characteristic>\
         <characteristic type=\"APPLICATION\"><parm name=\"PROVIDER-ID\" value=\"{provider}\"/>\
         </characteristic></wap-provisioningdoc>",
        store = if for_device { "System" } else { "User" },
        client = node(&issued.client),
        provider = escape(provider),
    )
}

/// A certificate under its thumbprint.
fn node(der: &[u8]) -> String {
    format!(
        "<characteristic type=\"{}\"><parm name=\"EncodedCertificate\" value=\"{}\"/></characteristic>",
        sha1_hex(der),
        STANDARD.encode(der)
    )
}

pub(super) fn provisioning(p: &Provisioned<'_>) -> String {
    let store = if p.for_device { "System" } else { "User" };
    let intermediate = p.issued.intermediate.as_ref().map(|der| {
        format!(
            "<characteristic type=\"CA\"><characteristic type=\"System\">{}</characteristic></characteristic>",
            node(der)
        )
    });
    let Details { renew, account, provider: about } = Details::of(p);
    // Base64 of eighteen bytes: no padding, and 24 characters.
    let made = |what: &str| {
        let bytes = hash(&[p.secret, p.device_id.as_bytes(), what.as_bytes()]);
        STANDARD.encode(bytes.split_at(18).0)
    };
    format!(
        "<wap-provisioningdoc version=\"1.1\"><characteristic type=\"CertificateStore\">\
         <characteristic type=\"Root\"><characteristic type=\"System\">{root}</characteristic></characteristic>\
         {intermediate}<characteristic type=\"My\"><characteristic type=\"{store}\">{client}\
         <characteristic type=\"PrivateKeyContainer\"/></characteristic><characteristic type=\"WSTEP\">\
         <characteristic type=\"Renew\"><parm name=\"ROBOSupport\" value=\"true\" datatype=\"boolean\"/>\
         <parm name=\"RenewPeriod\" value=\"60\" datatype=\"integer\"/>\
         <parm name=\"RetryInterval\" value=\"4\" datatype=\"integer\"/>{renew}</characteristic></characteristic>\
         </characteristic></characteristic><characteristic type=\"APPLICATION\">\
         <parm name=\"APPID\" value=\"w7\"/><parm name=\"PROVIDER-ID\" value=\"{provider}\"/>\
         <parm name=\"NAME\" value=\"{provider}\"/>\
         <parm name=\"ADDR\" value=\"{url}/ManagementServer/MDM.svc\"/>\
         <parm name=\"CONNRETRYFREQ\" value=\"6\"/><parm name=\"INITIALBACKOFFTIME\" value=\"30000\"/>\
         <parm name=\"MAXBACKOFFTIME\" value=\"120000\"/><parm name=\"BACKCOMPATRETRYDISABLED\"/>\
         <parm name=\"DEFAULTENCODING\" value=\"application/vnd.syncml.dm+xml\"/>\
         <parm name=\"SSLCLIENTCERTSEARCHCRITERIA\" value=\"Subject=CN%3D{device_id}&amp;Stores=My%5C{store}\"/>{account}\
         <characteristic type=\"APPAUTH\"><parm name=\"AAUTHLEVEL\" value=\"CLIENT\"/>\
         <parm name=\"AAUTHTYPE\" value=\"DIGEST\"/><parm name=\"AAUTHSECRET\" value=\"{client_secret}\"/>\
         <parm name=\"AAUTHDATA\" value=\"{client_nonce}\"/></characteristic>\
         <characteristic type=\"APPAUTH\"><parm name=\"AAUTHLEVEL\" value=\"APPSRV\"/>\
         <parm name=\"AAUTHTYPE\" value=\"{auth}\"/><parm name=\"AAUTHNAME\" value=\"{device_id}\"/>\
         <parm name=\"AAUTHSECRET\" value=\"{server_secret}\"/>\
         <parm name=\"AAUTHDATA\" value=\"{server_nonce}\"/></characteristic></characteristic>\
         <characteristic type=\"DMClient\"><characteristic type=\"Provider\">\
         <characteristic type=\"{provider}\"><parm name=\"EntDMID\" value=\"{device_id}\" datatype=\"string\"/>\
         <parm name=\"EntDeviceName\" value=\"{device_name}\" datatype=\"string\"/>{about}\
         <characteristic type=\"Poll\"><parm name=\"NumberOfFirstRetries\" value=\"8\" datatype=\"integer\"/>\
         <parm name=\"IntervalForFirstSetOfRetries\" value=\"15\" datatype=\"integer\"/>\
         <parm name=\"NumberOfSecondRetries\" value=\"5\" datatype=\"integer\"/>\
         <parm name=\"IntervalForSecondSetOfRetries\" value=\"60\" datatype=\"integer\"/>\
         <parm name=\"NumberOfRemainingScheduledRetries\" value=\"0\" datatype=\"integer\"/>\
         <parm name=\"IntervalForRemainingScheduledRetries\" value=\"1560\" datatype=\"integer\"/>\
         <parm name=\"PollOnLogin\" value=\"true\" datatype=\"boolean\"/></characteristic></characteristic>\
         </characteristic></characteristic></wap-provisioningdoc>",
        root = node(&p.issued.root),
        intermediate = intermediate.unwrap_or_default(),
        auth = if p.detailed { "BASIC" } else { "DIGEST" },
        client = node(&p.issued.client),
        provider = escape(p.provider),
        url = escape(p.public_url),
        device_id = escape(p.device_id),
        device_name = escape(p.device_name),
        client_secret = made("client secret"),
        client_nonce = made("client nonce"),
        server_secret = made("server secret"),
        server_nonce = made("server nonce"),
    )
}

/// Every command of the first management message is well.
pub(super) fn sync_response(url: &str, device_id: &str) -> String {
    format!(
        "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
         <SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>{device}</LocURI></Target>\
         <Source><LocURI>{server}</LocURI></Source></SyncHdr><SyncBody><Status><CmdID>1</CmdID>\
         <MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status><Final/></SyncBody>\
         </SyncML>",
        device = escape(device_id),
        server = escape(url),
    )
}
