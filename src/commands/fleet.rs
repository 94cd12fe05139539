//! The demo's devices: a healthy majority and the classic failures, each with the end that it must come to.

use crate::enrollment::{Flow, Outcome};
use crate::message::AuthPolicy;
use crate::rules::{Edit, by_id};

/// What a device of the demo does, or has done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// Enrolls on this way; in a renewal the device enrolls first.
    Healthy(Flow),
    WrongPassword,
    /// The user has a device already, and may have one.
    SecondDevice,
    /// The server breaks this rule for this user.
    Server(&'static str),
    StopsAfterDiscovery,
    Distrusts,
}

/// Classic failures, in the order in which larger fleets get more of them.
const FAILURES: &[Story] = &[
    Story::WrongPassword,
    Story::Server("PROV-CS-003"),
    Story::Distrusts,
    Story::Server("HTTP-001"),
    Story::SecondDevice,
    Story::Server("PROV-CS-004"),
    Story::StopsAfterDiscovery,
    Story::Server("PROV-DM-001"),
];

/// How the healthy devices enroll, one after the other.
const WAYS: &[Flow] = &[
    Flow::OnPremise,
    Flow::Federated,
    Flow::Entra,
    Flow::OnPremise,
    Flow::Federated,
    Flow::Certificate,
    Flow::OnPremise,
    Flow::Renewal,
];

/// One device of the fleet.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) number: u32,
    pub(super) user: String,
    pub(super) story: Story,
}

/// What must be seen of a device in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// An enrollment of that outcome; with the code on the user's screen, or the rule that explains it.
    Enrollment { outcome: Outcome, flow: Flow, code: Option<u32>, rule: Option<&'static str> },
    /// A handshake that the device refused.
    Refused,
}

impl Story {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Healthy(Flow::OnPremise) => "healthy",
            Self::Healthy(Flow::Federated) => "signs in on a page",
            Self::Healthy(Flow::Entra) => "has an Entra token",
            Self::Healthy(Flow::Certificate) => "has a certificate",
            Self::Healthy(Flow::Renewal) => "renews its certificate",
            Self::WrongPassword => "wrong password",
            Self::SecondDevice => "device limit reached",
            Self::Server("HTTP-001") => "chunked answer",
            Self::Server("PROV-CS-003") => "wrong thumbprint",
            Self::Server("PROV-CS-004") => "certificate for another key",
            Self::Server("PROV-DM-001") => "provider id differs",
            Self::Server(_) => "server breaks a rule",
            Self::StopsAfterDiscovery => "stops after discovery",
            Self::Distrusts => "distrusts the certificate",
        }
    }

    pub(super) fn needs_two_keys(self) -> bool {
        matches!(self, Self::SecondDevice | Self::Healthy(Flow::Certificate | Flow::Renewal))
    }

    pub(super) fn ending(self) -> Ending {
        let ended = |outcome, flow, code, rule| Ending::Enrollment { outcome, flow, code, rule };
        let failed = |code, rule| ended(Outcome::Failed, Flow::OnPremise, code, rule);
        match self {
            Self::Healthy(flow) => ended(Outcome::Enrolled, flow, None, None),
            Self::WrongPassword => failed(Some(0x8018_0002), None),
            Self::SecondDevice => failed(Some(0x8018_0013), None),
            Self::Server(rule) => failed(None, Some(rule)),
            Self::StopsAfterDiscovery => ended(Outcome::Stalled, Flow::OnPremise, None, None),
            Self::Distrusts => Ending::Refused,
        }
    }

    /// How the server has this user sign in, where it is not as everybody else.
    pub(super) fn auth(self) -> Option<AuthPolicy> {
        match self {
            Self::Healthy(Flow::Federated) => Some(AuthPolicy::Federated),
            Self::Healthy(Flow::Certificate) => Some(AuthPolicy::Certificate),
            _ => None,
        }
    }

    /// What the server does to this user's messages.
    pub(super) fn edit(self) -> Option<Edit> {
        let Self::Server(rule) = self else { return None };
        by_id(rule)?.examples.first().map(|example| example.edit)
    }
}

const NAMES: &[&str] = &[
    "anna", "ben", "carla", "david", "elif", "farid", "greta", "hugo", "ines", "jonas", "kim", "lena",
    "marek", "nora", "omar", "paula", "quentin", "rosa", "sven", "tara", "ulrich", "vera", "wei", "xenia",
    "yusuf", "zoe",
];

/// The fleet of that size. At most a third of it fails; the same seed gives the same fleet.
pub(super) fn fleet(devices: u32, seed: u64) -> Vec<Member> {
    let count = usize::try_from(devices).unwrap_or(usize::MAX);
    let failing = (count / 3).min(count);
    let failures = FAILURES.iter().copied().cycle().take(failing);
    let healthy = WAYS.iter().copied().cycle().map(Story::Healthy);
    let mut stories: Vec<_> = failures.chain(healthy).take(count).collect();
    // Fisher and Yates, with a linear congruential generator: the order must not depend on anything but the seed.
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    for last in (1..stories.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap_or_default() % (last + 1);
        stories.swap(last, other);
    }
    let member = |(index, story): (usize, Story)| {
        let name = NAMES.get(index % NAMES.len()).copied().unwrap_or("anna");
        let round = index / NAMES.len();
        let suffix = if round == 0 { String::new() } else { (round + 1).to_string() };
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        Member { number, user: format!("{name}{suffix}@contoso.example"), story }
    };
    stories.into_iter().enumerate().map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_devices_are_healthy_and_a_default_fleet_has_every_classic() {
        for devices in [1, 3, 12, 24, 100] {
            let fleet = fleet(devices, 1);
            let healthy = fleet.iter().filter(|m| matches!(m.story, Story::Healthy(_))).count();
            assert!(healthy * 3 >= fleet.len() * 2 - 2, "{devices}");
        }
        let stories: Vec<_> = fleet(24, 1).iter().map(|m| m.story).collect();
        assert!(FAILURES.iter().all(|failure| stories.contains(failure)));
        assert!(WAYS.iter().all(|way| stories.contains(&Story::Healthy(*way))));
        let users: std::collections::BTreeSet<_> = fleet(100, 3).into_iter().map(|m| m.user).collect();
        assert_eq!(users.len(), 100, "one user each");
    }
}
