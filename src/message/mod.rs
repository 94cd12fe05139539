//! What a message means: lenient, typed views of a body, recognised by content and not by URL. Reading never
//! fails: what is missing is absent, and a rule says so.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod certificate;
mod certsrv;
mod content;
mod context;
mod credential;
mod discovery;
mod edition;
mod enroll;
mod fault;
mod field;
pub mod flags;
mod issuer;
pub mod jwt;
pub mod names;
pub mod oids;
mod policy;
mod provisioning;
mod read;
mod schema;
mod signature;
mod signin;
mod soap;
mod template;
mod told;

pub use certsrv::{authority_error, is_denial};
pub use content::{Decoded, decode_content};
pub use context::{KnownItem, hresult_of, is_quad, known_item};
pub use credential::{Credential, SignedToken, UserToken, UsernameToken, WireToken, token_hash};
pub use discovery::{AuthPolicy, DiscoverRequest, DiscoverResponse};
pub use edition::os_edition_name;
pub use enroll::{ContextItem, TokenRequest, TokenResponse, decode_base64};
pub use fault::{AuthorityDetail, Fault, fault_hresult, foreign_subcode};
pub use field::{Field, Located, Spot, Within};
pub use issuer::{Issuer, IssuerUri};
pub use jwt::Jwt;
pub use policy::{Extra, GetPoliciesRequest, GetPoliciesResponse, Oid};
pub use provisioning::{Characteristic, Provisioning, StoreCertificate, value_of};
pub use read::{Content, Kind, Message, kind_of, read_answer, read_body, read_request, read_response};
pub use schema::{Breach, Wrong};
pub use signature::{Reference, SignatureState, TokenReference, XmlSignature};
pub(crate) use signin::value_span;
pub use signin::{Page, PageForm, PageInput, PageValue, SignInRequest, TermsAnswer, TermsRequest};
pub use soap::{Block, Envelope, Soap, SoapVersion, Timestamp};
pub use template::{Archival, Attestation, Policy, PolicyExtension, Registration};
