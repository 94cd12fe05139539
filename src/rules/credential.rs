//! Rules on the security header of GetPolicies and RequestSecurityToken (MS-MDE2 3.3.4.1.1.1, 3.4.4.1.1.1).

use super::check::{Check, Verdict};
use super::rule::{Change, Example, Golden, Rule, Severity, Step, Subject};
use super::soap::header_spot;
use super::spec::{Cite, Spec};
use crate::message::{Credential, names};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "CRED-001",
        name: "no-credential",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "GetPolicies and RequestSecurityToken carry a credential in wsse:Security in the header.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3",
            "The <wsse:Security> element MUST be a child of the <s:Header> element",
        )],
        consequence: "The server cannot tell whose device it is and declines.",
        remedy: "See why the device has no credential: the sign-in failed, or no password was typed.",
        hresult: None,
        check: Check::Credential(|credential, cx| {
            let Some(soap) = &cx.message.soap else { return Verdict::Skip };
            Verdict::check(!matches!(credential, Credential::None), || {
                let parent = soap.security.as_ref().unwrap_or_else(|| header_spot(soap));
                cx.fail(&parent.missing("Security"), "a credential in wsse:Security", "none")
            })
        }),
        needs: &[],
        examples: &[Example::request(Step::Policies, "Envelope/Header/Security", Change::Delete)],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-ONP-001",
        name: "user-or-password-missing",
        severity: Severity::LETTER,
        subject: Subject::Device,
        requirement: "A UsernameToken has a Username and a Password.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.3",
            "element MUST be a child of <wsse:UsernameToken> in <s:Header> and the value specifies the user name.",
        )],
        consequence: "The server cannot check who the user is, and declines.",
        remedy: "Have the user type both; look at the tool that made this request.",
        hresult: Some(0x8018_0002),
        check: Check::Credential(|credential, cx| {
            if cx.may_renew() {
                return Verdict::Skip;
            }
            let Credential::UsernameToken(token) = credential else { return Verdict::Skip };
            for (field, name) in [(&token.username, "Username"), (&token.password, "Password")] {
                if field.as_ref().is_none_or(|f| f.is_empty() && !f.padded) {
                    // What the password is, is nobody's business; that it is missing is.
                    let spot = token.spot.missing(name);
                    return cx.fail(&spot, "a value", if field.is_some() { "empty" } else { "absent" });
                }
            }
            Verdict::Pass
        }),
        needs: &[],
        examples: &[
            Example::request(Step::Policies, "…/UsernameToken/Username", Change::Set("")).also(&["SEQ-014"])
        ],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-ONP-002",
        name: "other-username-token-id",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The UsernameToken's u:Id is the constant uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.3",
            "The type MUST be \"uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4\" for on-premise authentication",
        )],
        consequence: "Servers that compare the constant do not accept the credential.",
        remedy: "Use exactly this constant, as Windows does, in whatever made this request.",
        hresult: None,
        check: Check::Credential(|credential, cx| {
            let Credential::UsernameToken(token) = credential else { return Verdict::Skip };
            if token.id.as_ref().is_some_and(|f| f.value == names::USERNAME_TOKEN_ID) {
                return Verdict::Pass;
            }
            cx.fail_field(token.id.as_ref(), (&token.spot, "@Id"), names::USERNAME_TOKEN_ID)
        }),
        needs: &[],
        examples: &[Example::request(
            Step::Policies,
            "Envelope/Header/Security/UsernameToken/@Id",
            Change::Set("x"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-ONP-003",
        name: "other-password-type",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The Password's Type is #PasswordText.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "3.3.4.1.1.1.3",
            "The type MUST be \"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText\"",
        )],
        consequence: "Servers that go by the type do not find the password.",
        remedy: "Write the Type of the Password with its whole URL, ending in #PasswordText, as Windows does.",
        hresult: None,
        check: Check::Credential(|credential, cx| {
            let Credential::UsernameToken(token) = credential else { return Verdict::Skip };
            if token.password_type.as_ref().is_some_and(|f| f.value == names::PASSWORD_TEXT) {
                return Verdict::Pass;
            }
            let parent = token.password.as_ref().map_or(&token.spot, |p| &p.spot);
            cx.fail_field(token.password_type.as_ref(), (parent, "@Type"), names::PASSWORD_TEXT)
        }),
        needs: &["CRED-ONP-001"],
        examples: &[Example::request(
            Step::Token,
            "Envelope/Header/Security/UsernameToken/Password/@Type",
            Change::Set(
                "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest",
            ),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "CRED-ONP-004",
        name: "other-user-than-discovered",
        severity: Severity::INFO,
        subject: Subject::Device,
        requirement: "The Username is the user whose address Discover had.",
        cites: &[Cite::observed(
            Spec::Field,
            "",
            "Users type another name into the second window; devices enroll all the same.",
        )],
        consequence: "None by itself: the device belongs to the user of the password.",
        remedy: "Compare address and time of the messages if two devices may have been taken for one.",
        hresult: None,
        check: Check::Credential(|credential, cx| {
            let email = cx.earlier.offer.as_ref().map(|o| o.email.as_str()).filter(|e| !e.is_empty());
            let user = credential.user().filter(|u| !u.is_empty());
            let (Some(email), Some(user)) = (email, user) else { return Verdict::Skip };
            Verdict::check(local_part(email) == local_part(&user.value), || {
                cx.fail(&user.spot, email, user.value.clone())
            })
        }),
        needs: &["SEQ-014"],
        examples: &[Example::request(
            Step::Discover,
            "Envelope/Body/Discover/request/EmailAddress",
            Change::Set("ben@contoso.example"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "SEQ-014",
        name: "credential-changed",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "RequestSecurityToken carries the credential of GetPolicies.",
        cites: &[Cite::observed(
            Spec::MsDocs,
            "On-premise authentication device enrollment",
            "The same credential is used in both messages.",
        )],
        consequence: "The server may see two users; with an Entra token it may just have been renewed.",
        remedy: "See whether the token was renewed in between, or two devices behind one address were taken for one.",
        hresult: None,
        check: Check::Credential(|credential, cx| {
            let now = crate::dialogue::CredentialFact::of(credential);
            let (crate::message::Content::TokenRequest(_), Some(before), Some(now)) =
                (&cx.message.content, &cx.earlier.credential, now)
            else {
                return Verdict::Skip;
            };
            let spot = credential.spot();
            match spot {
                // An Entra token lives for an hour: the device fetches another one as it likes.
                Some(spot) if before.hash != now.hash && !(before.is_jwt && now.is_jwt) => {
                    cx.fail(spot, "the credential of GetPolicies", format!("another: {}", now.kind))
                }
                _ => Verdict::Pass,
            }
        }),
        needs: &["CRED-ONP-001"],
        examples: &[Example::request(
            Step::Token,
            "Envelope/Header/Security/UsernameToken/Password",
            Change::Set("another"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "SEQ-002",
        name: "credential-of-other-kind",
        severity: Severity::WARNING,
        subject: Subject::Device,
        requirement: "The credential is of the kind that discovery chose.",
        cites: &[
            Cite::should(
                Spec::MsMde2,
                "4.2.1.3",
                "The following snippet demonstrates a call to the GetPolicies message using <AuthPolicy> \"OnPremise\".",
            ),
            Cite::observed(
                Spec::Field,
                "",
                "An Entra-joined device sends its token even when OnPremise was chosen.",
            ),
        ],
        consequence: "A server that expects the other kind declines.",
        remedy: "Accept the token that the device has, or choose the AuthPolicy that fits it.",
        hresult: None,
        check: Check::Credential(|credential, cx| {
            use crate::message::AuthPolicy;
            let Some(chosen) = cx.earlier.answer.as_ref().and_then(|a| a.auth_policy) else {
                return Verdict::Skip;
            };
            let Some(spot) = credential.spot() else { return Verdict::Skip };
            let fits = match (chosen, credential) {
                (AuthPolicy::OnPremise, Credential::UsernameToken(_))
                | (AuthPolicy::Federated, Credential::Token(_))
                | (AuthPolicy::Certificate, Credential::Certificate(_)) => true,
                // ENTRA-003 speaks of it.
                (_, Credential::Token(token)) => token.jwt.is_some(),
                _ => cx.may_renew(),
            };
            Verdict::check(fits, || cx.fail(spot, chosen.wire(), credential.describe()))
        }),
        needs: &["CRED-001"],
        examples: &[Example::response(
            Step::Discover,
            "Envelope/Body/DiscoverResponse/DiscoverResult/AuthPolicy",
            Change::Set("OnPremise"),
        )
        .on(Golden::Federated)
        .also(&["DISC-RSP-007"])],
        since: "0.1.0",
    },
];

/// The name without domain: `DOMAIN\user`, `user@domain` and `user` may be one and the same.
fn local_part(user: &str) -> String {
    let name = user.rsplit_once('\\').map_or(user, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name).to_lowercase()
}
