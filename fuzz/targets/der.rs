//! Any bytes as a certificate, a certificate request, signed data, and a token that holds them.
#![no_main]

use enrollscope::event::{Body, Side};
use enrollscope::message::certificate::{Certificate, Csr, SignedData, is_der};
use enrollscope::message::{oids, read_body};
use enrollscope_fuzz::{base64, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: write("der"), |data: &[u8]| {
    let _ = is_der(data);
    if let Some(certificate) = Certificate::read(data) {
        let _ = (certificate.is_signed_by(&certificate), certificate.key_purposes(), certificate.dns_names());
        let _ = (certificate.is_authority(), certificate.may_sign(), certificate.may_issue(), certificate.days());
    }
    if let Some(csr) = Csr::read(data) {
        let _ = (csr.device_id(), csr.key_purposes(), csr.subject.common_name().map(str::len));
    }
    if SignedData::is_one(data) {
        let _ = SignedData::read(data).map(|signed| signed.signing_certificate().is_some());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (oids::is_dotted(text), oids::name(text), oids::named(text), oids::group(text));
    }
    if data.len() < 16_384 {
        let token = base64(data);
        let text = format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><RequestSecurityToken \
             xmlns=\"http://docs.oasis-open.org/ws-sx/ws-trust/200512\"><BinarySecurityToken>{token}\
             </BinarySecurityToken></RequestSecurityToken></s:Body></s:Envelope>"
        );
        let _ = read_body(&Body::full(text), &[], Side::Request);
    }
});
