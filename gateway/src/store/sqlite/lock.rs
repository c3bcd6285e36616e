//! One gateway for one file: a lock that the system takes back when its process ends, however it ends.

use crate::store::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// Held for as long as this process writes to the journal.
///
/// A file of its own, `NAME.writer`: SQLite's locks on the database itself are given up when any other handle on it
/// is closed within the process. It stays behind, empty of meaning, since removing it would race with the next taker.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(database: &Path) -> Result<WriterLock, StoreError> {
        let path = beside(database);
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = opened.map_err(|error| unusable(database, &path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(database, &mut file)),
            Err(TryLockError::Error(error)) => return Err(unusable(database, &path, &error)),
        }
        // For the message of whoever comes second; the lock itself doesn't depend on it.
        let noted = file.set_len(0).and_then(|()| file.rewind());
        let _ = noted.and_then(|()| write!(file, "{}", std::process::id()));
        Ok(WriterLock { _file: file })
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".writer");
    PathBuf::from(name)
}

fn taken(database: &Path, file: &mut File) -> StoreError {
    let mut owner = String::new();
    let _ = file.read_to_string(&mut owner);
    let owner = if owner.is_empty() { String::new() } else { format!(" (process {owner})") };
    StoreError(format!(
        "{} is in use by another gateway{owner}; stop that one, or name another file in [store] journal",
        database.display()
    ))
}

fn unusable(database: &Path, lock: &Path, error: &std::io::Error) -> StoreError {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.exists()) {
        Some(folder) => StoreError(format!("{}: the folder does not exist; make it first", folder.display())),
        None => StoreError(format!("{}: {error}; the gateway must be able to write here", lock.display())),
    }
}
