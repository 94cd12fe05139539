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

/// A network (`10.0.0.0/8`), or one address: of those who are believed.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network: IpNet = text
        .parse()
        .ok()
        .or_else(one)
        .ok_or_else(|| "a network like 10.0.0.0/8, or an address".to_owned())?;
    if network.prefix_len() == 0 {
        return Err(
            "that is everybody, and whoever connects could claim to be any device; name the front ends' own \
                    addresses or networks"
                .to_owned(),
        );
    }
    if network != network.trunc() {
        let (all, one) = (network.trunc(), network.addr());
        return Err(format!(
            "this address is within a network: say {all} for all of it, or {one} for the one address"
        ));
    }
    Ok(network)
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
        for (text, words) in [
            ("10.0.0.5/24", "say 10.0.0.0/24 for all of it, or 10.0.0.5 for"),
            ("2001:db8::5/32", "say 2001:db8::/32"),
            ("0.0.0.0/0", "everybody"),
            ("::/0", "everybody"),
            ("10.0.0.5/0", "everybody"),
        ] {
            let error = network(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(duration("soon").is_err());
    }
}
