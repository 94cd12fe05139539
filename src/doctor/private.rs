//! Addresses that nobody outside can reach: a server that sends its devices there may mean ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Private, shared, link-local, loopback, and what is no host's address at all (RFC 6890).
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => private_v4(v4),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => private_v4(v4),
            None => {
                let first = v6.segments()[0];
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || first & 0xFE00 == 0xFC00
                    || first & 0xFFC0 == 0xFE80
            }
        },
    }
}

/// No server has such an address: unspecified, multicast, broadcast, or what a machine without one gives itself.
pub(super) fn is_nowhere(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            first == 0 || first >= 224 || v4.is_link_local()
        }
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_nowhere(IpAddr::V4(v4)),
            None => v6.is_unspecified() || v6.is_multicast() || v6.segments()[0] & 0xFFC0 == 0xFE80,
        },
    }
}

fn private_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || a == 100 && b & 0xC0 == 64
}

/// The IPv4 address that one of IPv6 stands for: mapped, or translated by NAT64 (RFC 6052).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., high, low] = address.segments();
    let is_nat64 = address.segments()[..6] == [0x64, 0xFF9B, 0, 0, 0, 0];
    let last = || {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    address.to_ipv4_mapped().or_else(|| is_nat64.then(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for (address, private) in [
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("192.168.0.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("127.0.0.1", true),
            ("0.0.0.0", true),
            ("8.8.8.8", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("::ffff:10.0.0.1", true),
            ("64:ff9b::a00:1", true),
            ("64:ff9b::808:808", false),
            ("2606:4700::1111", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
        for (address, nowhere) in [
            ("0.0.0.0", true),
            ("224.0.0.1", true),
            ("169.254.1.1", true),
            ("fe80::1", true),
            ("10.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(is_nowhere(address.parse().unwrap()), nowhere, "{address}");
        }
    }
}
