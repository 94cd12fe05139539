//! What a recorded device did, as something that can be done again.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::compare::Story;
use crate::enrollment::{EnrollmentId, Flow};
use crate::event::{Exchange, Time};
use crate::message::{Content, DiscoverRequest, Kind, TokenRequest, read_request};
use crate::rules::Step;
use crate::sim::{KeyKind, Profile};

/// Whose device a replay shows to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// One of its own: other device ids, another key.
    #[default]
    Fresh,
    /// The recorded one, and its bytes as far as they can be sent again.
    Recorded,
}

/// One enrollment that can be replayed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub id: EnrollmentId,
    pub label: String,
    pub flow: Flow,
    /// Who enrolls, as far as the recording tells.
    pub user: Option<String>,
    /// The recorded requests in their order.
    pub(super) steps: Vec<(Step, Arc<Exchange>)>,
    pub(super) profile: Profile,
    /// What the key is to be like; absent where the recording ends before the device shows one.
    pub key: KeyKind,
    /// What cannot be as it was, in words.
    pub notes: Vec<String>,
    /// When its first request came.
    pub(super) began: Time,
    /// SHA-1 of the certificate that it got, upper case.
    issued: Option<String>,
    /// SHA-1 of the certificate that it renews.
    renews: Option<String>,
}

impl Plan {
    /// # Errors
    /// Why there is nothing to replay, in words.
    pub fn of(story: &Story) -> Result<Self, &'static str> {
        let told = story.exchanges.iter();
        let steps: Vec<_> = told
            .filter_map(|told| {
                let step = Step::of(&told.exchange.request, told.request)?;
                Some((step, Arc::clone(&told.exchange)))
            })
            .collect();
        let Some((_, first)) = steps.iter().find(|(step, _)| *step != Step::Sync) else {
            return Err("no message of an enrollment is in it");
        };
        let began = first.request.at;
        let read = |kind| story.last_of(kind).map(|told| read_request(&told.exchange.request).content);
        let discover = match read(Kind::DiscoverRequest) {
            Some(Content::DiscoverRequest(discover)) => Some(discover),
            _ => None,
        };
        let token = match read(Kind::SecurityTokenRequest) {
            Some(Content::TokenRequest(token)) => Some(token),
            _ => None,
        };
        let enrollment = &story.enrollment;
        let mut notes = Vec::new();
        if enrollment.threads > 1 {
            notes.push(format!("{} devices could not be told apart; one is replayed", enrollment.threads));
        }
        let user = enrollment.user.clone();
        let profile = profile(discover.as_ref(), token.as_deref(), user.as_deref().unwrap_or_default());
        let csr = token.as_ref().and_then(|token| token.csr.as_ref());
        let key = csr.map(|csr| KeyKind::nearest(&csr.key)).unwrap_or_default();
        if let Some(csr) = csr {
            if csr.key.describe() != key.word() {
                notes.push(format!("the key is {} in place of {}", key.word(), csr.key.describe()));
            }
            let digest = crate::message::certificate::digest_of(&csr.signature_algorithm);
            if digest == Some(crate::message::certificate::Digest::Sha1) {
                notes.push(
                    "the request for a certificate is signed with SHA-256 in place of SHA-1".to_owned(),
                );
            }
        }
        let renews = token.as_ref().and_then(|token| {
            let named = token.csr.as_ref().and_then(|csr| csr.renews.as_ref());
            let signer = token.signed.as_ref().and_then(|signed| signed.certificates.first());
            Some(named.or(signer)?.thumbprint.clone())
        });
        Ok(Self {
            id: enrollment.id,
            label: story.label(),
            flow: enrollment.flow,
            user,
            steps,
            profile,
            key,
            notes,
            began,
            issued: enrollment.issued.clone(),
            renews,
        })
    }

    /// It takes that step.
    pub(super) fn takes(&self, wanted: Step) -> bool {
        self.steps.iter().any(|(step, _)| *step == wanted)
    }

    /// The request that the device sent for that step the `attempt`th time, from 0; the last one where it did not send
    /// it so often.
    pub(super) fn recorded(&self, wanted: Step, attempt: usize) -> Option<&Arc<Exchange>> {
        let mut all = self.steps.iter().filter(|(step, _)| *step == wanted);
        let chosen = all.clone().nth(attempt).or_else(|| all.next_back());
        chosen.map(|(_, exchange)| exchange)
    }

    /// What the device did after it had tried that step the `attempt`th time: the same again, or something before it.
    pub(super) fn tries_again_with(&self, failed: Step, attempt: usize) -> Option<Step> {
        let mut of_step = self.steps.iter().enumerate().filter(|(_, (step, _))| *step == failed);
        let (at, _) = of_step.nth(attempt)?;
        let (next, _) = self.steps.get(at + 1)?;
        (*next <= failed).then_some(*next)
    }

    /// The enrollment in this list that brought the certificate which this one renews.
    pub fn renews_of(&self, all: &[Self]) -> Option<usize> {
        if self.flow != Flow::Renewal {
            return None;
        }
        let by_certificate = || {
            let renews = self.renews.as_ref()?;
            all.iter().position(|plan| plan.issued.as_ref() == Some(renews))
        };
        let by_device = || {
            let same =
                |plan: &Self| plan.flow != Flow::Renewal && plan.profile.device_id == self.profile.device_id;
            all.iter().position(same)
        };
        by_certificate().or_else(by_device)
    }
}

fn profile(discover: Option<&DiscoverRequest>, token: Option<&TokenRequest>, user: &str) -> Profile {
    if let Some(token) = token {
        return Profile::like(discover, token, user, "");
    }
    let blank = Profile::numbered(0, 0, user, "");
    let Some(discover) = discover else { return blank };
    let field = |field: &Option<crate::message::Field>, blank: &str| {
        field.as_ref().filter(|f| f.is_given()).map_or_else(|| blank.to_owned(), |f| f.value.clone())
    };
    Profile {
        request_version: field(&discover.version, &blank.request_version),
        os_version: field(&discover.application_version, &blank.os_version),
        ..blank
    }
}

/// What a device calls itself, and what takes its place: of the same length, so that it fits wherever it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(pub(super) Vec<(String, String)>);

impl Names {
    /// Other names for the device; the same seed and device give the same ones.
    pub(super) fn fresh(profile: &Profile, seed: &[u8]) -> Self {
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        let whole = [&profile.device_id, &profile.hardware_id, &profile.container];
        for name in whole.into_iter().filter(|name| name.len() >= 8) {
            names.insert(name, other_digits(name, 0, seed));
        }
        for mac in &profile.macs {
            // The first half says who has made the card.
            names.insert(mac, other_digits(mac, mac.len() / 2, seed));
        }
        let mut names: Vec<_> = names.into_iter().map(|(old, new)| (old.to_owned(), new)).collect();
        // One may be part of another.
        names.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
        Self(names)
    }

    pub(super) fn of(&self, old: &str) -> String {
        self.0.iter().find(|(known, _)| known == old).map_or_else(|| old.to_owned(), |(_, new)| new.clone())
    }

    /// The text with the new names.
    pub(super) fn renamed(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
    }
}

/// The text with other hexadecimal digits from that byte on.
pub(super) fn other_digits(text: &str, from: usize, seed: &[u8]) -> String {
    let mut hash = digest(&SHA256, &[seed, text.as_bytes()].concat());
    let mut digits: Vec<u8> = Vec::new();
    let lower = text.bytes().any(|b| (b'a'..=b'f').contains(&b));
    let draw = |digits: &mut Vec<u8>, hash: &mut aws_lc_rs::digest::Digest| {
        if digits.is_empty() {
            digits.extend(hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]));
            *hash = digest(&SHA256, hash.as_ref());
        }
        digits.pop().unwrap_or_default()
    };
    text.char_indices()
        .map(|(at, c)| match c {
            c if at < from || !c.is_ascii_hexdigit() => c,
            _ => {
                let digit = char::from_digit(u32::from(draw(&mut digits, &mut hash)), 16).unwrap_or('0');
                if lower { digit } else { digit.to_ascii_uppercase() }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_look_like_the_old_ones() {
        for (name, from) in [
            ("B5B954E81FBCB94EB79BD08BE625F4EE", 0),
            ("562a7f9a-6cd8-40b0-9e7e-0dbdd8", 0),
            ("00-15-5D-AB-CD-01", 8),
            ("", 0),
        ] {
            let other = other_digits(name, from, b"seed");
            assert_eq!(other.len(), name.len());
            assert_eq!(other, other_digits(name, from, b"seed"));
            assert!(name.is_empty() || other != name && other != other_digits(name, from, b"other seed"));
            assert_eq!(other.get(..from), name.get(..from));
            let shape = |text: &str| -> Vec<bool> { text.chars().map(|c| c.is_ascii_hexdigit()).collect() };
            assert_eq!(shape(&other), shape(name));
        }
    }
}
