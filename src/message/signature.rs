//! The XML signature of certificate authentication (MS-MDE2 3.3.4.1.1.1.2): read, and verified against the token beside
//! it.

use super::certificate::{Certificate, Digest, Verified, digest};
use super::enroll::decode_base64;
use super::field::{Field, Spot};
use super::names;
use crate::xml::{Canonical, Element, Form};

/// A `ds:Signature`.
#[derive(Clone, Debug)]
pub struct XmlSignature {
    pub spot: Spot,
    pub signed_info: Option<Spot>,
    /// Algorithm attributes.
    pub canonicalization: Option<Field>,
    pub method: Option<Field>,
    pub references: Vec<Reference>,
    pub value: Option<Field>,
    pub key_info: Option<Spot>,
    /// KeyInfo/SecurityTokenReference/Reference: which token has the key.
    pub token_reference: Option<TokenReference>,
    pub state: SignatureState,
}

/// A `ds:Reference`: what is signed.
#[derive(Clone, Debug)]
pub struct Reference {
    pub spot: Spot,
    pub uri: Option<Field>,
    pub transforms: Option<Spot>,
    /// Algorithm attributes of the Transform elements.
    pub algorithms: Vec<Field>,
    pub digest_method: Option<Field>,
    pub digest: Option<Field>,
}

#[derive(Clone, Debug)]
pub struct TokenReference {
    pub spot: Spot,
    pub uri: Option<Field>,
    pub value_type: Option<Field>,
}

/// What verifying the signature came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureState {
    /// The message is as it was signed, by the key of the token.
    Valid,
    /// The digest differs: a byte of the message was changed after it was signed.
    ContentChanged,
    /// The digest fits, and the key signed another SignedInfo: that was changed after it was signed.
    SignedInfoChanged,
    /// The digest fits, and the signature over it was made by another key, or changed.
    OtherKey,
    /// It refers to something else than the whole message, which nobody fetches.
    Elsewhere,
    /// It is not complete, uses an algorithm that is not understood, or the message is not well-formed.
    Unchecked,
}

impl SignatureState {
    const ALL: [Self; 6] = [
        Self::Valid,
        Self::ContentChanged,
        Self::SignedInfoChanged,
        Self::OtherKey,
        Self::Elsewhere,
        Self::Unchecked,
    ];

    /// The name of the fact that redaction leaves in its place.
    pub const FACT: &str = "xml-signature";

    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ContentChanged => "content-changed",
            Self::SignedInfoChanged => "signed-info-changed",
            Self::OtherKey => "other-key",
            Self::Elsewhere => "elsewhere",
            Self::Unchecked => "unchecked",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl XmlSignature {
    /// `certificate` is the token's, which the signature should be verified with.
    pub(super) fn read(signature: &Element<'_>, certificate: Option<&Certificate>) -> Self {
        let info = signature.child("SignedInfo");
        let algorithm = |name: &str| Field::attribute(&info?.child(name)?, "Algorithm");
        let key_info = signature.child("KeyInfo");
        let token =
            key_info.and_then(|k| k.child("SecurityTokenReference")).and_then(|t| t.child("Reference"));
        let mut read = Self {
            spot: Spot::tag(signature),
            signed_info: info.map(|i| Spot::tag(&i)),
            canonicalization: algorithm("CanonicalizationMethod"),
            method: algorithm("SignatureMethod"),
            references: info
                .map(|i| i.children_named("Reference").map(|r| Reference::read(&r)).collect())
                .unwrap_or_default(),
            value: Field::child(signature, "SignatureValue"),
            key_info: key_info.map(|k| Spot::tag(&k)),
            token_reference: token.map(|t| TokenReference {
                spot: Spot::tag(&t),
                uri: Field::attribute(&t, "URI"),
                value_type: Field::attribute(&t, "ValueType"),
            }),
            state: SignatureState::Unchecked,
        };
        if read.references.iter().any(|r| r.uri.as_ref().is_some_and(|uri| !uri.is_empty())) {
            read.state = SignatureState::Elsewhere;
        } else if let (Some(info), Some(certificate)) = (info, certificate) {
            read.state = read.verify(signature, info, certificate).unwrap_or(SignatureState::Unchecked);
        }
        read
    }

    /// `None` when it cannot be told.
    fn verify(
        &self,
        signature: &Element<'_>,
        info: Element<'_>,
        certificate: &Certificate,
    ) -> Option<SignatureState> {
        let [reference] = &self.references[..] else { return None };
        let expected = bytes(reference.digest.as_ref()?)?;
        let method = digest_method(&reference.digest_method.as_ref()?.value)?;
        let transforms = reference.algorithms.iter().map(|a| a.value.as_str());
        let mut declared = None;
        for transform in transforms.filter(|t| *t != names::ENVELOPED_SIGNATURE) {
            declared = Some(form(transform)?);
        }
        // Without a transform to bytes the inclusive form is meant (XML Signature 4.4.3.2); not everybody knows.
        let forms = declared.map_or(vec![Form::Inclusive, Form::Exclusive(&[])], |form| vec![form]);
        let document = signature.document();
        let mut intact = false;
        for form in forms {
            let bytes = Canonical::document(document, Some(signature), form)?;
            intact |= digest(method, &bytes) == expected;
        }
        if !intact {
            return Some(SignatureState::ContentChanged);
        }
        let list = inclusive_prefixes(info);
        let form = match form(&self.canonicalization.as_ref()?.value)? {
            Form::Exclusive(_) => Form::Exclusive(&list),
            Form::Inclusive => Form::Inclusive,
        };
        let signed = Canonical::element_of(info, form)?;
        let value = bytes(self.value.as_ref()?)?;
        let method = signature_method(&self.method.as_ref()?.value)?;
        Some(match certificate.verifies(method, &signed, &value)? {
            Verified::Holds => SignatureState::Valid,
            Verified::OtherMessage => SignatureState::SignedInfoChanged,
            Verified::OtherKey => SignatureState::OtherKey,
        })
    }
}

impl Reference {
    fn read(reference: &Element<'_>) -> Self {
        let transforms = reference.child("Transforms");
        Self {
            spot: Spot::tag(reference),
            uri: Field::attribute(reference, "URI"),
            transforms: transforms.map(|t| Spot::tag(&t)),
            algorithms: transforms
                .map(|t| {
                    let each = t.children_named("Transform");
                    each.filter_map(|e| Field::attribute(&e, "Algorithm")).collect()
                })
                .unwrap_or_default(),
            digest_method: reference.child("DigestMethod").and_then(|d| Field::attribute(&d, "Algorithm")),
            digest: Field::child(reference, "DigestValue"),
        }
    }
}

/// An empty text is no bytes, which are nobody's digest or signature.
fn bytes(field: &Field) -> Option<Vec<u8>> {
    if field.value.is_empty() { Some(Vec::new()) } else { decode_base64(&field.value) }
}

/// CanonicalizationMethod/InclusiveNamespaces/@PrefixList.
fn inclusive_prefixes(info: Element<'_>) -> Vec<String> {
    let list = info
        .child("CanonicalizationMethod")
        .and_then(|m| m.child("InclusiveNamespaces"))
        .and_then(|i| i.attribute("PrefixList"));
    list.map(|l| l.value().split_ascii_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

fn form(algorithm: &str) -> Option<Form<'static>> {
    match algorithm {
        names::EXCLUSIVE_C14N => Some(Form::Exclusive(&[])),
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" => Some(Form::Inclusive),
        _ => None,
    }
}

/// The forms that MS-MDE2 4.3.1.3 prints are no algorithm's names, and it is clear what is meant.
fn digest_method(algorithm: &str) -> Option<Digest> {
    match algorithm {
        names::XML_SHA256 | names::XML_SHA256_AS_PRINTED => Some(Digest::Sha256),
        "http://www.w3.org/2000/09/xmldsig#sha1" => Some(Digest::Sha1),
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => Some(Digest::Sha384),
        "http://www.w3.org/2001/04/xmlenc#sha512" => Some(Digest::Sha512),
        _ => None,
    }
}

/// As an object identifier.
fn signature_method(algorithm: &str) -> Option<&'static str> {
    match algorithm {
        names::XML_RSA_SHA256 | names::XML_RSA_SHA256_AS_PRINTED => Some("1.2.840.113549.1.1.11"),
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1" => Some("1.2.840.113549.1.1.5"),
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => Some("1.2.840.113549.1.1.12"),
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => Some("1.2.840.113549.1.1.13"),
        _ => None,
    }
}
