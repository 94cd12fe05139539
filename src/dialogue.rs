//! What one device and the server have said so far: the facts that later messages are compared with, never trees.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::sync::Arc;

use crate::event::Time;
use crate::message::certificate::sha256_hex;
use crate::message::{AuthPolicy, Content, Credential, Message, token_hash};

/// The longest value that is kept of any one field, in bytes.
const MAX_VALUE: usize = 512;

/// The facts of one enrollment so far. At most about 8 kB: every text is cut to 512 bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dialogue {
    /// Exchanges are known to be missing: what is absent here may have been said.
    pub gap: bool,
    pub offer: Option<Offer>,
    pub answer: Option<Arc<Answer>>,
    pub terms: Option<TermsFact>,
    pub sign_in: Option<SignInFact>,
    /// The credential of GetPolicies.
    pub credential: Option<CredentialFact>,
    pub policy: Option<Arc<PolicyFact>>,
    pub request: Option<RequestFact>,
    /// A token response with a provisioning document was seen.
    pub provisioned: bool,
    /// The certificate that this device got, in this enrollment or in the one before.
    pub issued: Option<IssuedFact>,
    /// Rules that are told once, and have been.
    pub told: Vec<&'static str>,
}

/// From the terms of use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TermsFact {
    pub redirect_uri: String,
    /// SHA-256 of the OpaqueBlob, which comes back as EnrollmentData.
    pub blob_hash: Option<String>,
}

/// From the sign-in page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignInFact {
    pub appru: String,
    /// [`token_hash`] of `wresult`.
    pub token_hash: Option<String>,
}

/// From the provisioning document.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuedFact {
    pub thumbprint: String,
    pub key_hash: String,
    pub not_after: Option<Time>,
}

/// From Discover.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    pub email: String,
    pub request_version: String,
    pub application_version: String,
    pub auth_policies: Vec<String>,
}

/// From DiscoverResponse.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub auth_policy: Option<AuthPolicy>,
    pub version: String,
    pub policy_url: String,
    pub enrollment_url: String,
    pub authentication_url: String,
}

/// A credential's kind, and a hash of its redacted text that is equal for equal credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialFact {
    pub kind: &'static str,
    pub user: Option<String>,
    pub hash: String,
    /// [`token_hash`] of a sign-in page's or Entra's token.
    pub token_hash: Option<String>,
    /// The token is a JSON Web Token: Entra's, which a device renews at will.
    pub is_jwt: bool,
}

/// From GetPoliciesResponse.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyFact {
    pub minimal_key_length: Option<u32>,
    /// Dotted; absent when the policy names none that could be resolved.
    pub hash_oid: Option<String>,
    pub validity_seconds: Option<u64>,
    /// The key's algorithm, dotted; absent when the policy names none that could be resolved.
    pub key_algorithm: Option<String>,
    /// The policy asks for Azure attestation.
    pub azure_attestation: bool,
}

/// From RequestSecurityToken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestFact {
    pub device_id: String,
    pub key_hash: Option<String>,
}

impl CredentialFact {
    pub fn of(credential: &Credential) -> Option<Self> {
        let secret = credential.secret()?;
        let token = match credential {
            Credential::Token(token) => Some(token),
            Credential::None | Credential::UsernameToken(_) | Credential::Certificate(_) => None,
        };
        Some(Self {
            token_hash: token.and_then(|t| t.content_hash.clone()),
            is_jwt: token.is_some_and(|t| t.jwt.is_some()),
            kind: credential.describe(),
            user: credential.user().map(|f| cut(&f.value)),
            hash: sha256_hex(secret.as_bytes()),
        })
    }
}

impl Dialogue {
    /// A message joins the dialogue, after it was judged.
    pub fn join(&mut self, message: &Message) {
        let credential = message.soap.as_ref().and_then(|soap| CredentialFact::of(&soap.credential));
        let value =
            |field: &Option<crate::message::Field>| field.as_ref().map(|f| cut(&f.value)).unwrap_or_default();
        match &message.content {
            Content::DiscoverRequest(discover) => {
                // A new Discover begins anew: what was answered before belongs to an earlier attempt.
                *self = Self {
                    gap: self.gap,
                    terms: self.terms.take(),
                    issued: self.issued.take(),
                    told: std::mem::take(&mut self.told),
                    ..Self::default()
                };
                self.offer = Some(Offer {
                    email: value(&discover.email),
                    request_version: value(&discover.version),
                    application_version: value(&discover.application_version),
                    auth_policies: discover.offered.iter().take(8).map(|f| cut(&f.value)).collect(),
                });
            }
            Content::DiscoverResponse(answer) => {
                self.answer = Some(Arc::new(Answer {
                    auth_policy: answer
                        .auth_policy
                        .as_ref()
                        .and_then(|f| AuthPolicy::parse_any_case(&f.value)),
                    version: value(&answer.version),
                    policy_url: value(&answer.policy_url),
                    enrollment_url: value(&answer.enrollment_url),
                    authentication_url: value(&answer.authentication_url),
                }));
            }
            Content::GetPoliciesRequest(_) => self.credential = credential,
            Content::GetPoliciesResponse(response) => {
                let policy = response.policies.first();
                let number = |field: Option<&crate::message::Field>| field.and_then(|f| f.value.parse().ok());
                self.policy = Some(Arc::new(PolicyFact {
                    minimal_key_length: policy
                        .and_then(|p| p.minimal_key_length.as_ref())
                        .and_then(|f| f.value.parse().ok()),
                    hash_oid: response.hash_oid().map(cut),
                    key_algorithm: policy
                        .and_then(|p| p.algorithm_oid_reference.as_ref().filter(|f| !f.nil))
                        .and_then(|f| response.oid(&f.value)?.value.as_ref())
                        .map(|f| cut(&f.value)),
                    validity_seconds: number(policy.and_then(|p| p.validity.as_ref())),
                    azure_attestation: message
                        .document
                        .as_ref()
                        .is_some_and(|d| d.elements().any(|e| e.local() == "azureAttestation")),
                }));
            }
            Content::TokenRequest(request) => {
                self.request = Some(RequestFact {
                    device_id: cut(request.device_id().unwrap_or_default()),
                    key_hash: request.csr.as_ref().map(|csr| csr.key_hash.clone()),
                });
            }
            Content::TokenResponse(response) => {
                self.provisioned |= response.provisioning.is_some();
                let client = response.provisioning.as_ref().and_then(|p| p.client_certificate());
                if let Some(certificate) = client.and_then(|c| c.certificate.as_ref()) {
                    self.issued = Some(IssuedFact {
                        thumbprint: certificate.thumbprint.clone(),
                        key_hash: certificate.key_hash.clone(),
                        not_after: certificate.not_after,
                    });
                }
            }
            Content::TermsRequest(terms) => {
                let redirect_uri = cut(terms.redirect_uri.as_deref().unwrap_or_default());
                self.terms = Some(TermsFact { redirect_uri, blob_hash: None });
            }
            Content::TermsAnswer(answer) => {
                if let Some(terms) = &mut self.terms {
                    terms.blob_hash = answer.opaque_blob.as_ref().map(|blob| token_hash(blob.as_bytes()));
                }
            }
            Content::SignInRequest(request) => {
                let appru = cut(request.appru.as_deref().unwrap_or_default());
                self.sign_in = Some(SignInFact { appru, token_hash: None });
            }
            Content::TokenPage(page) => {
                let value = page.token_form().and_then(|f| f.wresult()?.value.as_ref());
                let sign_in = self.sign_in.get_or_insert_default();
                sign_in.token_hash = value.map(|v| token_hash(v.value.as_bytes()));
            }
            Content::Provisioning(_) | Content::Fault(_) | Content::Unread => {}
        }
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_VALUE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
