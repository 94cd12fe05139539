//! What the failed enrollments have in common, and the others have not.

use std::collections::{BTreeMap, BTreeSet};

use crate::enrollment::{Enrollment, Outcome};
use crate::event::Version;

/// A property that separates the failed ones from the enrolled ones, or any group from the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    pub attribute: &'static str,
    pub value: String,
    /// How many of the failed (or chosen) ones have it, of how many of which it is known.
    pub failed: (u64, u64),
    /// The same of those that enrolled (or are not chosen).
    pub enrolled: (u64, u64),
    /// What the two groups are called.
    groups: (&'static str, &'static str),
    /// How likely so many would have it by chance, 0 to 1 (Fisher's exact test, one-sided).
    pub chance: f64,
}

impl Common {
    /// `Windows build 26200: 31 of 31 that failed, 2 of 240 that enrolled`.
    pub fn words(&self) -> String {
        let ((a, failed), (b, enrolled)) = (self.failed, self.enrolled);
        let few = if failed.min(enrolled) < FEW { "; these are few" } else { "" };
        let (these, others) = self.groups;
        format!("{} {}: {a} of {failed} {these}, {b} of {enrolled} {others}{few}", self.attribute, self.value)
    }
}

/// Fewer than this prove little.
const FEW: u64 = 5;
/// What is likelier than this by chance is not told.
const LARGEST_CHANCE: f64 = 0.05;
/// So many are told.
const MOST: usize = 5;

/// The properties in which failed (or stalled) enrollments and enrolled ones differ most, ranked by how unlikely that is
/// by chance. Empty where one of the groups is.
pub fn common<'e>(enrollments: impl Iterator<Item = &'e Enrollment>) -> Vec<Common> {
    let groups = enrollments.filter_map(|e| match e.outcome {
        Outcome::Failed | Outcome::Stalled => Some((e, 0)),
        Outcome::Enrolled => Some((e, 1)),
        Outcome::InProgress => None,
    });
    separating(groups, ("that failed", "that enrolled"))
}

/// The same of any group: what those of it have in common that all others have not.
pub fn common_of<'e>(
    enrollments: impl Iterator<Item = &'e Enrollment>,
    chosen: impl Fn(&Enrollment) -> bool,
) -> Vec<Common> {
    separating(enrollments.map(|e| (e, usize::from(!chosen(e)))), ("of these", "of the others"))
}

/// Each enrollment with its group, 0 or 1.
fn separating<'e>(
    enrollments: impl Iterator<Item = (&'e Enrollment, usize)>,
    groups: (&'static str, &'static str),
) -> Vec<Common> {
    // By attribute and value, and by attribute alone: those of both groups.
    let mut with: BTreeMap<(&'static str, String), [u64; 2]> = BTreeMap::new();
    let mut known: BTreeMap<&'static str, [u64; 2]> = BTreeMap::new();
    for (enrollment, group) in enrollments {
        for (attribute, value) in attributes(enrollment) {
            let add = |counts: &mut [u64; 2]| {
                if let Some(count) = counts.get_mut(group) {
                    *count += 1;
                }
            };
            add(with.entry((attribute, value)).or_default());
            add(known.entry(attribute).or_default());
        }
    }
    let mut found: Vec<Common> = with
        .into_iter()
        .filter_map(|((attribute, value), [a, b])| {
            let [failed, enrolled] = known.get(attribute).copied()?;
            let more = a * enrolled > b * failed;
            let chance = chance(a, failed, b, enrolled);
            (a > 1 && more && chance <= LARGEST_CHANCE).then_some(Common {
                attribute,
                value,
                failed: (a, failed),
                enrolled: (b, enrolled),
                chance,
                groups,
            })
        })
        .collect();
    found.sort_by(|one, other| one.chance.total_cmp(&other.chance));
    // One property in several words (a build and the version that it asks for) is told once for each.
    let mut told = BTreeSet::new();
    found.retain(|common| told.insert(common.attribute));
    found.truncate(MOST);
    found
}

fn attributes(e: &Enrollment) -> Vec<(&'static str, String)> {
    let mut found = vec![("way", e.flow.word().to_owned())];
    let mut add = |attribute, value: Option<String>| found.extend(value.map(|value| (attribute, value)));
    let words =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    for (name, value) in &e.signs.traits {
        add(name, Some(value.to_string()));
    }
    add("Windows build", words(&e.os_version).map(|version| build(&version)));
    add("edition", words(&e.signs.os_edition));
    add("RequestVersion", words(&e.signs.request_version));
    add("HTTP", e.signs.http.map(http));
    add(
        "domain of the user",
        e.user.as_deref().and_then(|user| user.rsplit_once('@')).map(|(_, d)| d.to_lowercase()),
    );
    add("host", Some(e.host.to_lowercase()).filter(|host| !host.is_empty()));
    add("subnet", subnet(&e.address));
    let hour = jiff::Timestamp::from_millisecond(e.started.0).ok();
    add("hour (UTC)", hour.map(|at| at.strftime("%Y-%m-%d %H").to_string()));
    add(
        "certificate requests",
        Some(e.token_requests)
            .filter(|n| *n > 0)
            .map(|n| if n > 1 { "several".to_owned() } else { "one".to_owned() }),
    );
    found
}

fn http(version: Version) -> String {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
        Version::Http2 => "2",
    }
    .to_owned()
}

/// `10.0.26200.1234` is build 26200.
fn build(version: &str) -> String {
    version.split('.').nth(2).unwrap_or(version).to_owned()
}

/// The first three numbers of an IPv4 address, the first four groups of an IPv6 one.
fn subnet(address: &str) -> Option<String> {
    match address.trim_matches(['[', ']']).parse().ok()? {
        core::net::IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        core::net::IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Some(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

/// The probability that at least `a` of the failed have what `a + b` of all have.
fn chance(a: u64, failed: u64, b: u64, enrolled: u64) -> f64 {
    if failed == 0 || enrolled == 0 {
        return 1.0;
    }
    let having = a + b;
    let total = failed + enrolled;
    let most = having.min(failed);
    let all = choose(total, having);
    let at_least = (a..=most).map(|k| (choose(failed, k) + choose(enrolled, having - k) - all).exp());
    at_least.sum::<f64>().min(1.0)
}

/// The logarithm of the binomial coefficient.
fn choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    let k = k.min(n - k);
    (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_those_of_the_textbook() {
        // The lady tasting tea: 4 of 4.
        assert!((chance(4, 4, 0, 4) - 1.0 / 70.0).abs() < 1e-9);
        assert!((chance(3, 4, 1, 4) - 17.0 / 70.0).abs() < 1e-9);
        assert!(chance(31, 31, 2, 240) < 1e-30);
        assert_eq!(chance(2, 2, 0, 0), 1.0);
    }

    #[test]
    fn subnets_and_builds_are_cut_where_they_end() {
        assert_eq!(subnet("192.0.2.77").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(subnet("[2001:db8::1]").as_deref(), Some("2001:db8:0:0::/64"));
        assert_eq!((subnet("somewhere"), build("10.0.26200.1")), (None, "26200".to_owned()));
    }
}
