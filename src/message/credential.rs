//! Who the device says its user is: the contents of wsse:Security.

use super::field::{Field, Spot};
use super::names;
use crate::xml::Element;

/// The credential of a GetPolicies or RequestSecurityToken message.
#[derive(Clone, Debug, Default)]
pub enum Credential {
    #[default]
    None,
    /// On-premise: user name and password.
    UsernameToken(Box<UsernameToken>),
    /// Federated: a token from the sign-in page, or an Entra JWT.
    Token(Box<WireToken>),
    /// Certificate: an X.509 token with a signature over the message.
    Certificate(Box<WireToken>),
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
        let token = Box::new(WireToken::read(&token));
        let is_certificate = security.child("Signature").is_some()
            || token.value_type.as_ref().is_some_and(|v| v.value == names::X509_V3);
        if is_certificate { Self::Certificate(token) } else { Self::Token(token) }
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
            Self::Token(token) | Self::Certificate(token) => {
                Some(token.value.value.chars().filter(|c| !c.is_whitespace()).collect())
            }
        }
    }

    /// Where the credential stands.
    pub fn spot(&self) -> Option<&Spot> {
        match self {
            Self::None => None,
            Self::UsernameToken(token) => Some(&token.spot),
            Self::Token(token) | Self::Certificate(token) => Some(&token.spot),
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
