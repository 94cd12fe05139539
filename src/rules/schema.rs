//! What the published schemas say, as rules: each breach of a message's schema is one rule's affair.

use super::check::{Context, Evidence, Verdict};
use crate::message::{Breach, Wrong};

/// Passes when the schemas have nothing to say that is this rule's affair.
pub(super) fn as_declared(cx: &Context<'_>, rule: &str) -> Verdict {
    Verdict::from_evidence(breaches(cx, rule))
}

/// The schemas' findings that are this rule's affair. What one element lacks is one finding.
pub(super) fn breaches(cx: &Context<'_>, rule: &str) -> Vec<Evidence> {
    let mut found: Vec<Evidence> = Vec::new();
    let mut lacking: Option<&Breach> = None;
    for breach in cx.message.breaches.iter().filter(|b| rule_of(b) == rule) {
        let same = lacking.is_some_and(|l| breach.wrong == Wrong::Missing && l.spot.is_beside(&breach.spot));
        match found.last_mut() {
            Some(last) if same => {
                last.expected.push_str(", ");
                last.expected.push_str(&breach.expected);
            }
            _ => found.push(cx.evidence(&breach.spot, breach.expected.clone(), breach.found.clone())),
        }
        lacking = Some(breach).filter(|b| b.wrong == Wrong::Missing);
    }
    found
}

/// The rule whose affair a breach is; every breach is exactly one's.
fn rule_of(breach: &Breach) -> &'static str {
    let Breach { within, child, wrong, .. } = breach;
    match (*within, *child, *wrong) {
        (_, "nil", Wrong::AttributeUnexpected | Wrong::AttributeBadValue) => "XCEP-REQ-015",
        ("Attestation" | "AzureAttestation", _, Wrong::NilWithContent) => "XCEP-KEY-010",
        (_, _, Wrong::NilWithContent) => "XCEP-REQ-014",
        ("GetPolicies" | "Client" | "RequestFilter" | "FilterOIDCollection", ..) => {
            of_policies_request(breach)
        }
        ("GetPoliciesResponse" | "Response" | "PolicyCollection", ..) => of_policies_answer(breach),
        ("CertificateEnrollmentPolicy" | "CAReferenceCollection", ..) => of_policy(breach),
        ("CACollection" | "CA" | "CAURICollection" | "CAURI", ..) => of_issuers(breach),
        ("OIDCollection" | "OID", ..) => of_oids(breach),
        (
            "Attributes"
            | "CertificateValidity"
            | "EnrollmentPermission"
            | "PrivateKeyAttributes"
            | "CryptoProviders"
            | "Revision"
            | "SupersededPolicies"
            | "RARequirements"
            | "OIDReferenceCollection"
            | "KeyArchivalAttributes"
            | "ExtensionCollection"
            | "Extension"
            | "Attestation"
            | "AzureAttestation",
            ..,
        ) => of_attributes(breach),
        ("Discover" | "DiscoverRequest" | "AuthPolicies", ..) => of_discover(breach),
        ("DiscoverResponse" | "DiscoverResult", ..) => of_discover_answer(breach),
        _ => of_soap(breach),
    }
}

fn of_discover(breach: &Breach) -> &'static str {
    let absent = matches!(breach.wrong, Wrong::BadValue | Wrong::NotNillable | Wrong::Missing);
    match (breach.within, breach.child, breach.wrong) {
        ("DiscoverRequest", "EmailAddress" | "AuthPolicies", Wrong::NotNillable) => "DISC-REQ-013",
        ("Discover", "request", Wrong::Missing | Wrong::Misspelled) => "DISC-REQ-001",
        ("Discover", "", Wrong::OtherNamespace) => "DISC-REQ-002",
        ("DiscoverRequest", "EmailAddress", Wrong::Missing) => "DISC-REQ-003",
        ("DiscoverRequest", "EmailAddress", _) if absent => "DISC-REQ-004",
        ("DiscoverRequest", "RequestVersion", _) if absent => "DISC-REQ-006",
        ("DiscoverRequest", "DeviceType", _) if absent => "DISC-REQ-008",
        ("DiscoverRequest", "ApplicationVersion", _) if absent => "DISC-REQ-009",
        ("DiscoverRequest", "OSEdition", _) if absent => "DISC-REQ-010",
        ("DiscoverRequest", "AuthPolicies", _) if absent => "DISC-REQ-011",
        ("AuthPolicies", "AuthPolicy", Wrong::TooMany) => "DISC-REQ-011",
        // The case of letters, and blanks around, are told apart from other words.
        ("AuthPolicies", "AuthPolicy", _) if absent => "DISC-REQ-011",
        _ => "DISC-REQ-013",
    }
}

fn of_discover_answer(breach: &Breach) -> &'static str {
    let absent = matches!(breach.wrong, Wrong::BadValue | Wrong::NotNillable | Wrong::Missing);
    match (breach.within, breach.child, breach.wrong) {
        ("DiscoverResponse", "", Wrong::OtherNamespace) => "DISC-RSP-001",
        ("DiscoverResponse", "DiscoverResult", Wrong::Missing | Wrong::TooMany | Wrong::Misspelled) => {
            "DISC-RSP-017"
        }
        ("DiscoverResult", "AuthPolicy", _) if absent => "DISC-RSP-002",
        ("DiscoverResult", "EnrollmentServiceUrl", _) if absent => "DISC-RSP-004",
        ("DiscoverResult", "EnrollmentVersion", _) if absent => "DISC-RSP-008",
        _ => "DISC-RSP-018",
    }
}

/// The envelope, its headers, and what the token messages are made of.
fn of_soap(breach: &Breach) -> &'static str {
    match (breach.within, breach.child, breach.wrong) {
        ("", "mustUnderstand", _) => "SOAP-ENV-007",
        ("AttributedURI", "mustUnderstand", _) => "SOAP-005",
        ("Envelope", "Body", Wrong::Missing) | ("Envelope", _, Wrong::TooMany) => "SOAP-003",
        ("Envelope", _, Wrong::Misspelled) => "SOAP-017",
        ("Envelope" | "Header" | "Body", ..) => "SOAP-ENV-004",
        ("Fault" | "Code" | "Subcode" | "Reason", _, Wrong::Misspelled) => "FAULT-001",
        ("Fault", "Reason", Wrong::Missing) | ("Reason", "Text", Wrong::Missing) => "FAULT-007",
        ("Fault" | "Code" | "Subcode" | "Reason" | "reasontext" | "Detail" | "faultcodeEnum", ..) => {
            "SOAP-018"
        }
        ("AttributedURI" | "RelatesTo" | "EndpointReference" | "ReferenceParameters", ..) => "SOAP-019",
        (
            "SecurityToken"
            | "ResponseCollection"
            | "RequestedSecurityToken"
            | "TokenType"
            | "RequestType"
            | "RequestID"
            | "DispositionMessage"
            | "CertificateEnrollmentWSDetail"
            | "DeviceEnrollmentServiceError"
            | "AdditionalContext"
            | "ContextItem",
            ..,
        ) => "SOAP-021",
        _ => "SOAP-020",
    }
}

fn of_policies_request(breach: &Breach) -> &'static str {
    match (breach.within, breach.child, breach.wrong) {
        ("GetPolicies", "client" | "requestFilter", Wrong::Missing) => "POL-REQ-001",
        ("Client", "lastUpdate" | "preferredLanguage", Wrong::Missing) => "POL-REQ-002",
        ("Client", "lastUpdate", Wrong::BadValue) => "XCEP-REQ-004",
        ("Client", "preferredLanguage", Wrong::BadValue) => "XCEP-REQ-006",
        ("FilterOIDCollection", "oid", Wrong::Missing) => "XCEP-REQ-007",
        ("RequestFilter", "clientVersion" | "serverVersion", Wrong::BadValue) => "XCEP-REQ-010",
        _ => "XCEP-REQ-002",
    }
}

fn of_policies_answer(breach: &Breach) -> &'static str {
    match (breach.within, breach.child, breach.wrong) {
        ("GetPoliciesResponse", "response", Wrong::Missing)
        | ("Response", "policies", Wrong::Missing)
        | ("PolicyCollection", "policy", Wrong::Missing) => "POL-RSP-002",
        ("GetPoliciesResponse", ..) => "XCEP-RESP-002",
        ("Response", "policyID", Wrong::Missing | Wrong::NotNillable) => "XCEP-RESP-003",
        ("Response", "nextUpdateHours", Wrong::BadValue) => "XCEP-RESP-006",
        ("Response", "policiesNotChanged", Wrong::BadValue) => "XCEP-RESP-007",
        _ => "XCEP-RESP-005",
    }
}

fn of_policy(breach: &Breach) -> &'static str {
    match (breach.within, breach.child, breach.wrong) {
        ("CertificateEnrollmentPolicy", "attributes", Wrong::Missing) => "POL-RSP-003",
        ("CertificateEnrollmentPolicy", "policyOIDReference", Wrong::BadValue | Wrong::NotNillable) => {
            "XCEP-REF-001"
        }
        ("CAReferenceCollection", "cAReference", Wrong::Missing) => "XCEP-CA-010",
        ("CAReferenceCollection", "cAReference", Wrong::BadValue | Wrong::NotNillable) => "XCEP-REF-013",
        _ => "XCEP-POL-001",
    }
}

fn of_issuers(breach: &Breach) -> &'static str {
    let value = matches!(breach.wrong, Wrong::BadValue | Wrong::NotNillable);
    match (breach.within, breach.child) {
        ("CACollection", "cA") if breach.wrong == Wrong::Missing => "XCEP-CA-010",
        ("CAURICollection", "cAURI") if breach.wrong == Wrong::Missing => "XCEP-CA-005",
        ("CA", "certificate") if value => "XCEP-CA-002",
        ("CA", "enrollPermission") if value => "XCEP-CA-011",
        ("CA", "cAReferenceID") if value => "XCEP-CA-004",
        ("CAURI", "clientAuthentication") if value => "XCEP-CA-006",
        _ => "XCEP-CA-001",
    }
}

fn of_oids(breach: &Breach) -> &'static str {
    let value = matches!(breach.wrong, Wrong::BadValue | Wrong::NotNillable);
    match (breach.within, breach.child) {
        ("OID", "value") if value => "XCEP-OID-001",
        ("OID", "group") if value => "XCEP-OID-002",
        ("OID", "oIDReferenceID") if value => "XCEP-OID-003",
        ("OID", "defaultName") if value || breach.wrong == Wrong::Missing => "XCEP-OID-004",
        _ => "XCEP-RESP-002",
    }
}

fn of_attributes(breach: &Breach) -> &'static str {
    let value = matches!(breach.wrong, Wrong::BadValue | Wrong::NotNillable);
    let absent = value || breach.wrong == Wrong::Missing;
    match (breach.within, breach.child) {
        ("Attributes", "commonName") if value => "XCEP-ATTR-001",
        ("Attributes", "policySchema") if absent => "POL-RSP-003",
        ("Attributes", "hashAlgorithmOIDReference") if value => "POL-RSP-004",
        ("Attributes", "privateKeyFlags" | "subjectNameFlags" | "enrollmentFlags" | "generalFlags")
            if value =>
        {
            "XCEP-ATTR-012"
        }
        ("CertificateValidity", _) if value => "XCEP-ATTR-004",
        ("Revision", "majorRevision") if value => "XCEP-ATTR-008",
        ("Revision", "minorRevision") if value => "XCEP-ATTR-009",
        ("PrivateKeyAttributes", "minimalKeyLength") if absent => "POL-RSP-007",
        ("PrivateKeyAttributes", "keySpec") if value => "XCEP-KEY-003",
        ("PrivateKeyAttributes", "AttestationFailureBehavior") if value => "POL-RSP-010",
        ("Attestation", "attestationFailureBehavior") if value => "POL-RSP-010",
        ("PrivateKeyAttributes", "OperationTimeout") if value => "POL-RSP-011",
        ("Attestation", "operationTimeout") if value => "POL-RSP-011",
        ("PrivateKeyAttributes", "AttestationFailureBehavior" | "OperationTimeout")
        | ("Attributes", "attestation")
        | ("Attestation" | "AzureAttestation", _)
            if !absent =>
        {
            "POL-RSP-017"
        }
        ("CryptoProviders", "provider") if breach.wrong == Wrong::Missing => "XCEP-KEY-004",
        ("RARequirements", "rASignatures") if value => "XCEP-ATTR-017",
        ("KeyArchivalAttributes", "symmetricAlgorithmKeyLength") if value => "XCEP-ATTR-016",
        ("PrivateKeyAttributes", "algorithmOIDReference")
        | ("KeyArchivalAttributes", "symmetricAlgorithmOIDReference")
        | ("OIDReferenceCollection", "oIDReference")
        | ("Extension", "oIDReference")
            if value =>
        {
            "XCEP-REF-005"
        }
        ("Extension", "value") if value => "XCEP-EXT-001",
        _ => "XCEP-ATTR-011",
    }
}
