//! Files that commands write: tried before the work, written whole or not at all.

use super::Failure;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Whether a file can be written there; leaves nothing behind.
///
/// # Errors
/// Exit 2: it names a folder, or its folder doesn't exist or may not be written to.
pub(super) fn claim(path: &Path) -> Result<(), Failure> {
    let tried = || {
        anyhow::ensure!(!path.is_dir(), "{}: this is a folder; name a file", path.display());
        let beside = beside(path);
        std::fs::File::create(&beside)
            .and_then(|_| std::fs::remove_file(&beside))
            .with_context(|| format!("{}: the file can't be written", path.display()))
    };
    tried().map_err(Failure::input)
}

/// Whole or not at all: a reader never sees half a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let beside = beside(path);
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("{}: the file can't be written", path.display()))
        .map_err(Failure::input)
}

/// Where a file is written before it takes its name.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    PathBuf::from(beside)
}
