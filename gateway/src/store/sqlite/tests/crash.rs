//! Ends without warning: a killed writer, and a write-ahead log cut or flipped anywhere.

use super::*;
use crate::store::fixtures::id;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

/// Set in the child: the journal's path, then the number of its first request.
const CHILD: &str = "SLUICE_TEST_JOURNAL_CHILD";
const TRIALS: u64 = 10;

/// The test starts itself again as the writer, and kills that at a moment of chance, on the same file each time.
#[test]
fn a_killed_writer_keeps_every_acknowledged_record_once() {
    if let Ok(told) = std::env::var(CHILD) {
        return write_until_killed(&told);
    }
    let (_folder, path) = place();
    let mut acknowledged: Vec<String> = Vec::new();
    for trial in 0..TRIALS {
        let mut fresh = acknowledged_before_the_kill(&path, trial);
        assert!(!fresh.is_empty(), "trial {trial} wrote something");
        acknowledged.append(&mut fresh);
        drop(SqliteJournal::open(&path).unwrap_or_else(|error| panic!("trial {trial}: {error}")));
        let connection = Connection::open(&path).expect("opens");
        let stored = checked_requests(&connection);
        let (acknowledged, stored) = (refs(&acknowledged), refs(&stored));
        assert_eq!(invariants::lost(&acknowledged, &stored), Vec::<&str>::new(), "trial {trial}");
        assert_eq!(invariants::repeated(&stored), Vec::<&str>::new(), "trial {trial}");
    }
    let entries = ask(&path, "SELECT count(*) FROM entries");
    let keys = "SELECT count(*) FROM (SELECT DISTINCT request_id, attempt, phase FROM entries)";
    assert_eq!(entries, ask(&path, keys));
}

/// Runs a writer until it has acknowledged some records, kills it, and returns what it had acknowledged by then.
fn acknowledged_before_the_kill(path: &Path, trial: u64) -> Vec<String> {
    let name = "store::sqlite::tests::crash::a_killed_writer_keeps_every_acknowledged_record_once";
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, format!("{} {}", trial * 10_000_000, path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut acknowledged = Vec::new();
    let wanted = 1 + (trial * 37) as usize % 101;
    while acknowledged.len() < wanted && read_one(&mut lines, &mut acknowledged) {}
    // SIGKILL. The other stream of records, which nobody acknowledges, is somewhere within its next group.
    child.kill().expect("killed");
    child.wait().expect("ended");
    while read_one(&mut lines, &mut acknowledged) {}
    acknowledged
}

/// Reads a line; false at the end. Half a line is no acknowledgement.
fn read_one(lines: &mut impl BufRead, acknowledged: &mut Vec<String>) -> bool {
    let mut line = String::new();
    let read = lines.read_line(&mut line).expect("readable");
    if let Some(id) = line.strip_suffix('\n').and_then(|line| line.split_once("durable ")) {
        acknowledged.push(id.1.to_owned());
    }
    read > 0
}

/// The child: one stream of records is acknowledged one by one, another just keeps the writer busy.
fn write_until_killed(told: &str) {
    let (first, path) = told.split_once(' ').expect("two values");
    let first: u64 = first.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let journal = SqliteJournal::open(Path::new(path)).expect("opens");
        let acknowledged = async {
            for n in first.. {
                journal.record(record(n)).await;
                journal.flush().await.expect("durable");
                let mut out = std::io::stdout().lock();
                writeln!(out, "durable {}", id(n)).and_then(|()| out.flush()).expect("the parent reads");
            }
        };
        let busy = async {
            for n in first + 5_000_000.. {
                journal.record(record(n)).await;
                if n % 64 == 0 {
                    journal.flush().await.expect("durable");
                }
            }
        };
        futures::join!(acknowledged, busy);
    });
}

/// Opens what is left after `change` to the log: a prefix of the commits with right sums, or a refusal.
fn check_prefix(files: &(Vec<u8>, Vec<u8>), what: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let (_folder, path) = place();
    let mut log = files.1.clone();
    change(&mut log);
    std::fs::write(&path, &files.0).expect("written");
    std::fs::write(path.with_extension("db-wal"), &log).expect("written");
    let Ok((connection, _)) = schema::open_to_write(&path) else { return };
    let stored = checked_requests(&connection);
    let expected: Vec<String> = (0..stored.len() as u64).map(|n| id(n).to_string()).collect();
    assert_eq!(stored, expected, "{what}: a prefix of the commits");
}

/// A journal of some commits, all of them still in its log.
async fn file_and_log() -> (Vec<u8>, Vec<u8>) {
    let (_folder, path) = place();
    let journal = SqliteJournal::open(&path).expect("opens");
    for n in 0..24 {
        journal.record(record(n)).await;
        journal.flush().await.expect("durable");
    }
    let log = std::fs::read(path.with_extension("db-wal")).expect("readable");
    (std::fs::read(&path).expect("readable"), log)
}

/// Positions all over the log: around the start of each frame, and at a stride that meets no pattern.
fn positions(log: &[u8]) -> Vec<usize> {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4_096;
    let frames = (0..log.len() / FRAME).step_by(5).flat_map(|frame| {
        let start = HEADER + frame * FRAME;
        [start.saturating_sub(1), start, start + 1, start + 23]
    });
    let strides = (0..log.len()).step_by(log.len() / 97);
    frames.chain(strides).filter(|&at| at < log.len()).collect()
}

#[tokio::test]
async fn a_log_cut_anywhere_gives_a_prefix_of_the_commits() {
    let files = file_and_log().await;
    check_prefix(&files, "uncut", |_| ());
    for at in positions(&files.1) {
        check_prefix(&files, &format!("cut at {at}"), |log| log.truncate(at));
    }
}

#[tokio::test]
async fn a_log_with_a_flipped_bit_gives_a_prefix_of_the_commits() {
    let files = file_and_log().await;
    for at in positions(&files.1) {
        check_prefix(&files, &format!("bit of byte {at}"), |log| log[at] ^= 1 << (at % 8));
    }
}

fn refs(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}
