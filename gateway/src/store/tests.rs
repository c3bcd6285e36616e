//! What every store must do, checked for every row of the table.

pub(crate) mod servers;

use super::fixtures::{CONFIG, decision_id, record, settled, snapshot};
use super::*;
use sluice_router::Receipt;
use tempfile::TempDir;

/// The stores that a journal can be kept in; the others say what to use instead.
fn journals() -> Vec<&'static StoreRow> {
    let (journals, others): (Vec<_>, Vec<_>) = STORES.iter().partition(|row| row.name != "postgres");
    for row in others {
        let error = (row.journal)("//host/x").err().expect("refused").to_string();
        assert!(error.contains("[store] journal") && error.contains("[store] ledger"), "{error}");
    }
    journals
}

/// A fresh URL for the row, within `folder`.
fn url(row: &StoreRow, folder: &TempDir) -> String {
    format!("{}:{}", row.name, folder.path().join("journal").display())
}

#[tokio::test]
async fn every_store_gives_back_receipts_that_were_handed_over_before() {
    for row in journals() {
        let folder = TempDir::new().expect("a folder");
        let journal = open_journal(&url(row, &folder)).expect("opens");
        journal.record(snapshot()).await;
        journal.record(record(7)).await;
        let found = journal.receipt(decision_id(7), "default".to_owned()).await.expect("readable");
        let (receipt, snapshot) = found.unwrap_or_else(|| panic!("{}: stored", row.name));
        let receipt: Receipt = serde_json::from_str(&receipt).expect("a receipt");
        assert_eq!(receipt, *settled(7).receipt.expect("has one"), "{}: to the last bit", row.name);
        assert_eq!(receipt.versions.config, CONFIG);
        assert!(snapshot.contains("of the test"));
        assert_eq!(journal.receipt(decision_id(8), "default".to_owned()).await, Ok(None), "{}", row.name);
        let of_another = journal.receipt(decision_id(7), "acme".to_owned()).await;
        assert_eq!(of_another, Ok(None), "{}: nobody reads another's decisions", row.name);
    }
}

#[tokio::test]
async fn every_store_is_quiet_when_all_is_durable() {
    for row in journals() {
        let folder = TempDir::new().expect("a folder");
        let journal = open_journal(&url(row, &folder)).expect("opens");
        journal.record(record(1)).await;
        assert_eq!(journal.flush().await, Ok(()), "{}", row.name);
        assert_eq!((journal.trouble(), journal.oldest_waiting_ms()), (None, None), "{}", row.name);
    }
}

#[tokio::test]
async fn a_memory_journal_keeps_a_request_once() {
    let journal = MemoryJournal::new();
    for record in [snapshot(), record(1), snapshot(), record(1), record(2)] {
        journal.record(record).await;
    }
    assert_eq!(journal.records().len(), 3);
}

#[test]
fn an_unknown_store_names_the_known_ones() {
    for url in ["sluice.db", "mysql://me:hush@x", "", "sqlite"] {
        let error = open_journal(url).err().expect("refused").to_string();
        assert!(error.contains("sqlite:, postgres:, memory:"), "{url}: {error}");
        assert!(!error.contains("hush"), "{error}");
    }
    let error = open_journal("sqlite:").err().expect("refused").to_string();
    assert!(error.contains("name the file"), "{error}");
    assert!(open_ledger("memory:").is_err());
}
