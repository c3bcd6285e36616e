//! SQLite's errors in people's words, with the file and the mend.

use crate::store::StoreError;
use rusqlite::{ErrorCode, ffi};
use std::path::Path;

/// What went wrong with the file, and what to do about it.
pub(crate) fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let file = path.display();
    let text = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => foreign(path).0,
        Some(ErrorCode::DatabaseCorrupt) => return damaged(path, &error.to_string()),
        Some(ErrorCode::DiskFull) => {
            format!("{file}: the disk is full; make room, the records are kept meanwhile")
        }
        _ if is_a_failed_sync(error) => format!(
            "{file}: the disk could not sync ({error}), so what it took since the last sync may not be there; nothing \
             more is written or admitted: look at the disk, then restart the gateway"
        ),
        Some(ErrorCode::SystemIoFailure) => format!("{file}: {error}; look at the disk and its free space"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("{file}: another program holds a lock on it; end that program's transaction")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            format!("{file}: {error}; look at the file's and the folder's permissions")
        }
        _ => format!("{file}: {error}"),
    };
    StoreError(text)
}

/// Whether the system could not say that what it took is on the disk. It says so once and forgets: asking again would
/// be told that all is well, so nobody may.
pub(super) fn is_a_failed_sync(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

/// A file that holds something else.
pub(super) fn foreign(path: &Path) -> StoreError {
    StoreError(format!("{} is not a Sluice ledger; name another file, it was left as it is", path.display()))
}

/// A file that contradicts itself.
pub(super) fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError(format!(
        "{} is damaged ({what}); move it away with its -wal file and restore a backup, or start with a new file; \
         `sqlite3 FILE .recover` saves what can be read",
        path.display()
    ))
}

/// A file of a later program.
pub(super) fn newer(path: &Path, found: i64, known: i64) -> StoreError {
    StoreError(format!(
        "{} was written by a newer Sluice (schema {found}, this one knows {known}); use that version or a newer one",
        path.display()
    ))
}
