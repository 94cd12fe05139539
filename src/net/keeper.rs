//! Keeps what is served up to date: changed certificate files are taken over, bad ones are not, expiry is told ahead.

use bytes::Bytes;
use thiserror::Error;

use super::ca::{CaError, LocalCa};
use super::files::{CertificateError, CertificateFiles};
use super::name::HostPattern;
use super::pem::Identity;
use super::tls::{Certificate, Served, fits};
use crate::alert::Lasting;
use crate::event::Time;

const DAY: i64 = 24 * 3600 * 1000;
/// With less left, a certificate from files is warned of.
const SOON: i64 = 14 * DAY;
/// The same for the local authority, which is for thirty days at most.
const SOON_LOCAL: i64 = 3 * DAY;

/// Files to serve from.
#[derive(Clone, Debug)]
pub struct Planned {
    pub files: CertificateFiles,
    /// The names that they are configured for.
    pub names: Vec<HostPattern>,
}

#[derive(Debug, Error)]
pub enum KeeperError {
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// All certificates of the listeners.
#[derive(Debug)]
pub struct Keeper {
    served: Served,
    kept: Vec<Kept>,
    local: Option<Local>,
    /// What is wrong now, in words.
    alarms: Vec<String>,
    /// When what lasts was last put into the log.
    told: Option<Time>,
}

/// The local authority.
#[derive(Debug)]
struct Local {
    expires: Time,
    certificate: Bytes,
}

#[derive(Debug)]
struct Kept {
    files: CertificateFiles,
    names: Vec<HostPattern>,
    digest: Vec<u8>,
    expires: Option<Time>,
    /// Configured names that the certificate is not for.
    strangers: Vec<String>,
    trouble: Trouble,
}

/// What has been wrong with changed files.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// Seen once: certificate and key are replaced one after the other.
    Fresh,
    Told(String),
}

impl Keeper {
    /// Serves the files' certificates, then the local authority's. With `fallback` the first is for every name.
    pub fn open(
        planned: Vec<Planned>,
        local: Option<&LocalCa>,
        fallback: bool,
        now: Time,
    ) -> Result<Self, KeeperError> {
        let (mut kept, mut certificates) = (Vec::new(), Vec::new());
        for Planned { files, names } in planned {
            let contents = files.read()?;
            let identity = files.identity(&contents)?;
            let mut one = Kept {
                files,
                names: names.clone(),
                digest: contents.digest(),
                expires: None,
                strangers: Vec::new(),
                trouble: Trouble::None,
            };
            one.note(&identity);
            kept.push(one);
            certificates.push(Certificate { names, identity });
        }
        if let Some(local) = local {
            let plain = |identity| Certificate { names: Vec::new(), identity };
            certificates.extend(local.identities(now)?.into_iter().map(plain));
        }
        let served = Served::by_name(certificates, fallback)?;
        let local = local.map(|local| Local {
            expires: local.expires(),
            certificate: Bytes::copy_from_slice(local.certificate()),
        });
        let mut keeper = Self { served, kept, local, alarms: Vec::new(), told: None };
        keeper.tell(now);
        Ok(keeper)
    }

    pub fn served(&self) -> &Served {
        &self.served
    }

    /// The local authority's certificate, DER, where it issues what is served.
    pub fn authority(&self) -> Option<&Bytes> {
        self.local.as_ref().map(|local| &local.certificate)
    }

    /// What is wrong now, in words, for whoever shows it.
    pub fn alarms(&self) -> &[String] {
        &self.alarms
    }

    /// What is served, and how long it lasts.
    pub fn lasting(&self) -> Vec<Lasting> {
        let given = self
            .kept
            .iter()
            .filter_map(|kept| Some(Lasting { name: kept.files.name(), expires: kept.expires?, soon: SOON }));
        let local = self.local.as_ref().map(|local| Lasting {
            name: "of the local authority".to_owned(),
            expires: local.expires,
            soon: SOON_LOCAL,
        });
        given.chain(local).collect()
    }

    /// Looks at the files, and at the calendar. Connections that are open keep what they have.
    pub fn poll(&mut self, now: Time) {
        for (at, kept) in self.kept.iter_mut().enumerate() {
            match kept.renewed() {
                Ok(None) => kept.trouble = Trouble::None,
                Ok(Some((digest, identity))) => {
                    kept.trouble = Trouble::None;
                    kept.digest = digest;
                    kept.note(&identity);
                    self.served.replace(at, identity);
                    tracing::warn!("the changed certificate {} is served from now on", kept.files.name());
                }
                Err(error) => kept.fail(&error),
            }
        }
        self.tell(now);
    }

    fn tell(&mut self, now: Time) {
        let mut expiring = Vec::new();
        for kept in &self.kept {
            if let Some(words) = kept.expires.and_then(|expires| left(expires, now, SOON)) {
                expiring.push(format!("the certificate {} {words}: renew it", kept.files.name()));
            }
        }
        if let Some(words) = self.local.as_ref().and_then(|local| left(local.expires, now, SOON_LOCAL)) {
            expiring.push(format!(
                "the local authority {words}: a new start makes a new one, which devices must then be told to trust"
            ));
        }
        let strangers = self.kept.iter().flat_map(|kept| {
            let names = kept.strangers.iter();
            names.map(|name| format!("the certificate {} is not for {name}", kept.files.name()))
        });
        let mut lasting: Vec<String> = strangers.collect();
        lasting.extend(expiring);
        // The log is told at the start and once a day, the screen all the time.
        if self.told.is_none_or(|told| now.since(told) >= DAY) {
            lasting.iter().for_each(|words| tracing::warn!("{words}"));
            self.told = Some(now);
        }
        let troubles = self.kept.iter().filter_map(|kept| match &kept.trouble {
            Trouble::Told(words) => Some(words.clone()),
            Trouble::None | Trouble::Fresh => None,
        });
        self.alarms = troubles.chain(lasting).collect();
    }
}

impl Kept {
    /// The files' new contents, if they have changed and are good.
    fn renewed(&self) -> Result<Option<(Vec<u8>, Identity)>, CertificateError> {
        let contents = self.files.read()?;
        let digest = contents.digest();
        if digest == self.digest {
            return Ok(None);
        }
        Ok(Some((digest, self.files.identity(&contents)?)))
    }

    fn note(&mut self, identity: &Identity) {
        self.expires = identity.expires;
        let exact = self.names.iter().filter_map(HostPattern::exact);
        let stranger = |name: &&str| !identity.names.iter().any(|own| fits(own, name));
        self.strangers = exact.filter(stranger).map(str::to_owned).collect();
    }

    fn fail(&mut self, error: &CertificateError) {
        let words = format!(
            "the changed certificate {} is not taken, the old one is served: {error}",
            self.files.name()
        );
        match &self.trouble {
            Trouble::None => self.trouble = Trouble::Fresh,
            Trouble::Told(before) if *before == words => {}
            Trouble::Fresh | Trouble::Told(_) => {
                tracing::error!("{words}");
                self.trouble = Trouble::Told(words);
            }
        }
    }
}

/// How long it is still good, if that is not long.
fn left(expires: Time, now: Time, soon: i64) -> Option<String> {
    let left = expires.since(now);
    let day = expires.to_string();
    let day = day.get(..10).unwrap_or_default();
    match left {
        ..=0 => Some(format!("has expired on {day}")),
        _ if left < soon => Some(format!("expires on {day}, in {} days", left / DAY)),
        _ => None,
    }
}
