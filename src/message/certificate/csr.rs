//! PKCS#10 certification requests (RFC 2986), as real Windows devices write them.

use super::asn1::{Extension, Name, SEQUENCE, SET, Tlv, key_purposes};
use super::key::{PublicKey, Verified, sha256_hex, verify};
use super::x509::Certificate;

/// A certification request.
#[derive(Clone, Debug)]
pub struct Csr {
    pub subject: Name,
    pub key: PublicKey,
    /// SHA-256 of the SubjectPublicKeyInfo, upper-case hexadecimal: equal for equal keys.
    pub key_hash: String,
    /// Dotted object identifier of the signature algorithm.
    pub signature_algorithm: String,
    /// The signature over the raw request bytes holds; `None` when the algorithm is not understood.
    pub signature_valid: Option<bool>,
    /// From the extensionRequest attribute.
    pub extensions: Vec<Extension>,
    pub attributes: Vec<Attribute>,
    /// The certificate to be renewed: the attribute 1.3.6.1.4.1.311.13.1 (MS-WCCE 2.2.2.7.3).
    pub renews: Option<Certificate>,
    /// Bytes that follow the request.
    pub trailing: usize,
    /// Byte ranges within the DER, for pointing at them: subject, public key, signature algorithm.
    pub spans: Spans,
}

/// One attribute of a request, its values not looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Dotted.
    pub oid: String,
    /// How many values its SET has; none when it has no SET.
    pub values: Option<usize>,
}

/// Where the parts of a request stand in its bytes: offset and length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    pub subject: (usize, usize),
    pub key: (usize, usize),
    pub algorithm: (usize, usize),
}

impl Csr {
    /// `None` when it is not a PKCS#10 at all.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut input = der;
        let request = Tlv::expect(&mut input, SEQUENCE)?;
        let mut parts = request.inner();
        let (info, algorithm, signed) = (parts.next()?, parts.next()?, parts.next()?);
        let mut fields = info.inner();
        let _version = fields.next().filter(|t| t.tag == 0x02)?;
        let subject = fields.next().filter(|t| t.tag == SEQUENCE)?;
        let key_info = fields.next().filter(|t| t.tag == SEQUENCE)?;
        let (key, key_bytes) = PublicKey::read(&key_info)?;
        let signature_algorithm = algorithm.inner().next()?.oid()?;
        let (mut extensions, mut attributes, mut renews) = (Vec::new(), Vec::new(), None);
        for attribute in fields.filter(|t| t.tag == 0xA0).flat_map(|t| t.inner().collect::<Vec<_>>()) {
            let mut inner = attribute.inner();
            let Some(oid) = inner.next().and_then(|t| t.oid()) else { continue };
            let values = inner.next().filter(|t| t.tag == SET);
            // PKCS#9 extensionRequest, and Microsoft's own older one with the same shape.
            if oid == "1.2.840.113549.1.9.14" || oid == "1.3.6.1.4.1.311.2.1.14" {
                extensions.extend(
                    values
                        .iter()
                        .flat_map(|v| v.inner().collect::<Vec<_>>())
                        .flat_map(|s| Extension::read_all(&s)),
                );
            }
            if oid == "1.3.6.1.4.1.311.13.1" {
                renews = values.and_then(|v| Certificate::read(v.inner().next()?.raw));
            }
            attributes.push(Attribute { oid, values: values.map(|set| set.inner().count()) });
        }
        let verified =
            signed.bits().and_then(|signed| verify(&key, &key_bytes, &signature_algorithm, info.raw, signed));
        let span = |part: &Tlv<'_>| (part.raw.as_ptr() as usize - der.as_ptr() as usize, part.raw.len());
        Some(Self {
            subject: Name::read(&subject),
            spans: Spans { subject: span(&subject), key: span(&key_info), algorithm: span(&algorithm) },
            key,
            key_hash: sha256_hex(key_info.raw),
            signature_algorithm,
            signature_valid: verified.map(|verified| verified == Verified::Holds),
            extensions,
            attributes,
            renews,
            trailing: input.len(),
        })
    }

    /// Extended key usages that the request asks for, dotted.
    pub fn key_purposes(&self) -> Vec<String> {
        key_purposes(&self.extensions)
    }

    /// The DeviceID in Windows' own extension 1.3.6.1.4.1.311.66.1.0: raw ASCII with a NUL at its end.
    pub fn device_id(&self) -> Option<String> {
        let extension = self.extensions.iter().find(|e| e.oid == "1.3.6.1.4.1.311.66.1.0")?;
        let text = std::str::from_utf8(&extension.value).ok()?;
        Some(text.trim_end_matches('\0').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of a real Windows 10 (10.0.19043) device, from a published recording.
    const REAL: &str = "MIICzjCCAboCAQAwSzFJMEcGA1UEAxNANTYyQTdGOUEtNkNEOC00MEIwLTlFN0UtMERCREQ4IUI1Qjk1NEU4MUZCQ0I5NEVCNzlCRDA4QkU2MjVGNEVFADCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAMvnEuvyyF83tC62/ieHRcvwpOQIY3Kb25QeKF+rdipV+D2v7DkSYTKeM/2fThvr/5ul9c68UF9OOjQoaTrX5n83lzfeWMFeU2BHrl7KyxMzlLQtoD0+CNpfn9VKJRpPy0T34QfUpf1n65rzdSxsLAST/aCN4Yx/cAiy0Q2QC4DmumjemVY19gAMFkhSET+axgwij+XS9IQvkxyiZu56uKuRmOGnvhhQO5xfLmI+40FUEB8xwvYYVxxPsqIJ/s26hVtVzHpV32G5fGvfMqcK1oJFm8r2uGhEtnFoJg9SKKhseDbFRJd2yMBC+XlUhF6AQEnmXa+eZQ/drpE1QV7CTJkCAwEAAaBCMEAGCSqGSIb3DQEJDjEzMDEwLwYKKwYBBAGCN0IBAAQhQjVCOTU0RTgxRkJDQjk0RUI3OUJEMDhCRTYyNUY0RUUAMAkGBSsOAwIdBQADggEBABhELIKSCCrNS9BP9cd7EVLjevQooRvbxAC+SnDV9kUJTqascPJR+U5zZVc8eac7jmvCHoE69CYDvdKe9au/Zftq1vRAxFpj8PKpv0ZmaIFiwkjb2VTXKKqCzAGaiQg9ysLbQ8j+3l2CPMYDN0JPTl+nC8GxUSRMfCisyIEcQS3TtYC8p9PnfZJzUEr0SPIV1FBYAO9+FcGpSZXSm4CN6byZORYE0FgEaPoLHQkI2h1PXkYzalJh6Grv/Lc0+6QpbfWVnjjaCm8CATQHuFcL5FuhvlsggRfAtgTYCk69p705y8EINxUJYQRX4npQbPNekZLfbZnRp7hThYvB61iDrkU=";

    #[test]
    fn a_real_windows_request_is_read_and_its_signature_holds() {
        let der = crate::message::decode_base64(REAL).unwrap();
        let csr = Csr::read(&der).unwrap();
        let name = "CN=562A7F9A-6CD8-40B0-9E7E-0DBDD8!B5B954E81FBCB94EB79BD08BE625F4EE\\0";
        assert_eq!(csr.subject.to_string(), name);
        assert_eq!(csr.key, PublicKey::Rsa { bits: 2048, exponent: Some(65_537) });
        assert_eq!(csr.signature_algorithm, "1.3.14.3.2.29");
        assert_eq!(csr.signature_valid, Some(true));
        assert_eq!(csr.device_id().as_deref(), Some("B5B954E81FBCB94EB79BD08BE625F4EE"));
        let (at, length) = csr.spans.subject;
        assert_eq!(&der[at..at + 2], &[0x30, 0x4B]);
        assert_eq!(length, 0x4D);
    }

    #[test]
    fn a_changed_byte_breaks_the_signature_and_cut_ones_are_no_request() {
        let der = crate::message::decode_base64(REAL).unwrap();
        let mut changed = der.clone();
        changed[40] ^= 1;
        assert_eq!(Csr::read(&changed).unwrap().signature_valid, Some(false));
        for length in 0..der.len() {
            assert!(Csr::read(&der[..length]).is_none());
        }
    }
}
