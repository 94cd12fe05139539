//! The way of one device, step by step and without a wire: what it sends next, and what it makes of the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address::Address;
use super::device::{Device, Gained, Proof};
use super::judge::{self, GivesUp, Provision, Services};
use crate::event::{Request, Response, Time};
use crate::message::certificate::sha256_hex;
use crate::message::{AuthPolicy, names};
use crate::rules::Step;

/// Where the device asks for Entra's terms of use.
pub(super) const TERMS_PATH: &str = "/EnrollmentServer/TermsOfUse";

/// A device on its way. [`Course::next`] and [`Course::take`] alternate until there is no next, or the device gives up.
#[derive(Debug)]
pub(crate) struct Course<'d> {
    device: &'d Device,
    discovery: Address,
    /// Whether the first management session follows.
    sync: bool,
    at: Option<Step>,
    services: Option<Services>,
    /// From the sign-in page.
    token: Option<String>,
    /// From the terms of use.
    enrollment_data: Option<String>,
    provision: Option<Provision>,
    /// SHA-256 of the key that the certificate has to be for, where that is not the device's own.
    key_hash: Option<String>,
}

/// What the device sends next.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) step: Step,
    pub(crate) to: Address,
    pub(crate) request: Request,
}

impl<'d> Course<'d> {
    /// `server` is an origin, or the whole URL of the discovery service.
    pub(crate) fn new(device: &'d Device, server: &Address, sync: bool) -> Self {
        let discovery = match server.target.as_str() {
            "" | "/" => server.at(names::DISCOVERY_PATH),
            _ => server.clone(),
        };
        let at = Some(match device.proof {
            Proof::Entra(_) => Step::Terms,
            Proof::Password | Proof::Certificate(_) => Step::Probe,
            Proof::Renewal(_) => Step::Discover,
        });
        Self {
            device,
            discovery,
            sync,
            at,
            services: None,
            token: None,
            enrollment_data: None,
            provision: None,
            key_hash: None,
        }
    }

    /// Where it begins.
    pub(crate) fn discovery(&self) -> &Address {
        &self.discovery
    }

    /// The device begins with that step, or takes it once more.
    pub(crate) fn resume_at(&mut self, step: Step) {
        self.at = Some(step);
    }

    /// The device has a token already (the text that a sign-in page gives), and needs no such page.
    pub(crate) fn hold_token(&mut self, token: &str) {
        self.token = Some(STANDARD.encode(token));
    }

    /// There is a token, or none is needed any more.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.token.is_some()
    }

    /// The request for a certificate that is sent is for this key.
    pub(crate) fn expect_key(&mut self, key_hash: &str) {
        self.key_hash = Some(key_hash.to_owned());
    }

    /// What the device has so far; it has its certificate even when it gives up afterwards.
    pub(crate) fn provision(&self) -> Option<&Provision> {
        self.provision.as_ref()
    }

    /// `None` when there is nothing left to do.
    pub(crate) fn next(&self, now: Time) -> Option<Result<Planned, GivesUp>> {
        let step = self.at?;
        let device = self.device;
        let services = self.services.as_ref();
        let to = match step {
            Step::Terms => Some(self.discovery.at(TERMS_PATH)),
            Step::Probe | Step::Discover => Some(self.discovery.clone()),
            Step::SignIn | Step::Password => services?.authentication.clone(),
            Step::Policies => services?.policy.clone(),
            Step::Token => services.map(|s| s.enrollment.clone()),
            Step::Sync => self.provision.as_ref()?.management.clone(),
        }?;
        let token = self.token.as_deref();
        let request = match step {
            Step::Terms => Ok(device.terms(&to, now)),
            Step::Probe => Ok(device.probe(&to, now)),
            Step::Discover => Ok(device.discover(&to, now)),
            Step::SignIn => Ok(device.sign_in(&to, now)),
            Step::Password => Ok(device.password(&to, now)),
            Step::Policies => device.get_policies(&to, token, now),
            Step::Token => {
                let attests = services.is_some_and(|s| s.attests);
                device.request_token(
                    &to,
                    Gained { token, enrollment_data: self.enrollment_data.as_deref(), attests },
                    now,
                )
            }
            Step::Sync => Ok(device.sync(&to, now)),
        };
        let planned = request.map(|request| Planned { step, to, request });
        Some(planned.map_err(|_| GivesUp::because(0x8018_0027, "the device's key cannot sign")))
    }

    /// What came of the step, in words.
    pub(crate) fn take(&mut self, response: &Response) -> Result<String, GivesUp> {
        let over_tls = self.discovery.secure;
        let Some(step) = self.at.take() else { return Ok(String::new()) };
        let (next, told) = match step {
            Step::Terms => {
                self.enrollment_data = Some(judge::terms_accepted(response)?);
                (Some(Step::Discover), "the terms of use are accepted".to_owned())
            }
            Step::Probe => {
                judge::probed(response)?;
                (Some(Step::Discover), "the server is there".to_owned())
            }
            Step::Discover => {
                let services = judge::discovered(response, over_tls, &self.device.proof)?;
                let told = format!("{}, enrolls at {}", services.auth.word(), services.enrollment);
                let page = services.auth == AuthPolicy::Federated && services.authentication.is_some();
                let next = if page && self.token.is_none() { Step::SignIn } else { after_sign_in(&services) };
                self.services = Some(services);
                (Some(next), told)
            }
            Step::SignIn => match judge::token_page(response, self.device.appru()) {
                // Somebody who is known already is not asked.
                Some(Ok(token)) => self.signed_in(token),
                Some(Err(why)) => return Err(why),
                None => {
                    judge::sign_in_page(response)?;
                    (Some(Step::Password), "the sign-in page".to_owned())
                }
            },
            Step::Password => match judge::token_page(response, self.device.appru()) {
                Some(token) => self.signed_in(token?),
                None => return Err(judge::no_token(response)),
            },
            Step::Policies => (Some(Step::Token), judge::policy_given(response)?.to_owned()),
            Step::Token => {
                let own = || sha256_hex(&self.device.key.public());
                let key_hash = self.key_hash.clone().unwrap_or_else(own);
                let renewed = matches!(self.device.proof, Proof::Renewal(_));
                let provision = judge::provisioned(response, &key_hash, over_tls, renewed)?;
                let told = match &provision.provider {
                    provider if renewed => format!("{provider} has renewed the certificate"),
                    provider => format!("enrolled with {provider}"),
                };
                let follows = self.sync && provision.management.is_some();
                self.provision = Some(provision);
                (follows.then_some(Step::Sync), told)
            }
            Step::Sync => {
                judge::synced(response)?;
                (None, "the first sync is done".to_owned())
            }
        };
        self.at = next;
        Ok(told)
    }

    fn signed_in(&mut self, token: String) -> (Option<Step>, String) {
        self.token = Some(STANDARD.encode(token));
        (self.services.as_ref().map(after_sign_in), "the user is signed in".to_owned())
    }
}

fn after_sign_in(services: &Services) -> Step {
    if services.policy.is_some() { Step::Policies } else { Step::Token }
}
