//! Rules on the token of a federated or Entra enrollment (MS-MDE2 3.3.4.1.1.1.1, 3.4.4.1.1.1.1).

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Example, Golden, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::message::{AuthPolicy, Content, Credential, UserToken, names, token_hash};

const TOKEN: &str = "Envelope/Header/Security/BinarySecurityToken";
const VALUE_TYPE: &str = "Envelope/Header/Security/BinarySecurityToken/@ValueType";

const fn federated(step: Step, at: &'static str, change: Change) -> Example {
    Example::request(step, at, change).on(Golden::Federated)
}

const fn entra(step: Step, at: &'static str, change: Change) -> Example {
    Example::request(step, at, change).on(Golden::Entra)
}

/// Judges the token of a sign-in page or of Entra; skips other credentials.
fn on_token(credential: &Credential) -> Option<&UserToken> {
    match credential {
        Credential::Token(token) => Some(token),
        Credential::None | Credential::UsernameToken(_) | Credential::Certificate(_) => None,
    }
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "CRED-FED-001",
        name: "token-not-base64",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The security token is base64 and not empty.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.1",
            "The <wsse:BinarySecurityToken> EncodingType attribute MUST be \"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary\"",
        )],
        consequence: "The server finds no user in it and declines.",
        remedy: "See what the sign-in page gave to the device as wresult.",
        hresult: Some(0x8018_0007),
        check: Check::Credential(|credential, cx| {
            let Some(token) = on_token(credential) else { return Verdict::Skip };
            let decodes = token.content_hash.is_some() || token.jwt.is_some();
            // What the token is, is nobody's business.
            let found = if token.token.value.is_empty() { "empty" } else { "something else" };
            Verdict::check(decodes, || cx.fail(&token.token.value.spot, "base64 of a token", found))
        }),
        needs: &[],
        examples: &[
            federated(Step::Policies, TOKEN, Change::Set("")).also(&["SEQ-014"]),
            federated(Step::Token, TOKEN, Change::Set("{token}")).also(&["SEQ-014"]),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-FED-002",
        name: "other-token-type",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The token's ValueType is DeviceEnrollmentUserToken, or that of a JWT where the token is Entra's.",
        cites: &[
            Cite::must(
                Spec::MsMde2,
                "3.3.4.1.1.1.1",
                "The <wsse:BinarySecurityToken> ValueType attribute MUST be \"http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentUserToken\"",
            ),
            Cite::observed(
                Spec::MsDocs,
                "Microsoft Entra integration with MDM",
                "Entra's token has the ValueType urn:ietf:params:oauth:token-type:jwt.",
            ),
        ],
        consequence: "A server that goes by the type does not find the token.",
        remedy: "Look at what made the request: Windows sends one of the two.",
        hresult: Some(0x8018_0007),
        check: Check::Credential(|credential, cx| {
            let Some(token) = on_token(credential) else { return Verdict::Skip };
            let found = token.token.value_type.as_ref();
            let known = |value: &str| value == names::USER_TOKEN || value == names::JWT;
            if found.is_some_and(|f| known(&f.value)) {
                return Verdict::Pass;
            }
            cx.fail_field(found, (&token.token.spot, "@ValueType"), names::USER_TOKEN)
        }),
        needs: &[],
        examples: &[
            federated(Step::Policies, VALUE_TYPE, Change::Set("urn:other")),
            federated(Step::Token, VALUE_TYPE, Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-FED-003",
        name: "other-token-encoding",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The EncodingType of the token in the header is #base64binary of WS-Security's first schema.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.1",
            "The <wsse:BinarySecurityToken> EncodingType attribute MUST be \"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary\"",
        )],
        consequence: "A strict server declines the token.",
        remedy: "Look at what made the request: Windows sends it, in exactly this spelling.",
        hresult: Some(0x8018_0007),
        check: Check::Credential(|credential, cx| {
            let Some(token) = credential.token() else { return Verdict::Skip };
            if token.encoding_type.as_ref().is_some_and(|f| f.value == names::BASE64_BINARY) {
                return Verdict::Pass;
            }
            cx.fail_field(token.encoding_type.as_ref(), (&token.spot, "@EncodingType"), names::BASE64_BINARY)
        }),
        needs: &[],
        examples: &[federated(
            Step::Policies,
            "Envelope/Header/Security/BinarySecurityToken/@EncodingType",
            Change::Set(
                "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary",
            ),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "AUTH-009",
        name: "other-token-than-signed-in-with",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "The token in the message is what the sign-in page handed over as wresult, in base64.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.2",
            "The security token in wresult is later passed back in <wsse:BinarySecurityToken>",
        )],
        consequence: "The server does not know the token and declines.",
        remedy: "Look for something between page and device that changes the form, or for two devices taken for one.",
        hresult: Some(0x8018_0002),
        check: Check::Credential(|credential, cx| {
            let Some(token) = on_token(credential).filter(|token| token.jwt.is_none()) else {
                return Verdict::Skip;
            };
            let given = cx.earlier.sign_in.as_ref().and_then(|s| s.token_hash.as_ref());
            let Some(given) = given else { return Verdict::Skip };
            // A page may give base64 already, which some devices pass on as it is (MS-MDE 3.2).
            let as_it_is = token_hash(token.token.value.value.as_bytes());
            Verdict::check(token.content_hash.as_ref() == Some(given) || as_it_is == *given, || {
                cx.fail(&token.token.value.spot, "the token of the sign-in page", "another one")
            })
        }),
        needs: &["CRED-FED-001"],
        examples: &[federated(Step::Policies, TOKEN, Change::Set("YW5vdGhlciB0b2tlbg==")).also(&["SEQ-014"])],
        since: "0.1.0",
    },
    Rule {
        id: "ENTRA-003",
        name: "entra-token-presented",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "The device has no Entra token where the server chose another way to sign in.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "A device joined to Entra sends its token, whatever AuthPolicy the discovery answer named.",
        )],
        consequence: "A server that expects a user name and a password declines, which devices show as 0x80180002 or 0x80180027.",
        remedy: "Accept Entra's tokens, or answer Federated to such devices.",
        hresult: None,
        check: Check::Credential(|credential, cx| {
            let chosen = cx.earlier.answer.as_ref().and_then(|a| a.auth_policy);
            let (Some(chosen), false) = (chosen, matches!(credential, Credential::None)) else {
                return Verdict::Skip;
            };
            let Some(token) = on_token(credential).filter(|token| token.jwt.is_some()) else {
                return Verdict::Pass;
            };
            Verdict::check(chosen == AuthPolicy::Federated, || {
                cx.fail(&token.token.spot, format!("what {} asks for", chosen.wire()), "an Entra token (JWT)")
            })
        }),
        needs: &[],
        examples: &[Example::response(
            Step::Discover,
            "Envelope/Body/DiscoverResponse/DiscoverResult/AuthPolicy",
            Change::Set("OnPremise"),
        )
        .on(Golden::Entra)
        .also(&["DISC-RSP-007"])],
        since: "0.1.0",
    },
    Rule {
        id: "ENTRA-004",
        name: "entra-token-unreadable",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "A token that is called a JWT has three parts, the first two of them JSON objects.",
        cites: &[Cite::must(
            Spec::Rfc7519,
            "7.2",
            "If any of these steps fail, then the JWT MUST be rejected",
        )],
        consequence: "The server cannot verify it and declines.",
        remedy: "See whether the token was cut, or encoded twice.",
        hresult: Some(0x8018_0002),
        check: Check::Credential(|credential, cx| {
            let Some(token) = on_token(credential) else { return Verdict::Skip };
            if token.token.value_type.as_ref().is_none_or(|f| f.value != names::JWT) {
                return Verdict::Skip;
            }
            Verdict::check(token.jwt.is_some(), || {
                cx.fail(&token.token.value.spot, "a JWT in base64", "no JWT")
            })
        }),
        needs: &["CRED-FED-001"],
        examples: &[entra(Step::Token, TOKEN, Change::Set("bm90LmEudG9rZW4=")).also(&["SEQ-014"])],
        since: "0.1.0",
    },
    Rule {
        id: "ENTRA-011",
        name: "entra-token-expired",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "An Entra token is not past its exp claim when it is sent.",
        cites: &[Cite::must(
            Spec::Rfc7519,
            "4.1.4",
            "the expiration time on or after which the JWT MUST NOT be accepted for processing",
        )],
        consequence: "The server does not accept the token, and declines the user.",
        remedy: "Check the clocks of the device and of this host; the device fetches a new token when it tries again.",
        hresult: Some(0x8018_0002),
        check: Check::Credential(|credential, cx| {
            let Some(jwt) = on_token(credential).and_then(|token| token.jwt.as_ref()) else {
                return Verdict::Skip;
            };
            let now = cx.exchange.request.at;
            let (Some(until), true) = (jwt.time("exp"), now.0 != 0) else { return Verdict::Skip };
            // Five minutes of skew are nobody's fault.
            Verdict::check(now <= until.plus_millis(300_000), || {
                let Some(spot) = credential.spot() else { return Verdict::Skip };
                cx.fail(spot, format!("valid at {now}"), format!("until {until}"))
            })
        }),
        needs: &[],
        examples: &[entra(Step::Token, TOKEN, Change::Set(EXPIRED))],
        since: "0.1.0",
    },
    Rule {
        id: "ENTRA-006",
        name: "enrollment-data-not-from-terms",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "EnrollmentData is the OpaqueBlob that the terms of use ended with.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "Microsoft Entra integration with MDM",
            "The OpaqueBlob comes back as the context item EnrollmentData.",
        )],
        consequence: "The server may decline with InvalidEnrollmentData.",
        remedy: "See whether the terms of use were answered by another server, or two devices were taken for one.",
        hresult: Some(0x8018_0019),
        check: Check::TokenRequest(|request, cx: &Context<'_>| {
            let Some(terms) = &cx.earlier.terms else { return Verdict::Skip };
            let data = request.item("EnrollmentData").filter(|f| !f.is_empty());
            let sent = data.map(|f| token_hash(f.value.as_bytes()));
            match (data, &terms.blob_hash) {
                (Some(field), given) if sent != *given => {
                    cx.fail(&field.spot, "the OpaqueBlob of the terms of use", "something else")
                }
                (None, Some(_)) => {
                    let context = request.context.as_ref().unwrap_or(&request.spot);
                    cx.fail(&context.missing("ContextItem"), "EnrollmentData with the OpaqueBlob", "absent")
                }
                _ => Verdict::Pass,
            }
        }),
        needs: &[],
        examples: &[
            entra(Step::Token, "…/ContextItem[EnrollmentData]/Value", Change::Set("c29tZXRoaW5nIGVsc2U=")),
            entra(Step::Token, "…/ContextItem[EnrollmentData]", Change::Delete),
        ],
        since: "0.1.0",
    },
    Rule {
        id: "FLOW-001",
        name: "no-policy-asked-for",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "A device that was given a policy service asks it before it requests a token.",
        cites: &[Cite::should(Spec::MsMde2, "1.3", "The enrollment client sends a GetPolicies message")],
        consequence: "The device uses its own defaults for key and hash, which the authority may refuse.",
        remedy: "See whether the policy request went past enrollscope, or failed on another connection.",
        hresult: None,
        check: Check::TokenRequest(|_, cx| {
            let advertised = cx.earlier.answer.as_ref().is_some_and(|a| !a.policy_url.is_empty());
            let (true, false, Content::TokenRequest(request)) =
                (advertised, cx.earlier.gap, &cx.message.content)
            else {
                return Verdict::Skip;
            };
            let asked = cx.earlier.credential.is_some() || cx.earlier.policy.is_some();
            Verdict::check(asked, || cx.fail(&request.spot, "GetPolicies before", "none seen"))
        }),
        needs: &[],
        examples: &[Example::edit(super::rule::Edit::Drop(Step::Policies))],
        since: "0.1.0",
    },
];

/// `{"alg":"none"}`, `{"aud":"https://mdm.contoso.example","exp":1,"upn":"anna@contoso.example"}`, in base64.
const EXPIRED: &str = "ZXlKaGJHY2lPaUp1YjI1bEluMC5leUpoZFdRaU9pSm9kSFJ3Y3pvdkwyMWtiUzVqYjI1MGIzTnZMbVY0WVcxd2JHVWlMQ0psZUhBaU9qRXNJblZ3YmlJNkltRnVibUZBWTI5dWRHOXpieTVsZUdGdGNHeGxJbjAuYzJsbg==";
