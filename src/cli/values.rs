//! How values are written: durations, sizes, networks, versions.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::rules::Profile;

pub(super) fn profile(text: &str) -> Result<Profile, String> {
    match text {
        "field" => Ok(Profile::Field),
        "strict" => Ok(Profile::Strict),
        _ => Err("field or strict".to_owned()),
    }
}

/// Answers know versions from 3.0 on (MS-MDE2 3.1.4.1.3.2), and devices that ask for 9.0 exist.
pub(super) fn enrollment_version(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|version| (3.0..=9.0).contains(version)).ok_or_else(|| "3.0 to 9.0".to_owned())
}

/// `250ms`, `90s`, `5m`, `2h`, or a number of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let unit = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1000));
    let number: u64 = number.parse().map_err(|_| "a number with ms, s, m or h, like 90s".to_owned())?;
    Ok(Duration::from_millis(number.saturating_mul(factor)))
}

/// A duration that is one: nothing can be done in no time.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|patience| {
        if patience.is_zero() { Err("more than nothing, like 30s".to_owned()) } else { Ok(patience) }
    })
}

/// `64KiB`, `1MiB`, `2GiB`, or a number of bytes.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let unit = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1));
    let number: usize = number.parse().map_err(|_| "a number with KiB, MiB or GiB, like 1MiB".to_owned())?;
    Ok(number.saturating_mul(factor))
}

/// A network (`10.0.0.0/8`), or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(one).ok_or_else(|| "a network like 10.0.0.0/8, or an address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in
            [("250ms", 250), ("90s", 90_000), ("5m", 300_000), ("2h", 7_200_000), ("7", 7_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
        }
        for (text, bytes) in [("64KiB", 65_536), ("1MiB", 1_048_576), ("12", 12)] {
            assert_eq!(size(text), Ok(bytes));
        }
        assert!(patience("0s").is_err() && patience("1ms").is_ok());
        assert!(size("1MB").is_err() && size("-1").is_err());
        for text in ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "::1"] {
            assert!(network(text).is_ok(), "{text}");
        }
        assert!(network("10.0.0.0/33").is_err() && network("front.example").is_err());
        assert!(duration("soon").is_err());
    }
}
