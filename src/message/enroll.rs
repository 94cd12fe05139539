//! RequestSecurityToken and its response (MS-WSTEP 3.1.4.1, narrowed by MS-MDE2 3.4.4.1.1).

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::certificate::{Csr, SignedData};
use super::credential::WireToken;
use super::field::{Field, Spot};
use super::names;
use super::provisioning::Provisioning;
use crate::xml::Element;

#[derive(Clone, Debug)]
pub struct TokenRequest {
    pub spot: Spot,
    pub token_type: Option<Field>,
    pub request_type: Option<Field>,
    pub token: Option<WireToken>,
    /// The BinarySecurityToken's base64 decoded; absent when it does not decode.
    pub der: Option<Vec<u8>>,
    /// The PKCS#10, as far as it could be read; in a renewal the one inside the CMS.
    pub csr: Option<Csr>,
    /// The CMS around it, in a renewal.
    pub signed: Option<SignedData>,
    /// The AdditionalContext element under RequestSecurityToken.
    pub context: Option<Spot>,
    pub items: Vec<ContextItem>,
}

/// One ac:ContextItem.
#[derive(Clone, Debug)]
pub struct ContextItem {
    pub spot: Spot,
    pub name: String,
    pub value: Option<Field>,
}

impl TokenRequest {
    pub(super) fn read(request: &Element<'_>) -> Self {
        let token = request.child("BinarySecurityToken").map(|t| WireToken::read(&t));
        let der = token.as_ref().and_then(|t| decode_base64(&t.value.value));
        let signed = der.as_deref().filter(|der| SignedData::is_one(der)).and_then(SignedData::read);
        let inner = signed.as_ref().and_then(|s| s.csr.clone());
        let context = request.child("AdditionalContext");
        let items = context.map(|c| c.children_named("ContextItem").map(item).collect()).unwrap_or_default();
        Self {
            spot: Spot::tag(request),
            token_type: Field::child(request, "TokenType"),
            request_type: Field::child(request, "RequestType"),
            csr: inner.or_else(|| der.as_deref().and_then(Csr::read)),
            signed,
            token,
            der,
            context: context.map(|c| Spot::tag(&c)),
            items,
        }
    }

    /// The value of the first context item with that name.
    pub fn item(&self, name: &str) -> Option<&Field> {
        self.items.iter().find(|item| item.name == name)?.value.as_ref()
    }

    /// A renewal by its RequestType, or by what it carries.
    pub fn is_renewal(&self) -> bool {
        self.signed.is_some() || self.request_type.as_ref().is_some_and(|t| t.value == names::RENEW)
    }

    pub fn device_id(&self) -> Option<&str> {
        self.item("DeviceID").map(|f| f.value.as_str()).filter(|v| !v.is_empty())
    }
}

fn item(element: Element<'_>) -> ContextItem {
    ContextItem {
        spot: Spot::tag(&element),
        name: element.attribute("Name").map(|a| a.value().trim().to_owned()).unwrap_or_default(),
        value: Field::child(&element, "Value"),
    }
}

#[derive(Clone, Debug)]
pub struct TokenResponse {
    /// RequestSecurityTokenResponseCollection, or the bare RequestSecurityTokenResponse.
    pub spot: Spot,
    pub in_collection: bool,
    /// How many RequestSecurityTokenResponse elements the collection has.
    pub responses: usize,
    pub response: Option<Spot>,
    pub token_type: Option<Field>,
    /// TokenType stands inside RequestedSecurityToken, as the first version of MS-MDE printed it.
    pub token_type_misplaced: bool,
    pub disposition: Option<Field>,
    pub request_id: Option<Field>,
    pub requested: Option<Spot>,
    pub token: Option<WireToken>,
    pub provisioning: Option<Provisioning>,
    /// `u:Created` and `u:Expires` of the header's Timestamp are the envelope's affair; this is the decoded token.
    pub decoded: Option<Vec<u8>>,
}

impl TokenResponse {
    pub(super) fn read(element: &Element<'_>) -> Self {
        let in_collection = element.local() == "RequestSecurityTokenResponseCollection";
        let responses: Vec<_> = element.children_named("RequestSecurityTokenResponse").collect();
        let response = if in_collection { responses.first().copied() } else { Some(*element) };
        let requested = response.and_then(|r| r.child("RequestedSecurityToken"));
        let own_type = response.and_then(|r| Field::child(&r, "TokenType"));
        let inner_type = requested.and_then(|r| Field::child(&r, "TokenType"));
        let token = requested.and_then(|r| r.child("BinarySecurityToken")).map(|t| WireToken::read(&t));
        let decoded = token.as_ref().and_then(|t| decode_base64(&t.value.value));
        Self {
            spot: Spot::tag(element),
            in_collection,
            responses: if in_collection { responses.len() } else { 1 },
            response: response.map(|r| Spot::tag(&r)),
            token_type_misplaced: own_type.is_none() && inner_type.is_some(),
            token_type: own_type.or(inner_type),
            disposition: response.and_then(|r| Field::child(&r, "DispositionMessage")),
            request_id: response.and_then(|r| Field::child(&r, "RequestID")),
            requested: requested.map(|r| Spot::tag(&r)),
            provisioning: decoded.as_deref().and_then(Provisioning::read),
            token,
            decoded,
        }
    }
}

/// Lenient towards padding and URL-safe letters, which real peers vary; strict towards everything else.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

/// Decodes base64 with whitespace anywhere in it; empty text is no base64.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut dense = Vec::with_capacity(text.len());
    for line in text.as_bytes().split(u8::is_ascii_whitespace) {
        dense.extend_from_slice(line);
    }
    if dense.is_empty() {
        return None;
    }
    STANDARD.decode(&dense).or_else(|_| URL_SAFE.decode(&dense)).ok()
}
