//! A local authority for trying things out: made on first use, good for 30 days and for the configured hosts only.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use der::Decode;
use der::asn1::{ObjectIdentifier, Utf8StringRef};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use x509_cert::ext::pkix;
use x509_cert::ext::pkix::name::GeneralName;
use zeroize::Zeroizing;

use super::pem::{Identity, PemError, expires, load_certificates, load_key, to_pem};
use crate::event::Time;

const CERTIFICATE: &str = "enrollscope-ca.pem";
/// The same in the form that Windows installs by a double click.
const CERTIFICATE_DER: &str = "enrollscope-ca.cer";
const KEY: &str = "enrollscope-ca.key";
const VALID_SECONDS: i64 = 30 * 24 * 3600;
/// With less left, a new one is made: nobody wants it to expire in the middle of a trial.
const LEAST_LEFT_MILLIS: i64 = 3 * 24 * 3600 * 1000;
/// Devices' clocks are not ours.
const EARLIER_SECONDS: i64 = 24 * 3600;
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// A name that nobody has (RFC 2606), for an authority that is for addresses only.
const NOBODY: &str = "invalid";

/// An authority whose key lies in a directory of ours.
#[derive(Debug)]
pub struct LocalCa {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    common_name: String,
    hosts: Vec<String>,
    expires: Time,
    path: PathBuf,
}

#[derive(Debug, Error)]
pub enum CaError {
    #[error("the local authority needs a host name: give --host NAME, the name that devices use")]
    NoHost,
    #[error("{0:?} is neither a host name nor an address")]
    Host(String),
    #[error("cannot write {path}: {source}; give a directory that is writable")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot remove {path}: {source}")]
    Remove { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error("{0} is not a certificate that enrollscope made; move it away, or give another directory")]
    Foreign(PathBuf),
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("a key could not be used: {0}")]
    Key(#[from] rustls::Error),
}

impl LocalCa {
    /// The authority of that directory if it is for these hosts and still good for more than three days; else a new one.
    pub fn open_or_make(directory: &Path, hosts: &[String], now: Time) -> Result<Self, CaError> {
        match Self::open_for(directory, hosts, now)? {
            Some(found) => Ok(found),
            None => Self::make(directory, &normal(hosts)?, now),
        }
    }

    /// The authority of that directory, if it is for exactly these hosts and good for a while yet.
    pub fn open_for(directory: &Path, hosts: &[String], now: Time) -> Result<Option<Self>, CaError> {
        let wanted = normal(hosts)?;
        let found = Self::open(directory)?;
        Ok(found.filter(|found| found.hosts == wanted && found.expires.since(now) > LEAST_LEFT_MILLIS))
    }

    /// The authority of that directory, if there is one.
    pub fn open(directory: &Path) -> Result<Option<Self>, CaError> {
        let path = directory.join(CERTIFICATE);
        let key = directory.join(KEY);
        if !path.exists() || !key.exists() {
            return Ok(None);
        }
        let foreign = || CaError::Foreign(path.clone());
        let certificate = load_certificates(&path)?.into_iter().next().ok_or_else(foreign)?;
        let parsed = x509_cert::Certificate::from_der(&certificate).map_err(|_| foreign())?;
        let fields = &parsed.tbs_certificate;
        let common_name = common_name(&fields.subject).ok_or_else(foreign)?;
        let constraints = fields.get::<pkix::NameConstraints>().ok().flatten().ok_or_else(foreign)?.1;
        let mut hosts: Vec<String> = constraints
            .permitted_subtrees
            .iter()
            .flatten()
            .filter_map(|subtree| host_of(&subtree.base))
            .filter(|host| host != NOBODY)
            .collect();
        hosts.sort();
        let expires = expires(&fields.validity);
        let key = KeyPair::try_from(&load_key(&key)?)?;
        Ok(Some(Self { certificate, key, common_name, hosts, expires, path }))
    }

    /// Makes a new authority, in place of an older one.
    fn make(directory: &Path, hosts: &[String], now: Time) -> Result<Self, CaError> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let day = now.to_string();
        let day = day.get(..10).unwrap_or_default();
        let common_name = format!("enrollscope local CA, {} {day}", hosts.first().map_or("", String::as_str));
        let mut params = authority(&common_name);
        params.name_constraints = Some(constraints(hosts));
        let expires = span(&mut params, now);
        let certificate = params.self_signed(&key)?.der().clone();
        fs::create_dir_all(directory).map_err(|source| CaError::Write { path: directory.into(), source })?;
        let path = directory.join(CERTIFICATE);
        let private = Zeroizing::new(to_pem("PRIVATE KEY", &Zeroizing::new(key.serialize_der())));
        write(&directory.join(KEY), private.as_bytes(), true)?;
        write(&directory.join(CERTIFICATE_DER), &certificate, false)?;
        write(&path, to_pem("CERTIFICATE", &certificate).as_bytes(), false)?;
        Ok(Self { certificate, key, common_name, hosts: hosts.to_vec(), expires, path })
    }

    /// A certificate for each host, and for no other name. The keys live in memory only.
    pub fn identities(&self, now: Time) -> Result<Vec<Identity>, CaError> {
        let issuer = Issuer::new(authority(&self.common_name), &self.key);
        // One key for all of them: making RSA keys takes its time.
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let leaf = |host: &String| {
            let mut params = CertificateParams::new([host.clone()])?;
            params.distinguished_name.push(DnType::CommonName, host.clone());
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            span(&mut params, now);
            // A certificate that outlives its issuer is refused by some.
            params.not_after = params.not_after.min(moment(self.expires));
            let leaf = params.signed_by(&key, &issuer)?.der().clone();
            let private = PrivateKeyDer::try_from(key.serialize_der())
                .map_err(|words| CaError::Key(rustls::Error::General(words.into())))?;
            Ok(Identity::new(vec![leaf, self.certificate.clone()], private)?)
        };
        self.hosts.iter().map(leaf).collect()
    }

    /// Takes the files away; installed copies stay where they were installed.
    pub fn remove(directory: &Path) -> Result<(), CaError> {
        for name in [KEY, CERTIFICATE, CERTIFICATE_DER] {
            let path = directory.join(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(CaError::Remove { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub fn pem(&self) -> String {
        to_pem("CERTIFICATE", &self.certificate)
    }

    /// The PEM file; the DER one lies beside it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What Windows' certificate store lists it under.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// Lower case, sorted.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    pub fn expires(&self) -> Time {
        self.expires
    }

    /// SHA-1 in upper-case hexadecimal: how Windows names a certificate.
    pub fn thumbprint(&self) -> String {
        hexadecimal(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.certificate)
    }

    /// SHA-256 in upper-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        hexadecimal(&digest::SHA256, &self.certificate)
    }
}

fn authority(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// RFC 5280 4.2.1.10: a kind of name without an entry is not constrained at all, so each kind gets one.
fn constraints(hosts: &[String]) -> NameConstraints {
    let (addresses, names): (Vec<&String>, Vec<&String>) =
        hosts.iter().partition(|host| host.parse::<IpAddr>().is_ok());
    let mut permitted: Vec<GeneralSubtree> =
        names.iter().map(|name| GeneralSubtree::DnsName((*name).clone())).collect();
    if permitted.is_empty() {
        permitted.push(GeneralSubtree::DnsName(NOBODY.into()));
    }
    let single = |ip: IpAddr| CidrSubnet::from_addr_prefix(ip, if ip.is_ipv4() { 32 } else { 128 });
    let addresses: Vec<IpAddr> = addresses.iter().filter_map(|a| a.parse().ok()).collect();
    let excluded = if addresses.is_empty() {
        let all = [CidrSubnet::from_v4_prefix([0; 4], 0), CidrSubnet::from_v6_prefix([0; 16], 0)];
        all.into_iter().map(GeneralSubtree::IpAddress).collect()
    } else {
        Vec::new()
    };
    permitted.extend(addresses.into_iter().map(|ip| GeneralSubtree::IpAddress(single(ip))));
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

fn span(params: &mut CertificateParams, now: Time) -> Time {
    let expires = now.plus_millis(VALID_SECONDS * 1000);
    params.not_before = moment(now.plus_millis(-EARLIER_SECONDS * 1000));
    params.not_after = moment(expires);
    // Certificates count in seconds.
    Time(expires.0 - expires.0.rem_euclid(1000))
}

fn moment(time: Time) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(time.0.div_euclid(1000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

fn normal(hosts: &[String]) -> Result<Vec<String>, CaError> {
    let mut out: Vec<String> = hosts.iter().map(|host| host.trim().to_ascii_lowercase()).collect();
    out.sort();
    out.dedup();
    let good = |host: &str| {
        let name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        name || host.parse::<IpAddr>().is_ok()
    };
    if let Some(bad) = out.iter().find(|host| !good(host)) {
        return Err(CaError::Host(bad.clone()));
    }
    if out.is_empty() { Err(CaError::NoHost) } else { Ok(out) }
}

fn host_of(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        // Address and mask.
        GeneralName::IpAddress(octets) => match octets.as_bytes() {
            [a, b, c, d, _, _, _, _] => Some(IpAddr::from([*a, *b, *c, *d]).to_string()),
            bytes => {
                let address: [u8; 16] = bytes.get(..16)?.try_into().ok()?;
                Some(IpAddr::from(address).to_string())
            }
        },
        _ => None,
    }
}

fn common_name(subject: &x509_cert::name::Name) -> Option<String> {
    let mut parts = subject.0.iter().flat_map(|part| part.0.iter());
    let part = parts.find(|part| part.oid == COMMON_NAME)?;
    part.value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.as_str().to_owned())
}

fn hexadecimal(algorithm: &'static digest::Algorithm, bytes: &[u8]) -> String {
    digest::digest(algorithm, bytes).as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

fn write(path: &Path, bytes: &[u8], secret: bool) -> Result<(), CaError> {
    let written = if secret { write_secret(path, bytes) } else { replace(path, bytes, &mut new_file()) };
    written.map_err(|source| CaError::Write { path: path.into(), source })
}

/// Writes a file that only its owner can read (on Unix), in the place of one that may be there.
///
/// # Errors
/// The folder or the file cannot be written to.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = new_file();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    replace(path, bytes, &mut options)
}

fn new_file() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    options
}

/// An existing file would keep its rights when it is overwritten; a new one gets its own.
fn replace(path: &Path, bytes: &[u8], options: &mut fs::OpenOptions) -> io::Result<()> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    options.open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_800_000_000_500);

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_authority_is_kept_while_it_is_good_for_the_same_hosts() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = hosts(&["MDM.example", "127.0.0.1"]);
        let made = LocalCa::open_or_make(dir.path(), &wanted, NOW).unwrap();
        let again = LocalCa::open_or_make(dir.path(), &wanted, NOW.plus_millis(1000)).unwrap();
        assert_eq!(made.thumbprint(), again.thumbprint());
        assert_eq!((again.hosts(), again.expires()), (made.hosts(), made.expires()));
        assert_eq!(again.hosts(), hosts(&["127.0.0.1", "mdm.example"]));
        assert_eq!((made.thumbprint().len(), made.fingerprint().len()), (40, 64));

        let late = NOW.plus_millis((VALID_SECONDS - 3600) * 1000);
        let renewed = LocalCa::open_or_make(dir.path(), &wanted, late).unwrap();
        assert_ne!(renewed.thumbprint(), made.thumbprint());
        let other = LocalCa::open_or_make(dir.path(), &hosts(&["other.example"]), late).unwrap();
        assert_eq!(other.hosts(), ["other.example"]);

        LocalCa::remove(dir.path()).unwrap();
        assert!(LocalCa::open(dir.path()).unwrap().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        LocalCa::open_or_make(dir.path(), &hosts(&["mdm.example"]), NOW).unwrap();
        let mode = fs::metadata(dir.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn leaves_are_believed_for_their_hosts_and_nothing_else() {
        use rustls::client::WebPkiServerVerifier;
        use rustls::pki_types::{ServerName, UnixTime};

        let dir = tempfile::tempdir().unwrap();
        LocalCa::open_or_make(dir.path(), &hosts(&["mdm.example", "127.0.0.1"]), NOW).unwrap();
        // Read back: the issuer's name must be the same as when it was made.
        let ca = LocalCa::open(dir.path()).unwrap().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.certificate().clone()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_millis(NOW.0 as u64));
        let identities = ca.identities(NOW).unwrap();
        assert_eq!(identities.iter().flat_map(|i| i.names.clone()).collect::<Vec<_>>(), ["mdm.example"]);
        for (identity, name) in identities.iter().zip(["127.0.0.1", "mdm.example"]) {
            let name = ServerName::try_from(name).unwrap();
            let chain = &identity.certified.cert;
            use rustls::client::danger::ServerCertVerifier;
            verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], at).unwrap();
        }
        // The key cannot be used for another name either.
        let stranger = LocalCa { hosts: hosts(&["bank.example"]), ..ca };
        let identity = stranger.identities(NOW).unwrap().remove(0);
        let name = ServerName::try_from("bank.example").unwrap();
        let chain = &identity.certified.cert;
        use rustls::client::danger::ServerCertVerifier;
        assert!(verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], at).is_err());
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let check = |names: &[&str]| LocalCa::open_or_make(dir.path(), &hosts(names), NOW).is_err();
        assert!(check(&[]) && check(&["*.example"]) && check(&["a b"]));
    }
}
