//! Files that can't be used, each with its name and the mend in the message.

use super::*;

/// Both sides refuse the file with these words and leave it as it was.
fn check_refused(path: &Path, words: &[&str]) {
    let before = std::fs::read(path).ok();
    let url = format!("sqlite:{}", path.display());
    let errors = [crate::open_journal(&url).err(), crate::open_ledger(&url).err()];
    for error in errors {
        let error = error.expect("refused").to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} in {error:?}");
        }
        assert!(error.contains(path.to_str().expect("UTF-8")), "{error}");
    }
    assert_eq!(std::fs::read(path).ok(), before, "unchanged");
}

#[test]
fn a_text_file_is_foreign() {
    let (_folder, path) = place();
    std::fs::write(&path, "to whom it may concern\n".repeat(100)).expect("written");
    check_refused(&path, &["not a Sluice ledger", "left as it is"]);
}

#[test]
fn another_programs_database_is_foreign() {
    let (_folder, path) = place();
    let other = Connection::open(&path).expect("opens");
    other.execute_batch("CREATE TABLE songs (title TEXT)").expect("made");
    drop(other);
    check_refused(&path, &["not a Sluice ledger"]);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (_folder, path) = place();
    written(&path, 0..1).await;
    let later = Connection::open(&path).expect("opens");
    later.execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)").expect("set");
    drop(later);
    check_refused(&path, &["newer Sluice", "schema 99"]);
}

#[tokio::test]
async fn a_damaged_file_is_refused_at_start() {
    let (_folder, path) = place();
    written(&path, 0..200).await;
    let mut bytes = std::fs::read(&path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xA5);
    std::fs::write(&path, bytes).expect("written");
    let error = SqliteJournal::open(&path).err().expect("refused").to_string();
    assert!(error.contains("damaged") && error.contains(".recover"), "{error}");
}

#[test]
fn a_missing_folder_is_named() {
    let (folder, _) = place();
    let path = folder.path().join("nowhere").join("sluice.db");
    let error = SqliteJournal::open(&path).err().expect("refused").to_string();
    assert!(error.contains("nowhere: the folder does not exist"), "{error}");
}

#[test]
fn a_missing_or_empty_file_has_no_ledger() {
    let (_folder, path) = place();
    let error = SqliteLedger::open(&path).expect_err("refused").to_string();
    assert!(error.contains("no such file"), "{error}");
    std::fs::write(&path, "").expect("written");
    assert!(SqliteLedger::open(&path).is_err());
    assert!(SqliteJournal::open(&path).is_ok(), "an empty file may become a journal");
}

#[test]
fn a_second_gateway_is_told_who_has_the_file() {
    let (_folder, path) = place();
    let first = SqliteJournal::open(&path).expect("opens");
    let error = SqliteJournal::open(&path).err().expect("refused").to_string();
    assert!(
        error.contains(&format!("in use by another gateway (process {})", std::process::id())),
        "{error}"
    );
    drop(first);
    assert!(SqliteJournal::open(&path).is_ok(), "free again");
}

#[tokio::test]
async fn every_start_draws_a_writer_of_its_own() {
    let (_folder, path) = place();
    written(&path, 0..2).await;
    written(&path, 2..4).await;
    assert_eq!(ask(&path, "SELECT count(DISTINCT writer) FROM entries"), 2);
    assert_eq!(ask(&path, "SELECT count(*) FROM (SELECT DISTINCT writer, sequence FROM entries)"), 8);
}
