//! An engine that takes whole batches, in real time: one at a time, those that come meanwhile after it.

use crate::whole_batch::WholeBatch;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// The engine.
#[derive(Debug)]
pub(crate) struct Batches {
    law: WholeBatch,
    scale: f64,
    turn: Mutex<()>,
    running: AtomicUsize,
    waiting: AtomicUsize,
}

impl Batches {
    pub(crate) fn new(law: WholeBatch, scale: f64) -> Batches {
        let (running, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Batches { law, scale, turn: Mutex::new(()), running, waiting }
    }

    /// Most rows of one batch.
    pub(crate) fn most(&self) -> usize {
        self.law.max_batch
    }

    /// Rows in work, and rows that wait.
    pub(crate) fn rows(&self) -> (usize, usize) {
        (self.running.load(Ordering::Relaxed), self.waiting.load(Ordering::Relaxed))
    }

    /// Works on a batch of so many rows. Dropping the future ends the work.
    pub(crate) async fn work(&self, rows: usize) {
        let waits = Counted::new(&self.waiting, rows);
        let _turn = self.turn.lock().await;
        drop(waits);
        let _runs = Counted::new(&self.running, rows);
        #[allow(clippy::cast_precision_loss, reason = "below 2^53 for a hundred days")]
        let seconds = self.law.batch_ns(rows) as f64 / 1e9 / self.scale;
        tokio::time::sleep(Duration::from_secs_f64(seconds.min(1e9))).await;
    }
}

/// Rows that a gauge shows for as long as this lives.
struct Counted<'a> {
    gauge: &'a AtomicUsize,
    rows: usize,
}

impl<'a> Counted<'a> {
    fn new(gauge: &'a AtomicUsize, rows: usize) -> Counted<'a> {
        gauge.fetch_add(rows, Ordering::Relaxed);
        Counted { gauge, rows }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.gauge.fetch_sub(self.rows, Ordering::Relaxed);
    }
}
