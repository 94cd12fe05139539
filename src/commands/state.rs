//! What the tool keeps on this machine beside captures: the redaction key.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

use super::output::Output;
use crate::redact::Key;

/// The state directory's key, made on first use, readable by its owner only. Where nothing can be written the key
/// lives as long as this run: placeholders are then not comparable with those of other captures.
pub(super) fn redaction_key(out: Output) -> Key {
    let Some(path) = directory().map(|d| d.join("redaction.key")) else { return fresh().0 };
    if let Ok(Ok(secret)) = fs::read(&path).map(<[u8; 32]>::try_from) {
        return Key::new(&secret);
    }
    let (key, secret) = fresh();
    if let Err(error) = keep(&path, &secret) {
        out.note(&format!("warning: the redaction key could not be kept at {}: {error}", path.display()));
    }
    key
}

pub(super) fn fresh() -> (Key, [u8; 32]) {
    let mut secret = [0; 32];
    // The system's generator does not fail on any platform that this runs on; a key of zeroes would still hide.
    let _ = SystemRandom::new().fill(&mut secret);
    (Key::new(&secret), secret)
}

fn keep(path: &Path, secret: &[u8; 32]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(secret)
}

pub(super) fn directory() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        from("LOCALAPPDATA")
    } else {
        from("XDG_STATE_HOME").or_else(|| from("HOME").map(|home| home.join(".local/state")))
    };
    base.map(|base| base.join("enrollscope"))
}
