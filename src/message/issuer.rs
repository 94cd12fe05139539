//! The certification authorities of a GetPoliciesResponse, and where they take requests (MS-XCEP 3.1.4.1.3.2, .5).

use super::certificate::Certificate;
use super::enroll::decode_base64;
use super::field::{Field, Spot};
use crate::xml::Element;

/// One `cA`.
#[derive(Clone, Debug)]
pub struct Issuer {
    pub spot: Spot,
    pub uris: Vec<IssuerUri>,
    pub certificate: Option<Field>,
    /// As far as it is one.
    pub read: Option<Box<Certificate>>,
    pub enroll_permission: Option<Field>,
    pub reference: Option<Field>,
}

/// One `cAURI`.
#[derive(Clone, Debug)]
pub struct IssuerUri {
    pub authentication: Option<Field>,
    pub uri: Option<Field>,
    pub priority: Option<Field>,
    pub renewal_only: Option<Field>,
}

impl Issuer {
    pub(super) fn read(element: &Element<'_>) -> Self {
        let uris = element.child("uris").into_iter().flat_map(|u| u.children_named("cAURI"));
        let certificate = Field::child(element, "certificate");
        let der = certificate.as_ref().and_then(|c| decode_base64(&c.value));
        Self {
            spot: Spot::tag(element),
            uris: uris.map(|uri| IssuerUri::read(&uri)).collect(),
            read: der.as_deref().and_then(Certificate::read).map(Box::new),
            certificate,
            enroll_permission: Field::child(element, "enrollPermission"),
            reference: Field::child(element, "cAReferenceID"),
        }
    }
}

impl IssuerUri {
    fn read(element: &Element<'_>) -> Self {
        Self {
            authentication: Field::child(element, "clientAuthentication"),
            uri: Field::child(element, "uri"),
            priority: Field::child(element, "priority"),
            renewal_only: Field::child(element, "renewalOnly"),
        }
    }

    /// How a client proves itself there, in words.
    pub fn authentication_name(&self) -> Option<&'static str> {
        Some(match self.authentication.as_ref()?.value.as_str() {
            "1" => "anonymous",
            "2" => "Kerberos",
            "4" => "user name and password",
            "8" => "certificate",
            _ => return None,
        })
    }
}
