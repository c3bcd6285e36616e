//! The writer thread: takes as many records as are waiting, commits them as one transaction, and keeps at it.

use super::queued::Queued;
use super::scribe::Scribe;
use super::{NONE_WAITING, Shared, fault};
use crate::record::Record;
use crate::store::StoreError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

/// How the writer is.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// Records that are durable, or refused, ever.
    pub(super) written: u64,
    /// Groups that could not be written at a try, ever.
    pub(super) failures: u64,
    /// Why the last try failed; `None` when it didn't.
    pub(super) trouble: Option<String>,
    /// The first record that broke a rule of the ledger; stays, as it is a bug that somebody must see.
    pub(super) refused: Option<String>,
    /// The thread is gone.
    pub(super) ended: bool,
}

/// Starts the thread; it ends when the line is closed and empty.
pub(super) fn spawn(
    path: &Path,
    file: Scribe,
    inbox: mpsc::Receiver<Queued>,
    shared: Arc<Shared>,
) -> Result<JoinHandle<()>, StoreError> {
    let path = path.to_owned();
    let work = Writer { path, file, inbox, shared, group: Vec::new() };
    let thread = std::thread::Builder::new().name("sluice-journal".to_owned());
    thread.spawn(move || work.run()).map_err(|error| StoreError(format!("journal thread: {error}")))
}

struct Writer {
    path: PathBuf,
    file: Scribe,
    inbox: mpsc::Receiver<Queued>,
    shared: Arc<Shared>,
    group: Vec<Queued>,
}

impl Writer {
    fn run(mut self) {
        while let Some(first) = self.next() {
            self.gather(first);
            if !self.persist() {
                break;
            }
        }
    }

    /// The next record; `None` when the journal is closed and nothing is left.
    ///
    /// Whoever hands a record over to a thread that sleeps in the channel must wake it, which is a system call in the
    /// path of a request. So under load the thread looks by itself, once a millisecond, and nobody wakes it but
    /// [`super::SqliteJournal::flush`]. It goes to sleep in the channel when nothing has come for a while.
    fn next(&mut self) -> Option<Queued> {
        for _ in 0..LOOKS {
            match self.inbox.try_recv() {
                Ok(record) => return Some(record),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => std::thread::park_timeout(BETWEEN_LOOKS),
            }
        }
        self.inbox.blocking_recv()
    }

    /// The first record and whatever comes soon after it, unless somebody waits for them to be durable. A group costs a
    /// sync, and each page that it touches is written once, so few large ones cost far less than many small ones.
    fn gather(&mut self, first: Queued) {
        self.group.push(first);
        if !self.shared.is_awaited.load(Ordering::SeqCst) {
            std::thread::park_timeout(GATHERING); // a flush ends it early
        }
        // Before the line is looked at: whoever comes later has its record in it already, or asks again.
        self.shared.is_awaited.store(false, Ordering::SeqCst);
        while self.group.len() < MOST_RECORDS {
            let Ok(record) = self.inbox.try_recv() else { break };
            self.group.push(record);
        }
        let made = self.group.iter().find_map(|queued| match &queued.record {
            Record::Settled(settled) => Some(settled.at_unix_ms),
            _ => None,
        });
        self.shared.oldest_ms.store(made.unwrap_or(NONE_WAITING), Ordering::Relaxed);
    }

    /// Writes the group, trying again until it is durable. False when the journal was closed meanwhile and the last
    /// tries failed too, and when the disk can't be trusted any more.
    ///
    /// Trying again is sound: a failed commit is rolled back, the next try writes every page of it anew, and a record
    /// that is there already is passed over.
    fn persist(&mut self) -> bool {
        let mut pause = FIRST_PAUSE;
        let mut last_tries = TRIES_AFTER_CLOSE;
        loop {
            let error = match self.file.write(&self.group) {
                Ok(refused) => {
                    self.report_written(refused);
                    return true;
                }
                Err(error) => error,
            };
            self.report_failure(&error);
            if fault::is_a_failed_sync(&error) {
                return false;
            }
            if self.inbox.is_closed() {
                last_tries -= 1;
                pause = pause.min(FIRST_PAUSE);
            }
            if last_tries == 0 {
                return false;
            }
            // Ends early when the journal is closed.
            std::thread::park_timeout(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn report_written(&mut self, refused: Option<String>) {
        let count = self.group.len() as u64;
        self.group.clear();
        self.shared.oldest_ms.store(NONE_WAITING, Ordering::Relaxed);
        self.shared.state.send_modify(|state| {
            state.written += count;
            state.trouble = None;
            if let Some(why) = refused {
                let told = || format!("{}: {why}; kept in table `refused`", self.path.display());
                // The first one stays: it is nearest to the cause.
                state.refused.get_or_insert_with(told);
            }
        });
    }

    fn report_failure(&self, error: &rusqlite::Error) {
        let trouble = fault::explain(&self.path, error).0;
        self.shared.state.send_modify(|state| {
            state.failures += 1;
            state.trouble = Some(trouble);
        });
    }
}

impl Drop for Writer {
    /// However the thread ends, nobody waits for it in vain.
    fn drop(&mut self) {
        self.shared.state.send_modify(|state| state.ended = true);
    }
}

/// Looks for a record before the thread goes to sleep: some 100 ms.
const LOOKS: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
/// How long a group gathers that nobody waits for. Each group takes a core for a moment, and who is being served there waits
/// for that, however few records it has.
const GATHERING: Duration = Duration::from_millis(25);
/// Most records of one transaction: 1.5 to 3 MB of log, synced in one go.
const MOST_RECORDS: usize = 1_024;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Tries after the journal was closed before what is left is given up.
const TRIES_AFTER_CLOSE: u32 = 5;
