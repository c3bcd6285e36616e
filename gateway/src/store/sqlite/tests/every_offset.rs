//! Row 34: a write-ahead log cut at every offset, and with a flipped bit in every byte. A small log, so that every one
//! is every one: pages of 512 bytes.

use super::*;
use crate::record::Record;
use crate::store::fixtures::id;

const COMMITS: u64 = 3;

/// Pages are small, and the tables are in the file already: the log has the commits alone.
async fn file_and_log() -> (Vec<u8>, Vec<u8>) {
    let (_folder, path) = place();
    let small = Connection::open(&path).expect("opens");
    small.execute_batch("PRAGMA page_size = 512; VACUUM").expect("set");
    drop(small);
    drop(SqliteJournal::open(&path).expect("makes the tables"));
    let journal = SqliteJournal::open(&path).expect("opens");
    for n in 0..COMMITS {
        let mut small = settled(n);
        small.receipt = None;
        journal.record(Record::Settled(Box::new(small))).await;
        journal.flush().await.expect("durable");
    }
    let log = std::fs::read(path.with_extension("db-wal")).expect("readable");
    (std::fs::read(&path).expect("readable"), log)
}

/// How many commits are there, whole and with right sums; `None` when the file is refused.
fn commits(folder: &Path, file: &[u8], log: &[u8]) -> Option<usize> {
    let path = folder.join("sluice.db");
    for left in ["db-shm", "db-wal"] {
        let _ = std::fs::remove_file(path.with_extension(left));
    }
    std::fs::write(&path, file).expect("written");
    std::fs::write(path.with_extension("db-wal"), log).expect("written");
    let connection = schema::open_to_read(&path).ok()?;
    let sql = "SELECT r.request_id, r.cost_nanousd, sum(e.amount_nanousd), count(*) FROM requests AS r
               LEFT JOIN entries AS e USING (request_id) GROUP BY r.request_id ORDER BY r.request_id";
    let mut query = connection.prepare(sql).expect("the schema is there");
    let rows = query.query_map([], |row| {
        let found: (String, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(found)
    });
    let rows: Vec<_> = rows.and_then(Iterator::collect).ok()?;
    for (n, (request, cost, booked, entries)) in rows.iter().enumerate() {
        assert_eq!(*request, id(n as u64).to_string(), "a prefix of the commits");
        assert_eq!((cost, booked, *entries), (&settled(n as u64).cost.0, cost, 2), "{request}");
    }
    Some(rows.len())
}

/// Runs `change` for every offset of the log, on two threads; how many of each count of commits came out.
fn all(files: &(Vec<u8>, Vec<u8>), change: impl Fn(&mut Vec<u8>, usize) + Sync) -> Vec<usize> {
    let part = |odd: usize| {
        let folder = TempDir::new().expect("a folder");
        let mut seen = vec![0; COMMITS as usize + 1];
        for at in (odd..files.1.len()).step_by(2) {
            let mut log = files.1.clone();
            change(&mut log, at);
            if let Some(commits) = commits(folder.path(), &files.0, &log) {
                seen[commits] += 1;
            }
        }
        seen
    };
    let part = &part;
    std::thread::scope(|scope| {
        let other = scope.spawn(move || part(1));
        let mut seen = part(0);
        for (count, more) in seen.iter_mut().zip(other.join().expect("no panic")) {
            *count += more;
        }
        seen
    })
}

#[tokio::test]
async fn row_34_a_log_cut_at_every_offset_has_all_commits_before_the_cut_and_right_sums() {
    let files = file_and_log().await;
    let folder = TempDir::new().expect("a folder");
    assert_eq!(commits(folder.path(), &files.0, &files.1), Some(COMMITS as usize), "uncut");
    let seen = all(&files, |log, at| log.truncate(at));
    assert_eq!(seen.iter().sum::<usize>(), files.1.len(), "none is refused");
    let (before, all) = seen.split_at(COMMITS as usize);
    assert!(before.iter().all(|&count| count > 0) && all == [0], "{seen:?}");
}

#[tokio::test]
async fn row_34_a_log_with_a_flipped_bit_in_every_byte_has_right_sums_or_is_refused() {
    let files = file_and_log().await;
    let seen = all(&files, |log, at| log[at] ^= 1 << (at % 8));
    assert!(seen[0] > 0, "{seen:?}");
}
