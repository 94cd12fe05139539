//! The certificates that a server sends: whether they lead to a root that devices have, and whether the first one is one
//! that devices take.

use bytes::Bytes;
use der::{Decode as _, Encode as _};
use rustls::CertificateError;

use super::order::Judged;
use crate::event::Time;
use crate::message::certificate::{Certificate, Digest, PublicKey, algorithm_name, digest_of};
use crate::rules::Finding;

/// A certificate that ends sooner is told of, in days.
const SOON: i64 = 14;
const DAY: i64 = 86_400_000;

const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
const ANY_PURPOSE: &str = "2.5.29.37.0";

/// Where the chain leads. `refused` is what this machine has against it.
pub(super) fn chain(sent: &[Bytes], refused: Option<&CertificateError>) -> Judged {
    let read: Vec<_> = sent.iter().map_while(|der| Certificate::read(der)).collect();
    let (Some(leaf), Some(last)) = (read.first(), read.last()) else {
        return Judged::fail("the server sends no certificate that can be read").code(0x8018_0012);
    };
    let count =
        if read.len() == 1 { "1 certificate".to_owned() } else { format!("{} certificates", read.len()) };
    let names: Vec<_> = read.iter().map(|c| short(&c.subject)).collect();
    let sent_words = format!("{count} sent: {}", names.join(" ← "));
    let broken = read.windows(2).find_map(|pair| match pair {
        [below, above] if below.issuer != above.subject || below.is_signed_by(above) == Some(false) => {
            Some(format!("{} did not issue {}", short(&above.subject), short(&below.subject)))
        }
        _ => None,
    });
    let public = sent.get(read.len() - 1).and_then(|der| public_root(der));
    let distrusted = refused.filter(|refused| {
        !matches!(
            refused,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. }
        )
    });
    let own = last.subject == last.issuer;
    match (distrusted, &broken, public) {
        (Some(_), _, _) if leaf.subject == leaf.issuer && read.len() == 1 => Judged::fail(format!(
            "{sent_words}, which is signed by itself; nobody trusts it but who was given it"
        ))
        .remedy("Serve a certificate of an authority that devices trust, or install this one on them before they enroll; here give it with --ca FILE.")
        .code(0x8018_0012),
        (Some(_), Some(broken), _) => Judged::fail(format!("{sent_words}; the order is wrong: {broken}"))
            .remedy("Serve the server's own certificate first, then that of who issued it, and so on (most authorities call that file the full chain).")
            .code(0x8018_0012),
        (Some(_), None, _) if !own => Judged::fail(format!(
            "{sent_words}; {} issued the last one, is not among them, and is no root that this machine trusts",
            short(&last.issuer)
        ))
        .remedy("If it is an intermediate authority, serve its certificate, too (the full chain); if it is your own root, devices need it before they enroll, and here it is given with --ca FILE.")
        .code(0x8018_0012),
        (Some(_), None, _) => {
            let root = short(&last.subject);
            Judged::fail(format!("{sent_words}; this machine does not trust the root {root}"))
                .remedy("Devices need this root before they enroll, or the server another certificate; here the root is given with --ca FILE.")
                .code(0x8018_0012)
        }
        (None, Some(broken), _) => Judged::warn(format!("{sent_words}; what does not belong there is sent, too: {broken}"))
            .remedy("Serve the chain in order and nothing else; other clients are less forgiving."),
        (None, None, Some(root)) => Judged::pass(format!("{sent_words}; the root is public: {root}")),
        (None, None, None) => Judged::warn(format!(
            "{sent_words}; trusted here, but {} is none of the public roots",
            short(if own { &last.subject } else { &last.issuer })
        ))
        .remedy("See that every device has this root before it enrolls: those that are not yet managed get it by hand, by group policy or not at all."),
    }
}

/// The first certificate: `findings` are the engine's about it.
pub(super) fn certificate(
    der: Option<&Bytes>,
    findings: &[Finding],
    refused: Option<&CertificateError>,
    (host, now): (&str, Time),
) -> Judged {
    let Some(leaf) = der.and_then(|der| Certificate::read(der)) else {
        return Judged::skip("there is none that can be read");
    };
    let names = match leaf.dns_names() {
        names if names.is_empty() => "no name".to_owned(),
        names if names.len() > 6 => {
            format!(
                "{} and {} more",
                names.iter().take(6).cloned().collect::<Vec<_>>().join(", "),
                names.len() - 6
            )
        }
        names => names.join(", "),
    };
    let key = leaf.key.words();
    let signature = algorithm_name(&leaf.signature_algorithm);
    let end = leaf.not_after.map_or_else(|| "no end".to_owned(), |end| end.to_string());
    let words = format!("for {names}; until {end}; {key}, {signature}");
    if !findings.is_empty() {
        return Judged::of_findings(words, findings);
    }
    if matches!(
        refused,
        Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    ) {
        return Judged::fail(format!("{words}; it does not name {host}"))
            .remedy("Issue the certificate with this name in its subject alternative names.")
            .code(0x8018_0012);
    }
    let purposes = leaf.key_purposes();
    let left = leaf.not_after.map(|end| end.since(now).div_euclid(DAY));
    if !purposes.is_empty() && !purposes.iter().any(|p| p == SERVER_AUTH || p == ANY_PURPOSE) {
        Judged::fail(format!("{words}; it is not meant for servers (no serverAuth)"))
            .remedy("Issue the certificate for server authentication (extended key usage 1.3.6.1.5.5.7.3.1).")
            .code(0x8018_0012)
    } else if matches!(leaf.key, PublicKey::Rsa { bits, .. } if bits < 2048) {
        Judged::warn(format!("{words}; the key is shorter than 2048 bits"))
            .remedy("Issue the certificate for an RSA key of 2048 bits or more: Windows refuses short ones by policy.")
    } else if digest_of(&leaf.signature_algorithm) == Some(Digest::Sha1) && leaf.subject != leaf.issuer {
        Judged::warn(format!("{words}; SHA-1 is refused by Windows below public roots"))
            .remedy("Have the certificate issued anew with SHA-256.")
    } else if left.is_some_and(|left| left < SOON) {
        Judged::warn(format!("{words}: {} days are left", left.unwrap_or_default()))
            .remedy("Renew the certificate before it ends.")
    } else {
        Judged::pass(words)
    }
}

fn short(name: &crate::message::certificate::Name) -> String {
    name.common_name().map_or_else(|| name.to_string(), ToOwned::to_owned)
}

/// The public root that this certificate is, or that issued it, by its name.
fn public_root(der: &[u8]) -> Option<String> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    let of = |name: &x509_cert::name::Name| name.to_der().ok();
    let (issuer, subject) =
        (of(&certificate.tbs_certificate.issuer)?, of(&certificate.tbs_certificate.subject)?);
    // Anchors have the name without the tag and the length of its SEQUENCE.
    let is = |name: &[u8], anchor: &[u8]| name.len() <= anchor.len() + 4 && name.ends_with(anchor);
    let found = webpki_roots::TLS_SERVER_ROOTS
        .iter()
        .any(|root| is(&issuer, &root.subject) || is(&subject, &root.subject));
    let name = &certificate.tbs_certificate.issuer;
    found.then(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;
    use crate::sim::{Authority, Key};

    fn der(pem: &str) -> Bytes {
        Bytes::copy_from_slice(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
    }

    #[test]
    fn old_algorithms_and_an_end_that_is_near_are_told() {
        let short = der(include_str!("../../tests/data/doctor/short-key.pem"));
        let sha1 = der(include_str!("../../tests/data/doctor/sha1.pem"));
        let now = Time::parse("2027-01-01T00:00:00Z").unwrap();
        let authority = Authority::new("Root", Key::elliptic().unwrap(), now).unwrap();
        let names = ["mdm.contoso.example".to_owned()];
        let good = authority.server_certificate(&names, &Key::elliptic().unwrap(), now).unwrap();
        for (der, now, words) in [
            (&short, now, "shorter than 2048"),
            (&sha1, now, "SHA-1"),
            (&good, now.plus_millis(362 * DAY), ": 2 days are left"),
        ] {
            let step = certificate(Some(der), &[], None, ("", now)).step(("certificate", ""), 0);
            assert!(step.status.word() == "warn" && step.detail.contains(words), "{step:?}");
        }
        assert_eq!(certificate(Some(&good), &[], None, ("", now)).status.word(), "pass");
        assert_eq!(certificate(Some(&Bytes::from_static(b"x")), &[], None, ("", now)).status.word(), "skip");
    }

    #[test]
    fn public_roots_are_known_by_name() {
        assert_eq!(public_root(&der(include_str!("../../tests/data/doctor/sha1.pem"))), None);
        let root = public_root(&der(include_str!("../../tests/data/doctor/public-root.pem")));
        assert!(root.is_some_and(|name| name.contains("ISRG Root X2")));
        assert_eq!(public_root(b"no certificate"), None);
    }
}
