//! One policy of a GetPoliciesResponse: what AD CS calls a certificate template (MS-XCEP 3.1.4.1.3.1, .7, .20).

use super::enroll::decode_base64;
use super::field::{Field, Spot};
use super::policy::fields;
use crate::xml::Element;

/// One policy with its attributes.
#[derive(Clone, Debug)]
pub struct Policy {
    pub spot: Spot,
    pub oid_reference: Option<Field>,
    /// `cAs`, and the references in it.
    pub issuers_element: Option<Field>,
    pub issuers: Vec<Field>,
    pub attributes: Option<Spot>,
    pub common_name: Option<Field>,
    pub schema: Option<Field>,
    pub validity: Option<Field>,
    pub renewal: Option<Field>,
    pub enroll: Option<Field>,
    pub private_key: Option<Spot>,
    pub minimal_key_length: Option<Field>,
    pub key_spec: Option<Field>,
    pub permissions: Option<Field>,
    pub algorithm_oid_reference: Option<Field>,
    pub providers_element: Option<Field>,
    pub providers: Vec<Field>,
    pub major_revision: Option<Field>,
    pub superseded: Vec<Field>,
    pub private_key_flags: Option<Field>,
    pub subject_name_flags: Option<Field>,
    pub enrollment_flags: Option<Field>,
    pub general_flags: Option<Field>,
    pub hash_oid_reference: Option<Field>,
    pub registration: Option<Registration>,
    pub archival: Option<Archival>,
    pub extensions: Vec<PolicyExtension>,
    /// The one in privateKeyAttributes.
    pub key_attestation: Attestation,
    /// The one of its own, which wins.
    pub attestation: Option<Attestation>,
}

/// `rARequirements`: signatures of others under the request.
#[derive(Clone, Debug)]
pub struct Registration {
    pub signatures: Option<Field>,
    pub purposes: Vec<Field>,
    pub policies: Vec<Field>,
}

/// `keyArchivalAttributes`.
#[derive(Clone, Debug)]
pub struct Archival {
    pub algorithm_oid_reference: Option<Field>,
    pub key_length: Option<Field>,
}

/// An extension that the certificate is to have.
#[derive(Clone, Debug)]
pub struct PolicyExtension {
    pub spot: Spot,
    pub oid_reference: Option<Field>,
    pub value: Option<Field>,
    /// The value's base64 decoded; absent when it does not decode.
    pub der: Option<Vec<u8>>,
}

/// What the device does about attestation (MS-MDE2 3.3.4.1.1.2).
#[derive(Clone, Debug, Default)]
pub struct Attestation {
    pub spot: Option<Spot>,
    pub behavior: Option<Field>,
    pub timeout: Option<Field>,
    pub azure: Option<Spot>,
    pub nonce: Option<Field>,
    pub relying_party: Option<Field>,
    pub endpoint: Option<Field>,
}

impl Policy {
    pub(super) fn read(element: &Element<'_>) -> Self {
        let attributes = element.child("attributes");
        let part = |name: &str| attributes.and_then(|a| a.child(name));
        let text = |name: &str| part(name).map(|e| Field::of(&e));
        let key = part("privateKeyAttributes");
        let of_key = |name: &str| key.and_then(|k| Field::child(&k, name));
        let validity = part("certificateValidity");
        let issuers = element.child("cAs");
        Self {
            spot: Spot::tag(element),
            oid_reference: Field::child(element, "policyOIDReference"),
            issuers_element: issuers.map(|c| Field::of(&c)),
            issuers: fields(issuers, "cAReference"),
            attributes: attributes.map(|a| Spot::tag(&a)),
            common_name: text("commonName"),
            schema: text("policySchema"),
            validity: validity.and_then(|v| Field::child(&v, "validityPeriodSeconds")),
            renewal: validity.and_then(|v| Field::child(&v, "renewalPeriodSeconds")),
            enroll: part("permission").and_then(|p| Field::child(&p, "enroll")),
            private_key: key.map(|k| Spot::tag(&k)),
            minimal_key_length: of_key("minimalKeyLength"),
            key_spec: of_key("keySpec"),
            permissions: of_key("permissions"),
            algorithm_oid_reference: of_key("algorithmOIDReference"),
            providers_element: of_key("cryptoProviders"),
            providers: fields(key.and_then(|k| k.child("cryptoProviders")), "provider"),
            major_revision: part("revision").and_then(|r| Field::child(&r, "majorRevision")),
            superseded: fields(part("supersededPolicies"), "commonName"),
            private_key_flags: text("privateKeyFlags"),
            subject_name_flags: text("subjectNameFlags"),
            enrollment_flags: text("enrollmentFlags"),
            general_flags: text("generalFlags"),
            hash_oid_reference: text("hashAlgorithmOIDReference"),
            registration: part("rARequirements").filter(|e| !e.is_nil()).map(|e| Registration::read(&e)),
            archival: part("keyArchivalAttributes").filter(|e| !e.is_nil()).map(|e| Archival {
                algorithm_oid_reference: Field::child(&e, "symmetricAlgorithmOIDReference"),
                key_length: Field::child(&e, "symmetricAlgorithmKeyLength"),
            }),
            extensions: part("extensions")
                .into_iter()
                .flat_map(|e| e.children_named("extension"))
                .map(|e| PolicyExtension::read(&e))
                .collect(),
            key_attestation: key.map(|k| Attestation::read(&k)).unwrap_or_default(),
            attestation: part("attestation").map(|a| Attestation::read(&a)),
        }
    }

    /// Whether privateKeyFlags has that bit.
    pub fn has_private_key_flag(&self, bit: u32) -> bool {
        self.private_key_flags.as_ref().and_then(Field::number::<u32>).is_some_and(|flags| flags & bit != 0)
    }

    /// What counts for the device: the attestation of its own, else the one in privateKeyAttributes.
    pub fn attestation_behavior(&self) -> Option<&Field> {
        let own = self.attestation.as_ref().and_then(|a| a.behavior.as_ref());
        own.or(self.key_attestation.behavior.as_ref())
    }
}

impl Registration {
    fn read(element: &Element<'_>) -> Self {
        Self {
            signatures: Field::child(element, "rASignatures"),
            purposes: fields(element.child("rAEKUs"), "oIDReference"),
            policies: fields(element.child("rAPolicies"), "oIDReference"),
        }
    }
}

impl PolicyExtension {
    fn read(element: &Element<'_>) -> Self {
        let value = Field::child(element, "value");
        Self {
            spot: Spot::tag(element),
            oid_reference: Field::child(element, "oIDReference"),
            der: value.as_ref().and_then(|v| decode_base64(&v.value)),
            value,
        }
    }
}

impl Attestation {
    /// The names differ in their first letter, by where they stand.
    fn read(parent: &Element<'_>) -> Self {
        let azure = parent.child("azureAttestation");
        let of_azure = |name: &str| azure.and_then(|a| Field::child(&a, name));
        Self {
            spot: Some(Spot::tag(parent)),
            behavior: Field::child_any_case(parent, "attestationFailureBehavior"),
            timeout: Field::child_any_case(parent, "operationTimeout"),
            azure: azure.map(|a| Spot::tag(&a)),
            nonce: of_azure("nonce"),
            relying_party: of_azure("relyingPartyId"),
            endpoint: of_azure("endpointUri"),
        }
    }
}
