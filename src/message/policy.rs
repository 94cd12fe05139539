//! GetPolicies and its response (MS-XCEP 3.1.4.1, narrowed by MS-MDE2 3.3.4.1.1).

use std::collections::HashMap;

use super::field::{Field, Spot};
use super::issuer::Issuer;
use super::template::Policy;
use crate::xml::Element;

#[derive(Clone, Debug)]
pub struct GetPoliciesRequest {
    pub spot: Spot,
    pub client: Option<Spot>,
    /// `client` is nil, or holds nothing.
    pub client_empty: bool,
    pub last_update: Option<Field>,
    pub preferred_language: Option<Field>,
    /// What else `client` holds.
    pub extras: Vec<Extra>,
    pub request_filter: Option<Field>,
    /// The filter's policyOIDs.
    pub policy_oids: Vec<Field>,
    pub client_version: Option<Field>,
    pub server_version: Option<Field>,
}

/// A vendor's element.
#[derive(Clone, Debug)]
pub struct Extra {
    pub spot: Spot,
    pub name: String,
}

impl GetPoliciesRequest {
    pub(super) fn read(element: &Element<'_>) -> Self {
        let client = element.child("client");
        let filter = element.child("requestFilter");
        let of_client = |name: &str| client.and_then(|c| Field::child(&c, name));
        let of_filter = |name: &str| filter.and_then(|f| Field::child(&f, name));
        let known = ["lastUpdate", "preferredLanguage"];
        let others = client.into_iter().flat_map(|c| c.children()).filter(|e| !known.contains(&e.local()));
        Self {
            spot: Spot::tag(element),
            client: client.map(|c| Spot::tag(&c)),
            client_empty: client.is_some_and(|c| c.is_nil() || c.children().next().is_none()),
            last_update: of_client("lastUpdate"),
            preferred_language: of_client("preferredLanguage"),
            extras: others.map(|e| Extra { spot: Spot::tag(&e), name: e.local().to_owned() }).collect(),
            request_filter: Field::child(element, "requestFilter"),
            policy_oids: fields(filter.and_then(|f| f.child("policyOIDs")), "oid"),
            client_version: of_filter("clientVersion"),
            server_version: of_filter("serverVersion"),
        }
    }

    /// Nothing may be left out of the answer because of this request.
    pub fn asks_for_all(&self) -> bool {
        let given = |field: &Option<Field>| field.as_ref().is_some_and(|f| !f.nil && !f.is_empty());
        self.policy_oids.is_empty() && !given(&self.client_version) && !given(&self.server_version)
    }

    /// lastUpdate is absent, nil or empty: the policy cannot be unchanged since.
    pub fn is_first(&self) -> bool {
        self.last_update.as_ref().is_none_or(|f| f.nil || f.is_empty())
    }
}

#[derive(Clone, Debug)]
pub struct GetPoliciesResponse {
    pub spot: Spot,
    pub response: Option<Spot>,
    pub policy_id: Option<Field>,
    pub next_update_hours: Option<Field>,
    pub not_changed: Option<Field>,
    pub policies_element: Option<Field>,
    pub policies: Vec<Policy>,
    pub issuers_element: Option<Field>,
    /// `cAs`.
    pub issuers: Vec<Issuer>,
    pub oids_element: Option<Field>,
    pub oids: Vec<Oid>,
    /// Reference numbers to places in `oids`; the first of equal ones.
    references: HashMap<String, usize>,
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
        let of_response = |name: &str| response.and_then(|r| Field::child(&r, name));
        let policies = response.and_then(|r| r.child("policies"));
        let issuers = element.child("cAs");
        let entries = element.child("oIDs");
        let oids: Vec<_> =
            entries.into_iter().flat_map(|o| o.children_named("oID")).map(|oid| Oid::read(&oid)).collect();
        let mut references = HashMap::new();
        for (place, oid) in oids.iter().enumerate() {
            if let Some(reference) = &oid.reference {
                references.entry(reference.value.clone()).or_insert(place);
            }
        }
        Self {
            spot: Spot::tag(element),
            response: response.map(|r| Spot::tag(&r)),
            policy_id: of_response("policyID"),
            next_update_hours: of_response("nextUpdateHours"),
            not_changed: of_response("policiesNotChanged"),
            policies_element: policies.map(|p| Field::of(&p)),
            policies: policies
                .into_iter()
                .flat_map(|p| p.children_named("policy"))
                .map(|policy| Policy::read(&policy))
                .collect(),
            issuers_element: issuers.map(|c| Field::of(&c)),
            issuers: issuers
                .into_iter()
                .flat_map(|c| c.children_named("cA"))
                .map(|issuer| Issuer::read(&issuer))
                .collect(),
            oids_element: entries.map(|o| Field::of(&o)),
            oids,
            references,
        }
    }

    /// The object identifier behind a reference number.
    pub fn oid(&self, reference: &str) -> Option<&Oid> {
        self.oids.get(*self.references.get(reference)?)
    }

    /// The dotted object identifier behind a reference, unless that is nil or dangling.
    pub fn dotted(&self, reference: &Field) -> Option<&str> {
        let value = self.oid(&reference.value).filter(|_| !reference.nil)?.value.as_ref()?;
        Some(value.value.as_str())
    }

    /// The hash algorithm that the first policy asks for, dotted; absent when nil, absent or dangling.
    pub fn hash_oid(&self) -> Option<&str> {
        self.dotted(self.policies.first()?.hash_oid_reference.as_ref()?)
    }

    /// `policiesNotChanged` is true: there is nothing else to say.
    pub fn is_unchanged(&self) -> bool {
        self.not_changed.as_ref().is_some_and(|f| f.is_true())
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

/// The texts of the children with that name.
pub(super) fn fields(parent: Option<Element<'_>>, name: &str) -> Vec<Field> {
    parent.into_iter().flat_map(|p| p.children_named(name)).map(|e| Field::of(&e)).collect()
}
