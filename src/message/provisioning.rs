//! The wap-provisioningdoc out of the base64 token: characteristics, parms, and the certificates in its stores
//! (MS-MDE2 2.2.9.1).

use super::certificate::Certificate;
use super::enroll::decode_base64;
use super::field::{Field, Spot};
use crate::xml::{Document, Element};

#[derive(Clone, Debug)]
pub struct Provisioning {
    pub document: Document,
    pub certificates: Vec<StoreCertificate>,
    /// Elements that many rules ask for, by their ids.
    places: Places,
}

#[derive(Clone, Debug, Default)]
struct Places {
    application: Option<usize>,
    providers: Vec<usize>,
    renew: Option<usize>,
}

/// A certificate under `CertificateStore/STORE/LOCATION/THUMBPRINT` or `RootCATrustedCertificates/STORE/THUMBPRINT`.
#[derive(Clone, Debug)]
pub struct StoreCertificate {
    /// `My`, `Root`, `CA`, as spelled.
    pub store: String,
    /// `User`, `System`, as spelled; `RootCATrustedCertificates` for those of that provider.
    pub location: String,
    /// The characteristic's type, which must be the certificate's SHA-1.
    pub thumbprint: Field,
    /// EncodedCertificate's value.
    pub encoded: Option<Field>,
    pub der: Option<Vec<u8>>,
    pub certificate: Option<Certificate>,
}

/// A `characteristic` element.
#[derive(Clone, Copy, Debug)]
pub struct Characteristic<'d>(pub Element<'d>);

impl Provisioning {
    /// Reads a document whose root is wap-provisioningdoc, or a fragment that starts with a characteristic.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let document = Document::read(bytes);
        Self::is_one(&document).then(|| Self::of(document))
    }

    pub(super) fn is_one(document: &Document) -> bool {
        let known = ["wap-provisioningdoc", "characteristic"];
        document.root().is_some_and(|root| known.iter().any(|name| root.local().eq_ignore_ascii_case(name)))
    }

    /// From a document that was read already.
    pub(super) fn of(document: Document) -> Self {
        Self { certificates: store_certificates(&document), places: Places::find(&document), document }
    }

    pub fn root(&self) -> Option<Element<'_>> {
        self.document.root()
    }

    /// The characteristics at the top with exactly that type.
    pub fn top<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = Characteristic<'s>> {
        let root = self.document.root();
        root.into_iter().flat_map(|r| Characteristic(r).children()).filter(move |c| c.is(kind))
    }

    /// The client certificate: the first in a `My` store, in any case of its letters.
    pub fn client_certificate(&self) -> Option<&StoreCertificate> {
        self.certificates.iter().find(|c| c.store.eq_ignore_ascii_case("My"))
    }

    /// The w7 APPLICATION: the first one with APPID w7, else the first at all.
    pub fn application(&self) -> Option<Characteristic<'_>> {
        self.at(self.places.application?)
    }

    /// The provider nodes under DMClient/Provider.
    pub fn providers(&self) -> Vec<Characteristic<'_>> {
        self.places.providers.iter().filter_map(|id| self.at(*id)).collect()
    }

    /// CertificateStore/My/WSTEP/Renew.
    pub fn renew(&self) -> Option<Characteristic<'_>> {
        self.at(self.places.renew?)
    }

    fn at(&self, id: usize) -> Option<Characteristic<'_>> {
        self.document.element_by_id(id).map(Characteristic)
    }
}

impl Places {
    fn find(document: &Document) -> Self {
        let Some(root) = document.root() else { return Self::default() };
        let root = Characteristic(root);
        let applications = root.children_of("APPLICATION");
        let w7 = |c: &&Characteristic<'_>| c.parm("APPID").is_some_and(|p| p.value == "w7");
        let below = |tops: &str, path: &[&str]| {
            path.iter().fold(root.children_of(tops), |found, kind| {
                found.iter().flat_map(|c| c.children_of(kind)).collect()
            })
        };
        let id = |c: &Characteristic<'_>| c.0.id();
        Self {
            application: applications.iter().find(w7).or(applications.first()).map(id),
            providers: below("DMClient", &["Provider"])
                .iter()
                .flat_map(Characteristic::children)
                .map(|c| c.0.id())
                .collect(),
            renew: below("CertificateStore", &["My", "WSTEP", "Renew"]).first().map(id),
        }
    }
}

impl<'d> Characteristic<'d> {
    pub fn kind(&self) -> String {
        self.0.attribute("type").map(|a| a.value().trim().to_owned()).unwrap_or_default()
    }

    fn is(&self, kind: &str) -> bool {
        self.0.attribute("type").is_some_and(|a| a.value().trim() == kind)
    }

    pub fn children(&self) -> impl Iterator<Item = Self> + use<'d> {
        self.0.children_named("characteristic").map(Self)
    }

    pub fn children_of(&self, kind: &str) -> Vec<Self> {
        self.children().filter(|c| c.is(kind)).collect()
    }

    pub fn child(&self, kind: &str) -> Option<Self> {
        self.children().find(|c| c.is(kind))
    }

    fn parm_element(&self, name: &str) -> Option<Element<'d>> {
        self.0.children_named("parm").find(|p| p.attribute("name").is_some_and(|a| a.value().trim() == name))
    }

    /// The value of the parm with exactly that name; an empty field when the parm has no value.
    pub fn parm(&self, name: &str) -> Option<Field> {
        Some(value_of(&self.parm_element(name)?))
    }

    /// All its parms: name and value.
    pub fn parms(&self) -> impl Iterator<Item = (String, Field)> + use<'d> {
        self.0.children_named("parm").filter_map(|parm| {
            let name = parm.attribute("name")?.value().trim().to_owned();
            Some((name, value_of(&parm)))
        })
    }

    /// The parm's datatype attribute.
    pub fn datatype(&self, name: &str) -> Option<Field> {
        Field::attribute(&self.parm_element(name)?, "datatype")
    }

    pub fn type_field(&self) -> Option<Field> {
        Field::attribute(&self.0, "type")
    }

    pub fn spot(&self) -> Spot {
        Spot::tag(&self.0)
    }
}

/// A parm's value; empty, at the parm itself, when it has none.
pub fn value_of(parm: &Element<'_>) -> Field {
    Field::attribute(parm, "value").unwrap_or_else(|| Field {
        value: String::new(),
        spot: Spot::tag(parm),
        padded: false,
        nil: false,
    })
}

fn store_certificates(document: &Document) -> Vec<StoreCertificate> {
    let Some(root) = document.root() else { return Vec::new() };
    let stores = Characteristic(root).children_of("CertificateStore");
    let mut found = Vec::new();
    for store in stores.iter().flat_map(Characteristic::children) {
        for location in store.children() {
            let here = (store.kind(), location.kind());
            found.extend(location.children().filter_map(|node| store_certificate(here.clone(), &node)));
        }
    }
    // The other provider has no level for the location (MS-MDE2 2.2.9.4).
    for store in Characteristic(root)
        .children_of("RootCATrustedCertificates")
        .iter()
        .flat_map(Characteristic::children)
    {
        let here = (store.kind(), "RootCATrustedCertificates".to_owned());
        found.extend(store.children().filter_map(|node| store_certificate(here.clone(), &node)));
    }
    found
}

fn store_certificate(
    (store, location): (String, String),
    node: &Characteristic<'_>,
) -> Option<StoreCertificate> {
    let encoded = node.parm("EncodedCertificate")?;
    let der = decode_base64(&encoded.value);
    Some(StoreCertificate {
        store,
        location,
        thumbprint: node.type_field()?,
        certificate: der.as_deref().and_then(Certificate::read),
        der,
        encoded: Some(encoded),
    })
}
