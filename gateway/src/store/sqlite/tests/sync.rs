//! Row 33: a sync that fails. The system tells it once and then forgets, so the writer stops for good.

use super::*;
use crate::store::fixtures::id;
use std::io::Write as _;
use std::process::Command;

/// Set in the child: the journal's path.
const CHILD: &str = "SLUICE_TEST_SYNC_CHILD";

/// The test starts itself again under `strace`, which makes every sync of a thread but its first ones fail.
#[test]
fn row_33_after_a_failed_sync_nothing_more_is_written_and_what_was_acknowledged_is_there() {
    if let Ok(path) = std::env::var(CHILD) {
        return write_until_stopped(Path::new(&path));
    }
    if !Command::new("strace").args(["-qq", "-o/dev/null", "true"]).status().is_ok_and(|done| done.success())
    {
        let said = writeln!(std::io::stderr(), "SKIPPED row 33: strace can't make a sync fail here");
        return said.expect("stderr");
    }
    let (_folder, path) = place();
    drop(SqliteJournal::open(&path).expect("makes the tables"));
    let name = "store::sqlite::tests::sync::row_33_after_a_failed_sync_nothing_more_is_written_and_what_was_acknowledged_is_there";
    let told = Command::new("strace")
        .args(["-f", "-qq", "-o/dev/null", "-e", "trace=fsync,fdatasync"])
        .args(["-e", "inject=fsync,fdatasync:error=EIO:when=20+"])
        .arg(std::env::current_exe().expect("this test"))
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, &path)
        .output()
        .expect("it runs");
    let told = [told.stdout, told.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("stopped: "), "{told}");
    let acknowledged: Vec<&str> =
        told.lines().filter_map(|line| Some(line.split_once("durable ")?.1)).collect();
    assert!(!acknowledged.is_empty(), "{told}");
    drop(SqliteJournal::open(&path).expect("opens again"));
    let stored = checked_requests(&Connection::open(&path).expect("opens"));
    let stored: Vec<&str> = stored.iter().map(String::as_str).collect();
    assert_eq!(invariants::lost(&acknowledged, &stored), Vec::<&str>::new());
    assert!(!stored.contains(&id(2_000).to_string().as_str()), "nothing was written after the failure");
}

fn write_until_stopped(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let journal = SqliteJournal::open(path).expect("opens");
        let mut n = 0;
        let error = loop {
            journal.record(record(n)).await;
            match journal.flush().await {
                Ok(()) => println!("durable {}", id(n)),
                Err(error) => break error,
            }
            n += 1;
        };
        assert!(error.to_string().contains("the disk could not sync"), "{error}");
        journal.record(record(2_000)).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert!(journal.is_full(), "nothing new is begun");
        assert!(journal.flush().await.is_err(), "no later success is believed");
        println!("stopped: {}", journal.trouble().expect("told"));
    });
}
