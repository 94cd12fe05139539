//! What is known of enrollment errors: data files, one for each family, compiled in; users may add files of their own.

mod entry;
mod index;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

pub use entry::{Cause, Entry, Platform, Whereabouts};
pub use index::Knowledge;

/// The files, in the order in which what they say of one code is told.
const FILES: &[(&str, &str)] = &[
    ("menroll", include_str!("menroll.toml")),
    ("transport", include_str!("transport.toml")),
    ("sign-in", include_str!("sign-in.toml")),
    ("join", include_str!("join.toml")),
    ("wire", include_str!("wire.toml")),
    ("windows-issues", include_str!("windows-issues.toml")),
    ("windows-client", include_str!("windows-client.toml")),
    ("mregister", include_str!("mregister.toml")),
    ("apple", include_str!("apple.toml")),
    ("android", include_str!("android.toml")),
];

static BUILT_IN: LazyLock<Knowledge> = LazyLock::new(|| {
    let entries = FILES.iter().filter_map(|(_, text)| entry::parse(text).ok()).flatten().collect();
    Knowledge::of(entries)
});
