//! What we tell the server of the device whose request we forward: X-Forwarded-For, -Proto and -Host, and `Forwarded`
//! where the request has it.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::event::Front;
use crate::net::{Edit, Head};

/// What becomes of forwarding headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarded {
    /// They pass as they came; none are added.
    #[default]
    Off,
    /// The device's address is added behind those that came.
    Append,
    /// Those that came are taken out, whoever wrote them.
    Replace,
}

/// The device's side of a request.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) address: IpAddr,
    pub(super) secure: bool,
    pub(super) host: Option<String>,
}

impl Device {
    pub(super) fn new(peer: &str, secure: bool, host: Option<String>) -> Option<Self> {
        let address = peer.parse::<SocketAddr>().ok()?.ip().to_canonical();
        Some(Self { address, secure, host })
    }

    /// The one for whom a trusted front end speaks. Where the front end's own word stays in the request, it comes next
    /// after it, by its own address.
    pub(super) fn behind(mut self, front: &Front, mode: Forwarded) -> Self {
        let told = front.address.as_ref().filter(|_| mode == Forwarded::Replace);
        self.address = told.and_then(|told| told.parse().ok()).unwrap_or(self.address);
        self.secure = front.secure.unwrap_or(self.secure);
        self.host = front.host.clone().or(self.host);
        self
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

/// Whose devices' addresses the server does not see: ours stands for all of them.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    first: OnceLock<IpAddr>,
    told: AtomicBool,
}

impl Hidden {
    /// Says so, once in a run, for the first device at another address than those before it.
    pub(super) fn by_one_address(&self, address: IpAddr) -> Option<String> {
        let first = *self.first.get_or_init(|| address);
        if first == address || self.told.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(format!("the server sees one address, enrollscope's, for the devices at {first} and {address}"))
    }
}

const FOR: &str = "X-Forwarded-For";
const PROTO: &str = "X-Forwarded-Proto";
const HOST: &str = "X-Forwarded-Host";
const FORWARDED: &str = "Forwarded";

/// The edits of the request's head, and in words what they do.
pub(super) fn edits(mode: Forwarded, head: &Head, device: &Device) -> Option<(Vec<Edit>, String)> {
    let address = device.address.to_string();
    let mut edits = Vec::new();
    match mode {
        Forwarded::Off => return None,
        Forwarded::Append => {
            // The last line of a list is the one to continue.
            match head.positions("x-forwarded-for").last() {
                Some(header) => edits.push(continued(head, header, &address)),
                None => edits.push(Edit::Append { name: FOR.into(), value: address.clone() }),
            }
            if let Some(header) = head.positions("forwarded").last() {
                edits.push(continued(head, header, &element(device)));
            }
            for (name, value) in [(PROTO, Some(device.scheme())), (HOST, device.host.as_deref())] {
                if let Some(value) = value.filter(|_| head.header(name).is_none()) {
                    edits.push(Edit::Append { name: name.into(), value: value.to_owned() });
                }
            }
        }
        Forwarded::Replace => {
            for name in [FOR, PROTO, HOST, FORWARDED, "X-Forwarded-Port", "X-Real-IP"] {
                // Many servers read `_` and `-` as one.
                let came = head.headers.iter().enumerate();
                let came = came.filter(|(_, h)| h.name.replace('_', "-").eq_ignore_ascii_case(name));
                edits.extend(came.map(|(header, _)| Edit::Remove { header }));
            }
            let ours = [
                (FOR, Some(address.clone())),
                (PROTO, Some(device.scheme().into())),
                (HOST, device.host.clone()),
            ];
            edits.extend(
                ours.into_iter()
                    .filter_map(|(name, value)| Some(Edit::Append { name: name.into(), value: value? })),
            );
        }
    }
    let how = if mode == Forwarded::Append { "appended" } else { "told in place of what came" };
    Some((edits, format!("the device's address {address} was {how} (X-Forwarded-For)")))
}

fn continued(head: &Head, header: usize, value: &str) -> Edit {
    let before = head.headers.get(header).map(|h| h.text().into_owned()).unwrap_or_default();
    let joined = if before.is_empty() { value.to_owned() } else { format!("{before}, {value}") };
    Edit::Value { header, value: Bytes::from(joined) }
}

/// RFC 7239 6: an IPv6 address stands in brackets and quotes.
fn element(device: &Device) -> String {
    let node = match device.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let host = device.host.as_ref().map(|host| format!(";host=\"{}\"", host.replace(['"', '\\'], "")));
    format!("for={node};proto={}{}", device.scheme(), host.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(mode: Forwarded, peer: &str, headers: &str) -> Vec<String> {
        let head =
            Head::request(format!("GET / HTTP/1.1\r\nHost: a.example\r\n{headers}\r\n").as_bytes()).unwrap();
        let device = Device::new(peer, true, Some("a.example".to_owned())).unwrap();
        let (edits, _) = edits(mode, &head, &device).unwrap();
        head.edited_headers(&edits).iter().skip(1).map(|h| format!("{}: {}", h.name, h.text())).collect()
    }

    #[test]
    fn the_device_is_told_behind_or_instead_of_what_came() {
        let v4 = "198.51.100.7:4711";
        assert_eq!(
            sent(Forwarded::Append, v4, ""),
            ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: a.example"]
        );
        assert_eq!(
            sent(
                Forwarded::Append,
                v4,
                "X-FORWARDED-FOR: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\nX-Forwarded-Proto: http\r\n"
            ),
            [
                "X-FORWARDED-FOR: 1.1.1.1",
                "x-forwarded-for: 2.2.2.2, 198.51.100.7",
                "X-Forwarded-Proto: http",
                "X-Forwarded-Host: a.example"
            ]
        );
        assert_eq!(
            sent(
                Forwarded::Append,
                "[2001:db8::7]:4711",
                "Forwarded: for=1.1.1.1\r\nX-Forwarded-Host: b\r\n"
            ),
            [
                "Forwarded: for=1.1.1.1, for=\"[2001:db8::7]\";proto=https;host=\"a.example\"",
                "X-Forwarded-Host: b",
                "X-Forwarded-For: 2001:db8::7",
                "X-Forwarded-Proto: https"
            ]
        );
        assert_eq!(
            sent(
                Forwarded::Replace,
                "[::ffff:198.51.100.7]:4711",
                "X-Forwarded-For: 127.0.0.1\r\nx_forwarded_proto: http\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"
            ),
            ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: a.example"]
        );
        let head = Head::request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert!(edits(Forwarded::Off, &head, &Device::new(v4, true, None).unwrap()).is_none());
    }
}
