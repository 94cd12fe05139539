//! X.509 certificates and PKCS#10 requests, read leniently and never re-encoded: Windows puts `!` and a NUL into a
//! PrintableString, signs with an OIW object identifier, and sends an extension that is not DER.

mod asn1;
mod cms;
mod csr;
mod key;
mod x509;

pub(crate) use asn1::Tlv;
pub use asn1::{Extension, Name, is_der};
pub use cms::{SignedData, Signer, SignerState};
pub use csr::{Attribute, Csr};
pub use key::{
    Digest, PublicKey, Verified, algorithm_name, digest, digest_of, hex, sha1_hex, sha256_hex, verify,
};
pub use x509::Certificate;
