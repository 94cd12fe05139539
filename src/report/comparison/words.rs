//! The sentences that all the formats share.

use crate::compare::{Compared, Comparison, Counts, Difference, Found, Pairing};
use crate::enrollment::Enrollment;
use crate::event::Side;

/// `1 exchange: …`.
pub(super) fn counts(comparison: &Comparison) -> String {
    let Counts { same, different, better, worse } = comparison.counts();
    let all = same + different + better + worse;
    let exchanges = if all == 1 { "1 exchange" } else { &format!("{all} exchanges") };
    format!("{exchanges}: {same} same, {different} different, {better} better, {worse} worse")
}

/// `failed at Certificate: the server declines …`.
pub(super) fn outcome(enrollment: &Enrollment) -> String {
    let stage = enrollment.stage.map(|stage| format!(" at {}", stage.title())).unwrap_or_default();
    format!("{}{stage}: {}", enrollment.outcome.word(), enrollment.verdict)
}

/// `security-token-request  200 security-token-response → 500 fault`.
pub(super) fn exchange(compared: &Compared) -> String {
    let half = |half: &Option<crate::compare::Half>| match half {
        None => "not there".to_owned(),
        Some(half) => match half.status {
            Some(status) => format!("{status} {}", half.response.word()),
            None => "no answer".to_owned(),
        },
    };
    let (first, second) = (half(&compared.first), half(&compared.second));
    let answers = if first == second { first } else { format!("{first} → {second}") };
    format!("{}: {answers}", compared.request.word())
}

/// `PROV-CS-003 wrong-thumbprint`.
pub(super) fn rule(found: &Found) -> String {
    format!("{} {}", found.rule.id, found.rule.name)
}

pub(super) fn place(difference: &Difference) -> String {
    let side = match difference.side {
        Side::Request => "request ",
        Side::Response => "",
    };
    format!("{side}{}", short(&difference.place))
}

/// Without what every place of a message has in common: `APPLICATION/APPAUTH/AAUTHLEVEL`.
fn short(place: &str) -> String {
    let common = ["Envelope", "Body", "token", "wap-provisioningdoc", "parm[EncodedCertificate]"];
    let inner = |step: &'_ str| -> String {
        let named = ["characteristic[", "parm["].iter().find_map(|kind| step.strip_prefix(kind));
        named.map_or_else(|| step.to_owned(), |named| named.replacen(']', "", 1))
    };
    let steps: Vec<_> = place.split('/').filter(|step| !common.contains(step)).map(inner).collect();
    if steps.is_empty() { place.to_owned() } else { steps.join("/") }
}

/// Whose enrollments they are, where a replay made several of one.
pub(super) fn title(pairing: &Pairing) -> &str {
    if pairing.label.is_empty() { "somebody" } else { &pairing.label }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_by_what_sets_them_apart() {
        for (place, told) in [
            ("status", "status"),
            ("Envelope/Header/Action", "Header/Action"),
            (
                "token/wap-provisioningdoc/characteristic[APPLICATION]/parm[NAME]/@datatype",
                "APPLICATION/NAME/@datatype",
            ),
            ("token/wap-provisioningdoc/characteristic[APPLICATION][2]/parm[NAME]", "APPLICATION[2]/NAME"),
            ("Envelope", "Envelope"),
        ] {
            assert_eq!(short(place), told);
        }
    }
}
