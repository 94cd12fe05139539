//! Addresses, taken apart.

/// Origin, authority and target of an address.
pub(super) fn parts(url: &str) -> Option<(String, String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let rest = rest.split('#').next()?;
    let (authority, target) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let authority = authority.rsplit('@').next()?.to_owned();
    if authority.is_empty() {
        return None;
    }
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let has_port =
        authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let scheme = scheme.to_ascii_lowercase();
    let origin =
        if has_port { format!("{scheme}://{authority}") } else { format!("{scheme}://{authority}:{port}") };
    Some((origin, authority, target))
}
