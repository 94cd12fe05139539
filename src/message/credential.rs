//! Who the device says its user is: the contents of wsse:Security.

use super::certificate::{Certificate, sha256_hex};
use super::enroll::decode_base64;
use super::field::{Field, Spot};
use super::jwt::Jwt;
use super::names;
use super::signature::XmlSignature;
use crate::xml::Element;

/// The credential of a GetPolicies or RequestSecurityToken message.
#[derive(Clone, Debug, Default)]
pub enum Credential {
    #[default]
    None,
    /// On-premise: user name and password.
    UsernameToken(Box<UsernameToken>),
    /// Federated: a token from the sign-in page, or an Entra JWT.
    Token(Box<UserToken>),
    /// Certificate: an X.509 token with a signature over the message.
    Certificate(Box<SignedToken>),
}

/// What the sign-in page or Entra handed to the device.
#[derive(Clone, Debug)]
pub struct UserToken {
    pub token: WireToken,
    /// SHA-256 of what the base64 holds: the text that the sign-in page gave. Absent when it does not decode.
    pub content_hash: Option<String>,
    /// Its claims, if it is a JSON Web Token. Nobody has verified them.
    pub jwt: Option<Jwt>,
}

/// A certificate, and the signature that its key made.
#[derive(Clone, Debug)]
pub struct SignedToken {
    pub token: WireToken,
    pub id: Option<Field>,
    /// Absent when the token is no certificate.
    pub certificate: Option<Certificate>,
    pub signature: Option<XmlSignature>,
}

#[derive(Clone, Debug)]
pub struct UsernameToken {
    pub spot: Spot,
    pub id: Option<Field>,
    pub username: Option<Field>,
    /// The redacted text: equal passwords are equal here, and nothing more can be told.
    pub password: Option<Field>,
    pub password_type: Option<Field>,
}

/// A BinarySecurityToken.
#[derive(Clone, Debug)]
pub struct WireToken {
    pub spot: Spot,
    pub value_type: Option<Field>,
    pub encoding_type: Option<Field>,
    pub value: Field,
}

impl WireToken {
    pub(super) fn read(element: &Element<'_>) -> Self {
        Self {
            spot: Spot::text(element),
            value_type: Field::attribute(element, "ValueType"),
            encoding_type: Field::attribute(element, "EncodingType"),
            value: Field::of(element),
        }
    }
}

impl UserToken {
    fn read(token: WireToken) -> Self {
        let content = decode_base64(&token.value.value);
        let text = content.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        // Some senders leave the base64 around the token out.
        let jwt = text.and_then(Jwt::read).or_else(|| Jwt::read(&token.value.value));
        Self { content_hash: content.as_deref().map(token_hash), jwt, token }
    }
}

/// What tells one token from another: blanks around it do not count.
pub fn token_hash(content: &[u8]) -> String {
    sha256_hex(content.trim_ascii())
}

impl Credential {
    pub(super) fn read(security: Option<Element<'_>>) -> Self {
        let Some(security) = security else { return Self::None };
        if let Some(token) = security.child_any_case("UsernameToken") {
            let password = token.child_any_case("Password");
            return Self::UsernameToken(Box::new(UsernameToken {
                spot: Spot::tag(&token),
                id: Field::attribute(&token, "Id"),
                username: Field::child_any_case(&token, "Username"),
                password: password.map(|p| Field::of(&p)),
                password_type: password.and_then(|p| Field::attribute(&p, "Type")),
            }));
        }
        let Some(token) = security.child_any_case("BinarySecurityToken") else { return Self::None };
        let (wire, signature) = (WireToken::read(&token), security.child("Signature"));
        let is_certificate =
            signature.is_some() || wire.value_type.as_ref().is_some_and(|v| v.value == names::X509_V3);
        if !is_certificate {
            return Self::Token(Box::new(UserToken::read(wire)));
        }
        let certificate = decode_base64(&wire.value.value).as_deref().and_then(Certificate::read);
        Self::Certificate(Box::new(SignedToken {
            id: Field::attribute(&token, "Id"),
            signature: signature.map(|s| XmlSignature::read(&s, certificate.as_ref())),
            certificate,
            token: wire,
        }))
    }

    /// The user that it names.
    pub fn user(&self) -> Option<&Field> {
        match self {
            Self::UsernameToken(token) => token.username.as_ref(),
            Self::None | Self::Token(_) | Self::Certificate(_) => None,
        }
    }

    /// The text that must be the same in GetPolicies and RequestSecurityToken, as redacted.
    pub fn secret(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::UsernameToken(token) => {
                let text = |field: &Option<Field>| field.as_ref().map_or("", |f| f.value.as_str()).to_owned();
                Some(format!("{}\n{}", text(&token.username), text(&token.password)))
            }
            Self::Token(_) | Self::Certificate(_) => {
                Some(self.token()?.value.value.chars().filter(|c| !c.is_whitespace()).collect())
            }
        }
    }

    /// The BinarySecurityToken, if that is what it is.
    pub fn token(&self) -> Option<&WireToken> {
        match self {
            Self::None | Self::UsernameToken(_) => None,
            Self::Token(token) => Some(&token.token),
            Self::Certificate(signed) => Some(&signed.token),
        }
    }

    /// Where the credential stands.
    pub fn spot(&self) -> Option<&Spot> {
        match self {
            Self::None => None,
            Self::UsernameToken(token) => Some(&token.spot),
            Self::Token(_) | Self::Certificate(_) => self.token().map(|token| &token.spot),
        }
    }

    /// What a person calls this kind of credential.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::None => "no credential",
            Self::UsernameToken(_) => "user name and password",
            Self::Token(_) => "a security token",
            Self::Certificate(_) => "a certificate with a signature",
        }
    }
}
