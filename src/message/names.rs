//! The protocols' fixed words: namespaces, actions, token types, object identifiers.

pub const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// WS-Addressing 1.0.
pub const WSA: &str = "http://www.w3.org/2005/08/addressing";
pub const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
/// The namespace of Discover and DiscoverResponse on the wire (MS-MDE2 samples and real devices).
pub const DISCOVERY: &str = "http://schemas.microsoft.com/windows/management/2012/01/enrollment";
/// MS-XCEP 2.2.1.
pub const XCEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy";
/// MS-WSTEP 2.2.1.
pub const WSTEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment";
/// WS-Trust 1.3.
pub const WST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
pub const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

pub const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
/// The namespace of AdditionalContext on the wire; the table of MS-MDE2 2.2.1 names another one.
pub const AUTHORIZATION: &str = "http://schemas.xmlsoap.org/ws/2006/12/authorization";

pub const ACTION_DISCOVER: &str =
    "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/Discover";
pub const ACTION_DISCOVER_RESPONSE: &str =
    "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/DiscoverResponse";
pub const ACTION_GET_POLICIES: &str =
    "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPolicies";
pub const ACTION_GET_POLICIES_RESPONSE: &str =
    "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPoliciesResponse";
pub const ACTION_RST: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RST/wstep";
pub const ACTION_RSTRC: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RSTRC/wstep";

pub const BASE64_BINARY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary";
pub const PASSWORD_TEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
pub const USER_TOKEN: &str =
    "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentUserToken";
/// The Entra token's ValueType; Microsoft's device management documentation, not in MS-MDE2.
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub const X509_V3: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";
pub const DEVICE_ENROLLMENT_TOKEN: &str =
    "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken";
pub const PROVISION_DOC: &str =
    "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentProvisionDoc";
pub const PKCS10: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS10";
pub const PKCS7: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS7";
/// The value type of a renewal's PKCS#7 as MS-MDE2 3.5.4.1.1.1 spells it.
pub const PKCS7_WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#PKCS7";
pub const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue";
pub const RENEW: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Renew";
pub const RECOVERY: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Recovery";
/// MS-MDE2 3.3.4.1.1.1.3: the UsernameToken's constant u:Id.
pub const USERNAME_TOKEN_ID: &str = "uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4";
/// The path of the discovery service (MS-MDE2 3.1); devices and servers vary its case.
pub const DISCOVERY_PATH: &str = "/EnrollmentServer/Discovery.svc";
/// XML signatures of certificate authentication (MS-MDE2 3.3.4.1.1.1.2).
pub const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub const ENVELOPED_SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub const XML_RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
pub const XML_SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
/// As MS-MDE2 4.3.1.3 prints them, which name no algorithm.
pub const XML_RSA_SHA256_AS_PRINTED: &str = "http://www.w3.org/2000/09/xmldsig-more#rsa-sha256";
pub const XML_SHA256_AS_PRINTED: &str = "http://www.w3.org/2000/09/xmldsig#sha256";
/// The ValueType of the signature's reference to its token (not the token's own).
pub const X509_REFERENCE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509";
/// The XML signature's own namespace.
pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
