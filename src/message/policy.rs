//! GetPolicies and its response (MS-XCEP 3.1.4.1, narrowed by MS-MDE2 3.3.4.1.1).

use super::field::{Field, Spot};
use crate::xml::Element;

#[derive(Clone, Debug)]
pub struct GetPoliciesRequest {
    pub spot: Spot,
    pub client: Option<Spot>,
    pub last_update: Option<Field>,
    pub preferred_language: Option<Field>,
    pub request_filter: Option<Field>,
}

impl GetPoliciesRequest {
    pub(super) fn read(element: &Element<'_>) -> Self {
        let client = element.child("client");
        Self {
            spot: Spot::tag(element),
            client: client.map(|c| Spot::tag(&c)),
            last_update: client.and_then(|c| Field::child(&c, "lastUpdate")),
            preferred_language: client.and_then(|c| Field::child(&c, "preferredLanguage")),
            request_filter: Field::child(element, "requestFilter"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct GetPoliciesResponse {
    pub spot: Spot,
    pub response: Option<Spot>,
    pub policies_element: Option<Field>,
    pub policies: Vec<Policy>,
    pub oids: Vec<Oid>,
}

/// One policy's attributes, as far as an enrollment client uses them.
#[derive(Clone, Debug)]
pub struct Policy {
    pub spot: Spot,
    pub oid_reference: Option<Field>,
    pub attributes: Option<Spot>,
    pub schema: Option<Field>,
    pub private_key: Option<Spot>,
    pub minimal_key_length: Option<Field>,
    pub hash_oid_reference: Option<Field>,
    pub algorithm_oid_reference: Option<Field>,
    pub providers: Vec<Field>,
    pub validity: Option<Field>,
    pub renewal: Option<Field>,
}

/// An entry of `oIDs`.
#[derive(Clone, Debug)]
pub struct Oid {
    pub spot: Spot,
    pub value: Option<Field>,
    pub group: Option<Field>,
    pub reference: Option<Field>,
    pub name: Option<Field>,
}

impl GetPoliciesResponse {
    pub(super) fn read(element: &Element<'_>) -> Self {
        let response = element.child("response");
        let policies = response.and_then(|r| r.child("policies"));
        Self {
            spot: Spot::tag(element),
            response: response.map(|r| Spot::tag(&r)),
            policies_element: policies.map(|p| Field::of(&p)),
            policies: policies
                .map(|p| p.children_named("policy").map(|policy| Policy::read(&policy)).collect())
                .unwrap_or_default(),
            oids: element
                .child("oIDs")
                .map(|oids| oids.children_named("oID").map(|oid| Oid::read(&oid)).collect())
                .unwrap_or_default(),
        }
    }

    /// The object identifier behind a reference number.
    pub fn oid(&self, reference: &str) -> Option<&Oid> {
        self.oids.iter().find(|oid| oid.reference.as_ref().is_some_and(|r| r.value == reference))
    }

    /// The hash algorithm that the first policy asks for, dotted; absent when nil, absent or dangling.
    pub fn hash_oid(&self) -> Option<&str> {
        let reference = self.policies.first()?.hash_oid_reference.as_ref().filter(|r| !r.nil)?;
        Some(self.oid(&reference.value)?.value.as_ref()?.value.as_str())
    }
}

impl Policy {
    fn read(element: &Element<'_>) -> Self {
        let attributes = element.child("attributes");
        let key = attributes.and_then(|a| a.child("privateKeyAttributes"));
        let validity = attributes.and_then(|a| a.child("certificateValidity"));
        let providers = key.and_then(|k| k.child("cryptoProviders"));
        Self {
            spot: Spot::tag(element),
            oid_reference: Field::child(element, "policyOIDReference"),
            attributes: attributes.map(|a| Spot::tag(&a)),
            schema: attributes.and_then(|a| Field::child(&a, "policySchema")),
            private_key: key.map(|k| Spot::tag(&k)),
            minimal_key_length: key.and_then(|k| Field::child(&k, "minimalKeyLength")),
            algorithm_oid_reference: key.and_then(|k| Field::child(&k, "algorithmOIDReference")),
            hash_oid_reference: attributes.and_then(|a| Field::child(&a, "hashAlgorithmOIDReference")),
            providers: providers
                .map(|p| p.children_named("provider").map(|e| Field::of(&e)).collect())
                .unwrap_or_default(),
            validity: validity.and_then(|v| Field::child(&v, "validityPeriodSeconds")),
            renewal: validity.and_then(|v| Field::child(&v, "renewalPeriodSeconds")),
        }
    }
}

impl Oid {
    fn read(element: &Element<'_>) -> Self {
        Self {
            spot: Spot::tag(element),
            value: Field::child(element, "value"),
            group: Field::child(element, "group"),
            reference: Field::child(element, "oIDReferenceID"),
            name: Field::child(element, "defaultName"),
        }
    }
}
