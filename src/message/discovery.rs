//! Discover and DiscoverResponse (MS-MDE2 3.1.4.1).

use super::field::{Field, Spot};
use crate::xml::Element;

/// How the user proves who they are (MS-MDE2 3.1.4.1.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthPolicy {
    OnPremise,
    Federated,
    Certificate,
}

impl AuthPolicy {
    /// Exactly one of the three words.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "OnPremise" => Some(Self::OnPremise),
            "Federated" => Some(Self::Federated),
            "Certificate" => Some(Self::Certificate),
            _ => None,
        }
    }

    /// The word in any case of its letters.
    pub fn parse_any_case(text: &str) -> Option<Self> {
        [Self::OnPremise, Self::Federated, Self::Certificate]
            .into_iter()
            .find(|policy| policy.wire().eq_ignore_ascii_case(text))
    }

    /// As the protocol spells it.
    pub fn wire(self) -> &'static str {
        match self {
            Self::OnPremise => "OnPremise",
            Self::Federated => "Federated",
            Self::Certificate => "Certificate",
        }
    }

    /// As our JSON spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::OnPremise => "on-premise",
            Self::Federated => "federated",
            Self::Certificate => "certificate",
        }
    }
}

#[derive(Clone, Debug)]
pub struct DiscoverRequest {
    /// The `Discover` element.
    pub discover: Spot,
    pub namespace: String,
    /// The `request` element, absent in broken messages.
    pub request: Option<Spot>,
    pub email: Option<Field>,
    pub version: Option<Field>,
    pub device_type: Option<Field>,
    pub application_version: Option<Field>,
    pub os_edition: Option<Field>,
    /// The AuthPolicies element.
    pub auth_policies: Option<Spot>,
    pub offered: Vec<Field>,
}

impl DiscoverRequest {
    pub(super) fn read(discover: &Element<'_>) -> Self {
        let request = discover.child("request");
        let field = |name: &str| request.and_then(|r| Field::child(&r, name));
        let policies = request.and_then(|r| r.child("AuthPolicies"));
        Self {
            discover: Spot::tag(discover),
            namespace: discover.namespace().uri().to_owned(),
            request: request.map(|r| Spot::tag(&r)),
            email: field("EmailAddress"),
            version: field("RequestVersion"),
            device_type: field("DeviceType"),
            application_version: field("ApplicationVersion"),
            os_edition: field("OSEdition"),
            auth_policies: policies.map(|p| Spot::tag(&p)),
            offered: policies
                .map(|p| p.children_named("AuthPolicy").map(|a| Field::of(&a)).collect())
                .unwrap_or_default(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct DiscoverResponse {
    /// The `DiscoverResponse` element.
    pub response: Spot,
    pub namespace: String,
    /// The `DiscoverResult` element.
    pub result: Option<Spot>,
    pub results: usize,
    pub auth_policy: Option<Field>,
    pub version: Option<Field>,
    pub policy_url: Option<Field>,
    pub enrollment_url: Option<Field>,
    pub authentication_url: Option<Field>,
}

impl DiscoverResponse {
    pub(super) fn read(response: &Element<'_>) -> Self {
        let result = response.child("DiscoverResult");
        let field = |name: &str| result.and_then(|r| Field::child(&r, name));
        Self {
            response: Spot::tag(response),
            namespace: response.namespace().uri().to_owned(),
            result: result.map(|r| Spot::tag(&r)),
            results: response.children_named("DiscoverResult").count(),
            auth_policy: field("AuthPolicy"),
            version: field("EnrollmentVersion"),
            policy_url: field("EnrollmentPolicyServiceUrl"),
            enrollment_url: field("EnrollmentServiceUrl"),
            authentication_url: field("AuthenticationServiceUrl"),
        }
    }
}
